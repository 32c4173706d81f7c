package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// AuditSize is the number of leaves.
func (s *Store) AuditSize(ctx context.Context) (size uint64, err error) {
	err = s.read(ctx, "read log size", func(c *conn) error {
		row, err := c.lease()
		size = row.last
		return err
	})
	return size, err
}

// AuditLeaf reads leaf n.
func (s *Store) AuditLeaf(ctx context.Context, n uint64) (leaf store.Leaf, err error) {
	err = s.read(ctx, "read leaf", func(c *conn) (err error) {
		if n >= math.MaxInt64 {
			return fmt.Errorf("%w: leaf %d", store.ErrNotFound, n)
		}
		leaf, err = c.leaf(n + 1)
		return err
	})
	return leaf, err
}

// AuditHashes reads stored hashes of the log's tree.
func (s *Store) AuditHashes(ctx context.Context, indexes []int64) (hashes []audit.Hash, err error) {
	err = s.snapshot(ctx, "read tree hashes", func(c *conn) (err error) {
		hashes, err = c.hashes(indexes)
		return err
	})
	return hashes, err
}

func (c *conn) hashes(indexes []int64) ([]audit.Hash, error) {
	hashes := make([]audit.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 {
			return nil, fmt.Errorf("%w: tree hash %d", store.ErrNotFound, index)
		}
		n, offset := audit.Place(index)
		tree, err := c.tree(uint64(n) + 1)
		if err != nil {
			return nil, err
		}
		if offset >= len(tree) {
			return nil, fmt.Errorf("%w: batch %d has %d tree hashes", store.ErrCorrupt, n+1, len(tree))
		}
		hashes[i] = tree[offset]
	}
	return hashes, nil
}

// leaf reads the leaf of a batch and checks it against its hash in the tree.
func (c *conn) leaf(sequence uint64) (leaf store.Leaf, err error) {
	var tree []audit.Hash
	found, err := c.row(qBatch, func(b *binder) { b.int(int64(sequence)) }, func(s *sqlite3.Stmt) (err error) {
		leaf, tree, err = leafRow(s)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: no batch %d", store.ErrNotFound, sequence)
	}
	if err == nil && (len(tree) == 0 || leaf.Hash() != tree[0]) {
		err = fmt.Errorf("%w: batch %d is not what its leaf says", store.ErrCorrupt, sequence)
	}
	return leaf, err
}

// leafRow reads the columns of a batch.
func leafRow(s *sqlite3.Stmt) (leaf store.Leaf, tree []audit.Hash, err error) {
	var errs [3]error
	tree, errs[0] = splitHashes(s.ColumnRawBlob(3))
	leaf.RecordHashes, errs[1] = splitHashes(s.ColumnRawBlob(4))
	leaf.ItemHashes, errs[2] = splitHashes(s.ColumnRawBlob(5))
	leaf.Leaf = audit.Leaf{
		Sequence: uint64(s.ColumnInt64(0)), Incarnation: uint64(s.ColumnInt64(1)), At: time.UnixMicro(s.ColumnInt64(2)).UTC(),
		Records: uint32(len(leaf.RecordHashes)), Items: uint32(len(leaf.ItemHashes)),
		Objects: uint32(s.ColumnInt64(6)), Entries: uint32(s.ColumnInt64(7)),
		Root: audit.Root(slices.Concat(leaf.RecordHashes, leaf.ItemHashes)),
	}
	return leaf, tree, errors.Join(errs[:]...)
}

// leafReader reads leaves and keeps the last one.
type leafReader struct {
	*conn

	last store.Leaf
}

func (r *leafReader) leaf(sequence uint64) (store.Leaf, error) {
	if r.last.Sequence == sequence && sequence != 0 {
		return r.last, nil
	}
	leaf, err := r.conn.leaf(sequence)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: batch %d is missing", store.ErrCorrupt, sequence)
	}
	if err == nil {
		r.last = leaf
	}
	return leaf, err
}
