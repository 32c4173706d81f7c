package jsonata

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

var (
	differentialSeeds = flag.Int("differential-seeds", 2000, "expressions that TestDifferential compares with the reference")
	differentialFirst = flag.Uint64("differential-first", 1, "the first seed of TestDifferential")
)

// TestDifferential compares results and codes of errors with those of the
// reference implementation, for expressions and data of seeds.
func TestDifferential(t *testing.T) {
	t.Parallel()
	lang := New(Config{})
	requests := make([]value.Value, *differentialSeeds)
	for i := range requests {
		g := newGenerator(*differentialFirst + uint64(i))
		data, src := g.data(4), g.expression(5)
		requests[i] = value.Object(value.M("expression", value.String(src)), value.M("input", data))
	}
	compared, results := 0, 0
	for i, theirs := range askReference(t, requests) {
		if code, ok := theirs.Get("error").Str(); ok && code == "" {
			continue // it failed itself
		}
		src, _ := requests[i].Get("expression").Str()
		ours := answerOf(lang, src, requests[i].Get("input"))
		same := sameAnswer(ours, theirs)
		if !same && passes(src, ours, theirs) {
			continue
		}
		compared++
		if !theirs.Get("result").IsUndefined() {
			results++
		}
		if !same {
			t.Errorf("seed %d\n%s\ndata      %s\nours      %s\nreference %s", *differentialFirst+uint64(i), src, requests[i].Get("input"), ours, theirs)
		}
	}
	t.Logf("%d of %d compared, %d with a result", compared, len(requests), results)
	if compared < len(requests)*9/10 || results < len(requests)/4 {
		t.Errorf("too few of %d expressions say something: %d compared, %d with a result", len(requests), compared, results)
	}
}

// passes reports whether two answers cannot be compared: ours has another bound,
// or a number that is not finite fails as soon as it is made, while in the
// reference it fails later or not at all; or the reference has put undefined into
// an empty list of its input, which it does when it groups one; or both fail, and the expression makes
// lists or objects, whose parts the reference evaluates at once, so that any may
// fail first.
func passes(src string, ours, theirs value.Value) bool {
	code, _ := ours.Get("error").Str()
	if code == expr.CostExceeded || code == "D1001" || strings.Contains(theirs.String(), "[null]") {
		return true
	}
	return code != "" && !theirs.Get("error").IsUndefined() && code[0] != 'S' && makesAtOnce(src)
}

// makesAtOnce reports whether an expression has a list or object of parts.
func makesAtOnce(src string) bool {
	found := false
	walk(parse(src), func(n *node) {
		found = found || n.kind == kindArray && len(n.list) > 1 || n.kind == kindObject || n.hasGroup
	})
	return found
}

// answerOf is what run.js would answer.
func answerOf(lang *Language, src string, input value.Value) value.Value {
	failed := func(code, message string) value.Value {
		return value.Object(value.M("error", value.String(code)), value.M("message", value.String(message)))
	}
	compiled, problems := lang.Compile(src, nil)
	if len(problems) > 0 {
		return failed(problems[0].Code, problems[0].Message)
	}
	got, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"input": input}, Cost: expr.PoolCost})
	var fault *expr.Error
	switch {
	case errors.As(err, &fault):
		return failed(fault.Code, fault.Message)
	case got.IsUndefined():
		return value.Object(value.M("undefined", value.True))
	}
	return value.Object(value.M("result", got))
}

func sameAnswer(a, b value.Value) bool {
	for _, key := range []string{"undefined", "error"} {
		if !value.Equal(a.Get(key), b.Get(key)) {
			return false
		}
	}
	x, y := a.Get("result"), b.Get("result")
	return x.IsUndefined() == y.IsUndefined() && (x.IsUndefined() || alike(x, y, false))
}

func ExampleNew() {
	compiled, _ := New(Config{}).Compile("$sum(orders.(price * quantity))", nil)
	input := value.MustParse(`{"orders": [{"price": 2, "quantity": 3}, {"price": 5, "quantity": 1}]}`)
	got, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"input": input}})
	fmt.Println(got, err)
	// Output: 11 <nil>
}
