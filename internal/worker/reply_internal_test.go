package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// What functions return and raise has the form that Step Functions gives it.
func TestReplied(t *testing.T) {
	t.Parallel()
	const raised = `{"errorType":"Declined","errorMessage":"no funds"}`
	succeeded := func(output string) engine.TaskOutcome {
		return engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.MustParse(output)}
	}
	failedWith := func(name, message, details string) engine.TaskOutcome {
		return engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: name, Message: message, Details: value.MustParse(details)}}
	}
	for name, c := range map[string]struct {
		uses  string
		reply workflow.Reply
		out   engine.TaskOutcome
		want  string // the result, or name and message of the error
	}{
		"as it is":                     {"http.request", "", succeeded(`{"status":200,"body":1}`), `{"status":200,"body":1}`},
		"process":                      {"process", "function", succeeded(`{"body":1}`), `{"body":1}`},
		"process without output":       {"process", "function", engine.TaskOutcome{Kind: engine.OutcomeSucceeded}, `null`},
		"process invoked":              {"process", "invoke", succeeded(`{"a":1}`), `{"ExecutedVersion":"$LATEST","Payload":{"a":1},"StatusCode":200}`},
		"process raises":               {"process", "function", failedWith("exit.1", "exit code 1", `{"output":`+raised+`}`), `Declined ` + raised},
		"process returns an error":     {"process", "function", succeeded(raised), raised},
		"process fails":                {"process", "function", failedWith("exit.3", "exit code 3: oops", `null`), `Runtime.ExitError {"errorType":"Runtime.ExitError","errorMessage":"exit code 3: oops"}`},
		"program not found":            {"process", "function", failedWith("program_not_found", "no x", `null`), `program_not_found no x`},
		"endpoint":                     {"http.request", "function", succeeded(`{"status":200,"body":[1]}`), `[1]`},
		"endpoint raises":              {"http.request", "invoke", succeeded(`{"status":200,"body":` + raised + `}`), `Declined ` + raised},
		"endpoint raises with status":  {"http.request", "function", failedWith("http.500", "500", `{"body":`+raised+`}`), `Declined ` + raised},
		"endpoint refuses":             {"http.request", "function", failedWith("http.403", "403", `{"body":"no"}`), `http.403 403`},
		"connector for a function":     {"sql.query", "invoke", succeeded(`{"rows":[]}`), `{"ExecutedVersion":"$LATEST","Payload":{"rows":[]},"StatusCode":200}`},
		"timeout is no raised error":   {"process", "function", engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "timeout", Engine: "timeout", Message: "late"}}, `timeout late`},
		"unknown outcomes stay so":     {"process", "function", engine.TaskOutcome{Kind: engine.OutcomeLost}, ``},
		"a body that is no error type": {"http.request", "function", succeeded(`{"body":{"errorType":7,"errorMessage":"x"}}`), `{"errorType":7,"errorMessage":"x"}`},
	} {
		task := &engine.Task{Uses: c.uses, Node: &workflow.Node{Task: &workflow.Task{Reply: c.reply}}}
		out := replied(task, c.out)
		got := out.Output.String()
		switch {
		case out.Error != nil:
			got = out.Error.Name + " " + out.Error.Message
		case out.Kind == engine.OutcomeLost:
			got = ""
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
