package jsonata

import (
	"math"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// awsFunctions are those that Step Functions adds.
func awsFunctions() []*native {
	return []*native{
		fn("partition", "<an:a>", 2, fnPartition),
		fn("range", "<nnn:a>", 3, fnRange),
		fn("hash", "<ss:s>", 2, fnHash),
		fn("random", "<n?:n>", 0, func(m *machine, c call) any {
			if seed, ok := c.num(0); ok {
				return expr.NewRandom(math.Float64bits(seed)).Float()
			}
			return m.random.Float()
		}),
		fn("parse", "<s-:x>", 1, func(m *machine, c call) any {
			s, ok := c.str(0)
			if !ok {
				return nil
			}
			m.text(4 * len(s))
			v, err := value.Parse([]byte(s))
			if err != nil {
				m.fail("D3200", err.Error())
			}
			return from(v)
		}),
	}
}

func fnPartition(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok {
		return nil
	}
	size, ok := c.num(1)
	if !ok || math.Round(size) < 1 {
		m.fail("D3201", "the size of a part must be at least 1")
	}
	items := m.all(list)
	n := int(math.Min(math.Round(size), float64(max(1, len(items)))))
	out := &array{items: []any{}}
	for i := 0; i < len(items); i += n {
		m.allocate(n * itemBytes)
		out.put(m, &array{items: append([]any{}, items[i:min(i+n, len(items))]...)})
	}
	return out
}

func fnRange(m *machine, c call) any {
	first, ok1 := c.num(0)
	last, ok2 := c.num(1)
	step, ok3 := c.num(2)
	if !ok1 || !ok2 || !ok3 {
		return nil
	}
	if step == 0 {
		m.fail("D3201", "the step of a range cannot be 0")
	}
	if n := (last-first)/step + 1; n > maxRange {
		m.fail("D2014", maxRange, formatFloat(math.Floor(n)))
	}
	out := &array{items: []any{}}
	for i := 0; ; i++ {
		at := first + float64(i)*step
		if step > 0 && at > last || step < 0 && at < last {
			return out
		}
		m.step()
		out.put(m, at)
	}
}

func fnHash(m *machine, c call) any {
	s, ok := c.str(0)
	if !ok {
		return nil
	}
	m.text(len(s))
	name, _ := c.str(1)
	digest, ok := expr.Hash(name, s)
	if !ok {
		m.fail("D3202", name)
	}
	return digest
}
