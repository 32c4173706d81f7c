package engine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// place is where an expression stands: what the roots of its bindings mean.
type place struct {
	f     *Frame
	a     *Activation // nil before the node is entered
	raw   value.Value
	input value.Value
	stage value.Value
	// result, output and err are those of the node, as far as there are any.
	result value.Value
	output value.Value
	err    *Error
	// item, if set, is an item whose frame is not open yet.
	item  *value.Value
	index int
	// vars are changes that an assignment has made so far, by VarOp.
	vars map[varKey]value.Value
}

type varKey struct {
	frame FrameID
	name  string
}

// placeOf is the place of an activation's own expressions.
func (d *decider) placeOf(a *Activation) *place {
	return &place{f: d.run.Frames[a.Frame], a: a, raw: a.Raw, input: a.Input, stage: a.Input, result: a.Result, err: a.Err}
}

// eval evaluates one expression. The error is an *Error of the language, or
// errSuspended when the evaluation has been asked for.
func (d *decider) eval(e *workflow.Expr, p *place) (value.Value, error) {
	d.ordinal++
	link := d.m.exprs[e]
	if d.cur != nil {
		if a := d.cur.answers[d.ordinal]; a.done && a.expr == link.index {
			if a.err != nil {
				return value.Undefined, d.evalError(e, a.err)
			}
			return a.value, nil
		}
	}
	bindings, held := d.bindings(link.roots, p)
	req := expr.Request{Bindings: bindings, Cost: d.ctx.InlineCost, Now: d.begunAt(), Seed: d.seed(p)}
	if req.Cost == 0 {
		req.Cost = expr.InlineCost
	}
	if held {
		if v, is := whole(req.Bindings, link.path); is {
			return v, nil
		}
		d.suspend(link.index, link.readsVar, d.evaluation(link.compiled, req))
		return value.Undefined, errSuspended
	}
	v, err := link.compiled.Eval(req)
	if expr.IsCostExceeded(err) || err == nil && !d.aside && v.Size() > MaxInline {
		d.suspend(link.index, link.readsVar, d.evaluation(link.compiled, req))
		return value.Undefined, errSuspended
	}
	if err != nil {
		return value.Undefined, d.evalError(e, evaluationFault(err))
	}
	return v, nil
}

// seed differs from evaluation to evaluation: events lie between the pieces of
// work of an activation, and what one piece evaluates is counted.
func (d *decider) seed(p *place) uint64 {
	var act ActID
	if p.a != nil {
		act = p.a.ID
	}
	sequence := d.run.Sequence
	if d.cur != nil {
		sequence = d.cur.sequence
	}
	return mix(d.run.Seed, sequence, uint64(p.f.ID), uint64(act), uint64(d.doing.node), uint64(d.ordinal))
}

// begunAt is when the work in hand was begun.
func (d *decider) begunAt() time.Time {
	if d.cur != nil {
		return d.cur.now
	}
	return d.ctx.Now
}

// asError tells an error of the language, which handlers are offered, from a
// fault of the engine. Errors are never wrapped within the engine.
func asError(err error) (*Error, bool) {
	e, ok := err.(*Error) //nolint:errorlint // see above
	return e, ok
}

// evaluationFault is what a language says of a failed evaluation: its code and
// its words.
func evaluationFault(err error) *Error {
	fault := &Error{Message: bounded(err.Error())}
	var e *expr.Error
	if errors.As(err, &e) {
		fault.Name = e.Code
	}
	return fault
}

// maxFault is how many bytes of what a language says of a failed evaluation are
// kept: the message can hold the value.
const maxFault = 16 << 10

func bounded(s string) string {
	if len(s) <= maxFault {
		return s
	}
	return strings.ToValidUTF8(s[:maxFault], "") + "…"
}

func (d *decider) evalError(e *workflow.Expr, fault *Error) *Error {
	if mapping := d.m.errs[errorKey{ErrEvaluation, fault.Name}]; mapping != nil && fault.Name != "" {
		return mapped(mapping, ErrEvaluation, fault.Message)
	}
	message, at := fault.Message, ""
	if e.Line > 0 {
		at = fmt.Sprintf(" (line %d)", e.Line)
	}
	err := d.m.engineError(ErrEvaluation, fmt.Sprintf("expression %s%s: %s", e.Source, at, message))
	err.Details = value.Object(value.M("expression", value.String(e.Source)), value.M("cause", value.String(message)))
	return err
}

