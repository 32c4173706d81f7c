package cel

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// fold is what the macros over lists and objects have in common: a range, one
// or two variables, a filter and a body.
type fold struct {
	over   node
	slot   int // of the item, or of the key or position
	slot2  int // of the value, or -1
	filter node
	body   node
	at     int
}

// each binds the variables to each item in turn and calls visit, until it
// says stop.
func (f *fold) each(m *machine, visit func(item ref.Val) (stop bool, fault *expr.Error)) *expr.Error {
	over, fault := f.over.eval(m)
	if fault != nil {
		return fault
	}
	size, pick, ok := f.cursor(over)
	if !ok {
		return fail(f.at, expr.TypeMismatch, fmt.Sprintf("only lists and objects have items, and this is %s", typeName(over)))
	}
	for i := range size {
		if fault := m.spend(costItem, f.at); fault != nil {
			return fault
		}
		first, second := pick(i)
		item, fault := unwrapErr(first)
		if fault == nil && second != nil {
			second, fault = unwrapErr(second)
		}
		if fault != nil {
			return at(fault, f.at)
		}
		m.slots[f.slot] = item
		if f.slot2 >= 0 {
			m.slots[f.slot2] = second
		}
		stop, fault := visit(item)
		if fault != nil || stop {
			return fault
		}
	}
	return nil
}

// cursor gives the values of the variables for item i of a range.
func (f *fold) cursor(over ref.Val) (size int, pick func(i int) (first, second ref.Val), ok bool) {
	switch over := over.(type) {
	case traits.Lister:
		if f.slot2 < 0 {
			return sizeOf(over), func(i int) (ref.Val, ref.Val) { return itemAt(over, i), nil }, true
		}
		return sizeOf(over), func(i int) (ref.Val, ref.Val) { return types.Int(i), itemAt(over, i) }, true
	case traits.Mapper:
		it := over.Iterator()
		return sizeOf(over), func(int) (ref.Val, ref.Val) {
			key := it.Next()
			if f.slot2 < 0 {
				return key, nil
			}
			v, _ := over.Find(key)
			return key, v
		}, true
	}
	return 0, nil, false
}

// kept evaluates the filter, if there is one.
func (f *fold) kept(m *machine) (bool, *expr.Error) {
	if f.filter == nil {
		return true, nil
	}
	return evalBool(m, f.filter, f.at)
}

// mapNode is map, transformList and, without body, filter.
type mapNode struct{ fold }

func (n *mapNode) eval(m *machine) (ref.Val, *expr.Error) {
	out := []ref.Val{}
	fault := n.each(m, func(item ref.Val) (bool, *expr.Error) {
		keep, fault := n.kept(m)
		if fault != nil || !keep {
			return false, fault
		}
		if n.body != nil {
			if item, fault = n.body.eval(m); fault != nil {
				return false, fault
			}
		}
		out = append(out, item)
		return false, m.allocateItems(1, n.at)
	})
	return &vector{out}, fault
}

// transformMapNode is transformMap and, with entries, transformMapEntry.
type transformMapNode struct {
	fold
	entries bool
}

func (n *transformMapNode) eval(m *machine) (ref.Val, *expr.Error) {
	out := newDict(0)
	fault := n.each(m, func(key ref.Val) (bool, *expr.Error) {
		keep, fault := n.kept(m)
		if fault != nil || !keep {
			return false, fault
		}
		v, fault := n.body.eval(m)
		if fault != nil {
			return false, fault
		}
		if fault := m.allocate(memberBytes, n.at); fault != nil {
			return false, fault
		}
		if !n.entries {
			return false, out.put(key, v, n.at)
		}
		entry, ok := v.(traits.Mapper)
		if !ok {
			return false, fail(n.at, expr.TypeMismatch, fmt.Sprintf("transformMapEntry() needs an object for each entry, and this is %s", typeName(v)))
		}
		for it := entry.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			member, _ := entry.Find(key)
			if fault := m.allocate(memberBytes, n.at); fault != nil {
				return false, fault
			}
			if fault := out.put(key, member, n.at); fault != nil {
				return false, fault
			}
		}
		return false, nil
	})
	return out, fault
}

// quantifierNode is exists and, with all, all. An item that decides does so
// whatever errors the others have.
type quantifierNode struct {
	fold
	all bool
}

func (n *quantifierNode) eval(m *machine) (ref.Val, *expr.Error) {
	decided := false
	var failed *expr.Error
	fault := n.each(m, func(ref.Val) (bool, *expr.Error) {
		b, fault := evalBool(m, n.body, n.at)
		switch {
		case fault != nil && final(fault):
			return true, fault
		case fault != nil && failed == nil:
			failed = fault
		case fault == nil && b != n.all:
			decided = true
		}
		return decided, nil
	})
	switch {
	case fault != nil:
		return nil, fault
	case decided:
		return types.Bool(!n.all), nil
	case failed != nil:
		return nil, failed
	}
	return types.Bool(n.all), nil
}

// existsOneNode is exists_one.
type existsOneNode struct{ fold }

func (n *existsOneNode) eval(m *machine) (ref.Val, *expr.Error) {
	count := 0
	fault := n.each(m, func(ref.Val) (bool, *expr.Error) {
		b, fault := evalBool(m, n.body, n.at)
		if b {
			count++
		}
		return false, fault
	})
	return types.Bool(count == 1), fault
}

// sortByNode is sortBy.
type sortByNode struct{ fold }

func (n *sortByNode) eval(m *machine) (ref.Val, *expr.Error) {
	var all, keys []ref.Val
	fault := n.each(m, func(item ref.Val) (bool, *expr.Error) {
		key, fault := n.body.eval(m)
		if fault != nil {
			return false, fault
		}
		all, keys = append(all, item), append(keys, key)
		return false, m.allocateItems(2, n.at)
	})
	if fault != nil {
		return nil, fault
	}
	c := call{m: m, at: n.at}
	return c.sortBy(all, keys)
}

// bindNode is cel.bind.
type bindNode struct {
	slot        int
	value, body node
	at          int
}

func (n *bindNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.value.eval(m)
	if fault != nil {
		return nil, fault
	}
	m.slots[n.slot] = v
	return n.body.eval(m)
}

// optMapNode is optMap and, with flat, optFlatMap.
type optMapNode struct {
	slot     int
	of, body node
	flat     bool
	at       int
}

func (n *optMapNode) eval(m *machine) (ref.Val, *expr.Error) {
	v, fault := n.of.eval(m)
	if fault != nil {
		return nil, fault
	}
	o, ok := v.(*types.Optional)
	if !ok {
		return nil, fail(n.at, expr.TypeMismatch, fmt.Sprintf("only an optional has optMap(), and this is %s", typeName(v)))
	}
	if !o.HasValue() {
		return o, nil
	}
	m.slots[n.slot] = o.GetValue()
	out, fault := n.body.eval(m)
	if fault != nil {
		return nil, fault
	}
	if !n.flat {
		return types.OptionalOf(out), nil
	}
	if _, ok := out.(*types.Optional); !ok {
		return nil, fail(n.at, expr.TypeMismatch, fmt.Sprintf("optFlatMap() needs an optional, and this is %s; use optMap()", typeName(out)))
	}
	return out, nil
}
