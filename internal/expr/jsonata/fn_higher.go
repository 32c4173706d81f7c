package jsonata

func higherFunctions() []*native {
	return []*native{
		fn("map", "<af>", 2, func(m *machine, c call) any {
			list, ok := c.list(0)
			if !ok {
				return nil
			}
			out := sequence()
			for i, item := range m.all(list) {
				if v := m.higher(c.arg(1), item, float64(i), list); v != nil {
					out.put(m, v)
				}
			}
			return out
		}),
		fn("filter", "<af>", 2, func(m *machine, c call) any {
			list, ok := c.list(0)
			if !ok {
				return nil
			}
			out := sequence()
			for i, item := range m.all(list) {
				if m.truth(m.higher(c.arg(1), item, float64(i), list)) {
					out.put(m, item)
				}
			}
			return out
		}),
		fn("single", "<af?>", 2, fnSingle),
		fn("reduce", "<afj?:j>", 3, fnReduce),
	}
}

func fnSingle(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok {
		return nil
	}
	var out any
	found := false
	for i, item := range m.all(list) {
		if by := c.arg(1); by != nil && !m.truth(m.higher(by, item, float64(i), list)) {
			continue
		}
		if found {
			m.fail("D3138")
		}
		out, found = item, true
	}
	if !found {
		m.fail("D3139")
	}
	return out
}

func fnReduce(m *machine, c call) any {
	list, ok := c.list(0)
	if !ok {
		return nil
	}
	by := c.arg(1)
	if arity(by) < 2 {
		m.fail("D3050")
	}
	items, first := m.all(list), 0
	out := c.arg(2)
	if out == nil && len(items) > 0 {
		out, first = items[0], 1
	}
	for i := first; i < len(items); i++ {
		out = m.higher(by, out, items[i], float64(i), list)
	}
	return out
}
