package sql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// postgres is the database of a connection of type postgres.
type postgres struct {
	pools  *pools
	key    string
	name   string
	config pgConfig
	dialer *egress.Dialer
}

var _ database = (*postgres)(nil)

// maxNotices bounds the server's notices in the log of one call.
const maxNotices = 1000

// noticeKey is where a connection keeps where its notices go.
const noticeKey = "regie.notices"

type notices struct {
	log   func(string)
	count int
}

// onNotice writes what statements raise as a notice to the step's log.
func onNotice(conn *pgconn.PgConn, n *pgconn.Notice) {
	to, ok := conn.CustomData()[noticeKey].(*notices)
	if !ok || to.count >= maxNotices {
		return
	}
	to.count++
	to.log(fmt.Sprintf("%s: %s", n.Severity, n.Message))
}

func (p *postgres) open(ctx context.Context, u use) (session, error) {
	pool, err := p.pools.acquire(p.key, func() (*pgxpool.Pool, error) { return newPool(p.config, p.dialer) })
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: %v", p.name, err)
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		p.pools.release(pool)
		return nil, p.connectError(ctx, err)
	}
	pg := conn.Conn().PgConn()
	pg.CustomData()[noticeKey] = &notices{log: u.log}
	return &pgSession{db: p, pool: pool, conn: conn, pg: pg, readOnly: u.readOnly}, nil
}

func (p *postgres) connectError(ctx context.Context, err error) *connector.Error {
	var denied *egress.DeniedError
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &denied):
		return connector.Errorf(egress.ErrorName, "%v", denied)
	case ctx.Err() != nil:
		return connector.FromContext(ctx)
	case errors.As(err, &pgErr):
		return serverError(pgErr)
	}
	return connector.Errorf("sql.connect", "connect to %s: %v", p.config.place(), innermost(err))
}

// innermost returns the cause at the bottom: the layers above repeat user,
// database and address.
func innermost(err error) error {
	for {
		below := errors.Unwrap(err)
		if below == nil {
			return err
		}
		err = below
	}
}

// serverError is an error that the server reports.
func serverError(e *pgconn.PgError) *connector.Error {
	out := connector.Errorf("sql."+e.Code, "%s", e.Message)
	if e.Hint != "" {
		out.Message += " (" + e.Hint + ")"
	}
	text := func(key, s string) value.Member {
		if s == "" {
			return value.M(key, value.Undefined)
		}
		return value.M(key, value.String(s))
	}
	out.Details = value.Object(
		text("sqlstate", e.Code), text("message", e.Message), text("detail", e.Detail), text("hint", e.Hint),
		text("schema", e.SchemaName), text("table", e.TableName), text("column", e.ColumnName), text("constraint", e.ConstraintName))
	return out
}

// pgSession is one connection during one call.
type pgSession struct {
	db   *postgres
	pool *pool
	conn *pgxpool.Conn
	pg   *pgconn.PgConn
	// readOnly says that what a statement has not yet returned can be dropped.
	readOnly bool
}

// Phases of a call: what losing the connection means.
const (
	inTransaction = false // nothing has changed
	mayHaveActed  = true  // nobody knows
)

// fail turns an error into the step's, after something was sent.
func (s *pgSession) fail(ctx context.Context, err error, acted bool) error {
	var own *connector.Error
	if errors.As(err, &own) {
		return own
	}
	var pgErr *pgconn.PgError
	var tooLong *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &pgErr):
		e := serverError(pgErr)
		if pgErr.Code == queryCanceled && ctx.Err() != nil {
			e = connector.FromContext(ctx) // the server confirms that it stopped
		}
		e.Unknown = acted && pgErr.SeverityUnlocalized == "FATAL"
		return e
	case errors.As(err, &tooLong):
		e := connector.Errorf(tooManyRows, "one row has more than %d bytes; ask for less", maxMessage)
		e.Unknown = acted
		return e
	}
	e := connector.FromContext(ctx)
	if e == nil {
		e = connector.Errorf("sql.connection_lost", "the connection to %s broke: %v", s.db.config.place(), innermost(err))
	}
	e.Unknown = acted && !pgconn.SafeToRetry(err)
	return e
}

const queryCanceled = "57014"

// ledgerLock is the advisory lock under which the ledger's table is created.
const ledgerLock = "7306367150871934835"

// command runs a statement without parameters and rows.
func (s *pgSession) command(ctx context.Context, text string, acted bool) error {
	_, err := s.pg.ExecParams(ctx, text, nil, nil, nil, nil).Close()
	if err != nil {
		return s.fail(ctx, err, acted)
	}
	return nil
}

func (s *pgSession) query(ctx context.Context, st statement, l limits) (*result, error) {
	if err := s.command(ctx, "begin read only", inTransaction); err != nil {
		return nil, err
	}
	r, err := s.exec(ctx, st, l)
	var e *connector.Error
	if errors.As(err, &e) && e.Name == "sql.25006" {
		e.Message += "; sql.query cannot change data, use sql.execute"
	}
	return r, err
}

func (s *pgSession) begin(ctx context.Context) error { return s.command(ctx, "begin", inTransaction) }

