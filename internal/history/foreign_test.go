package history_test

import (
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// counting counts to a number, then fails.
const counting = `{"StartAt": "Count", "States": {
  "Count": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)", "to.$": "$.to"}, "Next": "Enough?"},
  "Enough?": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThanPath": "$.to", "Next": "Count"}], "Default": "Fail"},
  "Fail": {"Type": "Pass", "InputPath": "$.nothing", "End": true}
}}`

// TestErrorOfAStateMachine: the error of a run is told with the number of the
// event, unless there are too many.
func TestErrorOfAStateMachine(t *testing.T) {
	t.Parallel()
	lang := jsonata.New(jsonata.Config{AWS: true})
	definition, problems := asl.Read(asl.Config{JSONata: lang}, "x.asl.json", []byte(counting))
	if asl.HasErrors(problems) {
		t.Fatal(problems)
	}
	program, _ := asl.Compile(asl.CompileConfig{Name: "x", JSONata: lang}, definition)
	program.Definition = &workflow.Definition{File: "x.asl.json", Text: counting}
	machine, err := engine.Prepare(program, map[string]expr.Language{asl.Name: asl.NewLanguage(lang)})
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`{"n": 0, "to": 1}`:     "An error occurred while executing the state 'Fail' (entered at the event id #6). Invalid path '$.nothing'",
		`{"n": 0, "to": 12000}`: "Invalid path '$.nothing'",
	} {
		b := history.NewBuilder("r", machine)
		queue := []engine.Input{engine.Accept{Input: value.MustParse(input), Seed: 1}}
		run := engine.NewRun("r")
		for len(queue) > 0 {
			d, err := machine.Decide(run, queue[0], engine.Context{Now: time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			queue = queue[1:]
			for i := range d.Events {
				if _, err := b.Add(&d.Events[i]); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range d.Commands {
				if need, ok := c.(engine.NeedEval); ok {
					queue = append(queue, need.Eval.Evaluate(nil))
				}
			}
		}
		got := b.Run().Error
		if got == nil || got.Name != "States.Runtime" || len(got.Message) < len(want) || got.Message[:len(want)] != want {
			t.Errorf("%s: %v, want %s", input, got, want)
		}
	}
}
