package jsonata

func objectFunctions() []*native {
	return []*native{
		fn("keys", "<x-:a<s>>", 1, func(m *machine, c call) any {
			out := sequence()
			m.keys(c.arg(0), out, map[string]bool{})
			return out
		}),
		fn("lookup", "<x-s:x>", 2, func(m *machine, c call) any {
			key, ok := c.str(1)
			if !ok {
				return nil
			}
			return m.member(c.arg(0), key)
		}),
		fn("spread", "<x-:a<o>>", 1, func(m *machine, c call) any {
			switch x := c.arg(0).(type) {
			case *array, *object:
				out := sequence()
				m.spread(x, out)
				if list, ok := x.(*array); ok && list.len() > 0 {
					out.seq = false // a list of lists put together
				}
				return out
			case nil:
				return nil
			}
			if isFunction(c.arg(0)) {
				return ""
			}
			return c.arg(0)
		}),
		fn("merge", "<a<o>:o>", 1, func(m *machine, c call) any {
			list, ok := c.list(0)
			if !ok {
				return nil
			}
			out := newObject()
			for _, item := range m.all(list) {
				if o, ok := item.(*object); ok {
					for i := range o.len() {
						m.step()
						out.set(m, o.key(i), o.val(i))
					}
				}
			}
			return out
		}),
		fn("clone", "<(oa)-:o>", 1, func(m *machine, c call) any { return m.clone(c.arg(0), 0) }),
		fn("each", "<o-f:a>", 2, func(m *machine, c call) any {
			out := sequence()
			o, ok := c.arg(0).(*object)
			if !ok {
				return nil
			}
			for i := range o.len() {
				if v := m.higher(c.arg(1), o.val(i), o.key(i), o); v != nil {
					out.put(m, v)
				}
			}
			return out
		}),
		fn("sift", "<o-f?:o>", 2, fnSift),
	}
}

func fnSift(m *machine, c call) any {
	o, ok := c.arg(0).(*object)
	if !ok {
		return nil
	}
	out := newObject()
	for i := range o.len() {
		if m.truth(m.higher(c.arg(1), o.val(i), o.key(i), o)) {
			out.set(m, o.key(i), o.val(i))
		}
	}
	if out.len() == 0 {
		return nil
	}
	return out
}

func (m *machine) keys(x any, out *array, seen map[string]bool) {
	m.step()
	switch x := x.(type) {
	case *array:
		for _, item := range m.all(x) {
			m.keys(item, out, seen)
		}
	case *object:
		for i := range x.len() {
			if key := x.key(i); !seen[key] {
				seen[key] = true
				out.put(m, key)
			}
		}
	}
}

// spread gives an object with one member for each member.
func (m *machine) spread(x any, out *array) {
	m.step()
	switch x := x.(type) {
	case *array:
		for _, item := range m.all(x) {
			m.spread(item, out)
		}
	case *object:
		for i := range x.len() {
			one := newObject()
			one.set(m, x.key(i), x.val(i))
			out.put(m, one)
		}
	case nil:
	default:
		out.put(m, x)
	}
}
