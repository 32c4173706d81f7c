package sql_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
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

// What comes back for which type.
func TestPostgresValues(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.must(t, "create type mood as enum ('sad', 'happy')", "create domain cents as bigint")
	for expression, want := range map[string]string{
		"null::int":                             `null`,
		"true":                                  `true`,
		"9223372036854775807":                   `9223372036854775807`,
		"(-32768)::int2":                        `-32768`,
		"7::cents":                              `7`,
		"1.5::float8":                           `1.5`,
		"2::float8":                             `2.0`,
		"0.1::float4":                           `0.1`,
		"'NaN'::float8":                         `"NaN"`,
		"'-Infinity'::float8":                   `"-Infinity"`,
		"12345678901234567890.1230":             `"12345678901234567890.1230"`,
		"'NaN'::numeric":                        `"NaN"`,
		"'é\"'::text":                           `"é\""`,
		"'ab'::char(3)":                         `"ab "`,
		"'x'::name":                             `"x"`,
		"'happy'::mood":                         `"happy"`,
		"'2026-01-02'::date":                    `"2026-01-02"`,
		"'2026-01-02 03:04:05.1234'::timestamp": `"2026-01-02T03:04:05.1234"`,
		"'2026-01-02 03:04:05+02'::timestamptz": `"2026-01-02T01:04:05Z"`,
		"'2026-01-02 03:04:05.5+05:30'::timestamptz":              `"2026-01-01T21:34:05.5Z"`,
		"'infinity'::timestamptz":                                 `"infinity"`,
		"'03:04:05'::time":                                        `"03:04:05"`,
		"'1 day 2 hours'::interval":                               `"P1DT2H"`,
		`'\x00ff'::bytea`:                                         `"AP8="`,
		`'{"b": 1, "a": [12345678901234567890]}'::json`:           `{"b":1,"a":[12345678901234567890]}`,
		`'{"b": 1, "a": null}'::jsonb`:                            `{"a":null,"b":1}`,
		`'{"a": 1, "a": 2}'::json`:                                `"{\"a\": 1, \"a\": 2}"`,
		"'null'::json":                                            `null`,
		"'6f1d2c3e-0000-4000-8000-000000000000'::uuid":            `"6f1d2c3e-0000-4000-8000-000000000000"`,
		"'10.0.0.1/8'::inet":                                      `"10.0.0.1/8"`,
		"array[1, null, 3]":                                       `[1,null,3]`,
		"array[[1, 2], [3, 4]]":                                   `[[1,2],[3,4]]`,
		"'[0:1]={1,2}'::int[]":                                    `[1,2]`,
		"'{}'::text[]":                                            `[]`,
		`array['a', 'b,c', 'd"e', 'f\g', '', 'NULL', 'h}', null]`: `["a","b,c","d\"e","f\\g","","NULL","h}",null]`,
		"array[1.10, 2]":                                          `["1.10","2"]`,
		"array[true, false]":                                      `[true,false]`,
		"array['2026-01-02 03:04:05+00'::timestamptz]":            `["2026-01-02T03:04:05Z"]`,
		`array['{"a": [1]}'::jsonb]`:                              `[{"a":[1]}]`,
		"array['happy'::mood]":                                    `"{happy}"`,
		"row(1, 'x')":                                             `"(1,x)"`,
		"int4range(1, 5)":                                         `"[1,5)"`,
	} {
		if got := d.one(t, "select "+expression); got != want {
			t.Errorf("%s: got %s, want %s", expression, got, want)
		}
	}
}

