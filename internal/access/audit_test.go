package access_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/store"
)

func TestEntries(t *testing.T) {
	t.Parallel()
	id := access.Identity{User: "ada", Via: "token/x", Request: "r1", Remote: netip.MustParseAddr("192.0.2.1")}
	act := access.Act{Action: "payload.read", Namespace: "risk", Object: "run/7", Reason: "why", Detail: map[string]any{"step": "a"}}
	want := store.Entry{
		Actor: "user/ada", Via: "token/x", Action: "payload.read", Namespace: "risk", Object: "run/7",
		Outcome: "done", Reason: "why", Request: "r1", Detail: []byte(`{"remote":"192.0.2.1","step":"a"}`),
	}
	if got := id.Done(act); cmp.Diff(want, got) != "" {
		t.Error(cmp.Diff(want, got))
	}
	if len(act.Detail) != 1 {
		t.Error("the caller's detail was changed")
	}
	if got := access.System("x").Done(access.Act{Action: "a"}); got.Actor != "system/x" || got.Detail != nil {
		t.Errorf("%+v", got)
	}
	if got := (access.Identity{}).Done(access.Act{Action: "a"}); got.Actor != "anonymous" {
		t.Errorf("%+v", got)
	}
}

// TestEntriesOfAnything: whatever callers put into a request, the store takes the
// entry.
func TestEntriesOfAnything(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\x00", "a\xffb", "a line\nand more", strings.Repeat("ä", 1<<20), strings.Repeat("\xff", 1<<20), "\x1b[2J"} {
		id := access.Identity{User: "ada", Request: text}
		e := id.Done(access.Act{
			Action: "x" + text, Namespace: text, Object: text, Reason: text, Detail: map[string]any{"text": text},
		})
		b := store.Batch{Sequence: 1, Incarnation: 1, At: start, Entries: []store.Entry{e}}
		if err := b.Check(); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
		if !json.Valid(e.Detail) || len(e.Object) > 310 || strings.ContainsAny(e.Object, "\x00\n\x1b") {
			t.Errorf("%.20q: %.100s %.100s", text, e.Object, e.Detail)
		}
	}
	e := (access.Identity{}).Done(access.Act{Action: "x", Detail: map[string]any{"f": func() {}}})
	if !json.Valid(e.Detail) {
		t.Errorf("%s", e.Detail)
	}
}

// TestDenialsAreBounded: an attacker cannot fill the disk with refusals, and
// does not hide those of others.
func TestDenialsAreBounded(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"ada": "viewer@*"})
	before := len(p.disk.record())
	ada := access.Identity{User: "ada"}
	deny := func(id access.Identity, times int) {
		t.Helper()
		for i := range times {
			if err := p.Denied(t.Context(), id, access.Act{Action: "run.start", Object: fmt.Sprintf("workflow/%d", i)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	count := func(actor string) (n int) {
		for _, line := range p.disk.record()[before:] {
			if strings.HasPrefix(line, actor+" ") {
				n++
			}
		}
		return n
	}
	expect := func(what string, anonymous, user int) {
		t.Helper()
		if a, u := count("anonymous"), count("user/ada"); a != anonymous || u != user {
			t.Errorf("%s: %d and %d entries, want %d and %d", what, a, u, anonymous, user)
		}
	}
	deny(access.Identity{}, 1000)
	deny(ada, 3)
	expect("at first", access.DenialsPerMinute, 3)
	if err := p.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("within the minute", access.DenialsPerMinute, 3)
	p.advance(time.Minute)
	p.disk.fault = errors.New("full")
	if err := p.Tick(t.Context()); err == nil {
		t.Error("a tick that failed says nothing")
	}
	p.disk.fault = nil
	expect("after a failure", access.DenialsPerMinute, 3)
	if err := p.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("after the minute", access.DenialsPerMinute+1, 3)
	p.disk.mu.Lock()
	last := p.disk.entries[len(p.disk.entries)-1]
	p.disk.mu.Unlock()
	if last.Reason != "990 more were refused within a minute" || string(last.Detail) != `{"count":990,"since":"2030-03-01T09:00:00Z"}` {
		t.Errorf("%s %s", last.Reason, last.Detail)
	}
	deny(access.Identity{}, access.DenialsPerMinute+5)
	expect("again", 2*access.DenialsPerMinute+1, 3)
	p.advance(time.Hour)
	deny(access.Identity{}, 1) // brings the count of the hour before
	expect("without a tick", 2*access.DenialsPerMinute+3, 3)
	deny(access.Identity{}, access.DenialsPerMinute)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect("at the end", 3*access.DenialsPerMinute+3, 3)
}

// TestLastUse: it is written now and then, at the end, and not else.
func TestLastUse(t *testing.T) {
	t.Parallel()
	p := installed(t, map[string]string{"root": "admin@*", "ada": "viewer@*"})
	made, token := p.token(access.NewToken{User: "ada"})
	session := p.login("ada")
	tick := func() uint64 {
		t.Helper()
		before := p.disk.batch
		if err := p.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		return p.disk.batch - before
	}
	lastUsed := func() time.Time {
		t.Helper()
		all, err := p.Tokens(access.Identity{User: "ada"}, "")
		if err != nil || len(all) != 1 || all[0].ID != made.ID {
			t.Fatal(all, err)
		}
		return all[0].LastUsedAt
	}
	tick() // sessions of the helpers
	if !lastUsed().IsZero() || tick() != 0 {
		t.Error("used before it was used")
	}
	p.who(token)
	if wrote := tick(); wrote != 1 || !lastUsed().Equal(start) {
		t.Errorf("first use: %d batches, %s", wrote, lastUsed())
	}
	p.advance(access.LastSeenWritten - time.Second)
	p.who(token)
	p.who(session)
	if wrote := tick(); wrote != 0 {
		t.Errorf("too soon: %d batches", wrote)
	}
	p.advance(time.Second)
	p.who(session)
	if wrote := tick(); wrote != 1 {
		t.Errorf("session: %d batches", wrote)
	}
	p.advance(access.LastUseWritten - access.LastSeenWritten)
	p.who(token)
	p.who(session)
	if wrote := tick(); wrote != 1 || !lastUsed().Equal(p.time()) {
		t.Errorf("token: %d batches, %s", wrote, lastUsed())
	}
	p.advance(time.Minute)
	p.who(token)
	p.who(session)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := p.Remembered(); got != 0 {
		t.Errorf("%d last uses are still in memory", got)
	}
	p.open(2)
	if !lastUsed().Equal(p.time()) {
		t.Errorf("after a restart: %s", lastUsed())
	}
	p.advance(access.SessionIdle)
	if tick() != 1 || p.disk.sessions() != 0 {
		t.Errorf("%d sessions are left", p.disk.sessions())
	}
}
