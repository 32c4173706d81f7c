package notify

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/store"
)

// feed looks at the runs that have changed since it did last.
func (s *Service) feed(ctx context.Context, now time.Time) error {
	s.wanted, s.fedAt = false, now
	for {
		q := store.RunQuery{ByBatch: true, Since: s.position.Batch, After: s.position.Run, Limit: feedPage}
		rows, err := s.cfg.Runs.Runs(ctx, q)
		if err == nil && len(rows) > 0 {
			err = s.take(ctx, rows)
		}
		if err != nil {
			s.wanted = true
			return err
		}
		if len(rows) < feedPage {
			return nil
		}
	}
}

// take makes the alerts that follow from runs, and moves on.
func (s *Service) take(ctx context.Context, rows []store.RunRow) error {
	last := Cursor{Batch: rows[len(rows)-1].Batch, Run: rows[len(rows)-1].ID}
	if s.position.Run == "" { // all of its batch is known
		rows = slices.DeleteFunc(rows, func(r store.RunRow) bool { return r.Batch <= s.position.Batch })
	}
	now := store.Time(s.clock.Now())
	for i := range rows {
		s.asking.see(&rows[i], now)
	}
	if s.concern(rows) {
		_, err := s.update(ctx, func(d *draft, tx *registry.Tx) error {
			for i := range rows {
				d.changed(&rows[i], &s.asking)
			}
			if len(d.order) > 0 {
				s.cfg.Tables.Cursors.Put(tx, "", cursorName, last)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i := range rows {
		s.due.see(&rows[i])
	}
	s.position = last
	if kept, _ := s.cfg.Tables.Cursors.Get("", cursorName); last.Batch > kept.Batch+cursorLag {
		return s.keepCursor(ctx)
	}
	return nil
}

// concern reports whether alerts may follow from one of the rows.
func (s *Service) concern(rows []store.RunRow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale || slices.ContainsFunc(rows, func(r store.RunRow) bool { return s.index.concerns(&r) })
}

// keepCursor writes how far runs were looked at.
func (s *Service) keepCursor(ctx context.Context) error {
	if kept, there := s.cfg.Tables.Cursors.Get("", cursorName); there && kept == s.position {
		return nil
	}
	_, err := s.cfg.Registry.Update(ctx, func(tx *registry.Tx) error {
		s.cfg.Tables.Cursors.Put(tx, "", cursorName, s.position)
		return nil
	})
	return err
}

// overdue makes the alerts of runs that were due and have not ended.
func (s *Service) overdue(ctx context.Context, now time.Time) error {
	for {
		runs := s.due.before(now.Add(-LateGrace), feedPage)
		if len(runs) == 0 {
			return nil
		}
		_, err := s.update(ctx, func(d *draft, _ *registry.Tx) error {
			for i := range runs {
				d.overdue(&runs[i])
			}
			return nil
		})
		if err != nil {
			s.due.back(runs)
			return err
		}
		s.due.done(runs)
	}
}

// dueRuns are the live runs that must end by an instant.
type dueRuns struct {
	runs map[store.RunID]store.RunRow
	late map[store.RunID]bool // of those, the runs with an alert
	heap dueHeap              // also of runs that have ended since, or are due at another time
}

type dueEntry struct {
	at  time.Time
	run store.RunID
}

type dueHeap []dueEntry

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push adds at the end, for package heap.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(dueEntry)) }

// Pop removes from the end, for package heap.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

func (q *dueRuns) init() {
	q.runs, q.late = map[store.RunID]store.RunRow{}, map[store.RunID]bool{}
}

// see takes in the row of a run.
func (q *dueRuns) see(r *store.RunRow) {
	was, there := q.runs[r.ID]
	switch {
	case r.Ended() || r.Due.IsZero():
		delete(q.runs, r.ID)
		delete(q.late, r.ID)
	case !there || !was.Due.Equal(r.Due):
		q.runs[r.ID] = *r
		delete(q.late, r.ID)
		heap.Push(&q.heap, dueEntry{r.Due, r.ID})
	}
}

// first is the earliest instant at which a run is due.
func (q *dueRuns) first() (time.Time, bool) {
	for len(q.heap) > 0 {
		top := q.heap[0]
		if r, there := q.runs[top.run]; there && !q.late[top.run] && r.Due.Equal(top.at) {
			return top.at, true
		}
		heap.Pop(&q.heap)
	}
	return time.Time{}, false
}

func (q *dueRuns) anyBefore(until time.Time) bool {
	at, is := q.first()
	return is && !at.After(until)
}

// before takes out runs that were due by an instant, at most limit: to be given
// to done or back.
func (q *dueRuns) before(until time.Time, limit int) []store.RunRow {
	var out []store.RunRow
	for len(out) < limit && q.anyBefore(until) {
		out = append(out, q.runs[heap.Pop(&q.heap).(dueEntry).run])
	}
	return out
}

// done says that there is an alert about the runs.
func (q *dueRuns) done(runs []store.RunRow) {
	for i := range runs {
		q.late[runs[i].ID] = true
	}
}

func (q *dueRuns) back(runs []store.RunRow) {
	for i := range runs {
		heap.Push(&q.heap, dueEntry{runs[i].Due, runs[i].ID})
	}
}
