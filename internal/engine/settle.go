package engine

import (
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Settle ends steps as a person says: those that wait for whatever it is, those
// that have not begun, and those that failed, in an ended run too, which then
// goes on behind them. What runs is not settled. See docs/engine.md §4.
type Settle struct {
	Action
	// As is Succeeded, Failed or Skipped.
	As State
	// Output is that of a step that succeeded, as it stands; undefined: null.
	Output value.Value
	// Error is that of a step that failed. Without a name it is set_failed. Retry
	// rules take it only if they name it.
	Error *Error
}

func (Settle) input() {}

// What operators' actions on steps do.
const (
	DoesSettle  Does = "settle"  // it ends as a person says
	DoesKill    Does = "kill"    // it is told to stop, and fails
	DoesRunNow  Does = "run_now" // its wait is over
	DoesComment Does = "comment" // a note is kept
)

// settling is a step that is settled: an activation, or a node that was not
// entered.
type settling struct {
	act   ActID
	frame FrameID
	node  workflow.NodeID
}

// settlePlan is what a settle does: the failed steps among reopened are settled
// with the others.
type settlePlan struct {
	reopened []reopening
	steps    []settling
	affected []Affected
}

// planSettle plans a settle, or says why it cannot be done.
func (m *Machine) planSettle(run *Run, in *Settle) (*settlePlan, error) {
	switch {
	case in.As != Succeeded && in.As != Failed && in.As != Skipped:
		return nil, fmt.Errorf("%w: settled as %q", ErrProtocol, in.As)
	case len(in.Steps) == 0:
		return nil, refusef("", "name the steps: a run is not settled as a whole")
	case run.lastFrame == 0 && run.State.Final():
		return nil, refusef("", "run %s was %s before anything of it began: start a new run", run.ID, run.State)
	case run.lastFrame == 0:
		return nil, refusef("", "run %s has not begun: release it with its steps held", run.ID)
	}
	plan := &settlePlan{}
	var failed []string
	seen := map[string]bool{}
	for _, path := range in.Steps {
		if seen[path] {
			continue
		}
		seen[path] = true
		if i := slices.IndexFunc(in.Steps, func(s string) bool { return s != path && covers(s, path) }); i >= 0 {
			return nil, refusef(path, "step %s lies in %s, which is to be settled too: name one of them", path, in.Steps[i])
		}
		s, again, err := m.settles(run, path, in.As)
		if err != nil {
			return nil, err
		}
		if again {
			failed = append(failed, path)
		}
		plan.steps = append(plan.steps, s)
		plan.affected = append(plan.affected, Affected{Path: path, Does: DoesSettle})
	}
	if len(failed) == 0 {
		return plan, nil
	}
	p := &retryPlanner{m: m, run: run, named: failed, hit: make([]bool, len(failed)), settles: true}
	if err := m.retryable(run, failed); err != nil {
		return nil, err
	}
	plan.reopened = p.frame(run.Frames[1], false)
	if p.blocked != "" {
		return nil, refusef(p.blocked, "step %s is at_most_once and was canceled when it may have begun: what was canceled with it cannot go on", p.blocked)
	}
	for i, path := range failed {
		if !p.hit[i] {
			return nil, p.whyNot(path)
		}
	}
	return plan, nil
}

// settles finds what a path names that can be settled; again says that it ended
// and has to be reopened.
func (m *Machine) settles(run *Run, path string, as State) (s settling, again bool, err error) {
	a := run.actAt(path)
	if a == nil {
		return m.settlesNode(run, path, as)
	}
	f := run.Frames[a.Frame]
	n := m.node(f, a.Node)
	s = settling{act: a.ID}
	if run.Undo.Waits == a.ID {
		return s, false, settlesDoubt(path, as)
	}
	if as != Failed && asksPeople(n) {
		return s, false, onlyPeople(path)
	}
	if as != Failed && (n.Kind == workflow.KindExit || n.Kind == workflow.KindChoice && m.bodies[f.Body].jumps) {
		return s, false, refusef(path, "step %s says where the run goes on: it can be set failed only", path)
	}
	switch {
	case a.Phase == PhaseEnded && a.State == Failed && a.Handled:
		return s, false, refusef(path, "step %s failed and that was handled: what came after it has gone on", path)
	case a.Phase == PhaseEnded && a.State == Failed && as == Failed:
		return s, false, refusef(path, "step %s has failed already", path)
	case a.Phase == PhaseEnded && a.State == Failed && m.jumpsInItem(run, f):
		return s, false, refusef(path, "step %s lies in an item of a map that has ended: retry it", path)
	case a.Phase == PhaseEnded && a.State == Failed:
		return s, true, nil
	case a.Phase == PhaseEnded && a.State == Canceled && run.CancelReason == "":
		return s, false, refusef(path, "step %s was canceled because another step failed: retry that, or set it succeeded, and this one goes on", path)
	case a.Phase == PhaseEnded && a.State == Canceled:
		return s, false, refusef(path, "step %s was canceled with the run: retry the run, which goes on where it was stopped", path)
	case a.Phase == PhaseEnded:
		return s, false, refusef(path, "step %s has ended: it is %s", path, a.State)
	}
	return s, false, m.settlesLive(run, a)
}

// settlesLive refuses an activation that is doing something.
func (m *Machine) settlesLive(run *Run, a *Activation) error {
	for f := run.Frames[a.Frame]; f != nil; f = run.Frames[f.Outer] {
		if f.Phase == FrameParked {
			return refusef(a.Path, "step %s waits for room in its map: settle it when it has begun", a.Path)
		}
	}
	if a.CancelAsked {
		return refusef(a.Path, "step %s is ending", a.Path)
	}
	switch a.Phase {
	case PhaseEntered, PhaseMessage, PhaseTimer, PhaseRetry, PhaseUnknown, PhaseHeldError, PhaseGate:
		return nil
	case PhaseEvent:
		if a.bound() {
			return refusef(a.Path, "run %s, which step %s started, goes on: kill the step first", a.Awaits.Run, a.Path)
		}
		return nil
	case PhaseFrames:
		return refusef(a.Path, "what is inside step %s has not ended: settle the steps in it, or kill it first", a.Path)
	case PhaseAttempt:
		return refusef(a.Path, "attempt %d of step %s is out: kill it first", a.Attempt, a.Path)
	case PhaseResult, PhaseError, PhasePredicate, PhaseUnwinding, PhaseEnded:
	}
	return refusef(a.Path, "step %s is ending", a.Path)
}

// jumpsInItem reports whether a frame of jumps lies in an item of a map that has
// ended: reopened, the item waits for room, and only then goes on.
func (m *Machine) jumpsInItem(run *Run, f *Frame) bool {
	if !m.bodies[f.Body].jumps {
		return false
	}
	for ; f != nil; f = run.Frames[f.Outer] {
		if a := run.Acts[f.Owner]; a != nil && a.Map != nil && f.Phase == FrameEnded {
			return true
		}
	}
	return false
}

// settlesNode finds a node that was not entered.
func (m *Machine) settlesNode(run *Run, path string, as State) (s settling, again bool, err error) {
	if !m.hasPath(path) {
		return s, false, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
	}
	f, n := m.nodeAt(run, path)
	switch {
	case f == nil:
		return s, false, refusef(path, "what lies around step %s has not begun, or is over", path)
	case f.Nodes[n].Ends != 0:
		return s, false, refusef(path, "step %s was not run (%s)", path, f.Nodes[n].Why)
	case m.bodies[f.Body].jumps:
		return s, false, refusef(path, "step %s has not been reached: hold it, and settle it when the run comes to it", path)
	case f.Phase != FrameOpen:
		return s, false, refusef(path, "step %s cannot be settled: what lies around it is %s", path, f.Phase)
	case as != Failed && asksPeople(m.node(f, n)):
		return s, false, onlyPeople(path)
	case as != Failed && m.node(f, n).Kind == workflow.KindExit:
		return s, false, refusef(path, "step %s says where the run goes on: it can be set failed only", path)
	}
	return settling{frame: f.ID, node: n}, false, nil
}

// settle ends the steps, in the order in which they are named. What one of them
// ends with it is not settled any more.
func (d *decider) settle(in *Settle) error {
	plan, err := d.m.planSettle(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = plan.affected
	if len(plan.reopened) > 0 {
		if err := d.emit(Event{Kind: EvRetryAsked, Trigger: settleWord(in.As), Actor: in.Actor, Text: in.Reason}); err != nil {
			return err
		}
		if err := d.requeue(); err != nil {
			return err
		}
		for i := range plan.reopened {
			if err := d.reopen(&plan.reopened[i]); err != nil {
				return err
			}
		}
	}
	for _, s := range plan.steps {
		if err := d.settleStep(s, in); err != nil {
			return err
		}
	}
	d.goOnWith(plan.reopened)
	return nil
}

// settleWord names the action.
func settleWord(as State) string {
	if as == Skipped {
		return "skip"
	}
	return "set-" + string(as)
}

func (d *decider) settleStep(s settling, in *Settle) error {
	if s.act == 0 {
		f := d.run.Frames[s.frame]
		ns := &f.Nodes[s.node]
		if ns.Act != 0 || ns.Ends != 0 || f.Phase != FrameOpen {
			return nil
		}
		if in.As == Skipped {
			if err := d.emit(Event{
				Kind: EvNotEntered, Frame: f.ID, Nodes: []workflow.NodeID{s.node}, Reason: ReasonOperator, Actor: in.Actor, Text: in.Reason,
			}); err != nil {
				return err
			}
			d.follow(f, s.node)
			return nil
		}
		act, err := d.enterNode(f, s.node, value.Undefined, in.Actor)
		if err != nil {
			return err
		}
		s.act = act
	}
	if s.act == d.run.Undo.Waits {
		return d.answerUndo(in.As == Succeeded, in.Actor, in.Reason)
	}
	a := d.run.Acts[s.act]
	if a == nil || a.Phase == PhaseEnded {
		return nil
	}
	return d.settleAct(a, in)
}

// settleAct records who settles an activation, and ends it or offers its error
// to its handlers.
func (d *decider) settleAct(a *Activation, in *Settle) error {
	f := d.run.Frames[a.Frame]
	ev := Event{Kind: EvSettled, Act: a.ID, State: in.As, Actor: in.Actor, Text: in.Reason}
	end := ending{state: in.As, reason: ReasonOperator}
	switch in.As {
	case Failed:
		ev.Error = settledError(in)
		if a.Phase == PhaseHeldError && in.Error.none() { // it stays as it is, and is final now
			held := *a.Err
			ev.Error, end.reason, end.output = &held, a.failReason(), value.Null
		}
	case Skipped:
		end.output = skippedOutput(d.m.node(f, a.Node))
		if d.m.bodies[f.Body].jumps {
			end.output = nullIfUndefined(a.Raw) // the next state goes on with it
		}
	default:
		end.output = nullIfUndefined(in.Output)
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.clearTimers(a)
	if in.As == Failed && end.reason == ReasonOperator {
		d.add(task{kind: taskError, act: a.ID})
		return nil
	}
	return d.endAct(a, end)
}

// none reports whether an operator gave no error.
func (e *Error) none() bool { return e == nil || e.Name == "" && e.Message == "" }

// settledError is the error of a step that is set failed.
func settledError(in *Settle) *Error {
	e := Error{Name: ErrSetFailed}
	if in.Error != nil {
		e = *in.Error
	}
	if e.Name == "" {
		e.Name = ErrSetFailed
	}
	if e.Message == "" {
		e.Message = by("set failed", in.Actor, in.Reason)
	}
	e.Engine = ErrSetFailed
	return TaskOutcome{Error: &e}.valid().Error
}

// by says who did something, and why.
func by(what, actor, reason string) string {
	if actor != "" {
		what += " by " + actor
	}
	if reason != "" {
		what += ": " + reason
	}
	return what
}

// applySettled records who said how the activation ends. Its error is offered to
// its handlers.
func applySettled(run *Run, a *Activation, ev *Event) {
	a.By, a.Told = &Holding{Path: a.Path, Actor: ev.Actor, Reason: ev.Text, At: ev.At}, true
	if ev.State != Failed {
		return
	}
	dropTimer(run, a, &a.Timer)
	dropTimer(run, a, &a.Deadline)
	dropTimer(run, a, &a.Beat)
	a.Err, a.Phase, a.State, a.Reason, a.RuleAt = ev.Error, PhaseError, Running, ReasonNone, 0
}
