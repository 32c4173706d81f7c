package cli

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/internal/api/problem"
)

// failure says what a server refused, or why it could not be asked.
func (r *remote) failure(err error) error {
	var known *failure
	if err == nil || errors.As(err, &known) {
		return err
	}
	p := problem.Of(err)
	if p == nil {
		return r.unreachable(err)
	}
	var e *connect.Error
	errors.As(err, &e) // a problem is in nothing else
	f := failf(exitOf(e.Code()), p.GetCode(), "%s", e.Message())
	f.err, f.request = err, p.GetRequestId()
	for _, v := range p.GetViolations() {
		f.violations = append(f.violations, violation{v.GetField(), v.GetMessage()})
	}
	f.diagnostics = diagnosticsFrom(p.GetDiagnostics())
	hint := p.GetHint()
	switch {
	case e.Code() == connect.CodeUnauthenticated:
		hint = "log in again: regie context login " + r.place.Server
	case hint == "" && e.Code() == connect.CodePermissionDenied:
		hint = "`regie context show` says who you are; an administrator can give you a role"
	}
	return f.withHint("%s", hint)
}

// unreachable says why there is no answer of a Regie server.
func (r *remote) unreachable(err error) error {
	var changed *certificateError
	var e *connect.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return failf(exitInternal, "timed_out", "%s did not answer in time: %w", r.place.Server, err)
	case errors.As(err, &changed):
		return failf(exitInternal, "certificate_changed", "%s: %w", r.place.Server, changed).because(err).
			withHint("somebody may stand between you and the server; if its certificate was renewed, compare the fingerprint with what the server prints at its start, and log in again")
	case unknownCertificate(err) != nil:
		return failf(exitInternal, "certificate_unknown", "the certificate of %s is not signed by anybody this machine trusts", r.place.Server).because(err).
			withHint("name who signed it, or the certificate itself: regie context login %s --ca FILE | --fingerprint %s", r.place.Server, fingerprint(unknownCertificate(err)))
	case errors.As(err, &e) && e.Code() != connect.CodeUnavailable && e.Code() != connect.CodeCanceled && e.Code() != connect.CodeDeadlineExceeded:
		return failf(exitInternal, "not_regie", "%s does not answer as a Regie server does: %s", r.place.Server, e.Message()).
			withHint("check the URL, and what stands between: a proxy, a login page")
	}
	text := err.Error()
	if errors.As(err, &e) {
		text = e.Message()
	}
	return failf(exitInternal, "unreachable", "%s cannot be reached: %s", r.place.Server, strings.TrimPrefix(text, "unavailable: ")).
		withHint("is the server running? `regie server` runs one here")
}

// exitOf is the exit code of a refusal: 3 where the server is at fault.
func exitOf(code connect.Code) int {
	switch code {
	case connect.CodeInternal, connect.CodeUnknown, connect.CodeDataLoss, connect.CodeUnavailable, connect.CodeDeadlineExceeded,
		connect.CodeResourceExhausted, connect.CodeUnimplemented, connect.CodeCanceled:
		return exitInternal
	default:
		return exitInvalid
	}
}

// unknownCaller reports whether the server does not know who calls, as without a
// token or with one that is not good any more.
func unknownCaller(err error) bool {
	return problem.Of(err) != nil && connect.CodeOf(err) == connect.CodeUnauthenticated
}
