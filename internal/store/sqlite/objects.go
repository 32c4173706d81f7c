package sqlite

import (
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

func (t *transaction) objects(salts [][audit.SaltSize]byte) error {
	for i := range t.batch.Objects {
		o := &t.batch.Objects[i]
		q := qUpdateObject
		if o.Revision == 1 {
			q = qInsertObject
		}
		err := t.exec(q, func(b *binder) {
			if o.Deleted {
				b.null()
			} else {
				b.long(o.Data)
			}
			b.blob(salts[i][:])
			b.int(int64(t.batch.Sequence))
			b.text(o.Kind)
			b.text(o.Namespace)
			b.text(o.Name)
			b.int(int64(o.Revision))
		})
		if errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY) || err == nil && t.Changes() == 0 {
			return t.superseded(o)
		}
		if err != nil {
			return failed("write "+o.Kind+" "+o.Namespace+"/"+o.Name, err)
		}
	}
	return nil
}

// superseded says which revision the object has.
func (t *transaction) superseded(o *store.Object) error {
	has, err := t.object(o.ObjectID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return &store.RevisionError{ID: o.ObjectID, Have: has.Revision, Want: o.Revision, Deleted: has.Deleted}
}

func (t *transaction) entries(salts [][audit.SaltSize]byte) error {
	for i := range t.batch.Entries {
		e := &t.batch.Entries[i]
		err := t.exec(qInsertEntry, func(b *binder) {
			b.int(int64(t.batch.Sequence))
			b.int(int64(i))
			for _, text := range []string{e.Actor, e.Via, e.Action, e.Namespace, e.Object, e.Outcome, e.Reason, e.Request} {
				b.text(text)
			}
			b.long(e.Detail)
			b.blob(salts[i][:])
		})
		if err != nil {
			return failed("insert entry", err)
		}
	}
	return nil
}

// forget takes the text of entries out. SQLite overwrites it with zeros
// (secure_delete).
func (t *transaction) forget() error {
	for _, id := range t.batch.Forget {
		err := t.exec(qForget, func(b *binder) {
			b.int(int64(t.batch.Sequence))
			b.int(int64(id.Batch))
			b.int(int64(id.Position))
		})
		if err != nil {
			return failed("forget entry "+id.String(), err)
		}
		if t.Changes() > 0 {
			continue
		}
		if _, err := t.entry(id); err != nil { // forgotten before, or not there
			return err
		}
	}
	return nil
}

// storedObject is a row of the objects table.
type storedObject struct {
	store.Object

	salt [audit.SaltSize]byte
}

// object reads an object, deleted or not.
func (c *conn) object(id store.ObjectID) (o storedObject, err error) {
	found, err := c.row(qObject, func(b *binder) {
		b.text(id.Kind)
		b.text(id.Namespace)
		b.text(id.Name)
	}, func(s *sqlite3.Stmt) (err error) {
		o, err = objectRow(s)
		return err
	})
	if err != nil {
		return storedObject{}, failed("read object", err)
	}
	if !found {
		return storedObject{}, noObject(id)
	}
	return o, nil
}

func noObject(id store.ObjectID) error {
	return fmt.Errorf("%w: %s %s/%s", store.ErrNotFound, id.Kind, id.Namespace, id.Name)
}

// objectRow reads the columns of an object.
func objectRow(s *sqlite3.Stmt) (storedObject, error) {
	o := storedObject{Object: store.Object{
		ObjectID: store.ObjectID{Kind: s.ColumnText(0), Namespace: s.ColumnText(1), Name: s.ColumnText(2)},
		Revision: uint64(s.ColumnInt64(3)), Data: bytesOf(s, 4), Deleted: s.ColumnType(4) == sqlite3.NULL,
		Batch: uint64(s.ColumnInt64(6)), At: timeOf(s, 7),
	}}
	return o, readSalt(&o.salt, s, 5)
}

// storedEntry is a row of the entries table.
type storedEntry struct {
	store.Entry

	salt [audit.SaltSize]byte // zero once forgotten
}

// entry reads an entry.
func (c *conn) entry(id store.EntryID) (e storedEntry, err error) {
	found, err := c.row(qEntry, func(b *binder) {
		b.int(int64(min(id.Batch, 1<<63-1)))
		b.int(int64(id.Position))
	}, func(s *sqlite3.Stmt) (err error) {
		e, err = entryRow(s)
		return err
	})
	if err != nil {
		return storedEntry{}, failed("read entry", err)
	}
	if !found {
		return storedEntry{}, fmt.Errorf("%w: entry %s", store.ErrNotFound, id)
	}
	return e, nil
}

// entryRow reads the columns of an entry.
func entryRow(s *sqlite3.Stmt) (storedEntry, error) {
	e := storedEntry{Entry: store.Entry{
		ID: store.EntryID{Batch: uint64(s.ColumnInt64(0)), Position: uint32(s.ColumnInt64(1))}, At: timeOf(s, 13),
		Actor: s.ColumnText(2), Via: s.ColumnText(3), Action: s.ColumnText(4), Namespace: s.ColumnText(5), Object: s.ColumnText(6),
		Outcome: s.ColumnText(7), Reason: s.ColumnText(8), Request: s.ColumnText(9), Detail: bytesOf(s, 10),
		Forgotten: uint64(s.ColumnInt64(12)),
	}}
	if e.Forgotten != 0 {
		return e, nil
	}
	return e, readSalt(&e.salt, s, 11)
}

// bytesOf reads a column of text as bytes; none are nil.
func bytesOf(s *sqlite3.Stmt, column int) []byte {
	raw := s.ColumnRawText(column)
	if len(raw) == 0 {
		return nil
	}
	return append([]byte(nil), raw...)
}

func readSalt(dst *[audit.SaltSize]byte, s *sqlite3.Stmt, column int) error {
	if raw := s.ColumnRawBlob(column); copy(dst[:], raw) != len(dst) || len(raw) != len(dst) {
		return fmt.Errorf("%w: a salt has %d bytes", store.ErrCorrupt, len(raw))
	}
	return nil
}
