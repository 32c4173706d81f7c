package simstore

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/store"
)

// Disk holds what was committed. It is safe for concurrent use.
type Disk struct {
	mu sync.Mutex

	format      int
	incarnation uint64
	boots       int // crashes so far: a Store of an earlier boot is dead

	edge     audit.Edge
	batches  []batch
	records  map[store.RunID][]record
	erased   map[store.RunID]uint64 // batch of the erasure
	pruned   map[store.RunID]pruned
	rows     map[store.RunID]store.RunRow
	keys     map[keyName]key
	timers   map[store.TimerID]timer
	programs map[[32]byte]program
	objects  map[store.ObjectID]object
	entries  []entry // in the order of their IDs
}

type pruned struct {
	store.Pruned

	batch uint64
}

type batch struct {
	leaf store.Leaf
	tree []audit.Hash
}

type record struct {
	store.Record

	position   uint32
	salt       [audit.SaltSize]byte
	commitment audit.Hash
}

type keyName struct{ namespace, key string }

type key struct {
	store.Key

	salt  [audit.SaltSize]byte
	batch uint64
}

type timer struct {
	store.Timer

	batch uint64
}

type program struct {
	data  []byte
	batch uint64
}

type object struct {
	store.Object

	salt [audit.SaltSize]byte
}

type entry struct {
	store.Entry

	salt [audit.SaltSize]byte
}

// NewDisk makes an empty disk.
func NewDisk() *Disk {
	return &Disk{
		format:   store.Format,
		records:  map[store.RunID][]record{},
		erased:   map[store.RunID]uint64{},
		pruned:   map[store.RunID]pruned{},
		rows:     map[store.RunID]store.RunRow{},
		keys:     map[keyName]key{},
		timers:   map[store.TimerID]timer{},
		programs: map[[32]byte]program{},
		objects:  map[store.ObjectID]object{},
	}
}

// Crash kills every process: their stores answer store.ErrClosed from now on,
// and what was begun and not completed is gone.
func (d *Disk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boots++
}

// Committed is the sequence of the last batch.
func (d *Disk) Committed() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last()
}

func (d *Disk) last() uint64 { return uint64(len(d.batches)) }

// write checks the batch against what is there and writes it whole, or returns
// why not.
func (d *Disk) write(b *store.Batch) error {
	for _, check := range []func(*store.Batch) error{d.checkRecords, d.checkRows, d.checkKeys, d.checkErase, d.checkPrune, d.checkForget, d.checkObjects} {
		if err := check(b); err != nil {
			return err
		}
	}
	hashes := d.writeRecords(b)
	n := uint64(0)
	salts := b.NewSalts(func(dst []byte) {
		fresh := salt(fmt.Sprintf("item %d", b.Sequence), n)
		copy(dst, fresh[:])
		n++
	})
	items := b.ItemHashes(salts)
	leaf := b.Leaf(hashes, items)
	d.batches = append(d.batches, batch{
		leaf: store.Leaf{Leaf: leaf, RecordHashes: hashes, ItemHashes: items},
		tree: d.edge.Append(leaf.Hash()),
	})
	d.writeRows(b, salts)
	d.writeObjects(b, salts)
	for _, id := range b.Erase {
		d.erased[id] = b.Sequence
		for i := range d.records[id] {
			r := &d.records[id][i]
			r.Payload, r.salt = nil, [audit.SaltSize]byte{}
		}
	}
	for _, p := range b.Prune {
		p.Batches = slices.Clone(p.Batches)
		d.pruned[p.Run] = pruned{Pruned: p, batch: b.Sequence}
		delete(d.records, p.Run)
		delete(d.rows, p.Run)
		maps.DeleteFunc(d.timers, func(id store.TimerID, _ timer) bool { return id.Run == p.Run })
	}
	return nil
}

