package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

func testFresh(t *testing.T, h Harness) {
	ctx := t.Context()
	if last, err := h.Store.LastSequence(ctx); last != 0 || err != nil {
		t.Errorf("last sequence: %d, %v", last, err)
	}
	if size, err := h.Store.AuditSize(ctx); size != 0 || err != nil {
		t.Errorf("audit size: %d, %v", size, err)
	}
	if err := h.Store.Verify(ctx); err != nil {
		t.Errorf("verify: %v", err)
	}
	state, err := ReadState(ctx, h.Store, []store.RunID{"a"}, []store.Key{{Key: "k"}}, []store.Program{Program("p")}, Start)
	if err != nil {
		t.Error(err)
	}
	same(t, "state", state, State{Events: map[store.RunID][]store.Record{}})
	lease := must[store.Lease](t)(h.Store.Acquire(ctx, "first"))
	same(t, "lease", lease, store.Lease{Incarnation: 1})
}

func testSequence(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	for range 5 {
		w.Commit(store.Batch{})
	}
	for _, wrong := range []uint64{1, 4, 5, 7, 100} {
		b := w.Fill(store.Batch{Records: []store.Record{Record("a", 1, 1)}})
		b.Sequence = wrong
		if err := h.Store.Commit(t.Context(), b); !errors.Is(err, store.ErrSequence) {
			t.Errorf("batch %d after 5: got %v, want ErrSequence", wrong, err)
		}
	}
	if last := must[uint64](t)(h.Store.LastSequence(t.Context())); last != 5 {
		t.Errorf("last sequence %d, want 5", last)
	}
	if events := must[[]store.Record](t)(store.Collect(h.Store.Events(t.Context(), "a", 1))); len(events) != 0 {
		t.Errorf("a refused batch left %d records", len(events))
	}
	w.Commit(store.Batch{})
}

// full is a batch with one of everything.
func full() store.Batch {
	return store.Batch{
		Programs:    []store.Program{Program("p")},
		Runs:        []store.RunRow{Row("a"), Row("b")},
		Records:     []store.Record{Record("a", 1, 2), Record("b", 1, 1)},
		Keys:        []store.Key{{Namespace: "n", Key: "k", Run: "a", BodyHash: [32]byte{1}}},
		SetTimers:   []store.Timer{{TimerID: store.TimerID{Run: "a", ID: 1}, At: Start.Add(time.Hour)}},
		ClearTimers: []store.TimerID{{Run: "b", ID: 1}},
	}
}

func testAtomic(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	w.Commit(store.Batch{
		Records: []store.Record{Record("old", 1, 1)}, Keys: []store.Key{{Namespace: "n", Key: "k", Run: "old"}},
		SetTimers: []store.Timer{{TimerID: store.TimerID{Run: "b", ID: 1}, At: Start}},
	})
	read := func() State {
		state, err := ReadState(t.Context(), h.Store, []store.RunID{"old", "a", "b"}, []store.Key{{Namespace: "n", Key: "k"}, {Namespace: "n", Key: "l"}}, []store.Program{Program("p")}, Start)
		if err != nil {
			t.Fatal(err)
		}
		return state
	}
	before := read()
	w.Refuse(full(), store.ErrKeyTaken) // the last thing that is written fails
	same(t, "after a refused batch", read(), before)
	b := full()
	b.Keys[0].Key, b.Erase = "l", []store.RunID{"nobody"}
	w.Refuse(b, store.ErrNotFound)
	same(t, "after a refused batch", read(), before)
	b.Erase = nil
	w.Commit(b) // the same sequence, the same runs
	if after := read(); len(after.Events) != 3 || len(after.Keys) != 2 || len(after.Timers) != 1 || len(after.Programs) != 1 {
		t.Errorf("after the batch that was mended: %+v", after)
	}
	if err := h.Store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func testLease(t *testing.T, h Harness) {
	ctx := t.Context()
	early := &Writer{t: t, Store: h.Store, Lease: store.Lease{Incarnation: 1}, Next: 1}
	early.Refuse(store.Batch{}, store.ErrLeaseLost) // nobody has acquired it

	first := Lead(t, h.Store)
	first.Commit(store.Batch{Records: []store.Record{Record("a", 1, 1)}})
	other := h.Beside(t)
	second := Lead(t, other)
	if second.Lease.Incarnation <= first.Lease.Incarnation || second.Lease.LastSequence != 1 {
		t.Fatalf("second lease %+v after %+v", second.Lease, first.Lease)
	}
	first.Refuse(store.Batch{Records: []store.Record{Record("a", 2, 1)}}, store.ErrLeaseLost)
	second.Commit(store.Batch{Records: []store.Record{Record("a", 2, 1)}})
	// The deposed one must not take the other's batch for its own.
	if last, err := h.Store.LastSequence(ctx); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("last sequence of the deposed: %d, %v, want ErrLeaseLost", last, err)
	}
	first.Next = 3
	first.Refuse(store.Batch{}, store.ErrLeaseLost)
	first.Lease.Incarnation = second.Lease.Incarnation
	first.Refuse(store.Batch{}, store.ErrLeaseLost) // knowing the number is not holding it
	if last := must[uint64](t)(other.LastSequence(ctx)); last != 2 {
		t.Errorf("last sequence %d, want 2", last)
	}
	third := Lead(t, h.Store) // taken back
	if third.Lease.Incarnation <= second.Lease.Incarnation || third.Lease.LastSequence != 2 {
		t.Errorf("third lease %+v after %+v", third.Lease, second.Lease)
	}
	third.Commit(store.Batch{Records: []store.Record{Record("a", 3, 1)}})
	second.Refuse(store.Batch{}, store.ErrLeaseLost)
	if err := h.Store.Verify(ctx); err != nil {
		t.Error(err)
	}
}

