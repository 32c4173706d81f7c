package sql_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/testpg"
	"github.com/regie-dev/regie/internal/value"
)

// proxy stands between the connector and the server and may cut connections.
type proxy struct {
	address string
	// cut decides on what the client sends: whether the connection is cut
	// before the server gets it, or after it has answered.
	cut func(sent []byte) cut
	wg  sync.WaitGroup
}

type cut int

const (
	pass cut = iota
	before
	after
)

func newProxy(t *testing.T, server string, decide func(sent []byte) cut) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String(), cut: decide}
	t.Cleanup(func() { _ = l.Close(); p.wg.Wait() })
	p.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(client, server) })
		}
	})
	return p
}

func (p *proxy) serve(client net.Conn, server string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer upstream.Close()
	var mute atomic.Bool
	answered := make(chan struct{})
	p.wg.Go(func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := upstream.Read(buf)
			if err != nil {
				return
			}
			if mute.Load() {
				close(answered)
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		switch p.cut(buf[:n]) {
		case before:
			return
		case after:
			mute.Store(true)
			_, _ = upstream.Write(buf[:n])
			<-answered
			return
		case pass:
			if _, err := upstream.Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

// throughProxy returns a database that is reached through a proxy, beside the
// direct way to it.
func throughProxy(t *testing.T, decide func(sent []byte) cut) (through, direct db) {
	t.Helper()
	pg := testpg.Open(t)
	p := newProxy(t, fmt.Sprintf("127.0.0.1:%d", pg.Port), decide)
	u := mustURL(t, pg.DSN())
	direct = db{newSQL(t), postgresConnection(t, value.Object(value.M("url", value.String(u.String()))))}
	u.Host = p.address
	through = db{newSQL(t), postgresConnection(t, value.Object(value.M("url", value.String(u.String()))))}
	return through, direct
}

// once cuts the first time that the text is sent.
func once(text string, how cut) func([]byte) cut {
	var done atomic.Bool
	return func(sent []byte) cut {
		if bytes.Contains(sent, []byte(text)) && done.CompareAndSwap(false, true) {
			return how
		}
		return pass
	}
}

// What it means that the connection breaks depends on what was under way; with
// exactly_once the ledger settles it.
func TestPostgresConnectionLost(t *testing.T) {
	t.Parallel()
	const insert, commit = "insert into t values", "commit\x00"
	const single = `{"statement": "insert into t values (1)"%s}`
	const several = `{"statements": [{"statement": "insert into t values (1)"}]%s}`
	for _, c := range []struct {
		name, input, at string
		how             cut
		want            string // error, "unknown", or "" for success
		rows            string
	}{
		// An insert by itself takes effect when the server has it: nobody knows.
		{"alone, after", fmt.Sprintf(single, ""), "\x45\x00\x00\x00\x09\x00\x00\x00\x00\x00", after, "unknown", "1"},
		{"alone, before", fmt.Sprintf(single, ""), "\x45\x00\x00\x00\x09\x00\x00\x00\x00\x00", before, "unknown", "0"},
		{"alone, while it is prepared", fmt.Sprintf(single, ""), insert, before, "sql.connection_lost", "0"},
		// In a transaction nothing has happened before the commit.
		{"transaction, at the insert", fmt.Sprintf(several, ""), insert, after, "sql.connection_lost", "0"},
		{"transaction, before the commit", fmt.Sprintf(several, ""), commit, before, "unknown", "0"},
		{"transaction, after the commit", fmt.Sprintf(several, ""), commit, after, "unknown", "1"},
		{"once, at the insert", fmt.Sprintf(several, `, "exactly_once": true`), insert, after, "sql.connection_lost", "0"},
		{"once, before the commit", fmt.Sprintf(several, `, "exactly_once": true`), commit, before, "", "1"},
		{"once, after the commit", fmt.Sprintf(several, `, "exactly_once": true`), commit, after, "", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			decide := once(c.at, c.how)
			through, direct := throughProxy(t, func(sent []byte) cut {
				if !armed.Load() {
					return pass
				}
				return decide(sent)
			})
			direct.must(t, "create table t (n integer)")
			if _, err := direct.execute(t, `{"statement": "select 1", "exactly_once": true}`); err != nil { // makes the ledger
				t.Fatal(err)
			}
			armed.Store(true)
			call := through.call(t, c.input)
			call.IdempotencyKey = "key-2"
			_, err := through.Execute().Call(withTimeout(t), call)
			got := ""
			var e *connector.Error
			if errors.As(err, &e) {
				got = e.Name
				if e.Unknown {
					got = "unknown"
				}
			}
			if got != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if rows := direct.one(t, "select count(*) from t"); rows != c.rows {
				t.Errorf("%s rows, want %s", rows, c.rows)
			}
			// Whatever happened, another attempt with the ledger has the
			// effect once in all.
			if strings.Contains(c.input, "exactly_once") {
				for range 2 {
					if _, err := through.Execute().Call(withTimeout(t), call); err != nil {
						t.Errorf("another attempt: %v", err)
					}
				}
				if rows := direct.one(t, "select count(*) from t"); rows != "1" {
					t.Errorf("%s rows after another attempt, want 1", rows)
				}
			}
		})
	}
}

// When every commit is cut, the error says that it is safe to try again, and
// does not count as an unknown outcome.
func TestExactlyOnceGivesUp(t *testing.T) {
	t.Parallel()
	var armed atomic.Bool
	through, direct := throughProxy(t, func(sent []byte) cut {
		if armed.Load() && bytes.Contains(sent, []byte("commit\x00")) {
			return before
		}
		return pass
	})
	direct.must(t, "create table t (n integer)")
	if _, err := direct.execute(t, `{"statement": "select 1", "exactly_once": true}`); err != nil {
		t.Fatal(err)
	}
	armed.Store(true)
	call := through.call(t, `{"statement": "insert into t values (1)", "exactly_once": true}`)
	call.IdempotencyKey = "key-2"
	_, err := through.Execute().Call(withTimeout(t), call)
	wantError(t, "all commits cut", err, "sql.connection_lost", "safe to try again")
	var e *connector.Error
	if errors.As(err, &e) && e.Unknown {
		t.Error("the outcome counts as unknown")
	}
	armed.Store(false)
	if _, err := through.Execute().Call(withTimeout(t), call); err != nil {
		t.Error(err)
	}
	if rows := direct.one(t, "select count(*) from t"); rows != "1" {
		t.Errorf("%s rows, want 1", rows)
	}
}
