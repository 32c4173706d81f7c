package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// turnBudget is how many steps of work one Decide does before it hands the
// turn back, so that a loop without tasks cannot hold up other runs.
const turnBudget = 2000

// maxStale is how often an evaluation is asked for again because variables
// that it read have changed; then assignments wait for it.
const maxStale = 3

// errSuspended stops a piece of work until an evaluation is answered.
var errSuspended = errors.New("suspended")

// decider makes one decision. Work that follows from other work is queued, not
// called, so that a chain of any length needs no stack.
type decider struct {
	m   *Machine
	run *Run
	ctx Context
	dec Decision

	queue []task
	head  int

	// cur is the suspension that the work in hand continues, nil at first;
	// ordinal counts the evaluations of the work in hand.
	cur     *suspension
	ordinal int
	doing   task

	// aside: it evaluates outside of any run, so that nothing is put away.
	aside bool
	// without is what the node whose join is judged does not wait for.
	without *Forgone
}

// task is a piece of work. Each kind can be done again from the state alone.
type task struct {
	kind  taskKind
	frame FrameID
	node  workflow.NodeID
	act   ActID
	write uint64 // of taskKeep
	turn  int    // that ended last, of taskTurn: what was begun for an earlier one is void
}

type taskKind uint8

const (
	taskJoin   taskKind = iota + 1 // judge the join of node in frame, enter it
	taskBegin                      // begin the entered activation
	taskFrames                     // open frames of items, or see that all have ended
	taskResult                     // make the output of the result
	taskError                      // try the handlers of the error
	taskJudge                      // judge the frame
	taskVars                       // set the variables of a new frame
	taskOpen                       // open the main frame
	taskTurn                       // judge whether a loop goes on, and begin its next turn
	taskUndo                       // undo what is to be undone next
	taskKeep                       // put outputs of a map away
)

// suspension is work that waits for an evaluation.
type suspension struct {
	doing   task
	answers map[int]answer // by ordinal
	asked   int            // ordinal that was asked for
	version uint64         // of the variables when it was asked
	vars    bool           // whether the answer depends on them
	stale   int
	holding bool
	// now and sequence are those at which the work was begun: what it evaluates
	// again shows the same clock and draws the same.
	now      time.Time
	sequence uint64
	rest     []task // of a turn that was handed back
}

type answer struct {
	expr  int
	done  bool
	value value.Value
	err   *Error
}

// Decide says what follows from the input, and applies its own events to run.
// An error that wraps [ErrRefused] leaves the state as it was; any other is a
// fault of the caller or of the engine, and the state must then be dropped. The
// same state, input and context give the same decision.
func (m *Machine) Decide(run *Run, in Input, ctx Context) (Decision, error) {
	d := &decider{m: m, run: run, ctx: ctx}
	if err := d.input(in); err != nil {
		return Decision{}, fmt.Errorf("run %s: %w", run.ID, err)
	}
	for budget := turnBudget; d.head < len(d.queue); budget-- {
		if budget == 0 {
			d.yield()
			break
		}
		t := d.queue[d.head]
		d.head++
		if err := d.do(t, nil); err != nil {
			return Decision{}, fmt.Errorf("run %s: %w", run.ID, err)
		}
	}
	return d.dec, nil
}

func (d *decider) input(in Input) error {
	run := d.run
	if _, first := in.(Accept); first != (run.Sequence == 0) {
		return fmt.Errorf("%w: %T when %d events are there", ErrProtocol, in, run.Sequence)
	}
	switch in := in.(type) {
	case Callback:
		return d.callback(in)
	case Beat:
		return d.beaten(in)
	case Signal:
		return d.signal(in)
	case Vote:
		return d.vote(in)
	case Hold:
		return d.hold(&in.Action)
	case Release:
		return d.release(&in.Action)
	case Retry:
		return d.retryAsked(&in.Action)
	case Settle:
		return d.settle(&in)
	case Rerun:
		return d.rerun(&in)
	case Force:
		return d.force(&in)
	case Kill:
		return d.kill(&in.Action)
	case RunNow:
		return d.runNow(&in.Action)
	case Comment:
		return d.comment(&in.Action)
	case Compensate:
		return d.compensate(&in.Action)
	case HoldNamespace:
		return d.holdNamespace(&in)
	case ReleaseNamespace:
		return d.releaseNamespace(&in)
	case SetPriority:
		return d.setPriority(&in)
	case SetDeadline:
		return d.setDeadline(&in)
	case AddWait:
		return d.changeWaits(&in.Action, in.Conditions, false)
	case DropWait:
		return d.changeWaits(&in.Action, in.Conditions, true)
	}
	if run.State.Final() {
		return nil // whatever comes late changes nothing
	}
	switch in := in.(type) {
	case Accept:
		return d.accept(in)
	case TaskEnded:
		return d.taskEnded(in)
	case TimerDue:
		return d.timerDue(in.Timer)
	case Evaluated:
		return d.evaluated(in)
	case Cancel:
		return d.cancelRun(in)
	case Granted:
		return d.granted(in)
	case Happened:
		return d.happened(in)
	case Pinned:
		return d.pinned(in)
	case Recover:
		return d.recover()
	}
	return fmt.Errorf("%w: %T", ErrProtocol, in)
}

