package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// MaxEventWait bounds how long ListEvents waits.
const MaxEventWait = time.Minute

// WatchRunsPage is how many runs one message of WatchRuns has at most, and
// changedRows how many rows are read at once: more than one batch can have, so
// that reading goes on behind a whole batch.
const (
	WatchRunsPage = 200
	changedRows   = 2 * runtime.MaxBatchRecords
)

// ListEvents lists what happened in a run.
func (a *API) ListEvents(ctx context.Context, m *regiev1.ListEventsRequest) (*regiev1.ListEventsResponse, error) {
	limit, err := pageSize(m.GetLimit())
	if err != nil {
		return nil, err
	}
	wait := m.GetWait().AsDuration()
	if wait < 0 || wait > MaxEventWait {
		return nil, invalid("wait", "it is %s; it lies between 0s and %s", wait, MaxEventWait)
	}
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return nil, err
	}
	follow, err := a.follow(ctx, &row)
	if err != nil {
		return nil, failure(err)
	}
	defer follow.close()
	out := &regiev1.ListEventsResponse{}
	waiting := ctx
	if row.Events <= m.GetAfter() { // what is there is given however long that takes
		if wait == 0 {
			out.Ended = row.Ended()
			return out, nil
		}
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	for len(out.Events) == 0 {
		batch, err := follow.next(waiting)
		switch {
		case errors.Is(err, io.EOF):
			out.Ended = true
			return out, nil
		case err != nil && waiting.Err() != nil && ctx.Err() == nil:
			return out, nil
		case err != nil:
			return nil, failure(err)
		}
		for _, e := range batch.events {
			if e.Number > m.GetAfter() && len(out.Events) < limit {
				out.Events = append(out.Events, e)
			}
		}
	}
	row, err = a.cfg.Store.Run(ctx, row.ID)
	if err != nil {
		return nil, failure(err)
	}
	out.Ended = row.Ended() && out.Events[len(out.Events)-1].Number >= row.Events
	return out, nil
}

// follower shows the events of a run from the first on: the state of a step
// follows from all of them.
type follower struct {
	api     *API
	row     *store.RunRow
	builder *history.Builder
	watcher interface {
		Next(ctx context.Context) ([]engine.Event, error)
		Close()
	}
	number uint64
}

// seen is a batch of events with the steps that they changed.
type seen struct {
	events []*regiev1.Event
	steps  []*history.Step
}

func (a *API) follow(ctx context.Context, row *store.RunRow) (*follower, error) {
	machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, row.Program)
	if err != nil {
		return nil, err
	}
	return &follower{
		api: a, row: row, builder: history.NewBuilder(string(row.ID), machine), watcher: a.cfg.Runtime.Watch(row.ID, 1),
	}, nil
}

func (f *follower) close() { f.watcher.Close() }

// next waits for the next events. io.EOF after those of a run that has ended.
func (f *follower) next(ctx context.Context) (*seen, error) {
	events, err := f.watcher.Next(ctx)
	if err != nil {
		return nil, err
	}
	return f.fold(events)
}

// fold takes the next events.
func (f *follower) fold(events []engine.Event) (*seen, error) {
	out := &seen{}
	for i := range events {
		f.number++
		steps, err := f.builder.Add(&events[i])
		if err != nil {
			return nil, err
		}
		out.steps = append(out.steps, steps...)
		out.events = append(out.events, f.event(&events[i], steps))
	}
	return out, nil
}

// event is an event as the API shows it: facts, no payload.
func (f *follower) event(ev *engine.Event, steps []*history.Step) *regiev1.Event {
	out := &regiev1.Event{
		Number: f.number, At: timeOf(ev.At), Type: string(ev.Kind), Path: ev.Path, Attempt: uint32(ev.Attempt),
		State: string(ev.State), Reason: string(ev.Reason),
	}
	if s := f.builder.Step(ev.Act); s != nil && ev.Act != 0 {
		out.Path = s.Path
	} else if out.Path == "" && len(steps) == 1 {
		out.Path = steps[0].Path
	}
	out.Text = eventText(out, ev)
	return out
}

