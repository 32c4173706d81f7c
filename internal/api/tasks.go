package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of requests about work that is done outside.
const (
	// MaxTaskWait is how long TakeTask waits at most.
	MaxTaskWait = time.Minute
	// MaxTakers is how many requests wait for work at once.
	MaxTakers = 1000
	// MaxWorker, MaxErrorName and MaxErrorMessage are the longest texts of their
	// kind, in bytes.
	MaxWorker = 200
	// MaxHolding is how much work a worker can say that it has.
	MaxHolding      = 1000
	MaxErrorName    = 256
	MaxErrorMessage = 32 << 10
	// MaxOutput is the largest output of work, as JSON.
	MaxOutput = MaxInput
)

// TakeTask gives a worker work that a step offers, once there is some.
func (a *API) TakeTask(ctx context.Context, m *regiev1.TakeTaskRequest) (*regiev1.TakeTaskResponse, error) {
	wait := m.GetWait().AsDuration()
	if wait < 0 || wait > MaxTaskWait {
		return nil, invalid("wait", "it is %s; it lies between 0s and %s", wait, MaxTaskWait)
	}
	if m.GetActivity() == "" {
		return nil, invalid("activity", "it is missing")
	}
	if err := errors.Join(checkName("activity", m.GetActivity(), workflow.MaxActivity), checkName("worker", m.GetWorker(), MaxWorker)); err != nil {
		return nil, err
	}
	if len(m.GetHolding()) > MaxHolding {
		return nil, invalid("holding", "it names %d tokens, more than %d", len(m.GetHolding()), MaxHolding)
	}
	t := &taker{
		api: a, namespace: m.GetNamespace(), activity: m.GetActivity(), worker: m.GetWorker(), version: m.GetTypeVersion(),
	}
	if t.worker == "" {
		t.worker = identityOf(ctx).User
	}
	if m.GetAgain() {
		task, err := t.again(ctx, m.GetHolding())
		if task != nil || err != nil {
			return &regiev1.TakeTaskResponse{Task: task}, err
		}
	}
	task, err := t.wait(ctx, wait)
	return &regiev1.TakeTaskResponse{Task: task}, err
}

func checkName(field, text string, most int) error {
	if len(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return invalid(field, "it is longer than %d bytes, or not text", most)
	}
	return nil
}

// taker is a worker that asks for work.
type taker struct {
	api                         *API
	namespace, activity, worker string
	version                     string // of the task type that it was made for; empty: any
}

// again finds work that the worker has taken already, nil if there is none.
func (t *taker) again(ctx context.Context, holding []string) (*regiev1.TakenTask, error) {
	actor := identityOf(ctx).Actor()
	var found *regiev1.TakenTask
	err := t.api.cfg.Runtime.Survey(ctx, func(v runtime.View) bool {
		if v.Run == nil || v.Row.Namespace != t.namespace {
			return true
		}
		var first *engine.Activation
		for _, a := range v.Run.Acts {
			if a.Phase != engine.PhaseMessage || a.Taker != t.worker || a.TakenBy != actor || a.CancelAsked || first != nil && first.ID < a.ID {
				continue
			}
			activity := v.Machine.Activity(v.Run, a)
			if activity != t.activity && lastPart(activity) != t.activity || slices.Contains(holding, engine.Token(v.Run, a, a.Attempt)) {
				continue
			}
			first = a
		}
		if first == nil {
			return true
		}
		found = taken(v.Machine, v.Run, first)
		found.Activity = v.Machine.Activity(v.Run, first)
		return false
	})
	if err != nil || found == nil {
		return nil, failure(err)
	}
	if err := t.fits(found); err != nil {
		return nil, err
	}
	return found, nil
}

// fits refuses work that the worker was not made for.
func (t *taker) fits(task *regiev1.TakenTask) error {
	if t.version == "" || task.GetTypeVersion() == t.version {
		return nil
	}
	return refuse(connect.CodeFailedPrecondition, "type_version", fmt.Sprintf(
		"the work of step %s of run %s is of version %s of the task type %s, the worker was made for %s",
		task.GetPath(), task.GetRun(), cmp.Or(task.GetTypeVersion(), "(none)"), t.activity, t.version),
		"start a worker that was made for that version, or cancel the run")
}

