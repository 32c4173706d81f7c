package runtime_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// memory is a store that forgets nothing but what a test takes from it.
type memory struct {
	store.Prover // the runtime proves nothing

	mu          sync.Mutex
	incarnation uint64
	batches     []*store.Batch
	rows        map[store.RunID]store.RunRow
	order       []store.RunID
	programs    map[[32]byte][]byte
	keys        map[[2]string]store.Key
	records     map[store.RunID][]store.Record
	timers      map[store.TimerID]time.Time
	objects     map[store.ObjectID]store.Object
	// fail, if not nil, is asked before each commit; an error is returned, and
	// the batch is written all the same if it is a written one.
	fail func(*store.Batch) error
}

// written is an error of a commit that happened.
type written struct{ error }

func newMemory() *memory {
	return &memory{
		rows: map[store.RunID]store.RunRow{}, programs: map[[32]byte][]byte{}, keys: map[[2]string]store.Key{},
		records: map[store.RunID][]store.Record{}, timers: map[store.TimerID]time.Time{}, objects: map[store.ObjectID]store.Object{},
	}
}

var _ store.Store = (*memory)(nil)

func (m *memory) Acquire(context.Context, string) (store.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.incarnation++
	return store.Lease{Incarnation: m.incarnation, LastSequence: uint64(len(m.batches))}, nil
}

func (m *memory) Commit(_ context.Context, b *store.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var w written
	if m.fail != nil {
		if err := m.fail(b); err != nil {
			if !errors.As(err, &w) {
				return err
			}
			defer func() { m.fail = nil }()
		}
	}
	if err := b.Check(); err != nil {
		return err
	}
	if b.Incarnation != m.incarnation {
		return store.ErrLeaseLost
	}
	if b.Sequence != uint64(len(m.batches))+1 {
		return store.ErrSequence
	}
	for _, k := range b.Keys {
		if old, ok := m.keys[[2]string{k.Namespace, k.Key}]; ok && old.Expires.After(b.At) {
			return &store.KeyTakenError{Namespace: k.Namespace, Key: k.Key, Run: old.Run, BodyHash: old.BodyHash}
		}
	}
	for _, r := range b.Records {
		if r.First == 1 && len(m.records[r.Run]) > 0 {
			return &store.KeyTakenError{Run: r.Run}
		}
	}
	for _, o := range b.Objects {
		if has := m.objects[o.ObjectID]; o.Revision != has.Revision+1 {
			return &store.RevisionError{ID: o.ObjectID, Have: has.Revision, Want: o.Revision, Deleted: has.Deleted}
		}
	}
	m.write(b)
	if w.error != nil {
		return w.error
	}
	return nil
}

func (m *memory) write(b *store.Batch) {
	m.batches = append(m.batches, b)
	for _, p := range b.Programs {
		m.programs[p.Hash] = p.Data
	}
	for _, k := range b.Keys {
		m.keys[[2]string{k.Namespace, k.Key}] = k
	}
	for _, row := range b.Runs {
		if _, known := m.rows[row.ID]; !known {
			m.order = append(m.order, row.ID)
		}
		m.rows[row.ID] = row
	}
	for _, r := range b.Records {
		r.Batch = b.Sequence
		m.records[r.Run] = append(m.records[r.Run], r)
	}
	for _, id := range b.Erase {
		row := m.rows[id]
		row.Erased = b.Sequence
		m.rows[id] = row
		for i := range m.records[id] {
			m.records[id][i].Payload = nil
		}
	}
	for _, p := range b.Prune {
		delete(m.rows, p.Run)
		delete(m.records, p.Run)
	}
	for _, o := range b.Objects {
		o.Batch, o.At = b.Sequence, b.At
		m.objects[o.ObjectID] = o
	}
	for _, t := range b.SetTimers {
		m.timers[t.TimerID] = t.At
	}
	for _, id := range b.ClearTimers {
		delete(m.timers, id)
	}
}

func (m *memory) LastSequence(context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.batches)), nil
}

