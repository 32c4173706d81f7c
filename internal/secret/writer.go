package secret

import "io"

// Writer masks what is written to it and passes it on. How the text is cut
// into pieces makes no difference to what comes out. Not safe for concurrent
// use.
type Writer struct {
	masker *Masker
	out    io.Writer
	at     int32 // state of the automaton

	// held[head:] are the bytes that may still turn out to be part of a
	// secret, never more than the longest pattern; what is before head was
	// passed on. offset is the place of held[0] in the whole text.
	held   []byte
	head   int
	offset int64
	// hidden are the parts of the held text that belong to secrets, in order
	// and apart from each other.
	hidden []span
	// masked is where the last mask ended: a part that begins there belongs
	// to the same mask.
	masked int64
	buffer []byte
	err    error
}

// span is a part of the text, from its first byte to the one after its last.
type span struct{ from, to int64 }

// Writer returns a writer that masks into w. It holds back what may be the
// beginning of a secret, at most [Masker.HoldBack] bytes; call Flush at the
// end.
func (m *Masker) Writer(w io.Writer) *Writer { return &Writer{masker: m, out: w, masked: -1} }

// HoldBack is the most bytes that a [Writer] holds back.
func (m *Masker) HoldBack() int { return m.automaton.longest }

// Write masks p. It reports len(p) also when it holds part of it back. An
// error of the writer below is returned by this and all further calls.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	a := &w.masker.automaton
	for i := 0; i < len(p); {
		if w.at == 0 && w.head == len(w.held) {
			start := i
			for i < len(p) && a.first[p[i]] == 0 {
				i++
			}
			w.buffer = append(w.buffer, p[start:i]...)
			w.offset += int64(i - start)
			if i == len(p) {
				break
			}
		}
		w.step(p[i])
		i++
	}
	if err := w.drain(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// step takes one byte in and passes on those that cannot be part of a match
// any more: all before the longest suffix that is the beginning of a pattern.
func (w *Writer) step(b byte) {
	a := &w.masker.automaton
	w.at = a.next(w.at, b)
	w.held = append(w.held, b)
	end := w.offset + int64(len(w.held))
	if match := int64(a.states[w.at].match); match > 0 {
		w.hide(span{end - match, end})
	}
	w.pass(end - int64(a.states[w.at].depth))
}

// hide adds a part that ends later than all others.
func (w *Writer) hide(s span) {
	for n := len(w.hidden); n > 0 && w.hidden[n-1].to >= s.from; n-- {
		s.from = min(s.from, w.hidden[n-1].from)
		w.hidden = w.hidden[:n-1]
	}
	w.hidden = append(w.hidden, s)
}

// pass moves the held text before end to the buffer.
func (w *Writer) pass(end int64) {
	at := w.offset + int64(w.head)
	for at < end {
		clear := end
		if len(w.hidden) > 0 {
			clear = min(end, w.hidden[0].from)
		}
		if at < clear {
			w.buffer = append(w.buffer, w.held[at-w.offset:clear-w.offset]...)
			at = clear
			continue
		}
		if at != w.masked {
			w.buffer = append(w.buffer, Mask...)
		}
		at = min(end, w.hidden[0].to)
		w.masked = at
		w.hidden[0].from = at
		if at == w.hidden[0].to {
			w.hidden = w.hidden[:copy(w.hidden, w.hidden[1:])]
		}
	}
	w.head = int(at - w.offset)
	if 2*w.head >= len(w.held) {
		w.held = w.held[:copy(w.held, w.held[w.head:])]
		w.offset, w.head = at, 0
	}
}

func (w *Writer) drain() error {
	if len(w.buffer) == 0 {
		return nil
	}
	_, w.err = w.out.Write(w.buffer)
	w.buffer = w.buffer[:0]
	return w.err
}

// Flush passes on what is held back and begins anew: a secret that is cut by
// a Flush is not recognised. Call it at the end of the text.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	w.pass(w.offset + int64(len(w.held)))
	w.at, w.masked = 0, -1
	return w.drain()
}
