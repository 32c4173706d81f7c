package storetest

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/regie-dev/regie/internal/store"
	"pgregory.net/rapid"
)

// Side is one of two stores that must behave the same.
type Side struct {
	Store store.Store
	// Reopen ends the process that has the store as a kill would and opens what
	// it left; Beside opens the same data as another process would.
	Reopen, Beside func() (store.Store, error)
}

// Differential does the same random operations on two stores, which must give
// the same results and the same readable state after each.
func Differential(t *testing.T, open func(t *rapid.T) [2]Side) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{sides: open(t), now: Start, next: map[store.RunID]uint64{}, objects: map[store.ObjectID]store.Object{}}
		m.acquire(t)
		t.Repeat(map[string]func(*rapid.T){
			"commit":     m.commit,
			"again":      m.commit, // most steps should commit
			"misnumber":  m.misnumber,
			"misrecord":  m.misrecord,
			"wrong row":  m.wrongRow,
			"acquire":    m.acquire,
			"depose":     m.depose,
			"crash":      m.crash,
			"last":       m.last,
			"page":       m.page,
			"due timers": m.due,
			"list":       m.list,
			"misrevise":  m.misrevise,
			"refixed":    m.refix,
			"prove":      m.prove,
			"":           m.compare,
		})
		for i := range m.sides {
			if err := m.sides[i].Store.Verify(t.Context()); err != nil {
				t.Fatalf("side %d: %v", i, err)
			}
		}
	})
}

// machine draws operations. It knows enough to draw mostly valid ones.
type machine struct {
	sides    [2]Side
	lease    store.Lease
	sequence uint64
	now      time.Time
	next     map[store.RunID]uint64 // next event, for runs that exist
	objects  map[store.ObjectID]store.Object
	entries  []store.EntryID
	seen     uint64 // incarnation seen last
}

var (
	poolRuns     = []store.RunID{"r1", "r2", "r3", "r4", "r5", "r6"}
	poolKeys     = []store.Key{{Namespace: "n", Key: "k1"}, {Namespace: "n", Key: "k2"}, {Namespace: "m", Key: "k1"}}
	poolPrograms = []store.Program{Program("p"), Program("q")}
	poolObjects  = []store.ObjectID{
		{Kind: "user", Name: "a"}, {Kind: "user", Namespace: "n", Name: "a"}, {Kind: "user", Namespace: "n", Name: "b"}, {Kind: "token", Name: "a"},
	}
	poolActors = []string{"user/ada", "user/bob"}
	poolNames  = []string{"", "n", "m"}
)

// both does the same on both sides and compares what the errors are.
func (m *machine) both(t *rapid.T, what string, do func(side *Side) (any, error)) (any, error) {
	t.Helper()
	a, errA := do(&m.sides[0])
	b, errB := do(&m.sides[1])
	if x, y := class(errA), class(errB); x != y {
		t.Fatalf("%s: %v and %v", what, errA, errB)
	}
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("%s: %s", what, cmp.Diff(a, b))
	}
	return a, errA
}

// class tells errors apart as callers do.
func class(err error) string {
	var taken *store.KeyTakenError
	var revision *store.RevisionError
	if errors.As(err, &revision) {
		return fmt.Sprintf("revision: %+v", *revision)
	}
	if errors.As(err, &taken) {
		return fmt.Sprintf("taken: %+v", *taken)
	}
	for _, known := range []error{
		store.ErrUnknown, store.ErrLeaseLost, store.ErrSequence, store.ErrInvalid, store.ErrErased, store.ErrNotFound,
		store.ErrCorrupt, store.ErrClosed,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "other"
	}
	return ""
}

func (m *machine) acquire(t *rapid.T) {
	lease, err := m.both(t, "acquire", func(s *Side) (any, error) { return s.Store.Acquire(t.Context(), "machine") })
	if err != nil {
		t.Fatal(err)
	}
	m.lease, _ = lease.(store.Lease)
	if m.lease.Incarnation <= m.seen || m.lease.LastSequence != m.sequence {
		t.Fatalf("lease %+v after incarnation %d and batch %d", m.lease, m.seen, m.sequence)
	}
	m.seen = m.lease.Incarnation
}

