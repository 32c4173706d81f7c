package asl

import (
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Other is another state machine that a Task may start and wait for. It becomes
// a body of the program: its execution is part of the run.
type Other struct {
	// ARN is the ARN that names it, in which * stands for any text.
	ARN     string
	Name    string
	Machine *Machine
}

// startsMachine reports whether the resource starts a state machine, and waits
// for its end.
func (r Resource) startsMachine() bool {
	return r.Kind == Integration && r.Service == "states" && r.Action == "startExecution" && (r.Pattern == Sync || r.Pattern == Sync2)
}

// other compiles a Task that starts another state machine to a call: of a body
// that chooses the machine by the ARN, runs it, and describes its execution.
func (e *emitter) other(n *workflow.Node) {
	id := workflow.BodyID(len(e.prog.Bodies))
	e.prog.Bodies = append(e.prog.Bodies, workflow.Body{})
	n.Kind, n.Call = workflow.KindCall, &workflow.Call{Body: id}
	choice := &workflow.Choice{}
	nodes := []workflow.Node{{ID: "machine", Kind: workflow.KindChoice, Choice: choice}}
	input := workflow.Source{Root: workflow.RootFrame, Name: "input"}
	for i := range e.cfg.Machines {
		o := &e.cfg.Machines[i]
		run := workflow.NodeID(len(nodes))
		failed := run + 1
		choice.Cases = append(choice.Cases, workflow.Case{Next: &run, If: e.made(Operation{Test: &TestSource{
			Variable: "$.StateMachineArn", Operator: "StringMatches", Literal: value.String(o.ARN),
		}}, workflow.Source{Root: workflow.RootEffective}).Expr})
		describe := func(with ...workflow.DataMember) []workflow.Stage {
			return []workflow.Stage{{Data: e.execution(o, input, with)}, {Data: e.made(Operation{Make: MakeExecution}, workflow.Source{Root: workflow.RootStage})}}
		}
		call := workflow.Node{
			ID: o.Name, Kind: workflow.KindCall,
			Call:   &workflow.Call{Body: e.machineBody(o), With: e.made(Operation{Make: MakeInput}, input)},
			Result: describe(workflow.DataMember{Key: "output", Data: *e.data(workflow.Source{Root: workflow.RootStage})}),
			Catch:  []workflow.Catch{{Match: []string{"*"}, Next: &failed}},
		}
		if o.Machine.TimeoutSeconds != nil {
			call.Timeout = constant(o.Machine.TimeoutSeconds.Literal)
		}
		raise := workflow.Node{
			ID: o.Name + " failed", Kind: workflow.KindRaise,
			Input: append(describe(workflow.DataMember{Key: "error", Data: *e.data(workflow.Source{Root: workflow.RootRaw})}),
				workflow.Stage{Data: e.made(Operation{Make: MakeText}, workflow.Source{Root: workflow.RootStage})}),
			Raise: &workflow.Raise{Name: constant(value.String(errTaskFailed)), Message: e.data(workflow.Source{Root: workflow.RootEffective})},
		}
		nodes = append(nodes, call, raise)
	}
	unknown := workflow.NodeID(len(nodes))
	choice.Cases = append(choice.Cases, workflow.Case{Next: &unknown})
	nodes = append(nodes, workflow.Node{ID: "unknown", Kind: workflow.KindRaise, Raise: &workflow.Raise{
		Name:    constant(value.String("StepFunctions.StateMachineDoesNotExistException")),
		Message: e.made(Operation{Path: "States.Format('State Machine Does Not Exist: {}', $.StateMachineArn)"}, input),
	}})
	for i := range nodes {
		nodes[i].Origin = workflow.Origin{Path: e.s.Location, File: e.s.Pos.File, Line: e.s.Pos.Line, Kind: "Task execution"}
	}
	e.prog.Bodies[id] = workflow.Body{Start: []workflow.NodeID{0}, Nodes: nodes, Rule: workflow.Rule{OnFailure: workflow.CancelRest}}
}

// execution is what [MakeExecution] describes.
func (e *emitter) execution(o *Other, input workflow.Source, with []workflow.DataMember) *workflow.Data {
	place := e.cfg.Place.OrDefault()
	members := []workflow.DataMember{
		{Key: "arguments", Data: *e.data(input)},
		{Key: "run", Data: *e.data(workflow.Source{Root: workflow.RootRun, Name: "id"})},
		{Key: "execution", Data: *constant(value.String(place.ARN("execution", o.Name)))},
		{Key: "machine", Data: *constant(value.String(place.ARN("stateMachine", o.Name)))},
		{Key: "started", Data: *e.data(workflow.Source{Root: workflow.RootAttempt, Name: "entered_at"})},
		{Key: "text", Data: *constant(value.Bool(e.s.Task.Resource.Pattern == Sync))},
	}
	return &workflow.Data{Object: append(members, with...)}
}

// machineBody compiles another machine, once.
func (c *compiler) machineBody(o *Other) workflow.BodyID {
	if id, ok := c.machines[o.Machine]; ok {
		return id
	}
	c.machines[o.Machine] = workflow.BodyID(len(c.prog.Bodies)) // it may start itself
	inner := *c
	inner.assigned, inner.machine, inner.problems = o.Machine.assigned(), o.Name, nil
	id := inner.flow(&o.Machine.Flow, &scope{execution: true})
	c.problems = append(c.problems, inner.problems...)
	return id
}
