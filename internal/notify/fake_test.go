package notify_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
)

var errDisk = errors.New("disk failed")

// disk keeps objects and rows as a store does.
type disk struct {
	mu      sync.Mutex
	objects map[store.ObjectID]store.Object
	entries []store.Entry
	rows    map[store.RunID]store.RunRow
	batch   uint64
	writes  int // of objects and entries
	// fault says what becomes of a write: whether it is made, and what it
	// returns. Nil: all goes well.
	fault func(write int) (made bool, err error)
}

func newDisk() *disk {
	return &disk{objects: map[store.ObjectID]store.Object{}, rows: map[store.RunID]store.RunRow{}}
}

func (d *disk) Write(_ context.Context, objects []store.Object, entries []store.Entry) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	made, failed := true, error(nil)
	if d.fault != nil {
		made, failed = d.fault(d.writes)
	}
	if !made {
		return 0, failed
	}
	for _, o := range objects {
		if have := d.objects[o.ObjectID].Revision; o.Revision != have+1 {
			return 0, &store.RevisionError{ID: o.ObjectID, Have: have, Want: o.Revision}
		}
	}
	b := store.Batch{Sequence: 1, Incarnation: 1, At: time.Now(), Objects: objects, Entries: entries}
	if err := b.Check(); err != nil {
		return 0, err
	}
	d.batch++
	for _, o := range objects {
		d.objects[o.ObjectID] = o
	}
	d.entries = append(d.entries, entries...)
	return d.batch, failed
}

func (d *disk) Object(_ context.Context, id store.ObjectID) (store.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o, there := d.objects[id]; there && !o.Deleted {
		return o, nil
	}
	return store.Object{}, store.ErrNotFound
}

func (d *disk) Objects(_ context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	compare := func(a, b store.ObjectID) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	}
	var out []store.Object
	for id, o := range d.objects {
		if id.Kind == kind && !o.Deleted && compare(id, after) > 0 {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b store.Object) int { return compare(a.ObjectID, b.ObjectID) })
	return out[:min(len(out), limit)], nil
}

func (d *disk) LiveRuns(context.Context) ([]store.RunRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(d.rows)), func(r store.RunRow) bool { return r.Ended() }), nil
}

func (d *disk) Runs(_ context.Context, q store.RunQuery) ([]store.RunRow, error) {
	if err := q.Check(); err != nil || !q.ByBatch {
		return nil, fmt.Errorf("%+v: %w", q, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []store.RunRow
	for _, r := range d.rows {
		if q.Matches(&r) && (r.Batch > q.Since || r.Batch == q.Since && r.ID > q.After) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b store.RunRow) int { return cmp.Or(cmp.Compare(a.Batch, b.Batch), cmp.Compare(a.ID, b.ID)) })
	return out[:min(len(out), store.LimitOf(q.Limit))], nil
}

// commit writes rows of runs in one batch and returns them.
func (d *disk) commit(rows ...store.RunRow) []store.RunRow {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batch++
	for i := range rows {
		rows[i].Batch = d.batch
		d.rows[rows[i].ID] = rows[i]
	}
	return rows
}

// mailman is a sender that notes what it was given. Answer says what becomes of
// a message; nil: it is accepted.
type mailman struct {
	mu     sync.Mutex
	sent   []notify.Message
	to     []string
	answer func(ctx context.Context, channel string, m notify.Message) error
}

func (s *mailman) Send(ctx context.Context, channel string, m notify.Message) error {
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		if err := answer(ctx, channel, m); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent, s.to = append(s.sent, m), append(s.to, channel)
	return nil
}

// take returns what was sent since, one "channel about workflow cause" each.
func (s *mailman) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, len(s.sent))
	for i, m := range s.sent {
		out[i] = fmt.Sprintf("%s %s %s %s", s.to[i], m.About, m.Workflow, m.Cause)
	}
	s.sent, s.to = nil, nil
	return strings.Join(out, ", ")
}

// world is a service with what is around it, in a bubble of its own time.
type world struct {
	t        *testing.T
	disk     *disk
	mail     *mailman
	channels []string
	breakers []notify.Breaker // under the lock of mail
	service  *notify.Service
	clock    clock.Clock // nil: that of the bubble
}

var ada = store.Entry{Actor: "user/ada", Via: "session", Request: "r1"}

// inWorld runs a test with a service that has been started.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: newDisk(), mail: &mailman{}, channels: []string{"ops"}}
		w.start()
		test(w)
		w.stop()
	})
}

// start starts a service on the disk as it is.
func (w *world) start() {
	w.t.Helper()
	if err := w.tryStart(); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

func (w *world) tryStart() error {
	tables := notify.NewTables()
	r, err := registry.Open(w.t.Context(), w.disk, w.disk, tables.Alerts, tables.Silences, tables.Cursors)
	if err != nil {
		return err
	}
	w.service = notify.New(notify.Config{
		Registry: r, Tables: tables, Runs: w.disk, Sender: w.mail, Position: w.disk.batch, Clock: w.clock,
		Channels: func(string) []string { return w.channels },
		Breakers: func() []notify.Breaker {
			w.mail.mu.Lock()
			defer w.mail.mu.Unlock()
			return w.breakers
		},
		Owner: func(_, workflow string) string { return "owner-of-" + workflow },
	})
	return w.service.Start(w.t.Context())
}

func (w *world) stop() {
	w.t.Helper()
	if err := w.service.Stop(w.t.Context()); err != nil {
		w.t.Error(err)
	}
}

// pass lets time pass, and all that happens in it. What the test has set before
// is seen by who holds one of the locks.
func (w *world) pass(d time.Duration) {
	w.mail.mu.Lock()
	w.mail.mu.Unlock() //nolint:staticcheck // an empty section orders what comes before and after
	w.disk.mu.Lock()
	w.disk.mu.Unlock() //nolint:staticcheck // likewise
	<-time.After(d)
	synctest.Wait()
}

// run commits rows and lets the service see them.
func (w *world) run(rows ...store.RunRow) {
	w.service.Runs(w.disk.commit(rows...))
	w.pass(time.Second)
}

// row is a run of workflow w in the namespace n that was accepted now.
func row(id, state string) store.RunRow {
	now := time.Now()
	r := store.RunRow{ID: store.RunID(id), Namespace: "n", Workflow: "w", State: state, AcceptedAt: now, StartedAt: now}
	if r.Ended() {
		r.EndedAt = now
	}
	return r
}

// alerts are all alerts, oldest first: "workflow cause state count latest-run".
func (w *world) alerts() string {
	list := w.service.List(notify.Query{States: []notify.State{notify.Open, notify.Acknowledged, notify.Closed}})
	out := make([]string, len(list))
	for i, a := range list {
		out[len(list)-1-i] = fmt.Sprintf("%s %s %s %d %s", a.Workflow, a.Cause, a.State, a.Count, a.Run)
	}
	return strings.Join(out, ", ")
}

// only returns the only alert that is not closed.
func (w *world) only() notify.Alert {
	w.t.Helper()
	list := w.service.List(notify.Query{})
	if len(list) != 1 {
		w.t.Fatalf("%d alerts: %s", len(list), w.alerts())
	}
	return list[0]
}

func (w *world) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// actions are the entries of the audit log, "actor action" each.
func (w *world) actions() string {
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	out := make([]string, len(w.disk.entries))
	for i, e := range w.disk.entries {
		out[i] = e.Actor + " " + e.Action
	}
	return strings.Join(out, ", ")
}