// checkRecords looks at the records in the order of their runs, as a database
// does that writes them in the order of its keys.
func (d *Disk) checkRecords(b *store.Batch) error {
	for _, r := range slices.SortedFunc(slices.Values(b.Records), func(a, b store.Record) int {
		return strings.Compare(string(a.Run), string(b.Run))
	}) {
		have := d.records[r.Run]
		if _, gone := d.pruned[r.Run]; r.First == 1 && (len(have) > 0 || gone) {
			return &store.KeyTakenError{Run: r.Run}
		}
		if _, gone := d.erased[r.Run]; gone {
			return fmt.Errorf("%w: %s", store.ErrErased, r.Run)
		}
		if next := d.events(r.Run) + 1; r.First != next {
			return fmt.Errorf("%w: run %s has %d events, the record begins at %d", store.ErrSequence, r.Run, next-1, r.First)
		}
	}
	return nil
}

// events is the number of the last event of a run.
func (d *Disk) events(id store.RunID) uint64 {
	have := d.records[id]
	if len(have) == 0 {
		return 0
	}
	last := have[len(have)-1]
	return last.First + last.Count - 1
}

// checkRows looks for rows that change what is fixed for a run.
func (d *Disk) checkRows(b *store.Batch) error {
	for i := range b.Runs {
		if has, there := d.rows[b.Runs[i].ID]; there {
			if err := b.Runs[i].Follows(&has); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Disk) checkForget(b *store.Batch) error {
	for _, id := range b.Forget {
		if d.entry(id) == nil {
			return fmt.Errorf("%w: entry %s", store.ErrNotFound, id)
		}
	}
	return nil
}

func (d *Disk) checkObjects(b *store.Batch) error {
	for i := range b.Objects {
		o := &b.Objects[i]
		if has := d.objects[o.ObjectID]; o.Revision != has.Revision+1 {
			return &store.RevisionError{ID: o.ObjectID, Have: has.Revision, Want: o.Revision, Deleted: has.Deleted}
		}
	}
	return nil
}

func (d *Disk) checkKeys(b *store.Batch) error {
	for _, k := range b.Keys {
		has, taken := d.keys[keyName{k.Namespace, k.Key}]
		if taken && (has.Expires.IsZero() || has.Expires.After(store.Time(b.At))) {
			return &store.KeyTakenError{Namespace: k.Namespace, Key: k.Key, Run: has.Run, BodyHash: has.BodyHash}
		}
	}
	return nil
}

func (d *Disk) checkErase(b *store.Batch) error {
	for _, id := range b.Erase {
		if _, gone := d.erased[id]; gone {
			return fmt.Errorf("%w: %s", store.ErrErased, id)
		}
		if len(d.records[id]) == 0 {
			return fmt.Errorf("%w: run %s", store.ErrNotFound, id)
		}
	}
	return nil
}

func (d *Disk) checkPrune(b *store.Batch) error {
	for i := range b.Prune {
		p := &b.Prune[i]
		records := d.records[p.Run]
		if len(records) == 0 {
			return fmt.Errorf("%w: run %s", store.ErrNotFound, p.Run)
		}
		row, there := d.rows[p.Run]
		if _, gone := d.erased[p.Run]; !gone || there && !row.Ended() {
			return fmt.Errorf("%w: run %s to prune was not erased, or goes on", store.ErrInvalid, p.Run)
		}
		if !slices.EqualFunc(records, p.Batches, func(r record, batch uint64) bool { return r.Batch == batch }) {
			return fmt.Errorf("%w: run %s to prune has records in other batches", store.ErrInvalid, p.Run)
		}
	}
	return nil
}

func (d *Disk) writeRecords(b *store.Batch) []audit.Hash {
	hashes := make([]audit.Hash, len(b.Records))
	for i, r := range b.Records {
		r.Batch, r.Control, r.Payload = b.Sequence, slices.Clone(r.Control), slices.Clone(r.Payload)
		stored := record{Record: r, position: uint32(i), salt: salt(string(r.Run), r.First)}
		stored.commitment = audit.Commitment(stored.salt, r.Payload)
		hashes[i] = audit.RecordHash(stored.head(), stored.commitment)
		d.records[r.Run] = append(d.records[r.Run], stored)
	}
	return hashes
}

func (r *record) head() []byte {
	return audit.AppendRecord(nil, string(r.Run), r.First, r.Count, r.Control)
}

func (d *Disk) writeRows(b *store.Batch, salts store.Salts) {
	for _, p := range b.Programs {
		if _, there := d.programs[p.Hash]; !there {
			d.programs[p.Hash] = program{data: slices.Clone(p.Data), batch: b.Sequence}
		}
	}
	for _, r := range b.Runs {
		r.AcceptedAt, r.StartedAt, r.EndedAt = store.Time(r.AcceptedAt), store.Time(r.StartedAt), store.Time(r.EndedAt)
		r.Due, r.Events, r.Erased, r.Batch = store.Time(r.Due), 0, 0, b.Sequence
		if has, there := d.rows[r.ID]; there && has.ItemHash() == r.ItemHash() {
			continue // says nothing new
		}
		d.rows[r.ID] = r
	}
	for i, k := range b.Keys {
		k.Expires = store.Time(k.Expires)
		d.keys[keyName{k.Namespace, k.Key}] = key{Key: k, salt: salts.Keys[i], batch: b.Sequence}
	}
	for _, t := range b.SetTimers {
		t.At = store.TimerTime(t.At)
		d.timers[t.TimerID] = timer{Timer: t, batch: b.Sequence}
	}
	for _, id := range b.ClearTimers {
		delete(d.timers, id)
	}
}

// writeObjects writes objects and entries, and takes the text of others out.
func (d *Disk) writeObjects(b *store.Batch, salts store.Salts) {
	for i, o := range b.Objects {
		o.Batch, o.At, o.Data = b.Sequence, store.Time(b.At), none(slices.Clone(o.Data))
		d.objects[o.ObjectID] = object{Object: o, salt: salts.Objects[i]}
	}
	for _, id := range b.Forget {
		if e := d.entry(id); e.Forgotten == 0 {
			*e = entry{Entry: store.Entry{ID: e.ID, At: e.At, Forgotten: b.Sequence}}
		}
	}
	for i, e := range b.Entries {
		e.ID, e.At, e.Forgotten = store.EntryID{Batch: b.Sequence, Position: uint32(i)}, store.Time(b.At), 0
		e.Detail = none(slices.Clone(e.Detail))
		d.entries = append(d.entries, entry{Entry: e, salt: salts.Entries[i]})
	}
}

// entry finds an entry, nil if there is none.
func (d *Disk) entry(id store.EntryID) *entry {
	i, found := slices.BinarySearchFunc(d.entries, id, func(e entry, id store.EntryID) int { return e.ID.Compare(id) })
	if !found {
		return nil
	}
	return &d.entries[i]
}

// none makes no bytes nil.
func none(data []byte) []byte {
	if len(data) == 0 {
		return nil
	}
	return data
}

// salt stands for randomness: another one for each name and number.
func salt(name string, n uint64) [audit.SaltSize]byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("salt of "+name+"\x00"), n))
	return [audit.SaltSize]byte(sum[:])
}

