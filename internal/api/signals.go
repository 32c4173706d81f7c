package api

import (
	"context"
	"errors"
	"math"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api/call"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// SendSignal sends a signal to a run, or to all live ones that a filter has.
func (a *API) SendSignal(ctx context.Context, m *regiev1.SendSignalRequest) (*regiev1.SendSignalResponse, error) {
	in, err := signalOf(ctx, m)
	if err != nil {
		return nil, err
	}
	if m.GetFilter() == "" {
		return a.signalOne(ctx, m, in)
	}
	if err := identityOf(ctx).Allow(access.RunsRead, m.GetNamespace(), false); err != nil {
		return nil, a.refused(ctx, err)
	}
	now := a.cfg.Now()
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsSignal, m.GetFilter(), now)
	if err != nil {
		return nil, err
	}
	rows, next, err := a.matching(ctx, q, runToken{At: now}, MaxActed, math.MaxInt, filter.Yes)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.SendSignalResponse{More: next != ""}
	for i := range rows {
		if rows[i].Ended() {
			continue
		}
		result, position := a.signal(ctx, &rows[i], in)
		out.Results = append(out.Results, result)
		out.Position = max(out.Position, position)
		if ctx.Err() != nil {
			return nil, failure(ctx.Err())
		}
	}
	return out, nil
}

func signalOf(ctx context.Context, m *regiev1.SendSignalRequest) (in engine.Signal, err error) {
	if (m.GetRun() == "") == (m.GetFilter() == "") {
		return in, invalid("run", "give one of run and filter")
	}
	if err := engine.CheckSignalName(m.GetName()); err != nil {
		return in, invalid("name", "%v", err)
	}
	if n := len(m.GetData().GetText()); n > engine.MaxSignalData {
		return in, refuse(connect.CodeInvalidArgument, "signal_too_large", "the data of the signal is larger than 256 KiB",
			"send the name of a file or object that has it")
	}
	data, err := jsonOr(value.Null, "data", m.GetData())
	if err != nil {
		return in, err
	}
	identity := identityOf(ctx)
	in = engine.Signal{Name: m.GetName(), Data: data, Actor: identity.Actor()}
	if key := m.GetIdempotencyKey(); key != "" {
		if err := checkKey(key); err != nil {
			return in, err
		}
		in.Key = hashOf(identity.User + "\x00" + key)[:32]
	}
	return in, nil
}

// signalOne sends a signal to a run that is named. Who may not read runs has to
// know its whole ID.
func (a *API) signalOne(ctx context.Context, m *regiev1.SendSignalRequest, in engine.Signal) (*regiev1.SendSignalResponse, error) {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	if string(row.ID) != m.GetRun() && !identityOf(ctx).May(access.RunsRead, m.GetNamespace()) {
		return nil, notFound("run_not_found", "there is no run %q in namespace %s", m.GetRun(), m.GetNamespace())
	}
	result, position := a.signal(ctx, &row, in)
	if !result.GetDone() {
		return nil, refuse(connect.CodeFailedPrecondition, result.GetCode(), result.GetMessage(), "`regie why RUN` says what the run waits for")
	}
	return &regiev1.SendSignalResponse{Results: []*regiev1.ActResult{result}, Position: position}, nil
}

// signal sends a signal to one run. Whatever keeps it from coming is a result.
func (a *API) signal(ctx context.Context, row *store.RunRow, in engine.Signal) (*regiev1.ActResult, uint64) {
	e := identityOf(ctx).Done(access.Act{
		Action: "run.signal", Namespace: row.Namespace, Object: "run/" + string(row.ID), Detail: map[string]any{"signal": in.Name},
	})
	done, err := a.cfg.Runtime.Signal(ctx, row.ID, in, []store.Entry{e})
	out := &regiev1.ActResult{Run: string(row.ID), Done: err == nil}
	for i := range done.Affected {
		if p := done.Affected[i].Path; p != "" {
			out.Steps = append(out.Steps, p)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, engine.ErrRefused):
		out.Code, out.Message = "refused", err.Error()
	case errors.Is(err, runtime.ErrNotLive):
		out.Code, out.Message = "run_ended", "the run has ended"
	default:
		sent, hidden := problem.Complete(ctx, failure(err), call.From(ctx).RequestID)
		out.Code, out.Message = problem.Of(sent).GetCode(), sent.Message()
		if hidden {
			a.cfg.Log.ErrorContext(ctx, "a signal to a run failed", "run", row.ID, "error", err)
		}
	}
	return out, done.Position
}
