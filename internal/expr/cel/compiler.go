package cel

import (
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
)

// compiler checks an expression and makes nodes of it, in one walk. Where
// something is wrong it notes a problem and goes on with what it can know.
type compiler struct {
	lang     *Language
	src      *source
	env      *expr.Env
	zone     *time.Location // of the environment, once a function needs it; else UTC
	locals   []local
	guards   []string // places that are known not to be null
	problems []expr.Problem
	reads    []readAt
	slots    int // that an evaluation needs
}

// local is a variable of a macro.
type local struct {
	name string
	typ  typ
	slot int
}

// readAt is a reference into the environment and where it stands.
type readAt struct {
	offset int
	path   []string
}

// nothing stands for a part that could not be compiled.
var nothing = &constNode{types.NullValue}

func (c *compiler) problem(code string, offset, length int, format string, args ...any) *expr.Problem {
	c.problems = append(c.problems, expr.Problem{
		Code: code, Message: fmt.Sprintf(format, args...), Offset: offset, Length: max(1, length),
	})
	return &c.problems[len(c.problems)-1]
}

func (c *compiler) compile(e ast.Expr) (node, typ) {
	switch e.Kind() {
	case ast.LiteralKind:
		return &constNode{e.AsLiteral()}, typ{kind: kindOfValue(e.AsLiteral())}
	case ast.IdentKind, ast.SelectKind:
		return c.reference(e)
	case ast.CallKind:
		return c.call(e)
	case ast.ListKind:
		return c.list(e)
	case ast.MapKind:
		return c.object(e)
	case ast.StructKind:
		offset, length := c.src.span(e)
		c.problem(expr.CodeType, offset, length, "there are no messages here").Hint = `write an object: {"name": value}`
		return nothing, typ{}
	default:
		offset, length := c.src.span(e)
		c.problem(expr.CodeSyntax, offset, length, "this cannot be evaluated")
		return nothing, typ{}
	}
}

// kindOfValue is the static kind of a literal or computed constant.
func kindOfValue(v ref.Val) kind {
	switch v.(type) {
	case types.Null:
		return kNull
	case types.Bool:
		return kBool
	case types.Uint:
		return kUint
	case types.Int, *bigInt:
		return kInt
	case types.Double:
		return kNumber
	case *decimal:
		return kDecimal
	case types.String:
		return kString
	case types.Bytes:
		return kBytes
	case date:
		return kDate
	case types.Timestamp:
		return kDateTime
	case types.Duration:
		return kDuration
	case *types.Type:
		return kType
	case calendarVal:
		return kCalendar
	}
	return kAny
}

// operatorNames are the operators as they are written.
var operatorNames = map[string]string{
	operators.Add: opAdd, operators.Subtract: opSub, operators.Multiply: opMul, operators.Divide: opDiv, operators.Modulo: opMod,
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
	operators.Equals: "==", operators.NotEquals: "!=", operators.In: "in",
	operators.LogicalAnd: "&&", operators.LogicalOr: "||", operators.LogicalNot: "!", operators.Negate: "-",
	operators.Conditional: "?:", operators.Index: "[]", operators.OptIndex: "[?]", operators.OptSelect: ".?",
}

// orders say for which results of a comparison an operator holds.
var orders = map[string]func(int) bool{
	"<":  func(o int) bool { return o < 0 },
	"<=": func(o int) bool { return o <= 0 },
	">":  func(o int) bool { return o > 0 },
	">=": func(o int) bool { return o >= 0 },
}

// call compiles an operator, a macro or a function call.
func (c *compiler) call(e ast.Expr) (node, typ) {
	call := e.AsCall()
	name := call.FunctionName()
	op, isOperator := operatorNames[name]
	if !isOperator {
		return c.invoke(e)
	}
	args := call.Args()
	offset := c.src.start(e)
	switch op {
	case "&&", "||":
		return c.logic(e, op)
	case "!":
		n, t := c.operand(args[0])
		c.needBool(args[0], t)
		return &notNode{n, offset}, typ{kind: kBool}
	case "-":
		if len(args) == 1 {
			return c.negation(e)
		}
	case "?:":
		return c.choice(e)
	case "[]", "[?]", ".?":
		return c.reference(e)
	case "==", "!=":
		return c.equality(e, op)
	case "in":
		return c.membership(e)
	}
	a, ta := c.operand(args[0])
	b, tb := c.operand(args[1])
	if holds, ok := orders[op]; ok {
		if !haveOrder(ta, tb) {
			c.operatorProblem(e, op, ta, tb)
		}
		c.comparedTexts(e, a, b, ta, tb)
		return &orderNode{holds, a, b, offset}, typ{kind: kBool}
	}
	result, ok := arithmeticType(op, ta, tb)
	if !ok {
		c.operatorProblem(e, op, ta, tb)
	}
	return &arithmeticNode{op, a, b, offset}, result
}

