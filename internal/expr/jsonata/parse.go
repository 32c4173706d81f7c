package jsonata

import (
	"github.com/regie-dev/regie/internal/expr"
)

// kind is the kind of a node.
type kind uint8

const (
	kindLiteral kind = iota // a number, boolean or null
	kindString
	kindRegex
	kindName
	kindVariable
	kindWildcard
	kindDescendant
	kindParent
	kindOperator // an operator that stands where an operand should: and, or, in
	kindHole     // the question mark of a partial application
	kindBinary
	kindNegate
	kindArray
	kindObject
	kindCall
	kindPartial
	kindLambda
	kindBlock
	kindCondition
	kindTransform
	kindBind
	kindApply
	kindPath
	kindSort
	// Only between the parser and shape.
	kindFocus
	kindIndex
	kindFilter
	kindGroup
)

// node is a part of a parsed expression.
type node struct {
	kind  kind
	pos   int    // bytes into the source
	text  string // name or operator
	value any    // of a literal
	left  *node  // operand, condition, pattern, function, body
	right *node
	third *node // else, delete
	list  []*node
	pairs [][2]*node
	terms []term
	sig   *signature
	thunk bool

	// What shape finds out about paths.
	predicate []stage // of a node outside a path
	stages    []stage // of a step
	group     [][2]*node
	hasGroup  bool
	focus     string // variable bound by @
	index     string // variable bound by #
	tuple     bool   // the step keeps variables or parents for each item
	keepArray bool
	keepOne   bool // the path keeps an array of one
	cons      bool // an array constructor whose result stays one item
	ancestor  *slot
	slot      *slot   // of a parent operator
	seeking   []*slot // parents that are to be found further left
}

// stage is a filter or an index variable of a step.
type stage struct {
	filter *node
	index  string
}

// term is one criterion of a sort.
type term struct {
	descending bool
	expr       *node
}

var powers = map[string]int{
	".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20,
	"+": 50, "-": 50, "*": 60, "/": 60, "%": 60, "=": 40, "<": 40, ">": 40, "^": 40,
	":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25, "in": 40, "&": 50,
}

// parser is an operator-precedence parser.
type parser struct {
	lex   lexer
	cur   token
	depth int
}

// parse reads a whole expression. Faults come as panics with a *fault.
func parse(src string) *node {
	p := &parser{lex: lexer{src: src}}
	p.read(false)
	if p.cur.kind == tokenEnd {
		panic(newFault("S0207", p.cur.pos))
	}
	n := p.expression(0)
	if p.cur.kind != tokenEnd {
		panic(newFault("S0201", p.cur.pos, p.cur.String()))
	}
	return shape(n)
}

func (t token) String() string {
	switch t.kind {
	case tokenEnd:
		return "(end)"
	case tokenVariable:
		return "$" + t.text
	case tokenString, tokenNumber, tokenValue:
		return show(t.value)
	case tokenRegex:
		return "/" + t.value.(*regex).pattern + "/"
	default:
	}
	return t.text
}

func (p *parser) read(operand bool) { p.cur = p.lex.next(operand) }

func (p *parser) is(op string) bool { return p.cur.kind == tokenOperator && p.cur.text == op }

// expect reads over an operator; operand tells the lexer whether an operand
// ends with it.
func (p *parser) expect(op string, operand bool) {
	if !p.is(op) {
		code := "S0202"
		if p.cur.kind == tokenEnd {
			code = "S0203"
		}
		panic(newFault(code, p.cur.pos, op, p.cur.String()))
	}
	p.read(operand)
}

func (p *parser) expression(power int) *node {
	if p.depth++; p.depth > expr.MaxDepth {
		panic(newFault(expr.CodeLimit, p.cur.pos))
	}
	t := p.cur
	opening := t.kind == tokenOperator && (t.text == "(" || t.text == "[" || t.text == "{" || t.text == "-" || t.text == "|")
	if t.kind != tokenEnd {
		p.read(!opening)
	}
	left := p.prefix(t)
	for power < p.power() {
		op := p.cur
		p.read(false)
		left = p.infix(op, left)
	}
	p.depth--
	return left
}

// power is the binding power of the current token as an infix operator.
func (p *parser) power() int {
	if p.cur.kind != tokenOperator {
		return 0
	}
	if p.cur.text == "!" || p.cur.text == "~" {
		panic(newFault("S0204", p.cur.pos, p.cur.text))
	}
	return powers[p.cur.text]
}

func (p *parser) prefix(t token) *node {
	n := &node{pos: t.pos, text: t.text, value: t.value}
	switch t.kind {
	case tokenName:
		n.kind = kindName
	case tokenVariable:
		n.kind = kindVariable
	case tokenString:
		n.kind, n.text = kindString, t.value.(string)
	case tokenNumber, tokenValue:
		n.kind = kindLiteral
	case tokenRegex:
		n.kind = kindRegex
	case tokenEnd:
		panic(newFault("S0207", t.pos))
	case tokenOperator:
		return p.prefixOperator(n)
	}
	return n
}