// suspend asks for the evaluation; the work in hand is done again with the
// answer. The index is that of the expression; vars says that variables are read.
func (d *decider) suspend(index int, vars bool, e *Evaluation) {
	s := d.cur
	if s == nil {
		s = &suspension{doing: d.doing, answers: map[int]answer{}, now: d.ctx.Now, sequence: d.run.Sequence}
	}
	d.run.lastEval++
	id := d.run.lastEval
	s.asked, s.version, s.vars = d.ordinal, d.run.varVersion, s.vars || vars
	s.answers[d.ordinal] = answer{expr: index}
	d.run.suspended[id] = s
	e.id = id
	d.command(NeedEval{ID: id, Program: d.m.prog.Name, Eval: e})
}

// bindings are the values of the names, and whether they hold references.
func (d *decider) bindings(roots []bindNode, p *place) (out map[string]value.Value, held bool) {
	if len(roots) == 0 {
		return nil, false
	}
	out = make(map[string]value.Value, len(roots))
	for i := range roots {
		if v := d.bound(&roots[i], p); !v.IsUndefined() {
			out[roots[i].name] = v
			held = held || v.HasRef()
		}
	}
	return out, held
}

func (d *decider) bound(n *bindNode, p *place) value.Value {
	switch {
	case n.bind == nil:
	case n.bind.Const.IsUndefined():
		v := d.source(&n.bind.From, p)
		if prefix := n.bind.From.Prefix; prefix != "" && !v.IsUndefined() {
			v = value.String(prefix + v.Text())
		}
		return v
	default:
		return n.bind.Const
	}
	members := make([]value.Member, 0, len(n.members))
	for i := range n.members {
		members = append(members, value.M(n.members[i].name, d.bound(&n.members[i], p)))
	}
	return value.Object(members...)
}

// source reads a root of the engine.
func (d *decider) source(s *workflow.Source, p *place) value.Value {
	run := d.run
	switch s.Root {
	case workflow.RootInput:
		return member(run.Input, s.Name)
	case workflow.RootNamespace:
		return member(run.Vars, s.Name)
	case workflow.RootRaw:
		return member(p.raw, s.Name)
	case workflow.RootEffective:
		return member(p.input, s.Name)
	case workflow.RootStage:
		return member(p.stage, s.Name)
	case workflow.RootResult:
		return member(p.result, s.Name)
	case workflow.RootOutput:
		return member(p.output, s.Name)
	case workflow.RootError:
		return d.errorSource(s, p)
	case workflow.RootAttempt:
		return d.attemptFact(p.a, s.Name)
	case workflow.RootItem:
		if p.item != nil && s.Up == 0 {
			return *p.item
		}
		if f := d.outward(p, s.Up); f != nil {
			return f.Item
		}
	case workflow.RootElement:
		if p.item != nil && s.Up == 0 {
			return *p.item
		}
		if f := d.outward(p, s.Up); f != nil {
			return d.element(f)
		}
	case workflow.RootIndex:
		if p.item != nil && s.Up == 0 {
			return value.Int(int64(p.index))
		}
		if f := d.outward(p, s.Up); f != nil && f.Index >= 0 {
			return value.Int(int64(f.Index))
		}
	case workflow.RootVar:
		return d.variable(p, s.Name)
	case workflow.RootVars:
		return d.variables(p)
	case workflow.RootNode:
		if f := d.outward(p, s.Up); f != nil {
			return d.nodeFact(f, s.Node, s.Name)
		}
	case workflow.RootRun:
		return d.runFact(s.Name)
	case workflow.RootFrame:
		if f := d.outward(p, s.Up); f != nil {
			return d.frameFact(f, s.Name)
		}
	}
	return value.Undefined
}

func member(v value.Value, name string) value.Value {
	switch {
	case name == "":
		return v
	case v.Kind() == value.KindRef:
		return v.Within(name)
	}
	return v.Get(name)
}

