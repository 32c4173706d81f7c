package access

import (
	"context"
	"maps"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// TickEvery is how often the server calls [Service.Tick].
const TickEvery = 10 * time.Second

// Tick does what the passing of time asks for: it ends the watches of what has
// expired, removes expired sessions and tokens, writes when tokens and sessions
// were used last, and records counts of refusals.
func (s *Service) Tick(ctx context.Context) error { return s.tick(ctx, false) }

// Flush writes what is only in memory; for the end of the server.
func (s *Service) Flush(ctx context.Context) error { return s.tick(ctx, true) }

func (s *Service) tick(ctx context.Context, all bool) error {
	// The transaction also reads again what an unknown outcome left open.
	defer s.recheck()
	counts := s.denials.complete(s.now(), all)
	_, err := s.registry.Update(ctx, func(tx *registry.Tx) error {
		now := s.now()
		s.sweepSessions(tx, now, all)
		s.sweepTokens(tx, now, all)
		tx.Record(counts...)
		return nil
	})
	if err != nil {
		s.denials.keep(counts)
		return err
	}
	s.forget()
	return nil
}

// sweepSessions removes sessions that have ended. Whoever opened them is on
// record, and how long they last is known.
func (s *Service) sweepSessions(tx *registry.Tx, now time.Time, all bool) {
	for _, item := range s.sessions.All() {
		v := item.Value
		if s.over(item.Name, &v, now) {
			s.sessions.Delete(tx, "", item.Name)
			continue
		}
		if at := s.newest(s.seen, item.Name, v.SeenAt); due(v.SeenAt, at, LastSeenWritten, all) {
			v.SeenAt = at
			s.sessions.Put(tx, "", item.Name, v)
		}
	}
}

func (s *Service) sweepTokens(tx *registry.Tx, now time.Time, all bool) {
	var gone []store.Entry
	for _, item := range s.tokens.All() {
		t := item.Value
		if now.Sub(t.ExpiresAt) >= ExpiredTokensKept {
			s.tokens.Delete(tx, "", item.Name)
			gone = append(gone, System("sweep").Done(Act{
				Action: "token.remove", Object: "token/" + item.Name, Reason: "expired",
				Detail: map[string]any{"user": t.User, "name": t.Name, "expires_at": t.ExpiresAt},
			}))
			continue
		}
		if at := s.newest(s.used, item.Name, t.LastUsedAt); due(t.LastUsedAt, at, LastUseWritten, all) {
			t.LastUsedAt = at
			s.tokens.Put(tx, "", item.Name, t)
		}
	}
	tx.Record(gone...)
}

// due reports whether a last use is to be written: the first, and then where it
// is news enough, or at the end any.
func due(stored, at time.Time, news time.Duration, all bool) bool {
	return at.After(stored) && (all || at.Sub(stored) >= news)
}

// forget drops from memory what is gone or written.
func (s *Service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.used, func(id string, at time.Time) bool {
		t, there := s.tokens.Get("", id)
		return !there || !at.After(t.LastUsedAt)
	})
	maps.DeleteFunc(s.seen, func(key string, at time.Time) bool {
		v, there := s.sessions.Get("", key)
		return !there || !at.After(v.SeenAt)
	})
}
