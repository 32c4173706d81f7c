package cel

import (
	"fmt"
	"math"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// vector is a list that an expression made.
type vector struct{ items []ref.Val }

// dict is an object that an expression made. It keeps the order of its keys,
// unlike CEL's own maps, whose order is random.
type dict struct {
	keys, vals []ref.Val
	index      map[any]int // by normalised key
}

var (
	_ traits.Lister = (*vector)(nil)
	_ traits.Mapper = (*dict)(nil)
)

func newDict(size int) *dict {
	return &dict{keys: make([]ref.Val, 0, size), vals: make([]ref.Val, 0, size), index: make(map[any]int, size)}
}

// mapKey normalises a key, so that numbers of one value are one key. ok is
// false for types that cannot be keys.
func mapKey(key ref.Val) (normal any, ok bool) {
	switch key := key.(type) {
	case types.String:
		return string(key), true
	case types.Bool:
		return bool(key), true
	case types.Int:
		return int64(key), true
	case types.Uint:
		if key <= math.MaxInt64 {
			return int64(key), true
		}
		return uint64(key), true
	case types.Double:
		switch f := float64(key); {
		case f != math.Trunc(f):
		case f >= math.MinInt64 && f < math.MaxInt64:
			return int64(f), true
		case f >= math.MaxInt64 && f < math.MaxUint64:
			return uint64(f), true
		}
	}
	return nil, false
}

// insert adds a member. It reports false when the key is there already.
func (d *dict) insert(key, v ref.Val) bool {
	normal, _ := mapKey(key)
	if _, found := d.index[normal]; found {
		return false
	}
	d.index[normal] = len(d.keys)
	d.keys = append(d.keys, key)
	d.vals = append(d.vals, v)
	return true
}

// Find implements traits.Mapper.
func (d *dict) Find(key ref.Val) (ref.Val, bool) {
	normal, ok := mapKey(key)
	if !ok {
		return nil, false
	}
	i, found := d.index[normal]
	if !found {
		return nil, false
	}
	return d.vals[i], true
}

// sizeOf is the number of items or members.
func sizeOf(v traits.Sizer) int {
	switch v := v.(type) {
	case *list:
		return len(v.items)
	case *vector:
		return len(v.items)
	}
	n, _ := v.Size().(types.Int)
	return int(n)
}

// itemAt is an item of a list, or an error among values.
func itemAt(l traits.Lister, i int) ref.Val {
	switch l := l.(type) {
	case *list:
		return l.at(i)
	case *vector:
		return l.items[i]
	}
	return l.Get(types.Int(i))
}

// indexOf is a number as an index. ok is false when it is none.
func indexOf(v ref.Val) (index int, ok bool) {
	normal, _ := mapKey(v)
	i, ok := normal.(int64)
	return int(i), ok
}

func getItem(l traits.Lister, index ref.Val) ref.Val {
	i, ok := indexOf(index)
	if !ok {
		return types.NewErr("no such overload: a list has no index of type %s", typeName(index))
	}
	if n := sizeOf(l); i < 0 || i >= n {
		return types.NewErr("index %d out of bounds: the list has %d items", i, n)
	}
	return itemAt(l, i)
}

func getMember(m traits.Mapper, key ref.Val) ref.Val {
	v, found := m.Find(key)
	if !found {
		return types.NewErr("no such key: %v", key.Value())
	}
	return v
}

func contains(l traits.Lister, v ref.Val) ref.Val {
	for i := range sizeOf(l) {
		if equalVal(itemAt(l, i), v) == types.True {
			return types.True
		}
	}
	return types.False
}

// concat is the list of the items of both.
func concat(l traits.Lister, other ref.Val) ref.Val {
	o, ok := other.(traits.Lister)
	if !ok {
		return types.NewErr("no such overload: a list cannot be added to %s", typeName(other))
	}
	n, m := sizeOf(l), sizeOf(o)
	out := make([]ref.Val, 0, n+m)
	for i := range n {
		out = append(out, itemAt(l, i))
	}
	for i := range m {
		out = append(out, itemAt(o, i))
	}
	return &vector{out}
}

// items iterates over a list.
type items struct {
	list  traits.Lister
	at, n int
}

// HasNext implements traits.Iterator.
func (it *items) HasNext() ref.Val { return types.Bool(it.at < it.n) }

// Next implements traits.Iterator.
func (it *items) Next() ref.Val {
	if it.at >= it.n {
		return nil
	}
	it.at++
	return itemAt(it.list, it.at-1)
}

// ConvertToNative implements ref.Val; an iterator has no other form.
func (*items) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToType implements ref.Val.
func (*items) ConvertToType(ref.Type) ref.Val { return types.NoSuchOverloadErr() }

// Equal implements ref.Val.
func (*items) Equal(ref.Val) ref.Val { return types.NoSuchOverloadErr() }

// Type implements ref.Val.
func (*items) Type() ref.Type { return types.IteratorType }

// Value implements ref.Val.
func (*items) Value() any { return nil }

func noNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("no conversion to %v", t)
}

// convertAggregate answers type() and conversions of a list or object.
func convertAggregate(v ref.Val, own *types.Type, to ref.Type) ref.Val {
	switch to {
	case own:
		return v
	case types.TypeType:
		return own
	}
	return types.NewErr("no conversion from %s to %s", own.TypeName(), to.TypeName())
}

// Size implements traits.Sizer.
func (l *vector) Size() ref.Val { return types.Int(len(l.items)) }

// Size implements traits.Sizer.
func (d *dict) Size() ref.Val { return types.Int(len(d.keys)) }

// Get implements traits.Indexer.
func (l *vector) Get(index ref.Val) ref.Val { return getItem(l, index) }

// Get implements traits.Indexer.
func (d *dict) Get(key ref.Val) ref.Val { return getMember(d, key) }

// Contains implements traits.Container.
func (l *vector) Contains(v ref.Val) ref.Val { return contains(l, v) }

// Contains implements traits.Container.
func (d *dict) Contains(key ref.Val) ref.Val {
	_, found := d.Find(key)
	return types.Bool(found)
}

// Iterator implements traits.Iterable.
func (l *vector) Iterator() traits.Iterator { return &items{list: l, n: len(l.items)} }

// Iterator implements traits.Iterable; it gives the keys in order.
func (d *dict) Iterator() traits.Iterator { return (&vector{d.keys}).Iterator() }

// Add implements traits.Adder.
func (l *vector) Add(other ref.Val) ref.Val { return concat(l, other) }

// Equal implements ref.Val.
func (l *vector) Equal(other ref.Val) ref.Val { return equalVal(l, other) }

// Equal implements ref.Val.
func (d *dict) Equal(other ref.Val) ref.Val { return equalVal(d, other) }

// IsZeroValue implements traits.Zeroer.
func (l *vector) IsZeroValue() bool { return len(l.items) == 0 }

// IsZeroValue implements traits.Zeroer.
func (d *dict) IsZeroValue() bool { return len(d.keys) == 0 }

// Type implements ref.Val.
func (*vector) Type() ref.Type { return types.ListType }

// Type implements ref.Val.
func (*dict) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (l *vector) Value() any { return l.items }

// Value implements ref.Val.
func (d *dict) Value() any { return d.keys }

// ConvertToType implements ref.Val.
func (l *vector) ConvertToType(t ref.Type) ref.Val { return convertAggregate(l, types.ListType, t) }

// ConvertToType implements ref.Val.
func (d *dict) ConvertToType(t ref.Type) ref.Val { return convertAggregate(d, types.MapType, t) }

// ConvertToNative implements ref.Val.
func (*vector) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToNative implements ref.Val.
func (*dict) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }
