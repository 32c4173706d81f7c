package filter

import (
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
)

// Bounds of a filter line.
const (
	// MaxLine is the length of the longest line in bytes.
	MaxLine = 4 << 10
	// MaxTerms is how many terms a line has at most.
	MaxTerms = 64
	// MaxValues is how many values a term has at most, which is what a query of
	// the store takes.
	MaxValues = 100
	// MaxValue is the length of the longest value in bytes.
	MaxValue = 256
	// MaxDays is how many days a day may lie before or after today.
	MaxDays = 10_000
)

// Context is what a line means by itself: who asks, when and where.
type Context struct {
	Me   string // name of the user who asks; empty: nobody, and me is an error
	Now  time.Time
	Zone *time.Location // of days and times; nil: UTC
}

func (c Context) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

func (c Context) today() calendar.Date { return calendar.DateOf(c.Now.In(c.zone())) }

// Filter is a parsed line. It is immutable; the zero Filter has every run, the
// newest first.
type Filter struct {
	context Context
	terms   []term
	sort    []sortKey
}

// At returns the filter as it is asked at another time, for who keeps it: what
// is relative in it moves along.
func (f Filter) At(now time.Time) Filter {
	f.context.Now = now
	return f
}

// Subject is what a filter is about.
type Subject string

// The subjects.
const (
	Runs      Subject = "runs"
	Workflows Subject = "workflows"
)

// Check returns an *[Error] if a term asks of the subject what it does not have:
// workflows have name, namespace, folder, label and owner.
func (f Filter) Check(s Subject) error {
	if s != Workflows {
		return nil
	}
	const have = "workflows are filtered by name, namespace, folder, label and owner"
	for i := range f.terms {
		if t := &f.terms[i]; !t.key.ofWorkflows {
			return &Error{Column: t.column, Message: t.key.name + " is of runs, not of workflows", Hint: have}
		}
	}
	for _, k := range f.sort {
		if k.by != byName {
			return &Error{Column: k.column, Message: "workflows are not sorted by " + string(k.by), Hint: "write sort:name or sort:-name"}
		}
	}
	return nil
}

// String returns the canonical line, which means the same.
func (f Filter) String() string {
	parts := make([]string, 0, len(f.terms)+1)
	for i := range f.terms {
		parts = append(parts, f.terms[i].String())
	}
	if len(f.sort) > 0 {
		keys := make([]string, len(f.sort))
		for i, k := range f.sort {
			keys[i] = k.String()
		}
		parts = append(parts, "sort:"+strings.Join(keys, ","))
	}
	return strings.Join(parts, " ")
}
