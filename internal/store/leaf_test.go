package store_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// The bytes of each kind of item, put together by hand: a change here breaks
// every log that exists.
func TestItemBytesAreAsDocumented(t *testing.T) {
	t.Parallel()
	u64 := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	str := func(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }
	micro := func(t time.Time) string { return u64(uint64(t.UnixMicro())) }
	none := u64(1 << 63)
	item := func(kind byte, fields ...string) audit.Hash {
		data := []byte("\x00regie/item/1\x00" + string(kind))
		for _, f := range fields {
			data = append(data, f...)
		}
		return sha256.Sum256(data)
	}
	hash := [32]byte{1, 2}
	salt := [audit.SaltSize]byte{3, 4}
	fine := at.Add(1500 * time.Nanosecond)
	b := &store.Batch{
		Sequence: 9, Incarnation: 2, At: fine,
		Programs: []store.Program{{Hash: hash}},
		Runs: []store.RunRow{{
			ID: "r", Namespace: "ns", Workflow: "w", Program: hash, State: "running", Reason: "why",
			BusinessDate: "2026-11-23", AcceptedAt: fine, Batch: 5, Events: 77,
			Actor: "user/ada", Trigger: "manual", Held: true, Attempts: 258, Due: at,
		}, {ID: "s", State: "queued"}},
		Keys: []store.Key{
			{Namespace: "ns", Key: "k", Run: "r", BodyHash: hash, Expires: at},
			{Namespace: "ns", Key: "l", Run: "r", BodyHash: hash},
		},
		SetTimers:   []store.Timer{{TimerID: store.TimerID{Run: "r", ID: 5}, At: fine}},
		ClearTimers: []store.TimerID{{Run: "r", ID: 6}},
		Erase:       []store.RunID{"q"},
		Forget:      []store.EntryID{{Batch: 4, Position: 259}},
		Objects: []store.Object{
			{ObjectID: store.ObjectID{Kind: "user", Namespace: "ns", Name: "ada"}, Revision: 3, Data: []byte("{}"), Batch: 8},
			{ObjectID: store.ObjectID{Kind: "token", Name: "t"}, Revision: 4, Deleted: true},
		},
		Entries: []store.Entry{
			{ID: store.EntryID{Batch: 1}, Actor: "user/ada", Via: "session", Action: "run.start", Namespace: "ns", Object: "run/r",
				Outcome: "done", Reason: "why", Request: "req", Detail: []byte("{}"), Forgotten: 9},
			{Actor: "system/schedule", Action: "tick", Outcome: "failed"},
		},
	}
	salts := store.Salts{
		Keys: [][audit.SaltSize]byte{salt, salt}, Objects: [][audit.SaltSize]byte{salt, {5}}, Entries: [][audit.SaltSize]byte{salt, {6}},
	}
	salted := func(n byte) string { return string([]byte{n, 15: 0}) }
	want := []audit.Hash{
		item(1, string(hash[:])),
		item(2, str("r"), str("ns"), str("w"), string(hash[:]), str("running"), str("why"), str("2026-11-23"), micro(at.Add(time.Microsecond)), none, none,
			str("user/ada"), str("manual"), "\x01", "\x00\x00\x01\x02", micro(at)),
		item(2, str("s"), str(""), str(""), string(make([]byte, 32)), str("queued"), str(""), str(""), none, none, none,
			str(""), str(""), "\x00", "\x00\x00\x00\x00", none),
		item(3, string(salt[:]), str("ns"), str("k"), str("r"), string(hash[:]), micro(at)),
		item(3, string(salt[:]), str("ns"), str("l"), str("r"), string(hash[:]), none),
		item(4, str("r"), u64(5), micro(at.Add(2*time.Microsecond))),
		item(5, str("r"), u64(6)),
		item(6, str("q")),
		item(7, u64(4), "\x00\x00\x01\x03"),
		item(8, string(salt[:]), str("user"), str("ns"), str("ada"), u64(3), "\x00", str("{}")),
		item(8, salted(5), str("token"), str(""), str("t"), u64(4), "\x01", str("")),
		item(9, string(salt[:]), str("user/ada"), str("session"), str("run.start"), str("ns"), str("run/r"), str("done"), str("why"), str("req"), str("{}")),
		item(9, salted(6), str("system/schedule"), str(""), str("tick"), str(""), str(""), str("failed"), str(""), str(""), str("")),
	}
	got := b.ItemHashes(salts)
	if len(got) != len(want) {
		t.Fatalf("%d items, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("item %d: got %x, want %x", i, got[i], want[i])
		}
	}
	records := []audit.Hash{{7}}
	leaf := audit.Leaf{
		Sequence: 9, Incarnation: 2, At: at.Add(time.Microsecond), Records: 1, Items: 13, Objects: 2, Entries: 2,
		Root: audit.Root(slices.Concat(records, want)),
	}
	if got := b.Leaf(records, want); got != leaf {
		t.Errorf("leaf: got %+v, want %+v", got, leaf)
	}
}
