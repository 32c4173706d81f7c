package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/codec"
)

// Stable codes of problems that every method can have.
const (
	CodeInternal  = "internal"
	CodeCanceled  = "canceled"
	CodeTimedOut  = "timed_out"
	CodeInvalid   = "request_invalid"
	CodeTooLarge  = "request_too_large"
	CodeMalformed = "request_malformed"
	CodeNoRoute   = "route_not_found"
	CodeMethod    = "method_not_allowed"
	CodeMediaType = "media_type_unsupported"
)

// New makes an error of the API: what kind it is, its stable code in lower case,
// what happened, and what to do about it (may be empty).
func New(code connect.Code, name, message, hint string) *connect.Error {
	return With(code, message, &regiev1.Problem{Code: name, Hint: hint})
}

// With makes an error of the API with a problem that has more to say.
func With(code connect.Code, message string, p *regiev1.Problem) *connect.Error {
	err := connect.NewError(code, errors.New(message))
	attach(err, p)
	return err
}

// Invalid makes the error for a field of a request that is wrong; an empty field
// means the whole request.
func Invalid(field, message string) *connect.Error {
	text := message
	if field != "" {
		text = field + ": " + message
	}
	return With(connect.CodeInvalidArgument, text, &regiev1.Problem{
		Code: CodeInvalid, Violations: []*regiev1.Violation{{Field: field, Message: message}},
	})
}

// attach adds the detail. A problem with text that is not UTF-8 loses all but
// its code and request.
func attach(err *connect.Error, p *regiev1.Problem) {
	detail, e := connect.NewErrorDetail(p)
	if e != nil {
		detail, e = connect.NewErrorDetail(&regiev1.Problem{Code: p.GetCode(), RequestId: p.GetRequestId()})
	}
	if e == nil {
		err.AddDetail(detail)
	}
}

// Of returns the problem that an error carries, or nil.
func Of(err error) *regiev1.Problem {
	var e *connect.Error
	if !errors.As(err, &e) {
		return nil
	}
	for _, detail := range e.Details() {
		value, err := detail.Value()
		if p, ok := value.(*regiev1.Problem); ok && err == nil {
			return p
		}
	}
	return nil
}

// Complete makes of any error one that can be sent: with a problem that names
// the request. An error that was not made for callers is hidden: they learn that
// there was one, and the log must have it.
func Complete(ctx context.Context, err error, requestID string) (sent *connect.Error, hidden bool) {
	var fault *codec.Error
	var known *connect.Error
	p := Of(err)
	if p == nil && ctx.Err() != nil {
		// Whoever ended the request may have said why.
		if cause := context.Cause(ctx); Of(cause) != nil {
			err, p = cause, Of(cause)
		}
	}
	switch {
	case p != nil:
		errors.As(err, &known)
		p = proto.CloneOf(p)
	case errors.As(err, &fault):
		known = Invalid(fault.Field, fault.Message)
		p = Of(known)
	case errors.Is(err, context.Canceled):
		known = connect.NewError(connect.CodeCanceled, errors.New("the request was canceled"))
		p = &regiev1.Problem{Code: CodeCanceled}
	case errors.Is(err, context.DeadlineExceeded):
		known = connect.NewError(connect.CodeDeadlineExceeded, errors.New("the time that the client gave is over"))
		p = &regiev1.Problem{Code: CodeTimedOut}
	case errors.As(err, &known) && known.Code() != connect.CodeInternal && known.Code() != connect.CodeUnknown:
		p = &regiev1.Problem{Code: known.Code().String()}
	default:
		hidden = true
		known = connect.NewError(connect.CodeInternal, fmt.Errorf("internal error in request %s", requestID))
		p = &regiev1.Problem{Code: CodeInternal, Hint: "the log of the server says more about this request"}
	}
	p.RequestId = requestID
	sent = connect.NewError(known.Code(), errors.New(known.Message()))
	maps.Copy(sent.Meta(), known.Meta())
	attach(sent, p)
	return sent, hidden
}

// Status is the HTTP status of a code, as in connect's own protocol.
func Status(code connect.Code) int {
	switch code {
	case connect.CodeCanceled:
		return 499 // by custom: the client closed the request
	case connect.CodeInvalidArgument, connect.CodeFailedPrecondition, connect.CodeOutOfRange:
		return http.StatusBadRequest
	case connect.CodeDeadlineExceeded:
		return http.StatusGatewayTimeout
	case connect.CodeNotFound:
		return http.StatusNotFound
	case connect.CodeAlreadyExists, connect.CodeAborted:
		return http.StatusConflict
	case connect.CodePermissionDenied:
		return http.StatusForbidden
	case connect.CodeResourceExhausted:
		return http.StatusTooManyRequests
	case connect.CodeUnimplemented:
		return http.StatusNotImplemented
	case connect.CodeUnavailable:
		return http.StatusServiceUnavailable
	case connect.CodeUnauthenticated:
		return http.StatusUnauthorized
	default:
		return http.StatusInternalServerError
	}
}

// body is the form of an error in REST.
type body struct {
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Problem json.RawMessage `json:"problem"`
}

// JSON is the form of an error in REST. The error comes from Complete.
func JSON(err *connect.Error) ([]byte, error) {
	p, e := codec.Marshal(Of(err))
	if e != nil {
		return nil, e
	}
	return json.Marshal(body{Code: err.Code().String(), Message: err.Message(), Problem: p})
}
