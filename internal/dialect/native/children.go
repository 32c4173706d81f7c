package native

import (
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// child compiles a step that runs another workflow.
func (c *compiler) child(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	node.Kind, node.Child = workflow.KindChild, &workflow.Child{With: constant(value.Object())}
	if d, _ := c.field(n, c.lang.step, "with", v); d != nil {
		node.Child.With = d
	}
	w := n.Get("workflow")
	if w.Kind != yamldoc.Map {
		c.workflowName(w)
		node.Child.Workflow = w.Text
		return typ(expr.Any)
	}
	c.workflowName(w.Get("name"))
	node.Child.Workflow, node.Child.Version = scalarText(w.Get("name")), scalarText(w.Get("version"))
	node.Child.Date, _ = c.field(w, c.lang.child, "date", v)
	if scalarText(w.Get("cancel")) == string(workflow.ChildAbandon) {
		node.Child.Cancel = workflow.ChildAbandon
	}
	if node.Child.Detach, _ = boolean(w.Get("detach")); node.Child.Detach {
		c.onlyAwaited(n, w)
		return closed(expr.Field{Name: "run", Type: typ(expr.String)})
	}
	return typ(expr.Any)
}

// onlyAwaited refuses what has no meaning for a child that is not awaited.
func (c *compiler) onlyAwaited(n, w *yamldoc.Node) {
	for _, e := range []*yamldoc.Entry{n.Entry("timeout"), w.Entry("cancel")} {
		if e != nil {
			c.errorAt(e.Key, codeMisplaced, "`%s` has no meaning with `detach`: the end of the child is not awaited", e.Key.Text).WithHint("remove it")
		}
	}
}

// waitRun compiles a wait for a run of another workflow.
func (c *compiler) waitRun(w *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	c.workflowName(w.Get("workflow"))
	with := []workflow.DataMember{{Key: "workflow", Data: *constant(value.String(scalarText(w.Get("workflow"))))}}
	if d, _ := c.field(w, c.lang.wait, "date", v); d != nil {
		with = append(with, workflow.DataMember{Key: "date", Data: *d})
	}
	for _, name := range []string{"state", "which"} {
		if text := scalarText(w.Get(name)); text != "" {
			with = append(with, workflow.DataMember{Key: name, Data: *constant(value.String(text))})
		}
	}
	node.Wait.Event = &workflow.EventWait{Kind: workflow.EventRun, With: &workflow.Data{Object: with}}
	node.Timeout = c.bound(w, c.lang.wait, v)
	text := typ(expr.String)
	return closed(expr.Field{Name: "run", Type: text}, expr.Field{Name: "state", Type: text},
		expr.Field{Name: "business_date", Type: text}, expr.Field{Name: "output"})
}

// workflowName checks NAME or NAMESPACE/NAME.
func (c *compiler) workflowName(n *yamldoc.Node) {
	if n == nil || n.Kind != yamldoc.String {
		return
	}
	namespace, name, qualified := strings.Cut(n.Text, "/")
	if !qualified {
		namespace, name = "x", n.Text
	}
	if !descriptor.ValidName(namespace) || !descriptor.ValidName(name) {
		c.errorAt(n, descriptor.CodeInvalidValue, "%q is not the name of a workflow", n.Text).WithHint("write NAME or NAMESPACE/NAME")
	}
}
