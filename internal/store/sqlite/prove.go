package sqlite

import (
	"context"
	"crypto/cipher"
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
)

// RecordEvidence finds a record in the log.
func (s *Store) RecordEvidence(ctx context.Context, run store.RunID, first uint64) (r store.Record, e store.Evidence, err error) {
	err = s.snapshot(ctx, "prove a record of run "+string(run), func(c *conn) error {
		aead, err := c.runKey(s.kek, run)
		if err != nil {
			return err
		}
		r, e, err = c.recordEvidence(aead, run, first)
		return err
	})
	return r, e, err
}

func (c *conn) recordEvidence(aead cipher.AEAD, run store.RunID, first uint64) (r store.Record, e store.Evidence, err error) {
	leaves := leafReader{conn: c}
	found, err := c.row(qRecord, func(b *binder) {
		b.text(string(run))
		b.int(position(first))
	}, func(s *sqlite3.Stmt) error {
		row := eventRow(s, 0)
		row.record.Run = run
		if err := row.check(aead, &leaves); err != nil {
			return err
		}
		leaf, err := leaves.leaf(row.record.Batch)
		if err != nil {
			return err
		}
		r = row.record
		e, err = leaf.RecordEvidence(&r, row.position, row.commitment, row.salt)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: run %s, record from event %d", store.ErrNotFound, run, first)
	}
	return r, e, err
}

// ObjectEvidence finds an object in the log.
func (s *Store) ObjectEvidence(ctx context.Context, id store.ObjectID) (o store.Object, e store.Evidence, err error) {
	err = s.snapshot(ctx, "prove an object", func(c *conn) error {
		has, err := c.object(id)
		if err != nil {
			return err
		}
		leaves := leafReader{conn: c}
		leaf, err := leaves.leaf(has.Batch)
		if err != nil {
			return err
		}
		o = has.Object
		e, err = leaf.ObjectEvidence(&o, has.salt)
		return err
	})
	return o, e, err
}

// EntryEvidence finds an entry in the log.
func (s *Store) EntryEvidence(ctx context.Context, id store.EntryID) (entry store.Entry, e store.Evidence, err error) {
	err = s.snapshot(ctx, "prove an entry", func(c *conn) error {
		has, err := c.entry(id)
		if err != nil {
			return err
		}
		leaves := leafReader{conn: c}
		leaf, err := leaves.leaf(id.Batch)
		if err != nil {
			return err
		}
		entry = has.Entry
		e, err = leaf.EntryEvidence(&entry, has.salt)
		return err
	})
	return entry, e, err
}
