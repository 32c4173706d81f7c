package engine

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/value"
)

// AwaitKind says what an activation waits for outside its run.
type AwaitKind string

// The kinds.
const (
	AwaitSignal   AwaitKind = "signal"   // a message that names it
	AwaitApproval AwaitKind = "approval" // people
	AwaitRun      AwaitKind = "run"      // a run of another workflow
	AwaitChild    AwaitKind = "child"    // the run that it started
)

// Awaited is what an activation waits for outside its run.
type Awaited struct {
	// ID tells the waits of a run apart: the number of the event that began it.
	// It is set when the event is applied.
	ID   uint64    `json:"id,omitempty"`
	Kind AwaitKind `json:"kind"`
	// Name is that of the signal or workflow.
	Name string `json:"name,omitempty"`
}

// reason is what an activation shows that waits for it.
func (a *Awaited) reason() Reason { return Reason(a.Kind) }

// Await tells others that an activation waits for something outside its run. It
// is given again by a recovery.
type Await struct {
	Act    ActID
	Awaits Awaited
}

func (Await) command() {}

// Happened says that what an activation waits for has come. One that is not
// about its current wait is ignored.
type Happened struct {
	Act ActID
	// Wait is the ID of the wait (see [Awaited]).
	Wait uint64
	// Output is the result; or Error says that it will not come.
	Output value.Value
	Error  *Error
}

func (Happened) input() {}

// await waits for something outside the run, at most for the timeout; 0: without
// bound.
func (d *decider) await(a *Activation, what Awaited, input value.Value, timeout time.Duration) error {
	if err := d.emit(Event{Kind: EvAwaiting, Act: a.ID, Awaits: &what, Input: input}); err != nil {
		return err
	}
	d.command(Await{Act: a.ID, Awaits: *a.Awaits})
	if timeout > 0 {
		return d.timer(a, TimerTimeout, d.ctx.Now.Add(timeout), value.Undefined)
	}
	return nil
}

// happened goes on with an activation whose wait is over.
func (d *decider) happened(in Happened) error {
	a := d.run.Acts[in.Act]
	if a == nil || a.Phase != PhaseEvent || a.Awaits.ID != in.Wait {
		return nil
	}
	ev := Event{Kind: EvHappened, Act: a.ID, Output: nullIfUndefined(in.Output)}
	if in.Error != nil {
		ev.Output, ev.Error = value.Undefined, TaskOutcome{Error: in.Error}.valid().Error
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.clearTimers(a)
	d.goOnAfter(a)
	return nil
}

func applyAwaiting(run *Run, a *Activation, ev *Event) {
	what := *ev.Awaits
	what.ID = run.Sequence
	a.Awaits, a.Phase, a.State, a.Reason = &what, PhaseEvent, Waiting, what.reason()
}

func applyHappened(run *Run, a *Activation, ev *Event) {
	dropTimer(run, a, &a.Deadline)
	a.State, a.Reason = Running, ReasonNone
	if ev.Error != nil {
		a.Err, a.Phase, a.RuleAt = ev.Error, PhaseError, 0
		return
	}
	a.Result, a.Phase = ev.Output, PhaseResult
}

// awaited explains what an activation waits for.
func (w *whyer) awaited(a *Activation) Condition {
	c := Condition{Kind: ConditionKind(a.Awaits.Kind), Subject: a.Awaits.Name, Since: a.Since, Due: w.latest(a)}
	c.Text = fmt.Sprintf("It waits for %s %s since %s.", a.Awaits.Kind, a.Awaits.Name, stamp(a.Since))
	return c
}
