package cel

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// wrap is a JSON value as CEL sees it. Lists and objects are wrapped, not
// copied; decl says which texts are decimals, dates or durations.
func wrap(v value.Value, decl *expr.Type) (ref.Val, *expr.Error) {
	switch v.Kind() {
	case value.KindUndefined, value.KindNull:
		return types.NullValue, nil
	case value.KindBool:
		b, _ := v.Bool()
		return types.Bool(b), nil
	case value.KindList:
		return &list{items: v.Items(), decl: elemOf(decl)}, nil
	case value.KindObject:
		return &object{v: v, decl: decl}, nil
	}
	out := wrapScalar(v)
	if decl == nil {
		return out, nil
	}
	if k := kindOf[decl.Kind]; k.readFromText() {
		return readAs(k, out)
	}
	return out, nil
}

func elemOf(decl *expr.Type) *expr.Type {
	if decl == nil {
		return nil
	}
	return decl.Elem
}

func wrapScalar(v value.Value) ref.Val {
	switch v.Kind() {
	case value.KindString:
		s, _ := v.Str()
		return types.String(s)
	case value.KindInt:
		i, _ := v.Int()
		return types.Int(i)
	case value.KindFloat:
		f, _ := v.Float()
		return types.Double(f)
	}
	n, _ := v.BigInt()
	b := &bigInt{}
	b.Set(n)
	return b
}

// readAs reads a text, or for decimals a number, as a value of the kind.
func readAs(k kind, v ref.Val) (ref.Val, *expr.Error) {
	text, ok := v.(types.String)
	if !ok {
		if d, isNumber := asDecimal(v); isNumber && k == kDecimal {
			return d, nil
		}
		return nil, fail(-1, expr.InvalidValue, fmt.Sprintf("a %s cannot be made of %s", k, typeName(v)))
	}
	out, err := parseKind(k, string(text))
	if err != nil {
		return nil, fail(-1, expr.InvalidValue, err.Error())
	}
	return out, nil
}

// parseKind reads the text form that a kind has in JSON.
func parseKind(k kind, text string) (ref.Val, error) {
	switch k {
	case kDecimal:
		return parseDecimal(text)
	case kDate:
		d, err := calendar.ParseDate(text)
		return date{d}, err
	case kDateTime:
		v := types.String(text).ConvertToType(types.TimestampType)
		if types.IsError(v) {
			return nil, fmt.Errorf("%q is not a datetime; write it as 2006-01-02T15:04:05Z", text)
		}
		return v, nil
	default:
		return parseDuration(text)
	}
}

// parseDuration reads Regie's durations and, beyond them, those of CEL, which
// may be negative and have microseconds.
func parseDuration(text string) (ref.Val, error) {
	d, err := duration.Parse(text)
	if err == nil {
		return types.Duration{Duration: d}, nil
	}
	if v, ok := types.String(text).ConvertToType(types.DurationType).(types.Duration); ok {
		return v, nil
	}
	return nil, err
}

// result is the value of an expression as JSON. What came from the bindings
// is handed back as it was.
func (m *machine) result(v ref.Val) (value.Value, *expr.Error) {
	switch v := v.(type) {
	case *list:
		return value.List(v.items...), nil
	case *object:
		return v.v, nil
	}
	return m.export(v, 0, 0)
}

// export is a value as JSON, depth levels below the result. It pays for the
// whole size of the JSON, also where parts of it are shared, and refuses what
// value.Parse would not read again.
func (m *machine) export(v ref.Val, depth, at int) (value.Value, *expr.Error) {
	if depth > value.MaxDepth {
		return value.Undefined, tooDeep(at)
	}
	switch v := v.(type) {
	case *types.Optional:
		if !v.HasValue() {
			return value.Undefined, nil
		}
		return m.export(v.GetValue(), depth, at)
	case *list:
		out := value.List(v.items...)
		return out, m.measure(out, depth, at)
	case *object:
		return v.v, m.measure(v.v, depth, at)
	case traits.Lister:
		return m.exportList(v, depth, at)
	case traits.Mapper:
		return m.exportMap(v, depth, at)
	}
	out, err := scalarValue(v)
	if err != nil {
		return value.Undefined, fail(at, expr.NoJSONForm, err.Error())
	}
	return out, m.measure(out, depth, at)
}

