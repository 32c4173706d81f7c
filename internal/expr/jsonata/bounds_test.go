package jsonata

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// cost is what an evaluation takes of its budgets, whether it fails or not.
type cost struct{ steps, bytes int }

func measure(t *testing.T, src string, input value.Value) cost {
	t.Helper()
	const steps = 1 << 40
	made, problems := New(Config{AWS: true}).Compile(src, nil)
	if len(problems) > 0 {
		t.Fatalf("%s: %v", src, problems)
	}
	out := made.(*compiled)
	m := newMachine(out.lang, expr.Request{Cost: steps})
	func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(*fault); !ok {
					t.Fatalf("%s: %v", src, r)
				}
			}
		}()
		m.run(out.root, from(input))
	}()
	return cost{steps: steps - int(m.left), bytes: maxMemory - m.memory}
}

const mebi = 1 << 20

func texts(n, size int, format string) value.Value {
	items := make([]value.Value, n)
	for i := range items {
		items[i] = value.String(fmt.Sprintf(format, i) + strings.Repeat("x", size))
	}
	return value.List(items...)
}

// TestTextIsCharged: whatever reads a long text costs a step for each KiB of
// it, so that no number of cheap calls can read without bound.
func TestTextIsCharged(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", mebi)
	input := value.Object(
		value.M("s", value.String(long+"-")), value.M("t", value.String(long+"+")),
		value.M("list", texts(4, mebi, "")), value.M("digits", value.String(strings.Repeat("9", mebi))),
		value.M("objects", value.List(value.Object(value.M("k", value.String(long+"-"))), value.Object(value.M("k", value.String(long+"+"))))),
	)
	for _, src := range []string{
		"$length(s)", "s.$length()", "$substringBefore(s, '-')", "$substringAfter(s, '-')", "$contains(s, '-')", "$contains(s, /-/)",
		"$contains('-', s)", "$number(digits)", "$lookup($, s)", "$exists(s)", "$toMillis(s)", "$toMillis(s, '[Y]')", "$split('a', s)",
		"$parseInteger(digits, '0')", "$formatNumber(1, s)", "$fromMillis(0, '[Y]', s)", "$replace('a', 'a', s)", "$type($error(s))",
		"s = t", "s != t", "s < t", "s in [t]", "[s] = [t]", "objects^(k)", "$sort(list)", "$distinct(list)", "$string([s])",
		"$substring(s, 0, 1)", "$pad('a', 2, s)",
		"$formatNumber(-1, '0', {'minus-sign': s})", "$replace('a', /a/, s)",
	} {
		if got := measure(t, src, input); got.steps < mebi/stepBytes {
			t.Errorf("%s costs %d steps, want at least %d", src, got.steps, mebi/stepBytes)
		}
	}
}

// TestProductsAreCharged: work that is the product of two lengths costs it.
func TestProductsAreCharged(t *testing.T) {
	t.Parallel()
	const n = 500
	input := value.Object(
		value.M("text", value.String(strings.Repeat("a", 10_000))), value.M("marks", value.String("0"+strings.Repeat(",0;0", 200))),
		value.M("digits", value.String(strings.Repeat("9", 100_000))), value.M("words", value.String(strings.Repeat("one ", 5_000))),
	)
	for _, c := range []struct {
		src   string
		least int
	}{
		{"$toMillis(words, '" + strings.Repeat("[Yw]", 10) + "')", 300_000},
		{"$parseInteger(digits, marks)", 39_000},
		{"$contains(text, /(x+x+)+y/)", 10_000 / 32},
		{"$contains(text, /" + strings.Repeat("a?", n) + "b/)", 10_000 * n / 1000},
		{"$string(" + strings.Repeat("[", 50) + "[1..1000]" + strings.Repeat("]", 50) + ", true)", 1000 * 100 / stepBytes},
		{"$replace(text, /a+/, '" + strings.Repeat("$0", 100) + "')", 100 * 10_000 / stepBytes},
	} {
		if got := measure(t, c.src, input); got.steps < c.least {
			t.Errorf("%.60s costs %d steps, want at least %d", c.src, got.steps, c.least)
		}
	}
}

// TestCostIsLinear: twice the data costs about twice as much, in steps and in
// memory, where an honest program would else be refused.
func TestCostIsLinear(t *testing.T) {
	t.Parallel()
	input := func(n int) value.Value {
		lists, objects := make([]value.Value, n), make([]value.Value, n)
		members := make([]value.Member, n)
		for i := range n {
			lists[i] = value.List(value.Int(int64(i)), value.Int(1))
			objects[i] = value.Object(value.M("id", value.Int(int64(i))), value.M("k", value.String("same")))
			members[i] = value.M(fmt.Sprintf("m%d", i), lists[i])
		}
		return value.Object(
			value.M("lists", value.List(lists...)), value.M("objects", value.List(objects...)), value.M("o", value.Object(members...)),
			value.M("s", value.String(strings.Repeat("ab ", n))), value.M("picture", value.String(strings.Repeat("#,", n)+"0")),
		)
	}
	for _, src := range []string{
		"o.*", "lists.*", "[o.*]", "$distinct(objects)", "$distinct(lists)", "objects@$x.id{'all': $x}", "objects{k: id}",
		"$reduce(lists, function($all, $one) { $append($all, $one) }, [])",
		"$reduce(lists, function($all, $one) { $append($all, $one) })",
		"$reduce(lists, function($all, $one) { [$all, $one] }, [])",
		"$match(s, /a/)", "$split(s, ' ')", "$split(s, / /)", "$replace(s, /a/, function($m) { 'x' })", "$keys(objects)", "$merge(objects)",
	} {
		small, large := measure(t, src, input(1000)), measure(t, src, input(2000))
		if large.steps > 3*small.steps || large.bytes > 3*small.bytes {
			t.Errorf("%s costs %+v for 1000 items and %+v for 2000", src, small, large)
		}
	}
}

