package asl

import (
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/value"
)

// TestSource is a [Test] as it stands in programs.
type TestSource struct {
	And      []TestSource `json:"and,omitempty"`
	Or       []TestSource `json:"or,omitempty"`
	Not      *TestSource  `json:"not,omitempty"`
	Variable string       `json:"variable,omitempty"`
	Operator string       `json:"operator,omitempty"`
	Literal  value.Value  `json:"literal,omitzero"`
	Path     string       `json:"path,omitempty"`
}

func (t *Test) source() TestSource {
	var out TestSource
	for i := range t.And {
		out.And = append(out.And, t.And[i].source())
	}
	for i := range t.Or {
		out.Or = append(out.Or, t.Or[i].source())
	}
	if t.Not != nil {
		inner := t.Not.source()
		out.Not = &inner
	}
	if t.Variable != nil {
		out.Variable, out.Operator = t.Variable.Text, t.Operator
	}
	if t.Operand != nil {
		out.Path, out.Literal = t.Operand.Text, t.Operand.Literal
	}
	return out
}

// test is a rule that can be judged.
type test struct {
	and, or  []*test
	not      *test
	operator string
	variable *jsonpath.Query
	operand  *jsonpath.Query
	literal  value.Value
}

func (t *TestSource) compile() (*test, *expr.Problem) {
	out := &test{operator: t.Operator, literal: t.Literal}
	var problem *expr.Problem
	if out.and, problem = compileAll(t.And); problem != nil {
		return nil, problem
	}
	if out.or, problem = compileAll(t.Or); problem != nil {
		return nil, problem
	}
	if t.Not != nil {
		if out.not, problem = t.Not.compile(); problem != nil {
			return nil, problem
		}
	}
	if t.Variable != "" {
		if out.variable, problem = jsonpath.ParsePath(t.Variable); problem != nil {
			return nil, problem
		}
	}
	if t.Path != "" {
		if out.operand, problem = jsonpath.ParsePath(t.Path); problem != nil {
			return nil, problem
		}
	}
	return out, nil
}

func compileAll(sources []TestSource) ([]*test, *expr.Problem) {
	var out []*test
	for i := range sources {
		t, problem := sources[i].compile()
		if problem != nil {
			return nil, problem
		}
		out = append(out, t)
	}
	return out, nil
}

// queries lists the paths of a rule.
func (t *test) queries(out []*jsonpath.Query) []*jsonpath.Query {
	for _, inner := range append(append([]*test{t.not}, t.and...), t.or...) {
		if inner != nil {
			out = inner.queries(out)
		}
	}
	for _, q := range []*jsonpath.Query{t.variable, t.operand} {
		if q != nil {
			out = append(out, q)
		}
	}
	return out
}

// eval judges a rule.
func (t *test) eval(e *jsonpath.Evaluator) (bool, error) {
	switch {
	case t.not != nil:
		ok, err := t.not.eval(e)
		return !ok, err
	case t.and != nil:
		for _, inner := range t.and {
			if ok, err := inner.eval(e); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case t.or != nil:
		for _, inner := range t.or {
			if ok, err := inner.eval(e); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	v, found, err := e.Lookup(t.variable)
	if err != nil {
		return false, err
	}
	if t.operator == "IsPresent" {
		want, _ := t.literal.Bool()
		return found == want, nil
	}
	if !found {
		return false, unresolved(t.variable)
	}
	with := t.literal
	if t.operand != nil {
		if with, found, err = e.Lookup(t.operand); err != nil || !found {
			if err == nil {
				err = unresolved(t.operand)
			}
			return false, err
		}
	}
	return compare(t.operator, v, with), nil
}

// unresolved is the error of a rule whose path leads nowhere.
func unresolved(q *jsonpath.Query) *expr.Error {
	return fail(errRuntime, "Invalid path '%s': The choice state's condition path references an invalid value.", q)
}

// compare compares a value with another; values of other types do not compare.
func compare(operator string, v, with value.Value) bool {
	if of, ok := strings.CutPrefix(operator, "Is"); ok {
		want, _ := with.Bool()
		return isOf(of, v) == want
	}
	switch operator {
	case "BooleanEquals":
		return v.Kind() == value.KindBool && value.Equal(v, with)
	case "StringMatches":
		text, isText := v.Str()
		pattern, _ := with.Str()
		return isText && matchText(pattern, text)
	}
	order, ok := 0, false
	relation := operator
	if rest, is := strings.CutPrefix(operator, "String"); is {
		a, isText := v.Str()
		b, isText2 := with.Str()
		order, ok, relation = strings.Compare(a, b), isText && isText2, rest
	} else if rest, is := strings.CutPrefix(operator, "Numeric"); is {
		relation = rest
		order, ok = compareNumbers(v, with)
	} else if rest, is := strings.CutPrefix(operator, "Timestamp"); is {
		a, isTime := instant(v)
		b, isTime2 := instant(with)
		order, ok, relation = a.Compare(b), isTime && isTime2, rest
	}
	if !ok {
		return false
	}
	switch relation {
	case "Equals":
		return order == 0
	case "LessThan":
		return order < 0
	case "GreaterThan":
		return order > 0
	case "LessThanEquals":
		return order <= 0
	case "GreaterThanEquals":
		return order >= 0
	}
	return false
}

// isOf reports whether the value is of the type of IsNumeric and its like.
func isOf(of string, v value.Value) bool {
	switch of {
	case "Null":
		return v.Kind() == value.KindNull
	case "Numeric":
		_, ok := v.Float()
		return ok
	case "String":
		return v.Kind() == value.KindString
	case "Boolean":
		return v.Kind() == value.KindBool
	case "Timestamp":
		_, ok := instant(v)
		return ok
	}
	return false
}