func (p *parser) prefixOperator(n *node) *node {
	switch n.text {
	case "and", "or", "in":
		n.kind = kindOperator
	case "-":
		n.kind, n.left = kindNegate, p.expression(70)
	case "*":
		n.kind = kindWildcard
	case "**":
		n.kind = kindDescendant
	case "%":
		n.kind = kindParent
	case "(":
		n.kind = kindBlock
		for !p.is(")") {
			n.list = append(n.list, p.expression(0))
			if !p.is(";") {
				break
			}
			p.read(false)
		}
		p.expect(")", true)
	case "[":
		n.kind = kindArray
		p.array(n)
	case "{":
		n.kind, n.pairs = kindObject, p.object()
	case "|":
		n.kind, n.left = kindTransform, p.expression(0)
		p.expect("|", false)
		n.right = p.expression(0)
		if p.is(",") {
			p.read(false)
			n.third = p.expression(0)
		}
		p.expect("|", true)
	case "!", "~":
		panic(newFault("S0204", n.pos, n.text))
	default:
		panic(newFault("S0211", n.pos, n.text))
	}
	return n
}

func (p *parser) array(n *node) {
	for !p.is("]") {
		item := p.expression(0)
		if p.is("..") {
			item = &node{kind: kindBinary, text: "..", pos: p.cur.pos, left: item}
			p.read(false)
			item.right = p.expression(0)
		}
		n.list = append(n.list, item)
		if !p.is(",") {
			break
		}
		p.read(false)
		if p.is("]") { // the comma asks for one more
			p.expression(0)
		}
	}
	p.expect("]", true)
}

func (p *parser) object() [][2]*node {
	pairs := [][2]*node{}
	for !p.is("}") {
		key := p.expression(0)
		p.expect(":", false)
		pairs = append(pairs, [2]*node{key, p.expression(0)})
		if !p.is(",") {
			break
		}
		p.read(false)
		if p.is("}") {
			p.expression(0)
		}
	}
	p.expect("}", true)
	return pairs
}

func (p *parser) infix(op token, left *node) *node {
	n := &node{kind: kindBinary, pos: op.pos, text: op.text, left: left}
	switch op.text {
	case "(":
		return p.call(n)
	case "[":
		if p.is("]") {
			step := left
			for step.kind == kindFilter {
				step = step.left
			}
			step.keepArray = true
			p.read(true)
			return left
		}
		n.kind, n.right = kindFilter, p.expression(0)
		p.expect("]", true)
	case "{":
		n.kind, n.pairs = kindGroup, p.object()
	case "^":
		n.kind = kindSort
		p.sort(n)
	case "@", "#":
		n.kind = kindFocus
		if op.text == "#" {
			n.kind = kindIndex
		}
		n.right = p.expression(powers[op.text])
		if n.right.kind != kindVariable {
			panic(newFault("S0214", op.pos, op.text))
		}
	case "?":
		n.kind, n.right = kindCondition, p.expression(0)
		if p.is(":") {
			p.read(false)
			n.third = p.expression(0)
		}
	case ":=":
		if left.kind != kindVariable {
			panic(newFault("S0212", left.pos, left.text))
		}
		n.kind, n.right = kindBind, p.expression(powers[":="]-1)
	case "~>":
		n.kind, n.right = kindApply, p.expression(powers[op.text])
	default:
		n.right = p.expression(powers[op.text])
	}
	return n
}

func (p *parser) sort(n *node) {
	p.expect("(", false)
	for {
		var t term
		if p.is("<") || p.is(">") {
			t.descending = p.is(">")
			p.read(false)
		}
		t.expr = p.expression(0)
		n.terms = append(n.terms, t)
		if !p.is(",") {
			break
		}
		p.read(false)
	}
	p.expect(")", true)
}

// call reads the arguments behind a function, and the body if it is a lambda.
func (p *parser) call(n *node) *node {
	n.kind = kindCall
	for !p.is(")") {
		if p.is("?") {
			n.kind = kindPartial
			n.list = append(n.list, &node{kind: kindHole, pos: p.cur.pos, text: "?"})
			p.read(true)
		} else {
			n.list = append(n.list, p.expression(0))
		}
		if !p.is(",") {
			break
		}
		p.read(false)
		if p.is(")") {
			p.expression(0)
		}
	}
	p.expect(")", true)
	if n.left.kind != kindName || (n.left.text != "function" && n.left.text != "λ") {
		return n
	}
	for i, arg := range n.list {
		if arg.kind != kindVariable {
			panic(newFault("S0208", arg.pos, i+1, arg.text))
		}
	}
	n.kind, n.left = kindLambda, nil
	if p.is("<") {
		n.sig = p.signature()
	}
	p.expect("{", false)
	n.left = p.expression(0)
	p.expect("}", true)
	return n
}

// signature reads the types of a lambda, up to the bracket that closes them.
func (p *parser) signature() *signature {
	start, depth, text := p.cur.pos, 1, "<"
	for depth > 0 && !p.is("{") && p.cur.kind != tokenEnd {
		p.read(true)
		if p.is(">") {
			depth--
		} else if p.is("<") {
			depth++
		}
		text += p.cur.text
	}
	p.expect(">", false)
	sig, code := parseSignature(text)
	if code != "" {
		panic(newFault(code, start, text))
	}
	return sig
}
