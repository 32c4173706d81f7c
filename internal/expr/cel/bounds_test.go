package cel_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

// Times are for a machine under heavy load and the race detector; what they
// guard against takes many minutes. At rest it is less than 5 ms and 150 ms.
const (
	refusedWithin  = 2 * time.Second
	exceededWithin = 30 * time.Second
)

// Rows B01 to B04 of the bad inputs: what is refused before it is evaluated.
func TestRefused(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	tests := []struct{ name, source, code string }{
		{"B01 property of a text", `"".constructor`, expr.CodeType},
		{"B01 call of a call", `"".constructor.constructor("return process")()`, expr.CodeSyntax},
		{"B01 prototype of an object", `inputs.__proto__`, expr.CodeUnknownName},
		{"B03 length", strings.Repeat("1", 1<<20), expr.CodeLimit},
		{"B03 length in spaces", strings.Repeat(" ", expr.MaxLength) + "1", expr.CodeLimit},
		{"B04 parentheses", strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000), expr.CodeLimit},
		{"B04 parentheses beyond the length", strings.Repeat("(", 10_000) + "1" + strings.Repeat(")", 10_000), expr.CodeLimit},
		{"B04 open parentheses", strings.Repeat("(", 8000), expr.CodeLimit},
		{"B04 additions", "1" + strings.Repeat("+1", 4000), expr.CodeLimit},
		{"B04 additions beyond the length", "1" + strings.Repeat("+1", 5000), expr.CodeLimit},
		{"lists", strings.Repeat("[", 4000) + strings.Repeat("]", 4000), expr.CodeLimit},
		{"objects", strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), expr.CodeLimit},
		{"members", "inputs" + strings.Repeat(".a", 4000), expr.CodeLimit},
		{"indexes", "inputs" + strings.Repeat("[0]", 2000), expr.CodeLimit},
		{"calls", strings.Repeat("size(", 1600) + "1" + strings.Repeat(")", 1600), expr.CodeLimit},
		{"conditions", strings.Repeat("true?1:", 1100) + "1", expr.CodeLimit},
		{"macros", strings.Repeat("[1].map(x,", 700) + "1" + strings.Repeat(")", 700), expr.CodeLimit},
		{"NUL", "1 + \x00", expr.CodeSyntax},
		{"not UTF-8", "\"\xff\"", expr.CodeSyntax},
	}
	for _, test := range tests {
		start := time.Now()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, problems := lang.Compile(test.source, typedEnv())
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if len(problems) == 0 || problems[0].Code != test.code {
			t.Errorf("%s: %v, want %s", test.name, problems, test.code)
		}
		for _, p := range problems {
			if p.Offset < 0 || p.Length < 1 || p.Offset > len(test.source) {
				t.Errorf("%s: %+v lies outside the text", test.name, p)
			}
		}
		if took > refusedWithin {
			t.Errorf("%s took %s", test.name, took)
		}
	}
}

// Chains that nest nothing are no danger and stay allowed.
func TestLongChains(t *testing.T) {
	t.Parallel()
	lang := cel.New()
	for _, source := range []string{
		"true" + strings.Repeat(" && true", 900),
		"false" + strings.Repeat(" || 1 == 1", 700),
		"[1" + strings.Repeat(", 1", 2000) + "]",
		"1" + strings.Repeat(" + 1", expr.MaxDepth-1),
		strings.Repeat("!", 5000) + "true",
	} {
		compiled, problems := lang.Compile(source, nil)
		if len(problems) > 0 {
			t.Errorf("%.20s…: %v", source, problems)
			continue
		}
		if _, err := compiled.Eval(expr.Request{}); err != nil {
			t.Errorf("%.20s…: %v", source, err)
		}
	}
}

