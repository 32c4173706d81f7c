package teststate

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// driver plays everything around the engine for one state: timers are due at
// once, the earliest first, and the task is answered by a function.
type driver struct {
	machine *lone
	answer  answer
	// retries is how many retries are let happen.
	retries int

	now     time.Time
	queue   []engine.Input
	timers  []engine.SetTimer
	entered bool
	found   *outcome
	out     outcome
}

// outcome is the end of a state.
type outcome struct {
	status   Status
	output   value.Value
	err      *engine.Error
	next     string
	details  ErrorDetails
	assigned []value.Member // variables
	// task is the last input of the task, result its answer if answered.
	task, result value.Value
	answered     bool
}

// drive enters the state with the input and goes on until it is left, has
// failed, or is retried once more than retries.
func (d *driver) drive(input value.Value, seed uint64) (*outcome, error) {
	run := engine.NewRun("test")
	d.queue = []engine.Input{engine.Accept{Input: input, BusinessDate: d.now.UTC().Format(time.DateOnly), Seed: seed}}
	for d.found == nil {
		if len(d.queue) == 0 && !d.fire() {
			return nil, fmt.Errorf("the state waits for something that a test does not have")
		}
		in := d.queue[0]
		d.queue = d.queue[1:]
		decision, err := d.machine.Decide(run, in, engine.Context{Now: d.now})
		if err != nil {
			return nil, fmt.Errorf("decide the state: %w", err)
		}
		for i := range decision.Events {
			d.event(&decision.Events[i])
		}
		for _, c := range decision.Commands {
			d.command(c)
		}
	}
	return d.found, nil
}

func (d *driver) event(e *engine.Event) {
	if d.found != nil {
		return
	}
	switch e.Kind {
	case engine.EvEntered:
		if e.Frame != mainFrame {
			return
		}
		if d.entered {
			d.next(e)
		}
		d.entered = true
	case engine.EvError:
		d.out.err = e.Error
	case engine.EvAttemptEnded:
		if e.Error != nil {
			d.out.err = e.Error
		}
	case engine.EvRetry:
		d.retry(e)
	case engine.EvAssigned:
		for _, op := range e.Ops {
			d.out.assigned = append(d.out.assigned, value.M(op.Var, op.Value))
		}
	default:
	}
}

// mainFrame is the frame of the machine's own states.
const mainFrame = 1

// next takes the entering of a successor.
func (d *driver) next(e *engine.Event) {
	to := d.machine.nodes[e.Node]
	d.out.status, d.out.next, d.out.output = Succeeded, to.state, e.Input
	if to.catcher != nil {
		d.out.status, d.out.details.CatchIndex = CaughtError, to.catcher
	}
	d.found = &d.out
}

// retry counts a retry, or notes that a retrier has none left.
func (d *driver) retry(e *engine.Event) {
	d.out.details.RetryIndex = &e.Rule
	if e.Same {
		return
	}
	if d.retries > 0 {
		d.retries--
		return
	}
	wait := 0
	if !e.Due.IsZero() {
		wait = int(math.Ceil(e.Due.Sub(d.now).Seconds()))
	}
	d.out.status, d.out.details.RetryBackoffIntervalSeconds = Retriable, &wait
	d.found = &d.out
}

func (d *driver) command(c engine.Command) {
	switch c := c.(type) {
	case engine.Dispatch:
		d.dispatch(c.Task)
	case engine.SetTimer:
		d.timers = append(d.timers, c)
	case engine.ClearTimer:
		d.timers = slices.DeleteFunc(d.timers, func(t engine.SetTimer) bool { return t.Timer == c.Timer })
	case engine.NeedEval:
		d.queue = append(d.queue, c.Eval.Evaluate(nil))
	case engine.RunEnded:
		if d.found != nil {
			return
		}
		d.out.status, d.out.output = Succeeded, c.Output
		if c.State != engine.Succeeded {
			d.out.status, d.out.output, d.out.err = Failed, value.Undefined, c.Error
		}
		d.found = &d.out
	}
}

func (d *driver) dispatch(t engine.Task) {
	d.out.task = t.Input
	end := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, StartedAt: d.now, EndedAt: d.now}
	end.Output, end.Error = d.answer(t.Input)
	d.out.result, d.out.answered = end.Output, end.Error == nil
	if end.Error != nil {
		end.Kind = engine.OutcomeFailed
	}
	d.queue = append(d.queue, engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: end})
}

// fire lets the earliest timer be due; false when there is none.
func (d *driver) fire() bool {
	if len(d.timers) == 0 {
		return false
	}
	first := slices.MinFunc(d.timers, func(a, b engine.SetTimer) int { return a.At.Compare(b.At) })
	d.timers = slices.DeleteFunc(d.timers, func(t engine.SetTimer) bool { return t.Timer == first.Timer })
	d.now = first.At
	d.queue = append(d.queue, engine.TimerDue{Timer: first.Timer})
	return true
}
