package asl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// object is an object of the definition that is being read.
type object struct {
	*reader
	n    *yamldoc.Node
	at   string // location
	pos  diag.Pos
	lang QueryLanguage
	// caught says that $states.errorOutput exists here.
	caught bool
	// refused are members that must not be here; they are read as absent.
	refused []string
}

// get is the value of a member, nil where there is none.
func (o *object) get(field string) *yamldoc.Node {
	if slices.Contains(o.refused, field) {
		return nil
	}
	return o.n.Get(field)
}

// where is the location of a member.
func (o *object) where(field string) string { return place(o.at, field) }

func place(at, field string) string { return strings.TrimSuffix(at, "/") + "/" + field }

func index(at string, i int) string { return at + "[" + strconv.Itoa(i) + "]" }

// child is the object under the field; nil when there is none.
func (o *object) child(field string) *object {
	n := o.get(field)
	if n == nil {
		return nil
	}
	return o.inner(n, o.where(field))
}

// inner is an object inside this one; nil, with an error, when it is none.
func (o *object) inner(n *yamldoc.Node, at string) *object {
	if n.Kind != yamldoc.Map {
		o.wrongType(n, at, "[OBJECT]")
		return nil
	}
	return &object{reader: o.reader, n: n, at: at, pos: n.Pos, lang: o.lang, caught: o.caught}
}

// list is the list under the field, nil if there is none; empty ones are refused.
func (o *object) list(field string) []*yamldoc.Node {
	n := o.get(field)
	switch {
	case n == nil:
		return nil
	case n.Kind != yamldoc.List:
		o.wrongType(n, o.where(field), "[ARRAY]")
		return nil
	case len(n.Items) == 0:
		o.fail(n, o.where(field), "Value cannot be empty")
		return nil
	}
	return n.Items
}

// fields refuses members that the object does not have, in this language or at
// all.
func (o *object) fields(set fieldSet) {
	other, of := set.nata, JSONata
	if o.lang == JSONata {
		other, of = set.path, JSONPath
	}
	for i := range o.n.Entries {
		key := o.n.Entries[i].Key
		switch {
		case !set.known(key.Text):
			o.refused = append(o.refused, key.Text)
			o.fail(key, o.at, "Field '%s' is not supported", key.Text).Hint = suggest(key.Text, set)
		case slices.Contains(other, key.Text):
			o.refused = append(o.refused, key.Text)
			if !o.downgraded {
				o.fail(key, o.at, "The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage", o.lang, key.Text, of)
			}
		}
	}
}

func suggest(name string, set fieldSet) string { return diag.DidYouMean(name, set.all()) }

// required refuses an object without one of the fields.
func (o *object) required(names ...string) {
	var missing []string
	for _, name := range names {
		if o.get(name) == nil {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		o.fail(nil, o.at, "These fields are required: [%s]", strings.Join(missing, ", "))
	}
}

// present lists those of the fields that are there.
func (o *object) present(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return o.get(name) == nil })
}

// atMostOne refuses more than one of the fields.
func (o *object) atMostOne(names ...string) {
	if found := o.present(names...); len(found) > 1 {
		o.fail(o.n.Entry(found[1]).Key, o.at, "There should only be one of the following fields: [%s]", strings.Join(names, ", "))
	}
}

// exactlyOne refuses more than one of the fields, and none.
func (o *object) exactlyOne(names ...string) {
	o.atMostOne(names...)
	if len(o.present(names...)) == 0 {
		o.fail(nil, o.at, "This object should have only one of the following fields: [%s]", strings.Join(names, ", "))
	}
}

// str is the text under the field.
func (o *object) str(field string) Text {
	n := o.get(field)
	switch {
	case n == nil:
		return Text{}
	case n.Kind != yamldoc.String:
		o.wrongType(n, o.where(field), "[STRING]")
		return Text{}
	}
	return Text{Text: n.Text, Pos: n.Pos}
}

// oneOf is the text under the field, which must be one of the values.
func (o *object) oneOf(field string, values ...string) string {
	t := o.str(field)
	if t.Pos.Line > 0 && !slices.Contains(values, t.Text) {
		o.fail(o.get(field), o.where(field), "Value should be one of the following: [%s]", strings.Join(values, ", ")).
			Hint = diag.DidYouMean(t.Text, values)
	}
	return t.Text
}

