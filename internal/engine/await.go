package engine

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// AwaitKind says what an activation waits for outside its run.
type AwaitKind string

// The kinds.
const (
	AwaitSignal    AwaitKind = "signal"    // a message that names it
	AwaitApproval  AwaitKind = "approval"  // people
	AwaitRun       AwaitKind = "run"       // a run of another workflow
	AwaitChild     AwaitKind = "child"     // the run that it started
	AwaitCondition AwaitKind = "condition" // a named fact with a date
	AwaitCache     AwaitKind = "cache"     // whether there is an earlier output, by its key
)

// Awaited is what an activation waits for outside its run.
type Awaited struct {
	// ID tells the waits of a run apart: the number of the event that began it.
	// It is set when the event is applied.
	ID   uint64    `json:"id,omitempty"`
	Kind AwaitKind `json:"kind"`
	// Name is that of the signal or workflow.
	Name string `json:"name,omitempty"`

	// Of a run and of a child: the workflow's namespace, and the business date.
	Namespace string `json:"namespace,omitempty"`
	Date      string `json:"date,omitempty"`
	// Of a run: how it must have ended, and which (see [RunPrevious]).
	State RunState `json:"state,omitempty"`
	Which string   `json:"which,omitempty"`
	// Of a child: its run, the version that it must have (empty: the one in
	// force), the attempt that started it, whether its end is not awaited, and
	// whether it goes on when this step is stopped.
	Run     string `json:"run,omitempty"`
	Version string `json:"version,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Detach  bool   `json:"detach,omitempty"`
	Abandon bool   `json:"abandon,omitempty"`
	// Known is how many events the child had when it ended last, as far as this
	// run knows: if it has no more, it is retried.
	Known uint64 `json:"known,omitempty"`

	// For is how long the output is good that is looked for in the cache.
	For time.Duration `json:"for,omitempty"`

	// Question is what people are asked, of an approval.
	Question *Question `json:"question,omitempty"`
}

// reason is what an activation shows that waits for it.
func (a *Awaited) reason() Reason { return Reason(a.Kind) }

// Await tells others that an activation waits for something outside its run. It
// is given again by a recovery.
type Await struct {
	Act    ActID
	Awaits Awaited
	Input  value.Value
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
	// Known is how many events the child run has that has ended.
	Known uint64
	// Missed says that there is no earlier output.
	Missed bool
}

func (Happened) input() {}

// await waits for something outside the run, at most for the timeout; 0: without
// bound.
func (d *decider) await(a *Activation, what Awaited, input value.Value, timeout time.Duration) error {
	if err := d.emit(Event{Kind: EvAwaiting, Act: a.ID, Awaits: &what, Input: input}); err != nil {
		return err
	}
	d.command(d.awaiting(a))
	if timeout > 0 {
		return d.timer(a, TimerTimeout, d.ctx.Now.Add(timeout), value.Undefined)
	}
	return nil
}

func (d *decider) awaiting(a *Activation) Await {
	return Await{Act: a.ID, Awaits: *a.Awaits, Input: a.Input}
}

// beginEvent waits for what a node names, unless it is there already.
func (d *decider) beginEvent(a *Activation, n *workflow.Node, p *place) error {
	switch n.Wait.Event.Kind {
	case workflow.EventSignal:
		return d.awaitSignal(a, n, p)
	case workflow.EventApproval:
		return d.ask(a, n, p)
	case workflow.EventRun:
		return d.beginRunWait(a, n, p)
	case workflow.EventCondition:
		return d.awaitCondition(a, n, p)
	}
	return fmt.Errorf("%w: a wait for %s", ErrProtocol, n.Wait.Event.Kind)
}

// happened goes on with an activation whose wait is over.
func (d *decider) happened(in Happened) error {
	a := d.run.Acts[in.Act]
	if a == nil || a.Phase != PhaseEvent || a.Awaits.ID != in.Wait {
		return nil
	}
	ev := Event{Kind: EvHappened, Act: a.ID, Output: nullIfUndefined(in.Output), Known: in.Known, Same: in.Missed}
	if in.Missed {
		ev.Output = value.Undefined
	}
	if in.Error != nil {
		ev.Output, ev.Error = value.Undefined, TaskOutcome{Error: in.Error}.valid().Error
		if name := ev.Error.Engine; name != "" && ev.Error.Name == name {
			ev.Error.Name = d.m.engineError(name, "").Name
		}
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.clearTimers(a)
	if a.CancelAsked && ev.Error != nil {
		return d.unwound(a)
	}
	if in.Missed {
		d.add(task{kind: taskBegin, act: a.ID})
	}
	d.goOnAfter(a)
	return nil
}

// applyOutside folds what an activation has to do with the world outside.
func applyOutside(run *Run, a *Activation, ev *Event) error {
	switch ev.Kind {
	case EvAwaiting:
		applyAwaiting(run, a, ev)
	case EvSignalTaken:
		return applySignalTaken(run, a, ev)
	case EvVoted:
		return applyVoted(a, ev)
	default: // EvHappened
		applyHappened(run, a, ev)
	}
	return nil
}

func applyAwaiting(run *Run, a *Activation, ev *Event) {
	what := Awaited{} // of an erased run
	if ev.Awaits != nil {
		what = *ev.Awaits
	}
	what.ID = run.Sequence
	a.Awaits, a.Phase, a.State, a.Reason = &what, PhaseEvent, Waiting, what.reason()
	a.Votes = nil
	if what.Kind == AwaitCache {
		a.Caching = &Caching{Key: what.Name, For: what.For}
	}
}

func applyHappened(run *Run, a *Activation, ev *Event) {
	dropTimer(run, a, &a.Deadline)
	a.Awaits.Known = ev.Known
	if a.Awaits.Kind == AwaitCache {
		applyRecalled(a, ev)
		return
	}
	a.State, a.Reason = Running, ReasonNone
	if ev.Error != nil {
		a.Err, a.Phase, a.RuleAt = ev.Error, PhaseError, 0
		return
	}
	a.Result, a.Phase = ev.Output, PhaseResult
}

// awaited explains what an activation waits for.
func (w *whyer) awaited(a *Activation) Condition {
	switch a.Awaits.Kind {
	case AwaitChild:
		return w.childAwaited(a)
	case AwaitRun:
		return w.runAwaited(a)
	case AwaitCondition:
		return w.conditionAwaited(a)
	case AwaitSignal, AwaitApproval, AwaitCache:
	}
	c := Condition{Kind: ConditionKind(a.Awaits.Kind), Subject: a.Awaits.Name, Since: a.Since, Due: w.latest(a)}
	if a.Awaits.Kind == AwaitApproval {
		return w.asked(a, c)
	}
	if a.Awaits.Kind == AwaitCache {
		c.Text, c.Subject = "It is looked whether an earlier output can be used.", ""
		return c
	}
	c.Text = fmt.Sprintf("It waits for %s %s since %s.", a.Awaits.Kind, a.Awaits.Name, stamp(a.Since))
	if !c.Due.IsZero() {
		c.Text += " It waits until " + stamp(c.Due) + "."
	}
	return c
}
