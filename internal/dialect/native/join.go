package native

import (
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// readJoin compiles `join` over the needs that were read.
func (c *compiler) readJoin(st *step) {
	n := st.node.Get("join")
	if len(st.needs) == 0 {
		if n != nil {
			c.errorAt(st.node.Entry("join").Key, codeJoin, "`join` says how needs satisfy a step, and this one has none").WithHint("add `needs`, or remove `join`")
		}
		return
	}
	switch word := scalarText(n); word {
	case "", "all":
		st.join = joinAll(st.needs)
	case "any":
		st.join = combine(st.needs, workflow.OpOr)
	case "done":
		all := make([]need, len(st.needs))
		for i, one := range st.needs {
			one.ends = workflow.EndAny
			all[i] = one
		}
		st.join = joinAll(all)
		c.noEnds(st, word)
	default:
		c.noEnds(st, "an expression")
		st.join = c.predicate(st)
	}
}

// noEnds refuses a mapping of needs where `join` says itself which ends count.
func (c *compiler) noEnds(st *step, join string) {
	if n := st.node.Get("needs"); len(n.Entries) > 0 {
		c.errorAt(n, codeJoin, "with `join: %s` the needs must be a list: which ends count is said by the join", join).WithHint("write needs: [%s]", st.needIDs()[0])
	}
}

// predicate compiles a join that is an expression. One made of how needs ended
// is taken apart, so that it is judged as soon as it is decided; any other is
// judged when all needs have ended.
func (c *compiler) predicate(st *step) *workflow.Join {
	j := &workflow.Join{}
	st.before = newBitset(len(st.scope.steps))
	for _, n := range st.needs {
		j.Needs = append(j.Needs, workflow.NodeID(n.step.index))
		st.before.union(n.step.before)
		st.before.add(n.step.index)
	}
	n := st.node.Get("join")
	if parser, ok := c.cfg.Expr.(joinParser); ok && n.Kind == yamldoc.String {
		if tree, problems := parser.ParseJoin(n.Text); len(problems) == 0 {
			j.When = c.formula(st, n, tree)
			return j
		}
	}
	j.When = workflow.Cond{Op: workflow.OpExpr, Expr: c.condition(n, st.view())}
	if j.When.Expr == nil { // its fault is reported
		return joinAll(st.needs)
	}
	return j
}

// joinParser is what an expression language can do that takes joins apart.
type joinParser interface {
	ParseJoin(text string) (*cel.Join, []expr.Problem)
}

// formula is the tree of a join over the needs of a step.
func (c *compiler) formula(st *step, n *yamldoc.Node, tree *cel.Join) workflow.Cond {
	if tree.Op == cel.JoinNeed {
		return c.atom(st, n, tree)
	}
	ops := map[cel.JoinOp]workflow.Op{cel.JoinAnd: workflow.OpAnd, cel.JoinOr: workflow.OpOr, cel.JoinNot: workflow.OpNot}
	cond := workflow.Cond{Op: ops[tree.Op]}
	for _, arg := range tree.Args {
		cond.Args = append(cond.Args, c.formula(st, n, arg))
	}
	return cond
}

func (c *compiler) atom(st *step, n *yamldoc.Node, tree *cel.Join) workflow.Cond {
	cond := workflow.Cond{Op: workflow.OpEnd, Ends: workflow.EndAny}
	for _, e := range ends {
		if e.word == tree.State {
			cond.Ends = e.end
		}
	}
	for i, need := range st.needs {
		if need.step.id == tree.Need {
			cond.Need = i
			return cond
		}
	}
	d := c.list.Errorf(n.At(tree.Offset), codeUnknownStep, "the step does not need %q", tree.Need).WithLength(max(1, tree.Length))
	if d.Hint = diag.DidYouMean(tree.Need, st.needIDs()); d.Hint == "" {
		d.WithHint("its needs are %s", strings.Join(st.needIDs(), ", "))
	}
	return cond
}
