package engine

import (
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// verdict3 is a truth value that may not be known yet.
type verdict3 uint8

const (
	unknown verdict3 = iota
	no
	yes
)

// join judges whether a node starts now.
func (d *decider) join(id FrameID, node workflow.NodeID) error {
	f := d.run.Frames[id]
	if f == nil || f.Phase != FrameOpen {
		return nil
	}
	ns := &f.Nodes[node]
	if ns.Act != 0 || ns.Ends != 0 {
		return nil
	}
	n := d.m.node(f, node)
	if n.Join != nil {
		v, err := d.joined(f, node, n.Join)
		if err != nil {
			return d.enterFailed(f, node, err)
		}
		switch v {
		case unknown:
			return nil
		case no:
			return d.notEntered(f, node, d.whyNot(f, n.Join))
		case yes:
		}
	}
	if g := ns.Forgone; n.If != nil && (g == nil || !g.If) {
		ok, err := d.truth(n.If, &place{f: f, raw: f.Raw, input: f.Raw})
		if err != nil {
			return d.enterFailed(f, node, err)
		}
		if !ok {
			return d.notEntered(f, node, ReasonConditionFalse)
		}
	}
	return d.enter(f, node, f.Raw)
}

// joined judges a join with three values.
func (d *decider) joined(f *Frame, node workflow.NodeID, j *workflow.Join) (verdict3, error) {
	if v, judged := d.joinedWithout(f, node, j); judged {
		return v, nil
	}
	if all := d.m.bodies[f.Body].all[node]; all != nil {
		if f.Nodes[node].Met == len(all) {
			return yes, nil
		}
		for i, need := range j.Needs {
			if ends := f.Nodes[need].Ends; ends != 0 && ends&all[i] == 0 {
				return no, nil
			}
		}
		return unknown, nil
	}
	ended := true
	for _, need := range j.Needs {
		ended = ended && (f.Nodes[need].Ends != 0 || f.Nodes[node].Forgone.gives(need))
	}
	if j.Settled && !ended {
		return unknown, nil
	}
	d.without = f.Nodes[node].Forgone
	v, err := d.cond(&j.When, f, j, ended)
	d.without = nil
	return v, err
}

func (d *decider) cond(c *workflow.Cond, f *Frame, j *workflow.Join, ended bool) (verdict3, error) {
	switch c.Op {
	case workflow.OpEnd:
		ends := f.Nodes[j.Needs[c.Need]].Ends
		switch {
		case d.without.gives(j.Needs[c.Need]):
			return yes, nil
		case ends == 0:
			return unknown, nil
		case ends&c.Ends != 0:
			return yes, nil
		}
		return no, nil
	case workflow.OpExpr:
		if !ended {
			return unknown, nil
		}
		ok, err := d.truth(c.Expr, &place{f: f, raw: f.Raw, input: f.Raw})
		if ok {
			return yes, err
		}
		return no, err
	case workflow.OpNot:
		v, err := d.cond(&c.Args[0], f, j, ended)
		switch v {
		case yes:
			return no, err
		case no:
			return yes, err
		case unknown:
		}
		return unknown, err
	case workflow.OpAnd, workflow.OpOr:
	}
	decisive, rest := no, yes // of And
	if c.Op == workflow.OpOr {
		decisive, rest = yes, no
	}
	for i := range c.Args {
		v, err := d.cond(&c.Args[i], f, j, ended)
		if err != nil || v == decisive {
			return v, err
		}
		if v == unknown {
			rest = unknown
		}
	}
	return rest, nil
}

// whyNot says why a join can no longer hold: something before failed or was
// canceled that should not have, or it ended another way than asked for.
func (d *decider) whyNot(f *Frame, j *workflow.Join) Reason {
	reason := ReasonJoinFalse
	for i, need := range j.Needs {
		ns := &f.Nodes[need]
		switch {
		case !against(&j.When, i, f, j, true): // it ended as it should
		case ns.Ends&workflow.EndFailed != 0 && ns.Ends&workflow.EndSucceeded == 0,
			ns.Ends&workflow.EndNotRun != 0 && ns.Why == ReasonUpstreamFailed:
			return ReasonUpstreamFailed
		case ns.Ends&(workflow.EndCanceled|workflow.EndNotRun) != 0:
			reason = ReasonUpstreamCanceled
		}
	}
	return reason
}

// against reports whether the end of a need is part of why a join cannot be what
// is wanted of it. Parts that are as they should be, or open, have no say.
func against(c *workflow.Cond, need int, f *Frame, j *workflow.Join, want bool) bool {
	switch holds := settledCond(c, f, j); {
	case holds == unknown, (holds == yes) == want:
		return false
	case c.Op == workflow.OpEnd:
		return c.Need == need
	case c.Op == workflow.OpExpr:
		return true
	case c.Op == workflow.OpNot:
		want = !want
	}
	for i := range c.Args {
		if against(&c.Args[i], need, f, j, want) {
			return true
		}
	}
	return false
}

// settledCond is the truth of a formula as far as ends decide it. An expression,
// which is judged when a join is, counts as false.
func settledCond(c *workflow.Cond, f *Frame, j *workflow.Join) verdict3 {
	if c.Op == workflow.OpExpr {
		return no
	}
	v, _ := (&decider{}).cond(c, f, j, false) // it evaluates no expression
	return v
}

// notEntered records that a node does not run, and looks at those behind it.
// Nodes of one frame and reason that follow each other share an event.
func (d *decider) notEntered(f *Frame, node workflow.NodeID, reason Reason) error {
	ev := Event{Kind: EvNotEntered, Frame: f.ID, Nodes: []workflow.NodeID{node}, Reason: reason}
	if n := len(d.dec.Events); n > 0 {
		if last := &d.dec.Events[n-1]; last.Kind == EvNotEntered && last.Frame == f.ID && last.Reason == reason {
			last.Nodes = append(last.Nodes, node)
			d.m.settleNotEntered(f, node, reason)
			d.follow(f, node)
			return nil
		}
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.follow(f, node)
	return nil
}

// follow queues what may have become decidable by the end of a node.
func (d *decider) follow(f *Frame, node workflow.NodeID) {
	b := &d.m.bodies[f.Body]
	for _, dep := range b.dependents[node] {
		ns := &f.Nodes[dep]
		if ns.Act != 0 || ns.Ends != 0 {
			continue
		}
		if all := b.all[dep]; all != nil && ns.Forgone == nil && ns.Met < len(all) && f.Nodes[node].met(all, b.Nodes[dep].Join.Needs, node) {
			continue // a conjunction that waits for others
		}
		d.add(task{kind: taskJoin, frame: f.ID, node: dep})
	}
	d.add(task{kind: taskJudge, frame: f.ID})
}

// met reports whether the end of need satisfies every atom that names it.
func (ns *NodeState) met(all []workflow.Ends, needs []workflow.NodeID, need workflow.NodeID) bool {
	for i, id := range needs {
		if id == need && ns.Ends&all[i] == 0 {
			return false
		}
	}
	return true
}

// enter makes an activation.
func (d *decider) enter(f *Frame, node workflow.NodeID, raw value.Value) error {
	id, err := d.enterNode(f, node, raw, "")
	if err != nil {
		return err
	}
	d.add(task{kind: taskBegin, act: id})
	return nil
}

// enterFailed makes an activation that has failed before it began.
func (d *decider) enterFailed(f *Frame, node workflow.NodeID, err error) error {
	e, ok := asError(err)
	if !ok {
		return err
	}
	id, err := d.enterNode(f, node, value.Undefined, "")
	if err != nil {
		return err
	}
	return d.setError(d.run.Acts[id], e)
}

// begin does what the node says, after its input stages.
func (d *decider) begin(id ActID) error {
	a := d.run.Acts[id]
	if a == nil || a.Phase != PhaseEntered || d.run.HoldOf(a.Path) != nil {
		return nil // what is held begins at the release
	}
	f := d.run.Frames[a.Frame]
	if d.run.shut > 0 && d.shutOut(f) {
		return nil // it begins once what is around it has its shares again
	}
	n := d.m.node(f, a.Node)
	if e := d.tooMuchToUndo(a, n); e != nil {
		return d.setError(a, e)
	}
	waits, err := d.passGate(a, n)
	if err == nil && !waits {
		waits, err = d.recall(a, n)
	}
	if waits || err != nil {
		if e, ok := asError(err); ok {
			return d.setError(a, e)
		}
		return err
	}
	if n.Kind == workflow.KindTask && a.Attempt > 0 && !a.Anew && n.Task.Finish == workflow.FinishResult {
		return d.attempt(a) // a retry: the input was evaluated once; a token is of one attempt
	}
	p := d.placeOf(a)
	err = d.beginKind(a, n, p)
	if e, ok := asError(err); ok {
		return d.setError(a, e)
	}
	return err
}

func (d *decider) beginKind(a *Activation, n *workflow.Node, p *place) error {
	input, err := d.stages(n.Input, p.raw, p)
	if err != nil {
		return err
	}
	p.input, p.stage = input, input
	switch n.Kind {
	case workflow.KindTask:
		return d.beginTask(a, n, p)
	case workflow.KindFork:
		return d.beginFork(a, n, p)
	case workflow.KindMap:
		return d.beginMap(a, n, p)
	case workflow.KindChoice:
		return d.beginChoice(a, n, p)
	case workflow.KindWait:
		return d.beginWait(a, n, p)
	case workflow.KindAssign, workflow.KindPass:
		return d.setResult(a, nullIfUndefined(input), input)
	case workflow.KindRaise:
		e, err := d.raised(n.Raise, p)
		if err != nil {
			return err
		}
		return e
	case workflow.KindExit:
		return d.beginExit(a, n, p)
	case workflow.KindCall:
		raw := p.input
		if n.Call.With != nil {
			if raw, err = d.value(n.Call.With, p); err != nil {
				return err
			}
		}
		return d.beginFrames(a, n, p, []opening{{body: n.Call.Body, index: -1, raw: raw}})
	case workflow.KindLoop:
		return d.beginLoop(a, n, p)
	case workflow.KindChild:
		return d.beginChild(a, n, p)
	}
	return fmt.Errorf("%w: node kind %s", ErrProtocol, n.Kind)
}

// raised evaluates the error of a raise.
func (d *decider) raised(r *workflow.Raise, p *place) (*Error, error) {
	if r.Error != nil {
		v, err := d.plain(r.Error, p)
		if err != nil {
			return nil, err
		}
		return &Error{Name: v.Get("name").Text(), Message: v.Get("message").Text(), Details: v.Get("details")}, nil
	}
	e := &Error{Name: ErrFailed}
	name, err := d.plain(r.Name, p)
	if err != nil {
		return nil, err
	}
	if !name.IsNull() {
		e.Name = name.Text()
	}
	message, err := d.plain(r.Message, p)
	if err != nil {
		return nil, err
	}
	e.Message = message.Text()
	if e.Details, err = d.value(r.Details, p); err != nil {
		return nil, err
	}
	return e, nil
}

// beginWait waits for an instant, or for something outside the run.
func (d *decider) beginWait(a *Activation, n *workflow.Node, p *place) error {
	if n.Wait.Event != nil {
		return d.beginEvent(a, n, p)
	}
	due := d.ctx.Now
	switch {
	case n.Wait.Until != nil:
		v, err := d.value(n.Wait.Until, p)
		if err != nil {
			return err
		}
		if due, err = time.Parse(time.RFC3339Nano, v.Text()); err != nil {
			return d.m.engineError(ErrEvaluation, fmt.Sprintf("wait until: %s is no instant; write it as 2006-01-02T15:04:05Z", v))
		}
	case n.Wait.For != nil:
		length, err := d.duration(n.Wait.For, p, "wait for")
		if err != nil {
			return err
		}
		due = due.Add(length)
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	if !due.After(d.ctx.Now) {
		return d.setResult(a, value.Null, p.input)
	}
	if err := d.timer(a, TimerWait, due, p.input); err != nil {
		return err
	}
	if timeout > 0 {
		return d.timer(a, TimerTimeout, d.ctx.Now.Add(timeout), value.Undefined)
	}
	return nil
}

// timer sets a timer of the activation.
func (d *decider) timer(a *Activation, kind TimerKind, due time.Time, input value.Value) error {
	id := d.run.lastTimer + 1
	if err := d.emit(Event{Kind: EvTimerSet, Act: a.ID, Timer: id, TimerKind: kind, Due: due, Input: input}); err != nil {
		return err
	}
	d.command(SetTimer{Timer: id, At: due})
	return nil
}

// beginExit ends the activation and the frame that the exit names.
func (d *decider) beginExit(a *Activation, n *workflow.Node, p *place) error {
	out := Outcome{State: Succeeded, Reason: ReasonNone}
	var err error
	if n.Exit.Error != nil {
		out.State, out.Reason = Failed, ReasonError
		if out.Error, err = d.raised(n.Exit.Error, p); err != nil {
			return err
		}
	} else if out.Output, err = d.value(n.Exit.Value, p); err != nil {
		return err
	}
	out.Output = nullIfUndefined(out.Output)
	target := d.run.Frames[1]
	if !n.Exit.Run {
		target = d.outward(p, n.Exit.Up)
	}
	out.ExitTo = target.ID
	if err := d.endAct(a, ending{state: Succeeded, output: out.Output}); err != nil {
		return err
	}
	return d.verdict(target, out, ReasonExited, true)
}

// setResult records the result of a node that is no task.
func (d *decider) setResult(a *Activation, result, input value.Value) error {
	if err := d.emit(Event{Kind: EvResult, Act: a.ID, Output: result, Input: input}); err != nil {
		return err
	}
	d.clearTimers(a)
	d.add(task{kind: taskResult, act: a.ID})
	return nil
}

// setError records an error; its handlers follow.
func (d *decider) setError(a *Activation, e *Error) error {
	if err := d.emit(Event{Kind: EvError, Act: a.ID, Error: e}); err != nil {
		return err
	}
	d.clearTimers(a)
	d.add(task{kind: taskError, act: a.ID})
	return nil
}

// clearTimers takes back the timers that an activation's last event dropped.
func (d *decider) clearTimers(a *Activation) {
	for _, id := range a.dropped {
		d.command(ClearTimer{Timer: id})
	}
	a.dropped = nil
}

// result makes the output, assigns variables and ends the activation well.
func (d *decider) result(id ActID) error {
	a := d.run.Acts[id]
	if a == nil || a.Phase != PhaseResult {
		return nil
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	if a.Caching != nil && a.Caching.Hit {
		return d.endAct(a, ending{state: Succeeded, reason: ReasonCached, output: a.Result, same: true})
	}
	p := d.placeOf(a)
	result, err := d.own(a.Result)
	output := result
	if err == nil {
		p.stage, p.result = result, result
		output, err = d.stages(n.Result, result, p)
	}
	p.output = output
	if err == nil && n.Assign != nil {
		err = d.assign(a, n.Assign, p)
	}
	if e, ok := asError(err); ok {
		return d.setError(a, e)
	}
	if err != nil {
		return err
	}
	end := ending{state: Succeeded, output: nullIfUndefined(output), same: n.Result == nil && a.Caching == nil && !foreign(a.Result)}
	if n.Kind == workflow.KindChoice {
		return d.endChoice(a, n, end)
	}
	return d.endAct(a, end)
}

// ending is how an activation ends.
type ending struct {
	state   State
	reason  Reason
	output  value.Value
	same    bool // output is the recorded result
	err     *Error
	handled bool
	next    *workflow.NodeID // where a body of jumps goes on instead
}

// endAct ends an activation and looks at what follows.
func (d *decider) endAct(a *Activation, e ending) error {
	f := d.run.Frames[a.Frame]
	ev := Event{Kind: EvEnded, Act: a.ID, State: e.state, Reason: e.reason, Handled: e.handled, Same: e.same, Error: e.err}
	if !e.same {
		ev.Output = e.output
	}
	if err := d.emit(ev); err != nil {
		return err
	}
	d.clearTimers(a)
	if e.state == Succeeded && (e.reason == ReasonNone || e.reason == ReasonCached) {
		d.facts(a)
		d.keepCached(a)
	}
	if f.Phase != FrameOpen {
		d.add(task{kind: taskJudge, frame: f.ID})
		return nil
	}
	b := &d.m.bodies[f.Body]
	failed := e.state == Failed && !e.handled
	if b.jumps {
		if next := nextOf(b, a, e); next != nil && !failed && e.state != Canceled {
			return d.enter(f, *next, a.Output)
		}
		d.add(task{kind: taskJudge, frame: f.ID})
		return nil
	}
	d.follow(f, a.Node)
	if failed && b.Rule.OnFailure != workflow.GoOn {
		out := Outcome{State: Failed, Reason: a.Reason, Error: a.Err}
		return d.verdict(f, out, ReasonSibling, b.Rule.OnFailure == workflow.CancelRest)
	}
	return nil
}

func nextOf(b *body, a *Activation, e ending) *workflow.NodeID {
	if e.next != nil {
		return e.next
	}
	return b.Nodes[a.Node].Next
}
