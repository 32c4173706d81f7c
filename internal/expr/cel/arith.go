package cel

import (
	"math"
	"math/big"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/cockroachdb/apd/v3"

	"github.com/regie-dev/regie/internal/expr"
)

// Arithmetic operators, as they are written.
const (
	opAdd = "+"
	opSub = "-"
	opMul = "*"
	opDiv = "/"
	opMod = "%"
)

// arithmetic computes a op b for numbers, in the higher of their types.
// ok is false when the operator does not work on them.
func arithmetic(op string, a, b ref.Val) (result ref.Val, ok bool, fault *expr.Error) {
	ra, rb := rankOf(a), rankOf(b)
	if ra == notNumber || rb == notNumber {
		return nil, false, nil
	}
	switch max(ra, rb) {
	case rankDecimal:
		x, okX := asDecimal(a)
		y, okY := asDecimal(b)
		if !okX || !okY {
			return nil, true, &expr.Error{Code: expr.Overflow, Message: "NaN and infinity have no decimal"}
		}
		result, fault = decimalArithmetic(op, x, y)
	case rankDouble:
		x, _ := asFloat(a)
		y, _ := asFloat(b)
		result, ok = floatArithmetic(op, x, y)
		return result, ok, nil
	case rankBig:
		var n *big.Int
		if n, fault = bigArithmetic(op, asBig(a), asBig(b)); fault == nil {
			result, fault = unwrapErr(fromBig(n))
		}
	default:
		if ra == rb {
			result, fault = smallArithmetic(op, a, b)
		} else {
			result, fault = mixedArithmetic(op, a, b)
		}
	}
	return result, true, fault
}

// smallArithmetic is that of two Ints or two Uints, checked for overflow.
func smallArithmetic(op string, a, b ref.Val) (ref.Val, *expr.Error) {
	x, okX := a.(types.Int)
	y, okY := b.(types.Int)
	if okX && okY {
		switch op {
		case opAdd:
			if sum := x + y; (sum > x) == (y > 0) {
				return sum, nil
			}
			return nil, intOverflow()
		case opSub:
			if diff := x - y; (diff < x) == (y > 0) {
				return diff, nil
			}
			return nil, intOverflow()
		}
	}
	switch op {
	case opAdd:
		return unwrapErr(a.(adder).Add(b))
	case opSub:
		return unwrapErr(a.(subtractor).Subtract(b))
	case opMul:
		return unwrapErr(a.(multiplier).Multiply(b))
	case opDiv:
		return unwrapErr(a.(divider).Divide(b))
	}
	return unwrapErr(a.(modder).Modulo(b))
}

// The parts of CEL's own integers that smallArithmetic uses.
type (
	adder      interface{ Add(ref.Val) ref.Val }
	subtractor interface{ Subtract(ref.Val) ref.Val }
	multiplier interface{ Multiply(ref.Val) ref.Val }
	divider    interface{ Divide(ref.Val) ref.Val }
	modder     interface{ Modulo(ref.Val) ref.Val }
)

// mixedArithmetic is that of an Int and a Uint; the result is an Int.
func mixedArithmetic(op string, a, b ref.Val) (ref.Val, *expr.Error) {
	n, fault := bigArithmetic(op, asBig(a), asBig(b))
	if fault != nil {
		return nil, fault
	}
	if !n.IsInt64() {
		return nil, intOverflow()
	}
	return types.Int(n.Int64()), nil
}

func intOverflow() *expr.Error {
	return &expr.Error{Code: expr.Overflow, Message: "integer overflow: the result does not fit into 64 bits"}
}

func divideByZero() *expr.Error {
	return &expr.Error{Code: expr.DivideByZero, Message: "division by zero"}
}

