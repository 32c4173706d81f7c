package jsonpath

import (
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// condition is a node of a filter.
type condition struct {
	op          string // "&&", "||", "!", "exists" or an operator of comparison
	left, right *condition
	a, b        operand
	pattern     *expr.Regexp
}

// operand is one side of a comparison or an argument of a path's function.
type operand struct {
	path    *path
	literal value.Value
}

// operators of comparison, of which a longer one stands before its prefix.
var operators = []string{"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">"}

// wordOperators are those that are words.
var wordOperators = []string{"subsetof", "contains", "noneof", "anyof", "empty", "size", "nin", "all", "in"}

// filter parses what stands behind the question mark.
func (p *parser) filter() *condition {
	p.blanks()
	if p.peek() != '(' {
		p.failf(p.pos, "( is expected after ?, and this is %s", p.here())
	}
	p.pos++
	out := p.either()
	p.expect(")", "to close the filter")
	return out
}

func (p *parser) either() *condition {
	p.enter()
	defer p.leave()
	left := p.both()
	for p.blanks(); p.take("||"); p.blanks() {
		left = &condition{op: "||", left: left, right: p.both()}
	}
	return left
}

func (p *parser) both() *condition {
	left := p.unary()
	for p.blanks(); p.take("&&"); p.blanks() {
		left = &condition{op: "&&", left: left, right: p.unary()}
	}
	return left
}

func (p *parser) unary() *condition {
	p.enter()
	defer p.leave()
	p.blanks()
	if p.take("!") {
		return &condition{op: "!", left: p.unary()}
	}
	if p.take("(") {
		inner := p.either()
		p.expect(")", "to close the parenthesis")
		return inner
	}
	return p.comparison()
}

func (p *parser) comparison() *condition {
	start := p.pos
	c := &condition{op: "exists", a: p.operand()}
	p.blanks()
	for _, op := range operators {
		if p.take(op) {
			c.op = op
			break
		}
	}
	for _, op := range wordOperators {
		if c.op == "exists" && p.has(op) && !continues(p.src[p.pos+len(op):]) {
			p.pos += len(op)
			c.op = op
		}
	}
	p.blanks()
	switch c.op {
	case "exists":
		if c.a.path == nil {
			p.failf(start, "a comparison or a path is expected here")
		}
	case "=~":
		c.pattern = p.pattern()
	default:
		c.b = p.operand()
	}
	return c
}

// operand parses a path or a literal.
func (p *parser) operand() operand {
	switch c := p.peek(); {
	case c == '@' || c == '$':
		return operand{path: p.path(inFilter)}
	case c == '\'' || c == '"':
		return operand{literal: value.String(p.quotedName())}
	case c == '-' || c >= '0' && c <= '9':
		return operand{literal: p.number()}
	case c == '[':
		return operand{literal: p.list()}
	}
	v, ok := p.word()
	if !ok {
		p.failf(p.pos, "a path or a value is expected, and this is %s", p.here())
	}
	return operand{literal: v}
}

// list parses a list of literals.
func (p *parser) list() value.Value {
	p.enter()
	defer p.leave()
	p.pos++
	items := []value.Value{}
	for p.blanks(); !p.take("]"); p.blanks() {
		if len(items) > 0 {
			p.expect(",", "between the items of a list")
			p.blanks()
		}
		start := p.pos
		o := p.operand()
		if o.path != nil {
			p.failf(start, "a list in a filter holds values, not paths")
		}
		items = append(items, o.literal)
	}
	return value.List(items...)
}

// pattern parses /expression/flags. It matches the whole text.
func (p *parser) pattern() *expr.Regexp {
	start := p.pos
	if !p.take("/") {
		p.failf(p.pos, "a regular expression such as /a.*/i is expected after =~, and this is %s", p.here())
	}
	var b strings.Builder
	for ; p.peek() != '/'; p.pos++ {
		if p.pos >= len(p.src) {
			p.failf(start, "the regular expression that begins here does not end")
		}
		if p.has(`\/`) {
			p.pos++
		} else if p.has(`\`) && p.pos+1 < len(p.src) {
			b.WriteByte('\\')
			p.pos++
		}
		b.WriteByte(p.src[p.pos])
	}
	p.pos++
	flags := ""
	for ; strings.IndexByte("ismuUdx", p.peek()) >= 0 && p.peek() != 0; p.pos++ {
		if c := p.src[p.pos]; c == 'i' || c == 's' || c == 'm' {
			flags += string(c)
		}
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	re, err := expr.CompileRegexp(flags + `\A(?:` + b.String() + `)\z`)
	if err != nil {
		p.failf(start, "the regular expression cannot be used: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re
}

// holds reports whether a filter takes an item.
func (m *machine) holds(c *condition, at, doc value.Value) bool {
	m.step()
	switch c.op {
	case "&&":
		return m.holds(c.left, at, doc) && m.holds(c.right, at, doc)
	case "||":
		return m.holds(c.left, at, doc) || m.holds(c.right, at, doc)
	case "!":
		return !m.holds(c.left, at, doc)
	case "exists":
		v := m.value(c.a, at, doc)
		return !v.IsUndefined() && (c.a.path.definite || v.Len() > 0)
	case "=~":
		text := m.value(c.a, at, doc)
		if _, ok := text.Str(); !ok && text.Kind() != value.KindInt && text.Kind() != value.KindFloat {
			return false
		}
		s := text.Text()
		m.spend(c.pattern.Cost(len(s)))
		return c.pattern.MatchString(s)
	}
	return m.compare(c.op, m.value(c.a, at, doc), m.value(c.b, at, doc))
}

// value is what an operand stands for, undefined if its path leads nowhere.
func (m *machine) value(o operand, at, doc value.Value) value.Value {
	if o.path == nil {
		return o.literal
	}
	return m.find(o.path, at, doc).v
}

// compare applies an operator. A side that is missing equals nothing.
func (m *machine) compare(op string, a, b value.Value) bool {
	switch op {
	case "==":
		return m.alike(a, b)
	case "!=":
		return !m.alike(a, b)
	case "===":
		return m.same(a, b)
	case "!==":
		return !m.same(a, b)
	case "<", "<=", ">", ">=":
		m.spend(nodes(a, nodes(b, m.limit())))
		return ordered(op, a, b)
	case "in":
		return m.within(a, b)
	case "nin":
		return !m.within(a, b)
	case "contains":
		if text, ok := a.Str(); ok {
			part, ok := b.Str()
			m.spend(len(text) / stepBytes)
			return ok && strings.Contains(text, part)
		}
		return m.within(b, a)
	case "size":
		n, ok := b.Int()
		return ok && (a.Kind() == value.KindString || a.Kind() == value.KindList || a.Kind() == value.KindObject) && int64(a.Len()) == n
	case "empty":
		want, ok := b.Bool()
		return ok && (a.Kind() == value.KindString || a.Kind() == value.KindList || a.Kind() == value.KindObject) && (a.Len() == 0) == want
	case "all":
		return m.count(b, a) == b.Len() && b.Kind() == value.KindList
	case "subsetof":
		return m.count(a, b) == a.Len() && a.Kind() == value.KindList
	case "anyof":
		return m.count(a, b) > 0
	}
	return m.count(a, b) == 0 // noneof
}

// count is how many items of a are in b.
func (m *machine) count(a, b value.Value) int {
	n := 0
	for _, v := range a.Items() {
		if m.within(v, b) {
			n++
		}
	}
	return n
}

// within reports whether a list has an item.
func (m *machine) within(v, list value.Value) bool {
	for _, other := range list.Items() {
		if m.alike(v, other) {
			return true
		}
	}
	return false
}

// same compares values of the same type.
func (m *machine) same(a, b value.Value) bool {
	if a.IsUndefined() || b.IsUndefined() {
		return false
	}
	m.spend(nodes(a, nodes(b, m.limit())))
	return value.Equal(a, b)
}

// alike compares as == does: a text that reads as a number equals the number.
func (m *machine) alike(a, b value.Value) bool {
	m.step()
	if text, ok := a.Str(); ok && numeric(b) {
		return text == b.Text() || m.sameNumber(text, b)
	}
	if text, ok := b.Str(); ok && numeric(a) {
		return text == a.Text() || m.sameNumber(text, a)
	}
	return m.same(a, b)
}

func (m *machine) sameNumber(text string, number value.Value) bool {
	m.text(len(text))
	if len(text) > value.MaxNumberDigits {
		return false
	}
	v, err := value.Parse([]byte(text))
	return err == nil && numeric(v) && value.Equal(v, number)
}

func numeric(v value.Value) bool {
	return v.Kind() == value.KindInt || v.Kind() == value.KindBigInt || v.Kind() == value.KindFloat
}

// ordered compares two numbers or two texts.
func ordered(op string, a, b value.Value) bool {
	var order int
	x, textA := a.Str()
	y, textB := b.Str()
	switch {
	case textA && textB:
		order = strings.Compare(x, y)
	case numeric(a) && numeric(b):
		order = compareNumbers(a, b)
	default:
		return false
	}
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func compareNumbers(a, b value.Value) int {
	x, isInt := a.BigInt()
	y, isInt2 := b.BigInt()
	if isInt && isInt2 {
		return x.Cmp(y)
	}
	f, _ := a.Float()
	g, _ := b.Float()
	switch {
	case f < g:
		return -1
	case f > g:
		return 1
	}
	return 0
}
