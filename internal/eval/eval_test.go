package eval_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/eval"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

func evaluator() *eval.Evaluator {
	return eval.New(eval.Config{Languages: []expr.Language{cel.New()}})
}

func TestLine(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, want string }{
		{`{"id": 1, "expression": "1 + 1"}`, `{"id":1,"result":2}`},
		{`{"id": "a", "language": "cel", "expression": "input.x * 2", "input": {"x": 4}}`, `{"id":"a","result":8}`},
		{`{"expression": "a + b", "bindings": {"a": 1, "b": 2}}`, `{"result":3}`},
		{`{"id": {"n": 1}, "expression": "input", "input": null}`, `{"id":{"n":1},"result":null}`},
		{`{"id": null, "expression": "input == null", "input": null}`, `{"id":null,"result":true}`},
		{`{"id": 2, "expression": "input.?x", "input": {}}`, `{"id":2,"undefined":true}`},
		{`{"id": 3, "expression": "{\"b\": 1, \"a\": [input]}", "input": 1.50}`, `{"id":3,"result":{"b":1,"a":[1.5]}}`},
		{`{"id": 4, "expression": "input", "input": 123456789012345678901}`, `{"id":4,"result":123456789012345678901}`},
		// A missing input is no name at all, not null.
		{`{"id": 5, "expression": "input"}`, `{"id":5,"error":{"code":"expr_unknown_name","message":"there is no \"input\" here","position":0}}`},
		{`{"id": 6, "expression": "1 + x.yyy", "bindings": {"x": {"yy": 1}}}`, `{"id":6,"error":{"code":"no_such_key","message":"there is no member \"yyy\"; did you mean \"yy\"?","position":6}}`},
		{`{"id": 7, "expression": "1 +"}`, `{"id":7,"error":{"code":"expr_syntax","message":"the expression ends too early","position":3}}`},
		{`{"id": 8, "expression": "a + b"}`, `{"id":8,"error":{"code":"expr_unknown_name","message":"there is no \"a\" here, and 1 more","position":0}}`},
		{`{"id": 9, "expression": "1 / 0"}`, `{"id":9,"error":{"code":"divide_by_zero","message":"division by zero","position":2}}`},
		{`{"id": 10, "expression": "1", "language": "sel"}`, `{"id":10,"error":{"code":"unknown_language","message":"there is no language \"sel\"; did you mean \"cel\"?","position":null}}`},
		{`{"id": 11, "expression": "1", "language": "python"}`, `{"id":11,"error":{"code":"unknown_language","message":"there is no language \"python\"; there is cel","position":null}}`},
		{`{"id": 12, "expression": 1}`, `{"id":12,"error":{"code":"invalid_request","message":"the field expression must be a text","position":null}}`},
		{`{"id": 13, "expression": "1", "language": 1}`, `{"id":13,"error":{"code":"invalid_request","message":"the field language must be a text","position":null}}`},
		{`{"id": 14, "expresion": "1"}`, `{"id":14,"error":{"code":"invalid_request","message":"a request has no field \"expresion\"; did you mean \"expression\"?","position":null}}`},
		{`{"id": 15, "expression": "1", "bindings": [1]}`, `{"id":15,"error":{"code":"invalid_request","message":"bindings must be an object, and this is list","position":null}}`},
		{`{"id": 16, "expression": "1", "input": 1, "bindings": {"input": 2}}`, `{"id":16,"error":{"code":"invalid_request","message":"the name input is given twice: as input and among the bindings","position":null}}`},
		{`{"id": 17, "expression": "lists.range(1000000000)"}`, `{"id":17,"error":{"code":"cost_exceeded","message":"the expression builds more than 64 MiB; work on less data, or in a step of its own","position":0}}`},
		{`[1]`, `{"error":{"code":"invalid_request","message":"a request must be an object, and this is list","position":null}}`},
		{`{"id": 1`, `{"error":{"code":"invalid_request","message":"the line is not JSON: column 9: expected ',' or '}'","position":null}}`},
		{``, `{"error":{"code":"invalid_request","message":"the line is not JSON: column 1: unexpected end of JSON","position":null}}`},
	}
	e := evaluator()
	for _, test := range tests {
		if got := string(e.Line([]byte(test.line))); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.line, got, test.want)
		}
	}
}

// Property: whatever a line holds, the answer is one line of JSON, an object
// with exactly one of result, undefined and error, and the same each time.
func FuzzLine(f *testing.F) {
	f.Add(`{"id": 1, "expression": "input.x + 1", "input": {"x": 1}}`)
	f.Add(`{"expression": "a", "bindings": {"a": [1, {"b": null}]}}`)
	f.Add(`{"id": 1, "language": "x", "expression": ""}`)
	f.Add(`[`)
	e := eval.New(eval.Config{Languages: []expr.Language{cel.New()}, Cost: expr.InlineCost})
	f.Fuzz(func(t *testing.T, line string) {
		answer := e.Line([]byte(line))
		v, err := value.Parse(answer)
		if err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		count := 0
		for _, m := range v.Members() {
			if m.Key == "result" || m.Key == "undefined" || m.Key == "error" {
				count++
			}
		}
		if count != 1 || strings.ContainsAny(string(answer), "\n\r") {
			t.Fatalf("%s", answer)
		}
		if again := e.Line([]byte(line)); string(again) != string(answer) {
			t.Fatalf("%s, then %s", answer, again)
		}
	})
}

func TestZoneAndCost(t *testing.T) {
	t.Parallel()
	e := eval.New(eval.Config{Languages: []expr.Language{cel.New()}, Zone: "Europe/Amsterdam", Cost: 50})
	answer := e.Evaluate(eval.Request{Expression: `date("2026-03-06T23:30:00Z")`})
	if answer.Error != nil || answer.Result.String() != `"2026-03-07"` {
		t.Errorf("got %+v", answer)
	}
	answer = e.Evaluate(eval.Request{Expression: `lists.range(100)`})
	if answer.Error == nil || answer.Error.Code != expr.CostExceeded {
		t.Errorf("got %+v", answer)
	}
}

func Example() {
	e := eval.New(eval.Config{Languages: []expr.Language{cel.New()}})
	fmt.Printf("%s\n", e.Line([]byte(`{"id": 1, "expression": "input.total > 10", "input": {"total": 12}}`)))
	// Output: {"id":1,"result":true}
}