// outward is the frame that lies up frames around the place. Where an item's
// frame is not open yet, the place already counts as inside it.
func (d *decider) outward(p *place, up int) *Frame {
	f := p.f
	if p.item != nil {
		up--
	}
	for ; up > 0 && f != nil; up-- {
		f = d.run.Frames[f.Outer]
	}
	return f
}

func (d *decider) errorSource(s *workflow.Source, p *place) value.Value {
	if s.Up == 0 && p.err != nil {
		return member(p.err.Value(), s.Name)
	}
	if f := d.outward(p, s.Up); f != nil && f.Error != nil {
		return member(f.Error.Value(), s.Name)
	}
	return value.Undefined
}

// element is the item of a map that the frame is for, as it was in the list.
func (d *decider) element(f *Frame) value.Value {
	if a := d.run.Acts[f.Owner]; a != nil && a.Map != nil && f.Index >= 0 && f.Index < a.Map.Count {
		return a.Map.Item(f.Index)
	}
	return value.Undefined
}

func (d *decider) attemptFact(a *Activation, name string) value.Value {
	if a == nil {
		return value.Undefined
	}
	switch name {
	case "retries":
		n := 0
		for _, of := range a.Retries {
			n += of
		}
		return value.Int(int64(n))
	case "entered_at":
		return value.String(a.EnteredAt.UTC().Format(time.RFC3339Nano))
	case "token":
		return d.tokenFact(a)
	case "number":
		return value.Int(int64(a.Attempt))
	case "failures":
		return value.Int(int64(a.Failures))
	case "lost":
		return value.Int(int64(a.Lost))
	}
	return value.Undefined
}

func (d *decider) nodeFact(f *Frame, id workflow.NodeID, name string) value.Value {
	ns := &f.Nodes[id]
	a := d.run.Acts[ns.Act]
	has := func(e workflow.Ends) value.Value { return value.Bool(ns.Ends&e != 0) }
	switch name {
	case "succeeded":
		return has(workflow.EndSucceeded)
	case "failed":
		return has(workflow.EndFailed)
	case "skipped":
		return has(workflow.EndSkipped)
	case "canceled":
		return has(workflow.EndCanceled)
	case "not_run":
		return has(workflow.EndNotRun)
	case "ended":
		return value.Bool(ns.Ends != 0)
	}
	if a == nil { // not run, or not yet: a join need not wait for all that a node reads
		state, output := Pending, value.Null
		if ns.Ends != 0 {
			state, output = Skipped, skippedOutput(d.m.node(f, id))
		}
		switch name {
		case "output":
			return output
		case "state":
			return value.String(string(state))
		case "reason":
			return value.String(string(ns.Why))
		case "error":
			return value.Null
		case "artifacts":
			return value.List()
		}
		return value.Undefined
	}
	switch name {
	case "output":
		if ns.Ends == 0 {
			return value.Null
		}
		return nullIfUndefined(a.Output)
	case "state":
		return value.String(string(a.State))
	case "reason":
		return value.String(string(a.Reason))
	case "error":
		return a.Err.Value()
	case "input":
		return a.Input
	case "attempts":
		return value.Int(int64(a.Attempt))
	case "artifacts":
		return ArtifactsValue(a.Artifacts)
	}
	return value.Undefined
}

func skippedOutput(n *workflow.Node) value.Value {
	if n.Default != nil {
		return n.Default.Const
	}
	return value.Null
}

func (d *decider) runFact(name string) value.Value {
	run, prog := d.run, d.m.prog
	switch name {
	case "id":
		return value.String(run.ID)
	case "workflow":
		return value.String(prog.Name)
	case "namespace":
		return value.String(prog.Namespace)
	case "business_date":
		return value.String(run.BusinessDate)
	case "accepted_at", "started_at":
		return value.String(run.AcceptedAt.UTC().Format(time.RFC3339Nano))
	case "state", "error", "reason":
		if main := run.Frames[1]; main != nil {
			return d.frameFact(main, name)
		}
	}
	return value.Undefined
}

