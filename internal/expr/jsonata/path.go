package jsonata

import "math"

// path applies the steps from left to right, each to the items that the one
// before it gave.
func (m *machine) path(n *node, in any, env *frame) any {
	items, ok := in.(*array)
	if !ok || n.list[0].kind == kindVariable {
		items = sequence(in)
	}
	var out any
	var tuples *array
	streaming := false
	for i, step := range n.list {
		streaming = streaming || step.tuple
		switch {
		case i == 0 && step.cons:
			out = m.eval(step, items, env)
		case streaming:
			tuples = m.tupleStep(step, items, tuples, env)
		default:
			out = m.pathStep(step, items, env, i == len(n.list)-1)
		}
		if streaming {
			continue
		}
		list, isList := out.(*array)
		if out == nil || isList && list.len() == 0 {
			break
		}
		if step.focus == "" {
			if !isList {
				list = sequence(out)
			}
			items = list
		}
	}
	if streaming {
		out = tuples
		if !n.tuple {
			plain := sequence()
			for _, t := range tuples.items {
				plain.put(m, t.(*tuple).at)
			}
			out = plain
		}
	}
	if list, ok := out.(*array); ok && n.keepOne {
		if list.cons && !list.seq {
			list = sequence(list)
		} else if !list.seq {
			list = &array{items: m.all(list), tuples: list.tuples}
		}
		list.keep = true
		out = list
	}
	if n.hasGroup {
		if streaming {
			return m.group(n.group, tuples, env, n.pos)
		}
		return m.group(n.group, out, env, n.pos)
	}
	return out
}

// pathStep evaluates one step for each item, and puts the results together.
func (m *machine) pathStep(n *node, in *array, env *frame, last bool) any {
	if n.kind == kindSort {
		return m.staged(n, m.sort(n, in, env), env)
	}
	out := sequence()
	for _, item := range m.all(in) {
		v := m.eval(n, item, env)
		for _, s := range n.stages {
			v = m.filter(s.filter, v, env)
		}
		if v != nil {
			out.put(m, v)
		}
	}
	if last && len(out.items) == 1 {
		if one, ok := out.items[0].(*array); ok && !one.seq {
			return one
		}
	}
	flat := sequence()
	for _, v := range out.items {
		list, ok := v.(*array)
		if !ok || list.cons {
			flat.put(m, v)
			continue
		}
		for _, item := range m.all(list) {
			flat.put(m, item)
		}
	}
	return flat
}

// tupleStep is pathStep where the items carry variables: those bound with @
// and #, and the contexts that parent operators ask for.
func (m *machine) tupleStep(n *node, in, tuples *array, env *frame) *array {
	out := &array{seq: true, tuples: true, items: []any{}}
	if n.kind == kindSort {
		if tuples != nil {
			out = m.sort(n, tuples, env)
			out.tuples = true
		} else {
			for i, item := range m.all(m.sort(n, in, env)) {
				t := &tuple{at: item}
				if n.index != "" {
					t.vars = []binding{{n.index, float64(i)}}
				}
				out.put(m, t)
			}
		}
		return m.staged(n, out, env)
	}
	if tuples == nil {
		tuples = &array{}
		for _, item := range m.all(in) {
			tuples.put(m, &tuple{at: item})
		}
	}
	for _, item := range tuples.items {
		t := item.(*tuple)
		v := m.eval(n, t.at, env.within(t))
		if v == nil {
			continue
		}
		list, ok := v.(*array)
		if !ok {
			list = sequence(v)
		}
		for i, one := range m.all(list) {
			out.put(m, m.bound(n, t, one, i))
		}
	}
	return m.staged(n, out, env)
}

// bound is the tuple of item i that a step found in the context of t.
func (m *machine) bound(n *node, t *tuple, item any, i int) *tuple {
	m.allocate((3 + len(t.vars)) * itemBytes)
	next := &tuple{at: item, vars: append(make([]binding, 0, len(t.vars)+1), t.vars...)}
	scope := frame{vars: next.vars}
	if inner, ok := item.(*tuple); ok {
		next.at = inner.at
		for _, b := range inner.vars {
			scope.bind(b.name, b.val)
		}
	} else {
		if n.focus != "" {
			scope.bind(n.focus, item)
			next.at = t.at
		}
		if n.index != "" {
			scope.bind(n.index, float64(i))
		}
		if n.ancestor != nil {
			scope.bind(n.ancestor.label, t.at)
		}
	}
	next.vars = scope.vars
	return next
}

