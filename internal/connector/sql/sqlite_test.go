package sql_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/value"
)

// What comes back for which value, and what parameters become.
func TestSQLiteValues(t *testing.T) {
	t.Parallel()
	d := newSQLite(t)
	d.must(t, "create table t (yes boolean, no bool, two boolean, j json, bad json, n numeric, txt text)")
	for expression, want := range map[string]string{
		"null":                     `null`,
		"9223372036854775807":      `9223372036854775807`,
		"1.5":                      `1.5`,
		"2.0":                      `2.0`,
		"9e999":                    `"Infinity"`,
		"'é\"'":                    `"é\""`,
		"x'00ff'":                  `"AP8="`,
		"x''":                      `""`,
		"cast(x'ff41' as text)":    `"` + "\ufffd" + `A"`,
		"1 = 1":                    `1`,
		"json_array(1, 'x')":       `"[1,\"x\"]"`,
		"json_extract($1, '$[1]')": `"x"`,
	} {
		input := value.Object(value.M("statement", value.String("select "+expression)))
		if strings.Contains(expression, "$1") {
			input = input.With("args", value.MustParse(`[[1, "x"]]`))
		}
		out, err := d.query(t, input.String())
		if err != nil || out.Get("rows").At(0).Members()[0].Value.String() != want {
			t.Errorf("%s: %s, %v, want %s", expression, out.Get("rows"), err, want)
		}
	}
	out, err := d.execute(t, `{"statement": "insert into t values ($2, $3, 2, $4, 'no json', $5, $1)", "args": ["12.50", true, false, {"b": [12345678901234567890]}, 12345678901234567890]}`)
	if err != nil || out.Get("rows_affected").String() != "1" {
		t.Fatalf("%s, %v", out, err)
	}
	out, err = d.query(t, `{"statement": "select yes, no, two, j, bad, n, txt, typeof(txt) as kind from t"}`)
	want := `[{"yes":true,"no":false,"two":2,"j":{"b":[12345678901234567890]},"bad":"no json","n":12345678901234567000.0,"txt":"12.50","kind":"text"}]`
	if err != nil || out.Get("rows").String() != want {
		t.Errorf("%s, %v", out.Get("rows"), err)
	}
	for statement, want := range map[string]string{
		"select $2, $1, $2":  `["b","a","b"]`,
		"select ?, ?":        `["a","b"]`,
		"select ?2, ?1":      `["b","a"]`,
		"select :a, $1":      "not :a",
		"select @a, $1":      "not @a",
		"select $name, $1":   "not $name",
		"select $0, $1":      "not $0",
		"select $1, $3":      "a parameter $3",
		"select $1":          "does not use $2",
		"select '$1', '$2'":  "does not use $1",
		"select $1, $2 -- ;": `["a","b"]`,
		"select $1, $2; -- ": `["a","b"]`,
		"select $1, $2; x":   "more than one statement",
	} {
		out, err := d.query(t, value.Object(value.M("statement", value.String(statement)), value.M("args", value.MustParse(`["a", "b"]`))).String())
		if err != nil {
			wantError(t, statement, err, connector.InvalidInput, want)
			continue
		}
		var got []value.Value
		for _, m := range out.Get("rows").At(0).Members() {
			got = append(got, m.Value)
		}
		if value.List(got...).String() != want {
			t.Errorf("%s: %s, want %s", statement, value.List(got...), want)
		}
	}
}

