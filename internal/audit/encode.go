package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a SHA-256 hash.
type Hash = tlog.Hash

// SaltSize is the length of the salt of a payload commitment in bytes.
const SaltSize = 16

// Tags begin every text that is hashed.
const (
	payloadTag = "regie/payload/1\x00"
	recordTag  = "regie/record/1\x00"
	itemTag    = "regie/item/1\x00"
	batchTag   = "regie/batch/1\x00"
)

// AppendString appends a string with its length.
func AppendString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// AppendBytes appends bytes with their length.
func AppendBytes(dst, b []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...)
}

// AppendUint64 appends an integer.
func AppendUint64(dst []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(dst, n)
}

// AppendTime appends a time to the microsecond; what is finer is cut off.
func AppendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixMicro()))
}

// Commitment commits to a payload without saying anything about it to those
// who do not know the salt.
func Commitment(salt [SaltSize]byte, payload []byte) Hash {
	h := sha256.New()
	h.Write([]byte(payloadTag))
	h.Write(salt[:])
	h.Write(payload)
	var out Hash
	h.Sum(out[:0])
	return out
}

// AppendRecord appends what a record's hash covers, but for the payload
// commitment. The same bytes serve as additional data when a payload is
// encrypted, so that a payload is bound to its place.
func AppendRecord(dst []byte, run string, first, count uint64, control []byte) []byte {
	dst = append(dst, recordTag...)
	dst = AppendString(dst, run)
	dst = AppendUint64(dst, first)
	dst = AppendUint64(dst, count)
	return AppendBytes(dst, control)
}

// RecordHash is the hash of a record: head is what [AppendRecord] returns.
func RecordHash(head []byte, commitment Hash) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(head)
	h.Write(commitment[:])
	var out Hash
	h.Sum(out[:0])
	return out
}

// AppendItem begins an item of the kind; its fields follow.
func AppendItem(dst []byte, kind uint8) []byte {
	dst = append(dst, itemTag...)
	return append(dst, kind)
}

// ItemHash is the hash of an item that was begun with [AppendItem].
func ItemHash(item []byte) Hash {
	return tlog.RecordHash(item)
}
