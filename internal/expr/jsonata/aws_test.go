package jsonata

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// TestAWSFunctions: what the developer guide of Step Functions says of the
// functions that it adds.
func TestAWSFunctions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ src, want string }{
		// $partition: parts of a size, the last may be smaller.
		{"$partition([1, 2, 3, 4, 5, 6, 7, 8, 9], 4)", "[[1,2,3,4],[5,6,7,8],[9]]"},
		{"$partition([1..4], 2)", "[[1,2],[3,4]]"},
		{"$partition([1..3], 5)", "[[1,2,3]]"},
		{"$partition([1, 2], 1e300)", "[[1,2]]"},
		{"$partition([], 2)", "[]"},
		{"$partition([1, 2], 0)", "D3201"},
		{"$partition([1, 2], -1)", "D3201"},
		{"$partition([1, 2])", "T0410"},
		{"$partition([1, 2], 'x')", "T0410"},
		// $range: from the first to the last, both included where the step meets it.
		{"$range(0, 10, 2)", "[0,2,4,6,8,10]"},
		{"$range(0, 9, 2)", "[0,2,4,6,8]"},
		{"$range(3, 0, -1)", "[3,2,1,0]"},
		{"$range(1, 1, 1)", "[1]"},
		{"$range(0, 3, -1)", "[]"},
		{"$range(0, 3, 0)", "D3201"},
		{"$range(0, 1e9, 1)", "D2014"},
		{"$range(0, 3)", "T0410"},
		// $hash: the algorithms of FIPS 180-4 and MD5.
		{"$hash('abc', 'MD5')", `"900150983cd24fb0d6963f7d28e17f72"`},
		{"$hash('abc', 'SHA-1')", `"a9993e364706816aba3e25717850c26c9cd0d89d"`},
		{"$hash('abc', 'SHA-256')", `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		{"$length($hash('', 'SHA-384')) & '-' & $length($hash('', 'SHA-512'))", `"96-128"`},
		{"$hash('abc', 'sha-1')", "D3202"},
		{"$hash('abc')", "T0410"},
		{"$hash({}, 'MD5')", "T0410"},
		// $random: from 0 up to, without, 1; with a seed the same for the same seed.
		{"$random() >= 0 and $random() < 1", "true"},
		{"$random() = $random()", "false"},
		{"$random(42) = $random(42) and $random(42) != $random(43) and $random(1) < 1", "true"},
		{"$random('x')", "T0410"},
		// $uuid: of version 4.
		{"$contains($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)", "true"},
		{"$uuid() = $uuid()", "false"},
		// $parse: JSON in a text.
		{`$parse('{"a": [1, 2.5, null, true, "x"]}')`, `{"a":[1,2.5,null,true,"x"]}`},
		{`$parse('[1, 2]')[1]`, "2"},
		{`$parse('null')`, "null"},
		{`$parse('"x"')`, `"x"`},
		{`'{"a": 7}' ~> $parse`, `{"a":7}`},
		{"$parse('{\"a\": 1')", "D3200"},
		{"$parse('')", "D3200"},
		{"$parse('1 + 1')", "D3200"},
		{"$parse(1)", "T0410"},
		{"$parse(nothing)", "undefined"},
		// $eval is refused.
		{"$eval('1 + 1')", "T1006"},
		{"$exists($eval)", "false"},
	} {
		if got := run(t, Config{AWS: true}, c.src); got != c.want {
			t.Errorf("%s: %s, want %s", c.src, got, c.want)
		}
	}
}

// TestAWSFunctionsAreItsOwn: the language itself does not have them.
func TestAWSFunctionsAreItsOwn(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"$partition([1], 1)", "$range(1, 2, 1)", "$hash('', 'MD5')", "$parse('1')"} {
		if got := run(t, Config{}, src); got != "T1006" {
			t.Errorf("%s: %s", src, got)
		}
	}
	if got := run(t, Config{}, "$eval('1 + 1')"); got != "2" {
		t.Errorf("$eval: %s", got)
	}
}

// TestAWSRecordings evaluates the expressions of what AWS recorded, from the
// folder asl below REGIE_CONFORMANCE, as far as they need the input only: the
// outputs of machines that are one Pass state.
func TestAWSRecordings(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	const least = 20
	lang, judged := New(Config{AWS: true}), 0
	for _, c := range recordings(t, filepath.Join(dir, "asl")) {
		states := c.Get("definition").Get("States").Members()
		if kind, _ := c.Get("kind").Str(); len(states) != 1 || kind != "execution" || !onlyInput(states[0].Value) {
			continue
		}
		judged++
		id, _ := c.Get("id").Str()
		got, err := recordedOutput(lang, states[0].Value.Get("Output"), c.Get("input"))
		status, _ := c.Get("expect").Get("status").Str()
		switch {
		case status == "FAILED":
			if err == "" {
				t.Errorf("%s: %s, want a failure: %s", id, got, c.Get("expect").Get("cause"))
			}
		case err != "" || !alike(got, c.Get("expect").Get("output"), false):
			t.Errorf("%s: %s %s, want %s", id, got, err, c.Get("expect").Get("output"))
		}
	}
	t.Logf("%d recordings judged", judged)
	if judged < least {
		t.Errorf("%d recordings judged, expected at least %d", judged, least)
	}
}

// onlyInput reports whether the fields of a state are those of a Pass whose
// Output is all that counts, and that takes nothing from the context object.
func onlyInput(state value.Value) bool {
	for _, m := range state.Members() {
		if !slices.Contains([]string{"Type", "QueryLanguage", "Output", "End", "Comment"}, m.Key) {
			return false
		}
	}
	text := state.Get("Output").String()
	kind, _ := state.Get("Type").Str()
	return kind == "Pass" && !state.Get("Output").IsUndefined() && !strings.Contains(text, "$states.context") && !strings.Contains(text, "$uuid") && !strings.Contains(text, "$random") &&
		!strings.Contains(text, "$now") && !strings.Contains(text, "$millis")
}

// recordedOutput evaluates the expressions in a value; err is the code of the
// first that fails or gives nothing.
func recordedOutput(lang *Language, v, input value.Value) (out value.Value, err string) {
	if text, ok := v.Str(); ok && strings.HasPrefix(text, "{%") {
		compiled, problems := lang.Compile(strings.TrimSuffix(strings.TrimPrefix(text, "{%"), "%}"), nil)
		if len(problems) > 0 {
			return value.Undefined, problems[0].Code
		}
		got, fault := compiled.Eval(expr.Request{Bindings: map[string]value.Value{"states": value.Object(value.M("input", input))}, Cost: expr.PoolCost})
		if fault != nil {
			return value.Undefined, fault.Error()
		}
		if got.IsUndefined() {
			return got, "undefined"
		}
		return got, ""
	}
	switch v.Kind() {
	case value.KindList:
		items := make([]value.Value, v.Len())
		for i, item := range v.Items() {
			if items[i], err = recordedOutput(lang, item, input); err != "" {
				return value.Undefined, err
			}
		}
		return value.List(items...), ""
	case value.KindObject:
		members := make([]value.Member, v.Len())
		for i, m := range v.Members() {
			got, err := recordedOutput(lang, m.Value, input)
			if err != "" {
				return value.Undefined, err
			}
			members[i] = value.M(m.Key, got)
		}
		return value.Object(members...), ""
	default:
		return v, ""
	}
}

func recordings(t *testing.T, dir string) []value.Value {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no recordings in %s: %v", dir, err)
	}
	var out []value.Value
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			v, err := value.Parse(lines.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
