package sql_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/sql"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/testpg"
	"github.com/regie-dev/regie/internal/value"
)

// db is a fresh database with the connectors that reach it.
type db struct {
	*sql.SQL
	conn *connector.Connection
}

// postgres and sqlite make databases; tests of what both do run on each.
func databases() map[string]func(t *testing.T) db {
	return map[string]func(t *testing.T) db{"postgres": newPostgres, "sqlite": newSQLite}
}

func newSQL(t *testing.T, folders ...string) *sql.SQL {
	t.Helper()
	s := sql.New(sql.Config{Dialer: egress.NewDialer(egress.Config{}), SQLiteFolders: folders})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func newPostgres(t *testing.T) db {
	t.Helper()
	return db{newSQL(t), postgresConnection(t, value.Object(value.M("url", value.String(testpg.Start(t)))))}
}

func postgresConnection(t *testing.T, fields value.Value) *connector.Connection {
	t.Helper()
	hosts, err := sql.PostgresType().Hosts(fields)
	if err != nil {
		t.Fatal(err)
	}
	return &connector.Connection{Name: "ledger", Type: "postgres", Fields: fields, AllowHosts: hosts}
}

func newSQLite(t *testing.T) db {
	t.Helper()
	return db{newSQL(t, t.TempDir()), &connector.Connection{Name: "ledger", Type: "sqlite", Fields: value.MustParse(`{"path": "ledger.db"}`)}}
}

func (d db) call(t testing.TB, input string) connector.Call {
	call := connectortest.Call(t, input)
	call.Input = call.Input.With("connection", value.String("ledger"))
	call.Connection = d.conn
	return call
}

// query and execute return the output, or the error.
func (d db) query(t testing.TB, input string) (value.Value, error) {
	result, err := d.Query().Call(t.Context(), d.call(t, input))
	return result.Output, err
}

func (d db) execute(t testing.TB, input string) (value.Value, error) {
	result, err := d.Execute().Call(t.Context(), d.call(t, input))
	return result.Output, err
}

// must executes statements without parameters.
func (d db) must(t testing.TB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := d.execute(t, value.Object(value.M("statement", value.String(s))).String()); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// one returns the only value of a query.
func (d db) one(t testing.TB, statement string) string {
	t.Helper()
	out, err := d.query(t, value.Object(value.M("statement", value.String(statement))).String())
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if out.Get("rows").Len() != 1 || out.Get("rows").At(0).Len() != 1 {
		t.Fatalf("%s: %s", statement, out)
	}
	return out.Get("rows").At(0).Members()[0].Value.String()
}

func codeOf(err error) string {
	var e *connector.Error
	if errors.As(err, &e) {
		return e.Name
	}
	return fmt.Sprint(err)
}

// wantError checks name and text of an error.
func wantError(t *testing.T, what string, err error, name, text string) {
	t.Helper()
	var e *connector.Error
	if !errors.As(err, &e) || e.Name != name || !strings.Contains(e.Message, text) {
		t.Errorf("%s: error %v, want %s with %q", what, err, name, text)
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	hang := map[string]string{
		"postgres": `{"statement": "select pg_sleep(60)"}`,
		"sqlite":   `{"statement": "with recursive c(n) as (select 1 union all select n + 1 from c) select max(n) from c"}`,
	}
	for name, open := range databases() {
		t.Run(name+" query", func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (id integer)")
			connectortest.Run(t, connectortest.Suite{
				New:  func(*testing.T) connector.Connector { return d.Query() },
				Call: func(t *testing.T) connector.Call { return d.call(t, `{"statement": "select $1 as x", "args": ["a"]}`) },
				Hang: func(t *testing.T) connector.Call { return d.call(t, hang[name]) },
				Bad:  append(badStatements("ledger"), `{"connection": "ledger", "statement": "select 1", "max_rows": 0}`, `{"connection": "ledger", "statement": "select 1", "max_rows": 1000001}`),
			})
		})
		t.Run(name+" execute", func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (id integer)")
			connectortest.Run(t, connectortest.Suite{
				New:      func(*testing.T) connector.Connector { return d.Execute() },
				Optional: []string{"results", "replayed"},
				Call: func(t *testing.T) connector.Call {
					return d.call(t, `{"statement": "insert into t values ($1)", "args": [1]}`)
				},
				Hang: func(t *testing.T) connector.Call { return d.call(t, hang[name]) },
				Bad: append(badStatements("ledger"),
					`{"connection": "ledger"}`,
					`{"connection": "ledger", "statements": []}`,
					`{"connection": "ledger", "statements": [{"statement": "select 1"}], "statement": "select 1"}`,
					`{"connection": "ledger", "statements": [{"statement": "select 1"}], "args": [1]}`,
					`{"connection": "ledger", "statements": [{"statement": "select 1"}, {"statement": "commit"}]}`,
					`{"connection": "ledger", "statements": [{"args": [1]}]}`),
			})
		})
	}
	connectortest.CheckObjectType(t, sql.PostgresType())
	connectortest.CheckObjectType(t, sql.SQLiteType())
}

// badStatements are refused by both databases.
func badStatements(connection string) []string {
	var inputs []string
	for _, statement := range []string{
		"", "  ", ";", "-- nothing", "/* nothing */", "begin", "BEGIN; select 1", "commit", "/* x */ Commit", "-- x\nrollback",
		"savepoint a", "release a", "end", "abort", "start transaction", "prepare transaction 'x'", "/* /* */ commit",
		"(commit)", ";;commit", "copy t from stdin", "attach 'x' as y", "detach y", "listen x", "\ufeffcommit",
	} {
		inputs = append(inputs, value.Object(value.M("connection", value.String(connection)), value.M("statement", value.String(statement))).String())
	}
	return append(inputs,
		`{"connection": "`+connection+`", "statement": "select $1", "args": []}`,
		`{"connection": "`+connection+`", "statement": "select $1", "args": [1, 2]}`,
		`{"connection": "`+connection+`", "statement": "select 1", "args": [1]}`,
		`{"connection": "`+connection+`", "statement": "select $1", "args": {"a": 1}}`)
}

// A NUL character cannot be in JSON, so it is tried beside the suite.
func TestNUL(t *testing.T) {
	t.Parallel()
	d := newSQLite(t)
	call := d.call(t, `{}`)
	for _, input := range []value.Value{
		value.Object(value.M("statement", value.String("select 1 -- \x00"))),
		value.Object(value.M("statement", value.String("select $1")), value.M("args", value.List(value.String("a\x00b")))),
	} {
		call.Input = input.With("connection", value.String("ledger"))
		_, err := d.Query().Call(t.Context(), call)
		wantError(t, "NUL", err, connector.InvalidInput, "NUL")
	}
}

// What both databases do alike.
func TestStatements(t *testing.T) {
	t.Parallel()
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (id integer primary key, name text)")
			out, err := d.execute(t, `{"statement": "insert into t values ($1, $2), ($3, $4)", "args": [1, "it's; drop table t --", 2, null]}`)
			if err != nil || out.String() != `{"rows_affected":2,"rows":[],"columns":[],"row_count":0,"truncated":false}` {
				t.Errorf("insert: %s, %v", out, err)
			}
			out, err = d.query(t, `{"statement": "select name, id, id as name, id as name from t where id = $1 or name = $2 order by id", "args": [2, "it's; drop table t --"]}`)
			want := `{"rows":[{"name":"it's; drop table t --","id":1,"name_2":1,"name_3":1},{"name":null,"id":2,"name_2":2,"name_3":2}],"columns":["name","id","name_2","name_3"],"row_count":2,"truncated":false}`
			if err != nil || out.String() != want {
				t.Errorf("select: %s, %v", out, err)
			}
			out, err = d.execute(t, `{"statement": "update t set name = 'x' where id > $1 returning id", "args": [0]}`)
			if err != nil || out.String() != `{"rows_affected":2,"rows":[{"id":1},{"id":2}],"columns":["id"],"row_count":2,"truncated":false}` {
				t.Errorf("returning: %s, %v", out, err)
			}
			out, err = d.execute(t, `{"statement": "delete from t where id = $1;", "args": [7]}`)
			if err != nil || out.Get("rows_affected").String() != "0" {
				t.Errorf("delete of nothing: %s, %v", out, err)
			}
			out, err = d.execute(t, `{"statement": "select count(*) as n from t"}`)
			if err != nil || out.Get("rows_affected").String() != "0" || out.Get("rows").String() != `[{"n":2}]` {
				t.Errorf("select by execute: %s, %v", out, err)
			}
			// sql.query changes nothing, whatever it is given.
			for _, s := range []string{"delete from t", "insert into t values (9, 'x') returning id", "create table u (id integer)"} {
				if _, err := d.query(t, value.Object(value.M("statement", value.String(s))).String()); err == nil || !strings.Contains(err.Error(), "use sql.execute") {
					t.Errorf("sql.query with %s: %v", s, err)
				}
			}
			if _, err := d.query(t, `{"statement": "select 1; select 2"}`); err == nil {
				t.Error("two statements in one")
			}
			if _, err := d.execute(t, `{"statement": "delete from t; delete from t"}`); err == nil {
				t.Error("two statements in one")
			}
			if got := d.one(t, "select count(*) from t"); got != "2" {
				t.Errorf("%s rows remain, want 2", got)
			}
		})
	}
}

