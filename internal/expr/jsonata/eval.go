package jsonata

import (
	"math"

	"github.com/regie-dev/regie/internal/expr"
)

// eval computes a node with in as the context. Sequences of one become their
// item, and empty ones undefined, as soon as a node is done.
func (m *machine) eval(n *node, in any, env *frame) any {
	m.step()
	if m.nesting++; m.nesting > m.deepest {
		m.failAt(n.pos, "U1001")
	}
	out := m.kind(n, in, env)
	for _, p := range n.predicate {
		out = m.filter(p.filter, out, env)
	}
	if n.hasGroup && n.kind != kindPath {
		out = m.group(n.group, out, env, n.pos)
	}
	m.nesting--
	if s, ok := out.(*array); ok && s.seq && !s.tuples {
		if n.keepArray && !s.keep {
			s = &array{items: m.all(s), seq: true, keep: true, outer: s.outer}
			out = s
		}
		switch {
		case s.len() == 0:
			return nil
		case s.len() == 1 && !s.keep:
			return m.all(s)[0]
		}
	}
	return out
}

func (m *machine) kind(n *node, in any, env *frame) any {
	switch n.kind {
	case kindPath:
		return m.path(n, in, env)
	case kindLiteral, kindRegex:
		return n.value
	case kindString:
		return n.text
	case kindName:
		return m.member(in, n.text)
	case kindVariable:
		if n.text != "" {
			return m.lookup(env, n.text)
		}
		if a, ok := in.(*array); ok && a.outer {
			return m.all(a)[0]
		}
		return in
	case kindWildcard:
		return m.wildcard(in)
	case kindDescendant:
		out := sequence()
		if in != nil {
			m.descend(in, out, 0)
		}
		if len(out.items) == 1 {
			return out.items[0]
		}
		return out
	case kindParent:
		return m.lookup(env, n.slot.label)
	case kindBinary:
		return m.binary(n, in, env)
	case kindNegate:
		return m.negate(n, in, env)
	case kindArray:
		return m.array(n, in, env)
	case kindObject:
		return m.group(n.pairs, in, env, n.pos)
	case kindBlock:
		inner := &frame{parent: env}
		var out any
		for _, part := range n.list {
			out = m.eval(part, in, inner)
		}
		return out
	case kindCondition:
		if m.truth(m.eval(n.left, in, env)) {
			return m.eval(n.right, in, env)
		}
		if n.third != nil {
			return m.eval(n.third, in, env)
		}
		return nil
	case kindBind:
		out := m.eval(n.right, in, env)
		env.bind(n.left.text, out)
		return out
	case kindCall:
		return m.call(n, in, env, nil)
	case kindPartial:
		return m.partial(n, in, env)
	case kindApply:
		return m.apply(n, in, env)
	case kindLambda, kindTransform:
		return &lambda{n: n, in: in, env: env}
	case kindSort, kindOperator, kindHole, kindFocus, kindIndex, kindFilter, kindGroup:
	}
	m.failAt(n.pos, expr.Internal)
	return nil
}

// member reads a member of an object, or of each object of a list.
func (m *machine) member(in any, key string) any {
	switch in := in.(type) {
	case *object:
		return in.get(key)
	case *array:
		out := sequence()
		m.members(in, key, out)
		return out
	}
	return nil
}

func (m *machine) members(in *array, key string, out *array) {
	items := m.all(in)
	m.spend(len(items) / 4)
	for _, item := range items {
		switch item := item.(type) {
		case *object:
			switch got := item.get(key).(type) {
			case nil:
			case *array:
				for _, one := range m.all(got) {
					out.put(m, one)
				}
			default:
				out.put(m, got)
			}
		case *array:
			m.members(item, key, out)
		}
	}
}

func (m *machine) wildcard(in any) any {
	out := sequence()
	add := func(v any) {
		a, ok := v.(*array)
		if !ok {
			out.put(m, v)
			return
		}
		m.flatten(a, out, 0)
		out.seq = false
	}
	if a, ok := in.(*array); ok && a.outer && a.len() > 0 {
		in = m.all(a)[0]
	}
	switch in := in.(type) {
	case *array:
		for _, item := range m.all(in) {
			add(item)
		}
	case *object:
		for i := range in.len() {
			add(in.val(i))
		}
	}
	return out
}

func (m *machine) flatten(a, out *array, depth int) {
	if depth > maxDataDepth {
		m.fail("U1001")
	}
	for _, item := range m.all(a) {
		m.step()
		if inner, ok := item.(*array); ok {
			m.flatten(inner, out, depth+1)
			continue
		}
		out.put(m, item)
	}
}

// joined is a new list of the items of two.
func (m *machine) joined(a, b *array) []any {
	m.allocate((a.len() + b.len()) * itemBytes)
	items := make([]any, 0, a.len()+b.len())
	return append(append(items, m.all(a)...), m.all(b)...)
}

