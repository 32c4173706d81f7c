package transform

import (
	"cmp"
	"fmt"
	"math/big"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// compare orders values: nothing and null, booleans, numbers, texts, the rest
// as JSON.
func compare(a, b value.Value) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch rank(a) {
	case 1:
		x, _ := a.Bool()
		y, _ := b.Bool()
		return cmp.Compare(number(x), number(y))
	case 2:
		return rational(a).Cmp(rational(b))
	case 3:
		x, _ := a.Str()
		y, _ := b.Str()
		return strings.Compare(x, y)
	}
	return strings.Compare(a.String(), b.String())
}

func rank(v value.Value) int {
	switch v.Kind() {
	case value.KindUndefined, value.KindNull:
		return 0
	case value.KindBool:
		return 1
	case value.KindInt, value.KindBigInt, value.KindFloat:
		return 2
	case value.KindString:
		return 3
	}
	return 4
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rational is the exact value of a number as it is written: 0.1 is a tenth.
func rational(v value.Value) *big.Rat {
	r, ok := new(big.Rat).SetString(v.String())
	if !ok {
		return new(big.Rat)
	}
	return r
}

// identity is a text that equal values share and others do not: numbers by
// value, objects without regard to order.
func identity(v value.Value) string {
	var b strings.Builder
	writeIdentity(&b, v)
	return b.String()
}

func writeIdentity(b *strings.Builder, v value.Value) {
	switch v.Kind() {
	case value.KindInt, value.KindBigInt, value.KindFloat:
		b.WriteString(rational(v).RatString())
	case value.KindList:
		b.WriteByte('[')
		for _, item := range v.Items() {
			writeIdentity(b, item)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case value.KindObject:
		b.WriteByte('{')
		for _, m := range sortedMembers(v) {
			b.Write(value.AppendString(nil, m.Key))
			b.WriteByte(':')
			writeIdentity(b, m.Value)
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case value.KindUndefined:
		b.WriteString("null")
	default:
		b.WriteString(v.String())
	}
}

// maxScale bounds the digits after the point of decimals that are added.
const maxScale = 1000

// sum adds numbers and decimals written as text.
type sum struct {
	total big.Rat
	scale int  // digits after the point of the decimals
	text  bool // one of them was a text
	float bool
}

func (s *sum) add(v value.Value) error {
	switch v.Kind() {
	case value.KindUndefined, value.KindNull:
		return nil
	case value.KindFloat:
		s.float = true
	case value.KindInt, value.KindBigInt:
	case value.KindString:
		text, _ := v.Str()
		_, fraction, _ := strings.Cut(text, ".")
		r, ok := decimal(text)
		if !ok || len(fraction) > maxScale {
			return fmt.Errorf("cannot add the text %s; want a number, or digits such as 12.50", v)
		}
		s.text, s.scale = true, max(s.scale, len(fraction))
		s.total.Add(&s.total, r)
		return nil
	default:
		return fmt.Errorf("cannot add %s", kindOf(v))
	}
	r := rational(v)
	if !r.IsInt() {
		if digits, exact := r.FloatPrec(); exact {
			s.scale = max(s.scale, min(digits, maxScale))
		}
	}
	s.total.Add(&s.total, r)
	return nil
}

// decimal reads digits with an optional sign and point; no exponents.
func decimal(text string) (*big.Rat, bool) {
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" || len(text) > value.MaxNumberDigits {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

func (s *sum) value() value.Value {
	switch {
	case s.text:
		return value.String(s.total.FloatString(s.scale))
	case s.float:
		f, _ := s.total.Float64()
		return value.Float(f)
	}
	return value.BigInt(new(big.Int).Set(s.total.Num()))
}
