package executor

import "errors"

// ErrNotFound says that nobody knows the handle's task any more.
var ErrNotFound = errors.New("task not found")

// ErrRunning says that a task has not ended yet.
var ErrRunning = errors.New("task still runs; stop it first")

// ErrClosed says that the executor was closed. A task that it supervised was
// ended with it; its outcome is unknown.
var ErrClosed = errors.New("executor is closed")

// StartError is a task that was certainly not started.
type StartError struct {
	// Name becomes the error's name: "start", "environment", "bundle",
	// "run_as", "interpreter_not_found" (of a script), "program_not_found" (of
	// an argument vector).
	Name string
	Err  error
}

func (e *StartError) Error() string { return "start task: " + e.Err.Error() }

func (e *StartError) Unwrap() error { return e.Err }
