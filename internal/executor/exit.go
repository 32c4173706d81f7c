package executor

import (
	"fmt"
	"slices"
	"time"
)

// Names of errors with which a task ends, besides "exit.N" and "signal.NAME".
const (
	ErrorTimeout       = "timeout"
	ErrorCanceled      = "canceled"
	ErrorOutputInvalid = "output_invalid"
)

// Exit says how the main process of a task ended.
type Exit struct {
	Code   int    // exit code, -1 when a signal ended it
	Signal string // such as "KILL"; empty when it exited
	// Cause is why the executor ended it: [ErrorTimeout], [ErrorCanceled], or
	// empty if it did not.
	Cause   string
	Timeout time.Duration // of the task, for the message
}

// Result judges the exit by the exit codes that count as success (empty: 0
// only) and fills the fields of [Result] that follow from it.
func (e Exit) Result(successCodes []int) Result {
	r := Result{ExitCode: e.Code, Signal: e.Signal}
	switch {
	case e.Cause == ErrorTimeout:
		r.ErrorName = ErrorTimeout
		r.ErrorMessage = fmt.Sprintf("task did not end within its timeout of %s and was ended", e.Timeout)
	case e.Cause == ErrorCanceled:
		r.ErrorName = ErrorCanceled
		r.ErrorMessage = "task was canceled"
	case e.Signal != "":
		r.ErrorName = "signal." + e.Signal
		r.ErrorMessage = "task was ended by signal " + e.Signal
		if e.Signal == "KILL" {
			r.ErrorMessage += ", not by Regie; if memory ran out, the system's log says so"
		}
	case e.Code == 0 && len(successCodes) == 0:
	case slices.Contains(successCodes, e.Code):
		if e.Code != 0 {
			r.Warning = fmt.Sprintf("exit code %d counts as success", e.Code)
		}
	default:
		r.ErrorName = fmt.Sprintf("exit.%d", e.Code)
		r.ErrorMessage = fmt.Sprintf("exit code %d", e.Code)
		switch e.Code {
		case 126:
			r.ErrorMessage += " (of a shell: a command could not be executed)"
		case 127:
			r.ErrorMessage += " (of a shell: a command was not found)"
		}
	}
	return r
}
