package audit_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"pgregory.net/rapid"
)

// entry is a record as somebody stores it who wants to prove it later.
type entry struct {
	run          string
	first, count uint64
	control      []byte
	payload      []byte
	salt         [audit.SaltSize]byte
}

func (e entry) hash() audit.Hash {
	return audit.RecordHash(audit.AppendRecord(nil, e.run, e.first, e.count, e.control), audit.Commitment(e.salt, e.payload))
}

// batch is what is stored of a batch; its leaf follows from it.
type batch struct {
	sequence, incarnation uint64
	at                    int64
	entries               []entry
	items                 [][]byte
	objects, logged       uint32
}

func (b batch) hashes() []audit.Hash {
	var hashes []audit.Hash
	for _, e := range b.entries {
		hashes = append(hashes, e.hash())
	}
	for _, item := range b.items {
		hashes = append(hashes, audit.ItemHash(audit.AppendBytes(audit.AppendItem(nil, 1), item)))
	}
	return hashes
}

func (b batch) leaf() audit.Leaf {
	return audit.Leaf{
		Sequence: b.sequence, Incarnation: b.incarnation, At: time.UnixMicro(b.at).UTC(),
		Records: uint32(len(b.entries)), Items: uint32(len(b.items)), Objects: b.objects, Entries: b.logged, Root: audit.Root(b.hashes()),
	}
}

// smallLog has batches with several records, one, and none.
func smallLog() []batch {
	return []batch{
		{1, 1, 1000, []entry{{"a", 1, 2, []byte("c1"), []byte("p1"), [16]byte{1}}, {"b", 1, 1, []byte("c2"), nil, [16]byte{2}}}, [][]byte{[]byte("i1")}, 0, 1},
		{2, 1, 2000, []entry{{"a", 3, 1, []byte("c3"), []byte("p3"), [16]byte{3}}}, nil, 0, 0},
		{3, 2, 2000, nil, [][]byte{[]byte("i2"), []byte("i3")}, 1, 1},
		{4, 2, 2500, nil, nil, 0, 0},
		{5, 2, 3000, []entry{{"b", 2, 4, nil, []byte("p4"), [16]byte{4}}}, [][]byte{[]byte("i4")}, 1, 0},
	}
}

// root is the root of the log over the batches.
func root(batches []batch) audit.Hash {
	var edge audit.Edge
	for _, b := range batches {
		edge.Append(b.leaf().Hash())
	}
	return edge.Root()
}

// Every byte of every field of a log is covered by its root.
func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	want := root(smallLog())
	flips := 0
	check := func(what string, change func(log []batch)) {
		t.Helper()
		changed := smallLog()
		change(changed)
		flips++
		if root(changed) == want {
			t.Errorf("%s: not found", what)
		}
	}
	for bit := range 64 {
		for b := range smallLog() {
			check("sequence", func(log []batch) { log[b].sequence ^= 1 << bit })
			check("incarnation", func(log []batch) { log[b].incarnation ^= 1 << bit })
			if bit < 50 { // beyond, a time is out of range for time.Time
				check("time", func(log []batch) { log[b].at ^= 1 << bit })
			}
			if bit < 32 {
				check("objects", func(log []batch) { log[b].objects ^= 1 << bit })
				check("entries", func(log []batch) { log[b].logged ^= 1 << bit })
			}
			for e := range smallLog()[b].entries {
				check("first", func(log []batch) { log[b].entries[e].first ^= 1 << bit })
				check("count", func(log []batch) { log[b].entries[e].count ^= 1 << bit })
			}
		}
	}
	for b, stored := range smallLog() {
		for e, x := range stored.entries {
			for i := range x.run {
				check("run", func(log []batch) { log[b].entries[e].run = x.run[:i] + "?" + x.run[i+1:] })
			}
			for i := range x.control {
				check("control", func(log []batch) { log[b].entries[e].control[i] ^= 1 })
			}
			for i := range x.payload {
				check("payload", func(log []batch) { log[b].entries[e].payload[i] ^= 1 })
			}
			for i := range x.salt {
				check("salt", func(log []batch) { log[b].entries[e].salt[i] ^= 0x80 })
			}
			check("byte moved from control to run", func(log []batch) {
				log[b].entries[e].run, log[b].entries[e].control = x.run+"x", append([]byte{'x'}, x.control...)
			})
		}
		for i := range stored.items {
			check("item", func(log []batch) { log[b].items[i][0] ^= 1 })
		}
	}
	if flips < 1000 {
		t.Errorf("only %d changes tried", flips)
	}
}

