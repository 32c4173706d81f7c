package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Via is the connection that a task uses.
type Via struct {
	// Connection names it, NAMESPACE/NAME; empty: the task uses none.
	Connection string
	// Breaker is the policy of its circuit breaker; the zero one never opens.
	Breaker breaker.Policy
}

// SetBreaker opens or closes the breaker of a connection because a person says
// so. One that a person opened stays open until a person closes it.
type SetBreaker struct {
	Connection string
	Open       bool
	By, Reason string
}

func (SetBreaker) message() {}

// ReopenBreaker says that the breaker of a connection had opened by itself before
// a restart, so that probes go first. It changes none that is not closed.
type ReopenBreaker struct {
	Via    Via
	Opened time.Time
	Last   string // the last failure
}

func (ReopenBreaker) message() {}

// Breaker is the state of a connection's breaker.
type Breaker struct {
	Connection string
	breaker.View

	// Waiting is how many attempts it keeps from workers.
	Waiting int
}

// Tripped says that a breaker is in another state than before.
type Tripped struct{ Breaker Breaker }

func (Tripped) effect() {}

// line is a connection with a breaker, and the attempts that wait for it. Those
// that do not are in the queue for slots.
type line struct {
	connection string
	breaker    *breaker.Breaker
	waiting    map[activation]*attempt
}

// push puts an attempt into the queue for slots, or has it wait for the breaker
// of its connection.
func (r *Reactor) push(a *attempt) {
	l := r.lineOf(a)
	if l == nil || l.breaker.State() == breaker.Closed {
		r.queue.Push(a.key(), a.class, a.priority)
		return
	}
	l.waiting[a.key()] = a
	a.blocked = true
}

// pull takes a queued attempt out of where it waits.
func (r *Reactor) pull(a *attempt) {
	if a.blocked {
		delete(r.lines[a.via.Connection].waiting, a.key())
		a.blocked = false
		return
	}
	r.queue.Remove(a.key())
}

// lineOf is the line of the attempt's connection, nil if it has no breaker. It
// takes the policy over, which may have changed since.
func (r *Reactor) lineOf(a *attempt) *line {
	l := r.lines[a.via.Connection]
	switch {
	case l != nil && a.via.Breaker == (breaker.Policy{}) && l.breaker.View().By == "":
		if l.breaker.State() != breaker.Closed { // it has none any more
			l.breaker.Close(r.now)
			r.tripped(l)
		}
		r.letGo(l)
		delete(r.lines, l.connection)
		return nil
	case l != nil:
		l.breaker.SetPolicy(a.via.Breaker)
	case a.via.Breaker.Failures > 0:
		l = r.newLine(a.via)
	}
	return l
}

func (r *Reactor) newLine(v Via) *line {
	l := &line{connection: v.Connection, breaker: breaker.New(v.Breaker), waiting: map[activation]*attempt{}}
	r.lines[v.Connection] = l
	return l
}

// concluded tells the breaker how an attempt ended, once.
func (r *Reactor) concluded(a *attempt, o *engine.TaskOutcome) {
	l := r.lines[a.via.Connection]
	if l == nil || a.concluded {
		return
	}
	a.concluded = true
	switch o.Reach {
	case engine.ReachUnknown:
		l.breaker.Gone(a.probe)
	case engine.ReachReached:
		if l.breaker.Reached(a.probe, r.now) {
			r.letGo(l)
			r.tripped(l)
		}
	case engine.ReachFailed:
		what := "the outcome is unknown"
		if o.Error != nil {
			what = o.Error.Name
		}
		if l.breaker.Failed(a.probe, what, r.now) {
			r.block(l)
			r.tripped(l)
		}
	}
}

// block has what waits for a slot wait for the breaker.
func (r *Reactor) block(l *line) {
	r.shut[l.connection] = l
	for _, a := range r.current {
		if a.via.Connection == l.connection && a.phase == queued && !a.blocked {
			r.queue.Remove(a.key())
			a.blocked, a.probe = true, 0
			l.waiting[a.key()] = a
		}
	}
}

// letGo has what waits for the breaker wait for a slot, in the order of arrival.
func (r *Reactor) letGo(l *line) {
	delete(r.shut, l.connection)
	for _, a := range slices.SortedFunc(maps.Values(l.waiting), arrival) {
		a.blocked, a.probe = false, 0
		r.queue.Push(a.key(), a.class, a.priority)
	}
	clear(l.waiting)
}

// arrival orders attempts as they should go.
func arrival(a, b *attempt) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.order, b.order))
}

// probe lets attempts through whose breakers are half open.
func (r *Reactor) probe() {
	for _, name := range slices.Sorted(maps.Keys(r.shut)) {
		l := r.shut[name]
		if l.breaker.Tick(r.now) {
			if l.breaker.State() == breaker.Closed {
				r.letGo(l)
			}
			r.tripped(l)
		}
		for len(l.waiting) > 0 {
			round, ok := l.breaker.Probe(r.now)
			if !ok {
				break
			}
			a := slices.MinFunc(slices.Collect(maps.Values(l.waiting)), arrival)
			delete(l.waiting, a.key())
			a.blocked, a.probe = false, round
			r.queue.Push(a.key(), a.class, a.priority)
		}
	}
}

// nextProbe is when a breaker will be half open, zero if none will.
func (r *Reactor) nextProbe() time.Time {
	var next time.Time
	for _, l := range r.shut {
		if at := l.breaker.View().ProbeAt; !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

func (r *Reactor) setBreaker(m SetBreaker) {
	l := r.lines[m.Connection]
	switch {
	case m.Open:
		if l == nil {
			l = r.newLine(Via{Connection: m.Connection})
		}
		l.breaker.Hold(m.By, m.Reason, r.now)
		r.block(l)
	case l == nil || l.breaker.State() == breaker.Closed:
		return
	default:
		l.breaker.Close(r.now)
		r.letGo(l)
	}
	r.tripped(l)
}

func (r *Reactor) reopenBreaker(m ReopenBreaker) {
	l := r.lines[m.Via.Connection]
	if l == nil {
		l = r.newLine(m.Via)
	}
	if l.breaker.State() == breaker.Closed {
		l.breaker.Reopen(m.Opened, m.Last, r.now)
		r.block(l)
		r.tripped(l)
	}
}

func (r *Reactor) tripped(l *line) { r.do(Tripped{l.view()}) }

func (l *line) view() Breaker {
	return Breaker{Connection: l.connection, View: l.breaker.View(), Waiting: len(l.waiting)}
}

// Breakers lists the breakers of connections that were used, by name.
func (s *Service) Breakers() []Breaker {
	var out []Breaker
	s.look(func(r *Reactor) {
		for _, name := range slices.Sorted(maps.Keys(r.lines)) {
			out = append(out, r.lines[name].view())
		}
	})
	return out
}

// Blocked is the breaker that the current attempt of an activation waits for;
// false if it waits for none.
func (s *Service) Blocked(run store.RunID, act engine.ActID) (b Breaker, ok bool) {
	s.look(func(r *Reactor) { b, ok = r.blocked(activation{run, act}) })
	return b, ok
}

func (r *Reactor) blocked(key activation) (Breaker, bool) {
	a := r.current[key]
	if a == nil || !a.blocked {
		return Breaker{}, false
	}
	return r.lines[a.via.Connection].view(), true
}

// ReopenBreaker opens a breaker that was open before a restart.
func (s *Service) ReopenBreaker(m ReopenBreaker) { s.post(m) }

// SetBreaker opens or closes a breaker.
func (s *Service) SetBreaker(m SetBreaker) { s.post(m) }