// What a parameter becomes: the server reads it as the type that it expects.
func TestPostgresArgs(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	for _, c := range []struct{ arg, as, want string }{
		{`null`, "int", `null`},
		{`1`, "int", `1`},
		{`1`, "text", `"1"`},
		{`1`, "numeric", `"1"`},
		{`12345678901234567890`, "numeric", `"12345678901234567890"`},
		{`2.0`, "int", `2`},
		{`1.5`, "numeric", `"1.5"`},
		{`"12.3400"`, "numeric", `"12.3400"`},
		{`true`, "boolean", `true`},
		{`true`, "text", `"true"`},
		{`"it's; drop"`, "text", `"it's; drop"`},
		{`"2026-01-02"`, "date", `"2026-01-02"`},
		{`"2026-01-02T03:04:05Z"`, "timestamptz", `"2026-01-02T03:04:05Z"`},
		{`"AP8="`, "bytea", `"AP8="`},
		{`"\\x00ff"`, "bytea", `"AP8="`},
		{`{"b": [1]}`, "json", `{"b":[1]}`},
		{`[1, "x"]`, "jsonb", `[1,"x"]`},
		{`"{\"a\": 1}"`, "jsonb", `{"a":1}`},
		{`{"b": [1]}`, "text", `"{\"b\":[1]}"`},
		{`[1, null, 3]`, "int[]", `[1,null,3]`},
		{`["a", "b,c", "d\"e", "f\\g", "", "NULL", null]`, "text[]", `["a","b,c","d\"e","f\\g","","NULL",null]`},
		{`[[1, 2], [3, 4]]`, "int[]", `[[1,2],[3,4]]`},
		{`[{"a": 1}, [2]]`, "jsonb[]", `[{"a":1},[2]]`},
		{`[]`, "text[]", `[]`},
	} {
		out, err := d.query(t, fmt.Sprintf(`{"statement": "select $1::%s as x", "args": [%s]}`, c.as, c.arg))
		if err != nil || out.Get("rows").At(0).Get("x").String() != c.want {
			t.Errorf("%s as %s: %s, %v, want %s", c.arg, c.as, out.Get("rows"), err, c.want)
		}
	}
	out, err := d.query(t, `{"statement": "select n from generate_series(1, 9) n where n = any($1) order by n", "args": [[3, 5, 11]]}`)
	if err != nil || out.Get("rows").String() != `[{"n":3},{"n":5}]` {
		t.Errorf("any: %s, %v", out, err)
	}
	_, err = d.query(t, `{"statement": "select $1::bytea", "args": ["no base64 hunter2"]}`)
	wantError(t, "bytea", err, connector.InvalidInput, "args[0]: a bytea is written in base64")
}

func TestPostgresErrors(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.must(t, "create table t (id integer primary key, n integer not null)", "insert into t values (1, 1)")
	for _, c := range []struct{ statement, name, text string }{
		{"insert into t values (1, 2)", "sql.23505", "t_pkey"},
		{"insert into t values (2, null)", "sql.23502", "null value"},
		{"insert into no_such values (1)", "sql.42P01", "no_such"},
		{"selec 1", "sql.42601", "selec"},
		{"select 1 / 0", "sql.22012", "division"},
		{"do $$ begin raise exception 'own' using errcode = 'PX001', hint = 'look there'; end $$", "sql.PX001", "own (look there)"},
	} {
		_, err := d.execute(t, value.Object(value.M("statement", value.String(c.statement))).String())
		wantError(t, c.statement, err, c.name, c.text)
		var e *connector.Error
		if errors.As(err, &e) && (e.Unknown || e.Details.Get("sqlstate").String() != `"`+strings.TrimPrefix(c.name, "sql.")+`"`) {
			t.Errorf("%s: unknown %v, details %s", c.statement, e.Unknown, e.Details)
		}
	}
	var e *connector.Error
	if _, err := d.execute(t, `{"statement": "insert into t values (1, 2)"}`); !errors.As(err, &e) || e.Details.Get("constraint").String() != `"t_pkey"` {
		t.Errorf("details %v", err)
	}
}