func TestReorderDeleteDuplicateAreFound(t *testing.T) {
	t.Parallel()
	want := root(smallLog())
	tests := map[string]func(log []batch) []batch{
		"swap batches":     func(log []batch) []batch { log[1], log[2] = log[2], log[1]; return log },
		"delete batch":     func(log []batch) []batch { return slices.Delete(log, 3, 4) },
		"truncate":         func(log []batch) []batch { return log[:4] },
		"duplicate batch":  func(log []batch) []batch { return slices.Insert(log, 1, log[1]) },
		"swap records":     func(log []batch) []batch { slices.Reverse(log[0].entries); return log },
		"delete record":    func(log []batch) []batch { log[0].entries = log[0].entries[:1]; return log },
		"duplicate record": func(log []batch) []batch { log[1].entries = append(log[1].entries, log[1].entries[0]); return log },
		"delete item":      func(log []batch) []batch { log[2].items = log[2].items[:1]; return log },
		"move record":      func(log []batch) []batch { log[3].entries, log[1].entries = log[1].entries, nil; return log },
		"append":           func(log []batch) []batch { return append(log, batch{sequence: 6}) },
	}
	for name, change := range tests {
		if root(change(smallLog())) == want {
			t.Errorf("%s: not found", name)
		}
	}
}

func TestProofs(t *testing.T) {
	t.Parallel()
	log := smallLog()
	var edge audit.Edge
	var stored []audit.Hash
	for _, b := range log {
		stored = append(stored, edge.Append(b.leaf().Hash())...)
	}
	size := int64(len(log))
	for b, x := range log {
		hashes := x.hashes()
		for i, hash := range hashes {
			p, err := audit.Prove(x.leaf(), hashes, i, size, reader(stored))
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := p.Check(hash, edge.Root())
			if err != nil || leaf != x.leaf() {
				t.Fatalf("batch %d, hash %d: %+v, %v", b+1, i, leaf, err)
			}
			checkBrokenProofs(t, p, hash, edge.Root())
		}
		if _, err := audit.Prove(x.leaf(), hashes, len(hashes), size, reader(stored)); err == nil {
			t.Errorf("batch %d: proved a hash that it does not have", b+1)
		}
	}
}

// checkBrokenProofs changes every byte and number of a proof that holds.
func checkBrokenProofs(t *testing.T, p audit.Proof, hash, root audit.Hash) {
	t.Helper()
	reject := func(what string, p audit.Proof, hash, root audit.Hash) {
		t.Helper()
		if _, err := p.Check(hash, root); !errors.Is(err, audit.ErrProof) {
			t.Errorf("%s: got %v, want ErrProof", what, err)
		}
	}
	for i := range hash {
		other := hash
		other[i] ^= 1
		reject("hash", p, other, root)
		other = root
		other[i] ^= 1
		reject("root", p, hash, other)
	}
	for i := range p.Leaf {
		q := p
		q.Leaf = slices.Clone(p.Leaf)
		q.Leaf[i] ^= 1
		reject("leaf", q, hash, root)
	}
	for _, path := range []struct {
		name string
		of   func(*audit.Proof) *[]audit.Hash
	}{
		{"in batch", func(p *audit.Proof) *[]audit.Hash { return &p.InBatch }},
		{"in log", func(p *audit.Proof) *[]audit.Hash { return &p.InLog }},
	} {
		for i := range *path.of(&p) {
			q := p
			changed := slices.Clone(*path.of(&p))
			changed[i][i] ^= 1
			*path.of(&q) = changed
			reject(path.name, q, hash, root)
			*path.of(&q) = slices.Delete(slices.Clone(*path.of(&p)), i, i+1)
			reject(path.name+" shortened", q, hash, root)
		}
		q := p
		*path.of(&q) = append(slices.Clone(*path.of(&p)), hash)
		reject(path.name+" extended", q, hash, root)
	}
	q := p
	q.Index = 100
	reject("index", q, hash, root)
	for _, size := range []int64{-1, 0, p.Size + 100, 1<<62 + 1, 1<<63 - 1} {
		q = p
		q.Size = size
		reject("size", q, hash, root)
	}
	q = p
	q.Leaf = nil
	reject("no leaf", q, hash, root)
}

