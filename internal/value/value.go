package value

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind says what a [Value] is.
type Kind uint8

// The kinds of values. An integer that int64 cannot hold is a BigInt.
const (
	KindUndefined Kind = iota
	KindNull
	KindBool
	KindInt
	KindBigInt
	KindFloat
	KindString
	KindList
	KindObject
	KindRef // stands for a large string, list or object that is kept elsewhere
)

// String names the kind as JSON Schema does, with "undefined" beside it.
func (k Kind) String() string {
	switch k {
	case KindUndefined:
		return "undefined"
	case KindNull:
		return "null"
	case KindBool:
		return "boolean"
	case KindInt, KindBigInt:
		return "integer"
	case KindFloat:
		return "number"
	case KindString:
		return "string"
	case KindList:
		return "list"
	case KindObject:
		return "object"
	case KindRef:
		return "reference"
	}
	return "invalid"
}

// Value is one JSON value, or undefined. Copying is cheap. Safe for
// concurrent reading.
type Value struct {
	kind Kind
	refs bool   // it is a reference or holds one
	num  uint64 // bool, int64 or float64 bits
	ptr  any    // string, []Value, *object, *big.Int, *Ref
}

// Member is one key of an object with its value.
type Member struct {
	Key   string
	Value Value
}

// object keeps members in order; index is built for objects that are large
// enough for a map to beat a scan.
type object struct {
	members []Member
	index   map[string]int
}

const indexFrom = 9 // members from which an object gets an index

// Undefined is the absent value (also the zero Value); Null is JSON null.
var (
	Undefined = Value{}
	Null      = Value{kind: KindNull}
	True      = Value{kind: KindBool, num: 1}
	False     = Value{kind: KindBool}
)

// Bool returns a JSON boolean.
func Bool(b bool) Value {
	if b {
		return True
	}
	return False
}

// Int returns a JSON integer.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// BigInt returns a JSON integer of any size. The caller must not change b
// afterwards.
func BigInt(b *big.Int) Value {
	if b.IsInt64() {
		return Int(b.Int64())
	}
	return Value{kind: KindBigInt, ptr: b}
}

// Float returns a JSON number. NaN and infinities have no JSON form and become
// null.
func Float(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Null
	}
	return Value{kind: KindFloat, num: math.Float64bits(f)}
}

// String returns a JSON string. Bytes that are not UTF-8 become U+FFFD, so that
// every value is the same after it was stored.
func String(s string) Value {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return Value{kind: KindString, ptr: s}
}

// List returns a JSON array that holds the slice; the caller must not change
// it afterwards. Undefined items become null when encoded.
func List(items ...Value) Value {
	if items == nil {
		items = []Value{}
	}
	refs := false
	for i := range items {
		refs = refs || items[i].refs
	}
	return Value{kind: KindList, ptr: items, refs: refs}
}

// Object returns a JSON object with the members in the order given. Of two
// members with the same key the last wins, at the place of the first. Members
// that are undefined are left out.
func Object(members ...Member) Value {
	o := &object{members: make([]Member, 0, len(members))}
	for _, m := range members {
		o.put(m)
	}
	return o.value()
}

// M makes a member: value.Object(value.M("a", value.Int(1))).
func M(key string, v Value) Member { return Member{Key: key, Value: v} }

func (o *object) value() Value {
	refs := false
	for i := range o.members {
		refs = refs || o.members[i].Value.refs
	}
	return Value{kind: KindObject, ptr: o, refs: refs}
}

func (o *object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].Key == key {
			return i
		}
	}
	return -1
}

func (o *object) put(m Member) {
	if m.Value.kind == KindUndefined {
		return
	}
	if !utf8.ValidString(m.Key) {
		m.Key = strings.ToValidUTF8(m.Key, "\ufffd")
	}
	if i := o.find(m.Key); i >= 0 {
		o.members[i].Value = m.Value
		return
	}
	o.members = append(o.members, m)
	if o.index != nil {
		o.index[m.Key] = len(o.members) - 1
	} else if len(o.members) == indexFrom {
		o.index = make(map[string]int, 2*indexFrom)
		for i := range o.members {
			o.index[o.members[i].Key] = i
		}
	}
}

// Kind says what v is.
func (v Value) Kind() Kind { return v.kind }

// IsUndefined reports whether v was never set.
func (v Value) IsUndefined() bool { return v.kind == KindUndefined }

// IsNull reports whether v is JSON null or undefined.
func (v Value) IsNull() bool { return v.kind <= KindNull }

// Bool returns the boolean, and whether v is one.
func (v Value) Bool() (b, ok bool) { return v.kind == KindBool && v.num == 1, v.kind == KindBool }

// Int returns the integer if v is one that int64 holds, or a float without a
// fraction that it holds exactly.
func (v Value) Int() (int64, bool) {
	switch v.kind {
	case KindInt:
		return int64(v.num), true
	case KindFloat:
		f := math.Float64frombits(v.num)
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f), true
		}
	}
	return 0, false
}

// BigInt returns the integer whatever its size, and whether v is one. The
// caller must not change it.
func (v Value) BigInt() (*big.Int, bool) {
	switch v.kind {
	case KindInt:
		return big.NewInt(int64(v.num)), true
	case KindBigInt:
		return v.ptr.(*big.Int), true
	}
	return nil, false
}

