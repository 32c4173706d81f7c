package cel

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/regie-dev/regie/internal/expr"
)

// operate computes a op b for the arithmetic operators.
func operate(m *machine, op string, a, b ref.Val, offset int) (ref.Val, *expr.Error) {
	if rankOf(a) == rankDecimal || rankOf(b) == rankDecimal || rankOf(a) == rankBig || rankOf(b) == rankBig {
		if fault := m.exact(a, b, offset); fault != nil {
			return nil, fault
		}
	}
	if v, ok, fault := arithmetic(op, a, b); ok || fault != nil {
		if fault != nil {
			return nil, at(fault, offset)
		}
		return v, nil
	}
	if v, ok, fault := sumDates(op, a, b); ok || fault != nil {
		if fault != nil {
			return nil, at(fault, offset)
		}
		return v, nil
	}
	if op == opAdd {
		if v, ok, fault := joinValues(m, a, b, offset); ok || fault != nil {
			return v, fault
		}
	}
	if v, ok := addTimes(op, a, b); ok {
		out, fault := unwrapErr(v)
		if fault != nil {
			return nil, at(fault, offset)
		}
		return out, nil
	}
	return nil, fail(offset, expr.TypeMismatch, operatorMismatch(op, typeName(a), typeName(b)))
}

func operatorMismatch(op, a, b string) string {
	return fmt.Sprintf("operator %s does not work on %s and %s", op, a, b)
}

// joinValues is + of texts, bytes and lists.
func joinValues(m *machine, a, b ref.Val, offset int) (result ref.Val, ok bool, fault *expr.Error) {
	switch x := a.(type) {
	case types.String:
		y, ok := b.(types.String)
		if !ok {
			return nil, false, nil
		}
		if fault := m.allocate(len(x)+len(y), offset); fault != nil {
			return nil, true, fault
		}
		return x + y, true, nil
	case types.Bytes:
		y, ok := b.(types.Bytes)
		if !ok {
			return nil, false, nil
		}
		if fault := m.allocate(len(x)+len(y), offset); fault != nil {
			return nil, true, fault
		}
		return append(append(make(types.Bytes, 0, len(x)+len(y)), x...), y...), true, nil
	case traits.Lister:
		y, ok := b.(traits.Lister)
		if !ok {
			return nil, false, nil
		}
		if fault := m.allocateItems(sizeOf(x)+sizeOf(y), offset); fault != nil {
			return nil, true, fault
		}
		return concat(x, y), true, nil
	}
	return nil, false, nil
}

// addTimes is + and - of datetimes and durations.
func addTimes(op string, a, b ref.Val) (ref.Val, bool) {
	if !isTime(a) || !isTime(b) {
		return nil, false
	}
	var v ref.Val
	switch op {
	case opAdd:
		v = a.(adder).Add(b)
	case opSub:
		v = a.(subtractor).Subtract(b)
	default:
		return nil, false
	}
	if _, fault := unwrapErr(v); fault != nil && fault.Code == expr.TypeMismatch {
		return nil, false
	}
	return v, true
}

func isTime(v ref.Val) bool {
	switch v.(type) {
	case types.Timestamp, types.Duration:
		return true
	}
	return false
}

// arithmeticType is the static type of a op b. ok is false when no values of
// the types can have one.
func arithmeticType(op string, a, b typ) (result typ, ok bool) {
	if a.kind == kAny || b.kind == kAny {
		return anyArithmetic(op, a, b), true
	}
	if a.kind.numeric() && b.kind.numeric() {
		return typ{kind: max(a.kind, b.kind)}, true // kinds are in the order of ranks
	}
	for _, row := range []struct {
		op           string
		a, b, result kind
	}{
		{opAdd, kString, kString, kString},
		{opAdd, kBytes, kBytes, kBytes},
		{opAdd, kDuration, kDuration, kDuration},
		{opAdd, kDateTime, kDuration, kDateTime},
		{opAdd, kDuration, kDateTime, kDateTime},
		{opAdd, kDate, kDuration, kDate},
		{opAdd, kDuration, kDate, kDate},
		{opSub, kDuration, kDuration, kDuration},
		{opSub, kDateTime, kDuration, kDateTime},
		{opSub, kDateTime, kDateTime, kDuration},
		{opSub, kDate, kDuration, kDate},
		{opSub, kDate, kDate, kDuration},
	} {
		if row.op == op && row.a == a.kind && row.b == b.kind {
			return typ{kind: row.result}, true
		}
	}
	if op == opAdd && a.kind == kList && b.kind == kList {
		return join(a.guarded(), b.guarded()), true
	}
	return typ{}, false
}

// anyArithmetic is the type when one of the two is unknown: + keeps texts and
// decimals what they are.
func anyArithmetic(op string, a, b typ) typ {
	known := a
	if a.kind == kAny {
		known = b
	}
	if known.kind == kDecimal || op == opAdd && (known.kind == kString || known.kind == kBytes) {
		return typ{kind: known.kind}
	}
	return typ{}
}

// haveOrder reports whether values of the static types can be ordered.
func haveOrder(a, b typ) bool {
	switch {
	case a.kind == kAny || b.kind == kAny, a.kind.numeric() && b.kind.numeric():
		return true
	case a.kind == kString && b.kind.readFromText(), b.kind == kString && a.kind.readFromText():
		return true
	case a.kind != b.kind:
		return false
	}
	switch a.kind {
	case kBool, kString, kBytes, kDate, kDateTime, kDuration:
		return true
	default:
		return false
	}
}

// canBeEqual reports whether values of the static types can be equal.
func canBeEqual(a, b typ) bool {
	switch {
	case a.kind == kAny || b.kind == kAny, a.kind == kNull || b.kind == kNull, a.kind == b.kind:
		return true
	case a.kind.numeric() && b.kind.numeric():
		return true
	}
	return a.kind == kString && b.kind.readFromText() || b.kind == kString && a.kind.readFromText()
}
