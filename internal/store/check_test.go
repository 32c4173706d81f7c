package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

var at = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)

// valid is a batch with one of everything.
func valid() *store.Batch {
	data := []byte("program")
	return &store.Batch{
		Sequence: 2, Incarnation: 1, At: at,
		Programs:    []store.Program{{Hash: sha256.Sum256(data), Data: data}},
		Runs:        []store.RunRow{{ID: "run-1", Namespace: "default", Workflow: "w", State: "running", AcceptedAt: at}},
		Records:     []store.Record{{Run: "run-1", First: 1, Count: 2, Control: []byte("c"), Payload: []byte("p")}},
		Keys:        []store.Key{{Namespace: "default", Key: "order 7", Run: "run-1", Expires: at.Add(time.Hour)}},
		SetTimers:   []store.Timer{{TimerID: store.TimerID{Run: "run-1", ID: 1}, At: at}},
		ClearTimers: []store.TimerID{{Run: "run-1", ID: 2}},
		Erase:       []store.RunID{"run-0"},
		Prune:       []store.Pruned{{Run: "run-2", Batches: []uint64{1}}},
		Forget:      []store.EntryID{{Batch: 1}, {Batch: 1, Position: 1}},
		Objects: []store.Object{
			{ObjectID: store.ObjectID{Kind: "user", Name: "ada"}, Revision: 1, Data: []byte("{}")},
			{ObjectID: store.ObjectID{Kind: "user", Namespace: "default", Name: "ada"}, Revision: 2, Deleted: true},
		},
		Entries: []store.Entry{{Actor: "user/ada", Action: "user.put", Outcome: "done", Detail: []byte("{}")}},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", store.MaxText+1)
	tests := map[string]func(b *store.Batch){
		"sequence 0":          func(b *store.Batch) { b.Sequence = 0 },
		"sequence too large":  func(b *store.Batch) { b.Sequence = math.MaxInt64 + 1 },
		"incarnation 0":       func(b *store.Batch) { b.Incarnation = 0 },
		"no time":             func(b *store.Batch) { b.At = time.Time{} },
		"time before 1970":    func(b *store.Batch) { b.At = time.Unix(-1, 0) },
		"time after 9999":     func(b *store.Batch) { b.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"program's hash":      func(b *store.Batch) { b.Programs[0].Data = []byte("other") },
		"program too large":   func(b *store.Batch) { b.Programs[0].Data = make([]byte, store.MaxRecord+1) },
		"record without run":  func(b *store.Batch) { b.Records[0].Run = "" },
		"record twice":        func(b *store.Batch) { b.Records = append(b.Records, b.Records[0]) },
		"record from 0":       func(b *store.Batch) { b.Records[0].First = 0 },
		"record of nothing":   func(b *store.Batch) { b.Records[0].Count = 0 },
		"record overflows":    func(b *store.Batch) { b.Records[0].First, b.Records[0].Count = math.MaxInt64, 1 },
		"record too large":    func(b *store.Batch) { b.Records[0].Payload = make([]byte, store.MaxRecord) },
		"erased with records": func(b *store.Batch) { b.Erase = []store.RunID{"run-1"} },
		"erased twice":        func(b *store.Batch) { b.Erase = []store.RunID{"run-0", "run-0"} },
		"pruned with records": func(b *store.Batch) { b.Prune[0].Run = "run-1" },
		"pruned with a row":   func(b *store.Batch) { b.Records, b.Prune[0].Run = nil, "run-1" },
		"pruned and erased":   func(b *store.Batch) { b.Prune[0].Run = "run-0" },
		"pruned twice":        func(b *store.Batch) { b.Prune = append(b.Prune, b.Prune[0]) },
		"pruned of nothing":   func(b *store.Batch) { b.Prune[0].Batches = nil },
		"pruned of later":     func(b *store.Batch) { b.Prune[0].Batches = []uint64{2} },
		"pruned out of order": func(b *store.Batch) { b.Sequence, b.Prune[0].Batches = 9, []uint64{3, 3} },
		"row's ID":            func(b *store.Batch) { b.Runs[0].ID = "a/b" },
		"row twice":           func(b *store.Batch) { b.Runs = append(b.Runs, b.Runs[0]) },
		"row's state":         func(b *store.Batch) { b.Runs[0].State = "cancelled" },
		"row's end":           func(b *store.Batch) { b.Runs[0].State = "failed" },
		"row ended early":     func(b *store.Batch) { b.Runs[0].EndedAt = at },
		"row's text too long": func(b *store.Batch) { b.Runs[0].Workflow = long },
		"row's text has NUL":  func(b *store.Batch) { b.Runs[0].Reason = "a\x00b" },
		"row's time":          func(b *store.Batch) { b.Runs[0].StartedAt = time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC) },
		"key empty":           func(b *store.Batch) { b.Keys[0].Key = "" },
		"key twice":           func(b *store.Batch) { b.Keys = append(b.Keys, b.Keys[0]) },
		"key not UTF-8":       func(b *store.Batch) { b.Keys[0].Key = "\xff" },
		"key too long":        func(b *store.Batch) { b.Keys[0].Namespace = long },
		"key's run":           func(b *store.Batch) { b.Keys[0].Run = ".." },
		"key's expiry":        func(b *store.Batch) { b.Keys[0].Expires = at.AddDate(9000, 0, 0) },
		"timer set twice":     func(b *store.Batch) { b.SetTimers = append(b.SetTimers, b.SetTimers[0]) },
		"timer set, cleared":  func(b *store.Batch) { b.ClearTimers[0] = b.SetTimers[0].TimerID },
		"timer without time":  func(b *store.Batch) { b.SetTimers[0].At = time.Time{} },
		"timer too late":      func(b *store.Batch) { b.SetTimers[0].At = at.AddDate(9000, 0, 0) },
		"timer's ID":          func(b *store.Batch) { b.ClearTimers[0].ID = math.MaxInt64 + 1 },
		"row's actor":         func(b *store.Batch) { b.Runs[0].Actor = long },
		"row's trigger":       func(b *store.Batch) { b.Runs[0].Trigger = "\xff" },
		"row's due time":      func(b *store.Batch) { b.Runs[0].Due = at.AddDate(9000, 0, 0) },
		"object twice":        func(b *store.Batch) { b.Objects[1].Namespace = "" },
		"object's kind":       func(b *store.Batch) { b.Objects[0].Kind = "User" },
		"object without kind": func(b *store.Batch) { b.Objects[0].Kind = "" },
		"kind too long":       func(b *store.Batch) { b.Objects[0].Kind = strings.Repeat("x", store.MaxKind+1) },
		"object without name": func(b *store.Batch) { b.Objects[0].Name = "" },
		"object's name":       func(b *store.Batch) { b.Objects[0].Name = "a\x00b" },
		"object's namespace":  func(b *store.Batch) { b.Objects[0].Namespace = long },
		"revision 0":          func(b *store.Batch) { b.Objects[0].Revision = 0 },
		"revision too large":  func(b *store.Batch) { b.Objects[0].Revision = math.MaxInt64 + 1 },
		"deletion of nothing": func(b *store.Batch) { b.Objects[1].Revision = 1 },
		"deletion with data":  func(b *store.Batch) { b.Objects[1].Data = []byte("{}") },
		"data not UTF-8":      func(b *store.Batch) { b.Objects[0].Data = []byte("\xff") },
		"data has NUL":        func(b *store.Batch) { b.Objects[0].Data = []byte("a\x00") },
		"data too large":      func(b *store.Batch) { b.Objects[0].Data = make([]byte, store.MaxObject+1) },
		"entry without actor": func(b *store.Batch) { b.Entries[0].Actor = "" },
		"entry, no action":    func(b *store.Batch) { b.Entries[0].Action = "" },
		"entry's outcome":     func(b *store.Batch) { b.Entries[0].Outcome = "well" },
		"entry's reason":      func(b *store.Batch) { b.Entries[0].Reason = long },
		"entry's request":     func(b *store.Batch) { b.Entries[0].Request = "\xff" },
		"entry's detail":      func(b *store.Batch) { b.Entries[0].Detail = []byte("\x00") },
		"detail too large":    func(b *store.Batch) { b.Entries[0].Detail = make([]byte, store.MaxDetail+1) },
		"forgotten twice":     func(b *store.Batch) { b.Forget[1].Position = 0 },
		"forgotten of now":    func(b *store.Batch) { b.Forget[0].Batch = b.Sequence },
		"forgotten of none":   func(b *store.Batch) { b.Forget[0].Batch = 0 },
	}
	if err := valid().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range tests {
		b := valid()
		spoil(b)
		if err := b.Check(); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	b := valid()
	b.Records[0].Payload = make([]byte, store.MaxRecord-len(b.Records[0].Control))
	b.Runs[0].Workflow = long[1:]
	b.Runs[0].ID = store.RunID(strings.Repeat("x", store.MaxID))
	b.At = time.Unix(0, 0)
	b.Objects[0].Data = bytes.Repeat([]byte("x"), store.MaxObject)
	b.Objects[0].Kind = strings.Repeat("x", store.MaxKind)
	b.Entries[0].Detail = bytes.Repeat([]byte("x"), store.MaxDetail)
	b.Entries[0].Reason = long[1:]
	if err := b.Check(); err != nil {
		t.Errorf("largest values: %v", err)
	}
}

func TestRunIDGrammar(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		"01j9zk3v5m8x": true, "A": true, "run-1_b.c": true, "a..b": true, strings.Repeat("x", store.MaxID): true,
		"": false, ".": false, "..": false, ".a": false, "-a": false, "_a": false, "a/b": false, `a\b`: false,
		"a b": false, "%2e%2e": false, "a\x00": false, "é": false, strings.Repeat("x", store.MaxID+1): false,
	} {
		if got := store.RunID(id).Valid(); got != want {
			t.Errorf("%q: got %v", id, got)
		}
	}
}

func TestTimesAreKeptToTheMicrosecond(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("x", 3600)
	in := time.Date(2026, 1, 2, 3, 4, 5, 123456789, zone)
	if got, want := store.Time(in), time.Date(2026, 1, 2, 2, 4, 5, 123456000, time.UTC); got != want {
		t.Errorf("time: got %v, want %v", got, want)
	}
	if got, want := store.TimerTime(in), time.Date(2026, 1, 2, 2, 4, 5, 123457000, time.UTC); got != want {
		t.Errorf("timer: got %v, want %v", got, want)
	}
	if whole := store.Time(in); store.TimerTime(whole) != whole {
		t.Errorf("timer on a whole microsecond: got %v, want %v", store.TimerTime(whole), whole)
	}
	if got := store.Time(time.Time{}); !got.IsZero() {
		t.Errorf("zero: got %v", got)
	}
}

func TestEndedStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]bool{
		"pending": false, "queued": false, "running": false, "waiting": false,
		"succeeded": true, "failed": true, "canceled": true, "skipped": true,
	} {
		if got := (&store.RunRow{State: state}).Ended(); got != want {
			t.Errorf("%s: got %v", state, got)
		}
	}
}

func TestRevisionError(t *testing.T) {
	t.Parallel()
	id := store.ObjectID{Kind: "user", Namespace: "n", Name: "ada"}
	var err error = &store.RevisionError{ID: id, Have: 3, Want: 2}
	if !errors.Is(err, store.ErrRevision) || err.Error() != "user n/ada has revision 3, which 2 does not follow" {
		t.Errorf("got %v", err)
	}
	if err = (&store.RevisionError{ID: id, Have: 3, Want: 1, Deleted: true}); err.Error() != "user n/ada was deleted by revision 3, which 1 does not follow" {
		t.Errorf("got %v", err)
	}
}

func TestKeyTakenError(t *testing.T) {
	t.Parallel()
	var err error = &store.KeyTakenError{Namespace: "n", Key: "k", Run: "r"}
	if !errors.Is(err, store.ErrKeyTaken) || err.Error() != "key n/k already taken by run r" {
		t.Errorf("got %v", err)
	}
	if err = (&store.KeyTakenError{Run: "r"}); err.Error() != "run r already exists" {
		t.Errorf("got %v", err)
	}
}
