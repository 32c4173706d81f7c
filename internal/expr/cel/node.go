package cel

import (
	"fmt"
	"regexp"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// node is a compiled part of an expression.
type node interface {
	eval(*machine) (ref.Val, *expr.Error)
}

// constNode is a literal, or what was computed when compiling.
type constNode struct{ v ref.Val }

func (n *constNode) eval(*machine) (ref.Val, *expr.Error) { return n.v, nil }

// localNode is a variable of a macro.
type localNode struct{ slot int }

func (n *localNode) eval(m *machine) (ref.Val, *expr.Error) { return m.slots[n.slot], nil }

// pathNode reads a root, and members of it as far as their names are
// constant, without wrapping what lies between.
type pathNode struct {
	root  string
	decl  *expr.Type // of what is read
	at    int
	steps []step
}

type step struct {
	name string
	at   int
}

func (n *pathNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.read(m, len(n.steps))
	if fault != nil {
		return nil, fault
	}
	out, fault := wrap(v, n.decl)
	if fault != nil {
		return nil, at(fault, n.place())
	}
	return out, nil
}

func (n *pathNode) place() int {
	if len(n.steps) == 0 {
		return n.at
	}
	return n.steps[len(n.steps)-1].at
}

// read walks the first steps of the path.
func (n *pathNode) read(m *machine, count int) (value.Value, *expr.Error) {
	if fault := m.spend(uint64(costStep+count), n.at); fault != nil {
		return value.Undefined, fault
	}
	v, ok := m.bindings[n.root]
	if !ok || v.IsUndefined() {
		return value.Undefined, fail(n.at, expr.NotBound, n.root+" has no value here")
	}
	for _, s := range n.steps[:count] {
		if v.Kind() != value.KindObject {
			return value.Undefined, fail(s.at, expr.NoSuchKey, fmt.Sprintf("%q cannot be read of %s", s.name, v.Kind()))
		}
		next, ok := v.Lookup(s.name)
		if !ok {
			return value.Undefined, noMember(s.at, s.name, v)
		}
		v = next
	}
	return v, nil
}

// maxSuggestions bounds the members that a message about a missing one looks
// through.
const maxSuggestions = 64

func noMember(at int, name string, of value.Value) *expr.Error {
	message := fmt.Sprintf("there is no member %q", name)
	if of.Len() <= maxSuggestions {
		names := make([]string, 0, of.Len())
		for _, m := range of.Members() {
			names = append(names, m.Key)
		}
		if hint := diag.DidYouMean(name, names); hint != "" {
			message += "; " + hint
		}
	}
	return fail(at, expr.NoSuchKey, message)
}

// selectNode reads a member of a computed value.
type selectNode struct {
	of       node
	name     string
	optional bool // written x.?name
	at       int
}

func (n *selectNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.of.eval(m)
	if fault != nil {
		return nil, fault
	}
	if fault := m.spend(costStep, n.at); fault != nil {
		return nil, fault
	}
	return memberOf(v, types.String(n.name), n.optional, n.at)
}

// indexNode reads an item or a member whose name is computed.
type indexNode struct {
	of, index node
	optional  bool // written x[?index]
	at        int
}

func (n *indexNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.of.eval(m)
	if fault != nil {
		return nil, fault
	}
	index, fault := n.index.eval(m)
	if fault != nil {
		return nil, fault
	}
	if fault := m.spend(costStep, n.at); fault != nil {
		return nil, fault
	}
	l, isList := v.(traits.Lister)
	if !isList {
		return memberOf(v, index, n.optional, n.at)
	}
	return itemOf(l, index, n.optional, n.at)
}

// itemOf reads an item of a list.
func itemOf(l traits.Lister, index ref.Val, optional bool, offset int) (ref.Val, *expr.Error) {
	i, ok := indexOf(index)
	if !ok {
		return nil, fail(offset, expr.TypeMismatch, fmt.Sprintf("a list has no item %v; positions are integers", index.Value()))
	}
	size := sizeOf(l)
	if i < 0 || i >= size {
		if optional {
			return types.OptionalNone, nil
		}
		return nil, fail(offset, expr.NoSuchIndex, fmt.Sprintf("there is no item %d; the list has %d, counted from 0", i, size))
	}
	item, fault := unwrapErr(itemAt(l, i))
	if fault != nil {
		return nil, at(fault, offset)
	}
	if optional {
		return types.OptionalOf(item), nil
	}
	return item, nil
}

// memberOf reads a member of an object, or through an optional, whose members
// are optional too.
func memberOf(v, key ref.Val, optional bool, offset int) (ref.Val, *expr.Error) {
	if o, ok := v.(*types.Optional); ok {
		if !o.HasValue() {
			return o, nil
		}
		inner := o.GetValue()
		if l, ok := inner.(traits.Lister); ok {
			return itemOf(l, key, true, offset)
		}
		return memberOf(inner, key, true, offset)
	}
	if v == types.NullValue && optional {
		return types.OptionalNone, nil
	}
	o, ok := v.(traits.Mapper)
	if !ok {
		code := expr.TypeMismatch
		if v == types.NullValue {
			code = expr.NoSuchKey
		}
		return nil, fail(offset, code, fmt.Sprintf("%q cannot be read of %s", fmt.Sprint(key.Value()), typeName(v)))
	}
	found, ok := o.Find(key)
	if !ok {
		if optional {
			return types.OptionalNone, nil
		}
		if wrapped, ok := o.(*object); ok {
			return nil, noMember(offset, fmt.Sprint(key.Value()), wrapped.v)
		}
		return nil, fail(offset, expr.NoSuchKey, fmt.Sprintf("there is no member %q", fmt.Sprint(key.Value())))
	}
	found, fault := unwrapErr(found)
	if fault != nil {
		return nil, at(fault, offset)
	}
	if !optional {
		return found, nil
	}
	if found == types.NullValue && nullIsAbsent(o, key) {
		return types.OptionalNone, nil
	}
	return types.OptionalOf(found), nil
}

// nullIsAbsent reports whether the member is declared nullable: then null
// means that there is none.
func nullIsAbsent(o traits.Mapper, key ref.Val) bool {
	wrapped, ok := o.(*object)
	name, isText := key.(types.String)
	if !ok || !isText {
		return false
	}
	decl := memberDecl(wrapped.decl, string(name))
	return decl != nil && decl.Nullable
}

// hasNode is has(x.name).
type hasNode struct {
	of   node
	name string
	at   int
}

func (n *hasNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.of.eval(m)
	if fault != nil {
		return nil, fault
	}
	if fault := m.spend(costStep, n.at); fault != nil {
		return nil, fault
	}
	if v == types.NullValue {
		return types.False, nil
	}
	found, fault := memberOf(v, types.String(n.name), true, n.at)
	if fault != nil {
		return nil, fault
	}
	return types.Bool(found.(*types.Optional).HasValue()), nil
}

// callNode calls a function.
type callNode struct {
	fn   *function
	args []node
	at   int
	re   *regexp.Regexp // of a literal pattern
}

func (n *callNode) eval(m *machine) (ref.Val, *expr.Error) {
	args := make([]ref.Val, len(n.args))
	for i, arg := range n.args {
		v, fault := arg.eval(m)
		if fault != nil {
			return nil, fault
		}
		args[i] = v
	}
	if fault := m.spend(costCall, n.at); fault != nil {
		return nil, fault
	}
	c := call{m: m, fn: n.fn, args: args, at: n.at, re: n.re}
	return c.eval()
}

// listNode makes a list. Items that are optional and absent are left out.
type listNode struct {
	items    []node
	optional []bool
	at       int
}

func (n *listNode) eval(m *machine) (ref.Val, *expr.Error) {
	if fault := m.allocateItems(len(n.items)+1, n.at); fault != nil {
		return nil, fault
	}
	out := make([]ref.Val, 0, len(n.items))
	for i, item := range n.items {
		v, fault := item.eval(m)
		if fault != nil {
			return nil, fault
		}
		if n.optional[i] {
			var present bool
			if v, present, fault = optionalValue(v, n.at); fault != nil {
				return nil, fault
			} else if !present {
				continue
			}
		}
		out = append(out, v)
	}
	return &vector{out}, nil
}

// constant is a list of literals, made once.
func (n *listNode) constant() node {
	out := make([]ref.Val, len(n.items))
	for i, item := range n.items {
		out[i] = item.(*constNode).v
	}
	return &constNode{&vector{out}}
}

func optionalValue(v ref.Val, at int) (inner ref.Val, present bool, fault *expr.Error) {
	o, ok := v.(*types.Optional)
	if !ok {
		return nil, false, fail(at, expr.TypeMismatch, fmt.Sprintf("a value after ? must be optional, and this is %s", typeName(v)))
	}
	if !o.HasValue() {
		return nil, false, nil
	}
	return o.GetValue(), true, nil
}

// dictNode makes an object.
type dictNode struct {
	keys, vals []node
	optional   []bool
	at         int
}

func (n *dictNode) eval(m *machine) (ref.Val, *expr.Error) {
	if fault := m.allocate(memberBytes*(len(n.keys)+1), n.at); fault != nil {
		return nil, fault
	}
	out := newDict(len(n.keys))
	for i := range n.keys {
		key, fault := n.keys[i].eval(m)
		if fault != nil {
			return nil, fault
		}
		v, fault := n.vals[i].eval(m)
		if fault != nil {
			return nil, fault
		}
		if n.optional[i] {
			var present bool
			if v, present, fault = optionalValue(v, n.at); fault != nil {
				return nil, fault
			} else if !present {
				continue
			}
		}
		if fault := out.put(key, v, n.at); fault != nil {
			return nil, fault
		}
	}
	return out, nil
}

// put inserts a member, or says what is wrong with its key.
func (d *dict) put(key, v ref.Val, at int) *expr.Error {
	if _, isDouble := key.(types.Double); isDouble {
		return fail(at, expr.TypeMismatch, "a float cannot be a key")
	}
	if _, ok := mapKey(key); !ok {
		return fail(at, expr.TypeMismatch, fmt.Sprintf("a %s cannot be a key; keys are texts", typeName(key)))
	}
	if !d.insert(key, v) {
		return fail(at, expr.InvalidValue, fmt.Sprintf("the key %v stands in the object twice", key.Value()))
	}
	return nil
}
