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

// forbidden finds the variables that the environment forbids.
func forbidden(root *node, env *expr.Env) []expr.Problem {
	why := env.Forbidden()
	var problems []expr.Problem
	walk(root, func(n *node) {
		if n.kind == kindVariable && why[n.text] != "" {
			problems = append(problems, expr.Problem{Code: expr.CodeForbidden, Message: why[n.text], Offset: n.pos, Length: len(n.text) + 1})
		}
	})
	slices.SortFunc(problems, func(a, b expr.Problem) int { return a.Offset - b.Offset })
	return problems
}
