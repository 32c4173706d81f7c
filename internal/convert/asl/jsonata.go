package asl

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// jsonata is what an expression gives. Only simple ones can be converted:
// members, operators, conditions, arrays, objects and a few functions.
func (e *emitter) jsonata(sc scope, src, field string, n *yamldoc.Node) data {
	p := &jsonataParser{emitter: e, sc: sc, src: src}
	p.next()
	d := p.expression(0)
	if p.why == "" && p.token != "" {
		p.fail("it is not simple")
	}
	if p.why != "" {
		return e.placeholder(sc.s, src, field, n, p.why)
	}
	if p.stricter {
		pos := sc.s.Pos
		if n != nil {
			pos = n.Pos
		}
		e.note(Changed, pos, sc.s.Name, field, "members that are missing, lists on the way and values of other types fail the run here").Differs = true
	}
	return d
}

// jsonataParser reads the simple part of JSONata.
type jsonataParser struct {
	*emitter
	sc       scope
	src      string
	pos      int
	token    string // "" at the end
	sort     tokenSort
	why      string
	stricter bool
	depth    int
}

type tokenSort uint8

const (
	sign tokenSort = iota
	word
	variableWord
	quotedText
	digits
)

const maxDepth = 60

func (p *jsonataParser) fail(why string) data {
	if p.why == "" {
		p.why = why
	}
	p.token, p.pos = "", len(p.src)
	return data{}
}

// next reads a token.
func (p *jsonataParser) next() {
	rest := strings.TrimLeft(p.src[p.pos:], " \t\n\v\r") // no other space is one in JSONata
	p.pos = len(p.src) - len(rest)
	p.token, p.sort = "", sign
	if rest == "" {
		return
	}
	c, length := utf8.DecodeRuneInString(rest)
	switch {
	case c == '"' || c == '\'':
		p.quoted(rest)
		return
	case c >= '0' && c <= '9':
		p.sort = digits
		length = spanOf(rest, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == 'e' || r == 'E' })
	case c == '$' || c == '_' || unicode.IsLetter(c):
		p.sort = word
		length += spanOf(rest[length:], func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
		if c == '$' {
			p.sort = variableWord
		}
	case c >= utf8.RuneSelf || c == '`':
		p.fail("it is not simple")
		return
	case len(rest) > 1 && slices.Contains(pairs, rest[:2]):
		length = 2
	}
	p.token = rest[:length]
	p.pos += length
}

// pairs are the signs of two characters.
var pairs = []string{"!=", "<=", ">=", ":=", "~>", "..", "**", "/*"}

func spanOf(s string, is func(rune) bool) int {
	if end := strings.IndexFunc(s, func(r rune) bool { return !is(r) }); end >= 0 {
		return end
	}
	return len(s)
}

