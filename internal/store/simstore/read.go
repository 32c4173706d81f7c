package simstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// LiveRuns lists the runs that have not ended.
func (s *Store) LiveRuns(ctx context.Context) ([]store.RunRow, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	var live []store.RunRow
	for _, id := range s.disk.ids() {
		if r := s.disk.row(id); !r.Ended() {
			live = append(live, r)
		}
	}
	return live, nil
}

// Run reads one row.
func (s *Store) Run(ctx context.Context, id store.RunID) (store.RunRow, error) {
	if err := s.lock(ctx); err != nil {
		return store.RunRow{}, err
	}
	defer s.unlock()
	_, there := s.disk.rows[id]
	if _, gone := s.disk.pruned[id]; gone && !there {
		return store.RunRow{}, fmt.Errorf("run %s: %w", id, store.ErrPruned)
	}
	if !there {
		return store.RunRow{}, fmt.Errorf("%w: run %s", store.ErrNotFound, id)
	}
	return s.disk.row(id), nil
}

// Runs lists the runs that match.
func (s *Store) Runs(ctx context.Context, q store.RunQuery) ([]store.RunRow, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	var rows []store.RunRow
	for _, id := range s.disk.ids() {
		r := s.disk.row(id)
		later := !q.Changes() || r.Batch > q.Since || r.Batch == q.Since && q.After != "" && id > q.After
		if q.Matches(&r) && later && (q.Before == "" || id < q.Before) {
			rows = append(rows, r)
		}
	}
	if q.Changes() {
		slices.SortStableFunc(rows, func(a, b store.RunRow) int { return cmp.Compare(a.Batch, b.Batch) })
	} else {
		slices.Reverse(rows)
	}
	return rows[:min(store.LimitOf(q.Limit), len(rows))], nil
}

// ids are the IDs of all rows, in order.
func (d *Disk) ids() []store.RunID { return slices.Sorted(maps.Keys(d.rows)) }

func (d *Disk) row(id store.RunID) store.RunRow {
	r := d.rows[id]
	r.Events, r.Erased = d.events(id), d.erased[id]
	return r
}

// Events reads the records of a run.
func (s *Store) Events(ctx context.Context, id store.RunID, first uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		records, err := s.events(ctx, id, first)
		for i := range records {
			if !yield(records[i], nil) {
				return
			}
		}
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

func (s *Store) events(ctx context.Context, id store.RunID, first uint64) ([]store.Record, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	var out []store.Record
	next := uint64(1)
	for i := range s.disk.records[id] {
		r := &s.disk.records[id][i]
		if r.First != next {
			return nil, fmt.Errorf("%w: run %s: a record begins at event %d, want %d", store.ErrCorrupt, id, r.First, next)
		}
		next = r.First + r.Count
		if r.First < first {
			continue
		}
		if err := s.disk.check(r); err != nil {
			return nil, err
		}
		out = append(out, r.copied())
	}
	return out, nil
}

// Program reads a stored program.
func (s *Store) Program(ctx context.Context, hash [32]byte) ([]byte, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	p, ok := s.disk.programs[hash]
	if !ok {
		return nil, fmt.Errorf("%w: program %x", store.ErrNotFound, hash)
	}
	if sha256.Sum256(p.data) != hash {
		return nil, fmt.Errorf("%w: program %x", store.ErrCorrupt, hash)
	}
	return slices.Clone(p.data), nil
}

// Key looks an idempotency key up.
func (s *Store) Key(ctx context.Context, namespace, name string) (store.Key, error) {
	if err := s.lock(ctx); err != nil {
		return store.Key{}, err
	}
	defer s.unlock()
	k, ok := s.disk.keys[keyName{namespace, name}]
	if !ok {
		return store.Key{}, fmt.Errorf("%w: key %s/%s", store.ErrNotFound, namespace, name)
	}
	return k.Key, nil
}

// Timers lists the timers that are due.
func (s *Store) Timers(ctx context.Context, until time.Time, limit int) ([]store.Timer, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	var due []store.Timer
	for _, t := range s.disk.timers {
		if !t.At.After(store.Time(until)) {
			due = append(due, t.Timer)
		}
	}
	slices.SortFunc(due, func(a, b store.Timer) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(string(a.Run), string(b.Run)), cmp.Compare(a.ID, b.ID))
	})
	return due[:min(store.LimitOf(limit), len(due))], nil
}

