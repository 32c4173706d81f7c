package api

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// MaxActed is how many runs one request acts on.
const MaxActed = 1000

// Act cancels, holds, releases or retries runs.
func (a *API) Act(ctx context.Context, m *regiev1.ActRequest) (*regiev1.ActResponse, error) {
	if err := checkAct(m); err != nil {
		return nil, err
	}
	targets, more, err := a.targets(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &regiev1.ActResponse{More: more}
	for _, t := range targets {
		result := t.refused
		if result == nil {
			var position uint64
			result, position, err = a.act(ctx, &t.row, m)
			if err != nil {
				return nil, failure(err)
			}
			out.Position = max(out.Position, position)
		}
		out.Results = append(out.Results, result)
	}
	return out, nil
}

func checkAct(m *regiev1.ActRequest) error {
	if err := checkReason(m.GetReason()); err != nil {
		return err
	}
	chosen := 0
	for _, given := range []bool{m.GetRun() != "", len(m.GetRuns()) > 0, m.GetFilter() != ""} {
		if given {
			chosen++
		}
	}
	switch {
	case chosen != 1:
		return invalid("run", "give one of run, runs and filter")
	case len(m.GetRuns()) > MaxActed:
		return invalid("runs", "there are %d, more than %d", len(m.GetRuns()), MaxActed)
	case len(m.GetSteps()) > 0 && m.GetRun() == "":
		return invalid("steps", "steps can be named of a single run only")
	case m.GetAction() == regiev1.Action_ACTION_CANCEL && len(m.GetSteps()) > 0:
		return invalid("steps", "a run is canceled as a whole")
	case m.GetAction() == regiev1.Action_ACTION_UNSPECIFIED || regiev1.Action_name[int32(m.GetAction())] == "":
		return invalid("action", "give ACTION_CANCEL, ACTION_HOLD, ACTION_RELEASE or ACTION_RETRY")
	}
	return nil
}

// target is a run to act on, or why it cannot be.
type target struct {
	row     store.RunRow
	refused *regiev1.ActResult
}

func (a *API) targets(ctx context.Context, m *regiev1.ActRequest) (out []target, more bool, err error) {
	if m.GetFilter() != "" {
		q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsOperate, m.GetFilter())
		if err != nil {
			return nil, false, err
		}
		rows, next, err := a.matching(ctx, q, runToken{}, MaxActed, filter.Yes)
		if err != nil {
			return nil, false, failure(err)
		}
		for i := range rows {
			out = append(out, target{row: rows[i]})
		}
		return out, next != "", nil
	}
	if m.GetRun() != "" {
		row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
		return []target{{row: row}}, false, err
	}
	for _, id := range m.GetRuns() {
		row, err := a.find(ctx, m.GetNamespace(), id)
		if connect.CodeOf(err) == connect.CodeNotFound {
			out = append(out, target{refused: &regiev1.ActResult{Run: id, Code: "run_not_found", Message: err.Error()}})
			continue
		}
		if err != nil {
			return nil, false, err
		}
		out = append(out, target{row: row})
	}
	return out, false, nil
}

// actionNames are the actions in entries of the audit log.
var actionNames = map[regiev1.Action]string{
	regiev1.Action_ACTION_CANCEL: "run.cancel", regiev1.Action_ACTION_HOLD: "run.hold",
	regiev1.Action_ACTION_RELEASE: "run.release", regiev1.Action_ACTION_RETRY: "run.retry",
}

// act acts on one run. What is refused is a result; an error is of the server.
func (a *API) act(ctx context.Context, row *store.RunRow, m *regiev1.ActRequest) (*regiev1.ActResult, uint64, error) {
	e := a.by(ctx, m.GetReason())
	e.Action, e.Namespace, e.Object = actionNames[m.GetAction()], row.Namespace, "run/"+string(row.ID)
	order := runtime.Order{
		Run: row.ID, Action: engine.Action{Actor: e.Actor, Reason: m.GetReason(), Steps: m.GetSteps()},
		DryRun: m.GetDryRun(), Entries: []store.Entry{e},
	}
	var done runtime.Done
	var err error
	switch m.GetAction() {
	case regiev1.Action_ACTION_HOLD:
		done, err = a.cfg.Runtime.Hold(ctx, order)
	case regiev1.Action_ACTION_RELEASE:
		done, err = a.cfg.Runtime.Release(ctx, order)
	case regiev1.Action_ACTION_RETRY:
		done, err = a.cfg.Runtime.Retry(ctx, order)
	default:
		done, err = a.cancel(ctx, row, order)
	}
	out := &regiev1.ActResult{Run: string(row.ID), Done: err == nil}
	for i := range done.Affected {
		if p := done.Affected[i].Path; p != "" {
			out.Steps = append(out.Steps, p)
		}
	}
	if err == nil {
		return out, done.Position, nil
	}
	var refused *engine.Refusal
	switch {
	case errors.As(err, &refused):
		out.Code, out.Message = "refused", err.Error()
	case errors.Is(err, runtime.ErrNotLive):
		out.Code, out.Message = "run_ended", fmt.Sprintf("the run has ended: it is %s", row.State)
	case errors.Is(err, runtime.ErrQuarantined):
		out.Code, out.Message = "run_quarantined", err.Error()
	default:
		return nil, 0, err
	}
	return out, 0, nil
}

// cancel asks a run to end. That of a run which has ended is refused also when
// nothing would be done.
func (a *API) cancel(ctx context.Context, row *store.RunRow, order runtime.Order) (runtime.Done, error) {
	if !order.DryRun {
		return a.cfg.Runtime.Cancel(ctx, order)
	}
	if row.Ended() {
		return runtime.Done{}, runtime.ErrNotLive
	}
	return runtime.Done{}, nil
}
