package tasklog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"time"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/executor"
)

const (
	// MaxLine is the most bytes of one line; a longer one comes in parts.
	MaxLine = 64 << 10
	// PollTime is how long [Follow] waits between two looks at the file.
	PollTime = 100 * time.Millisecond
)

// Line is one line of a log, or a part of a long one.
type Line struct {
	At     time.Time // when its first byte came
	Stream executor.Stream
	Text   string // as printed, without the line break
	// More says that the line goes on in the next one of the stream, or has not
	// ended at all.
	More bool
}

// splitter makes lines of chunks.
type splitter struct {
	open map[executor.Stream]*opened
}

// opened is a line that has not ended.
type opened struct {
	at   time.Time
	text []byte
}

func newSplitter() *splitter { return &splitter{map[executor.Stream]*opened{}} }

// add takes a chunk and calls yield for the lines that it ends, until yield
// returns false.
func (s *splitter) add(c executor.Chunk, yield func(Line) bool) bool {
	o := s.open[c.Stream]
	if o == nil {
		o = &opened{}
		s.open[c.Stream] = o
	}
	for data := c.Data; len(data) > 0; {
		if len(o.text) == 0 {
			o.at = c.At
		}
		end := bytes.IndexByte(data, '\n')
		piece := data
		if end >= 0 {
			piece = data[:end]
		}
		if room := MaxLine - len(o.text); len(piece) > room {
			o.text = append(o.text, piece[:room]...)
			data = data[room:]
			if !s.cut(c.Stream, o, yield) {
				return false
			}
			continue
		}
		o.text = append(o.text, piece...)
		if end < 0 {
			return true
		}
		data = data[end+1:]
		line := Line{At: o.at, Stream: c.Stream, Text: string(bytes.TrimSuffix(o.text, []byte{'\r'}))}
		o.text = o.text[:0]
		if !yield(line) {
			return false
		}
	}
	return true
}

// cut passes on a part of a line that is full; a character or an escape that
// begins at its end stays for the next part.
func (s *splitter) cut(stream executor.Stream, o *opened, yield func(Line) bool) bool {
	n := len(o.text)
	for back := 1; back < utf8.UTFMax && !utf8.RuneStart(o.text[n-1]); back++ {
		n--
	}
	if n > 1 && !utf8.FullRune(o.text[n-1:]) {
		n--
	} else {
		n = len(o.text)
	}
	if i := bytes.LastIndexByte(o.text[:n], '\x1b'); i > 0 && n-i < maxSGR {
		n = i
	}
	line := Line{At: o.at, Stream: stream, Text: string(o.text[:n]), More: true}
	o.text = o.text[:copy(o.text, o.text[n:])]
	return yield(line)
}

// flush passes on the lines that have not ended.
func (s *splitter) flush(yield func(Line) bool) bool {
	for _, stream := range []executor.Stream{executor.Stdout, executor.Stderr, executor.System} {
		if o := s.open[stream]; o != nil && len(o.text) > 0 {
			line := Line{At: o.at, Stream: stream, Text: string(o.text), More: true}
			o.text = o.text[:0]
			if !yield(line) {
				return false
			}
		}
	}
	return true
}

// Lines reads a log from the beginning. An error is the last thing that it
// yields; the lines before it are sound.
func Lines(src io.ReaderAt) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		pass := func(l Line) bool { return yield(l, nil) }
		r, s := NewReader(src), newSplitter()
		for {
			c, err := r.Next()
			if err == nil {
				if !s.add(c, pass) {
					return
				}
				continue
			}
			if s.flush(pass) && !errors.Is(err, io.EOF) {
				yield(Line{}, err)
			}
			return
		}
	}
}

// Tail returns the last n lines of a log.
func Tail(src io.ReaderAt, n int) ([]Line, error) {
	last := tail{most: n}
	for line, err := range Lines(src) {
		if err != nil {
			return last.lines(), err
		}
		last.add(line)
	}
	return last.lines(), nil
}

// tail keeps the last lines in a ring.
type tail struct {
	most int
	ring []Line
	next int
}

func (t *tail) add(l Line) {
	switch {
	case t.most <= 0:
	case len(t.ring) < t.most:
		t.ring = append(t.ring, l)
	default:
		t.ring[t.next] = l
		t.next = (t.next + 1) % t.most
	}
}

func (t *tail) lines() []Line {
	return append(append([]Line(nil), t.ring[t.next:]...), t.ring[:t.next]...)
}

// Follow calls show for the lines of a log, and then for each line that comes,
// until the writer is closed or ctx ends. last is how many of the lines that
// are there already it begins with; below 0 all. It returns the error of show,
// of the log, or of ctx.
func Follow(ctx context.Context, src io.ReaderAt, last int, show func(Line) error) error {
	r, s := NewReader(src), newSplitter()
	var showErr error
	pass := func(l Line) bool {
		showErr = show(l)
		return showErr == nil
	}
	old := tail{most: last}
	keep := func(l Line) bool {
		old.add(l)
		return true
	}
	ticker := time.NewTicker(PollTime)
	defer ticker.Stop()
	for first := last >= 0; ; first = false {
		take := pass
		if first {
			take = keep
		}
		err := readOn(r, s, take)
		if first {
			for _, l := range old.lines() {
				if !pass(l) {
					break
				}
			}
		}
		if showErr == nil && (err != nil || r.Ended()) {
			s.flush(pass)
		}
		switch {
		case showErr != nil:
			return showErr
		case err != nil || r.Ended():
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if s.flush(pass); showErr != nil {
				return showErr
			}
			return ctx.Err()
		}
	}
}

// readOn reads what there is, until take returns false.
func readOn(r *Reader, s *splitter, take func(Line) bool) error {
	for {
		c, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !s.add(c, take) {
			return nil
		}
	}
}