func testInvalid(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	for _, b := range []store.Batch{
		{Records: []store.Record{{Run: "../a", First: 1, Count: 1}}},
		{Runs: []store.RunRow{{ID: "a", State: "cancelled"}}},
		{Programs: []store.Program{{Data: []byte("x")}}},
	} {
		w.Refuse(b, store.ErrInvalid)
	}
	if last := must[uint64](t)(h.Store.LastSequence(t.Context())); last != 0 {
		t.Errorf("last sequence %d", last)
	}
}

func testRecordOrder(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	w.Refuse(store.Batch{Records: []store.Record{Record("a", 2, 1)}}, store.ErrSequence)
	w.Commit(store.Batch{Records: []store.Record{Record("a", 1, 3)}})
	check := func(w *Writer, next uint64) {
		t.Helper()
		for _, first := range []uint64{2, next - 1, next + 1, next + 100} {
			w.Refuse(store.Batch{Records: []store.Record{Record("a", first, 1)}}, store.ErrSequence)
		}
	}
	check(w, 4)
	w = Lead(t, h.Store) // nothing is remembered of the run
	check(w, 4)
	w.Commit(store.Batch{Records: []store.Record{Record("a", 4, 2)}})
	check(w, 6)
	w.Commit(store.Batch{Records: []store.Record{Record("a", 6, 1)}})
}

func testRunIDTaken(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	w.Commit(store.Batch{Records: []store.Record{Record("a", 1, 1)}})
	again := store.Batch{Records: []store.Record{Record("b", 1, 1), Record("a", 1, 1)}}
	for range 2 {
		w.Refuse(again, store.ErrKeyTaken)
		var taken *store.KeyTakenError
		if err := w.Store.Commit(t.Context(), w.Fill(again)); !errors.As(err, &taken) || taken.Run != "a" || taken.Key != "" {
			t.Errorf("got %v, want run a", err)
		}
		w = Lead(t, h.Store)
	}
	w.Commit(store.Batch{Records: again.Records[:1]})
}

func testKeys(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	ctx := t.Context()
	key := store.Key{Namespace: "n", Key: "k", Run: "a", BodyHash: [32]byte{1, 2}, Expires: Start.Add(time.Hour)}
	forever := store.Key{Namespace: "n", Key: "for ever", Run: "a", BodyHash: [32]byte{3}}
	w.Commit(store.Batch{Records: []store.Record{Record("a", 1, 1)}, Keys: []store.Key{key, forever}})
	same(t, "key", must[store.Key](t)(h.Store.Key(ctx, "n", "k")), key)
	same(t, "key without expiry", must[store.Key](t)(h.Store.Key(ctx, "n", "for ever")), forever)
	if _, err := h.Store.Key(ctx, "n", "other"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown key: %v", err)
	}
	for _, k := range []store.Key{{Namespace: "n", Key: "k", Run: "b"}, {Namespace: "n", Key: "for ever", Run: "b"}} {
		err := h.Store.Commit(ctx, w.Fill(store.Batch{Records: []store.Record{Record("b", 1, 1)}, Keys: []store.Key{k}}))
		var taken *store.KeyTakenError
		if !errors.As(err, &taken) || !errors.Is(err, store.ErrKeyTaken) {
			t.Fatalf("key %q again: got %v", k.Key, err)
		}
		want := store.KeyTakenError{Namespace: "n", Key: k.Key, Run: "a", BodyHash: key.BodyHash}
		if k.Key == "for ever" {
			want.BodyHash = forever.BodyHash
		}
		same(t, "error", *taken, want)
	}
	// Another namespace is another key, and so is another case.
	w.Commit(store.Batch{
		Records: []store.Record{Record("b", 1, 1)},
		Keys:    []store.Key{{Namespace: "m", Key: "k", Run: "b"}, {Namespace: "n", Key: "K", Run: "b"}},
	})
	same(t, "key", must[store.Key](t)(h.Store.Key(ctx, "n", "k")), key)
}

