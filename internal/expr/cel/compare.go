package cel

import (
	"bytes"
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// equal reports whether two values are the same: numbers by value across
// their types, objects without regard to order, and texts with the decimals,
// dates and durations that they stand for. m pays; nil for no charge.
func equal(m *machine, a, b ref.Val, at int) (bool, *expr.Error) {
	if m != nil {
		if fault := m.spend(costStep, at); fault != nil {
			return false, fault
		}
	}
	if rankOf(a) != notNumber && rankOf(b) != notNumber {
		order, ordered := compareNumbers(a, b)
		return ordered && order == 0, chargeExact(m, a, b, at)
	}
	switch x := a.(type) {
	case types.String:
		if y, ok := b.(types.String); ok {
			return x == y, charge(m, min(len(x), len(y)), at)
		}
		return sameAsText(b, x), nil
	case types.Bytes:
		y, ok := b.(types.Bytes)
		return ok && bytes.Equal(x, y), charge(m, len(x), at)
	case traits.Lister:
		y, ok := b.(traits.Lister)
		if !ok {
			return false, nil
		}
		return equalLists(m, x, y, at)
	case traits.Mapper:
		y, ok := b.(traits.Mapper)
		if !ok {
			return false, nil
		}
		return equalMaps(m, x, y, at)
	case *types.Optional:
		y, ok := b.(*types.Optional)
		if !ok || !x.HasValue() || !y.HasValue() {
			return ok && x.HasValue() == y.HasValue(), nil
		}
		return equal(m, x.GetValue(), y.GetValue(), at)
	case date:
		if y, ok := b.(date); ok {
			return x == y, nil
		}
	case calendarVal, *bigInt, *decimal:
		// Of these, what is left to compare is text only.
	default:
		if _, isText := b.(types.String); !isText {
			return a.Equal(b) == types.True, nil
		}
	}
	if text, ok := b.(types.String); ok {
		return sameAsText(a, text), nil
	}
	return false, nil
}

func charge(m *machine, size, at int) *expr.Error {
	if m == nil {
		return nil
	}
	return m.scan(size, at)
}

// chargeExact pays for comparing numbers, of which only long ones take time.
func chargeExact(m *machine, a, b ref.Val, at int) *expr.Error {
	if m == nil || rankOf(a) <= rankInt && rankOf(b) <= rankInt {
		return nil
	}
	return m.exact(a, b, at)
}

// equalVal is equal as CEL's own values have it.
func equalVal(a, b ref.Val) ref.Val {
	same, _ := equal(nil, a, b, -1)
	return types.Bool(same)
}

func equalLists(m *machine, a, b traits.Lister, at int) (bool, *expr.Error) {
	n := sizeOf(a)
	if n != sizeOf(b) {
		return false, nil
	}
	for i := range n {
		same, fault := equal(m, itemAt(a, i), itemAt(b, i), at)
		if fault != nil || !same {
			return false, fault
		}
	}
	return true, nil
}

func equalMaps(m *machine, a, b traits.Mapper, at int) (bool, *expr.Error) {
	if sizeOf(a) != sizeOf(b) {
		return false, nil
	}
	for it := a.Iterator(); it.HasNext() == types.True; {
		if m != nil {
			if fault := m.spend(costObject, at); fault != nil {
				return false, fault
			}
		}
		key := it.Next()
		x, _ := a.Find(key)
		y, found := b.Find(key)
		if !found {
			return false, nil
		}
		same, fault := equal(m, x, y, at)
		if fault != nil || !same {
			return false, fault
		}
	}
	return true, nil
}

// textKind is the kind as which a text is read to be compared with v.
func textKind(v ref.Val) (kind, bool) {
	switch v.(type) {
	case *decimal:
		return kDecimal, true
	case date:
		return kDate, true
	case types.Timestamp:
		return kDateTime, true
	case types.Duration:
		return kDuration, true
	}
	return kAny, false
}

// sameAsText reports whether the text, read as what v is, equals v.
func sameAsText(v ref.Val, text types.String) bool {
	k, ok := textKind(v)
	if !ok {
		return false
	}
	read, err := parseKind(k, string(text))
	return err == nil && equalVal(v, read) == types.True
}

// compare orders two values of types that have an order. ordered is false for
// NaN, which is neither below nor above anything.
func compare(m *machine, a, b ref.Val, at int) (order int, ordered bool, fault *expr.Error) {
	if rankOf(a) != notNumber && rankOf(b) != notNumber {
		order, ordered = compareNumbers(a, b)
		return order, ordered, chargeExact(m, a, b, at)
	}
	if x, y, ok := textPair(a, b); ok {
		return compareOrdered(x, y), true, charge(m, min(len(x), len(y)), at)
	}
	a, b, fault = readTexts(a, b)
	if fault != nil {
		return 0, false, fault
	}
	if rankOf(a) != notNumber && rankOf(b) != notNumber {
		order, ordered = compareNumbers(a, b)
		return order, ordered, chargeExact(m, a, b, at)
	}
	if x, ok := a.(date); ok {
		if y, ok := b.(date); ok {
			return x.Compare(y.Date), true, nil
		}
	} else if x, ok := a.(traits.Comparer); ok && a.Type() == b.Type() {
		if result, ok := x.Compare(b).(types.Int); ok {
			return int(result), true, charge(m, bytesIn(a), at)
		}
	}
	return 0, false, fail(at, expr.TypeMismatch, fmt.Sprintf("%s and %s have no order", typeName(a), typeName(b)))
}

func textPair(a, b ref.Val) (x, y types.String, ok bool) {
	x, okX := a.(types.String)
	y, okY := b.(types.String)
	return x, y, okX && okY
}

// readTexts reads a text that is compared with a decimal, date or duration as
// one.
func readTexts(a, b ref.Val) (x, y ref.Val, fault *expr.Error) {
	if k, ok := textKind(a); ok {
		if text, isText := b.(types.String); isText {
			b, fault = readAs(k, text)
		}
	} else if k, ok := textKind(b); ok {
		if text, isText := a.(types.String); isText {
			a, fault = readAs(k, text)
		}
	}
	return a, b, fault
}

// bytesIn is the size of a text or of bytes, and 1 per item of an aggregate.
func bytesIn(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Sizer:
		return sizeOf(v)
	}
	return 1
}
