package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/store"
)

// restoreStep is by how much a restore raises the incarnation at least.
const restoreStep = 1 << 10

// Restored says which state an installation was put back to.
type Restored struct {
	// At is when, to the microsecond.
	At time.Time
	// Batch is the last batch of the backup. What the original wrote after it is
	// not there, and the batches that follow are others.
	Batch uint64
	// Incarnation is what the restore raised it to.
	Incarnation uint64
}

// Restore makes a database at cfg.Path, where none may be, from a backup, which
// stays as it is. The copy is verified in full first. Its incarnation rises
// beyond all that the original may have given since the backup: to the time in
// milliseconds since 1970, or by 1,024 if that is more. So no two restores of a
// backup share one either, as long as the clock is right and nobody starts a
// thousand times a second. The mark at cfg.Path, if a lost database left one, is
// taken into account and replaced. Of cfg, MustExist and AcceptLoss are passed
// over.
//
// Errors: fs.ErrExist, wrapped, and those of [OpenBackup] and of Verify; then
// nothing is left at cfg.Path, and Restore can be tried again, also after a
// crash.
func Restore(ctx context.Context, from string, cfg Config, now time.Time) (Restored, error) {
	r, err := restore(ctx, from, cfg, now)
	if err != nil {
		return Restored{}, fmt.Errorf("restore %s: %w", from, err)
	}
	return r, nil
}

func restore(ctx context.Context, from string, cfg Config, now time.Time) (r Restored, err error) {
	if cfg.Path, err = filepath.Abs(cfg.Path); err != nil {
		return Restored{}, err
	}
	cfg.MustExist, cfg.AcceptLoss = true, false
	source := cfg
	if source.Path, err = filepath.Abs(from); err != nil {
		return Restored{}, err
	}
	if err := errors.Join(vacant(cfg.Path), checkBackup(ctx, source)); err != nil {
		return Restored{}, err
	}
	lost, err := readMark(cfg.Path)
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return Restored{}, err
	}
	temp := cfg
	temp.Path += newSuffix
	if err := errors.Join(removeAll(temp.Path), copyFile(ctx, source.Path, temp.Path)); err != nil {
		return Restored{}, errors.Join(err, removeAll(temp.Path))
	}
	r, m, err := renew(ctx, temp, lost, now)
	if err == nil {
		err = finish(temp.Path, cfg.Path, m)
	}
	if err != nil {
		return Restored{}, errors.Join(err, removeAll(temp.Path))
	}
	return r, nil
}

// vacant checks that there is no database, and no WAL that would be taken for
// that of a new one.
func vacant(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-journal"} {
		if info, err := os.Lstat(name); err == nil && (name == path || info.Size() > 0) {
			return fmt.Errorf("%w: %s; move it away first", fs.ErrExist, name)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file to one that must not exist.
func copyFile(ctx context.Context, from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(dst, src, backupPages*pageSize); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// renew checks the copy of a backup, brings it up to date and makes it an
// installation of its own. It returns the mark that the database gets.
func renew(ctx context.Context, cfg Config, lost mark, now time.Time) (r Restored, m mark, err error) {
	kek := newAEAD(cfg.Key[:])
	c, err := openChecked(ctx, cfg, kek, mark{})
	if err != nil {
		return Restored{}, mark{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	old := c.SetInterrupt(ctx)
	if err := c.verify(kek); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // SQLite says "interrupted"
		}
		return Restored{}, mark{}, failed("verify", err)
	}
	c.SetInterrupt(old)
	r, m, err = c.raise(lost, now)
	if err != nil {
		return Restored{}, mark{}, err
	}
	return r, m, c.trust() // closing it empties the WAL
}

// raise makes the database one that was restored.
func (c *conn) raise(lost mark, now time.Time) (Restored, mark, error) {
	row, err := c.lease()
	if err != nil {
		return Restored{}, mark{}, err
	}
	have := max(row.incarnation, lost.incarnation)
	r := Restored{At: store.Time(now), Batch: row.last, Incarnation: max(have+restoreStep, uint64(max(now.UnixMilli(), 0)))}
	err = c.exec(qRestore, func(b *binder) {
		b.int(int64(r.Incarnation))
		b.int(r.At.UnixMicro())
		b.int(int64(r.Batch))
	})
	if err != nil {
		return Restored{}, mark{}, failed("raise the incarnation", err)
	}
	m := mark{sequence: row.last, incarnation: r.Incarnation}
	if row.last > 0 {
		m.leaf, err = c.leafHash(row.last)
	}
	return r, m, err
}

// finish gives the database its name. The mark comes first: a crash in between
// leaves a database that is missing, and a restore that can be tried again.
func finish(temp, path string, m mark) error {
	file, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	f, err := openMark(path)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(int64(markSize)), writeMark(f, m), f.Sync(), f.Close()); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} { // all of them empty or of no meaning
		for _, name := range []string{temp + suffix, path + suffix} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return errors.Join(os.Rename(temp, path), datadir.SyncDir(os.Open, filepath.Dir(path)))
}

// Restored says which backup the installation goes on from. ErrNotFound if it
// was never restored.
func (s *Store) Restored(ctx context.Context) (r Restored, err error) {
	err = s.read(ctx, "read when it was restored", func(c *conn) error {
		found, err := c.row(qRestored, nil, func(stmt *sqlite3.Stmt) error {
			r = Restored{At: timeOf(stmt, 0), Batch: uint64(stmt.ColumnInt64(1)), Incarnation: uint64(stmt.ColumnInt64(2))}
			return nil
		})
		if err == nil && !found {
			err = fmt.Errorf("%w: the installation was never restored", store.ErrNotFound)
		}
		return err
	})
	return r, err
}
