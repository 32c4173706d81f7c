package runtime

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/regie-dev/regie/internal/engine"
)

// seek looks for a run that another one waits for.
func (s *Service) seek(ctx context.Context, q Seek) {
	s.clock.Begin()
	job := func() {
		defer s.clock.End()
		ctx, cancel := context.WithTimeout(ctx, CommitTimeout)
		defer cancel()
		s.mu.Lock()
		s.last++
		caller := s.last
		s.seeking[caller] = q
		s.mu.Unlock()
		m, err := s.look(ctx, &q, caller, s.clock.Now())
		if _, waits := callerOf(m); !waits {
			s.sought(caller)
		}
		s.goOn(ctx, q, m, err)
	}
	if s.cfg.Inline {
		job()
		return
	}
	s.pool.do(job)
}

// look is Seeker.Look. What panics would do so again after each restart: the step
// is told.
func (s *Service) look(ctx context.Context, q *Seek, caller Caller, now time.Time) (m Message, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "a panic while a run was looked for that another one waits for",
				slog.String("run", string(q.Run)), slog.String("workflow", q.Awaits.Workflow()),
				slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
			m, err = q.fails(engine.ErrChildRefused, "workflow %s: internal error: %v", q.Awaits.Workflow(), cause), nil
		}
	}()
	return s.seeker().Look(ctx, q, caller, now)
}

func (s *Service) seeker() *Seeker {
	return &Seeker{Store: s.cfg.Store, Machines: s.machines, Others: s.cfg.Others}
}

// sought takes back that an answer is awaited.
func (s *Service) sought(caller Caller) (Seek, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.seeking[caller]
	delete(s.seeking, caller)
	return q, ok
}

// goOn does what follows from a look, or looks again later.
func (s *Service) goOn(ctx context.Context, q Seek, m Message, err error) {
	if err != nil {
		s.log.WarnContext(ctx, "a run that another one waits for is looked for again",
			slog.String("run", string(q.Run)), slog.String("workflow", q.Awaits.Workflow()), slog.Any("error", err))
		s.clock.AfterFunc(s.clock.Now().Add(SeekAgainAfter), func() { s.box.Post(SeekAgain{q}) })
		return
	}
	if l, ok := m.(later); ok {
		s.clock.AfterFunc(s.clock.Now().Add(l.after), func() { s.box.Post(l.Message) })
		return
	}
	if m != nil {
		s.box.Post(m)
	}
}
