package process

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
)

// keptBuffers bounds the read buffers that are kept for the next who reads.
const keptBuffers = 32

// buffers lends read buffers. A stream takes one only when there is something
// to read, so that a thousand silent tasks hold none.
type buffers chan *[executor.MaxChunkBytes]byte

func newBuffers() buffers { return make(buffers, keptBuffers) }

func (b buffers) get() *[executor.MaxChunkBytes]byte {
	select {
	case p := <-b:
		return p
	default:
		return new([executor.MaxChunkBytes]byte)
	}
}

func (b buffers) put(p *[executor.MaxChunkBytes]byte) {
	select {
	case b <- p:
	default:
	}
}

// capture passes the output of one task on, bounded.
type capture struct {
	buffers buffers
	sink    func(executor.Chunk)
	sources [2]source

	mu    sync.Mutex // one chunk at a time, in the order of arrival
	left  int64      // bytes that may still be passed on
	total int64
	cut   bool
}

// source is the reading end of one stream's pipe.
type source struct {
	stream executor.Stream
	file   *os.File
	conn   syscall.RawConn
	ended  bool
}

// newCapture makes both pipes. The writing ends are returned for the child;
// the caller closes them.
func newCapture(b buffers, task *executor.Task) (c *capture, writers [2]int, err error) {
	c = &capture{buffers: b, sink: task.Output, left: task.MaxLogBytes}
	if c.left <= 0 {
		c.left = executor.DefaultMaxLogBytes
	}
	for i, stream := range []executor.Stream{executor.Stdout, executor.Stderr} {
		if c.sources[i], writers[i], err = newSource(stream); err != nil {
			if i == 1 {
				c.sources[0].close()
				_ = unix.Close(writers[0])
			}
			return nil, writers, fmt.Errorf("make pipe for output: %w", err)
		}
	}
	return c, writers, nil
}

func newSource(stream executor.Stream) (source, int, error) {
	reader, writer, err := pipe()
	if err != nil {
		return source{}, -1, err
	}
	s := source{stream: stream, file: os.NewFile(uintptr(reader), "output of a task")}
	if s.conn, err = s.file.SyscallConn(); err != nil {
		s.close()
		_ = unix.Close(writer)
		return source{}, -1, err
	}
	return s, writer, nil
}

func (s *source) close() { _ = s.file.Close() }

func (c *capture) close() {
	for i := range c.sources {
		c.sources[i].close()
	}
}

// deadline gives the reading a bound, also one that runs.
func (c *capture) deadline(at time.Time) {
	for i := range c.sources {
		_ = c.sources[i].file.SetReadDeadline(at)
	}
}

// drain reads both streams to their end, or up to the deadline. It reports
// whether both have ended.
func (c *capture) drain() bool {
	var other sync.WaitGroup
	other.Go(func() { c.read(&c.sources[1]) })
	c.read(&c.sources[0])
	other.Wait()
	return c.sources[0].ended && c.sources[1].ended
}

// read passes one stream on until it ends or its deadline has passed.
func (c *capture) read(s *source) {
	for !s.ended {
		var buffer *[executor.MaxChunkBytes]byte
		var n int
		var readErr error
		err := s.conn.Read(func(fd uintptr) bool {
			if buffer == nil {
				buffer = c.buffers.get()
			}
			for {
				n, readErr = unix.Read(int(fd), buffer[:])
				if !errors.Is(readErr, unix.EINTR) {
					break
				}
			}
			if errors.Is(readErr, unix.EAGAIN) {
				c.buffers.put(buffer)
				buffer = nil
				return false
			}
			return true
		})
		if err != nil {
			return // the deadline
		}
		if n > 0 {
			c.pass(s.stream, buffer[:n])
		}
		c.buffers.put(buffer)
		s.ended = n <= 0
	}
}

// pass hands a piece of output to the receiver as far as the bound allows.
func (c *capture) pass(stream executor.Stream, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += int64(len(data))
	if c.cut || c.sink == nil {
		return
	}
	keep := min(int64(len(data)), c.left)
	c.left -= keep
	if keep > 0 {
		c.sink(executor.Chunk{At: time.Now(), Stream: stream, Data: data[:keep:keep]})
	}
	if keep < int64(len(data)) {
		c.cut = true
		c.sink(executor.Chunk{At: time.Now(), Stream: executor.System, Data: []byte("output is cut here: the task printed more than its bound; what follows is dropped\n")})
	}
}

// note adds a line of Regie's own to the output.
func (c *capture) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sink != nil {
		c.sink(executor.Chunk{At: time.Now(), Stream: executor.System, Data: []byte(text + "\n")})
	}
}

// bytes is how much the task printed.
func (c *capture) bytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}
