package cel

import (
	"math/big"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/cockroachdb/apd/v3"

	"github.com/regie-dev/regie/internal/expr"
)

// numberFunctions are the rows about numbers.
func numberFunctions() []function {
	const group = "Numbers"
	rows := []function{
		{group: group, name: "decimal.round", sigs: []string{"(decimal|int|number,int,string?) -> decimal"}, run: decimalRound,
			literals: map[int]func(string) error{2: checkRoundingMode},
			doc:      "The number rounded to so many places, and written with them. Halves go away from zero; with `\"half_even\"` to the even neighbour, with `\"down\"` towards zero.",
			examples: []example{{`decimal.round(decimal("2.345"), 2)`, `"2.35"`}, {`decimal.round(decimal("2.345"), 2, "half_even")`, `"2.34"`}, {`decimal.round(7, 2)`, `"7.00"`}}},
		{group: group, name: "math.greatest", sigs: []string{"(any,any...?) -> any"}, run: func(c *call) (ref.Val, *expr.Error) { return c.greatest(1) },
			doc: "The largest of the arguments, or of the one list.", examples: []example{{`math.greatest(1, 2.5, 2)`, `2.5`}, {`math.greatest([1, 3, 2])`, `3`}}},
		{group: group, name: "math.least", sigs: []string{"(any,any...?) -> any"}, run: func(c *call) (ref.Val, *expr.Error) { return c.greatest(-1) },
			doc: "The smallest of the arguments, or of the one list.", examples: []example{{`math.least(1, 2.5)`, `1`}}},
		{group: group, name: "math.abs", sigs: []string{"(number|decimal|uint) -> same"}, run: decimalOr(func(z, x *apd.Decimal) { z.Abs(x) }),
			doc: "The number without its sign.", examples: []example{{`math.abs(-3)`, `3`}, {`math.abs(decimal("-1.50"))`, `"1.50"`}}},
		{group: group, name: "math.sign", sigs: []string{"(number|decimal|uint) -> same"}, run: decimalOr(func(z, x *apd.Decimal) { z.SetInt64(int64(x.Sign())) }),
			doc: "-1, 0 or 1.", examples: []example{{`math.sign(-3)`, `-1`}}},
		{group: group, name: "math.ceil", sigs: []string{"(number|decimal) -> same"}, run: decimalOr(integral(apd.RoundCeiling)),
			doc: "The next whole number above.", examples: []example{{`math.ceil(1.2)`, `2.0`}, {`math.ceil(decimal("1.2"))`, `"2"`}}},
		{group: group, name: "math.floor", sigs: []string{"(number|decimal) -> same"}, run: decimalOr(integral(apd.RoundFloor)),
			doc: "The next whole number below.", examples: []example{{`math.floor(1.8)`, `1.0`}}},
		{group: group, name: "math.round", sigs: []string{"(number|decimal) -> same"}, run: decimalOr(integral(apd.RoundHalfUp)),
			doc: "The nearest whole number; halves go away from zero.", examples: []example{{`math.round(1.5)`, `2.0`}, {`math.round(decimal("2.5"))`, `"3"`}}},
		{group: group, name: "math.trunc", sigs: []string{"(number|decimal) -> same"}, run: decimalOr(integral(apd.RoundDown)),
			doc: "The number without what stands behind the point.", examples: []example{{`math.trunc(-1.8)`, `-1.0`}}},
		{group: group, name: "math.sqrt", sigs: []string{"(number|uint) -> number"},
			doc: "The square root, as a float.", examples: []example{{`math.sqrt(81)`, `9.0`}}},
		{group: group, name: "math.isNaN", sigs: []string{"(number) -> bool"}, doc: "Whether the float is not a number, such as `0.0 / 0.0`.", examples: []example{{`math.isNaN(0.0 / 0.0)`, `true`}}},
		{group: group, name: "math.isInf", sigs: []string{"(number) -> bool"}, doc: "Whether the float is infinite, such as `1.0 / 0.0`.", examples: []example{{`math.isInf(1.0 / 0.0)`, `true`}}},
		{group: group, name: "math.isFinite", sigs: []string{"(number) -> bool"}, doc: "Whether the float is neither infinite nor NaN.", examples: []example{{`math.isFinite(1.5)`, `true`}}},
	}
	for _, bit := range []struct{ name, doc, source, result string }{
		{"math.bitAnd", "The bits that both have.", `math.bitAnd(6, 3)`, `2`},
		{"math.bitOr", "The bits that either has.", `math.bitOr(6, 3)`, `7`},
		{"math.bitXor", "The bits that one of both has.", `math.bitXor(6, 3)`, `5`},
		{"math.bitShiftLeft", "The bits moved to the left.", `math.bitShiftLeft(1, 4)`, `16`},
		{"math.bitShiftRight", "The bits moved to the right.", `math.bitShiftRight(16, 4)`, `1`},
	} {
		rows = append(rows, function{group: group, name: bit.name, sigs: []string{"(int|uint,int|uint) -> same"}, doc: bit.doc,
			examples: []example{{bit.source, bit.result}}})
	}
	return append(rows, function{group: group, name: "math.bitNot", sigs: []string{"(int|uint) -> same"}, doc: "The bits turned over.",
		examples: []example{{`math.bitNot(0)`, `-1`}}})
}

