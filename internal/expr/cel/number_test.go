package cel

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/expr"
)

// number is a CEL number with the exact value that it stands for. text is the
// value of a double as it is written, which counts when it meets a decimal.
type number struct {
	v           ref.Val
	exact, text *big.Rat
}

func drawNumber(t *rapid.T, label string) number {
	edges := []int64{0, 1, -1, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64, 10, 100}
	switch rapid.SampledFrom([]string{"int", "uint", "big", "double", "decimal"}).Draw(t, label+" type") {
	case "int":
		n := rapid.OneOf(rapid.SampledFrom(edges), rapid.Int64()).Draw(t, label)
		r := new(big.Rat).SetInt64(n)
		return number{types.Int(n), r, r}
	case "uint":
		n := rapid.OneOf(rapid.SampledFrom([]uint64{0, 1, math.MaxUint64, 1 << 53}), rapid.Uint64()).Draw(t, label)
		r := new(big.Rat).SetInt(new(big.Int).SetUint64(n))
		return number{types.Uint(n), r, r}
	case "big":
		text := rapid.StringMatching(`-?[1-9][0-9]{19,60}`).Draw(t, label)
		n, _ := new(big.Int).SetString(text, 10)
		r := new(big.Rat).SetInt(n)
		return number{fromBig(n), r, r}
	case "double":
		f := rapid.OneOf(
			rapid.SampledFrom([]float64{0, 0.1, 0.3, 1, -1, 1e23, 1 << 53, math.MaxFloat64, math.SmallestNonzeroFloat64}),
			rapid.Float64(), rapid.Map(rapid.Int64(), func(n int64) float64 { return float64(n) }),
		).Draw(t, label)
		text, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'e', -1, 64))
		return number{types.Double(f), new(big.Rat).SetFloat64(f), text}
	}
	text := rapid.OneOf(
		rapid.StringMatching(`-?[0-9]{1,30}(\.[0-9]{1,30})?`), rapid.SampledFrom([]string{"0.1", "0.10", "1", "1.0", "-0", "9007199254740993"}),
	).Draw(t, label)
	d, err := parseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := new(big.Rat).SetString(text)
	return number{d, r, r}
}

// values are the two as exact values, as they count for each other.
func values(a, b number) (x, y *big.Rat) {
	if rankOf(a.v) == rankDecimal || rankOf(b.v) == rankDecimal {
		return a.text, b.text
	}
	return a.exact, b.exact
}

func newMachine() *machine { return &machine{left: expr.PoolCost, memory: maxMemory} }

// Invariant: numbers of all types are ordered, equal and found in lists by the
// values that they stand for.
func TestNumbersCompareByValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawNumber(t, "a"), drawNumber(t, "b")
		x, y := values(a, b)
		want := x.Cmp(y)
		order, ordered, fault := compare(newMachine(), a.v, b.v, 0)
		if fault != nil || !ordered || order != want {
			t.Fatalf("%v compared with %v is %d, want %d (%v)", a.v, b.v, order, want, fault)
		}
		same, fault := equal(newMachine(), a.v, b.v, 0)
		if fault != nil || same != (want == 0) {
			t.Fatalf("%v == %v is %v (%v)", a.v, b.v, same, fault)
		}
		if found := contains(&vector{[]ref.Val{b.v}}, a.v); found != types.Bool(want == 0) {
			t.Fatalf("%v in [%v] is %v", a.v, b.v, found)
		}
	})
}

// Invariant: sums, differences and products of integers and decimals are
// exact, or an overflow.
func TestExactArithmetic(t *testing.T) {
	t.Parallel()
	ops := map[string]func(z, x, y *big.Rat) *big.Rat{opAdd: (*big.Rat).Add, opSub: (*big.Rat).Sub, opMul: (*big.Rat).Mul}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawNumber(t, "a"), drawNumber(t, "b")
		op := rapid.SampledFrom([]string{opAdd, opSub, opMul}).Draw(t, "op")
		if high := max(rankOf(a.v), rankOf(b.v)); high == rankDouble {
			return // floats round
		}
		got, fault := operate(newMachine(), op, a.v, b.v, 0)
		if fault != nil {
			if fault.Code != expr.Overflow {
				t.Fatal(fault)
			}
			return
		}
		x, y := values(a, b)
		want := ops[op](new(big.Rat), x, y)
		text := ownText(got)
		if n := asBig(got); n != nil {
			text = n.String()
		}
		if r, ok := new(big.Rat).SetString(text); !ok || r.Cmp(want) != 0 {
			t.Fatalf("%v %s %v = %s, want %s", a.v, op, b.v, text, want.FloatString(40))
		}
	})
}

// Invariant: a quotient of decimals differs from the exact one by at most half
// a unit in the 34th digit.
func TestDecimalDivision(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *decimal {
			d, err := parseDecimal(rapid.StringMatching(`-?[0-9]{1,20}(\.[0-9]{1,20})?`).Draw(t, label))
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		x, y := draw("x"), draw("y")
		got, fault := decimalArithmetic(opDiv, x, y)
		if y.IsZero() {
			if fault == nil || fault.Code != expr.DivideByZero {
				t.Fatalf("%s / %s = %v", x.text(), y.text(), got)
			}
			return
		}
		if fault != nil {
			t.Fatal(fault)
		}
		rat := func(d *decimal) *big.Rat {
			r, _ := new(big.Rat).SetString(d.text())
			return r
		}
		q := rat(got.(*decimal))
		difference := new(big.Rat).Sub(new(big.Rat).Quo(rat(x), rat(y)), q)
		digits := len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(got.(*decimal).text()), "0"))
		if digits > divisionDigits && difference.Sign() != 0 {
			t.Fatalf("%s / %s = %s has %d digits", x.text(), y.text(), got.(*decimal).text(), digits)
		}
		if q.Sign() == 0 {
			return
		}
		relative := new(big.Rat).Quo(difference, q)
		if limit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(33), nil)); relative.Abs(relative).Cmp(limit) > 0 {
			t.Fatalf("%s / %s = %s is off by %s", x.text(), y.text(), got.(*decimal).text(), difference.FloatString(60))
		}
	})
}

// Invariant: a decimal is written as it was read, but for a sign of zero, an
// exponent and leading zeros.
func TestDecimalText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?`).Draw(t, "text")
		d, err := parseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.text(); got != text {
			t.Fatalf("%s became %s", text, got)
		}
	})
	for _, bad := range []string{"", " 1", "1,5", "0x1", "NaN", "Infinity", "1e", "--1", "1e2000", "1e-2000", strings.Repeat("1", 1001), "1.2.3", "٣"} {
		if d, err := parseDecimal(bad); err == nil {
			t.Errorf("%.20q was read as %s", bad, d.text())
		}
	}
}
