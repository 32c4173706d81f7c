package jsonata

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// run evaluates with the example input; the text is the result as JSON,
// undefined, or the code of the error.
func run(t *testing.T, config Config, src string) string {
	t.Helper()
	compiled, problems := New(config).Compile(src, nil)
	if len(problems) > 0 {
		return problems[0].Code
	}
	got, err := compiled.Eval(expr.Request{
		Bindings: map[string]value.Value{"input": value.MustParse(exampleInput), "who": value.String("me")},
		Now:      time.UnixMilli(1_700_000_000_123), Seed: 7, Cost: 1_000_000,
	})
	var fault *expr.Error
	switch {
	case errors.As(err, &fault):
		return fault.Code
	case got.IsUndefined():
		return "undefined"
	}
	return got.String()
}

func TestEval(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src, want string
	}{
		// The context, variables and undefined names.
		{src: "$.n", want: "12.5"},
		{src: "$$.n & $who", want: `"12.5me"`},
		{src: "$nobody", want: "undefined"},
		{src: "$input", want: "undefined"},
		// Integers beyond float64 pass unchanged, and round when computed with.
		{src: "big", want: "9007199254740993"},
		{src: "$string(big)", want: `"9007199254740993"`},
		{src: "big + 0", want: "9007199254740992"},
		{src: "6 / 2", want: "3"},
		{src: "1 / 0", want: "D1001"},
		{src: "$number('12345678901234567890')", want: "12345678901234567890"},
		// Order of keys.
		{src: "{'z': 1, 'a': 2, 'm': z}", want: `{"z":1,"a":2,"m":null}`},
		{src: "a.c.%.b", want: "[1,1]"},
		// The clock and randomness of the request.
		{src: "$millis()", want: "1700000000123"},
		{src: "$now()", want: `"2023-11-14T22:13:20.123Z"`},
		{src: "$uuid() = $uuid()", want: "false"},
		{src: "$random() < 1", want: "true"},
		// Regular expressions.
		{src: "$match(s, /(?i)B/).index", want: "2"},
		{src: "/(?=a)/", want: "S0303"},
		{src: "$contains(s, /^a-/)", want: "true"},
		{src: "$match('aab', /^a/).match", want: `"a"`},
		// Bounds.
		{src: "($f := function($n) { 1 + $f($n + 1) }; $f(0))", want: "U1001"},
		{src: "($f := function($n) { $f($n + 1) }; $f(0))", want: "cost_exceeded"},
		{src: "$count([1..10000000])", want: "10000000"},
		{src: "[1..10000001]", want: "D2014"},
		{src: "[1..10000000][0]", want: "cost_exceeded"},
		{src: "($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $length($f('x', 60)))", want: "cost_exceeded"},
		{src: "$split($pad('', 2000000, 'a'), /a/)", want: "cost_exceeded"},
		{src: "$pad('', 1e300)", want: "cost_exceeded"},
		{src: "$reduce([1..5000], function($a, $b) { [[$a]] })", want: "U1001"},
		{src: strings.Repeat("(", 100) + strings.Repeat(")", 100), want: expr.CodeLimit},
		{src: strings.Repeat(" ", expr.MaxLength+1), want: expr.CodeLimit},
		{src: "$partition([1], 1)", want: "T1006"},
	}
	for _, test := range tests {
		if got := run(t, Config{}, test.src); got != test.want {
			t.Errorf("%.80s: %.80s, want %s", test.src, got, test.want)
		}
	}
}

// TestOffset: an error tells the byte where its operator or operand begins.
func TestOffset(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want int
	}{
		{`"é" & (1 + "x")`, 10}, {`  "a`, 2}, {"[1!2]", 2}, {"1 + $sum('x')", 8}, {"$foo()", 4},
	}
	for _, test := range tests {
		compiled, problems := New(Config{}).Compile(test.src, nil)
		if len(problems) > 0 {
			if problems[0].Offset != test.want {
				t.Errorf("%s: at %d, want %d", test.src, problems[0].Offset, test.want)
			}
			continue
		}
		_, err := compiled.Eval(expr.Request{})
		var fault *expr.Error
		if !errors.As(err, &fault) || fault.Offset != test.want {
			t.Errorf("%s: %+v, want an error at %d", test.src, fault, test.want)
		}
	}
}

func TestForbiddenAndReads(t *testing.T) {
	t.Parallel()
	env := &expr.Env{Roots: []expr.Root{{Name: "secrets", Why: "secrets stay outside"}}}
	_, problems := New(Config{}).Compile("1 + $secrets.x", env)
	if len(problems) != 1 || problems[0].Code != expr.CodeForbidden || problems[0].Offset != 4 {
		t.Errorf("problems %+v", problems)
	}
	compiled, _ := New(Config{}).Compile("$steps.fetch.total[0] + n + $steps.fetch.total", nil)
	var got []string
	for _, path := range compiled.Reads() {
		got = append(got, strings.Join(path, "."))
	}
	if strings.Join(got, " ") != "steps.fetch.total input" {
		t.Errorf("reads %v", got)
	}
}
