package engine_test

import (
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// testLanguage is as little of a language as the engine's scripts need: JSON
// literals, names that the environment declares, `a == b`, `a != b`, `a + b`
// on integers, `size a`, `a * 3` on texts, `costly a`, which costs 1000 units, and `clock` and `drawn`, what
// the evaluation's clock shows and its seed.
type testLanguage struct{}

func (testLanguage) Name() string { return "test" }

func (testLanguage) Compile(src string, _ *expr.Env) (expr.Compiled, []expr.Problem) {
	return testExpr(src), nil
}

type testExpr string

func (testExpr) Type() expr.Type   { return expr.Type{} }
func (testExpr) Reads() [][]string { return nil }

// Path implements expr.Path: an expression of one name is no more than that.
func (e testExpr) Path() []string { return []string{string(e)} }

func (e testExpr) Eval(r expr.Request) (value.Value, error) {
	src := string(e)
	if rest, ok := strings.CutPrefix(src, "costly "); ok {
		if r.Cost < 1000 {
			return value.Undefined, &expr.Error{Code: expr.CostExceeded, Message: "costs 1000"}
		}
		return testExpr(rest).Eval(r)
	}
	if rest, ok := strings.CutPrefix(src, "size "); ok {
		v, err := testExpr(rest).Eval(r)
		return value.Int(int64(v.Len())), err
	}
	if text, times, ok := strings.Cut(src, " * "); ok {
		v, err := testExpr(text).Eval(r)
		n, _ := strconv.Atoi(times)
		return value.String(strings.Repeat(v.Text(), n)), err
	}
	for _, op := range []string{" == ", " != ", " + "} {
		a, b, ok := strings.Cut(src, op)
		if !ok {
			continue
		}
		x, err := testExpr(a).Eval(r)
		if err != nil {
			return value.Undefined, err
		}
		y, err := testExpr(b).Eval(r)
		if err != nil {
			return value.Undefined, err
		}
		switch op {
		case " == ":
			return value.Bool(value.Equal(x, y)), nil
		case " != ":
			return value.Bool(!value.Equal(x, y)), nil
		}
		i, ok := x.Int()
		j, ok2 := y.Int()
		if !ok || !ok2 {
			return value.Undefined, &expr.Error{Code: "type", Message: "cannot add " + x.String() + " and " + y.String()}
		}
		return value.Int(i + j), nil
	}
	src = strings.TrimSpace(src)
	switch src {
	case "clock":
		return value.String(r.Now.Format(time.TimeOnly)), nil
	case "drawn":
		return value.String(strconv.FormatUint(r.Seed, 16)), nil
	}
	if v, err := value.Parse([]byte(src)); err == nil {
		return v, nil
	}
	if v, ok := r.Bindings[src]; ok {
		if v.HasRef() {
			panic("a language sees a reference")
		}
		return v, nil
	}
	return value.Undefined, &expr.Error{Code: "no_such_name", Message: src + " has no value"}
}
