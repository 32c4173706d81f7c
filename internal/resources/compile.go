package resources

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// rootInput is what a task passes, in expressions.
const rootInput = "input"

// usesHTTP is the connector that calls HTTP endpoints.
const usesHTTP = "http.request"

// httpTimeout is how long a call of an endpoint may take where nothing is said:
// as long as a function of Lambda.
const httpTimeout = "15m"

// compiler makes the target of one resource.
type compiler struct {
	*parser

	resource *Resource
}

// filler makes data for a source of the engine: what `input` means.
type filler func(passed workflow.Data) workflow.Data

// object is data with the members that are made, and what is passed as one more.
func object(members []workflow.DataMember, fill filler, name string) func(workflow.Data) workflow.Data {
	return func(passed workflow.Data) workflow.Data {
		out := workflow.Data{Object: slices.Clone(members)}
		if fill != nil {
			out.Object = append(out.Object, fill(passed).Object...)
		}
		out.Object = append(out.Object, workflow.DataMember{Key: name, Data: passed})
		return out
	}
}

func constant(v value.Value) workflow.Data { return workflow.Data{Const: v} }

// process is a program.
func (c *compiler) process(n *yamldoc.Node) asl.Target {
	var args []value.Value
	for _, item := range n.Get(fieldRun).Items {
		args = append(args, value.String(item.Text))
		c.resource.Arguments = append(c.resource.Arguments, item.Text)
	}
	members := []workflow.DataMember{{Key: workflow.ProcessArgs, Data: constant(value.List(args...))}}
	var env filler
	if e := n.Get(fieldEnv); e != nil {
		for _, v := range e.Entries {
			if strings.HasPrefix(v.Key.Text, "REGIE_") {
				c.list.Errorf(v.Key.Pos, "reserved_name", "the variable %q is set by Regie itself", v.Key.Text).WithLength(v.Key.Length()).WithHint("choose another name")
			}
		}
		only := &yamldoc.Node{Kind: yamldoc.Map, Pos: e.Pos, Entries: []yamldoc.Entry{*n.Entry(fieldEnv)}}
		env = c.data(only, describeResource())
	}
	return asl.Target{Uses: workflow.UsesProcess, Reply: workflow.ReplyFunction, With: object(members, env, workflow.ProcessInputValue)}
}

// http is an HTTP endpoint.
func (c *compiler) http(n *yamldoc.Node) asl.Target {
	conn := c.connector(usesHTTP)
	if conn == nil {
		return asl.Target{}
	}
	for _, field := range []string{"body", "json", "form", "text", "response", "expected_status"} {
		if e := n.Entry(field); e != nil {
			c.list.Errorf(e.Key.Pos, "misplaced_field", "`%s` cannot be given: what the task passes is sent as JSON, and its answer is read as JSON", field).
				WithLength(e.Key.Length()).WithHint("use `uses: %s` for other requests", usesHTTP)
		}
	}
	fill := c.input(conn, n)
	var members []workflow.DataMember
	for _, m := range []workflow.DataMember{
		{Key: "method", Data: constant(value.String("POST"))}, {Key: "timeout", Data: constant(value.String(httpTimeout))},
	} {
		if n.Get(m.Key) == nil {
			members = append(members, m)
		}
	}
	return asl.Target{Uses: usesHTTP, Reply: workflow.ReplyFunction, With: object(members, fill, "json")}
}

// uses is a connector.
func (c *compiler) uses(name, with *yamldoc.Node) asl.Target {
	conn := c.connector(name.Text)
	if conn == nil {
		var names []string
		for i := range c.cfg.Connectors {
			names = append(names, c.cfg.Connectors[i].Name)
		}
		d := c.list.Errorf(name.Pos, "unknown_connector", "there is no connector %q", name.Text).WithLength(name.Length())
		if d.Hint = diag.DidYouMean(name.Text, names); d.Hint == "" {
			d.WithHint("connectors are %s", strings.Join(names, ", "))
		}
		return asl.Target{}
	}
	if with == nil {
		with = &yamldoc.Node{Kind: yamldoc.Map, Pos: name.Pos}
	}
	return asl.Target{Uses: conn.Name, Idempotent: conn.Idempotent, With: c.input(conn, with)}
}

func (c *compiler) connector(name string) *native.Connector {
	for i := range c.cfg.Connectors {
		if c.cfg.Connectors[i].Name == name {
			return &c.cfg.Connectors[i]
		}
	}
	return nil
}

// input checks and compiles the input of a connector.
func (c *compiler) input(conn *native.Connector, with *yamldoc.Node) filler {
	descriptor.Check(with, conn.Input, &c.list)
	if len(conn.Connections) > 0 {
		c.names("Connection", with.Get("connection"), conn.Connections)
	}
	if conn.Channel {
		c.names("Channel", with.Get("channel"), nil)
	}
	return c.data(with, conn.Input)
}

