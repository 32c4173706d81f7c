package examples_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The state machine really runs its functions.
func TestStepFunctions(t *testing.T) {
	t.Parallel()
	folder := example(t, "step-functions")
	d, code := newWorld(t).run(t, folder, "--input", "@"+filepath.Join(folder, "order.json"))
	if code != 0 || d.Run.State != "succeeded" {
		t.Fatalf("exit code %d, state %s, error %s: %s", code, d.Run.State, d.Run.Error.Name, d.Run.Error.Message)
	}
	got, err := json.Marshal(d.Run.Output)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"order":"4711","payment":{"receipt":"R-4711"},"shipped":{"parcels":2},"total":1310}`
	if string(got) != want {
		t.Errorf("output %s, want %s", got, want)
	}
	if shelf := d.step(t, "Reserve lines[1]/Reserve").object(t)["shelf"]; shelf != "i1" {
		t.Errorf("the second line is reserved on %v", shelf)
	}
}

// The mock configuration that it had for Step Functions Local still works.
func TestStepFunctionsMocks(t *testing.T) {
	t.Parallel()
	folder := example(t, "step-functions")
	for name, want := range map[string]struct {
		code, attempts int
		failure        string
	}{
		"Paid": {0, 1, ""}, "BusyThenPaid": {0, 3, ""}, "Declined": {1, 1, "Payment.Declined"},
	} {
		d, code := newWorld(t).run(t, folder, "--input", "@"+filepath.Join(folder, "order.json"), "--time", "virtual",
			"--mocks", filepath.Join(folder, "mocks.json")+"#"+name)
		if code != want.code || d.Run.Error.Name != want.failure || d.step(t, "Charge").Attempts != want.attempts {
			t.Errorf("%s: exit code %d, error %q, %d attempts to charge", name, code, d.Run.Error.Name, d.step(t, "Charge").Attempts)
		}
	}
}

// fenced is a block of a page: its language and text.
var fenced = regexp.MustCompile("(?ms)^```(sh|yaml)\n(.*?)^```$")

// The migration of the page works as it says: its files are written and its
// commands called, in order, in a copy of the example that has no files of ours.
func TestComingFromStepFunctions(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/coming-from-step-functions.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if err := os.CopyFS(w.dir, os.DirFS("step-functions")); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"resources.yaml", "order.test.yaml"} {
		if err := os.Remove(filepath.Join(w.dir, own)); err != nil {
			t.Fatal(err)
		}
	}
	commands := 0
	for _, block := range fenced.FindAllStringSubmatch(string(page), -1) {
		if first, _, _ := strings.Cut(block[2], "\n"); block[1] == "yaml" && strings.HasPrefix(first, "# ") {
			if err := os.WriteFile(filepath.Join(w.dir, strings.TrimPrefix(first, "# ")), []byte(block[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for line := range strings.Lines(block[2]) {
			args := strings.Fields(line)
			commands++
			if code, out := w.regie(t, args[1:]...); code != 0 {
				t.Errorf("%s ended with %d:\n%s", line, code, out)
			}
		}
	}
	if commands < 6 {
		t.Errorf("the page has %d commands", commands)
	}
}
