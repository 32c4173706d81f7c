package jsonata

import (
	"slices"

	"github.com/regie-dev/regie/internal/expr"
)

// walk visits a node and all below it.
func walk(n *node, visit func(*node)) {
	if n == nil {
		return
	}
	visit(n)
	for _, part := range []*node{n.left, n.right, n.third} {
		walk(part, visit)
	}
	for _, part := range n.list {
		walk(part, visit)
	}
	for _, pairs := range [][][2]*node{n.pairs, n.group} {
		for _, pair := range pairs {
			walk(pair[0], visit)
			walk(pair[1], visit)
		}
	}
	for _, t := range n.terms {
		walk(t.expr, visit)
	}
	for _, stages := range [][]stage{n.predicate, n.stages} {
		for _, s := range stages {
			walk(s.filter, visit)
		}
	}
}

// reads lists the variables of an expression with the constant names behind
// them. What is read of the context depends on where it is read, so only the
// whole input stands for it.
func reads(root *node) [][]string {
	var out [][]string
	add := func(path []string) {
		if !slices.ContainsFunc(out, func(old []string) bool { return slices.Equal(old, path) }) {
			out = append(out, path)
		}
	}
	inPath := map[*node]bool{}
	walk(root, func(n *node) {
		switch {
		case n.kind == kindPath && n.list[0].kind == kindVariable:
			first := n.list[0]
			inPath[first] = true
			path := []string{variableRoot(first.text)}
			for _, step := range n.list[1:] {
				if step.kind != kindName {
					break
				}
				path = append(path, step.text)
			}
			add(path)
		case n.kind == kindVariable && !inPath[n]:
			add([]string{variableRoot(n.text)})
		case n.kind == kindName:
			add([]string{inputRoot})
		}
	})
	return out
}

func variableRoot(name string) string {
	if name == "" || name == "$" {
		return inputRoot
	}
	return name
}

// forbidden finds the variables that the environment forbids.
func forbidden(root *node, env *expr.Env) []expr.Problem {
	if env == nil {
		return nil
	}
	why := map[string]string{}
	for _, r := range env.Roots {
		if r.Why != "" {
			why[r.Name] = r.Why
		}
	}
	var problems []expr.Problem
	walk(root, func(n *node) {
		if n.kind == kindVariable && why[n.text] != "" {
			problems = append(problems, expr.Problem{Code: expr.CodeForbidden, Message: why[n.text], Offset: n.pos, Length: len(n.text) + 1})
		}
	})
	slices.SortFunc(problems, func(a, b expr.Problem) int { return a.Offset - b.Offset })
	return problems
}