// wait looks for work, and again whenever some may have come.
func (t *taker) wait(ctx context.Context, wait time.Duration) (*regiev1.TakenTask, error) {
	if t.api.takers.Add(1) > MaxTakers {
		t.api.takers.Add(-1)
		return nil, refuse(connect.CodeResourceExhausted, "busy", "too many workers wait for work", "try again in a moment")
	}
	defer t.api.takers.Add(-1)
	watched, end := context.WithCancel(ctx)
	defer end()
	ended := t.api.cfg.Access.Watch(watched, identityOf(ctx))
	late := time.NewTimer(wait)
	defer late.Stop()
	for {
		comes := t.api.cfg.Runtime.Offers() // what comes after this wakes
		task, err := t.next(ctx)
		if task != nil || err != nil || wait == 0 {
			return task, err
		}
		select {
		case <-comes:
		case <-late.C:
			return nil, nil //nolint:nilnil // there is none
		case <-ended:
			return nil, refuse(connect.CodeUnauthenticated, "credential_ended", "the token or session has ended, or may less than before", "log in again")
		case <-ctx.Done():
			return nil, failure(ctx.Err())
		case <-t.api.cfg.Runtime.Done():
			return nil, failure(runtime.ErrStopping)
		}
	}
}

// next takes the oldest work that there is, nil if there is none.
func (t *taker) next(ctx context.Context) (*regiev1.TakenTask, error) {
	question := t.api.desk.ask()
	for {
		o, ok, err := t.api.desk.next(ctx, question, t.api.cfg.Runtime.Survey, t.namespace, t.activity)
		if !ok || err != nil {
			return nil, failure(err)
		}
		task, err := t.take(ctx, &o)
		if task != nil || err != nil {
			return task, err
		}
	}
}

// take takes work, nil if it is gone.
func (t *taker) take(ctx context.Context, o *offered) (*regiev1.TakenTask, error) {
	seen, err := t.api.cfg.Runtime.Inspect(ctx, o.run, func(v runtime.View) any {
		a := v.Run.Acts[o.act]
		if a == nil || a.Attempt != o.attempt || !v.Machine.Offered(v.Run, a) {
			return (*regiev1.TakenTask)(nil)
		}
		return taken(v.Machine, v.Run, a)
	})
	task, _ := seen.(*regiev1.TakenTask)
	if err == nil && task != nil {
		if err := t.fits(task); err != nil {
			t.api.cfg.Runtime.OfferAgain() // somebody else may be made for it
			return nil, err
		}
		task.Activity = o.activity
		e := identityOf(ctx).Done(access.Act{
			Action: "task.take", Namespace: t.namespace, Object: "run/" + string(o.run),
			Detail: map[string]any{"step": task.GetPath(), "attempt": o.attempt, "worker": t.worker},
		})
		var done runtime.Done
		done, err = t.api.cfg.Runtime.Callback(ctx, o.run, engine.Callback{Token: task.GetToken(), Taker: t.worker, Actor: e.Actor}, []store.Entry{e})
		task.Position = done.Position
	}
	switch {
	case errors.Is(err, engine.ErrRefused), errors.Is(err, runtime.ErrNotLive), errors.Is(err, runtime.ErrQuarantined):
		return nil, nil //nolint:nilnil // it is gone
	case err != nil:
		t.api.cfg.Runtime.OfferAgain() // it is off the desk, and nobody may have it
		return nil, taskFailure(err)
	}
	return task, nil
}

// taken is work as the worker gets it.
func taken(m *engine.Machine, run *engine.Run, a *engine.Activation) *regiev1.TakenTask {
	out := &regiev1.TakenTask{
		IdempotencyKey: engine.IdempotencyKey(run.ID, a), Checkpoint: a.Checkpoint, TypeVersion: m.TypeVersion(run, a),
		Token: engine.Token(run, a, a.Attempt), Input: jsonOf(a.Input.Get("input")),
		Run: run.ID, Path: a.Path, Attempt: uint32(a.Attempt),
	}
	if a.Timeout > 0 {
		out.Timeout = durationpb.New(a.Timeout)
	}
	if a.Heartbeat > 0 {
		out.Heartbeat = durationpb.New(a.Heartbeat)
	}
	return out
}

// CompleteTask ends work with what the worker says.
func (a *API) CompleteTask(ctx context.Context, m *regiev1.CompleteTaskRequest) (*regiev1.CompleteTaskResponse, error) {
	in, err := endOf(m)
	if err != nil {
		return nil, err
	}
	row, err := a.runOfToken(ctx, m.GetNamespace(), m.GetToken())
	if err != nil {
		return nil, err
	}
	outcome := engine.OutcomeSucceeded
	if in.Error != nil {
		outcome = engine.OutcomeFailed
	}
	e := identityOf(ctx).Done(access.Act{
		Action: "task.complete", Namespace: row.Namespace, Object: "run/" + string(row.ID), Detail: map[string]any{"outcome": string(outcome)},
	})
	in.Actor = e.Actor
	done, err := a.cfg.Runtime.Callback(ctx, row.ID, in, []store.Entry{e})
	if err != nil {
		return nil, taskFailure(err)
	}
	return &regiev1.CompleteTaskResponse{Run: string(row.ID), Path: done.Affected[0].Path, Position: done.Position}, nil
}

