package audit

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Root is the Merkle tree hash over leaf hashes; that over none is SHA-256 of
// nothing.
func Root(hashes []Hash) Hash {
	switch len(hashes) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return hashes[0]
	}
	k := split(len(hashes))
	return tlog.NodeHash(Root(hashes[:k]), Root(hashes[k:]))
}

// split is the largest power of two below n, for n > 1.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// Edge is the right edge of the log's tree: all that is needed to append a
// leaf and to know the root. The zero value is the edge of an empty log.
type Edge struct {
	size int64
	// nodes are the hashes of the complete subtrees from left to right, one
	// for each bit of size that is set.
	nodes []Hash
}

// EdgeIndexes returns the indexes, as tlog numbers stored hashes, of what
// [NewEdge] needs for a log of the size.
func EdgeIndexes(size int64) []int64 {
	var indexes []int64
	at := int64(0)
	for level := bits.Len64(uint64(size)) - 1; level >= 0; level-- {
		if size&(1<<level) != 0 {
			indexes = append(indexes, tlog.StoredHashIndex(level, at>>level))
			at += 1 << level
		}
	}
	return indexes
}

// NewEdge makes the edge of a log of the size from the hashes that
// [EdgeIndexes] asks for.
func NewEdge(size int64, hashes []Hash) (Edge, error) {
	if want := bits.OnesCount64(uint64(size)); size < 0 || len(hashes) != want {
		return Edge{}, fmt.Errorf("edge of a log with %d leaves: got %d hashes, want %d", size, len(hashes), want)
	}
	return Edge{size: size, nodes: append([]Hash(nil), hashes...)}, nil
}

// Size is the number of leaves.
func (e *Edge) Size() int64 { return e.size }

// Append adds a leaf and returns the hashes to store for it: its own and those
// of the subtrees that it completes, from the bottom up. They belong at
// [FirstIndex] of the leaf and after.
func (e *Edge) Append(leaf Hash) []Hash {
	stored := make([]Hash, 1, 1+bits.TrailingZeros64(uint64(e.size+1)))
	stored[0] = leaf
	for n := e.size; n&1 != 0; n >>= 1 {
		leaf = tlog.NodeHash(e.nodes[len(e.nodes)-1], leaf)
		e.nodes = e.nodes[:len(e.nodes)-1]
		stored = append(stored, leaf)
	}
	e.nodes = append(e.nodes, leaf)
	e.size++
	return stored
}

// Clone returns a copy that shares nothing with e.
func (e *Edge) Clone() Edge {
	return Edge{size: e.size, nodes: append([]Hash(nil), e.nodes...)}
}

// Root is the root of the log.
func (e *Edge) Root() Hash {
	if len(e.nodes) == 0 {
		return sha256.Sum256(nil)
	}
	root := e.nodes[len(e.nodes)-1]
	for i := len(e.nodes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(e.nodes[i], root)
	}
	return root
}

// FirstIndex is the index of the first hash that is stored for leaf n, from 0.
func FirstIndex(n int64) int64 { return tlog.StoredHashIndex(0, n) }

// Place finds a stored hash: it is number offset, from 0, of those that leaf n
// stored. The index must not be negative.
func Place(index int64) (n int64, offset int) {
	level, m := tlog.SplitStoredHashIndex(index)
	return (m+1)<<level - 1, level
}