func TestSQLiteErrors(t *testing.T) {
	t.Parallel()
	d := newSQLite(t)
	d.must(t, "create table p (id integer primary key)", "create table t (id integer primary key, p integer references p, n integer not null)",
		"insert into p values (1)", "insert into t values (1, 1, 1)")
	for statement, want := range map[string]string{
		"insert into t values (1, 1, 1)":                         "sql.constraint UNIQUE",
		"insert into t values (2, 1, null)":                      "sql.constraint NOT NULL",
		"insert into t values (2, 9, 1)":                         "sql.constraint FOREIGN KEY",
		"insert into no_such values (1)":                         "sql.error no such table",
		"selec 1":                                                "sql.error syntax error",
		"vacuum into 'copy.db'":                                  "sql.not_allowed ",
		"vacuum /* x */ INTO 'copy.db'":                          "sql.not_allowed ",
		"pragma temp_store_directory = '/tmp'":                   "sql.not_allowed ",
		"with x as (select 1) select load_extension('x') from x": "sql.error no such function",
		"select writefile('x', 'y')":                             "sql.error no such function",
	} {
		_, err := d.execute(t, value.Object(value.M("statement", value.String(statement))).String())
		name, text, _ := strings.Cut(want, " ")
		wantError(t, statement, err, name, text)
		var e *connector.Error
		if errors.As(err, &e) && e.Unknown {
			t.Errorf("%s: the outcome is unknown", statement)
		}
	}
	d.must(t, "vacuum", "pragma journal_mode = wal")
}

// A statement that asks for more memory than a connection has fails, with all
// that its transaction did, and Regie goes on.
func TestSQLiteMemory(t *testing.T) {
	t.Parallel()
	d := newSQLite(t)
	d.must(t, "create table t (a)", "insert into t values (1)")
	const glutton = "randomblob(1000000000)"
	for what, call := range map[string]func() (value.Value, error){
		"query":   func() (value.Value, error) { return d.query(t, `{"statement": "select `+glutton+`"}`) },
		"text":    func() (value.Value, error) { return d.query(t, `{"statement": "select printf('%900000000d', 1)"}`) },
		"execute": func() (value.Value, error) { return d.execute(t, `{"statement": "update t set a = `+glutton+`"}`) },
		"several": func() (value.Value, error) {
			return d.execute(t, `{"statements": [{"statement": "delete from t"}, {"statement": "insert into t values (`+glutton+`)"}]}`)
		},
	} {
		_, err := call()
		wantError(t, what, err, "sql.out_of_memory", "more memory than a connection may have")
		var e *connector.Error
		if errors.As(err, &e) && e.Unknown {
			t.Errorf("%s: the outcome is unknown", what)
		}
		if got := d.one(t, "select count(*) || ' ' || max(a) from t"); got != `"1 1"` {
			t.Errorf("%s: the table has %s afterwards", what, got)
		}
	}
}