// Invariant: a log continues every beginning of itself, and no other log.
func TestConsistency(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 200).Draw(t, "size")
		old := rapid.IntRange(1, size).Draw(t, "old")
		stored, edge := logOf(size)
		_, before := logOf(old)
		p, err := audit.ProveConsistency(int64(size), int64(old), reader(stored))
		if err != nil {
			t.Fatal(err)
		}
		check := func(p []audit.Hash, root, oldRoot audit.Hash) error {
			return audit.CheckConsistency(p, int64(size), root, int64(old), oldRoot)
		}
		if err := check(p, edge.Root(), before.Root()); err != nil {
			t.Fatal(err)
		}
		if err := check(p, edge.Root(), hashOf(-1)); !errors.Is(err, audit.ErrProof) {
			t.Fatalf("another beginning: %v", err)
		}
		if err := check(p, hashOf(-1), before.Root()); !errors.Is(err, audit.ErrProof) {
			t.Fatalf("another end: %v", err)
		}
		if len(p) > 0 {
			i := rapid.IntRange(0, len(p)-1).Draw(t, "i")
			changed := slices.Clone(p)
			changed[i][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
			if err := check(changed, edge.Root(), before.Root()); !errors.Is(err, audit.ErrProof) {
				t.Fatalf("changed proof: %v", err)
			}
		}
	})
}

func TestConsistencyBounds(t *testing.T) {
	t.Parallel()
	stored, edge := logOf(3)
	if err := audit.CheckConsistency(nil, 3, edge.Root(), 0, audit.Root(nil)); err != nil {
		t.Errorf("every log continues the empty one: %v", err)
	}
	for name, err := range map[string]error{
		"empty with a root": audit.CheckConsistency(nil, 3, edge.Root(), 0, hashOf(1)),
		"shrunk":            audit.CheckConsistency(nil, 3, edge.Root(), 4, hashOf(1)),
		"huge":              audit.CheckConsistency(nil, 1<<62+1, edge.Root(), 2, hashOf(1)),
	} {
		if !errors.Is(err, audit.ErrProof) {
			t.Errorf("%s: got %v, want ErrProof", name, err)
		}
	}
	if _, err := audit.ProveConsistency(3, 4, reader(stored)); err == nil {
		t.Error("proved that a log continues a longer one")
	}
}

// FuzzProof: a proof from outside never panics or hangs, and never holds for a
// root that was not computed from its hash.
func FuzzProof(f *testing.F) {
	log := smallLog()
	f.Add(log[0].leaf().Data(), uint32(0), int64(5), []byte{1})
	f.Add([]byte{}, uint32(7), int64(1<<62), []byte{})
	f.Fuzz(func(t *testing.T, leaf []byte, index uint32, size int64, path []byte) {
		hashes := make([]audit.Hash, min(len(path), 64))
		for i := range hashes {
			hashes[i][0] = path[i]
		}
		p := audit.Proof{Leaf: leaf, Index: index, InBatch: hashes, Size: size, InLog: hashes}
		if _, err := p.Check(hashOf(1), hashOf(2)); err == nil {
			t.Error("holds")
		}
	})
}
