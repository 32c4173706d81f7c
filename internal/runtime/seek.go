package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// Others knows what runs may have to do with runs of other workflows. Its methods
// are called by many goroutines and must not wait for the runtime.
type Others interface {
	// Child makes the request for the run that another one starts: program,
	// variables, seed, date. What a step must be told is an *engine.Error; with any
	// other error it is asked again. Instead of a request, something else may stand
	// for the run.
	Child(ctx context.Context, q *Seek) (Request, *Instead, error)
	// Run is asked before a run waits for runs of a workflow. Its result is as that
	// of Child; nil, nil lets it wait.
	Run(ctx context.Context, q *Seek) (*Instead, error)
}

// Instead stands for a run.
type Instead struct {
	engine.Happened

	After time.Duration // how long it takes
}

// later is a message that is given to the reactor after a while.
type later struct {
	Message

	after time.Duration
}

// Bounds of looking for runs.
const (
	// SeekAgainAfter is how long after a failure a run is looked for again.
	SeekAgainAfter = time.Second
	// MaxSeekRuns is how many runs of a workflow, the newest of those that fit, are
	// looked at.
	MaxSeekRuns = 1000
)

// Seeker finds out what a Seek asks for. It reads the store, and has no state.
type Seeker struct {
	Store    store.Reader
	Machines *Machines
	Others   Others // nil: there are no others
}

// Look looks. The message that it returns is to be given to the reactor, nil for
// none: the reactor will learn by itself. If it is a Submit or Act, its answer is
// to be given to Replied. After an error it is looked again, later.
func (k *Seeker) Look(ctx context.Context, q *Seek, caller Caller, now time.Time) (Message, error) {
	if k.Others == nil {
		return q.fails(engine.ErrChildRefused, "runs cannot have to do with others here"), nil
	}
	if q.Awaits.Kind == engine.AwaitRun {
		return k.run(ctx, q)
	}
	child := store.RunID(q.Awaits.Run)
	row, err := k.Store.Run(ctx, child)
	switch {
	case errors.Is(err, store.ErrPruned):
		return q.fails(engine.ErrChildRefused, "run %s was removed: start the workflow anew", child), nil
	case errors.Is(err, store.ErrNotFound):
		return k.start(ctx, q, caller, now)
	case err != nil:
		return nil, err
	case q.Awaits.Detach:
		return q.accepted(), nil
	case !row.Ended():
		return nil, nil
	case row.Erased > 0:
		return q.fails(engine.ErrChildRefused, "the data of run %s was erased: start the workflow anew", child), nil
	case row.Events == q.Awaits.Known && row.State != string(engine.Succeeded):
		return q.retries(child, caller), nil
	}
	end, err := k.end(ctx, child)
	if err != nil {
		return nil, err
	}
	h := engine.ChildEnded(&q.Awaits, end, row.Events)
	return q.tells(h), nil
}

// retries asks for a retry of the child, unless that was refused before.
func (q *Seek) retries(child store.RunID, caller Caller) Message {
	if q.Refused != nil {
		return q.fails(engine.ErrChildRefused, "run %s: %v", child, q.Refused)
	}
	return Act{Run: child, Action: engine.Retry{Action: engine.Action{
		Actor: parentActor(q.Run), Reason: "its step in run " + string(q.Run) + " was retried",
	}}, Wanted: true, Caller: caller}
}

// Replied says what follows from the answer to a Submit or Act of Look.
func (k *Seeker) Replied(q *Seek, reply Reply) (Message, error) {
	var refused *engine.Refusal
	switch err := reply.Err; {
	case err == nil, errors.Is(err, ErrRunExists):
		if q.Awaits.Detach {
			return q.accepted(), nil
		}
		if err != nil {
			return nil, err // it may have ended: look again
		}
		return nil, nil
	case errors.Is(err, ErrUnwanted):
		return q.fails(engine.ErrChildCanceled, "run %s was not started: its step was stopped before", q.Awaits.Run), nil
	case errors.As(err, &refused):
		again := *q
		again.Refused = refused
		return SeekAgain{again}, nil
	case errors.Is(err, ErrErased), errors.Is(err, ErrQuarantined):
		return q.fails(engine.ErrChildRefused, "run %s: %v", q.Awaits.Run, err), nil
	default:
		return nil, err
	}
}

