package native

import (
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// envEntry is a variable for run steps, compiled where it stands.
type envEntry struct {
	name  string
	data  *workflow.Data
	depth int // of the scope where it stands
}

// env adds the variables of n to those around it; inner ones win.
func (c *compiler) env(n *yamldoc.Node, o *descriptor.Object, v *view, around []envEntry) []envEntry {
	e := n.Entry("env")
	if e == nil || e.Value.Kind != yamldoc.Map {
		return around
	}
	out := slices.Clone(around)
	p := placesIn(only(n, "env"), o)
	for _, item := range e.Value.Entries {
		if strings.HasPrefix(item.Key.Text, "REGIE_") {
			c.errorAt(item.Key, codeReserved, "the variable %q is set by Regie itself", item.Key.Text).WithHint("choose another name")
			continue
		}
		d, _ := c.data(item.Value, p, v)
		if k := item.Value.Kind; k == yamldoc.Int || k == yamldoc.Float {
			d = constant(value.String(item.Value.Text)) // 1.10 stays 1.10
		}
		entry := envEntry{name: item.Key.Text, data: d, depth: v.scope.depth}
		if i := slices.IndexFunc(out, func(old envEntry) bool { return old.name == entry.name }); i >= 0 {
			out[i] = entry
		} else {
			out = append(out, entry)
		}
	}
	return out
}

// run compiles a script or program. Its output may be anything.
func (c *compiler) run(n *yamldoc.Node, v *view, node *workflow.Node) {
	node.Kind, node.Task = workflow.KindTask, &workflow.Task{Uses: workflow.UsesProcess}
	var with []workflow.DataMember
	set := func(key string, d *workflow.Data) {
		if d != nil {
			with = append(with, workflow.DataMember{Key: key, Data: *d})
		}
	}
	r := n.Get("run")
	if r.Kind == yamldoc.List {
		set(workflow.ProcessArgs, c.argv(n, r, v))
	} else {
		c.script(r)
		set(workflow.ProcessScript, constant(value.String(scalarText(r))))
		shell := c.shell(n.Get("shell"))
		if shell == nil {
			shell = c.defaultShell
		}
		set(workflow.ProcessShell, shell)
	}
	if e := n.Entry("shell"); e != nil && r.Kind == yamldoc.List {
		c.errorAt(e.Key, codeMisplaced, "`shell` has no meaning here: no shell sees a program with arguments").WithHint("remove it, or write `run` as a text")
	}
	var env []workflow.DataMember
	for _, e := range c.env(n, c.lang.step, v, v.scope.env) {
		if !c.grow(1, r) {
			break
		}
		env = append(env, workflow.DataMember{Key: e.name, Data: *shift(e.data, v.scope.depth-e.depth)})
	}
	if len(env) > 0 {
		set(workflow.ProcessEnv, &workflow.Data{Object: env})
	}
	if codes := n.Get("success").Get("exit_codes"); codes != nil {
		set(workflow.ProcessSuccessCodes, constant(codes.ToValue()))
	}
	if grace := n.Get("grace"); grace != nil {
		if g, err := duration.Parse(grace.Text); err == nil {
			set(workflow.ProcessGrace, constant(value.Float(g.Seconds())))
		}
	}
	if user := n.Get("run_as"); user != nil && user.Kind == yamldoc.String {
		if err := workflow.CheckUserName(user.Text); err != nil {
			c.errorAt(user, descriptor.CodeInvalidValue, "`run_as` is %q: %s", user.Text, err)
		}
		node.Task.RunAs = user.Text
	}
	set(workflow.ProcessFiles, c.filesFrom(n, v))
	node.Task.Artifacts = c.artifacts(n)
	node.Task.With = &workflow.Data{Object: with}
	c.once(n, node.Task)
	node.Task.Heartbeat = c.length(n, c.lang.step, "heartbeat", v)
}

// once compiles what repeating a task means.
func (c *compiler) once(n *yamldoc.Node, t *workflow.Task) {
	t.Idempotent, _ = boolean(n.Get("idempotent"))
	t.AtMostOnce, _ = boolean(n.Get("at_most_once"))
	if t.Idempotent && t.AtMostOnce {
		c.errorAt(n.Entry("at_most_once").Key, descriptor.CodeConflict, "`at_most_once` and `idempotent` exclude each other").
			WithHint("a step that may be done twice need not be done at most once")
	}
}

// argv compiles a program with its arguments. Numbers stand as written.
func (c *compiler) argv(n, r *yamldoc.Node, v *view) *workflow.Data {
	p := placesIn(only(n, "run"), c.lang.step)
	out := &workflow.Data{}
	for i, item := range r.Items {
		if !item.IsScalar() || item.Kind == yamldoc.Null {
			c.errorAt(item, descriptor.CodeWrongType, "`run[%d]` must be a text; this is %s", i, item.Kind)
			continue
		}
		d, _ := c.data(item, p, v)
		if item.Kind != yamldoc.String {
			d = constant(value.String(item.Text))
		}
		out.List = append(out.List, *d)
	}
	if len(out.List) == 0 {
		return constant(value.List())
	}
	return out
}

// script refuses expressions in a script, wherever they stand.
func (c *compiler) script(r *yamldoc.Node) {
	if r.Kind != yamldoc.String {
		return
	}
	for from := 0; ; {
		i := strings.Index(r.Text[from:], "${{")
		if i < 0 {
			return
		}
		at := from + i
		end := len(r.Text)
		if j := strings.Index(r.Text[at:], "}}"); j >= 0 {
			end = at + j + 2
		}
		source := strings.TrimSpace(strings.TrimSuffix(r.Text[at+3:end], "}}"))
		name := envName(source)
		c.list.Errorf(r.At(at), codeExpressionInRun, "an expression cannot stand in a script: its value could become code").
			WithLength(len([]rune(r.Text[at:end]))).
			WithHint(`pass it in the environment: env: {%s: "${{ %s }}"}, and write "$%s" here`, name, source, name)
		from = end
	}
}

// envName proposes a variable for an expression: the last name in it.
func envName(source string) string {
	words := wordForm.FindAllString(source, -1)
	if len(words) == 0 {
		return "VALUE"
	}
	return strings.ToUpper(words[len(words)-1])
}

// shell reads an interpreter: a list, or a text split at blanks.
func (c *compiler) shell(n *yamldoc.Node) *workflow.Data {
	if n == nil {
		return nil
	}
	words := c.match(n)
	if n.Kind == yamldoc.String {
		words = strings.Fields(n.Text)
	}
	if len(words) == 0 {
		return nil
	}
	v, err := value.From(words)
	if err != nil {
		return nil
	}
	return constant(v)
}

// uses compiles a call of a connector.
func (c *compiler) uses(n *yamldoc.Node, v *view, node *workflow.Node) expr.Type {
	u := n.Get("uses")
	node.Kind, node.Task = workflow.KindTask, &workflow.Task{Uses: scalarText(u)}
	c.once(n, node.Task)
	conn := c.connectors[scalarText(u)]
	if t := c.taskType(scalarText(u)); t != nil && conn == nil {
		return c.offers(n, v, node, t)
	}
	if e := n.Entry("heartbeat"); e != nil {
		c.errorAt(e.Key, codeMisplaced, "`heartbeat` has no meaning for a connector: it is one call, which says nothing before its end").WithHint("use `timeout`")
	}
	if conn == nil {
		c.unknownConnector(u)
		d, _ := c.field(n, c.lang.step, "with", v)
		node.Task.With = d
		return expr.Type{}
	}
	node.Task.Idempotent = node.Task.Idempotent || conn.Idempotent
	with := n.Get("with")
	if with == nil {
		with = &yamldoc.Node{Kind: yamldoc.Map, Pos: u.Pos}
	}
	if conn.Input == nil {
		node.Task.With, _ = c.field(n, c.lang.step, "with", v)
	} else if with.Kind == yamldoc.Map {
		descriptor.Check(with, conn.Input, &c.list)
		node.Task.With = c.object(with, conn.Input, v)
	}
	if len(conn.Connections) > 0 {
		c.useObject(kindConnection, with.Get("connection"), conn.Connections)
	}
	if conn.Channel {
		c.useObject(kindChannel, with.Get("channel"), nil)
	}
	if conn.Output == nil {
		return expr.Type{}
	}
	return objectType(conn.Output)
}

// unknownConnector reports a name that nobody knows.
func (c *compiler) unknownConnector(u *yamldoc.Node) {
	if u.Kind != yamldoc.String || expr.HasTemplate(u.Text) {
		return
	}
	names := c.taskTypeNames()
	for _, conn := range c.cfg.Connectors {
		names = append(names, conn.Name)
	}
	d := c.errorAt(u, codeUnknownConnector, "there is no connector or task type %q", u.Text)
	if d.Hint = diag.DidYouMean(u.Text, names); d.Hint == "" {
		d.WithHint("connectors are %s", strings.Join(names, ", "))
	}
}

// objectType is the type of data that a descriptor describes.
func objectType(o *descriptor.Object) expr.Type {
	t := closed()
	for i := range o.Fields {
		f := &o.Fields[i]
		ft := descriptorType(&f.Type)
		// Anything may be null, so nothing is gained by asking for a guard.
		ft.Nullable = ft.Nullable || !f.Required && f.Default.IsNull() && f.Type.Kind != descriptor.Any
		t.Fields = append(t.Fields, expr.Field{Name: f.Name, Type: ft})
	}
	return t
}

func descriptorType(t *descriptor.Type) expr.Type {
	switch t.Kind {
	case descriptor.String, descriptor.Identifier, descriptor.Name, descriptor.Expression, descriptor.Const:
		return typ(expr.String)
	case descriptor.Integer:
		return typ(expr.Int)
	case descriptor.Number:
		return typ(expr.Number)
	case descriptor.Decimal:
		return typ(expr.Decimal)
	case descriptor.Boolean:
		return typ(expr.Bool)
	case descriptor.Duration:
		return typ(expr.Duration)
	case descriptor.Date:
		return typ(expr.Date)
	case descriptor.DateTime:
		return typ(expr.DateTime)
	case descriptor.List:
		out := typ(expr.ListOf)
		if t.Elem != nil {
			elem := descriptorType(t.Elem)
			out.Elem = &elem
		}
		return out
	case descriptor.Map:
		return typ(expr.ObjectOf)
	case descriptor.Struct:
		if t.Object != nil {
			return objectType(t.Object)
		}
		return typ(expr.ObjectOf)
	}
	return expr.Type{}
}
