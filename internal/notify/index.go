package notify

import (
	"cmp"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// place is where an alert stands.
type place struct{ namespace, id string }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.namespace, q.namespace), cmp.Compare(p.id, q.id))
}

// subject is what there is one alert of that is not closed.
type subject struct {
	namespace, workflow string
	cause               Cause
	connection          string // instead of a workflow
}

func subjectOfRun(r *store.RunRow, c Cause) subject {
	return subject{namespace: r.Namespace, workflow: r.Workflow, cause: c}
}

// occurrence is that a cause came, see [Occurrence].
type occurrence struct {
	cause Cause
	run   store.RunID
	at    int64 // in microseconds
}

func occurrenceOf(c Cause, run store.RunID, at time.Time) occurrence {
	return occurrence{c, run, at.UnixMicro()}
}

// index finds alerts. It follows from the table.
type index struct {
	open     map[subject]place // not closed
	silenced map[place]bool    // of those
	seen     map[occurrence]bool
	pending  map[place][]Delivery
	closed   int
}

func newIndex(all []registry.Item[Alert]) *index {
	x := &index{open: map[subject]place{}, silenced: map[place]bool{}, seen: map[occurrence]bool{}, pending: map[place][]Delivery{}}
	for i := range all {
		x.add(&all[i].Value)
	}
	return x
}

func placeOf(a *Alert) place     { return place{a.Namespace, a.ID} }
func subjectOf(a *Alert) subject { return subject{a.Namespace, a.Workflow, a.Cause, a.Connection} }

func (x *index) add(a *Alert) {
	p := placeOf(a)
	if a.State == Closed {
		x.closed++
	} else {
		x.open[subjectOf(a)] = p
		if a.Silenced {
			x.silenced[p] = true
		}
	}
	for _, o := range a.Runs {
		x.seen[occurrenceOf(a.Cause, o.Run, o.At)] = true
	}
	for _, d := range a.Deliveries {
		if d.State == Pending {
			x.pending[p] = append(x.pending[p], d)
		}
	}
}

func (x *index) remove(a *Alert) {
	p := placeOf(a)
	if a.State == Closed {
		x.closed--
	} else {
		delete(x.open, subjectOf(a))
		delete(x.silenced, p)
	}
	for _, o := range a.Runs {
		delete(x.seen, occurrenceOf(a.Cause, o.Run, o.At))
	}
	delete(x.pending, p)
}

// take takes in what a draft has changed.
func (x *index) take(d *draft) {
	for _, p := range d.order {
		if was, there := d.base[p]; there {
			x.remove(&was)
		}
	}
	for _, p := range d.order {
		if a := d.alerts[p]; a != nil {
			x.add(a)
		}
	}
}

// openIn are the alerts of a namespace that are not closed, in order.
func (x *index) openIn(namespace string) []place {
	var out []place
	for s, p := range x.open {
		if s.namespace == namespace {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, place.compare)
	return out
}

// concerns reports whether alerts may follow from a run's row, or end.
func (x *index) concerns(r *store.RunRow) bool {
	if !r.Ended() {
		_, asked := x.open[subjectOfRun(r, CauseApproval)]
		_, tardy := x.open[subjectOfRun(r, CauseLate)]
		return failureHeld(r) || asks(r) || asked || tardy
	}
	if r.State == stateFailed || missed(r) || late(r) {
		return true
	}
	for _, c := range Causes() {
		if _, open := x.open[subjectOfRun(r, c)]; open {
			return true
		}
	}
	return false
}
