package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// approval compiles a step that asks people.
func (c *compiler) approval(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	node.Kind, node.Wait = workflow.KindWait, &workflow.Wait{}
	ask := n.Get("approval")
	with := &workflow.Data{Object: []workflow.DataMember{}}
	node.Wait.Event = &workflow.EventWait{Kind: workflow.EventApproval, With: with}
	for _, name := range []string{"message", "count", "roles", "users", "four_eyes", "on_timeout"} {
		if d, _ := c.field(ask, c.lang.approval, name, v); d != nil {
			with.Object = append(with.Object, workflow.DataMember{Key: name, Data: *d})
		}
	}
	if count, ok := ask.Get("count").ToValue().Int(); ok && count > maxApprovals {
		c.errorAt(ask.Get("count"), descriptor.CodeInvalidValue, "`count` is %d, more than %d", count, maxApprovals)
	}
	node.Timeout = c.bound(ask, c.lang.approval, v)
	if e := ask.Entry("on_timeout"); e != nil && ask.Get("timeout") == nil {
		c.errorAt(e.Key, codeMisplaced, "`on_timeout` has no meaning without `timeout`").WithHint("add timeout: 4h")
	}
	person := closed(
		expr.Field{Name: "user", Type: typ(expr.String)},
		expr.Field{Name: "at", Type: typ(expr.String)},
		expr.Field{Name: "comment", Type: typ(expr.String)})
	return closed(
		expr.Field{Name: "approved", Type: typ(expr.Bool)},
		expr.Field{Name: "expired", Type: typ(expr.Bool)},
		expr.Field{Name: "by", Type: expr.Type{Kind: expr.ListOf, Elem: &person}})
}

// maxApprovals is how many people an approval may need.
const maxApprovals = 100
