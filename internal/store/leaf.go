package store

import (
	"encoding/binary"
	"time"

	"github.com/regie-dev/regie/internal/audit"
)

// noTime stands for the zero time: the smallest signed integer.
const noTime = 1 << 63

// Kinds of items, the things of a batch other than records. The numbers are
// part of the format.
const (
	itemProgram uint8 = iota + 1
	itemRun
	itemKey
	itemTimer
	itemClearTimer
	itemErase
	itemForget
	itemObject
	itemEntry
	itemPrune
)

// Leaf returns the audit leaf of the batch whose records and items have the
// hashes.
func (b *Batch) Leaf(records, items []audit.Hash) audit.Leaf {
	all := make([]audit.Hash, 0, len(records)+len(items))
	all = append(append(all, records...), items...)
	return audit.Leaf{
		Sequence: b.Sequence, Incarnation: b.Incarnation, At: Time(b.At),
		Records: uint32(len(records)), Items: uint32(len(items)),
		Objects: uint32(len(b.Objects)), Entries: uint32(len(b.Entries)), Root: audit.Root(all),
	}
}

// Salts are the random salts of the items of a batch that have one, each in the
// order of the batch.
type Salts struct {
	Keys, Objects, Entries [][audit.SaltSize]byte
}

// NewSalts makes the salts of a batch, each by a call of random.
func (b *Batch) NewSalts(random func(salt []byte)) Salts {
	all := make([][audit.SaltSize]byte, len(b.Keys)+len(b.Objects)+len(b.Entries))
	for i := range all {
		random(all[i][:])
	}
	keys, objects := len(b.Keys), len(b.Keys)+len(b.Objects)
	return Salts{Keys: all[:keys:keys], Objects: all[keys:objects:objects], Entries: all[objects:]}
}

// ItemHashes returns the hashes of the items of the batch: programs, runs,
// keys, timers set, timers cleared, erasures, prunings, entries forgotten,
// objects, entries, each in the order of the batch.
func (b *Batch) ItemHashes(salts Salts) []audit.Hash {
	n := len(b.Programs) + len(b.Runs) + len(b.Keys) + len(b.SetTimers) + len(b.ClearTimers) + len(b.Erase) +
		len(b.Prune) + len(b.Forget) + len(b.Objects) + len(b.Entries)
	if n == 0 {
		return nil
	}
	hashes := make([]audit.Hash, 0, n)
	for i := range b.Programs {
		hashes = append(hashes, b.Programs[i].ItemHash())
	}
	for i := range b.Runs {
		hashes = append(hashes, b.Runs[i].ItemHash())
	}
	for i := range b.Keys {
		hashes = append(hashes, b.Keys[i].ItemHash(salts.Keys[i]))
	}
	for i := range b.SetTimers {
		hashes = append(hashes, b.SetTimers[i].ItemHash())
	}
	for i := range b.ClearTimers {
		hashes = append(hashes, b.ClearTimers[i].clearHash())
	}
	for _, id := range b.Erase {
		hashes = append(hashes, id.EraseHash())
	}
	for i := range b.Prune {
		hashes = append(hashes, b.Prune[i].ItemHash())
	}
	for _, id := range b.Forget {
		hashes = append(hashes, id.ForgetHash())
	}
	for i := range b.Objects {
		hashes = append(hashes, b.Objects[i].ItemHash(salts.Objects[i]))
	}
	for i := range b.Entries {
		hashes = append(hashes, b.Entries[i].ItemHash(salts.Entries[i]))
	}
	return hashes
}

// ItemHash is the hash of the program's item: its hash.
func (p *Program) ItemHash() audit.Hash {
	return audit.ItemHash(append(audit.AppendItem(nil, itemProgram), p.Hash[:]...))
}

