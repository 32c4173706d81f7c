package sqlite

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// purgePerKey and purgeMore say how many expired keys a commit removes that
// takes n keys: purgePerKey*n + purgeMore. So they never pile up.
const (
	purgePerKey = 2
	purgeMore   = 8
)

func (t *transaction) programs() error {
	for i := range t.batch.Programs {
		p := &t.batch.Programs[i]
		err := t.exec(qInsertProgram, func(b *binder) {
			b.blob(p.Hash[:])
			b.blob(p.Data)
			b.int(int64(t.batch.Sequence))
		})
		if err != nil {
			return failed("insert program", err)
		}
	}
	return nil
}

// rows writes the rows of runs; items are their hashes, in order. A row that is
// known to stand there already is left alone.
func (t *transaction) rows(items []audit.Hash) error {
	for i := range t.batch.Runs {
		r := &t.batch.Runs[i]
		known := t.runs.get(r.ID)
		if known != nil && known.row == items[i] {
			continue
		}
		if err := t.upsertRun(r); err != nil {
			return failed("write row of run "+string(r.ID), err)
		}
		if known == nil {
			known = t.runs.put(r.ID)
		}
		known.row = items[i]
	}
	return nil
}

func (t *transaction) upsertRun(r *store.RunRow) error {
	err := t.exec(qUpsertRun, func(b *binder) {
		b.text(string(r.ID))
		b.text(r.Namespace)
		b.text(r.Workflow)
		b.blob(r.Program[:])
		b.text(r.State)
		b.text(r.Reason)
		b.text(r.BusinessDate)
		b.time(r.AcceptedAt)
		b.time(r.StartedAt)
		b.time(r.EndedAt)
		b.text(r.Actor)
		b.text(r.Trigger)
		b.bool(r.Held)
		b.int(int64(r.Attempts))
		b.time(r.Due)
		b.int(int64(t.batch.Sequence))
	})
	if err != nil || t.Changes() > 0 {
		return err
	}
	// The row says nothing new, or is not of the run.
	_, err = t.row(qRun, func(b *binder) { b.text(string(r.ID)) }, func(s *sqlite3.Stmt) error {
		has, err := runRow(s)
		if err != nil {
			return err
		}
		return r.Follows(&has)
	})
	return err
}

func (t *transaction) keys(salts [][audit.SaltSize]byte) error {
	now := t.batch.At.UnixMicro()
	for i := range t.batch.Keys {
		k := &t.batch.Keys[i]
		err := t.exec(qUpsertKey, func(b *binder) {
			b.text(k.Namespace)
			b.text(k.Key)
			b.text(string(k.Run))
			b.blob(k.BodyHash[:])
			b.time(k.Expires)
			b.blob(salts[i][:])
			b.int(int64(t.batch.Sequence))
			b.int(now)
		})
		if err != nil {
			return failed("insert key", err)
		}
		if t.Changes() == 0 {
			return t.taken(k)
		}
	}
	if len(t.batch.Keys) == 0 {
		return nil
	}
	err := t.exec(qPurgeKeys, func(b *binder) {
		b.int(now)
		b.int(int64(purgePerKey*len(t.batch.Keys) + purgeMore))
	})
	if err != nil {
		return failed("remove expired keys", err)
	}
	return nil
}

// taken says who has the key.
func (t *transaction) taken(k *store.Key) error {
	has, err := t.key(k.Namespace, k.Key)
	if err != nil {
		return err
	}
	return &store.KeyTakenError{Namespace: k.Namespace, Key: k.Key, Run: has.Run, BodyHash: has.BodyHash}
}

// key reads a key.
func (c *conn) key(namespace, key string) (store.Key, error) {
	k := store.Key{Namespace: namespace, Key: key}
	found, err := c.row(qKey, func(b *binder) {
		b.text(namespace)
		b.text(key)
	}, func(s *sqlite3.Stmt) error {
		k.Run, k.Expires = store.RunID(s.ColumnText(0)), timeOf(s, 2)
		return readHash(&k.BodyHash, s, 1)
	})
	if err != nil {
		return store.Key{}, failed("read key", err)
	}
	if !found {
		return store.Key{}, fmt.Errorf("%w: key %s/%s", store.ErrNotFound, namespace, key)
	}
	return k, nil
}

// readHash reads a column that holds a hash.
func readHash(dst *[32]byte, s *sqlite3.Stmt, column int) error {
	if n := copy(dst[:], s.ColumnRawBlob(column)); n != len(dst) || len(s.ColumnRawBlob(column)) != n {
		return fmt.Errorf("%w: a hash has %d bytes", store.ErrCorrupt, len(s.ColumnRawBlob(column)))
	}
	return nil
}

func (t *transaction) timers() error {
	for i := range t.batch.SetTimers {
		timer := &t.batch.SetTimers[i]
		err := t.exec(qSetTimer, func(b *binder) {
			b.text(string(timer.Run))
			b.int(int64(timer.ID))
			b.int(store.TimerTime(timer.At).UnixMicro())
			b.int(int64(t.batch.Sequence))
		})
		if err != nil {
			return failed("set timer", err)
		}
	}
	for _, id := range t.batch.ClearTimers {
		err := t.exec(qClearTimer, func(b *binder) {
			b.text(string(id.Run))
			b.int(int64(id.ID))
		})
		if err != nil {
			return failed("clear timer", err)
		}
	}
	return nil
}

// erase destroys keys and payloads. SQLite overwrites them with zeros
// (secure_delete).
func (t *transaction) erase() error {
	for _, id := range t.batch.Erase {
		aead, err := t.runKey(t.kek, id)
		if err != nil {
			return err
		}
		if aead == nil {
			return fmt.Errorf("%w: %s", store.ErrErased, id)
		}
		if err := t.exec(qEraseKey, func(b *binder) { b.int(int64(t.batch.Sequence)); b.text(string(id)) }); err != nil {
			return failed("erase key of run "+string(id), err)
		}
		if err := t.exec(qErasePayloads, func(b *binder) { b.text(string(id)) }); err != nil {
			return failed("erase payloads of run "+string(id), err)
		}
		t.runs.drop(id)
	}
	return nil
}
