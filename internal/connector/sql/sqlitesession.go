package sql

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// sqliteSession is one connection during one call.
type sqliteSession struct {
	db   *sqlite
	conn *sqlite3.Conn
	tx   *sqlite3.Txn
	word string // first word of the statement that is being prepared
}

var _ session = (*sqliteSession)(nil)

// sqliteError turns an error into the step's. SQLite undoes what a statement or
// transaction has done when it fails, so an outcome is unknown only where the
// file system fails while it commits.
func sqliteError(err error) *connector.Error {
	var own *connector.Error
	if errors.As(err, &own) {
		return own
	}
	var e *sqlite3.Error
	var code sqlite3.ErrorCode
	if !errors.As(err, &e) {
		if errors.As(err, &code) {
			return connector.Errorf("sql."+codeName(code), "%v", err)
		}
		return connector.Errorf("sql.error", "%v", err)
	}
	out := connector.Errorf("sql."+codeName(e.Code()), "%s", strings.TrimPrefix(e.Error(), "sqlite3: "))
	out.Details = value.Object(value.M("code", value.Int(int64(e.Code()))), value.M("extended_code", value.Int(int64(e.ExtendedCode()))))
	return out
}

// codeName is SQLite's name of a result code, in small letters.
func codeName(code sqlite3.ErrorCode) string {
	switch code {
	case sqlite3.CONSTRAINT:
		return "constraint"
	case sqlite3.BUSY:
		return "busy"
	case sqlite3.LOCKED:
		return "locked"
	case sqlite3.READONLY:
		return "readonly"
	case sqlite3.IOERR:
		return "io"
	case sqlite3.CORRUPT:
		return "corrupt"
	case sqlite3.NOTADB:
		return "not_a_database"
	case sqlite3.FULL:
		return "full"
	case sqlite3.CANTOPEN:
		return "cannot_open"
	case sqlite3.TOOBIG:
		return "too_big"
	case sqlite3.MISMATCH:
		return "mismatch"
	case sqlite3.NOMEM:
		return "out_of_memory"
	case sqlite3.AUTH:
		return "not_allowed"
	case sqlite3.PERM:
		return "permission"
	case sqlite3.SCHEMA:
		return "schema"
	case sqlite3.INTERRUPT:
		return "interrupted"
	default:
		return "error"
	}
}

func (s *sqliteSession) fail(ctx context.Context, err error) error {
	var own *connector.Error
	if !errors.As(err, &own) {
		if ended := connector.FromContext(ctx); ended != nil {
			return ended
		}
	}
	return sqliteError(err)
}

// outOfMemory makes an error of what was recovered, if it is the panic with
// which the driver says that it is out of memory; any other goes on. It is not
// for a commit, of which nobody would know whether it took place.
func outOfMemory(p any) error {
	if p == nil {
		return nil
	}
	if e, ok := p.(error); !ok || e.Error() != "sqlite3: out of memory" {
		panic(p)
	}
	return connector.Errorf("sql."+codeName(sqlite3.NOMEM), "the statement asks for more memory than a connection may have")
}

func (s *sqliteSession) query(ctx context.Context, st statement, l limits) (_ *result, err error) {
	defer func() {
		if e := outOfMemory(recover()); e != nil {
			err = e
		}
	}()
	stmt, err := s.prepare(ctx, st)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	if !stmt.ReadOnly() {
		return nil, connector.Errorf(connector.InvalidInput, "sql.query cannot change data; use sql.execute")
	}
	return s.run(ctx, stmt, l)
}

