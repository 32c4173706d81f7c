package asl

import (
	"strings"
	"unicode"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// pathRule says which paths a field takes.
type pathRule struct {
	null      bool // null is allowed
	reference bool // one value, by names and indexes
	context   bool // the context object $$ may be read
	input     bool // of $ only: it is written to
	intrinsic bool // intrinsic functions are allowed
}

// path is the path under the field, nil where there is none.
func (o *object) path(field string, rule pathRule) *Value {
	n := o.get(field)
	at := o.where(field)
	switch {
	case n == nil:
		return nil
	case n.Kind == yamldoc.Null && rule.null:
		return &Value{Field: field, Literal: n.Value, Node: n}
	case n.Kind != yamldoc.String:
		o.wrongType(n, at, "[STRING]")
		return nil
	case rule.intrinsic && isIntrinsic(n.Text):
		q, problem := jsonpath.Parse(n.Text)
		if problem != nil {
			o.addAt(n, problem, at, jsonpath.NotQuery(field))
			return nil
		}
		o.refer(q.Variables()...)
		return &Value{Kind: Intrinsic, Field: field, Text: n.Text, Node: n}
	}
	q, problem := rule.parse(n.Text)
	if problem != nil {
		o.addAt(n, problem, at, rule.words(problem))
		return nil
	}
	o.refer(q.Variables()...)
	return &Value{Kind: Path, Field: field, Text: n.Text, Node: n}
}

// parse reads a path that the field takes.
func (r pathRule) parse(text string) (*jsonpath.Query, *expr.Problem) {
	switch {
	case r.input:
		return jsonpath.ParseResultPath(text)
	case !r.reference:
		return jsonpath.ParsePath(text)
	}
	q, problem := jsonpath.ParseReference(text)
	if problem == nil && q.Root() == jsonpath.Context && !r.context {
		problem = &expr.Problem{Message: jsonpath.NotReference + "the context object cannot be read here", Length: len(text)}
	}
	return q, problem
}

// words are what AWS says of a path with this fault.
func (r pathRule) words(problem *expr.Problem) string {
	if r.reference {
		return problem.Message
	}
	return jsonpath.NotPath
}

// addAt adds an error of a text, at the place of the fault in it.
func (o *object) addAt(n *yamldoc.Node, problem *expr.Problem, at, message string) {
	d := o.add(Error, CodeSchema, n.At(problem.Offset), problem.Length, at, message)
	if d.Hint = problem.Hint; d.Hint == "" && message != problem.Message {
		d.Hint = problem.Message
	}
}

// refer notes that the state reads variables.
func (r *reader) refer(names ...string) {
	if r.state == nil {
		return
	}
	for _, name := range names {
		r.state.references[name] = true
	}
}

// isIntrinsic reports whether the text calls an intrinsic function.
func isIntrinsic(s string) bool { return strings.HasPrefix(s, "States.") }

// isPath reports whether a text looks like a path.
func isPath(s string) bool {
	s, _ = strings.CutPrefix(s, "$")
	return strings.HasPrefix(s, "$.") || strings.HasPrefix(s, "$[") || strings.HasPrefix(s, ".") && s != "."
}

// variablesOf lists the variables of a path or intrinsic that can be read.
func variablesOf(src string) []string {
	if q, problem := jsonpath.Parse(src); problem == nil {
		return q.Variables()
	}
	return nil
}

// nameLength is the number of bytes of the variable's name with which the text
// begins.
func nameLength(s string) int {
	for i, r := range s {
		begins := unicode.IsLetter(r) || r == '_'
		goesOn := unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r)
		if !begins && (i == 0 || !goesOn) {
			return i
		}
	}
	return len(s)
}