// boolean is the boolean under the field; false when there is none.
func (o *object) boolean(field string) bool {
	n := o.get(field)
	if n == nil {
		return false
	}
	b, ok := n.Value.Bool()
	if !ok {
		o.wrongType(n, o.where(field), "[BOOLEAN]")
	}
	return b
}

// bounds are those of a number; whole ones are integers.
type bounds struct {
	whole    bool
	min, max float64 // max 0: none
}

// number is the number under the field, or what computes it: the field with
// the suffix Path, or an expression.
func (o *object) number(field string, b bounds) *Value {
	if o.get(field+"Path") != nil && o.lang == JSONPath {
		o.atMostOne(field, field+"Path")
		if o.get(field) == nil {
			return o.path(field+"Path", pathRule{reference: true})
		}
	}
	n := o.get(field)
	if n == nil {
		return nil
	}
	if v, is := o.expression(field, n); is {
		return v
	}
	f, ok := n.Value.Float()
	if _, integer := n.Value.BigInt(); !ok || b.whole && !integer {
		if b.whole {
			o.wrongType(n, o.where(field), "Integer")
		} else {
			o.wrongType(n, o.where(field), "Number")
		}
		return nil
	}
	show := func(limit float64) string {
		if b.whole {
			return strconv.FormatFloat(limit, 'f', 0, 64)
		}
		return strconv.FormatFloat(limit, 'f', 1, 64)
	}
	switch {
	case f < b.min:
		o.fail(n, o.where(field), "Minimum value is %s", show(b.min))
	case b.max > 0 && f > b.max:
		o.fail(n, o.where(field), "Maximum value is %s", show(b.max))
	}
	return &Value{Field: field, Literal: n.Value, Node: n}
}

// expression is the field as JSONata; is reports whether it is meant as such,
// so that nothing else is said of one with faults, which is nil.
func (o *object) expression(field string, n *yamldoc.Node) (v *Value, is bool) {
	if o.lang != JSONata || n.Kind != yamldoc.String || !strings.HasPrefix(n.Text, openMark) {
		return nil, false
	}
	src, ok := o.jsonata(n, o.where(field), o.caught)
	if !ok {
		return nil, true
	}
	return &Value{Kind: Expression, Field: field, Text: src, Node: n}, true
}

// text is a text under the field, or what computes it.
func (o *object) text(field string, rule pathRule) *Value {
	if o.get(field+"Path") != nil && o.lang == JSONPath {
		o.atMostOne(field, field+"Path")
		if o.get(field) == nil {
			return o.path(field+"Path", rule)
		}
	}
	n := o.get(field)
	if n == nil {
		return nil
	}
	if v, is := o.expression(field, n); is {
		return v
	}
	if n.Kind != yamldoc.String {
		o.wrongType(n, o.where(field), "[STRING]")
		return nil
	}
	return &Value{Field: field, Literal: n.Value, Node: n}
}

// timestamp is like text, for an instant.
func (o *object) timestamp(field string) *Value {
	v := o.text(field, pathRule{reference: true})
	if v != nil && v.Kind == Literal && !isTimestamp(v.Node.Text) {
		o.fail(v.Node, o.where(field), "String does not match RFC3339 timestamp")
	}
	return v
}

// isTimestamp reports whether the text is an instant as RFC 3339 writes it,
// with an upper-case T and Z.
func isTimestamp(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil && strings.ContainsRune(s, 'T') && !strings.ContainsAny(s, "tz,")
}

// fail adds an error at the node, or at the object.
func (o *object) fail(n *yamldoc.Node, at, format string, args ...any) *Diagnostic {
	pos, length := o.pos, 1
	if n != nil {
		pos, length = n.Pos, n.Length()
	}
	return o.add(Error, CodeSchema, pos, length, at, fmt.Sprintf(format, args...))
}

func (o *object) wrongType(n *yamldoc.Node, at, want string) {
	o.fail(n, at, "Expected value of type %s", want).Hint = "this is " + n.Kind.String()
}
