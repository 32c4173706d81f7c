package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// backupPages is how many pages are copied before a canceled context is
// noticed.
const backupPages = 1024

// Backup copies the database, as it is at one moment, to a file that must not
// exist; commits go on beside it. The copy is synced when Backup returns. It
// holds everything but the key-encryption key, without which it cannot be
// opened.
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
		return c.copyTo(ctx, dsn(path, s.vfs))
	})
	if err == nil {
		err = errors.Join(file.Sync(), syncDir(filepath.Dir(path)))
	}
	if err != nil {
		return errors.Join(err, removeAll(path))
	}
	return nil
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
