package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// Harness is a fresh store under test, with what tests do behind its back.
type Harness struct {
	// Store is open and holds no lease. The harness closes it.
	Store store.Store
	// Reopen ends the process that has the store as a kill would, without
	// closing anything, and opens what it left. The harness closes the result.
	Reopen func(t *testing.T) (store.Store, error)
	// Beside opens the same data once more, as another process would.
	Beside func(t *testing.T) store.Store
	// SetFormat makes the data say that it was written in the format.
	SetFormat func(t *testing.T, format int)
	// Tamper changes stored data as somebody would who can write to the disk.
	Tamper func(t *testing.T, what Tampering)
}

// Tampering is a change that Verify must find. It concerns [Tampered], as
// [Run] sets it up.
type Tampering string

// The changes. Each changes one thing only.
const (
	ChangeControl    Tampering = "change control facts of a record"
	ChangePayload    Tampering = "change the payload of a record"
	ChangeCommitment Tampering = "change the payload commitment of a record"
	SwapPayloads     Tampering = "swap the payloads of two records"
	ChangeCount      Tampering = "change the count of the last record"
	DeleteRecord     Tampering = "delete the last record"
	DeleteRun        Tampering = "delete all records of a run, and its key"
	InsertRecord     Tampering = "insert a copy of the last record behind it"
	DeleteBatch      Tampering = "delete the last batch"
	ChangeTime       Tampering = "change the time of a batch"
	ChangeTree       Tampering = "change a tree hash that is not a leaf's"
	ChangeHash       Tampering = "change a record's hash in its batch"
	ChangeRow        Tampering = "change the state of a run's row"
	ChangeKey        Tampering = "point a key to another run"
	ChangeTimer      Tampering = "move a timer"
	ChangeProgram    Tampering = "change a program"
	ForgeErasure     Tampering = "take a run's payloads and key away as an erasure would"
	ForgePruning     Tampering = "remove a run as a pruning would"
	ChangeObject     Tampering = "change the data of an object"
	ChangeRevision   Tampering = "raise the revision of an object"
	ReviveObject     Tampering = "give a deleted object data"
	DeleteObject     Tampering = "delete the row of an object"
	ForgeObject      Tampering = "copy an object under another name"
	ChangeEntry      Tampering = "change the actor of an entry"
	ChangeDetail     Tampering = "change the detail of an entry"
	SwapEntries      Tampering = "swap two entries of a batch"
	DeleteEntry      Tampering = "delete the last entry of a batch"
	DeleteEntries    Tampering = "delete all entries of the last batch"
	InsertEntry      Tampering = "insert a copy of the last entry of a batch behind it"
	HideEntries      Tampering = "delete all entries of a batch, and let it say that it has none"
	ForgeForgetting  Tampering = "take the text of an entry out as a batch would"
	RestoreForgotten Tampering = "give an entry whose text was taken out another one"
)

// Tamperings are all of them.
func Tamperings() []Tampering {
	return []Tampering{
		ChangeControl, ChangePayload, ChangeCommitment, SwapPayloads, ChangeCount, DeleteRecord, DeleteRun, InsertRecord,
		DeleteBatch, ChangeTime, ChangeTree, ChangeHash, ChangeRow, ChangeKey, ChangeTimer, ChangeProgram, ForgeErasure, ForgePruning,
		ChangeObject, ChangeRevision, ReviveObject, DeleteObject, ForgeObject, ChangeEntry, ChangeDetail, SwapEntries, DeleteEntry,
		DeleteEntries, InsertEntry, HideEntries, ForgeForgetting, RestoreForgotten,
	}
}

// Tampered is the run that is tampered with: three records in batches 1, 2 and
// 3, of 2, 1 and 3 events; a row, a key "order", timer 1 and a program. Beside
// it stand the objects user n/a, with revision 2 of batch 2, and user n/gone,
// deleted in batch 3; batches 1 and 3 have three entries each, all different,
// and batch 2 has taken the text of the first out.
const Tampered store.RunID = "tampered"

// Start is the time of the first batch of a [Writer]; every further batch is a
// second later.
var Start = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)

// Writer commits batches in sequence to a store that it leads.
type Writer struct {
	t     *testing.T
	Store store.Store
	Lease store.Lease
	// Next is the sequence of the next batch.
	Next uint64
}

// Lead acquires the lease of a store.
func Lead(t *testing.T, s store.Store) *Writer {
	t.Helper()
	lease, err := s.Acquire(t.Context(), "storetest")
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	return &Writer{t: t, Store: s, Lease: lease, Next: lease.LastSequence + 1}
}

// Fill gives the batch the numbers and time of the next one.
func (w *Writer) Fill(b store.Batch) *store.Batch {
	b.Sequence, b.Incarnation = w.Next, w.Lease.Incarnation
	if b.At.IsZero() {
		b.At = Start.Add(time.Duration(w.Next) * time.Second)
	}
	return &b
}

// Commit commits the next batch.
func (w *Writer) Commit(b store.Batch) {
	w.t.Helper()
	if err := w.Store.Commit(w.t.Context(), w.Fill(b)); err != nil {
		w.t.Fatalf("commit batch %d: %v", w.Next, err)
	}
	w.Next++
}

// Refuse commits the next batch, which must fail with the error.
func (w *Writer) Refuse(b store.Batch, want error) {
	w.t.Helper()
	if err := w.Store.Commit(w.t.Context(), w.Fill(b)); !errors.Is(err, want) {
		w.t.Fatalf("commit batch %d: got %v, want %v", w.Next, err, want)
	}
}

// Record makes a record with some control and payload.
func Record(run store.RunID, first, count uint64) store.Record {
	return store.Record{
		Run: run, First: first, Count: count,
		Control: fmt.Appendf(nil, "control %s %d", run, first), Payload: fmt.Appendf(nil, "payload %s %d", run, first),
	}
}

// Row makes a live row.
func Row(run store.RunID) store.RunRow {
	return store.RunRow{ID: run, Namespace: "default", Workflow: "nightly", State: "running", AcceptedAt: Start}
}

// Program makes a program of the text.
func Program(text string) store.Program {
	return store.Program{Hash: sha256.Sum256([]byte(text)), Data: []byte(text)}
}
