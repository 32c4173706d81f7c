package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the largest number of leaves that a proof or checkpoint may name:
// one a microsecond for nearly nine years. It bounds what a forged proof can cost.
const MaxSize = 1 << 48

// ErrProof means that a proof does not prove what it says.
var ErrProof = errors.New("proof does not hold")

// HashReader reads stored hashes of the log by their index.
type HashReader = tlog.HashReader

// Proof shows that a record or item is in a batch and the batch in the log.
type Proof struct {
	// Leaf is the data of the batch (see [ParseLeaf]); InBatch leads from the
	// hash number Index, of records and then items from 0, to its root.
	Leaf    []byte
	Index   uint32
	InBatch []Hash
	// InLog leads from the batch to the root of the log with Size leaves.
	Size  int64
	InLog []Hash
}

// Prove makes the proof for hash number index of a batch: hashes are those of
// its records and then its items, size is the number of leaves of the log that
// the proof leads to.
func Prove(leaf Leaf, hashes []Hash, index int, size int64, log HashReader) (Proof, error) {
	if index < 0 || index >= len(hashes) {
		return Proof{}, fmt.Errorf("prove hash %d of batch %d: it has %d", index, leaf.Sequence, len(hashes))
	}
	inBatch, err := tlog.ProveRecord(int64(len(hashes)), int64(index), treeOf(hashes))
	if err != nil {
		return Proof{}, fmt.Errorf("prove hash %d of batch %d: %w", index, leaf.Sequence, err)
	}
	inLog, err := tlog.ProveRecord(size, int64(leaf.Sequence)-1, log)
	if err != nil {
		return Proof{}, fmt.Errorf("prove batch %d in a log of %d: %w", leaf.Sequence, size, err)
	}
	return Proof{Leaf: leaf.Data(), Index: uint32(index), InBatch: inBatch, Size: size, InLog: inLog}, nil
}

// Check checks that hash is in the log with the root, and returns the leaf of
// its batch. The error is [ErrProof], wrapped.
func (p Proof) Check(hash, root Hash) (Leaf, error) {
	leaf, err := ParseLeaf(p.Leaf)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.Size > MaxSize {
		return Leaf{}, fmt.Errorf("%w: log of %d leaves", ErrProof, p.Size)
	}
	count := int64(leaf.Records) + int64(leaf.Items)
	if err := tlog.CheckRecord(p.InBatch, count, leaf.Root, int64(p.Index), hash); err != nil {
		return Leaf{}, fmt.Errorf("%w: hash %d is not in batch %d", ErrProof, p.Index, leaf.Sequence)
	}
	if err := tlog.CheckRecord(p.InLog, p.Size, root, int64(leaf.Sequence)-1, leaf.Hash()); err != nil {
		return Leaf{}, fmt.Errorf("%w: batch %d is not in the log of %d", ErrProof, leaf.Sequence, p.Size)
	}
	return leaf, nil
}

// ProveConsistency shows that the log of size old is the beginning of the log
// of size. Both are at least 1.
func ProveConsistency(size, old int64, log HashReader) ([]Hash, error) {
	proof, err := tlog.ProveTree(size, old, log)
	if err != nil {
		return nil, fmt.Errorf("prove that a log of %d continues one of %d: %w", size, old, err)
	}
	return proof, nil
}

// CheckConsistency checks such a proof against both roots. Every log continues
// the empty one, for which there is no proof. The error is [ErrProof], wrapped.
func CheckConsistency(proof []Hash, size int64, root Hash, old int64, oldRoot Hash) error {
	if old == 0 && size >= 0 && len(proof) == 0 && oldRoot == Root(nil) {
		return nil
	}
	if size > MaxSize {
		return fmt.Errorf("%w: log of %d leaves", ErrProof, size)
	}
	if err := tlog.CheckTree(proof, size, root, old, oldRoot); err != nil {
		return fmt.Errorf("%w: the log of %d does not continue that of %d", ErrProof, size, old)
	}
	return nil
}

// treeOf reads the tree over leaf hashes.
func treeOf(leaves []Hash) HashReader {
	var edge Edge
	var stored []Hash
	for _, leaf := range leaves {
		stored = append(stored, edge.Append(leaf)...)
	}
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		out := make([]Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
}
