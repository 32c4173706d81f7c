package jsonata

import (
	"slices"
	"strconv"
)

func listFunctions() []*native {
	return []*native{
		fn("count", "<a:n>", 1, func(_ *machine, c call) any {
			list, ok := c.list(0)
			if !ok {
				return 0.0
			}
			return float64(list.len())
		}),
		fn("append", "<xx:a>", 2, func(m *machine, c call) any { return m.append(c.arg(0), c.arg(1)) }),
		fn("reverse", "<a:a>", 1, func(m *machine, c call) any {
			list, ok := c.list(0)
			if !ok || list.len() <= 1 {
				return c.arg(0)
			}
			out := &array{items: m.joined(list, &array{})}
			for i, j := 0, len(out.items)-1; i < j; i, j = i+1, j-1 {
				out.items[i], out.items[j] = out.items[j], out.items[i]
			}
			return out
		}),
		fn("shuffle", "<a:a>", 1, func(m *machine, c call) any {
			list, ok := c.list(0)
			if !ok || list.len() <= 1 {
				return c.arg(0)
			}
			out := &array{items: m.joined(list, &array{})}
			for i := len(out.items) - 1; i > 0; i-- {
				j := int(m.random.Float() * float64(i+1))
				out.items[i], out.items[j] = out.items[j], out.items[i]
			}
			return out
		}),
		fn("zip", "<a+>", 0, fnZip),
		fn("sort", "<af?:a>", 2, fnSort),
		fn("distinct", "<x:x>", 1, fnDistinct),
	}
}

func fnZip(m *machine, c call) any {
	out := &array{items: []any{}}
	shortest := -1
	for i := range c.args {
		list, ok := c.list(i)
		if !ok {
			return out
		}
		if shortest < 0 || list.len() < shortest {
			shortest = list.len()
		}
	}
	for i := range max(0, shortest) {
		row := &array{}
		for j := range c.args {
			list, _ := c.list(j)
			row.put(m, m.all(list)[i])
		}
		out.put(m, row)
	}
	return out
}

func fnSort(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok || list.len() <= 1 {
		return c.arg(0)
	}
	items := m.all(list)
	if by := c.arg(1); by != nil {
		return &array{items: m.sorted(items, func(a, b any) bool { return m.truth(m.higher(by, a, b)) })}
	}
	kind := letter(items[0])
	for _, item := range items {
		if k := letter(item); k != kind || k != 's' && k != 'n' {
			m.fail("D3070")
		}
	}
	return &array{items: m.sorted(items, func(a, b any) bool { m.step(); return m.compare(a, b) > 0 })}
}

// sorted orders a copy of items; after answers whether a comes after b. It
// merges halves, as the reference does, because functions that contradict
// themselves show the order of the questions.
func (m *machine) sorted(items []any, after func(a, b any) bool) []any {
	m.allocate(2 * len(items) * itemBytes)
	out := slices.Clone(items)
	m.mergeSort(out, make([]any, len(items)), after)
	return out
}

func (m *machine) mergeSort(items, room []any, after func(a, b any) bool) {
	if len(items) <= 1 {
		return
	}
	middle := len(items) / 2
	m.mergeSort(items[:middle], room[:middle], after)
	m.mergeSort(items[middle:], room[middle:], after)
	copy(room, items)
	left, right := room[:middle], room[middle:]
	for i := range items {
		if len(left) == 0 || len(right) > 0 && after(left[0], right[0]) {
			items[i], right = right[0], right[1:]
		} else {
			items[i], left = left[0], left[1:]
		}
	}
}

// fnDistinct leaves out what is equal to an item before it, which is found by
// its canonical text.
func fnDistinct(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok || list.len() <= 1 {
		return c.arg(0)
	}
	out := &array{items: []any{}, seq: list.seq}
	w := canonical{m: m, functions: map[any]int{}}
	seen := map[string]bool{}
	for _, item := range m.all(list) {
		w.out = w.out[:0]
		w.value(item, 0)
		if seen[string(w.out)] {
			continue
		}
		seen[string(w.out)] = true
		out.put(m, item)
	}
	return out
}

// canonical writes values so that two have the same text only if they are
// equal: each kind has its letter, and texts and lists have their length.
type canonical struct {
	m         *machine
	out       []byte
	functions map[any]int // numbers of functions, which equal only themselves
}

func (w *canonical) value(x any, depth int) {
	w.m.step()
	if depth > maxDataDepth {
		w.m.fail("U1001")
	}
	switch x := x.(type) {
	case bool:
		w.out = strconv.AppendBool(w.out, x)
	case float64:
		w.out = append(append(w.out, 'n'), formatFloat(x)...)
	case exact:
		digits := x.v.String()
		w.m.text(len(digits))
		w.out = append(append(w.out, 'e'), digits...)
	case string:
		w.text(x)
	case *array:
		w.size('a', x.len())
		for _, item := range w.m.all(x) {
			w.value(item, depth+1)
		}
	case *object:
		w.object(x, depth)
	case *lambda, *native, *regex:
		if _, ok := w.functions[x]; !ok {
			w.functions[x] = len(w.functions)
		}
		w.size('f', w.functions[x])
	default:
		w.out = append(w.out, 'z')
	}
}

func (w *canonical) object(x *object, depth int) {
	keys := make([]string, x.len())
	for i := range keys {
		keys[i] = x.key(i)
	}
	w.m.spend(len(keys))
	slices.Sort(keys)
	w.size('o', len(keys))
	for _, key := range keys {
		w.text(key)
		w.value(x.get(key), depth+1)
	}
}

func (w *canonical) text(s string) {
	w.m.text(len(s))
	w.size('s', len(s))
	w.out = append(w.out, s...)
}

func (w *canonical) size(kind byte, n int) {
	w.out = append(strconv.AppendInt(append(w.out, kind), int64(n), 10), ':')
}
