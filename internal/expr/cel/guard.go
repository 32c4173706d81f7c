package cel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/regie-dev/regie/internal/expr"
)

// place names what a reference reads, the same for every way to write it, so
// that a guard is recognised; nothing for what is not constant.
func (c *compiler) place(e ast.Expr) string {
	if e.Kind() == ast.IdentKind {
		name, isRoot := strings.CutPrefix(e.AsIdent(), ".")
		if v := c.variable(name); v != nil && !isRoot {
			return "#" + strconv.Itoa(v.slot) + "." + name
		}
		return name
	}
	a, ok := c.accessOf(e)
	if !ok || a.test || a.optional {
		return ""
	}
	of := c.place(a.of)
	switch {
	case of == "":
		return ""
	case a.index == nil:
		return of + "." + strconv.Quote(a.name)
	case a.index.Kind() == ast.LiteralKind:
		return of + "[" + fmt.Sprint(a.index.AsLiteral().Value()) + "]"
	}
	return ""
}

// known reports whether a guard says that the place is not null.
func (c *compiler) known(place string) bool {
	return place != "" && slices.Contains(c.guards, place)
}

// notNull lists the places that are not null when the condition is as said.
func (c *compiler) notNull(e ast.Expr, truth bool) []string {
	if e.Kind() != ast.CallKind {
		return nil
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Has:
		if !truth || len(args) != 1 || args[0].Kind() != ast.SelectKind {
			return nil
		}
		if of := c.place(args[0].AsSelect().Operand()); of != "" {
			return []string{of, c.place(args[0])}
		}
	case operators.LogicalNot:
		return c.notNull(args[0], !truth)
	case operators.LogicalAnd, operators.LogicalOr:
		if (call.FunctionName() == operators.LogicalAnd) != truth {
			return nil
		}
		var out []string
		for _, term := range args {
			out = append(out, c.notNull(term, truth)...)
		}
		return out
	case operators.Equals, operators.NotEquals:
		same := (call.FunctionName() == operators.Equals) == truth
		var out []string
		for i, arg := range args {
			other := args[1-i]
			// x != null, or x == 5.
			if other.Kind() == ast.LiteralKind && (other.AsLiteral() == types.NullValue) != same {
				if place := c.place(arg); place != "" {
					out = append(out, place)
				}
			}
		}
		return out
	}
	return nil
}

// nullable is the problem of a member of something that may be null.
func (c *compiler) nullable(a access) {
	of := c.text(a.of)
	if of == "" {
		c.problem(expr.CodeNullable, a.offset, a.length, "the value before %q may be null", a.name).Hint = "write .?member and give a default with .orValue(…)"
		return
	}
	p := c.problem(expr.CodeNullable, a.offset, a.length, "%s may be null here", of)
	if a.index == nil {
		p.Hint = fmt.Sprintf("write %s.?%s.orValue(…), or %s != null ? … : …", of, a.name, of)
	} else {
		p.Hint = fmt.Sprintf("write %s != null ? … : …", of)
	}
}

// mustNotBeNull notes a problem when a value that may be null is computed
// with; it returns the type without null.
func (c *compiler) mustNotBeNull(e ast.Expr, t typ) typ {
	if !t.nullable {
		return t
	}
	offset := c.src.firstByte(e)
	of, length := c.text(e), c.src.tokenLength(offset)
	if of == "" {
		of = "this"
	} else if strings.HasPrefix(c.src.text[offset:], of) {
		length = len(of)
	}
	c.problem(expr.CodeNullable, offset, length, "%s may be null here", of).Hint = fmt.Sprintf("write %s != null ? … : …", of)
	return t.guarded()
}