func tooDeep(at int) *expr.Error {
	return fail(at, expr.NoJSONForm, fmt.Sprintf("the result is nested deeper than %d levels", value.MaxDepth))
}

// measure pays for a JSON value as part of the result, item by item, so that
// a large one is refused before all of it is looked at.
func (m *machine) measure(v value.Value, depth, at int) *expr.Error {
	if depth > value.MaxDepth {
		return tooDeep(at)
	}
	size := scalarBytes
	if _, isText := v.Str(); isText {
		size += v.Len()
	}
	if fault := m.spend(costStep, at); fault != nil {
		return fault
	}
	if fault := m.allocate(size, at); fault != nil {
		return fault
	}
	for _, item := range v.Items() {
		if fault := m.measure(item, depth+1, at); fault != nil {
			return fault
		}
	}
	for _, member := range v.Members() {
		if fault := m.allocate(len(member.Key), at); fault != nil {
			return fault
		}
		if fault := m.measure(member.Value, depth+1, at); fault != nil {
			return fault
		}
	}
	return nil
}

func scalarValue(v ref.Val) (value.Value, error) {
	switch v := v.(type) {
	case types.Null:
		return value.Null, nil
	case types.Bool:
		return value.Bool(bool(v)), nil
	case types.Int:
		return value.Int(int64(v)), nil
	case types.Uint:
		return value.BigInt(new(big.Int).SetUint64(uint64(v))), nil
	case *bigInt:
		return value.BigInt(&v.Int), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return value.Undefined, fmt.Errorf("the number %v has no JSON form", float64(v))
		}
		return value.Float(float64(v)), nil
	case types.String:
		return jsonText(string(v))
	case types.Bytes:
		return value.String(base64.StdEncoding.EncodeToString(v)), nil
	case *decimal, date:
		return value.String(ownText(v)), nil
	case types.Timestamp:
		return value.String(v.Format(time.RFC3339Nano)), nil
	case types.Duration:
		return value.String(durationText(v.Duration)), nil
	case *types.Type:
		return value.String(v.TypeName()), nil
	}
	return value.Undefined, fmt.Errorf("a %s has no JSON form", typeName(v))
}

// jsonText is a text, which JSON as Regie reads it cannot have with NUL.
func jsonText(text string) (value.Value, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return value.Undefined, fmt.Errorf("a text with a NUL character has no JSON form")
	}
	return value.String(text), nil
}

