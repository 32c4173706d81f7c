package worker

import (
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/tasklog"
)

// maskedLog masks what an attempt prints, each stream on its own, before it
// reaches the log. Safe for concurrent use.
type maskedLog struct {
	mu  sync.Mutex
	log Log // nil drops everything
	// open makes the log when there is something to write; nil: log is all there
	// is. Most calls of connectors print nothing, and a file costs more than
	// they do.
	open    func() (Log, error)
	unmade  error // why there is none
	clock   clock.Clock
	streams map[executor.Stream]*secret.Writer
	masker  *secret.Masker
	at      time.Time // of the chunk in hand
	err     error
	// tail is the end of what was written to the error stream, masked.
	tail []byte
	// behind are streams of which the log holds more than was written here: an
	// earlier process wrote it.
	behind map[executor.Stream]*catchUp
}

// catchUp leaves out what a log holds already. Masking gives the same bytes for
// the same output, however it is cut, so counting them is enough, as long as the
// secrets are the same.
type catchUp struct{ held, seen tasklog.Held }

// next returns what the log does not hold yet, and whether that is all from now
// on.
func (c *catchUp) next(p []byte) (fresh []byte, done bool) {
	n := min(int64(len(p)), c.held.Bytes-c.seen.Bytes)
	c.seen = c.seen.Add(p[:n])
	return p[n:], c.seen.Bytes == c.held.Bytes
}

// resume lets what the log holds already be left out, as output begins anew.
func (l *maskedLog) resume(log Resumable) {
	l.behind = map[executor.Stream]*catchUp{}
	for _, stream := range []executor.Stream{executor.Stdout, executor.Stderr, executor.System} {
		if held := log.Held(stream); held.Bytes > 0 {
			l.behind[stream] = &catchUp{held: held}
		}
	}
}

// maxTail is how much of the end of the error stream an error keeps, in bytes.
const maxTail = 2 << 10

func newMaskedLog(masker *secret.Masker, c clock.Clock) *maskedLog {
	return &maskedLog{clock: c, masker: masker, streams: map[executor.Stream]*secret.Writer{}}
}

// sink passes masked bytes of one stream on.
type sink struct {
	log    *maskedLog
	stream executor.Stream
}

func (s sink) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.stream == executor.Stderr {
		s.log.tail = append(s.log.tail, p...)
		if over := len(s.log.tail) - maxTail; over > 0 {
			s.log.tail = append(s.log.tail[:0], s.log.tail[over:]...)
		}
	}
	if err := s.log.make(); err != nil {
		return 0, err
	}
	if s.log.log == nil {
		return len(p), nil
	}
	return len(p), s.log.write(s.stream, p)
}

// make opens the log unless that was done.
func (l *maskedLog) make() error {
	if l.open == nil {
		return nil
	}
	l.log, l.unmade = l.open()
	l.open = nil
	return l.unmade
}

// write writes masked bytes, unless the log holds them already.
func (l *maskedLog) write(stream executor.Stream, p []byte) error {
	if c := l.behind[stream]; c != nil {
		var done bool
		if p, done = c.next(p); done {
			delete(l.behind, stream)
			if c.seen != c.held {
				note := "the log before this line was written while secrets had other values: output may be missing, or be there twice\n"
				if err := l.log.Write(executor.Chunk{At: l.at, Stream: executor.System, Data: []byte(note)}); err != nil {
					return err
				}
			}
		}
	}
	if len(p) == 0 {
		return nil
	}
	return l.log.Write(executor.Chunk{At: l.at, Stream: stream, Data: p})
}

// lastWords is the end of the error stream as text; what may be the beginning
// of a secret is held back no longer.
func (l *maskedLog) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.streams[executor.Stderr]; w != nil && l.err == nil {
		l.err = w.Flush()
		delete(l.streams, executor.Stderr)
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(l.tail), "\ufffd"))
}

// chunk takes a piece of output.
func (l *maskedLog) chunk(c executor.Chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	w := l.streams[c.Stream]
	if w == nil {
		w = l.masker.Writer(sink{l, c.Stream})
		l.streams[c.Stream] = w
	}
	l.at = c.At
	_, l.err = w.Write(c.Data)
}

// line takes one line of text that is the worker's own; line breaks in it stay
// within.
func (l *maskedLog) line(stream executor.Stream, text string) {
	l.mu.Lock()
	delete(l.behind, stream) // the log cannot hold it already
	l.mu.Unlock()
	text = strings.TrimRight(text, "\n")
	l.chunk(executor.Chunk{At: l.clock.Now(), Stream: stream, Data: []byte(text + "\n")})
}

// close writes what was held back, closes the log, and returns why there is none
// although something was printed. If the attempt was left to
// go on, what was held back may be the beginning of a secret whose rest is to
// come, and is written by whoever finds the attempt again.
func (l *maskedLog) close(left bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, stream := range []executor.Stream{executor.Stdout, executor.Stderr, executor.System} {
		if w := l.streams[stream]; w != nil && !left {
			l.at = l.clock.Now()
			_ = w.Flush() // a log that cannot be written fails no step
		}
	}
	if l.log != nil {
		_ = l.log.Close()
	}
	return l.unmade
}