// eventText is an event as one English line.
func eventText(out *regiev1.Event, ev *engine.Event) string {
	what, ok := eventWords[ev.Kind]
	if !ok {
		what = string(ev.Kind)
	}
	text := what
	if out.GetPath() != "" {
		text = out.GetPath() + ": " + what
	}
	switch {
	case ev.Attempt > 0 && ev.Outcome != "":
		text += fmt.Sprintf(" (attempt %d %s)", ev.Attempt, ev.Outcome)
	case ev.Attempt > 0:
		text += fmt.Sprintf(" (attempt %d)", ev.Attempt)
	case ev.State != "" && ev.Reason != "":
		text += fmt.Sprintf(" %s (%s)", ev.State, ev.Reason)
	case ev.State != "":
		text += " " + string(ev.State)
	}
	if ev.Actor != "" {
		text += " by " + ev.Actor
	}
	if !ev.Due.IsZero() {
		text += " until " + ev.Due.UTC().Format(time.RFC3339)
	}
	return text
}

// eventWords are the kinds of events in English.
var eventWords = map[engine.EventKind]string{
	engine.EvAccepted: "run accepted", engine.EvFrameOpened: "block opened", engine.EvFrameVerdict: "block decided",
	engine.EvFrameEnded: "block ended", engine.EvEntered: "began", engine.EvNotEntered: "will not run",
	engine.EvAttempt: "handed out", engine.EvAttemptEnded: "attempt ended", engine.EvMapOpened: "items known",
	engine.EvResult: "has a result", engine.EvError: "has an error", engine.EvTimerSet: "waits", engine.EvTimerFired: "time is up",
	engine.EvRetry: "tries again", engine.EvCaught: "error handled", engine.EvAssigned: "variables set",
	engine.EvStopping: "told to stop", engine.EvUnknown: "outcome unknown", engine.EvEnded: "ended",
	engine.EvCancelAsked: "cancel asked", engine.EvRunEnded: "run ended", engine.EvHeld: "held", engine.EvReleased: "released",
	engine.EvRetryAsked: "retry asked", engine.EvFrameReopened: "block reopened", engine.EvReopened: "reopened",
}

// WatchRuns streams runs as they change.
func (a *API) WatchRuns(ctx context.Context, m *regiev1.WatchRunsRequest, stream *connect.ServerStream[regiev1.WatchRunsResponse]) error {
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsRead, m.GetFilter())
	if err != nil {
		return err
	}
	position := m.GetAfter()
	if position == 0 {
		position = a.cfg.Runtime.Position()
		if err := a.sendLive(ctx, q, position, stream); err != nil {
			return err
		}
	}
	for !q.none {
		now, err := a.cfg.Runtime.Reached(ctx, position+1)
		if err != nil {
			return failure(err)
		}
		// The store's query goes by state; what leaves a filter must be seen too,
		// so that only namespaces and workflows narrow it.
		rows, err := a.cfg.Store.Runs(ctx, store.RunQuery{
			Since: position, Namespaces: q.store.Namespaces, Workflows: q.store.Workflows, Limit: changedRows,
		})
		if err != nil {
			return failure(err)
		}
		if len(rows) < changedRows {
			position = now
		} else {
			position = rows[len(rows)-1].Batch - 1
		}
		if err := a.sendRuns(ctx, q, rows, position, stream); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return failure(ctx.Err())
}

// sendRuns sends the rows that match, if any. All but the last message have no
// position: whoever is cut off between them sees them all again.
func (a *API) sendRuns(ctx context.Context, q *runQuery, rows []store.RunRow, position uint64, stream *connect.ServerStream[regiev1.WatchRunsResponse]) error {
	look, out := a.looker(ctx), &regiev1.WatchRunsResponse{}
	for i := range rows {
		if !q.allows(&rows[i]) || !matches(q.filter, look(&rows[i])) {
			continue
		}
		if len(out.Runs) == WatchRunsPage {
			if err := stream.Send(out); err != nil {
				return err
			}
			out = &regiev1.WatchRunsResponse{}
		}
		out.Runs = append(out.Runs, a.run(ctx, &rows[i]))
	}
	if len(out.Runs) == 0 {
		return nil
	}
	out.Position = position
	return stream.Send(out)
}

// sendLive sends the live runs that match, as they stand.
func (a *API) sendLive(ctx context.Context, q *runQuery, position uint64, stream *connect.ServerStream[regiev1.WatchRunsResponse]) error {
	rows, err := a.cfg.Store.LiveRuns(ctx)
	if err != nil {
		return failure(err)
	}
	return a.sendRuns(ctx, q, rows, position, stream)
}
