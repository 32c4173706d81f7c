package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// The events of undoing, which nobody else emits.
const (
	EvUndoAsked    EventKind = "undo_asked"    // an operator has undone what the run did
	EvUndoBegun    EventKind = "undo_begun"    // what the run did is being undone
	EvUndoWaits    EventKind = "undo_waits"    // a person must say whether there is something to undo
	EvUndoAnswered EventKind = "undo_answered" // a person said so
	EvUndone       EventKind = "undone"        // nothing is left to undo
)

// Reasons for which a run, or a step, waits while what the run did is undone.
const (
	ReasonUndoing     Reason = "compensating"         // nothing: it goes on
	ReasonUndoFailed  Reason = "compensation_failed"  // what undoes a step failed, and a person decides what becomes of it
	ReasonUndoUnknown Reason = "compensation_unknown" // a person must say whether there is something to undo
)

// ConditionUndo is about what becomes of what a step did; DoesUndo says that it
// is undone.
const (
	ConditionUndo ConditionKind = "undo"
	DoesUndo      Does          = "undo"
)

// MaxUndoable is how many completed activations of a run can be undone. A node
// with a compensation does not begin beyond it.
const MaxUndoable = 100_000

// Undo is what becomes of what the activations of a run did.
type Undo struct {
	// List has the completed activations that can be undone, and those of which
	// nobody knows whether they did something, in the order in which they ended.
	// Entries of activations that are gone mean nothing.
	List []Undoable
	// Asked says that an operator asked for it, Some that only the entries are
	// meant that say so.
	Asked bool
	Some  bool
	// Began is set once something was, or is about to be, undone: steps that
	// succeeded did so no more.
	Began bool
	// At is the entry that is being undone, or was last: those before it follow.
	At int
	// Frame undoes the entry At; 0: none does. Waits is the activation of which a
	// person must say whether there is something to undo, 0 for none.
	Frame FrameID
	Waits ActID
	Gone  int // entries of activations that are gone
	Live  int // activations that have begun and could be undone once they have ended
}

// Undoable is an activation that can be undone.
type Undoable struct {
	Act ActID
	// Unknown says that nobody knows whether it did something.
	Unknown bool
	// Asked says that an operator named it.
	Asked bool
	State UndoState
}

// UndoState is how far the undoing of an activation is.
type UndoState string

// The states; empty: it was not begun.
const (
	UndoDone   UndoState = "done"
	UndoFailed UndoState = "failed"
	UndoLeft   UndoState = "left" // there was nothing to undo, as a person said
)

// tooMuchToUndo refuses to begin a node that could be undone where the run has
// too much already, with what has not ended.
func (d *decider) tooMuchToUndo(a *Activation, n *workflow.Node) *Error {
	if u := &d.run.Undo; n.Compensate == nil || a.Undoable || len(u.List)-u.Gone+u.Live < MaxUndoable {
		return nil
	}
	return d.m.engineError(ErrEvaluation, fmt.Sprintf(
		"%d steps of the run can be undone already, or could be once they end, and no more may begin that can: use fewer, or undo groups of them as a whole", MaxUndoable))
}

// countLive counts the activations that have begun and could be undone.
func (m *Machine) countLive(run *Run, a *Activation, before Phase) {
	if a == nil || m.node(run.Frames[a.Frame], a.Node).Compensate == nil {
		return
	}
	switch a.Phase {
	case PhaseEntered, PhaseGate, PhaseError:
	case PhaseEnded:
		if a.Undoable {
			a.Undoable = false
			run.Undo.Live--
		}
	default:
		if !a.Undoable && (before == PhaseEntered || before == PhaseEnded) {
			a.Undoable = true
			run.Undo.Live++
		}
	}
}

// Undone reports whether something that the run did was, or is being, undone.
func (r *Run) Undone() bool { return r.Undo.Began }

// undoing reports whether the run is undoing what it did.
func (r *Run) undoing() bool {
	main := r.Frames[1]
	return main != nil && main.Phase == FrameUndoing
}

// list notes, at the end of an activation, that it can be undone: it has a
// compensation and succeeded by itself, or nobody knows what its work did. A
// compensation of a node with frames takes the place of those of what is inside
// them.
func (m *Machine) list(run *Run, a *Activation, before Phase) {
	n := m.node(run.Frames[a.Frame], a.Node)
	if a.State == Canceled && (before == PhaseMessage || before == PhaseUnknown) {
		a.Doubt = true
	}
	if n.Compensate == nil {
		return
	}
	done := a.State == Succeeded && a.Reason != ReasonHandled
	if !done && (!a.Doubt || a.Told || n.Task == nil) || run.lastly(a.Frame) {
		return
	}
	if done {
		m.forgetInside(run, a)
	}
	u := &run.Undo
	if u.Gone > len(u.List)/2 {
		u.List = slices.DeleteFunc(u.List, func(e Undoable) bool { return run.Acts[e.Act] == nil })
		u.Gone = 0
	}
	u.List = append(u.List, Undoable{Act: a.ID, Unknown: !done})
	a.Listed = true
	run.countUndoable(a.Frame, 1)
}

