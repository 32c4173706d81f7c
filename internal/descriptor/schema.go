package descriptor

import (
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/value"
)

// Schema returns the JSON Schema (2020-12) of the object under the given $id.
// Every object that it reaches is one entry of $defs, by its Name (different
// objects of one name get a number).
//
// The schema accepts what [Check] accepts, and refuses what it refuses, but
// for what JSON Schema cannot say: calendar rules beyond formats, the order of
// units in a duration, 63-bit integers, the inside of templates, bounds of
// numbers written as texts, and fields that are not available yet.
func Schema(root *Object, id string) value.Value {
	b := &schemaBuilder{names: map[definition]string{}, used: map[string]bool{}}
	for _, shared := range sharedDefs {
		b.used[shared.name] = true
	}
	ref := b.ref(root, false)
	var defs []value.Member
	for i := 0; i < len(b.queue); i++ { // object adds to the queue
		d := b.queue[i]
		defs = append(defs, value.M(b.names[d], b.object(d.object, d.template)))
	}
	for _, shared := range sharedDefs {
		defs = append(defs, value.M(shared.name, value.MustParse(shared.schema)))
	}
	return value.Object(
		value.M("$schema", value.String("https://json-schema.org/draft/2020-12/schema")),
		value.M("$id", value.String(id)),
		value.M("title", title(root)),
		value.M("$ref", ref),
		value.M("$defs", value.Object(defs...)),
	)
}

// The definitions that every schema has.
const (
	plainText     = "plain_text"     // without ${{
	plainValue    = "plain_value"    // without ${{ in any text
	templateText  = "template_text"  // with ${{
	templateValue = "template_value" // ${{ }} and nothing else
)

var sharedDefs = [...]struct{ name, schema string }{
	{plainText, `{"type": "string", "not": {"pattern": "\\$\\{\\{"}}`},
	{plainValue, `{"not": {"type": "string", "pattern": "\\$\\{\\{"}, "items": {"$ref": "#/$defs/plain_value"},
		"additionalProperties": {"$ref": "#/$defs/plain_value"}}`},
	{templateText, `{"type": "string", "pattern": "\\$\\{\\{", "description": "A text with expressions in ${{ }}."}`},
	{templateValue, `{"type": "string", "pattern": "^\\$\\{\\{[\\s\\S]*\\}\\}$", "description": "An expression in ${{ }}."}`},
}

// definition is an entry of $defs. An object below a field that allows
// templates differs from the same object elsewhere.
type definition struct {
	object   *Object
	template bool
}

type schemaBuilder struct {
	names map[definition]string
	used  map[string]bool
	queue []definition
}

// ref returns the reference to the definition of an object.
func (b *schemaBuilder) ref(o *Object, template bool) value.Value {
	d := definition{o, template}
	name, known := b.names[d]
	if !known {
		base := defName(o.Name)
		if template {
			base += ".template"
		}
		name = base
		for i := 2; b.used[name]; i++ {
			name = base + "." + strconv.Itoa(i)
		}
		b.names[d], b.used[name] = name, true
		b.queue = append(b.queue, d)
	}
	return reference(name)
}

func reference(name string) value.Value { return value.String("#/$defs/" + name) }

func refTo(name string) value.Value { return value.Object(value.M("$ref", reference(name))) }

// defName keeps what needs no escape in a reference.
func defName(name string) string {
	if name == "" {
		return "object"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, name)
}

func title(o *Object) value.Value {
	if o.Name == "" {
		return value.Undefined
	}
	return value.String(o.Name)
}

func (b *schemaBuilder) object(o *Object, template bool) value.Value {
	var properties []value.Member
	var required []string
	for i := range o.Fields {
		f := &o.Fields[i]
		properties = append(properties, value.M(f.Name, b.field(f, template)))
		if f.Required {
			required = append(required, f.Name)
		}
	}
	var groups []value.Value
	for _, g := range o.OneOfGroups {
		groups = append(groups, value.Object(value.M("oneOf", groupSchema(g))))
	}
	return value.Object(
		value.M("title", title(o)),
		value.M("description", text(o.Doc)),
		value.M("type", value.String("object")),
		value.M("properties", value.Object(properties...)),
		value.M("required", list(required)),
		value.M("allOf", values(groups)),
		value.M("additionalProperties", value.False),
	)
}

// groupSchema lists the ways in which a group may be present: each field
// alone, and none of them unless one is needed.
func groupSchema(g Group) value.Value {
	var ways []value.Value
	for _, name := range g.Fields {
		ways = append(ways, value.Object(value.M("required", list([]string{name}))))
	}
	if !g.Needed {
		ways = append(ways, value.Object(value.M("not", value.Object(value.M("anyOf", value.List(ways...))))))
	}
	return value.List(ways...)
}

func (b *schemaBuilder) field(f *Field, template bool) value.Value {
	s := b.typ(&f.Type, use{template: template || f.Template, enum: f.Enum})
	if d := description(f); d != "" {
		s = s.With("description", value.String(d))
	}
	return s.With("default", f.Default)
}

