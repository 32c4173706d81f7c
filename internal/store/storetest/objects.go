package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Object makes a revision of an object of kind user.
func Object(namespace, name string, revision uint64) store.Object {
	return store.Object{
		ObjectID: store.ObjectID{Kind: "user", Namespace: namespace, Name: name}, Revision: revision,
		Data: fmt.Appendf(nil, `{"name":%q,"revision":%d}`, name, revision),
	}
}

// Entry makes an entry of the audit log.
func Entry(actor, action, object string) store.Entry {
	return store.Entry{
		Actor: actor, Via: "session", Action: action, Namespace: "default", Object: object, Outcome: "done",
		Reason: "because", Request: "req-1", Detail: fmt.Appendf(nil, `{"of":%q}`, object),
	}
}

// written is the object as it is read after batch n of a [Writer].
func written(o store.Object, n uint64) store.Object {
	o.Batch, o.At = n, Start.Add(time.Duration(n)*time.Second)
	return o
}

// noted is the entry as it is read after batch n of a [Writer].
func noted(e store.Entry, n uint64, position uint32) store.Entry {
	e.ID, e.At = store.EntryID{Batch: n, Position: position}, Start.Add(time.Duration(n)*time.Second)
	return e
}

// gone is what remains of an entry that the batch forgot.
func gone(e store.Entry, batch uint64) store.Entry {
	return store.Entry{ID: e.ID, At: e.At, Forgotten: batch}
}

func testObjects(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	deletion := store.Object{ObjectID: Object("n", "a", 1).ObjectID, Revision: 3, Deleted: true}
	empty := store.Object{ObjectID: store.ObjectID{Kind: "alert", Name: "x"}, Revision: 1}
	w.Commit(store.Batch{Objects: []store.Object{Object("n", "a", 1), Object("", "a", 1), Object("n", "A", 1), empty}})
	same(t, "object", must[store.Object](t)(h.Store.Object(ctx, Object("n", "a", 1).ObjectID)), written(Object("n", "a", 1), 1))
	same(t, "object without data", must[store.Object](t)(h.Store.Object(ctx, empty.ObjectID)), written(empty, 1))
	w.Commit(store.Batch{Objects: []store.Object{Object("n", "a", 2)}})
	same(t, "revision 2", must[store.Object](t)(h.Store.Object(ctx, Object("n", "a", 1).ObjectID)), written(Object("n", "a", 2), 2))
	w.Commit(store.Batch{Objects: []store.Object{deletion}})
	read := func(s store.Store) {
		t.Helper()
		got, err := s.Object(ctx, deletion.ObjectID)
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("deleted object: %v, want ErrNotFound", err)
		}
		same(t, "deleted object", got, written(deletion, 3))
		same(t, "others", must[[]store.Object](t)(s.Objects(ctx, "user", store.ObjectID{}, 0)),
			[]store.Object{written(Object("", "a", 1), 1), written(Object("n", "A", 1), 1)})
		if err := s.Verify(ctx); err != nil {
			t.Error(err)
		}
	}
	read(h.Store)
	if got, err := h.Store.Object(ctx, store.ObjectID{Kind: "user", Namespace: "n", Name: "b"}); !errors.Is(err, store.ErrNotFound) || got.Revision != 0 {
		t.Errorf("unknown object: %+v, %v", got, err)
	}
	s := must[store.Store](t)(h.Reopen(t))
	read(s)
	again := Object("n", "a", 4)
	Lead(t, s).Commit(store.Batch{Objects: []store.Object{again}}) // made anew
	same(t, "made anew", must[store.Object](t)(s.Object(ctx, again.ObjectID)), written(again, 4))
}

