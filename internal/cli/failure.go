package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
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

	// What a server adds: which fields of the request are wrong, what is wrong
	// with definitions, and its name for the request.
	violations  []violation
	diagnostics []diag.Diagnostic
	request     string
}

// violation is what is wrong with one field of a request.
type violation struct{ field, message string }

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

// because sets the error behind it, which is not shown.
func (f *failure) because(err error) *failure {
	f.err = err
	return f
}

// document is the failure as JSON.
func (f *failure) document() value.Value {
	hint := value.Null
	if f.hint != "" {
		hint = value.String(f.hint)
	}
	members := []value.Member{
		value.M("code", value.String(f.name)),
		value.M("message", value.String(f.message)),
		value.M("hint", hint),
	}
	if len(f.violations) > 0 {
		items := make([]value.Value, len(f.violations))
		for i, v := range f.violations {
			items[i] = value.Object(value.M("field", value.String(v.field)), value.M("message", value.String(v.message)))
		}
		members = append(members, value.M("violations", value.List(items...)))
	}
	if len(f.diagnostics) > 0 {
		members = append(members, diagnosticsDocument(f.diagnostics).Members()...)
	}
	if f.request != "" {
		members = append(members, value.M("request_id", value.String(f.request)))
	}
	return value.Object(value.M("error", value.Object(members...)))
}

// details are the lines for people between the message and the hint: what the
// message does not say already.
func (f *failure) details() []string {
	var lines []string
	for _, v := range f.violations {
		if !strings.Contains(f.message, v.message) {
			lines = append(lines, v.field+": "+v.message)
		}
	}
	if f.code == exitInternal && f.request != "" && !strings.Contains(f.message, f.request) {
		lines = append(lines, "request "+f.request)
	}
	return lines
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
