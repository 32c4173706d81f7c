package tasklog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/regie-dev/regie/internal/executor"
)

// window is how much is read at once; it holds more than the largest record.
const window = 256 << 10

// Reader reads the records of a log, also while it is written. Not safe for
// concurrent use.
type Reader struct {
	src    io.ReaderAt
	offset int64 // of the next record
	ended  bool

	buffer []byte // of the file, from start on
	start  int64
	data   []byte // of the record read last
}

// NewReader returns a reader from the beginning.
func NewReader(src io.ReaderAt) *Reader { return &Reader{src: src} }

// Next returns the next piece of output; its data is valid until the call
// after it. [io.EOF] says that there is no whole record now: a later call finds
// what was written since. Damage gives a *[DamagedError].
func (r *Reader) Next() (executor.Chunk, error) {
	if r.offset == 0 {
		if err := r.magic(); err != nil {
			return executor.Chunk{}, err
		}
	}
	for {
		b, err := r.ahead(headerSize)
		if err != nil {
			return executor.Chunk{}, err
		}
		if len(b) < headerSize {
			return executor.Chunk{}, io.EOF
		}
		h, ok := parseHeader(b)
		if !ok {
			return executor.Chunk{}, r.bad(headerSize)
		}
		b, err = r.ahead(headerSize + h.length)
		if err != nil {
			return executor.Chunk{}, err
		}
		if len(b) < headerSize+h.length {
			return executor.Chunk{}, io.EOF
		}
		b = b[:headerSize+h.length]
		if checksum(b, b[headerSize:]) != h.sum {
			return executor.Chunk{}, r.bad(max(headerSize, len(b)-1))
		}
		r.offset += int64(len(b))
		r.ended = h.stream == closed
		if !r.ended {
			r.data = append(r.data[:0], b[headerSize:]...)
			return executor.Chunk{At: h.at, Stream: h.stream, Data: r.data}, nil
		}
	}
}

// Ended reports whether the last record read says that the writer was closed.
func (r *Reader) Ended() bool { return r.ended }

// magic checks the beginning of the file, of which a crash may have left a
// part, and zeros.
func (r *Reader) magic() error {
	b, err := r.ahead(magicSize)
	if err != nil {
		return err
	}
	b = b[:min(len(b), magicSize)]
	written := bytes.TrimRight(b, "\x00")
	switch {
	case bytes.Equal(b, magic()):
		r.offset = magicSize
		return nil
	case bytes.HasPrefix(magic(), b):
		return io.EOF
	case len(written) <= 4 && bytes.HasPrefix(magic(), written):
		return r.bad(len(written))
	case len(b) < magicSize || !bytes.HasPrefix(b, magic()[:4]):
		return errors.New("is no log of a task")
	}
	return fmt.Errorf("log has format %d, this Regie reads %d; use the newer Regie", binary.LittleEndian.Uint32(b[4:]), format)
}

// ahead returns at least n bytes from the offset on, or fewer if the file ends
// before; n is at most the largest record.
func (r *Reader) ahead(n int) ([]byte, error) {
	if b := r.held(); len(b) >= n {
		return b, nil
	}
	if r.buffer == nil {
		r.buffer = make([]byte, window)
	}
	r.buffer = r.buffer[:cap(r.buffer)]
	got, err := r.src.ReadAt(r.buffer, r.offset)
	if err != nil && !errors.Is(err, io.EOF) {
		r.buffer = r.buffer[:0]
		return nil, fmt.Errorf("read log: %w", err)
	}
	r.buffer, r.start = r.buffer[:got], r.offset
	return r.buffer, nil
}

// held are the bytes from the offset on that were read already.
func (r *Reader) held() []byte {
	if skip := r.offset - r.start; skip >= 0 && skip <= int64(len(r.buffer)) {
		return r.buffer[skip:]
	}
	return nil
}

// bad judges a record that is wrong: torn, which is the end, if nothing but
// zeros comes after so many of its bytes; else damaged.
func (r *Reader) bad(length int) error {
	damage := &DamagedError{Offset: r.offset}
	rest := make([]byte, window)
	for at := r.offset + int64(length); ; {
		n, err := r.src.ReadAt(rest, at)
		if !zero(rest[:n]) {
			return damage
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		at += int64(n)
	}
	r.buffer = r.buffer[:0] // a writer may be completing it
	return io.EOF
}
