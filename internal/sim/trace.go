package sim

import (
	"fmt"
	"io"
	"time"
)

// traceKept is how many of the last steps a report shows.
const traceKept = 200

// step is one line of the trace.
type step struct {
	at   time.Duration // since the start
	what string
	who  string
	text string
	n    uint64
}

// trace hashes all steps and keeps the last.
type trace struct {
	hash  uint64
	steps int
	last  [traceKept]step
}

func newTrace() trace { return trace{hash: 14695981039346656037} }

// add notes a step. Its parts are hashed by FNV-1a; text is made only when
// shown.
func (t *trace) add(s step) {
	h := t.hash
	const prime = 1099511628211
	for _, text := range [...]string{s.what, s.who, s.text} {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	for _, n := range [...]uint64{uint64(s.at), s.n} {
		for range 8 {
			h = (h ^ n&0xff) * prime
			n >>= 8
		}
	}
	t.hash = h
	t.last[t.steps%traceKept] = s
	t.steps++
}

// write shows the last steps.
func (t *trace) write(w io.Writer) {
	for i := max(0, t.steps-traceKept); i < t.steps; i++ {
		t.last[i%traceKept].write(w, i)
	}
}

func (s *step) write(w io.Writer, i int) {
	fmt.Fprintf(w, "%6d %18v %-12s %-12s %s %d\n", i, s.at, s.what, s.who, s.text, s.n)
}
