package jsonpath

import (
	"fmt"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Runtime is the error of Step Functions where a path leads nowhere or a
// function failed: the code of failed evaluations beside expr.CostExceeded.
const Runtime = "States.Runtime"

// Evaluator evaluates the fields of one state with one budget and one source
// of randomness: the same scope, budget and order give the same results. It
// is not safe for concurrent use.
type Evaluator struct{ m *machine }

// NewEvaluator returns an evaluator.
func NewEvaluator(scope Scope, budget Budget) *Evaluator {
	return &Evaluator{m: newMachine(scope, budget)}
}

// Lookup evaluates a query that may lead nowhere, as Choice rules ask: a path
// that leads nowhere, also beyond the end of a list, is not found and no
// error. Errors are [*expr.Error].
func (e *Evaluator) Lookup(q *Query) (v value.Value, ok bool, err error) {
	f, err := e.run(q)
	if err != nil || f.miss != hit || f.beyond {
		return value.Undefined, false, err
	}
	return f.v, true, nil
}

// Select evaluates a query for fields such as InputPath. Beyond the end of a
// list is null. Errors are [*expr.Error]; the message is AWS's cause without
// what it says of the state: "Invalid path '$.a' : No results for path: $['a']".
func (e *Evaluator) Select(q *Query) (value.Value, error) {
	f, err := e.run(q)
	if err == nil && f.miss != hit {
		err = &expr.Error{Code: Runtime, Message: fmt.Sprintf("Invalid path '%s' : %s", q.src, f.why(q.root.path)), Offset: q.root.pos}
	}
	return f.v, err
}

// Field evaluates the query of a field, such as "name.$" of a payload template
// or ErrorPath. Beyond the end of a list is null. Errors are [*expr.Error] as
// of [Evaluator.Select], with the words "The JSONPath '$.a' specified for the
// field 'name.$' could not be found in the input '{}'".
func (e *Evaluator) Field(q *Query, field string) (value.Value, error) {
	f, err := e.run(q)
	if err == nil && f.miss != hit {
		err = e.missing(q, field)
	}
	return f.v, err
}

// missing is the error of a field whose path leads nowhere. A path of the
// context object is shown as if it started from what is shown with it.
func (e *Evaluator) missing(q *Query, field string) *expr.Error {
	text, in := q.src, e.m.scope.Input
	if q.Root() == Context {
		text, in = text[1:], e.m.scope.Context
	}
	return &expr.Error{
		Code:    Runtime,
		Message: fmt.Sprintf("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'", text, field, shown(in)),
		Offset:  q.root.pos,
	}
}

// run evaluates a query.
func (e *Evaluator) run(q *Query) (f found, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *refusal:
			f, err = found{}, &expr.Error{
				Code: Runtime, Message: fmt.Sprintf("The function '%s' had the following error: %s", q.src, r.why), Offset: q.root.pos,
			}
		default:
			f, err = found{}, recovered(r)
		}
	}()
	if q.root.path != nil {
		return e.m.find(q.root.path, value.Undefined, value.Undefined), nil
	}
	return found{v: e.m.intrinsic(q.root)}, nil
}
