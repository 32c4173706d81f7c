package engine

import (
	"fmt"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// opening describes a frame to open.
type opening struct {
	role    Role
	body    workflow.BodyID
	owner   ActID
	of      FrameID
	branch  int
	index   int // -1: none
	attempt int
	rule    int
	raw     value.Value
	item    value.Value // undefined: the item of the owner's list at index
}

// open opens a frame and starts its first nodes. A body beyond the depth guard
// is not opened: its owner fails instead.
func (d *decider) open(o opening) error {
	if o.role == RoleBody {
		a := d.run.Acts[o.owner]
		limit := d.m.prog.MaxDepth
		if limit == 0 {
			limit = workflow.DefaultMaxDepth
		}
		if d.run.Frames[a.Frame].Depth >= limit {
			return d.setError(a, d.m.engineError(ErrDepth, fmt.Sprintf("frames are nested deeper than %d", limit)))
		}
	}
	id := d.run.lastFrame + 1
	if err := d.emit(Event{
		Kind: EvFrameOpened, Frame: id, Role: o.role, Body: o.body, Act: o.owner, Of: o.of, Branch: o.branch,
		Index: o.index, Attempt: o.attempt, Rule: o.rule, Input: o.raw, Items: o.item,
	}); err != nil {
		return err
	}
	if len(d.m.bodies[o.body].Vars) > 0 {
		d.add(task{kind: taskVars, frame: id})
		return nil
	}
	return d.start(d.run.Frames[id])
}

// initVars sets the variables of a new frame, then starts it.
func (d *decider) initVars(id FrameID) error {
	f := d.run.Frames[id]
	if f == nil || f.Phase != FrameOpening {
		return nil
	}
	p := &place{f: f, raw: f.Raw, vars: map[varKey]value.Value{}}
	var ops []VarOp
	for i := range d.m.bodies[f.Body].Vars {
		more, err := d.assignOps(&d.m.bodies[f.Body].Vars[i], p, f)
		if err != nil {
			return d.orFrameError(f, err)
		}
		ops = append(ops, more...)
	}
	if err := d.emit(Event{Kind: EvAssigned, Frame: id, Ops: ops}); err != nil {
		return err
	}
	return d.start(f)
}

// orFrameError makes an evaluation error of a frame's own expressions the
// verdict on it; other errors pass.
func (d *decider) orFrameError(f *Frame, err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	return d.verdict(f, Outcome{State: Failed, Reason: ReasonError, Error: e}, ReasonSibling, true)
}

// start enters the first nodes.
func (d *decider) start(f *Frame) error {
	b := &d.m.bodies[f.Body]
	if b.jumps {
		for _, n := range b.Start {
			if err := d.enter(f, n, f.Raw); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range b.Nodes {
		if b.Nodes[i].Join == nil || len(b.Nodes[i].Join.Needs) == 0 {
			d.add(task{kind: taskJoin, frame: f.ID, node: workflow.NodeID(i)})
		}
	}
	d.add(task{kind: taskJudge, frame: f.ID})
	return nil
}

// verdict settles how the frame will end: nothing more starts in it, and with
// stopLive what lives is told to stop because of why. The first verdict stays.
func (d *decider) verdict(f *Frame, out Outcome, why Reason, stopLive bool) error {
	switch f.Phase {
	case FrameUndoing, FrameFinishing, FrameEnded, FrameParked:
		return nil
	case FrameOpen, FrameOpening:
		if err := d.emit(Event{
			Kind: EvFrameVerdict, Frame: f.ID, State: out.State, Reason: out.Reason, Output: out.Output,
			Error: out.Error, ExitTo: out.ExitTo,
		}); err != nil {
			return err
		}
		if err := d.skipRest(f, why); err != nil {
			return err
		}
	case FrameStopping:
	}
	if stopLive {
		for i := range f.Nodes {
			if a := d.run.Acts[f.Nodes[i].Act]; a != nil && a.Phase != PhaseEnded {
				if err := d.stopAct(a, why); err != nil {
					return err
				}
			}
		}
	}
	d.add(task{kind: taskJudge, frame: f.ID})
	return nil
}

// skipRest records that the nodes of a joined body that have not started will
// not run.
func (d *decider) skipRest(f *Frame, why Reason) error {
	if d.m.bodies[f.Body].jumps {
		return nil
	}
	reason := ReasonUpstreamCanceled
	switch why {
	case ReasonSibling:
		reason = ReasonUpstreamFailed
	case ReasonExited:
		reason = ReasonExited
	default:
	}
	var rest []workflow.NodeID
	for i := range f.Nodes {
		if f.Nodes[i].Act == 0 && f.Nodes[i].Ends == 0 {
			rest = append(rest, workflow.NodeID(i))
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return d.emit(Event{Kind: EvNotEntered, Frame: f.ID, Nodes: rest, Reason: reason})
}

// stopAct tells an activation to stop because of what happens around it. One
// that is stopping because its own time is up stops for this reason now, so
// that its handlers are not asked.
func (d *decider) stopAct(a *Activation, why Reason) error {
	if a.CancelAsked && a.Expired != "" {
		return d.emit(Event{Kind: EvStopping, Act: a.ID, State: Canceled, Reason: why})
	}
	if a.CancelAsked {
		return nil
	}
	switch a.Phase {
	case PhaseEnded:
		return nil
	case PhaseAttempt:
		d.command(CancelTask{Act: a.ID, Attempt: a.Attempt, Path: a.Path})
		return d.emit(Event{Kind: EvStopping, Act: a.ID, State: Canceled, Reason: why})
	case PhaseFrames, PhasePredicate, PhaseUnwinding:
		if err := d.emit(Event{Kind: EvStopping, Act: a.ID, State: Canceled, Reason: why}); err != nil {
			return err
		}
		return d.stopFrames(a, why)
	case PhaseEvent:
		if a.bound() {
			return d.stopChild(a, why, "")
		}
	case PhaseEntered, PhaseMessage, PhaseTimer, PhaseRetry, PhaseResult, PhaseError, PhaseUnknown, PhaseHeldError, PhaseGate:
	}
	return d.endAct(a, ending{state: Canceled, reason: why})
}

// expire stops an activation with frames because its own time is up.
func (d *decider) expire(a *Activation) error {
	if err := d.emit(Event{Kind: EvStopping, Act: a.ID, State: Canceled, Reason: ReasonTimedOut, TimerKind: TimerTimeout}); err != nil {
		return err
	}
	return d.stopFrames(a, ReasonTimedOut)
}

// stopFrames cancels the open frames of an activation; with none open it is
// unwound at once.
func (d *decider) stopFrames(a *Activation, why Reason) error {
	for a.Map != nil && len(a.Map.Parked) > 0 {
		if err := d.unpark(a); err != nil {
			return err
		}
	}
	if a.Open.Live == 0 {
		return d.unwound(a)
	}
	out := Outcome{State: Canceled, Reason: why, Error: d.m.engineError(ErrCanceled, "canceled: "+string(why))}
	for _, id := range a.Open.all() {
		if err := d.verdict(d.run.Frames[id], out, why, true); err != nil {
			return err
		}
	}
	return nil
}

// unwound ends an activation whose frames have all been canceled; a timeout of
// its own goes to its handlers.
func (d *decider) unwound(a *Activation) error {
	if a.Expired != "" {
		return d.setError(a, d.expiredError(a, a.Expired))
	}
	return d.endAct(a, ending{state: Canceled, reason: a.Why})
}

// judge ends the frame if everything in it has settled.
func (d *decider) judge(id FrameID) error {
	f := d.run.Frames[id]
	if f == nil || f.Live > 0 {
		return nil
	}
	b := &d.m.bodies[f.Body]
	var out Outcome
	switch f.Phase {
	case FrameOpening, FrameUndoing, FrameFinishing, FrameEnded, FrameParked:
		return nil
	case FrameStopping:
		out = *f.Verdict
	case FrameOpen:
		if !b.jumps && f.Settled < len(f.Nodes) {
			return nil
		}
		var err error
		if out, err = d.outcome(f); err != nil {
			return err
		}
	}
	undoes := d.undoes(f, out)
	if !undoes && (b.Finally == nil || f.NoFinally) {
		return d.closeFrame(f, out)
	}
	if f.Phase == FrameOpen {
		if err := d.emit(Event{
			Kind: EvFrameVerdict, Frame: f.ID, State: out.State, Reason: out.Reason, Output: out.Output, Error: out.Error,
		}); err != nil {
			return err
		}
	}
	if undoes {
		d.add(task{kind: taskUndo})
		return d.emit(Event{Kind: EvUndoBegun, Frame: f.ID})
	}
	return d.open(opening{role: RoleFinally, body: *b.Finally, of: f.ID, index: -1, attempt: 1})
}

// outcome judges a frame in which everything has ended by itself.
func (d *decider) outcome(f *Frame) (Outcome, error) {
	b := &d.m.bodies[f.Body]
	failed := f.Failures
	if b.Rule.SkippedLeaves {
		failed = d.failedLeaves(f)
	}
	if len(failed) > 0 {
		first := d.run.Acts[failed[0]]
		return Outcome{State: Failed, Reason: first.Reason, Error: first.Err}, nil
	}
	if b.Output == nil {
		if last := d.run.Acts[f.LastEnd]; b.jumps && last != nil {
			return Outcome{State: Succeeded, Output: last.Output}, nil
		}
		return Outcome{State: Succeeded, Output: value.Null}, nil
	}
	v, err := d.value(b.Output, &place{f: f, raw: f.Raw})
	if err != nil {
		if e, ok := asError(err); ok {
			return Outcome{State: Failed, Reason: ReasonError, Error: e}, nil
		}
		return Outcome{}, err
	}
	return Outcome{State: Succeeded, Output: nullIfUndefined(v)}, nil
}

// failedLeaves finds the failures that count under Rule.SkippedLeaves: of
// leaves, and before leaves that did not run.
func (d *decider) failedLeaves(f *Frame) []ActID {
	b := &d.m.bodies[f.Body]
	var failed []ActID
	seen := make([]bool, len(f.Nodes))
	var look func(n workflow.NodeID)
	look = func(n workflow.NodeID) {
		if seen[n] {
			return
		}
		seen[n] = true
		ns := &f.Nodes[n]
		switch {
		case ns.Ends&workflow.EndFailed != 0:
			failed = append(failed, ns.Act)
		case ns.Ends&(workflow.EndSkipped|workflow.EndNotRun) != 0 && b.Nodes[n].Join != nil:
			for _, need := range b.Nodes[n].Join.Needs {
				look(need)
			}
		}
	}
	for n := range f.Nodes {
		if len(b.dependents[n]) == 0 {
			look(workflow.NodeID(n))
		}
	}
	return failed
}

// closeFrame ends the frame and tells its owner.
func (d *decider) closeFrame(f *Frame, out Outcome) error {
	if err := d.emit(Event{
		Kind: EvFrameEnded, Frame: f.ID, Act: f.Owner, Role: f.Role, Branch: f.Branch, Index: f.Index,
		State: out.State, Reason: out.Reason, Output: out.Output, Error: out.Error,
	}); err != nil {
		return err
	}
	switch f.Role {
	case RoleMain:
		if err := d.emit(Event{Kind: EvRunEnded, State: out.State, Reason: out.Reason, Same: true}); err != nil {
			return err
		}
		d.command(RunEnded{State: out.State, Reason: out.Reason, Output: out.Output, Error: out.Error})
		return nil
	case RoleFinally:
		of := d.run.Frames[f.Of]
		verdict := *of.Verdict
		if out.State == Failed && verdict.State == Succeeded && !d.m.bodies[of.Body].Rule.IgnoreFinally {
			verdict = out
		}
		return d.closeFrame(of, verdict)
	case RoleCatch:
		return d.caughtDone(d.run.Acts[f.Owner], out)
	case RolePredicate:
		return d.predicateDone(d.run.Acts[f.Owner], f.Attempt, out)
	case RoleCompensate:
		d.add(task{kind: taskUndo})
		return nil
	case RoleBody:
		return d.bodyDone(d.run.Acts[f.Owner], f, out)
	}
	return nil
}