func (s *sqliteSession) alone(ctx context.Context, st statement, l limits) (*result, error) {
	switch st.word {
	case "pragma", "vacuum":
		return s.exec(ctx, st, l) // neither works within a transaction
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	r, err := s.exec(ctx, st, l)
	if err != nil {
		return nil, err
	}
	return r, s.commit(ctx)
}

// begin takes the right to write at once: of two transactions that begin by
// reading, one could not go on.
func (s *sqliteSession) begin(ctx context.Context) error {
	tx, err := s.conn.BeginImmediate()
	if err != nil {
		return s.fail(ctx, err)
	}
	s.tx = &tx
	return nil
}

func (s *sqliteSession) commit(ctx context.Context) error {
	err := s.tx.Commit()
	if err == nil {
		s.tx = nil
		return nil
	}
	failed := s.fail(ctx, err)
	var e *connector.Error
	if errors.As(failed, &e) && errors.Is(err, sqlite3.IOERR) {
		e.Unknown = true
	}
	return failed
}

func (s *sqliteSession) ledger(ctx context.Context) error {
	_, err := s.alone(ctx, statement{text: ledgerDDL("integer", "text")}, ledgerLimits())
	return err
}

func (s *sqliteSession) close() {
	defer func() { _ = outOfMemory(recover()) }() // closing undoes what was not committed, come what may
	if s.tx != nil && !s.conn.GetAutocommit() {
		_ = s.tx.Rollback() // closing undoes it, too
	}
	_ = s.conn.Close() // nothing is left that could fail
}

func (s *sqliteSession) exec(ctx context.Context, st statement, l limits) (_ *result, err error) {
	defer func() {
		if e := outOfMemory(recover()); e != nil {
			err = e
		}
	}()
	stmt, err := s.prepare(ctx, st)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	return s.run(ctx, stmt, l)
}

// prepare compiles one statement and binds its parameters.
func (s *sqliteSession) prepare(ctx context.Context, st statement) (*sqlite3.Stmt, error) {
	s.word = st.word
	if st.word == "vacuum" && strings.Contains(strings.ToLower(st.text), "into") {
		s.word = "" // it would write another file
	}
	stmt, tail, err := s.conn.Prepare(st.text)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	if stmt == nil {
		return nil, connector.Errorf(connector.InvalidInput, "the statement is empty")
	}
	sound := false
	defer func() {
		if !sound {
			stmt.Close()
		}
	}()
	if skipSpace(tail) != "" {
		return nil, connector.Errorf(connector.InvalidInput, "more than one statement; list them under `statements` of sql.execute")
	}
	if err := bind(stmt, st.args); err != nil {
		return nil, s.fail(ctx, err)
	}
	sound = true
	return stmt, nil
}

// bind gives each parameter its value: $n and ?n the n-th, ? the one at its
// place.
func bind(stmt *sqlite3.Stmt, args []value.Value) error {
	used := make([]bool, len(args))
	for i := 1; i <= stmt.BindCount(); i++ {
		name := stmt.BindName(i)
		n := i
		if name != "" {
			var err error
			if n, err = strconv.Atoi(name[1:]); err != nil || name[0] != '$' && name[0] != '?' || n < 1 {
				return connector.Errorf(connector.InvalidInput, "parameters are written $1, $2, …, not %s", name)
			}
		}
		if n > len(args) {
			return connector.Errorf(connector.InvalidInput, "the statement has a parameter $%d, args has %d values", n, len(args))
		}
		used[n-1] = true
		if err := bindValue(stmt, i, args[n-1]); err != nil {
			return err
		}
	}
	for i, u := range used {
		if !u {
			return connector.Errorf(connector.InvalidInput, "the statement does not use $%d, args has %d values", i+1, len(args))
		}
	}
	return nil
}

func bindValue(stmt *sqlite3.Stmt, i int, v value.Value) error {
	switch v.Kind() {
	case value.KindUndefined, value.KindNull:
		return stmt.BindNull(i)
	case value.KindBool:
		b, _ := v.Bool()
		return stmt.BindBool(i, b)
	case value.KindInt:
		n, _ := v.Int()
		return stmt.BindInt64(i, n)
	case value.KindFloat:
		f, _ := v.Float()
		return stmt.BindFloat(i, f)
	case value.KindString:
		text, _ := v.Str()
		return stmt.BindText(i, text)
	}
	return stmt.BindText(i, v.String()) // JSON, or digits that no integer of SQLite holds
}

// run steps through the rows.
func (s *sqliteSession) run(ctx context.Context, stmt *sqlite3.Stmt, l limits) (*result, error) {
	r := &result{}
	n := stmt.ColumnCount()
	names, types := make([]string, n), make([]string, n)
	for i := range n {
		names[i], types[i] = stmt.ColumnName(i), strings.ToLower(stmt.ColumnDeclType(i))
	}
	r.setColumns(names)
	before := s.conn.TotalChanges()
	for stmt.Step() {
		if r.truncated {
			continue // the statement has to end
		}
		row, size := make([]value.Value, n), int64(0)
		for i := range n {
			var bytes int64
			row[i], bytes = column(stmt, i, types[i])
			size += bytes
		}
		fits, err := r.room(size, l)
		if err != nil {
			return nil, err
		}
		if fits {
			r.add(row)
		} else if stmt.ReadOnly() {
			break
		}
	}
	if err := stmt.Err(); err != nil {
		return nil, s.fail(ctx, err)
	}
	if s.conn.TotalChanges() != before {
		r.affected = s.conn.Changes()
	}
	return r, nil
}

// column returns a value and its size. SQLite keeps the type with each value;
// what the column was declared as matters for booleans and JSON only, which it
// does not have.
func column(stmt *sqlite3.Stmt, i int, declared string) (value.Value, int64) {
	switch stmt.ColumnType(i) {
	case sqlite3.INTEGER:
		n := stmt.ColumnInt64(i)
		if (declared == "boolean" || declared == "bool") && (n == 0 || n == 1) {
			return value.Bool(n == 1), 8
		}
		return value.Int(n), 8
	case sqlite3.FLOAT:
		f := stmt.ColumnFloat(i)
		switch {
		case math.IsInf(f, 1):
			return value.String("Infinity"), 8
		case math.IsInf(f, -1):
			return value.String("-Infinity"), 8
		}
		return value.Float(f), 8
	case sqlite3.TEXT:
		text := stmt.ColumnText(i)
		if declared == "json" || declared == "jsonb" {
			if v, err := value.Parse([]byte(text)); err == nil {
				return v, int64(len(text))
			}
		}
		return value.String(strings.ToValidUTF8(text, "\ufffd")), int64(len(text))
	case sqlite3.BLOB:
		raw := stmt.ColumnRawBlob(i)
		return value.String(base64.StdEncoding.EncodeToString(raw)), int64(len(raw))
	default:
		return value.Null, 0
	}
}
