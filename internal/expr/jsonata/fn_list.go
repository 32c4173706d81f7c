package jsonata

import "sort"

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
			m.random.shuffle(out.items)
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
	out := &array{items: m.joined(list, &array{})}
	if by := c.arg(1); by != nil {
		// The function answers whether its first argument comes after its second.
		sort.SliceStable(out.items, func(i, j int) bool { return m.truth(m.higher(by, out.items[j], out.items[i])) })
		return out
	}
	kind := letter(out.items[0])
	for _, item := range out.items {
		if k := letter(item); k != kind || k != 's' && k != 'n' {
			m.fail("D3070")
		}
	}
	sort.SliceStable(out.items, func(i, j int) bool { m.step(); return compare(out.items[i], out.items[j]) < 0 })
	return out
}

func fnDistinct(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok || list.len() <= 1 {
		return c.arg(0)
	}
	out := &array{items: []any{}, seq: list.seq}
	seen := map[any]bool{}
	for _, item := range m.all(list) {
		m.step()
		key := item
		if f, ok := num(item); ok {
			if _, odd := item.(exact); !odd {
				key = f
			} else {
				key = m.string(item, false) + "n"
			}
		}
		if scalar(item) {
			if seen[key] {
				continue
			}
			seen[key] = true
		} else if m.has(out, item) {
			continue
		}
		out.put(m, item)
	}
	return out
}

func (m *machine) has(list *array, item any) bool {
	for _, other := range list.items {
		if m.equal(other, item, 0) {
			return true
		}
	}
	return false
}
