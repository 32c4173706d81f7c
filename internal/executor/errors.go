package executor

import "errors"

// ErrNotFound says that nobody knows the handle's task any more.
var ErrNotFound = errors.New("task not found")

// StartError is a task that was certainly not started.
type StartError struct {
	Name string // becomes the error's name: "start", "bundle", "interpreter_not_found"
	Err  error
}

func (e *StartError) Error() string { return "start task: " + e.Err.Error() }

func (e *StartError) Unwrap() error { return e.Err }