func (s *pgSession) commit(ctx context.Context) error {
	tag, err := s.pg.ExecParams(ctx, "commit", nil, nil, nil, nil).Close()
	if err != nil {
		return s.fail(ctx, err, mayHaveActed)
	}
	if tag.String() == "ROLLBACK" {
		return connector.Errorf("sql.25P02", "the transaction had failed, and nothing was changed")
	}
	return nil
}

// alone runs a statement in no transaction of ours if it returns no rows, so
// that procedures can commit by themselves; else in one, so that too many rows
// change nothing.
func (s *pgSession) alone(ctx context.Context, st statement, l limits) (*result, error) {
	prepared, err := s.prepare(ctx, st)
	if err != nil {
		return nil, err
	}
	if len(prepared.Fields) == 0 || st.word == "call" {
		r, err := s.run(ctx, st, prepared, l, mayHaveActed)
		if err == nil && s.pg.TxStatus() != 'I' {
			return nil, connector.Errorf(connector.InvalidInput, "the statement began a transaction, which was undone; list statements under `statements`")
		}
		return r, err
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

func (s *pgSession) exec(ctx context.Context, st statement, l limits) (*result, error) {
	prepared, err := s.prepare(ctx, st)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, st, prepared, l, inTransaction)
}

func (s *pgSession) prepare(ctx context.Context, st statement) (*pgconn.StatementDescription, error) {
	prepared, err := s.pg.Prepare(ctx, "", st.text, nil)
	if err != nil {
		return nil, s.fail(ctx, err, inTransaction)
	}
	if len(prepared.ParamOIDs) != len(st.args) {
		return nil, connector.Errorf(connector.InvalidInput, "the statement has %d parameters, args has %d values", len(prepared.ParamOIDs), len(st.args))
	}
	return prepared, nil
}

// run runs a prepared statement and reads what it returns.
func (s *pgSession) run(ctx context.Context, st statement, prepared *pgconn.StatementDescription, l limits, acted bool) (*result, error) {
	params := make([][]byte, len(st.args))
	for i, arg := range st.args {
		p, err := encodeParam(arg, prepared.ParamOIDs[i])
		if err != nil {
			return nil, connector.Errorf(connector.InvalidInput, "args[%d]: %v", i, err)
		}
		params[i] = p
	}
	r := &result{}
	names := make([]string, len(prepared.Fields))
	for i, f := range prepared.Fields {
		names[i] = f.Name
	}
	r.setColumns(names)
	rows := s.pg.ExecPrepared(ctx, "", params, nil, nil)
	for rows.NextRow() {
		if r.truncated {
			continue // the statement has to end, or its changes would be undone
		}
		raw := rows.Values()
		size := int64(0)
		for _, field := range raw {
			size += int64(len(field))
		}
		fits, err := r.room(size, l)
		if err != nil || !fits && s.readOnly {
			s.drop() // the rest is not read; cutting the connection ends the statement
			return r, err
		}
		if fits {
			r.add(decodeRow(raw, prepared.Fields))
		}
	}
	tag, err := rows.Close()
	if err != nil {
		return nil, s.fail(ctx, err, acted)
	}
	if tag.Insert() || tag.Update() || tag.Delete() || strings.HasPrefix(tag.String(), "MERGE") {
		r.affected = tag.RowsAffected()
	}
	return r, nil
}

// ledger creates the ledger's table if it is missing. The lock keeps two
// sessions from creating it at once, which the server refuses in spite of "if
// not exists".
func (s *pgSession) ledger(ctx context.Context) error {
	found, err := s.exec(ctx, statement{text: "select to_regclass('" + ledgerTable + "') is not null as found"}, ledgerLimits())
	if err != nil {
		return err
	}
	if exists, _ := found.rows[0].Get("found").Bool(); exists {
		return nil
	}
	for _, text := range []string{
		"begin", "select pg_advisory_xact_lock(" + ledgerLock + ")", ledgerDDL("bigint", "timestamptz"), "commit",
	} {
		if err := s.command(ctx, text, inTransaction); err != nil {
			var e *connector.Error
			if errors.As(err, &e) && e.Name == "sql.42501" {
				e.Message += "; exactly_once needs this table, which somebody has to create: " + ledgerDDL("bigint", "timestamptz") + "; " + ledgerGrant
			}
			return err
		}
	}
	return nil
}

// drop cuts the connection; an open transaction is undone.
func (s *pgSession) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.pg.Close(ctx)
}

// close undoes what was not committed and makes the connection forget what the
// call has left: settings, temporary tables, advisory locks.
func (s *pgSession) close() {
	delete(s.pg.CustomData(), noticeKey)
	ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
	defer cancel()
	if !s.pg.IsClosed() && s.pg.TxStatus() != 'I' {
		_, _ = s.pg.Exec(ctx, "rollback").ReadAll() // if it fails, so does the next
	}
	if !s.pg.IsClosed() {
		if _, err := s.pg.Exec(ctx, "discard all").ReadAll(); err != nil {
			s.drop()
		}
	}
	s.conn.Release()
	s.db.pools.release(s.pool)
}
