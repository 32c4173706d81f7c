package sqlite

import (
	"bytes"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// DefaultReaders is how many connections read at most at the same time.
const DefaultReaders = 4

// Config says where a store is.
type Config struct {
	// Path of the database file. Beside it stand Path-wal, Path-shm and
	// Path-mark.
	Path string
	// Key is the key-encryption key. The database can be opened with the key
	// with which it was made only.
	Key [KeySize]byte
	// MustExist makes Open fail with store.ErrNotFound, wrapped, when there is
	// no database; otherwise it makes one.
	MustExist bool
	// AcceptLoss opens a database although it lacks batches that were
	// committed, or although its mark is damaged, and raises the incarnation
	// beyond all that the mark knows of. An operator's decision, never a
	// default.
	AcceptLoss bool
	// Readers is how many connections read at most; 0 means DefaultReaders.
	Readers int
	// VFS names a file system registered with the driver; empty means the
	// operating system's.
	VFS string
}

// Store is a store in a SQLite file.
type Store struct {
	path     string
	vfs      string
	kek      cipher.AEAD
	readOnly bool // see OpenBackup

	writing sync.Mutex // guards writer
	writer  *writer

	slots  chan struct{} // one for each reader in use
	done   chan struct{} // closed by Close
	close  sync.Once
	closed error

	reading sync.Mutex // guards idle
	idle    []*conn
}

var _ store.Store = (*Store)(nil)

// Open opens the database, or makes a fresh one, and checks that it can be
// trusted: its format, its key, and that it has everything that was ever
// committed. Errors: store.ErrFormat, store.ErrWrongKey, store.ErrCorrupt,
// store.ErrNotFound, wrapped. It takes no lease.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	cfg.Path = path
	// The mark is read first: another process may commit meanwhile, and the
	// mark must not be newer than what is read of the database.
	m, err := readMark(path)
	if err != nil && !cfg.AcceptLoss {
		return nil, err
	}
	if err := ensure(ctx, cfg, m); err != nil {
		return nil, err
	}
	kek := newAEAD(cfg.Key[:])
	c, err := openChecked(ctx, cfg, kek, m)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return newStore(cfg, kek, c), nil
}

func newStore(cfg Config, kek cipher.AEAD, c *conn) *Store {
	if cfg.Readers <= 0 {
		cfg.Readers = DefaultReaders
	}
	return &Store{
		path: cfg.Path, vfs: cfg.VFS, kek: kek, writer: &writer{conn: c, kek: kek, path: cfg.Path},
		slots: make(chan struct{}, cfg.Readers), done: make(chan struct{}),
	}
}

// ensure makes a fresh database if there is none, and looks at the file before
// SQLite does: to SQLite, an empty file is a fresh database.
func ensure(ctx context.Context, cfg Config, m mark) error {
	header := make([]byte, 16)
	file, err := os.Open(cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && m != mark{}:
		return fmt.Errorf("%w: database %s is missing, but %s says that it had %d batches; put it back, or remove both to begin anew",
			store.ErrCorrupt, cfg.Path, cfg.Path+MarkSuffix, m.sequence)
	case errors.Is(err, fs.ErrNotExist) && cfg.MustExist:
		return fmt.Errorf("open database: %w: %w", store.ErrNotFound, err)
	case errors.Is(err, fs.ErrNotExist):
		return create(ctx, cfg)
	case err != nil:
		return fmt.Errorf("open database: %w", err)
	}
	defer file.Close()
	n, err := io.ReadFull(file, header)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return fmt.Errorf("%w: database %s is empty; it never is when Regie made it: put a backup in its place", store.ErrCorrupt, cfg.Path)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("open database: %w", err)
	case !bytes.HasPrefix(header, []byte("SQLite format 3\x00")):
		return fmt.Errorf("%w: %s is not a database", store.ErrCorrupt, cfg.Path)
	}
	return nil
}

