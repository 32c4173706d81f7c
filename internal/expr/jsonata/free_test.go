package jsonata_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonata"
)

func TestFree(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`$states.input.a[b > $limit].c`:                           "states limit |",
		`phone[0].number & name`:                                  "|phone name",
		`$sum($map($items, function($v, $i) { $v * $rate }))`:     "items rate |",
		`($x := $y; $x + $z)`:                                     "y z |",
		`($f := function($n) { $n = 0 ? a : $f($n - 1) }; $f(3))`: "|a",
		`($x := 1; ($x := 2; $w)) + $x`:                           "w x |",
		`$.a + $$.b`:                                              "|",
		`$states.input.list@$item#$at.($item.x + $at + $out)`:     "states out |",
		`{"k": top, "l": [low, $v]}`:                              "v |top low",
		`$states.input{group: $sum(price)}`:                       "states |",
		`$states.input.list^(>price)`:                             "states |",
		`$states.input ~> |a|{"b": inner, "c": $v}|`:              "states v |",
		`$states.input.list@$v{$v.k: $sum($v.n)}`:                 "states |",
		`$unknown(1)`:           "unknown |",
		`items.(price * $rate)`: "rate |items",
	} {
		compiled, problems := jsonata.New(jsonata.Config{AWS: true}).Compile(src, nil)
		if len(problems) > 0 {
			t.Errorf("%s: %v", src, problems)
			continue
		}
		variables, names := compiled.(interface{ Free() ([]string, []string) }).Free()
		wantVariables, wantNames, _ := strings.Cut(want, "|")
		if !slices.Equal(variables, strings.Fields(wantVariables)) || !slices.Equal(names, strings.Fields(wantNames)) {
			t.Errorf("%s: got %v and %v, want %s", src, variables, names, want)
		}
	}
}

// TestReads: what is read of the environment, without functions and without
// what the expression binds itself.
func TestReads(t *testing.T) {
	t.Parallel()
	declared := &expr.Env{Roots: []expr.Root{{Name: "count"}}}
	for _, c := range []struct {
		src, want string
		env       *expr.Env
	}{
		{src: `$steps.fetch.total[0].x + n + $steps.fetch.total`, want: "steps.fetch.total input"},
		{src: `$sum($map($items.list, function($v, $i) { $v * $rate }))`, want: "items.list rate"},
		{src: `($x := $y.a; $f := function($n) { $n = 0 ? $x : $f($n - 1) }; $f(3))`, want: "y.a"},
		{src: `$states.input.list@$item#$at.($item.x + $at + $out.y)`, want: "states.input.list out.y"},
		{src: `$states.input.list#$at[$at = 1].x`, want: "states.input.list"},
		{src: `$item#$at[$at = $n]`, want: "item n"},
		{src: `$.a + $$.b.c + $v`, want: "input.a input.b.c v"},
		{src: `$v.list.($.a + b)`, want: "v.list"},
		{src: `$v.list[a = $$.b]`, want: "v.list input.b"},
		{src: `* ~> $string()`, want: "input"},
		{src: `$uppercase()`, want: "input"},
		{src: `$uppercase($v)`, want: "v"},
		{src: `$now() & $v.*`, want: "v"},
		{src: `($c ? $x := 1; $x)`, want: "c x"},
		{src: `($c and ($x := 1); $x)`, want: "c x"},
		{src: `$a ~> |b|{"c": d, "e": $f}|`, want: "a f"},
		// Names of functions: what is called is the function; else a variable may hide it.
		{src: `$count($v)`, want: "v"},
		{src: `$count($v)`, want: "v", env: declared},
		{src: `$count + 1`, want: "count"},
		{src: `$count.x + $sum`, want: "count.x", env: declared},
		{src: `$count + 1`, want: "", env: &expr.Env{}},
	} {
		compiled, problems := jsonata.New(jsonata.Config{AWS: true}).Compile(c.src, c.env)
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.src, problems)
			continue
		}
		var got []string
		for _, path := range compiled.Reads() {
			got = append(got, strings.Join(path, "."))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.src, got, c.want)
		}
	}
}
