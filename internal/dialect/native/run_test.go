package native

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/value"
)

// TestRun runs testdata/run/*.txtar on the engine: what names mean is seen
// where they are read. "results" says how the attempts of a step end, by path:
//
//	load: {"total": 3}       the output, for all attempts
//	load: error exit.75      an error, for the next attempt only
//
// Steps that it does not name succeed with null. "trace" is what is expected:
// the attempts with their inputs in the order in which they started, then the
// outcome. Timers are due at once, the earliest first.
func TestRun(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/run/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			d := &driver{t: t, input: value.Object(), results: map[string][]string{}}
			var set *Set
			for _, f := range archive.Files {
				switch f.Name {
				case "workflow.yaml":
					var problems []diag.Diagnostic
					if set, problems = Load(testConfig(), []Source{{Path: f.Name, Text: f.Data}}); diag.HasErrors(problems) {
						t.Fatalf("problems %v", problems)
					}
				case "input":
					d.input = value.MustParse(string(f.Data))
				case "results":
					d.script(string(f.Data))
				}
			}
			if d.machine, err = engine.Prepare(set.Workflows[0].Program, map[string]expr.Language{cel.Name: cel.New()}); err != nil {
				t.Fatal(err)
			}
			compare(t, name, archive, map[string]string{"trace": d.drive()})
		})
	}
}

// driver plays everything around the engine.
type driver struct {
	t       *testing.T
	machine *engine.Machine
	input   value.Value
	results map[string][]string
	run     *engine.Run
	now     time.Time
	timers  []engine.SetTimer
	queue   []engine.Input
	trace   strings.Builder
}

func (d *driver) script(text string) {
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		path, result, ok := strings.Cut(line, ": ")
		if !ok {
			d.t.Fatalf("results: %q", line)
		}
		d.results[path] = append(d.results[path], result)
	}
}

func (d *driver) drive() string {
	d.run = engine.NewRun("r1")
	d.now = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	vars := value.Object(value.M("HOST", value.String("db")), value.M("TIMEOUT", value.String("1m")))
	accept := engine.Accept{Input: d.input, Vars: vars, BusinessDate: "2026-03-02", Seed: 1}
	in, faults := d.machine.CheckInput("r1", accept, d.now)
	if len(faults) > 0 {
		d.t.Fatalf("input: %v", faults)
	}
	accept.Input = in
	d.queue = []engine.Input{accept}
	for steps := 0; len(d.queue) > 0; steps++ {
		if steps > 1000 {
			d.t.Fatal("the run does not end")
		}
		next := d.queue[0]
		d.queue = d.queue[1:]
		decision, err := d.machine.Decide(d.run, next, engine.Context{Now: d.now})
		if err != nil {
			d.t.Fatal(err)
		}
		for _, c := range decision.Commands {
			d.command(c)
		}
		if len(d.queue) == 0 {
			d.fire()
		}
	}
	return d.trace.String()
}

func (d *driver) command(c engine.Command) {
	switch c := c.(type) {
	case engine.Dispatch:
		secrets := ""
		for _, s := range c.Task.Secrets {
			secrets += " secret in " + strings.Join(s.Path, ".")
		}
		fmt.Fprintf(&d.trace, "%s %d %s %s%s\n", c.Task.Path, c.Task.Attempt, c.Task.Uses, c.Task.Input, secrets)
		d.queue = append(d.queue, engine.TaskEnded{Act: c.Task.Act, Attempt: c.Task.Attempt, Outcome: d.outcome(c.Task.Path)})
	case engine.CancelTask:
		fmt.Fprintf(&d.trace, "%s canceled\n", c.Path)
	case engine.SetTimer:
		d.timers = append(d.timers, c)
	case engine.ClearTimer:
		d.timers = slices.DeleteFunc(d.timers, func(t engine.SetTimer) bool { return t.Timer == c.Timer })
	case engine.NeedEval:
		d.queue = append(d.queue, c.Eval.Evaluate(nil))
	case engine.RunEnded:
		fmt.Fprintf(&d.trace, "run %s %s %s\n", c.State, c.Output, c.Error.Value())
	}
}

func (d *driver) outcome(path string) engine.TaskOutcome {
	out := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.Null, StartedAt: d.now, EndedAt: d.now}
	results := d.results[path]
	if len(results) == 0 {
		return out
	}
	if name, failed := strings.CutPrefix(results[0], "error "); failed {
		d.results[path] = results[1:]
		out.Kind, out.Error = engine.OutcomeFailed, &engine.Error{Name: name, Message: "it said " + name, Details: value.Object()}
		return out
	}
	out.Output = value.MustParse(results[0])
	return out
}

// fire lets the earliest timer be due.
func (d *driver) fire() {
	if len(d.timers) == 0 {
		return
	}
	first := slices.MinFunc(d.timers, func(a, b engine.SetTimer) int { return a.At.Compare(b.At) })
	d.timers = slices.DeleteFunc(d.timers, func(t engine.SetTimer) bool { return t.Timer == first.Timer })
	fmt.Fprintf(&d.trace, "after %s\n", first.At.Sub(d.now))
	d.now = first.At
	d.queue = append(d.queue, engine.TimerDue{Timer: first.Timer})
}
