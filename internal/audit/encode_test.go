package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/audit"
)

// The bytes that doc.go documents, put together by hand: a change here breaks
// every log that exists.
func TestBytesAreAsDocumented(t *testing.T) {
	t.Parallel()
	u32 := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	u64 := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	sum := func(parts ...string) audit.Hash {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return sha256.Sum256(all)
	}
	salt := [audit.SaltSize]byte{1, 2, 3}
	commitment := audit.Commitment(salt, []byte("payload"))
	root := audit.Hash{9}
	at := time.Date(2026, 11, 23, 8, 30, 0, 123456789, time.UTC)
	leaf := audit.Leaf{Sequence: 7, Incarnation: 3, At: at, Records: 2, Items: 9, Objects: 4, Entries: 3, Root: root}
	head := audit.AppendRecord(nil, "run-1", 5, 2, []byte("control"))
	item := audit.AppendUint64(audit.AppendBytes(audit.AppendItem(nil, 4), []byte("ab")), 6)

	tests := []struct {
		name      string
		got, want audit.Hash
	}{
		{"commitment", commitment, sum("regie/payload/1\x00", string(salt[:]), "payload")},
		{"record", audit.RecordHash(head, commitment), sum("\x00", "regie/record/1\x00", u32(5), "run-1",
			u64(5), u64(2), u32(7), "control", string(commitment[:]))},
		{"item", audit.ItemHash(item), sum("\x00", "regie/item/1\x00", "\x04", u32(2), "ab", u64(6))},
		{"batch", leaf.Hash(), sum("\x00", "regie/batch/1\x00", u64(7), u64(3), u64(uint64(at.UnixMicro())),
			u32(2), u32(9), u32(4), u32(3), string(root[:]))},
		{"root of none", audit.Root(nil), sum()},
		{"root of one", audit.Root([]audit.Hash{{1}}), audit.Hash{1}},
		{"root of three", audit.Root([]audit.Hash{{1}, {2}, {3}}), func() audit.Hash {
			a, b, c := audit.Hash{1}, audit.Hash{2}, audit.Hash{3}
			left := sum("\x01", string(a[:]), string(b[:]))
			return sum("\x01", string(left[:]), string(c[:]))
		}()},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: got %x, want %x", tt.name, tt.got, tt.want)
		}
	}
	if got, want := audit.AppendTime(nil, at), []byte(u64(uint64(at.UnixMicro()))); !bytes.Equal(got, want) {
		t.Errorf("time: got %x, want %x", got, want)
	}
}

func TestParseLeaf(t *testing.T) {
	t.Parallel()
	want := audit.Leaf{
		Sequence: 1 << 60, Incarnation: 42, At: time.Date(1969, 12, 31, 23, 0, 0, 5000, time.UTC),
		Records: 10, Items: 7, Objects: 1, Entries: 5, Root: audit.Hash{1, 2, 3},
	}
	got, err := audit.ParseLeaf(want.Data())
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range [][]byte{nil, want.Data()[1:], append(want.Data(), 0), append([]byte("x"), want.Data()[1:]...)} {
		if _, err := audit.ParseLeaf(bad); err == nil {
			t.Errorf("%x: accepted", bad)
		}
	}
}
