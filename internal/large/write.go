package large

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/regie-dev/regie/internal/value"
)

// Write writes a value of a run to w as JSON, with all that references in it
// stand for. No more of it is in memory than a few KiB at once. The error says
// what could not be read; some may have been written then.
func (s *Store) Write(w io.Writer, run string, v value.Value) error {
	out := bufio.NewWriterSize(w, 64<<10)
	if err := s.writeValue(out, run, v, MaxNested); err != nil {
		return fmt.Errorf("read a large value: %w", errors.Join(err, out.Flush()))
	}
	return out.Flush()
}

func (s *Store) writeValue(w *bufio.Writer, run string, v value.Value, nested int) error {
	switch r, is := v.Ref(); {
	case is:
		return s.writeRef(w, run, r, false, nested)
	case !v.HasRef():
		_, err := w.Write(v.Append(nil))
		return err
	case v.Kind() == value.KindList:
		for i, item := range v.Items() {
			if err := w.WriteByte("[,"[min(i, 1)]); err != nil {
				return err
			}
			if err := s.writeValue(w, run, item, nested); err != nil {
				return err
			}
		}
		return w.WriteByte(']')
	}
	for i, m := range v.Members() {
		if _, err := w.Write(append(value.AppendString([]byte{"{,"[min(i, 1)]}, m.Key), ':')); err != nil {
			return err
		}
		if err := s.writeValue(w, run, m.Value, nested); err != nil {
			return err
		}
	}
	return w.WriteByte('}')
}

// writeRef writes what a reference stands for; bare is a list without its
// brackets.
func (s *Store) writeRef(w *bufio.Writer, run string, r value.Ref, bare bool, nested int) error {
	if nested == 0 {
		return fmt.Errorf("references lie in each other more than %d deep", MaxNested)
	}
	if r.Run != "" {
		run = r.Run
	}
	if len(r.Path) > 0 {
		v, err := s.load(run, r, nested)
		if err != nil {
			return err
		}
		_, err = w.Write(v.Append(nil))
		return err
	}
	if r.Parts {
		return s.writeParts(w, run, r, nested)
	}
	blob, err := s.cfg.Blobs.Open(run, r.SHA256)
	if err != nil {
		return err
	}
	in := &text{r: bufio.NewReaderSize(blob, 64<<10)}
	if bare {
		if _, err = in.r.Discard(1); err == nil {
			in.holds = true
		}
	}
	if err == nil {
		err = s.expand(w, run, in, nested)
	}
	return errors.Join(err, blob.Close())
}

func (s *Store) writeParts(w *bufio.Writer, run string, r value.Ref, nested int) error {
	index, err := s.read(run, r.SHA256, 0)
	if err != nil {
		return err
	}
	for i, p := range index.Items() {
		if err := w.WriteByte("[,"[min(i, 1)]); err != nil {
			return err
		}
		of, _ := p.Ref()
		if err := s.writeRef(w, run, of, true, nested-1); err != nil {
			return err
		}
	}
	return w.WriteByte(']')
}

// text is a stored value that is copied. With holds its last byte is left out.
type text struct {
	r     *bufio.Reader
	holds bool
	held  int // bytes that are held back, 0 or 1
	last  byte
}

// copy copies a piece, except for the last byte so far if that is held back.
func (t *text) copy(w *bufio.Writer, piece []byte) error {
	if !t.holds || len(piece) == 0 {
		_, err := w.Write(piece)
		return err
	}
	if t.held > 0 {
		if err := w.WriteByte(t.last); err != nil {
			return err
		}
	}
	t.held, t.last = 1, piece[len(piece)-1]
	_, err := w.Write(piece[:len(piece)-1])
	return err
}

// What follows "{" where an object is stored whose first key begins with NUL: one
// of one member, or of more. In a text it would be an escaped quotation mark that
// follows.
const (
	lone  = `"\u0000`
	ref   = `"\u0000ref":`
	first = ` "\u0000`
)

// expand copies a stored value, with what references in it stand for.
func (s *Store) expand(w *bufio.Writer, run string, in *text, nested int) error {
	for {
		piece, err := in.r.ReadSlice('{')
		if errors.Is(err, bufio.ErrBufferFull) {
			err = nil
		}
		if ended := errors.Is(err, io.EOF); ended || err != nil {
			if ended {
				err = nil
			}
			return errors.Join(err, in.copy(w, piece))
		}
		opens := bytes.HasSuffix(piece, []byte("{"))
		if err := in.copy(w, bytes.TrimSuffix(piece, []byte("{"))); err != nil { // before a look ahead overwrites it
			return err
		}
		switch {
		case !opens:
			continue
		case !in.follows(lone):
			if err := in.copy(w, []byte("{")); err != nil {
				return err
			}
			if in.follows(first) {
				if _, err := in.r.Discard(1); err != nil {
					return err
				}
			}
			continue
		case !in.follows(ref): // a key with one NUL more than it has
			if err := in.copy(w, []byte(`{"`)); err != nil {
				return err
			}
			if _, err := in.r.Discard(len(lone)); err != nil {
				return err
			}
			continue
		}
		if err := in.letGo(w); err != nil {
			return err
		}
		r, err := in.ref()
		if err != nil {
			return err
		}
		if err := s.writeRef(w, run, r, false, nested-1); err != nil {
			return err
		}
	}
}

// letGo writes the byte that is held back: more follows.
func (t *text) letGo(w *bufio.Writer) error {
	if t.held == 0 {
		return nil
	}
	t.held = 0
	return w.WriteByte(t.last)
}

func (t *text) follows(what string) bool {
	next, err := t.r.Peek(len(what))
	return err == nil && string(next) == what
}

// ref reads the rest of a reference.
func (t *text) ref() (value.Ref, error) {
	var r value.Ref
	if _, err := t.r.Discard(len(ref)); err != nil {
		return r, err
	}
	var object []byte
	for quoted, escaped := false, false; ; {
		c, err := t.r.ReadByte()
		if err != nil {
			return r, err
		}
		object = append(object, c)
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == '}' && !quoted:
			if err := json.Unmarshal(object, &r); err != nil {
				return r, err
			}
			_, err := t.r.Discard(1) // of the object around it
			return r, err
		}
	}
}