// Faults of the way to the server.
func TestPostgresConnect(t *testing.T) {
	t.Parallel()
	pg := testpg.Open(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	s := newSQL(t)
	at := func(user, host, database string) *connector.Connection {
		return postgresConnection(t, value.Object(value.M("url", value.String("postgres://"+user+"@"+host+"/"+database))))
	}
	server := fmt.Sprintf("127.0.0.1:%d", pg.Port)
	denied := at("u", "127.0.0.1:1", "x")
	denied.AllowHosts = nil
	for name, c := range map[string]struct {
		conn       *connector.Connection
		want, text string
	}{
		"wrong password":    {at(testpg.User+":hunter2", server, pg.Name), "sql.28P01", "password"},
		"unknown database":  {at(testpg.User+":"+testpg.Password, server, "none"), "sql.3D000", "none"},
		"refused":           {at("u:hunter2", closed, "x"), "sql.connect", closed},
		"unknown name":      {at("u:hunter2", "does-not-exist.invalid", "x"), "sql.connect", "does-not-exist.invalid"},
		"denied":            {denied, egress.ErrorName, "--allow-host 127.0.0.1:1"},
		"always denied":     {at("u:hunter2", "169.254.169.254", "x"), egress.ErrorName, "always denied"},
		"TLS is not spoken": {at(testpg.User+":hunter2", server, pg.Name+"?sslmode=require"), "sql.connect", "TLS"},
	} {
		d := db{s, c.conn}
		_, err := d.query(t, `{"statement": "select 1"}`)
		wantError(t, name, err, c.want, c.text)
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestPostgresWays(t *testing.T) {
	t.Parallel()
	pg := testpg.Open(t)
	fields := func(more string) value.Value {
		v := value.MustParse(fmt.Sprintf(`{"user": %q, "password": %q, "database": %q, "port": %d}`, testpg.User, testpg.Password, pg.Name, pg.Port))
		for _, m := range value.MustParse(more).Members() {
			v = v.With(m.Key, m.Value)
		}
		return v
	}
	for name, f := range map[string]value.Value{
		"fields":        fields(`{"host": "127.0.0.1"}`),
		"by name":       fields(`{"host": "LocalHost"}`),
		"socket":        fields(fmt.Sprintf(`{"host": %q}`, pg.SocketDir)),
		"no encryption": fields(`{"host": "127.0.0.1", "sslmode": "disable"}`),
		"url":           value.Object(value.M("url", value.String(pg.DSN()))),
		"socket in url": value.Object(value.M("url", value.String(fmt.Sprintf("postgresql://%s:%s@:%d/%s?host=%s", testpg.User, testpg.Password, pg.Port, pg.Name, pg.SocketDir)))),
	} {
		d := db{newSQL(t), postgresConnection(t, f)}
		if got := d.one(t, "select current_database()"); got != `"`+pg.Name+`"` {
			t.Errorf("%s: %s", name, got)
		}
	}
	d := db{newSQL(t), postgresConnection(t, fields(`{"host": "127.0.0.1", "search_path": "one, two", "application_name": "eod"}`))}
	if got := d.one(t, "select current_setting('search_path') || '/' || current_setting('application_name')"); got != `"one, two/eod"` {
		t.Errorf("settings: %s", got)
	}
}

func TestPostgresHosts(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`{"host": "Ledger.example.org."}`:                                   "ledger.example.org:5432",
		`{"host": "10.0.0.1", "port": 6432}`:                                "10.0.0.1:6432",
		`{"host": "::1"}`:                                                   "[::1]:5432",
		`{"host": "/run/postgresql/"}`:                                      "unix:/run/postgresql/.s.PGSQL.5432",
		`{"url": "postgres://u:p%40@ledger.example.org/db"}`:                "ledger.example.org:5432",
		`{"url": "postgresql://[::1]:99/db?sslmode=verify-full"}`:           "[::1]:99",
		`{"url": "postgres:///db?host=/run/postgresql&application_name=x"}`: "unix:/run/postgresql/.s.PGSQL.5432",
		`{}`:                         "the host is missing",
		`{"host": "a,b"}`:            "one host",
		`{"url": "postgres:///db"}`:  "the host is missing",
		`{"url": "mysql://host/db"}`: "must begin with postgres://",
		`{"url": "postgres://u:hunter2@h/db?passfile=/etc/passwd"}`: "passfile is not supported",
		`{"url": "postgres://u:hunter2@h/db?sslmode=maybe"}`:        "sslmode: want",
		`{"url": "postgres://u:hunter2@h:0/db"}`:                    "port",
		`{"url": "postgres://u:hunter2@h:port/db"}`:                 "cannot be read",
		`{"url": "postgres://u:hunter2 is @h/%zz"}`:                 "cannot be read",
	} {
		got, err := sql.PostgresType().Hosts(value.MustParse(fields))
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, want) || strings.Contains(text, "hunter2") {
			t.Errorf("%s: %s, want %s", fields, text, want)
		}
	}
}

// The environment of the server has no influence on connections.
func TestPostgresIgnoresEnvironment(t *testing.T) {
	d := newPostgres(t)
	for name, v := range map[string]string{
		"PGHOST": "127.0.0.9", "PGPORT": "1", "PGUSER": "other", "PGPASSWORD": "other", "PGDATABASE": "other", "PGSSLMODE": "verify-full",
		"PGSSLROOTCERT": "/nowhere", "PGOPTIONS": "-c search_path=evil", "PGAPPNAME": "other", "PGTZ": "Europe/Amsterdam", "PGREQUIREAUTH": "none",
		"PGTARGETSESSIONATTRS": "standby", "PGSSLNEGOTIATION": "direct", "PGCONNECT_TIMEOUT": "1", "PGPASSFILE": "/nowhere",
	} {
		t.Setenv(name, v)
	}
	if got := d.one(t, "select current_setting('search_path') || ' ' || current_setting('application_name') || ' ' || current_setting('TimeZone')"); got != `"\"$user\", public regie UTC"` {
		t.Errorf("%s", got)
	}
}

// A connection serves several calls, and gives each its own notices.
func TestPostgresPool(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	first := d.one(t, "select pg_backend_pid()")
	again := d.one(t, "select pg_backend_pid()")
	if again != first {
		t.Errorf("backend %s, then %s", first, again)
	}
	log := &connectortest.Log{}
	call := d.call(t, `{"statement": "do $$ begin raise notice 'half way'; end $$"}`)
	call.Log = log.Add
	if _, err := d.Execute().Call(t.Context(), call); err != nil || !strings.Contains(log.String(), "NOTICE: half way") {
		t.Errorf("%v, log %s", err, log)
	}
}

// A procedure may commit by itself, and returns rows.
func TestPostgresCall(t *testing.T) {
	t.Parallel()
	d := newPostgres(t)
	d.must(t, "create table t (id integer)",
		"create procedure add(n integer, out total bigint) language plpgsql as $$ begin insert into t values (n); commit; insert into t values (n + 1); select count(*) into total from t; end $$")
	out, err := d.execute(t, `{"statement": "call add($1, null)", "args": [5]}`)
	if err != nil || out.Get("rows").String() != `[{"total":2}]` {
		t.Errorf("%s, %v", out, err)
	}
	d.must(t, "vacuum t") // which no transaction allows
}

// When the call's time is up the server stops, and says so: the outcome is
// known, and the connection is good for the next call. By name, since the
// rules know the server by its name only.
func TestPostgresCancel(t *testing.T) {
	t.Parallel()
	pg := testpg.Open(t)
	d := db{newSQL(t), postgresConnection(t, value.Object(value.M("url", value.String(strings.Replace(pg.DSN(), "127.0.0.1", "localhost", 1)))))}
	pid := d.one(t, "select pg_backend_pid()")
	d.must(t, "create table t (id integer)")
	for _, input := range []string{
		`{"statement": "insert into t select 1 from pg_sleep(60)"}`,
		`{"statements": [{"statement": "insert into t values (1)"}, {"statement": "select pg_sleep(60)"}]}`,
		`{"statement": "insert into t select 1 from pg_sleep(60)", "exactly_once": true}`,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		start := time.Now()
		_, err := d.Execute().Call(ctx, d.call(t, input))
		cancel()
		var e *connector.Error
		if !errors.As(err, &e) || e.Name != connector.Timeout || e.Unknown || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %+v after %s", input, err, time.Since(start))
		}
	}
	if got := d.one(t, "select count(*) from t"); got != "0" {
		t.Errorf("%s rows, want none", got)
	}
	if got := d.one(t, "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' and pid <> pg_backend_pid()"); got != "0" {
		t.Errorf("%s statements still run", got)
	}
	if got := d.one(t, "select pg_backend_pid()"); got != pid {
		t.Errorf("backend %s, then %s", pid, got)
	}
}

func TestSocketIsDeniedUnlessNamed(t *testing.T) {
	t.Parallel()
	pg := testpg.Open(t)
	d := db{newSQL(t), postgresConnection(t, value.MustParse(fmt.Sprintf(`{"host": %q, "port": %d, "user": "x"}`, pg.SocketDir, pg.Port)))}
	d.conn.AllowHosts = nil
	_, err := d.query(t, `{"statement": "select 1"}`)
	wantError(t, "socket", err, egress.ErrorName, filepath.Base(pg.SocketPath()))
}
