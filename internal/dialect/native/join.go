package native

import (
	"github.com/regie-dev/regie/internal/workflow"
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

// predicate compiles a join that is an expression.
func (c *compiler) predicate(st *step) *workflow.Join {
	j := &workflow.Join{}
	st.before = newBitset(len(st.scope.steps))
	for _, n := range st.needs {
		j.Needs = append(j.Needs, workflow.NodeID(n.step.index))
		st.before.union(n.step.before)
		st.before.add(n.step.index)
	}
	e := c.condition(st.node.Get("join"), st.view())
	j.When = workflow.Cond{Op: workflow.OpExpr, Expr: e}
	return j
}
