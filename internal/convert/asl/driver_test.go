package asl_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// driver plays everything around the engine: timers are due at once, the
// earliest first, and tasks are answered by a function.
type driver struct {
	machine *engine.Machine
	answer  answer
	run     *engine.Run
	now     time.Time
	timers  []engine.SetTimer
	queue   []engine.Input
	calls   []string // resources with their arguments
	ended   *engine.RunEnded
}

type answer func(resource string, input value.Value, attempt int) (value.Value, *engine.Error, time.Duration)

const maxSteps = 20_000

func (d *driver) drive(input value.Value) error {
	d.run = engine.NewRun("r1")
	d.now = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	accept := engine.Accept{Input: input, BusinessDate: "2026-03-02", Seed: 1}
	in, faults := d.machine.CheckInput("r1", accept, d.now)
	if len(faults) > 0 {
		return fmt.Errorf("input: %v", faults)
	}
	accept.Input = in
	d.queue = []engine.Input{accept}
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
		for _, c := range decision.Commands {
			d.command(c)
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
	out := engine.TaskOutcome{Kind: engine.OutcomeSucceeded, StartedAt: d.now, EndedAt: d.now}
	var failed *engine.Error
	takes := time.Duration(0)
	switch t.Uses {
	case "json.transform":
		out.Output, failed = transform(t.Input)
	case "test":
		d.calls = append(d.calls, fmt.Sprintf("%s %s", t.Input.Get("resource"), t.Input.Get("input")))
		out.Output, failed, takes = d.answer(t.Input.Get("resource").Text(), t.Input.Get("input"), t.Attempt)
	default:
		failed = &engine.Error{Name: "exit.1", Message: "not converted"}
	}
	if failed != nil {
		out.Kind, out.Error = engine.OutcomeFailed, failed
	}
	if t.Timeout > 0 && takes > t.Timeout {
		out.Kind, out.Error = engine.OutcomeFailed, &engine.Error{Name: engine.ErrTimeout}
	}
	d.queue = append(d.queue, engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: out})
}

// transform does what of json.transform the converter uses: set.
func transform(in value.Value) (value.Value, *engine.Error) {
	out := in.Get("input")
	for _, op := range in.Get("operations").Items() {
		for _, m := range op.Get("set").Members() {
			var ok bool
			if out, ok = set(out, strings.Split(m.Key, "."), m.Value); !ok {
				return value.Null, &engine.Error{Name: "json.wrong_kind", Message: "set " + m.Key}
			}
		}
	}
	return value.Object(value.M("result", out)), nil
}

func set(in value.Value, path []string, v value.Value) (value.Value, bool) {
	if in.Kind() != value.KindObject {
		return in, false
	}
	if len(path) == 1 {
		return in.With(path[0], v), true
	}
	inner, there := in.Lookup(path[0])
	if !there {
		inner = value.Object()
	}
	inner, ok := set(inner, path[1:], v)
	return in.With(path[0], inner), ok
}

// fire lets the earliest timer be due.
func (d *driver) fire() {
	if len(d.timers) == 0 {
		return
	}
	first := slices.MinFunc(d.timers, func(a, b engine.SetTimer) int { return a.At.Compare(b.At) })
	d.timers = slices.DeleteFunc(d.timers, func(t engine.SetTimer) bool { return t.Timer == first.Timer })
	d.now = first.At
	d.queue = append(d.queue, engine.TimerDue{Timer: first.Timer})
}

func language() *jsonata.Language { return jsonata.New(jsonata.Config{AWS: true}) }

func aslConfig(kind asl.MachineType) asl.Config {
	return asl.Config{JSONata: language(), Type: kind}
}

// asIs is the machine as the engine runs it.
func asIs(m *asl.Machine) (*engine.Machine, error) {
	target := func(r asl.Resource) (asl.Target, bool) {
		return asl.Target{Uses: "test", With: func(arguments workflow.Data) workflow.Data {
			return workflow.Data{Object: []workflow.DataMember{
				{Key: "resource", Data: workflow.Data{Const: value.String(r.Text)}}, {Key: "input", Data: arguments},
			}}
		}}, r.Subject == "" // functions that are named get the whole arguments, too
	}
	program, problems := asl.Compile(asl.CompileConfig{Name: "machine", JSONata: language(), Target: target}, m)
	if asl.HasErrors(problems) {
		return nil, fmt.Errorf("%v", problems)
	}
	return engine.Prepare(program, map[string]expr.Language{asl.Name: asl.NewLanguage(language())})
}

// target maps every resource to the connector test.
func target(r asl.Resource) (convert.Call, bool) {
	return convert.Call{Uses: "test", With: []value.Member{value.M("resource", value.String(r.Text))}, Input: "input"}, true
}

func nativeConfig() native.Config {
	anything := descriptor.Type{Kind: descriptor.Any}
	return native.Config{Expr: cel.New(), Connectors: []native.Connector{
		{Name: "test", Doc: "Calls a resource.", Input: &descriptor.Object{Name: "test", Fields: []descriptor.Field{
			{Name: "resource", Doc: "x", Type: descriptor.Type{Kind: descriptor.String}}, {Name: "input", Doc: "x", Type: anything, Template: true},
		}}},
		{
			Name: "json.transform", Doc: "Reshapes.",
			Input: &descriptor.Object{Name: "json.transform", Fields: []descriptor.Field{
				{Name: "input", Doc: "x", Type: anything, Required: true, Template: true}, {Name: "operations", Doc: "x", Type: anything, Template: true},
			}},
			Output: &descriptor.Object{Name: "result", Fields: []descriptor.Field{{Name: "result", Doc: "x", Type: anything, Required: true}}},
		},
	}}
}

// prepare is the converted machine as the engine runs it.
func prepare(text []byte) (*engine.Machine, error) {
	set, problems := native.Load(nativeConfig(), []native.Source{{Path: "x.yaml", Text: text}})
	if diag.HasErrors(problems) {
		return nil, fmt.Errorf("not valid: %v", problems)
	}
	return engine.Prepare(set.Workflows[0].Program, map[string]expr.Language{cel.Name: cel.New()})
}

// wrapped is the input of the machine as the workflow takes it.
func wrapped(r convert.Result, input value.Value) value.Value {
	if r.WholeInput {
		return value.Object(value.M("input", input))
	}
	var members []value.Member
	for _, name := range r.Inputs {
		if v, ok := input.Lookup(name); ok {
			members = append(members, value.M(name, v))
		}
	}
	return value.Object(members...)
}
