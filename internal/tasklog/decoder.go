package tasklog

import (
	"bytes"
	"errors"

	"github.com/regie-dev/regie/internal/executor"
)

// Decoder reads the records of a log whose bytes come in pieces, such as over a
// connection. Not safe for concurrent use.
type Decoder struct {
	offset  int64
	pending []byte
	read    int // bytes of pending that belong to records already returned
}

// NewDecoder returns a decoder of the bytes from an offset on, which is 0 or
// one that [Decoder.Offset] has returned.
func NewDecoder(offset int64) *Decoder { return &Decoder{offset: offset} }

// Offset is how many bytes of the log the records returned so far take.
func (d *Decoder) Offset() int64 { return d.offset }

// Add takes the next bytes of the log. It makes the data of chunks invalid.
func (d *Decoder) Add(p []byte) {
	rest := copy(d.pending, d.pending[d.read:])
	d.pending, d.read = append(d.pending[:rest], p...), 0
}

// Next returns the next piece of output; false if there is no whole record now.
// Its data is valid until the next Add. Damage gives a *[DamagedError].
func (d *Decoder) Next() (executor.Chunk, bool, error) {
	if d.offset == 0 {
		b := d.pending[d.read:]
		if len(b) < magicSize {
			return executor.Chunk{}, false, nil
		}
		if !bytes.Equal(b[:magicSize], magic()) {
			return executor.Chunk{}, false, errors.New("is no log of a task")
		}
		d.take(magicSize)
	}
	for {
		b := d.pending[d.read:]
		if len(b) < headerSize {
			return executor.Chunk{}, false, nil
		}
		h, ok := parseHeader(b)
		if !ok {
			return executor.Chunk{}, false, &DamagedError{d.offset}
		}
		size := headerSize + h.length
		if len(b) < size {
			return executor.Chunk{}, false, nil
		}
		data := b[headerSize:size:size]
		if checksum(b, data) != h.sum {
			return executor.Chunk{}, false, &DamagedError{d.offset}
		}
		d.take(size)
		if h.stream != closed {
			return executor.Chunk{At: h.at, Stream: h.stream, Data: data}, true, nil
		}
	}
}

func (d *Decoder) take(n int) {
	d.read += n
	d.offset += int64(n)
}
