package engine

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of values, in bytes as [value.Value.Size] estimates them.
const (
	// MaxInline is the largest value that an expression or an attempt leaves in an
	// event; a larger one is kept elsewhere, and the event has a reference.
	MaxInline = 256 << 10
	// PartBytes is about how many bytes of JSON a part of a large list has.
	PartBytes = 1 << 20
	// MaxText is the largest value that the engine itself looks into: the parts of a
	// text, the input of a child run, a message.
	MaxText = 16 << 20
)

// Values keeps large values of runs. Implementations are safe for concurrent
// use; nothing in them waits for a decision.
type Values interface {
	// Reserve waits until values of so many bytes of JSON may be in memory, and
	// says so until release is called, once. Who holds a reservation asks for no
	// other.
	Reserve(size int64) (release func())
	// Load returns what a reference of a run stands for, without references.
	Load(run string, r value.Ref) (value.Value, error)
	// Keep returns the value with references in place of what is large in it, all
	// of it durable. What is not larger than [MaxInline] comes back as it is.
	Keep(run string, v value.Value) (value.Value, error)
	// KeepList puts a list away item by item, however large it is, and returns a
	// reference to it. Where an item refers to what lies inside of something, that is
	// read for it.
	KeepList(run string, list value.Value) (value.Value, error)
}

// Evaluation is an expression with its bindings, or other work on values that
// takes long; immutable. The zero Evaluation has nothing to do: it hands the
// turn back.
type Evaluation struct {
	id   uint64
	run  string
	args []value.Value // whose references are loaded
	// whole says that references in the result are loaded too: it is to be looked
	// at, and must not be larger than MaxText.
	whole bool
	// list says that the result is a list which is put away item by item.
	list bool
	make func(args []value.Value) (value.Value, error)
}

// Evaluate does what a NeedEval asks for, within the budget of the pool. It is
// the one part of the engine that other goroutines call. With nil values
// references cannot be read, and nothing is too large to be handed back.
func (e *Evaluation) Evaluate(values Values) Evaluated {
	out := Evaluated{ID: e.id, Value: value.Null}
	if e.make == nil {
		return out
	}
	v, err := e.evaluate(values)
	if err != nil {
		out.Err = evaluationFault(err)
		return out
	}
	out.Value = v
	return out
}

func (e *Evaluation) evaluate(values Values) (value.Value, error) {
	size, whole := int64(0), int64(0)
	for _, arg := range e.args {
		for _, r := range arg.Refs(nil) {
			switch {
			case len(r.Path) == 0:
				whole += r.Size
				size += r.Size
			case r.Parts: // one of them is read
				size += min(r.Size, PartBytes)
			default:
				size += r.Size
			}
		}
	}
	if e.whole && whole > MaxText {
		return value.Undefined, tooLong(whole)
	}
	if size > 0 && values != nil {
		defer values.Reserve(size)()
	}
	args := make([]value.Value, len(e.args))
	for i, arg := range e.args {
		var err error
		if args[i], err = arg.Resolve(func(r value.Ref) (value.Value, error) {
			if values == nil {
				return value.Undefined, errors.New("nothing here keeps large values")
			}
			return values.Load(e.run, r)
		}); err != nil {
			return value.Undefined, err
		}
	}
	v, err := e.make(args)
	if size := int64(v.Size()); err == nil && e.whole && size > MaxText {
		return value.Undefined, tooLong(size)
	}
	if err != nil || e.whole || values == nil {
		return v, err
	}
	if e.list {
		return values.KeepList(e.run, v)
	}
	return values.Keep(e.run, v)
}

func tooLong(size int64) error {
	return fmt.Errorf("a value of %d bytes stands in a text, goes to another run or is otherwise read by Regie itself; at most %d MiB can be", size, MaxText>>20)
}

// evaluation is that of an expression.
func (d *decider) evaluation(compiled expr.Compiled, req expr.Request) *Evaluation {
	e := &Evaluation{run: d.run.ID}
	names := make([]string, 0, len(req.Bindings))
	for _, name := range inOrder(req.Bindings) {
		names, e.args = append(names, name), append(e.args, req.Bindings[name])
	}
	e.make = func(args []value.Value) (value.Value, error) {
		r := req
		r.Cost = expr.PoolCost
		r.Bindings = make(map[string]value.Value, len(args))
		for i, name := range names {
			if !args[i].IsUndefined() {
				r.Bindings[name] = args[i]
			}
		}
		return compiled.Eval(r)
	}
	return e
}

// ofValue stands in answers for what is no expression.
const ofValue = -1

