package sqlite

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// writer is the connection that writes, with what it remembers between commits.
type writer struct {
	*conn

	kek  cipher.AEAD
	path string

	// incarnation is that of the lease that this process took, 0 before.
	incarnation uint64
	edge        audit.Edge
	runs        runCache
	mark        *os.File

	// uncertain: a commit failed in a way that leaves open whether a crash
	// would bring it back. settle ends that.
	uncertain bool
	// truncate: the WAL still holds pages of what was erased or forgotten.
	truncate bool

	sealed, head, plain, column []byte // memory to use again
}

// maxScratch is how much memory a writer keeps to use again, in bytes, for each
// purpose.
const maxScratch = 1 << 20

// Acquire takes the lease.
func (s *Store) Acquire(ctx context.Context, holder string) (store.Lease, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(ctx); err != nil {
		return store.Lease{}, err
	}
	if s.readOnly {
		return store.Lease{}, fmt.Errorf("acquire lease: %w", ErrReadOnly)
	}
	lease, err := s.writer.acquire(holder)
	if err != nil {
		return store.Lease{}, fmt.Errorf("acquire lease: %w", err)
	}
	return lease, nil
}

func (w *writer) acquire(holder string) (store.Lease, error) {
	if err := w.settle(); err != nil {
		return store.Lease{}, err
	}
	if w.mark == nil {
		f, err := openMark(w.path)
		if err != nil {
			return store.Lease{}, err
		}
		w.mark = f
	}
	if err := w.exec(qAcquire, func(b *binder) { b.text(holder) }); err != nil {
		return store.Lease{}, w.commitFailed(err)
	}
	row, err := w.lease()
	if err != nil {
		return store.Lease{}, err
	}
	if err := w.loadEdge(row.last); err != nil {
		return store.Lease{}, err
	}
	w.runs.clear()
	w.incarnation = row.incarnation
	now := mark{sequence: row.last, incarnation: row.incarnation}
	if row.last > 0 {
		if now.leaf, err = w.leafHash(row.last); err != nil {
			return store.Lease{}, err
		}
	}
	if err := writeMark(w.mark, now); err != nil {
		return store.Lease{}, fmt.Errorf("write mark: %w", err)
	}
	if err := w.trust(); err != nil {
		return store.Lease{}, failed("prepare connection", err)
	}
	return store.Lease{Incarnation: row.incarnation, LastSequence: row.last}, nil
}

// loadEdge reads the right edge of the log's tree.
func (w *writer) loadEdge(size uint64) error {
	hashes, err := w.hashes(audit.EdgeIndexes(int64(size)))
	if err != nil {
		return err
	}
	w.edge, err = audit.NewEdge(int64(size), hashes)
	return err
}

// LastSequence reads the sequence of the last batch on disk.
func (s *Store) LastSequence(ctx context.Context) (uint64, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	w := s.writer
	if err := w.settle(); err != nil {
		return 0, fmt.Errorf("read last sequence: %w", err)
	}
	row, err := w.lease()
	switch {
	case err != nil:
		return 0, err
	case w.incarnation != 0 && row.incarnation != w.incarnation:
		return 0, fmt.Errorf("%w: incarnation %d has taken it from %d", store.ErrLeaseLost, row.incarnation, w.incarnation)
	}
	if w.incarnation != 0 && int64(row.last) != w.edge.Size() {
		if err := w.loadEdge(row.last); err != nil {
			return 0, err
		}
	}
	return row.last, nil
}

// settle ends the uncertainty about a commit that failed while it was synced:
// its frames may stand behind the end of the WAL, where a crash would find
// them. A commit of nothing but a count overwrites the first of them, synced;
// the checksums of the others build on it.
func (w *writer) settle() error {
	if err := w.rollback(); err != nil { // in case that failed before
		return failed("settle a failed commit", err)
	}
	if !w.uncertain {
		return nil
	}
	if err := w.exec(qSettle, nil); err != nil {
		return errors.Join(failed("settle a failed commit", err), w.rollback())
	}
	w.uncertain = false
	return nil
}

// commitFailed maps the error of a COMMIT and rolls back. A full disk or a busy
// database fails before the frame that makes a transaction count is whole:
// nothing was written. After any other error, such as that of a sync, nobody
// knows.
func (w *writer) commitFailed(err error) error {
	var code sqlite3.ErrorCode
	definite := []sqlite3.ErrorCode{sqlite3.FULL, sqlite3.BUSY, sqlite3.NOMEM, sqlite3.INTERRUPT, sqlite3.READONLY}
	if errors.As(err, &code) && slices.Contains(definite, code) {
		return errors.Join(err, w.rollback())
	}
	w.uncertain = true
	return fmt.Errorf("%w: %w", store.ErrUnknown, err)
}

// usable reports whether the store can be used: not closed, the caller still
// there. Holding s.writing keeps it so.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.done:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}

// close gives the lease back, unless the disk has just failed, and closes the
// connection.
func (w *writer) close() error {
	var errs []error
	if w.incarnation != 0 && !w.uncertain {
		errs = append(errs, w.exec(qRelease, func(b *binder) { b.int(int64(w.incarnation)) }))
	}
	if w.mark != nil {
		errs = append(errs, w.mark.Close())
	}
	return errors.Join(append(errs, w.Close())...)
}
