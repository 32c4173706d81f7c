package runtime

import (
	"container/heap"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// timers are the instants that live runs wait for, the earliest first; those of
// one instant in the order in which they were set.
type timers struct {
	heap timerHeap
	byID map[store.TimerID]*timer
	set  uint64
}

type timer struct {
	store.TimerID
	at    time.Time
	order uint64
	// row says that the store may have a row of it.
	row   bool
	index int
}

// put sets the timer; one that is set again keeps its row.
func (t *timers) put(id store.TimerID, at time.Time, row bool) {
	if old := t.take(id); old != nil {
		row = row || old.row
	}
	t.set++
	entry := &timer{TimerID: id, at: at, order: t.set, row: row}
	if t.byID == nil {
		t.byID = map[store.TimerID]*timer{}
	}
	t.byID[id] = entry
	heap.Push(&t.heap, entry)
}

// take removes the timer and returns it, nil if it is not there.
func (t *timers) take(id store.TimerID) *timer {
	entry := t.byID[id]
	if entry != nil {
		heap.Remove(&t.heap, entry.index)
		delete(t.byID, id)
	}
	return entry
}

// due removes and returns the first timer if its instant has come.
func (t *timers) due(now time.Time) *timer {
	if len(t.heap) == 0 || t.heap[0].at.After(now) {
		return nil
	}
	return t.take(t.heap[0].TimerID)
}

// next is the instant of the first timer, zero if there is none.
func (t *timers) next() time.Time {
	if len(t.heap) == 0 {
		return time.Time{}
	}
	return t.heap[0].at
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].order < h[j].order
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	entry := x.(*timer)
	entry.index = len(*h)
	*h = append(*h, entry)
}

func (h *timerHeap) Pop() any {
	old := *h
	entry := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return entry
}
