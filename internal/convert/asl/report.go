package asl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
)

// Outcome is what became of a construct of the state machine.
type Outcome string

// The outcomes.
const (
	Carried Outcome = "carried"
	// Changed is carried with another meaning, which the note says.
	Changed Outcome = "changed"
	// Lost is not carried; the note says why and what to do.
	Lost Outcome = "lost"
)

// Entry says what became of one construct.
type Entry struct {
	Outcome Outcome
	Pos     diag.Pos // in the state machine
	// State is the name of the state; empty for the machine itself.
	State string
	// Construct is the field, such as ResultPath or Retry.
	Construct string
	// Note says what is different, or what to do; empty where nothing is.
	Note string
	// Differs says that there is data with which a run ends in another way; the
	// note says which.
	Differs bool
}

// Report is what became of a state machine, in the order of its text.
type Report []Entry

// Count is the number of entries with the outcome.
func (r Report) Count(o Outcome) int {
	n := 0
	for _, e := range r {
		if e.Outcome == o {
			n++
		}
	}
	return n
}

// sorted is the report in the order of the text, each entry once.
func (r Report) sorted() Report {
	slices.SortStableFunc(r, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	var out Report
	known := map[Entry]bool{}
	for _, e := range r {
		if !known[e] {
			known[e] = true
			out = append(out, e)
		}
	}
	return out
}

// Summary counts the entries by their outcome.
func (r Report) Summary() string {
	return fmt.Sprintf("%d lost, %d changed, %d carried", r.Count(Lost), r.Count(Changed), r.Count(Carried))
}

// Text is the report for people: what is lost first, then what is changed.
func (r Report) Text() string {
	var b strings.Builder
	b.WriteString(r.Summary() + "\n")
	for _, o := range []Outcome{Lost, Changed, Carried} {
		if r.Count(o) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n", o)
		for _, e := range r {
			if e.Outcome != o {
				continue
			}
			fmt.Fprintf(&b, "  line %d: ", e.Pos.Line)
			if e.State != "" {
				fmt.Fprintf(&b, "%s: ", e.State)
			}
			b.WriteString(e.Construct)
			if e.Note != "" {
				b.WriteString(": " + strings.Join(strings.Fields(e.Note), " "))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// Value is the report for programs: a list of objects.
func (r Report) Value() value.Value {
	items := make([]value.Value, len(r))
	for i, e := range r {
		items[i] = value.Object(
			value.M("outcome", value.String(string(e.Outcome))),
			value.M("line", value.Int(int64(e.Pos.Line))),
			value.M("column", value.Int(int64(e.Pos.Column))),
			value.M("state", value.String(e.State)),
			value.M("construct", value.String(e.Construct)),
			value.M("note", value.String(e.Note)),
		)
	}
	return value.List(items...)
}