// check checks a record against its commitment, or what an erasure left of it
// against its batch.
func (d *Disk) check(r *record) error {
	whole := audit.Commitment(r.salt, r.Payload) == r.commitment
	if batch, gone := d.erased[r.Run]; gone {
		whole = r.Payload == nil && d.erasure(r.Run, batch)
	}
	if !whole || r.Batch == 0 || r.Batch > d.last() {
		return fmt.Errorf("%w: run %s, event %d", store.ErrCorrupt, r.Run, r.First)
	}
	hashes := d.batches[r.Batch-1].leaf.RecordHashes
	if int(r.position) >= len(hashes) || hashes[r.position] != audit.RecordHash(r.head(), r.commitment) {
		return fmt.Errorf("%w: run %s, event %d is not what batch %d wrote", store.ErrCorrupt, r.Run, r.First, r.Batch)
	}
	return nil
}

// erasure reports whether the batch erased the run.
func (d *Disk) erasure(id store.RunID, batch uint64) bool {
	return batch > 0 && batch <= d.last() && slices.Contains(d.batches[batch-1].leaf.ItemHashes, id.EraseHash())
}

// copied is the record for a caller: no payload is nil.
func (r *record) copied() store.Record {
	out := r.Record
	out.Control, out.Payload = none(slices.Clone(r.Control)), none(slices.Clone(r.Payload))
	return out
}