// staged applies the filters and index variables of a step.
func (m *machine) staged(n *node, out *array, env *frame) *array {
	for _, s := range n.stages {
		if s.filter != nil {
			filtered, ok := m.filter(s.filter, out, env).(*array)
			if !ok || (out.tuples && !filtered.tuples) {
				filtered = sequence()
				filtered.tuples = out.tuples
			}
			out = filtered
			continue
		}
		for i, item := range out.items {
			if t, ok := item.(*tuple); ok {
				scope := frame{vars: t.vars}
				scope.bind(s.index, float64(i))
				t.vars = scope.vars
			}
		}
	}
	return out
}

// filter keeps the items at a position, or those for which the condition
// holds or gives their positions.
func (m *machine) filter(by *node, in any, env *frame) any {
	list, ok := in.(*array)
	if !ok {
		list = sequence(in)
	}
	out := &array{seq: true, tuples: list.tuples}
	if f, ok := by.value.(float64); ok && by.kind == kindLiteral {
		i := position(f, list.len())
		if i < 0 {
			return out
		}
		item := m.all(list)[i]
		if inner, ok := item.(*array); ok {
			return inner
		}
		if item != nil {
			out.put(m, item)
		}
		return out
	}
	items := m.all(list)
	for i, item := range items {
		context, scope := item, env
		if t, ok := item.(*tuple); ok {
			context, scope = t.at, env.within(t)
		}
		for range m.selected(m.eval(by, context, scope), i, len(items)) {
			out.put(m, item)
		}
	}
	return out
}

// position is the place that a number means in a list of n items, negative
// numbers counting from the end; -1 if there is none.
func position(f float64, n int) int {
	i := math.Floor(f)
	if i < 0 {
		i += float64(n)
	}
	if i < 0 || i >= float64(n) {
		return -1
	}
	return int(i)
}

// selected is how often a filter's result keeps item i of n: a list of positions
// may name it more than once.
func (m *machine) selected(v any, i, n int) int {
	list, ok := v.(*array)
	if f, isNumber := num(v); isNumber {
		list, ok = sequence(f), true
	}
	if !ok || list.len() == 0 {
		return m.kept(v)
	}
	found := 0
	for _, one := range m.all(list) {
		m.step()
		f, ok := num(one)
		if !ok {
			return m.kept(v)
		}
		if position(f, n) == i {
			found++
		}
	}
	return found
}

// kept is how often a condition keeps an item: once if it counts as true.
func (m *machine) kept(v any) int {
	if m.truth(v) {
		return 1
	}
	return 0
}

// sort orders a list by the terms of a sort step; equal items keep their
// order.
func (m *machine) sort(n *node, in *array, env *frame) *array {
	items := m.sorted(m.all(in), func(a, b any) bool { return m.after(n, a, b, env) })
	return &array{items: items, seq: true, tuples: in.tuples}
}

// after reports whether a comes after b by the terms of a sort step.
func (m *machine) after(n *node, a, b any, env *frame) bool {
	for _, t := range n.terms {
		x, y := m.key(t.expr, a, env), m.key(t.expr, b, env)
		if x == nil || y == nil {
			if x == nil && y == nil {
				continue
			}
			return x == nil // what has no key comes last
		}
		c := m.order(t.expr.pos, x, y)
		if t.descending {
			c = -c
		}
		if c != 0 {
			return c > 0
		}
	}
	return false
}

func (m *machine) key(n *node, item any, env *frame) any {
	if t, ok := item.(*tuple); ok {
		return m.eval(n, t.at, env.within(t))
	}
	return m.eval(n, item, env)
}

// order compares two keys of a sort.
func (m *machine) order(pos int, x, y any) int {
	for _, v := range []any{x, y} {
		if _, ok := num(v); !ok && letter(v) != 's' {
			m.failAt(pos, "T2008", typeName(v))
		}
	}
	if letter(x) != letter(y) {
		m.failAt(pos, "T2007", typeName(x), typeName(y))
	}
	return m.compare(x, y)
}

// compare orders two numbers or two strings.
func (m *machine) compare(x, y any) int {
	if a, ok := num(x); ok {
		b, _ := num(y)
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	a, b := x.(string), y.(string)
	m.read(a[:min(len(a), len(b))])
	switch {
	case a == b:
		return 0
	case less(a, b):
		return -1
	}
	return 1
}
