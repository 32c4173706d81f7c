package jsonata

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Data within an evaluation is nil for undefined, null, bool, float64, exact,
// string, *array, *object or a function: *lambda, *native, *regex.

// null is JSON null.
type null struct{}

// exact is an integer that float64 cannot hold. It passes through unchanged,
// and counts as the nearest float64 wherever it is computed with.
type exact struct{ v value.Value }

// array is a list or a sequence: a list that stands for its only item when it
// has one, and for undefined when it has none. The items of a stream of
// tuples are *tuple. A range keeps its bounds until somebody needs the items.
type array struct {
	items []any
	used  *int    // see extend
	first float64 // of a range
	count int     // of a range, else 0

	seq    bool
	keep   bool // a sequence that stays a list of one
	cons   bool // stays one item when it is put into a sequence
	tuples bool
	outer  bool // wraps an input that is a list
}

// object is a JSON object, either as it came in or made by the expression.
type object struct {
	src   value.Value // of an object that came in, else undefined
	keys  []string
	vals  []any
	index map[string]int
	read  map[string]any // lists and objects of src that were read, so that each is converted once
}

// tuple is an item of a path with the variables that are bound for it.
type tuple struct {
	at   any
	vars []binding
}

type binding struct {
	name string
	val  any
}

// regex is a regular expression; as a function it is a matcher.
type regex struct {
	re      *expr.Regexp
	pattern string
}

// lambda is a function of the expression with its surroundings, or a native
// one that some arguments are given to (inner).
type lambda struct {
	n     *node
	in    any
	env   *frame
	inner any   // the function of a partial application or chain
	fixed []any // its arguments; hole where one is missing
	next  any   // of a chain: the function that gets the result
}

// hole stands for a missing argument of a partial application.
type hole struct{}

const indexFrom = 9 // members from which an object gets an index

func sequence(items ...any) *array { return &array{items: items, seq: true} }

func (a *array) len() int {
	if a.items == nil {
		return a.count
	}
	return len(a.items)
}

// put adds to a sequence that is being made.
func (a *array) put(m *machine, item any) {
	m.allocate(itemBytes)
	a.items = append(a.items, item)
}

// extend adds to a list that may share its items with other lists. The lists
// that share them know how many are used; the one that ends there grows in
// place, and the others get a copy first. So a list that is made by appending
// to the one before it, as with $reduce, costs only what is new.
func (m *machine) extend(a *array, more ...any) {
	items := m.all(a)
	if a.used == nil || *a.used != len(items) {
		m.allocate(len(items) * itemBytes)
		items = append(make([]any, 0, len(items)+len(more)), items...)
		a.used = new(int)
	}
	m.allocate(2 * len(more) * itemBytes) // with the room for growth
	items = append(items, more...)
	a.items, *a.used = items, len(items)
}

// shared is a list with the items of another.
func (a *array) shared() *array {
	return &array{items: a.items, used: a.used, first: a.first, count: a.count}
}

// all are the items. The caller must not change them.
func (m *machine) all(a *array) []any {
	if a.items == nil && a.count > 0 {
		m.allocate(a.count * 3 * itemBytes / 2)
		items := make([]any, a.count)
		for i := range items {
			items[i] = a.first + float64(i)
		}
		a.items = items
	}
	return a.items
}

func newObject() *object { return &object{} }

func (o *object) len() int {
	if !o.src.IsUndefined() {
		return o.src.Len()
	}
	return len(o.keys)
}

func (o *object) key(i int) string {
	if !o.src.IsUndefined() {
		return o.src.Members()[i].Key
	}
	return o.keys[i]
}

func (o *object) val(i int) any {
	if !o.src.IsUndefined() {
		member := o.src.Members()[i]
		return o.converted(member.Key, member.Value)
	}
	return o.vals[i]
}

func (o *object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i, k := range o.keys {
		if k == key {
			return i
		}
	}
	return -1
}

func (o *object) get(key string) any {
	if !o.src.IsUndefined() {
		return o.converted(key, o.src.Get(key))
	}
	if i := o.find(key); i >= 0 {
		return o.vals[i]
	}
	return nil
}

// converted is the value of a member of src.
func (o *object) converted(key string, v value.Value) any {
	if k := v.Kind(); k != value.KindList && k != value.KindObject {
		return from(v)
	}
	if got, ok := o.read[key]; ok {
		return got
	}
	if o.read == nil {
		o.read = map[string]any{}
	}
	got := from(v)
	o.read[key] = got
	return got
}

// set changes an object that is being made.
func (o *object) set(m *machine, key string, val any) {
	if i := o.find(key); i >= 0 {
		o.vals[i] = val
		return
	}
	m.allocate(2*itemBytes + len(key))
	o.keys, o.vals = append(o.keys, key), append(o.vals, val)
	if o.index != nil {
		o.index[key] = len(o.keys) - 1
	} else if len(o.keys) == indexFrom {
		o.reindex()
	}
}

func (o *object) reindex() {
	o.index = make(map[string]int, 2*len(o.keys))
	for i, k := range o.keys {
		o.index[k] = i
	}
}

func (o *object) remove(key string) {
	i := o.find(key)
	if i < 0 {
		return
	}
	o.keys = append(o.keys[:i:i], o.keys[i+1:]...)
	o.vals = append(o.vals[:i:i], o.vals[i+1:]...)
	if o.index != nil {
		o.reindex()
	}
}

const maxExact = 1 << 53 // integers up to here are float64 without loss

