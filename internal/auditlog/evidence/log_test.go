package evidence_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/store"
)

// testKeys are a key pair that is the same each time.
func testKeys(t testing.TB, name string, seed byte) (note.Signer, evidence.Key) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	hash := strings.Split(public, "+")[1]
	signer, err := note.NewSigner("PRIVATE+KEY+" + name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, private.Seed()...)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := evidence.ParseKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, key
}

// testLog is a log in memory with everything that was said in it.
type testLog struct {
	t      testing.TB
	signer note.Signer
	key    evidence.Key

	edge    audit.Edge
	stored  []audit.Hash
	leaves  []store.Leaf
	batches []store.Batch
	salts   []store.Salts
	// forgotten names entries whose text is not there, by the batch that took it.
	forgotten map[store.EntryID]uint64
	// signed are checkpoints by size.
	signed map[int][][]byte
}

func newTestLog(t testing.TB) *testLog {
	l := &testLog{t: t, forgotten: map[store.EntryID]uint64{}, signed: map[int][][]byte{}}
	l.signer, l.key = testKeys(t, "regie/test", 7)
	return l
}

// add appends a batch; its number, incarnation and time are given if they are 0.
func (l *testLog) add(b store.Batch) { l.addAt(uint64(len(l.leaves))+1, b) }

func (l *testLog) addAt(sequence uint64, b store.Batch) {
	b.Sequence = sequence
	if b.Incarnation == 0 {
		b.Incarnation = 1 + b.Sequence/4
	}
	if b.At.IsZero() {
		b.At = time.Date(2026, 11, 23, 8, 0, int(b.Sequence), 120_000, time.UTC)
	}
	salt := byte(0)
	salts := b.NewSalts(func(s []byte) { salt++; s[0], s[1] = byte(b.Sequence), salt })
	for _, id := range b.Forget {
		l.forgotten[id] = b.Sequence
	}
	var records []audit.Hash
	for i := range b.Records {
		records = append(records, store.RecordHash(&b.Records[i], recordSalt))
	}
	items := b.ItemHashes(salts)
	leaf := store.Leaf{Leaf: b.Leaf(records, items), RecordHashes: records, ItemHashes: items}
	l.stored = append(l.stored, l.edge.Append(leaf.Hash())...)
	l.leaves, l.batches, l.salts = append(l.leaves, leaf), append(l.batches, b), append(l.salts, salts)
}

var recordSalt = [audit.SaltSize]byte{42}

