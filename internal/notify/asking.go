package notify

import (
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// askers are the live runs that ask people, as far as runs were looked at.
type askers struct {
	runs map[store.RunID]asker
	// count is how many there are of a subject.
	count map[subject]int
}

type asker struct {
	subject subject
	since   time.Time // when it was first seen to ask
}

// newAskers begins with the live runs. What an alert says of one is true of it
// still: that it asked anew while nobody looked is not known.
func newAskers(live []store.RunRow, alerts []registry.Item[Alert], now time.Time) askers {
	q := askers{runs: map[store.RunID]asker{}, count: map[subject]int{}}
	for i := range live {
		q.see(&live[i], now)
	}
	since := map[store.RunID]time.Time{}
	for i := range alerts {
		a := &alerts[i].Value
		if a.Cause != CauseApproval {
			continue
		}
		for _, o := range a.Runs {
			if o.At.After(since[o.Run]) {
				since[o.Run] = o.At
			}
		}
	}
	for id, at := range since {
		if r, asks := q.runs[id]; asks {
			r.since = at
			q.runs[id] = r
		}
	}
	return q
}

// see takes in the row of a run.
func (q *askers) see(r *store.RunRow, now time.Time) {
	was, asked := q.runs[r.ID]
	switch {
	case asks(r) && !asked:
		s := subjectOfRun(r, CauseApproval)
		q.runs[r.ID] = asker{s, now}
		q.count[s]++
	case !asks(r) && asked:
		delete(q.runs, r.ID)
		if q.count[was.subject]--; q.count[was.subject] == 0 {
			delete(q.count, was.subject)
		}
	}
}
