package api

import (
	"context"
	"errors"
	"math"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// SendSignal sends a signal to a run, or to the live ones that a filter has.
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
	at, err := openToken[runToken](m.GetPageToken(), listOf(m.GetNamespace(), m.GetFilter()))
	if err != nil {
		return nil, err
	}
	if at.At.IsZero() {
		at.At = a.cfg.Now()
	}
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsSignal, m.GetFilter(), at.At)
	if err != nil {
		return nil, err
	}
	q.live()
	rows, next, err := a.matching(ctx, q, at, MaxActed, math.MaxInt, filter.Yes)
	if err != nil {
		return nil, failure(err)
	}
	out := &regiev1.SendSignalResponse{Results: make([]*regiev1.ActResult, len(rows)), NextPageToken: next}
	positions := make([]uint64, len(rows))
	together(len(rows), func(i int) {
		done, err := a.signal(ctx, &rows[i], in)
		out.Results[i], positions[i] = a.resultOf(ctx, &rows[i], "run.signal", done, err), done.Position
	})
	if ctx.Err() != nil {
		return nil, failure(ctx.Err())
	}
	for _, p := range positions {
		out.Position = max(out.Position, p)
	}
	return out, nil
}

func signalOf(ctx context.Context, m *regiev1.SendSignalRequest) (in engine.Signal, err error) {
	if (m.GetRun() == "") == (m.GetFilter() == "") {
		return in, invalid("run", "give one of run and filter")
	}
	if m.GetPageToken() != "" && m.GetFilter() == "" {
		return in, invalid("page_token", "it belongs to a filter")
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
	done, err := a.signal(ctx, &row, in)
	if err != nil {
		return nil, signalFailure(err)
	}
	return &regiev1.SendSignalResponse{Results: []*regiev1.ActResult{a.resultOf(ctx, &row, "run.signal", done, nil)}, Position: done.Position}, nil
}

// signalFailure is why a run that was named did not take a signal, as an error of
// the API.
func signalFailure(err error) error {
	const hint = "`regie why RUN` says what the run waits for"
	switch {
	case errors.Is(err, engine.ErrRefused):
		return refuse(connect.CodeFailedPrecondition, "refused", err.Error(), hint)
	case errors.Is(err, runtime.ErrNotLive):
		return refuse(connect.CodeFailedPrecondition, "run_ended", "the run has ended", hint)
	}
	return failure(err)
}

// signal sends a signal to one run.
func (a *API) signal(ctx context.Context, row *store.RunRow, in engine.Signal) (runtime.Done, error) {
	e := identityOf(ctx).Done(access.Act{
		Action: "run.signal", Namespace: row.Namespace, Object: "run/" + string(row.ID), Detail: map[string]any{"signal": in.Name},
	})
	return a.cfg.Runtime.Signal(ctx, row.ID, in, []store.Entry{e})
}
