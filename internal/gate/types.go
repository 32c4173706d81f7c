package gate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/calendar"
)

// Kind tells what a limit bounds.
type Kind string

// The kinds: what workflows name; runs of a workflow with the same key; live
// runs and running attempts of a namespace.
const (
	Named       Kind = ""
	Concurrency Kind = "concurrency"
	Runs        Kind = "runs"
	Steps       Kind = "steps"
)

// ID names a limit. It is unique within its namespace and kind.
type ID struct {
	Kind      Kind   `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// Compare orders IDs.
func (id ID) Compare(other ID) int {
	return cmp.Or(strings.Compare(string(id.Kind), string(other.Kind)),
		strings.Compare(id.Namespace, other.Namespace), strings.Compare(id.Name, other.Name))
}

// Limit says how much there is of something.
type Limit struct {
	ID ID `json:"id"`
	// Capacity is how many shares may be held at once; 0: without bound.
	Capacity int `json:"capacity,omitempty"`
	// Rate is how many shares may be taken in a time.
	Rate Rate `json:"rate,omitzero"`
}

// Rate is Count in each Per. The zero Rate is none.
type Rate struct {
	Count int           `json:"count"`
	Per   time.Duration `json:"per"`
}

// Bounds of limits and requests.
const (
	MaxCapacity = 1_000_000_000
	MaxUses     = 16 // limits of one request
	MaxNeeds    = 32 // conditions that one request needs, adds or deletes
	MaxPriority = 1_000_000
)

// Fact is a condition: a name with a date, 2006-01-02 or empty. It holds or it
// does not.
type Fact struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Date      string `json:"date,omitempty"`
}

// Compare orders facts.
func (f Fact) Compare(other Fact) int {
	return cmp.Or(strings.Compare(f.Namespace, other.Namespace), strings.Compare(f.Name, other.Name), strings.Compare(f.Date, other.Date))
}

// Use is a share of a limit.
type Use struct {
	ID     ID  `json:"id"`
	Weight int `json:"weight,omitempty"` // 0 means 1
	// Capacity, if not 0, is that of the limit from now on: of one that nobody
	// defines, such as a concurrency key.
	Capacity int `json:"capacity,omitempty"`
}

// Ref names who asks: an activation of a run, or with Act 0 the run itself.
type Ref struct {
	Run string `json:"run"`
	Act uint64 `json:"act,omitempty"`
}

// Compare orders references.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(strings.Compare(r.Run, other.Run), cmp.Compare(r.Act, other.Act))
}

// Request asks to begin.
type Request struct {
	Ref Ref
	// Path names the activation to people.
	Path string
	// Uses are shares of limits, Needs the conditions that must hold. All of a
	// request are granted together.
	Uses  []Use
	Needs []Fact
	// Priority: higher ones first.
	Priority int
	// Latest is when it must begin so that its run is in time; zero: whenever.
	Latest time.Time
	// Since is when it began to wait.
	Since time.Time
	// Held requests keep their place and are passed over.
	Held bool
}

// Grant says who may begin now.
type Grant struct {
	Ref Ref
	// Spent are the rates of which it took a share, as they are now.
	Spent []Spent
}

// Spent is how much of a rate is used up.
type Spent struct {
	ID ID
	// Full is when the whole of it is there again.
	Full time.Time
}

// ErrFact is wrapped by errors about a condition that cannot be.
var ErrFact = errors.New("no condition")

// MaxName is the length of the longest name of a limit or condition, in bytes.
const MaxName = 200

// Check says what is wrong with a condition: its name or its date. The error wraps
// [ErrFact].
func (f Fact) Check() error {
	if err := CheckName(f.Name); err != nil {
		return fmt.Errorf("%w: its name %w", ErrFact, err)
	}
	if f.Date == "" {
		return nil
	}
	if _, err := calendar.ParseDate(f.Date); err != nil {
		return fmt.Errorf("%w: condition %s has the date %q, want one such as 2026-03-01", ErrFact, f.Name, f.Date)
	}
	return nil
}

// CheckName says why a text cannot be the name of a limit or condition.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > MaxName:
		return fmt.Errorf("has %d bytes, more than %d", len(name), MaxName)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return errors.New("is not a text")
	}
	return nil
}

// Check says what is wrong with a definition.
func (l *Limit) Check() error {
	switch {
	case l.Capacity < 0 || l.Capacity > MaxCapacity:
		return fmt.Errorf("limit %s has the capacity %d, want one from 1 to %d", l.ID.Name, l.Capacity, MaxCapacity)
	case l.Rate.Count < 0 || l.Rate.Count > MaxCapacity || l.Rate.Per < 0 || (l.Rate.Count == 0) != (l.Rate.Per == 0):
		return fmt.Errorf("limit %s has the rate %d in %s, want a count from 1 to %d and a duration", l.ID.Name, l.Rate.Count, l.Rate.Per, MaxCapacity)
	case l.ID.Kind == Named:
		if err := CheckName(l.ID.Name); err != nil {
			return fmt.Errorf("the name of a limit %w", err)
		}
	}
	return nil
}
