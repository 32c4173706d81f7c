package jsonata

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

func numberFunctions() []*native {
	return []*native{
		fn("sum", "<a<n>:n>", 1, func(m *machine, c call) any { return m.reduce(c, sum) }),
		fn("max", "<a<n>:n>", 1, func(m *machine, c call) any { return m.reduce(c, largest) }),
		fn("min", "<a<n>:n>", 1, func(m *machine, c call) any { return m.reduce(c, smallest) }),
		fn("average", "<a<n>:n>", 1, func(m *machine, c call) any {
			return m.reduce(c, func(fs []float64) float64 { return sum(fs) / float64(len(fs)) })
		}),
		fn("number", "<(nsb)-:n>", 1, fnNumber),
		fn("floor", "<n-:n>", 1, mapNumber(math.Floor)),
		fn("ceil", "<n-:n>", 1, mapNumber(math.Ceil)),
		fn("abs", "<n-:n>", 1, mapNumber(math.Abs)),
		fn("round", "<n-n?:n>", 2, func(_ *machine, c call) any {
			f, ok := c.num(0)
			if !ok {
				return nil
			}
			places, _ := c.num(1)
			return round(f, int(math.Max(-400, math.Min(400, places))))
		}),
		fn("sqrt", "<n-:n>", 1, func(m *machine, c call) any {
			f, ok := c.num(0)
			if !ok {
				return nil
			}
			if f < 0 {
				m.fail("D3060", formatFloat(f))
			}
			return math.Sqrt(f)
		}),
		fn("power", "<n-n:n>", 2, fnPower),
		fn("random", "<:n>", 0, func(m *machine, _ call) any { return m.random.Float() }),
		fn("formatBase", "<n-n?:s>", 2, fnFormatBase),
		fn("formatNumber", "<n-so?:s>", 3, fnFormatNumber),
		fn("formatInteger", "<n-s:s>", 2, fnFormatInteger),
		fn("parseInteger", "<s-s:n>", 2, fnParseInteger),
	}
}

func mapNumber(f func(float64) float64) func(*machine, call) any {
	return func(_ *machine, c call) any {
		x, ok := c.num(0)
		if !ok {
			return nil
		}
		if whole, ok := c.arg(0).(exact); ok && f(1.5) != 1.5 && f(-1) == -1 {
			return whole // floor and ceil of an integer
		}
		return f(x)
	}
}

// reduce computes a number from a list of numbers; of none, only the sum is
// defined.
func (m *machine) reduce(c call, f func([]float64) float64) any {
	list, ok := c.list(0)
	if !ok {
		return nil
	}
	m.spend(list.len() / 4)
	fs := make([]float64, list.len())
	for i, item := range m.all(list) {
		fs[i], _ = num(item)
	}
	if out := f(fs); !math.IsNaN(out) && !math.IsInf(out, 0) {
		return out
	} else if len(fs) > 0 {
		m.finite(out)
	}
	return nil
}

func sum(fs []float64) float64 {
	total := 0.0
	for _, f := range fs {
		total += f
	}
	return total
}

func largest(fs []float64) float64 {
	out := math.Inf(-1)
	for _, f := range fs {
		out = math.Max(out, f)
	}
	return out
}

func smallest(fs []float64) float64 {
	out := math.Inf(1)
	for _, f := range fs {
		out = math.Min(out, f)
	}
	return out
}

var (
	decimal = regexp.MustCompile(`^-?[0-9]+(?:\.[0-9]+)?(?:[Ee][-+]?[0-9]+)?$`)
	based   = regexp.MustCompile(`^(?:0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+)$`)
)

func fnNumber(m *machine, c call) any {
	switch x := c.arg(0).(type) {
	case float64, exact:
		return x
	case bool:
		if x {
			return 1.0
		}
		return 0.0
	case string:
		if decimal.MatchString(x) {
			if v, err := value.Parse([]byte(x)); err == nil && v.Kind() != value.KindFloat {
				return from(v)
			}
			if f, err := strconv.ParseFloat(x, 64); err == nil {
				return f
			}
		} else if based.MatchString(x) {
			if n, ok := new(big.Int).SetString(strings.ToLower(x), 0); ok {
				return from(value.BigInt(n))
			}
		}
		m.fail("D3030", strconv.Quote(x))
	case null:
		m.fail("D3030", "null")
	}
	return nil
}

// round rounds half to even at a number of decimal places, in decimal digits
// as the number is written.
func round(f float64, places int) float64 {
	shifted := shift(f, places)
	out := math.RoundToEven(shifted)
	if out == 0 {
		return 0
	}
	if math.IsInf(shifted, 0) {
		return f
	}
	return shift(out, -places)
}

func shift(f float64, places int) float64 {
	if places == 0 {
		return f
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	e, err := strconv.Atoi(exponent)
	if err != nil {
		return f
	}
	out, err := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(e+places), 64)
	if err != nil && !math.IsInf(out, 0) {
		return f
	}
	return out
}

func fnPower(m *machine, c call) any {
	base, ok := c.num(0)
	exponent, given := c.num(1)
	if !ok {
		return nil
	}
	out := math.NaN()
	if given {
		out = math.Pow(base, exponent)
	}
	if math.IsInf(out, 0) || math.IsNaN(out) {
		m.fail("D3061", formatFloat(base), formatFloat(exponent))
	}
	return out
}

func fnFormatBase(m *machine, c call) any {
	f, ok := c.num(0)
	if !ok {
		return nil
	}
	base, ok := c.num(1)
	if !ok {
		base = 10
	}
	base = round(base, 0)
	if base < 2 || base > 36 {
		m.fail("D3100", formatFloat(base))
	}
	n, _ := new(big.Float).SetFloat64(round(f, 0)).Int(nil)
	return n.Text(int(base))
}