// do does one piece of work, continuing a suspension if there is one.
func (d *decider) do(t task, s *suspension) error {
	d.cur, d.ordinal, d.doing = s, 0, t
	if d.run.inPark > 0 && d.inParked(t) {
		return nil // its map goes on with it
	}
	var err error
	switch t.kind {
	case taskJoin:
		err = d.join(t.frame, t.node)
	case taskBegin:
		err = d.begin(t.act)
	case taskFrames:
		err = d.framesNext(t.act)
	case taskResult:
		err = d.result(t.act)
	case taskError:
		err = d.handle(t.act)
	case taskJudge:
		err = d.judge(t.frame)
	case taskOpen:
		err = d.openRun()
	case taskVars:
		err = d.initVars(t.frame)
	case taskTurn:
		err = d.turn(t.act, t.turn)
	case taskUndo:
		err = d.undo()
	case taskKeep:
		err = d.putAway(t.act, t.write)
	}
	if errors.Is(err, errSuspended) {
		return nil
	}
	if s != nil && s.holding {
		d.unpin()
	}
	return err
}

func (d *decider) add(t task) { d.queue = append(d.queue, t) }

func (d *decider) emit(ev Event) error {
	ev.At = d.ctx.Now
	d.dec.Events = append(d.dec.Events, ev)
	asked := !d.run.AskedAt.IsZero()
	last := &d.dec.Events[len(d.dec.Events)-1]
	if err := d.m.Apply(d.run, last); err != nil {
		return err
	}
	d.leaveGate(last, asked)
	if (ev.Kind == EvRetryAsked || ev.Kind == EvUndoAsked) && d.run.HoldsWithNamespace() {
		return d.heldFromStart()
	}
	return nil
}

func (d *decider) command(c Command) { d.dec.Commands = append(d.dec.Commands, c) }

// yield hands the turn back: what is queued goes on with the answer to an
// evaluation of nothing.
func (d *decider) yield() {
	d.run.lastEval++
	id := d.run.lastEval
	d.run.suspended[id] = &suspension{rest: append([]task(nil), d.queue[d.head:]...)}
	d.command(NeedEval{ID: id, Program: d.m.prog.Name, Eval: &Evaluation{id: id}})
}

// evaluated goes on with the work that waited for an answer.
func (d *decider) evaluated(in Evaluated) error {
	s := d.run.suspended[in.ID]
	if s == nil {
		return nil // asked for before a restart, or by work that is gone
	}
	delete(d.run.suspended, in.ID)
	if s.rest != nil {
		d.queue = append(d.queue, s.rest...)
		return nil
	}
	if s.vars && s.version != d.run.varVersion {
		s.stale++
		s.answers = map[int]answer{}
		if s.stale >= maxStale && !d.run.pinned {
			s.holding, d.run.pinned = true, true
		}
		return d.do(s.doing, s)
	}
	a := s.answers[s.asked]
	a.done, a.value, a.err = true, in.Value, in.Err
	s.answers[s.asked] = a
	return d.do(s.doing, s)
}

// unpin lets the assignments go on that waited for an evaluation of variables.
func (d *decider) unpin() {
	d.run.pinned = false
	d.queue = append(d.queue, d.run.parked...)
	d.run.parked = nil
}

// accept is the first input.
func (d *decider) accept(in Accept) error {
	if err := d.emit(Event{
		Kind: EvAccepted, Input: in.Input, Vars: in.Vars, BusinessDate: in.BusinessDate,
		Seed: in.Seed, Actor: in.Actor, Trigger: in.Trigger, Parent: in.Parent,
	}); err != nil {
		return err
	}
	if in.Skip != "" {
		return d.endRun(Outcome{State: Skipped, Reason: in.Skip})
	}
	if in.Held {
		if err := d.emit(Event{Kind: EvHeld, Actor: in.Actor, Text: in.HoldReason}); err != nil {
			return err
		}
	}
	if err := d.heldFromStart(); err != nil {
		return err
	}
	return d.openMain()
}

// endRun ends a run that never began.
func (d *decider) endRun(out Outcome) error {
	if err := d.emit(Event{Kind: EvRunEnded, State: out.State, Reason: out.Reason, Error: out.Error}); err != nil {
		return err
	}
	d.command(RunEnded{State: out.State, Reason: out.Reason, Output: out.Output, Error: out.Error})
	return nil
}

// cancelRun ends all holds too: nothing may keep a finally part from running.
func (d *decider) cancelRun(in Cancel) error {
	if d.run.CancelReason != "" || d.run.undoing() {
		return nil
	}
	held := d.run.Held()
	reason := in.Reason
	if reason == "" {
		reason = "canceled"
	}
	if err := d.emit(Event{Kind: EvCancelAsked, Actor: in.Actor, Text: reason}); err != nil {
		return err
	}
	out := Outcome{State: Canceled, Reason: ReasonCanceled, Error: d.m.engineError(ErrCanceled, reason)}
	if d.run.lastFrame == 0 {
		return d.endRun(out)
	}
	if err := d.verdict(d.run.Frames[1], out, ReasonCanceled, true); err != nil || !held {
		return err
	}
	return d.resume()
}

