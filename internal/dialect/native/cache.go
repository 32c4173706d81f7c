package native

import (
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// cache compiles the use of earlier outputs. What a step does beside making its
// output would not be done again, so steps that do something of that kind are
// refused.
func (c *compiler) cache(n *yamldoc.Node, v *view, node *workflow.Node) {
	e := n.Entry("cache")
	if e == nil || e.Value.Kind != yamldoc.Map {
		return
	}
	switch innerForm(n) {
	case "run", "uses", "steps", "graph":
	default:
		return // it is misplaced
	}
	for _, other := range []string{factArtifacts, "compensate", "at_most_once"} {
		if n.Entry(other) != nil {
			c.errorAt(e.Key, descriptor.CodeConflict, "`cache` and `%s` exclude each other", other).
				WithHint("an output that is used again would come without it")
		}
	}
	if set := assigned(n); len(set) > 0 {
		c.errorAt(e.Key, descriptor.CodeConflict, "the step sets %s, which an output that is used again would not", strings.Join(set, ", ")).
			WithHint("return it in `outputs`, and `assign` it after the step")
	}
	key, _ := c.field(e.Value, c.lang.cache, "key", v)
	length, _ := c.field(e.Value, c.lang.cache, "for", v)
	if key != nil {
		node.Cache = &workflow.Cache{Key: key, For: length}
	}
}
