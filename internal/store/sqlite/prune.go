package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
)

// removed is what was taken away of a run: the batches that did so, 0: none.
type removed struct{ erased, pruned uint64 }

// removed reads what was taken away of a run; of one that never was, nothing.
func (c *conn) removed(id store.RunID) (gone removed, err error) {
	_, err = c.row(qRemoved, func(b *binder) { b.text(string(id)) }, func(s *sqlite3.Stmt) error {
		gone = removed{erased: uint64(s.ColumnInt64(0)), pruned: uint64(s.ColumnInt64(1))}
		return nil
	})
	if err != nil {
		return removed{}, failed("read key of run "+string(id), err)
	}
	return gone, nil
}

// prune removes runs but for the row of their key.
func (t *transaction) prune() error {
	for i := range t.batch.Prune {
		p := &t.batch.Prune[i]
		if err := t.prunable(p); err != nil {
			return err
		}
		err := t.exec(qPrune, func(b *binder) {
			b.int(int64(t.batch.Sequence))
			b.blob(appendBatches(nil, p.Batches))
			b.text(string(p.Run))
		})
		for _, q := range []query{qPruneEvents, qPruneRun, qPruneTimers} {
			if err == nil {
				err = t.exec(q, func(b *binder) { b.text(string(p.Run)) })
			}
		}
		if err != nil {
			return failed("prune run "+string(p.Run), err)
		}
		t.runs.drop(p.Run)
	}
	return nil
}

// prunable refuses a run that goes on, was not erased, or has other records.
func (t *transaction) prunable(p *store.Pruned) error {
	var batches []uint64
	err := t.rowsOf(qRecordBatches, p.Run, func(s *sqlite3.Stmt) { batches = append(batches, uint64(s.ColumnInt64(0))) })
	if err != nil {
		return err
	}
	gone, err := t.removed(p.Run)
	if err != nil {
		return err
	}
	live := false
	if err := t.rowsOf(qRun, p.Run, func(s *sqlite3.Stmt) { live = timeOf(s, 9).IsZero() }); err != nil {
		return err
	}
	switch {
	case len(batches) == 0:
		return fmt.Errorf("%w: run %s", store.ErrNotFound, p.Run)
	case gone.erased == 0 || live:
		return fmt.Errorf("%w: run %s to prune was not erased, or goes on", store.ErrInvalid, p.Run)
	case !slices.Equal(batches, p.Batches):
		return fmt.Errorf("%w: run %s to prune has records in other batches", store.ErrInvalid, p.Run)
	}
	return nil
}

// rowsOf reads the rows that a query has of a run.
func (t *transaction) rowsOf(q query, id store.RunID, row func(*sqlite3.Stmt)) error {
	err := t.conn.rows(q, func(b *binder) { b.text(string(id)) }, func(s *sqlite3.Stmt) error {
		row(s)
		return nil
	})
	if err != nil {
		return failed("read run "+string(id), err)
	}
	return nil
}

// appendBatches encodes sequences in order: each as the difference to the one
// before, a varint.
func appendBatches(dst []byte, batches []uint64) []byte {
	last := uint64(0)
	for _, b := range batches {
		dst = binary.AppendUvarint(dst, b-last)
		last = b
	}
	return dst
}

// readBatches decodes what appendBatches wrote.
func readBatches(data []byte) ([]uint64, error) {
	var batches []uint64
	last := uint64(0)
	for len(data) > 0 {
		difference, n := binary.Uvarint(data)
		if n <= 0 || difference == 0 || last+difference < last {
			return nil, errors.New("its batches cannot be read")
		}
		last += difference
		batches, data = append(batches, last), data[n:]
	}
	return batches, nil
}
