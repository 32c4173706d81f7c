package cel

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common/ast"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
)

// invocation is a call of a macro or function, as it is written.
type invocation struct {
	e      ast.Expr
	name   string     // with its namespace
	target ast.Expr   // nil for a global function
	args   []ast.Expr // without target
	offset int        // of the name
	length int
}

// all is the target, if any, and the arguments.
func (i *invocation) all() []ast.Expr {
	if i.target == nil {
		return i.args
	}
	return append([]ast.Expr{i.target}, i.args...)
}

// invocationOf takes apart a call. A chain of names before the last may be a
// namespace.
func (c *compiler) invocationOf(e ast.Expr) *invocation {
	call := e.AsCall()
	i := &invocation{e: e, name: strings.TrimPrefix(call.FunctionName(), "."), args: call.Args()}
	i.offset, i.length = c.src.callSpan(e, i.name)
	if !call.IsMemberFunction() {
		return i
	}
	i.target = call.Target()
	if namespace := qualifiedName(i.target); namespace != "" && c.lang.functions[key{namespace + "." + i.name, false}] != nil {
		i.name, i.target = namespace+"."+i.name, nil
		if offset, length := c.src.callSpan(e, i.name); length > 1 {
			i.offset, i.length = offset, length
		}
	}
	return i
}

// invoke compiles a call of a macro or function.
func (c *compiler) invoke(e ast.Expr) (node, typ) {
	i := c.invocationOf(e)
	fn := c.lang.functions[key{i.name, i.target != nil}]
	if fn == nil {
		c.unknownFunction(i)
		c.compileUnknown(i)
		return nothing, typ{}
	}
	if fn.special != nil {
		return fn.special(c, i)
	}
	if fn.zoned {
		c.needZone(i)
	}
	args, argTypes := c.arguments(i, fn)
	result, ok := fn.check(argTypes)
	if !ok {
		c.badCall(i, fn, argTypes)
		return nothing, typ{}
	}
	n := &callNode{fn: fn, args: args, at: i.offset}
	literal := c.checkLiterals(i, n)
	if folded := c.fold(i, n, literal); folded != nil {
		return folded, typ{kind: kindOfValue(folded.v)}
	}
	return n, result
}

// needZone loads the zone of the environment, which takes longer than the rest
// of compiling.
func (c *compiler) needZone(i *invocation) {
	zone, err := loadZone(c.env.Zone)
	if err != nil {
		c.problem(expr.CodeValue, i.offset, i.length, "%s", err)
		return
	}
	c.zone = zone
}

func (c *compiler) arguments(i *invocation, fn *function) ([]node, []typ) {
	var args []node
	var argTypes []typ
	for at, arg := range i.all() {
		n, t := c.compile(arg)
		if fn.member && at == 0 {
			t = c.mustNotBeNull(arg, t)
		}
		args, argTypes = append(args, n), append(argTypes, t)
	}
	return args, argTypes
}

// checkLiterals checks texts that stand as literals, and compiles a literal
// pattern. It reports whether they are all right.
func (c *compiler) checkLiterals(i *invocation, n *callNode) bool {
	ok := true
	exprs := i.all()
	for at, arg := range n.args {
		text, isText := literalText(arg)
		check := n.fn.literals[at]
		if !isText || check == nil {
			continue
		}
		if err := check(text); err != nil {
			offset, length := c.src.span(exprs[at])
			c.problem(expr.CodeValue, offset, length, "%s", err)
			ok = false
			continue
		}
		if n.fn.pattern && at == 1 {
			n.re, _ = compilePattern(text) // check has just compiled it
		}
	}
	return ok
}

// fold computes a call on literals, if the function says so. What it cannot
// read is a problem.
func (c *compiler) fold(i *invocation, n *callNode, literalsOK bool) *constNode {
	if !n.fn.fold || !literalsOK {
		return nil
	}
	for _, arg := range n.args {
		if _, ok := arg.(*constNode); !ok || arg == nothing {
			return nil
		}
	}
	v, fault := n.eval(&machine{zone: c.zone, left: foldCost, memory: foldMemory})
	switch {
	case fault != nil && fault.Code == expr.InvalidValue:
		exprs := i.all()
		offset, length := c.src.span(exprs[0])
		c.problem(expr.CodeValue, offset, length, "%s", fault.Message)
		return nil
	case fault != nil:
		return nil
	}
	return &constNode{v}
}

