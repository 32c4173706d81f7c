package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// defaultMaxLost is how many attempts with unknown outcome are repeated.
const defaultMaxLost = 3

// beginTask evaluates the task's input, once for all attempts, and hands out
// the first.
func (d *decider) beginTask(a *Activation, n *workflow.Node, p *place) error {
	input, slots := p.input, []SecretSlot(nil)
	var err error
	if n.Task.With != nil {
		if input, slots, err = d.render(n.Task.With, p, nil); err != nil {
			return err
		}
	}
	if n.Task.Type != nil {
		if input, err = d.typedInput(a, n.Task.Type, input); err != nil {
			return err
		}
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	heartbeat, err := d.duration(n.Task.Heartbeat, p, "heartbeat")
	if err != nil {
		return err
	}
	return d.startAttempt(a, Event{Input: nullIfUndefined(input), Secrets: slots, Timeout: timeout, Heartbeat: heartbeat})
}

// attempt hands out the next attempt with the input of the first.
func (d *decider) attempt(a *Activation) error { return d.startAttempt(a, Event{}) }

func (d *decider) startAttempt(a *Activation, ev Event) error {
	ev.Kind, ev.Act, ev.Attempt, ev.Fence = EvAttempt, a.ID, a.Attempt+1, d.ctx.Fence
	if err := d.emit(ev); err != nil {
		return err
	}
	d.command(Dispatch{Task: d.taskOf(a)})
	return d.watch(a, d.m.node(d.run.Frames[a.Frame], a.Node).Task.Finish)
}

// taskOf describes the current attempt of an activation.
func (d *decider) taskOf(a *Activation) Task {
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	return Task{
		Run: d.run.ID, Act: a.ID, Path: a.Path, Attempt: a.Attempt, Uses: n.Task.Uses, Input: a.Input,
		Secrets: a.Secrets, Timeout: a.Timeout, Heartbeat: a.Heartbeat, IdempotencyKey: IdempotencyKey(d.run.ID, a), Fence: a.Fence,
		Checkpoint: a.Checkpoint, AtMostOnce: n.Task.AtMostOnce, Idempotent: n.Task.Idempotent, Node: n, Program: d.m.prog,
	}
}

// IdempotencyKey is the same for all attempts of an activation: the path holds
// frames, node and visit (docs/engine.md §4).
func IdempotencyKey(run string, a *Activation) string {
	sum := sha256.Sum256([]byte(run + "\x00" + a.keyPath() + "\x00" + strconv.Itoa(a.Generation)))
	return hex.EncodeToString(sum[:16])
}

// taskEnded takes the end of an attempt. Whatever is not about the current
// attempt is dropped: it was replaced, or its end is known already.
func (d *decider) taskEnded(in TaskEnded) error {
	a := d.run.Acts[in.Act]
	if a == nil || a.Phase != PhaseAttempt || a.Attempt != in.Attempt {
		return nil
	}
	o := in.Outcome.valid()
	if o.Kind == OutcomeCanceled && !a.CancelAsked {
		// Whoever stopped it, it was not this run: a server that replaced it and
		// then forgot so, or a worker that went away. What it did, nobody knows.
		o.Kind, o.Error = OutcomeLost, &Error{Name: ErrAttemptLost, Message: "somebody else stopped the attempt", Engine: ErrAttemptLost}
	}
	ev := Event{
		Kind: EvAttemptEnded, Act: a.ID, Attempt: a.Attempt, Outcome: o.Kind, Output: nullIfUndefined(o.Output),
		Error: o.Error, Warning: o.Warning, Checkpoint: o.Checkpoint, StartedAt: o.StartedAt, EndedAt: o.EndedAt, Usage: o.Usage,
		Same: o.Final, Artifacts: o.Artifacts,
	}
	if o.Kind == OutcomeFailed && o.Error == nil {
		ev.Error = &Error{Name: ErrFailed, Message: "the attempt failed without saying why"}
	}
	if e := ev.Error; e != nil && (e.Engine == "" || e.Engine == ErrTimeout) && e.Name == ErrTimeout && d.m.errs[errorKey{engine: ErrTimeout}] != nil {
		mapped := d.m.engineError(ErrTimeout, ev.Error.Message)
		mapped.Details = ev.Error.Details
		ev.Error = mapped
	}
	answered := a.Answer != nil
	if err := d.emit(ev); err != nil {
		return err
	}
	d.clearTimers(a)
	switch {
	case a.Phase == PhaseResult, a.Phase == PhaseMessage, answered && !a.CancelAsked:
		d.goOnAfter(a)
		return nil
	case a.CancelAsked:
		return d.unwound(a)
	}
	switch o.Kind {
	case OutcomeNotStarted:
		return d.again(a)
	case OutcomeLost:
		return d.lost(a)
	case OutcomeFailed, OutcomeSucceeded, OutcomeCanceled:
	}
	d.add(task{kind: taskError, act: a.ID})
	return nil
}

// valid returns the outcome with texts that are UTF-8, as they will be read.
func (o TaskOutcome) valid() TaskOutcome {
	o.Warning = strings.ToValidUTF8(o.Warning, "\ufffd")
	if o.Error != nil {
		e := *o.Error
		e.Name, e.Message = strings.ToValidUTF8(e.Name, "\ufffd"), strings.ToValidUTF8(e.Message, "\ufffd")
		o.Error = &e
	}
	return o
}

// lost decides about an attempt whose outcome nobody knows.
func (d *decider) lost(a *Activation) error {
	t := d.m.node(d.run.Frames[a.Frame], a.Node).Task
	if t.AtMostOnce {
		return d.emit(Event{Kind: EvUnknown, Act: a.ID})
	}
	limit := defaultMaxLost
	if t.MaxLost != nil {
		limit = *t.MaxLost
	}
	if a.Lost <= limit {
		return d.again(a)
	}
	return d.setError(a, d.m.engineError(ErrAttemptLost,
		fmt.Sprintf("the outcome of %d attempts is unknown, more than max_lost (%d)", a.Lost, limit)))
}

// assign evaluates an assignment and applies it.
func (d *decider) assign(a *Activation, as *workflow.Assignment, p *place) error {
	if d.run.pinned && (d.cur == nil || !d.cur.holding) {
		d.run.parked = append(d.run.parked, d.doing)
		return errSuspended
	}
	p.vars = map[varKey]value.Value{}
	ops, err := d.assignOps(as, p, d.run.Frames[a.Frame])
	if err != nil {
		return err
	}
	return d.emit(Event{Kind: EvAssigned, Act: a.ID, Ops: ops})
}

// assignOps evaluates the operations; p.vars holds what they did so far.
func (d *decider) assignOps(as *workflow.Assignment, p *place, f *Frame) ([]VarOp, error) {
	ops := make([]VarOp, 0, len(as.Ops))
	done := p.vars
	for i := range as.Ops {
		src := &as.Ops[i]
		p.vars = done
		if as.OldValues {
			p.vars = nil
		}
		v, err := d.value(&src.Value, p)
		if err != nil {
			return nil, err
		}
		path, err := d.pathOf(src.Path, p)
		if err != nil {
			return nil, err
		}
		op := VarOp{Frame: d.varFrame(f, src.Var), Var: src.Var, Path: path, Op: src.Op, Value: nullIfUndefined(v)}
		key := varKey{op.Frame, op.Var}
		old, ok := done[key]
		if !ok {
			old = d.run.Frames[op.Frame].Vars.Get(op.Var)
		}
		next, err := d.changed(&op, old)
		if err != nil {
			return nil, err
		}
		done[key] = next
		ops = append(ops, op)
	}
	p.vars = done
	return ops, nil
}

// varFrame is the frame whose variable an assignment in f writes.
func (d *decider) varFrame(f *Frame, name string) FrameID {
	var first *Frame
	for at := f; at != nil; at = d.run.Frames[at.Outer] {
		switch scope := d.scopeOf(at); scope {
		case workflow.ScopeNone:
			continue
		case workflow.ScopeOwn:
			if _, ok := at.Vars.Lookup(name); ok || first == nil {
				return at.ID
			}
			return first.ID
		case workflow.ScopeRead:
			if first == nil {
				return at.ID
			}
			if _, ok := at.Vars.Lookup(name); ok {
				return at.ID
			}
		case workflow.ScopeShared:
			if _, ok := at.Vars.Lookup(name); ok {
				return at.ID
			}
			if first == nil {
				first = at
			}
		}
	}
	return first.ID
}

// apply computes the variable's new value; false if the operation does not fit.
func (op *VarOp) apply(old value.Value) (value.Value, bool) {
	if op.Op == workflow.AssignUnset {
		return value.Undefined, len(op.Path) == 0
	}
	v := op.Value
	at := getAt(old, op.Path)
	switch op.Op {
	case workflow.AssignAppend:
		if at.Kind() != value.KindList && !at.IsNull() {
			return value.Undefined, false
		}
		v = value.List(append(append(make([]value.Value, 0, at.Len()+1), at.Items()...), v)...)
	case workflow.AssignAdd:
		sum, ok := add(at, v)
		if !ok {
			return value.Undefined, false
		}
		v = sum
	case workflow.AssignMerge:
		if v.Kind() != value.KindObject || at.Kind() != value.KindObject && !at.IsNull() {
			return value.Undefined, false
		}
		v = value.Object(append(append([]value.Member{}, at.Members()...), v.Members()...)...)
	case workflow.AssignSet, workflow.AssignUnset:
	}
	return setAt(old, op.Path, v)
}

func add(a, b value.Value) (value.Value, bool) {
	if a.IsNull() {
		a = value.Int(0)
	}
	if x, ok := a.BigInt(); ok {
		if y, ok := b.BigInt(); ok {
			return value.BigInt(bigSum(x, y)), true
		}
	}
	x, ok := a.Float()
	y, ok2 := b.Float()
	return value.Float(x + y), ok && ok2
}

func (op *VarOp) describe() string {
	word := string(op.Op)
	if op.Op == workflow.AssignSet {
		word = "set"
	}
	if len(op.Path) > 0 {
		word += fmt.Sprintf(" at %v", op.Path)
	}
	return word
}
