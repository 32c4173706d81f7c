package sqlite

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// reader takes a connection that reads, waits for one if all are in use, and
// opens one if none is idle. The caller gives it back with release.
func (s *Store) reader(ctx context.Context) (*conn, error) {
	select {
	case <-s.done:
		return nil, store.ErrClosed
	default:
	}
	select {
	case <-s.done:
		return nil, store.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case s.slots <- struct{}{}:
	}
	c, err := s.idleReader(ctx)
	if err != nil {
		<-s.slots
		return nil, failed("open reader", err)
	}
	c.SetInterrupt(ctx)
	return c, nil
}

func (s *Store) idleReader(ctx context.Context) (*conn, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if n := len(s.idle); n > 0 {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return c, nil
	}
	open := openConn
	if s.readOnly {
		open = openBackup
	}
	c, err := open(ctx, s.path, s.vfs)
	if err != nil {
		return nil, err
	}
	if err := c.Exec(fmt.Sprintf(`PRAGMA cache_size = -%d; PRAGMA query_only = ON;`, readerCache)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (s *Store) release(c *conn) {
	c.SetInterrupt(context.Background())
	if err := c.rollback(); err != nil {
		// Of no use anymore; the next reader opens a fresh one.
		_ = c.Close()
	} else {
		s.reading.Lock()
		s.idle = append(s.idle, c)
		s.reading.Unlock()
	}
	<-s.slots
}

// read runs do on a reader.
func (s *Store) read(ctx context.Context, what string, do func(c *conn) error) error {
	c, err := s.reader(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer s.release(c)
	if err := do(c); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // SQLite says "interrupted"
		}
		return failed(what, err)
	}
	return nil
}

// snapshot runs do on a reader, all of it on the same state.
func (s *Store) snapshot(ctx context.Context, what string, do func(c *conn) error) error {
	return s.read(ctx, what, func(c *conn) error {
		if err := c.exec(qRead, nil); err != nil {
			return err
		}
		return do(c)
	})
}

// LiveRuns lists the runs that have not ended.
func (s *Store) LiveRuns(ctx context.Context) ([]store.RunRow, error) {
	return s.runs(ctx, qLiveRuns, nil)
}

// Run reads one row.
func (s *Store) Run(ctx context.Context, id store.RunID) (store.RunRow, error) {
	rows, err := s.runs(ctx, qRun, func(b *binder) { b.text(string(id)) })
	if err != nil {
		return store.RunRow{}, err
	}
	if len(rows) > 0 {
		return rows[0], nil
	}
	var gone removed
	if err := s.read(ctx, "read run "+string(id), func(c *conn) (err error) {
		gone, err = c.removed(id)
		return err
	}); err != nil {
		return store.RunRow{}, err
	}
	if gone.pruned > 0 {
		return store.RunRow{}, fmt.Errorf("run %s: %w", id, store.ErrPruned)
	}
	return store.RunRow{}, fmt.Errorf("%w: run %s", store.ErrNotFound, id)
}

// Runs lists the runs that match.
func (s *Store) Runs(ctx context.Context, q store.RunQuery) ([]store.RunRow, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	var rows []store.RunRow
	err := s.read(ctx, "read runs", func(c *conn) (err error) {
		rows, err = list(c, runList(&q), runRow)
		return err
	})
	return rows, err
}

func (s *Store) runs(ctx context.Context, q query, bind func(*binder)) ([]store.RunRow, error) {
	var rows []store.RunRow
	err := s.read(ctx, "read runs", func(c *conn) error {
		return c.rows(q, bind, func(stmt *sqlite3.Stmt) error {
			row, err := runRow(stmt)
			rows = append(rows, row)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// runRow reads the columns of a run.
func runRow(s *sqlite3.Stmt) (store.RunRow, error) {
	row := store.RunRow{
		ID: store.RunID(s.ColumnText(0)), Namespace: s.ColumnText(1), Workflow: s.ColumnText(2),
		State: s.ColumnText(4), Reason: s.ColumnText(5), BusinessDate: s.ColumnText(6),
		AcceptedAt: timeOf(s, 7), StartedAt: timeOf(s, 8), EndedAt: timeOf(s, 9),
		Actor: s.ColumnText(10), Trigger: s.ColumnText(11), Held: s.ColumnInt64(12) != 0, Attempts: uint32(s.ColumnInt64(13)),
		Due: timeOf(s, 14), Batch: uint64(s.ColumnInt64(15)), Events: uint64(s.ColumnInt64(16)), Erased: uint64(s.ColumnInt64(17)),
	}
	return row, readHash(&row.Program, s, 3)
}

// Events reads the records of a run.
func (s *Store) Events(ctx context.Context, id store.RunID, first uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		next, more := max(first, 1), true
		for begun := false; more; begun = true {
			var records []store.Record
			err := s.snapshot(ctx, "read events of run "+string(id), func(c *conn) (err error) {
				records, more, err = c.events(s.kek, id, next, begun)
				return err
			})
			if err != nil {
				yield(store.Record{}, err)
				return
			}
			for i := range records {
				if !yield(records[i], nil) {
					return
				}
				next = records[i].First + records[i].Count
			}
		}
	}
}

// errPage ends the reading of a page.
var errPage = errors.New("the page is full")

// events reads a page of records: those that begin at first or, if the reading
// has begun before, the ones that follow the last page, which ended before first.
func (c *conn) events(kek cipher.AEAD, id store.RunID, first uint64, begun bool) (records []store.Record, more bool, err error) {
	aead, err := c.runKey(kek, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	leaves := leafReader{conn: c}
	if aead == nil {
		gone, err := c.removed(id)
		if err == nil && gone.pruned > 0 && begun {
			err = fmt.Errorf("run %s: %w", id, store.ErrPruned)
		}
		if err != nil || gone.pruned > 0 {
			return nil, false, err
		}
		if err := c.erasure(id, &leaves); err != nil {
			return nil, false, err
		}
	}
	known := begun || first == 1 // where a record begins
	next, size := first, 0
	err = c.rows(qEvents, func(b *binder) {
		b.text(string(id))
		b.int(int64(min(first, math.MaxInt64)))
	}, func(s *sqlite3.Stmt) error {
		e := eventRow(s, 0)
		e.record.Run = id
		if (known || len(records) > 0) && e.record.First != next {
			return fmt.Errorf("%w: run %s: a record begins at event %d, want %d", store.ErrCorrupt, id, e.record.First, next)
		}
		next = e.record.First + e.record.Count
		if err := e.check(aead, &leaves); err != nil {
			return err
		}
		records = append(records, e.record)
		if size += len(e.record.Control) + len(e.record.Payload); size >= store.EventsPage {
			return errPage
		}
		return nil
	})
	if more = errors.Is(err, errPage); more {
		err = nil
	}
	if err == nil && first == 1 && len(records) == 0 {
		err = fmt.Errorf("%w: run %s has a key, but no records", store.ErrCorrupt, id)
	}
	return records, more, err
}

// erasure checks that a batch erased the run.
func (c *conn) erasure(id store.RunID, leaves *leafReader) error {
	return c.rows(qErased, func(b *binder) { b.text(string(id)) }, func(s *sqlite3.Stmt) error {
		leaf, err := leaves.leaf(uint64(s.ColumnInt64(0)))
		if err == nil && !slices.Contains(leaf.ItemHashes, id.EraseHash()) {
			err = fmt.Errorf("%w: run %s has lost its key, but batch %d did not erase it", store.ErrCorrupt, id, leaf.Sequence)
		}
		return err
	})
}

// Program reads a stored program.
func (s *Store) Program(ctx context.Context, hash [32]byte) ([]byte, error) {
	var data []byte
	found := false
	err := s.read(ctx, "read program", func(c *conn) (err error) {
		found, err = c.row(qProgram, func(b *binder) { b.blob(hash[:]) }, func(stmt *sqlite3.Stmt) error {
			data = stmt.ColumnBlob(0, []byte{})
			return nil
		})
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("%w: program %x", store.ErrNotFound, hash)
	case sha256.Sum256(data) != hash:
		return nil, fmt.Errorf("%w: program %x", store.ErrCorrupt, hash)
	}
	return data, nil
}

// Key looks an idempotency key up.
func (s *Store) Key(ctx context.Context, namespace, key string) (k store.Key, err error) {
	err = s.read(ctx, "read key", func(c *conn) (err error) {
		k, err = c.key(namespace, key)
		return err
	})
	return k, err
}

// Timers lists the timers that are due.
func (s *Store) Timers(ctx context.Context, until time.Time, limit int) ([]store.Timer, error) {
	var timers []store.Timer
	err := s.read(ctx, "read timers", func(c *conn) error {
		return c.rows(qTimers, func(b *binder) {
			b.int(until.UnixMicro())
			b.int(int64(store.LimitOf(limit)))
		}, func(stmt *sqlite3.Stmt) error {
			timers = append(timers, store.Timer{
				TimerID: store.TimerID{Run: store.RunID(stmt.ColumnText(0)), ID: uint64(stmt.ColumnInt64(1))},
				At:      timeOf(stmt, 2),
			})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return timers, nil
}

// event is a row of the events table.
type event struct {
	record     store.Record
	position   uint32
	commitment audit.Hash
	sealed     []byte               // nil once erased
	salt       [audit.SaltSize]byte // of the payload, once it was checked
	err        error
}

// eventRow reads the columns of an event from the given one on; its payload is
// still sealed.
func eventRow(s *sqlite3.Stmt, column int) event {
	e := event{
		record: store.Record{
			First: uint64(s.ColumnInt64(column)), Count: uint64(s.ColumnInt64(column + 1)),
			Batch: uint64(s.ColumnInt64(column + 2)), Control: s.ColumnBlob(column+5, nil),
		},
		position: uint32(s.ColumnInt64(column + 3)),
		sealed:   s.ColumnBlob(column+6, nil),
	}
	e.err = readHash((*[32]byte)(&e.commitment), s, column+4)
	return e
}

// check decrypts the payload into the record and checks the record against its
// commitment. The key of an erased run is nil: what is left of its record is
// checked against its batch.
func (e *event) check(aead cipher.AEAD, leaves *leafReader) error {
	fault := func(err error) error {
		return fmt.Errorf("%w: run %s, event %d: %w", store.ErrCorrupt, e.record.Run, e.record.First, err)
	}
	if e.err != nil {
		return fault(e.err)
	}
	head := audit.AppendRecord(nil, string(e.record.Run), e.record.First, e.record.Count, e.record.Control)
	if aead != nil {
		payload, salt, err := openPayload(aead, head, e.sealed, e.commitment)
		if err != nil {
			return fault(err)
		}
		e.record.Payload, e.salt = payload, salt
		return nil
	}
	if e.sealed != nil {
		return fault(errors.New("the run was erased, but the record has a payload"))
	}
	leaf, err := leaves.leaf(e.record.Batch)
	if err != nil {
		return fault(err)
	}
	if int(e.position) >= len(leaf.RecordHashes) || leaf.RecordHashes[e.position] != audit.RecordHash(head, e.commitment) {
		return fault(fmt.Errorf("record is not what batch %d wrote", e.record.Batch))
	}
	return nil
}