// badCall is the problem of arguments that a function does not take.
func (c *compiler) badCall(i *invocation, fn *function, args []typ) {
	names := make([]string, len(args))
	for at, t := range args {
		names[at] = t.String()
	}
	p := c.problem(expr.CodeType, i.offset, i.length, "%s", mismatchText(fn, names))
	var usages []string
	for _, sig := range fn.sigs {
		usages = append(usages, fn.usage(sig))
	}
	p.Hint = "it is " + strings.Join(usages, ", or ")
}

// unknownFunction is the problem of a call of something that does not exist.
func (c *compiler) unknownFunction(i *invocation) {
	if name := c.namespaced(i); name != "" {
		offset, length := c.src.callSpan(i.e, name)
		c.problem(expr.CodeUnknownName, offset, length, "there is no function %s()", name).Hint = diag.DidYouMean(name, c.lang.names(false))
		return
	}
	what := "function"
	if i.target != nil {
		what = "method"
	}
	p := c.problem(expr.CodeUnknownName, i.offset, i.length, "there is no %s %s()", what, i.name)
	switch other := c.lang.functions[key{i.name, i.target == nil}]; {
	case other != nil && other.member:
		p.Hint = "write it behind a value: " + other.usage(other.sigs[0])
	case other != nil:
		p.Hint = fmt.Sprintf("write %s(…) without a value before it", i.name)
	case foreignNames[i.name] != "":
		p.Hint = foreignNames[i.name]
	default:
		p.Hint = diag.DidYouMean(i.name, c.lang.names(i.target != nil))
	}
}

// foreignNames say what is written instead of functions that other languages
// have.
var foreignNames = map[string]string{
	"now":         "expressions have no clock; use run.business_date, or a value of the run or of a step",
	"today":       "expressions have no clock; use run.business_date",
	"random":      "expressions have no chance; compute it in a step",
	"uuid":        "expressions have no chance; compute it in a step",
	"len":         "write size(x)",
	"length":      "write size(x)",
	"count":       "write size(x)",
	"lower":       "write text.lowerAscii()",
	"toLowerCase": "write text.lowerAscii()",
	"upper":       "write text.upperAscii()",
	"toUpperCase": "write text.upperAscii()",
	"str":         "write string(x)",
	"toString":    "write string(x)",
	"float":       "write double(x)",
	"number":      "write int(x), double(x) or decimal(x)",
	"fromJSON":    "write json.parse(text)",
	"toJSON":      "write json.encode(x)",
	"default":     "write x.?member.orValue(…)",
	"includes":    "write x in list, or text.contains(part)",
	"concat":      "write a + b",
}

// compileUnknown compiles the parts of a call of something that does not
// exist, for the problems that they have of their own. A first argument that
// is an unknown name was probably meant as a variable.
func (c *compiler) compileUnknown(i *invocation) {
	if i.target != nil && c.namespaced(i) == "" {
		c.compile(i.target)
	}
	args := i.args
	if i.target != nil && len(args) > 1 && args[0].Kind() == ast.IdentKind && c.root(args[0].AsIdent()) == nil {
		_, end := c.declare([]string{args[0].AsIdent()}, []typ{{}})
		defer end()
		args = args[1:]
	}
	for _, arg := range args {
		c.compile(arg)
	}
}

// namespaced is the name of a call with what stands before it, if that is a
// namespace of functions and nothing else.
func (c *compiler) namespaced(i *invocation) string {
	if i.target == nil {
		return ""
	}
	namespace := qualifiedName(i.target)
	if namespace == "" || c.root(firstName(namespace)) != nil || c.variable(firstName(namespace)) != nil {
		return ""
	}
	for _, name := range c.lang.names(false) {
		if strings.HasPrefix(name, namespace+".") {
			return namespace + "." + i.name
		}
	}
	return ""
}
