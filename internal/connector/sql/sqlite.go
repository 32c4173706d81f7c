package sql

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/connector"
)

// sqlite is the database of a connection of type sqlite.
type sqlite struct {
	path     string
	readOnly bool
	create   bool
	wait     time.Duration
}

var _ database = (*sqlite)(nil)

func newSQLite(c *connector.Connection, folders []string) (*sqlite, error) {
	in, err := c.Connect(SQLiteType())
	if err != nil {
		return nil, err
	}
	path, err := allowedPath(in.Text("path"), folders)
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: path: %v", c.Name, err)
	}
	return &sqlite{path: path, readOnly: in.Bool("read_only"), create: in.Bool("create"), wait: in.Duration("busy_timeout")}, nil
}

// allowedPath returns the real path of a file that lies in or below one of the
// folders, symbolic links resolved. The file itself may be missing.
func allowedPath(path string, folders []string) (string, error) {
	if len(folders) == 0 {
		return "", errors.New("no folder is allowed for SQLite files here")
	}
	if path == "" || strings.IndexByte(path, 0) >= 0 {
		return "", errors.New("want the path of a file")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(folders[0], path)
	}
	path = filepath.Clean(path)
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		if info, linkErr := os.Lstat(path); linkErr == nil && info.Mode()&os.ModeSymlink != 0 {
			return "", errors.New("it is a symbolic link to nothing")
		}
		real, err = filepath.EvalSymlinks(filepath.Dir(path))
		real = filepath.Join(real, filepath.Base(path))
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", errors.New("its folder does not exist")
	}
	if err != nil {
		return "", errors.New("it cannot be reached")
	}
	for _, folder := range folders {
		root, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue
		}
		if within, err := filepath.Rel(root, real); err == nil && within != "." && filepath.IsLocal(within) {
			if info, err := os.Stat(real); err == nil && !info.Mode().IsRegular() {
				return "", errors.New("it is not a regular file")
			}
			return real, nil
		}
	}
	return "", errors.New("it does not lie in a folder that is allowed for SQLite files: " + strings.Join(folders, ", "))
}

func (d *sqlite) open(ctx context.Context, u use) (session, error) {
	mode := "rw"
	switch {
	case d.readOnly:
		mode = "ro"
	case d.create && !u.readOnly:
		mode = "rwc"
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: d.path, RawQuery: "mode=" + mode}
	conn, err := sqlite3.OpenContext(ctx, name.String())
	if err != nil {
		return nil, d.openError(ctx, err)
	}
	s := &sqliteSession{db: d, conn: conn}
	conn.SetInterrupt(ctx)
	if err := s.setUp(); err != nil {
		s.close()
		return nil, d.openError(ctx, err)
	}
	return s, nil
}

func (s *sqliteSession) setUp() error {
	if err := s.conn.BusyTimeout(s.db.wait); err != nil {
		return err
	}
	if err := s.conn.Exec("pragma foreign_keys = on"); err != nil {
		return err
	}
	return s.conn.SetAuthorizer(s.authorize)
}

func (d *sqlite) openError(ctx context.Context, err error) *connector.Error {
	if ended := connector.FromContext(ctx); ended != nil {
		return ended
	}
	e := sqliteError(err)
	if errors.Is(err, sqlite3.CANTOPEN) {
		e.Name = "sql.connect"
		if _, statErr := os.Stat(d.path); errors.Is(statErr, os.ErrNotExist) {
			e.Message = "there is no file " + d.path
		}
	}
	return e
}

// authorize keeps statements within their own file.
func (s *sqliteSession) authorize(action sqlite3.AuthorizerActionCode, name, _, _, _ string) sqlite3.AuthorizerReturnCode {
	switch action {
	case sqlite3.AUTH_ATTACH:
		// Vacuum attaches a nameless file of its own; the name is also empty
		// where it comes from an expression, hence the word.
		if name == "" && s.word == "vacuum" {
			return sqlite3.AUTH_OK
		}
		return sqlite3.AUTH_DENY
	case sqlite3.AUTH_PRAGMA:
		switch strings.ToLower(name) {
		case "temp_store_directory", "data_store_directory":
			return sqlite3.AUTH_DENY
		}
	default:
	}
	return sqlite3.AUTH_OK
}
