package jsonata

import (
	"errors"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

const exampleInput = `{"a": [{"b": 1, "c": ["x", "y"]}, {"b": 2, "c": []}], "s": "a-b-c", "n": 12.5, "big": 9007199254740993, "z": null}`

var seeds = []string{
	"a.b", "a[b > 1].c[0]", "a@$x.c#$i.{'x': $x.b, 'i': $i}", "a.c.%.b", "$sum(a.b)", "a^(>b).b", "a{$string(b): c}",
	"$map(a, function($v, $i) { $v.b + $i })", "$ ~> |a|{'d': b}, 'c'|", "**.b", "*", "(1; $x := 2; $x)", "$substring(s, 1, 2)",
	"$replace(s, /(\\w)-/, '$1+')", "$match(s, /[a-c]/)", "$formatNumber(n, '#,##0.00')", "$formatInteger(1999, 'w;o')",
	"$toMillis('27th 3 1976', '[D1o] [M#1] [Y0001]')", "$fromMillis(0, '[FNn] [W] [x] [Z]', '+0530')", "λ($x)<n:n>{$x}(1)",
	"$f(?, 1)", "[1..10]", "-(-1)", "a ? b : c", "'\\ud83d'", "$eval('1+1')", "$sort(a, function($l, $r) { $l.b < $r.b })",
	"$parse('[1]')", "$partition([1..5], 2)", "$range(0, 1, 0.25)", "$hash('a', 'MD5')", "a[]", "$distinct(a.c)", "$pad('x', -5, '#')",
	"($f := function($n) { $n > 0 ? $f($n - 1) : 'end' }; $f(20))", "$reduce([1..4], function($a, $b) { $a * $b })", "%", "$[%]", "a.{}[0]",
}

func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	lang := New(Config{})
	f.Fuzz(func(t *testing.T, src string) {
		compiled, problems := lang.Compile(src, nil)
		if (compiled == nil) != (len(problems) > 0) {
			t.Fatalf("%q: either a result or problems", src)
		}
		for _, p := range problems {
			if p.Code == expr.Internal || p.Message == "" || p.Offset < 0 || p.Offset > len(src) {
				t.Fatalf("%q: %+v", src, p)
			}
		}
	})
}

func FuzzEval(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	lang, aws := New(Config{}), New(Config{AWS: true})
	request := expr.Request{
		Bindings: map[string]value.Value{"input": value.MustParse(exampleInput), "f": value.Int(1)},
		Now:      time.Unix(1_700_000_000, 0), Seed: 7,
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, l := range []*Language{lang, aws} {
			compiled, problems := l.Compile(src, nil)
			if len(problems) > 0 {
				return
			}
			first, err := compiled.Eval(request)
			var fault *expr.Error
			if errors.As(err, &fault) && (fault.Code == expr.Internal || fault.Message == "" || fault.Offset > len(src)) {
				t.Fatalf("%q: %+v", src, fault)
			}
			second, again := compiled.Eval(request)
			if (err == nil) != (again == nil) || !value.Equal(first, second) {
				t.Fatalf("%q: %s (%v) and then %s (%v)", src, first, err, second, again)
			}
		}
	})
}

func BenchmarkEval(b *testing.B) {
	compiled, problems := New(Config{}).Compile("$sum(a[b > 0].b) + $count(a.c)", nil)
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	request := expr.Request{Bindings: map[string]value.Value{"input": value.MustParse(exampleInput)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := compiled.Eval(request); err != nil {
			b.Fatal(err)
		}
	}
}
