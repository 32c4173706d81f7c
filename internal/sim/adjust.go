package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	limits "github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// adjusters hold the namespace as a whole now and then, and change priorities,
// deadlines and waits of runs. Of some seeds only.
type adjusters struct {
	s *simulation
	r random
}

func (s *simulation) adjust() {
	a := &adjusters{s: s, r: newRandom(s.options.Seed, randAdjust)}
	if a.r.chance(0.4) {
		a.quiesce()
		a.hurry()
	}
}

// quiesce holds the namespace, or releases it; once nothing fails any more it
// releases it again and again, so that nothing waits for good.
func (a *adjusters) quiesce() {
	if a.s.server.up {
		held := !a.s.calm && a.r.chance(0.3)
		if held {
			a.s.fault("namespace held")
		}
		a.s.server.tellRuntime(runtime.QuiesceNamespace{Hold: runtime.NamespaceHold{Held: held, Actor: "ada"}})
	}
	a.s.at(a.r.span(time.Minute, 15*time.Minute), "quiesce", "", a.quiesce)
}

// hurry changes who comes first of those that wait, or what a step waits for.
func (a *adjusters) hurry() {
	if !a.s.calm && len(a.s.order) > 0 {
		id := pick(a.r, a.s.order...)
		a.s.fault("adjust")
		var in engine.Input = engine.SetDeadline{Action: engine.Action{Actor: "ada"}, FinishBy: a.s.now.Add(a.r.span(time.Second, time.Hour))}
		switch priority := a.r.IntN(9) - 4; a.r.IntN(4) {
		case 0: // it holds again and again once nothing fails any more
			for range 2 {
				a.s.at(a.r.span(time.Second, 10*time.Minute), "drop wait", string(id), func() { a.drop(id) })
			}
			in = engine.AddWait{Action: engine.Action{Actor: "ada", Steps: a.s.people.pending(id)}, Conditions: []limits.Fact{theFact()}}
		case 1, 2:
			in = engine.SetPriority{Action: engine.Action{Actor: "ada"}, Priority: &priority}
		}
		a.s.people.ask(&order{run: id, action: in})
	}
	a.s.at(a.r.span(time.Minute, 10*time.Minute), "adjust", "", a.hurry)
}

// drop has a step not wait for the condition.
func (a *adjusters) drop(run store.RunID) {
	if steps := a.waited(run); len(steps) > 0 && !a.s.calm {
		a.s.people.ask(&order{run: run, action: engine.DropWait{
			Action: engine.Action{Actor: "ada", Steps: steps}, Conditions: []limits.Fact{theFact()},
		}})
	}
}

// waited names a step that somebody has wait for the condition, or that waits in
// the gate.
func (a *adjusters) waited(run store.RunID) []string {
	m := a.s.models[run]
	var paths []string
	for _, path := range slices.Sorted(maps.Keys(m.waits)) {
		if m.waits[path] {
			paths = append(paths, path)
		}
	}
	for id := engine.ActID(1); int(id) <= len(m.acts); id++ {
		if act := m.run.Acts[id]; act != nil && act.Phase == engine.PhaseGate {
			paths = append(paths, act.Path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return []string{pick(a.r, paths...)}
}

// waitChanged wants what is acknowledged to be on disk.
func (o *operators) waitChanged(q *order, m *model, steps []string, e runtime.Reply) {
	if _, said := m.waits[steps[0]]; len(e.Affected) > 0 && !said {
		o.s.violatef(Outbox, "%T of run %s is acknowledged before it is on disk", q.action, q.run)
	}
}