// unlist takes an activation off the list that goes on after all.
func (r *Run) unlist(a *Activation) {
	if a.Listed {
		a.Listed = false
		r.Undo.List = slices.DeleteFunc(r.Undo.List, func(e Undoable) bool { return e.Act == a.ID })
		r.countUndoable(a.Frame, -1)
	}
}

// lastly reports whether the frame lies in a finally part or a compensation:
// nothing in it is undone.
func (r *Run) lastly(id FrameID) bool {
	for f := r.Frames[id]; f != nil; f = r.Frames[f.Outer] {
		if f.Role == RoleFinally || f.Role == RoleCompensate {
			return true
		}
	}
	return false
}

// countUndoable changes how much can be undone in a frame and those around it.
func (r *Run) countUndoable(id FrameID, by int) {
	for f := r.Frames[id]; f != nil; f = r.Frames[f.Outer] {
		f.Undoable += by
	}
}

// forgetInside takes what can be undone inside an activation off the list, as
// far as it belongs to its last try.
func (m *Machine) forgetInside(run *Run, a *Activation) {
	for _, id := range a.Kept.all() {
		if f := run.Frames[id]; f.Attempt == a.Attempt {
			run.countUndoable(a.Frame, -f.Undoable)
			a.Kept.remove(id)
			m.forgetFrame(run, f)
		}
	}
}

// letGo takes a frame that ended out of memory, unless something in it can be
// undone.
func (m *Machine) letGo(run *Run, f *Frame) {
	a := run.Acts[f.Owner]
	if f.Undoable == 0 {
		m.forgetFrame(run, f)
	} else if a != nil {
		a.Kept.add(f.ID)
	}
}

// letGoVisit takes the last visit of a node out of memory, unless something of
// it can be undone.
func (m *Machine) letGoVisit(run *Run, f *Frame, a *Activation) {
	m.forgetClosed(run, a)
	if a.Listed || a.Kept.Live > 0 {
		f.Left = append(f.Left, a.ID)
		return
	}
	m.forget(run, a)
}

// nextUndo returns the entry to be undone next, nil if none is left.
func (r *Run) nextUndo() (at int, next *Undoable) {
	u := &r.Undo
	for at := min(u.At, len(u.List)) - 1; at >= 0; at-- {
		if e := &u.List[at]; e.State == "" && r.Acts[e.Act] != nil && (!u.Some || e.Asked) {
			return at, e
		}
	}
	return -1, nil
}

// undoes reports whether the run undoes what it did before it ends so.
func (d *decider) undoes(f *Frame, out Outcome) bool {
	failed := out.State == Failed || out.State == Canceled
	if f.Role != RoleMain || f.Undone || !d.run.Undo.Asked && (!failed || d.m.prog.OnFailure != workflow.OnFailureCompensate) {
		return false
	}
	return slices.ContainsFunc(d.run.Undo.List, func(e Undoable) bool { return e.State == "" && d.run.Acts[e.Act] != nil })
}

// undo undoes the next entry once the one before it is undone, or ends the
// undoing.
func (d *decider) undo() error {
	run := d.run
	if !run.undoing() || run.Undo.Frame != 0 || run.Undo.Waits != 0 {
		return nil
	}
	_, e := run.nextUndo()
	if e == nil {
		if err := d.emit(Event{Kind: EvUndone, Frame: 1}); err != nil {
			return err
		}
		d.add(task{kind: taskJudge, frame: 1})
		return nil
	}
	a := run.Acts[e.Act]
	c := d.m.node(run.Frames[a.Frame], a.Node).Compensate
	if e.Unknown && c.OnUnknown != workflow.OnUnknownRun {
		if d.m.prog.Unattended {
			if err := d.emit(Event{Kind: EvUndoAnswered, Act: a.ID, Outcome: OutcomeFailed}); err != nil {
				return err
			}
			d.add(task{kind: taskUndo})
			return nil
		}
		return d.emit(Event{Kind: EvUndoWaits, Act: a.ID})
	}
	return d.open(opening{role: RoleCompensate, owner: a.ID, body: c.Body, index: -1, attempt: a.Undos + 1})
}

