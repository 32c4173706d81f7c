package gate

import (
	"container/heap"
	"math"
	"time"
)

// limit is one limit with those who hold shares of it or wait for them.
type limit struct {
	Limit

	defined bool
	used    int
	// full is when the whole of the rate is there again.
	full time.Time
	// first are the requests that fit into what is free, in order; rest are
	// those behind them. wanted is the weight of the first.
	first, rest shares
	wanted      int
	// users are all that name the limit: holders, those in the heaps, and those
	// that are not ready.
	users map[Ref]*share
	// wake is when the rate lets the next of rest fit, zero if that hangs on
	// something else.
	wake   time.Time
	wakeAt int // index in the heap, -1: not there
}

func newLimit(def Limit) *limit {
	return &limit{Limit: def, first: shares{last: true}, users: map[Ref]*share{}, wakeAt: -1}
}

// most is the biggest share that there can be.
func (l *limit) most() int {
	most := math.MaxInt
	if l.Capacity > 0 {
		most = l.Capacity
	}
	if l.Rate.Count > 0 {
		most = min(most, l.Rate.Count)
	}
	return most
}

// free is what may be taken without regard to the rate.
func (l *limit) free() int {
	if l.Capacity == 0 {
		return math.MaxInt
	}
	return l.Capacity - l.used
}

// interval is the time in which the rate fills by one; never less than it should be.
func (r Rate) interval() time.Duration {
	return (r.Per + time.Duration(r.Count) - 1) / time.Duration(r.Count)
}

// tokens is how much of the rate is there.
func (l *limit) tokens(now time.Time) int {
	if l.Rate.Count == 0 {
		return math.MaxInt
	}
	missing := l.full.Sub(now)
	if missing <= 0 {
		return l.Rate.Count
	}
	every := l.Rate.interval()
	return l.Rate.Count - int(min((missing+every-1)/every, time.Duration(l.Rate.Count)))
}

// tokensAt is when that many are there.
func (l *limit) tokensAt(count int) time.Time {
	return l.full.Add(-time.Duration(l.Rate.Count-count) * l.Rate.interval())
}

// spend takes shares of the rate.
func (l *limit) spend(weight int, now time.Time) {
	if l.full.Before(now) {
		l.full = now
	}
	l.full = l.full.Add(time.Duration(weight) * l.Rate.interval())
}

// enter puts a share into the queue.
func (s *State) enter(sh *share, now time.Time) {
	l := sh.limit
	if top := l.rest.top(); top != nil && top.before(sh.request) {
		l.rest.add(sh)
	} else {
		s.toFirst(sh)
	}
	s.settle(l, now)
}

// leave takes a share out of the queue.
func (s *State) leave(sh *share, now time.Time) {
	switch sh.in {
	case nil:
		return
	case &sh.limit.first:
		s.fromFirst(sh)
	default:
		sh.limit.rest.take(sh)
	}
	s.settle(sh.limit, now)
}

func (s *State) toFirst(sh *share) {
	sh.limit.first.add(sh)
	sh.limit.wanted += sh.weight
	sh.inside++
	s.rank(sh.request)
}

func (s *State) fromFirst(sh *share) {
	sh.limit.first.take(sh)
	sh.limit.wanted -= sh.weight
	sh.inside--
	s.rank(sh.request)
}

// rank keeps the heap of those that may begin.
func (s *State) rank(r *request) {
	may := r.ready && r.inside == len(r.shares)
	switch {
	case may && r.readyAt < 0:
		heap.Push(&s.ready, r)
	case !may && r.readyAt >= 0:
		heap.Remove(&s.ready, r.readyAt)
	}
}

// settle moves requests between the heaps of a limit until the first ones are
// all that fit.
func (s *State) settle(l *limit, now time.Time) {
	free, tokens := l.free(), l.tokens(now)
	room := min(free, tokens)
	for l.wanted > room && l.first.Len() > 0 {
		sh := l.first.top()
		s.fromFirst(sh)
		l.rest.add(sh)
	}
	for l.rest.Len() > 0 && l.rest.top().weight <= room-l.wanted {
		sh := l.rest.top()
		l.rest.take(sh)
		s.toFirst(sh)
	}
	var wake time.Time
	if next := l.rest.top(); next != nil && l.Rate.Count > 0 && next.weight <= free-l.wanted && l.wanted+next.weight <= l.Rate.Count {
		wake = l.tokensAt(l.wanted + next.weight)
	}
	s.setWake(l, wake)
}

func (s *State) setWake(l *limit, at time.Time) {
	l.wake = at
	switch {
	case at.IsZero() && l.wakeAt >= 0:
		heap.Remove(&s.wakes, l.wakeAt)
	case !at.IsZero() && l.wakeAt >= 0:
		heap.Fix(&s.wakes, l.wakeAt)
	case !at.IsZero():
		heap.Push(&s.wakes, l)
	}
}
