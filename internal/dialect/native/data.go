package native

import (
	"regexp"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// places are the expressions within a part of a document, by their nodes.
type places map[*yamldoc.Node]descriptor.Text

// only is the mapping with a single one of its fields.
func only(n *yamldoc.Node, name string) *yamldoc.Node {
	out := &yamldoc.Node{Kind: yamldoc.Map, Pos: n.Pos}
	if e := n.Entry(name); e != nil {
		out.Entries = []yamldoc.Entry{*e}
	}
	return out
}

// placesIn collects the expressions within a mapping. A node that stands at
// several places, through an alias, may hold what all of them allow.
func placesIn(n *yamldoc.Node, o *descriptor.Object) places {
	p := places{}
	descriptor.Texts(n, o, func(t descriptor.Text) {
		if old, there := p[t.Node]; there {
			t.Secrets = t.Secrets && old.Secrets
		}
		p[t.Node] = t
	})
	return p
}

// field compiles the value of one field of a mapping, with its type; nil if it
// is absent.
func (c *compiler) field(n *yamldoc.Node, o *descriptor.Object, name string, v *view) (*workflow.Data, expr.Type) {
	e := n.Entry(name)
	f := o.Field(name)
	if e == nil || f == nil {
		return nil, expr.Type{}
	}
	return c.data(e.Value, placesIn(only(n, name), o), v)
}

// object compiles a whole mapping by its descriptor.
func (c *compiler) object(n *yamldoc.Node, o *descriptor.Object, v *view) *workflow.Data {
	if n == nil {
		return nil
	}
	d, _ := c.data(n, placesIn(n, o), v)
	return d
}

// data compiles a value. Texts that may not hold expressions were refused by
// the descriptor and are taken as they stand.
func (c *compiler) data(n *yamldoc.Node, p places, v *view) (*workflow.Data, expr.Type) {
	if text, ok := p[n]; ok {
		if text.Bare && c.noRun {
			return c.unbound(n), expr.Type{}
		}
		if text.Bare {
			e, t := c.bare(n, v)
			return exprData(e), t
		}
		return c.template(n, text, v)
	}
	switch n.Kind {
	case yamldoc.List:
		return c.listData(n, p, v)
	case yamldoc.Map:
		return c.mapData(n, p, v)
	}
	return constant(n.Value), typeOf(n.Value)
}

// unbound checks the syntax of an expression whose names are known only where
// the object is used.
func (c *compiler) unbound(n *yamldoc.Node) *workflow.Data {
	_, problems := c.cfg.Expr.Compile(n.Text, &expr.Env{})
	for _, p := range problems {
		if p.Code == expr.CodeSyntax || p.Code == expr.CodeLimit {
			c.list.Errorf(n.At(p.Offset), p.Code, "%s", p.Message).WithLength(max(1, p.Length)).Hint = p.Hint
		}
	}
	return exprData(&workflow.Expr{Language: c.cfg.Expr.Name(), Source: n.Text, Line: n.Pos.Line})
}

func (c *compiler) listData(n *yamldoc.Node, p places, v *view) (*workflow.Data, expr.Type) {
	items := make([]workflow.Data, len(n.Items))
	var elem expr.Type
	for i, item := range n.Items {
		d, t := c.data(item, p, v)
		items[i] = *d
		elem = common(elem, t, i == 0)
	}
	t := expr.Type{Kind: expr.ListOf, Elem: &elem}
	if allConst(items) {
		return constant(n.ToValue()), t
	}
	return &workflow.Data{List: items}, t
}

func (c *compiler) mapData(n *yamldoc.Node, p places, v *view) (*workflow.Data, expr.Type) {
	members := make([]workflow.DataMember, len(n.Entries))
	datas := make([]workflow.Data, len(n.Entries))
	t := expr.Type{Kind: expr.ObjectOf, Closed: true}
	for i, e := range n.Entries {
		d, et := c.data(e.Value, p, v)
		members[i] = workflow.DataMember{Key: e.Key.Text, Data: *d}
		datas[i] = *d
		t.Fields = append(t.Fields, expr.Field{Name: e.Key.Text, Type: et})
	}
	if allConst(datas) {
		return constant(n.ToValue()), t
	}
	return &workflow.Data{Object: members}, t
}

func allConst(items []workflow.Data) bool {
	for i := range items {
		if items[i].Const.IsUndefined() {
			return false
		}
	}
	return true
}

// exprData is the data of an expression; null for one that cannot be used.
func exprData(e *workflow.Expr) *workflow.Data {
	if e == nil {
		return constant(value.Null)
	}
	return &workflow.Data{Expr: e}
}

// typeOf is the type of a constant.
func typeOf(v value.Value) expr.Type {
	switch v.Kind() {
	case value.KindBool:
		return typ(expr.Bool)
	case value.KindInt, value.KindBigInt:
		return typ(expr.Int)
	case value.KindFloat:
		return typ(expr.Number)
	case value.KindString:
		return typ(expr.String)
	case value.KindNull:
		return typ(expr.NullType)
	}
	return expr.Type{}
}

var secretForm = regexp.MustCompile(`^secrets\.([A-Za-z_][A-Za-z0-9_]{0,62})$`)

// template compiles a text with ${{ }}. One that is a single expression keeps
// the expression's type; otherwise it is a text.
func (c *compiler) template(n *yamldoc.Node, place descriptor.Text, v *view) (*workflow.Data, expr.Type) {
	parts, problems := expr.ParseTemplate(n.Text)
	for _, p := range problems {
		c.list.Errorf(n.At(p.Offset), p.Code, "%s", p.Message).WithLength(max(1, p.Length)).Hint = p.Hint
	}
	if len(problems) > 0 {
		return constant(value.Null), expr.Type{}
	}
	out := &workflow.Data{}
	literal := true
	for _, part := range parts {
		if !part.IsExpr {
			out.Text = append(out.Text, workflow.Part{Literal: part.Literal})
			continue
		}
		literal = false
		if m := secretForm.FindStringSubmatch(part.Source); m != nil {
			c.secret(n, part, m[1], place.Secrets)
			out.Text = append(out.Text, workflow.Part{Secret: m[1]})
			continue
		}
		e, t := c.expression(part.Source, n, part.Offset, v)
		if len(parts) == 1 {
			if e != nil && !fits(t, *place.Type) {
				d := c.list.Errorf(n.At(part.Offset), codeType, "`%s` must be %s, the expression gives %s", place.Path, place.Type.Words(), typeWords(t)).
					WithLength(max(1, len([]rune(part.Source))))
				if place.Type.Kind == descriptor.String && t.Kind != expr.ListOf && t.Kind != expr.ObjectOf {
					d.WithHint("make it a text: string(%s)", part.Source)
				}
			}
			return exprData(e), t
		}
		if e == nil {
			e = &workflow.Expr{Language: c.cfg.Expr.Name(), Source: "null"}
		}
		out.Text = append(out.Text, workflow.Part{Expr: e})
	}
	if literal { // escapes only
		return constant(value.String(join(parts))), typ(expr.String)
	}
	return out, typ(expr.String)
}

func join(parts []expr.Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Literal)
	}
	return b.String()
}

