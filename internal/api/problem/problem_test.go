package problem_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/problem"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(problem.New(connect.CodeUnauthenticated, "token_revoked", "revoked", ""))
	late, end := context.WithTimeout(t.Context(), 0)
	defer end()
	tests := map[string]struct {
		ctx    context.Context
		err    error
		code   connect.Code
		name   string
		text   string
		hidden bool
	}{
		"made for callers": {
			t.Context(), problem.New(connect.CodeNotFound, "run_not_found", "no such run", "look"),
			connect.CodeNotFound, "run_not_found", "no such run", false,
		},
		"the same, wrapped": {
			t.Context(), fmt.Errorf("show: %w", problem.New(connect.CodeNotFound, "run_not_found", "no such run", "")),
			connect.CodeNotFound, "run_not_found", "no such run", false,
		},
		"internal, made for callers": {
			t.Context(), problem.New(connect.CodeInternal, "disk_full", "the disk is full", ""),
			connect.CodeInternal, "disk_full", "the disk is full", false,
		},
		"of connect": {
			t.Context(), connect.NewError(connect.CodeUnimplemented, errors.New("not there")),
			connect.CodeUnimplemented, "unimplemented", "not there", false,
		},
		"internal": {
			t.Context(), connect.NewError(connect.CodeInternal, errors.New("secret")),
			connect.CodeInternal, "internal", "internal error in request ID", true,
		},
		"unknown": {
			t.Context(), errors.New("secret"), connect.CodeInternal, "internal", "internal error in request ID", true,
		},
		"of the codec": {
			t.Context(), &codec.Error{Field: "input.a", Message: "wrong"},
			connect.CodeInvalidArgument, "request_invalid", "input.a: wrong", false,
		},
		"canceled": {
			t.Context(), fmt.Errorf("read: %w", context.Canceled), connect.CodeCanceled, "canceled", "the request was canceled", false,
		},
		"canceled for a reason": {
			canceled, fmt.Errorf("read: %w", context.Canceled), connect.CodeUnauthenticated, "token_revoked", "revoked", false,
		},
		"late": {
			late, fmt.Errorf("read: %w", context.DeadlineExceeded),
			connect.CodeDeadlineExceeded, "timed_out", "the time that the client gave is over", false,
		},
		"an answer of its own although canceled": {
			canceled, problem.New(connect.CodeNotFound, "run_not_found", "no such run", ""),
			connect.CodeNotFound, "run_not_found", "no such run", false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent, hidden := problem.Complete(test.ctx, test.err, "ID")
			p := problem.Of(sent)
			if sent.Code() != test.code || sent.Message() != test.text || p.GetCode() != test.name || hidden != test.hidden || p.GetRequestId() != "ID" {
				t.Errorf("got %v, %v, hidden %v", sent, p, hidden)
			}
			if len(sent.Details()) != 1 {
				t.Errorf("got %d details", len(sent.Details()))
			}
		})
	}
}

func TestCompleteKeepsHeadersAndTheOriginal(t *testing.T) {
	t.Parallel()
	original := problem.New(connect.CodeUnauthenticated, "token_invalid", "who?", "")
	original.Meta().Set("Www-Authenticate", "Bearer")
	sent, _ := problem.Complete(t.Context(), original, "ID")
	if sent.Meta().Get("Www-Authenticate") != "Bearer" {
		t.Errorf("got headers %v", sent.Meta())
	}
	if id := problem.Of(original).GetRequestId(); id != "" {
		t.Errorf("the original now names request %s", id)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	sent, _ := problem.Complete(t.Context(), problem.Invalid("filter", `no "field"`), "ID")
	got, err := problem.JSON(sent)
	want := `{"code":"invalid_argument","message":"filter: no \"field\"","problem":{"code":"request_invalid","hint":"",` +
		`"violations":[{"field":"filter","message":"no \"field\""}],"diagnostics":[],"request_id":"ID"}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

// Text that protobuf cannot carry costs the details, not the error.
func TestTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	err := problem.With(connect.CodeInvalidArgument, "m", &regiev1.Problem{Code: "c", Hint: "\xff"})
	if p := problem.Of(err); p.GetCode() != "c" {
		t.Errorf("got %v", p)
	}
}

func TestOfOtherErrors(t *testing.T) {
	t.Parallel()
	if p := problem.Of(errors.New("x")); p != nil {
		t.Errorf("got %v", p)
	}
}