// durationText is the form that duration fields read.
func durationText(d time.Duration) string {
	if d%time.Millisecond == 0 {
		return duration.Format(d)
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

func (m *machine) exportList(l traits.Lister, depth, at int) (value.Value, *expr.Error) {
	n := sizeOf(l)
	if fault := m.allocateItems(n, at); fault != nil {
		return value.Undefined, fault
	}
	items := make([]value.Value, n)
	for i := range n {
		item, fault := unwrapErr(itemAt(l, i))
		if fault == nil {
			items[i], fault = m.export(item, depth+1, at)
		}
		if fault != nil {
			return value.Undefined, fault
		}
	}
	return value.List(items...), nil
}

func (m *machine) exportMap(o traits.Mapper, depth, at int) (value.Value, *expr.Error) {
	n := sizeOf(o)
	if fault := m.allocate(min(n, maxMemory)*memberBytes, at); fault != nil {
		return value.Undefined, fault
	}
	members := make([]value.Member, 0, n)
	seen := make(map[string]bool, n)
	for it := o.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.ConvertToType(types.StringType).(types.String)
		if _, err := jsonText(string(name)); !ok || err != nil || seen[string(name)] {
			return value.Undefined, fail(at, expr.NoJSONForm, fmt.Sprintf("the key %v has no JSON form of its own", key.Value()))
		}
		seen[string(name)] = true
		found, _ := o.Find(key)
		v, fault := m.export(found, depth+1, at)
		if fault != nil {
			return value.Undefined, fault
		}
		members = append(members, value.M(string(name), v))
	}
	return value.Object(members...), nil
}

// typeName names the type of a value in messages.
func typeName(v ref.Val) string {
	switch v.(type) {
	case types.Null:
		return "null"
	case types.Timestamp:
		return "datetime"
	case types.Duration:
		return "duration"
	case *bigInt:
		return "int"
	case traits.Mapper:
		return "object"
	}
	return v.Type().TypeName()
}

// list is a JSON list. It has the methods of CEL's lists, so that CEL's
// functions take it.
type list struct {
	items []value.Value
	decl  *expr.Type // of the items
}

// object is a JSON object.
type object struct {
	v    value.Value
	decl *expr.Type
}

var (
	_ traits.Lister = (*list)(nil)
	_ traits.Mapper = (*object)(nil)
)

func (l *list) at(i int) ref.Val {
	v, fault := wrap(l.items[i], l.decl)
	if fault != nil {
		return types.NewErrFromString(fault.Message)
	}
	return v
}

// find returns the member, or nil if there is none.
func (o *object) find(key string) (ref.Val, *expr.Error) {
	v, ok := o.v.Lookup(key)
	if !ok {
		return nil, nil
	}
	return wrap(v, memberDecl(o.decl, key))
}

// memberDecl is the declaration of a member of a declared object.
func memberDecl(decl *expr.Type, key string) *expr.Type {
	if decl == nil || decl.Kind != expr.ObjectOf {
		return nil
	}
	for i := range decl.Fields {
		if decl.Fields[i].Name == key {
			return &decl.Fields[i].Type
		}
	}
	return decl.Elem
}

// Find implements traits.Mapper.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	v, fault := o.find(string(name))
	if fault != nil {
		return types.NewErrFromString(fault.Message), true
	}
	return v, v != nil
}

// Size implements traits.Sizer.
func (l *list) Size() ref.Val { return types.Int(len(l.items)) }

// Size implements traits.Sizer.
func (o *object) Size() ref.Val { return types.Int(o.v.Len()) }

// Get implements traits.Indexer.
func (l *list) Get(index ref.Val) ref.Val { return getItem(l, index) }

// Get implements traits.Indexer.
func (o *object) Get(key ref.Val) ref.Val { return getMember(o, key) }

// Contains implements traits.Container.
func (l *list) Contains(v ref.Val) ref.Val { return contains(l, v) }

// Contains implements traits.Container.
func (o *object) Contains(key ref.Val) ref.Val {
	_, found := o.Find(key)
	return types.Bool(found)
}

// Iterator implements traits.Iterable.
func (l *list) Iterator() traits.Iterator { return &items{list: l, n: len(l.items)} }

// Iterator implements traits.Iterable; it gives the keys in order.
func (o *object) Iterator() traits.Iterator {
	keys := make([]ref.Val, o.v.Len())
	for i, m := range o.v.Members() {
		keys[i] = types.String(m.Key)
	}
	return (&vector{keys}).Iterator()
}

// Add implements traits.Adder.
func (l *list) Add(other ref.Val) ref.Val { return concat(l, other) }

// Equal implements ref.Val.
func (l *list) Equal(other ref.Val) ref.Val { return equalVal(l, other) }

// Equal implements ref.Val.
func (o *object) Equal(other ref.Val) ref.Val { return equalVal(o, other) }

// IsZeroValue implements traits.Zeroer.
func (l *list) IsZeroValue() bool { return len(l.items) == 0 }

// IsZeroValue implements traits.Zeroer.
func (o *object) IsZeroValue() bool { return o.v.Len() == 0 }

// Type implements ref.Val.
func (*list) Type() ref.Type { return types.ListType }

// Type implements ref.Val.
func (*object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (l *list) Value() any { return l.items }

// Value implements ref.Val.
func (o *object) Value() any { return o.v }

// ConvertToType implements ref.Val.
func (l *list) ConvertToType(t ref.Type) ref.Val { return convertAggregate(l, types.ListType, t) }

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(t ref.Type) ref.Val { return convertAggregate(o, types.MapType, t) }

// ConvertToNative implements ref.Val.
func (*list) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }

// ConvertToNative implements ref.Val.
func (*object) ConvertToNative(t reflect.Type) (any, error) { return noNative(t) }
