package jsonata

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

var update = flag.Bool("update", false, "write testdata/known-misses.txt anew")

const missesFile = "testdata/known-misses.txt"

// TestConformance runs the language cases of the reference implementation,
// from the folder jsonata below REGIE_CONFORMANCE. The cases that fail are
// listed in a file, which must be exact.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	const least = 1000 // cases that must have run, so that none are lost unnoticed
	dir = filepath.Join(dir, "jsonata")
	cases := readCases(t, dir)
	if len(cases) < least {
		t.Fatalf("there are %d cases, expected at least %d", len(cases), least)
	}
	lang := New(Config{})
	passed, total, misses := map[string]int{}, map[string]int{}, map[string]string{}
	for _, c := range cases {
		group, _ := c.Get("group").Str()
		id, _ := c.Get("id").Str()
		total[group]++
		if fault := judge(t, lang, dir, c); fault != "" {
			misses[id] = fault
		} else {
			passed[group]++
		}
	}
	report(t, passed, total)
	compareMisses(t, misses, len(cases))
}

func report(t *testing.T, passed, total map[string]int) {
	t.Helper()
	var groups []string
	for g := range total {
		groups = append(groups, g)
	}
	sort.Strings(groups)
	var table strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&table, "%-30s %4d of %4d\n", g, passed[g], total[g])
	}
	t.Logf("passed by group:\n%s", table.String())
}

func compareMisses(t *testing.T, misses map[string]string, cases int) {
	t.Helper()
	var lines []string
	for id := range misses {
		lines = append(lines, id)
	}
	sort.Strings(lines)
	t.Logf("%d of %d cases pass (%.2f %%)", cases-len(lines), cases, 100*float64(cases-len(lines))/float64(cases))
	if *update {
		if err := os.WriteFile(missesFile, []byte(strings.Join(append(lines, ""), "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(missesFile)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(strings.ReplaceAll(string(text), " ", "\u00a0"))
	for i := range known {
		known[i] = strings.ReplaceAll(known[i], "\u00a0", " ")
	}
	for _, id := range lines {
		if !slices.Contains(known, id) {
			t.Errorf("%s: %s", id, misses[id])
		} else {
			t.Logf("known miss %s: %s", id, misses[id])
		}
	}
	for _, id := range known {
		if misses[id] == "" {
			t.Errorf("%s passes now; take it out of %s", id, missesFile)
		}
	}
}

func readCases(t testing.TB, dir string) []value.Value {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "cases.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	var out []value.Value
	for lines.Scan() {
		v, err := value.Parse(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return out
}

// inputOf is the input of a case, undefined if it has none.
func inputOf(t testing.TB, dir string, c value.Value) value.Value {
	t.Helper()
	name, ok := c.Get("dataset").Str()
	if data, given := c.Lookup("data"); given || !ok {
		return data
	}
	text, err := os.ReadFile(filepath.Join(dir, "datasets", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return value.MustParse(string(text))
}

// judge runs a case and says what is wrong with the result.
func judge(t *testing.T, lang *Language, dir string, c value.Value) string {
	t.Helper()
	bindings := map[string]value.Value{}
	for _, m := range c.Get("bindings").Members() {
		bindings[m.Key] = m.Value
	}
	if input := inputOf(t, dir, c); !input.IsUndefined() {
		bindings[inputRoot] = input
	}
	src, _ := c.Get("expr").Str()
	got, err := evaluate(lang, src, c, bindings)
	code, _ := c.Get("code").Str()
	if e := c.Get("error"); !e.IsUndefined() {
		code, _ = e.Get("code").Str()
	}
	if code != "" {
		return judgeError(c, code, err, got)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%s: error %s %s", src, err.Code, err.Message)
	case c.Get("undefinedResult").Kind() == value.KindBool:
		if !got.IsUndefined() {
			return fmt.Sprintf("%s: %s, expected undefined", src, got)
		}
	case got.IsUndefined() || !alike(got, c.Get("result"), c.Get("unordered").Kind() == value.KindBool):
		return fmt.Sprintf("%s: %s (%s), expected %s", src, got, got.Kind(), c.Get("result"))
	}
	return ""
}

func judgeError(c value.Value, code string, err *expr.Error, got value.Value) string {
	src, _ := c.Get("expr").Str()
	if err == nil {
		return fmt.Sprintf("%s: %s, expected error %s", src, got, code)
	}
	// A limit of time is one of steps here.
	if timed := !c.Get("timelimit").IsUndefined() && err.Code == expr.CostExceeded; err.Code != code && !timed {
		return fmt.Sprintf("%s: error %s %s, expected %s", src, err.Code, err.Message, code)
	}
	for _, key := range []string{"token", "message"} {
		if want, ok := c.Get("error").Get(key).Str(); ok && !strings.Contains(err.Message, want) {
			return fmt.Sprintf("%s: message %q lacks %q", src, err.Message, want)
		}
	}
	return ""
}

func evaluate(lang *Language, src string, c value.Value, bindings map[string]value.Value) (value.Value, *expr.Error) {
	out, problems := lang.Compile(src, nil)
	if len(problems) > 0 {
		return value.Undefined, &expr.Error{Code: problems[0].Code, Message: problems[0].Message, Offset: problems[0].Offset}
	}
	if depth, ok := c.Get("depth").Int(); ok {
		out.(*compiled).deepest = int(max(depth, 100))
	}
	got, err := out.Eval(expr.Request{Bindings: bindings, Cost: expr.PoolCost, Seed: 1})
	var fault *expr.Error
	if errors.As(err, &fault) {
		return value.Undefined, fault
	}
	return got, nil
}

// alike compares results: numbers to the digits that float64 has, and lists
// in any order if the case says so.
func alike(a, b value.Value, unordered bool) bool {
	if x, ok := a.Float(); ok {
		y, ok := b.Float()
		return ok && math.Abs(x-y) <= 1e-14*math.Max(math.Abs(x), math.Abs(y))
	}
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case value.KindList:
		rest := slices.Clone(b.Items())
		for _, item := range a.Items() {
			i := 0
			if unordered {
				i = slices.IndexFunc(rest, func(v value.Value) bool { return alike(item, v, unordered) })
			}
			if i < 0 || !alike(item, rest[i], unordered) {
				return false
			}
			rest = slices.Delete(rest, i, i+1)
		}
		return true
	case value.KindObject:
		for _, m := range a.Members() {
			other, ok := b.Lookup(m.Key)
			if !ok || !alike(m.Value, other, unordered) {
				return false
			}
		}
		return true
	}
	return value.Equal(a, b)
}
