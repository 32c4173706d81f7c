package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

func nextEvent(ctx context.Context, s store.Store, run store.RunID) (uint64, error) {
	events, err := store.Collect(s.Events(ctx, run, 1))
	if err != nil || len(events) == 0 {
		return 1, err
	}
	last := events[len(events)-1]
	return last.First + last.Count, nil
}

func hashReader(ctx context.Context, s store.Store) audit.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]audit.Hash, error) { return s.AuditHashes(ctx, indexes) })
}

func testRows(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	row := store.RunRow{
		ID: "b", Namespace: "ns", Workflow: "w", Program: [32]byte{7}, State: "queued", Reason: "limit",
		BusinessDate: "2026-11-23", AcceptedAt: Start,
	}
	w.Commit(store.Batch{Runs: []store.RunRow{row, Row("c"), Row("a")}, Records: []store.Record{Record("b", 1, 4)}})
	row.Batch, row.Events = 1, 4
	same(t, "accepted", must[store.RunRow](t)(h.Store.Run(ctx, "b")), row)
	// Batch, Events and Erased are found, whatever the row says.
	row.State, row.Reason, row.StartedAt, row.Batch, row.Events, row.Erased = "running", "", Start.Add(time.Second), 99, 99, 99
	row.Actor, row.Trigger, row.Held, row.Attempts, row.Due = "user/ada", "manual", true, math.MaxUint32, Start.Add(time.Hour)
	w.Commit(store.Batch{Runs: []store.RunRow{row}, Records: []store.Record{Record("b", 5, 1)}})
	row.Batch, row.Events, row.Erased = 2, 5, 0
	same(t, "started", must[store.RunRow](t)(h.Store.Run(ctx, "b")), row)
	w.Commit(store.Batch{Records: []store.Record{Record("b", 6, 2)}})
	row.Events = 7
	same(t, "without a row", must[store.RunRow](t)(h.Store.Run(ctx, "b")), row)
	w.Commit(store.Batch{Runs: []store.RunRow{row}}) // says nothing new
	same(t, "the same row again", must[store.RunRow](t)(h.Store.Run(ctx, "b")), row)

	ids := func(rows []store.RunRow) (ids []store.RunID) {
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	same(t, "live", ids(must[[]store.RunRow](t)(h.Store.LiveRuns(ctx))), []store.RunID{"a", "b", "c"})
	for i, state := range []string{"succeeded", "failed", "canceled", "skipped"} {
		r := Row(store.RunID(fmt.Sprintf("e%d", i)))
		w.Commit(store.Batch{Runs: []store.RunRow{r}})
		r.State, r.EndedAt = state, Start.Add(time.Hour)
		w.Commit(store.Batch{Runs: []store.RunRow{r}})
		r.Batch = w.Next - 1
		same(t, state, must[store.RunRow](t)(h.Store.Run(ctx, r.ID)), r)
	}
	row.State, row.EndedAt = "failed", Start.Add(time.Minute)
	w.Commit(store.Batch{Runs: []store.RunRow{row}})
	live := must[[]store.RunRow](t)(h.Store.LiveRuns(ctx))
	first, third := Row("a"), Row("c")
	first.Batch, third.Batch = 1, 1
	same(t, "live", live, []store.RunRow{first, third})
	row.State, row.EndedAt = "running", time.Time{}
	w.Commit(store.Batch{Runs: []store.RunRow{row}}) // resumed
	same(t, "live", ids(must[[]store.RunRow](t)(h.Store.LiveRuns(ctx))), []store.RunID{"a", "b", "c"})
	if _, err := h.Store.Run(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown run: %v", err)
	}
}

func testRowPages(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	var b store.Batch
	for i := range 250 {
		b.Runs = append(b.Runs, Row(store.RunID(fmt.Sprintf("r%03d", i))))
	}
	w.Commit(b)
	var got []store.RunID
	before := store.RunID("")
	for {
		page := must[[]store.RunRow](t)(h.Store.Runs(ctx, store.RunQuery{Before: before, Limit: 40}))
		if len(page) == 0 {
			break
		}
		if len(page) > 40 {
			t.Fatalf("page of %d", len(page))
		}
		for _, r := range page {
			got = append(got, r.ID)
		}
		before = page[len(page)-1].ID
	}
	want := make([]store.RunID, 250)
	for i := range want {
		want[i] = store.RunID(fmt.Sprintf("r%03d", 249-i))
	}
	same(t, "pages", got, want)
	if page := must[[]store.RunRow](t)(h.Store.Runs(ctx, store.RunQuery{})); len(page) != 100 || page[0].ID != "r249" {
		t.Errorf("default page: %d from %s", len(page), page[0].ID)
	}
}

// testLongRun reads a run of several pages, whole, in part, and while it goes.
func testLongRun(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	row := Row("a")
	const records, size = 9, store.EventsPage / 3
	var want []store.Record
	for i := range records {
		r := Record("a", uint64(1+2*i), 2)
		r.Control = append(r.Control, make([]byte, size)...)
		if i == 4 { // larger than a page by itself
			r.Payload = append(r.Payload, make([]byte, store.EventsPage)...)
		}
		r.Batch = uint64(1 + i)
		want = append(want, r)
		w.Commit(store.Batch{Runs: []store.RunRow{row}, Records: []store.Record{r}})
	}
	same(t, "all", must[[]store.Record](t)(store.Collect(h.Store.Events(ctx, "a", 1))), want)
	same(t, "from 6", must[[]store.Record](t)(store.Collect(h.Store.Events(ctx, "a", 6))), want[3:])
	for r, err := range h.Store.Events(ctx, "a", 1) {
		if err != nil || r.First != 1 {
			t.Fatalf("first: %d, %v", r.First, err)
		}
		break // the rest is not read
	}
	row.State, row.EndedAt = "succeeded", Start.Add(time.Hour)
	w.Commit(store.Batch{Runs: []store.RunRow{row}})
	var seen uint64
	for r, err := range h.Store.Events(ctx, "a", 1) {
		if err != nil || r.First != seen+1 {
			t.Fatalf("behind %d while it is erased: %d, %v", seen, r.First, err)
		}
		if seen = r.First + r.Count - 1; r.First == 1 {
			w.Commit(store.Batch{Erase: []store.RunID{"a"}})
		}
	}
	if seen != 2*records {
		t.Errorf("while it was erased %d events were seen", seen)
	}
	pruned, read := store.Pruned{Run: "a"}, 0
	for i := range want {
		pruned.Batches = append(pruned.Batches, want[i].Batch)
	}
	var failed error
	for _, err := range h.Store.Events(ctx, "a", 1) {
		if failed = err; err == nil {
			read++
		}
		if read == 1 {
			w.Commit(store.Batch{Prune: []store.Pruned{pruned}})
		}
	}
	if read != records && !errors.Is(failed, store.ErrPruned) {
		t.Errorf("while it was removed %d records were read, then %v", read, failed)
	}
}

func testEvents(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	large := bytes.Repeat(binary, 1024)
	records := []store.Record{
		{Run: "a", First: 1, Count: 1},
		{Run: "a", First: 2, Count: 3, Control: binary},
		{Run: "a", First: 5, Count: 1, Payload: binary},
		{Run: "a", First: 6, Count: 1000, Control: large, Payload: large},
		{Run: "a", First: 1006, Count: 1, Control: []byte{0}, Payload: []byte{0}},
	}
	for i, r := range records {
		other := Record("b", uint64(i)+1, 1)
		w.Commit(store.Batch{Records: []store.Record{other, r}})
		records[i].Batch = uint64(i) + 1
	}
	for first, want := range map[uint64]int{0: 0, 1: 0, 2: 1, 3: 2, 5: 2, 6: 3, 7: 4, 1006: 4, 1007: 5, math.MaxUint64: 5} {
		got := must[[]store.Record](t)(store.Collect(h.Store.Events(ctx, "a", first)))
		if len(got) == 0 {
			got = []store.Record{}
		}
		same(t, fmt.Sprintf("events from %d", first), got, records[want:])
	}
	if got, err := store.Collect(h.Store.Events(ctx, "nobody", 1)); len(got) != 0 || err != nil {
		t.Errorf("unknown run: %v, %v", got, err)
	}
	s := must[store.Store](t)(h.Reopen(t))
	same(t, "after a crash", must[[]store.Record](t)(store.Collect(s.Events(ctx, "a", 1))), records)
}

func testTimes(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	fine := time.Date(2026, 7, 1, 12, 0, 0, 123456789, time.FixedZone("x", 7200))
	cut, up := time.Date(2026, 7, 1, 10, 0, 0, 123456000, time.UTC), time.Date(2026, 7, 1, 10, 0, 0, 123457000, time.UTC)
	row := Row("a")
	row.AcceptedAt, row.StartedAt = fine, far
	w.Commit(store.Batch{
		At: fine, Runs: []store.RunRow{row}, Keys: []store.Key{{Key: "k", Run: "a", Expires: fine.AddDate(1, 0, 0)}},
		SetTimers: []store.Timer{{TimerID: store.TimerID{Run: "a", ID: 1}, At: fine}},
	})
	row.AcceptedAt, row.Batch = cut, 1
	same(t, "row", must[store.RunRow](t)(h.Store.Run(ctx, "a")), row)
	if k := must[store.Key](t)(h.Store.Key(ctx, "", "k")); k.Expires != cut.AddDate(1, 0, 0) {
		t.Errorf("key expires %v", k.Expires)
	}
	if leaf := must[store.Leaf](t)(h.Store.AuditLeaf(ctx, 0)); leaf.At != cut {
		t.Errorf("leaf at %v", leaf.At)
	}
	if timers := must[[]store.Timer](t)(h.Store.Timers(ctx, up.Add(-time.Nanosecond), 1)); len(timers) != 0 {
		t.Errorf("timer is early: %v", timers)
	}
	if timers := must[[]store.Timer](t)(h.Store.Timers(ctx, up, 1)); len(timers) != 1 || timers[0].At != up {
		t.Errorf("timer: %v", timers)
	}
	if err := h.Store.Verify(ctx); err != nil {
		t.Error(err)
	}
}

func testTimers(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	timer := func(run store.RunID, id uint64, seconds int) store.Timer {
		return store.Timer{TimerID: store.TimerID{Run: run, ID: id}, At: Start.Add(time.Duration(seconds) * time.Second)}
	}
	w.Commit(store.Batch{SetTimers: []store.Timer{timer("b", 2, 10), timer("b", 1, 10), timer("a", 9, 10), timer("a", 1, 20), timer("a", 2, 5), timer("c", math.MaxInt64, 30)}})
	read := func(seconds, limit int) []store.Timer {
		t.Helper()
		return must[[]store.Timer](t)(h.Store.Timers(ctx, Start.Add(time.Duration(seconds)*time.Second), limit))
	}
	same(t, "due", read(20, 10), []store.Timer{timer("a", 2, 5), timer("a", 9, 10), timer("b", 1, 10), timer("b", 2, 10), timer("a", 1, 20)})
	same(t, "limit", read(20, 2), []store.Timer{timer("a", 2, 5), timer("a", 9, 10)})
	if got := read(4, 10); len(got) != 0 {
		t.Errorf("none is due: %v", got)
	}
	w.Commit(store.Batch{
		SetTimers:   []store.Timer{timer("a", 2, 40), timer("d", 1, 1)},
		ClearTimers: []store.TimerID{{Run: "b", ID: 1}, {Run: "nobody", ID: 1}, {Run: "c", ID: math.MaxInt64}},
	})
	same(t, "moved and cleared", read(60, 0), []store.Timer{timer("d", 1, 1), timer("a", 9, 10), timer("b", 2, 10), timer("a", 1, 20), timer("a", 2, 40)})
	s := must[store.Store](t)(h.Reopen(t))
	if got := must[[]store.Timer](t)(s.Timers(ctx, far, 0)); len(got) != 5 {
		t.Errorf("after a crash: %v", got)
	}
	if err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}

func testPrograms(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	large := Program(string(bytes.Repeat([]byte("program "), 100_000)))
	w.Commit(store.Batch{Programs: []store.Program{Program("p"), large, Program("")}})
	w.Commit(store.Batch{Programs: []store.Program{Program("q"), Program("p")}})
	for _, p := range []store.Program{Program("p"), Program("q"), Program(""), large} {
		if got := must[[]byte](t)(h.Store.Program(ctx, p.Hash)); !bytes.Equal(got, p.Data) {
			t.Errorf("program of %d bytes: got %d", len(p.Data), len(got))
		}
	}
	if _, err := h.Store.Program(ctx, [32]byte{1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown program: %v", err)
	}
	if err := h.Store.Verify(ctx); err != nil {
		t.Error(err)
	}
}

// testWholeBatches reads while batches are committed that each add the same
// number of rows, records and timers.
func testWholeBatches(t *testing.T, h Harness) {
	const batches, each = 60, 7
	w := Lead(t, h.Store)
	ctx := t.Context()
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			seen := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				live, err := h.Store.LiveRuns(ctx)
				timers, err2 := h.Store.Timers(ctx, far, everything)
				if err != nil || err2 != nil || len(live)%each != 0 || len(timers)%each != 0 || len(live) < seen || len(timers) < len(live) {
					t.Errorf("%d rows, then %d timers, after %d: %v, %v", len(live), len(timers), seen, err, err2)
					return
				}
				seen = len(live)
				if seen > 0 {
					id := live[seen-1].ID
					if events, err := store.Collect(h.Store.Events(ctx, id, 1)); len(events) != 1 || err != nil {
						t.Errorf("run %s has a row and %d records, %v", id, len(events), err)
						return
					}
				}
			}
		})
	}
	for n := range batches {
		var b store.Batch
		for i := range each {
			id := store.RunID(fmt.Sprintf("r%03d-%d", n, i))
			b.Runs = append(b.Runs, Row(id))
			b.Records = append(b.Records, Record(id, 1, 1))
			b.SetTimers = append(b.SetTimers, store.Timer{TimerID: store.TimerID{Run: id, ID: 1}, At: Start})
		}
		slices.Reverse(b.Records)
		w.Commit(b)
	}
	close(done)
	readers.Wait()
}
