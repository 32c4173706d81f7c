package api

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
)

// That an attempt has begun is no event. WatchRun looks every beginLook whether
// steps that it has shown as queued run by now, at maxBeginLook of them at once.
const (
	beginLook    = 200 * time.Millisecond
	maxBeginLook = 100
)

// WatchRun streams what happens in a run.
func (a *API) WatchRun(ctx context.Context, m *regiev1.WatchRunRequest, stream *connect.ServerStream[regiev1.WatchRunResponse]) error {
	row, err := a.find(ctx, m.GetNamespace(), m.GetRun())
	if err != nil {
		return err
	}
	follow, err := a.follow(ctx, &row)
	if err != nil {
		return failure(err)
	}
	defer follow.close()
	w := &runWatch{api: a, row: row, req: m, follow: follow, send: stream.Send, queued: map[*history.Step]bool{}}
	return w.run(ctx)
}

// runWatch shows one run to one caller.
type runWatch struct {
	api    *API
	row    store.RunRow
	req    *regiev1.WatchRunRequest
	follow *follower
	send   func(*regiev1.WatchRunResponse) error
	shown  bool
	// queued are the steps that were shown as queued.
	queued map[*history.Step]bool
}

// incoming is what the watcher gives next.
type incoming struct {
	events []engine.Event
	err    error
}

func (w *runWatch) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	next := make(chan incoming)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	reading.Go(func() {
		for {
			events, err := w.follow.watcher.Next(ctx)
			select {
			case next <- incoming{events, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	looks := time.NewTicker(beginLook)
	defer looks.Stop()
	for {
		var look <-chan time.Time
		if len(w.queued) > 0 {
			look = looks.C
		}
		var err error
		select {
		case in := <-next:
			if errors.Is(in.err, io.EOF) {
				return nil
			}
			if err = failure(in.err); err == nil {
				err = w.show(ctx, in.events)
			}
		case <-look:
			err = w.showBegun(ctx)
		case <-ctx.Done():
			err = failure(ctx.Err())
		}
		if err != nil {
			return err
		}
	}
}

// show sends events that the caller has not seen, and what follows from them.
func (w *runWatch) show(ctx context.Context, events []engine.Event) error {
	batch, err := w.follow.fold(events)
	if err != nil {
		return failure(err)
	}
	out := &regiev1.WatchRunResponse{}
	for _, e := range batch.events {
		if e.Number > w.req.GetAfter() {
			out.Events = append(out.Events, e)
		}
	}
	if w.follow.number < w.req.GetAfter() {
		return nil // steps as they stood before would be older than what was seen
	}
	changed := unique(batch.steps)
	if !w.shown {
		changed = w.follow.builder.Run().Steps
	}
	if w.req.GetSteps() {
		for _, s := range changed {
			out.Steps = append(out.Steps, w.step(s))
		}
	}
	w.shown = true
	return w.sendRun(ctx, out)
}

// step is a step as it is shown. Whether a queued one begins is looked after.
func (w *runWatch) step(s *history.Step) *regiev1.Step {
	out := w.api.step(&w.row, s)
	delete(w.queued, s)
	if out.GetState() == string(engine.Queued) {
		w.queued[s] = true
	}
	return out
}

// showBegun sends the steps that were queued and run by now.
func (w *runWatch) showBegun(ctx context.Context) error {
	out := &regiev1.WatchRunResponse{}
	looked := 0
	for s := range w.queued {
		if looked++; looked > maxBeginLook {
			break
		}
		if step := w.step(s); step.GetState() != string(engine.Queued) {
			out.Steps = append(out.Steps, step)
		}
	}
	if len(out.Steps) == 0 {
		return nil
	}
	return w.sendRun(ctx, out)
}

// sendRun sends a message, with the run as it stands.
func (w *runWatch) sendRun(ctx context.Context, out *regiev1.WatchRunResponse) error {
	row, err := w.api.cfg.Store.Run(ctx, w.row.ID)
	if err != nil {
		return failure(err)
	}
	w.row = row
	out.Run = w.api.run(ctx, &row)
	return w.send(out)
}

// unique drops what stands more than once, the last one stays.
func unique(steps []*history.Step) []*history.Step {
	at := map[*history.Step]int{}
	for i, s := range steps {
		at[s] = i
	}
	var out []*history.Step
	for i, s := range steps {
		if at[s] == i {
			out = append(out, s)
		}
	}
	return out
}
