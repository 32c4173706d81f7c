package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
)

// Settings of every connection.
const (
	// busyTimeout is how long a connection waits for another's lock before the
	// operation fails, with nothing written.
	busyTimeout = 5 * time.Second
	// writerCache and readerCache bound the pages that a connection keeps in
	// memory, in KiB.
	writerCache = 16 << 10
	readerCache = 2 << 10
	// checkpointPages is the size of the WAL, in pages, from which a commit
	// copies it back into the database.
	checkpointPages = 4000
	// pageSize is the size of a page of a fresh database in bytes.
	pageSize = 4096
	// checksumBytes is the room that each page reserves for its checksum.
	checksumBytes = 8
)

// conn is a connection with its prepared statements. It belongs to one
// goroutine at a time.
type conn struct {
	*sqlite3.Conn

	stmts [queryCount]*sqlite3.Stmt
}

// dsn is the URI of a database file. The WAL gets the mode of the file.
func dsn(path, vfs string) string {
	values := url.Values{"modeof": {path}}
	if vfs != "" {
		values.Set("vfs", vfs)
	}
	// SQLite does not read + as a space.
	query := strings.ReplaceAll(values.Encode(), "+", "%20")
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query}).String()
}

// openConn opens a connection to a database that exists. Until it is trusted,
// closing it leaves the WAL as it is.
func openConn(ctx context.Context, path, vfs string) (*conn, error) {
	return openURI(ctx, dsn(path, vfs)+"&mode=rw")
}

func openURI(ctx context.Context, uri string) (*conn, error) {
	raw, err := sqlite3.OpenContext(ctx, uri)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw}
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.BusyTimeout(busyTimeout); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	err = c.Exec(`PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;
		PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON;`)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// trust lets the connection put the WAL back if it is the last to close. Only
// the one that writes does: the WAL may have grown behind the back of others,
// which the driver does not survive.
func (c *conn) trust() error {
	_, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, false)
	return err
}

// Close finalizes the statements and closes the connection.
func (c *conn) Close() error {
	for _, s := range c.stmts {
		s.Close()
	}
	c.stmts = [queryCount]*sqlite3.Stmt{}
	return c.Conn.Close()
}

// stmt returns a prepared statement, reset, ready for its bindings.
func (c *conn) stmt(q query) (*sqlite3.Stmt, error) {
	if s := c.stmts[q]; s != nil {
		return s, nil
	}
	s, _, err := c.PrepareFlags(queryText(q), sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	c.stmts[q] = s
	return s, nil
}

// exec runs a statement without a result.
func (c *conn) exec(q query, bind func(*binder)) error {
	s, err := c.stmt(q)
	if err != nil {
		return err
	}
	if bind != nil {
		b := binder{stmt: s}
		if bind(&b); b.err != nil {
			return b.err
		}
	}
	return s.Exec()
}

// rows runs a statement and calls row for each row of its result until row
// returns an error.
func (c *conn) rows(q query, bind func(*binder), row func(*sqlite3.Stmt) error) error {
	s, err := c.stmt(q)
	if err != nil {
		return err
	}
	return rowsOf(s, bind, row)
}

// rowsOf is rows for a statement that is not one of the prepared ones.
func rowsOf(s *sqlite3.Stmt, bind func(*binder), row func(*sqlite3.Stmt) error) error {
	if bind != nil {
		b := binder{stmt: s}
		if bind(&b); b.err != nil {
			return b.err
		}
	}
	for s.Step() {
		if err := row(s); err != nil {
			return errors.Join(err, s.Reset())
		}
	}
	// Reset gives the error of SQLite's step again, and loses that of a step
	// which the driver did not make because its context had ended.
	stepped := s.Err()
	if err := s.Reset(); stepped == nil {
		return err
	}
	return stepped
}

// row is rows for a result of at most one row; found says whether there was one.
func (c *conn) row(q query, bind func(*binder), row func(*sqlite3.Stmt) error) (found bool, err error) {
	err = c.rows(q, bind, func(s *sqlite3.Stmt) error {
		found = true
		return row(s)
	})
	return found, err
}

// rollback ends the transaction, if there is one.
func (c *conn) rollback() error {
	if c.GetAutocommit() {
		return nil
	}
	return c.exec(qRollback, nil)
}

// binder binds the parameters of a statement in order and keeps the first
// error.
type binder struct {
	stmt *sqlite3.Stmt
	n    int
	err  error
}

func (b *binder) done(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *binder) text(s string) {
	b.n++
	b.done(b.stmt.BindText(b.n, s))
}

func (b *binder) int(n int64) {
	b.n++
	b.done(b.stmt.BindInt64(b.n, n))
}

// blob binds bytes; none are an empty value, not NULL.
func (b *binder) blob(data []byte) {
	b.n++
	if data == nil {
		data = []byte{}
	}
	b.done(b.stmt.BindBlob(b.n, data))
}

// long binds text that stands in memory as bytes.
func (b *binder) long(data []byte) {
	b.n++
	if data == nil {
		data = []byte{}
	}
	b.done(b.stmt.BindRawText(b.n, data))
}

func (b *binder) bool(v bool) {
	if v {
		b.int(1)
	} else {
		b.int(0)
	}
}

func (b *binder) null() {
	b.n++
	b.done(b.stmt.BindNull(b.n))
}

// time binds a time; zero is NULL.
func (b *binder) time(t time.Time) {
	if t.IsZero() {
		b.null()
		return
	}
	b.int(t.UnixMicro())
}

// microsUp is a bound of stored times: the first that is not before it.
func microsUp(t time.Time) int64 { return store.TimerTime(t).UnixMicro() }

// timeOf reads what [binder.time] bound.
func timeOf(s *sqlite3.Stmt, column int) time.Time {
	if s.ColumnType(column) == sqlite3.NULL {
		return time.Time{}
	}
	return time.UnixMicro(s.ColumnInt64(column)).UTC()
}

// failed says what SQLite reported while doing something: damage is
// ErrCorrupt.
func failed(doing string, err error) error {
	var code sqlite3.ExtendedErrorCode
	if errors.As(err, &code) {
		switch {
		case code.Code() == sqlite3.CORRUPT, code.Code() == sqlite3.NOTADB, code == sqlite3.IOERR_DATA, code == sqlite3.IOERR_CORRUPTFS, code == sqlite3.IOERR_SHORT_READ:
			return fmt.Errorf("%s: %w: %w", doing, store.ErrCorrupt, err)
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}
