package match

import (
	"cmp"
	"container/heap"
	"slices"
)

// Class is a kind of slot: tasks of one class compete for the same slots.
type Class string

// Process slots are for tasks that start something on the worker's machine;
// connector slots for calls to the outside, of which a machine bears many more.
const (
	Process   Class = "process"
	Connector Class = "connector"
)

// Capacity is how many slots of each class there are.
type Capacity map[Class]int

// Queue holds tasks that wait for a slot. The zero Queue is empty.
type Queue[K comparable] struct {
	classes []*waiting[K] // in the order in which they were first used
	entries map[K]*entry[K]
	pushed  uint64
}

type entry[K comparable] struct {
	key      K
	class    Class
	priority int
	order    uint64
	index    int
}

// Push adds a task. One with a higher priority goes first. A key that waits
// already is left where it is.
func (q *Queue[K]) Push(key K, class Class, priority int) {
	if q.entries[key] != nil {
		return
	}
	if q.entries == nil {
		q.entries = map[K]*entry[K]{}
	}
	q.pushed++
	e := &entry[K]{key: key, class: class, priority: priority, order: q.pushed}
	q.entries[key] = e
	heap.Push(q.class(class), e)
}

// Remove takes a task out and reports whether it was there.
func (q *Queue[K]) Remove(key K) bool {
	e := q.entries[key]
	if e == nil {
		return false
	}
	heap.Remove(q.class(e.class), e.index)
	delete(q.entries, key)
	return true
}

// Place is the place of a task among those of its class that wait, from 1; 0 if
// it does not wait. It looks at each of them.
func (q *Queue[K]) Place(key K) int {
	e := q.entries[key]
	if e == nil {
		return 0
	}
	place := 1
	for _, other := range q.class(e.class).heap {
		if other.before(e) {
			place++
		}
	}
	return place
}

func (q *Queue[K]) class(c Class) *waiting[K] {
	for _, w := range q.classes {
		if w.class == c {
			return w
		}
	}
	w := &waiting[K]{class: c}
	q.classes = append(q.classes, w)
	return w
}

// Next takes the first task for which there is a free slot, and the slot, and
// returns the task's key and the worker.
func Next[K comparable](q *Queue[K], s *Slots) (key K, worker string, ok bool) {
	var best *entry[K]
	for _, w := range q.classes {
		if len(w.heap) > 0 && s.free(w.class) && (best == nil || w.heap[0].before(best)) {
			best = w.heap[0]
		}
	}
	if best == nil {
		return key, "", false
	}
	q.Remove(best.key)
	return best.key, s.take(best.class), true
}

func (e *entry[K]) before(f *entry[K]) bool {
	return e.priority > f.priority || e.priority == f.priority && e.order < f.order
}

// waiting is a heap of the tasks of one class.
type waiting[K comparable] struct {
	class Class
	heap  []*entry[K]
}

func (w *waiting[K]) Len() int           { return len(w.heap) }
func (w *waiting[K]) Less(i, j int) bool { return w.heap[i].before(w.heap[j]) }
func (w *waiting[K]) Swap(i, j int) {
	w.heap[i], w.heap[j] = w.heap[j], w.heap[i]
	w.heap[i].index, w.heap[j].index = i, j
}

func (w *waiting[K]) Push(x any) {
	e := x.(*entry[K])
	e.index = len(w.heap)
	w.heap = append(w.heap, e)
}

func (w *waiting[K]) Pop() any {
	e := w.heap[len(w.heap)-1]
	w.heap[len(w.heap)-1] = nil
	w.heap = w.heap[:len(w.heap)-1]
	return e
}

// Slots are the workers that take tasks. The zero Slots has none.
type Slots struct {
	workers []*slots // by name
}

type slots struct {
	worker   string
	capacity Capacity
	used     Capacity
}

// Set adds a worker or changes its capacity. Slots in use stay in use, also
// beyond the capacity: then nothing more is taken until enough are given back.
func (s *Slots) Set(worker string, capacity Capacity) {
	i, found := s.find(worker)
	if !found {
		s.workers = slices.Insert(s.workers, i, &slots{worker: worker, used: Capacity{}})
	}
	s.workers[i].capacity = capacity
}

// Drop removes a worker and its slots.
func (s *Slots) Drop(worker string) {
	if i, found := s.find(worker); found {
		s.workers = slices.Delete(s.workers, i, i+1)
	}
}

// Hold takes a slot for a task that the worker has already, whether one is free
// or not.
func (s *Slots) Hold(worker string, class Class) {
	if i, found := s.find(worker); found {
		s.workers[i].used[class]++
	}
}

// Release gives a slot back. Of a worker that is gone, it does nothing.
func (s *Slots) Release(worker string, class Class) {
	if i, found := s.find(worker); found && s.workers[i].used[class] > 0 {
		s.workers[i].used[class]--
	}
}

func (s *Slots) find(worker string) (int, bool) {
	return slices.BinarySearchFunc(s.workers, worker, func(w *slots, name string) int { return cmp.Compare(w.worker, name) })
}

func (s *Slots) free(class Class) bool {
	return slices.ContainsFunc(s.workers, func(w *slots) bool { return w.free(class) > 0 })
}

func (w *slots) free(class Class) int { return w.capacity[class] - w.used[class] }

func (s *Slots) take(class Class) string {
	best := s.workers[0]
	for _, w := range s.workers[1:] {
		if w.free(class) > best.free(class) {
			best = w
		}
	}
	best.used[class]++
	return best.worker
}