// work has something done with values outside the decision. As every evaluation,
// it is asked for in an order that the state decides.
func (d *decider) work(e *Evaluation) (value.Value, error) {
	d.ordinal++
	if d.cur != nil {
		if a := d.cur.answers[d.ordinal]; a.done && a.expr == ofValue {
			if a.err != nil {
				return value.Undefined, d.m.engineError(ErrEvaluation, a.err.Message)
			}
			return a.value, nil
		}
	}
	e.run = d.run.ID
	d.suspend(ofValue, true, e)
	return value.Undefined, errSuspended
}

func first(args []value.Value) (value.Value, error) { return args[0], nil }

// inline returns the value with what its references stand for.
func (d *decider) inline(v value.Value) (value.Value, error) {
	if !v.HasRef() {
		return v, nil
	}
	return d.work(&Evaluation{args: []value.Value{v}, whole: true, make: first})
}

// kept returns the value with references in place of what is large.
func (d *decider) kept(v value.Value) (value.Value, error) {
	if d.aside || v.Size() <= MaxInline {
		return v, nil
	}
	return d.work(&Evaluation{make: func([]value.Value) (value.Value, error) { return v, nil }})
}

// own returns the value with references to what the run itself has: those to what
// lies inside of something, or what another run has, are read and kept.
func (d *decider) own(v value.Value) (value.Value, error) {
	if !foreign(v) {
		return v, nil
	}
	return d.work(&Evaluation{args: []value.Value{v}, make: first})
}

// foreign reports whether a value has references that [decider.own] changes.
func foreign(v value.Value) bool {
	return slices.ContainsFunc(v.Refs(nil), func(r value.Ref) bool { return r.Run != "" || len(r.Path) > 0 })
}

// changed applies an operation to a variable. Where it has to look into what is
// kept elsewhere, it becomes one that sets the variable.
func (d *decider) changed(op *VarOp, old value.Value) (value.Value, error) {
	misfit := fmt.Sprintf("assign %s: %s does not fit the variable's value", op.Var, op.describe())
	if !op.looks(old) {
		next, ok := op.apply(old)
		if !ok {
			return value.Undefined, d.m.engineError(ErrEvaluation, misfit)
		}
		return next, nil
	}
	asked := *op
	next, err := d.work(&Evaluation{args: []value.Value{old, op.Value}, make: func(args []value.Value) (value.Value, error) {
		loaded := asked
		loaded.Value = args[1]
		next, ok := loaded.apply(args[0])
		if !ok {
			return value.Undefined, errors.New(misfit)
		}
		return next, nil
	}})
	if err != nil {
		return value.Undefined, err
	}
	op.Path, op.Op, op.Value = nil, workflow.AssignSet, next
	return next, nil
}

// looks reports whether the operation depends on what is in a reference.
func (op *VarOp) looks(old value.Value) bool {
	for _, step := range op.Path {
		if old.Kind() == value.KindRef {
			return true
		}
		old = old.Within(step)
	}
	switch op.Op {
	case workflow.AssignAppend:
		return old.Kind() == value.KindRef
	case workflow.AssignAdd, workflow.AssignMerge:
		return old.Kind() == value.KindRef || op.Value.Kind() == value.KindRef
	case workflow.AssignSet, workflow.AssignUnset:
	}
	return false
}

// Foreign is a value of a run as another run refers to it.
func Foreign(v value.Value, run string) value.Value {
	out, _ := v.Resolve(func(r value.Ref) (value.Value, error) { // it fails for no reference
		if r.Run == "" {
			r.Run = run
		}
		return value.Reference(r), nil
	})
	return out
}

// shown is a value with what says of large ones in it what they are.
func shown(v value.Value) value.Value {
	out, _ := v.Resolve(func(r value.Ref) (value.Value, error) { // it fails for no reference
		return r.Value(), nil
	})
	return out
}

// plain evaluates data that the engine looks into.
func (d *decider) plain(data *workflow.Data, p *place) (value.Value, error) {
	v, err := d.value(data, p)
	if err != nil {
		return v, err
	}
	return d.inline(v)
}

// whole finds what an expression stands for which is no more than a path: it need
// not be loaded to be handed on.
func whole(bindings map[string]value.Value, path []string) (value.Value, bool) {
	if len(path) == 0 {
		return value.Undefined, false
	}
	v := bindings[path[0]]
	for _, step := range path[1:] {
		if v.Kind() != value.KindObject {
			return value.Undefined, false
		}
		v = v.Get(step)
	}
	return v, v.HasRef() && !foreign(v) && v.Size() <= MaxInline
}

// Item is item i of the list that a map goes over; undefined of an erased run.
func (m *MapState) Item(i int) value.Value {
	if m.Items.Kind() == value.KindRef {
		return m.Items.Within(strconv.Itoa(i))
	}
	return m.Items.At(i)
}
