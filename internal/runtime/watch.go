package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// MaxWatchBacklog is how many events wait for a watcher before it has to read
// them from the store again.
const MaxWatchBacklog = 4096

// hub shows committed events to watchers and ends to those who wait.
type hub struct {
	reader store.Reader

	mu       sync.Mutex
	watchers map[store.RunID][]*Watcher
	waiters  map[store.RunID][]chan end
	aside    map[store.RunID]error // quarantined
}

// end is what a waiter is told: how the run ended, or why it will not, or, if
// both are nil, to look again.
type end struct {
	ended *engine.RunEnded
	err   error
}

// Watcher shows the events of one run in order, each once. Used by one
// goroutine.
type Watcher struct {
	hub  *hub
	run  store.RunID
	next uint64 // number of the event to show next
	// border: a record begins at next.
	border bool
	// ended: the last event shown is the end of the run; over: none is behind it.
	ended, over bool
	done        <-chan struct{}

	signal chan struct{} // holds a token while there is something to see

	// Guarded by hub.mu.
	queue  []Publish
	queued int // events in queue
	reread bool
	err    error
}

func (h *hub) watch(run store.RunID, first uint64, done <-chan struct{}) *Watcher {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &Watcher{hub: h, run: run, next: max(first, 1), done: done, signal: make(chan struct{}, 1), reread: true, err: h.aside[run]}
	w.signal <- struct{}{}
	if h.watchers == nil {
		h.watchers = map[store.RunID][]*Watcher{}
	}
	h.watchers[run] = append(h.watchers[run], w)
	return w
}

// Close ends the watching. Idempotent.
func (w *Watcher) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	rest := slices.DeleteFunc(w.hub.watchers[w.run], func(x *Watcher) bool { return x == w })
	if len(rest) == 0 {
		delete(w.hub.watchers, w.run)
		return
	}
	w.hub.watchers[w.run] = rest
}

// Next waits for the next events and returns them. Errors: io.EOF after the end
// of the run; ErrQuarantined, ErrStopping, and that of ctx.
func (w *Watcher) Next(ctx context.Context) ([]engine.Event, error) {
	for !w.over {
		select {
		case <-w.signal:
		case <-ctx.Done():
			select {
			case <-w.signal: // what was published before it ended
			default:
				return nil, ctx.Err()
			}
		case <-w.done:
			select {
			case <-w.signal: // what was published before the end
			default:
				return nil, ErrStopping
			}
		}
		events, err := w.see(ctx)
		if err != nil || len(events) > 0 {
			return events, err
		}
	}
	return nil, io.EOF
}

// see takes what is there.
func (w *Watcher) see(ctx context.Context) ([]engine.Event, error) {
	w.hub.mu.Lock()
	queue, reread, err := w.queue, w.reread, w.err
	w.queue, w.queued, w.reread = nil, 0, false
	w.hub.mu.Unlock()
	var events, read []engine.Event
	more := false
	for _, p := range queue {
		if p.First > w.next {
			reread = true // committed by an earlier reactor
			break
		}
		events = w.take(events, p.First, p.Events)
	}
	if reread {
		var failed error
		if read, more, failed = w.read(ctx); failed != nil {
			return nil, fmt.Errorf("watch run %s: %w", w.run, failed)
		}
		if events = append(events, read...); more {
			w.readOn()
		}
	}
	w.over = w.ended && !more // a retry may come behind it
	if len(events) == 0 {
		return nil, err
	}
	if err != nil {
		w.wake() // the events first
	}
	return events, nil
}

// read takes what is stored, up to the record in which there are enough for once:
// then there may be more.
func (w *Watcher) read(ctx context.Context) (events []engine.Event, more bool, err error) {
	first := uint64(1)
	if w.border {
		first = w.next
	}
	for record, err := range w.hub.reader.Events(ctx, w.run, first) {
		if errors.Is(err, store.ErrNotFound) {
			return events, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		decoded, err := engine.DecodeEvents(record.Control, record.Payload)
		if err != nil {
			return nil, false, err
		}
		if events = w.take(events, record.First, decoded); len(events) >= MaxWatchBacklog {
			return events, true, nil
		}
	}
	return events, false, nil
}

// readOn has the store read again, from where the watcher is.
func (w *Watcher) readOn() {
	w.hub.mu.Lock()
	w.reread = true
	w.hub.mu.Unlock()
	w.wake()
}

// take adds the events of a record that are new, which begins at first.
func (w *Watcher) take(events []engine.Event, first uint64, record []engine.Event) []engine.Event {
	skip := w.next - first
	if skip >= uint64(len(record)) {
		return events
	}
	record = record[skip:]
	w.next, w.border = w.next+uint64(len(record)), true
	w.ended = record[len(record)-1].Kind == engine.EvRunEnded
	return append(events, record...)
}

func (w *Watcher) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (h *hub) publish(p Publish) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.watchers[p.Run] {
		w.queue, w.queued = append(w.queue, p), w.queued+len(p.Events)
		if w.queued > MaxWatchBacklog {
			w.queue, w.queued, w.reread = nil, 0, true
		}
		w.wake()
	}
	if p.Ended != nil {
		h.tell(p.Run, end{ended: p.Ended})
	}
}

func (h *hub) quarantine(run store.RunID, reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.aside == nil {
		h.aside = map[store.RunID]error{}
	}
	h.aside[run] = reason
	for _, w := range h.watchers[run] {
		w.err = reason
		w.wake()
	}
	h.tell(run, end{err: reason})
}

// quarantined is how many runs are set aside.
func (h *hub) quarantined() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.aside)
}

func (h *hub) reason(run store.RunID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.aside[run]
}

// reread has everybody look at the store, since the reactor starts over.
func (h *hub) reread() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.aside = nil
	for _, watchers := range h.watchers {
		for _, w := range watchers {
			w.reread, w.err = true, nil
			w.wake()
		}
	}
	for run := range h.waiters {
		h.tell(run, end{})
	}
}

func (h *hub) wait(run store.RunID) chan end {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := make(chan end, 1)
	if h.waiters == nil {
		h.waiters = map[store.RunID][]chan end{}
	}
	h.waiters[run] = append(h.waiters[run], c)
	if reason := h.aside[run]; reason != nil {
		c <- end{err: reason}
	}
	return c
}

func (h *hub) forget(run store.RunID, c chan end) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := slices.DeleteFunc(h.waiters[run], func(x chan end) bool { return x == c })
	if len(rest) == 0 {
		delete(h.waiters, run)
		return
	}
	h.waiters[run] = rest
}

// tell puts the newest word into the channels of those who wait.
func (h *hub) tell(run store.RunID, e end) {
	for _, c := range h.waiters[run] {
		select {
		case <-c:
		default:
		}
		c <- e
	}
}