func bigArithmetic(op string, x, y *big.Int) (*big.Int, *expr.Error) {
	z := new(big.Int)
	switch op {
	case opAdd:
		return z.Add(x, y), nil
	case opSub:
		return z.Sub(x, y), nil
	case opMul:
		return z.Mul(x, y), nil
	}
	if y.Sign() == 0 {
		return nil, divideByZero()
	}
	if op == opDiv {
		return z.Quo(x, y), nil
	}
	return z.Rem(x, y), nil
}

func floatArithmetic(op string, x, y float64) (ref.Val, bool) {
	switch op {
	case opAdd:
		return types.Double(x + y), true
	case opSub:
		return types.Double(x - y), true
	case opMul:
		return types.Double(x * y), true
	case opDiv:
		return types.Double(x / y), true
	}
	return nil, false
}

// rounding is the context of decimal operations that round, to so many
// significant digits, half to even.
func rounding(digits uint32) *apd.Context {
	ctx := apd.BaseContext.WithPrecision(digits)
	ctx.Rounding = apd.RoundHalfEven
	return ctx
}

// decimalArithmetic computes sums, differences and products exactly and
// quotients to 34 digits, half to even.
func decimalArithmetic(op string, x, y *decimal) (ref.Val, *expr.Error) {
	z := &decimal{}
	var err error
	switch op {
	case opAdd:
		_, err = apd.BaseContext.Add(&z.Decimal, &x.Decimal, &y.Decimal)
	case opSub:
		_, err = apd.BaseContext.Sub(&z.Decimal, &x.Decimal, &y.Decimal)
	case opMul:
		_, err = apd.BaseContext.Mul(&z.Decimal, &x.Decimal, &y.Decimal)
	default:
		if y.IsZero() {
			return nil, divideByZero()
		}
		if op == opDiv {
			err = z.divide(x, y)
		} else { // exact, with the sign of x
			_, err = rounding(2*maxDigits).Rem(&z.Decimal, &x.Decimal, &y.Decimal)
		}
	}
	if err != nil {
		return nil, decimalOverflow()
	}
	return z.finish()
}

// divide sets d to x / y. An exact quotient has the places of x less those of
// y, or as many more as it needs (IEEE 754): 12.30 / 3 is 4.10.
func (d *decimal) divide(x, y *decimal) error {
	condition, err := rounding(divisionDigits).Quo(&d.Decimal, &x.Decimal, &y.Decimal)
	if err != nil || condition.Inexact() {
		return err
	}
	ideal := min(x.Exponent-y.Exponent, 0)
	var reduced apd.Decimal
	reduced.Reduce(&d.Decimal)
	if reduced.Exponent > ideal {
		_, err = apd.BaseContext.WithPrecision(2*maxDigits).Quantize(&reduced, &d.Decimal, ideal)
	}
	d.Set(&reduced)
	return err
}

// finish brings the result of an operation into the form that all decimals
// have: bounded, without positive exponent, and zero without sign.
func (d *decimal) finish() (ref.Val, *expr.Error) {
	if tooLong(&d.Decimal) {
		return nil, decimalOverflow()
	}
	plain(&d.Decimal)
	if d.IsZero() {
		d.Negative = false
	}
	return d, nil
}

func decimalOverflow() *expr.Error {
	return &expr.Error{Code: expr.Overflow, Message: "the decimal has too many digits"}
}

// negate returns -v. ok is false when v is not a number that has a sign.
func negate(v ref.Val) (result ref.Val, ok bool, fault *expr.Error) {
	switch v := v.(type) {
	case types.Int:
		if v == math.MinInt64 {
			return nil, true, intOverflow()
		}
		return -v, true, nil
	case types.Double:
		return -v, true, nil
	case types.Duration:
		result, fault = unwrapErr(v.Negate())
		return result, true, fault
	case *bigInt:
		return fromBig(new(big.Int).Neg(&v.Int)), true, nil
	case *decimal:
		z := &decimal{}
		z.Neg(&v.Decimal)
		result, fault = z.finish()
		return result, true, fault
	}
	return nil, false, nil
}
