package sim

import (
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// languageName is how programs of the simulator call their language.
const languageName = "sim"

// language is as little of an expression language as is needed to see
// expressions evaluated at all: JSON, a name that the environment declares,
// `not X`, and `costly X`, which only the evaluation pool can pay.
type language struct{}

func (language) Name() string { return languageName }

func (language) Compile(src string, _ *expr.Env) (expr.Compiled, []expr.Problem) {
	return expression(src), nil
}

type expression string

func (expression) Type() expr.Type   { return expr.Type{} }
func (expression) Reads() [][]string { return nil }

// Path implements expr.Path: a name by itself is no more than that.
func (e expression) Path() []string { return []string{string(e)} }

func (e expression) Eval(r expr.Request) (value.Value, error) {
	src := string(e)
	if rest, ok := strings.CutPrefix(src, "costly "); ok {
		if r.Cost < expr.PoolCost {
			return value.Undefined, &expr.Error{Code: expr.CostExceeded, Message: "costs as much as the pool has"}
		}
		return expression(rest).Eval(r)
	}
	if rest, ok := strings.CutPrefix(src, "not "); ok {
		v, err := expression(rest).Eval(r)
		if err != nil {
			return value.Undefined, err
		}
		b, _ := v.Bool()
		return value.Bool(!b), nil
	}
	if v, ok := r.Bindings[src]; ok {
		return v, nil
	}
	v, err := value.Parse([]byte(src))
	if err != nil {
		return value.Undefined, &expr.Error{Code: "no_such_name", Message: src + " has no value"}
	}
	return v, nil
}
