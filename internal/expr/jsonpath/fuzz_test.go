package jsonpath

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

var seeds = []string{
	"$", "$$", "$.a.b[0]", "$['a','b']", "$[\"x\"]", "$..a", "$..*", "$.l[1:-1]", "$.l[-1,0]", "$.*.b", "$v.a", "$$.State.Name",
	"$.l[?(@.b > 1 && !(@.c == 'x') || @.d =~ /a.*/i)]", "$.l[?(@ in [1,'b',null])]", "$..[?(@.b)]", "$.l.length()", "$..b.max()",
	"$.words.concat('-', $.a)", "$.l.index(-1)", "States.Format('{} \\{\\} it\\'s', $.a)", "States.Array(1, -2.5e3, 'x', null, true, $.l[*])",
	"States.ArrayPartition($.l, 2)", "States.ArrayContains($.l, $.a)", "States.ArrayRange(1, 10, 3)", "States.ArrayGetItem($.l, 0)",
	"States.ArrayUnique($.l)", "States.Base64Decode(States.Base64Encode($.s))", "States.Hash($.s, 'SHA-256')", "States.JsonMerge($.a, $v, false)",
	"States.StringToJson(States.JsonToString($))", "States.MathAdd(1.5, $.n)", "States.MathRandom(0, 9)", "States.StringSplit($.s, ', ')",
	"States.UUID()", "$.", "$[", "States.", "$.a[?(", "$['", "States.Format('", "$.l[?(@.b =~ /", "\x00", "$.é['\xff']",
}

func fuzzScope() Scope {
	return Scope{
		Input:     value.MustParse(`{"a": {"b": 1}, "l": [{"b": 1, "c": "x"}, {"b": 2.5, "d": "abc"}, 3, [4], null], "words": ["x", "y"], "s": "a, b", "n": 7}`),
		Context:   value.MustParse(`{"State": {"Name": "S"}}`),
		Variables: map[string]value.Value{"v": value.MustParse(`{"a": [1]}`)},
	}
}

// Property: whatever the text, parsing ends with a query or a problem that lies
// within the text, and evaluating ends with a value or an error of Step
// Functions or of the budget, the same every time.
func FuzzQuery(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) { holdsFor(t, src) })
}

type reporter interface {
	Fatalf(format string, args ...any)
}

func holdsFor(t reporter, src string) {
	q, problem := Parse(src)
	if (q == nil) == (problem == nil) {
		t.Fatalf("%q: either a query or a problem", src)
	}
	if problem != nil {
		if problem.Code == expr.Internal || problem.Message == "" || problem.Length < 1 || problem.Offset < 0 || problem.Offset > len(src) {
			t.Fatalf("%q: %+v", src, problem)
		}
		return
	}
	if q.String() != src {
		t.Fatalf("%q: %+v", src, q)
	}
	run := func() (value.Value, error) {
		return NewEvaluator(fuzzScope(), Budget{Cost: 50_000, Seed: 3}).Select(q)
	}
	first, err := run()
	var fault *expr.Error
	if err != nil && (!errors.As(err, &fault) || fault.Code != Runtime && fault.Code != expr.CostExceeded || fault.Message == "") {
		t.Fatalf("%q: %+v", src, err)
	}
	if err == nil {
		if first.IsUndefined() || !q.Intrinsic() && !q.Definite() && first.Kind() != value.KindList {
			t.Fatalf("%q: %s", src, first)
		}
		if again, err := value.Parse(first.Append(nil)); err == nil && !value.Equal(again, first) {
			t.Fatalf("%q: %s is no JSON", src, first)
		}
	}
	second, again := run()
	if (err == nil) != (again == nil) || !value.Equal(first, second) {
		t.Fatalf("%q: %s (%v) and then %s (%v)", src, first, err, second, again)
	}
}

// Property: what was cut together from pieces of queries behaves as any text.
func TestPieces(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"$", "$$", "$v", "@", ".", "..", ".a", ".l", "[0]", "[*]", "[1:]", "['a']", "[?(", ")]", ")", "(", "@.b", " > ", " == ", "&&", "!",
		"1", "'x'", "/x/", ".length()", "States.Array(", "States.Format('{}', ", "States.MathAdd(1, ", ", ", " ", "null", "\\", "'", "é",
	}
	rapid.Check(t, func(rt *rapid.T) {
		holdsFor(rt, strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(rt, "pieces"), ""))
	})
}

// Invariant: what was put at a path is found there, everything else stays, and
// putting it again changes nothing.
func TestResultPathInvariant(t *testing.T) {
	t.Parallel()
	names := rapid.SampledFrom([]string{"a", "b", "odd key", "it's", `back\slash`, "é"})
	rapid.Check(t, func(rt *rapid.T) {
		var path strings.Builder
		path.WriteString("$")
		for _, name := range rapid.SliceOfN(names, 1, 4).Draw(rt, "names") {
			path.WriteString("['" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(name) + "']")
		}
		q, problem := ParseResultPath(path.String())
		if problem != nil {
			rt.Fatalf("%s: %v", path.String(), problem)
		}
		input := value.MustParse(rapid.SampledFrom([]string{"{}", `{"a":{"b":{"a":1}}}`, `{"z":[1],"é":{}}`, `{"it's":2}`}).Draw(rt, "input"))
		result := value.Int(rapid.Int64().Draw(rt, "result"))
		out, fault := ApplyResultPath(q, input, result)
		if fault != nil {
			return
		}
		got, err := NewEvaluator(Scope{Input: out}, Budget{}).Select(q)
		if err != nil || !value.Equal(got, result) {
			rt.Fatalf("%s in %s: %s %v", path.String(), out, got, err)
		}
		for _, m := range input.Members() {
			if _, ok := out.Lookup(m.Key); !ok {
				rt.Fatalf("%s is gone from %s", m.Key, out)
			}
		}
		again, fault := ApplyResultPath(q, out, result)
		if fault != nil || again.String() != out.String() {
			rt.Fatalf("%s: again %s %v", out, again, fault)
		}
	})
}

// Invariant: equal values have equal canonical bytes, and others do not.
func TestCanonical(t *testing.T) {
	t.Parallel()
	values := rapid.SampledFrom([]string{
		"1", "1.0", "10e-1", "0.5", "-0.0", "0", "1e300", "12345678901234567890", "12345678901234567890.0", `"1"`, "null", "true", "[]", "[1]", "[1.0]",
		"[[1]]", "[1,2]", `{}`, `{"a":1,"b":2}`, `{"b":2.0,"a":1}`, `{"a":12}`, `"{}"`, `["a,"]`, `["a",""]`,
	})
	rapid.Check(t, func(rt *rapid.T) {
		a, b := value.MustParse(values.Draw(rt, "a")), value.MustParse(values.Draw(rt, "b"))
		m := newMachine(Scope{}, Budget{})
		if same := string(m.canonical(nil, a, 0)) == string(m.canonical(nil, b, 0)); same != value.Equal(a, b) {
			rt.Fatalf("%s and %s: %v", a, b, same)
		}
	})
}

func BenchmarkTemplate(b *testing.B) {
	template, problems := CompileTemplate(value.MustParse(`{"id.$": "$.a.b", "name.$": "States.Format('{}-{}', $.s, $.n)", "fixed": [1, 2, 3]}`))
	if problems != nil {
		b.Fatal(problems)
	}
	s := fuzzScope()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewEvaluator(s, Budget{}).Template(template); err != nil {
			b.Fatal(err)
		}
	}
}
