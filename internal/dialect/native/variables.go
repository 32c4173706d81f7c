package native

import (
	"slices"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// A variable is a name that `assign` steps set.
type variable struct {
	name string
	home *scope // the main scope or an item scope: where it lives
	sets []setting
}

// setting is one assignment.
type setting struct {
	step *step
	typ  expr.Type
}

// findVar returns the variable as the place sees it: that of the outermost
// scope that has it.
func (v *view) findVar(name string) *variable {
	var found *variable
	for ; v != nil; v = v.scope.outer {
		if x := v.scope.vars[name]; x != nil {
			found = x
		}
	}
	return found
}

// variable returns the type of a variable and whether it may be set here.
func (v *view) variable(name string) (t expr.Type, set bool) {
	if slices.Contains(v.set, name) {
		x := v.findVar(name)
		return x.sets[len(x.sets)-1].typ, true
	}
	x := v.findVar(name)
	if x == nil {
		return expr.Type{}, false
	}
	sure := false
	for _, s := range x.sets {
		before, certain := v.setBefore(s.step)
		if !before {
			continue
		}
		if t = common(t, s.typ, !set); certain {
			sure = true
		}
		set = true
	}
	if v.carried(name) { // to what, is not known yet
		t, set = expr.Type{}, true
	}
	if !sure {
		t = nullable(t)
	}
	return t, set
}

// setBefore reports whether an assignment may, and whether it must, have
// happened before the place. The step may lie deep in groups that have ended.
func (v *view) setBefore(st *step) (before, certain bool) {
	certain = true
	for {
		for w := v; w != nil; w = w.scope.outer {
			if w.scope == st.scope {
				return w.before.has(st.index), certain && w.sure.has(st.index)
			}
		}
		s := st.scope
		if s.outer == nil {
			return false, false
		}
		certain = certain && !s.maySkip && s.role != roleItem && s.role != roleCase && s.role != roleCatch && s.role != roleFinally && st.starts && !st.maySkip()
		outer := s.outer
		if s.role == roleFinally { // it belongs to the end of the group
			outer = outer.scope.outer
		}
		if outer == nil {
			return false, false
		}
		st = outer.at
	}
}

// common is a type that both fit; the first replaces whatever was there.
func common(a, b expr.Type, first bool) expr.Type {
	switch {
	case first:
		return b
	case a.Kind == b.Kind && a.Kind != expr.ObjectOf && a.Kind != expr.ListOf:
		a.Nullable = a.Nullable || b.Nullable
		return a
	case a.Kind == expr.NullType:
		return nullable(b)
	case b.Kind == expr.NullType:
		return nullable(a)
	}
	return expr.Type{Nullable: a.Nullable || b.Nullable}
}

// assigned lists the variables that are set within a step or workflow and
// below it, in order without repetitions. What is set within the items of a
// foreach belongs to them, unless n is that step itself.
func assigned(n *yamldoc.Node) []string {
	var out []string
	seen := map[string]bool{}
	var walk func(n *yamldoc.Node, root bool)
	each := func(n *yamldoc.Node) {
		if n == nil {
			return
		}
		for _, item := range n.Items {
			walk(item, false)
		}
	}
	walk = func(n *yamldoc.Node, root bool) {
		foreach := n.Get("foreach") != nil
		if !foreach || !root { // handlers stand outside of the items
			if h := n.Get("on_error"); h != nil {
				walk(h, true)
				each(h)
			}
		}
		if foreach && !root {
			return
		}
		for _, e := range entries(n.Get("assign")) {
			if !seen[e.Key.Text] {
				seen[e.Key.Text] = true
				out = append(out, e.Key.Text)
			}
		}
		for _, field := range []string{"steps", "parallel", "switch", "else", "finally"} {
			each(n.Get(field))
		}
		for _, e := range entries(n.Get("graph")) {
			walk(e.Value, false)
		}
	}
	walk(n, true)
	return out
}

// entries are those of a mapping, none for anything else.
func entries(n *yamldoc.Node) []yamldoc.Entry {
	if n == nil {
		return nil
	}
	return n.Entries
}
