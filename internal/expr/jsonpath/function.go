package jsonpath

import (
	"math"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// pathFunction is a function that ends a path, such as length().
type pathFunction struct {
	name   string
	most   int // arguments
	result func(m *machine, at value.Value, args []value.Value) value.Value
}

// pathFunctions are the functions of paths. What they cannot be applied to
// gives null.
func pathFunctions(name string) *pathFunction {
	number := func(f func(xs []float64) float64) func(*machine, value.Value, []value.Value) value.Value {
		return func(m *machine, at value.Value, args []value.Value) value.Value {
			xs := m.numbers(at, args)
			if len(xs) == 0 {
				return value.Null
			}
			return value.Float(f(xs))
		}
	}
	for _, fn := range []pathFunction{
		{"length", 0, length},
		{"size", 0, length},
		{"keys", 0, keys},
		{"min", maxArguments, number(func(xs []float64) float64 { return fold(xs, math.Min) })},
		{"max", maxArguments, number(func(xs []float64) float64 { return fold(xs, math.Max) })},
		{"sum", maxArguments, number(sum)},
		{"avg", maxArguments, number(func(xs []float64) float64 { return sum(xs) / float64(len(xs)) })},
		{"stddev", maxArguments, number(deviation)},
		{"first", 0, func(_ *machine, at value.Value, _ []value.Value) value.Value { return nth(at, 0) }},
		{"last", 0, func(_ *machine, at value.Value, _ []value.Value) value.Value { return nth(at, -1) }},
		{"index", 1, index},
		{"concat", maxArguments, concat},
		{"append", maxArguments, appended},
	} {
		if fn.name == name {
			return &fn
		}
	}
	return nil
}

// maxArguments bounds the arguments of a function of a path.
const maxArguments = 100

// function parses the arguments of a function whose name was read.
func (p *parser) function(pos, start int, name string) step {
	fn := pathFunctions(name)
	if fn == nil {
		p.failf(start, "there is no function %s() of paths; write the name in brackets and quotes if it is a name", name)
	}
	s := step{kind: stepFunction, pos: pos, fn: fn}
	p.pos++
	for p.blanks(); !p.take(")"); p.blanks() {
		if len(s.args) > 0 {
			p.expect(",", "between arguments")
			p.blanks()
		}
		if len(s.args) == fn.most {
			p.failf(p.pos, "%s() takes at most %d arguments", name, fn.most)
		}
		s.args = append(s.args, p.operand())
	}
	return s
}

// call applies the function of a step to at, where @ is item and $ is doc.
func (m *machine) call(s *step, at, item, doc value.Value) value.Value {
	m.step()
	args := make([]value.Value, len(s.args))
	for i, a := range s.args {
		if args[i] = m.value(a, item, doc); args[i].IsUndefined() {
			args[i] = value.Null
		}
	}
	return s.fn.result(m, at, args)
}

func length(_ *machine, at value.Value, _ []value.Value) value.Value {
	if at.Kind() != value.KindList && at.Kind() != value.KindObject {
		return value.Null
	}
	return value.Int(int64(at.Len()))
}

func keys(m *machine, at value.Value, _ []value.Value) value.Value {
	if at.Kind() != value.KindObject {
		return value.Null
	}
	out := make([]value.Value, 0, at.Len())
	for _, member := range at.Members() {
		m.step()
		m.allocate(itemBytes)
		out = append(out, value.String(member.Key))
	}
	return value.List(out...)
}

// numbers are those of a list and of the arguments, and of lists among them.
func (m *machine) numbers(at value.Value, args []value.Value) []float64 {
	var out []float64
	for _, v := range append([]value.Value{at}, args...) {
		items := v.Items()
		if numeric(v) {
			items = []value.Value{v}
		}
		for _, item := range items {
			m.step()
			if f, ok := item.Float(); ok {
				m.allocate(8)
				out = append(out, f)
			}
		}
	}
	return out
}

func fold(xs []float64, f func(a, b float64) float64) float64 {
	out := xs[0]
	for _, x := range xs {
		out = f(out, x)
	}
	return out
}

func sum(xs []float64) float64 {
	out := 0.0
	for _, x := range xs {
		out += x
	}
	return out
}

// deviation is the standard deviation of all the numbers there are.
func deviation(xs []float64) float64 {
	mean, squares := sum(xs)/float64(len(xs)), 0.0
	for _, x := range xs {
		squares += (x - mean) * (x - mean)
	}
	return math.Sqrt(squares / float64(len(xs)))
}

func index(_ *machine, at value.Value, args []value.Value) value.Value {
	if len(args) == 0 {
		return value.Null
	}
	n, ok := args[0].Int()
	if !ok || n != int64(int32(n)) {
		return value.Null
	}
	return nth(at, int(n))
}

func concat(m *machine, at value.Value, args []value.Value) value.Value {
	var b strings.Builder
	for _, v := range append([]value.Value{at}, args...) {
		items := v.Items()
		if v.Kind() != value.KindList {
			items = []value.Value{v}
		}
		for _, item := range items {
			m.step()
			if item.Kind() == value.KindString || numeric(item) {
				m.text(item.Size())
				b.WriteString(item.Text())
			}
		}
	}
	return value.String(b.String())
}

func appended(m *machine, at value.Value, args []value.Value) value.Value {
	if at.Kind() != value.KindList {
		return value.Null
	}
	m.spend(at.Len())
	m.allocate((at.Len() + len(args)) * itemBytes)
	return value.List(append(append([]value.Value{}, at.Items()...), args...)...)
}
