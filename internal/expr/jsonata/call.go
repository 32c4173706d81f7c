package jsonata

import "strconv"

// native is a function of the language.
type native struct {
	name  string
	sig   *signature
	arity int // arguments that it takes from functions such as $map
	run   func(m *machine, c call) any
}

// call is one call of a native function.
type call struct {
	args []any
	in   any
}

func (c call) arg(i int) any { return argument(c.args, i) }

// str is argument i, which the signature has checked.
func (c call) str(i int) (s string, ok bool) {
	s, ok = c.arg(i).(string)
	return s, ok
}

func (c call) num(i int) (f float64, ok bool) { return num(c.arg(i)) }

func (c call) list(i int) (a *array, ok bool) {
	a, ok = c.arg(i).(*array)
	return a, ok
}

// fn is a native function.
func fn(name, sig string, arity int, run func(m *machine, c call) any) *native {
	return &native{name: name, sig: mustSignature(sig), arity: arity, run: run}
}

func mustSignature(text string) *signature {
	sig, code := parseSignature(text)
	if code != "" {
		panic("jsonata: the signature " + text + " is wrong") // the table is part of the program
	}
	return sig
}

// call evaluates a call; first, if it is there, goes before the arguments.
func (m *machine) call(n *node, in any, env *frame, first []any) any {
	f := m.eval(n.left, in, env)
	name := n.left.text
	if n.left.kind == kindPath {
		name = n.left.list[0].text
		if f == nil && m.lookup(env, name) != nil {
			m.failAt(n.pos, "T1005", name)
		}
	}
	args := append(make([]any, 0, len(first)+len(n.list)), first...)
	for _, arg := range n.list {
		args = append(args, m.eval(arg, in, env))
	}
	return m.invoke(f, args, in, n.pos, name)
}

// invoke calls a function, and then the calls in tail position that it ends
// with.
func (m *machine) invoke(f any, args []any, in any, pos int, name string) any {
	oldPos, oldName := m.pos, m.name
	m.pos, m.name = pos, name
	out := m.once(f, args, in)
	for {
		t, ok := out.(*lambda)
		if !ok || t.n == nil || !t.n.thunk {
			break
		}
		body := t.n.left
		m.step()
		next := m.eval(body.left, t.in, t.env)
		args := make([]any, len(body.list))
		for i, arg := range body.list {
			args[i] = m.eval(arg, t.in, t.env)
		}
		m.pos, m.name = body.pos, body.left.text
		out = m.once(next, args, in) // the context of the first call, as in the reference
	}
	m.pos, m.name = oldPos, oldName
	return out
}

// once calls a function; the result may be a thunk.
func (m *machine) once(f any, args []any, in any) any {
	m.step()
	if m.nesting++; m.nesting > m.deepest {
		m.fail("U1001")
	}
	defer func() { m.nesting-- }()
	switch f := f.(type) {
	case *native:
		if f.name != "" {
			m.name = f.name
		}
		args = m.arguments(f.sig, args, in)
		for _, arg := range args {
			if s, ok := arg.(string); ok {
				m.read(s)
			}
		}
		return f.run(m, call{args: args, in: in})
	case *regex:
		return m.matcher(f, args)
	case *lambda:
		return m.lambda(f, args, in)
	}
	m.fail("T1006", orThis(m.name))
	return nil
}

func orThis(name string) string {
	if name == "" {
		return "this"
	}
	return name
}

func (m *machine) lambda(f *lambda, args []any, in any) any {
	switch {
	case f.next != nil: // a chain
		return m.invoke(f.next, []any{m.invoke(f.inner, args, in, m.pos, m.name)}, in, m.pos, m.name)
	case f.inner != nil:
		given, used := append([]any(nil), f.fixed...), 0
		for i := range given {
			if _, ok := given[i].(hole); ok {
				given[i] = argument(args, used)
				used++
			}
		}
		if inner, ok := f.inner.(*lambda); ok && inner.n != nil && inner.n.kind == kindLambda {
			return m.body(inner, given) // whatever its signature says
		}
		return m.invoke(f.inner, given, in, m.pos, m.name)
	case f.n.kind == kindTransform:
		return m.transform(f, m.arguments(m.lang.transform, args, in))
	}
	if f.n.sig != nil {
		args = m.arguments(f.n.sig, args, in)
	}
	return m.body(f, args)
}

