package audit_test

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/regie-dev/regie/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// hashOf is some hash for each n.
func hashOf(n int) audit.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// logOf is a log with n leaves: its stored hashes and its edge.
func logOf(n int) (stored []audit.Hash, edge audit.Edge) {
	for i := range n {
		stored = append(stored, edge.Append(hashOf(i))...)
	}
	return stored, edge
}

func reader(stored []audit.Hash) audit.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]audit.Hash, error) {
		out := make([]audit.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
}

// The edge stores what tlog stores, at the same places, and has the same root,
// and so has an edge that was read back half way.
func TestEdgeAgreesWithTlog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 300).Draw(t, "size")
		reread := rapid.IntRange(0, size).Draw(t, "reread")
		var stored, want []audit.Hash
		var edge audit.Edge
		for n := range size {
			if n == reread {
				var hashes []audit.Hash
				for _, index := range audit.EdgeIndexes(int64(n)) {
					hashes = append(hashes, stored[index])
				}
				var err error
				if edge, err = audit.NewEdge(int64(n), hashes); err != nil {
					t.Fatal(err)
				}
			}
			if got := audit.FirstIndex(int64(n)); got != int64(len(stored)) {
				t.Fatalf("leaf %d begins at %d, want %d", n, got, len(stored))
			}
			hashes, err := tlog.StoredHashesForRecordHash(int64(n), hashOf(n), reader(want))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, hashes...)
			added := edge.Append(hashOf(n))
			for i := range added {
				leaf, offset := audit.Place(int64(len(stored) + i))
				if leaf != int64(n) || offset != i {
					t.Fatalf("hash %d of leaf %d found at %d of %d", i, n, offset, leaf)
				}
			}
			stored = append(stored, added...)
		}
		if !slices.Equal(stored, want) {
			t.Fatal("stored hashes differ")
		}
		root, err := tlog.TreeHash(int64(size), reader(want))
		if err != nil {
			t.Fatal(err)
		}
		leaves := make([]audit.Hash, size)
		for i := range leaves {
			leaves[i] = hashOf(i)
		}
		if edge.Root() != root || audit.Root(leaves) != root || edge.Size() != int64(size) {
			t.Fatalf("root of %d: edge %s, leaves %s, want %s", size, edge.Root(), audit.Root(leaves), root)
		}
	})
}

func TestNewEdgeWantsAllHashes(t *testing.T) {
	t.Parallel()
	if _, err := audit.NewEdge(5, []audit.Hash{{1}}); err == nil {
		t.Error("accepted one hash for five leaves")
	}
	if _, err := audit.NewEdge(-1, nil); err == nil {
		t.Error("accepted a negative size")
	}
}

func TestEdgeCloneIsIndependent(t *testing.T) {
	t.Parallel()
	_, edge := logOf(6)
	clone, want := edge.Clone(), edge.Root()
	clone.Append(hashOf(100))
	clone.Append(hashOf(101))
	if edge.Root() != want || edge.Size() != 6 {
		t.Error("appending to a clone changed the original")
	}
}
