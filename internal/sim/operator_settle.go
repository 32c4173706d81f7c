package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// operate settles, kills, hurries or notes something of a run.
func (o *operators) operate(run store.RunID) {
	if o.s.calm || o.s.models[run] == nil {
		return
	}
	a := engine.Action{Actor: "operator", Reason: "so", Steps: o.waiting(run)}
	if len(a.Steps) == 0 || o.r.chance(0.3) {
		a.Steps = o.steps(run, 1)
	}
	var in engine.Input
	switch o.r.IntN(11) {
	case 0, 1:
		in = engine.Settle{Action: a, As: engine.Succeeded, Output: value.Int(7)}
	case 2:
		in = engine.Settle{Action: a, As: engine.Failed, Error: &engine.Error{Name: pick(o.r, "", "refused")}}
	case 3:
		in = engine.Settle{Action: a, As: engine.Skipped}
	case 4, 5:
		a.Steps = o.steps(run, 1)
		in = engine.Kill{Action: a}
	case 6:
		in = engine.RunNow{Action: a}
	case 9:
		a.Steps = o.pending(run)
		in = engine.Force{Action: a}
	case 7, 8:
		a.Steps = o.ended(run)
		in = engine.Rerun{Action: a, Redo: o.r.chance(0.4)}
	default:
		in = engine.Comment{Action: a}
	}
	o.s.fault("operate")
	o.ask(&order{run: run, action: in})
}

// afterEnd plans that a step in a group of the ended run runs again.
func (o *operators) afterEnd(m *model) {
	if o.s.calm || len(m.within) == 0 || !o.r.chance(o.s.swarm.settle/2) {
		return
	}
	path := pick(o.r, m.within...)
	o.s.at(o.r.span(time.Second, 5*time.Minute), "operate", string(m.id), func() {
		if !o.s.calm && m.ended {
			a := engine.Action{Actor: "operator", Reason: "so", Steps: []string{path}}
			o.ask(&order{run: m.id, action: engine.Rerun{Action: a, Redo: o.r.chance(0.5)}})
		}
	})
}

// ended names a step of the run's own frame that has ended.
func (o *operators) ended(run store.RunID) []string {
	m := o.s.models[run]
	var paths []string
	for id := engine.ActID(1); int(id) <= len(m.acts); id++ {
		if a := m.run.Acts[id]; a != nil && a.Frame == 1 && a.Phase == engine.PhaseEnded {
			paths = append(paths, a.Path)
		}
	}
	if len(paths) == 0 {
		return o.steps(run, 1)
	}
	return []string{pick(o.r, paths...)}
}

// pending names a step of the run's own frame that has not begun.
func (o *operators) pending(run store.RunID) []string {
	m := o.s.models[run]
	f := m.run.Frames[1]
	if f == nil {
		return o.steps(run, 1)
	}
	var paths []string
	nodes := m.program.Bodies[m.program.Main].Nodes
	for i := range f.Nodes {
		if f.Nodes[i].Act == 0 && f.Nodes[i].Ends == 0 {
			paths = append(paths, nodes[i].ID)
		}
	}
	if len(paths) == 0 {
		return o.steps(run, 1)
	}
	return []string{pick(o.r, paths...)}
}

// waiting names a step that waits for something, or failed.
func (o *operators) waiting(run store.RunID) []string {
	m := o.s.models[run]
	var paths []string
	for id := engine.ActID(1); int(id) <= len(m.acts); id++ {
		a := m.run.Acts[id]
		if a == nil {
			continue
		}
		switch a.Phase {
		case engine.PhaseUnknown, engine.PhaseTimer, engine.PhaseRetry, engine.PhaseMessage, engine.PhaseEvent, engine.PhaseHeldError, engine.PhaseGate:
			paths = append(paths, a.Path)
		case engine.PhaseEnded:
			if a.State == engine.Failed && !a.Handled {
				paths = append(paths, a.Path)
			}
		default:
		}
	}
	if len(paths) == 0 {
		return nil
	}
	return []string{pick(o.r, paths...)}
}

// operated wants what is acknowledged to be on disk.
func (o *operators) operated(q *order, m *model, e runtime.Reply) {
	o.s.fault("operated")
	if _, again := q.action.(engine.Rerun); again {
		o.s.fault("rerun done")
		if m.reruns == 0 {
			o.s.violatef(Outbox, "rerun of run %s is acknowledged before it is on disk", q.run)
		}
		return
	}
	_, note := q.action.(engine.Comment)
	if in, ok := q.action.(engine.Settle); ok && m.saidAs[in.As] == 0 {
		o.s.violatef(Outbox, "step %v of run %s is said to be %s, which nobody wrote down", in.Steps, q.run, in.As)
	}
	if len(e.Affected) > 0 && (note && m.noted == 0 || !note && m.acted == 0) {
		o.s.violatef(Outbox, "%T on run %s is acknowledged before it is on disk", q.action, q.run)
	}
}
