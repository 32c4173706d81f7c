package cel_test

import (
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

func dynamic(names ...string) *expr.Env {
	env := &expr.Env{}
	for _, name := range names {
		env.Roots = append(env.Roots, expr.Root{Name: name})
	}
	return env
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		cel.New()
	}
}

func BenchmarkCompile(b *testing.B) {
	lang, env := cel.New(), dynamic("inputs", "steps")
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := lang.Compile("inputs.total > 10 && steps.a.output.ok", env); len(problems) > 0 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	bindings := map[string]value.Value{
		"inputs": value.MustParse(`{"total": 12, "items": [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}, {"n": 3, "s": "c"}]}`),
		"steps":  value.MustParse(`{"a": {"output": {"ok": true}}}`),
	}
	for _, source := range []string{
		"inputs.total > 10 && steps.a.output.ok",
		"inputs.items.filter(x, x.n > 1).map(x, x.s)",
		`decimal("12.30") * inputs.total`,
		`"total " + string(inputs.total)`,
	} {
		b.Run(source, func(b *testing.B) {
			c, problems := cel.New().Compile(source, dynamic("inputs", "steps"))
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Eval(expr.Request{Bindings: bindings}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
