package native

import (
	"iter"
	"slices"
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
	for _, other := range effectsBelow(n) {
		c.errorAt(e.Key, descriptor.CodeConflict, "`cache` excludes `%s` in the steps of the group", other).
			WithHint("an output that is used again would come without it")
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

// effectsBelow names what the steps of a group do beside making its output, in
// the order of the source without repetitions.
func effectsBelow(n *yamldoc.Node) []string {
	var out []string
	for step := range stepsBelow(n) {
		for _, name := range []string{factArtifacts, "compensate", "at_most_once", "approval", "conditions", "return"} {
			if step.Entry(name) != nil && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// stepsBelow yields the steps in a group, a step's handlers and parts of
// `switch` included.
func stepsBelow(n *yamldoc.Node) iter.Seq[*yamldoc.Node] {
	return func(yield func(*yamldoc.Node) bool) {
		var walk func(n *yamldoc.Node) bool
		visit := func(step *yamldoc.Node) bool { return yield(step) && walk(step) }
		walk = func(n *yamldoc.Node) bool {
			for _, e := range entries(n) {
				switch e.Key.Text {
				case "steps", "parallel", "switch", "else", "finally", "on_error":
					for _, item := range e.Value.Items {
						if !visit(item) {
							return false
						}
					}
					if e.Key.Text == "on_error" && !walk(e.Value) {
						return false
					}
				case "graph":
					for _, member := range e.Value.Entries {
						if !visit(member.Value) {
							return false
						}
					}
				}
			}
			return true
		}
		walk(n)
	}
}
