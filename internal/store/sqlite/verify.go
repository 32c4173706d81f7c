package sqlite

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Verify checks everything on one state of the database; commits go on beside
// it.
func (s *Store) Verify(ctx context.Context) error {
	return s.snapshot(ctx, "verify", func(c *conn) error { return c.verify(s.kek) })
}

// verify checks everything on one state of the database.
func (c *conn) verify(kek cipher.AEAD) error {
	v := verification{conn: c, kek: kek}
	leaves := leafReader{conn: c}
	v.Leaf = leaves.leaf
	for _, check := range []func() error{
		v.pages, v.batches, v.events, v.pruned, v.entries, v.objects, v.runs, v.keys, v.timers, v.programs, v.erased, v.Finish,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

type verification struct {
	*conn
	store.Verifier

	kek cipher.AEAD
}

// pages lets SQLite check the file: checksums, trees, indexes, constraints.
func (v *verification) pages() error {
	s, _, err := v.Prepare(`PRAGMA integrity_check(1)`)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Step() && s.ColumnText(0) != "ok" {
		return fmt.Errorf("%w: %s", store.ErrCorrupt, s.ColumnText(0))
	}
	return s.Err()
}

func (v *verification) batches() error {
	return v.rows(qBatches, nil, func(s *sqlite3.Stmt) error {
		leaf, tree, err := leafRow(s)
		if err != nil {
			return err
		}
		return v.Batch(leaf, tree)
	})
}

func (v *verification) events() error {
	var run store.RunID
	var aead cipher.AEAD
	leaves := leafReader{conn: v.conn}
	return v.rows(qAllEvents, nil, func(s *sqlite3.Stmt) (err error) {
		e := eventRow(s, 1)
		e.record.Run = store.RunID(s.ColumnText(0))
		if e.record.Run != run {
			run = e.record.Run
			if aead, err = v.runKey(v.kek, run); errors.Is(err, store.ErrNotFound) {
				err = fmt.Errorf("%w: key of run %s is missing", store.ErrCorrupt, run)
			}
			if err != nil {
				return err
			}
		}
		if err := e.check(aead, &leaves); err != nil {
			return err
		}
		return v.Record(&e.record, e.position, e.commitment)
	})
}

func (v *verification) pruned() error {
	return v.rows(qAllPruned, nil, func(s *sqlite3.Stmt) (err error) {
		p := store.Pruned{Run: store.RunID(s.ColumnText(0))}
		if p.Batches, err = readBatches(s.ColumnRawBlob(2)); err != nil {
			return fmt.Errorf("%w: pruning of run %s: %w", store.ErrCorrupt, p.Run, err)
		}
		return v.Pruned(&p, uint64(s.ColumnInt64(1)))
	})
}

func (v *verification) entries() error {
	return v.rows(qAllEntries, nil, func(s *sqlite3.Stmt) error {
		e, err := entryRow(s)
		if err != nil {
			return err
		}
		return v.Entry(&e.Entry, e.salt)
	})
}

func (v *verification) objects() error {
	return v.rows(qAllObjects, nil, func(s *sqlite3.Stmt) error {
		o, err := objectRow(s)
		if err != nil {
			return err
		}
		return v.Object(&o.Object, o.salt)
	})
}

func (v *verification) runs() error {
	return v.rows(qAllRuns, nil, func(s *sqlite3.Stmt) error {
		row, err := runRow(s)
		if err != nil {
			return err
		}
		return v.Item(row.Batch, row.ItemHash(), "row of run "+string(row.ID))
	})
}

func (v *verification) keys() error {
	return v.rows(qAllKeys, nil, func(s *sqlite3.Stmt) error {
		k := store.Key{Namespace: s.ColumnText(0), Key: s.ColumnText(1), Run: store.RunID(s.ColumnText(2)), Expires: timeOf(s, 4)}
		if err := readHash(&k.BodyHash, s, 3); err != nil {
			return err
		}
		var salt [audit.SaltSize]byte
		copy(salt[:], s.ColumnRawBlob(5))
		return v.Item(uint64(s.ColumnInt64(6)), k.ItemHash(salt), "key "+k.Namespace+"/"+k.Key)
	})
}

func (v *verification) timers() error {
	return v.rows(qAllTimers, nil, func(s *sqlite3.Stmt) error {
		t := store.Timer{TimerID: store.TimerID{Run: store.RunID(s.ColumnText(0)), ID: uint64(s.ColumnInt64(1))}, At: timeOf(s, 2)}
		return v.Item(uint64(s.ColumnInt64(3)), t.ItemHash(), fmt.Sprintf("timer %s/%d", t.Run, t.ID))
	})
}

func (v *verification) programs() error {
	return v.rows(qAllPrograms, nil, func(s *sqlite3.Stmt) error {
		var p store.Program
		if err := readHash(&p.Hash, s, 0); err != nil {
			return err
		}
		if sha256.Sum256(s.ColumnRawBlob(1)) != p.Hash {
			return fmt.Errorf("%w: program %x", store.ErrCorrupt, p.Hash)
		}
		return v.Item(uint64(s.ColumnInt64(2)), p.ItemHash(), fmt.Sprintf("program %x", p.Hash))
	})
}

func (v *verification) erased() error {
	return v.rows(qAllErased, nil, func(s *sqlite3.Stmt) error {
		run := store.RunID(s.ColumnText(0))
		return v.Item(uint64(s.ColumnInt64(1)), run.EraseHash(), "erasure of run "+string(run))
	})
}
