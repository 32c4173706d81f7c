package sqlite

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Commit writes the batch in one transaction.
func (s *Store) Commit(ctx context.Context, b *store.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return err
	}
	if err := s.writer.commit(b); err != nil {
		return fmt.Errorf("commit batch %d: %w", b.Sequence, err)
	}
	return nil
}

func (w *writer) commit(b *store.Batch) error {
	if w.incarnation == 0 || b.Incarnation != w.incarnation {
		return fmt.Errorf("%w: this process does not hold incarnation %d", store.ErrLeaseLost, b.Incarnation)
	}
	if err := w.settle(); err != nil {
		return err
	}
	if err := w.exec(qBegin, nil); err != nil {
		return failed("begin", err)
	}
	t := transaction{writer: w, batch: b}
	if err := t.write(); err != nil {
		w.runs.forget(b)
		return errors.Join(failed("write", err), w.rollback())
	}
	if err := w.exec(qCommit, nil); err != nil {
		w.runs.forget(b)
		return failed("commit", w.commitFailed(err))
	}
	w.edge = t.edge
	// The batch is durable, whatever happens to the mark: an older one is valid
	// too.
	_ = writeMark(w.mark, mark{sequence: b.Sequence, incarnation: b.Incarnation, leaf: t.leaf})
	w.trim()
	w.truncate = w.truncate || len(b.Erase) > 0 || len(b.Prune) > 0 || len(b.Forget) > 0
	w.cutWAL()
	return nil
}

// cutWAL takes the pages of what was erased or forgotten out of the WAL. It does not wait for
// readers that are in the way: the next commit tries again.
func (w *writer) cutWAL() {
	if !w.truncate || w.BusyTimeout(0) != nil {
		return
	}
	_, _, err := w.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	w.truncate = errors.Join(err, w.BusyTimeout(busyTimeout)) != nil
}

// trim lets go of memory that an unusually large batch needed.
func (w *writer) trim() {
	for _, b := range []*[]byte{&w.sealed, &w.head, &w.plain, &w.column} {
		if cap(*b) > maxScratch {
			*b = nil
		}
	}
}

// transaction is one commit between BEGIN and COMMIT.
type transaction struct {
	*writer

	batch *store.Batch
	edge  audit.Edge
	leaf  audit.Hash
}

func (t *transaction) write() error {
	if err := t.guard(); err != nil {
		return err
	}
	records, err := t.records()
	if err != nil {
		return err
	}
	salts := t.batch.NewSalts(random)
	items := t.batch.ItemHashes(salts)
	if err := t.insertBatch(records, items); err != nil {
		return err
	}
	rows := items[len(t.batch.Programs):]
	for _, write := range []func() error{
		t.programs,
		func() error { return t.rows(rows) },
		func() error { return t.keys(salts.Keys) },
		t.timers,
		t.erase,
		t.prune,
		t.forget,
		func() error { return t.objects(salts.Objects) },
		func() error { return t.entries(salts.Entries) },
	} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// guard checks lease and sequence. The write lock is held: they stay so.
func (t *transaction) guard() error {
	row, err := t.lease()
	switch {
	case err != nil:
		return err
	case row.incarnation != t.incarnation:
		return fmt.Errorf("%w: incarnation %d has taken it from %d", store.ErrLeaseLost, row.incarnation, t.incarnation)
	case t.batch.Sequence != row.last+1:
		return fmt.Errorf("%w: the last batch is %d", store.ErrSequence, row.last)
	case t.writer.edge.Size() != int64(row.last): // a commit before happened after all
		return t.loadEdge(row.last)
	}
	return nil
}

// records writes the records, in the order of their keys, and returns their
// hashes in the order of the batch.
func (t *transaction) records() ([]audit.Hash, error) {
	order := make([]int, len(t.batch.Records))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return strings.Compare(string(t.batch.Records[a].Run), string(t.batch.Records[b].Run))
	})
	hashes := make([]audit.Hash, len(order))
	for _, i := range order {
		var err error
		if hashes[i], err = t.record(&t.batch.Records[i], i); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

func (t *transaction) record(r *store.Record, position int) (audit.Hash, error) {
	run, err := t.run(r)
	if err != nil {
		return audit.Hash{}, err
	}
	if r.First != run.next {
		return audit.Hash{}, fmt.Errorf("%w: run %s has %d events, the record begins at %d", store.ErrSequence, r.Run, run.next-1, r.First)
	}
	run.next += r.Count
	t.head = audit.AppendRecord(t.head[:0], string(r.Run), r.First, r.Count, r.Control)
	var commitment audit.Hash
	t.sealed, commitment = sealPayload(t.sealed[:0], run.aead, t.head, r.Payload, &t.plain)
	err = t.exec(qInsertEvent, func(b *binder) {
		b.text(string(r.Run))
		b.int(int64(r.First))
		b.int(int64(r.Count))
		b.int(int64(t.batch.Sequence))
		b.int(int64(position))
		b.blob(commitment[:])
		b.blob(r.Control)
		b.blob(t.sealed)
	})
	if err != nil {
		return audit.Hash{}, failed("insert record of run "+string(r.Run), err)
	}
	return audit.RecordHash(t.head, commitment), nil
}

// run finds the run of a record, or makes it when this is its first record.
func (t *transaction) run(r *store.Record) (*cachedRun, error) {
	if run := t.runs.get(r.Run); run != nil && run.aead != nil {
		if r.First == 1 {
			return nil, &store.KeyTakenError{Run: r.Run}
		}
		return run, nil
	}
	if r.First == 1 {
		return t.newRun(r.Run)
	}
	aead, err := t.runKey(t.kek, r.Run)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: there is no run %s, the record begins at %d", store.ErrSequence, r.Run, r.First)
	}
	if err != nil {
		return nil, err
	}
	if aead == nil {
		return nil, fmt.Errorf("%w: %s", store.ErrErased, r.Run)
	}
	run := t.runs.put(r.Run)
	run.aead = aead
	_, err = t.row(qLastEvent, func(b *binder) { b.text(string(r.Run)) }, func(s *sqlite3.Stmt) error {
		run.next = uint64(s.ColumnInt64(0))
		return nil
	})
	if err != nil {
		return nil, failed("read run "+string(r.Run), err)
	}
	return run, nil
}

