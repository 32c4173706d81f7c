package asl_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// TestConformance converts every definition of the cases in the folder asl
// below REGIE_CONFORMANCE: what is written is valid, everything that stands in
// a state is in the report, and a machine that converts without loss and needs
// no more than functions ends as it does as it is.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	count := map[string]int{}
	for _, c := range asltest.ReadCases(t, filepath.Join(dir, "asl")) {
		m, problems := readCase(c)
		if m == nil || asl.HasErrors(problems) {
			continue
		}
		count["definitions"]++
		id := c.Get("id").Text()
		checkPlaceholders(t, id, m)
		r := convert.Convert(convert.Config{Name: "machine", Target: target}, m)
		if r.YAML == nil {
			count["without structure"]++
			continue
		}
		count["converted"]++
		linked, err := prepare(r.YAML)
		if err != nil {
			t.Errorf("%s: %v\n%s", id, err, r.YAML)
			continue
		}
		checkAccounted(t, id, c.Get("definition"), r.Report)
		if r.Report.Count(convert.Lost) > 0 {
			continue
		}
		count["without loss"]++
		if needs := c.Get("needs"); c.Get("kind").Text() == "execution" && needs.Len() == 1 && (needs.At(0).Text() == "none" || needs.At(0).Text() == "lambda") {
			count[compareRuns(t, c, m, r, linked)]++
		}
	}
	for _, name := range []string{"definitions", "converted", "without structure", "without loss", "equal", "equal failure", "differs, as reported"} {
		t.Logf("%-22s %4d", name, count[name])
	}
	if count["definitions"] < 600 || count["equal"] < 100 {
		t.Errorf("there are %d definitions, of which %d end alike", count["definitions"], count["equal"])
	}
}

// checkPlaceholders: without a mapping too, and where there is no structure.
func checkPlaceholders(t *testing.T, id string, m *asl.Machine) {
	t.Helper()
	r := convert.Convert(convert.Config{Name: "machine", Partial: true}, m)
	if _, err := prepare(r.YAML); err != nil {
		t.Errorf("%s, with placeholders: %v\n%s", id, err, r.YAML)
	}
}

// compareRuns runs both forms of a machine.
func compareRuns(t *testing.T, c value.Value, m *asl.Machine, r convert.Result, linked *engine.Machine) string {
	t.Helper()
	id := c.Get("id").Text()
	source, err := asIs(m)
	if err != nil {
		t.Errorf("%s: compile it as it is: %v", id, err)
		return "not compared"
	}
	respond := func(resource string, input value.Value, _ int) (value.Value, *engine.Error, time.Duration) {
		return asltest.Lambda(c, resource, input)
	}
	a := &driver{machine: source, answer: respond}
	b := &driver{machine: linked, answer: respond}
	input := c.Get("input")
	if err := a.drive(input); err != nil {
		t.Errorf("%s: run it as it is: %v", id, err)
		return "not compared"
	}
	differs := slices.ContainsFunc(r.Report, func(e convert.Entry) bool { return e.Differs })
	if err := b.drive(wrapped(r, input)); err != nil {
		if differs {
			return "differs, as reported"
		}
		if a.ended.State != engine.Succeeded && strings.HasPrefix(err.Error(), "input:") {
			return "equal failure"
		}
		t.Errorf("%s: %v\n%s", id, err, r.YAML)
		return "unequal"
	}
	switch {
	case a.ended.State != b.ended.State:
	case a.ended.State == engine.Succeeded && value.Equal(a.ended.Output, b.ended.Output):
		return "equal"
	case a.ended.State != engine.Succeeded && (a.ended.Error.Name == b.ended.Error.Name || strings.HasPrefix(a.ended.Error.Name, "States.") || a.ended.Error.Name == ""):
		return "equal failure"
	}
	if differs {
		return "differs, as reported"
	}
	t.Errorf("%s: as it is %s %s %s, converted %s %s %s\ninput %s\n%s\n%s", id, a.ended.State, a.ended.Output, a.ended.Error.Value(),
		b.ended.State, b.ended.Output, b.ended.Error.Value(), input, c.Get("definition").Indent(), r.YAML)
	return "unequal"
}

// checkAccounted walks the text of a definition: every field of a state has an
// entry with the name of the state.
func checkAccounted(t *testing.T, id string, definition value.Value, report convert.Report) {
	t.Helper()
	said := map[string]bool{}
	for _, e := range report {
		said[e.State+"/"+e.Construct] = true
	}
	for _, missing := range unsaid(definition, said) {
		t.Errorf("%s: the report does not mention %s", id, missing)
	}
}

// elsewhere are fields that are reported under another name, or by what they
// say about others.
var elsewhere = map[string]string{
	"States": "", "QueryLanguage": "", "Iterator": "ItemProcessor", "TimeoutSecondsPath": "", "ItemReader": "ItemReader",
}

func unsaid(flow value.Value, said map[string]bool) []string {
	var out []string
	for _, s := range flow.Get("States").Members() {
		for _, f := range s.Value.Members() {
			construct := f.Key
			if other, ok := elsewhere[construct]; ok {
				construct = other
			}
			if construct == "Parameters" && s.Value.Get("Type").Text() == "Map" {
				construct = "ItemSelector"
			}
			isEmpty := f.Value.Len() == 0 && (construct == "Retry" || construct == "Catch" || construct == "Comment" || construct == "Assign") || construct == "End" && !isTrue(f.Value)
			if construct != "" && !isEmpty && !said[s.Key+"/"+construct] {
				out = append(out, s.Key+"/"+f.Key)
			}
		}
		for _, b := range s.Value.Get("Branches").Items() {
			out = append(out, unsaid(b, said)...)
		}
		for _, name := range []string{"ItemProcessor", "Iterator"} {
			out = append(out, unsaid(s.Value.Get(name), said)...)
		}
	}
	return out
}

func isTrue(v value.Value) bool { b, _ := v.Bool(); return b }

func readCase(c value.Value) (*asl.Machine, []asl.Diagnostic) {
	definition := c.Get("definition")
	text, ok := definition.Str()
	if !ok {
		text = definition.Indent()
	}
	text = strings.ReplaceAll(text, `"activity_arn"`, `"arn:aws:states:us-east-1:111111111111:activity:work"`)
	return asl.Read(aslConfig(asl.MachineType(c.Get("type").Text())), "case.asl.json", []byte(text))
}
