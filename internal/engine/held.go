package engine

import (
	"fmt"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// holdsFailure reports whether the failure of an activation, which none of its
// own handlers took, waits for a person instead of being final, and for what
// reason: its node or the program says so, or it undoes something; nothing around
// it may still handle it, and what lies around it is not ending anyway. The
// failure of a finally part is not held.
func (d *decider) holdsFailure(a *Activation, n *workflow.Node, e *Error) (Reason, bool) {
	f := d.run.Frames[a.Frame]
	for f.Phase == FrameOpen {
		switch f.Role {
		case RoleMain:
			return ReasonFailureHeld, !d.run.Undo.Asked && d.keepsFailures(n, e)
		case RoleCompensate:
			return ReasonUndoFailed, !d.m.prog.Unattended
		case RoleFinally, RolePredicate:
			return ReasonNone, false
		case RoleBody, RoleCatch:
		}
		owner := d.run.Acts[f.Owner]
		around := d.run.Frames[owner.Frame]
		if owner.CancelAsked || d.mayHandle(owner, d.m.node(around, owner.Node), f, e) {
			return ReasonNone, false
		}
		f = around
	}
	return ReasonNone, false
}

// keepsFailures reports whether the program holds an unhandled failure of the
// node.
func (d *decider) keepsFailures(n *workflow.Node, e *Error) bool {
	if d.m.prog.Unattended {
		return false
	}
	if n.Held != nil && d.m.matches(n.Held.Match, nil, e) {
		return true
	}
	return d.m.prog.OnFailure == workflow.OnFailureHold
}

// mayHandle reports whether an activation may go on well although something in
// one of its frames failed. A predicate of a handler is not judged before: if it
// turns out that nothing takes the error, it is held there.
func (d *decider) mayHandle(a *Activation, n *workflow.Node, f *Frame, e *Error) bool {
	if n.ContinueOnError {
		return true
	}
	if f.Role == RoleCatch {
		return false
	}
	rule, tolerated := ruleOf(n, a)
	if rule.FirstSuccess || a.Fails < tolerated || tolerates(n) {
		return true
	}
	mapping := d.m.mapping(e)
	for i := range n.Retry {
		if d.m.matches(n.Retry[i].Match, n.Retry[i].Except, e) && (mapping == nil || !mapping.NoRetry) {
			return true
		}
	}
	for i := range n.Catch {
		if d.m.matches(n.Catch[i].Match, n.Catch[i].Except, e) && (mapping == nil || !mapping.Uncatchable) {
			return true
		}
	}
	return false
}

// failReason is the reason for which an activation fails of its error.
func (a *Activation) failReason() Reason {
	switch {
	case a.Matched:
		return ReasonAttemptsExhausted
	case a.Err.Engine == ErrTimeout || a.Err.Name == ErrTimeout:
		return ReasonTimedOut
	case a.Err.Engine == ErrAttemptLost:
		return ReasonAttemptLost
	case a.Err.Engine == ErrKilled:
		return ReasonKilled
	case a.Err.Engine == ErrSetFailed:
		return ReasonOperator
	}
	return ReasonError
}

// failure is what an activation fails of; err, if it is not nil, takes the place
// of its error.
type failure struct {
	reason Reason
	err    *Error
}

// failAct fails an activation that no handler of its own helps, or holds its
// failure.
func (d *decider) failAct(a *Activation, n *workflow.Node, of failure) error {
	e := of.err
	if e == nil {
		e = a.Err
	}
	if !n.ContinueOnError && e.Engine != ErrSetFailed { // else a person has decided
		if reason, held := d.holdsFailure(a, n, e); held {
			return d.emit(Event{Kind: EvFailureHeld, Act: a.ID, Reason: reason, Error: of.err})
		}
	}
	return d.endAct(a, ending{state: Failed, reason: of.reason, err: of.err, handled: n.ContinueOnError, output: value.Null})
}

// holdFailure keeps the failure of an activation from being final.
func (a *Activation) holdFailure(ev *Event) {
	a.Phase, a.State, a.Reason = PhaseHeldError, Waiting, ev.Reason
	if ev.Error != nil {
		a.Err = ev.Error
	}
}

// phaseOf is the phase of an activation, ended if it is not there.
func (r *Run) phaseOf(id ActID) Phase {
	if a := r.Acts[id]; a != nil {
		return a.Phase
	}
	return PhaseEnded
}

// countPhase counts the activations whose failure is held, and those that go on
// before a person decides.
func (r *Run) countPhase(before, after Phase) {
	for _, p := range []struct {
		phase Phase
		by    int
	}{{before, -1}, {after, 1}} {
		switch p.phase {
		case PhaseHeldError:
			r.heldErrors += p.by
		case PhaseFrames, PhaseUnknown, PhaseEnded:
		default:
			r.busy += p.by
		}
	}
}

// waitsForPerson reports whether nothing of the run goes on before a person
// decides about a failure, and for what reason.
func (r *Run) waitsForPerson() (Reason, bool) {
	switch {
	case r.Undo.Waits != 0:
		return ReasonUndoUnknown, true
	case r.heldErrors == 0 || r.busy > 0:
		return ReasonNone, false
	case r.undoing():
		return ReasonUndoFailed, true
	}
	return ReasonFailureHeld, true
}

// heldError explains a failure that is held.
func (w *whyer) heldError(a *Activation) Condition {
	c := Condition{Kind: ConditionPerson, Since: a.Since, Attempt: a.Attempt, Error: a.Err, State: a.State, Reason: a.Reason}
	then := "an operator retries it, says how it ended, or cancels the run"
	if a.Reason == ReasonUndoFailed {
		then = "what else is to be undone waits until an operator retries it, or says that it succeeded"
	}
	c.Text = fmt.Sprintf("It failed (%s) of %s, and the failure is held: %s.", a.failReason(), errorText(a.Err), then)
	return c
}