// sign signs the log as it is.
func (l *testLog) sign() []byte {
	signed, err := audit.Checkpoint{Origin: l.key.Origin(), Size: l.edge.Size(), Root: l.edge.Root()}.Sign(l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	l.signed[len(l.leaves)] = append(l.signed[len(l.leaves)], signed)
	return signed
}

// clone returns a log that goes on by itself.
func (l *testLog) clone() *testLog {
	c := *l
	c.edge = l.edge.Clone()
	c.stored, c.leaves = slices.Clone(l.stored), slices.Clone(l.leaves)
	c.batches, c.salts = slices.Clone(l.batches), slices.Clone(l.salts)
	c.signed, c.forgotten = map[int][][]byte{}, map[store.EntryID]uint64{}
	for size, s := range l.signed {
		c.signed[size] = slices.Clone(s)
	}
	maps.Copy(c.forgotten, l.forgotten)
	return &c
}

// cut forgets all batches behind the size, as one who can write all files would.
func (l *testLog) cut(size int) *testLog {
	c := newTestLog(l.t)
	for i := range size {
		b := l.batches[i]
		c.add(b)
		for range l.signed[i+1] {
			c.sign()
		}
	}
	return c
}

// export writes the log from a batch on.
func (l *testLog) export(from int) []byte {
	var out bytes.Buffer
	indexes := audit.EdgeIndexes(int64(from - 1))
	edge := make([]audit.Hash, len(indexes))
	for i, index := range indexes {
		edge[i] = l.stored[index]
	}
	w := evidence.NewWriter(&out, evidence.Header{Key: l.key, From: uint64(from), Size: uint64(len(l.leaves)), Edge: edge})
	for i := from - 1; i < len(l.leaves); i++ {
		l.must(w.Batch(&l.leaves[i]))
		for n, e := range l.batches[i].Entries {
			e.ID = store.EntryID{Batch: uint64(i) + 1, Position: uint32(n)}
			e.Forgotten = l.forgotten[e.ID]
			l.must(w.Entry(&e, l.salts[i].Entries[n]))
		}
		for _, signed := range l.signed[i+1] {
			l.must(w.Checkpoint(signed))
		}
	}
	return out.Bytes()
}

// proof makes an audit proof of hash number index of a batch.
func (l *testLog) proof(batch uint64, index int) *audit.Proof {
	leaf := l.leaves[batch-1]
	read := tlog.HashReaderFunc(func(indexes []int64) ([]audit.Hash, error) {
		out := make([]audit.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = l.stored[index]
		}
		return out, nil
	})
	p, err := audit.Prove(leaf.Leaf, slices.Concat(leaf.RecordHashes, leaf.ItemHashes), index, l.edge.Size(), read)
	l.must(err)
	return &p
}

// proveEntry is the document that proves an entry.
func (l *testLog) proveEntry(id store.EntryID) []byte {
	leaf := l.leaves[id.Batch-1]
	e := l.batches[id.Batch-1].Entries[id.Position]
	e.ID = id
	p := evidence.NewProof(l.key, l.sign())
	var err error
	p.Entry, err = evidence.NewProvenEntry(&e, l.salts[id.Batch-1].Entries[id.Position],
		l.proof(id.Batch, int(leaf.Records+leaf.Items-leaf.Entries+id.Position)))
	l.must(err)
	text, err := p.Encode()
	l.must(err)
	return text
}

// proveRun is the document that proves the records of the run r1.
func (l *testLog) proveRun() []byte {
	const run = "r1"
	p := evidence.NewProof(l.key, l.sign())
	p.Run = run
	for i := range l.batches {
		for n := range l.batches[i].Records {
			r := &l.batches[i].Records[n]
			if r.Run != run {
				continue
			}
			proven, err := evidence.NewProvenRecord(r, audit.Commitment(recordSalt, r.Payload), l.proof(uint64(i)+1, n))
			l.must(err)
			p.Records = append(p.Records, proven)
		}
	}
	text, err := p.Encode()
	l.must(err)
	return text
}

func (l *testLog) must(err error) {
	if err != nil {
		l.t.Helper()
		l.t.Fatal(err)
	}
}

// kept is the checkpoint of the log as it is, as somebody else keeps it.
func (l *testLog) kept(name string) []evidence.Kept {
	kept, _, err := evidence.ReadKept(name, bytes.NewReader(l.clone().sign()), l.key)
	l.must(err)
	return kept
}

// smallLog has everything that an export can have.
func smallLog(t testing.TB) *testLog {
	l := newTestLog(t)
	l.add(store.Batch{Entries: []store.Entry{entry("user/ada", "user.create", "user/grace"), entry("user/ada", "login", "")}})
	l.add(store.Batch{
		Records: []store.Record{record("r1", 1, 2), record("r2", 1, 1)},
		Runs:    []store.RunRow{{ID: "r1", Workflow: "eod", State: "running"}},
		Entries: []store.Entry{entry("system/schedule", "run.start", "run/r1")},
	})
	l.sign()
	l.add(store.Batch{Objects: []store.Object{{ObjectID: store.ObjectID{Kind: "user", Name: "ada"}, Revision: 1, Data: []byte(`{}`)}}})
	l.add(store.Batch{
		Records: []store.Record{record("r1", 3, 1)}, Forget: []store.EntryID{{Batch: 1, Position: 1}},
		Entries: []store.Entry{{Actor: "user/ada", Via: "session", Action: "entry.forget", Namespace: "prod", Object: "entry/1/1", Outcome: "done",
			Reason: "asked for <by> \"Zoë\"\u2028", Request: "q7", Detail: []byte(`{"n":1}`)}},
	})
	l.sign()
	l.add(store.Batch{})
	l.sign()
	return l
}

func entry(actor, action, object string) store.Entry {
	return store.Entry{Actor: actor, Action: action, Object: object, Outcome: "done"}
}

func record(run store.RunID, first, count uint64) store.Record {
	return store.Record{Run: run, First: first, Count: count, Control: fmt.Appendf(nil, `{"first":%d}`, first), Payload: []byte("secret")}
}

// verify verifies a document that can be read.
func verify(t testing.TB, text []byte, opts evidence.Options) *evidence.Report {
	t.Helper()
	report, err := evidence.Verify(bytes.NewReader(text), opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