func (m *machine) descend(in any, out *array, depth int) {
	m.step()
	if depth > maxDataDepth {
		m.fail("U1001")
	}
	if a, ok := in.(*array); ok {
		for _, item := range m.all(a) {
			m.descend(item, out, depth+1)
		}
		return
	}
	out.put(m, in)
	if o, ok := in.(*object); ok {
		for i := range o.len() {
			m.descend(o.val(i), out, depth+1)
		}
	}
}

func (m *machine) negate(n *node, in any, env *frame) any {
	v := m.eval(n.left, in, env)
	if v == nil {
		return nil
	}
	f, ok := num(v)
	if !ok {
		m.failAt(n.pos, "D1002", typeName(v))
	}
	return -f
}

// array builds a list: the items of lists between the commas, except of those
// written in brackets themselves, become items of it.
func (m *machine) array(n *node, in any, env *frame) any {
	out := &array{items: make([]any, 0, len(n.list)), used: new(int)}
	for _, part := range n.list {
		v := m.eval(part, in, env)
		if v == nil {
			continue
		}
		list, ok := v.(*array)
		switch {
		case !ok || part.kind == kindArray:
			m.extend(out, v)
		case out.len() == 0:
			out = list.shared()
		default:
			m.extend(out, m.all(list)...)
		}
	}
	out.cons = n.cons
	return out
}

// truth is the boolean that a value counts as. Functions count as true, other
// than as an argument of $boolean and $not.
func (m *machine) truth(x any) bool {
	switch x := x.(type) {
	case bool:
		return x
	case string:
		return x != ""
	case float64:
		return x != 0 && !math.IsNaN(x)
	case exact:
		return true
	case *array:
		for _, item := range m.all(x) {
			m.step()
			if m.truth(item) {
				return true
			}
		}
	case *object:
		return x.len() > 0
	case *lambda, *native:
		return true
	}
	return false
}

// group builds an object: its keys divide the items of in, and each value is
// computed with the items of its key as context.
func (m *machine) group(pairs [][2]*node, in any, env *frame, pos int) any {
	list, ok := in.(*array)
	if !ok {
		list = sequence(in)
	}
	items := m.all(list)
	if len(items) == 0 {
		items = []any{nil}
	}
	type entry struct {
		pair int
		data []any
	}
	groups, order := map[string]*entry{}, []string{}
	for _, item := range items {
		context, scope := item, env
		if t, ok := item.(*tuple); ok {
			context, scope = t.at, env.within(t)
		}
		for i, pair := range pairs {
			key := m.eval(pair[0], context, scope)
			if key == nil {
				continue
			}
			name, ok := key.(string)
			if !ok {
				m.failAt(pair[0].pos, "T1003", typeName(key))
			}
			g := groups[name]
			if g == nil {
				m.allocate(4*itemBytes + len(name))
				g = &entry{pair: i}
				groups[name], order = g, append(order, name)
			} else if g.pair != i {
				m.failAt(pos, "D1009", name)
			}
			m.allocate(itemBytes)
			g.data = append(g.data, item)
		}
	}
	out := newObject()
	for _, name := range order {
		g := groups[name]
		context, scope := m.grouped(g.data, env)
		if v := m.eval(pairs[g.pair][1], context, scope); v != nil {
			out.set(m, name, v)
		}
	}
	return out
}

// grouped is the context of the items of one key. Of tuples, the items and
// each of their variables are put together.
func (m *machine) grouped(data []any, env *frame) (any, *frame) {
	if first, ok := data[0].(*tuple); ok {
		all := &tuple{at: first.at, vars: append([]binding(nil), first.vars...)}
		if len(data) == 1 {
			first.at = nil // later keys do not find it, as in the reference
		}
		for _, item := range data[1:] {
			t := item.(*tuple)
			all.at = m.append(all.at, t.at)
			for i := range t.vars {
				if i < len(all.vars) {
					all.vars[i].val = m.append(all.vars[i].val, t.vars[i].val)
				}
			}
		}
		return all.at, env.within(all)
	}
	if len(data) == 1 {
		return data[0], env
	}
	out := &array{}
	for _, item := range data {
		if list, ok := item.(*array); ok {
			for _, one := range m.all(list) {
				out.put(m, one)
			}
		} else if item != nil {
			out.put(m, item)
		}
	}
	return out, env
}

// append puts two values together in a list, as $append does.
func (m *machine) append(a, b any) any {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	x, ok := a.(*array)
	if !ok {
		x = sequence(a)
	}
	y, ok := b.(*array)
	if !ok {
		y = sequence(b)
	}
	m.all(x) // once, if it is a range
	out := x.shared()
	m.extend(out, m.all(y)...)
	return out
}