// TestPicturesAreBounded: pictures are read more than once, so they are short.
func TestPicturesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("#", maxPicture) + "0"
	for _, src := range []string{
		"$formatNumber(1, '" + long + "')", "$formatInteger(1, '" + long + "')", "$parseInteger('1', '" + long + "')",
		"$fromMillis(1, '" + long + "')", "$toMillis('1', '" + long + "')",
	} {
		if got := run(t, Config{}, src); got != "D3130" {
			t.Errorf("%.30s: %s", src, got)
		}
	}
	if got := run(t, Config{}, "$contains('a', /"+strings.Repeat("a{1000}", 20)+"/)"); got != "S0303" {
		t.Errorf("a large regular expression: %s", got)
	}
}

// TestLimitsBeyondIntegers: limits and parts of dates beyond what an integer
// holds are large, not negative.
func TestLimitsBeyondIntegers(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"$split('a-b', '-', 1e300)":                `["a","b"]`,
		"$split('a-b', /-/, 1e300)":                `["a","b"]`,
		"$split('a-b', '-', 1.5)":                  `["a"]`,
		"$replace('aaa', 'a', 'b', 1e300)":         `"bbb"`,
		"$replace('aaa', /a/, 'b', 1e300)":         `"bbb"`,
		"$substring('abc', 1e300)":                 `""`,
		"$substring('abc', -1e300, 1e301)":         `"abc"`,
		"$toMillis('999999999', '[Y]')":            "D1001",
		"$toMillis('300000', '[Y]')":               "D1001",
		"$toMillis('275760-09-13', '[Y]-[M]-[D]')": "8640000000000000",
		"$toMillis('9999999999', '[Y]')":           "undefined",
	} {
		if got := run(t, Config{}, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

// TestDistinctIsBounded: what is written to tell items apart is charged before
// it is written.
func TestDistinctIsBounded(t *testing.T) {
	t.Parallel()
	input := value.Object(value.M("s", value.String(strings.Repeat("x", mebi))))
	got := measure(t, "($s := s; $l := [1..1000].($s); $distinct([{'a': $l}, 1]))", input)
	if got.bytes < maxMemory-2*mebi || got.steps > 200*mebi/stepBytes {
		t.Errorf("it cost %+v, and should have ended at the bound of memory (%d)", got, maxMemory)
	}
}

// TestDistinctKeys: values of different kinds with alike texts stay apart.
func TestDistinctKeys(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"$distinct([9007199254740993, '9007199254740993n', '9007199254740993'])": `[9007199254740992,"9007199254740993n","9007199254740993"]`,
		"$distinct([big, '9007199254740993n', big])":                             `[9007199254740993,"9007199254740993n"]`,
		"$distinct([1, '1', true, 'true', null, 'null'])":                        `[1,"1",true,"true",null,"null"]`,
		"$distinct([[1, 2], [1, 2], ['1', 2], [[1], 2], [1, [2]]])":              `[[1,2],["1",2],[[1],2],[1,[2]]]`,
		"$distinct([{'a': 1, 'b': 2}, {'b': 2, 'a': 1}, {'a': 1}])":              `[{"a":1,"b":2},{"a":1}]`,
		"$distinct([{'a': {'b': []}}, {'a': {'b': {}}}, {'a': {'b': []}}])":      `[{"a":{"b":[]}},{"a":{"b":{}}}]`,
		"$distinct([{'a:1,b': 2}, {'a': 1, 'b': 2}])":                            `[{"a:1,b":2},{"a":1,"b":2}]`,
		"$distinct([0, -0])": "[0]",
		"$count($distinct([$sum, $sum, $max, function($x){$x}]))": "3",
	} {
		if got := run(t, Config{}, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}

func TestListsThatShareItems(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"($a := $append([1], 2); $b := $append($a, 3); $c := $append($a, 4); [[$a], [$b], [$c]])":    "[[1,2],[1,2,3],[1,2,4]]",
		"($a := [1, 2]; $b := [$a, 3]; $c := [$a, 4, 5]; $d := [$a]; [[$a], [$b], [$c], [$d, 6]])":   "[[1,2],[1,2,3],[1,2,4,5],[1,2,6]]",
		"($a := $append($append([], 1), 2); $b := [$a, 3]; $c := $append($a, [4, 5]); [[$b], [$c]])": "[[1,2,3],[1,2,4,5]]",
		"($a := [1..3]; $b := $append($a, 4); $c := [$a, 5]; [[$a], [$b], [$c]])":                    "[[1,2,3],[1,2,3,4],[1,2,3,5]]",
	} {
		if got := run(t, Config{}, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
}
