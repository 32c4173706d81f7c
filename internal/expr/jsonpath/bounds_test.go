package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// TestWorkIsCharged: work that grows with the product of two lengths, or with
// a text, takes it from the budget.
func TestWorkIsCharged(t *testing.T) {
	t.Parallel()
	const n = 200
	words, numbers := make([]value.Value, n), make([]value.Value, n)
	for i := range n {
		words[i], numbers[i] = value.String("x"), value.Int(int64(i))
	}
	long := strings.Repeat("x", 1<<20)
	input := value.Object(
		value.M("words", value.List(words...)), value.M("numbers", value.List(numbers...)), value.M("one", value.List(value.Object())),
		value.M("s", value.String(long+"-")), value.M("t", value.String(long+"+")), value.M("short", value.String(strings.Repeat("a", 100))),
		value.M("texts", value.List(value.String(long+"-"), value.String(long+"+"))), value.M("text", value.String(strings.Repeat("a", 10_000))),
	)
	repeated := "States.Array($.s" + strings.Repeat(", $.s", 100) + ")"
	for _, c := range []struct {
		src   string
		least int
	}{
		{"$.one[?($.words anyof $.numbers)]", n * n},
		{"$.one[?($.words subsetof $.numbers)]", n},
		{"$.one[?($.s == $.t)]", 1024},
		{"$.one[?($.s < $.t)]", 1024},
		{"$.one[?($.texts === $.words || $.texts == $.texts)]", 2048},
		{"$.one[?($.text =~ /(x+x+)+y/)]", 10_000 / 32},
		{"$.one[?($.text =~ /" + strings.Repeat("a?", 500) + "b/)]", 10_000},
		{"States.StringSplit($.short, $.s)", 100_000},
		{"States.ArrayContains($.texts, $.t)", 1024},
		{"$..['" + strings.Repeat("a','", 1000) + "b']", 1000 * 2},
		{"States.JsonToString(" + repeated + ")", 63 * 1024},
		{"States.Format('{}', " + repeated + ")", 63 * 1024},
		{"States.ArrayUnique(States.Array(" + repeated + "))", 63 * 1024},
	} {
		const budget = 1 << 40
		q, problem := Parse(c.src)
		if problem != nil {
			t.Errorf("%.60s: %v", c.src, problem)
			continue
		}
		e := NewEvaluator(Scope{Input: input}, Budget{Cost: budget})
		_, err := e.Select(q)
		if used := budget - int(e.m.left); used < c.least {
			t.Errorf("%.60s costs %d steps (%v), want at least %d", c.src, used, err, c.least)
		}
		if _, err = NewEvaluator(Scope{Input: input}, Budget{Cost: uint64(c.least) - 1}).Select(q); !expr.IsCostExceeded(err) {
			t.Errorf("%.60s within %d steps: %v", c.src, c.least-1, err)
		}
	}
}

func TestLargeRegexp(t *testing.T) {
	t.Parallel()
	_, problem := Parse("$.a[?(@ =~ /" + strings.Repeat("a{1000}", 20) + "/)]")
	if problem == nil || problem.Code != expr.CodeSyntax || !strings.Contains(problem.Message, "instructions") {
		t.Errorf("problem %+v", problem)
	}
	var fault *expr.Error
	q, _ := Parse("$.concat(" + strings.Repeat("$.s, ", 99) + "$.s)")
	_, err := NewEvaluator(Scope{Input: value.Object(value.M("s", value.String(strings.Repeat("x", 1<<20))))}, Budget{Cost: 1 << 40}).Select(q)
	if !errors.As(err, &fault) || fault.Code != expr.CostExceeded {
		t.Errorf("100 MiB of text: %v", err)
	}
}