// Several statements take effect together or not at all.
func TestTransaction(t *testing.T) {
	t.Parallel()
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (id integer primary key)")
			out, err := d.execute(t, `{"statements": [{"statement": "insert into t values ($1), (2)", "args": [1]}, {"statement": "select max(id) as top from t"}]}`)
			want := `{"rows_affected":2,"rows":[{"top":2}],"columns":["top"],"row_count":1,"truncated":false,"results":[` +
				`{"rows_affected":2,"rows":[],"columns":[],"row_count":0,"truncated":false},` +
				`{"rows_affected":0,"rows":[{"top":2}],"columns":["top"],"row_count":1,"truncated":false}]}`
			if err != nil || out.String() != want {
				t.Errorf("%s, %v", out, err)
			}
			_, err = d.execute(t, `{"statements": [{"statement": "insert into t values (3)"}, {"statement": "insert into t values (1)"}, {"statement": "delete from t"}]}`)
			if err == nil || !strings.Contains(err.Error(), "statements[1]: ") {
				t.Errorf("a repeated key: %v", err)
			}
			if got := d.one(t, "select count(*) from t"); got != "2" {
				t.Errorf("%s rows remain, want 2", got)
			}
		})
	}
}

// Results are bounded in rows and bytes.
func TestBounds(t *testing.T) {
	t.Parallel()
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (id integer primary key, pad text)")
			const fill = "with recursive c(n) as (select 1 union all select n + 1 from c where n < 100) insert into t select n, 'xxxxxxxxxx' from c"
			d.must(t, fill)
			for _, c := range []struct {
				bounds    string
				rows      int
				truncated bool
				err       string
			}{
				{`"max_rows": 100`, 100, false, ""},
				{`"max_rows": 99`, 0, false, "more than 99 rows"},
				{`"max_rows": 99, "truncate": true`, 99, true, ""},
				{`"max_bytes": 100`, 0, false, "more than 100 bytes"},
				{`"max_bytes": 100, "truncate": true`, 3, true, ""},
				{`"max_bytes": 10, "truncate": true`, 0, true, ""},
			} {
				for _, call := range []func(testing.TB, string) (value.Value, error){d.query, d.execute} {
					out, err := call(t, `{"statement": "select pad from t", `+c.bounds+`}`)
					if c.err != "" {
						wantError(t, c.bounds, err, "sql.too_many_rows", c.err)
						continue
					}
					if err != nil || out.Get("rows").Len() != c.rows || out.Get("truncated").String() != fmt.Sprint(c.truncated) {
						t.Errorf("%s: %d rows, truncated %s, %v", c.bounds, out.Get("rows").Len(), out.Get("truncated"), err)
					}
				}
			}
			// Too many rows change nothing; dropped ones do not keep the
			// statement from its end.
			_, err := d.execute(t, `{"statement": "delete from t returning id", "max_rows": 10}`)
			wantError(t, "returning too many rows", err, "sql.too_many_rows", "more than 10 rows")
			if got := d.one(t, "select count(*) from t"); got != "100" {
				t.Errorf("%s rows remain, want 100", got)
			}
			out, err := d.execute(t, `{"statement": "delete from t returning id", "max_rows": 10, "truncate": true}`)
			if err != nil || out.Get("rows").Len() != 10 || out.Get("rows_affected").String() != "100" {
				t.Errorf("returning, truncated: %s, %v", out, err)
			}
			if got := d.one(t, "select count(*) from t"); got != "0" {
				t.Errorf("%s rows remain, want none", got)
			}
		})
	}
}

