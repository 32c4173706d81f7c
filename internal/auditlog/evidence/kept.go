package evidence

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/regie-dev/regie/internal/audit"
)

// Kept is a checkpoint that was kept apart from the log.
type Kept struct {
	// Name is where it was found, such as anchor.jsonl:17.
	Name string
	Size uint64
	Root audit.Hash
}

// ErrKept means that a file has no checkpoint of the log, or a false one.
var ErrKept = errors.New("not a checkpoint of this log")

// LineOf returns the line by which a signed checkpoint is kept, with its end.
func LineOf(signed []byte) ([]byte, error) { return encode(checkpointLine{string(signed)}) }

// OpenLine reads such a line, with its end, and checks its signature: the log's
// own and no other.
func OpenLine(line []byte, key Key) (signed []byte, c audit.Checkpoint, err error) {
	var l checkpointLine
	if err := decode(line, &l); err != nil {
		return nil, c, err
	}
	signed = []byte(l.Checkpoint)
	c, err = open(signed, key)
	return signed, c, err
}

// open checks and reads a checkpoint that the log alone has signed.
func open(signed []byte, key Key) (audit.Checkpoint, error) {
	c, _, err := audit.OpenCheckpoint(signed, key.verifier)
	if err != nil {
		return c, err
	}
	// What a note may have beside the log's signature is not covered by it.
	text, err := c.Text()
	if err != nil {
		return c, err
	}
	signature, ok := bytes.CutPrefix(signed, []byte(text+"\n— "+key.Origin()+" "))
	encoded, ended := bytes.CutSuffix(signature, []byte("\n"))
	if _, err := base64.StdEncoding.Strict().DecodeString(string(encoded)); err != nil || !ok || !ended {
		return c, errForm
	}
	return c, nil
}

// ReadKept reads checkpoints that were kept apart from the log: one signed note,
// such as an HTTP or command anchor was given, or the lines that a file anchor
// wrote. Witnesses may have signed too. Each must be signed by the key:
// otherwise the error is [ErrKept], wrapped. Lines that are no checkpoint, such
// as one that was cut by a crash, are passed over, and counted in torn. The
// result is sorted by size.
func ReadKept(name string, r io.Reader, key Key) (kept []Kept, torn int, err error) {
	in := newLines(r)
	first, err := in.peek()
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	if first != '{' {
		return readNote(name, in.r, key)
	}
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errForm) {
			return nil, 0, fmt.Errorf("read %s: %w", name, err)
		}
		var l checkpointLine
		if err != nil || decode(line, &l) != nil {
			torn++
			continue
		}
		k, err := newKept(fmt.Sprintf("%s:%d", name, in.line), []byte(l.Checkpoint), key)
		if err != nil {
			return nil, 0, err
		}
		kept = append(kept, k)
	}
	if len(kept) == 0 {
		return nil, 0, fmt.Errorf("%w: %s has none", ErrKept, name)
	}
	slices.SortStableFunc(kept, func(a, b Kept) int { return int(int64(a.Size) - int64(b.Size)) })
	return kept, torn, nil
}

func readNote(name string, r io.Reader, key Key) ([]Kept, int, error) {
	signed, err := io.ReadAll(io.LimitReader(r, audit.MaxCheckpoint+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", name, err)
	}
	k, err := newKept(name, signed, key)
	if err != nil {
		return nil, 0, err
	}
	return []Kept{k}, 0, nil
}

func newKept(name string, signed []byte, key Key) (Kept, error) {
	c, _, err := audit.OpenCheckpoint(signed, key.verifier)
	if err != nil {
		return Kept{}, fmt.Errorf("%w: %s: %w", ErrKept, name, err)
	}
	return Kept{Name: name, Size: uint64(c.Size), Root: c.Root}, nil
}

// lines reads lines of at most MaxLine bytes, with their ends.
type lines struct {
	r    *bufio.Reader
	line int // number of the last one, from 1
	buf  []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// peek is the first byte, 0 at the end.
func (l *lines) peek() (byte, error) {
	first, err := l.r.Peek(1)
	if len(first) > 0 {
		return first[0], nil
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return 0, err
}

// next reads a line, which is good until the next one: io.EOF after the last,
// errForm for one that does not end or is too long.
func (l *lines) next() ([]byte, error) {
	l.buf = l.buf[:0]
	l.line++
	for {
		part, err := l.r.ReadSlice('\n')
		if err == nil && len(l.buf) == 0 {
			return part, nil
		}
		l.buf = append(l.buf, part...)
		switch {
		case len(l.buf) > MaxLine:
			return nil, fmt.Errorf("%w: a line is longer than %d bytes", errForm, MaxLine)
		case err == nil:
			return l.buf, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(l.buf) > 0:
			return nil, fmt.Errorf("%w: the last line does not end", errForm)
		default:
			return nil, err
		}
	}
}