func testRevisions(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	deleted := Object("n", "gone", 2)
	deleted.Deleted, deleted.Data = true, nil
	w.Commit(store.Batch{Objects: []store.Object{Object("n", "a", 1), Object("n", "gone", 1)}})
	w.Commit(store.Batch{Objects: []store.Object{Object("n", "a", 2), deleted}})
	for _, tt := range []struct {
		name       string
		want, have uint64
		deleted    bool
	}{
		{"a", 1, 2, false},
		{"a", 2, 2, false},
		{"a", 4, 2, false},
		{"a", math.MaxInt64, 2, false},
		{"new", 2, 0, false},
		{"gone", 1, 2, true},
		{"gone", 2, 2, true},
	} {
		b := store.Batch{
			Runs: []store.RunRow{Row("r")}, Records: []store.Record{Record("r", 1, 1)}, Entries: []store.Entry{Entry("user/ada", "user.put", "user/a")},
			Objects: []store.Object{Object("n", "first", 1), Object("n", tt.name, tt.want), Object("n", "last", 7)},
		}
		err := h.Store.Commit(t.Context(), w.Fill(b))
		var refused *store.RevisionError
		if !errors.As(err, &refused) || !errors.Is(err, store.ErrRevision) || errors.Is(err, store.ErrUnknown) {
			t.Fatalf("%s, revision %d: got %v, want a RevisionError", tt.name, tt.want, err)
		}
		same(t, "error", *refused, store.RevisionError{ID: b.Objects[1].ObjectID, Have: tt.have, Want: tt.want, Deleted: tt.deleted})
	}
	// Nothing of what was refused is there: the same can be written.
	w.Commit(store.Batch{
		Runs: []store.RunRow{Row("r")}, Records: []store.Record{Record("r", 1, 1)},
		Objects: []store.Object{Object("n", "first", 1), Object("n", "a", 3), Object("n", "gone", 3)},
	})
	if entries := must[[]store.Entry](t)(h.Store.Entries(t.Context(), store.EntryQuery{})); len(entries) != 0 {
		t.Errorf("refused batches left entries: %+v", entries)
	}
	if err := h.Store.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func testObjectPages(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	var b store.Batch
	var want []store.Object
	for _, namespace := range []string{"", "a", "a-b", "é"} {
		for i := range 30 {
			o := Object(namespace, fmt.Sprintf("u%02d", i), 1)
			b.Objects = append(b.Objects, o)
			want = append(want, written(o, 1))
		}
	}
	slices.Reverse(b.Objects)
	b.Objects = append(b.Objects, store.Object{ObjectID: store.ObjectID{Kind: "users", Namespace: "a", Name: "x"}, Revision: 1})
	w.Commit(b)
	var got []store.Object
	after := store.ObjectID{Kind: "anything"}
	for {
		page := must[[]store.Object](t)(h.Store.Objects(ctx, "user", after, 7))
		if len(page) == 0 {
			break
		}
		if len(page) > 7 {
			t.Fatalf("page of %d", len(page))
		}
		got = append(got, page...)
		after = page[len(page)-1].ObjectID
	}
	same(t, "pages", got, want)
	if page := must[[]store.Object](t)(h.Store.Objects(ctx, "user", store.ObjectID{}, 0)); len(page) != store.DefaultLimit {
		t.Errorf("default page of %d", len(page))
	}
	if page := must[[]store.Object](t)(h.Store.Objects(ctx, "nobody", store.ObjectID{}, 0)); len(page) != 0 {
		t.Errorf("objects of no kind: %v", page)
	}
}

func testEntries(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	ada, bob := Entry("user/ada", "run.start", "run/r1"), Entry("user/bob", "run.cancel", "run/r1")
	tick := store.Entry{Actor: "system/schedule", Action: "run.start", Object: "run/r2", Outcome: "failed"}
	bob.Namespace, bob.Outcome, bob.Detail = "other", "denied", nil
	w.Commit(store.Batch{Entries: []store.Entry{ada, bob}})
	w.Commit(store.Batch{Runs: []store.RunRow{Row("r")}})
	w.Commit(store.Batch{Entries: []store.Entry{tick, ada, tick}})
	all := []store.Entry{noted(ada, 1, 0), noted(bob, 1, 1), noted(tick, 3, 0), noted(ada, 3, 1), noted(tick, 3, 2)}
	at := func(batch, position int) store.EntryID {
		return store.EntryID{Batch: uint64(batch), Position: uint32(position)}
	}
	third := Start.Add(3 * time.Second)
	for _, tt := range []struct {
		name string
		q    store.EntryQuery
		want []int // of all
	}{
		{"all", store.EntryQuery{}, []int{4, 3, 2, 1, 0}},
		{"limit", store.EntryQuery{Limit: 2}, []int{4, 3}},
		{"before within a batch", store.EntryQuery{Before: at(3, 1), Limit: 2}, []int{2, 1}},
		{"before a batch", store.EntryQuery{Before: at(3, 0)}, []int{1, 0}},
		{"before none", store.EntryQuery{Before: at(1, 0)}, nil},
		{"before far", store.EntryQuery{Before: store.EntryID{Batch: math.MaxUint64}}, []int{4, 3, 2, 1, 0}},
		{"oldest first", store.EntryQuery{OldestFirst: true, Limit: 3}, []int{0, 1, 2}},
		{"oldest after", store.EntryQuery{OldestFirst: true, After: at(1, 1)}, []int{2, 3, 4}},
		{"of an actor", store.EntryQuery{Actor: "user/ada"}, []int{3, 0}},
		{"of an action", store.EntryQuery{Action: "run.start", Before: at(3, 2)}, []int{3, 2, 0}},
		{"of an object", store.EntryQuery{Object: "run/r1", Before: at(3, 1)}, []int{1, 0}},
		{"of an object, oldest first", store.EntryQuery{Object: "run/r1", OldestFirst: true, After: at(1, 0)}, []int{1, 3}},
		{"of a namespace", store.EntryQuery{Namespaces: []string{"other"}}, []int{1}},
		{"of no namespace", store.EntryQuery{Namespaces: []string{""}}, []int{4, 2}},
		{"of two namespaces", store.EntryQuery{Namespaces: []string{"", "other", "x"}}, []int{4, 2, 1}},
		{"of none", store.EntryQuery{Namespaces: []string{}}, nil},
		{"from", store.EntryQuery{From: third}, []int{4, 3, 2}},
		{"from a little later", store.EntryQuery{From: third.Add(1)}, nil},
		{"to", store.EntryQuery{To: third}, []int{1, 0}},
		{"to a little later", store.EntryQuery{To: third.Add(1)}, []int{4, 3, 2, 1, 0}},
		{"everything at once", store.EntryQuery{Namespaces: []string{"default"}, Actor: "user/ada", Action: "run.start", Object: "run/r1", From: Start, To: third}, []int{0}},
		{"text like SQL", store.EntryQuery{Actor: "x' OR 1=1 --", Namespaces: []string{"') OR (1=1", "%"}}, nil},
	} {
		var want []store.Entry
		for _, i := range tt.want {
			want = append(want, all[i])
		}
		same(t, tt.name, must[[]store.Entry](t)(h.Store.Entries(ctx, tt.q)), want)
	}
	for name, q := range map[string]store.EntryQuery{
		"both ways": {OldestFirst: true, Before: at(1, 0)}, "after, newest first": {After: at(1, 0)}, "limit": {Limit: store.MaxLimit + 1},
		"negative limit": {Limit: -1}, "too many": {Namespaces: make([]string, store.MaxAlternatives+1)},
	} {
		if _, err := h.Store.Entries(ctx, q); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

func testForget(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	ada, bob := Entry("user/ada", "run.start", "run/r1"), Entry("user/bob", "run.start", "run/r1")
	w.Commit(store.Batch{Entries: []store.Entry{ada, bob, ada}})
	w.Refuse(store.Batch{Forget: []store.EntryID{{Batch: 1, Position: 0}, {Batch: 1, Position: 3}}}, store.ErrNotFound)
	w.Refuse(store.Batch{Forget: []store.EntryID{{Batch: 2}}}, store.ErrInvalid) // not of an earlier batch
	w.Commit(store.Batch{Forget: []store.EntryID{{Batch: 1, Position: 2}, {Batch: 1, Position: 0}}})
	w.Commit(store.Batch{Forget: []store.EntryID{{Batch: 1, Position: 0}}}) // again
	check := func(s store.Store) {
		t.Helper()
		same(t, "what is left", must[[]store.Entry](t)(s.Entries(ctx, store.EntryQuery{OldestFirst: true})),
			[]store.Entry{gone(noted(ada, 1, 0), 2), noted(bob, 1, 1), gone(noted(ada, 1, 2), 2)})
		for name, q := range map[string]store.EntryQuery{
			"actor": {Actor: "user/ada"}, "object": {Object: "run/r1", Actor: "user/ada"}, "namespace": {Namespaces: []string{""}},
		} {
			if got := must[[]store.Entry](t)(s.Entries(ctx, q)); len(got) != 0 {
				t.Errorf("found by %s: %+v", name, got)
			}
		}
		if err := s.Verify(ctx); err != nil {
			t.Error(err)
		}
	}
	check(h.Store)
	check(must[store.Store](t)(h.Reopen(t)))
}

// testEvidence proves records, objects and entries as somebody would who has
// the proof, the thing and a root.
func testEvidence(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	b := full()
	b.Objects = []store.Object{Object("n", "a", 1), Object("n", "b", 1)}
	b.Entries = []store.Entry{Entry("user/ada", "run.start", "run/a"), Entry("user/bob", "run.start", "run/b")}
	w.Commit(b)
	deletion := store.Object{ObjectID: b.Objects[1].ObjectID, Revision: 2, Deleted: true}
	w.Commit(store.Batch{Records: []store.Record{Record("a", 3, 1)}, Objects: []store.Object{Object("n", "a", 2), deletion}})
	w.Commit(store.Batch{Forget: []store.EntryID{{Batch: 1, Position: 1}}, Erase: []store.RunID{"b"}})

	size := must[uint64](t)(h.Store.AuditSize(ctx))
	var edge audit.Edge
	for n := range size {
		leaf := must[store.Leaf](t)(h.Store.AuditLeaf(ctx, n))
		edge.Append(leaf.Hash())
	}
	check := func(what string, e store.Evidence, hash audit.Hash, batch uint64) {
		t.Helper()
		proof := must[audit.Proof](t)(store.Prove(ctx, h.Store, e, 0))
		leaf, err := proof.Check(hash, edge.Root())
		if err != nil || leaf.Sequence != batch || e.Batch != batch {
			t.Errorf("%s: batch %d, %v, want batch %d", what, leaf.Sequence, err, batch)
		}
	}
	r, e, err := h.Store.RecordEvidence(ctx, "a", 3)
	if err != nil || string(r.Payload) != "payload a 3" {
		t.Fatalf("record: %+v, %v", r, err)
	}
	check("record", e, store.RecordHash(&r, e.Salt), 2)
	if r, e, err = h.Store.RecordEvidence(ctx, "b", 1); err != nil || r.Payload != nil || e.Salt != [audit.SaltSize]byte{} {
		t.Fatalf("erased record: %+v, %+v, %v", r, e, err)
	}
	check("erased record", e, e.Hash, 1)
	for _, want := range []store.Object{written(Object("n", "a", 2), 2), written(deletion, 2)} {
		o, e, err := h.Store.ObjectEvidence(ctx, want.ObjectID)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "object", o, want)
		check("object", e, o.ItemHash(e.Salt), 2)
	}
	entry, e, err := h.Store.EntryEvidence(ctx, store.EntryID{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "entry", entry, noted(b.Entries[0], 1, 0))
	check("entry", e, entry.ItemHash(e.Salt), 1)
	entry, e, err = h.Store.EntryEvidence(ctx, store.EntryID{Batch: 1, Position: 1})
	if err != nil || e.Salt != [audit.SaltSize]byte{} {
		t.Fatalf("forgotten entry: %+v, %v", e, err)
	}
	same(t, "forgotten entry", entry, gone(noted(b.Entries[1], 1, 1), 3))
	check("forgotten entry", e, e.Hash, 1)
	testNoEvidence(t, h.Store, e)
}

func testNoEvidence(t *testing.T, s store.Store, e store.Evidence) {
	t.Helper()
	ctx := t.Context()
	errs := map[string]error{}
	_, _, errs["record of nobody"] = s.RecordEvidence(ctx, "nobody", 1)
	_, _, errs["record within another"] = s.RecordEvidence(ctx, "a", 2)
	_, _, errs["object"] = s.ObjectEvidence(ctx, store.ObjectID{Kind: "user", Name: "x"})
	_, _, errs["entry"] = s.EntryEvidence(ctx, store.EntryID{Batch: 1, Position: 2})
	_, _, errs["entry far away"] = s.EntryEvidence(ctx, store.EntryID{Batch: math.MaxUint64})
	_, errs["a log that is too short"] = store.Prove(ctx, s, store.Evidence{Batch: 3, Index: 0}, 2)
	for name, err := range errs {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	e.Index = 1 << 20
	if _, err := store.Prove(ctx, s, e, 0); err == nil {
		t.Error("proved a hash that the batch does not have")
	}
}

func testRunLists(t *testing.T, h Harness) {
	ctx := t.Context()
	w := Lead(t, h.Store)
	row := func(id, namespace, workflow, state, date string) store.RunRow {
		r := Row(store.RunID(id))
		r.Namespace, r.Workflow, r.State, r.BusinessDate = namespace, workflow, state, date
		if r.Ended() {
			r.EndedAt = Start.Add(time.Hour)
		}
		return r
	}
	a, b := row("a", "n", "v", "succeeded", "2026-11-01"), row("b", "n", "w", "failed", "2026-11-02")
	c, d := row("c", "m", "w", "running", ""), row("d", "n", "w", "queued", "2026-11-02")
	e := row("e", "m", "v", "canceled", "2026-11-03")
	w.Commit(store.Batch{Runs: []store.RunRow{e, c, a}})
	w.Commit(store.Batch{Runs: []store.RunRow{b, d}})
	c.State = "waiting"
	w.Commit(store.Batch{Runs: []store.RunRow{c, a}}) // of these two, one changes
	for _, tt := range []struct {
		name string
		q    store.RunQuery
		want string
	}{
		{"all", store.RunQuery{}, "edcba"},
		{"page", store.RunQuery{Before: "d", Limit: 2}, "cb"},
		{"of a namespace", store.RunQuery{Namespaces: []string{"n"}}, "dba"},
		{"of a workflow", store.RunQuery{Namespaces: []string{"n"}, Workflows: []string{"w"}}, "db"},
		{"of a workflow, page", store.RunQuery{Namespaces: []string{"n"}, Workflows: []string{"w"}, Before: "d"}, "b"},
		{"of a workflow anywhere", store.RunQuery{Workflows: []string{"w"}}, "dcb"},
		{"of workflows", store.RunQuery{Namespaces: []string{"n", "m"}, Workflows: []string{"w", "x"}}, "dcb"},
		{"of none", store.RunQuery{Namespaces: []string{}}, ""},
		{"live", store.RunQuery{States: []string{"pending", "queued", "running", "waiting"}}, "dc"},
		{"live in a namespace", store.RunQuery{States: []string{"waiting", "queued"}, Namespaces: []string{"m"}}, "c"},
		{"failed", store.RunQuery{States: []string{"failed"}}, "b"},
		{"unsuccessful, page", store.RunQuery{States: []string{"failed", "canceled"}, Before: "e"}, "b"},
		{"mixed states", store.RunQuery{States: []string{"failed", "succeeded", "running"}}, "ba"},
		{"no such state", store.RunQuery{States: []string{"lost"}}, ""},
		{"no states", store.RunQuery{States: []string{}}, ""},
		{"a date", store.RunQuery{DateFrom: "2026-11-02", DateTo: "2026-11-02"}, "db"},
		{"from a date", store.RunQuery{DateFrom: "2026-11-02"}, "edb"},
		{"to a date", store.RunQuery{DateTo: "2026-11-02"}, "dba"},
		{"a date of a workflow", store.RunQuery{DateTo: "2026-11-01", Namespaces: []string{"n"}, Workflows: []string{"v"}}, "a"},
		{"text like SQL", store.RunQuery{Namespaces: []string{"n' OR '1'='1", "%", "_"}, Workflows: []string{"\x00"}, Before: "z"}, ""},
		{"by batch", store.RunQuery{ByBatch: true}, "aebdc"},
		{"by batch, page", store.RunQuery{ByBatch: true, Limit: 3}, "aeb"},
		{"by batch, next page", store.RunQuery{ByBatch: true, Since: 2, After: "b", Limit: 3}, "dc"},
		{"by batch, page within the first", store.RunQuery{ByBatch: true, Since: 1, After: "a"}, "ebdc"},
		{"since", store.RunQuery{Since: 1}, "bdc"},
		{"since the last", store.RunQuery{Since: 3}, ""},
		{"since far", store.RunQuery{Since: math.MaxUint64}, ""},
		{"since, filtered", store.RunQuery{Since: 1, Namespaces: []string{"n"}, States: []string{"failed", "waiting"}}, "b"},
	} {
		var ids []string
		rows, err := h.Store.Runs(ctx, tt.q)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		for i := range rows {
			ids = append(ids, string(rows[i].ID))
			same(t, tt.name, rows[i], must[store.RunRow](t)(h.Store.Run(ctx, rows[i].ID)))
		}
		if got := strings.Join(ids, ""); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	testRunListsRefused(t, h)
}

func testRunListsRefused(t *testing.T, h Harness) {
	for name, q := range map[string]store.RunQuery{
		"both ways": {ByBatch: true, Before: "a"}, "since, before": {Since: 1, Before: "a"}, "after, newest first": {After: "a"},
		"limit": {Limit: store.MaxLimit + 1}, "too many": {States: make([]string, store.MaxAlternatives+1)},
	} {
		if _, err := h.Store.Runs(t.Context(), q); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

// testFixed: a row cannot take its run elsewhere.
func testFixed(t *testing.T, h Harness) {
	w := Lead(t, h.Store)
	w.Commit(store.Batch{Runs: []store.RunRow{Row("a")}})
	for name, change := range map[string]func(r *store.RunRow){
		"namespace":     func(r *store.RunRow) { r.Namespace = "other" },
		"workflow":      func(r *store.RunRow) { r.Workflow = "other" },
		"business date": func(r *store.RunRow) { r.BusinessDate = "2026-01-01" },
	} {
		r := Row("a")
		r.State = "waiting"
		change(&r)
		for _, w := range []*Writer{w, Lead(t, h.Store)} {
			if err := h.Store.Commit(t.Context(), w.Fill(store.Batch{Runs: []store.RunRow{r}})); !errors.Is(err, store.ErrInvalid) && !errors.Is(err, store.ErrLeaseLost) {
				t.Errorf("another %s: got %v, want ErrInvalid", name, err)
			}
		}
	}
	want := Row("a")
	want.Batch = 1
	same(t, "row", must[store.RunRow](t)(h.Store.Run(t.Context(), "a")), want)
}

// testObjectsAreNotKept: neither what was written nor what was read is shared.
func testObjectsAreNotKept(t *testing.T, h Harness) {
	ctx := t.Context()
	o, e := Object("n", "a", 1), Entry("user/ada", "x", "y")
	wantObject, wantDetail := slices.Clone(o.Data), slices.Clone(e.Detail)
	Lead(t, h.Store).Commit(store.Batch{Objects: []store.Object{o}, Entries: []store.Entry{e}})
	o.Data[0], e.Detail[0] = 'X', 'X'
	for range 2 {
		o = must[store.Object](t)(h.Store.Object(ctx, o.ObjectID))
		listed := must[[]store.Object](t)(h.Store.Objects(ctx, "user", store.ObjectID{}, 1))
		entries := must[[]store.Entry](t)(h.Store.Entries(ctx, store.EntryQuery{}))
		if !bytes.Equal(o.Data, wantObject) || !bytes.Equal(listed[0].Data, wantObject) || !bytes.Equal(entries[0].Detail, wantDetail) {
			t.Fatalf("read %s, %s, %s", o.Data, listed[0].Data, entries[0].Detail)
		}
		o.Data[0], listed[0].Data[0], entries[0].Detail[0] = 'Y', 'Y', 'Y'
	}
}
