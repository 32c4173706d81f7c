package simstore

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/storetest"
	"pgregory.net/rapid"
)

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		disk := NewDisk()
		return storetest.Harness{
			Store:     open(t, disk, nil),
			Reopen:    func(*testing.T) (store.Store, error) { disk.Crash(); return reopened(Open(disk, nil)) },
			Beside:    func(t *testing.T) store.Store { return open(t, disk, nil) },
			SetFormat: func(_ *testing.T, format int) { disk.format = format },
			Tamper:    func(t *testing.T, what storetest.Tampering) { tamper(t, disk, what) },
		}
	})
}

// reopened turns a nil *Store into a nil interface.
func reopened(s *Store, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func open(t *testing.T, disk *Disk, plan Plan) *Store {
	t.Helper()
	s, err := Open(disk, plan)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tamper(t *testing.T, d *Disk, what storetest.Tampering) {
	t.Helper()
	const run = storetest.Tampered
	records := d.records[run]
	switch what {
	case storetest.ChangeControl:
		records[1].Control[0] ^= 1
	case storetest.ChangePayload:
		records[1].Payload[0] ^= 1
	case storetest.ChangeCommitment:
		records[1].commitment[0] ^= 1
	case storetest.SwapPayloads:
		records[0].Payload, records[1].Payload = records[1].Payload, records[0].Payload
	case storetest.ChangeCount:
		records[2].Count++
	case storetest.DeleteRecord:
		d.records[run] = records[:2]
	case storetest.DeleteRun:
		delete(d.records, run)
	case storetest.InsertRecord:
		last := records[2]
		last.First += last.Count
		d.records[run] = append(records, last)
	case storetest.DeleteBatch:
		d.batches = d.batches[:2]
	case storetest.ChangeTime:
		d.batches[1].leaf.At = d.batches[1].leaf.At.Add(time.Second)
	case storetest.ChangeTree:
		d.batches[1].tree[1][0] ^= 1
	case storetest.ChangeHash:
		d.batches[1].leaf.RecordHashes[0][0] ^= 1
	case storetest.ChangeRow:
		r := d.rows[run]
		r.State = "waiting"
		d.rows[run] = r
	case storetest.ChangeKey:
		name := keyName{"default", "order"}
		k := d.keys[name]
		k.Run = "other"
		d.keys[name] = k
	case storetest.ChangeTimer:
		id := store.TimerID{Run: run, ID: 1}
		timer := d.timers[id]
		timer.At = timer.At.Add(time.Hour)
		d.timers[id] = timer
	case storetest.ChangeProgram:
		hash := storetest.Program("p").Hash
		d.programs[hash].data[0] ^= 1
	case storetest.ForgeErasure:
		d.erased[run] = 3
		for i := range records {
			records[i].Payload = nil
		}
	case storetest.ForgePruning:
		delete(d.records, run)
		d.erased[run] = 2
		d.pruned[run] = pruned{Pruned: store.Pruned{Run: run, Batches: []uint64{1, 2, 3}}, batch: 3}
	default:
		tamperMore(t, d, what)
	}
}

func tamperMore(t *testing.T, d *Disk, what storetest.Tampering) {
	t.Helper()
	a, deleted := storetest.Object("n", "a", 1).ObjectID, storetest.Object("n", "gone", 1).ObjectID
	change := func(id store.ObjectID, do func(o *object)) {
		o := d.objects[id]
		do(&o)
		d.objects[o.ObjectID] = o
	}
	switch what {
	case storetest.ChangeObject:
		change(a, func(o *object) { o.Data[0] ^= 1 })
	case storetest.ChangeRevision:
		change(a, func(o *object) { o.Revision++ })
	case storetest.ReviveObject:
		change(deleted, func(o *object) { o.Deleted, o.Data = false, []byte("{}") })
	case storetest.DeleteObject:
		delete(d.objects, a)
	case storetest.ForgeObject:
		change(a, func(o *object) { o.Name = "b" })
	case storetest.ChangeEntry:
		d.entries[1].Actor = "user/eve"
	case storetest.ChangeDetail:
		d.entries[1].Detail = nil
	case storetest.SwapEntries:
		d.entries[3], d.entries[4] = d.entries[4], d.entries[3]
		d.entries[3].ID, d.entries[4].ID = d.entries[4].ID, d.entries[3].ID
	case storetest.DeleteEntry:
		d.entries = slices.Delete(d.entries, 2, 3)
	case storetest.DeleteEntries:
		d.entries = d.entries[:3]
	case storetest.InsertEntry:
		e := d.entries[2]
		e.ID.Position++
		d.entries = slices.Insert(d.entries, 3, e)
	case storetest.HideEntries:
		d.entries = d.entries[3:]
		d.batches[0].leaf.Entries = 0
	case storetest.ForgeForgetting:
		d.entries[1] = entry{Entry: store.Entry{ID: d.entries[1].ID, Forgotten: 2}}
	case storetest.RestoreForgotten:
		e := storetest.Entry("user/ada", "1", "a")
		e.ID = d.entries[0].ID
		d.entries[0] = entry{Entry: e}
	default:
		t.Fatalf("do not know how to %s", what)
	}
}

// batchOf is a batch of one record.
func batchOf(lease store.Lease, sequence uint64) *store.Batch {
	return &store.Batch{
		Sequence: sequence, Incarnation: lease.Incarnation, At: storetest.Start,
		Records: []store.Record{storetest.Record("a", sequence, 1)},
	}
}

func lead(t *testing.T, s *Store) store.Lease {
	t.Helper()
	lease, err := s.Acquire(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fault   Fault
		want    []error // of the commits of batch 1, until one succeeds
		written uint64  // batches on disk after the first
	}{
		{"fail", Fault{Kind: Fail}, []error{ErrIO, nil}, 0},
		{"disk full for three", Fault{Kind: DiskFull, Commits: 3}, []error{ErrDiskFull, ErrDiskFull, ErrDiskFull, nil}, 0},
		{"unknown, lost", Fault{Kind: UnknownLost}, []error{store.ErrUnknown, nil}, 0},
		{"unknown, written", Fault{Kind: UnknownWritten}, []error{store.ErrUnknown, store.ErrSequence}, 1},
		{"lease lost", Fault{Kind: LeaseLost}, []error{store.ErrLeaseLost, store.ErrLeaseLost}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			disk := NewDisk()
			s := open(t, disk, Script(map[int]Fault{1: tt.fault}))
			lease := lead(t, s)
			for i, want := range tt.want {
				if err := s.Commit(t.Context(), batchOf(lease, 1)); !errors.Is(err, want) {
					t.Errorf("commit %d: got %v, want %v", i+1, err, want)
				}
				if i == 0 && disk.Committed() != tt.written {
					t.Errorf("%d batches on disk, want %d", disk.Committed(), tt.written)
				}
			}
			if err := open(t, disk, nil).Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFaultsRepeatWhateverThePlanSays(t *testing.T) {
	t.Parallel()
	calls := 0
	s := open(t, NewDisk(), func(attempt int, b *store.Batch) Fault {
		calls++
		if b.Sequence != 1 {
			t.Errorf("asked about batch %d", b.Sequence)
		}
		return Fault{Kind: map[int]Kind{1: DiskFull}[attempt], Commits: 2}
	})
	lease := lead(t, s)
	for range 2 {
		if err := s.Commit(t.Context(), batchOf(lease, 1)); !errors.Is(err, ErrDiskFull) {
			t.Errorf("got %v", err)
		}
	}
	if err := s.Commit(t.Context(), batchOf(lease, 1)); err != nil || calls != 2 {
		t.Errorf("got %v after %d questions", err, calls)
	}
}

func TestReadingTheSequenceCanFail(t *testing.T) {
	t.Parallel()
	s := open(t, NewDisk(), Script(map[int]Fault{1: {Kind: UnknownWritten, Reads: 2}}))
	lease := lead(t, s)
	if err := s.Commit(t.Context(), batchOf(lease, 1)); !errors.Is(err, store.ErrUnknown) {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.LastSequence(t.Context()); !errors.Is(err, ErrIO) {
			t.Errorf("got %v, want ErrIO", err)
		}
	}
	if last, err := s.LastSequence(t.Context()); last != 1 || err != nil {
		t.Errorf("got %d, %v", last, err)
	}
}

// The driver decides when a commit happens, and whether the process lives to
// see it.
func TestPendingCommits(t *testing.T) {
	t.Parallel()
	disk := NewDisk()
	s := open(t, disk, nil)
	lease := lead(t, s)
	b := batchOf(lease, 1)
	pending := s.Begin(b)
	b.Records[0].Control[0] = 'X' // the batch was copied
	if got := pending.Batch(); got.Records[0].Control[0] == 'X' || pending.Fault() != (Fault{}) {
		t.Errorf("pending %+v, %+v", got, pending.Fault())
	}
	if runs, err := store.Collect(s.Events(t.Context(), "a", 1)); len(runs) != 0 || err != nil {
		t.Errorf("a pending commit is visible: %v, %v", runs, err)
	}
	if err := pending.Complete(); err != nil || disk.Committed() != 1 {
		t.Fatalf("got %v, %d batches", err, disk.Committed())
	}
	dropped := s.Begin(batchOf(lease, 2))
	disk.Crash()
	if err := dropped.Complete(); !errors.Is(err, store.ErrClosed) || disk.Committed() != 1 {
		t.Errorf("completed after a crash: %v, %d batches", err, disk.Committed())
	}
	if _, err := s.LastSequence(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("dead process reads: %v", err)
	}
	again := open(t, disk, nil)
	if next := lead(t, again); next.Incarnation <= lease.Incarnation || next.LastSequence != 1 {
		t.Errorf("lease %+v after %+v", next, lease)
	}
	defer func() {
		if recover() == nil {
			t.Error("completed twice without a panic")
		}
	}()
	_ = pending.Complete()
}

// Same calls, same plan, same bytes.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		faults := rapid.MapOf(rapid.IntRange(1, 20), rapid.Custom(func(t *rapid.T) Fault {
			return Fault{Kind: Kind(rapid.IntRange(int(None), int(UnknownLost)).Draw(t, "kind"))}
		})).Draw(t, "faults")
		trace := func() (errs []string, hashes []string) {
			disk := NewDisk()
			s, err := Open(disk, Script(faults))
			if err != nil {
				t.Fatal(err)
			}
			lease, err := s.Acquire(context.Background(), "x")
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				last := disk.Committed()
				if err := s.Commit(context.Background(), batchOf(lease, last+1)); err != nil {
					errs = append(errs, err.Error())
				}
			}
			for i := range disk.batches {
				hashes = append(hashes, disk.batches[i].leaf.Hash().String())
			}
			return errs, hashes
		}
		errsA, hashesA := trace()
		errsB, hashesB := trace()
		if !slices.Equal(errsA, errsB) || !slices.Equal(hashesA, hashesB) {
			t.Fatal("two traces differ")
		}
	})
}