// secret notes the use of a secret, or refuses it.
func (c *compiler) secret(n *yamldoc.Node, part expr.Part, name string, allowed bool) {
	if !allowed {
		c.list.Errorf(n.At(part.Offset), codeSecret, "the secret %q cannot stand here", name).WithLength(len(part.Source)).
			WithHint("secrets stand in `env`, headers and connection fields only")
		return
	}
	c.useSecret(name)
}

// each calls visit for every expression of the data.
func each(d *workflow.Data, visit func(*workflow.Expr)) {
	if d == nil {
		return
	}
	if d.Expr != nil {
		visit(d.Expr)
	}
	for i := range d.Text {
		if d.Text[i].Expr != nil {
			visit(d.Text[i].Expr)
		}
	}
	for i := range d.List {
		each(&d.List[i], visit)
	}
	for i := range d.Object {
		each(&d.Object[i].Data, visit)
	}
}

// shift returns the data as it must be for a place that is more frames inside:
// what is found by counting frames is counted from there.
func shift(d *workflow.Data, frames int) *workflow.Data {
	if d == nil || frames == 0 {
		return d
	}
	out := *d
	out.Expr = shiftExpr(d.Expr, frames)
	if d.Text != nil {
		out.Text = append([]workflow.Part(nil), d.Text...)
		for i := range out.Text {
			out.Text[i].Expr = shiftExpr(out.Text[i].Expr, frames)
		}
	}
	if d.List != nil {
		out.List = make([]workflow.Data, len(d.List))
		for i := range d.List {
			out.List[i] = *shift(&d.List[i], frames)
		}
	}
	if d.Object != nil {
		out.Object = make([]workflow.DataMember, len(d.Object))
		for i, m := range d.Object {
			out.Object[i] = workflow.DataMember{Key: m.Key, Data: *shift(&m.Data, frames)}
		}
	}
	return &out
}

func shiftExpr(e *workflow.Expr, frames int) *workflow.Expr {
	if e == nil {
		return nil
	}
	out := *e
	out.Bind = append([]workflow.Binding(nil), e.Bind...)
	for i := range out.Bind {
		switch out.Bind[i].From.Root {
		case workflow.RootNode, workflow.RootItem, workflow.RootIndex, workflow.RootError, workflow.RootFrame:
			out.Bind[i].From.Up += frames
		default: // seen from everywhere
		}
	}
	return &out
}
