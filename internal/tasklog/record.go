package tasklog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

// Bounds and sizes of the format.
const (
	MaxData    = 64 << 10 // bytes of data in one record
	headerSize = 20
	format     = 1
)

// magic begins a file.
func magic() []byte { return binary.LittleEndian.AppendUint32([]byte("RGLG"), format) }

const (
	magicSize = 8
	closed    = executor.Stream(0) // the writer was closed
)

// appendRecord appends one record with at most [MaxData] bytes.
func appendRecord(b []byte, at time.Time, stream executor.Stream, data []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = binary.LittleEndian.AppendUint64(b, uint64(at.UnixNano()))
	b = append(b, byte(stream))
	check := headerCheck(b[start:])
	b = append(b, check[:]...)
	b = binary.LittleEndian.AppendUint32(b, checksum(b[start:], data))
	return append(b, data...)
}

// headerCheck protects the length of a record, so that a wrong one is not taken
// for a torn record.
func headerCheck(header []byte) [3]byte {
	sum := crc32.Checksum(header[:13], crc32.MakeTable(crc32.Castagnoli))
	return [3]byte{byte(sum), byte(sum >> 8), byte(sum >> 16)}
}

func checksum(header, data []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(header[:16], table), table, data)
}

// header is the fixed part of a record.
type header struct {
	length int
	at     time.Time
	stream executor.Stream
	sum    uint32
}

// parseHeader reads a header; ok is false if it is not what was written.
func parseHeader(b []byte) (h header, ok bool) {
	h = header{
		length: int(binary.LittleEndian.Uint32(b)),
		at:     time.Unix(0, int64(binary.LittleEndian.Uint64(b[4:]))),
		stream: executor.Stream(b[12]),
		sum:    binary.LittleEndian.Uint32(b[16:]),
	}
	return h, h.length <= MaxData && headerCheck(b) == [3]byte(b[13:16])
}

// DamagedError says that a log cannot be read beyond a place.
type DamagedError struct {
	Offset int64 // bytes before the damage
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("log is damaged at byte %d; what follows is not shown", e.Offset)
}