// One call leaves nothing behind for the next on the same connection.
func TestCallsAreApart(t *testing.T) {
	t.Parallel()
	for name, statements := range map[string][]string{
		"postgres": {"set search_path to pg_catalog", "create temporary table leftover (id integer)", "set role pg_monitor"},
		"sqlite":   {"create temporary table leftover (id integer)", "pragma foreign_keys = off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := databases()[name](t)
			d.must(t, "create table t (id integer)")
			d.must(t, statements...)
			d.must(t, "insert into t values (1)")
			for range 10 {
				if _, err := d.query(t, `{"statement": "select id from leftover"}`); err == nil {
					t.Fatal("the temporary table is still there")
				}
			}
			if name == "sqlite" && d.one(t, "pragma foreign_keys") != "1" {
				t.Error("foreign keys are off")
			}
		})
	}
}

func TestInvalidConnection(t *testing.T) {
	t.Parallel()
	s := newSQL(t, t.TempDir())
	for name, c := range map[string]struct {
		conn *connector.Connection
		text string
	}{
		"none":       {nil, `no connection "ledger"`},
		"wrong type": {&connector.Connection{Name: "ledger", Type: "http"}, "want postgres or sqlite"},
		"no fields":  {&connector.Connection{Name: "ledger", Type: "postgres", Fields: value.Object()}, "host"},
		"both":       {&connector.Connection{Name: "ledger", Type: "postgres", Fields: value.MustParse(`{"url": "postgres://x", "host": "hunter2"}`)}, "host"},
		"bad CA":     {&connector.Connection{Name: "ledger", Type: "postgres", Fields: value.MustParse(`{"host": "x", "ca": "hunter2"}`)}, "no certificate"},
		"no path":    {&connector.Connection{Name: "ledger", Type: "sqlite", Fields: value.Object()}, "path"},
	} {
		d := db{s, c.conn}
		_, err := d.query(t, `{"statement": "select 1"}`)
		wantError(t, name, err, connector.InvalidConnection, c.text)
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error shows a field: %v", name, err)
		}
	}
}

// withTimeout is a context for what must not hang.
func withTimeout(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
