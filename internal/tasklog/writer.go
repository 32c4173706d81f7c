package tasklog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

// Writer appends to a log. Safe for concurrent use.
type Writer struct {
	mu     sync.Mutex
	file   *os.File
	buffer []byte
	last   time.Time
	held   map[executor.Stream]Held
	err    error
}

// Held is what a log held of one stream when it was opened: how many bytes, and
// their CRC-32C.
type Held struct {
	Bytes int64
	Sum   uint32
}

// Add is Held with more data behind it.
func (h Held) Add(data []byte) Held {
	return Held{h.Bytes + int64(len(data)), crc32.Update(h.Sum, crc32.MakeTable(crc32.Castagnoli), data)}
}

// ErrClosed is returned for writing to a closed [Writer].
var ErrClosed = errors.New("log is closed")

// Open opens a log for appending, and makes it if there is none. It takes away
// the torn end that a crash may have left. A damaged log is not opened; the
// error is a *[DamagedError].
func Open(root *os.Root, name string) (*Writer, error) {
	// Without O_NONBLOCK the opening of a FIFO would hang.
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	w := &Writer{file: f}
	if err := w.mend(); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open log %s: %w", name, err)
	}
	return w, nil
}

// mend brings the file to a state in which a record can be appended.
func (w *Writer) mend() error {
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is no regular file")
	}
	if info.Size() == 0 {
		_, err := w.file.Write(magic())
		return err
	}
	r := NewReader(w.file)
	w.held = map[executor.Stream]Held{}
	for err == nil {
		var c executor.Chunk
		if c, err = r.Next(); err == nil {
			w.held[c.Stream] = w.held[c.Stream].Add(c.Data)
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if r.offset < info.Size() {
		if err := w.file.Truncate(r.offset); err != nil {
			return err
		}
	}
	if r.offset == 0 {
		_, err := w.file.Write(magic())
		return err
	}
	return nil
}

// Held is what the log held of a stream when it was opened.
func (w *Writer) Held(stream executor.Stream) Held { return w.held[stream] }

// Sync makes what was written durable.
func (w *Writer) Sync() error {
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync log: %w", err)
	}
	return nil
}

// Write appends a piece of output with one system call for each [MaxData]
// bytes of it. After an error the log takes nothing more, and returns the
// error again.
func (w *Writer) Write(c executor.Chunk) error {
	if c.Stream < executor.Stdout || c.Stream > executor.System {
		return fmt.Errorf("write log: %d is no stream", c.Stream)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for data := c.Data; len(data) > 0; {
		n := min(len(data), MaxData)
		if err := w.append(c.At, c.Stream, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func (w *Writer) append(at time.Time, stream executor.Stream, data []byte) error {
	if w.err != nil {
		return w.err
	}
	w.last = at
	w.buffer = appendRecord(w.buffer[:0], at, stream, data)
	if _, err := w.file.Write(w.buffer); err != nil {
		w.err = fmt.Errorf("write log: %w", err)
	}
	return w.err
}

// Close writes that the log has ended, for those who follow it. Idempotent.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(w.err, ErrClosed) {
		return nil
	}
	var err error
	if w.err == nil {
		err = w.append(w.last, closed, nil)
	}
	w.err = ErrClosed
	return errors.Join(err, w.file.Close())
}

// zero reports whether b holds nothing but zeros.
func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
