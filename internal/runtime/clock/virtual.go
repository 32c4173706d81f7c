package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Virtual is a clock whose time passes only when nothing is in flight: then it
// jumps to the earliest timer, calls it, and stands still again until whatever
// that began has ended. Timers of the same instant are called in the order in
// which they were set, one after the other. So the same work takes the same
// course every time, as far as nothing in it depends on goroutines that run
// side by side.
type Virtual struct {
	mu       sync.Mutex
	now      time.Time
	busy     int
	set      uint64 // timers set so far
	sleepers sleepers
	still    chan struct{}
}

var _ Clock = (*Virtual)(nil)

// NewVirtual returns a clock that stands at start.
func NewVirtual(start time.Time) *Virtual {
	v := &Virtual{now: start, still: make(chan struct{})}
	close(v.still)
	return v
}

// Still is closed while nothing is in flight and no timer is set: then nothing
// more happens by itself. Each time that something begins there is a new one.
func (v *Virtual) Still() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.still
}

// Now is the virtual time.
func (v *Virtual) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// AfterFunc calls f from the goroutine that ends the last work in flight.
func (v *Virtual) AfterFunc(at time.Time, f func()) func() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set++
	s := &sleeper{at: at, set: v.set, f: f}
	heap.Push(&v.sleepers, s)
	v.settle()
	return func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		if s.index < 0 {
			return false
		}
		heap.Remove(&v.sleepers, s.index)
		v.settle()
		return true
	}
}

// Begin says that something is in flight.
func (v *Virtual) Begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.busy++
	v.settle()
}

// End says that it is no more. Ending more than has begun is a programming
// error and panics.
func (v *Virtual) End() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.busy == 0 {
		panic("clock: End without Begin")
	}
	v.busy--
	for v.busy == 0 && len(v.sleepers) > 0 {
		s := heap.Pop(&v.sleepers).(*sleeper)
		if s.at.After(v.now) {
			v.now = s.at
		}
		v.busy++ // nothing else fires while f runs
		v.mu.Unlock()
		s.f()
		v.mu.Lock()
		v.busy--
	}
	v.settle()
}

// settle opens or closes the channel of Still.
func (v *Virtual) settle() {
	var closed bool
	select {
	case <-v.still:
		closed = true
	default:
	}
	switch still := v.busy == 0 && len(v.sleepers) == 0; {
	case still && !closed:
		close(v.still)
	case !still && closed:
		v.still = make(chan struct{})
	}
}

type sleeper struct {
	at    time.Time
	set   uint64
	f     func()
	index int // in the heap; -1 once it has left it
}

type sleepers []*sleeper

func (h sleepers) Len() int { return len(h) }
func (h sleepers) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].set < h[j].set
}

func (h sleepers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *sleepers) Push(x any) {
	s := x.(*sleeper)
	s.index = len(*h)
	*h = append(*h, s)
}

func (h *sleepers) Pop() any {
	old := *h
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	s.index = -1
	return s
}
