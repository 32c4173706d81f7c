package cel

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/cockroachdb/apd/v3"

	"github.com/regie-dev/regie/internal/value"
)

// Bounds of decimals and of integers beyond 64 bits.
const (
	maxDigits        = value.MaxNumberDigits // of one number, before and after the point
	maxBits          = 3_318                 // of an integer: 999 digits, which leaves one for the sign
	divisionDigits   = 34                    // significant digits of a quotient, as in IEEE decimal128
	maxDecimalPlaces = maxDigits             // digits after the point
)

var (
	decimalType = types.NewOpaqueType("decimal")
	bigIntType  = types.NewOpaqueType("bigint")
)

// decimal is an exact number in base ten; text in JSON.
type decimal struct{ apd.Decimal }

// bigInt is an integer that int64 cannot hold.
type bigInt struct{ big.Int }

var (
	_ ref.Val = (*decimal)(nil)
	_ ref.Val = (*bigInt)(nil)
)

// ConvertToNative implements ref.Val; decimals leave CEL by toValue only.
func (d *decimal) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("decimal has no form %v", t)
}

// ConvertToType implements ref.Val.
func (d *decimal) ConvertToType(t ref.Type) ref.Val { return convertOwn(d, decimalType, t) }

// Equal implements ref.Val.
func (d *decimal) Equal(other ref.Val) ref.Val { return equalVal(d, other) }

// Type implements ref.Val.
func (d *decimal) Type() ref.Type { return decimalType }

// Value implements ref.Val.
func (d *decimal) Value() any { return d.text() }

// IsZeroValue implements traits.Zeroer.
func (d *decimal) IsZeroValue() bool { return d.IsZero() }

func (d *decimal) text() string { return d.Text('f') }

// ConvertToNative implements ref.Val.
func (b *bigInt) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("bigint has no form %v", t)
}

// ConvertToType implements ref.Val.
func (b *bigInt) ConvertToType(t ref.Type) ref.Val { return convertOwn(b, bigIntType, t) }

// Equal implements ref.Val.
func (b *bigInt) Equal(other ref.Val) ref.Val { return equalVal(b, other) }

// Type implements ref.Val.
func (b *bigInt) Type() ref.Type { return bigIntType }

// Value implements ref.Val.
func (b *bigInt) Value() any { return b.Text(10) }

// convertOwn converts a value of one of our types as the CEL functions
// string(), int(), double() and type() ask.
func convertOwn(v ref.Val, own *types.Type, to ref.Type) ref.Val {
	switch to {
	case own:
		return v
	case types.TypeType:
		return own
	case types.StringType:
		return types.String(ownText(v))
	case types.IntType:
		if n, ok := truncated(v); ok {
			return fromBig(n)
		}
	case types.DoubleType:
		if f, ok := asFloat(v); ok {
			return types.Double(f)
		}
	}
	return types.NewErr("no conversion from %s to %s", own.TypeName(), to.TypeName())
}

// ownText is the text form of a value of one of our types.
func ownText(v ref.Val) string {
	switch v := v.(type) {
	case *decimal:
		return v.text()
	case *bigInt:
		return v.Text(10)
	case date:
		return v.String()
	}
	return ""
}

// rank orders the numeric types: an operation on two of them works in the
// higher one.
type rank uint8

const (
	notNumber rank = iota
	rankUint
	rankInt
	rankBig
	rankDouble
	rankDecimal
)

func rankOf(v ref.Val) rank {
	switch v.(type) {
	case types.Int:
		return rankInt
	case types.Double:
		return rankDouble
	case *decimal:
		return rankDecimal
	case types.Uint:
		return rankUint
	case *bigInt:
		return rankBig
	}
	return notNumber
}

// asBig is an integer as a big.Int; v must be one.
func asBig(v ref.Val) *big.Int {
	switch v := v.(type) {
	case types.Int:
		return big.NewInt(int64(v))
	case types.Uint:
		return new(big.Int).SetUint64(uint64(v))
	case *bigInt:
		return &v.Int
	}
	return nil
}

// fromBig returns an integer, as Int where it fits.
func fromBig(n *big.Int) ref.Val {
	if n.IsInt64() {
		return types.Int(n.Int64())
	}
	if n.BitLen() > maxBits {
		return types.NewErr("integer overflow: more than %d bits", maxBits)
	}
	b := &bigInt{}
	b.Set(n)
	return b
}