// batch draws a batch that is valid but for keys that may be taken and runs
// that may be erased.
func (m *machine) batch(t *rapid.T) *store.Batch {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "seconds")) * time.Second)
	b := &store.Batch{Sequence: m.sequence + 1, Incarnation: m.lease.Incarnation, At: m.now}
	some := func(what string, of int) []int {
		return rapid.SliceOfNDistinct(rapid.IntRange(0, of-1), 0, 3, rapid.ID[int]).Draw(t, what)
	}
	for _, i := range some("records", len(poolRuns)) {
		id := poolRuns[i]
		b.Records = append(b.Records, store.Record{
			Run: id, First: max(m.next[id], 1), Count: rapid.Uint64Range(1, 4).Draw(t, "count"),
			Control: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "control"), Payload: rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "payload"),
		})
	}
	for _, i := range some("rows", len(poolRuns)) {
		row := Row(poolRuns[i])
		row.Namespace, row.BusinessDate = poolNames[i%len(poolNames)], []string{"", "2026-11-22", "2026-11-23"}[i/2]
		row.Held, row.Attempts = rapid.Bool().Draw(t, "held"), rapid.Uint32Range(0, 2).Draw(t, "attempts")
		row.State = rapid.SampledFrom([]string{"running", "waiting", "succeeded", "failed"}).Draw(t, "state")
		if row.Ended() {
			row.EndedAt = m.now
		}
		b.Runs = append(b.Runs, row)
	}
	if rapid.IntRange(0, 3).Draw(t, "take a key") == 0 {
		k := rapid.SampledFrom(poolKeys).Draw(t, "key")
		k.Run, k.BodyHash = rapid.SampledFrom(poolRuns).Draw(t, "key's run"), [32]byte{rapid.Byte().Draw(t, "hash")}
		if seconds := rapid.IntRange(0, 20).Draw(t, "lives"); seconds > 0 {
			k.Expires = m.now.Add(time.Duration(seconds) * time.Second)
		}
		b.Keys = append(b.Keys, k)
	}
	for _, i := range some("timers", 6) {
		id := store.TimerID{Run: poolRuns[i%2], ID: uint64(i / 2)}
		if rapid.Bool().Draw(t, "set") {
			b.SetTimers = append(b.SetTimers, store.Timer{TimerID: id, At: m.now.Add(time.Duration(i%3) * time.Minute)})
		} else {
			b.ClearTimers = append(b.ClearTimers, id)
		}
	}
	for _, i := range some("programs", len(poolPrograms)) {
		b.Programs = append(b.Programs, poolPrograms[i])
	}
	if rapid.IntRange(0, 15).Draw(t, "erase") == 0 {
		id := rapid.SampledFrom(poolRuns).Draw(t, "erased run")
		if !slices.ContainsFunc(b.Records, func(r store.Record) bool { return r.Run == id }) {
			b.Erase = append(b.Erase, id)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "prune") == 0 {
		m.prune(t, b)
	}
	m.more(t, b)
	return b
}

