package descriptor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The codes of diagnostics and faults.
const (
	CodeUnknownField = "unknown_field"
	CodeMissingField = "missing_field"
	CodeConflict     = "conflicting_fields"
	CodeWrongType    = "wrong_type"
	CodeUnknownValue = "unknown_value" // not among the texts allowed
	CodeInvalidValue = "invalid_value" // right type, wrong form: a date, a name
	CodeOutOfRange   = "out_of_range"
	CodeTemplate     = "template_not_allowed"
	CodeLater        = "not_available_yet"
	CodeIgnored      = "ignored_field" // a warning
)

// MaxFindings bounds what one check reports; what is beyond it is left out.
const MaxFindings = 200

// Check checks the structure of a mapping in a file against its descriptor and
// adds everything that is wrong to l. Expressions within templates are for the
// expression's language to check. n may be nil, which adds nothing.
func Check(n *yamldoc.Node, o *Object, l *diag.List) {
	if n == nil {
		return
	}
	c := &checker{list: l}
	c.object(n, o, use{}, nil)
}

// A Fault is what is wrong in a computed value.
type Fault struct {
	Path    string // such as "headers.Accept" or "args[0]"; "" for the value itself
	Code    string
	Message string // repeats keys of the value, but no texts: they may be secret
}

// CheckValue checks a value after its expressions were evaluated. It differs
// from [Check]: texts with ${{ are plain data, and null in an optional field
// counts as an absent field, unless the field takes anything.
func CheckValue(v value.Value, o *Object) []Fault {
	c := &checker{computed: true}
	c.object(yamldoc.FromValue(v), o, use{}, nil)
	return c.faults
}

type checker struct {
	list     *diag.List
	faults   []Fault
	computed bool // a value, not a file
	findings int
}

// use is what a field hands down to the types within it.
type use struct {
	template   bool
	noTemplate string
	enum       []EnumValue
}

// path is where a node stands, for messages.
type path struct {
	parent *path
	key    string
	item   bool // of a list, at index; else under key
	index  int
}

func (p *path) String() string {
	switch {
	case p == nil:
		return ""
	case p.item:
		return p.parent.String() + "[" + strconv.Itoa(p.index) + "]"
	case p.parent == nil:
		return clip(p.key)
	}
	return p.parent.String() + "." + clip(p.key)
}

// label names the node in a message.
func (p *path) label(o *Object) string {
	if p != nil {
		return "`" + p.String() + "`"
	}
	if o != nil && o.Name != "" {
		return "the " + o.Name
	}
	return "this"
}

func (c *checker) errorf(n *yamldoc.Node, p *path, code, format string, args ...any) *diag.Diagnostic {
	if c.findings++; c.full() {
		return &diag.Diagnostic{}
	}
	if c.computed {
		c.faults = append(c.faults, Fault{Path: p.String(), Code: code, Message: fmt.Sprintf(format, args...)})
		return &diag.Diagnostic{}
	}
	return c.list.Errorf(n.Pos, code, format, args...).WithLength(n.Length())
}

func (c *checker) full() bool { return c.findings > MaxFindings }

// object checks the fields of a mapping.
func (c *checker) object(n *yamldoc.Node, o *Object, u use, p *path) {
	if n.Kind != yamldoc.Map {
		d := c.errorf(n, p, CodeWrongType, "%s must be a mapping; %s", p.label(o), c.found(n))
		if n.Kind == yamldoc.Null {
			d.WithHint(hintNull)
		}
		return
	}
	for _, e := range n.Entries {
		if c.full() {
			return
		}
		f := o.Field(e.Key.Text)
		if f == nil {
			c.unknownField(e, o, p)
			continue
		}
		at := &path{parent: p, key: f.Name}
		if c.absent(f, e.Value) {
			continue
		}
		if !c.computed {
			c.availability(e.Key, f, at)
		}
		c.typ(e.Value, &f.Type, use{template: u.template || f.Template, noTemplate: f.NoTemplate, enum: f.Enum}, at)
	}
	var missing []string
	for i := range o.Fields {
		f := &o.Fields[i]
		if f.Required && c.present(n, f.Name, o) == nil {
			missing = append(missing, "`"+f.Name+"`")
		}
	}
	if len(missing) > 0 {
		verb := "is"
		if len(missing) > 1 {
			verb = "are"
		}
		c.errorf(n, p, CodeMissingField, "%s %s missing in %s", and(missing), verb, p.label(o))
	}
	c.groups(n, o, p)
}

