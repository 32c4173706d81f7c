package native

import (
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// watchCall is the call that looks for files.
const watchCall = "object.watch"

// waitFile compiles a wait for a file into a loop of looks, each of which is
// given what the one before saw.
func (c *compiler) waitFile(w *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	file := w.Get("file")
	if file.Kind != yamldoc.Map {
		return expr.Type{}
	}
	for _, name := range []string{"connection", "bucket"} {
		if file.Get(name) == nil {
			c.errorAt(w.Entry("file").Key, descriptor.CodeMissingField, "`%s` is missing in `file`: a file arrives in an object store", name).
				WithHint("write file: {connection: arrivals, bucket: in, glob: \"*.csv\"}, and beside the workflow\nkind: Connection\nname: arrivals\ntype: folder\npath: /srv/arrivals")
		}
	}
	c.useObject(kindConnection, file.Get("connection"), []string{"folder", "s3"})
	s := c.scope(v, roleGroup)
	look := workflow.Node{Kind: workflow.KindTask, Task: &workflow.Task{Uses: watchCall, Idempotent: true}, Origin: node.Origin}
	with := &workflow.Data{}
	for _, name := range []string{"connection", "bucket", "glob", "min_size", "stable_for"} {
		if d, _ := c.field(file, c.fileObject(), name, v); d != nil {
			with.Object = append(with.Object, workflow.DataMember{Key: name, Data: *shift(d, 1)})
		}
	}
	before := c.reference(workflow.Source{Root: workflow.RootItem}, expr.Type{})
	with.Object = append(with.Object, workflow.DataMember{Key: "before", Data: *before})
	look.Task.With = with
	// A store that does not answer is no reason to stop waiting.
	look.Retry = []workflow.Retry{{
		Match:   []string{"object.unavailable", "object.connect", "object.broken", "timeout"},
		Backoff: workflow.Backoff{Initial: constant(value.String("10s")), Factor: constant(value.Int(2)), Max: constant(value.String("1m"))},
	}}
	out := expr.Type{}
	if conn := c.connectors[watchCall]; conn != nil && conn.Output != nil {
		out = objectType(conn.Output)
	}
	seen := workflow.Source{Root: workflow.RootNode, Name: "output"}
	body := &c.prog.Bodies[s.body]
	body.Nodes = []workflow.Node{look}
	body.Output = c.reference(seen, out)
	until := c.reference(workflow.Source{Root: workflow.RootItem}, out).Expr // of the turn that has ended
	until.Source = rootResult + ".found"
	node.Kind, node.Wait = workflow.KindLoop, nil
	node.Loop = &workflow.Loop{Body: s.body, Until: until, FailedTurn: workflow.CancelRest, Delay: constant(value.String("10s"))}
	if every := c.length(w, c.lang.wait, "every", v); every != nil {
		node.Loop.Delay = shift(every, 1)
	}
	node.Timeout = c.bound(w, c.lang.wait, v)
	return out
}

// fileObject describes `file` of `wait`.
func (c *compiler) fileObject() *descriptor.Object { return c.lang.wait.Field("file").Type.Object }
