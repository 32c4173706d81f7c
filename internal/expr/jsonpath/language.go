package jsonpath

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Name is the name of the language in files and on the command line.
const Name = "jsonpath"

// Bindings of $ and $$. The exact names go first, so that with them a variable
// can be called input or context.
const (
	inputRoot    = "input"
	contextRoot  = "context"
	exactInput   = "$"
	exactContext = "$$"
)

// Language is the JSONPath of Step Functions with its intrinsic functions. It
// is immutable and safe for concurrent use.
type Language struct{}

var (
	_ expr.Language = (*Language)(nil)
	_ expr.Compiled = (*compiled)(nil)
)

// New returns the language.
func New() *Language { return &Language{} }

// Name implements expr.Language.
func (*Language) Name() string { return Name }

// Compile implements expr.Language: src is a path or a call of an intrinsic
// function. Names that are not declared are no problem here; a root that env
// forbids is one.
func (*Language) Compile(src string, env *expr.Env) (expr.Compiled, []expr.Problem) {
	q, problem := Parse(src)
	if problem != nil {
		return nil, []expr.Problem{*problem}
	}
	if problems := forbidden(q, env); len(problems) > 0 {
		return nil, problems
	}
	return &compiled{query: q}, nil
}

// forbidden finds the roots that the environment forbids.
func forbidden(q *Query, env *expr.Env) []expr.Problem {
	why := env.Forbidden()
	var problems []expr.Problem
	q.paths(func(p *path) {
		if reason := why[p.binding()]; reason != "" && p.root != item {
			problems = append(problems, expr.Problem{Code: expr.CodeForbidden, Message: reason, Offset: p.pos, Length: len(p.text)})
		}
	})
	return problems
}

// compiled is a query that can be evaluated.
type compiled struct{ query *Query }

// Type implements expr.Compiled: types are known only when it is evaluated.
func (*compiled) Type() expr.Type { return expr.Type{} }

// Reads implements expr.Compiled.
func (c *compiled) Reads() [][]string { return c.query.Reads() }

// Eval implements expr.Compiled. The binding "$", or else "input", is $; "$$",
// or else "context", is $$; every binding is the variable of its name.
func (c *compiled) Eval(request expr.Request) (value.Value, error) {
	e := NewEvaluator(scopeOf(request.Bindings), Budget{Cost: request.Cost, Seed: request.Seed})
	return e.Select(c.query)
}

func scopeOf(bindings map[string]value.Value) Scope {
	either := func(exact, other string) value.Value {
		if v, ok := bindings[exact]; ok {
			return v
		}
		return bindings[other]
	}
	return Scope{Input: either(exactInput, inputRoot), Context: either(exactContext, contextRoot), Variables: bindings}
}
