package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
)

// MaxEventWait bounds how long ListEvents waits.
const MaxEventWait = time.Minute

// Bounds of watching runs.
const (
	// WatchRunsPage is how many runs one message has at most.
	WatchRunsPage = 200
	// WatchRunsEvery is how often at most changed runs are read for one caller.
	WatchRunsEvery = 100 * time.Millisecond
	// changedRows is how many rows are read at once.
	changedRows = 1000
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
	case ev.Kind == engine.EvRetryAsked && ev.Trigger != "":
		text = ev.Trigger + " asked"
	case ev.Trigger == engine.ByNamespace:
		text = what + " with its namespace"
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
	engine.EvLoopOpened: "turns begin", engine.EvOutputsKept: "outputs put away",
	engine.EvResult: "has a result", engine.EvError: "has an error", engine.EvTimerSet: "waits", engine.EvTimerFired: "time is up",
	engine.EvRetry: "tries again", engine.EvCaught: "error handled", engine.EvAssigned: "variables set",
	engine.EvStopping: "told to stop", engine.EvUnknown: "outcome unknown", engine.EvEnded: "ended",
	engine.EvCancelAsked: "cancel asked", engine.EvRunEnded: "run ended", engine.EvHeld: "held", engine.EvReleased: "released",
	engine.EvForced: "does not wait for what it needs", engine.EvRerun: "steps run again", engine.EvReentered: "began again",
	engine.EvQueued: "queued", engine.EvGranted: "granted",
	engine.EvSettled: "set", engine.EvCommented: "comment",
	engine.EvPrioritySet: "priority set", engine.EvDeadlineSet: "deadline set",
	engine.EvWaitAdded: "a wait was added", engine.EvWaitDropped: "a wait was dropped",
	engine.EvUndoAsked: "compensation asked", engine.EvUndoBegun: "compensation begins", engine.EvUndone: "compensated",
	engine.EvUndoWaits: "a person must say what it did", engine.EvUndoAnswered: "a person said what it did",
	engine.EvFailureHeld: "failure held", engine.EvRetryAsked: "retry asked", engine.EvFrameReopened: "block reopened", engine.EvReopened: "reopened",
	engine.EvRestored: "goes on with what was over",
}

// WatchRuns streams runs as they change. The first message comes at once, also
// without runs: whoever has its position can go on from there.
func (a *API) WatchRuns(ctx context.Context, m *regiev1.WatchRunsRequest, stream *connect.ServerStream[regiev1.WatchRunsResponse]) error {
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsRead, m.GetFilter(), a.cfg.Now())
	if err != nil {
		return err
	}
	w := &runsWatch{api: a, query: q, stream: stream, position: m.GetAfter()}
	if w.position == 0 {
		err = w.live(ctx)
	} else if err = a.reached(ctx, w.position); err == nil {
		err = w.changed(ctx)
	}
	pause := time.NewTicker(WatchRunsEvery)
	defer pause.Stop()
	for err == nil {
		if _, err = a.cfg.Runtime.Reached(ctx, w.position+1); err == nil {
			err = w.changed(ctx)
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return failure(err)
}

// runsWatch is a caller of WatchRuns.
type runsWatch struct {
	api    *API
	query  *runQuery
	stream *connect.ServerStream[regiev1.WatchRunsResponse]
	// position is the batch up to which the caller has seen everything.
	position uint64
	begun    bool // something was sent
}

// live sends the live runs that match, as they stand.
func (w *runsWatch) live(ctx context.Context) error {
	w.position = w.api.cfg.Runtime.Position()
	var rows []store.RunRow
	if !w.query.none {
		var err error
		if rows, err = w.api.cfg.Store.LiveRuns(ctx); err != nil {
			return err
		}
	}
	for i := range rows { // they show all batches up to the last one of theirs
		w.position = max(w.position, rows[i].Batch)
	}
	return w.send(ctx, rows)
}

// changed sends the runs that match and have changed since the position.
func (w *runsWatch) changed(ctx context.Context) error {
	now := w.api.cfg.Runtime.Position()
	// The query goes by namespace and workflow only: what leaves a filter, such
	// as one for states, is not sent, but what is in it is seen.
	next := store.RunQuery{
		ByBatch: true, Since: w.position, Namespaces: w.query.store.Namespaces, Workflows: w.query.store.Workflows, Limit: changedRows,
	}
	var rows []store.RunRow
	for more := !w.query.none; more; {
		page, err := w.api.cfg.Store.Runs(ctx, next)
		if err != nil {
			return err
		}
		if len(page) > 0 {
			last := &page[len(page)-1]
			next.Since, next.After, now = last.Batch, last.ID, max(now, last.Batch)
		}
		more = len(page) == changedRows
		if rows = append(rows, page...); len(rows) > 0 && more {
			if err := w.pieces(ctx, rows); err != nil {
				return err
			}
			rows = nil
		}
	}
	w.position = max(w.position, now)
	return w.send(ctx, rows)
}

// send sends the rows that match and then the position, unless nothing is new.
func (w *runsWatch) send(ctx context.Context, rows []store.RunRow) error {
	runs := w.matching(ctx, rows)
	for len(runs) > WatchRunsPage {
		if err := w.stream.Send(&regiev1.WatchRunsResponse{Runs: runs[:WatchRunsPage]}); err != nil {
			return err
		}
		runs = runs[WatchRunsPage:]
	}
	if len(runs) == 0 && w.begun {
		return nil
	}
	w.begun = true
	return w.stream.Send(&regiev1.WatchRunsResponse{Runs: runs, Position: w.position})
}

// pieces sends rows without a position: whoever is cut off before the last
// message sees them all again.
func (w *runsWatch) pieces(ctx context.Context, rows []store.RunRow) error {
	for runs := range slices.Chunk(w.matching(ctx, rows), WatchRunsPage) {
		if err := w.stream.Send(&regiev1.WatchRunsResponse{Runs: runs}); err != nil {
			return err
		}
	}
	return nil
}

func (w *runsWatch) matching(ctx context.Context, rows []store.RunRow) []*regiev1.Run {
	now := w.api.cfg.Now()
	look, f := w.api.looker(ctx, now), w.query.filter.At(now)
	var out []*regiev1.Run
	for i := range rows {
		if w.query.allows(&rows[i]) && matches(f, look(&rows[i])) {
			out = append(out, w.api.run(ctx, &rows[i]))
		}
	}
	return out
}
