package asl_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/workflow"
)

// What a task calls may be named in its arguments; what nobody has mapped is
// refused with the line to write.
func TestTargets(t *testing.T) {
	t.Parallel()
	mapped := func(r asl.Resource) (asl.Target, bool) {
		switch {
		case r.Invokes():
			return asl.Target{Uses: "function " + r.Subject, Reply: workflow.ReplyInvoke}, r.Subject == "known"
		case r.Subject != "":
			return asl.Target{}, false
		}
		return asl.Target{Uses: r.Service}, r.Service == "sqs" || r.Service == "states" && r.Pattern == ""
	}
	for task, want := range map[string]string{
		`Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: known, Payload.$: $}`:                `function known invoke`,
		`Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName: other}`:                              `/States/T/Resource Nothing says what other is here: map it in resources.yaml beside the definition, under ` + "`resources:`" + `, such as ` + "`\"other\": {run: [python3, function.py]}`",
		`Resource: "arn:aws:states:::lambda:invoke", Parameters: {FunctionName.$: $.f}`:                              `what is computed is not known before the run`,
		`Resource: "arn:aws:states:::lambda:invoke", QueryLanguage: JSONata, Arguments: {FunctionName: "{% 'f' %}"}`: `what is computed is not known before the run`,
		`Resource: "arn:aws:states:::states:startExecution", Parameters: {StateMachineArn: m}`:                       `states `,
		`Resource: "arn:aws:states:::states:startExecution.sync", Parameters: {StateMachineArn: m}`:                  "such as `\"m\": {machine: child.asl.json}`",
		`Resource: "arn:aws:states:::sqs:sendMessage"`:                                                               `sqs `,
		`Resource: "arn:aws:states:::sns:publish"`:                                                                   "such as `\"arn:aws:states:::sns:publish\": {http: {url: \"http://localhost:9000/\"}}`, or give the state a mock (--mocks FILE)",
		`Resource: "arn:aws:states:eu-west-1:1:activity:a"`:                                                          `activity.offer `,
	} {
		text := "StartAt: T\nStates:\n  T: {Type: Task, End: true, " + task + "}\n"
		m, problems := asl.Read(config(asl.Standard), "x.asl.yaml", []byte(text))
		if asl.HasErrors(problems) {
			t.Errorf("%s: %v", task, problems)
			continue
		}
		program, problems := asl.Compile(asl.CompileConfig{Name: "x", JSONata: jsonata.New(jsonata.Config{AWS: true}), Target: mapped}, m)
		compiled := program.Bodies[0].Nodes[0].Task
		got := compiled.Uses + " " + string(compiled.Reply)
		for _, p := range problems {
			got = fmt.Sprintf("%s %s: %s", p.Location, p.Message, p.Hint)
			if p.Code != asl.CodeUnmapped || p.State != "T" {
				t.Errorf("%s: %+v", task, p)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", task, got, want)
		}
	}
}
