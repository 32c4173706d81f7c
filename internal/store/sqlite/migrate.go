package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of the last migration.
const schemaVersion = 1

// applicationID marks the file as Regie's ("Regi").
const applicationID = 0x52656769

// newSuffix names a database that is being made; it gets its name when it is
// whole and synced, so a crash leaves no half database behind.
const newSuffix = ".new"

// create makes a fresh database: whatever happens, path is there whole, or not
// at all.
func create(ctx context.Context, cfg Config) (err error) {
	temp := cfg.Path + newSuffix
	if err := removeAll(temp); err != nil { // what a crash left
		return err
	}
	file, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	defer file.Close()
	// Not synced while it is made: one sync at the end is enough.
	setup := func(c *sqlite3.Conn) error {
		if _, err := c.FileControl("", sqlite3.FCNTL_RESERVE_BYTES, checksumBytes); err != nil {
			return err
		}
		return c.Exec(fmt.Sprintf(`PRAGMA synchronous = OFF; PRAGMA page_size = %d; PRAGMA journal_mode = WAL; PRAGMA application_id = %d;`,
			pageSize, applicationID))
	}
	err = migrate(ctx, temp, cfg.VFS, setup, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `INSERT INTO lease (id, format, incarnation, holder, settled, key_check) VALUES (1, ?, 0, '', 0, ?)`,
			store.Format, seal(newAEAD(cfg.Key[:]), []byte(keyCheckText), keyCheckTag))
		return err
	})
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := errors.Join(file.Sync(), os.Rename(temp, cfg.Path), datadir.SyncDir(os.Open, filepath.Dir(cfg.Path))); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// removeAll removes the files of a database that was never finished.
func removeAll(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove unfinished database: %w", err)
		}
	}
	return nil
}

// upgrade brings a database of an older schema to this one.
func upgrade(ctx context.Context, cfg Config) error {
	setup := func(c *sqlite3.Conn) error {
		return c.Exec(`PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;`)
	}
	if err := migrate(ctx, cfg.Path, cfg.VFS, setup, func(*sql.DB) error { return nil }); err != nil {
		return failed("upgrade database", err)
	}
	return nil
}

// migrate applies the migrations that are missing, each in a transaction, and
// then runs last.
func migrate(ctx context.Context, path, vfs string, setup func(*sqlite3.Conn) error, last func(*sql.DB) error) (err error) {
	db, err := driver.Open(dsn(path, vfs)+"&mode=rw", setup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // setup belongs to one connection
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	return last(db)
}

// version reads the number of the last migration that was applied.
func (c *conn) version() (int64, error) {
	s, _, err := c.Prepare(`SELECT max(version_id) FROM migrations WHERE is_applied`)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var version int64
	if s.Step() {
		version = s.ColumnInt64(0)
	}
	return version, s.Err()
}
