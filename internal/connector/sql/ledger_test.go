package sql_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/testpg"
	"github.com/regie-dev/regie/internal/value"
)

// exactly returns the outputs of attempts of the same step, one after another.
func (d db) exactly(t *testing.T, statement string, fences ...connector.Fence) (outputs []string) {
	t.Helper()
	for i, fence := range fences {
		call := d.call(t, fmt.Sprintf(`{"statement": %q, "exactly_once": true}`, statement))
		call.Attempt, call.Fence = i+1, fence
		result, err := d.Execute().Call(t.Context(), call)
		text := result.Output.String()
		if err != nil {
			text = codeOf(err)
		}
		outputs = append(outputs, text)
	}
	return outputs
}

// An effect happens once however many attempts there are; later ones get the
// first one's result.
func TestExactlyOnce(t *testing.T) {
	t.Parallel()
	const first = `{"rows_affected":1,"rows":[{"n":10}],"columns":["n"],"row_count":1,"truncated":false,"replayed":false}`
	again := strings.Replace(first, `"replayed":false`, `"replayed":true`, 1)
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (n integer)", "insert into t values (0)")
			const add = "update t set n = n + 10 returning n"
			got := d.exactly(t, add, connector.Fence{Incarnation: 2, Sequence: 5}, connector.Fence{Incarnation: 2, Sequence: 6},
				connector.Fence{Incarnation: 3, Sequence: 1}, connector.Fence{Incarnation: 2, Sequence: 5},
				connector.Fence{Incarnation: 2, Sequence: 4}, connector.Fence{Incarnation: 1, Sequence: 9})
			want := []string{first, again, again, again, "sql.fenced", "sql.fenced"}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s", strings.Join(got, "\n"))
			}
			if n := d.one(t, "select n from t"); n != "10" {
				t.Errorf("n is %s, want 10", n)
			}
			// Another step has another key, another effect.
			call := d.call(t, `{"statement": "update t set n = n + 1", "exactly_once": true}`)
			call.IdempotencyKey = "key-2"
			if result, err := d.Execute().Call(t.Context(), call); err != nil || result.Output.Get("replayed").String() != "false" {
				t.Errorf("another key: %s, %v", result.Output, err)
			}
			if n := d.one(t, "select n from t"); n != "11" {
				t.Errorf("n is %s, want 11", n)
			}
			rows, err := d.query(t, `{"statement": "select run, step, attempt, incarnation, sequence from regie_effects where key = 'key-1'"}`)
			if err != nil || rows.Get("rows").String() != `[{"run":"r-1","step":"step","attempt":1,"incarnation":2,"sequence":5}]` {
				t.Errorf("ledger: %s, %v", rows, err)
			}
		})
	}
}

// A failed attempt leaves neither effect nor key.
func TestExactlyOnceAfterFailure(t *testing.T) {
	t.Parallel()
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (id integer primary key)", "insert into t values (1)")
			input := `{"statements": [{"statement": "insert into t values (2)"}, {"statement": "insert into t values (1)"}], "exactly_once": true}`
			if _, err := d.execute(t, input); err == nil {
				t.Fatal("no error")
			}
			d.must(t, "delete from t where id = 1")
			out, err := d.execute(t, input)
			if err != nil || out.Get("rows_affected").String() != "2" || out.Get("replayed").String() != "false" || out.Get("results").Len() != 2 {
				t.Errorf("%s, %v", out, err)
			}
			if out, err := d.execute(t, input); err != nil || out.Get("replayed").String() != "true" || out.Get("results").Len() != 2 {
				t.Errorf("again: %s, %v", out, err)
			}
			if n := d.one(t, "select count(*) from t"); n != "2" {
				t.Errorf("%s rows, want 2", n)
			}
		})
	}
}

// Attempts of the same step at the same time have one effect between them, and
// create the ledger once.
func TestExactlyOnceConcurrently(t *testing.T) {
	t.Parallel()
	const attempts = 8
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.must(t, "create table t (n integer)", "insert into t values (0)")
			var wg sync.WaitGroup
			replayed := make([]string, attempts)
			for i := range attempts {
				call := d.call(t, `{"statement": "update t set n = n + 1 returning n", "exactly_once": true}`)
				call.Attempt = i + 1
				wg.Go(func() {
					result, err := d.Execute().Call(t.Context(), call)
					if err != nil || result.Output.Get("rows").String() != `[{"n":1}]` {
						t.Errorf("attempt %d: %s, %v", call.Attempt, result.Output, err)
					}
					replayed[i] = result.Output.Get("replayed").String()
				})
			}
			wg.Wait()
			if n := strings.Count(strings.Join(replayed, " "), "false"); n != 1 {
				t.Errorf("%d of %d had the effect: %v", n, attempts, replayed)
			}
			if n := d.one(t, "select n from t"); n != "1" {
				t.Errorf("n is %s, want 1", n)
			}
		})
	}
}

// A key is needed for an effect to be found again.
func TestExactlyOnceNeedsKey(t *testing.T) {
	t.Parallel()
	d := newSQLite(t)
	call := d.call(t, `{"statement": "create table t (id integer)", "exactly_once": true}`)
	call.IdempotencyKey = ""
	if _, err := d.Execute().Call(t.Context(), call); err == nil || !strings.Contains(err.Error(), "idempotency key") {
		t.Errorf("%v", err)
	}
}

// Who may not create the ledger is told what to create and grant.
func TestLedgerWithoutRights(t *testing.T) {
	t.Parallel()
	pg := testpg.Open(t)
	owner := db{newSQL(t), postgresConnection(t, value.Object(value.M("url", value.String(pg.DSN()))))}
	owner.must(t, "revoke create on schema public from public", "create table t (n integer)",
		"create role "+pg.Name+"_app login password 'app'", "grant all on t to "+pg.Name+"_app")
	t.Cleanup(func() {
		background := connectortest.Call(t, `{"connection": "ledger", "statements": [{"statement": "drop owned by `+pg.Name+`_app"}, {"statement": "drop role `+pg.Name+`_app"}]}`)
		background.Connection = owner.conn
		if _, err := owner.Execute().Call(context.Background(), background); err != nil {
			t.Errorf("drop role: %v", err)
		}
	})
	u := mustURL(t, pg.DSN())
	app := db{newSQL(t), postgresConnection(t, value.Object(value.M("url", value.String(
		fmt.Sprintf("postgres://%s_app:app@%s/%s", pg.Name, u.Host, pg.Name)))))}
	const input = `{"statement": "insert into t values (1)", "exactly_once": true}`
	_, err := app.execute(t, input)
	wantError(t, "without the table", err, "sql.42501", "create table if not exists regie_effects")
	_, message, _ := strings.Cut(err.Error(), "somebody has to create: ")
	ddl, grant, ok := strings.Cut(message, "; ")
	if !ok {
		t.Fatalf("no statements in %q", message)
	}
	owner.must(t, ddl, strings.Replace(grant, "the_user", pg.Name+"_app", 1))
	for range 2 {
		if _, err := app.execute(t, input); err != nil {
			t.Error(err)
		}
	}
	if rows := owner.one(t, "select count(*) from t"); rows != "1" {
		t.Errorf("%s rows, want 1", rows)
	}
}
