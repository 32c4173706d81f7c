package sql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Config says how databases are reached.
type Config struct {
	// Dialer opens connections to PostgreSQL. Required.
	Dialer *egress.Dialer
	// SQLiteFolders are the folders, absolute, in and below which SQLite files
	// may lie; relative paths start at the first. None: no SQLite.
	SQLiteFolders []string
}

// SQL makes the connectors, which share connections. Safe for concurrent use.
type SQL struct {
	config Config
	pools  pools
}

// New returns the connectors' maker. Close it after the last call.
func New(config Config) *SQL {
	return &SQL{config: config, pools: pools{open: map[string]*pool{}}}
}

// Close closes all connections that are kept open. Idempotent.
func (s *SQL) Close() error {
	s.pools.close()
	return nil
}

// Query returns the connector sql.query.
func (s *SQL) Query() *Query { return &Query{s, describeQuery()} }

// Execute returns the connector sql.execute.
func (s *SQL) Execute() *Execute { return &Execute{s, describeExecute()} }

// Query is the connector sql.query.
type Query struct {
	sql        *SQL
	descriptor *connector.Descriptor
}

// Execute is the connector sql.execute.
type Execute struct {
	sql        *SQL
	descriptor *connector.Descriptor
}

var (
	_ io.Closer           = (*Query)(nil)
	_ io.Closer           = (*Execute)(nil)
	_ connector.Connector = (*Query)(nil)
	_ connector.Connector = (*Execute)(nil)
)

// Describe returns the descriptor of sql.query.
func (q *Query) Describe() *connector.Descriptor { return q.descriptor }

// Describe returns the descriptor of sql.execute.
func (e *Execute) Describe() *connector.Descriptor { return e.descriptor }

// Close closes the connections that sql.query and sql.execute share.
func (q *Query) Close() error { return q.sql.Close() }

// Close closes the connections that sql.query and sql.execute share.
func (e *Execute) Close() error { return e.sql.Close() }

// database opens sessions on one connection object.
type database interface {
	// open returns a session that the caller closes. Errors of it and of the
	// session are *connector.Error.
	open(ctx context.Context, use use) (session, error)
}

// use says what a session is for.
type use struct {
	readOnly bool
	log      func(string)
}

// session is one connection during one call.
type session interface {
	// query runs one statement in a transaction that changes nothing.
	query(ctx context.Context, st statement, l limits) (*result, error)
	// alone runs one statement that takes effect by itself.
	alone(ctx context.Context, st statement, l limits) (*result, error)
	// begin begins a transaction in which exec runs statements. Until commit
	// was asked for, an error means that nothing has changed.
	begin(ctx context.Context) error
	exec(ctx context.Context, st statement, l limits) (*result, error)
	// commit makes the changes last. An error with Unknown set means that
	// nobody knows whether it did.
	commit(ctx context.Context) error
	// ledger makes sure that the table of the effect ledger exists.
	ledger(ctx context.Context) error
	// close undoes what was not committed and gives the connection back.
	close()
}

// database returns the database of a call's connection.
func (s *SQL) database(c *connector.Connection) (database, error) {
	if c.Type == "sqlite" {
		return newSQLite(c, s.config.SQLiteFolders)
	}
	return s.pools.postgres(c, s.config.Dialer)
}

// Call reads rows.
func (q *Query) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, q.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	p, err := newPlan(in)
	if err != nil {
		return connector.Result{}, err
	}
	db, err := q.sql.database(call.Connection)
	if err != nil {
		return connector.Result{}, err
	}
	start := call.Now()
	session, err := db.open(ctx, use{readOnly: true, log: call.Log})
	if err != nil {
		return connector.Result{}, err
	}
	defer session.close()
	r, err := session.query(ctx, p.statements[0], p.limits)
	if err != nil {
		return connector.Result{}, err
	}
	call.Log(fmt.Sprintf("%d rows, %d bytes, %s", len(r.rows), r.bytes, call.Now().Sub(start).Round(time.Millisecond)))
	return connector.Result{Output: value.Object(r.members()...), BytesIn: r.bytes}, nil
}

// Call changes data.
func (e *Execute) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, e.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	p, err := newPlan(in)
	if err != nil {
		return connector.Result{}, err
	}
	db, err := e.sql.database(call.Connection)
	if err != nil {
		return connector.Result{}, err
	}
	start := call.Now()
	var output value.Value
	if in.Bool("exactly_once") {
		output, err = p.once(ctx, db, call)
	} else {
		output, err = p.execute(ctx, db, use{log: call.Log})
	}
	if err != nil {
		return connector.Result{}, err
	}
	affected, _ := output.Get("rows_affected").Int()
	call.Log(fmt.Sprintf("%d rows affected, %s", affected, call.Now().Sub(start).Round(time.Millisecond)))
	return connector.Result{Output: output, BytesIn: int64(output.Get("rows").Size())}, nil
}

// execute runs the statements, in one transaction if there are several.
func (p plan) execute(ctx context.Context, db database, u use) (value.Value, error) {
	session, err := db.open(ctx, u)
	if err != nil {
		return value.Undefined, err
	}
	defer session.close()
	if !p.several {
		r, err := session.alone(ctx, p.statements[0], p.limits)
		if err != nil {
			return value.Undefined, err
		}
		return p.output([]*result{r}), nil
	}
	if err := session.begin(ctx); err != nil {
		return value.Undefined, err
	}
	results, err := p.within(ctx, session)
	if err != nil {
		return value.Undefined, err
	}
	if err := session.commit(ctx); err != nil {
		return value.Undefined, err
	}
	return p.output(results), nil
}

// within runs the statements in the session's transaction.
func (p plan) within(ctx context.Context, s session) ([]*result, error) {
	results := make([]*result, len(p.statements))
	for i, st := range p.statements {
		r, err := s.exec(ctx, st, p.limits)
		if err != nil {
			return nil, p.locate(err, i)
		}
		results[i] = r
	}
	return results, nil
}

// locate says which of several statements an error comes from.
func (p plan) locate(err error, i int) error {
	var e *connector.Error
	if p.several && errors.As(err, &e) {
		located := *e
		located.Message = fmt.Sprintf("statements[%d]: %s", i, e.Message)
		return &located
	}
	return err
}