func (d *decider) frameFact(f *Frame, name string) value.Value {
	out := f.Verdict
	if out == nil {
		out = &Outcome{State: Running}
	}
	switch name {
	case "state":
		return value.String(string(out.State))
	case "reason":
		return value.String(string(out.Reason))
	case "error":
		return out.Error.Value()
	case "output":
		return nullIfUndefined(out.Output)
	case "input":
		return f.Raw
	}
	return value.Undefined
}

// scopeOf reports whether the frame holds variables of its own.
func (d *decider) scopeOf(f *Frame) workflow.Scope {
	s := d.m.bodies[f.Body].Scope
	if s == workflow.ScopeNone && f.Outer == 0 {
		return workflow.ScopeRead
	}
	return s
}

func (d *decider) variable(p *place, name string) value.Value {
	for f := p.f; f != nil; f = d.run.Frames[f.Outer] {
		if v, ok := p.vars[varKey{f.ID, name}]; ok {
			return v
		}
		if v, ok := f.Vars.Lookup(name); ok {
			return v
		}
		if d.scopeOf(f) == workflow.ScopeOwn {
			break
		}
	}
	return value.Undefined
}

func (d *decider) variables(p *place) value.Value {
	var frames []*Frame
	for f := p.f; f != nil; f = d.run.Frames[f.Outer] {
		frames = append(frames, f)
		if d.scopeOf(f) == workflow.ScopeOwn {
			break
		}
	}
	var members []value.Member
	for _, frame := range slices.Backward(frames) {
		members = append(members, frame.Vars.Members()...)
	}
	return value.Object(members...)
}

// value evaluates data that may hold no secrets.
func (d *decider) value(data *workflow.Data, p *place) (value.Value, error) {
	if data == nil {
		return value.Undefined, nil
	}
	v, slots, err := d.render(data, p, nil)
	if err == nil && len(slots) > 0 {
		return value.Undefined, d.m.engineError(ErrEvaluation, "a secret stands where none is allowed")
	}
	return v, err
}

// render evaluates data. Texts with secrets become *** and a slot.
func (d *decider) render(data *workflow.Data, p *place, path []string) (value.Value, []SecretSlot, error) {
	switch {
	case data.Expr != nil:
		v, err := d.eval(data.Expr, p)
		return v, nil, err
	case data.Text != nil:
		return d.renderText(data.Text, p, path)
	case data.List != nil:
		items := make([]value.Value, len(data.List))
		var slots []SecretSlot
		for i := range data.List {
			v, s, err := d.render(&data.List[i], p, extend(path, strconv.Itoa(i)))
			if err != nil {
				return value.Undefined, nil, err
			}
			items[i], slots = v, append(slots, s...)
		}
		return value.List(items...), slots, nil
	case data.Object != nil:
		members := make([]value.Member, 0, len(data.Object))
		var slots []SecretSlot
		for i := range data.Object {
			m := &data.Object[i]
			v, s, err := d.render(&m.Data, p, extend(path, m.Key))
			if err != nil {
				return value.Undefined, nil, err
			}
			members, slots = append(members, value.M(m.Key, v)), append(slots, s...)
		}
		return value.Object(members...), slots, nil
	}
	return nullIfUndefined(data.Const), nil, nil
}

func extend(path []string, step string) []string {
	return append(slices.Clip(path), step)
}

func (d *decider) renderText(parts []workflow.Part, p *place, path []string) (value.Value, []SecretSlot, error) {
	slot := SecretSlot{Path: path}
	text, secret := "", false
	for i := range parts {
		piece := parts[i].Literal
		switch {
		case parts[i].Secret != "":
			secret = true
			text += "***"
			slot.Parts = append(slot.Parts, SecretPart{Secret: parts[i].Secret})
			continue
		case parts[i].Expr != nil:
			v, err := d.eval(parts[i].Expr, p)
			if err == nil {
				v, err = d.inline(v)
			}
			if err != nil {
				return value.Undefined, nil, err
			}
			piece = v.Text()
		}
		text += piece
		slot.Parts = append(slot.Parts, SecretPart{Text: piece})
	}
	if secret {
		return value.String(text), []SecretSlot{slot}, nil
	}
	v, err := d.kept(value.String(text))
	return v, nil, err
}