// body evaluates the body of a function of the expression; the result may be a
// thunk.
func (m *machine) body(f *lambda, args []any) any {
	env := &frame{parent: f.env, vars: make([]binding, 0, len(f.n.list))}
	for i, p := range f.n.list {
		env.bind(p.text, argument(args, i))
	}
	m.allocate((4 + 3*len(args)) * itemBytes)
	return m.eval(f.n.left, f.in, env)
}

// arity is the number of arguments that a function takes.
func arity(f any) int {
	switch f := f.(type) {
	case *native:
		return f.arity
	case *lambda:
		switch {
		case f.next != nil:
			return 1
		case f.inner != nil:
			n := 0
			for _, a := range f.fixed {
				if _, ok := a.(hole); ok {
					n++
				}
			}
			return n
		case f.n.kind == kindTransform:
			return 1
		}
		return len(f.n.list)
	}
	return 1
}

// higher calls a function that was given to another one, with as many of the
// arguments as it takes, but at least one. Its context is null.
func (m *machine) higher(f any, args ...any) any {
	return m.invoke(f, args[:min(len(args), max(1, arity(f)))], null{}, m.pos, m.name)
}

func (m *machine) partial(n *node, in any, env *frame) any {
	f := m.eval(n.left, in, env)
	name := n.left.text
	if n.left.kind == kindPath {
		name = n.left.list[0].text
		if f == nil && m.lookup(env, name) != nil {
			m.failAt(n.pos, "T1007", name)
		}
	}
	if !isFunction(f) {
		if v, ok := n.left.value.(float64); ok {
			name = strconv.FormatFloat(v, 'g', -1, 64)
		}
		m.failAt(n.pos, "T1008", orThis(name))
	}
	out := &lambda{inner: f}
	for _, arg := range n.list {
		if arg.kind == kindHole {
			out.fixed = append(out.fixed, hole{})
			continue
		}
		out.fixed = append(out.fixed, m.eval(arg, in, env))
	}
	return out
}

// apply is the operator ~>: a call with one more argument in front, or the
// chain of two functions.
func (m *machine) apply(n *node, in any, env *frame) any {
	left := m.eval(n.left, in, env)
	if n.right.kind == kindCall && len(n.right.predicate) == 0 {
		return m.call(n.right, in, env, []any{left})
	}
	right := m.eval(n.right, in, env)
	if !isFunction(right) {
		m.failAt(n.pos, "T2006")
	}
	if isFunction(left) {
		return &lambda{inner: left, next: right}
	}
	return m.invoke(right, []any{left}, null{}, n.pos, n.right.text)
}

// transform copies its argument and changes what the pattern finds in it.
func (m *machine) transform(f *lambda, args []any) any {
	if argument(args, 0) == nil {
		return nil
	}
	n := f.n
	root := m.clone(args[0], 0)
	matches := m.eval(n.left, root, f.env)
	list, ok := matches.(*array)
	if !ok {
		if matches == nil {
			return root
		}
		list = sequence(matches)
	}
	for _, match := range m.all(list) {
		target, isObject := match.(*object)
		update := m.eval(n.right, match, f.env)
		if update != nil {
			change, ok := update.(*object)
			if !ok {
				m.failAt(n.right.pos, "T2011", typeName(update))
			}
			for i := range change.len() {
				if isObject {
					target.set(m, change.key(i), change.val(i))
				}
			}
		}
		if n.third != nil {
			for _, key := range m.deletions(n.third, match, f.env) {
				if isObject {
					target.remove(key)
				}
			}
		}
	}
	return root
}

func (m *machine) deletions(n *node, match any, env *frame) []string {
	v := m.eval(n, match, env)
	if v == nil {
		return nil
	}
	list, ok := v.(*array)
	if !ok {
		list = sequence(v)
	}
	var keys []string
	for _, item := range m.all(list) {
		key, ok := item.(string)
		if !ok {
			m.failAt(n.pos, "T2012")
		}
		keys = append(keys, key)
	}
	return keys
}

// clone copies deeply, so that the copy can be changed.
func (m *machine) clone(x any, depth int) any {
	m.step()
	if depth > maxDataDepth {
		m.fail("U1001")
	}
	switch x := x.(type) {
	case *array:
		out := &array{items: []any{}}
		for _, item := range m.all(x) {
			out.put(m, m.clone(item, depth+1))
		}
		return out
	case *object:
		out := newObject()
		for i := range x.len() {
			out.set(m, x.key(i), m.clone(x.val(i), depth+1))
		}
		return out
	}
	return x
}