// Rows B05 and B06: what costs more than its budget is stopped early, in time
// and in memory, whatever the budget.
func TestCostExceeded(t *testing.T) {
	const (
		items   = 10_000
		ceiling = 256 << 20 // bytes in all, of which most are garbage at once
	)
	rows := make([]value.Value, items)
	for i := range rows {
		rows[i] = value.Object(value.M("n", value.Int(int64(i))), value.M("s", value.String(fmt.Sprint("row ", i))))
	}
	bindings := map[string]value.Value{
		"l":     value.List(rows...),
		"big":   value.String(strings.Repeat("a", 1<<20)),
		"small": value.String(strings.Repeat("a", 1<<14)),
		"num":   value.MustParse(strings.Repeat("9", 900)),
	}
	env := &expr.Env{Roots: []expr.Root{{Name: "l"}, {Name: "big"}, {Name: "small"}, {Name: "num"}}}
	lang := cel.New()
	// With the largest budget only those that come nearest to the limits.
	slow := map[string]bool{
		`l.all(x, l.all(y, l.all(z, true)))`: true, `l.map(x, big).join("")`: true, `regex.replace(small, "a", big)`: true,
	}
	for _, source := range []string{
		`lists.range(1000000000)`,
		`lists.range(9223372036854775807)`,
		`l.map(x, l.map(y, l.map(z, 1)))`,
		`l.all(x, l.all(y, l.all(z, true)))`,
		`l.exists(x, l.exists(y, x.n + y.n < 0))`,
		`l.map(x, big + "a")`,
		`l.map(x, big)`,
		`l.map(x, l)`,
		`l.map(x, l).flatten()`,
		`l.map(x, big).join("")`,
		`json.encode(l.map(x, l))`,
		`"%s".format([l.map(x, l)])`,
		`big.replace("a", big)`,
		`big.replace("", big)`,
		`regex.replace(small, "a", big)`,
		`regex.replace(big, "(a*)", "\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1")`,
		`l.all(x, big.matches("(a+)+$"))`,
		`l.distinct()`,
		`sets.contains(l, l)`,
		`l.all(x, l.all(y, num * num > 0))`,
		`cel.bind(a, l + l, cel.bind(b, [a,a,a,a,a,a,a,a], cel.bind(c, [b,b,b,b,b,b,b,b], [c,c,c,c,c,c,c,c])))`,
	} {
		compiled, problems := lang.Compile(source, env)
		if len(problems) > 0 {
			t.Errorf("%s: %v", source, problems)
			continue
		}
		for _, budget := range []uint64{0, expr.PoolCost / 10, expr.PoolCost} {
			if budget == expr.PoolCost && !slow[source] {
				continue
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := compiled.Eval(expr.Request{Bindings: bindings, Cost: budget})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if !expr.IsCostExceeded(err) {
				t.Errorf("%s with %d: %v", source, budget, err)
			}
			if took > exceededWithin {
				t.Errorf("%s with %d took %s", source, budget, took)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > ceiling && !underRace {
				t.Errorf("%s with %d took %d MiB", source, budget, got>>20)
			}
		}
	}
}

// A budget is spent exactly: one unit less is too little.
func TestBudgetIsExact(t *testing.T) {
	t.Parallel()
	compiled, problems := cel.New().Compile(`rows.map(r, r.n * 2).sum() > inputs.total`, typedEnv())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	enough := uint64(0)
	for cost := uint64(1); cost < 1000 && enough == 0; cost++ {
		_, err := compiled.Eval(expr.Request{Bindings: typedBindings(), Cost: cost})
		switch {
		case err == nil:
			enough = cost
		case !expr.IsCostExceeded(err):
			t.Fatal(err)
		}
	}
	if enough < 10 {
		t.Errorf("a map over two rows costs %d", enough)
	}
}

// What is out of budget cannot be hidden behind && and ||.
func TestCostIsNotAbsorbed(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`lists.range(1000000000).size() > 0 || true`,
		`false && true && lists.range(1000000000).size() > 0 ? 1 : lists.range(1000000000).size()`,
		`[1].exists(x, lists.range(1000000000).size() > 0 || x == 1)`,
	} {
		compiled, problems := cel.New().Compile(source, nil)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if _, err := compiled.Eval(expr.Request{}); !expr.IsCostExceeded(err) {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// Row B06: a pattern that takes other engines exponential time.
func TestPatternsAreLinear(t *testing.T) {
	t.Parallel()
	compiled, problems := cel.New().Compile(`text.matches("(a+)+$")`, dynamic("text"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	bindings := map[string]value.Value{"text": value.String(strings.Repeat("a", 50_000) + "!")}
	start := time.Now()
	got, err := compiled.Eval(expr.Request{Bindings: bindings, Cost: expr.PoolCost})
	if err != nil || got.String() != "false" {
		t.Errorf("got %v, %v", got, err)
	}
	if took := time.Since(start); took > exceededWithin {
		t.Errorf("took %s", took)
	}
	if _, problems := cel.New().Compile(`"a".matches("`+strings.Repeat("a", 1025)+`")`, nil); len(problems) != 1 {
		t.Errorf("a pattern beyond 1 KiB: %v", problems)
	}
}

// Row B08: a value that looks like an expression stays a value.
func TestResultsAreNotEvaluated(t *testing.T) {
	t.Parallel()
	const text = `${{ secrets.DB }} {{ .Foo }}`
	compiled, problems := cel.New().Compile(`"value: " + inputs`, dynamic("inputs"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"inputs": value.String(text)}})
	if s, _ := got.Str(); err != nil || s != "value: "+text {
		t.Errorf("got %q, %v", s, err)
	}
}

// What comes out can be read again: no deeper than values may be.
func TestResultsAreNotTooDeep(t *testing.T) {
	t.Parallel()
	deep := value.MustParse(strings.Repeat("[", value.MaxDepth) + strings.Repeat("]", value.MaxDepth))
	for source, ok := range map[string]bool{`x`: true, `x[0]`: true, `[x[0]]`: true, `[x]`: true, `[[x]]`: false, `{"a": [x]}`: false, `[x.map(y, [y])]`: false} {
		compiled, problems := cel.New().Compile(source, dynamic("x"))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"x": deep}})
		if (err == nil) != ok {
			t.Errorf("%s: %v", source, err)
		}
		if _, parseErr := value.Parse([]byte(got.String())); err == nil && parseErr != nil {
			t.Errorf("%s cannot be read again: %v", source, parseErr)
		}
	}
}

func TestErrorsAreOfTheContract(t *testing.T) {
	t.Parallel()
	compiled, problems := cel.New().Compile(`inputs.x.y`, dynamic("inputs"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	_, err := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"inputs": value.MustParse(`{"x": {"yy": 1}}`)}})
	var fault *expr.Error
	if !errors.As(err, &fault) || fault.Code != expr.NoSuchKey || fault.Offset != 9 || fault.Message != `there is no member "y"; did you mean "yy"?` {
		t.Errorf("got %#v", err)
	}
}
