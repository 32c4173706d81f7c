package audit

import (
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Leaf is what one leaf of the log says about a batch.
type Leaf struct {
	Sequence    uint64
	Incarnation uint64
	// At is the time of the batch, to the microsecond, UTC.
	At time.Time
	// Records and Items are how many hashes Root covers: records come first.
	Records uint32
	Items   uint32
	// Objects and Entries are how many of the items stand at their end: objects,
	// then entries. Who has some of them can tell how many are missing.
	Objects uint32
	Entries uint32
	Root    Hash
}

// leafSize is the length of a leaf's data in bytes.
const leafSize = len(batchTag) + 3*8 + 4*4 + tlog.HashSize

// Data returns the bytes that the leaf's hash covers.
func (l Leaf) Data() []byte {
	data := make([]byte, 0, leafSize)
	data = append(data, batchTag...)
	data = AppendUint64(data, l.Sequence)
	data = AppendUint64(data, l.Incarnation)
	data = AppendTime(data, l.At)
	data = binary.BigEndian.AppendUint32(data, l.Records)
	data = binary.BigEndian.AppendUint32(data, l.Items)
	data = binary.BigEndian.AppendUint32(data, l.Objects)
	data = binary.BigEndian.AppendUint32(data, l.Entries)
	return append(data, l.Root[:]...)
}

// Hash is the leaf's hash in the log.
func (l Leaf) Hash() Hash { return tlog.RecordHash(l.Data()) }

var errLeaf = errors.New("not the data of a batch")

// ParseLeaf reads what [Leaf.Data] wrote.
func ParseLeaf(data []byte) (Leaf, error) {
	if len(data) != leafSize || string(data[:len(batchTag)]) != batchTag {
		return Leaf{}, errLeaf
	}
	data = data[len(batchTag):]
	leaf := Leaf{
		Sequence:    binary.BigEndian.Uint64(data),
		Incarnation: binary.BigEndian.Uint64(data[8:]),
		At:          time.UnixMicro(int64(binary.BigEndian.Uint64(data[16:]))).UTC(),
		Records:     binary.BigEndian.Uint32(data[24:]),
		Items:       binary.BigEndian.Uint32(data[28:]),
		Objects:     binary.BigEndian.Uint32(data[32:]),
		Entries:     binary.BigEndian.Uint32(data[36:]),
	}
	copy(leaf.Root[:], data[40:])
	return leaf, nil
}