// answerUndo takes what a person says about the activation that the undoing
// waits for: whether its work did something.
func (d *decider) answerUndo(did bool, actor, reason string) error {
	ev := Event{Kind: EvUndoAnswered, Act: d.run.Undo.Waits, Outcome: OutcomeFailed, Actor: actor, Text: reason}
	if did {
		ev.Outcome = OutcomeSucceeded
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.add(task{kind: taskUndo})
	return nil
}

// settlesDoubt refuses what is no answer to whether a step did something.
func settlesDoubt(path string, as State) error {
	if as == Skipped {
		return refusef(path, "say whether step %s did its work: set it succeeded, and it is undone, or failed, and it is not", path)
	}
	return nil
}

// applyUndo folds the events of undoing.
func (m *Machine) applyUndo(run *Run, ev *Event) error {
	main, u := run.Frames[1], &run.Undo
	if main == nil {
		return fmt.Errorf("%w: %s in a run that has not begun", ErrProtocol, ev.Kind)
	}
	switch ev.Kind {
	case EvUndoAsked:
		u.ask(ev.Acts)
		if main.Phase == FrameEnded {
			run.State, run.Reason, run.EndedAt = Running, ReasonNone, time.Time{}
			main.Verdict, main.Outcome, main.NoFinally = main.Outcome, nil, true
			run.beginUndo(main)
		}
	case EvUndoBegun:
		run.beginUndo(main)
	case EvUndone:
		main.Phase, main.Undone = FrameStopping, true
		u.Asked, u.Some = false, false
	case EvUndoWaits:
		u.Waits = ev.Act
	default: // EvUndoAnswered
		if u.Waits != 0 && u.Waits != ev.Act {
			return fmt.Errorf("%w: nobody is asked about activation %d", ErrProtocol, ev.Act)
		}
		u.Waits = 0
		at, e := run.nextUndo()
		if e == nil || e.Act != ev.Act {
			return nil // of an erased run, which does not know what failed how
		}
		if ev.Outcome == OutcomeSucceeded {
			e.Unknown = false
			return nil
		}
		e.State, u.At = UndoLeft, at
	}
	return nil
}

// ask notes which activations are to be undone, none: all.
func (u *Undo) ask(acts []ActID) {
	u.Asked, u.Some = true, len(acts) > 0
	named := map[ActID]bool{}
	for _, id := range acts {
		named[id] = true
	}
	for i := range u.List {
		u.List[i].Asked = named[u.List[i].Act]
	}
}

func (r *Run) beginUndo(main *Frame) {
	main.Phase, main.Undone = FrameUndoing, false
	r.Undo.Began, r.Undo.At = true, len(r.Undo.List)
}

// openedUndo links the frame that undoes an activation.
func (r *Run) openedUndo(a *Activation, f *Frame) {
	f.Path = join(a.Path, "compensate") + again(a.Undos)
	f.Raw = nullIfUndefined(a.Output)
	a.Undos++
	r.Undo.Frame = f.ID
}

// endedUndo takes in that an activation is undone.
func (r *Run) endedUndo(ev *Event) {
	r.Undo.Frame = 0
	if at, e := r.nextUndo(); e != nil && e.Act == ev.Act {
		e.State, r.Undo.At = UndoFailed, at
		if ev.State == Succeeded {
			e.State = UndoDone
		}
	}
}

// doubts reports whether nobody knows what an attempt that ended so did.
func doubts(a *Activation, ev *Event) bool {
	switch ev.Outcome {
	case OutcomeLost:
		return true
	case OutcomeCanceled:
		return !ev.StartedAt.IsZero()
	case OutcomeFailed:
		return a.Expired != "" || ev.Error != nil && (ev.Error.Engine == ErrTimeout || ev.Error.Name == ErrTimeout)
	case OutcomeSucceeded:
		return a.Phase == PhaseEntered // it handed its work over, and was told to stop
	case OutcomeNotStarted:
	}
	return false
}

// Compensate undoes what the completed steps of a run did, or the named ones, in
// the reverse order of their completion: of a run that has ended, or in which
// nothing goes on before somebody decides about a failure; that one ends with it.
type Compensate struct{ Action }

func (Compensate) input() {}

// planCompensate finds what is to be undone, in that order.
func (m *Machine) planCompensate(run *Run, in *Action) (acts []ActID, affected []Affected, err error) {
	_, waits := run.waitsForPerson()
	switch {
	case run.undoing():
		return nil, nil, refusef("", "run %s is being compensated", run.ID)
	case run.State == Skipped || run.lastFrame == 0:
		return nil, nil, refusef("", "run %s has done nothing", run.ID)
	case !run.State.Final() && !waits:
		return nil, nil, refusef("", "run %s has not ended: cancel it first", run.ID)
	case !run.State.Final() && len(in.Steps) > 0:
		return nil, nil, refusef("", "run %s has not ended: it is compensated as a whole", run.ID)
	}
	hit := make([]bool, len(in.Steps))
	for _, e := range slices.Backward(run.Undo.List) {
		a := run.Acts[e.Act]
		if a == nil || e.State != "" {
			continue
		}
		wanted := len(in.Steps) == 0
		for i, step := range in.Steps {
			if covers(step, a.Path) {
				hit[i], wanted = true, true
			}
		}
		if wanted {
			acts = append(acts, e.Act)
			affected = append(affected, Affected{Path: a.Path, Does: DoesUndo})
		}
	}
	for i, step := range in.Steps {
		switch {
		case hit[i]:
		case !m.hasPath(step):
			return nil, nil, refusef(step, "workflow %s has no step %s", m.prog.Name, step)
		default:
			return nil, nil, refusef(step, "step %s has nothing to undo", step)
		}
	}
	if len(acts) == 0 {
		return nil, nil, refusef("", "run %s has nothing to undo: no step with `compensate` has succeeded that was not undone", run.ID)
	}
	if len(in.Steps) == 0 {
		acts = nil
	}
	return acts, affected, nil
}

// compensate does what an operator asked for.
func (d *decider) compensate(in *Action) error {
	acts, affected, err := d.m.planCompensate(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	if err := d.emit(Event{Kind: EvUndoAsked, Actor: in.Actor, Text: in.Reason, Acts: acts}); err != nil {
		return err
	}
	if d.run.undoing() { // of a run that had ended
		d.add(task{kind: taskUndo})
		return d.requeue()
	}
	out := Outcome{State: Failed, Reason: ReasonFailureHeld}
	for _, id := range inOrder(d.run.Acts) {
		a := d.run.Acts[id]
		if a == nil || a.Phase != PhaseHeldError {
			continue
		}
		if out.Error == nil {
			out.Reason, out.Error = a.failReason(), a.Err
		}
		if err := d.endAct(a, ending{state: Failed, reason: a.failReason(), output: value.Null}); err != nil {
			return err
		}
	}
	return d.verdict(d.run.Frames[1], out, ReasonSibling, true)
}

// undo plans the retry of what failed while a run undoes what it did.
func (p *retryPlanner) undo() []reopening {
	return p.frame(p.run.Frames[p.run.Undo.Frame], len(p.named) == 0)
}

// undone explains what becomes of what an activation that ended did.
func (w *whyer) undone(a *Activation) []Condition {
	u := &w.run.Undo
	at := slices.IndexFunc(u.List, func(e Undoable) bool { return e.Act == a.ID })
	if at < 0 {
		return nil
	}
	c := Condition{Kind: ConditionUndo, Met: true, Subject: join(a.Path, "compensate")}
	switch e := u.List[at]; {
	case u.Waits == a.ID:
		c.Kind, c.Met, c.State, c.Reason, c.Error = ConditionPerson, false, a.State, ReasonUndoUnknown, a.Err
		c.Subject, c.Attempt = a.Path, a.Attempt
		c.Text = "What the run did is being undone, and nobody knows what this step did: an operator says that it succeeded, and it is undone, or that it failed, and it is not."
	case e.State == UndoDone:
		c.Text = "What it did was undone."
	case e.State == UndoFailed:
		c.Met, c.Text = false, "What it did could not be undone: "+c.Subject+" failed."
	case e.State == UndoLeft:
		c.Text = "It was not undone: it did nothing."
	case a.Undos > 0:
		c.Met, c.Text = false, "What it did is being undone."
	case w.run.undoing():
		c.Met, c.Text = false, "What it did is to be undone, once what ended after it is."
	default:
		return nil
	}
	return []Condition{c}
}

// undoing explains how far the undoing of what the run did is.
func (w *whyer) undoing() []Condition {
	u := &w.run.Undo
	if !u.Began {
		return nil
	}
	done, all := 0, 0
	for _, e := range u.List {
		switch {
		case w.run.Acts[e.Act] == nil, e.State == UndoLeft:
		case e.State == UndoDone:
			done, all = done+1, all+1
		default:
			all++
		}
	}
	c := Condition{Kind: ConditionUndo, Met: !w.run.undoing(), Attempt: done, Limit: all}
	c.Text = fmt.Sprintf("What it did was undone: %d of %d steps.", done, all)
	if !c.Met {
		c.Text = fmt.Sprintf("What it did is being undone, the last first: %d of %d steps are.", done, all)
	}
	return []Condition{c}
}
