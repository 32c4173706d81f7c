package jsonata

import (
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// TestFound keeps what TestDifferential found: expressions whose result was not
// that of the reference.
func TestFound(t *testing.T) {
	t.Parallel()
	lang := New(Config{})
	for _, c := range []struct{ src, input, want string }{
		{`$$[1]`, `[1, 2]`, `2`},
		{`$$[0]`, `[[1, 2], 3]`, `[1,2]`},
		{`a[[0, 0, 1]]`, `{"a": ["x", "y"]}`, `["x","x","y"]`},
		{`**[]`, `-0.75`, `-0.75`},
		{`a in a`, `{"a": {"b": 1}}`, `true`},
		{`a in [a, 1]`, `{"a": {"b": 1}}`, `true`},
		{`a.b{"k": $}[0]`, `{"a": {"b": [1, 2]}}`, `{"k":1}`},
		{`$#$i{"k": $, "l": $}`, `7`, `{"k":7}`},
		{`$sum ? 1 : 2`, `1`, `1`},
		{`[$boolean($sum), $not($sum), $boolean([$sum])]`, `1`, `[false,true,true]`},
		{`[1, 2][$sum]`, `1`, `[1,2]`},
		{`$string()`, `[1]`, `"[1]"`},
		{`$spread([{"a": 1}])`, `1`, `[{"a":1}]`},
		{`$spread({"a": 1})`, `1`, `{"a":1}`},
		{`$power(2, nothing)`, `1`, `D3061`},
		{`$sort([1, 2, 3], function($l, $r) { true })`, `1`, `[3,2,1]`},
		{`$formatNumber(80688000000, '0.#,#')`, `1`, `"80688000000.,"`},
		{`$formatNumber(0.123, '0.0,0,0')`, `1`, `"0.1,,23"`},
		{`$parseInteger('007', '#0;o')`, `1`, `0`},
		{`$parseInteger('1.234.567', '#.##0')`, `1`, `1`},
		{`$base64decode("a-b-c")`, `1`, `"k\u00e6\u00fe"`},
		{`$fromMillis(-0.5, '[Y]')`, `1`, `"1970"`},
		{`[$substring('abcd', -2.5), $substring('abcd', -1.5, 1), $substring('abcd', nothing, 1)]`, `1`, `["cd","",""]`},
		{`$replace('ab', nothing, 'x', 0)`, `1`, `"ab"`},
		{`$replace('aab', 'a', 'x', 1.5)`, `1`, `"xxb"`},
		{`$replace('ab', /b/, function($m) { $string($keys($m)) })`, `1`, `"a[\"match\",\"start\",\"end\",\"groups\",\"next\"]"`},
		{`$match('a', /(a)(b)?/).groups`, `1`, `["a",null]`},
		{`$eval('1 + "x"')`, `1`, `D3121`},
		{`function($a, $b)<n-:n>{ {} }({}, ?)(1)`, `1`, `{}`},
		{`($f := function($n) { $n = 0 ? $exists(c){"k": 1} : $f($n - 1) }; $f(1))`, `1`, `false`},
		{`$map(5, function($v) { $not() })`, `[1, 2]`, `true`},
	} {
		got := answerOf(lang, c.src, value.MustParse(c.input))
		text := got.Get("result").String()
		if code, failed := got.Get("error").Str(); failed {
			text = code
		}
		if text != c.want && (c.want[0] == 'D' || !value.Equal(got.Get("result"), value.MustParse(c.want))) {
			t.Errorf("%s of %s: %s, want %s", c.src, c.input, got, c.want)
		}
	}
}

// TestEvalKeepsBounds: $eval does not hide that a bound was passed.
func TestEvalKeepsBounds(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`$eval("[1..10000000][0]")`:                           expr.CostExceeded,
		`$eval("($f := function($n) { 1 + $f($n) }; $f(0))")`: "U1001",
	} {
		if got, _ := answerOf(New(Config{}), src, value.Null).Get("error").Str(); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}
