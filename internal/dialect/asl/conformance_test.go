package asl_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
)

var update = flag.Bool("update", false, "write the lists of known misses in testdata anew")

const missesFile = "testdata/known-misses.txt"

// TestConformance judges the reading of definitions by the cases in the folder
// asl below REGIE_CONFORMANCE: those of validation and of variables, and that
// every definition that was executed is valid. The cases that fail are listed
// in a file, which must be exact.
func TestConformance(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("REGIE_CONFORMANCE")
	if dir == "" {
		t.Skip("REGIE_CONFORMANCE is not set: it names the folder with the conformance cases") //nolint:forbidigo // the cases are not part of Regie
	}
	least := map[string]int{"validate": 19, "variable_references": 9, "execution": 637} // so that none are lost unnoticed
	passed, total, misses := map[string]int{}, map[string]int{}, map[string]string{}
	judges := map[string]func(value.Value) string{"validate": judgeValidate, "variable_references": judgeVariables, "execution": judgeExecuted}
	for _, c := range asltest.ReadCases(t, filepath.Join(dir, "asl")) {
		kind, id := c.Get("kind").Text(), c.Get("id").Text()
		judge := judges[kind]
		if judge == nil {
			continue
		}
		total[kind]++
		if fault := judge(c); fault != "" {
			misses[id] = fault
		} else {
			passed[kind]++
		}
	}
	for kind, n := range least {
		t.Logf("%-20s %4d of %4d", kind, passed[kind], total[kind])
		if total[kind] < n {
			t.Errorf("there are %d cases of %s, expected at least %d", total[kind], kind, n)
		}
	}
	asltest.CompareMisses(t, misses, missesFile, *update)
}

func read(c value.Value) (*asl.Machine, []asl.Diagnostic) {
	definition := c.Get("definition")
	text, ok := definition.Str()
	if !ok {
		text = definition.Indent()
	}
	return asl.Read(config(asl.MachineType(c.Get("type").Text())), "case.asl.json", []byte(withActivity(text)))
}

// withActivity puts the ARN of an activity in the place of the word that the
// recorder put there.
func withActivity(text string) string {
	return strings.ReplaceAll(text, "activity_arn", "arn:aws:states:us-east-1:111111111111:activity:work")
}

func config(kind asl.MachineType) asl.Config {
	return asl.Config{JSONata: jsonata.New(jsonata.Config{AWS: true}), Type: kind}
}

func judgeExecuted(c value.Value) string {
	_, problems := read(c)
	return asl.InvalidDefinition(problems)
}

func judgeVariables(c value.Value) string {
	machine, problems := read(c)
	if asl.HasErrors(problems) {
		return asl.InvalidDefinition(problems)
	}
	var members []value.Member
	for state, names := range machine.VariableReferences() {
		list, _ := value.From(names)
		members = append(members, value.M(state, list))
	}
	got := value.Object(members...)
	if want := c.Get("expect").Get("variable_references"); !value.Equal(got, want) {
		return fmt.Sprintf("got %s, want %s", got, want)
	}
	return ""
}

// judgeValidate compares the verdict, and what is said of it: all of it is
// compared, so that a case of level 1 passes at level 3 too.
func judgeValidate(c value.Value) string {
	_, problems := read(c)
	expect := c.Get("expect")
	want := expect.Get("message").Text()
	got := asl.InvalidDefinition(problems)
	if list, ok := expect.Lookup("diagnostics"); ok {
		want, got = list.String(), diagnostics(problems).String()
	}
	if want != got {
		return fmt.Sprintf("got %s, want %s", got, want)
	}
	return ""
}

func diagnostics(problems []asl.Diagnostic) value.Value {
	items := []value.Value{}
	for _, p := range problems {
		if p.Severity == asl.Error {
			items = append(items, value.Object(
				value.M("code", value.String(p.Code)), value.M("location", value.String(p.Location)),
				value.M("message", value.String(p.Message)), value.M("severity", value.String(string(p.Severity)))))
		}
	}
	return value.List(items...)
}