func testKeysExpire(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	until := Start.Add(time.Minute)
	key := func(run store.RunID) store.Key {
		return store.Key{Namespace: "n", Key: "k", Run: run, Expires: until}
	}
	take := func(run store.RunID, at time.Time) store.Batch {
		k := key(run)
		k.Expires = at.Add(time.Minute)
		return store.Batch{At: at, Records: []store.Record{Record(run, 1, 1)}, Keys: []store.Key{k}}
	}
	w.Commit(take("a", Start))
	w.Refuse(take("b", until.Add(-time.Microsecond)), store.ErrKeyTaken)
	w.Commit(take("b", until)) // expired exactly now
	if k := must[store.Key](t)(h.Store.Key(t.Context(), "n", "k")); k.Run != "b" || !k.Expires.Equal(until.Add(time.Minute)) {
		t.Errorf("key after it expired and was taken again: %+v", k)
	}
	// Expired keys of others do no harm, however many.
	var many []store.Key
	for i := range 50 {
		many = append(many, store.Key{Namespace: "many", Key: string(rune('A' + i)), Run: "a", Expires: Start.Add(time.Second)})
	}
	w.Commit(store.Batch{At: Start, Keys: many})
	w.Commit(store.Batch{At: Start.Add(time.Hour), Keys: []store.Key{{Namespace: "many", Key: "A", Run: "b"}}})
	if k := must[store.Key](t)(h.Store.Key(t.Context(), "many", "A")); k.Run != "b" {
		t.Errorf("key %+v", k)
	}
	if err := h.Store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func testBatchIsNotKept(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	b := full()
	want := Record("a", 1, 2)
	w.Commit(b)
	b.Records[0].Control[0], b.Records[0].Payload[0], b.Programs[0].Data[0] = 'X', 'X', 'X'
	b.Records[1] = Record("c", 9, 9)
	got := must[[]store.Record](t)(store.Collect(h.Store.Events(t.Context(), "a", 1)))
	want.Batch = 1
	same(t, "record", got, []store.Record{want})
	got[0].Control[0], got[0].Payload[0] = 'Y', 'Y'
	same(t, "record read again", must[[]store.Record](t)(store.Collect(h.Store.Events(t.Context(), "a", 1))), []store.Record{want})
	if err := h.Store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func testCanceled(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Store.Commit(ctx, w.Fill(full())); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnknown) {
		t.Errorf("commit: got %v, want context.Canceled", err)
	}
	errs := map[string]error{"verify": h.Store.Verify(ctx)}
	_, errs["runs"] = h.Store.Runs(ctx, store.RunQuery{})
	_, errs["events"] = store.Collect(h.Store.Events(ctx, "a", 1))
	_, errs["object"] = h.Store.Object(ctx, Object("n", "a", 1).ObjectID)
	_, errs["objects"] = h.Store.Objects(ctx, "user", store.ObjectID{}, 1)
	_, errs["entries"] = h.Store.Entries(ctx, store.EntryQuery{})
	_, _, errs["evidence"] = h.Store.EntryEvidence(ctx, store.EntryID{Batch: 1})
	for name, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", name, err)
		}
	}
	w.Commit(full())
}

