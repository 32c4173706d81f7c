package engine

import (
	"fmt"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Errors of waits for runs.
const (
	ErrRunNotFound  = "run_not_found" // there is no earlier run
	ErrNotPermitted = "not_permitted" // the other namespace does not allow it
)

// RunState is the way of ending that is waited for.
type RunState string

// The ways. Ended is any but skipped.
const (
	RunSucceeded RunState = "succeeded"
	RunFailed    RunState = "failed"
	RunHasEnded  RunState = "ended"
)

// Meets reports whether a run in this state is what is waited for.
func (s RunState) Meets(state State) bool {
	switch s {
	case RunSucceeded, RunFailed:
		return string(state) == string(s)
	case RunHasEnded:
		return state == Succeeded || state == Failed || state == Canceled
	}
	return false
}

// RunPrevious chooses the closest business date before the given one on which the
// workflow has a run that was not skipped, when the wait begins.
const RunPrevious = "previous"

// Pinned says which business date a wait for the closest preceding run is about
// from now on. One that is not about the current wait is ignored.
type Pinned struct {
	Act  ActID
	Wait uint64
	Date string
}

func (Pinned) input() {}

// beginRunWait waits for a run of another workflow to end.
func (d *decider) beginRunWait(a *Activation, n *workflow.Node, p *place) error {
	with, err := d.plain(n.Wait.Event.With, p)
	if err != nil {
		return err
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	namespace, name := d.m.workflowNamed(with.Get("workflow").Text())
	what := Awaited{Kind: AwaitRun, Namespace: namespace, Name: name, Date: d.run.BusinessDate, State: RunSucceeded}
	if date := with.Get("date"); !date.IsUndefined() {
		if what.Date, err = d.dateOf(&workflow.Data{Const: date}, p); err != nil {
			return err
		}
	}
	if state := with.Get("state"); !state.IsUndefined() {
		what.State = RunState(state.Text())
	}
	what.Which = with.Get("which").Text()
	if what.Which != RunPrevious {
		what.Which = ""
	}
	switch what.State {
	case RunSucceeded, RunFailed, RunHasEnded:
	default:
		return d.m.engineError(ErrEvaluation, fmt.Sprintf("state: %q is none that can be waited for; write succeeded, failed or ended", what.State))
	}
	return d.await(a, what, p.input, timeout)
}

// pinned goes on with a wait for a run of a certain date.
func (d *decider) pinned(in Pinned) error {
	a := d.run.Acts[in.Act]
	if a == nil || a.Phase != PhaseEvent || a.Awaits.ID != in.Wait {
		return nil
	}
	what := *a.Awaits
	what.Date, what.Which = in.Date, ""
	return d.await(a, what, value.Undefined, 0)
}

// RunFound is what a wait for a run is told of one. The output is shown to its own
// namespace, and null to others.
func RunFound(what *Awaited, run, date string, end RunEnded, own bool) Happened {
	output := value.Null
	if own {
		output = Foreign(nullIfUndefined(end.Output), run)
	}
	return Happened{Wait: what.ID, Output: value.Object(
		value.M("run", value.String(run)), value.M("state", value.String(string(end.State))),
		value.M("business_date", value.String(date)), value.M("output", output))}
}

// runAwaited explains what an activation waits for that waits for a run.
func (w *whyer) runAwaited(a *Activation) Condition {
	what := a.Awaits
	c := Condition{Kind: ConditionRun, Subject: what.Workflow(), Since: a.Since, Due: w.latest(a)}
	if what.Which == RunPrevious {
		c.Text = fmt.Sprintf("It looks for the closest run of workflow %s before business date %s since %s.", what.Workflow(), what.Date, stamp(a.Since))
		return c
	}
	how := "to end"
	if what.State != RunHasEnded {
		how = "to end as " + string(what.State)
	}
	c.Text = fmt.Sprintf("It waits for a run of workflow %s of business date %s %s, since %s.", what.Workflow(), what.Date, how, stamp(a.Since))
	return c
}
