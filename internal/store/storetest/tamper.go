package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// setUpTampered writes what [Tampered] describes, beside another run.
func setUpTampered(t *testing.T, s store.Store) {
	t.Helper()
	w := Lead(t, s)
	w.Commit(store.Batch{
		Programs:  []store.Program{Program("p")},
		Runs:      []store.RunRow{Row(Tampered), Row("other")},
		Records:   []store.Record{Record("other", 1, 1), Record(Tampered, 1, 2)},
		Keys:      []store.Key{{Namespace: "default", Key: "order", Run: Tampered}},
		SetTimers: []store.Timer{{TimerID: store.TimerID{Run: Tampered, ID: 1}, At: Start.Add(time.Hour)}},
		Objects:   []store.Object{Object("n", "a", 1), Object("n", "gone", 1)},
		Entries:   []store.Entry{Entry("user/ada", "1", "a"), Entry("user/ada", "1", "b"), Entry("user/ada", "1", "c")},
	})
	w.Commit(store.Batch{
		Records: []store.Record{Record(Tampered, 3, 1), Record("other", 2, 1)},
		Objects: []store.Object{Object("n", "a", 2)}, Forget: []store.EntryID{{Batch: 1}},
	})
	w.Commit(store.Batch{
		Records: []store.Record{Record(Tampered, 4, 3)},
		Objects: []store.Object{{ObjectID: Object("n", "gone", 1).ObjectID, Revision: 2, Deleted: true}},
		Entries: []store.Entry{Entry("user/ada", "3", "a"), Entry("user/ada", "3", "b"), Entry("user/ada", "3", "c")},
	})
}

// named says what Verify must name.
var named = map[Tampering]string{
	ChangeObject: "user n/a", ChangeRevision: "user n/a", ReviveObject: "user n/gone", DeleteObject: "objects", ForgeObject: "user n/b",
	ChangeEntry: "entry 1/1", ChangeDetail: "entry 1/1", SwapEntries: "entry 3/0", DeleteEntry: "entry 1/2", DeleteEntries: "entry 3/0",
	InsertEntry: "entry 1/3", ForgePruning: "pruning of run tampered", HideEntries: "batch 1", ForgeForgetting: "entry 1/1", RestoreForgotten: "entry 1/0",
}

// testVerify: what was not tampered with is in order, at any time.
func testVerify(t *testing.T, h Harness) {
	setUpTampered(t, h.Store)
	if err := h.Store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	s := must[store.Store](t)(h.Reopen(t))
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// testTamper: Verify finds the change, now and after a restart, and reading the
// other run still works.
func testTamper(t *testing.T, h Harness, what Tampering) {
	setUpTampered(t, h.Store)
	h.Tamper(t, what)
	err := h.Store.Verify(t.Context())
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("verify: got %v, want ErrCorrupt", err)
	}
	t.Log(err)
	if err != nil && !strings.Contains(err.Error(), named[what]) {
		t.Errorf("verify: %v: does not name %s", err, named[what])
	}
	if events, err := store.Collect(h.Store.Events(t.Context(), "other", 1)); what != DeleteBatch && (len(events) != 2 || err != nil) {
		t.Errorf("other run: %v, %v", events, err)
	}
	switch what {
	case ChangeControl, ChangePayload, SwapPayloads, ForgeErasure:
		// Damage in a record is found when it is read.
		if events, err := store.Collect(h.Store.Events(t.Context(), Tampered, 1)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("read: got %v, %v, want ErrCorrupt", events, err)
		}
	case ChangeProgram:
		if _, err := h.Store.Program(t.Context(), Program("p").Hash); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("read program: got %v, want ErrCorrupt", err)
		}
	default:
	}
	s, err := h.Reopen(t)
	if err == nil {
		err = s.Verify(t.Context())
	}
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("after a restart: got %v, want ErrCorrupt", err)
	}
}