// truth evaluates a predicate.
func (d *decider) truth(e *workflow.Expr, p *place) (bool, error) {
	v, err := d.eval(e, p)
	if err != nil {
		return false, err
	}
	b, ok := v.Bool()
	if !ok {
		return false, d.evalError(e, &Error{Message: "is " + v.Kind().String() + ", want true or false"})
	}
	return b, nil
}

// duration evaluates a length of time: text such as 10m, or seconds.
func (d *decider) duration(data *workflow.Data, p *place, what string) (time.Duration, error) {
	v, err := d.value(data, p)
	if err != nil || v.IsNull() {
		return 0, err
	}
	if text, ok := v.Str(); ok {
		parsed, err := duration.Parse(text)
		if err != nil {
			return 0, d.m.engineError(ErrEvaluation, what+": "+err.Error())
		}
		return parsed, nil
	}
	seconds, ok := v.Float()
	if !ok || seconds < 0 || seconds > duration.Max.Seconds() {
		return 0, d.m.engineError(ErrEvaluation, fmt.Sprintf("%s: %s is no length of time", what, v))
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// count evaluates a whole number that is not negative.
func (d *decider) count(data *workflow.Data, p *place, what string, absent int) (int, error) {
	v, err := d.value(data, p)
	if err != nil || v.IsNull() {
		return absent, err
	}
	n, ok := v.Int()
	if !ok || n < 0 || n > 1<<40 {
		return 0, d.m.engineError(ErrEvaluation, fmt.Sprintf("%s: %s is no whole number from 0", what, v))
	}
	return int(n), nil
}

// stages runs the value through the data stages.
func (d *decider) stages(stages []workflow.Stage, v value.Value, p *place) (value.Value, error) {
	for i := range stages {
		s := &stages[i]
		p.stage = v
		if s.Data != nil {
			next, err := d.value(s.Data, p)
			if err != nil {
				return value.Undefined, err
			}
			v = next
		}
		if s.Check != nil {
			p.stage = v
			ok, err := d.truth(s.Check, p)
			if err != nil {
				return value.Undefined, err
			}
			if !ok {
				return value.Undefined, d.m.engineError(ErrEvaluation, "the value does not meet "+s.Check.Source)
			}
		}
	}
	return v, nil
}

// pathOf evaluates the computed steps of a path.
func (d *decider) pathOf(steps []workflow.PathStep, p *place) ([]string, error) {
	path := make([]string, len(steps))
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Index != nil:
			n, err := d.count(s.Index, p, "index", 0)
			if err != nil {
				return nil, err
			}
			path[i] = strconv.Itoa(n)
		case s.Name != nil:
			v, err := d.value(s.Name, p)
			if err != nil {
				return nil, err
			}
			path[i] = v.Text()
		default:
			path[i] = s.Key
		}
	}
	return path, nil
}

// setAt returns root with v at the path. Members that are missing are made;
// of lists an item is replaced, or one added right behind the last.
func setAt(root value.Value, path []string, v value.Value) (value.Value, bool) {
	if len(path) == 0 {
		return v, true
	}
	if items := root.Items(); root.Kind() == value.KindList {
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(items) {
			return value.Undefined, false
		}
		var old value.Value
		if i < len(items) {
			old = items[i]
		}
		next, ok := setAt(old, path[1:], v)
		if !ok {
			return value.Undefined, false
		}
		out := append(append(make([]value.Value, 0, len(items)+1), items[:i]...), next)
		if i < len(items) {
			out = append(out, items[i+1:]...)
		}
		return value.List(out...), true
	}
	if !root.IsNull() && root.Kind() != value.KindObject {
		return value.Undefined, false
	}
	next, ok := setAt(root.Get(path[0]), path[1:], v)
	if !ok {
		return value.Undefined, false
	}
	return root.With(path[0], next), true
}

// getAt reads the value at a path.
func getAt(root value.Value, path []string) value.Value {
	for _, step := range path {
		if root.Kind() == value.KindList {
			i, err := strconv.Atoi(step)
			if err != nil {
				return value.Undefined
			}
			root = root.At(i)
		} else {
			root = root.Get(step)
		}
	}
	return root
}