// ItemHash is the hash of the row's item: its fields in order but for Batch,
// Events and Erased, the program's hash without a length, Held as one byte, Attempts as
// four, a time that is zero as the smallest signed integer.
func (r *RunRow) ItemHash() audit.Hash {
	item := audit.AppendItem(make([]byte, 0, 256), itemRun)
	item = audit.AppendString(item, string(r.ID))
	item = audit.AppendString(item, r.Namespace)
	item = audit.AppendString(item, r.Workflow)
	item = append(item, r.Program[:]...)
	item = audit.AppendString(item, r.State)
	item = audit.AppendString(item, r.Reason)
	item = audit.AppendString(item, r.BusinessDate)
	item = appendTime(item, r.AcceptedAt)
	item = appendTime(item, r.StartedAt)
	item = appendTime(item, r.EndedAt)
	item = audit.AppendString(item, r.Actor)
	item = audit.AppendString(item, r.Trigger)
	item = appendBool(item, r.Held)
	item = binary.BigEndian.AppendUint32(item, r.Attempts)
	return audit.ItemHash(appendTime(item, r.Due))
}

// ItemHash is the hash of the key's item: the salt without a length, then its
// fields in order, the hash of the body without a length, an expiry that is
// zero as the smallest signed integer. The salt is random and stored with the key: without it nobody can
// try guesses of a key that was removed.
func (k *Key) ItemHash(salt [audit.SaltSize]byte) audit.Hash {
	item := append(audit.AppendItem(make([]byte, 0, 256), itemKey), salt[:]...)
	item = audit.AppendString(item, k.Namespace)
	item = audit.AppendString(item, k.Key)
	item = audit.AppendString(item, string(k.Run))
	item = append(item, k.BodyHash[:]...)
	return audit.ItemHash(appendTime(item, k.Expires))
}

// ItemHash is the hash of the timer's item: run, ID, time.
func (t *Timer) ItemHash() audit.Hash {
	item := t.append(itemTimer)
	return audit.ItemHash(audit.AppendTime(item, TimerTime(t.At)))
}

// clearHash is the hash of a cleared timer's item: run, ID.
func (id *TimerID) clearHash() audit.Hash { return audit.ItemHash(id.append(itemClearTimer)) }

func (id *TimerID) append(kind uint8) []byte {
	item := audit.AppendString(audit.AppendItem(nil, kind), string(id.Run))
	return audit.AppendUint64(item, id.ID)
}

// EraseHash is the hash of the item of the run's erasure: its ID.
func (id RunID) EraseHash() audit.Hash {
	return audit.ItemHash(audit.AppendString(audit.AppendItem(nil, itemErase), string(id)))
}

// ItemHash is the hash of the item of the run's pruning: its ID, then the
// sequences of the batches that had its records, in order.
func (p *Pruned) ItemHash() audit.Hash {
	item := audit.AppendString(audit.AppendItem(make([]byte, 0, 64+8*len(p.Batches)), itemPrune), string(p.Run))
	for _, batch := range p.Batches {
		item = audit.AppendUint64(item, batch)
	}
	return audit.ItemHash(item)
}

// ForgetHash is the hash of the item that says that the text of the entry was
// taken out: batch, position in four bytes.
func (id EntryID) ForgetHash() audit.Hash {
	item := audit.AppendUint64(audit.AppendItem(nil, itemForget), id.Batch)
	return audit.ItemHash(binary.BigEndian.AppendUint32(item, id.Position))
}

// ItemHash is the hash of the object's item: the salt without a length, kind,
// namespace, name, revision, Deleted as one byte, data.
func (o *Object) ItemHash(salt [audit.SaltSize]byte) audit.Hash {
	item := append(audit.AppendItem(make([]byte, 0, 128+len(o.Data)), itemObject), salt[:]...)
	item = audit.AppendString(item, o.Kind)
	item = audit.AppendString(item, o.Namespace)
	item = audit.AppendString(item, o.Name)
	item = audit.AppendUint64(item, o.Revision)
	item = appendBool(item, o.Deleted)
	return audit.ItemHash(audit.AppendBytes(item, o.Data))
}

// ItemHash is the hash of the entry's item: the salt without a length, then its
// fields in order from Actor on.
func (e *Entry) ItemHash(salt [audit.SaltSize]byte) audit.Hash {
	item := append(audit.AppendItem(make([]byte, 0, 256+len(e.Detail)), itemEntry), salt[:]...)
	for _, text := range []string{e.Actor, e.Via, e.Action, e.Namespace, e.Object, e.Outcome, e.Reason, e.Request} {
		item = audit.AppendString(item, text)
	}
	return audit.ItemHash(audit.AppendBytes(item, e.Detail))
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return audit.AppendUint64(dst, noTime)
	}
	return audit.AppendTime(dst, t)
}
