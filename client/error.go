package client

import (
	"errors"
	"strings"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// Error is what the server, or the way to it, has to say about a call that
// failed.
type Error struct {
	// Kind is the code of the protocol, such as connect.CodeNotFound.
	Kind connect.Code
	// Code is stable and says more, such as run_not_found. It is that of the
	// protocol if the answer did not come from a Regie server.
	Code string
	// Message says what happened, Hint what to do about it; Hint may be empty.
	Message, Hint string
	// Violations say what is wrong with which field of the request.
	Violations []*regiev1.Violation
	// Diagnostics say what is wrong with definitions, and where.
	Diagnostics []*regiev1.Diagnostic
	// RequestID names the call in the logs of the server; empty if it never got
	// there.
	RequestID string

	cause *connect.Error
}

// Error is the message, with the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return strings.TrimSuffix(e.Message, ".") + "; " + e.Hint
}

// Unwrap returns the *connect.Error.
func (e *Error) Unwrap() error { return e.cause }

// explain makes an *Error of an error of a call.
func explain(err error) error {
	var already *Error
	var wire *connect.Error
	if err == nil || errors.As(err, &already) || !errors.As(err, &wire) {
		return err
	}
	e := &Error{Kind: wire.Code(), Code: wire.Code().String(), Message: wire.Message(), cause: wire}
	for _, detail := range wire.Details() {
		value, err := detail.Value()
		p, ok := value.(*regiev1.Problem)
		if err != nil || !ok {
			continue
		}
		e.Code, e.Hint, e.RequestID = p.GetCode(), p.GetHint(), p.GetRequestId()
		e.Violations, e.Diagnostics = p.GetViolations(), p.GetDiagnostics()
	}
	return e
}
