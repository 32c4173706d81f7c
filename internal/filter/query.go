package filter

import (
	"slices"
	"strings"
	"time"
)

// Query is what an index can decide: no run that the filter has is outside it.
// What is inside must still be matched.
type Query struct {
	// None says that the filter can have no run at all; the rest is empty.
	None bool
	// Namespaces, Workflows and States are alternatives. Nil: any. Each has at
	// most MaxValues.
	Namespaces, Workflows, States []string
	// DateFrom and DateTo bound the business date as 2006-01-02, both included;
	// empty: unbounded. With either, runs without a business date are outside.
	DateFrom, DateTo string
	// AcceptedFrom (included) and AcceptedTo (not included) bound the time of
	// acceptance; zero: unbounded.
	AcceptedFrom, AcceptedTo time.Time
}

// Query returns what an index can decide of a filter for runs.
func (f Filter) Query() Query {
	var q Query
	for i := range f.terms {
		q.narrow(&f.terms[i], f.context)
	}
	q.None = q.None || q.DateTo != "" && q.DateFrom > q.DateTo ||
		!q.AcceptedTo.IsZero() && !q.AcceptedFrom.Before(q.AcceptedTo)
	if q.None {
		return Query{None: true}
	}
	return q
}

func (q *Query) narrow(t *term, c Context) {
	if t.key.name == "state" {
		q.either(&q.States, slices.DeleteFunc(slices.Clone(states), func(s string) bool { return (t.any(s) == Yes) == t.not }))
		return
	}
	if t.not {
		return
	}
	switch t.key.name {
	case "namespace":
		if names := t.literals(); names != nil {
			q.either(&q.Namespaces, names)
		}
	case "name":
		q.name(t)
	case "date":
		q.date(t, c)
	case "since":
		if from := t.moment.instant(c, false); q.AcceptedFrom.IsZero() || from.After(q.AcceptedFrom) {
			q.AcceptedFrom = from
		}
	case "until":
		if to := t.moment.instant(c, true); q.AcceptedTo.IsZero() || to.Before(q.AcceptedTo) {
			q.AcceptedTo = to
		}
	}
}

// either narrows a list of alternatives.
func (q *Query) either(have *[]string, to []string) {
	slices.Sort(to)
	to = slices.Compact(to)
	if *have != nil {
		to = slices.DeleteFunc(to, func(s string) bool { return !slices.Contains(*have, s) })
	}
	*have = to
	q.None = q.None || len(to) == 0
}

// literals are the values, if none has wildcards.
func (t *term) literals() []string {
	out := make([]string, len(t.values))
	for i, v := range t.values {
		text, literal := v.glob.Literal()
		if !literal {
			return nil
		}
		out[i] = text
	}
	return out
}

// name narrows by names, with or without their namespaces.
func (q *Query) name(t *term) {
	var namespaces, names []string
	for _, text := range t.literals() {
		namespace, name, both := strings.Cut(text, "/")
		if both {
			namespaces = append(namespaces, namespace)
			text = name
		}
		names = append(names, text)
	}
	if names == nil {
		return
	}
	q.either(&q.Workflows, names)
	if len(namespaces) == len(names) {
		q.either(&q.Namespaces, namespaces)
	}
}

func (q *Query) date(t *term, c Context) {
	today := c.today()
	var from, to string
	for i, r := range t.days {
		a, b := "", ""
		first, last := r.bounds(today)
		if first.IsValid() {
			a = first.String()
		}
		if last.IsValid() {
			b = last.String()
		}
		if i == 0 {
			from, to = a, b
			continue
		}
		from = min(from, a) // the empty one is open
		if to != "" && (b == "" || b > to) {
			to = b
		}
	}
	q.DateFrom = max(q.DateFrom, from)
	if q.DateTo == "" || to != "" && to < q.DateTo {
		q.DateTo = to
	}
}
