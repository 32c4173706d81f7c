package store

import (
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
)

// Leaf returns the audit leaf of the batch whose records and items have the
// hashes.
func (b *Batch) Leaf(records, items []audit.Hash) audit.Leaf {
	all := make([]audit.Hash, 0, len(records)+len(items))
	all = append(append(all, records...), items...)
	return audit.Leaf{
		Sequence: b.Sequence, Incarnation: b.Incarnation, At: Time(b.At),
		Records: uint32(len(records)), Items: uint32(len(items)), Root: audit.Root(all),
	}
}

// ItemHashes returns the hashes of the items of the batch: programs, runs,
// keys, timers set, timers cleared, erasures, each in the order of the batch.
// There is one salt for each key.
func (b *Batch) ItemHashes(salts [][audit.SaltSize]byte) []audit.Hash {
	n := len(b.Programs) + len(b.Runs) + len(b.Keys) + len(b.SetTimers) + len(b.ClearTimers) + len(b.Erase)
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
		hashes = append(hashes, b.Keys[i].ItemHash(salts[i]))
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
	return hashes
}

// ItemHash is the hash of the program's item: its hash.
func (p *Program) ItemHash() audit.Hash {
	return audit.ItemHash(append(audit.AppendItem(nil, itemProgram), p.Hash[:]...))
}

// ItemHash is the hash of the row's item: its fields in order but for Events,
// the program's hash without a length, a time that is zero as the
// smallest signed integer.
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
	return audit.ItemHash(appendTime(item, r.EndedAt))
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

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return audit.AppendUint64(dst, noTime)
	}
	return audit.AppendTime(dst, t)
}
