package sim

import (
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
)

// ledger is what really happened outside, whatever anybody was told.
type ledger struct {
	deeds map[dispatch.Ref]*deed
	// starts counts the attempts of an activation that began, by its
	// idempotency key.
	starts  map[string]int
	results int
}

// deed is what became of one attempt.
type deed struct {
	worker  string
	started bool
	effect  bool
	outcome *engine.TaskOutcome
}

func newLedger() *ledger {
	return &ledger{deeds: map[dispatch.Ref]*deed{}, starts: map[string]int{}}
}

// assigned notes that a worker received an attempt: each is received once.
func (l *ledger) assigned(s *simulation, worker string, ref dispatch.Ref) {
	if d := l.deeds[ref]; d != nil {
		s.violatef(StartedOnce, "attempt %v reached %s, and %s before", ref, worker, d.worker)
		return
	}
	l.deeds[ref] = &deed{worker: worker}
}

// started notes the start of an attempt.
func (l *ledger) started(s *simulation, t *engine.Task) {
	l.deeds[dispatch.RefOf(t)].started = true
	l.starts[t.IdempotencyKey]++
	if t.AtMostOnce && l.starts[t.IdempotencyKey] > 1 {
		s.violatef(AtMostOnce, "run %s, %s began %d times", t.Run, t.Path, l.starts[t.IdempotencyKey])
	}
	s.checkStart(t)
}

func (l *ledger) effect(ref dispatch.Ref) { l.deeds[ref].effect = true }

func (l *ledger) ended(ref dispatch.Ref, outcome *engine.TaskOutcome) { l.deeds[ref].outcome = outcome }