// Float returns the number as a float64 (integers are rounded to the nearest),
// and whether v is a number.
func (v Value) Float() (float64, bool) {
	switch v.kind {
	case KindInt:
		return float64(int64(v.num)), true
	case KindFloat:
		return math.Float64frombits(v.num), true
	case KindBigInt:
		f, _ := new(big.Float).SetInt(v.ptr.(*big.Int)).Float64()
		return f, true
	}
	return 0, false
}

// Str returns the string, and whether v is one.
func (v Value) Str() (string, bool) {
	s, ok := v.ptr.(string)
	return s, ok && v.kind == KindString
}

// Items returns the items of a list, nil for anything else. The caller must
// not change the slice.
func (v Value) Items() []Value {
	if v.kind != KindList {
		return nil
	}
	return v.ptr.([]Value)
}

// Members returns the members of an object in order, nil for anything else.
// The caller must not change the slice.
func (v Value) Members() []Member {
	if v.kind != KindObject {
		return nil
	}
	return v.ptr.(*object).members
}

// Len returns the number of items, members or bytes of a list, object or
// string, else 0; of a reference that of what it stands for.
func (v Value) Len() int {
	switch v.kind {
	case KindList:
		return len(v.ptr.([]Value))
	case KindObject:
		return len(v.ptr.(*object).members)
	case KindString:
		return len(v.ptr.(string))
	case KindRef:
		if r := v.ptr.(*Ref); len(r.Path) == 0 {
			return r.Len
		}
	}
	return 0
}

// Get returns the member of an object, undefined if it has none or v is not an
// object.
func (v Value) Get(key string) Value {
	got, _ := v.Lookup(key)
	return got
}

// Lookup is [Value.Get] that also reports whether the member is there.
func (v Value) Lookup(key string) (Value, bool) {
	if v.kind != KindObject {
		return Undefined, false
	}
	o := v.ptr.(*object)
	if i := o.find(key); i >= 0 {
		return o.members[i].Value, true
	}
	return Undefined, false
}

// At returns item i of a list, undefined if there is none.
func (v Value) At(i int) Value {
	items := v.Items()
	if i < 0 || i >= len(items) {
		return Undefined
	}
	return items[i]
}

// With returns a copy of the object with key set (or, for undefined, left as
// it was); v may be undefined or null, which counts as an empty object.
func (v Value) With(key string, val Value) Value {
	old := v.Members()
	o := &object{members: make([]Member, 0, len(old)+1)}
	for _, m := range old {
		o.put(m)
	}
	o.put(Member{key, val})
	return o.value()
}

// Equal reports whether two values are the same JSON: numbers compare by
// value, objects without regard to order. References are equal that name the
// same.
func Equal(a, b Value) bool {
	if an, ok := a.rat(); ok {
		bn, ok := b.rat()
		return ok && an.Cmp(bn) == 0
	}
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case KindBool:
		return a.num == b.num
	case KindString:
		return a.ptr.(string) == b.ptr.(string)
	case KindRef:
		x, y := a.ptr.(*Ref), b.ptr.(*Ref)
		return x.SHA256 == y.SHA256 && x.Run == y.Run && slices.Equal(x.Path, y.Path)
	case KindList:
		x, y := a.Items(), b.Items()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
	case KindObject:
		if a.Len() != b.Len() {
			return false
		}
		for _, m := range a.Members() {
			other, ok := b.Lookup(m.Key)
			if !ok || !Equal(m.Value, other) {
				return false
			}
		}
	}
	return true
}

func (v Value) rat() (*big.Rat, bool) {
	switch v.kind {
	case KindInt:
		return new(big.Rat).SetInt64(int64(v.num)), true
	case KindBigInt:
		return new(big.Rat).SetInt(v.ptr.(*big.Int)), true
	case KindFloat:
		return new(big.Rat).SetFloat64(math.Float64frombits(v.num)), true
	}
	return nil, false
}

// Size estimates the bytes that v takes in memory; what references stand for
// does not count.
func (v Value) Size() int {
	n := 40
	switch v.kind {
	case KindBigInt:
		n += v.ptr.(*big.Int).BitLen() / 8
	case KindString:
		n += len(v.ptr.(string))
	case KindRef:
		n += 160
	case KindList:
		for _, item := range v.Items() {
			n += item.Size()
		}
	case KindObject:
		for _, m := range v.Members() {
			n += 16 + len(m.Key) + m.Value.Size()
		}
	}
	return n
}

// Text is v as it stands in a text: strings as they are, null and undefined
// as nothing, everything else as compact JSON.
func (v Value) Text() string {
	switch v.kind {
	case KindUndefined, KindNull:
		return ""
	case KindString:
		return v.ptr.(string)
	}
	return v.String()
}

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It knows the kinds of
// values that references stand for.
func (k *Kind) UnmarshalText(text []byte) error {
	for _, known := range []Kind{KindString, KindList, KindObject} {
		if known.String() == string(text) {
			*k = known
			return nil
		}
	}
	return fmt.Errorf("%q is no kind of large value", text)
}
