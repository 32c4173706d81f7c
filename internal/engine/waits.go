package engine

import (
	"slices"

	"github.com/regie-dev/regie/internal/gate"
)

// AddWait has steps that have not begun wait for conditions, beside all else that
// they need. A condition without a date has the run's.
type AddWait struct {
	Action

	Conditions []gate.Fact
}

// DropWait has steps not wait for conditions: those that [AddWait] added, and of a
// step that waits in the gate its own.
type DropWait struct {
	Action

	Conditions []gate.Fact
}

func (AddWait) input()  {}
func (DropWait) input() {}

// What they do, and their events, whose queue needs the condition.
const (
	DoesAddWait  Does = "add_wait"
	DoesDropWait Does = "drop_wait"

	EvWaitAdded   EventKind = "wait_added"
	EvWaitDropped EventKind = "wait_dropped"
)

// Waited is a condition that somebody has the step at a path wait for, or not wait
// for.
type Waited struct {
	Holding

	Fact    gate.Fact
	Dropped bool
}

// waitOf is what somebody said of a condition of a step, nil for nothing.
func (r *Run) waitOf(path string, f gate.Fact) *Waited {
	for i := range r.Adjusted.Waits {
		if w := &r.Adjusted.Waits[i]; w.Path == path && w.Fact == f {
			return w
		}
	}
	return nil
}

// changedAt counts the conditions of which somebody said that a step waits for them,
// or does not.
func (r *Run) changedAt(path string) (count int) {
	for i := range r.Adjusted.Waits {
		if r.Adjusted.Waits[i].Path == path {
			count++
		}
	}
	return count
}

// added lists the conditions that somebody has a step wait for.
func (r *Run) added(path string) (facts []gate.Fact) {
	for i := range r.Adjusted.Waits {
		if w := &r.Adjusted.Waits[i]; w.Path == path && !w.Dropped {
			facts = append(facts, w.Fact)
		}
	}
	return facts
}

// needs are the conditions that something at a path waits for, of its own ones.
func (r *Run) needs(path string, own []gate.Fact) []gate.Fact {
	if len(r.Adjusted.Waits) == 0 {
		return own
	}
	needs := slices.DeleteFunc(slices.Clone(own), func(f gate.Fact) bool {
		w := r.waitOf(path, f)
		return w != nil && w.Dropped
	})
	for _, f := range r.added(path) {
		if !slices.Contains(needs, f) {
			needs = append(needs, f)
		}
	}
	return needs
}

// waiting is a condition of a step that is added or dropped.
type waiting struct {
	path string
	fact gate.Fact
}

// planWaits finds what is added, or dropped, and is not yet.
func (m *Machine) planWaits(run *Run, in *Action, conditions []gate.Fact, drop bool) (all []waiting, affected []Affected, err error) {
	switch {
	case run.State.Final():
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	case run.CancelReason != "":
		return nil, nil, refusef("", "run %s is being canceled", run.ID)
	case len(in.Steps) == 0:
		return nil, nil, refusef("", "name the steps")
	case len(conditions) == 0:
		return nil, nil, refusef("", "name the conditions")
	}
	does := DoesAddWait
	if drop {
		does = DoesDropWait
	}
	for _, path := range in.Steps {
		before, count := len(all), run.changedAt(path)
		for _, f := range conditions {
			f.Namespace = m.prog.Namespace
			if f.Date == "" {
				f.Date = run.BusinessDate
			}
			changes, err := m.planWait(run, path, f, drop)
			if err != nil {
				return nil, nil, err
			}
			if !changes || slices.Contains(all, waiting{path, f}) {
				continue
			}
			all = append(all, waiting{path, f})
			if run.waitOf(path, f) == nil {
				count++
			}
		}
		if !drop && count > gate.MaxNeeds {
			return nil, nil, refusef(path, "of step %s more than %d conditions would be added or dropped", path, gate.MaxNeeds)
		}
		if len(all) > before {
			affected = append(affected, Affected{Path: path, Does: does})
		}
	}
	return all, affected, nil
}

// planWait reports whether adding or dropping a condition changes anything.
func (m *Machine) planWait(run *Run, path string, f gate.Fact, drop bool) (bool, error) {
	a := run.actAt(path)
	w := run.waitOf(path, f)
	switch {
	case f.Check() != nil:
		return false, refusef(path, "%v", f.Check())
	case !m.hasPath(path):
		return false, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
	case a != nil && a.Phase != PhaseEntered && a.Phase != PhaseGate:
		return false, refusef(path, "step %s has begun: it is %s", path, a.State)
	case !drop:
		return w == nil || w.Dropped, nil
	case w != nil:
		return !w.Dropped, nil
	case a != nil && a.Phase == PhaseGate && slices.Contains(a.Queue.Needs, f):
		return true, nil
	}
	return false, refusef(path, "step %s does not wait for condition %s", path, factText(f))
}

func (d *decider) changeWaits(in *Action, conditions []gate.Fact, drop bool) error {
	all, affected, err := d.m.planWaits(d.run, in, conditions, drop)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for _, w := range all {
		if err := d.sayWait(w.path, w.fact, drop, in); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		d.askAgain()
	}
	return nil
}

func (d *decider) sayWait(path string, f gate.Fact, drop bool, in *Action) error {
	kind := EvWaitAdded
	if drop {
		kind = EvWaitDropped
	}
	return d.emit(Event{Kind: kind, Path: path, Queue: &Queue{Needs: []gate.Fact{f}}, Actor: in.Actor, Text: in.Reason})
}

// dropAdded drops what somebody added for a step that is forced.
func (d *decider) dropAdded(path string, in *Action) error {
	for _, f := range d.run.added(path) {
		if err := d.sayWait(path, f, true, in); err != nil {
			return err
		}
	}
	return nil
}

// applyWaits folds what is added and dropped: of a step and a condition the last
// counts.
func applyWaits(run *Run, ev *Event) {
	if ev.Queue == nil || len(ev.Queue.Needs) == 0 {
		return // of an erased run
	}
	f := ev.Queue.Needs[0]
	all := slices.DeleteFunc(slices.Clone(run.Adjusted.Waits), func(w Waited) bool { return w.Path == ev.Path && w.Fact == f })
	all = append(all, Waited{
		Holding: Holding{Path: ev.Path, Actor: ev.Actor, Reason: ev.Text, At: ev.At}, Fact: f, Dropped: ev.Kind == EvWaitDropped,
	})
	run.Adjusted.Waits = all
}

// changedWaits tells who changed what a step waits for.
func (w *whyer) changedWaits(path string) []Condition {
	var out []Condition
	for i := range w.run.Adjusted.Waits {
		x := &w.run.Adjusted.Waits[i]
		what := "That it waits for condition " + factText(x.Fact) + " was added"
		if x.Dropped {
			what = "That it waits for condition " + factText(x.Fact) + " was dropped"
		}
		if x.Path == path {
			out = append(out, told(ConditionWait, what, &x.Holding))
		}
	}
	return out
}
