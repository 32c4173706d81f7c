package jsonata_test

import (
	"slices"
	"strings"
	"testing"

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
