package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/workflow"
)

// resource is what the tasks of state machines call; a mock stands in for it.
const resource = "arn:aws:lambda:local:000000000000:function:noop"

// state is one state of a generated state machine.
type state map[string]any

// chain is a state machine of n states, one after the other.
func chain(n int, of state) map[string]any {
	states := make(map[string]any, n)
	for i := range n {
		s := maps.Clone(of)
		if i+1 < n {
			s["Next"] = fmt.Sprintf("S%d", i+1)
		} else {
			s["End"] = true
		}
		states[fmt.Sprintf("S%d", i)] = s
	}
	return map[string]any{"StartAt": "S0", "States": states}
}

// fan is a state machine that goes over its items at once, then joins.
func fan() map[string]any {
	task := func(end state) state {
		end["Type"], end["Resource"] = "Task", resource
		return end
	}
	return map[string]any{"StartAt": "Each", "States": map[string]any{
		"Each": state{
			"Type": "Map", "ItemsPath": "$.items", "Next": "Join",
			"ItemProcessor": map[string]any{"StartAt": "One", "States": map[string]any{"One": task(state{"End": true})}},
		},
		"Join": task(state{"End": true}),
	}}
}

// compileMachine compiles a state machine as `regie run` does.
func compileMachine(name string, kind asl.MachineType, definition map[string]any) (*workflow.Program, error) {
	text, err := json.Marshal(definition)
	if err != nil {
		return nil, fmt.Errorf("write the state machine: %w", err)
	}
	language := jsonata.New(jsonata.Config{AWS: true})
	machine, problems := asl.Read(asl.Config{JSONata: language, Type: kind}, name+".asl.json", text)
	if asl.HasErrors(problems) {
		return nil, errors.New(problems[0].Message)
	}
	program, problems := asl.Compile(asl.CompileConfig{
		Name: name, Type: kind, JSONata: language,
		Target: func(asl.Resource) (asl.Target, bool) { return asl.Target{Uses: workflow.UsesProcess}, true },
	}, machine)
	if asl.HasErrors(problems) {
		return nil, errors.New(problems[0].Message)
	}
	return program, nil
}