// asFloat is the nearest float64 of a number.
func asFloat(v ref.Val) (float64, bool) {
	switch v := v.(type) {
	case types.Double:
		return float64(v), true
	case *decimal:
		f, err := strconv.ParseFloat(v.Text('e'), 64)
		return f, err == nil
	}
	if n := asBig(v); n != nil {
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, true
	}
	return 0, false
}

// asDecimal is a number as a decimal. A double counts as the shortest text
// that stands for it: 0.1 is 0.1. Infinities and NaN have no decimal.
func asDecimal(v ref.Val) (*decimal, bool) {
	d := &decimal{}
	switch v := v.(type) {
	case *decimal:
		return v, true
	case types.Int:
		d.SetInt64(int64(v))
		return d, true
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, false
		}
		_, _, err := d.SetString(strconv.FormatFloat(float64(v), 'g', -1, 64))
		plain(&d.Decimal)
		return d, err == nil
	}
	if n := asBig(v); n != nil {
		d.Coeff.SetMathBigInt(new(big.Int).Abs(n))
		d.Negative = n.Sign() < 0
		return d, true
	}
	return nil, false
}

// plain writes a positive exponent out as zeros, so that scale and text have
// nothing of scientific notation.
func plain(d *apd.Decimal) {
	if d.Exponent > 0 {
		ten := apd.NewBigInt(10)
		d.Coeff.Mul(&d.Coeff, ten.Exp(ten, apd.NewBigInt(int64(d.Exponent)), nil))
		d.Exponent = 0
	}
}

// parseDecimal reads digits with an optional sign, point and exponent.
func parseDecimal(text string) (*decimal, error) {
	bad := fmt.Errorf("%q is not a decimal; write digits such as 12.30", text)
	if text == "" || len(text) > maxDigits || strings.Trim(text, "0123456789+-.eE") != "" {
		return nil, bad
	}
	d := &decimal{}
	if _, _, err := d.SetString(text); err != nil {
		return nil, bad
	}
	if tooLong(&d.Decimal) {
		return nil, fmt.Errorf("decimal %s has more than %d digits", text, maxDigits)
	}
	plain(&d.Decimal)
	return d, nil
}

// tooLong reports whether d, written without exponent, has more digits than
// allowed.
func tooLong(d *apd.Decimal) bool {
	digits, exponent := d.NumDigits(), int64(d.Exponent)
	return digits > maxDigits || exponent > maxDigits || digits+exponent > maxDigits || -exponent > maxDecimalPlaces
}

// truncated is the integer part of a number that has one.
func truncated(v ref.Val) (*big.Int, bool) {
	switch v := v.(type) {
	case *decimal:
		var whole apd.Decimal
		v.Modf(&whole, nil)
		plain(&whole)
		n := new(big.Int).Set(whole.Coeff.MathBigInt())
		if whole.Negative {
			n.Neg(n)
		}
		return n, true
	case *bigInt:
		return &v.Int, true
	}
	return nil, false
}

// compareNumbers orders two numbers by value. ordered is false when one of
// them is NaN. A double is compared with an integer exactly, and with a
// decimal as the shortest text that stands for it.
func compareNumbers(a, b ref.Val) (order int, ordered bool) {
	ra, rb := rankOf(a), rankOf(b)
	switch {
	case ra == rankInt && rb == rankInt:
		x, y := a.(types.Int), b.(types.Int)
		return compareOrdered(x, y), true
	case ra < rankDouble && rb < rankDouble:
		return asBig(a).Cmp(asBig(b)), true
	case ra == rankDouble && rb == rankDouble:
		x, y := a.(types.Double), b.(types.Double)
		return compareOrdered(x, y), !math.IsNaN(float64(x)) && !math.IsNaN(float64(y))
	case ra == rankDouble:
		return compareDouble(float64(a.(types.Double)), b)
	case rb == rankDouble:
		order, ordered = compareDouble(float64(b.(types.Double)), a)
		return -order, ordered
	}
	x, _ := asDecimal(a)
	y, _ := asDecimal(b)
	return x.Cmp(&y.Decimal), true
}

// compareDouble orders a float before or after an integer or decimal.
func compareDouble(f float64, other ref.Val) (order int, ordered bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case math.IsInf(f, 0):
		return int(math.Copysign(1, f)), true
	}
	if d, ok := other.(*decimal); ok {
		x, _ := asDecimal(types.Double(f))
		return x.Cmp(&d.Decimal), true
	}
	return new(big.Rat).SetFloat64(f).Cmp(new(big.Rat).SetInt(asBig(other))), true
}

func compareOrdered[T types.Int | types.Double | types.String](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