// decimalOr is a function that works on a decimal as said, leaves big
// integers to their decimal, and on other numbers is CEL's own.
func decimalOr(op func(z, x *apd.Decimal)) func(*call) (ref.Val, *expr.Error) {
	return func(c *call) (ref.Val, *expr.Error) {
		switch x := c.args[0].(type) {
		case *decimal:
			z := &decimal{}
			op(&z.Decimal, &x.Decimal)
			return z.finish()
		case *bigInt:
			d, _ := asDecimal(x)
			op(&d.Decimal, &d.Decimal)
			n, _ := truncated(d)
			return unwrapErr(fromBig(n))
		case types.Int:
			// Rounding an integer leaves it; abs and sign have a form for it.
			if c.fn.name != "math.abs" && c.fn.name != "math.sign" {
				return x, nil
			}
		}
		return c.callNative()
	}
}

// integral rounds to a whole number. Decimals are bounded, so it cannot fail.
func integral(mode apd.Rounder) func(z, x *apd.Decimal) {
	return func(z, x *apd.Decimal) {
		ctx := apd.BaseContext.WithPrecision(2 * maxDigits)
		ctx.Rounding = mode
		if _, err := ctx.RoundToIntegralValue(z, x); err != nil {
			z.Form = apd.NaN
		}
	}
}

var roundingModes = map[string]apd.Rounder{
	"half_up": apd.RoundHalfUp, "half_even": apd.RoundHalfEven, "down": apd.RoundDown,
}

func checkRoundingMode(name string) error {
	if _, ok := roundingModes[name]; !ok {
		return unknownWord("rounding", name, []string{"half_up", "half_even", "down"})
	}
	return nil
}

// places is a decimal with so many digits behind the point.
func (d *decimal) places(n int, mode apd.Rounder) (ref.Val, *expr.Error) {
	if n < 0 || n > maxDecimalPlaces {
		return nil, fail(-1, expr.InvalidValue, "a decimal has 0 to 1000 places")
	}
	ctx := apd.BaseContext.WithPrecision(2 * maxDigits)
	ctx.Rounding = mode
	z := &decimal{}
	if _, err := ctx.Quantize(&z.Decimal, &d.Decimal, int32(-n)); err != nil {
		return nil, decimalOverflow()
	}
	return z.finish()
}

func decimalRound(c *call) (ref.Val, *expr.Error) {
	if rankOf(c.args[0]) == notNumber {
		return nil, c.mismatch()
	}
	d, ok := asDecimal(c.args[0])
	if !ok {
		return nil, c.fail(expr.Overflow, "NaN and infinity have no decimal")
	}
	n, fault := c.integer(1, 0)
	if fault != nil {
		return nil, fault
	}
	mode := "half_up"
	if len(c.args) > 2 {
		if mode, fault = c.text(2); fault != nil {
			return nil, fault
		}
	}
	rounder, ok := roundingModes[mode]
	if !ok {
		return nil, c.fail(expr.InvalidValue, "%s", checkRoundingMode(mode))
	}
	return d.places(n, rounder)
}

// greatest is math.greatest for sign 1 and math.least for -1.
func (c *call) greatest(sign int) (ref.Val, *expr.Error) {
	all := c.args
	if len(all) == 1 {
		if _, _, fault := c.list(0); fault == nil {
			return c.extreme(sign)
		}
	}
	for _, v := range all {
		if rankOf(v) == notNumber {
			return nil, c.mismatch()
		}
	}
	return c.extremeOf(all, sign)
}

func decimalOf(c *call) (ref.Val, *expr.Error) {
	if text, ok := c.args[0].(types.String); ok {
		d, err := parseDecimal(string(text))
		if err != nil {
			return nil, c.fail(expr.InvalidValue, "%s", err)
		}
		return d, nil
	}
	if rankOf(c.args[0]) == notNumber {
		return nil, c.mismatch()
	}
	d, ok := asDecimal(c.args[0])
	if !ok {
		return nil, c.fail(expr.Overflow, "NaN and infinity have no decimal")
	}
	return d, nil
}

// toInt is int(), which CEL has for its own types.
func toInt(c *call) (ref.Val, *expr.Error) {
	if n, ok := truncated(c.args[0]); ok {
		return unwrapErr(fromBig(n))
	}
	if text, ok := c.args[0].(types.String); ok {
		if n, ok := new(big.Int).SetString(string(text), 10); ok && len(text) <= maxDigits && !n.IsInt64() {
			return unwrapErr(fromBig(n))
		}
	}
	return c.callNative()
}

func toDouble(c *call) (ref.Val, *expr.Error) {
	if r := rankOf(c.args[0]); r == rankDecimal || r == rankBig {
		f, ok := asFloat(c.args[0])
		if !ok {
			return nil, c.fail(expr.Overflow, "the number does not fit into a float")
		}
		return types.Double(f), nil
	}
	return c.callNative()
}
