package access

import (
	"errors"
	"fmt"
	"time"
)

// Kinds of errors. All others are faults of the store or of the machine.
var (
	// ErrUnauthenticated: the credential is missing, malformed or not valid.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrDenied: the caller is known and may not do it.
	ErrDenied = errors.New("permission denied")
	// ErrInvalid: a field of the request is not valid.
	ErrInvalid = errors.New("not valid")
	// ErrNotFound: there is no such user, group, token or namespace.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is one already, or there was one whose name is not used
	// again.
	ErrExists = errors.New("exists")
	// ErrConflict: the state of things does not allow it, such as taking away
	// the last admin.
	ErrConflict = errors.New("conflict")
	// ErrLimited: too many attempts; Error.After says when to come again.
	ErrLimited = errors.New("too many attempts")
	// ErrBusy: more passwords are being checked than the machine can take.
	ErrBusy = errors.New("busy")
)

// Error is an error that its text may be shown to whoever called.
type Error struct {
	// Kind is one of the kinds above.
	Kind error
	// Text says what is wrong and where; Hint what to do about it, or is empty.
	Text, Hint string
	// Field is that of the request, in snake case; or empty.
	Field string
	// After is how long to wait before another attempt; zero if that is not
	// the matter.
	After time.Duration
}

// Error is the text and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Text
	}
	return e.Text + "; " + e.Hint
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

func invalid(field, format string, args ...any) *Error {
	return &Error{Kind: ErrInvalid, Field: field, Text: fmt.Sprintf(format, args...)}
}

func notFound(what, name string) *Error {
	return &Error{Kind: ErrNotFound, Text: fmt.Sprintf("there is no %s %s", what, shown(name))}
}

func conflict(hint, format string, args ...any) *Error {
	return &Error{Kind: ErrConflict, Text: fmt.Sprintf(format, args...), Hint: hint}
}

func unauthenticated(hint, format string, args ...any) *Error {
	return &Error{Kind: ErrUnauthenticated, Text: fmt.Sprintf(format, args...), Hint: hint}
}

func denied(hint, format string, args ...any) *Error {
	return &Error{Kind: ErrDenied, Text: fmt.Sprintf(format, args...), Hint: hint}
}
