package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"

	"github.com/regie-dev/regie/internal/datadir"
)

// backupPages is how many pages are copied before a canceled context is
// noticed.
const backupPages = 1024

// Backup copies the database, as it is at one moment, to a file that must not
// exist; commits go on beside it. The copy is synced when Backup returns. It
// holds everything but the key-encryption key, without which it cannot be
// opened: with [OpenBackup] to look at it, with [Restore] to go on from it.
func (s *Store) Backup(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	defer file.Close()
	err = s.snapshot(ctx, "back up", func(c *conn) error {
		if _, err := c.lease(); err != nil { // the moment: reading pins it
			return err
		}
		if err := prepareCopy(path, s.vfs); err != nil {
			return err
		}
		return c.copyTo(ctx, dsn(path, s.vfs))
	})
	if err == nil {
		err = errors.Join(file.Sync(), datadir.SyncDir(os.Open, filepath.Dir(path)))
	}
	if err != nil {
		return errors.Join(err, removeAll(path))
	}
	return nil
}

// prepareCopy makes a database of a page or two that says that its pages have
// checksums. In an empty file SQLite's checksums begin with the first page, which
// a large copy writes late: pages that it had to write before, because its memory
// was full, would have none.
func prepareCopy(path, vfs string) (err error) {
	c, err := sqlite3.Open(dsn(path, vfs) + "&mode=rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.FileControl("", sqlite3.FCNTL_RESERVE_BYTES, checksumBytes); err != nil {
		return err
	}
	// Durable once the copy is.
	return c.Exec(fmt.Sprintf(`PRAGMA synchronous = OFF; PRAGMA page_size = %d; CREATE TABLE replaced (x)`, pageSize))
}

func (c *conn) copyTo(ctx context.Context, uri string) (err error) {
	b, err := c.BackupInit("main", uri)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if done, err := b.Step(backupPages); done || err != nil {
			return err
		}
	}
}

// ErrReadOnly is what writing to a store that was opened with [OpenBackup] fails
// with.
var ErrReadOnly = errors.New("store is open for reading only")

// OpenBackup opens a file that [Store.Backup] made, for reading and verifying
// it. Nothing is written to it or made beside it, and it may lie on a medium
// that cannot be written to. Of cfg, MustExist and AcceptLoss are passed over.
// Errors: as those of [Open]; a database in use, or one that a crash left, is
// not a backup and refused.
func OpenBackup(ctx context.Context, cfg Config) (*Store, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	cfg.Path, cfg.MustExist, cfg.AcceptLoss = path, true, false
	if err := checkBackup(ctx, cfg); err != nil {
		return nil, err
	}
	kek := newAEAD(cfg.Key[:])
	c, err := openBackup(ctx, path, cfg.VFS)
	if err != nil {
		return nil, failed("open backup "+path, err)
	}
	version, err := c.checkFile()
	if err == nil && version < schemaVersion {
		err = fmt.Errorf("its schema %d is older than %d; restore it, which brings the copy up to date", version, schemaVersion)
	}
	if err == nil {
		_, err = c.checkLease(kek)
	}
	if err != nil {
		return nil, fmt.Errorf("open backup %s: %w", path, errors.Join(err, c.Close()))
	}
	s := newStore(cfg, kek, c)
	s.readOnly = true
	return s, nil
}

// checkBackup looks at the files before SQLite does.
func checkBackup(ctx context.Context, cfg Config) error {
	if err := ensure(ctx, cfg, mark{}); err != nil {
		return err
	}
	info, err := os.Stat(cfg.Path + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0:
		return nil
	case err != nil:
		return fmt.Errorf("open backup: %w", err)
	}
	return fmt.Errorf("open backup: %s is a database in use, or one that a crash left: its newest data is in %s-wal; "+
		"let Regie make a backup of it, or open it once", cfg.Path, cfg.Path)
}

// openBackup opens a connection to a file that nobody changes.
func openBackup(ctx context.Context, path, vfs string) (*conn, error) {
	return openURI(ctx, dsn(path, vfs)+"&mode=ro&immutable=1")
}
