package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/glob"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// factArtifacts is what expressions read of a step that keeps files.
const factArtifacts = "artifacts"

// keepsArtifacts reports whether the step itself, and not a turn or item of it,
// keeps files.
func (st *step) keepsArtifacts() bool {
	n := st.node
	return n.Get(factArtifacts) != nil && n.Get("run") != nil && n.Get("foreach") == nil && n.Get("repeat") == nil
}

func artifactsType() expr.Type {
	item := closed(
		expr.Field{Name: "path", Type: typ(expr.String)},
		expr.Field{Name: "size", Type: typ(expr.Int)},
		expr.Field{Name: "sha256", Type: typ(expr.String)},
		expr.Field{Name: "executable", Type: typ(expr.Bool)})
	list := typ(expr.ListOf)
	list.Elem = &item
	return list
}

// artifacts compiles the patterns of the files that a step keeps.
func (c *compiler) artifacts(n *yamldoc.Node) []string {
	var out []string
	for _, item := range itemsOf(n.Get(factArtifacts)) {
		if item.Kind != yamldoc.String {
			continue // which is reported
		}
		if fault := glob.Fault(item.Text); fault != "" {
			c.errorAt(item, descriptor.CodeInvalidValue, "the pattern %q %s", item.Text, fault).
				WithHint("patterns are relative to the working directory: reports/**")
		}
		out = append(out, item.Text)
	}
	return out
}

// filesFrom compiles the steps whose artifacts a step gets; nil if there are
// none.
func (c *compiler) filesFrom(n *yamldoc.Node, v *view) *workflow.Data {
	var lists []workflow.Data
	for _, item := range itemsOf(n.Get("files_from")) {
		if item.Kind != yamldoc.String || !c.grow(1, item) {
			continue
		}
		names := &names{c: c, view: v, node: item, src: item.Text, bound: map[string]bool{}}
		names.report = func(_, _ int, code, format string, args ...any) *diag.Diagnostic {
			return c.errorAt(item, code, format, args...)
		}
		st, at := v.findStep(item.Text)
		switch r := []string{rootSteps, item.Text}; {
		case st == nil || !st.named:
			names.unknownStep(r, st)
		case !at.before.has(st.index):
			names.notBefore(r, st, at)
		case !st.keepsArtifacts():
			c.errorAt(item, codeUnknownStep, "the step %q keeps no artifacts itself", st.id).WithHint("give that `run` step `artifacts`; those of items and turns stay with these")
		default:
			from := workflow.Source{Root: workflow.RootNode, Up: names.up(st.scope), Node: workflow.NodeID(st.index), Name: factArtifacts}
			lists = append(lists, *c.reference(from, artifactsType()))
		}
	}
	if lists == nil {
		return nil
	}
	return &workflow.Data{List: lists}
}

// itemsOf are those of a list, none for anything else.
func itemsOf(n *yamldoc.Node) []*yamldoc.Node {
	if n == nil || n.Kind != yamldoc.List {
		return nil
	}
	return n.Items
}
