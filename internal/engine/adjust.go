package engine

import (
	"slices"
	"strconv"
	"time"

	"github.com/regie-dev/regie/internal/gate"
)

// SetPriority changes the priority with which the run, or what is at the paths of
// its steps and inside them, waits for limits: of what waits now, and of what will.
// It stands until it is set again.
type SetPriority struct {
	Action

	// Priority is the new one; nil: the one that the workflow says.
	Priority *int
}

// SetDeadline changes by when the run should end. Whoever keeps the deadlines of
// runs learns of it by the event.
type SetDeadline struct {
	Action

	// FinishBy is the instant; zero: there is none any more.
	FinishBy time.Time
}

func (SetPriority) input() {}
func (SetDeadline) input() {}

// What they do.
const (
	DoesPriority Does = "priority"
	DoesDeadline Does = "deadline"
)

// Events of actions that change when something begins.
const (
	EvPrioritySet EventKind = "priority_set" // Count is the priority; Same: that of the workflow
	EvDeadlineSet EventKind = "deadline_set" // Due is the instant, zero for none
)

// Adjusted is what operators changed about when a run, or a step of it, begins.
type Adjusted struct {
	// Priorities are those of paths, each once.
	Priorities []Prioritized
	// Deadline is the last that was set, nil if none was.
	Deadline *Deadline
	// Waits are conditions that were added or dropped.
	Waits []Waited
}

// Prioritized is a priority that somebody set; an empty path is that of the run.
type Prioritized struct {
	Holding

	Priority int
}

// Deadline is an instant that somebody set for the end of a run, zero for none.
type Deadline struct {
	Holding

	FinishBy time.Time
}

// prioritized is the priority that an operator set for what is at a path, nil if
// none did: that of the innermost step around it, or else that of the run.
func (r *Run) prioritized(path string) *Prioritized {
	var found *Prioritized
	for i := range r.Adjusted.Priorities {
		p := &r.Adjusted.Priorities[i]
		if (p.Path == "" || covers(p.Path, path)) && (found == nil || len(p.Path) > len(found.Path)) {
			found = p
		}
	}
	return found
}

// asked is what something at a path asks the gate for, with what operators changed
// of it.
func (r *Run) asked(path string, q *Queue) Queue {
	out := *q
	if p := r.prioritized(path); p != nil {
		out.Priority = p.Priority
	}
	out.Needs = r.needs(path, q.Needs)
	return out
}

// planPriority finds the paths whose priority changes.
func (m *Machine) planPriority(run *Run, in *SetPriority) (paths []string, affected []Affected, err error) {
	switch {
	case run.State.Final():
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	case in.Priority != nil && (*in.Priority < -gate.MaxPriority || *in.Priority > gate.MaxPriority):
		return nil, nil, refusef("", "the priority %d does not lie between %d and %d", *in.Priority, -gate.MaxPriority, gate.MaxPriority)
	}
	steps := in.Steps
	if len(steps) == 0 {
		steps = []string{""}
	}
	for _, path := range steps {
		if path != "" && !m.hasPath(path) {
			return nil, nil, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
		}
		at := slices.IndexFunc(run.Adjusted.Priorities, func(p Prioritized) bool { return p.Path == path })
		same := at < 0
		if in.Priority != nil {
			same = at >= 0 && run.Adjusted.Priorities[at].Priority == *in.Priority
		}
		if same || slices.Contains(paths, path) {
			continue
		}
		paths = append(paths, path)
		affected = append(affected, Affected{Path: path, Does: DoesPriority})
	}
	return paths, affected, nil
}

func (d *decider) setPriority(in *SetPriority) error {
	paths, affected, err := d.m.planPriority(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for _, path := range paths {
		ev := Event{Kind: EvPrioritySet, Path: path, Same: in.Priority == nil, Actor: in.Actor, Text: in.Reason}
		if in.Priority != nil {
			ev.Count = *in.Priority
		}
		if err := d.emit(ev); err != nil {
			return err
		}
	}
	if len(paths) > 0 {
		d.askAgain()
	}
	return nil
}

// planDeadline says whether the deadline changes.
func (m *Machine) planDeadline(run *Run, in *SetDeadline) ([]Affected, error) {
	switch last := run.Adjusted.Deadline; {
	case run.State.Final():
		return nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	case len(in.Steps) > 0:
		return nil, refusef(in.Steps[0], "a deadline is that of a whole run")
	case last != nil && last.FinishBy.Equal(in.FinishBy):
		return nil, nil
	}
	return []Affected{{Does: DoesDeadline}}, nil
}

func (d *decider) setDeadline(in *SetDeadline) error {
	affected, err := d.m.planDeadline(d.run, in)
	if err != nil || len(affected) == 0 {
		return err
	}
	d.dec.Affected = affected
	if err := d.emit(Event{Kind: EvDeadlineSet, Due: in.FinishBy, Actor: in.Actor, Text: in.Reason}); err != nil {
		return err
	}
	d.askAgain()
	return nil
}

// askAgain has the gate see what waits in it as it is now; its place counts from
// when it came all the same.
func (d *decider) askAgain() {
	if d.run.queued() {
		d.askRunGate()
	}
	for _, id := range inOrder(d.run.Acts) {
		if a := d.run.Acts[id]; a.queued() {
			d.askGate(a)
		}
	}
}

// applyAdjusted folds what operators change about when something begins.
func applyAdjusted(run *Run, ev *Event) {
	by := Holding{Path: ev.Path, Actor: ev.Actor, Reason: ev.Text, At: ev.At}
	if ev.Kind == EvDeadlineSet {
		run.Adjusted.Deadline = &Deadline{Holding: by, FinishBy: ev.Due}
		return
	}
	all := slices.DeleteFunc(slices.Clone(run.Adjusted.Priorities), func(p Prioritized) bool { return p.Path == ev.Path })
	if !ev.Same {
		all = append(all, Prioritized{Holding: by, Priority: ev.Count})
	}
	run.Adjusted.Priorities = all
}

// adjusted tells what operators changed about when something at a path begins, or
// with an empty path, the run.
func (w *whyer) adjusted(path string) []Condition {
	var out []Condition
	if p := w.run.prioritized(path); p != nil {
		out = append(out, told(ConditionPriority, "Its priority was set to "+strconv.Itoa(p.Priority), &p.Holding))
	}
	if d := w.run.Adjusted.Deadline; d != nil && path == "" {
		text := "Its deadline was taken away"
		if !d.FinishBy.IsZero() {
			text = "Its deadline was set to " + stamp(d.FinishBy)
		}
		out = append(out, told(ConditionDeadline, text, &d.Holding))
	}
	return out
}

// told is a condition that only says what an operator did.
func told(kind ConditionKind, what string, h *Holding) Condition {
	return Condition{Kind: kind, Met: true, Subject: h.Actor, Since: h.At, Text: by(what, h.Actor, h.Reason) + "."}
}
