package jsonpath

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/value"
)

// node is a call of an intrinsic function or one of its arguments.
type node struct {
	pos     int
	path    *path
	fn      *intrinsic
	args    []*node
	literal value.Value
	raw     string // of a text, what stands between its quotes
	quoted  bool   // literal is a text
}

// intrinsic is a function of the States Language.
type intrinsic struct {
	name        string
	least, most int // arguments
	result      func(m *machine, c *call) value.Value
}

// call is one call while it runs.
type call struct {
	fn   *intrinsic
	node *node
	args []value.Value
}

// maxAny is the number of arguments of functions that take any number.
const maxAny = 1 << 20

// intrinsics are the functions by the names behind "States.".
func intrinsics() []intrinsic {
	return []intrinsic{
		{"Array", 0, maxAny, array},
		{"ArrayPartition", 2, 2, arrayPartition},
		{"ArrayContains", 2, 2, arrayContains},
		{"ArrayRange", 3, 3, arrayRange},
		{"ArrayGetItem", 2, 2, arrayGetItem},
		{"ArrayLength", 1, 1, arrayLength},
		{"ArrayUnique", 1, 1, arrayUnique},
		{"Base64Encode", 1, 1, base64Encode},
		{"Base64Decode", 1, 1, base64Decode},
		{"Format", 1, maxAny, format},
		{"Hash", 2, 2, hash},
		{"JsonMerge", 3, 3, jsonMerge},
		{"JsonToString", 1, 1, jsonToString},
		{"MathAdd", 2, 2, mathAdd},
		{"MathRandom", 2, 3, mathRandom},
		{"StringSplit", 2, 2, stringSplit},
		{"StringToJson", 1, 1, stringToJSON},
		{"UUID", 0, 0, uuid},
	}
}

const intrinsicPrefix = "States."

func intrinsicNamed(name string) *intrinsic {
	for _, fn := range intrinsics() {
		if fn.name == name {
			return &fn
		}
	}
	return nil
}

// intrinsic parses a call that begins here.
func (p *parser) intrinsic() *node {
	p.enter()
	defer p.leave()
	n := &node{pos: p.pos}
	p.pos += len(intrinsicPrefix)
	start := p.pos
	for p.pos < len(p.src) && continues(p.src[p.pos:]) {
		p.pos++
	}
	name := p.src[start:p.pos]
	if n.fn = intrinsicNamed(name); n.fn == nil {
		p.failf(n.pos, "there is no intrinsic function States.%s", name)
	}
	p.expect("(", "after the name of the function")
	for p.blanks(); !p.take(")"); p.blanks() {
		if len(n.args) > 0 {
			p.expect(",", "between arguments")
			p.blanks()
		}
		n.args = append(n.args, p.argument())
	}
	return n
}

func (p *parser) argument() *node {
	n := &node{pos: p.pos}
	switch c := p.peek(); {
	case c == '$':
		n.path = p.path(asArgument)
	case c == '\'':
		n.quoted = true
		n.literal, n.raw = p.text()
	case c == '-' || c >= '0' && c <= '9':
		n.literal = p.number()
	case p.has(intrinsicPrefix):
		return p.intrinsic()
	default:
		v, ok := p.word()
		if !ok {
			p.failf(p.pos, "an argument is expected: a path, a text in single quotes, a number, true, false, null or a call, and this is %s", p.here())
		}
		n.literal = v
	}
	return n
}

// escapable are the characters that a backslash can stand before in a text.
const escapable = `'\{}`

// text reads a text in single quotes.
func (p *parser) text() (literal value.Value, raw string) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		switch {
		case c == '\'':
			raw = p.src[start+1 : p.pos]
			p.pos++
			return value.String(b.String()), raw
		case c != '\\':
			b.WriteByte(c)
		case p.pos+1 < len(p.src) && strings.IndexByte(escapable, p.src[p.pos+1]) >= 0:
			p.pos++
			b.WriteByte(p.src[p.pos])
		default:
			p.failf(p.pos, `a backslash in a text can stand only before ' \ { and }`)
		}
	}
	p.failf(start, "the text that begins here does not end")
	return value.Undefined, ""
}

// walk visits the paths of a node and of all below it.
func (n *node) walk(visit func(*path)) {
	if n.path != nil {
		visit(n.path)
	}
	for _, arg := range n.args {
		arg.walk(visit)
	}
}

// refusal is why a function failed, in AWS's words.
type refusal struct{ why string }

// refuse ends a call with the words that AWS has for every argument that a
// function cannot take. The detail is Regie's own.
func (c *call) refuse(detail string, args ...any) {
	why := "Invalid arguments in States." + c.fn.name
	if detail != "" {
		why += ": " + fmt.Sprintf(detail, args...)
	}
	panic(&refusal{why: why})
}

// intrinsic evaluates a call, or an argument of one.
func (m *machine) intrinsic(n *node) value.Value {
	m.step()
	switch {
	case n.path != nil:
		return m.argument(n.path)
	case n.fn == nil:
		return n.literal
	}
	c := &call{fn: n.fn, node: n, args: make([]value.Value, len(n.args))}
	m.allocate(len(n.args) * itemBytes)
	for i, arg := range n.args {
		c.args[i] = m.intrinsic(arg)
	}
	if len(c.args) < n.fn.least || len(c.args) > n.fn.most {
		c.refuse("%s", arity(n.fn, len(c.args)))
	}
	return n.fn.result(m, c)
}

func arity(fn *intrinsic, n int) string {
	want := fmt.Sprint(fn.least)
	switch {
	case fn.most == maxAny:
		want = fmt.Sprintf("at least %d", fn.least)
	case fn.most > fn.least:
		want = fmt.Sprintf("%d or %d", fn.least, fn.most)
	}
	return fmt.Sprintf("it takes %s arguments, not %d", want, n)
}

// argument is what the path of an argument leads to, which must be something.
func (m *machine) argument(p *path) value.Value {
	f := m.find(p, value.Undefined, value.Undefined)
	switch {
	case f.miss == missList:
		panic(&refusal{why: f.why(p)}) // as it is, without the usual sentence
	case f.miss != hit || f.beyond:
		// AWS writes a path of the context object as if it started from the
		// input, and shows the input.
		text := p.text
		if p.root == Context {
			text = text[1:]
		}
		panic(&refusal{why: fmt.Sprintf("The JsonPath argument for the field '%s' could not be found in the input '%s'", text, shown(m.scope.Input))})
	}
	return f.v
}

// list is the first argument, which must be a list.
func (c *call) list() []value.Value {
	if c.args[0].Kind() != value.KindList {
		c.refuse("argument 1 must be an array")
	}
	return c.args[0].Items()
}

// str is an argument that must be a text.
func (c *call) str(i int) string {
	s, ok := c.args[i].Str()
	if !ok {
		c.refuse("argument %d must be a string", i+1)
	}
	return s
}

// integer is an argument that must be a number, cut off at its point.
func (c *call) integer(i int) int64 {
	if n, ok := c.args[i].Int(); ok {
		return n
	}
	const most = 1 << 62
	f, ok := c.args[i].Float()
	if !ok {
		c.refuse("argument %d must be a number", i+1)
	}
	if f >= most || f <= -most {
		c.refuse("argument %d is out of range", i+1)
	}
	return int64(f)
}