// prune adds a run to prune that may be live or not erased, with the batches
// that it has, or others.
func (m *machine) prune(t *rapid.T, b *store.Batch) {
	p := store.Pruned{Run: rapid.SampledFrom(poolRuns).Draw(t, "pruned run")}
	records, err := store.Collect(m.sides[0].Store.Events(t.Context(), p.Run, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		p.Batches = append(p.Batches, records[i].Batch)
	}
	if m.sequence > 0 && rapid.IntRange(0, 7).Draw(t, "misprune") == 0 {
		p.Batches = []uint64{rapid.Uint64Range(1, m.sequence).Draw(t, "pruned batch")}
	}
	taken := slices.ContainsFunc(b.Records, func(r store.Record) bool { return r.Run == p.Run }) ||
		slices.ContainsFunc(b.Runs, func(r store.RunRow) bool { return r.ID == p.Run })
	if len(p.Batches) > 0 && !taken && !slices.Contains(b.Erase, p.Run) {
		b.Prune = append(b.Prune, p)
	}
}

// more adds objects that follow, entries, and entries to forget.
func (m *machine) more(t *rapid.T, b *store.Batch) {
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(poolObjects)-1), 0, 3, rapid.ID[int]).Draw(t, "objects") {
		o := store.Object{ObjectID: poolObjects[i], Revision: m.objects[poolObjects[i]].Revision + 1}
		if o.Revision > 1 && rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
			o.Deleted = true
		} else {
			o.Data = []byte(rapid.SampledFrom([]string{"", "{}", `{"x":1}`}).Draw(t, "data"))
		}
		b.Objects = append(b.Objects, o)
	}
	for range rapid.IntRange(0, 3).Draw(t, "entries") {
		e := Entry(rapid.SampledFrom(poolActors).Draw(t, "actor"), "run.start", "run/"+string(rapid.SampledFrom(poolRuns).Draw(t, "entry's run")))
		e.Namespace = rapid.SampledFrom(poolNames).Draw(t, "entry's namespace")
		b.Entries = append(b.Entries, e)
	}
	if len(m.entries) > 0 && rapid.IntRange(0, 7).Draw(t, "forget") == 0 {
		b.Forget = []store.EntryID{rapid.SampledFrom(m.entries).Draw(t, "entry to forget")}
		if rapid.IntRange(0, 7).Draw(t, "misforget") == 0 {
			b.Forget[0].Position += 7
		}
	}
}

func (m *machine) send(t *rapid.T, what string, b *store.Batch) {
	_, err := m.both(t, what, func(s *Side) (any, error) { return nil, s.Store.Commit(t.Context(), b) })
	if err != nil {
		return
	}
	m.sequence = b.Sequence
	for _, r := range b.Records {
		m.next[r.Run] = r.First + r.Count
	}
	for _, o := range b.Objects {
		m.objects[o.ObjectID] = o
	}
	for i := range b.Entries {
		m.entries = append(m.entries, store.EntryID{Batch: b.Sequence, Position: uint32(i)})
	}
}

func (m *machine) commit(t *rapid.T) { m.send(t, "commit", m.batch(t)) }

// misnumber commits under a wrong sequence or incarnation.
func (m *machine) misnumber(t *rapid.T) {
	b := m.batch(t)
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		b.Sequence += uint64(rapid.IntRange(1, 3).Draw(t, "by"))
	case 1:
		b.Sequence = max(b.Sequence, 2) - 1
		if m.sequence == 0 {
			b.Sequence = 2
		}
	default:
		b.Incarnation = rapid.Uint64Range(1, m.lease.Incarnation+1).Filter(func(n uint64) bool { return n != m.lease.Incarnation }).Draw(t, "incarnation")
	}
	before := m.sequence
	m.send(t, "misnumbered commit", b)
	if m.sequence != before {
		t.Fatal("accepted")
	}
}

// misrecord commits a record that leaves a gap, overlaps, or begins anew.
func (m *machine) misrecord(t *rapid.T) {
	b := m.batch(t)
	if len(b.Records) == 0 {
		return
	}
	r := &b.Records[rapid.IntRange(0, len(b.Records)-1).Draw(t, "record")]
	r.First = rapid.Uint64Range(1, r.First+3).Filter(func(n uint64) bool { return n != r.First }).Draw(t, "first")
	before := m.sequence
	m.send(t, "commit of a record out of place", b)
	if m.sequence != before {
		t.Fatal("accepted")
	}
}

// wrongRow commits an invalid batch.
func (m *machine) wrongRow(t *rapid.T) {
	b := m.batch(t)
	b.Runs = []store.RunRow{{ID: "r1", State: "lost"}}
	m.send(t, "invalid commit", b)
}

