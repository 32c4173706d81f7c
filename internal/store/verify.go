package store

import (
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/audit"
)

// leavesKept is how many leaves a [Verifier] keeps in memory.
const leavesKept = 256

// Verifier checks stored data against its audit log. Implementations feed it
// with what they have: first every batch in order, then every record in the
// order of run and first event, every run that was pruned, every entry in the order of its ID, and every
// other row in any order; at last they call Finish. Every error is ErrCorrupt,
// wrapped, and names the fault.
//
// It finds whatever was not written by a commit, was lost, or stands in another
// place. It cannot tell that a row of a run, key or timer was put back to what
// an earlier batch wrote, nor that one was deleted: those rows are read models
// and reminders, the records are the truth. Of objects it can, since each write
// raises a revision by one and none is ever removed.
type Verifier struct {
	// Leaf reads the leaf of a batch that Batch has seen, when it is not in
	// memory anymore.
	Leaf func(sequence uint64) (Leaf, error)

	edge        audit.Edge
	incarnation uint64
	missing     []uint32 // records of batch i+1 that were not seen yet
	kept        map[uint64]Leaf

	run   RunID
	next  uint64 // first event that the run lacks
	batch uint64 // batch of the run's last record

	entries []uint32 // entries of batch i+1
	entry   EntryID  // the next that is expected, if there are more

	writes    uint64 // of objects, as the batches count them
	revisions uint64 // of objects, as their rows do
}

// Batch checks the next batch: its numbers, its root, and the tree hashes that
// are stored for it.
func (v *Verifier) Batch(leaf Leaf, stored []audit.Hash) error {
	switch want := uint64(v.edge.Size()) + 1; {
	case leaf.Sequence != want:
		return corrupt("batch %d follows batch %d", leaf.Sequence, want-1)
	case leaf.Incarnation < max(v.incarnation, 1):
		return corrupt("batch %d has incarnation %d after %d", leaf.Sequence, leaf.Incarnation, v.incarnation)
	case len(leaf.RecordHashes) != int(leaf.Records) || len(leaf.ItemHashes) != int(leaf.Items) ||
		uint64(leaf.Objects)+uint64(leaf.Entries) > uint64(leaf.Items):
		return corrupt("batch %d: number of hashes", leaf.Sequence)
	case audit.Root(slices.Concat(leaf.RecordHashes, leaf.ItemHashes)) != leaf.Root:
		return corrupt("batch %d: root", leaf.Sequence)
	case !slices.Equal(v.edge.Append(leaf.Hash()), stored):
		return corrupt("batch %d: tree hashes", leaf.Sequence)
	}
	v.incarnation = leaf.Incarnation
	v.missing = append(v.missing, leaf.Records)
	v.entries = append(v.entries, leaf.Entries)
	v.writes += uint64(leaf.Objects)
	return nil
}

// Record checks a record, whose payload the caller has checked against the
// commitment, if it is there. Position is its place in its batch, from 0.
func (v *Verifier) Record(r *Record, position uint32, commitment audit.Hash) error {
	if r.Run != v.run {
		if r.Run < v.run {
			return corrupt("run %s follows run %s", r.Run, v.run)
		}
		v.run, v.next, v.batch = r.Run, 1, 0
	}
	if r.First != v.next || r.Count == 0 || r.Batch <= v.batch {
		return corrupt("run %s: %d events from %d in batch %d, want event %d in a batch after %d",
			r.Run, r.Count, r.First, r.Batch, v.next, v.batch)
	}
	v.next, v.batch = r.First+r.Count, r.Batch
	leaf, err := v.leaf(r.Batch)
	if err != nil {
		return fmt.Errorf("run %s, event %d: %w", r.Run, r.First, err)
	}
	head := audit.AppendRecord(nil, string(r.Run), r.First, r.Count, r.Control)
	if int(position) >= len(leaf.RecordHashes) || leaf.RecordHashes[position] != audit.RecordHash(head, commitment) {
		return corrupt("run %s, event %d: record is not what batch %d wrote", r.Run, r.First, r.Batch)
	}
	v.missing[r.Batch-1]-- // a hash names its run and event: it cannot be found twice
	return nil
}