// AuditSize is the number of leaves.
func (s *Store) AuditSize(ctx context.Context) (uint64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.unlock()
	return s.disk.last(), nil
}

// AuditLeaf reads leaf n.
func (s *Store) AuditLeaf(ctx context.Context, n uint64) (store.Leaf, error) {
	if err := s.lock(ctx); err != nil {
		return store.Leaf{}, err
	}
	defer s.unlock()
	if n >= s.disk.last() {
		return store.Leaf{}, fmt.Errorf("%w: leaf %d", store.ErrNotFound, n)
	}
	return s.disk.batches[n].leaf, nil
}

// AuditHashes reads stored hashes of the log's tree.
func (s *Store) AuditHashes(ctx context.Context, indexes []int64) ([]audit.Hash, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	hashes := make([]audit.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 {
			return nil, fmt.Errorf("%w: tree hash %d", store.ErrNotFound, index)
		}
		n, offset := audit.Place(index)
		if n >= int64(s.disk.last()) {
			return nil, fmt.Errorf("%w: tree hash %d", store.ErrNotFound, index)
		}
		hashes[i] = s.disk.batches[n].tree[offset]
	}
	return hashes, nil
}

// Verify checks everything.
func (s *Store) Verify(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	d := s.disk
	v := store.Verifier{Leaf: func(sequence uint64) (store.Leaf, error) { return d.batches[sequence-1].leaf, nil }}
	for _, b := range d.batches {
		if err := v.Batch(b.leaf, b.tree); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.records)) {
		for i := range d.records[id] {
			r := &d.records[id][i]
			if err := d.check(r); err != nil {
				return err
			}
			if err := v.Record(&r.Record, r.position, r.commitment); err != nil {
				return err
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.pruned)) {
		p := d.pruned[id]
		if err := v.Pruned(&p.Pruned, p.batch); err != nil {
			return err
		}
	}
	for i := range d.entries {
		if err := v.Entry(&d.entries[i].Entry, d.entries[i].salt); err != nil {
			return err
		}
	}
	for _, id := range d.objectIDs("") {
		o := d.objects[id]
		if err := v.Object(&o.Object, o.salt); err != nil {
			return err
		}
	}
	if err := d.verifyItems(&v); err != nil {
		return err
	}
	return v.Finish()
}

// verifyItems checks every row but records, entries and objects.
func (d *Disk) verifyItems(v *store.Verifier) error {
	for _, id := range d.ids() {
		r := d.rows[id]
		if err := v.Item(r.Batch, r.ItemHash(), "row of run "+string(id)); err != nil {
			return err
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(d.keys), func(a, b keyName) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.key, b.key))
	}) {
		k := d.keys[name]
		if err := v.Item(k.batch, k.ItemHash(k.salt), "key "+name.namespace+"/"+name.key); err != nil {
			return err
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(d.timers), func(a, b store.TimerID) int {
		return cmp.Or(strings.Compare(string(a.Run), string(b.Run)), cmp.Compare(a.ID, b.ID))
	}) {
		t := d.timers[id]
		if err := v.Item(t.batch, t.ItemHash(), fmt.Sprintf("timer %s/%d", id.Run, id.ID)); err != nil {
			return err
		}
	}
	for _, hash := range slices.SortedFunc(maps.Keys(d.programs), func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }) {
		p := store.Program{Hash: hash, Data: d.programs[hash].data}
		if sha256.Sum256(p.Data) != hash {
			return fmt.Errorf("%w: program %x", store.ErrCorrupt, hash)
		}
		if err := v.Item(d.programs[hash].batch, p.ItemHash(), fmt.Sprintf("program %x", hash)); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.erased)) {
		if err := v.Item(d.erased[id], id.EraseHash(), "erasure of run "+string(id)); err != nil {
			return err
		}
	}
	return nil
}