// operand compiles a part whose value is computed with, so that it must not
// be null.
func (c *compiler) operand(e ast.Expr) (node, typ) {
	n, t := c.compile(e)
	return n, c.mustNotBeNull(e, t)
}

func (c *compiler) operatorProblem(e ast.Expr, op string, a, b typ) {
	offset, length := c.src.span(e)
	p := c.problem(expr.CodeType, offset, length, "%s", operatorMismatch(op, a.String(), b.String()))
	switch {
	case op == opAdd && (a.kind == kString) != (b.kind == kString):
		p.Hint = "convert one of them: string(…) to join texts, int(…), double(…) or decimal(…) to add numbers"
	case a.kind == kDate && b.kind.numeric() && (op == opAdd || op == opSub):
		p.Hint = "write date.add(date, days)"
	case op == "in" && b.kind == kString:
		p.Hint = "write text.contains(part)"
	case a.kind == kString || b.kind == kString:
		p.Hint = "make a number of the text with int(…), double(…) or decimal(…)"
	}
}

func (c *compiler) negation(e ast.Expr) (node, typ) {
	arg := e.AsCall().Args()[0]
	n, t := c.operand(arg)
	if t.kind != kAny && t.kind != kDuration && (!t.kind.numeric() || t.kind == kUint) {
		offset, length := c.src.span(e)
		c.problem(expr.CodeType, offset, length, "operator - does not work on %s", t)
	}
	return &negateNode{n, c.src.start(e)}, t
}

// needBool checks a condition.
func (c *compiler) needBool(e ast.Expr, t typ) {
	if t.kind != kBool && t.kind != kAny {
		offset := c.src.firstByte(e)
		c.problem(expr.CodeType, offset, c.src.tokenLength(offset), "a condition must be true or false, and this is %s", t)
	}
}

func (c *compiler) logic(e ast.Expr, op string) (node, typ) {
	mark := len(c.guards)
	n := &logicNode{or: op == "||", at: c.src.start(e)}
	for _, term := range e.AsCall().Args() {
		compiled, t := c.operand(term)
		c.needBool(term, t)
		n.terms = append(n.terms, compiled)
		// The next term is evaluated after this one was true, or for || false.
		c.guards = append(c.guards, c.notNull(term, op == "&&")...)
	}
	c.guards = c.guards[:mark]
	return n, typ{kind: kBool}
}

func (c *compiler) choice(e ast.Expr) (node, typ) {
	args := e.AsCall().Args()
	cond, t := c.operand(args[0])
	c.needBool(args[0], t)
	yes, typeYes := c.under(c.notNull(args[0], true), args[1])
	no, typeNo := c.under(c.notNull(args[0], false), args[2])
	return &choiceNode{cond, yes, no, c.src.start(e)}, join(typeYes, typeNo)
}

// under compiles a part that is reached only when the guards hold.
func (c *compiler) under(guards []string, e ast.Expr) (node, typ) {
	mark := len(c.guards)
	c.guards = append(c.guards, guards...)
	n, t := c.compile(e)
	c.guards = c.guards[:mark]
	return n, t
}

func (c *compiler) equality(e ast.Expr, op string) (node, typ) {
	args := e.AsCall().Args()
	a, ta := c.compile(args[0])
	b, tb := c.compile(args[1])
	if !canBeEqual(ta, tb) {
		offset, length := c.src.span(e)
		c.problem(expr.CodeType, offset, length, "%s and %s are never equal", ta, tb).Hint = "convert one of them, such as with string(…) or int(…)"
	}
	c.comparedTexts(e, a, b, ta, tb)
	return &equalNode{a, b, op == "!=", c.src.start(e)}, typ{kind: kBool}
}

// comparedTexts checks a literal text that is compared with a decimal, date or
// duration.
func (c *compiler) comparedTexts(e ast.Expr, a, b node, ta, tb typ) {
	for _, side := range []struct {
		literal node
		as      kind
	}{{a, tb.kind}, {b, ta.kind}} {
		text, ok := literalText(side.literal)
		if !ok || !side.as.readFromText() {
			continue
		}
		if _, err := parseKind(side.as, text); err != nil {
			offset, length := c.src.span(e)
			c.problem(expr.CodeValue, offset, length, "%s", err)
		}
	}
}

// literalText is the text of a literal.
func literalText(n node) (string, bool) {
	if k, ok := n.(*constNode); ok {
		if text, ok := k.v.(types.String); ok {
			return string(text), true
		}
	}
	return "", false
}