// recover goes through the state in order and does again what may not have
// been done.
func (d *decider) recover() error {
	d.recoverGate()
	if d.run.lastFrame == 0 && d.run.AskedAt.IsZero() && d.run.wholeHold() == nil {
		d.add(task{kind: taskOpen})
	}
	for _, id := range inOrder(d.run.Timers) {
		d.command(SetTimer{Timer: id, At: d.run.Timers[id].At})
	}
	for _, id := range inOrder(d.run.Acts) {
		a := d.run.Acts[id]
		switch a.Phase {
		case PhaseEntered:
			d.add(task{kind: taskBegin, act: id})
		case PhaseAttempt:
			d.command(Reattach{Task: d.taskOf(a)})
			if a.CancelAsked {
				d.command(CancelTask{Act: id, Attempt: a.Attempt, Path: a.Path})
			}
		case PhaseFrames:
			d.add(task{kind: taskFrames, act: id})
			if a.Map != nil {
				d.keepOutputs(a, d.m.node(d.run.Frames[a.Frame], a.Node))
			}
		case PhaseResult:
			d.add(task{kind: taskResult, act: id})
		case PhaseError:
			d.add(task{kind: taskError, act: id})
		case PhaseEvent:
			d.command(d.awaiting(a))
			if a.CancelAsked {
				d.command(d.cancelChild(a))
			}
		case PhaseMessage, PhaseTimer, PhaseRetry, PhasePredicate, PhaseUnwinding, PhaseUnknown, PhaseHeldError, PhaseGate, PhaseEnded:
		}
	}
	for _, id := range inOrder(d.run.Frames) {
		f := d.run.Frames[id]
		if f.Phase == FrameOpening {
			d.add(task{kind: taskVars, frame: id})
		}
		if f.Phase == FrameOpen && !d.m.bodies[f.Body].jumps {
			for n := range f.Nodes {
				if f.Nodes[n].Act == 0 && f.Nodes[n].Ends == 0 {
					d.add(task{kind: taskJoin, frame: id, node: workflow.NodeID(n)})
				}
			}
		}
		d.add(task{kind: taskJudge, frame: id})
	}
	d.add(task{kind: taskUndo})
	return nil
}

// inOrder lists what is in memory by number. The numbers of a long run go far
// beyond what is left of it.
func inOrder[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// inParked reports whether the work lies in a frame that waits for room.
func (d *decider) inParked(t task) bool {
	id := t.frame
	if a := d.run.Acts[t.act]; a != nil {
		id = a.Frame
	}
	for f := d.run.Frames[id]; f != nil; f = d.run.Frames[f.Outer] {
		if f.Phase == FrameParked {
			return true
		}
	}
	return false
}

// timerDue fires a timer.
func (d *decider) timerDue(id TimerID) error {
	t := d.run.Timers[id]
	if t == nil {
		return nil
	}
	if d.ctx.Now.Before(t.At) {
		d.command(SetTimer{Timer: id, At: t.At}) // early: ask again
		return nil
	}
	a := d.run.Acts[t.Act]
	if a == nil {
		return fmt.Errorf("%w: timer %d of an activation that is gone", ErrProtocol, id)
	}
	if t.heldBack() && d.run.HoldOf(a.Path) != nil {
		return nil // it fires at the release
	}
	return d.fire(t, &Action{})
}

// fire does what a timer is for; by is who did not wait for its instant.
func (d *decider) fire(t *Timer, by *Action) error {
	a := d.run.Acts[t.Act]
	if err := d.emit(Event{Kind: EvTimerFired, Timer: t.ID, Act: a.ID, TimerKind: t.Kind, Actor: by.Actor, Text: by.Reason}); err != nil {
		return err
	}
	switch t.Kind {
	case TimerWait:
		return d.setResult(a, value.Null, value.Undefined)
	case TimerRetry:
		return d.again(a)
	case TimerTurn:
		d.nextTurn(a)
		return nil
	case TimerTimeout, TimerHeartbeat:
		return d.timedOut(a, t.Kind)
	case TimerKill: // no timer
	}
	return nil
}

// heldBack reports whether a hold keeps the timer from firing: one that begins
// something, not one that bounds what runs.
func (t *Timer) heldBack() bool {
	return t.Kind == TimerWait || t.Kind == TimerRetry || t.Kind == TimerTurn
}

// timedOut ends work, a wait or the frames of an activation because its time is
// up, or it was silent for too long.
func (d *decider) timedOut(a *Activation, kind TimerKind) error {
	switch a.Phase {
	case PhaseFrames, PhasePredicate:
		return d.expire(a)
	case PhaseAttempt, PhaseMessage:
		return d.expireAttempt(a, kind)
	case PhaseTimer:
		return d.setError(a, d.expiredError(a, kind))
	case PhaseEvent:
		return d.expireAwait(a, kind)
	default:
		return nil // it is ending anyway
	}
}
