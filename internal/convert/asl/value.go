package asl

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// kind says how much is known of a [data].
type kind uint8

const (
	constant kind = iota // the value itself
	computed             // an expression in CEL
	object               // members that are known one by one
	list                 // items that are known one by one
	text                 // parts that are joined as text
	overlay              // another value with something put in at a path
	root                 // the input of the machine
)

// data is a value of the state machine as far as it is known when converting.
// The zero value is null.
type data struct {
	kind    kind
	value   value.Value // constant
	source  string      // computed: CEL
	loose   bool        // computed: needs brackets before another operator
	moving  bool        // computed: a variable that can be set again
	untyped bool        // computed: the checker knows no type
	members []member    // object
	items   []data      // list, text
	base    *data       // overlay
	path    []string    // overlay
	put     *data       // overlay
	// shape is what a computed value is known to be; nil: nothing is.
	shape *data
}

type member struct {
	key  string
	data data
}

func fixed(v value.Value) data {
	if v.IsUndefined() {
		v = value.Null
	}
	return data{value: v}
}

func fixedText(s string) data { return fixed(value.String(s)) }

// cel is an expression that can stand before a dot.
func cel(source string) data { return data{kind: computed, source: source} }

// operation is an expression that needs brackets before a dot.
func operation(source string) data { return data{kind: computed, source: source, loose: true} }

