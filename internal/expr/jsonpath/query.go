package jsonpath

import (
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/expr"
)

// AWS's words for what is wrong with a field of a definition. A [expr.Problem]
// of a parser says where in the text and why.
const (
	// NotPath is for fields that hold a path, such as InputPath.
	NotPath = "Value must be a valid JSONPath."
	// NotReference begins what is said of fields that hold a reference path,
	// such as ResultPath; a reason follows it.
	NotReference = "Value is not a Reference Path: "
)

// NotQuery is AWS's message for a field of a payload template.
func NotQuery(field string) string {
	return fmt.Sprintf("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", field)
}

// Query is a path or a call of an intrinsic function. It is immutable and safe
// for concurrent use.
type Query struct {
	src  string
	root *node
}

// Parse reads a path or a call of an intrinsic function.
func Parse(src string) (*Query, *expr.Problem) {
	return parse(src, func(p *parser) *node {
		if p.has(intrinsicPrefix) {
			return p.intrinsic()
		}
		if !p.has("$") {
			p.failf(p.pos, "a path that begins with $ or a call such as States.Format(…) is expected, and this is %s", p.here())
		}
		return &node{path: p.path(alone)}
	})
}

// ParsePath reads a path.
func ParsePath(src string) (*Query, *expr.Problem) {
	return parse(src, func(p *parser) *node { return &node{path: p.path(alone)} })
}

// ParseReference reads a reference path: one of names and single indexes,
// which leads to one place. The message is in AWS's words, [NotReference].
func ParseReference(src string) (*Query, *expr.Problem) {
	if src == "" || src[0] != '$' {
		return nil, &expr.Problem{
			Code: expr.CodeSyntax, Message: NotReference + "Reference path didn't start with '$'", Length: max(1, len(src)),
		}
	}
	q, problem := ParsePath(src)
	if problem != nil {
		problem.Message = NotReference + problem.Message
		return nil, problem
	}
	if reason, pos := q.root.path.reference(); reason != "" {
		return nil, &expr.Problem{Code: expr.CodeSyntax, Message: NotReference + reason, Offset: pos, Length: len(src) - pos}
	}
	return q, nil
}

// ParseResultPath reads a reference path into which a result can be put: one
// that starts from the input and has no index from the end.
func ParseResultPath(src string) (*Query, *expr.Problem) {
	q, problem := ParseReference(src)
	if problem != nil {
		return nil, problem
	}
	refuse := func(reason string, pos int) (*Query, *expr.Problem) {
		return nil, &expr.Problem{Code: expr.CodeSyntax, Message: NotReference + reason, Offset: pos, Length: max(1, len(src)-pos)}
	}
	if q.root.path.root != Input {
		return refuse("a result can be put into the state's input only, which is $", 0)
	}
	for _, s := range q.root.path.steps {
		if s.kind == stepIndex && s.indexes[0] < 0 {
			return refuse("an index from the end is not allowed", s.pos)
		}
	}
	return q, nil
}

// parse runs a parser over all of src.
func parse(src string, read func(*parser) *node) (q *Query, problem *expr.Problem) {
	if problem := expr.TooLong(src); problem != nil {
		return nil, problem
	}
	defer func() {
		if r := recover(); r != nil {
			q, problem = nil, syntaxProblem(r, src)
		}
	}()
	p := &parser{src: src}
	root := read(p)
	if p.pos < len(src) {
		p.failf(p.pos, "%s is not expected here", p.here())
	}
	return &Query{src: src, root: root}, nil
}

// syntaxProblem is what was recovered while parsing.
func syntaxProblem(r any, src string) *expr.Problem {
	if f, ok := r.(*fault); ok {
		return &expr.Problem{Code: f.code, Message: f.message, Offset: f.pos, Length: 1}
	}
	return expr.InternalProblem(r, src)
}

// String is the text of the query.
func (q *Query) String() string { return q.src }

// Root is what the path starts from, [NoRoot] of a call.
func (q *Query) Root() Root {
	if q.root.path == nil {
		return NoRoot
	}
	return q.root.path.root
}

// Intrinsic reports whether the query is a call of an intrinsic function.
func (q *Query) Intrinsic() bool { return q.root.path == nil }

// Definite reports whether the query leads to one value, and not to a list of
// as many as there are.
func (q *Query) Definite() bool { return q.root.path == nil || q.root.path.definite }

// Variables are the workflow variables that the query reads, in the order in
// which they stand, without repetitions.
func (q *Query) Variables() []string {
	var out []string
	q.paths(func(p *path) {
		if p.root == Variable && !slices.Contains(out, p.variable) {
			out = append(out, p.variable)
		}
	})
	return out
}

// Reads lists what the query reads as [expr.Compiled] says: the root ("input"
// for $, "context" for $$, else the variable) and the names behind it.
func (q *Query) Reads() [][]string {
	var out [][]string
	q.paths(func(p *path) {
		read := p.reads()
		if p.root != item && !slices.ContainsFunc(out, func(old []string) bool { return slices.Equal(old, read) }) {
			out = append(out, read)
		}
	})
	return out
}

// paths visits all paths of a query, also those within filters.
func (q *Query) paths(visit func(*path)) {
	q.root.walk(func(p *path) { p.walk(visit) })
}

func (p *path) walk(visit func(*path)) {
	visit(p)
	for i := range p.steps {
		p.steps[i].filter.walk(visit)
		for _, arg := range p.steps[i].args {
			if arg.path != nil {
				arg.path.walk(visit)
			}
		}
	}
}

func (c *condition) walk(visit func(*path)) {
	if c == nil {
		return
	}
	c.left.walk(visit)
	c.right.walk(visit)
	for _, o := range []operand{c.a, c.b} {
		if o.path != nil {
			o.path.walk(visit)
		}
	}
}
