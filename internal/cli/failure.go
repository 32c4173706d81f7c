package cli

import (
	"errors"
	"fmt"

	"github.com/regie-dev/regie/internal/value"
)

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitInvalid  = 2
	exitInternal = 3
)

// failure ends a command: what happened and where, and what to do about it.
type failure struct {
	code    int
	name    string // for programs, such as usage, not_found, locked
	message string
	hint    string
	err     error
}

func (f *failure) Error() string { return f.message }

func (f *failure) Unwrap() error { return f.err }

// failf makes a failure; a %w in it is found by errors.Is.
func failf(code int, name, format string, args ...any) *failure {
	err := fmt.Errorf(format, args...)
	return &failure{code: code, name: name, message: err.Error(), err: errors.Unwrap(err)}
}

// usagef is the failure of a command that was called in a wrong way.
func usagef(format string, args ...any) *failure {
	return failf(exitInvalid, "usage", format, args...)
}

// withHint sets what to do; an empty hint changes nothing.
func (f *failure) withHint(format string, args ...any) *failure {
	if format != "" {
		f.hint = fmt.Sprintf(format, args...)
	}
	return f
}

// document is the failure as JSON.
func (f *failure) document() value.Value {
	hint := value.Null
	if f.hint != "" {
		hint = value.String(f.hint)
	}
	return value.Object(value.M("error", value.Object(
		value.M("code", value.String(f.name)),
		value.M("message", value.String(f.message)),
		value.M("hint", hint))))
}

// ended ends a command whose result was printed: only the exit code is left.
type ended int

func (e ended) Error() string { return fmt.Sprintf("ended with code %d", int(e)) }

// asFailure makes a failure of any error. What no command has given a meaning
// is internal.
func asFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{code: exitInternal, name: "internal", message: err.Error(), err: err}
}
