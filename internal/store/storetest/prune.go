package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// testPrune: a run that has ended and was erased is removed whole; its ID and
// its key stay taken, and the log is not missing anything.
func testPrune(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	w.Commit(full())
	w.Commit(store.Batch{Records: []store.Record{Record("b", 2, 1)}})
	w.Commit(store.Batch{Records: []store.Record{Record("a", 3, 1)}})
	ended := Row("a")
	ended.State, ended.EndedAt = "failed", Start.Add(time.Minute)
	prune := func(id store.RunID, batches ...uint64) store.Batch {
		return store.Batch{Prune: []store.Pruned{{Run: id, Batches: batches}}}
	}
	w.Commit(store.Batch{Erase: []store.RunID{"a"}})
	w.Refuse(prune("a", 1, 3), store.ErrInvalid) // it goes on
	w.Commit(store.Batch{Runs: []store.RunRow{ended}})
	w.Refuse(prune("a", 1), store.ErrInvalid)
	w.Refuse(prune("a", 1, 2, 3), store.ErrInvalid)
	w.Refuse(prune("b", 1, 2), store.ErrInvalid) // was not erased
	w.Refuse(prune("nobody", 1), store.ErrNotFound)
	if row, err := h.Store.Run(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrPruned) {
		t.Errorf("a run that never was: %+v, %v", row, err)
	}
	w.Commit(prune("a", 1, 3))
	w.Refuse(prune("a", 1, 3), store.ErrNotFound)
	w.Refuse(store.Batch{Erase: []store.RunID{"a"}}, store.ErrErased)
	w.Refuse(store.Batch{Records: []store.Record{Record("a", 1, 1)}}, store.ErrKeyTaken)
	w.Refuse(store.Batch{Records: []store.Record{Record("a", 4, 1)}}, store.ErrErased)
	check := func(s store.Store) {
		t.Helper()
		if row, err := s.Run(ctx, "a"); !errors.Is(err, store.ErrPruned) || !errors.Is(err, store.ErrNotFound) {
			t.Errorf("row: %+v, %v", row, err)
		}
		if records, err := store.Collect(s.Events(ctx, "a", 1)); err != nil || len(records) > 0 {
			t.Errorf("events: %+v, %v", records, err)
		}
		if _, _, err := s.RecordEvidence(ctx, "a", 1); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("evidence: %v", err)
		}
		for _, q := range []store.RunQuery{{}, {ByBatch: true}, {States: []string{"failed"}}, {Namespaces: []string{ended.Namespace}, Workflows: []string{ended.Workflow}}} {
			for _, row := range must[[]store.RunRow](t)(s.Runs(ctx, q)) {
				if row.ID == "a" {
					t.Errorf("a list by %+v has %+v", q, row)
				}
			}
		}
		if timers := must[[]store.Timer](t)(s.Timers(ctx, far, 0)); len(timers) > 0 {
			t.Errorf("timers: %+v", timers)
		}
		if k := must[store.Key](t)(s.Key(ctx, "n", "k")); k.Run != "a" {
			t.Errorf("key: %+v", k)
		}
		if b := must[[]store.Record](t)(store.Collect(s.Events(ctx, "b", 1))); len(b) != 2 || string(b[1].Payload) != "payload b 2" {
			t.Errorf("other run: %+v", b)
		}
		if err := s.Verify(ctx); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
	check(h.Store)
	check(must[store.Store](t)(h.Reopen(t)))
}