// newRun makes the key of a run that must not exist.
func (t *transaction) newRun(id store.RunID) (*cachedRun, error) {
	var key [KeySize]byte
	random(key[:])
	wrapped := seal(t.kek, key[:], runKeyTag+string(id))
	err := t.exec(qInsertRunKey, func(b *binder) {
		b.text(string(id))
		b.blob(wrapped)
	})
	if errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY) {
		return nil, &store.KeyTakenError{Run: id}
	}
	if err != nil {
		return nil, failed("insert run "+string(id), err)
	}
	run := t.runs.put(id)
	run.aead, run.next = newAEAD(key[:]), 1
	return run, nil
}

// runKey reads the key of a run: nil if it was erased.
func (c *conn) runKey(kek cipher.AEAD, id store.RunID) (aead cipher.AEAD, err error) {
	found, err := c.row(qRunKey, func(b *binder) { b.text(string(id)) }, func(s *sqlite3.Stmt) (err error) {
		if s.ColumnType(0) != sqlite3.NULL {
			aead, err = unwrap(kek, id, s.ColumnRawBlob(0))
		}
		return err
	})
	if err != nil {
		return nil, failed("read key of run "+string(id), err)
	}
	if !found {
		return nil, fmt.Errorf("%w: run %s", store.ErrNotFound, id)
	}
	return aead, nil
}

// insertBatch writes the batch's own row and appends its leaf to the log.
func (t *transaction) insertBatch(records, items []audit.Hash) error {
	leaf := t.batch.Leaf(records, items)
	t.leaf, t.edge = leaf.Hash(), t.writer.edge.Clone()
	tree := t.edge.Append(t.leaf)
	t.column = t.column[:0]
	for _, hashes := range [][]audit.Hash{tree, records, items} {
		for i := range hashes {
			t.column = append(t.column, hashes[i][:]...)
		}
	}
	a, b := len(tree)*len(t.leaf), (len(tree)+len(records))*len(t.leaf)
	err := t.exec(qInsertBatch, func(bind *binder) {
		bind.int(int64(leaf.Sequence))
		bind.int(int64(leaf.Incarnation))
		bind.int(leaf.At.UnixMicro())
		bind.blob(t.column[:a])
		bind.blob(t.column[a:b])
		bind.blob(t.column[b:])
		bind.int(int64(leaf.Objects))
		bind.int(int64(leaf.Entries))
	})
	if err != nil {
		return failed("insert batch", err)
	}
	return nil
}
