package native

import (
	"regexp"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// declareInputs compiles `inputs`.
func (c *compiler) declareInputs() {
	c.inputs = closed()
	c.prog.Inputs = []workflow.Input{}
	for _, e := range entries(c.doc.Get("inputs")) {
		in := workflow.Input{Name: e.Key.Text, Type: c.declaredType(e.Value), Description: scalarText(e.Value.Get("description"))}
		in.Required, _ = boolean(e.Value.Get("required"))
		in.Enum = c.enum(e.Value, in.Type)
		in.Default = c.inputDefault(e.Value, &in)
		if in.Required && in.Default != nil {
			c.errorAt(e.Value.Entry("default").Key, codeInput, "the input %q is required, so its default has no use", in.Name).
				WithHint("remove `default` or `required`")
		}
		t := in.Type
		t.Nullable = !in.Required && in.Default == nil
		c.inputs.Fields = append(c.inputs.Fields, expr.Field{Name: in.Name, Type: t})
		c.prog.Inputs = append(c.prog.Inputs, in)
	}
}

func boolean(n *yamldoc.Node) (b, ok bool) {
	if n == nil {
		return false, false
	}
	return n.Value.Bool()
}

// inputDefault compiles the default of an input: a constant of its type or an
// expression over run and vars.
func (c *compiler) inputDefault(n *yamldoc.Node, in *workflow.Input) *workflow.Data {
	def := n.Get("default")
	if def == nil {
		return nil
	}
	before := &view{scope: &scope{}, noInputs: true}
	d, t := c.field(n, c.lang.input, "default", before)
	if def.Kind == yamldoc.String && expr.HasTemplate(def.Text) || d.Const.IsUndefined() {
		if !sameType(t, in.Type) {
			c.errorAt(def, codeType, "the input is %s, its default gives %s", typeWords(in.Type), typeWords(t))
		}
		return d
	}
	v, ok := c.checked(def, in.Type, "the default")
	if ok {
		c.amongEnum(def, v, in)
	}
	return constant(v)
}

// amongEnum checks that a value is one of those that the input may have.
func (c *compiler) amongEnum(n *yamldoc.Node, v value.Value, in *workflow.Input) {
	if len(in.Enum) > 0 && !slices.ContainsFunc(in.Enum, func(e value.Value) bool { return value.Equal(e, v) }) {
		c.errorAt(n, codeInput, "%s is not among the values of `enum` of the input %q", v, in.Name)
	}
}

func inputWord(n *yamldoc.Node) string { return scalarText(n.Get("type")) }

// sameType reports whether an expression of type t may stand for a value of
// the declared type.
func sameType(t, want expr.Type) bool {
	if t.Kind == expr.Any || t.Kind == expr.NullType || want.Kind == expr.Any || t.Kind == want.Kind {
		return true
	}
	switch want.Kind {
	case expr.Number:
		return t.Kind == expr.Int
	case expr.Decimal:
		return t.Kind == expr.Int || t.Kind == expr.Number || t.Kind == expr.String
	case expr.Date, expr.DateTime, expr.Duration:
		return t.Kind == expr.String
	case expr.String:
		return t.Kind == expr.Date || t.Kind == expr.DateTime || t.Kind == expr.Duration || t.Kind == expr.Decimal
	}
	return false
}

// enum reads the values allowed.
func (c *compiler) enum(n *yamldoc.Node, t expr.Type) []value.Value {
	list := n.Get("enum")
	if list == nil {
		return nil
	}
	var out []value.Value
	for _, item := range list.Items {
		v, ok := c.checked(item, t, "the value")
		if !ok {
			continue
		}
		if slices.ContainsFunc(out, func(e value.Value) bool { return value.Equal(e, v) }) {
			c.errorAt(item, codeInput, "the value %s stands twice in `enum`", v)
		}
		out = append(out, v)
	}
	return out
}

// declaredType is the static type that `type`, `items` and `properties` say.
func (c *compiler) declaredType(n *yamldoc.Node) expr.Type {
	t := typ(inputTypes[inputWord(n)])
	if items := n.Entry("items"); items != nil {
		if t.Kind != expr.ListOf {
			c.errorAt(items.Key, codeMisplaced, "`items` belongs to the type list")
		} else {
			elem := c.declaredType(items.Value)
			t.Elem = &elem
		}
	}
	if properties := n.Entry("properties"); properties != nil {
		if t.Kind != expr.ObjectOf {
			c.errorAt(properties.Key, codeMisplaced, "`properties` belongs to the type object")
		} else {
			t.Closed = true
			for _, e := range entries(properties.Value) {
				member := c.declaredType(e.Value)
				required, _ := boolean(e.Value.Get("required"))
				member.Nullable = !required
				t.Fields = append(t.Fields, expr.Field{Name: e.Key.Text, Type: member})
			}
		}
	}
	return t
}

var decimalForm = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?$`)

var inputTypes = map[string]expr.TypeKind{
	"string": expr.String, "integer": expr.Int, "number": expr.Number, "decimal": expr.Decimal, "boolean": expr.Bool,
	"date": expr.Date, "datetime": expr.DateTime, "duration": expr.Duration, "list": expr.ListOf, "object": expr.ObjectOf, "any": expr.Any,
}

// checked is the constant at n as a value of the type; what does not fit is
// reported.
func (c *compiler) checked(n *yamldoc.Node, t expr.Type, what string) (value.Value, bool) {
	v := n.ToValue()
	if v.IsNull() || t.Kind == expr.Any {
		return v, true
	}
	bad := func(words string) (value.Value, bool) {
		c.errorAt(n, codeInput, "%s must be %s; this is %s", what, words, n.Kind)
		return v, false
	}
	switch t.Kind {
	case expr.ListOf:
		if n.Kind != yamldoc.List {
			return bad("a list")
		}
		ok := true
		for _, item := range n.Items {
			if t.Elem != nil {
				_, fine := c.checked(item, *t.Elem, "an item")
				ok = ok && fine
			}
		}
		return v, ok
	case expr.ObjectOf:
		if n.Kind != yamldoc.Map {
			return bad("a mapping")
		}
		ok := true
		for _, f := range t.Fields {
			if member := n.Get(f.Name); member != nil {
				_, fine := c.checked(member, f.Type, "`"+f.Name+"`")
				ok = ok && fine
			}
		}
		return v, ok
	}
	if !n.IsScalar() {
		return bad(typeWords(t))
	}
	return c.scalarInput(n, t, what)
}

// scalarInput checks a scalar constant.
func (c *compiler) scalarInput(n *yamldoc.Node, t expr.Type, what string) (value.Value, bool) {
	ok := true
	v := n.Value
	switch t.Kind {
	case expr.Bool:
		ok = n.Kind == yamldoc.Bool
	case expr.Int:
		ok = n.Kind == yamldoc.Int
	case expr.Number:
		ok = n.Kind == yamldoc.Int || n.Kind == yamldoc.Float
	case expr.String:
		ok = n.Kind == yamldoc.String
	case expr.Decimal: // kept as written: a float would lose digits
		ok = decimalForm.MatchString(n.Text) && (n.Kind == yamldoc.Int || n.Kind == yamldoc.Float || n.Kind == yamldoc.String)
		v = value.String(n.Text)
	case expr.Date:
		_, err := time.Parse(time.DateOnly, n.Text)
		ok = err == nil
	case expr.DateTime:
		_, err := time.Parse(time.RFC3339, n.Text)
		ok = err == nil
	case expr.Duration:
		_, err := duration.Parse(n.Text)
		ok = err == nil
	}
	if !ok {
		c.errorAt(n, codeInput, "%s must be %s; this is %s, %q", what, typeWords(t), n.Kind, n.Text)
	}
	return v, ok
}