// openChecked opens the connection that will write, brings the schema up to
// date and checks the database.
func openChecked(ctx context.Context, cfg Config, kek cipher.AEAD, m mark) (*conn, error) {
	c, err := openConn(ctx, cfg.Path, cfg.VFS)
	if err != nil {
		return nil, failed("connect", err)
	}
	version, err := c.checkFile()
	if err == nil && version < schemaVersion {
		// The migrator has a connection of its own.
		if err := errors.Join(c.Close(), upgrade(ctx, cfg)); err != nil {
			return nil, err
		}
		if c, err = openConn(ctx, cfg.Path, cfg.VFS); err != nil {
			return nil, failed("connect", err)
		}
	}
	if err == nil {
		err = c.checkContent(cfg, kek, m)
	}
	if err == nil {
		err = c.prepareWriter()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// checkFile checks that the file is a database of Regie, with checksums, and
// returns the version of its schema.
func (c *conn) checkFile() (int64, error) {
	reserved, err := c.FileControl("", sqlite3.FCNTL_RESERVE_BYTES)
	if err != nil {
		return 0, failed("read header", err)
	}
	id, err := c.pragma("application_id")
	if err != nil {
		return 0, failed("read header", err)
	}
	if id != applicationID {
		return 0, fmt.Errorf("%w: its application ID is %#x, not Regie's", store.ErrCorrupt, id)
	}
	if reserved != checksumBytes {
		return 0, fmt.Errorf("%w: its header says that pages have no checksums", store.ErrCorrupt)
	}
	version, err := c.version()
	if err != nil {
		return 0, failed("read version", err)
	}
	if version > schemaVersion {
		return 0, fmt.Errorf("%w: schema %d, this Regie knows %d and older; use a newer Regie", store.ErrFormat, version, schemaVersion)
	}
	return version, nil
}

// checkContent checks format, key and mark.
func (c *conn) checkContent(cfg Config, kek cipher.AEAD, m mark) error {
	row, err := c.checkLease(kek)
	if err != nil {
		return err
	}
	err = c.checkMark(m, row)
	if err != nil && cfg.AcceptLoss && errors.Is(err, store.ErrCorrupt) {
		return c.acceptLoss(cfg.Path, m, row)
	}
	return err
}

// checkLease checks format and key.
func (c *conn) checkLease(kek cipher.AEAD) (leaseRow, error) {
	row, err := c.lease()
	if err != nil {
		return row, err
	}
	if row.format != store.Format {
		return row, fmt.Errorf("%w: %d, this Regie knows %d; use a newer Regie", store.ErrFormat, row.format, store.Format)
	}
	if text, err := open(kek, row.keyCheck, keyCheckTag); err != nil || string(text) != keyCheckText {
		return row, fmt.Errorf("%w: the database was made with another one", store.ErrWrongKey)
	}
	return row, nil
}

// checkMark checks that the database has the batch that the mark names.
func (c *conn) checkMark(m mark, row leaseRow) error {
	if m.sequence > row.last || m.incarnation > row.incarnation {
		return fmt.Errorf("%w: it ends at batch %d (incarnation %d), but batch %d (incarnation %d) was committed; "+
			"its WAL was cut or removed, or an older copy was put in its place: put the newest copy back, all files of it",
			store.ErrCorrupt, row.last, row.incarnation, m.sequence, m.incarnation)
	}
	if m.sequence == 0 {
		return nil
	}
	leaf, err := c.leafHash(m.sequence)
	if err != nil {
		return err
	}
	if leaf != m.leaf {
		return fmt.Errorf("%w: its batch %d is not the one that was committed; another database was put in its place", store.ErrCorrupt, m.sequence)
	}
	return nil
}

// acceptLoss lets the database be what it is: no number that the lost batches
// may have used is used again, and the mark follows.
func (c *conn) acceptLoss(path string, m mark, row leaseRow) error {
	err := c.exec(qRaise, func(b *binder) { b.int(int64(m.incarnation)) })
	if err != nil {
		return failed("accept loss", err)
	}
	now := mark{sequence: row.last, incarnation: max(row.incarnation, m.incarnation)}
	if row.last > 0 {
		if now.leaf, err = c.leafHash(row.last); err != nil {
			return err
		}
	}
	f, err := openMark(path)
	if err != nil {
		return err
	}
	return errors.Join(writeMark(f, now), f.Sync(), f.Close())
}

// prepareWriter makes the connection, now trusted, the one that writes.
func (c *conn) prepareWriter() error {
	err := errors.Join(
		c.Exec(fmt.Sprintf(`PRAGMA cache_size = -%d;`, writerCache)),
		c.WALAutoCheckpoint(checkpointPages),
	)
	if err != nil {
		return failed("prepare connection", err)
	}
	return nil
}

// pragma reads a setting of the file that is a number.
func (c *conn) pragma(name string) (int64, error) {
	s, _, err := c.Prepare("PRAGMA " + name)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var n int64
	if s.Step() {
		n = s.ColumnInt64(0)
	}
	return n, s.Err()
}

// leaseRow is the lease row with the sequence of the last batch.
type leaseRow struct {
	format      int64
	incarnation uint64
	last        uint64
	keyCheck    []byte
}

func (c *conn) lease() (leaseRow, error) {
	var row leaseRow
	found, err := c.row(qLease, nil, func(s *sqlite3.Stmt) error {
		row = leaseRow{s.ColumnInt64(0), uint64(s.ColumnInt64(1)), uint64(s.ColumnInt64(2)), s.ColumnBlob(3, nil)}
		return nil
	})
	if err != nil {
		return row, failed("read lease", err)
	}
	if !found {
		return row, fmt.Errorf("%w: it has no lease row", store.ErrCorrupt)
	}
	return row, nil
}

// leafHash reads the hash of the leaf of a batch that must be there.
func (c *conn) leafHash(sequence uint64) (audit.Hash, error) {
	tree, err := c.tree(sequence)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: batch %d is missing", store.ErrCorrupt, sequence)
	}
	if err != nil {
		return audit.Hash{}, err
	}
	return tree[0], nil
}

// tree reads the tree hashes that a batch stored, one at least.
func (c *conn) tree(sequence uint64) ([]audit.Hash, error) {
	var tree []audit.Hash
	found, err := c.row(qTree, func(b *binder) { b.int(int64(sequence)) }, func(s *sqlite3.Stmt) (err error) {
		tree, err = splitHashes(s.ColumnRawBlob(0))
		return err
	})
	switch {
	case err != nil:
		return nil, failed(fmt.Sprintf("read batch %d", sequence), err)
	case !found:
		return nil, fmt.Errorf("%w: no batch %d", store.ErrNotFound, sequence)
	case len(tree) == 0:
		return nil, fmt.Errorf("%w: batch %d has no leaf", store.ErrCorrupt, sequence)
	}
	return tree, nil
}

// splitHashes splits a column of hashes.
func splitHashes(column []byte) ([]audit.Hash, error) {
	if len(column)%len(audit.Hash{}) != 0 {
		return nil, fmt.Errorf("%w: a column of hashes has %d bytes", store.ErrCorrupt, len(column))
	}
	hashes := make([]audit.Hash, len(column)/len(audit.Hash{}))
	for i := range hashes {
		copy(hashes[i][:], column[i*len(hashes[i]):])
	}
	return hashes, nil
}

// Close gives the lease back, waits for readers and closes all connections. It
// is idempotent.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.done)
		for range cap(s.slots) { // every reader has come back
			s.slots <- struct{}{}
		}
		var errs []error
		for _, c := range s.idle {
			errs = append(errs, c.Close())
		}
		s.writing.Lock()
		defer s.writing.Unlock()
		errs = append(errs, s.writer.close())
		s.closed = errors.Join(errs...)
		if s.closed != nil {
			s.closed = fmt.Errorf("close database: %w", s.closed)
		}
	})
	return s.closed
}
