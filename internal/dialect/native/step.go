package native

import (
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// step compiles a step into its node. A step with foreach becomes a map whose
// body has one node without ID, which does what the step does; fields that
// concern the step as a whole belong to the map, all others to that node.
func (c *compiler) step(st *step) workflow.Node {
	n, v := st.node, st.view()
	node := workflow.Node{ID: st.id, Join: st.join, Origin: c.origin(st)}
	node.If = c.condition(n.Get("if"), v)
	var skipped expr.Type
	node.Default, skipped = c.field(n, c.lang.step, "default", v)
	if n.Get("foreach") != nil {
		st.out = c.foreach(st, v, &node)
	} else {
		c.onlyWithForeach(n)
		st.out = c.turns(st, v, &node)
	}
	c.catches(n, v, &node, &st.out)
	c.conditions(n, v, &node)
	if node.Default != nil {
		st.out = common(st.out, skipped, false)
	}
	node.ContinueOnError = st.continues()
	node.Expected = scalarText(n.Get("expected"))
	return node
}

func (c *compiler) origin(st *step) workflow.Origin {
	return workflow.Origin{
		Path: c.path(st.scope, st.id), File: st.node.Pos.File, Line: st.key.Pos.Line,
		Kind: form(st.node), Label: strings.TrimSpace(scalarText(st.node.Get("description"))),
	}
}

// path is where a step stands, in the form of the paths of a run.
func (c *compiler) path(s *scope, id string) string {
	segments := []string{id}
	for ; s.outer != nil; s = s.outer.scope {
		switch {
		case s.role == roleFinally:
			segments = append(segments, "finally")
		case s.role == roleUndo:
			segments = append(segments, "compensate")
			if s.outer.at.id != "" {
				segments = append(segments, s.outer.at.id)
			}
		case s.role == roleCatch:
			segments = append(segments, "on_error", s.outer.at.id)
		case s.outer.at.id != "":
			segments = append(segments, s.outer.at.id)
		}
	}
	slices.Reverse(segments)
	return strings.Join(segments, "/")
}

// form is the field that says what a step does.
func form(n *yamldoc.Node) string {
	if n.Get("foreach") != nil {
		return "foreach"
	}
	return repeatedForm(n)
}

// repeatedForm says what is done once, or for each item.
func repeatedForm(n *yamldoc.Node) string {
	if n.Get("repeat") != nil {
		return "repeat"
	}
	return innerForm(n)
}

func innerForm(n *yamldoc.Node) string {
	for _, f := range forms {
		if n.Entry(f) != nil {
			return f
		}
	}
	return ""
}

// onlyWithForeach refuses fields that have no meaning without foreach.
func (c *compiler) onlyWithForeach(n *yamldoc.Node) {
	fields := []string{"as", "max_parallel", "max_failures", "max_failed_percent"}
	if n.Entry("parallel") == nil {
		fields = append(fields, "fail_fast")
	}
	for _, f := range fields {
		if e := n.Entry(f); e != nil {
			c.errorAt(e.Key, codeMisplaced, "`%s` belongs to `foreach`, which this step does not have", f).WithHint("remove it, or add `foreach`")
		}
	}
}

// allowed are the fields that belong to some forms only.
var allowed = []struct {
	field string
	forms []string
	hint  string
}{
	{"with", []string{"uses", "workflow"}, "it is the input of `uses`"},
	{"shell", []string{"run"}, "it belongs to `run`, or to the workflow's `defaults`"},
	{"grace", []string{"run"}, "it belongs to `run`"},
	{"success", []string{"run"}, "it belongs to `run`"},
	{"image", []string{"run"}, "it belongs to `run`"},
	{"artifacts", []string{"run"}, "it belongs to `run`"},
	{"files_from", []string{"run"}, "it belongs to `run`"},
	{"run_as", []string{"run"}, "it belongs to `run`"},
	{"env", []string{"run", "steps", "graph", "parallel", "switch"}, "only `run` steps have an environment"},
	{"idempotent", []string{"run", "uses"}, "it belongs to `run` and `uses`"},
	{"at_most_once", []string{"run", "uses"}, "it belongs to `run` and `uses`"},
	{"heartbeat", []string{"run", "uses"}, "it belongs to `run` and `uses`"},
	{"runs_on", []string{"run", "uses", "steps", "graph", "parallel"}, "it belongs to `run` and `uses`"},
	{"on_disconnect", []string{"run", "uses"}, "it belongs to `run` and `uses`"},
	{"lost_after", []string{"run", "uses"}, "it belongs to `run` and `uses`"},
	{"compensate", []string{"run", "uses", "steps", "graph", "workflow"}, "there is nothing to undo"},
	{"cache", []string{"run", "uses", "steps", "graph"}, "there is nothing to keep"},
	{"finally", []string{"steps", "graph"}, "it belongs to a group (`steps` or `graph`)"},
	{"outputs", []string{"run", "uses", "steps", "graph", "switch", "parallel", "workflow", "wait", "approval"}, "the step has no output to change"},
	{"retry", []string{"run", "uses", "steps", "graph", "switch", "parallel", "workflow"}, "there is nothing to try again"},
	{"timeout", []string{"run", "uses", "steps", "graph", "switch", "parallel", "workflow"}, "it belongs to what runs something; `wait` and `approval` have their own inside"},
}

// misplaced reports fields that have no meaning on the step's form.
func (c *compiler) misplaced(n *yamldoc.Node, what string) {
	if what == "" {
		return
	}
	for _, a := range allowed {
		e := n.Entry(a.field)
		if e == nil {
			continue
		}
		found := false
		for _, f := range a.forms {
			found = found || n.Entry(f) != nil
		}
		if !found {
			c.errorAt(e.Key, codeMisplaced, "`%s` has no meaning on a step with `%s`", a.field, what).WithHint("%s", a.hint)
		}
	}
}

// do compiles what a step does once, and returns the type of its output.
func (c *compiler) do(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	what := innerForm(n)
	c.misplaced(n, what)
	var out expr.Type
	switch what {
	case "run":
		c.run(n, v, node)
	case "uses":
		out = c.uses(n, v, node)
	case "steps", "graph":
		out = c.group(n, v, node)
	case "switch":
		out = c.choice(n, v, node)
	case "parallel":
		out = c.parallel(n, v, node)
	case "wait":
		out = c.wait(n, v, node)
	case "approval":
		out = c.approval(n, v, node)
	case "workflow":
		out = c.child(n, v, node)
	case "assign":
		out = c.assign(n, v, node)
	case "fail":
		c.fail(n, v, node)
	case "return":
		c.returns(n, v, node)
	default: // not available yet, or missing; either is reported
		node.Kind = workflow.KindPass
	}
	c.retries(n, v, node, what)
	c.timeout(n, v, node, what)
	c.shares(n, v, node)
	c.cache(n, v, node)
	if what != "steps" && what != "graph" {
		out = c.outputs(n, v, node, out)
	}
	c.compensation(n, v, node, out)
	c.laterFields(n, v)
	return out
}

// outputs compiles what makes the output of a step that is no group.
func (c *compiler) outputs(n *yamldoc.Node, v *view, node *workflow.Node, out expr.Type) expr.Type {
	if n.Get("outputs") == nil {
		return out
	}
	c.outputsText(n)
	w := *v
	w.result = &out
	d, t := c.field(n, c.lang.step, "outputs", &w)
	node.Result = []workflow.Stage{{Data: d}}
	return t
}

// outputsText refuses outputs that are a plain text: an expression was meant.
func (c *compiler) outputsText(n *yamldoc.Node) {
	if o := n.Get("outputs"); o != nil && o.Kind == yamldoc.String && !expr.HasTemplate(o.Text) {
		c.errorAt(o, descriptor.CodeInvalidValue, "`outputs` must be a mapping or an expression; this is a plain text").
			WithHint("write outputs: ${{ %s }}", o.Text)
	}
}

// timeout compiles the bound of an attempt or group.
func (c *compiler) timeout(n *yamldoc.Node, v *view, node *workflow.Node, what string) {
	if what == "wait" || what == "approval" {
		return // theirs is inside
	}
	node.Timeout = c.bound(n, c.lang.step, v)
	if t := c.taskType(scalarText(n.Get("uses"))); node.Timeout == nil && t != nil && t.Timeout != "" {
		node.Timeout = constant(value.String(t.Timeout))
	}
	if node.Timeout == nil && (what == "run" || what == "uses") {
		node.Timeout = shift(c.defaultTimeout, v.scope.depth)
	}
}

// bound compiles the field timeout.
func (c *compiler) bound(n *yamldoc.Node, o *descriptor.Object, v *view) *workflow.Data {
	return c.length(n, o, "timeout", v)
}

// length compiles a bound. None of no length can be kept, and it does not mean
// that there is no bound.
func (c *compiler) length(n *yamldoc.Node, o *descriptor.Object, field string, v *view) *workflow.Data {
	c.notNothing(n, field)
	d, _ := c.field(n, o, field, v)
	return d
}

// notNothing refuses a bound of no length.
func (c *compiler) notNothing(n *yamldoc.Node, field string) {
	e := n.Entry(field)
	if e == nil {
		return
	}
	if length, err := duration.Parse(e.Value.Text); err == nil && length == 0 {
		c.errorAt(e.Value, descriptor.CodeInvalidValue, "`%s` must be longer than nothing; this is %s", field, e.Value.Text).
			WithHint("leave it out if there is no bound")
	}
}

// laterFields checks the expressions of fields that a later release brings;
// the descriptor reports that they are not available.
func (c *compiler) laterFields(n *yamldoc.Node, v *view) {
	for i := range c.lang.step.Fields {
		f := &c.lang.step.Fields[i]
		e := n.Entry(f.Name)
		if f.Later == "" || e == nil {
			continue
		}
		c.field(n, c.lang.step, f.Name, v)
	}
}
