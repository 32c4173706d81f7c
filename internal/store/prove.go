package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/regie-dev/regie/internal/audit"
	"golang.org/x/mod/sumdb/tlog"
)

// Prover finds what the audit log has of one thing, for a proof that can be
// checked without the store: see [Prove]. Errors: ErrNotFound, ErrCorrupt.
type Prover interface {
	// RecordEvidence is of the record of a run that begins with the event. Of an
	// erased run there is no payload and no salt.
	RecordEvidence(ctx context.Context, run RunID, first uint64) (Record, Evidence, error)
	// ObjectEvidence is of the current revision of an object, also of a deletion.
	ObjectEvidence(ctx context.Context, id ObjectID) (Object, Evidence, error)
	// EntryEvidence is of an entry. Of one whose text was taken out there is no
	// salt: only that there was one can be proven.
	EntryEvidence(ctx context.Context, id EntryID) (Entry, Evidence, error)
}

// Evidence is where the audit log commits to a record, an object or an entry.
type Evidence struct {
	// Batch is the batch that wrote it: leaf Batch-1 of the log. Index is the
	// number of Hash among the record hashes and then the item hashes of the leaf.
	Batch uint64
	Index int
	Hash  audit.Hash
	// Salt is what [RecordHash], [Object.ItemHash] or [Entry.ItemHash] needs to
	// compute Hash again; zero if it is gone.
	Salt [audit.SaltSize]byte
	// Commitment is that to the payload of a record, for proofs that keep the
	// payload to themselves.
	Commitment audit.Hash
}

// Prove makes the proof that the log with size leaves (0: as many as it has)
// commits to what the evidence is of. The proof is checked with
// [audit.Proof.Check], the hash that the checker computed, and a root.
func Prove(ctx context.Context, a Auditor, e Evidence, size uint64) (audit.Proof, error) {
	if size == 0 {
		var err error
		if size, err = a.AuditSize(ctx); err != nil {
			return audit.Proof{}, err
		}
	}
	if e.Batch == 0 || e.Batch > size || size > math.MaxInt64 {
		return audit.Proof{}, fmt.Errorf("%w: batch %d in a log of %d", ErrNotFound, e.Batch, size)
	}
	leaf, err := a.AuditLeaf(ctx, e.Batch-1)
	if err != nil {
		return audit.Proof{}, err
	}
	log := tlog.HashReaderFunc(func(indexes []int64) ([]audit.Hash, error) { return a.AuditHashes(ctx, indexes) })
	return audit.Prove(leaf.Leaf, slices.Concat(leaf.RecordHashes, leaf.ItemHashes), e.Index, int64(size), log)
}

// RecordHash is the hash of a record, as the log has it.
func RecordHash(r *Record, salt [audit.SaltSize]byte) audit.Hash {
	return audit.RecordHash(r.head(), audit.Commitment(salt, r.Payload))
}

func (r *Record) head() []byte {
	return audit.AppendRecord(nil, string(r.Run), r.First, r.Count, r.Control)
}

// RecordEvidence is the evidence of a record that stands at the position in the
// batch of the leaf. The salt is that of its payload, zero if it was erased.
func (l *Leaf) RecordEvidence(r *Record, position uint32, commitment audit.Hash, salt [audit.SaltSize]byte) (Evidence, error) {
	e := Evidence{Batch: l.Sequence, Index: int(position), Hash: audit.RecordHash(r.head(), commitment), Salt: salt, Commitment: commitment}
	if l.Sequence != r.Batch || int(position) >= len(l.RecordHashes) || l.hash(e.Index) != e.Hash {
		return Evidence{}, corrupt("run %s, event %d: record is not what batch %d wrote", r.Run, r.First, r.Batch)
	}
	return e, nil
}

// ObjectEvidence is the evidence of an object that the batch of the leaf wrote.
func (l *Leaf) ObjectEvidence(o *Object, salt [audit.SaltSize]byte) (Evidence, error) {
	e := Evidence{Batch: l.Sequence, Hash: o.ItemHash(salt), Salt: salt}
	i := slices.Index(l.ItemHashes, e.Hash)
	if l.Sequence != o.Batch || i < 0 {
		return Evidence{}, corrupt("%s %s/%s is not what batch %d wrote", o.Kind, o.Namespace, o.Name, o.Batch)
	}
	e.Index = len(l.RecordHashes) + i
	return e, nil
}

// EntryEvidence is the evidence of an entry that the batch of the leaf wrote.
// The salt of one whose text was taken out is passed over.
func (l *Leaf) EntryEvidence(entry *Entry, salt [audit.SaltSize]byte) (Evidence, error) {
	e := Evidence{Batch: l.Sequence, Index: l.entryIndex(entry.ID)}
	if l.Sequence != entry.ID.Batch || entry.ID.Position >= l.Entries {
		return Evidence{}, corrupt("entry %s was not written by its batch", entry.ID)
	}
	e.Hash = l.hash(e.Index)
	if entry.Forgotten != 0 {
		return e, nil
	}
	if e.Hash != entry.ItemHash(salt) {
		return Evidence{}, corrupt("entry %s is not what its batch wrote", entry.ID)
	}
	e.Salt = salt
	return e, nil
}

// hash is a hash of the leaf, by its number among records and items; zero if
// there is none.
func (l *Leaf) hash(index int) audit.Hash {
	switch records := len(l.RecordHashes); {
	case index < 0:
	case index < records:
		return l.RecordHashes[index]
	case index-records < len(l.ItemHashes):
		return l.ItemHashes[index-records]
	}
	return audit.Hash{}
}

// entryIndex is the number of an entry among the hashes of its leaf: entries
// are the last items.
func (l *Leaf) entryIndex(id EntryID) int {
	return int(l.Records) + int(l.Items) - int(l.Entries) + int(id.Position)
}
