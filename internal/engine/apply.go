package engine

import (
	"fmt"
	"strconv"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Apply folds one event into the state. It refuses what it does not know or
// what cannot follow; it never evaluates anything.
func (m *Machine) Apply(run *Run, ev *Event) error {
	run.Sequence++
	before := run.phaseOf(ev.Act)
	err := m.fold(run, ev)
	if after := run.phaseOf(ev.Act); err == nil && before != after {
		run.countPhase(before, after)
		m.countLive(run, run.Acts[ev.Act], before)
	}
	return err
}

func (m *Machine) fold(run *Run, ev *Event) error {
	if ev.Act == 0 && (ev.Kind == EvQueued || ev.Kind == EvGranted) {
		applyRunGate(run, ev)
		return nil
	}
	f, a := run.Frames[ev.Frame], run.Acts[ev.Act]
	switch ev.Kind {
	case EvAccepted, EvCancelAsked, EvRunEnded:
		return m.applyRun(run, ev)
	case EvSignaled:
		return applySignaled(run, a, ev)
	case EvHeld, EvReleased, EvRetryAsked:
		return m.applyAction(run, ev)
	case EvCommented:
		return nil
	case EvPrioritySet, EvDeadlineSet:
		applyAdjusted(run, ev)
		return nil
	case EvWaitAdded, EvWaitDropped:
		applyWaits(run, ev)
		return nil
	case EvUndoAsked, EvUndoBegun, EvUndoWaits, EvUndoAnswered, EvUndone:
		return m.applyUndo(run, ev)
	case EvFrameReopened:
		if f == nil {
			return fmt.Errorf("%w: frame %d reopened, which is not there", ErrProtocol, ev.Frame)
		}
		return m.applyFrameReopened(run, f, ev)
	case EvFrameOpened:
		return m.applyFrameOpened(run, ev)
	case EvAssigned:
		return applyAssigned(run, f, ev)
	case EvFrameVerdict, EvFrameEnded, EvEntered, EvNotEntered, EvRerun, EvForced:
		if f == nil {
			return fmt.Errorf("%w: event %s of frame %d, which is not there", ErrProtocol, ev.Kind, ev.Frame)
		}
		return m.applyFrame(run, f, ev)
	case EvQueued, EvGranted, EvAttempt, EvAttemptEnded, EvCheckpoint, EvTaken, EvAnswered, EvAwaiting, EvHappened, EvSignalTaken, EvVoted, EvMapOpened, EvLoopOpened, EvOutputsKept, EvResult, EvError, EvTimerSet, EvTimerFired, EvRetry, EvCaught, EvStopping, EvUnknown, EvEnded, EvReopened,
		EvFailureHeld, EvSettled, EvReentered, EvRestored:
		if a == nil {
			return fmt.Errorf("%w: event %s of activation %d, which is not there", ErrProtocol, ev.Kind, ev.Act)
		}
		if !ev.Input.IsUndefined() {
			a.Input = ev.Input
		}
		before, asked := a.Phase, a.Question() != nil
		if err := m.applyAct(run, a, ev); err != nil {
			return err
		}
		run.countQuestion(asked, a.Question() != nil)
		m.settleGate(run, a, ev)
		if a.Phase != before || ev.Kind == EvReopened {
			a.Since = ev.At
		}
		return nil
	}
	return fmt.Errorf("%w: unknown event %q", ErrProtocol, ev.Kind)
}

func (m *Machine) applyRun(run *Run, ev *Event) error {
	switch ev.Kind {
	case EvAccepted:
		run.State, run.Input, run.Vars = Running, ev.Input, ev.Vars
		run.Parent = ev.Parent
		run.BusinessDate, run.Seed, run.AcceptedAt, run.Starter = ev.BusinessDate, ev.Seed, ev.At, ev.Actor
	case EvCancelAsked:
		run.CancelReason, run.Hold, run.Holds, run.NamespaceHold = ev.Text, nil, nil, nil
		run.Adjusted.Waits = nil // its finally part runs
	default: // EvRunEnded
		leaveRunGate(run)
		run.State, run.Reason, run.EndedAt = ev.State, ev.Reason, ev.At
		run.Hold, run.Holds, run.NamespaceHold = nil, nil, nil
		if ev.Error != nil {
			run.Err = ev.Error
		}
	}
	return nil
}

func (m *Machine) applyFrameOpened(run *Run, ev *Event) error {
	if ev.Frame != run.lastFrame+1 || ev.Body < 0 || int(ev.Body) >= len(m.bodies) {
		return fmt.Errorf("%w: frame %d of body %d opened after frame %d", ErrProtocol, ev.Frame, ev.Body, run.lastFrame)
	}
	run.lastFrame = ev.Frame
	b := &m.bodies[ev.Body]
	f := &Frame{
		ID: ev.Frame, Role: ev.Role, Body: ev.Body, Owner: ev.Act, Of: ev.Of, Branch: ev.Branch, Index: ev.Index,
		Attempt: ev.Attempt, Raw: ev.Input, Item: ev.Items, Nodes: make([]NodeState, len(b.Nodes)), Phase: FrameOpen,
	}
	if len(b.Vars) > 0 {
		f.Phase = FrameOpening
	}
	run.Frames[f.ID] = f
	switch ev.Role {
	case RoleMain:
		f.Raw = run.Input
		return nil
	case RoleFinally:
		of := run.Frames[ev.Of]
		if of == nil {
			return fmt.Errorf("%w: finally part of frame %d, which is not there", ErrProtocol, ev.Of)
		}
		of.Phase, of.Finally = FrameFinishing, f.ID
		of.Finals++
		f.Outer, f.Depth, f.Path, f.Raw = of.ID, of.Depth+1, join(of.Path, "finally"), of.Raw
		f.Path += again(of.Finals - 1)
		if of.Was != "" {
			f.Was = of.Was + f.Path[len(of.Path):]
		}
		return nil
	case RoleBody, RoleCatch, RolePredicate, RoleCompensate:
	}
	if err := m.openOwned(run, f, ev); err != nil {
		return err
	}
	f.Was = run.Acts[f.Owner].wasPath(f)
	return nil
}

// openOwned links a frame to the activation that opened it.
func (m *Machine) openOwned(run *Run, f *Frame, ev *Event) error {
	a := run.Acts[f.Owner]
	if a == nil {
		return fmt.Errorf("%w: frame of activation %d, which is not there", ErrProtocol, f.Owner)
	}
	outer := run.Frames[a.Frame]
	n := m.node(outer, a.Node)
	f.Outer, f.Depth, f.Path = outer.ID, outer.Depth+1, a.Path
	a.Open.add(f.ID)
	switch f.Role {
	case RoleCatch:
		f.Error, f.Path = a.Err, join(a.Path, "on_error")+again(a.Reopened)
		return nil
	case RolePredicate:
		f.Path = join(tried(a), "retry")
		if f.Attempt > 0 {
			f.Path += "[" + strconv.Itoa(f.Attempt) + "]"
		}
		f.Path += again(a.Reopened)
		f.Error, a.Phase, a.RuleAt = a.Err, PhasePredicate, f.Attempt+1
		return nil
	case RoleCompensate:
		run.openedUndo(a, f)
		return nil
	case RoleMain, RoleBody, RoleFinally:
	}
	if a.Map != nil {
		if f.Index < 0 || f.Index >= a.Map.Count {
			return fmt.Errorf("%w: item %d of %d", ErrProtocol, f.Index, a.Map.Count)
		}
		a.Map.Next = f.Index + 1
		if a.Map.Ends != nil {
			a.Map.Ends[f.Index] = ItemEnd{OpenedAt: ev.At}
		}
		if f.Item.IsUndefined() {
			f.Item = a.Map.Item(f.Index)
		}
		if f.Raw.IsUndefined() {
			f.Raw = f.Item
		}
		f.Path += "[" + strconv.Itoa(f.Index) + "]"
	}
	switch {
	case a.Loop != nil:
		if err := a.openedTurn(f); err != nil {
			return err
		}
	case a.Map == nil:
		f.Path = tried(a)
	case a.Attempt > 1:
		f.Path += "~" + strconv.Itoa(a.Attempt)
	}
	if n.Fork != nil {
		if name := n.Fork.Branches[f.Branch].Name; name != "" {
			f.Path = join(f.Path, workflow.Segment(name))
		}
	}
	for len(a.Outputs) <= f.Branch && a.Map == nil && a.Loop == nil {
		a.Outputs = append(a.Outputs, value.Undefined)
	}
	if a.Phase != PhaseFrames {
		a.Since = ev.At
	}
	a.Phase, a.State, a.Reason = PhaseFrames, Running, ReasonNone
	return nil
}

func applyAssigned(run *Run, f *Frame, ev *Event) error {
	run.varVersion++
	for i := range ev.Ops {
		op := &ev.Ops[i]
		target := run.Frames[op.Frame]
		if target == nil {
			return fmt.Errorf("%w: variable %s of frame %d, which is not there", ErrProtocol, op.Var, op.Frame)
		}
		v, ok := op.apply(target.Vars.Get(op.Var))
		if !ok {
			return fmt.Errorf("%w: %s %s", ErrProtocol, op.describe(), op.Var)
		}
		target.Vars = setVar(target.Vars, op.Var, v)
	}
	if f != nil && f.Phase == FrameOpening {
		f.Phase = FrameOpen
	}
	return nil
}

func setVar(vars value.Value, name string, v value.Value) value.Value {
	if !v.IsUndefined() {
		return vars.With(name, v)
	}
	var rest []value.Member
	for _, m := range vars.Members() {
		if m.Key != name {
			rest = append(rest, m)
		}
	}
	return value.Object(rest...)
}

func (m *Machine) applyFrame(run *Run, f *Frame, ev *Event) error {
	switch ev.Kind {
	case EvFrameVerdict:
		f.Phase = FrameStopping
		f.Verdict = &Outcome{State: ev.State, Reason: ev.Reason, Output: ev.Output, Error: ev.Error, ExitTo: ev.ExitTo}
	case EvFrameEnded:
		m.frameEnded(run, f, ev)
	case EvEntered:
		return m.entered(run, f, ev)
	case EvForced:
		return m.applyForced(f, ev)
	case EvRerun:
		return m.applyRerun(run, f, ev)
	default: // EvNotEntered
		for _, n := range ev.Nodes {
			if n < 0 || int(n) >= len(f.Nodes) {
				return fmt.Errorf("%w: node %d of frame %d", ErrProtocol, n, f.ID)
			}
			m.settleNotEntered(f, n, ev.Reason)
			if ev.Reason == ReasonOperator {
				f.Nodes[n].By = &Holding{Path: StepPath(f, m.node(f, n)), Actor: ev.Actor, Reason: ev.Text, At: ev.At}
			}
		}
	}
	return nil
}

func (m *Machine) entered(run *Run, f *Frame, ev *Event) error {
	if ev.Act != run.lastAct+1 || ev.Node < 0 || int(ev.Node) >= len(f.Nodes) {
		return fmt.Errorf("%w: activation %d of node %d entered after activation %d", ErrProtocol, ev.Act, ev.Node, run.lastAct)
	}
	run.lastAct = ev.Act
	ns := &f.Nodes[ev.Node]
	if old := run.Acts[ns.Act]; old != nil {
		m.letGoVisit(run, f, old) // of several visits the last is kept
	}
	ns.Visits++
	ns.Act, ns.Ends = ev.Act, 0
	a := &Activation{
		ID: ev.Act, Frame: f.ID, Node: ev.Node, Visit: ns.Visits, Raw: ev.Input,
		State: Pending, Phase: PhaseEntered, EnteredAt: ev.At, Since: ev.At,
	}
	if !m.bodies[f.Body].jumps {
		a.Raw = f.Raw
	}
	n := m.node(f, ev.Node)
	if n.Kind != workflow.KindTask {
		a.Attempt = 1
	}
	a.Path = StepPath(f, n)
	if a.Visit > 1 {
		a.Path += "#" + strconv.Itoa(a.Visit)
	}
	if f.Was != "" {
		a.Was = f.Was + a.Path[len(f.Path):]
	}
	a.Generation = run.generation(f)
	run.Acts[a.ID] = a
	f.Live++
	return nil
}

// settleNotEntered counts a node of a joined body that will not run.
func (m *Machine) settleNotEntered(f *Frame, n workflow.NodeID, reason Reason) {
	ns := &f.Nodes[n]
	ns.Why = reason
	switch reason {
	case ReasonConditionFalse, ReasonJoinFalse, ReasonOperator:
		ns.Ends = workflow.EndSkipped
	default:
		ns.Ends = workflow.EndNotRun
	}
	m.settled(f, n)
}

// settled counts the end of a node for the joins behind it.
func (m *Machine) settled(f *Frame, n workflow.NodeID) {
	b := &m.bodies[f.Body]
	f.Settled++
	for _, dep := range b.dependents[n] {
		all := b.all[dep]
		if all == nil {
			continue
		}
		for i, need := range b.Nodes[dep].Join.Needs {
			if need == n && f.Nodes[n].Ends&all[i] != 0 {
				f.Nodes[dep].Met++
			}
		}
	}
}

// frameEnded takes the frame and all that lived in it out of memory, unless a
// retry may want it back.
func (m *Machine) frameEnded(run *Run, f *Frame, ev *Event) {
	f.Phase = FrameEnded
	f.Outcome = &Outcome{State: ev.State, Reason: ev.Reason, Output: ev.Output, Error: ev.Error}
	a := run.Acts[f.Owner]
	kept := ev.State != Succeeded && f.Role != RolePredicate && f.Role != RoleCompensate
	tolerated := ev.State == Failed && f.Role == RoleBody && tolerates(m.node(run.Frames[a.Frame], a.Node))
	if f.Role != RoleMain && (!kept || tolerated) { // that of the run may run again
		m.letGo(run, f)
	}
	switch f.Role {
	case RoleMain:
		run.Output, run.Err = ev.Output, ev.Error
		return
	case RoleFinally:
		return
	case RoleBody, RoleCatch, RolePredicate, RoleCompensate:
	}
	if a == nil {
		return
	}
	a.Open.remove(f.ID)
	if kept && !tolerated {
		a.Closed.add(f.ID)
	}
	switch f.Role {
	case RolePredicate:
		a.Phase = PhaseError
	case RoleBody:
		if tolerated {
			a.Loop.Output = value.Null
			return
		}
		recordFrame(a, f, ev)
	case RoleCompensate:
		run.endedUndo(ev)
	case RoleCatch, RoleMain, RoleFinally:
	}
}

// recordFrame keeps how one of a node's frames ended.
func recordFrame(a *Activation, f *Frame, ev *Event) {
	ok := ev.State == Succeeded
	if ev.State == Failed {
		a.Fails++
		if a.FirstErr == nil {
			a.FirstErr = ev.Error
		}
	}
	switch {
	case a.Loop != nil:
		if ok {
			a.Loop.Output = ev.Output
		}
	case a.Map != nil:
		a.Map.Done++
		a.Map.Ok[f.Index] = ok
		if a.Map.Ends != nil {
			end := &a.Map.Ends[f.Index]
			end.State, end.Err, end.EndedAt = ev.State, ev.Error, ev.At
		}
		if ok {
			a.Map.Outputs.add(f.Index, ev.Output)
		}
	case ok:
		a.Outputs[f.Branch] = ev.Output
	}
}

func (m *Machine) applyAct(run *Run, a *Activation, ev *Event) error {
	a.dropped = nil
	switch ev.Kind {
	case EvQueued, EvGranted:
		applyGate(run, a, ev)
	case EvAttempt, EvAttemptEnded, EvCheckpoint, EvTaken, EvAnswered:
		return m.applyWork(run, a, ev)
	case EvAwaiting, EvHappened, EvSignalTaken, EvVoted:
		return applyOutside(run, a, ev)
	case EvMapOpened:
		m.openedMap(run, a, ev)
	case EvLoopOpened:
		a.openedLoop(ev)
	case EvOutputsKept:
		if a.Map == nil {
			return fmt.Errorf("%w: outputs of %s, which is no map", ErrProtocol, a.Path)
		}
		return a.Map.Outputs.kept(ev.Count, ev.Output)
	case EvResult:
		dropTimer(run, a, &a.Timer)
		dropTimer(run, a, &a.Deadline)
		a.Result, a.Phase, a.State, a.Reason, a.Winner = ev.Output, PhaseResult, Running, ReasonNone, ev.Branch
	case EvError:
		if a.Phase == PhaseMessage || a.Expired != "" && m.node(run.Frames[a.Frame], a.Node).Task != nil {
			a.Doubt = a.Doubt || a.Phase == PhaseMessage
			a.Failures++ // its time was up: the attempt counts as failed, whatever became of it
		}
		dropTimer(run, a, &a.Timer)
		dropTimer(run, a, &a.Deadline)
		dropTimer(run, a, &a.Beat)
		a.failedWith(ev.Error)
		a.Err, a.Phase, a.State, a.RuleAt = ev.Error, PhaseError, Running, 0
		a.CancelAsked, a.Why, a.Expired = false, ReasonNone, ""
	case EvTimerSet, EvTimerFired:
		return applyTimer(run, a, ev)
	case EvRetry:
		m.applyRetry(run, a, ev)
	case EvCaught:
		// A map that is being handled opens no further items, also not after a
		// recovery.
		a.Phase, a.State, a.Stopped = PhaseFrames, Running, true
	case EvStopping:
		if ev.State == Canceled {
			a.CancelAsked, a.Why, a.Expired = true, ev.Reason, ev.TimerKind
			a.Doubt = a.Doubt || a.Phase == PhaseMessage
			if ev.TimerKind == TimerKill {
				a.By = &Holding{Path: a.Path, Actor: ev.Actor, Reason: ev.Text, At: ev.At}
			}
			if a.Phase != PhaseAttempt && a.Phase != PhaseEvent {
				a.Phase = PhaseUnwinding
			}
		} else {
			a.Stopped, a.Winner = true, ev.Branch
			if ev.Error != nil {
				a.FirstErr = ev.Error
			}
		}
	case EvUnknown:
		a.Phase, a.State, a.Reason = PhaseUnknown, Waiting, ReasonOutcomeUnknown
	case EvFailureHeld:
		a.holdFailure(ev)
	case EvEnded:
		m.ended(run, a, ev)
	case EvReopened:
		return m.applyReopened(run, a, ev)
	case EvReentered, EvRestored:
		return m.applyAgain(run, a, ev)
	case EvSettled:
		applySettled(run, a, ev)
	default:
		return fmt.Errorf("%w: unknown event %q", ErrProtocol, ev.Kind)
	}
	return nil
}

// openedMap begins a map whose items are known.
func (m *Machine) openedMap(run *Run, a *Activation, ev *Event) {
	a.Map = &MapState{
		Items: ev.Items, Count: ev.Count, MaxParallel: ev.MaxParallel, MaxFailures: ev.MaxFailures,
		Outputs: MapOutputs{Inline: make([]value.Value, ev.Count)}, Ok: make([]bool, ev.Count),
	}
	if m.node(run.Frames[a.Frame], a.Node).Map.Gather == workflow.GatherOutcomes {
		a.Map.Ends = make([]ItemEnd, ev.Count)
	}
	a.Phase, a.State, a.Reason = PhaseFrames, Running, ReasonNone
}

// applyWork folds the events of attempts.
func (m *Machine) applyWork(run *Run, a *Activation, ev *Event) error {
	switch ev.Kind {
	case EvAttempt:
		if ev.Attempt != a.Attempt+1 {
			return fmt.Errorf("%w: attempt %d after %d", ErrProtocol, ev.Attempt, a.Attempt)
		}
		a.Attempt, a.Fence, a.Taker, a.TakenAt = ev.Attempt, ev.Fence, "", time.Time{}
		a.By, a.Told = nil, false
		if ev.Attempt == 1 || !ev.Input.IsUndefined() {
			a.Secrets, a.Timeout, a.Heartbeat = ev.Secrets, ev.Timeout, ev.Heartbeat
		}
		a.Phase, a.State, a.Reason, a.Err, a.RuleAt, a.Anew = PhaseAttempt, Queued, ReasonNone, nil, 0, false
	case EvAttemptEnded:
		m.applyAttemptEnded(run, a, ev)
	case EvTaken:
		a.Taker, a.TakenBy, a.TakenAt = ev.Taker, ev.Actor, ev.At
	case EvCheckpoint:
		a.Checkpoint = ev.Checkpoint
	case EvAnswered:
		applyAnswered(run, a, ev)
	default:
		return fmt.Errorf("%w: event %q is not about an attempt", ErrProtocol, ev.Kind)
	}
	return nil
}

func (m *Machine) applyAttemptEnded(run *Run, a *Activation, ev *Event) {
	switch {
	case ev.Outcome == OutcomeLost, ev.Outcome == OutcomeNotStarted: // nobody knows what they left
	case m.node(run.Frames[a.Frame], a.Node).Task.Finish == workflow.FinishOffer: // its work has not begun
	default:
		a.Checkpoint = ev.Checkpoint
	}
	a.Warning, a.Artifacts = ev.Warning, ev.Artifacts
	a.Err = ev.Error
	a.State, a.Reason = Running, ReasonNone
	n := m.node(run.Frames[a.Frame], a.Node)
	switch {
	case a.Answer != nil: // also of one that was told to stop: it was acknowledged
		takeAnswer(a)
		return
	case ev.Outcome == OutcomeSucceeded && n.Task.Finish != workflow.FinishResult && !ev.Same && !a.CancelAsked:
		a.Phase, a.State, a.Reason = PhaseMessage, Waiting, ReasonMessage
		return
	}
	dropTimer(run, a, &a.Deadline)
	dropTimer(run, a, &a.Beat)
	switch ev.Outcome {
	case OutcomeSucceeded:
		a.Result, a.Phase = ev.Output, PhaseResult
		if n.Task.Finish != workflow.FinishResult && !ev.Same {
			a.Result, a.Phase = value.Undefined, PhaseEntered // it was told to stop
		}
	case OutcomeFailed:
		if a.Expired == "" { // else its error follows, and counts
			a.Failures++
		}
		a.Phase, a.RuleAt = PhaseError, 0
	case OutcomeLost:
		if a.Expired == "" {
			a.Lost++
		}
		a.Phase = PhaseEntered
	case OutcomeNotStarted:
		a.Phase = PhaseEntered
	case OutcomeCanceled:
		a.Phase = PhaseEntered
	}
	a.Doubt = a.Doubt || doubts(a, ev)
}

func applyTimer(run *Run, a *Activation, ev *Event) error {
	if ev.Kind == EvTimerFired {
		delete(run.Timers, ev.Timer)
		switch ev.TimerKind {
		case TimerTimeout:
			a.Deadline = 0
		case TimerHeartbeat:
			a.Beat = 0
		case TimerRetry:
			a.Timer, a.Phase, a.State, a.Reason = 0, PhaseEntered, Pending, ReasonNone
		case TimerTurn:
			a.Timer, a.Phase, a.State, a.Reason = 0, PhaseFrames, Running, ReasonNone
			a.Loop.Due = true
		case TimerWait:
			a.Timer = 0
		case TimerKill:
			return fmt.Errorf("%w: a %s is no timer", ErrProtocol, ev.TimerKind)
		}
		return nil
	}
	if ev.Timer != run.lastTimer+1 {
		return fmt.Errorf("%w: timer %d after %d", ErrProtocol, ev.Timer, run.lastTimer)
	}
	run.lastTimer = ev.Timer
	run.Timers[ev.Timer] = &Timer{ID: ev.Timer, Act: a.ID, Kind: ev.TimerKind, At: ev.Due}
	switch ev.TimerKind {
	case TimerTimeout:
		a.Deadline, a.Timeout = ev.Timer, ev.Due.Sub(ev.At)
	case TimerHeartbeat:
		dropTimer(run, a, &a.Beat)
		a.Beat = ev.Timer
	case TimerWait, TimerTurn:
		a.Timer, a.Phase, a.State, a.Reason = ev.Timer, PhaseTimer, Waiting, ReasonTimer
	case TimerRetry:
		a.Timer, a.Phase, a.State, a.Reason = ev.Timer, PhaseRetry, Waiting, ReasonRetry
	case TimerKill: // no timer
	}
	return nil
}

func dropTimer(run *Run, a *Activation, id *TimerID) {
	if *id != 0 {
		delete(run.Timers, *id)
		a.dropped = append(a.dropped, *id)
		*id = 0
	}
}

// applyRetry begins the next attempt by a rule, or records that a rule matched
// with no attempts left.
func (m *Machine) applyRetry(run *Run, a *Activation, ev *Event) {
	if ev.Same {
		a.Matched = true
		a.RuleAt = ev.Rule + 1
		return
	}
	for len(a.Retries) <= ev.Rule {
		a.Retries = append(a.Retries, 0)
	}
	a.Retries[ev.Rule]++
	a.RuleAt, a.Told = 0, false
	if n := m.node(run.Frames[a.Frame], a.Node); n.Kind != workflow.KindTask {
		a.Attempt++
		a.Outputs, a.Map, a.Loop, a.Fails, a.FirstErr, a.Stopped, a.Winner = nil, nil, nil, 0, nil, false, 0
		m.forgetClosed(run, a)
	}
	a.Phase, a.State, a.Reason = PhaseEntered, Pending, ReasonNone
	if ev.Timer != 0 {
		run.lastTimer = ev.Timer
		run.Timers[ev.Timer] = &Timer{ID: ev.Timer, Act: a.ID, Kind: TimerRetry, At: ev.Due}
		a.Timer, a.Phase, a.State, a.Reason = ev.Timer, PhaseRetry, Waiting, ReasonRetry
	}
}

func (m *Machine) ended(run *Run, a *Activation, ev *Event) {
	dropTimer(run, a, &a.Timer)
	dropTimer(run, a, &a.Deadline)
	dropTimer(run, a, &a.Beat)
	a.Answer = nil
	before := a.Phase
	a.State, a.Reason, a.Handled, a.Phase, a.EndedAt = ev.State, ev.Reason, ev.Handled, PhaseEnded, ev.At
	a.Output = ev.Output
	if ev.Same {
		a.Output = a.Result
	}
	if ev.Error != nil {
		a.Err = ev.Error
	}
	a.Open, a.Result = OpenFrames{}, value.Undefined
	if a.State == Succeeded || a.State == Skipped || a.Handled { // what only a retry needs leaves memory
		if !run.recalls(a.Path) {
			a.Map, a.Loop, a.Outputs = nil, nil, nil
		}
		a.Secrets, a.Checkpoint = nil, nil
		m.forgetClosed(run, a)
	}
	f := run.Frames[a.Frame]
	f.Live--
	f.LastEnd = a.ID
	ns := &f.Nodes[a.Node]
	switch a.State {
	case Succeeded:
		ns.Ends = workflow.EndSucceeded
	case Failed:
		ns.Ends = workflow.EndFailed
		if a.Reason == ReasonTimedOut {
			ns.Ends |= workflow.EndTimedOut
		}
		if a.Handled {
			ns.Ends |= workflow.EndSucceeded
		} else {
			f.Failures = append(f.Failures, a.ID)
		}
	case Skipped:
		ns.Ends = workflow.EndSkipped
	default:
		ns.Ends = workflow.EndCanceled
	}
	m.list(run, a, before)
	if !m.bodies[f.Body].jumps {
		m.settled(f, a.Node)
	}
}
