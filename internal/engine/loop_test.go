package engine_test

import (
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
)

// TestLongLoop wants a loop of many turns to hand the turn back, to keep nothing
// of the turns that have ended, and to make the same events for each.
func TestLongLoop(t *testing.T) {
	t.Parallel()
	const turns = 100_000
	m, err := engine.Prepare(loop(turns), map[string]expr.Language{})
	if err != nil {
		t.Fatal(err)
	}
	run := engine.NewRun("r")
	events, decisions := 0, 0
	queue := []engine.Input{engine.Accept{}}
	for len(queue) > 0 {
		d, err := m.Decide(run, queue[0], engine.Context{Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		queue = queue[1:]
		events, decisions = events+len(d.Events), decisions+1
		if frames, acts := len(run.Frames), len(run.Acts); frames > 2 || acts > 2 || len(run.Timers) > 0 {
			t.Fatalf("after %d events: %d frames, %d activations, %d timers", events, frames, acts, len(run.Timers))
		}
		for _, c := range d.Commands {
			if eval, ok := c.(engine.NeedEval); ok {
				queue = append(queue, eval.Eval.Evaluate(nil))
			}
		}
	}
	const each, around = 5, 8
	if run.State != engine.Succeeded || events != turns*each+around {
		t.Errorf("run %s with %d events, want %d", run.State, events, turns*each+around)
	}
	if most := turns / 200; decisions < 10 || decisions > most {
		t.Errorf("%d decisions, want 10 to %d", decisions, most)
	}
}