func (p *jsonataParser) quoted(rest string) {
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 || strings.Contains(rest[1:1+end], `\`) {
		p.fail("a text with escapes is not simple")
		return
	}
	p.sort, p.token = quotedText, rest[1:1+end]
	p.pos += end + 2
	if p.token == "" { // tell it from the end
		p.token = "\x00"
	}
}

func (p *jsonataParser) take(s string) bool {
	if p.sort == sign && p.token == s || s == "and" || s == "or" {
		if p.token == s {
			p.next()
			return true
		}
	}
	return false
}

// powers are how tightly operators bind.
var powers = map[string]int{
	"?": 1, "or": 2, "and": 3, "=": 4, "!=": 4, "<": 4, ">": 4, "<=": 4, ">=": 4, "in": 4,
	"+": 5, "-": 5, "&": 5, "*": 6, "/": 6, "%": 6,
}

func (p *jsonataParser) expression(power int) data {
	if p.depth++; p.depth > maxDepth {
		return p.fail("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	left := p.operandOf()
	for p.why == "" && (p.sort == sign || p.sort == word) {
		op := p.token
		bind, ok := powers[op]
		if !ok || bind <= power {
			break
		}
		p.next()
		if op == "?" {
			left = p.condition(left)
			continue
		}
		right := p.expression(bind)
		if p.why == "" {
			left = p.operator(op, left, right)
		}
	}
	return left
}

func (p *jsonataParser) condition(test data) data {
	yes := p.expression(0)
	if !p.take(":") {
		return p.fail("a condition without else is not simple")
	}
	no := p.expression(0)
	if !p.isTruth(test) {
		return p.fail("its condition is not known to be true or false")
	}
	if p.combined(test, yes, no) {
		return data{}
	}
	return p.mark(operation(p.operand(test)+" ? "+p.operand(yes)+" : "+p.operand(no)), test, yes, no)
}

// combined refuses data that is put together.
func (p *jsonataParser) combined(all ...data) bool {
	if !slices.ContainsFunc(all, hasOverlay) {
		return false
	}
	p.fail("it computes with data that is put together; keep that in a variable first")
	return true
}

// mark carries over that the operands can change.
func (p *jsonataParser) mark(d data, operands ...data) data {
	for _, o := range operands {
		d.moving = d.moving || o.some(func(part data) bool { return part.moving })
	}
	return d
}

// truth marks an expression that is true or false.
var truth = fixed(value.Bool(true))

func (p *jsonataParser) isTruth(d data) bool {
	if d.kind == constant {
		return d.value.Kind() == value.KindBool
	}
	return d.kind == computed && d.shape != nil && d.shape.kind == constant && d.shape.value.Kind() == value.KindBool
}

func (p *jsonataParser) operator(op string, a, b data) data {
	if p.combined(a, b) {
		return data{}
	}
	x, y := p.dynamic(a), p.dynamic(b)
	if a.kind == constant {
		x = p.source(a)
	}
	if b.kind == constant {
		y = p.source(b)
	}
	p.stricter = p.stricter || a.kind != constant || b.kind != constant
	switch op {
	case "=", "!=", "<", ">", "<=", ">=":
		if op == "=" {
			op = "=="
		}
		return p.mark(operation(x+" "+op+" "+y).like(truth), a, b)
	case "in":
		return p.mark(operation(x+" in "+y).like(truth), a, b)
	case "and", "or":
		if !p.isTruth(a) || !p.isTruth(b) {
			return p.fail(op + " of values that are not known to be true or false")
		}
		sign := map[string]string{"and": " && ", "or": " || "}[op]
		return p.mark(operation(p.operand(a)+sign+p.operand(b)).like(truth), a, b)
	case "&":
		parts := append(p.parts(a), p.parts(b)...)
		return data{kind: text, items: parts}
	case "/":
		x = "double(" + p.source(a) + ")"
	}
	return p.mark(operation(x+" "+op+" "+y), a, b)
}

// parts are the parts of a text.
func (p *jsonataParser) parts(d data) []data {
	if d.kind == text {
		return d.items
	}
	if d.kind == constant {
		return []data{fixedText(d.value.Text())}
	}
	if d.kind == object || d.kind == list {
		p.fail("it makes a text of data")
	}
	return []data{d}
}

// operandOf reads an operand with the members behind it.
func (p *jsonataParser) operandOf() data {
	tok, sort := p.token, p.sort
	if p.why != "" || tok == "" {
		return p.fail("it is not understood")
	}
	p.next()
	switch sort {
	case quotedText:
		return fixedText(strings.TrimPrefix(tok, "\x00"))
	case digits:
		v, err := value.Parse([]byte(tok))
		if err != nil {
			return p.fail("it is not understood")
		}
		return fixed(v)
	case word:
		if v, ok := map[string]value.Value{"true": value.Bool(true), "false": value.Bool(false), "null": value.Null}[tok]; ok {
			return fixed(v)
		}
		return p.fail("a name at the top level is not simple")
	case variableWord:
		if p.sort == sign && p.token == "(" {
			p.next()
			return p.members(p.call(tok))
		}
		return p.members(p.name(tok))
	case sign:
	}
	switch tok {
	case "(":
		d := p.expression(0)
		if !p.take(")") {
			return p.fail("a block is not simple")
		}
		if d.kind == computed {
			d.source, d.loose = "("+d.source+")", false
		}
		return p.members(d)
	case "-":
		d := p.expression(7)
		if n, ok := d.value.Int(); ok && d.kind == constant {
			return fixed(value.Int(-n))
		}
		return p.fail("a negation is not simple")
	case "[":
		return p.array()
	case "{":
		return p.object()
	}
	return p.fail("it is not simple")
}

func (p *jsonataParser) array() data {
	d := data{kind: list}
	for p.why == "" && !p.take("]") {
		if len(d.items) > 0 && !p.take(",") {
			return p.fail("a range is not simple")
		}
		d.items = append(d.items, p.expression(0))
	}
	return simple(d)
}

func (p *jsonataParser) object() data {
	d := data{kind: object}
	for p.why == "" && !p.take("}") {
		if len(d.members) > 0 && !p.take(",") {
			return p.fail("it is not understood")
		}
		key := strings.TrimPrefix(p.token, "\x00")
		if p.sort != quotedText {
			return p.fail("a key that is computed is not simple")
		}
		p.next()
		if !p.take(":") {
			return p.fail("it is not understood")
		}
		d.members = append(d.members, member{key, p.expression(0)})
	}
	return simple(d)
}

// name is a variable or $states with its first member.
func (p *jsonataParser) name(tok string) data {
	if tok != "$states" {
		d, ok := p.variable(tok[1:])
		if !ok {
			return p.fail("no state sets " + tok + " before")
		}
		return d
	}
	if !p.take(".") || p.sort != word {
		return p.fail("$states as a whole has no counterpart")
	}
	what := p.token
	p.next()
	switch {
	case what == "input":
		return p.sc.input
	case what == "result" && p.sc.result != nil:
		return *p.sc.result
	case what == "errorOutput" && p.sc.failed != nil:
		return *p.sc.failed
	case what == "context":
		return p.contextObject()
	}
	return p.fail("$states." + what + " cannot be read here")
}

func (p *jsonataParser) contextObject() data {
	var steps []pathStep
	for p.take(".") {
		if p.sort != word {
			return p.fail("it is not simple")
		}
		steps = append(steps, pathStep{key: p.token})
		p.next()
	}
	d, rest, why := p.context(p.sc, steps)
	if why != "" {
		return p.fail(why)
	}
	if d, why = p.follow(d, rest); why != "" {
		return p.fail(why)
	}
	return d
}

// members follows .name and [index].
func (p *jsonataParser) members(d data) data {
	for p.why == "" {
		switch {
		case p.take("."):
			if p.sort != word && p.sort != quotedText {
				return p.fail("it is not simple")
			}
			if d.kind == computed || d.kind == root {
				p.stricter = true
			}
			d = p.member(d, p.token)
			p.next()
		case p.sort == sign && p.token == "[":
			p.next()
			n := p.expression(0)
			i, ok := n.value.Int()
			if n.kind != constant || !ok || !p.take("]") {
				return p.fail("a filter is not simple")
			}
			p.stricter = true
			d = p.item(d, int(i))
		default:
			return d
		}
	}
	return d
}

// functions are the functions of one argument with a counterpart.
var functions = map[string]string{
	"$count": "size(%)", "$length": "size(%)", "$uppercase": "%.upperAscii()", "$lowercase": "%.lowerAscii()",
	"$parse": "json.parse(%)", "$number": "double(%)", "$abs": "math.abs(%)", "$floor": "math.floor(%)", "$ceil": "math.ceil(%)",
	"$base64encode": "base64.encode(bytes(%))", "$base64decode": "string(base64.decode(%))",
}

func (p *jsonataParser) call(name string) data {
	var args []data
	for p.why == "" && !p.take(")") {
		if len(args) > 0 && !p.take(",") {
			return p.fail("it is not understood")
		}
		args = append(args, p.expression(0))
	}
	if p.why != "" || p.combined(args...) {
		return data{}
	}
	p.stricter = true
	x := make([]string, len(args))
	for i, a := range args {
		x[i] = p.dynamic(a)
	}
	switch {
	case len(args) == 1 && functions[name] != "":
		return p.mark(cel(strings.ReplaceAll(functions[name], "%", x[0])), args...)
	case len(args) == 1 && name == "$not" && p.isTruth(args[0]):
		return p.mark(operation("!"+p.operand(args[0])).like(truth), args...)
	case len(args) == 1 && name == "$string" && args[0].kind == computed:
		return data{kind: text, items: args}
	case len(args) == 1 && name == "$exists" && args[0].kind == computed && args[0].shape == nil:
		if at := strings.LastIndexByte(x[0], '.'); at > 0 && isName(x[0][at+1:]) {
			return p.mark(operation("has("+x[0]+")").like(truth), args...)
		}
	case len(args) == 2 && (name == "$contains" || name == "$split" || name == "$join"):
		method := name[1:]
		return p.mark(cel(x[0]+"."+method+"("+x[1]+")"), args...)
	}
	return p.fail(name + " has no counterpart")
}
