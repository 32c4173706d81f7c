package asl_test

import (
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/value"
)

const outerMachine = `StartAt: Start
States:
  Start:
    Type: Task
    Resource: arn:aws:states:::states:startExecution.sync:2
    Parameters: {StateMachineArn.$: $.arn, Input: {n.$: $.n}, Name: child}
    ResultSelector: {output.$: $.Output, status.$: $.Status, name.$: $.Name, arn.$: $.ExecutionArn}
    Catch: [{ErrorEquals: [States.TaskFailed], Next: Failed}]
    End: true
  Failed: {Type: Pass, OutputPath: $.Cause, End: true}
`

// counting counts down by starting itself.
const counting = `StartAt: Zero
States:
  Zero:
    Type: Choice
    Choices:
    - {Variable: $.n, NumericLessThan: 0, Next: Bad}
    - {Variable: $.n, NumericEquals: 0, Next: End}
    Default: Again
  Bad: {Type: Fail, Error: Negative, Cause: less than nothing}
  End: {Type: Pass, Assign: {seen: 1}, Parameters: {input.$: $$.Execution.Input, of.$: $$.StateMachine.Name}, End: true}
  Again:
    Type: Task
    Resource: arn:aws:states:::states:startExecution.sync
    Parameters: {StateMachineArn: "arn:aws:states:eu-west-1:1:stateMachine:count", Input: {n.$: "States.MathAdd($.n, -1)"}}
    ResultSelector: {inner.$: States.StringToJson($.Output)}
    End: true
`

// TestOtherMachines has a machine start another one, which starts itself.
func TestOtherMachines(t *testing.T) {
	t.Parallel()
	lang := jsonata.New(jsonata.Config{AWS: true})
	outer, problems := asl.Read(config(asl.Standard), "outer.asl.yaml", []byte(outerMachine))
	inner, more := asl.Read(config(asl.Standard), "count.asl.yaml", []byte(counting))
	if asl.HasErrors(problems) || asl.HasErrors(more) {
		t.Fatal(problems, more)
	}
	program, problems := asl.Compile(asl.CompileConfig{
		Name: "outer", JSONata: lang, Target: testTarget,
		Machines: []asl.Other{{ARN: "arn:aws:states:*:stateMachine:count", Name: "count", Machine: inner}},
	}, outer)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	machine, err := engine.Prepare(program, map[string]expr.Language{asl.Name: asl.NewLanguage(lang)})
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		`{"n": 2, "arn": "arn:aws:states:eu-west-1:1:stateMachine:count"}`: `succeeded {"output":{"inner":{"inner":{"input":{"n":0},"of":"count"}}},"status":"SUCCEEDED","name":"child","arn":"arn:aws:states:local:000000000000:execution:count:child"}`,
		`{"n": -1, "arn": "arn:aws:states:eu-west-1:1:stateMachine:count"}`: `succeeded "{\"Cause\":\"less than nothing\",\"Error\":\"Negative\",\"ExecutionArn\":\"arn:aws:states:local:000000000000:execution:count:child\",` +
			`\"Input\":{\"n\":-1},\"InputDetails\":{\"Included\":true},\"Name\":\"child\",\"StartDate\":\"2026-03-02T06:00:00Z\",` +
			`\"StateMachineArn\":\"arn:aws:states:local:000000000000:stateMachine:count\",\"Status\":\"FAILED\",\"StopDate\":\"2026-03-02T06:00:00Z\"}"`,
		`{"n": 2, "arn": "arn:aws:states:eu-west-1:1:stateMachine:other"}`: `succeeded "State Machine Does Not Exist: arn:aws:states:eu-west-1:1:stateMachine:other"`,
	} {
		d := &driver{machine: machine, answer: func(string, value.Value, int) (value.Value, *engine.Error, time.Duration) { return value.Null, nil, 0 }}
		if err := d.drive(value.MustParse(input)); err != nil {
			t.Fatal(err)
		}
		got := string(d.ended.State) + " " + d.ended.Output.String()
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", input, got, want)
		}
	}
}

// TestMachineThatStartsItself ends at the bound of depth; each execution quotes
// the cause of the one inside it, and none of them grows beyond AWS's bound.
func TestMachineThatStartsItself(t *testing.T) {
	t.Parallel()
	const definition = `{"StartAt": "Again", "States": {"Again": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync",
		"Parameters": {"StateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:self"}, "End": true}}}`
	lang := jsonata.New(jsonata.Config{AWS: true})
	m, problems := asl.Read(config(asl.Standard), "self.asl.json", []byte(definition))
	if asl.HasErrors(problems) {
		t.Fatal(problems)
	}
	program, problems := asl.Compile(asl.CompileConfig{
		Name: "self", JSONata: lang, Target: testTarget, Machines: []asl.Other{{ARN: "*:self", Name: "self", Machine: m}},
	}, m)
	if asl.HasErrors(problems) {
		t.Fatal(problems)
	}
	machine, err := engine.Prepare(program, map[string]expr.Language{asl.Name: asl.NewLanguage(lang)})
	if err != nil {
		t.Fatal(err)
	}
	d := &driver{machine: machine}
	if err := d.drive(value.Object()); err != nil {
		t.Fatal(err)
	}
	if e := d.ended.Error; e == nil || e.Name != "States.TaskFailed" || len(e.Message) > 32_768 {
		t.Errorf("ended with %d bytes: %.200v", len(e.Message), e)
	}
}
