package engine

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/gate"
)

// gatedRun reports whether the run passes the gate before it begins.
func (d *decider) gatedRun() bool { return d.m.prog.Concurrency != nil || d.ctx.BoundRuns }

// Begun reports whether something of the run may go on: nothing of one that is held
// before it begins, or waits in the gate.
func (r *Run) Begun() bool { return r.lastFrame != 0 && !r.queued() }

// openRun opens the main frame, once the gate lets the run through.
func (d *decider) openRun() error {
	if d.run.lastFrame != 0 || d.run.State.Final() || d.run.wholeHold() != nil || d.run.queued() {
		return nil
	}
	if d.run.GrantedAt.IsZero() && d.gatedRun() {
		q, err := d.runQueue()
		if e, ok := asError(err); ok {
			return d.endRun(Outcome{State: Failed, Reason: ReasonError, Error: e})
		}
		if err != nil {
			return err
		}
		return d.queueRun(q)
	}
	return d.open(opening{role: RoleMain, body: d.m.prog.Main, index: -1, attempt: 1})
}

// queueRun asks the gate for a run, again if q is nil.
func (d *decider) queueRun(q *Queue) error {
	if err := d.emit(Event{Kind: EvQueued, Queue: q, Same: q == nil}); err != nil {
		return err
	}
	d.askRunGate()
	return nil
}

// requeue has a run that goes on after its end ask again for what it had.
func (d *decider) requeue() error {
	if d.run.Queue == nil || !d.run.AskedAt.IsZero() || !d.gatedRun() || d.run.lastFrame == 0 {
		return nil
	}
	return d.queueRun(nil)
}

// runQueue evaluates what the run asks for.
func (d *decider) runQueue() (*Queue, error) {
	q := &Queue{}
	space, name := d.m.prog.Namespace, d.m.prog.Name
	if c := d.m.prog.Concurrency; c != nil {
		p := &place{f: &Frame{Raw: d.run.Input}, raw: d.run.Input}
		key, err := d.plain(c.Key, p)
		if err != nil {
			return nil, err
		}
		most, err := d.count(c.Max, p, "concurrency.max", 1)
		if err != nil {
			return nil, err
		}
		if most < 1 || most > gate.MaxCapacity {
			return nil, d.m.engineError(ErrEvaluation, fmt.Sprintf("concurrency.max is %d, want a number from 1 to %d", most, gate.MaxCapacity))
		}
		if !key.IsNull() {
			name += "/" + key.Text()
		}
		if gate.CheckName(name) != nil {
			return nil, d.m.engineError(ErrEvaluation, fmt.Sprintf("concurrency.key: %s is too long: the key and the workflow's name have at most %d bytes", short(key), gate.MaxName))
		}
		q.Uses = append(q.Uses, gate.Use{ID: gate.ID{Kind: gate.Concurrency, Namespace: space, Name: name}, Weight: 1, Capacity: most})
	}
	if d.ctx.BoundRuns {
		q.Uses = append(q.Uses, gate.Use{ID: gate.ID{Kind: gate.Runs, Namespace: space}, Weight: 1})
	}
	return q, nil
}

func (d *decider) askRunGate() {
	c := AskGate{Queue: d.run.asked("", d.run.Queue), Since: d.run.AskedAt, Held: d.run.wholeHold() != nil}
	if d.m.prog.Concurrency != nil {
		c.Then = d.m.prog.Concurrency.Then
	}
	if !d.run.GrantedAt.IsZero() {
		c.Since, c.Granted = d.run.GrantedAt, true
	}
	d.command(c)
}

// runGranted begins the run, goes on with one that was reopened, or ends one that
// is not to wait.
func (d *decider) runGranted(in Granted) error {
	if !d.run.queued() {
		d.command(LeaveGate{})
		return nil
	}
	if in.Skip {
		if d.run.lastFrame != 0 {
			return nil // a person had it go on: it waits
		}
		return d.endRun(Outcome{State: Skipped, Reason: ReasonConcurrency})
	}
	if err := d.emit(Event{Kind: EvGranted}); err != nil {
		return err
	}
	if d.run.lastFrame != 0 {
		d.beginEntered()
		return nil
	}
	return d.openRun()
}

// applyRunGate folds what the gate has to do with the run.
func applyRunGate(run *Run, ev *Event) {
	if ev.Kind == EvGranted {
		run.GrantedAt, run.State, run.Reason = ev.At, Running, ReasonNone
		run.open(run)
		return
	}
	if ev.Queue != nil {
		run.Queue = ev.Queue
	}
	if run.Queue == nil {
		run.Queue = &Queue{} // of an erased run
	}
	run.AskedAt, run.GrantedAt = ev.At, time.Time{}
	run.State, run.Reason = Queued, ReasonLimit
	for _, use := range run.Queue.Uses {
		if use.ID.Kind == gate.Concurrency {
			run.Reason = ReasonConcurrency
		}
	}
	if run.lastFrame != 0 {
		run.close(run)
	}
}

// leaveRunGate folds the end of a run.
func leaveRunGate(run *Run) {
	run.open(run)
	run.AskedAt, run.GrantedAt = time.Time{}, time.Time{}
}