// from turns data that came in into what an evaluation works with. Objects
// stay as they are until a member is read.
func from(v value.Value) any {
	switch v.Kind() {
	case value.KindNull:
		return null{}
	case value.KindBool:
		b, _ := v.Bool()
		return b
	case value.KindInt, value.KindBigInt:
		if i, ok := v.Int(); ok && i <= maxExact && i >= -maxExact {
			return float64(i)
		}
		return exact{v}
	case value.KindFloat:
		f, _ := v.Float()
		return f
	case value.KindString:
		s, _ := v.Str()
		return s
	case value.KindList:
		items := make([]any, v.Len())
		for i, item := range v.Items() {
			items[i] = from(item)
		}
		return &array{items: items}
	case value.KindObject:
		return &object{src: v}
	case value.KindUndefined:
	}
	return nil
}

// export turns a result into JSON. Functions become empty strings, as in
// $string.
func (m *machine) export(x any, depth int) value.Value {
	m.step()
	if depth > maxDataDepth {
		m.fail("U1001")
	}
	switch x := x.(type) {
	case null:
		return value.Null
	case bool:
		return value.Bool(x)
	case float64:
		return number(x)
	case exact:
		return x.v
	case string:
		return value.String(x)
	case *array:
		items := make([]value.Value, x.len())
		for i, item := range m.all(x) {
			items[i] = m.export(item, depth+1)
			if items[i].IsUndefined() {
				items[i] = value.Null
			}
		}
		return value.List(items...)
	case *object:
		if !x.src.IsUndefined() {
			return x.src
		}
		members := make([]value.Member, x.len())
		for i := range members {
			members[i] = value.M(x.key(i), m.export(x.val(i), depth+1))
		}
		return value.Object(members...)
	case *lambda, *native, *regex:
		return value.String("")
	}
	return value.Undefined
}

// number is the JSON of a float64: one without a fraction is an integer.
func number(f float64) value.Value {
	if f == math.Trunc(f) && math.Abs(f) < 1e21 {
		if math.Abs(f) <= maxExact {
			return value.Int(int64(f))
		}
		if b, ok := new(big.Int).SetString(formatFloat(f), 10); ok {
			return value.BigInt(b)
		}
	}
	return value.Float(f)
}

// formatFloat writes a number as ECMAScript does.
func formatFloat(f float64) string {
	abs := math.Abs(f)
	switch {
	case f == 0:
		return "0"
	case math.IsInf(f, 0) || math.IsNaN(f):
		return "null"
	case abs >= 1e-6 && abs < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	sign := exponent[:1]
	return mantissa + "e" + sign + strings.TrimLeft(exponent[1:], "0")
}

// num is x as a float64, and whether it is a number.
func num(x any) (float64, bool) {
	switch x := x.(type) {
	case float64:
		return x, true
	case exact:
		f, _ := x.v.Float()
		return f, true
	}
	return 0, false
}

func isFunction(x any) bool {
	switch x.(type) {
	case *lambda, *native, *regex:
		return true
	}
	return false
}

// less orders strings by their UTF-16 units, as ECMAScript does.
func less(a, b string) bool {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		// Characters of four bytes are pairs of units, which are less than the
		// last of those that are one unit.
		if a[i] >= 0xEE && b[i] >= 0xEE && a[i] >= 0xF0 != (b[i] >= 0xF0) {
			return a[i] >= 0xF0
		}
		return a[i] < b[i]
	}
	return len(a) < len(b)
}

// equal compares deeply; the order of members does not matter.
func (m *machine) equal(a, b any, depth int) bool {
	m.step()
	if depth > maxDataDepth {
		m.fail("U1001")
	}
	switch x := a.(type) {
	case *array:
		y, ok := b.(*array)
		if !ok || x.len() != y.len() {
			return false
		}
		ys := m.all(y)
		for i, item := range m.all(x) {
			if !m.equal(item, ys[i], depth+1) {
				return false
			}
		}
		return true
	case *object:
		y, ok := b.(*object)
		if !ok || x.len() != y.len() {
			return false
		}
		for i := range x.len() {
			other := y.get(x.key(i))
			if other == nil || !m.equal(x.val(i), other, depth+1) {
				return false
			}
		}
		return true
	}
	return m.same(a, b)
}

// same compares without looking into lists and objects.
func (m *machine) same(a, b any) bool {
	if x, ok := a.(string); ok {
		y, ok := b.(string)
		if ok = ok && len(x) == len(y); ok {
			m.read(x)
		}
		return ok && x == y
	}
	if x, ok := a.(exact); ok {
		if y, ok := b.(exact); ok {
			return value.Equal(x.v, y.v)
		}
	}
	if x, ok := num(a); ok {
		y, ok := num(b)
		return ok && x == y
	}
	return a == b
}

// show is a literal in a message.
func show(x any) string {
	switch x := x.(type) {
	case float64:
		return formatFloat(x)
	case bool:
		return strconv.FormatBool(x)
	case string:
		return strconv.Quote(x)
	case null:
		return "null"
	}
	return typeName(x)
}

// typeName is what $type answers.
func typeName(x any) string {
	switch x.(type) {
	case null:
		return "null"
	case float64, exact:
		return "number"
	case string:
		return "string"
	case bool:
		return "boolean"
	case *array:
		return "array"
	case *lambda, *native, *regex:
		return "function"
	case *object:
		return "object"
	}
	return "undefined"
}
