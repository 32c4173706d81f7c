package native

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// turns compiles what a step does, in turns if it has `repeat`: then into a loop
// whose body has one node without ID. The view is that of the step or, within
// foreach, of its item.
func (c *compiler) turns(st *step, v *view, node *workflow.Node) expr.Type {
	n := st.node
	r := n.Get("repeat")
	if r == nil {
		return c.do(n, v, node)
	}
	s := c.scope(v, roleTurn)
	s.carries = assignedBelow(n)
	tolerant, _ := boolean(r.Get("continue_on_error"))
	s.maySkip = r.Get("until") == nil || tolerant
	inner := &step{node: n, key: st.key, scope: s, starts: true}
	s.steps = []*step{inner}

	loop := &workflow.Loop{Body: s.body, FailedTurn: workflow.CancelRest}
	if tolerant {
		loop.FailedTurn = workflow.GoOn
	}
	node.Kind, node.Loop = workflow.KindLoop, loop
	loop.Max, _ = c.field(r, c.lang.repeat, "max", v)
	node.Timeout = c.bound(r, c.lang.repeat, v)
	loop.While = c.condition(r.Get("while"), &view{scope: s})

	turn := workflow.Node{Origin: node.Origin}
	turn.Origin.Kind = innerForm(n)
	out := c.do(n, inner.view(), &turn)
	body := &c.prog.Bodies[s.body]
	body.Nodes = []workflow.Node{turn}
	body.Output = c.reference(workflow.Source{Root: workflow.RootNode, Name: "output"}, out)
	if tolerant {
		out = nullable(out)
	}
	ended := &view{scope: s, turnEnded: true, result: &out, before: newBitset(1), sure: newBitset(1)}
	ended.before.add(0)
	if !tolerant {
		ended.sure.add(0)
	}
	loop.Until = c.condition(r.Get("until"), ended)
	loop.Delay, _ = c.field(r, c.lang.repeat, "delay", ended)
	if s.maySkip {
		out = nullable(out)
	}
	return out
}

// assignedBelow are the names of the variables that are set anywhere in a node.
func assignedBelow(n *yamldoc.Node) map[string]bool {
	names := map[string]bool{}
	assignments(n, func(key *yamldoc.Node) { names[key.Text] = true })
	return names
}

// assignments calls visit for every variable that `assign` sets in a node, in
// the order of the source.
func assignments(n *yamldoc.Node, visit func(key *yamldoc.Node)) {
	visited := map[*yamldoc.Node]bool{}
	var walk func(n *yamldoc.Node)
	walk = func(n *yamldoc.Node) {
		if n == nil || visited[n] {
			return
		}
		visited[n] = true
		for _, e := range n.Entries {
			if e.Key.Text == "assign" {
				for _, v := range e.Value.Entries {
					visit(v.Key)
				}
			}
			walk(e.Value)
		}
		for _, item := range n.Items {
			walk(item)
		}
	}
	walk(n)
}

// carried reports whether an earlier turn of a repeat around the place may have
// set the variable.
func (v *view) carried(name string) bool {
	for ; v != nil; v = v.scope.outer {
		if v.scope.role == roleTurn && !v.turnEnded && v.scope.carries[name] {
			return true
		}
	}
	return false
}
