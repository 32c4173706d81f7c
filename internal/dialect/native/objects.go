package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// objectFields compiles the fields of a document that is no workflow, beside
// those that every document has.
func (c *compiler) objectFields(n *yamldoc.Node, o *descriptor.Object) *workflow.Data {
	c.noRun = true
	rest := &yamldoc.Node{Kind: yamldoc.Map, Pos: n.Pos}
	for _, e := range n.Entries {
		switch e.Key.Text {
		case "kind", "name", "namespace", "description", "labels", "type", "breaker":
		default:
			rest.Entries = append(rest.Entries, e)
		}
	}
	return c.object(rest, o, &view{scope: &scope{}, noInputs: true})
}
