package engine

import (
	"fmt"
	"strconv"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// beginLoop opens a loop, under its timeout. How many turns there may be is
// evaluated once.
func (d *decider) beginLoop(a *Activation, n *workflow.Node, p *place) error {
	const unbounded = -1
	limit, err := d.count(n.Loop.Max, p, "max", unbounded)
	if err != nil {
		return err
	}
	switch {
	case limit == 0:
		return d.m.engineError(ErrEvaluation, "max: a loop has at least 1 turn")
	case limit == unbounded && n.Loop.While == nil && n.Loop.Until == nil:
		return d.m.engineError(ErrEvaluation, "max: there is nothing else that ends the loop, and it is null")
	case limit == unbounded:
		limit = 0
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	if err := d.emit(Event{Kind: EvLoopOpened, Act: a.ID, Count: limit, Input: p.input}); err != nil {
		return err
	}
	if timeout > 0 {
		if err := d.timer(a, TimerTimeout, d.ctx.Now.Add(timeout), value.Undefined); err != nil {
			return err
		}
	}
	d.nextTurn(a)
	return nil
}

// nextTurn queues the decision about what follows the last turn.
func (d *decider) nextTurn(a *Activation) {
	d.add(task{kind: taskTurn, act: a.ID, turn: a.Loop.Turn})
}

// turn decides what follows a turn that has ended, or the begin of the loop: its
// end, the wait for the next turn, or that turn.
func (d *decider) turn(id ActID, last int) error {
	a := d.run.Acts[id]
	if a == nil || a.Phase != PhaseFrames || a.CancelAsked || a.Stopped || a.Open.Live > 0 || a.Loop.Turn != last {
		return nil
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	err := d.follows(a, n)
	if e, ok := asError(err); ok {
		return d.setError(a, e)
	}
	return err
}

func (d *decider) follows(a *Activation, n *workflow.Node) error {
	l := a.Loop
	if a.Fails > 0 {
		return d.run.firstError(a)
	}
	if l.Due {
		return d.openTurn(a, n)
	}
	ended, next := d.placeOf(a), d.placeOf(a)
	ended.item, ended.index = &l.Output, l.Turn
	next.item, next.index = &l.Output, l.Turn+1
	if over, err := d.loopOver(n.Loop, l, ended, next); err != nil || over {
		if err != nil {
			return err
		}
		return d.setResult(a, nullIfUndefined(l.Output), value.Undefined)
	}
	if l.Max > 0 && l.Turn >= l.last() {
		e := d.m.engineError(ErrTooManyTurns, fmt.Sprintf("%s would go on after turn %d, the last that it may have", a.Path, l.Turn))
		e.Details = value.Object(value.M("turns", value.Int(int64(l.Turn))))
		return e
	}
	due := d.ctx.Now
	if l.Turn > 0 {
		var err error
		if due, err = d.turnDue(n.Loop, l, ended); err != nil {
			return err
		}
	}
	if due.After(d.ctx.Now) {
		return d.timer(a, TimerTurn, due, value.Undefined)
	}
	return d.openTurn(a, n)
}

// loopOver reports whether no turn follows: what the loop is for is reached, as
// seen from the turn that ended and from the one that would follow.
func (d *decider) loopOver(loop *workflow.Loop, l *LoopState, ended, next *place) (bool, error) {
	if loop.Until != nil && l.Turn > 0 {
		if over, err := d.truth(loop.Until, ended); err != nil || over {
			return over, err
		}
	}
	if loop.While != nil {
		on, err := d.truth(loop.While, next)
		return !on, err
	}
	return loop.Until == nil && l.Turn >= l.last(), nil
}

// turnDue is when the next turn may begin.
func (d *decider) turnDue(loop *workflow.Loop, l *LoopState, ended *place) (time.Time, error) {
	now := d.ctx.Now
	if loop.Grid == nil {
		delay, err := d.duration(loop.Delay, ended, "delay")
		return now.Add(delay), err
	}
	grid, err := d.duration(loop.Grid, ended, "grid")
	if err != nil || grid <= 0 {
		return now, err
	}
	return l.BeganAt.Add((now.Sub(l.BeganAt)/grid + 1) * grid), nil
}

func (d *decider) openTurn(a *Activation, n *workflow.Node) error {
	return d.open(opening{role: RoleBody, owner: a.ID, body: n.Loop.Body, index: a.Loop.Turn + 1, attempt: a.Attempt})
}

// openedLoop begins with no turn.
func (a *Activation) openedLoop(ev *Event) {
	a.Loop = &LoopState{Max: ev.Count, Output: value.Null, BeganAt: ev.At}
	a.Phase, a.State, a.Reason = PhaseFrames, Running, ReasonNone
}

// openedTurn links the frame of a turn to its loop.
func (a *Activation) openedTurn(f *Frame) error {
	if f.Index != a.Loop.Turn+1 || a.Open.Live != 1 {
		return fmt.Errorf("%w: turn %d of %s after %d", ErrProtocol, f.Index, a.Path, a.Loop.Turn)
	}
	a.Loop.Turn, a.Loop.Due = f.Index, false
	f.Item, f.Raw = a.Loop.Output, a.Input // both are on record
	f.Path += "[" + strconv.Itoa(f.Index) + "]"
	if a.Attempt > 1 {
		f.Path += "~" + strconv.Itoa(a.Attempt)
	}
	return nil
}

// failedWith notes whether the error of a loop is its own: a failed turn may have
// brought that of a loop inside.
func (a *Activation) failedWith(e *Error) {
	if a.Loop == nil || e == nil {
		return
	}
	a.Loop.Exhausted = a.Fails == 0 && e.Engine == ErrTooManyTurns
}

// reopened lets a loop go on that a person retried: one that had too many turns
// may have as many again.
func (l *LoopState) reopened() {
	l.Due = false
	if l.Exhausted {
		l.Base, l.Exhausted = l.Turn, false
	}
}

// tolerates reports whether the node goes on after a failed frame as if it had
// ended well with no output: a loop that its failed turns do not end.
func tolerates(n *workflow.Node) bool {
	return n.Loop != nil && n.Loop.FailedTurn == workflow.GoOn
}