// and joins "a", "b" and "c" as "a, b and c".
func and(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// absent reports whether a computed null stands for an absent field.
func (c *checker) absent(f *Field, v *yamldoc.Node) bool {
	return c.computed && v.Kind == yamldoc.Null && !takesNull(&f.Type)
}

func takesNull(t *Type) bool {
	if t.Kind == OneOf {
		for i := range t.Options {
			if takesNull(&t.Options[i]) {
				return true
			}
		}
	}
	return t.Kind == Any
}

// present returns the key of the field if it counts as given.
func (c *checker) present(n *yamldoc.Node, name string, o *Object) *yamldoc.Node {
	e := n.Entry(name)
	if e == nil {
		return nil
	}
	if f := o.Field(name); f != nil && c.absent(f, e.Value) {
		return nil
	}
	return e.Key
}

func (c *checker) unknownField(e yamldoc.Entry, o *Object, p *path) {
	const most = 15 // known fields that a hint lists
	names := make([]string, len(o.Fields))
	for i := range o.Fields {
		names[i] = o.Fields[i].Name
	}
	d := c.errorf(e.Key, p, CodeUnknownField, "unknown field %s in %s", shown(e.Key), p.label(o))
	if hint := diag.DidYouMean(e.Key.Text, names); hint != "" {
		d.WithHint("%s", hint)
	} else if len(names) > 0 && len(names) <= most {
		d.WithHint("known fields: %s", strings.Join(names, ", "))
	}
}

// availability reports fields that have no effect in this version.
func (c *checker) availability(key *yamldoc.Node, f *Field, p *path) {
	switch {
	case f.Later != "":
		c.errorf(key, p, CodeLater, "`%s` is not available yet: %s come with a later release", f.Name, f.Later)
	case f.Ignored != "":
		c.list.Warnf(key.Pos, CodeIgnored, "`%s` has no effect: %s", f.Name, f.Ignored).WithLength(key.Length())
	}
}

func (c *checker) groups(n *yamldoc.Node, o *Object, p *path) {
	for _, g := range o.OneOfGroups {
		var first *yamldoc.Node
		for _, e := range n.Entries {
			key := c.present(n, e.Key.Text, o)
			if key == nil || !slices.Contains(g.Fields, key.Text) {
				continue
			}
			if first == nil {
				first = key
				continue
			}
			c.errorf(key, p, CodeConflict, "`%s` and `%s` exclude each other in %s", first.Text, key.Text, p.label(o)).
				WithHint("keep one of them")
		}
		if first == nil && g.Needed {
			names := make([]string, len(g.Fields))
			for i, name := range g.Fields {
				names[i] = "`" + name + "`"
			}
			what := ""
			if g.What != "" {
				what = " (" + g.What + ")"
			}
			c.errorf(n, p, CodeMissingField, "%s%s is missing in %s", alternatives(names), what, p.label(o))
		}
	}
}

// typ checks one value against a type.
func (c *checker) typ(n *yamldoc.Node, t *Type, u use, p *path) {
	if c.full() {
		return
	}
	if !c.computed && n.Kind == yamldoc.String && expr.HasTemplate(n.Text) {
		if t.Kind == Expression {
			c.errorf(n, p, CodeTemplate, "%s is an expression by itself", p.label(nil)).WithHint("write it without ${{ and }}")
			return
		}
		c.template(n, t, u, p)
		return
	}
	switch t.Kind {
	case Any:
		c.anything(n, u, p)
	case List:
		c.items(n, t, u, p)
	case Map:
		c.mapping(n, t, u, p)
	case Struct:
		if t.Object == nil {
			c.mapping(n, &Type{Kind: Map}, u, p)
			return
		}
		c.object(n, t.Object, u, p)
	case OneOf:
		if option := c.pick(n, t, u); option != nil {
			c.typ(n, option, u, p)
			return
		}
		c.wrongType(n, t, u, p)
	default:
		if fault := c.scalar(n, t, u); fault != nil {
			fault.report(c, n, p)
		}
	}
}

// template checks a text with ${{, as far as that goes without evaluating it.
func (c *checker) template(n *yamldoc.Node, t *Type, u use, p *path) {
	if !u.template {
		hint := u.noTemplate
		if hint == "" {
			hint = "write the value itself"
		}
		c.errorf(n, p, CodeTemplate, "expressions (${{ }}) cannot stand in %s", p.label(nil)).WithHint("%s", hint)
		return
	}
	parts, problems := expr.ParseTemplate(n.Text)
	if len(problems) > 0 || len(parts) == 1 && parts[0].IsExpr || takesText(t) {
		return // what it gives is known when it is evaluated
	}
	c.errorf(n, p, CodeWrongType, "%s must be %s; ${{ }} beside other characters gives a text", p.label(nil), t.Words()).
		WithHint("leave nothing outside of one pair of ${{ and }}")
}

// takesText reports whether some text fits the type.
func takesText(t *Type) bool {
	switch t.Kind {
	case Integer, Number, Boolean, List, Map, Struct:
		return false
	case OneOf:
		for i := range t.Options {
			if takesText(&t.Options[i]) {
				return true
			}
		}
		return false
	}
	return true
}

// anything looks for templates where there may be none.
func (c *checker) anything(n *yamldoc.Node, u use, p *path) {
	if c.computed || u.template {
		return
	}
	inner := &Type{Kind: Any}
	for i, item := range n.Items {
		c.typ(item, inner, u, &path{parent: p, item: true, index: i})
	}
	for _, e := range n.Entries {
		c.typ(e.Value, inner, u, &path{parent: p, key: e.Key.Text})
	}
}

func (c *checker) items(n *yamldoc.Node, t *Type, u use, p *path) {
	if n.Kind != yamldoc.List {
		c.wrongType(n, t, u, p)
		return
	}
	c.size(n, t, len(n.Items), "items", p)
	for i, item := range n.Items {
		c.typ(item, t.elem(), u, &path{parent: p, item: true, index: i})
	}
}

func (c *checker) mapping(n *yamldoc.Node, t *Type, u use, p *path) {
	if n.Kind != yamldoc.Map {
		c.wrongType(n, t, u, p)
		return
	}
	c.size(n, t, len(n.Entries), "keys", p)
	elem := t.elem()
	for _, e := range n.Entries {
		at := &path{parent: p, key: e.Key.Text}
		if !c.computed && expr.HasTemplate(e.Key.Text) {
			c.errorf(e.Key, at, CodeTemplate, "expressions (${{ }}) cannot stand in a key")
			continue
		}
		if t.KeyKind != Any {
			if fault := c.scalar(e.Key, &Type{Kind: t.KeyKind}, use{}); fault != nil {
				c.errorf(e.Key, p, fault.code, "the key %s of %s must be %s", shown(e.Key), p.label(nil), (&Type{Kind: t.KeyKind}).rule()).Hint = fault.hint
			}
		}
		c.typ(e.Value, elem, u, at)
	}
}

// elem is the type of a list's items or a map's values.
func (t *Type) elem() *Type {
	if t.Elem == nil {
		return &Type{Kind: Any}
	}
	return t.Elem
}

// size checks the bounds of a list or map.
func (c *checker) size(n *yamldoc.Node, t *Type, size int, of string, p *path) {
	if t.Min != nil && int64(size) < *t.Min {
		c.errorf(n, p, CodeOutOfRange, "%s must have at least %s; it has %d", p.label(nil), count(*t.Min, of), size)
	}
	if t.Max != nil && int64(size) > *t.Max {
		c.errorf(n, p, CodeOutOfRange, "%s must have at most %s; it has %d", p.label(nil), count(*t.Max, of), size)
	}
}

// count is "1 item" or "2 items".
func count(n int64, what string) string {
	if n == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	return fmt.Sprintf("%d %s", n, what)
}

// hintNull is for a key without value.
const hintNull = "give it a value or remove the key"

// wrongType reports that the node has another kind than the type asks for.
func (c *checker) wrongType(n *yamldoc.Node, t *Type, u use, p *path) {
	d := c.errorf(n, p, CodeWrongType, "%s must be %s; %s", p.label(nil), expects(t, u), c.found(n))
	switch {
	case n.Kind == yamldoc.Null:
		d.WithHint(hintNull)
	case t.Kind == List && n.IsScalar() && !c.computed:
		d.WithHint("write a list: [%s]", clip(n.Text))
	case t.Kind == OneOf && n.Kind == yamldoc.String && !c.computed:
		var words []string
		for i := range t.Options {
			if t.Options[i].Kind == Const {
				words = append(words, t.Options[i].Text)
			}
		}
		d.Hint = diag.DidYouMean(n.Text, append(words, texts(u.enum)...))
	}
}

// expects says what may stand in a place, with the texts of an enum.
func expects(t *Type, u use) string {
	if len(u.enum) == 0 {
		return t.Words()
	}
	switch t.Kind {
	case String:
		return enumWords(u.enum)
	case OneOf:
		words := make([]string, len(t.Options))
		for i := range t.Options {
			words[i] = expects(&t.Options[i], u)
		}
		return alternatives(words)
	}
	return t.Words()
}

func texts(enum []EnumValue) []string {
	out := make([]string, len(enum))
	for i, e := range enum {
		out[i] = e.Text
	}
	return out
}

func enumWords(enum []EnumValue) string {
	words := texts(enum)
	for i, w := range words {
		words[i] = "`" + w + "`"
	}
	return strings.TrimSpace(alternatives(words))
}
