package descriptor

import "github.com/regie-dev/regie/internal/value"

// Kind is the kind of a field's type.
type Kind uint8

// The kinds. Integer is what int64 holds; Duration is text such as 90s, 10m,
// 1h30m, 2d (package duration); Date is 2006-01-02; DateTime is RFC 3339;
// Decimal is a number or text with digits; Identifier is a step ID; Name is the
// name of an object; Expression is a bare expression of the language in force,
// also a bare number or boolean.
const (
	Any Kind = iota
	String
	Integer
	Number
	Decimal
	Boolean
	Duration
	Date
	DateTime
	Identifier
	Name
	Expression
	List   // of Elem
	Map    // any keys, values of Elem; KeyKind restricts the keys
	Struct // Fields of Object
	OneOf  // the option that fits best: by shape, then among mappings by keys
	Const  // exactly the text Text
)

// Type is the type of a field.
type Type struct {
	Kind    Kind
	Elem    *Type   // of List and Map
	KeyKind Kind    // of Map: Identifier, Name or String (the zero value Any accepts all)
	Object  *Object // of Struct; may refer to itself
	Options []Type  // of OneOf, told apart by shape: scalar, list or mapping; among mappings by their fields
	Text    string  // of Const
	// Min and Max bound a number by its value, a text by its characters, a list
	// by its items and a map by its keys; nil for no bound.
	Min, Max *int64
}

// Bound makes a bound for [Type].
func Bound(n int64) *int64 { return &n }

// Field is one key of a mapping.
type Field struct {
	Name string
	Doc  string // Markdown; the first sentence stands alone in lists
	Type Type
	// Required fields must be present; Default is what an absent one means,
	// undefined when it has no default.
	Required bool
	Default  value.Value
	// Enum lists the texts allowed, with their meaning. It binds every String
	// within the type: of the field itself, of a list's items, of a map's
	// values, of the options.
	Enum []EnumValue
	// Template says that the text, or any text within, may hold ${{ }}; a
	// text that is one expression may then stand for a value of any kind.
	// Fields of objects below inherit it.
	Template bool
	// NoTemplate is the hint for who writes ${{ }} where Template is false,
	// such as "pass the value in `env` and use it as \"$NAME\"".
	NoTemplate string
	// Secrets says that ${{ secrets.NAME }} may stand here.
	Secrets bool
	// Later says which capability brings the field, if it is parsed and
	// checked but not available yet, such as "child workflows".
	Later string
	// Ignored says why the field has no effect yet where that is harmless: it
	// gives a warning instead of an error.
	Ignored string
	// Example is YAML for the reference page.
	Example string
}

// EnumValue is one allowed text.
type EnumValue struct {
	Text string
	Doc  string
}

// Object describes a mapping.
type Object struct {
	// Name is the title in pages and the key in $defs of the JSON Schema,
	// such as "step" or "http.request".
	Name   string
	Doc    string // Markdown
	Fields []Field
	// OneOfGroups are sets of fields of which exactly one must be present
	// (Needed) or at most one may be.
	OneOfGroups []Group
	// Example is YAML for the reference page.
	Example string
}

// Group is a set of fields that exclude each other.
type Group struct {
	Fields []string
	Needed bool
	What   string // what they say together, such as "what the step does"
}

// Field returns the field with the name, or nil.
func (o *Object) Field(name string) *Field {
	for i := range o.Fields {
		if o.Fields[i].Name == name {
			return &o.Fields[i]
		}
	}
	return nil
}