// Files are reached in allowed folders only.
func TestSQLitePath(t *testing.T) {
	t.Parallel()
	allowed, other := t.TempDir(), t.TempDir()
	for _, dir := range []string{filepath.Join(allowed, "sub"), filepath.Join(allowed, "dir.db"), allowed + "-sibling"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	outside := filepath.Join(other, "outside.db")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(allowed, "text.db"), []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"out.db": outside, "outdir": other, "dangling.db": filepath.Join(other, "none.db"), "within.db": "real.db", "alias": "sub"} {
		if err := os.Symlink(to, filepath.Join(allowed, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := newSQL(t, allowed, filepath.Join(allowed, "no-such-folder"))
	db{s, sqliteAt("real.db", "")}.must(t, "create table t (id integer)")
	const denied, ok = "invalid_connection", ""
	for path, want := range map[string]string{
		"new.db":                         ok,
		"sub/new.db":                     ok,
		"sub/../other.db":                ok,
		"within.db":                      ok,
		"alias/x.db":                     ok,
		"sp ace?mode=memory#é%41.db":     ok,
		filepath.Join(allowed, "abs.db"): ok,
		":memory:":                       ok, // a file of this name
		"file:x.db?mode=memory":          ok, // likewise
		"text.db":                        "sql.not_a_database",
		"../x.db":                        denied,
		"sub/../../x.db":                 denied,
		outside:                          denied,
		filepath.Join(allowed+"-sibling", "x.db"): denied,
		"/etc/passwd":    denied,
		"/proc/self/mem": denied,
		"out.db":         denied,
		"outdir/x.db":    denied,
		"dangling.db":    denied,
		"dir.db":         denied,
		"missing/x.db":   denied,
		"real.db/x.db":   denied,
		".":              denied,
		"":               denied,
	} {
		_, err := db{s, sqliteAt(path, "")}.execute(t, `{"statement": "create table if not exists u (id integer)"}`)
		if got := codeOf(err); err == nil && want != ok || err != nil && got != want {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
	if entries, err := os.ReadDir(other); err != nil || len(entries) != 1 {
		t.Errorf("files outside: %v, %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(allowed, ":memory:")); err != nil {
		t.Error(err)
	}
	_, err := db{newSQL(t), sqliteAt("x.db", "")}.execute(t, `{"statement": "select 1"}`)
	wantError(t, "no folder", err, denied, "no folder is allowed")
}

func sqliteAt(path, more string) *connector.Connection {
	fields := value.Object(value.M("path", value.String(path)))
	for _, m := range value.MustParse("{" + more + "}").Members() {
		fields = fields.With(m.Key, m.Value)
	}
	return &connector.Connection{Name: "ledger", Type: "sqlite", Fields: fields}
}

func TestSQLiteModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSQL(t, dir)
	_, err := db{s, sqliteAt("a.db", "")}.query(t, `{"statement": "select 1 from sqlite_master"}`)
	wantError(t, "query without a file", err, "sql.connect", "there is no file")
	_, err = db{s, sqliteAt("a.db", `"create": false`)}.execute(t, `{"statement": "create table t (id integer)"}`)
	wantError(t, "not to be created", err, "sql.connect", "there is no file")
	_, err = db{s, sqliteAt("a.db", `"read_only": true`)}.execute(t, `{"statement": "create table t (id integer)"}`)
	wantError(t, "read only, without a file", err, "sql.connect", "there is no file")
	db{s, sqliteAt("a.db", "")}.must(t, "create table t (id integer)")
	_, err = db{s, sqliteAt("a.db", `"read_only": true`)}.execute(t, `{"statement": "insert into t values (1)"}`)
	wantError(t, "read only", err, "sql.readonly", "")
	if got := (db{s, sqliteAt("a.db", `"read_only": true`)}).one(t, "select count(*) from t"); got != "0" {
		t.Errorf("%s rows", got)
	}
}

// Who cannot write because another does waits, at most as long as the
// connection says or the call may take.
func TestSQLiteBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSQL(t, dir)
	db{s, sqliteAt("a.db", "")}.must(t, "create table t (id integer)")
	other, err := sqlite3.Open(filepath.Join(dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.BeginImmediate()
	if err != nil {
		t.Fatal(err)
	}
	const insert = `{"statement": "insert into t values (1)"}`
	_, err = db{s, sqliteAt("a.db", `"busy_timeout": "50ms"`)}.execute(t, insert)
	wantError(t, "busy", err, "sql.busy", "")
	patient := db{s, sqliteAt("a.db", `"busy_timeout": "1m"`)}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = patient.Execute().Call(ctx, patient.call(t, insert))
	wantError(t, "time is up while waiting", err, connector.Timeout, "")
	done := make(chan error, 1)
	go func() {
		_, err := patient.execute(t, insert)
		done <- err
	}()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the other has ended: %v", err)
	}
	if got := patient.one(t, "select count(*) from t"); got != "1" {
		t.Errorf("%s rows, want 1", got)
	}
}

// A call that is stopped changes nothing.
func TestSQLiteCancel(t *testing.T) {
	t.Parallel()
	d := newSQLite(t)
	d.must(t, "create table t (id integer)")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	const endless = `{"statements": [{"statement": "insert into t values (1)"}, {"statement": "with recursive c(n) as (select 1 union all select n + 1 from c) insert into t select count(*) from c"}]}`
	_, err := d.Execute().Call(ctx, d.call(t, endless))
	wantError(t, "endless", err, connector.Timeout, "")
	if got := d.one(t, "select count(*) from t"); got != "0" {
		t.Errorf("%s rows, want none", got)
	}
}
