package diag

import (
	"fmt"
	"sort"
	"strings"
)

// Severity says whether a definition with this diagnostic can be used.
type Severity string

// A definition with an Error is refused; a Warning is shown and goes on.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Pos is a place in a file.
type Pos struct {
	File   string
	Line   int // from 1; 0 when unknown
	Column int // in characters, from 1; 0 when unknown
}

// Diagnostic is one finding.
type Diagnostic struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Length   int      `json:"-"` // characters to mark, at least 1 when drawn
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// Location is the place in the words of a language that names places, such
	// as /States/Order/Next; empty where there is none.
	Location string `json:"location,omitempty"`
	Hint     string `json:"hint"`
}

// String is the one-line form: file:line:column: severity[code]: message
// (hint). Control characters are shown as escapes.
func (d Diagnostic) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s[%s]: %s", d.File, d.Line, d.Column, d.Severity, d.Code, d.Text())
	if d.Hint != "" {
		s += " (" + d.Hint + ")"
	}
	return Visible(s)
}

// Text is the message with the location.
func (d *Diagnostic) Text() string {
	if d.Location == "" || d.Location == "/" {
		return d.Message
	}
	return strings.TrimRight(d.Message, " ") + " (at " + d.Location + ")"
}

// List collects diagnostics. The zero value is ready; not safe for concurrent
// use.
type List struct{ items []Diagnostic }

// Errorf adds an error.
func (l *List) Errorf(at Pos, code, format string, args ...any) *Diagnostic {
	return l.add(at, Error, code, fmt.Sprintf(format, args...))
}

// Warnf adds a warning.
func (l *List) Warnf(at Pos, code, format string, args ...any) *Diagnostic {
	return l.add(at, Warning, code, fmt.Sprintf(format, args...))
}

func (l *List) add(at Pos, severity Severity, code, message string) *Diagnostic {
	l.items = append(l.items, Diagnostic{File: at.File, Line: at.Line, Column: at.Column, Code: code, Severity: severity, Message: message})
	return &l.items[len(l.items)-1]
}

// WithHint sets what to write instead; it returns d for chaining on the result
// of [List.Errorf].
func (d *Diagnostic) WithHint(format string, args ...any) *Diagnostic {
	d.Hint = fmt.Sprintf(format, args...)
	return d
}

// WithLength sets how many characters the caret marks.
func (d *Diagnostic) WithLength(n int) *Diagnostic {
	d.Length = n
	return d
}

// Add appends findings of another pass.
func (l *List) Add(items ...Diagnostic) { l.items = append(l.items, items...) }

// HasErrors reports whether one of them is an error.
func (l *List) HasErrors() bool { return HasErrors(l.items) }

// Sorted returns the diagnostics by file, line, column, without exact
// repetitions.
func (l *List) Sorted() []Diagnostic {
	out := append([]Diagnostic(nil), l.items...)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	kept := out[:0]
	for i, d := range out {
		if i == 0 || d != kept[len(kept)-1] {
			kept = append(kept, d)
		}
	}
	return kept
}

// HasErrors reports whether one of the diagnostics is an error.
func HasErrors(items []Diagnostic) bool {
	for _, d := range items {
		if d.Severity == Error {
			return true
		}
	}
	return false
}