// description is the doc of a field with what a reader of the schema must
// know beside it.
func description(f *Field) string {
	parts := []string{}
	if f.Doc != "" {
		parts = append(parts, f.Doc)
	}
	var meanings []string
	for _, e := range f.Enum {
		if e.Doc != "" {
			meanings = append(meanings, "- `"+e.Text+"`: "+e.Doc)
		}
	}
	if len(meanings) > 0 {
		parts = append(parts, strings.Join(meanings, "\n"))
	}
	if f.Later != "" {
		parts = append(parts, "Not available yet: "+f.Later+" come with a later release.")
	}
	if f.Ignored != "" {
		parts = append(parts, "Has no effect: "+f.Ignored+".")
	}
	return strings.Join(parts, "\n\n")
}

// typ is the schema of a type, with the template that may stand for it.
func (b *schemaBuilder) typ(t *Type, u use) value.Value {
	if t.Kind == Expression || t.Kind == Any || !u.template {
		return b.core(t, u)
	}
	if t.Kind == String && len(u.enum) == 0 && t.Min == nil && t.Max == nil {
		return object("type", "string")
	}
	ways := b.ways(t, u)
	if takesText(t) {
		ways = append(ways, refTo(templateText))
	} else {
		ways = append(ways, refTo(templateValue))
	}
	return value.Object(value.M("anyOf", value.List(ways...)))
}

// ways are the options of a OneOf, or the type alone.
func (b *schemaBuilder) ways(t *Type, u use) []value.Value {
	if t.Kind != OneOf {
		return []value.Value{b.core(t, u)}
	}
	var ways []value.Value
	for _, option := range flatten(t, nil) {
		ways = append(ways, b.core(option, u))
	}
	return ways
}

func (b *schemaBuilder) core(t *Type, u use) value.Value {
	switch t.Kind {
	case Any:
		if u.template {
			return value.Object()
		}
		return refTo(plainValue)
	case List:
		return value.Object(
			value.M("type", value.String("array")), value.M("items", b.typ(t.elem(), u)),
			value.M("minItems", bound(t.Min)), value.M("maxItems", bound(t.Max)))
	case Map:
		return value.Object(
			value.M("type", value.String("object")), value.M("propertyNames", keySchema(t.KeyKind)),
			value.M("additionalProperties", b.typ(t.elem(), u)),
			value.M("minProperties", bound(t.Min)), value.M("maxProperties", bound(t.Max)))
	case Struct:
		if t.Object == nil {
			return b.core(&Type{Kind: Map}, u)
		}
		return value.Object(value.M("$ref", b.ref(t.Object, u.template)))
	case OneOf:
		return value.Object(value.M("anyOf", value.List(b.ways(t, u)...)))
	}
	return scalarSchema(t, u)
}

func scalarSchema(t *Type, u use) value.Value {
	switch t.Kind {
	case String:
		if len(u.enum) > 0 {
			return value.Object(value.M("enum", list(texts(u.enum))))
		}
		s := object("type", "string")
		if !u.template {
			s = refTo(plainText)
		}
		return s.With("minLength", bound(t.Min)).With("maxLength", bound(t.Max))
	case Integer, Number:
		kind := "integer"
		if t.Kind == Number {
			kind = "number"
		}
		return object("type", kind).With("minimum", bound(t.Min)).With("maximum", bound(t.Max))
	case Decimal:
		return value.Object(value.M("type", list([]string{"number", "string"})), value.M("pattern", value.String(DecimalPattern)),
			value.M("minimum", bound(t.Min)), value.M("maximum", bound(t.Max)))
	case Boolean:
		return object("type", "boolean")
	case Duration:
		return object("type", "string", "pattern", duration.Pattern)
	case Date:
		return object("type", "string", "format", "date", "pattern", DatePattern)
	case DateTime:
		return object("type", "string", "format", "date-time", "pattern", DateTimePattern)
	case Identifier:
		return object("type", "string", "pattern", IdentifierPattern)
	case Name:
		return object("type", "string", "pattern", NamePattern)
	case Const:
		return object("const", t.Text)
	}
	// Expression
	return value.Object(value.M("type", list([]string{"string", "number", "boolean"})),
		value.M("not", value.MustParse(`{"type": "string", "pattern": "\\$\\{\\{"}`)), value.M("minLength", value.Int(1)))
}

// keySchema is the schema of a map's keys, which never hold templates.
func keySchema(kind Kind) value.Value {
	if kind == Any || kind == String {
		return refTo(plainText)
	}
	return scalarSchema(&Type{Kind: kind}, use{})
}

func bound(n *int64) value.Value {
	if n == nil {
		return value.Undefined
	}
	return value.Int(*n)
}

// text, list and values are undefined when empty, so that the key is left out.
func text(s string) value.Value {
	if s == "" {
		return value.Undefined
	}
	return value.String(s)
}

func list(items []string) value.Value {
	out := make([]value.Value, len(items))
	for i, s := range items {
		out[i] = value.String(s)
	}
	return values(out)
}

func values(items []value.Value) value.Value {
	if len(items) == 0 {
		return value.Undefined
	}
	return value.List(items...)
}

// object makes an object of texts from pairs of key and text.
func object(pairs ...string) value.Value {
	members := make([]value.Member, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		members = append(members, value.M(pairs[i], value.String(pairs[i+1])))
	}
	return value.Object(members...)
}
