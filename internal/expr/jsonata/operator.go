package jsonata

import "math"

// binary computes an operator with two operands.
func (m *machine) binary(n *node, in any, env *frame) any {
	left := m.eval(n.left, in, env)
	switch n.text {
	case "and":
		return m.truth(left) && m.truth(m.eval(n.right, in, env))
	case "or":
		return m.truth(left) || m.truth(m.eval(n.right, in, env))
	}
	right := m.eval(n.right, in, env)
	switch n.text {
	case "+", "-", "*", "/", "%":
		return m.arithmetic(n, left, right)
	case "=":
		return left != nil && right != nil && m.equal(left, right, 0)
	case "!=":
		return left != nil && right != nil && !m.equal(left, right, 0)
	case "<", "<=", ">", ">=":
		return m.compared(n, left, right)
	case "&":
		m.pos = n.pos
		a, b := m.join(left), m.join(right)
		m.text(len(a) + len(b))
		return a + b
	case "..":
		return m.span(n, left, right)
	case "in":
		return m.contained(left, right)
	}
	m.failAt(n.pos, "S0204", n.text)
	return nil
}

// join is a side of &.
func (m *machine) join(x any) string {
	if x == nil {
		return ""
	}
	return m.string(x, false)
}

func (m *machine) arithmetic(n *node, left, right any) any {
	a, okA := num(left)
	b, okB := num(right)
	if left != nil && !okA {
		m.failAt(n.pos, "T2001", n.text, typeName(left))
	}
	if right != nil && !okB {
		m.failAt(n.pos, "T2002", n.text, typeName(right))
	}
	if left == nil || right == nil {
		return nil
	}
	var out float64
	switch n.text {
	case "+":
		out = a + b
	case "-":
		out = a - b
	case "*":
		out = a * b
	case "/":
		out = a / b
	case "%":
		out = math.Mod(a, b)
	}
	m.pos = n.pos
	return m.finite(out)
}

func (m *machine) compared(n *node, left, right any) any {
	for _, v := range []any{left, right} {
		if k := letter(v); k != 'n' && k != 's' && k != missing {
			m.failAt(n.pos, "T2010", n.text)
		}
	}
	if left == nil || right == nil {
		return nil
	}
	if letter(left) != letter(right) {
		m.failAt(n.pos, "T2009", typeName(left), typeName(right), n.text)
	}
	c := m.compare(left, right)
	switch n.text {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// span is the range operator.
func (m *machine) span(n *node, left, right any) any {
	a, okA := num(left)
	b, okB := num(right)
	if left != nil && (!okA || a != math.Trunc(a)) {
		m.failAt(n.pos, "T2003")
	}
	if right != nil && (!okB || b != math.Trunc(b)) {
		m.failAt(n.pos, "T2004")
	}
	if left == nil || right == nil || a > b {
		return nil
	}
	if b-a+1 > maxRange {
		m.failAt(n.pos, "D2014", maxRange, formatFloat(b-a+1))
	}
	return &array{first: a, count: int(b-a) + 1, seq: true}
}

// contained looks for an item; lists and objects are found only themselves.
func (m *machine) contained(left, right any) any {
	if left == nil || right == nil {
		return false
	}
	list, ok := right.(*array)
	if !ok {
		return m.same(left, right)
	}
	for _, item := range m.all(list) {
		m.step()
		if m.same(left, item) {
			return true
		}
	}
	return false
}
