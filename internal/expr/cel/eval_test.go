package cel_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

func field(name string, t expr.Type) expr.Field { return expr.Field{Name: name, Type: t} }

func object(fields ...expr.Field) expr.Type {
	return expr.Type{Kind: expr.ObjectOf, Closed: true, Fields: fields}
}

func kind(k expr.TypeKind) expr.Type { return expr.Type{Kind: k} }

func list(elem expr.Type) expr.Type { return expr.Type{Kind: expr.ListOf, Elem: &elem} }

// typedEnv declares what the test data use: inputs and rows are typed, outputs of
// steps are not, as is usual.
func typedEnv() *expr.Env {
	nullable := expr.Type{Nullable: true}
	return &expr.Env{Zone: "Europe/Amsterdam", Roots: []expr.Root{
		{Name: "inputs", Type: object(
			field("name", kind(expr.String)), field("total", kind(expr.Int)), field("rate", kind(expr.Number)),
			field("amount", kind(expr.Decimal)), field("amounts", list(kind(expr.Decimal))), field("big", kind(expr.Any)),
			field("tags", list(kind(expr.String))), field("day", kind(expr.Date)), field("at", kind(expr.DateTime)),
			field("wait", kind(expr.Duration)), field("note", expr.Type{Kind: expr.String, Nullable: true}),
		)},
		{Name: "rows", Type: list(object(field("id", kind(expr.String)), field("n", kind(expr.Int)), field("amount", kind(expr.Decimal))))},
		{Name: "steps", Type: object(
			field("a", object(field("output", nullable))),
			field("b", object(field("output", nullable))),
			field("c", object(field("output", expr.Type{Kind: expr.ObjectOf, Nullable: true, Closed: true, Fields: []expr.Field{field("n", kind(expr.Int))}}))),
		)},
		{Name: "run", Type: object(field("business_date", kind(expr.Date)))},
		{Name: "secrets", Why: "secrets can be used only in env, headers and connection fields"},
		{Name: "unbound"},
	}}
}

func typedBindings() map[string]value.Value {
	return map[string]value.Value{
		"inputs": value.MustParse(`{"name": "Ada", "total": 12, "rate": 1.5, "amount": "12.30", "amounts": ["1.10", "2.20"],
			"big": 123456789012345678901234567890, "tags": ["x", "y"], "day": "2026-03-06", "at": "2026-03-06T23:30:00Z", "wait": "1h30m", "note": null}`),
		"rows": value.MustParse(`[{"id": "a", "n": 1, "amount": "1.5"}, {"id": "b", "n": 2, "amount": "2.50"}]`),
		"steps": value.MustParse(`{"a": {"output": {"total": 12, "nothing": null, "list": [1], "price": "9.90", "day": "2026-03-06", "later": "2026-03-07"}},
			"b": {"output": null}, "c": {"output": null}}`),
		"run": value.MustParse(`{"business_date": "2026-03-06"}`),
	}
}

// evaluate gives the result as JSON, or ! with code and place.
func evaluate(lang *cel.Language, source string) string {
	// What the steps gave is of any type here: guards are tested elsewhere.
	env := typedEnv()
	env.Roots[2].Type = expr.Type{}
	if strings.Contains(source, "output)") {
		env = typedEnv()
	}
	compiled, problems := lang.Compile(source, env)
	if len(problems) > 0 {
		return fmt.Sprintf("! problem @%d", problems[0].Offset)
	}
	v, err := compiled.Eval(expr.Request{Bindings: typedBindings(), Cost: expr.PoolCost})
	var fault *expr.Error
	if errors.As(err, &fault) {
		return fmt.Sprintf("! %s @%d", fault.Code, fault.Offset)
	}
	return v.String()
}

func TestEval(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/eval.txt")
	if err != nil {
		t.Fatal(err)
	}
	lang := cel.New()
	for number, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndex(line, " => ")
		if cut < 0 {
			t.Errorf("line %d has no =>", number+1)
			continue
		}
		if got, want := evaluate(lang, line[:cut]), line[cut+4:]; got != want {
			t.Errorf("line %d: %s\n got %s\nwant %s", number+1, line[:cut], got, want)
		}
	}
}

// A compiled expression and the language are used by many at once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	compiled, problems := lang.Compile(`rows.map(r, r.amount).sum() + decimal(inputs.total)`, typedEnv())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				v, err := compiled.Eval(expr.Request{Bindings: typedBindings()})
				if err != nil || v.String() != `"16.00"` {
					t.Errorf("got %v, %v", v, err)
				}
				if got := evaluate(lang, `rows.filter(r, r.n > 1).map(r, r.id)`); got != `["b"]` {
					t.Errorf("got %s", got)
				}
			}
		})
	}
	wait.Wait()
}

// What an expression only passes on is handed back as it was, not copied.
func TestResultsAreShared(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	bindings := typedBindings()
	for source, want := range map[string]value.Value{
		"inputs.tags":                        bindings["inputs"].Get("tags"),
		"true ? steps.a.output.list : [1]":   bindings["steps"].Get("a").Get("output").Get("list"),
		"cel.bind(x, inputs, [x.tags])[0]":   bindings["inputs"].Get("tags"),
		"rows.filter(r, r.n == 2).map(r, r)": value.List(bindings["rows"].At(1)),
	} {
		env := typedEnv()
		env.Roots[2].Type = expr.Type{}
		compiled, problems := lang.Compile(source, env)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got, err := compiled.Eval(expr.Request{Bindings: bindings})
		if err != nil || !value.Equal(got, want) {
			t.Fatalf("%s: %v, %v", source, got, err)
		}
		if strings.Contains(source, "filter") {
			continue
		}
		if &got.Items()[0] != &want.Items()[0] {
			t.Errorf("%s was copied", source)
		}
	}
}

func Example() {
	lang := cel.New()
	env := &expr.Env{Roots: []expr.Root{{Name: "inputs"}}}
	compiled, problems := lang.Compile(`inputs.total > 10 ? "many" : "few"`, env)
	if len(problems) > 0 {
		fmt.Println(problems)
		return
	}
	result, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"inputs": value.MustParse(`{"total": 12}`)}})
	fmt.Println(result, err)
	// Output: "many" <nil>
}
