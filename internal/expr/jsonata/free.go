package jsonata

import (
	"slices"

	"github.com/regie-dev/regie/internal/expr"
)

// Free lists what an expression takes from outside: the variables that it
// reads and does not bind itself, without functions of the language and without
// $ and $$, and the names that it reads of its context, with which a path
// begins. In the order in which they stand, without repetitions.
//
// A language without a context, as that of Step Functions, refuses the names.
func (c *compiled) Free() (variables, names []string) { return c.free.variables, c.free.names }

// freeOf finds what an expression takes from outside.
func freeOf(root *node, lang *Language, env *expr.Env) *freeWalker {
	w := &freeWalker{known: lang.functions, env: env}
	w.node(root, &bindings{}, true)
	return w
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

// bind adds the variables that a step of a path binds.
func (s *bindings) bind(step *node) {
	names := []string{step.focus, step.index}
	for _, stage := range step.stages {
		names = append(names, stage.index)
	}
	for _, name := range names {
		if name != "" {
			s.bound = append(s.bound, name)
		}
	}
}

type freeWalker struct {
	known            map[string]*native
	env              *expr.Env
	variables, names []string
	reads            [][]string // see expr.Compiled
}

// node looks at an expression; outer says that its context is that of the
// whole expression.
func (w *freeWalker) node(n *node, in *bindings, outer bool) {
	if n == nil {
		return
	}
	switch n.kind {
	case kindVariable:
		w.variable(n, nil, in, outer)
	case kindName:
		if outer {
			w.names = add(w.names, n.text)
			w.read(inputRoot, nil)
		}
	case kindWildcard, kindDescendant:
		if outer {
			w.read(inputRoot, nil)
		}
	case kindPath:
		w.path(n, in, outer)
		return
	case kindLambda:
		w.lambda(n, in, outer)
	case kindCall, kindPartial:
		w.call(n, in, outer)
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
	case kindCondition, kindBinary: // the parts behind the first may not be evaluated
		w.node(n.left, in, outer)
		w.node(n.right, &bindings{around: in}, outer)
		w.node(n.third, &bindings{around: in}, outer)
	case kindTransform:
		w.node(n.left, in, false)
		w.node(n.right, in, false)
		w.node(n.third, in, false)
	default:
		w.parts(n, in, outer)
	}
	w.filters(n, &bindings{around: in})
}

// variable looks at a variable with the constant names behind it.
func (w *freeWalker) variable(n *node, behind []string, in *bindings, outer bool) {
	switch _, builtIn := w.known[n.text]; {
	case n.text == "$", n.text == "" && outer:
		w.read(inputRoot, behind)
	case n.text == "" || in.has(n.text):
	case !builtIn:
		w.variables = add(w.variables, n.text)
		w.read(n.text, behind)
	case w.declared(n.text): // the variable hides the function
		w.read(n.text, behind)
	}
}

// declared reports whether there may be a variable that has the name of a
// function.
func (w *freeWalker) declared(name string) bool {
	return w.env == nil || slices.ContainsFunc(w.env.Roots, func(r expr.Root) bool { return r.Name == name })
}

func (w *freeWalker) read(root string, behind []string) {
	path := append([]string{root}, behind...)
	if !slices.ContainsFunc(w.reads, func(old []string) bool { return slices.Equal(old, path) }) {
		w.reads = append(w.reads, path)
	}
}

// call looks at a call. What is called is no data, so the name of a function
// of the language means that function; it may take the context for an argument
// that is not given.
func (w *freeWalker) call(n *node, in *bindings, outer bool) {
	f, builtIn := w.known[n.left.text]
	if n.left.kind != kindVariable || !builtIn || in.has(n.left.text) {
		w.node(n.left, in, outer)
	} else if outer && len(n.list) < len(f.sig.params) && slices.ContainsFunc(f.sig.params, func(p param) bool { return p.context != nil }) {
		w.read(inputRoot, nil)
	}
	for _, arg := range n.list {
		w.node(arg, in, outer)
	}
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
	inner, steps := &bindings{around: in}, n.list
	if first := steps[0]; first.kind == kindVariable {
		w.variable(first, constantNames(steps), inner, outer)
		inner.bind(first)
		w.filters(first, inner)
		steps = steps[1:]
		outer = false
	}
	for i, step := range steps {
		inner.bind(step)
		w.node(step, inner, outer && i == 0)
	}
	for _, pair := range n.group {
		w.node(pair[0], inner, false)
		w.node(pair[1], inner, false)
	}
}

// constantNames are the names of members behind the first step of a path, up
// to a filter or anything else that selects.
func constantNames(steps []*node) []string {
	var out []string
	for i, step := range steps {
		if i > 0 && step.kind != kindName {
			break
		}
		if i > 0 {
			out = append(out, step.text)
		}
		if len(step.stages) > 0 || len(step.predicate) > 0 || step.tuple {
			break
		}
	}
	return out
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