// like says what the computed value is known to be.
func (d data) like(shape data) data {
	d.shape = &shape
	return d
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// words of CEL that cannot be names.
var words = []string{
	"in", "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "let", "loop",
	"package", "namespace", "null", "return", "true", "var", "void", "while",
}

func isName(s string) bool { return identifier.MatchString(s) && !slices.Contains(words, s) }

// access is the source of a member.
func access(of, key string) string {
	if isName(key) {
		return of + "." + key
	}
	return of + "[" + quote(key) + "]"
}

func quote(s string) string { return value.String(s).String() }

// member is the value of a member. One that cannot be there is read all the
// same: the workflow fails there, as the state machine does.
func (c *converter) member(d data, key string) data {
	switch d.kind {
	case root:
		return c.input(key)
	case object:
		for _, m := range d.members {
			if m.key == key {
				return m.data
			}
		}
	case constant:
		if v, ok := d.value.Lookup(key); ok {
			return fixed(v)
		}
	case overlay:
		if d.path[0] == key {
			if len(d.path) == 1 {
				return *d.put
			}
			base := c.member(*d.base, key)
			return data{kind: overlay, base: &base, path: d.path[1:], put: d.put}
		}
		return c.member(*d.base, key)
	case computed:
		if d.shape == nil {
			out := cel(access(d.brackets(), key))
			out.moving = d.moving
			return out
		}
		if inner, ok := d.shape.known(key); ok {
			out := cel(access(d.brackets(), key)).like(inner)
			out.moving = d.moving
			return out
		}
	case list, text:
	}
	if hasOverlay(d) { // it is known that there is nothing
		return cel(access("dyn({})", key))
	}
	return cel(access("dyn("+c.source(d)+")", key))
}

// known is a member that is known to be there.
func (d data) known(key string) (data, bool) {
	switch d.kind {
	case object:
		for _, m := range d.members {
			if m.key == key {
				return m.data, true
			}
		}
	case constant:
		if v, ok := d.value.Lookup(key); ok {
			return fixed(v), true
		}
	case computed:
		if d.shape != nil {
			return d.shape.known(key)
		}
	case list, text, overlay, root:
	}
	return data{}, false
}

// item is the item of a list at a position, from 0; from the end if negative.
func (c *converter) item(d data, index int) data {
	length, isKnown := -1, false
	switch d.kind {
	case list:
		length, isKnown = len(d.items), true
	case constant:
		length, isKnown = d.value.Len(), d.value.Kind() == value.KindList
	case computed, object, text, overlay, root:
	}
	if isKnown {
		at := index
		if at < 0 {
			at += length
		}
		if at >= 0 && at < length {
			if d.kind == list {
				return d.items[at]
			}
			return fixed(d.value.At(at))
		}
	}
	if hasOverlay(d) { // a position where there is no list
		return cel("dyn([])[" + strconv.Itoa(index) + "]")
	}
	of := c.source(d)
	if d.kind == computed {
		of = d.brackets()
	}
	if d.kind != computed || d.shape != nil {
		of = "dyn(" + c.source(d) + ")"
	}
	at := strconv.Itoa(index)
	if index < 0 {
		at = "size(" + of + ") - " + strconv.Itoa(-index)
	}
	out := cel(of + "[" + at + "]")
	out.moving = d.moving
	return out
}

func (d data) brackets() string {
	if d.loose {
		return "(" + d.source + ")"
	}
	return d.source
}

// source is the value as CEL. Overlays have to be settled before.
func (c *converter) source(d data) string {
	switch d.kind {
	case constant:
		return celLiteral(d.value)
	case computed:
		return d.source
	case root:
		c.whole = true
		return "inputs." + wholeInput
	case object:
		parts := make([]string, len(d.members))
		for i, m := range d.members {
			parts[i] = quote(m.key) + ": " + c.source(m.data)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case list:
		parts := make([]string, len(d.items))
		for i, item := range d.items {
			parts[i] = c.source(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case text:
		parts := make([]string, len(d.items))
		for i, item := range d.items {
			parts[i] = c.textSource(item)
		}
		return strings.Join(parts, " + ")
	case overlay:
	}
	panic("an overlay is read that was not settled")
}

// operand is the value as CEL, in brackets where it is an operation.
func (c *converter) operand(d data) string {
	switch {
	case d.kind == computed:
		return d.brackets()
	case d.kind == text && len(d.items) > 1:
		return "(" + c.source(d) + ")"
	}
	return c.source(d)
}

func (c *converter) textSource(d data) string {
	if d.kind == constant && d.value.Kind() == value.KindString {
		return quote(d.value.Text())
	}
	return "string(" + c.source(d) + ")"
}

// celLiteral is JSON, which is CEL too but for large integers.
func celLiteral(v value.Value) string {
	if v.Kind() == value.KindBigInt {
		return "json.parse(" + quote(v.String()) + ")"
	}
	if v.Kind() == value.KindFloat {
		if s := v.String(); !strings.ContainsAny(s, ".eE") {
			return s + ".0"
		}
	}
	if v.Kind() == value.KindObject || v.Kind() == value.KindList {
		if strings.ContainsAny(v.String(), "0123456789") { // its numbers may be of these kinds
			return compound(v)
		}
	}
	return v.String()
}

func compound(v value.Value) string {
	var parts []string
	if v.Kind() == value.KindList {
		for _, item := range v.Items() {
			parts = append(parts, celLiteral(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	for _, m := range v.Members() {
		parts = append(parts, quote(m.Key)+": "+celLiteral(m.Value))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// some reports whether the value, or a part of it, is as said.
func (d data) some(is func(data) bool) bool {
	if is(d) {
		return true
	}
	for _, m := range d.members {
		if m.data.some(is) {
			return true
		}
	}
	for _, item := range d.items {
		if item.some(is) {
			return true
		}
	}
	return d.base != nil && (d.base.some(is) || d.put.some(is))
}

// same reports whether two values are written alike, and so are equal.
func same(a, b data) bool {
	if a.kind != b.kind || a.source != b.source || len(a.members) != len(b.members) || len(a.items) != len(b.items) ||
		!slices.Equal(a.path, b.path) || (a.base == nil) != (b.base == nil) || a.kind == constant && !value.Equal(a.value, b.value) {
		return false
	}
	for i, m := range a.members {
		if m.key != b.members[i].key || !same(m.data, b.members[i].data) {
			return false
		}
	}
	for i := range a.items {
		if !same(a.items[i], b.items[i]) {
			return false
		}
	}
	return a.base == nil || same(*a.base, *b.base) && same(*a.put, *b.put)
}
