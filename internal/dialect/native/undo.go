package native

import (
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// onFailure compiles what a failed run does. Where runs are started by hand,
// nobody decides about what is held.
func (c *compiler) onFailure() {
	e := c.doc.Entry("on_failure")
	if e == nil {
		return
	}
	n := e.Value
	switch how := workflow.OnFailure(n.Text); how {
	case workflow.OnFailureHold:
		c.prog.OnFailure, c.prog.Unattended = how, c.cfg.RunOnce
		if c.cfg.RunOnce {
			c.noEffect(e.Key, "nobody can decide about a failure in `regie run`, which ends the run; on a server an operator does")
		}
	case workflow.OnFailureCompensate:
		c.prog.OnFailure, c.prog.Unattended = how, c.cfg.RunOnce
	case workflow.OnFailureFail:
	}
}

// compensation compiles what undoes a step whose output has the type: a body of
// one node without ID. It reads what the step could, and the step's output, which
// is null where nobody knows what the step did.
func (c *compiler) compensation(n *yamldoc.Node, v *view, node *workflow.Node, out expr.Type) {
	e := n.Entry("compensate")
	if e == nil || e.Value.Kind != yamldoc.Map {
		return
	}
	for _, at := range []struct {
		role role
		word string
	}{{roleFinally, "finally"}, {roleUndo, "compensate"}} {
		if v.enclosing(at.role) != nil {
			c.errorAt(e.Key, codeMisplaced, "`compensate` cannot stand in `%s`: what runs there is not undone", at.word).WithHint("remove it")
			return
		}
	}
	outer := *v
	if v.at != nil {
		v.at.out = out
		outer.before = newBitset(len(v.scope.steps))
		outer.before.union(v.before)
		outer.before.add(v.at.index)
	}
	s := c.scope(&outer, roleUndo)
	s.itemType = nullable(out)
	inner := &step{node: e.Value, key: e.Key, scope: s, starts: true}
	s.steps = []*step{inner}
	undo := workflow.Node{Origin: workflow.Origin{
		Path: strings.TrimSuffix(c.path(s, ""), "/"), File: e.Key.Pos.File, Line: e.Key.Pos.Line, Kind: innerForm(e.Value),
	}}
	inside := inner.view()
	switch undo.Origin.Kind {
	case "run":
		c.run(e.Value, inside, &undo)
	case "uses":
		c.uses(e.Value, inside, &undo)
	case "steps", "graph":
		c.group(e.Value, inside, &undo)
	default: // reported
		undo.Kind = workflow.KindPass
	}
	c.retries(e.Value, inside, &undo, undo.Origin.Kind)
	if undo.Timeout = c.bound(e.Value, c.lang.compensation, inside); undo.Timeout == nil && undo.Task != nil {
		undo.Timeout = shift(c.defaultTimeout, s.depth)
	}
	c.prog.Bodies[s.body].Name, c.prog.Bodies[s.body].Nodes = "compensate", []workflow.Node{undo}
	node.Compensate = &workflow.Compensate{Body: s.body}
	if scalarText(e.Value.Get("on_unknown")) == workflow.OnUnknownRun {
		node.Compensate.OnUnknown = workflow.OnUnknownRun
	}
}
