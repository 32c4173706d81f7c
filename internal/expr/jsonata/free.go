package jsonata

import "slices"

// Free lists what an expression takes from outside: the variables that it
// reads and does not bind itself, without functions of the language and without
// $ and $$, and the names that it reads of its context, with which a path
// begins. In the order in which they stand, without repetitions.
//
// A language without a context, as that of Step Functions, refuses the names.
func (c *compiled) Free() (variables, names []string) {
	w := &freeWalker{known: c.lang.functions}
	w.node(c.root, &bindings{}, true)
	return w.variables, w.names
}

// bindings are the variables bound in a scope and in those around it.
type bindings struct {
	around *bindings
	bound  []string
}

func (s *bindings) has(name string) bool {
	for ; s != nil; s = s.around {
		if slices.Contains(s.bound, name) {
			return true
		}
	}
	return false
}

type freeWalker struct {
	known            map[string]*native
	variables, names []string
}

// node looks at an expression; outer says that its context is that of the
// whole expression.
func (w *freeWalker) node(n *node, in *bindings, outer bool) {
	if n == nil {
		return
	}
	switch n.kind {
	case kindVariable:
		if _, builtIn := w.known[n.text]; n.text != "" && n.text != "$" && !builtIn && !in.has(n.text) {
			w.variables = add(w.variables, n.text)
		}
	case kindName:
		if outer {
			w.names = add(w.names, n.text)
		}
	case kindPath:
		w.path(n, in, outer)
		return
	case kindLambda:
		w.lambda(n, in, outer)
	case kindBind:
		if n.right.kind == kindLambda { // it may call itself
			in.bound = append(in.bound, n.left.text)
		}
		w.node(n.right, in, outer)
		in.bound = append(in.bound, n.left.text)
	case kindBlock:
		inner := &bindings{around: in}
		for _, part := range n.list {
			w.node(part, inner, outer)
		}
	case kindTransform:
		w.node(n.left, in, false)
		w.node(n.right, in, false)
		w.node(n.third, in, false)
	default:
		w.parts(n, in, outer)
	}
	w.filters(n, in)
}

// parts looks at what stands in a node with the node's own context.
func (w *freeWalker) parts(n *node, in *bindings, outer bool) {
	for _, part := range []*node{n.left, n.right, n.third} {
		w.node(part, in, outer)
	}
	for _, part := range n.list {
		w.node(part, in, outer)
	}
	for _, pair := range n.pairs {
		w.node(pair[0], in, outer)
		w.node(pair[1], in, outer)
	}
}

// filters looks at what stands behind a node and is evaluated for its items.
func (w *freeWalker) filters(n *node, in *bindings) {
	for _, stages := range [][]stage{n.predicate, n.stages} {
		for _, s := range stages {
			w.node(s.filter, in, false)
		}
	}
	for _, pair := range n.group {
		w.node(pair[0], in, false)
		w.node(pair[1], in, false)
	}
	for _, t := range n.terms {
		w.node(t.expr, in, false)
	}
}

// path looks at the steps: only the first has the context of the path, and
// variables that a step binds are seen by all behind it.
func (w *freeWalker) path(n *node, in *bindings, outer bool) {
	inner := &bindings{around: in}
	for i, step := range n.list {
		if step.focus != "" {
			inner.bound = append(inner.bound, step.focus)
		}
		if step.index != "" {
			inner.bound = append(inner.bound, step.index)
		}
		for _, s := range step.stages {
			if s.index != "" {
				inner.bound = append(inner.bound, s.index)
			}
		}
		w.node(step, inner, outer && i == 0)
	}
	for _, pair := range n.group {
		w.node(pair[0], inner, false)
		w.node(pair[1], inner, false)
	}
}

// lambda looks at a function's body, or at a call that was made a thunk.
func (w *freeWalker) lambda(n *node, in *bindings, outer bool) {
	inner := &bindings{around: in}
	for _, parameter := range n.list {
		inner.bound = append(inner.bound, parameter.text)
	}
	w.node(n.left, inner, outer)
}

func add(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}