func (m *memory) LiveRuns(context.Context) ([]store.RunRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []store.RunRow
	for _, id := range m.order {
		if row := m.rows[id]; !row.Ended() {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (m *memory) Run(_ context.Context, id store.RunID) (store.RunRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row, ok := m.rows[id]
	if !ok {
		return row, store.ErrNotFound
	}
	for _, r := range m.records[id] {
		row.Events = r.First + r.Count - 1
	}
	for _, b := range m.batches {
		if slices.ContainsFunc(b.Runs, func(r store.RunRow) bool { return r.ID == id }) {
			row.Batch = b.Sequence
		}
	}
	return row, nil
}

func (m *memory) Runs(context.Context, store.RunQuery) ([]store.RunRow, error) { return nil, nil }

func (m *memory) Object(context.Context, store.ObjectID) (store.Object, error) {
	return store.Object{}, store.ErrNotFound
}

func (m *memory) Objects(_ context.Context, kind string, after store.ObjectID, limit int) ([]store.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var page []store.Object
	for _, o := range m.objects {
		if o.Kind == kind && !o.Deleted && (o.Namespace+"\x00"+o.Name > after.Namespace+"\x00"+after.Name) {
			page = append(page, o)
		}
	}
	slices.SortFunc(page, func(a, b store.Object) int {
		return strings.Compare(a.Namespace+"\x00"+a.Name, b.Namespace+"\x00"+b.Name)
	})
	return page[:min(len(page), limit)], nil
}

func (m *memory) Entries(context.Context, store.EntryQuery) ([]store.Entry, error) { return nil, nil }

func (m *memory) Events(_ context.Context, id store.RunID, first uint64) iter.Seq2[store.Record, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := slices.Clone(m.records[id])
	return func(yield func(store.Record, error) bool) {
		for i := range records {
			if records[i].First >= first && !yield(records[i], nil) {
				return
			}
		}
	}
}

func (m *memory) Program(_ context.Context, hash [32]byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.programs[hash]
	if !ok {
		return nil, store.ErrNotFound
	}
	return data, nil
}

func (m *memory) Key(_ context.Context, namespace, key string) (store.Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[[2]string{namespace, key}]
	if !ok {
		return k, store.ErrNotFound
	}
	return k, nil
}

func (m *memory) Timers(context.Context, time.Time, int) ([]store.Timer, error) { return nil, nil }

func (m *memory) AuditSize(ctx context.Context) (uint64, error) { return m.LastSequence(ctx) }

func (m *memory) AuditLeaf(_ context.Context, n uint64) (store.Leaf, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.batches[n]
	return store.Leaf{Leaf: audit.Leaf{Sequence: b.Sequence, Incarnation: b.Incarnation, At: b.At}}, nil
}

func (m *memory) AuditHashes(context.Context, []int64) ([]audit.Hash, error) { return nil, nil }

func (m *memory) Verify(context.Context) error { return nil }

func (m *memory) Close() error { return nil }

// words is a language of JSON literals, names, "costly X", which only the pool
// can pay, and "panic".
type words struct{}

func (words) Name() string { return "words" }

func (words) Compile(src string, _ *expr.Env) (expr.Compiled, []expr.Problem) { return word(src), nil }

type word string

func (word) Type() expr.Type   { return expr.Type{} }
func (word) Reads() [][]string { return nil }

func (w word) Eval(r expr.Request) (value.Value, error) {
	if rest, ok := strings.CutPrefix(string(w), "costly "); ok {
		if r.Cost < expr.PoolCost {
			return value.Undefined, &expr.Error{Code: expr.CostExceeded, Message: "too costly"}
		}
		return word(rest).Eval(r)
	}
	if w == "panic" {
		panic("as asked")
	}
	if v, ok := r.Bindings[string(w)]; ok {
		return v, nil
	}
	return value.Parse([]byte(w))
}

func languages() map[string]expr.Language { return map[string]expr.Language{"words": words{}} }

func expression(src string) *workflow.Expr { return &workflow.Expr{Language: "words", Source: src} }

func task(id string, needs ...workflow.NodeID) workflow.Node {
	n := workflow.Node{ID: id, Kind: workflow.KindTask, Task: &workflow.Task{Uses: "work"}}
	if len(needs) > 0 {
		n.Join = &workflow.Join{Needs: needs, When: workflow.Cond{Op: workflow.OpAnd}}
		for i := range needs {
			n.Join.When.Args = append(n.Join.When.Args, workflow.Cond{Op: workflow.OpEnd, Need: i, Ends: workflow.EndOK})
		}
	}
	return n
}

func wait(length string) workflow.Node {
	return workflow.Node{ID: "w", Kind: workflow.KindWait, Wait: &workflow.Wait{For: workflow.Constant(value.String(length))}}
}

func program(name string, nodes ...workflow.Node) *workflow.Program {
	return &workflow.Program{Format: workflow.Format, Language: "test", Name: name, Bodies: []workflow.Body{{Nodes: nodes}}}
}

func prepare(p *workflow.Program) *runtime.Prepared {
	prepared, err := runtime.NewMachines(languages()).Prepare(p)
	if err != nil {
		panic(err)
	}
	return prepared
}

func submit(id store.RunID, p *runtime.Prepared, caller runtime.Caller) runtime.Submit {
	return runtime.Submit{Run: id, Machine: p.Machine, Program: p.Stored, Caller: caller}
}

func keyed(m runtime.Submit, body string) runtime.Submit {
	m.Key, m.BodyHash, m.KeyExpires = "k", sha256.Sum256([]byte(body)), start.Add(runtime.KeyRetention)
	return m
}

func ended(t engine.Task, outcome engine.TaskOutcome) runtime.TaskEnded {
	return runtime.TaskEnded{
		Run: store.RunID(t.Run), Fence: t.Fence, End: engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: outcome},
	}
}

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// from tells the first events of a run from later ones.
func from(first uint64) string {
	if first == 1 {
		return " begins"
	}
	return " goes on"
}

// show writes effects as lines.
func show(effects []runtime.Effect) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, e := range effects {
		switch e := e.(type) {
		case runtime.Commit:
			var parts []string
			for _, r := range e.Batch.Records {
				parts = append(parts, string(r.Run)+from(r.First))
			}
			for _, r := range e.Batch.Runs {
				parts = append(parts, fmt.Sprintf("%s %s", r.ID, r.State))
			}
			for _, k := range e.Batch.Keys {
				parts = append(parts, "key "+k.Key)
			}
			for _, t := range e.Batch.SetTimers {
				parts = append(parts, fmt.Sprintf("timer %s/%d", t.Run, t.ID))
			}
			for _, t := range e.Batch.ClearTimers {
				parts = append(parts, fmt.Sprintf("no timer %s/%d", t.Run, t.ID))
			}
			for _, id := range e.Batch.Erase {
				parts = append(parts, "erase "+string(id))
			}
			add("commit %d: %s", e.Batch.Sequence, strings.Join(parts, ", "))
		case runtime.ReadSequence:
			add("read sequence")
		case runtime.Dispatch:
			add("dispatch %s %s #%d", e.Task.Run, e.Task.Path, e.Task.Attempt)
		case runtime.Reattach:
			add("reattach %s %s #%d", e.Task.Run, e.Task.Path, e.Task.Attempt)
		case runtime.CancelTask:
			add("cancel %s act %d #%d", e.Run, e.Act, e.Attempt)
		case runtime.Settled:
			add("settled %s act %d #%d refused=%v", e.Run, e.Act, e.Attempt, e.Refused)
		case runtime.Evaluate:
			add("evaluate %s", e.Run)
		case runtime.Reload:
			add("reload %s", e.Run)
		case runtime.WakeAt:
			if e.At.IsZero() {
				add("wake never")
			} else {
				add("wake in %v", e.At.Sub(start))
			}
		case runtime.Reply:
			add("reply %d %s existing=%v err=%v seen=%v", e.Caller, e.Run, e.Existing, e.Err, e.Seen)
		case runtime.Publish:
			add("publish %s%s ended=%v", e.Run, from(e.First), e.Ended != nil)
		case runtime.Quarantined:
			add("quarantined %s: %v", e.Run, e.Reason)
		case runtime.Halt:
			add("halt %v again=%v", e.Reason, e.Again)
		}
	}
	return out
}