// Item checks that a row was written by the batch that it names. What names
// the row in the error.
func (v *Verifier) Item(batch uint64, hash audit.Hash, what string) error {
	leaf, err := v.leaf(batch)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !slices.Contains(leaf.ItemHashes, hash) {
		return corrupt("%s is not what batch %d wrote", what, batch)
	}
	return nil
}

// Pruned checks what is left of a run that was removed by the batch: its records
// are not missing.
func (v *Verifier) Pruned(p *Pruned, batch uint64) error {
	if err := v.Item(batch, p.ItemHash(), "pruning of run "+string(p.Run)); err != nil {
		return err
	}
	for _, b := range p.Batches {
		if b == 0 || b > uint64(len(v.missing)) {
			return corrupt("pruning of run %s: there is no batch %d", p.Run, b)
		}
		v.missing[b-1]--
	}
	return nil
}

// Object checks the row of an object, deleted or not.
func (v *Verifier) Object(o *Object, salt [audit.SaltSize]byte) error {
	v.revisions += o.Revision
	return v.Item(o.Batch, o.ItemHash(salt), fmt.Sprintf("revision %d of %s %s/%s", o.Revision, o.Kind, o.Namespace, o.Name))
}

// Entry checks an entry of the audit log. The salt of one whose text was taken
// out is passed over.
func (v *Verifier) Entry(e *Entry, salt [audit.SaltSize]byte) error {
	switch want, more := v.nextEntry(); {
	case more && want.Compare(e.ID) < 0:
		return corrupt("entry %s is missing", want)
	case !more || want != e.ID:
		return corrupt("entry %s was not written by its batch", e.ID)
	}
	v.entry.Position++
	if e.Forgotten != 0 {
		return v.Item(e.Forgotten, e.ID.ForgetHash(), "the taking out of entry "+e.ID.String())
	}
	leaf, err := v.leaf(e.ID.Batch)
	if err != nil {
		return fmt.Errorf("entry %s: %w", e.ID, err)
	}
	if leaf.hash(leaf.entryIndex(e.ID)) != e.ItemHash(salt) {
		return corrupt("entry %s is not what its batch wrote", e.ID)
	}
	return nil
}

// nextEntry is the entry that must come next, if there are more.
func (v *Verifier) nextEntry() (id EntryID, more bool) {
	v.entry.Batch = max(v.entry.Batch, 1)
	for v.entry.Batch <= uint64(len(v.entries)) {
		if v.entry.Position < v.entries[v.entry.Batch-1] {
			return v.entry, true
		}
		v.entry = EntryID{Batch: v.entry.Batch + 1}
	}
	return EntryID{}, false
}

// Finish checks that no record, no entry and no object is missing.
func (v *Verifier) Finish() error {
	if id, more := v.nextEntry(); more {
		return corrupt("entry %s is missing", id)
	}
	if v.revisions != v.writes {
		return corrupt("objects were written %d times, but their revisions add up to %d: one was removed or put back", v.writes, v.revisions)
	}
	for i, n := range v.missing {
		if n != 0 {
			return corrupt("batch %d: %d of its records are missing", i+1, n)
		}
	}
	return nil
}

// Root is the root of the log over all batches seen.
func (v *Verifier) Root() audit.Hash { return v.edge.Root() }

func (v *Verifier) leaf(sequence uint64) (Leaf, error) {
	if leaf, ok := v.kept[sequence]; ok {
		return leaf, nil
	}
	if sequence == 0 || sequence > uint64(v.edge.Size()) {
		return Leaf{}, corrupt("there is no batch %d", sequence)
	}
	leaf, err := v.Leaf(sequence)
	if err != nil {
		return Leaf{}, err
	}
	if len(v.kept) >= leavesKept || v.kept == nil {
		v.kept = make(map[uint64]Leaf, leavesKept)
	}
	v.kept[sequence] = leaf
	return leaf, nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}
