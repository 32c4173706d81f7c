package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api/call"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// Bounds of acting on many runs.
const (
	// MaxActed is how many runs one request acts on.
	MaxActed = 1000
	// MaxNamedSteps is how many steps of a run one request names.
	MaxNamedSteps = 1000
	// MaxStepsOfMany is how many steps it names of several runs.
	MaxStepsOfMany = 100
	// ActedAtOnce is on how many of them at the same time: what is decided
	// together is on disk together.
	ActedAtOnce = 32
)

// Act does what an operator asks for on runs. With an idempotency key it does
// so once, and gives the same answer again. A crash between the last action and
// the writing of the key is the exception: what was done then is refused, or
// changes nothing, but a retry may be one more.
func (a *API) Act(ctx context.Context, m *regiev1.ActRequest) (*regiev1.ActResponse, error) {
	if err := checkAct(m); err != nil {
		return nil, err
	}
	if err := a.checkConfirmed(m); err != nil {
		return nil, err
	}
	k, err := keyOf(ctx, "act", m.GetIdempotencyKey(), m)
	if err != nil {
		return nil, err
	}
	if k == nil || m.GetDryRun() {
		return a.actAll(ctx, m)
	}
	end, err := a.alone(ctx, k)
	if err != nil {
		return nil, err
	}
	defer end()
	before, err := a.done(k)
	if err != nil {
		return nil, err
	}
	if before != nil {
		out := &regiev1.ActResponse{}
		if err := proto.Unmarshal(before.Value.Answer, out); err != nil {
			return nil, failure(fmt.Errorf("read the answer of an earlier request: %w", err))
		}
		return out, nil
	}
	// What was begun is done and remembered though the caller goes away, who asks
	// again with the key.
	ctx = context.WithoutCancel(ctx)
	out, err := a.actAll(ctx, m)
	if err != nil {
		return nil, err
	}
	k.answer = func() proto.Message { return out }
	_, err = a.cfg.Registry.Update(ctx, func(tx *registry.Tx) error { return a.remember(tx, k) })
	return out, failure(err)
}

func (a *API) actAll(ctx context.Context, m *regiev1.ActRequest) (*regiev1.ActResponse, error) {
	targets, more, err := a.targets(ctx, m)
	if err != nil {
		return nil, err
	}
	out := &regiev1.ActResponse{More: more, Results: make([]*regiev1.ActResult, len(targets))}
	positions := make([]uint64, len(targets))
	together(len(targets), func(i int) {
		t := &targets[i]
		if out.Results[i] = t.refused; t.refused == nil {
			out.Results[i], positions[i] = a.act(ctx, &t.row, m)
		}
	})
	if ctx.Err() != nil {
		return nil, failure(ctx.Err())
	}
	for _, p := range positions {
		out.Position = max(out.Position, p)
	}
	return out, nil
}

// together does something for each of n runs, for [ActedAtOnce] at the same time,
// and returns once all is done.
func together(n int, do func(i int)) {
	room := make(chan struct{}, ActedAtOnce)
	var doing sync.WaitGroup
	for i := range n {
		room <- struct{}{}
		doing.Go(func() {
			do(i)
			<-room
		})
	}
	doing.Wait()
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
	case len(m.GetSteps()) > MaxNamedSteps, len(m.GetSteps()) > MaxStepsOfMany && m.GetRun() == "":
		return invalid("steps", "there are %d, more than %d of one run or %d of several", len(m.GetSteps()), MaxNamedSteps, MaxStepsOfMany)
	case m.GetAction() == regiev1.Action_ACTION_CANCEL && len(m.GetSteps()) > 0:
		return invalid("steps", "a run is canceled as a whole")
	case m.GetAction() == regiev1.Action_ACTION_UNSPECIFIED || regiev1.Action_name[int32(m.GetAction())] == "":
		return invalid("action", "give one of the actions, such as ACTION_HOLD")
	}
	return checkOperation(m)
}

// target is a run to act on, or why it cannot be.
type target struct {
	row     store.RunRow
	refused *regiev1.ActResult
}

func (a *API) targets(ctx context.Context, m *regiev1.ActRequest) (out []target, more bool, err error) {
	if m.GetFilter() != "" {
		now := a.cfg.Now()
		q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsOperate, m.GetFilter(), now)
		if err != nil {
			return nil, false, err
		}
		rows, next, err := a.matching(ctx, q, runToken{At: now}, MaxActed, math.MaxInt, filter.Yes)
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
	regiev1.Action_ACTION_SET_SUCCEEDED: "run.set_succeeded", regiev1.Action_ACTION_SET_FAILED: "run.set_failed",
	regiev1.Action_ACTION_SKIP: "run.skip", regiev1.Action_ACTION_KILL: "run.kill", regiev1.Action_ACTION_RUN_NOW: "run.run_now",
	regiev1.Action_ACTION_COMMENT: actionComment, regiev1.Action_ACTION_RERUN: "run.rerun",
	regiev1.Action_ACTION_FORCE:        "run.force",
	regiev1.Action_ACTION_COMPENSATE:   "run.compensate",
	regiev1.Action_ACTION_SET_PRIORITY: "run.set_priority", regiev1.Action_ACTION_SET_DEADLINE: "run.set_deadline",
	regiev1.Action_ACTION_ADD_WAIT: "run.add_wait", regiev1.Action_ACTION_DROP_WAIT: "run.drop_wait",
}

// act acts on one run. Whatever keeps it from being done is a result.
func (a *API) act(ctx context.Context, row *store.RunRow, m *regiev1.ActRequest) (*regiev1.ActResult, uint64) {
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
	case regiev1.Action_ACTION_CANCEL:
		done, err = a.cancel(ctx, row, order)
	case regiev1.Action_ACTION_COMMENT:
		done, err = a.comment(ctx, row, order)
	default:
		done, err = a.operate(ctx, m, order)
	}
	return a.resultOf(ctx, row, e.Action, done, err), done.Position
}

// resultOf says what became of an action on one run.
func (a *API) resultOf(ctx context.Context, row *store.RunRow, action string, done runtime.Done, err error) *regiev1.ActResult {
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
		if now, err := a.cfg.Store.Run(ctx, row.ID); err == nil {
			out.Message += ": it is " + now.State
		}
	default:
		sent, hidden := problem.Complete(ctx, failure(err), call.From(ctx).RequestID)
		out.Code, out.Message = problem.Of(sent).GetCode(), sent.Message()
		if hidden {
			a.cfg.Log.ErrorContext(ctx, "an action on a run failed", "run", row.ID, "action", action, "error", err)
		}
	}
	return out
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
