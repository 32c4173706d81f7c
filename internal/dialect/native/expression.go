package native

import (
	"fmt"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// errorAt adds an error at a node.
func (c *compiler) errorAt(n *yamldoc.Node, code, format string, args ...any) *diag.Diagnostic {
	return c.list.Errorf(n.Pos, code, format, args...).WithLength(n.Length())
}

// expression compiles src, which stands at the byte offset of the text of n.
// It returns nil when the expression cannot be used; the problems are then
// reported.
func (c *compiler) expression(src string, n *yamldoc.Node, offset int, v *view) (*workflow.Expr, expr.Type) {
	report := func(at, length int, code, format string, args ...any) *diag.Diagnostic {
		at = min(max(at, 0), len(src))
		end := min(at+max(length, 0), len(src))
		d := c.list.Errorf(n.At(offset+at), code, format, args...)
		return d.WithLength(max(1, utf8.RuneCountInString(src[at:end])))
	}
	ns := &names{c: c, view: v, node: n, src: src, report: report, bound: map[string]bool{}}
	if len(src) <= expr.MaxLength { // longer ones are refused unread
		ns.words = wordsOf(src)
	}
	compiled, problems := c.cfg.Expr.Compile(src, ns.env())
	for _, p := range problems {
		report(p.Offset, p.Length, p.Code, "%s", p.Message).Hint = p.Hint
	}
	if len(problems) > 0 || compiled == nil {
		return nil, expr.Type{}
	}
	e := &workflow.Expr{Language: c.cfg.Expr.Name(), Source: src, Bind: ns.bind(compiled.Reads()), Zone: c.prog.Zone, Line: n.At(offset).Line}
	if ns.failed {
		return nil, expr.Type{}
	}
	return e, compiled.Type()
}

// condition compiles a bare expression that must give a boolean; nil if n is
// nil or cannot be used.
func (c *compiler) condition(n *yamldoc.Node, v *view) *workflow.Expr {
	e, t := c.bare(n, v)
	if e != nil && !fits(t, descriptor.Type{Kind: descriptor.Boolean}) {
		c.errorAt(n, codeType, "a condition must be true or false, this is %s", typeWords(t)).WithHint("compare it with something")
		return nil
	}
	return e
}

// bare compiles an expression without ${{ }}.
func (c *compiler) bare(n *yamldoc.Node, v *view) (*workflow.Expr, expr.Type) {
	if n == nil || !n.IsScalar() || n.Kind == yamldoc.Null || n.Text == "" || expr.HasTemplate(n.Text) {
		return nil, expr.Type{}
	}
	return c.expression(n.Text, n, 0, v)
}

// reference is an expression that reads one thing and nothing else.
func (c *compiler) reference(from workflow.Source, t expr.Type) *workflow.Data {
	return &workflow.Data{Expr: &workflow.Expr{
		Language: c.cfg.Expr.Name(), Source: rootResult, Zone: c.prog.Zone,
		Bind: []workflow.Binding{{Path: []string{rootResult}, From: from, Type: t}},
	}}
}

// fits reports whether a value of type t may stand where want is asked for. A
// type that is not known fits, and so does null: it means an absent field.
func fits(t expr.Type, want descriptor.Type) bool {
	if t.Kind == expr.Any || t.Kind == expr.NullType {
		return true
	}
	switch want.Kind {
	case descriptor.Any:
		return true
	case descriptor.Boolean:
		return t.Kind == expr.Bool
	case descriptor.Integer, descriptor.Number:
		return t.Kind == expr.Int || t.Kind == expr.Number
	case descriptor.Decimal:
		return t.Kind == expr.Int || t.Kind == expr.Number || t.Kind == expr.Decimal || t.Kind == expr.String
	case descriptor.Duration:
		return t.Kind == expr.Duration || t.Kind == expr.String
	case descriptor.Date:
		return t.Kind == expr.Date || t.Kind == expr.String
	case descriptor.DateTime:
		return t.Kind == expr.DateTime || t.Kind == expr.String
	case descriptor.List:
		return t.Kind == expr.ListOf
	case descriptor.Map, descriptor.Struct:
		return t.Kind == expr.ObjectOf
	case descriptor.OneOf:
		for _, option := range want.Options {
			if fits(t, option) {
				return true
			}
		}
		return false
	}
	switch t.Kind {
	case expr.String, expr.Decimal, expr.Date, expr.DateTime, expr.Duration:
		return true
	}
	return false
}

// typeWords names a type in a message.
func typeWords(t expr.Type) string {
	switch t.Kind {
	case expr.Bool:
		return "a boolean"
	case expr.Int:
		return "an integer"
	case expr.Number:
		return "a number"
	case expr.Decimal:
		return "a decimal number"
	case expr.String:
		return "a text"
	case expr.Date:
		return "a date"
	case expr.DateTime:
		return "an instant"
	case expr.Duration:
		return "a duration"
	case expr.ListOf:
		return "a list"
	case expr.ObjectOf:
		return "an object"
	case expr.NullType:
		return "null"
	}
	return fmt.Sprintf("type %d", t.Kind)
}
