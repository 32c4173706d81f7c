package api

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// refuse makes an error of the API, see [problem.New].
func refuse(code connect.Code, slug, message, hint string) *connect.Error {
	return problem.New(code, slug, message, hint)
}

// invalid says that one field of a request is wrong.
func invalid(field, format string, args ...any) *connect.Error {
	return problem.Invalid(field, fmt.Sprintf(format, args...))
}

func notFound(slug, format string, args ...any) *connect.Error {
	return refuse(connect.CodeNotFound, slug, fmt.Sprintf(format, args...), "")
}

func diagnostics(problems []diag.Diagnostic) []*regiev1.Diagnostic {
	out := make([]*regiev1.Diagnostic, 0, len(problems))
	for i := range problems {
		d := &problems[i]
		out = append(out, &regiev1.Diagnostic{
			File: d.File, Line: int32(d.Line), Column: int32(d.Column),
			Code: d.Code, Severity: string(d.Severity), Message: d.Text(), Hint: d.Hint,
		})
	}
	return out
}

// failure turns an error of the services into one of the API. What it does not
// know is internal: the caller learns that something went wrong, the log what.
func failure(err error) error {
	var already *connect.Error
	var input *runtime.InputError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return err
	case errors.As(err, &input):
		p := &regiev1.Problem{Code: "input_invalid", Hint: "`regie workflows show NAME` lists the inputs"}
		for _, f := range input.Faults {
			p.Violations = append(p.Violations, &regiev1.Violation{Field: "input", Message: f.String()})
		}
		return problem.With(connect.CodeInvalidArgument, err.Error(), p)
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, errKeyConflict):
		return refuse(connect.CodeAlreadyExists, "idempotency_conflict", err.Error(), "use another key, or send the first request again unchanged")
	case errors.Is(err, runtime.ErrBusy):
		return refuse(connect.CodeResourceExhausted, "busy", err.Error(), "try again in a moment")
	case errors.Is(err, runtime.ErrStopping):
		return refuse(connect.CodeUnavailable, "stopping", "the server is stopping and takes nothing new", "try again in a moment")
	case errors.Is(err, runtime.ErrUnknown):
		return refuse(connect.CodeUnavailable, "outcome_unknown", err.Error(), "send it again with the same idempotency key")
	case errors.Is(err, runtime.ErrNotLive):
		return refuse(connect.CodeFailedPrecondition, "run_ended", "the run has ended", "")
	case errors.Is(err, runtime.ErrQuarantined):
		return refuse(connect.CodeFailedPrecondition, "run_quarantined", err.Error(), "the run goes on when the server starts again")
	case errors.Is(err, runtime.ErrLive):
		return refuse(connect.CodeFailedPrecondition, "run_live", err.Error(), "wait for its end, or end it with `regie cancel RUN`")
	case errors.Is(err, runtime.ErrErased), errors.Is(err, store.ErrErased):
		return refuse(connect.CodeFailedPrecondition, "run_erased", "the data of the run was erased, and it cannot go on", "start another run")
	case errors.Is(err, catalog.ErrNotFound):
		return refuse(connect.CodeNotFound, "workflow_not_found", err.Error(), "`regie workflows` lists them")
	case errors.Is(err, catalog.ErrNotInForce):
		return refuse(connect.CodeFailedPrecondition, "not_in_force", err.Error(), "start it with its version, or activate one: `regie workflows versions NAME` lists them")
	case errors.Is(err, catalog.ErrComing):
		return refuse(connect.CodeResourceExhausted, "too_many_versions", err.Error(), "take some back: `regie workflows activate NAME VERSION` does away with all that are to come")
	case errors.Is(err, catalog.ErrMixed):
		return refuse(connect.CodeInvalidArgument, "namespace_mismatch", err.Error(), "apply the definitions of each namespace by themselves")
	case errors.Is(err, catalog.ErrPrune):
		return invalid("prune", "%v", err)
	case errors.Is(err, catalog.ErrFiles):
		return refuse(connect.CodeInvalidArgument, "files_invalid", err.Error(), "")
	case errors.Is(err, store.ErrNotFound):
		return refuse(connect.CodeNotFound, "not_found", "there is no such thing", "")
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, errors.New("the caller went away"))
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(connect.CodeDeadlineExceeded, "timed_out", "it took too long", "try again; a write with the same idempotency key is made once only")
	}
	var revision *store.RevisionError
	if errors.As(err, &revision) {
		return refuse(connect.CodeAborted, "changed_in_between", "somebody else changed it at the same moment", "look at it and try again")
	}
	return connect.NewError(connect.CodeInternal, fmt.Errorf("internal error: %w", err))
}
