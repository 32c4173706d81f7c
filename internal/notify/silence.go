package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

const (
	// MaxSilences is how many silences a namespace has at most.
	MaxSilences = 500
	// MaxSilence is how long a silence may last.
	MaxSilence = 366 * 24 * time.Hour
)

// Silences returns the silences of a namespace that are in force, by their end.
func (s *Service) Silences(namespace string) []Silence {
	now := s.clock.Now()
	var out []Silence
	for _, item := range s.cfg.Tables.Silences.List(namespace) {
		if now.Before(item.Value.Until) {
			out = append(out, item.Value)
		}
	}
	slices.SortStableFunc(out, func(a, b Silence) int { return a.Until.Compare(b.Until) })
	return out
}

// CreateSilence makes a silence of the namespace, workflow, cause, end and
// reason that it is given, and returns it with the position of the change. By is
// the entry of the audit log; action, object and outcome are filled in. The
// silence is the first object of its transaction. Errors: ErrInvalid, ErrFull,
// and those of the registry.
func (s *Service) CreateSilence(ctx context.Context, by store.Entry, silence Silence) (Silence, uint64, error) {
	silence.ID = "si-" + strings.ToLower(rand.Text())
	silence.CreatedBy = by.Actor
	silence.Until = store.Time(silence.Until)
	in, err := newSilencing(silence)
	switch {
	case err != nil:
		return Silence{}, 0, fmt.Errorf("%w: workflow %q: %w", ErrInvalid, silence.Workflow, err)
	case silence.Cause != "" && !slices.Contains(Causes(), silence.Cause):
		return Silence{}, 0, fmt.Errorf("%w: there is no cause %q; causes are %s", ErrInvalid, silence.Cause, causeList())
	case !validText(silence.Reason) || !validText(silence.Workflow):
		return Silence{}, 0, fmt.Errorf("%w: pattern and reason are one line of at most %d bytes", ErrInvalid, store.MaxText)
	}
	position, err := s.update(ctx, func(d *draft, tx *registry.Tx) error {
		in.CreatedAt = d.now
		switch {
		case !d.now.Before(in.Until):
			return fmt.Errorf("%w: the silence ends at %s, which is past", ErrInvalid, instant(in.Until))
		case in.Until.Sub(d.now) > MaxSilence:
			return fmt.Errorf("%w: a silence lasts at most 366 days", ErrInvalid)
		case len(d.inForce(in.Namespace)) >= MaxSilences:
			return fmt.Errorf("%w silences: namespace %s has %d", ErrFull, in.Namespace, MaxSilences)
		}
		s.cfg.Tables.Silences.Put(tx, in.Namespace, in.ID, in.Silence)
		d.recordSilence(by, "silence.create", &in.Silence)
		d.hush(&in)
		return nil
	})
	if err != nil {
		s.wake() // what it did may be unknown
		return Silence{}, 0, err
	}
	s.silencesChanged()
	return in.Silence, position, nil
}

// DeleteSilence ends a silence: what it withheld is sent. ErrNotFound if there
// is none, else the errors of the registry.
func (s *Service) DeleteSilence(ctx context.Context, by store.Entry, namespace, id string) (uint64, error) {
	position, err := s.update(ctx, func(d *draft, tx *registry.Tx) error {
		silence, there := s.cfg.Tables.Silences.Get(namespace, id)
		if !there {
			return fmt.Errorf("%w: silence %s in namespace %s", ErrNotFound, id, namespace)
		}
		s.cfg.Tables.Silences.Delete(tx, namespace, id)
		d.recordSilence(by, "silence.delete", &silence)
		d.unhush(d.index.hushed(func(p place) bool { return p.namespace == namespace }), id)
		return nil
	})
	s.silencesChanged()
	return position, err
}

func (d *draft) recordSilence(by store.Entry, action string, s *Silence) {
	if by.Reason == "" {
		by.Reason = s.Reason
	}
	d.entries = append(d.entries, entry(by, action, s.Namespace, "silence/"+s.ID,
		fact("workflow", s.Workflow), fact("cause", string(s.Cause)), fact("until", instant(s.Until))))
}

// hushed are the silenced alerts that pass, in order.
func (x *index) hushed(pass func(p place) bool) []place {
	return slices.DeleteFunc(slices.SortedFunc(maps.Keys(x.silenced), place.compare), func(p place) bool { return !pass(p) })
}

// silencesChanged lets the loop look at silences.
func (s *Service) silencesChanged() {
	s.mu.Lock()
	s.resilence = true
	s.mu.Unlock()
	s.wake()
}

// endSilences sends what silences withheld that have ended.
func (s *Service) endSilences(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	look := s.resilence || !s.silences.IsZero() && !now.Before(s.silences)
	s.resilence = false
	silenced := len(s.index.silenced) > 0
	s.mu.Unlock()
	if !look {
		return nil
	}
	if silenced {
		_, err := s.update(ctx, func(d *draft, _ *registry.Tx) error {
			d.unhush(d.index.hushed(func(place) bool { return true }), "")
			return nil
		})
		if err != nil {
			s.silencesChanged()
			return err
		}
	}
	s.silences = time.Time{}
	for _, item := range s.cfg.Tables.Silences.All() {
		if until := item.Value.Until; until.After(now) && (s.silences.IsZero() || until.Before(s.silences)) {
			s.silences = until
		}
	}
	return nil
}

// anythingToPrune reports whether there is what will be forgotten some day.
func (s *Service) anythingToPrune() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index.closed > 0 || s.cfg.Tables.Silences.Len() > 0
}

// prune forgets closed alerts after their time, and silences with their end.
func (s *Service) prune(ctx context.Context, now time.Time) error {
	var alerts []place
	for _, item := range s.cfg.Tables.Alerts.All() {
		if a := &item.Value; a.State == Closed && !now.Before(a.ClosedAt.Add(Retention)) {
			alerts = append(alerts, placeOf(a))
		}
	}
	for page := range slices.Chunk(alerts, prunePage) {
		_, err := s.update(ctx, func(d *draft, _ *registry.Tx) error {
			for _, p := range page {
				if d.at(p) != nil {
					d.alerts[p] = nil
				}
			}
			reason := fmt.Sprintf("%d alerts were closed long ago", len(page))
			d.entries = append(d.entries, entry(store.Entry{Actor: actor, Reason: reason}, "alert.prune", "", "alert"))
			return nil
		})
		if err != nil {
			return err
		}
	}
	var silences []Silence
	for _, item := range s.cfg.Tables.Silences.All() {
		if !now.Before(item.Value.Until) {
			silences = append(silences, item.Value)
		}
	}
	for page := range slices.Chunk(silences, prunePage) {
		_, err := s.cfg.Registry.Update(ctx, func(tx *registry.Tx) error {
			for _, silence := range page {
				s.cfg.Tables.Silences.Delete(tx, silence.Namespace, silence.ID)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