func (c *compiler) membership(e ast.Expr) (node, typ) {
	a, ta := c.compile(e.AsCall().Args()[0])
	b, tb := c.operand(e.AsCall().Args()[1])
	switch tb.kind {
	case kAny, kObject:
	case kList:
		if !canBeEqual(ta, tb.item()) {
			offset, length := c.src.span(e)
			c.problem(expr.CodeType, offset, length, "%s is never in %s", ta, tb)
		}
	default:
		c.operatorProblem(e, "in", ta, tb)
	}
	return &inNode{a, b, c.src.start(e)}, typ{kind: kBool}
}

func (c *compiler) list(e ast.Expr) (node, typ) {
	list := e.AsList()
	constant := true
	n := &listNode{optional: make([]bool, list.Size()), at: c.src.start(e)}
	var elem typ
	for i, item := range list.Elements() {
		compiled, t := c.compile(item)
		n.items = append(n.items, compiled)
		if _, isConst := compiled.(*constNode); !isConst || list.IsOptional(int32(i)) {
			constant = false
		}
		if list.IsOptional(int32(i)) {
			n.optional[i] = true
			t = c.unwrapOptional(item, t)
		}
		if i == 0 {
			elem = t
		} else {
			elem = join(elem, t)
		}
	}
	if constant {
		return n.constant(), listOf(elem)
	}
	return n, listOf(elem)
}

// unwrapOptional is the type within an optional, which the part must be.
func (c *compiler) unwrapOptional(e ast.Expr, t typ) typ {
	if t.kind == kAny {
		return typ{}
	}
	if t.kind != kOptional {
		offset := c.src.firstByte(e)
		c.problem(expr.CodeType, offset, c.src.tokenLength(offset), "a value after ? must be optional, and this is %s", t)
	}
	return t.item()
}

func (c *compiler) object(e ast.Expr) (node, typ) {
	entries := e.AsMap().Entries()
	n := &dictNode{optional: make([]bool, len(entries)), at: c.src.start(e)}
	decl, texts := &expr.Type{Kind: expr.ObjectOf}, true
	seen := map[any]bool{}
	for i, entry := range entries {
		m := entry.AsMapEntry()
		key, keyType := c.compile(m.Key())
		v, t := c.compile(m.Value())
		n.keys, n.vals = append(n.keys, key), append(n.vals, v)
		if m.IsOptional() {
			n.optional[i] = true
			t = c.unwrapOptional(m.Value(), t)
			t.nullable = true
		}
		switch keyType.kind {
		case kAny, kString, kInt, kUint, kBool:
		default:
			offset, length := c.src.span(m.Key())
			c.problem(expr.CodeType, offset, length, "a %s cannot be a key; keys are texts", keyType)
		}
		if k, ok := key.(*constNode); ok {
			if normal, ok := mapKey(k.v); ok {
				if seen[normal] {
					offset, length := c.src.span(m.Key())
					c.problem(expr.CodeValue, offset, length, "the key %v stands in the object twice", k.v.Value())
				}
				seen[normal] = true
			}
		}
		texts = texts && keyType.kind == kString
		if name, ok := literalText(key); ok {
			decl.Fields = append(decl.Fields, expr.Field{Name: name, Type: t.public(maxTypeDepth)})
		}
	}
	if !texts {
		return n, typ{kind: kObject}
	}
	return n, typ{kind: kObject, decl: decl}
}

// maxTypeDepth bounds the types that are inferred for callers.
const maxTypeDepth = 16

// sortedReads are the references in the order in which they stand, without
// repetitions.
func (c *compiler) sortedReads() [][]string {
	slices.SortStableFunc(c.reads, func(a, b readAt) int { return a.offset - b.offset })
	var out [][]string
	for _, r := range c.reads {
		if !slices.ContainsFunc(out, func(p []string) bool { return slices.Equal(p, r.path) }) {
			out = append(out, r.path)
		}
	}
	return out
}

// variable finds a variable of a macro by its name, the innermost first.
func (c *compiler) variable(name string) *local {
	for i := len(c.locals) - 1; i >= 0; i-- {
		if c.locals[i].name == name {
			return &c.locals[i]
		}
	}
	return nil
}

func (c *compiler) root(name string) *expr.Root {
	for i := range c.env.Roots {
		if c.env.Roots[i].Name == name {
			return &c.env.Roots[i]
		}
	}
	return nil
}

// unknownRoot is the problem of a name that nothing has.
func (c *compiler) unknownRoot(offset int, name string) {
	var names []string
	for _, l := range c.locals {
		names = append(names, l.name)
	}
	for _, r := range c.env.Roots {
		if r.Why == "" {
			names = append(names, r.Name)
		}
	}
	p := c.problem(expr.CodeUnknownName, offset, len(name), "there is no %q here", name)
	p.Hint = diag.DidYouMean(name, names)
	if p.Hint == "" && c.lang.hasName(name) {
		p.Hint = fmt.Sprintf("%s is a function; call it as %s(…)", name, name)
	}
}
