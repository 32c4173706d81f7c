package gate

import "container/heap"

// share is what a request wants of one limit: an element of one of its heaps.
type share struct {
	*request

	limit  *limit
	weight int
	in     *shares // heap that it lies in, nil for none
	index  int
}

// shares is a heap of shares: the first one on top, or with last the last one.
type shares struct {
	list []*share
	last bool
}

func (h *shares) Len() int { return len(h.list) }

func (h *shares) Less(i, j int) bool {
	if h.last {
		i, j = j, i
	}
	return h.list[i].before(h.list[j].request)
}

func (h *shares) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].index, h.list[j].index = i, j
}

func (h *shares) Push(x any) {
	s := x.(*share)
	s.in, s.index = h, len(h.list)
	h.list = append(h.list, s)
}

func (h *shares) Pop() any {
	n := len(h.list) - 1
	s := h.list[n]
	h.list[n] = nil
	h.list = h.list[:n]
	s.in = nil
	return s
}

func (h *shares) add(s *share) { heap.Push(h, s) }

func (h *shares) take(s *share) { heap.Remove(h, s.index) }

func (h *shares) top() *share {
	if len(h.list) == 0 {
		return nil
	}
	return h.list[0]
}

// ready is a heap of the requests that may begin, the first one on top.
type ready []*request

func (h ready) Len() int           { return len(h) }
func (h ready) Less(i, j int) bool { return h[i].before(h[j]) }

func (h ready) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].readyAt, h[j].readyAt = i, j
}

func (h *ready) Push(x any) {
	r := x.(*request)
	r.readyAt = len(*h)
	*h = append(*h, r)
}

func (h *ready) Pop() any {
	n := len(*h) - 1
	r := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	r.readyAt = -1
	return r
}

// wakes is a heap of the limits whose rate lets somebody begin later, the
// earliest on top.
type wakes []*limit

func (h wakes) Len() int           { return len(h) }
func (h wakes) Less(i, j int) bool { return h[i].wake.Before(h[j].wake) }

func (h wakes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].wakeAt, h[j].wakeAt = i, j
}

func (h *wakes) Push(x any) {
	l := x.(*limit)
	l.wakeAt = len(*h)
	*h = append(*h, l)
}

func (h *wakes) Pop() any {
	n := len(*h) - 1
	l := (*h)[n]
	(*h)[n] = nil
	*h = (*h)[:n]
	l.wakeAt = -1
	return l
}
