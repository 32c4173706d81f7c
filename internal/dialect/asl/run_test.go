package asl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/asl/asltest"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// driver plays everything around the engine: timers are due at once, the
// earliest first, and tasks are answered by a function.
type driver struct {
	machine *engine.Machine
	answer  func(resource string, input value.Value, attempt int) (value.Value, *engine.Error, time.Duration)
	run     *engine.Run
	now     time.Time
	timers  []engine.SetTimer
	queue   []engine.Input
	trace   strings.Builder
	events  []engine.Event
	cancel  string // the reason with which the run is canceled once it only waits
	// messages, if set, are what outsiders say about a task that a message ends;
	// else its answer is that too.
	messages func(t engine.Task) []engine.Callback
	early    bool // they come before the attempt has ended
	ended    *engine.RunEnded
}

// testTarget gives tasks the resource beside the arguments.
func testTarget(r asl.Resource) (asl.Target, bool) {
	return asl.Target{Store: "data", Uses: "test", With: func(arguments workflow.Data) workflow.Data {
		return workflow.Data{Object: []workflow.DataMember{
			{Key: "resource", Data: workflow.Data{Const: value.String(r.Text)}}, {Key: "input", Data: arguments},
		}}
	}}, r.Name != "unmapped" && r.Subject == "" // functions that are named get the whole arguments, too
}

// compile links a machine; what the configuration leaves out is that of tests.
func compile(m *asl.Machine, cfg asl.CompileConfig) (*engine.Machine, error) {
	lang := jsonata.New(jsonata.Config{AWS: true})
	cfg.Name, cfg.JSONata, cfg.Target = "machine", lang, testTarget
	program, problems := asl.Compile(cfg, m)
	if asl.HasErrors(problems) {
		return nil, fmt.Errorf("%v", problems)
	}
	data, _, err := workflow.Encode(program)
	if err != nil {
		return nil, err
	}
	if program, err = workflow.Decode(data); err != nil {
		return nil, err
	}
	return engine.Prepare(program, map[string]expr.Language{asl.Name: asl.NewLanguage(lang)})
}

const maxSteps = 20_000

func (d *driver) drive(input value.Value) error {
	d.run = engine.NewRun("r1")
	d.now = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	accept := engine.Accept{Input: input, BusinessDate: "2026-03-02", Seed: 1}
	return d.proceed(accept)
}

// proceed gives the run an input and goes on until it has ended.
func (d *driver) proceed(in engine.Input) error {
	d.queue, d.ended = []engine.Input{in}, nil
	for steps := 0; len(d.queue) > 0 && d.ended == nil; steps++ {
		if steps > maxSteps {
			return fmt.Errorf("the run does not end")
		}
		in := d.queue[0]
		d.queue = d.queue[1:]
		decision, err := d.machine.Decide(d.run, in, engine.Context{Now: d.now})
		if err != nil {
			return err
		}
		d.events = append(d.events, decision.Events...)
		for _, c := range decision.Commands {
			d.command(c)
		}
		if len(d.queue) == 0 && d.cancel != "" {
			d.queue, d.cancel = []engine.Input{engine.Cancel{Reason: d.cancel}}, ""
		}
		if len(d.queue) == 0 {
			d.fire()
		}
	}
	if d.ended == nil {
		return fmt.Errorf("the run did not end")
	}
	return nil
}

func (d *driver) command(c engine.Command) {
	switch c := c.(type) {
	case engine.Dispatch:
		d.dispatch(c.Task)
	case engine.CancelTask:
		d.queue = append(d.queue, engine.TaskEnded{Act: c.Act, Attempt: c.Attempt, Outcome: engine.TaskOutcome{Kind: engine.OutcomeCanceled}})
	case engine.SetTimer:
		d.timers = append(d.timers, c)
	case engine.ClearTimer:
		d.timers = slices.DeleteFunc(d.timers, func(t engine.SetTimer) bool { return t.Timer == c.Timer })
	case engine.NeedEval:
		d.queue = append(d.queue, c.Eval.Evaluate(nil))
	case engine.RunEnded:
		d.ended = &c
	}
}

func (d *driver) dispatch(t engine.Task) {
	fmt.Fprintf(&d.trace, "%s %d %s\n", t.Path, t.Attempt, t.Input)
	out := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, StartedAt: d.now, EndedAt: d.now, Final: true}
	resource, input := t.Input.Get("resource").Text(), t.Input.Get("input")
	if t.Uses != "test" {
		resource, input = t.Uses, t.Input
	}
	v, failed, takes := d.answer(resource, input, t.Attempt)
	out.Output = v
	if failed != nil {
		out.Kind, out.Error = engine.OutcomeFailed, failed
		if failed.Engine == engine.ErrAttemptLost {
			out.Kind = engine.OutcomeLost
		}
	}
	if t.Timeout > 0 && takes > t.Timeout {
		out.Kind, out.Error = engine.OutcomeFailed, &engine.Error{Name: engine.ErrTimeout}
	}
	if d.messages == nil || t.Node.Task.Finish == workflow.FinishResult {
		d.queue = append(d.queue, engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: out})
		return
	}
	out.Final = false
	ended := engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: out}
	if !d.early {
		d.queue = append(d.queue, ended)
	}
	for _, m := range d.messages(t) {
		m.Token = engine.Token(d.run, d.run.Acts[t.Act], t.Attempt)
		d.queue = append(d.queue, m)
	}
	if d.early {
		d.queue = append(d.queue, ended)
	}
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

// TestRun runs the definitions of testdata/run.yaml on the engine and compares
// the attempts, the waits and the end.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range asltest.Documents(t, "testdata/run.yaml") {
		name := c.Get("case").Text
		machine, problems := asl.Read(config(asl.Standard), "x.asl.yaml", []byte(c.Get("definition").Text))
		if asl.HasErrors(problems) {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		linked, err := compile(machine, asl.CompileConfig{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		answers := c.Get("answers").ToValue()
		d := &driver{machine: linked, answer: func(resource string, _ value.Value, attempt int) (value.Value, *engine.Error, time.Duration) {
			list := answers.Get(resource)
			a := list.At(min(attempt, list.Len()) - 1)
			if e := a.Get("error"); !e.IsUndefined() {
				return value.Null, &engine.Error{Name: e.Text(), Message: "it said " + e.Text()}, 0
			}
			return a, nil, 0
		}}
		input := value.Object()
		if n := c.Get("input"); n != nil {
			input = n.ToValue()
		}
		if err := d.drive(input); err != nil {
			t.Errorf("%s: %v\n%s", name, err, &d.trace)
			continue
		}
		got := d.trace.String() + fmt.Sprintf("%s %s %s\n", d.ended.State, d.ended.Output, d.ended.Error.Value())
		if want := c.Get("trace").Text; got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}
