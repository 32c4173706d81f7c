package store

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Limits of queries.
const (
	// DefaultLimit is how many rows a list has when the caller does not say.
	DefaultLimit = 100
	// MaxLimit is how many rows a list has at most.
	MaxLimit = 10_000
	// MaxAlternatives is how many values each list of alternatives has at most.
	MaxAlternatives = 100
)

// RunQuery names runs. All that is set must hold.
type RunQuery struct {
	// Before is the ID that the runs come before; empty: the newest first.
	Before RunID
	// ByBatch lists changes: the runs in the order of (Batch, ID), oldest first,
	// those after (Since, After). The zero Since is the beginning; any other says
	// ByBatch by itself. An empty After comes after every run of batch Since: who
	// has read a page that ends within a batch gives the last row's Batch and ID.
	ByBatch bool
	Since   uint64
	After   RunID
	// Namespaces, Workflows and States are alternatives; nil: any.
	Namespaces, Workflows, States []string
	// DateFrom and DateTo bound the business date, both included; empty:
	// unbounded. With either, runs without a business date are left out.
	DateFrom, DateTo string
	Limit            int // 0: DefaultLimit
}

// Check returns ErrInvalid, wrapped, for a query that contradicts itself or is
// too large. Implementations call it first.
func (q *RunQuery) Check() error {
	switch {
	case q.Changes() && q.Before != "":
		return fmt.Errorf("%w: runs by batch come after others, not before", ErrInvalid)
	case !q.Changes() && q.After != "":
		return fmt.Errorf("%w: only runs by batch come after others", ErrInvalid)
	}
	return checkQuery(q.Limit, q.Namespaces, q.Workflows, q.States)
}

// Changes reports whether the query lists changes, in the order of batches.
func (q *RunQuery) Changes() bool { return q.ByBatch || q.Since != 0 }

// Matches reports whether the row is what the query asks for, wherever it
// stands and however many there are.
func (q *RunQuery) Matches(r *RunRow) bool {
	return among(q.Namespaces, r.Namespace) && among(q.Workflows, r.Workflow) && among(q.States, r.State) &&
		(q.DateFrom == "" && q.DateTo == "" || r.BusinessDate != "") &&
		(q.DateFrom == "" || r.BusinessDate >= q.DateFrom) && (q.DateTo == "" || r.BusinessDate <= q.DateTo)
}

// EntryQuery names entries of the audit log. All that is set must hold. An entry
// whose text was taken out matches only when nothing is asked of the text.
type EntryQuery struct {
	// Before is the place that they come before; zero: the newest first.
	Before EntryID
	// OldestFirst lists the entries that come after After, the oldest first; the
	// zero After is the beginning.
	OldestFirst bool
	After       EntryID
	// Namespaces are alternatives; nil: any. Entries of no namespace have "".
	Namespaces            []string
	Actor, Action, Object string
	From, To              time.Time // From included, To not; zero: unbounded
	Limit                 int       // 0: DefaultLimit
}

// Check returns ErrInvalid, wrapped, for a query that contradicts itself or is
// too large. Implementations call it first.
func (q *EntryQuery) Check() error {
	switch {
	case q.OldestFirst && q.Before != EntryID{}:
		return fmt.Errorf("%w: entries with the oldest first come after others, not before", ErrInvalid)
	case !q.OldestFirst && q.After != EntryID{}:
		return fmt.Errorf("%w: only entries with the oldest first come after others", ErrInvalid)
	}
	return checkQuery(q.Limit, q.Namespaces)
}

// Matches reports whether the entry is what the query asks for, wherever it
// stands and however many there are.
func (q *EntryQuery) Matches(e *Entry) bool {
	if e.Forgotten != 0 && (q.Namespaces != nil || q.Actor != "" || q.Action != "" || q.Object != "") {
		return false
	}
	return among(q.Namespaces, e.Namespace) &&
		(q.Actor == "" || q.Actor == e.Actor) && (q.Action == "" || q.Action == e.Action) && (q.Object == "" || q.Object == e.Object) &&
		(q.From.IsZero() || !e.At.Before(q.From)) && (q.To.IsZero() || e.At.Before(q.To))
}

// LimitOf is the limit that a caller means.
func LimitOf(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return limit
}

// Compare orders entries by their place.
func (id EntryID) Compare(other EntryID) int {
	return cmp.Or(cmp.Compare(id.Batch, other.Batch), cmp.Compare(id.Position, other.Position))
}

// String is the batch and the position with a slash, as in 17/0.
func (id EntryID) String() string { return fmt.Sprintf("%d/%d", id.Batch, id.Position) }

func checkQuery(limit int, alternatives ...[]string) error {
	if limit < 0 || limit > MaxLimit {
		return fmt.Errorf("%w: limit %d, at most %d", ErrInvalid, limit, MaxLimit)
	}
	for _, values := range alternatives {
		if len(values) > MaxAlternatives {
			return fmt.Errorf("%w: %d alternatives, at most %d", ErrInvalid, len(values), MaxAlternatives)
		}
	}
	return nil
}

// among reports whether a value is one of the alternatives.
func among(alternatives []string, value string) bool {
	return alternatives == nil || slices.Contains(alternatives, value)
}
