package worker

import (
	"strings"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// exitError is the error of a function whose process ended without saying why.
const exitError = "Runtime.ExitError"

// replied gives an outcome the form that the task asks for: what a function
// returned becomes the result, what it raised the error. What Regie itself says
// of the attempt, a timeout for instance, stays as it is.
func replied(t *engine.Task, out engine.TaskOutcome) engine.TaskOutcome {
	if t.Node == nil || t.Node.Task == nil || t.Node.Task.Reply == workflow.ReplyAsIs {
		return out
	}
	process := t.Uses == workflow.UsesProcess
	switch {
	case out.Kind == engine.OutcomeFailed && out.Error != nil && out.Error.Engine == "":
		if raised := failedWith(process, out.Error); !raised.IsUndefined() {
			return raise(out, raised)
		}
		return out
	case out.Kind != engine.OutcomeSucceeded:
		return out
	}
	returned := out.Output
	if body, ok := returned.Lookup("body"); ok && !process {
		returned = body
		if isRaised(returned) {
			return raise(out, returned)
		}
	}
	if returned.IsUndefined() {
		returned = value.Null
	}
	if t.Node.Task.Reply == workflow.ReplyInvoke {
		returned = value.Object(value.M("ExecutedVersion", value.String("$LATEST")), value.M("Payload", returned), value.M("StatusCode", value.Int(200)))
	}
	out.Output = returned
	return out
}

// failedWith is the error object of a call that failed, undefined if it left
// none.
func failedWith(process bool, e *engine.Error) value.Value {
	if !process {
		if body := e.Details.Get("body"); isRaised(body) {
			return body
		}
		return value.Undefined
	}
	if left := e.Details.Get("output"); isRaised(left) {
		return left
	}
	if strings.HasPrefix(e.Name, "exit.") || strings.HasPrefix(e.Name, "signal.") {
		return value.Object(value.M("errorType", value.String(exitError)), value.M("errorMessage", value.String(e.Message)))
	}
	return value.Undefined
}

// isRaised reports whether the value is an error as functions raise it.
func isRaised(v value.Value) bool {
	_, typed := v.Get("errorType").Str()
	_, said := v.Get("errorMessage").Str()
	return typed && said
}

// raise is the outcome of a function that raised an error: its cause is the
// error as JSON.
func raise(out engine.TaskOutcome, raised value.Value) engine.TaskOutcome {
	e := &engine.Error{Name: raised.Get("errorType").Text(), Message: raised.String()}
	if out.Error != nil {
		e.RetryAfter = out.Error.RetryAfter
	}
	out.Kind, out.Output, out.Error = engine.OutcomeFailed, value.Undefined, e
	return out
}