// names notes the connection or channel that an input names.
func (c *compiler) names(kind string, n *yamldoc.Node, types []string) {
	switch {
	case n == nil || n.Kind != yamldoc.String:
	case expr.HasTemplate(n.Text):
		c.list.Errorf(n.Pos, "computed_name", "the name of a %s cannot be computed here", strings.ToLower(kind)).WithLength(n.Length())
	default:
		c.resource.Objects = append(c.resource.Objects, ObjectRef{
			ObjectRef: workflow.ObjectRef{Kind: kind, Name: n.Text}, Pos: n.Pos, Length: n.Length(), Types: types,
		})
	}
}

// data compiles a mapping whose expressions read what is passed.
func (c *compiler) data(n *yamldoc.Node, o *descriptor.Object) filler {
	places := map[*yamldoc.Node]descriptor.Text{}
	descriptor.Texts(n, o, func(t descriptor.Text) { places[t.Node] = t })
	whole := c.node(n, places)
	return func(passed workflow.Data) workflow.Data { return bound(whole, passed.Expr.Bind[0]) }
}

// node compiles a value. Expressions in it bind input to nothing yet.
func (c *compiler) node(n *yamldoc.Node, places map[*yamldoc.Node]descriptor.Text) workflow.Data {
	if place, ok := places[n]; ok && !place.Bare {
		return c.text(n, place)
	}
	switch {
	case n.Kind == yamldoc.List && len(n.Items) > 0:
		out := workflow.Data{}
		for _, item := range n.Items {
			out.List = append(out.List, c.node(item, places))
		}
		return out
	case n.Kind == yamldoc.Map && len(n.Entries) > 0:
		out := workflow.Data{}
		for _, e := range n.Entries {
			out.Object = append(out.Object, workflow.DataMember{Key: e.Key.Text, Data: c.node(e.Value, places)})
		}
		return out
	}
	return constant(n.ToValue())
}

var secretForm = regexp.MustCompile(`^secrets\.([A-Za-z_][A-Za-z0-9_]{0,62})$`)

// text compiles a text with ${{ }}. One that is a single expression keeps the
// expression's type; otherwise it is a text.
func (c *compiler) text(n *yamldoc.Node, place descriptor.Text) workflow.Data {
	parts, problems := expr.ParseTemplate(n.Text)
	c.problems(n, 0, n.Text, problems)
	var out workflow.Data
	for _, part := range parts {
		secret := secretForm.FindStringSubmatch(part.Source)
		switch {
		case !part.IsExpr:
			out.Text = append(out.Text, workflow.Part{Literal: part.Literal})
		case secret != nil && !place.Secrets:
			c.list.Errorf(n.At(part.Offset), "secret_not_allowed", "the secret %q cannot stand here", secret[1]).WithLength(len(part.Source)).
				WithHint("secrets stand in `env` and headers only")
		case secret != nil:
			c.resource.Secrets = append(c.resource.Secrets, secret[1])
			out.Text = append(out.Text, workflow.Part{Secret: secret[1]})
		case len(parts) == 1:
			return workflow.Data{Expr: c.expression(n, part)}
		default:
			out.Text = append(out.Text, workflow.Part{Expr: c.expression(n, part)})
		}
	}
	if len(out.Text) == 0 {
		return constant(value.String(""))
	}
	return out
}

func (c *compiler) expression(n *yamldoc.Node, part expr.Part) *workflow.Expr {
	_, problems := c.cfg.Expr.Compile(part.Source, &expr.Env{Roots: []expr.Root{{Name: rootInput}}})
	c.problems(n, part.Offset, part.Source, problems)
	return &workflow.Expr{Language: c.cfg.Expr.Name(), Source: part.Source, Line: n.At(part.Offset).Line}
}

// problems reports what is wrong in a source that stands at the offset of the
// text of n.
func (c *compiler) problems(n *yamldoc.Node, offset int, src string, problems []expr.Problem) {
	for _, p := range problems {
		at := min(max(p.Offset, 0), len(src))
		end := min(at+max(p.Length, 0), len(src))
		c.list.Errorf(n.At(offset+at), p.Code, "%s", p.Message).WithLength(max(1, utf8.RuneCountInString(src[at:end]))).Hint = p.Hint
	}
}

// bound is the data whose expressions read input as the binding says.
func bound(d workflow.Data, from workflow.Binding) workflow.Data {
	d.Expr = boundExpr(d.Expr, from)
	d.Text, d.List, d.Object = slices.Clone(d.Text), slices.Clone(d.List), slices.Clone(d.Object)
	for i := range d.Text {
		d.Text[i].Expr = boundExpr(d.Text[i].Expr, from)
	}
	for i := range d.List {
		d.List[i] = bound(d.List[i], from)
	}
	for i := range d.Object {
		d.Object[i].Data = bound(d.Object[i].Data, from)
	}
	return d
}

func boundExpr(e *workflow.Expr, from workflow.Binding) *workflow.Expr {
	if e == nil {
		return nil
	}
	out := *e
	from.Path = []string{rootInput}
	out.Bind = []workflow.Binding{from}
	return &out
}