// endOf is the message that a request asks for.
func endOf(m *regiev1.CompleteTaskRequest) (engine.Callback, error) {
	in := engine.Callback{Token: m.GetToken()}
	if m.GetError() == nil {
		var err error
		in.Output, err = jsonOr(value.Null, "output", m.GetOutput())
		return in, err
	}
	if m.GetOutput() != nil {
		return in, invalid("output", "work that failed has no output")
	}
	e := m.GetError()
	if e.GetName() == "" {
		return in, invalid("error.name", "it is missing")
	}
	if err := checkName("error.name", e.GetName(), MaxErrorName); err != nil {
		return in, err
	}
	if len(e.GetMessage()) > MaxErrorMessage {
		return in, invalid("error.message", "it is longer than %d bytes", MaxErrorMessage)
	}
	details, err := jsonOr(value.Undefined, "error.details", e.GetDetails())
	in.Error = &engine.Error{Name: e.GetName(), Message: e.GetMessage(), Details: details}
	return in, err
}

// jsonOr reads a value of a request.
func jsonOr(absent value.Value, field string, in *regiev1.Json) (value.Value, error) {
	if in == nil {
		return absent, nil
	}
	if len(in.GetText()) > MaxOutput {
		return absent, invalid(field, "it has %d bytes, more than %d", len(in.GetText()), MaxOutput)
	}
	v, err := value.Parse([]byte(in.GetText()))
	if err != nil {
		return absent, invalid(field, "it is not JSON: %v", err)
	}
	return v, nil
}

// HeartbeatTask begins the time of the next heartbeat.
func (a *API) HeartbeatTask(ctx context.Context, m *regiev1.HeartbeatTaskRequest) (*regiev1.HeartbeatTaskResponse, error) {
	if len(m.GetCheckpoint()) > engine.CheckpointLimit {
		return nil, invalid("checkpoint", "it has %d bytes, more than %d", len(m.GetCheckpoint()), engine.CheckpointLimit)
	}
	var checkpoint []byte
	if len(m.GetCheckpoint()) > 0 {
		checkpoint = m.GetCheckpoint()
	}
	row, err := a.runOfToken(ctx, m.GetNamespace(), m.GetToken())
	if err != nil {
		return nil, err
	}
	done, err := a.cfg.Runtime.Callback(ctx, row.ID, engine.Callback{Token: m.GetToken(), Beat: true, Checkpoint: checkpoint, Actor: identityOf(ctx).Actor()}, nil)
	if err != nil {
		return nil, taskFailure(err)
	}
	return &regiev1.HeartbeatTaskResponse{Position: done.Position}, nil
}

// runOfToken finds the run that a token is of, if the caller may do its work. A
// run in another namespace is not there.
func (a *API) runOfToken(ctx context.Context, namespace, token string) (store.RunRow, error) {
	run, ok := engine.TokenRun(token)
	if !ok || !store.RunID(run).Valid() {
		return store.RunRow{}, taskFailure(engine.ErrNoWork)
	}
	row, err := a.cfg.Store.Run(ctx, store.RunID(run))
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = engine.ErrNoWork
	case err != nil:
	case namespace == anyNamespace:
		if refused := identityOf(ctx).Allow(access.TasksWork, row.Namespace, true); refused != nil {
			_ = a.refused(ctx, refused) // for the record: it does not say where the run is
			err = engine.ErrNoWork
		}
	case row.Namespace != namespace:
		err = engine.ErrNoWork
	}
	return row, taskFailure(err)
}

// anyNamespace stands for all namespaces in which the caller has the permission.
const anyNamespace = "-"

// taskFailure is an error of a message about work as one of the API.
func taskFailure(err error) error {
	var refused *engine.Refusal
	switch {
	case errors.Is(err, engine.ErrNoWork):
		return refuse(connect.CodeNotFound, "task_not_found", err.Error(), "a token is good for one attempt; `regie why RUN` says what the run waits for")
	case errors.As(err, &refused):
		return refuse(connect.CodeFailedPrecondition, "refused", err.Error(), "")
	case errors.Is(err, runtime.ErrUnknown):
		return refuse(connect.CodeUnavailable, "outcome_unknown", err.Error(), "send it again; if no work waits for the token then, it was done")
	}
	return failure(err)
}
