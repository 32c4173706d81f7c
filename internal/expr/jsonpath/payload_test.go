package jsonpath

import (
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Rescope gives what is evaluated from now on another scope, such as the
// result for ResultSelector, and keeps what is left of the budget.
func (e *Evaluator) Rescope(scope Scope) { e.m.scope = scope }

// querySuffix ends the names of members whose value is a query.
const querySuffix = ".$"

// The dialect that uses paths has payload templates and ResultPath of its own.
// These evaluate the conformance cases of this package.

// Template is a payload template: JSON in which a member whose name ends in
// ".$" holds a path or a call of an intrinsic function, and is replaced by a
// member without the ending that holds the result. It is immutable and safe for
// concurrent use.
type Template struct {
	root    *part
	queries []*Query
}

// part is a value of a template. One that has no queries in it is a literal.
type part struct {
	literal value.Value
	query   *Query
	field   string // of a query
	keys    []string
	parts   []*part
	list    bool
}

// TemplateProblem is a member of a template that cannot be used.
type TemplateProblem struct {
	// Path leads to the member from the top of the template: names of members
	// and places in lists.
	Path []string
	// Field is the name of the member, such as "name.$".
	Field string
	// Message is AWS's, see [NotQuery].
	Message string
	// Problem says where in the member's text, and why.
	Problem expr.Problem
}

// CompileTemplate reads a payload template. It gives a template or at least
// one problem, in the order in which they stand.
func CompileTemplate(v value.Value) (*Template, []TemplateProblem) {
	t := &Template{}
	var problems []TemplateProblem
	t.root = t.compile(v, nil, &problems)
	if len(problems) > 0 {
		return nil, problems
	}
	return t, nil
}

func (t *Template) compile(v value.Value, at []string, problems *[]TemplateProblem) *part {
	out := &part{literal: v, list: v.Kind() == value.KindList}
	before := len(t.queries)
	for i, item := range v.Items() {
		out.parts = append(out.parts, t.compile(item, append(slices.Clip(at), strconv.Itoa(i)), problems))
	}
	for _, m := range v.Members() {
		where := append(slices.Clip(at), m.Key)
		key, isQuery := strings.CutSuffix(m.Key, querySuffix)
		out.keys = append(out.keys, key)
		if isQuery {
			out.parts = append(out.parts, t.query(m, where, problems))
		} else {
			out.parts = append(out.parts, t.compile(m.Value, where, problems))
		}
	}
	if len(t.queries) == before {
		return &part{literal: v}
	}
	return out
}

func (t *Template) query(m value.Member, at []string, problems *[]TemplateProblem) *part {
	src, ok := m.Value.Str()
	q, problem := Parse(src)
	if !ok {
		problem = &expr.Problem{Code: expr.CodeType, Message: "a string is expected, and this is " + m.Value.Kind().String(), Length: 1}
	}
	if problem != nil {
		*problems = append(*problems, TemplateProblem{Path: at, Field: m.Key, Message: NotQuery(m.Key), Problem: *problem})
		return &part{}
	}
	t.queries = append(t.queries, q)
	return &part{query: q, field: m.Key}
}

// Variables are the workflow variables that the template reads, in the order
// in which they stand, without repetitions.
func (t *Template) Variables() []string {
	var out []string
	for _, q := range t.queries {
		for _, name := range q.Variables() {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// Template evaluates a payload template. Errors are those of
// [Evaluator.Field].
func (e *Evaluator) Template(t *Template) (v value.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = value.Undefined, recovered(r)
		}
	}()
	return e.part(t.root)
}

func (e *Evaluator) part(p *part) (value.Value, error) {
	e.m.step()
	if p.query != nil {
		return e.Field(p.query, p.field)
	}
	if len(p.parts) == 0 {
		return p.literal, nil
	}
	e.m.allocate(len(p.parts) * 2 * itemBytes)
	values := make([]value.Value, len(p.parts))
	for i, inner := range p.parts {
		v, err := e.part(inner)
		if err != nil {
			return value.Undefined, err
		}
		values[i] = v
	}
	if p.list {
		return value.List(values...), nil
	}
	members := make([]value.Member, len(values))
	for i, v := range values {
		members[i] = value.M(p.keys[i], v)
	}
	return value.Object(members...), nil
}