// depose lets another process take the lease and commit; then this one finds
// out and takes it back.
func (m *machine) depose(t *rapid.T) {
	var others [2]store.Store
	for i := range m.sides {
		other, err := m.sides[i].Beside()
		if err != nil {
			t.Fatal(err)
		}
		others[i] = other
	}
	mine := m.sides
	m.sides[0].Store, m.sides[1].Store = others[0], others[1]
	m.acquire(t)
	theirs := m.lease
	m.commit(t)
	m.sides = mine
	m.misnumber(t)
	m.last(t)
	m.acquire(t)
	if m.lease.Incarnation <= theirs.Incarnation {
		t.Fatalf("lease %+v after %+v", m.lease, theirs)
	}
	for _, other := range others {
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *machine) crash(t *rapid.T) {
	for i := range m.sides {
		s, err := m.sides[i].Reopen()
		if err != nil {
			t.Fatalf("side %d: %v", i, err)
		}
		m.sides[i].Store = s
	}
	if rapid.Bool().Draw(t, "verify") {
		m.verify(t)
	}
	m.acquire(t)
}

func (m *machine) verify(t *rapid.T) {
	_, err := m.both(t, "verify", func(s *Side) (any, error) { return nil, s.Store.Verify(t.Context()) })
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) last(t *rapid.T) {
	_, _ = m.both(t, "last sequence", func(s *Side) (any, error) { return s.Store.LastSequence(t.Context()) })
}

func (m *machine) page(t *rapid.T) {
	before := rapid.SampledFrom(append([]store.RunID{"", "r", "z"}, poolRuns...)).Draw(t, "before")
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	_, _ = m.both(t, "runs", func(s *Side) (any, error) {
		return s.Store.Runs(t.Context(), store.RunQuery{Before: before, Limit: limit})
	})
	first := rapid.Uint64Range(0, 12).Draw(t, "first")
	_, _ = m.both(t, "events", func(s *Side) (any, error) { return store.Collect(s.Store.Events(t.Context(), "r1", first)) })
}

func (m *machine) due(t *rapid.T) {
	until := m.now.Add(time.Duration(rapid.IntRange(-60, 180).Draw(t, "seconds")) * time.Second)
	limit := rapid.IntRange(1, 4).Draw(t, "limit")
	_, _ = m.both(t, "timers", func(s *Side) (any, error) { return s.Store.Timers(t.Context(), until, limit) })
}

// compare compares everything that can be read.
func (m *machine) compare(t *rapid.T) {
	_, err := m.both(t, "state", func(s *Side) (any, error) {
		return ReadState(t.Context(), s.Store, poolRuns, poolKeys, poolPrograms, m.now)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// misrevise commits an object that does not follow.
func (m *machine) misrevise(t *rapid.T) {
	b := m.batch(t)
	if len(b.Objects) == 0 {
		return
	}
	o := &b.Objects[rapid.IntRange(0, len(b.Objects)-1).Draw(t, "object")]
	o.Revision = rapid.Uint64Range(1, o.Revision+2).Filter(func(n uint64) bool { return n != o.Revision }).Draw(t, "revision")
	before := m.sequence
	m.send(t, "commit of an object that was changed in between", b)
	if m.sequence != before {
		t.Fatal("accepted")
	}
}

// refix commits a row that may say something else of what is fixed.
func (m *machine) refix(t *rapid.T) {
	b := m.batch(t)
	if len(b.Runs) == 0 {
		return
	}
	_, err := m.sides[0].Store.Run(t.Context(), b.Runs[0].ID)
	b.Runs[0].Workflow = "other"
	before := m.sequence
	if err == nil {
		m.send(t, "commit of a row that moves its run", b)
	}
	if m.sequence != before {
		t.Fatal("accepted")
	}
}

// list lists by random filters.
func (m *machine) list(t *rapid.T) {
	some := func(what string, of []string) []string {
		if rapid.Bool().Draw(t, "any "+what) {
			return nil
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 0, 3, rapid.ID[string]).Draw(t, what)
	}
	q := store.RunQuery{
		Namespaces: some("namespaces", poolNames), Workflows: some("workflows", []string{"nightly", "other"}),
		States: some("states", []string{"running", "waiting", "succeeded", "failed"}), Limit: rapid.IntRange(1, 4).Draw(t, "limit"),
		DateFrom: rapid.SampledFrom([]string{"", "2026-11-22", "2026-11-23"}).Draw(t, "from"), DateTo: rapid.SampledFrom([]string{"", "2026-11-22"}).Draw(t, "to"),
	}
	if q.ByBatch = rapid.Bool().Draw(t, "by batch"); q.ByBatch {
		q.Since, q.After = rapid.Uint64Range(0, m.sequence+1).Draw(t, "since"), rapid.SampledFrom(append([]store.RunID{""}, poolRuns...)).Draw(t, "after")
	} else {
		q.Before = rapid.SampledFrom(append([]store.RunID{""}, poolRuns...)).Draw(t, "before")
	}
	_, _ = m.both(t, "runs", func(s *Side) (any, error) { return s.Store.Runs(t.Context(), q) })

	place := store.EntryID{Batch: rapid.Uint64Range(1, m.sequence+1).Draw(t, "batch"), Position: rapid.Uint32Range(0, 2).Draw(t, "position")}
	e := store.EntryQuery{Namespaces: some("namespaces of entries", poolNames), Limit: rapid.IntRange(1, 4).Draw(t, "limit of entries")}
	if e.OldestFirst = rapid.Bool().Draw(t, "oldest first"); e.OldestFirst {
		e.After = place
	} else {
		e.Before = place
	}
	e.Actor = rapid.SampledFrom(append([]string{""}, poolActors...)).Draw(t, "actor")
	if rapid.Bool().Draw(t, "of an object") {
		e.Object = "run/r1"
	}
	if rapid.Bool().Draw(t, "in time") {
		e.From, e.To = m.now.Add(-20*time.Second), m.now.Add(-2*time.Second)
	}
	_, _ = m.both(t, "entries", func(s *Side) (any, error) { return s.Store.Entries(t.Context(), e) })
	kind, after := rapid.SampledFrom([]string{"user", "token"}).Draw(t, "kind"), rapid.SampledFrom(poolObjects).Draw(t, "after object")
	_, _ = m.both(t, "objects", func(s *Side) (any, error) { return s.Store.Objects(t.Context(), kind, after, q.Limit) })
}

// prove finds evidence, and compares where it is; hashes differ by their salts.
func (m *machine) prove(t *rapid.T) {
	type found struct {
		thing any
		batch uint64
		index int
	}
	run, first := rapid.SampledFrom(poolRuns).Draw(t, "run"), rapid.Uint64Range(1, 8).Draw(t, "event")
	_, _ = m.both(t, "record evidence", func(s *Side) (any, error) {
		r, e, err := s.Store.RecordEvidence(t.Context(), run, first)
		return found{r, e.Batch, e.Index}, err
	})
	id := rapid.SampledFrom(poolObjects).Draw(t, "object")
	_, _ = m.both(t, "object evidence", func(s *Side) (any, error) {
		o, e, err := s.Store.ObjectEvidence(t.Context(), id)
		return found{o, e.Batch, e.Index}, err
	})
	_, _ = m.both(t, "object", func(s *Side) (any, error) { return s.Store.Object(t.Context(), id) })
	place := store.EntryID{Batch: rapid.SampledFrom([]uint64{1, max(m.sequence, 1), math.MaxUint64}).Draw(t, "batch")}
	if len(m.entries) > 0 {
		place = rapid.SampledFrom(m.entries).Draw(t, "entry")
	}
	_, _ = m.both(t, "entry evidence", func(s *Side) (any, error) {
		entry, e, err := s.Store.EntryEvidence(t.Context(), place)
		return found{entry, e.Batch, e.Index}, err
	})
}