func testClosed(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	w.Commit(full())
	for range 2 {
		if err := h.Store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.Refuse(store.Batch{}, store.ErrClosed)
	ctx := t.Context()
	errs := map[string]error{"verify": h.Store.Verify(ctx)}
	_, errs["acquire"] = h.Store.Acquire(ctx, "x")
	_, errs["last sequence"] = h.Store.LastSequence(ctx)
	_, errs["live runs"] = h.Store.LiveRuns(ctx)
	_, errs["run"] = h.Store.Run(ctx, "a")
	_, errs["runs"] = h.Store.Runs(ctx, store.RunQuery{})
	_, errs["events"] = store.Collect(h.Store.Events(ctx, "a", 1))
	_, errs["program"] = h.Store.Program(ctx, Program("p").Hash)
	_, errs["key"] = h.Store.Key(ctx, "n", "k")
	_, errs["timers"] = h.Store.Timers(ctx, far, 1)
	_, errs["object"] = h.Store.Object(ctx, Object("n", "a", 1).ObjectID)
	_, errs["objects"] = h.Store.Objects(ctx, "user", store.ObjectID{}, 1)
	_, errs["entries"] = h.Store.Entries(ctx, store.EntryQuery{})
	_, _, errs["record evidence"] = h.Store.RecordEvidence(ctx, "a", 1)
	_, _, errs["object evidence"] = h.Store.ObjectEvidence(ctx, Object("n", "a", 1).ObjectID)
	_, _, errs["entry evidence"] = h.Store.EntryEvidence(ctx, store.EntryID{Batch: 1})
	_, errs["audit size"] = h.Store.AuditSize(ctx)
	_, errs["audit leaf"] = h.Store.AuditLeaf(ctx, 0)
	_, errs["audit hashes"] = h.Store.AuditHashes(ctx, []int64{0})
	for name, err := range errs {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	again := must[store.Store](t)(h.Reopen(t))
	if last := must[uint64](t)(again.LastSequence(ctx)); last != 1 {
		t.Errorf("last sequence %d, want 1", last)
	}
}

func testCrash(t *testing.T, h Harness) {
	s := h.Store
	incarnation := uint64(0)
	for round := range uint64(4) {
		w := Lead(t, s)
		if w.Lease.Incarnation <= incarnation || w.Lease.LastSequence != 3*round {
			t.Fatalf("round %d: lease %+v after incarnation %d", round, w.Lease, incarnation)
		}
		incarnation = w.Lease.Incarnation
		for range 3 {
			w.Commit(store.Batch{
				Runs: []store.RunRow{Row("a")}, Records: []store.Record{Record("a", w.Next, 1)},
				Objects: []store.Object{Object("n", "a", w.Next)}, Entries: []store.Entry{Entry("user/ada", "run.start", "run/a")},
			})
		}
		s = must[store.Store](t)(h.Reopen(t))
		events := must[[]store.Record](t)(store.Collect(s.Events(t.Context(), "a", 1)))
		if len(events) != int(3*round+3) {
			t.Fatalf("round %d: %d records", round, len(events))
		}
		for i, r := range events {
			want := Record("a", uint64(i)+1, 1)
			want.Batch = want.First
			same(t, "record", r, want)
		}
		same(t, "object", must[store.Object](t)(s.Object(t.Context(), Object("n", "a", 1).ObjectID)), written(Object("n", "a", 3*round+3), 3*round+3))
		if entries := must[[]store.Entry](t)(s.Entries(t.Context(), store.EntryQuery{})); len(entries) != int(3*round+3) {
			t.Errorf("round %d: %d entries", round, len(entries))
		}
		if err := s.Verify(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	size := must[uint64](t)(s.AuditSize(t.Context()))
	if size != 12 {
		t.Errorf("audit size %d, want 12", size)
	}
}

func testUnknownFormat(t *testing.T, h Harness) {
	Lead(t, h.Store).Commit(full())
	h.SetFormat(t, store.Format+1)
	if _, err := h.Reopen(t); !errors.Is(err, store.ErrFormat) {
		t.Errorf("newer format: got %v, want ErrFormat", err)
	}
	h.SetFormat(t, store.Format)
	s := must[store.Store](t)(h.Reopen(t)) // nothing was touched
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if run := must[store.RunRow](t)(s.Run(t.Context(), "a")); run.Events != 2 {
		t.Errorf("run %+v", run)
	}
}

func testErase(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	w.Commit(full())
	w.Commit(store.Batch{Records: []store.Record{Record("a", 3, 1), Record("b", 2, 1)}})
	w.Refuse(store.Batch{Erase: []store.RunID{"nobody"}}, store.ErrNotFound)
	w.Commit(store.Batch{Erase: []store.RunID{"a"}})
	check := func(s store.Store) {
		t.Helper()
		want := []store.Record{Record("a", 1, 2), Record("a", 3, 1)}
		for i := range want {
			want[i].Payload, want[i].Batch = nil, uint64(i)+1
		}
		same(t, "erased run", must[[]store.Record](t)(store.Collect(s.Events(ctx, "a", 1))), want)
		same(t, "erased run from 3", must[[]store.Record](t)(store.Collect(s.Events(ctx, "a", 3))), want[1:])
		if b := must[[]store.Record](t)(store.Collect(s.Events(ctx, "b", 1))); len(b) != 2 || string(b[1].Payload) != "payload b 2" {
			t.Errorf("other run: %+v", b)
		}
		if run := must[store.RunRow](t)(s.Run(ctx, "a")); run.Events != 3 || run.Erased != 3 {
			t.Errorf("row: %+v", run)
		}
		for _, run := range must[[]store.RunRow](t)(s.Runs(ctx, store.RunQuery{})) {
			if (run.Erased == 3) != (run.ID == "a") {
				t.Errorf("row in a list: %+v", run)
			}
		}
		if k := must[store.Key](t)(s.Key(ctx, "n", "k")); k.Run != "a" {
			t.Errorf("key: %+v", k)
		}
		if err := s.Verify(ctx); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
	check(h.Store)
	for _, w := range []*Writer{w, Lead(t, h.Store)} {
		w.Next = 4
		if w.Lease.Incarnation == 1 {
			continue // deposed by the second
		}
		w.Refuse(store.Batch{Erase: []store.RunID{"a"}}, store.ErrErased)
		w.Refuse(store.Batch{Records: []store.Record{Record("a", 4, 1)}}, store.ErrErased)
		w.Refuse(store.Batch{Records: []store.Record{Record("a", 1, 1)}}, store.ErrKeyTaken)
	}
	check(must[store.Store](t)(h.Reopen(t)))
}

func testAudit(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	roots := []audit.Hash{audit.Root(nil)}
	var edge audit.Edge
	var proofs []audit.Proof
	var proven []audit.Hash
	w.Commit(full())
	for n := uint64(2); n < 12; n++ {
		b := store.Batch{Runs: []store.RunRow{Row("a")}}
		for r := range n % 4 {
			run := store.RunID([]string{"c", "d", "e"}[r])
			b.Records = append(b.Records, Record(run, must[uint64](t)(nextEvent(ctx, h.Store, run)), 1))
		}
		w.Commit(b)
	}
	size := must[uint64](t)(h.Store.AuditSize(ctx))
	if size != 11 {
		t.Fatalf("size %d, want 11", size)
	}
	reader := hashReader(ctx, h.Store)
	for n := range size {
		leaf := must[store.Leaf](t)(h.Store.AuditLeaf(ctx, n))
		if leaf.Sequence != n+1 || leaf.Incarnation != 1 || !leaf.At.Equal(Start.Add(time.Duration(n+1)*time.Second)) {
			t.Errorf("leaf %d: %+v", n, leaf.Leaf)
		}
		edge.Append(leaf.Hash())
		roots = append(roots, edge.Root())
		all := append(append([]audit.Hash(nil), leaf.RecordHashes...), leaf.ItemHashes...)
		if audit.Root(all) != leaf.Root || uint32(len(leaf.RecordHashes)) != leaf.Records {
			t.Errorf("leaf %d: root", n)
		}
		for i, hash := range all {
			proof, err := audit.Prove(leaf.Leaf, all, i, int64(size), reader)
			if err != nil {
				t.Fatal(err)
			}
			proofs, proven = append(proofs, proof), append(proven, hash)
		}
	}
	for i, proof := range proofs {
		if _, err := proof.Check(proven[i], edge.Root()); err != nil {
			t.Errorf("proof %d: %v", i, err)
		}
	}
	for old := int64(1); old <= int64(size); old++ {
		proof, err := audit.ProveConsistency(int64(size), old, reader)
		if err == nil {
			err = audit.CheckConsistency(proof, int64(size), edge.Root(), old, roots[old])
		}
		if err != nil {
			t.Errorf("consistency with %d: %v", old, err)
		}
	}
	first := must[store.Leaf](t)(h.Store.AuditLeaf(ctx, 0))
	if want := full(); first.Records != 2 || first.Items != 6 || first.ItemHashes[1] != want.Runs[0].ItemHash() || first.ItemHashes[0] != want.Programs[0].ItemHash() {
		t.Errorf("items of the first batch: %+v", first)
	}
	if _, err := h.Store.AuditLeaf(ctx, size); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("leaf beyond the log: %v", err)
	}
	for _, index := range []int64{-1, audit.FirstIndex(int64(size)), 1 << 40} {
		if _, err := h.Store.AuditHashes(ctx, []int64{0, index}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("tree hash %d: %v", index, err)
		}
	}
}