// start makes the request for a child.
func (k *Seeker) start(ctx context.Context, q *Seek, caller Caller, now time.Time) (Message, error) {
	request, instead, err := k.Others.Child(ctx, q)
	if m, err := q.instead(instead, err); m != nil || err != nil {
		return m, err
	}
	request.Run, request.Trigger = store.RunID(q.Awaits.Run), parentActor(q.Run)
	request.Parent = &engine.Parent{Run: string(q.Run), Act: q.Act, Depth: q.Depth + 1}
	m, err := request.submit(now)
	var input *InputError
	switch {
	case errors.As(err, &input):
		return q.fails(engine.ErrChildInputInvalid, "workflow %s does not take this input: %v", q.Awaits.Workflow(), err), nil
	case err != nil:
		return q.fails(engine.ErrChildRefused, "workflow %s: %v", q.Awaits.Workflow(), err), nil
	}
	m.Wanted, m.Caller = true, caller
	return m, nil
}

// run looks for a run of another workflow.
func (k *Seeker) run(ctx context.Context, q *Seek) (Message, error) {
	what := &q.Awaits
	if m, err := q.instead(k.Others.Run(ctx, q)); m != nil || err != nil {
		return m, err
	}
	query := store.RunQuery{
		Namespaces: []string{what.Namespace}, Workflows: []string{what.Name}, DateFrom: what.Date, DateTo: what.Date, Limit: MaxSeekRuns,
	}
	if what.Which == engine.RunPrevious {
		query.DateFrom, query.DateTo = "", dayBefore(what.Date)
	}
	rows, err := k.Store.Runs(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("look for runs of %s: %w", what.Workflow(), err)
	}
	if what.Which == engine.RunPrevious {
		return k.previous(q, rows), nil
	}
	var found *store.RunRow
	for i := range rows {
		if row := &rows[i]; what.State.Meets(engine.State(row.State)) && (found == nil || row.EndedAt.After(found.EndedAt)) {
			found = row
		}
	}
	if found == nil {
		return nil, nil
	}
	own := what.Namespace == q.Namespace
	end := engine.RunEnded{State: engine.State(found.State)}
	if own && found.Erased == 0 {
		if end, err = k.end(ctx, found.ID); err != nil {
			return nil, err
		}
	}
	return q.tells(engine.RunFound(what, string(found.ID), found.BusinessDate, end, own)), nil
}

// dayBefore is the date before one, and of what is none itself.
func dayBefore(date string) string {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return day.AddDate(0, 0, -1).Format(time.DateOnly)
}

// previous pins the closest earlier business date.
func (k *Seeker) previous(q *Seek, rows []store.RunRow) Message {
	closest := ""
	for i := range rows {
		if date := rows[i].BusinessDate; date < q.Awaits.Date && date > closest && rows[i].State != string(engine.Skipped) {
			closest = date
		}
	}
	if closest == "" {
		return q.fails(engine.ErrRunNotFound, "workflow %s has no run before business date %s", q.Awaits.Workflow(), q.Awaits.Date)
	}
	return Outside{Run: q.Run, In: engine.Pinned{Act: q.Act, Wait: q.Awaits.ID, Date: closest}}
}

// end reads how a run ended.
func (k *Seeker) end(ctx context.Context, id store.RunID) (engine.RunEnded, error) {
	loaded := LoadEnded(ctx, k.Store, k.Machines, Reload{Run: id})
	if loaded.Err != nil {
		return engine.RunEnded{}, loaded.Err
	}
	run := loaded.Run
	return engine.RunEnded{State: run.State, Reason: run.Reason, Output: run.Output, Error: run.Err}, nil
}

// tells is the message that the activation's wait is over.
func (q *Seek) tells(h engine.Happened) Message {
	h.Act, h.Wait = q.Act, q.Awaits.ID
	return Outside{Run: q.Run, In: h}
}

// accepted tells it that the run exists whose end it does not wait for.
func (q *Seek) accepted() Message {
	return q.tells(engine.Happened{Output: value.Object(value.M("run", value.String(q.Awaits.Run)))})
}

// fails tells it that the run will not come.
func (q *Seek) fails(name, format string, args ...any) Message {
	return q.tells(engine.Happened{Error: &engine.Error{Name: name, Engine: name, Message: fmt.Sprintf(format, args...)}})
}

// instead takes what stands for a run, or an error that its step must be told.
func (q *Seek) instead(h *Instead, err error) (Message, error) {
	var told *engine.Error
	switch {
	case errors.As(err, &told):
		return q.tells(engine.Happened{Error: told}), nil
	case err != nil:
		return nil, err
	case h != nil:
		return later{q.tells(h.Happened), h.After}, nil
	}
	return nil, nil
}
