package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Config is what a State is made with.
type Config struct {
	// Ageing is the time after which the effective priority of whoever waits is
	// one higher; default [DefaultAgeing].
	Ageing time.Duration
}

// DefaultAgeing is the Ageing of a zero Config.
const DefaultAgeing = time.Minute

// State is all limits and conditions, who holds and who waits. Used by one
// goroutine. The instants that it is given never go back.
type State struct {
	ageing   time.Duration
	limits   map[ID]*limit
	facts    map[Fact]bool
	requests map[Ref]*request
	// needing lists the requests that wait and need a condition.
	needing map[Fact]map[Ref]*request
	ready   ready
	wakes   wakes
}

// request is a Request with where it stands.
type request struct {
	Request

	step   int64 // by which effective priorities are compared
	shares []*share
	// granted: it holds its shares, since GrantedAt. Otherwise it waits.
	granted   bool
	grantedAt time.Time
	// ready: nothing but the order and the limits keeps it. inside counts the
	// limits of which it is among the first.
	ready   bool
	inside  int
	readyAt int // index in State.ready, -1: not there
}

// New returns a gate without limits and conditions.
func New(cfg Config) *State {
	if cfg.Ageing <= 0 {
		cfg.Ageing = DefaultAgeing
	}
	return &State{
		ageing: cfg.Ageing, limits: map[ID]*limit{}, facts: map[Fact]bool{},
		requests: map[Ref]*request{}, needing: map[Fact]map[Ref]*request{},
	}
}

// before reports whether r comes before q: the order of the package comment.
func (r *request) before(q *request) bool {
	if c := cmp.Compare(q.step, r.step); c != 0 {
		return c < 0
	}
	if c := compareLatest(r.Latest, q.Latest); c != 0 {
		return c < 0
	}
	return cmp.Or(r.Since.Compare(q.Since), r.Ref.Compare(q.Ref)) < 0
}

// compareLatest orders instants; none at all is the last.
func compareLatest(a, b time.Time) int {
	switch {
	case a.Equal(b):
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

// SetLimits replaces the definitions. Shares that are held stay; where there are
// more of them than a limit now has, nothing more is granted until enough are
// given back.
func (s *State) SetLimits(defs []Limit, now time.Time) {
	known := make(map[ID]bool, len(defs))
	for _, def := range defs {
		known[def.ID] = true
		l := s.limits[def.ID]
		if l == nil {
			l = newLimit(def)
			s.limits[def.ID] = l
		}
		l.Limit, l.defined = def, true
		s.changed(l, now)
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.limits), ID.Compare) {
		if l := s.limits[id]; l.defined && !known[id] {
			l.Limit, l.defined = undefined(id), false
			s.changed(l, now)
			s.drop(l)
		}
	}
}

// undefined is a limit that nobody defined: a lock.
func undefined(id ID) Limit {
	if id.Kind == Runs || id.Kind == Steps {
		return Limit{ID: id} // no quota was set
	}
	return Limit{ID: id, Capacity: 1}
}

// Restore says how much of a rate is used up, as a [Spent] told before a restart.
// It has no effect on limits without a rate.
func (s *State) Restore(spent Spent, now time.Time) {
	if l := s.limits[spent.ID]; l != nil && l.full.Before(spent.Full) {
		l.full = spent.Full
		s.changed(l, now)
	}
}

// changed looks at everything of a limit again after its definition changed.
func (s *State) changed(l *limit, now time.Time) {
	if l.Rate.Count > 0 {
		// What an earlier rate owes is at most all of this one.
		if most := now.Add(time.Duration(l.Rate.Count) * l.Rate.interval()); l.full.After(most) {
			l.full = most
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(l.users), Ref.Compare) {
		s.judge(l.users[ref].request, now)
	}
	s.settle(l, now)
}

// Ask puts a request into the queue, or replaces the one with the same reference,
// which thereby gives back what it holds.
func (s *State) Ask(q Request, now time.Time) {
	s.Leave(q.Ref, now)
	r := s.admit(q, now)
	for _, f := range q.Needs {
		if s.needing[f] == nil {
			s.needing[f] = map[Ref]*request{}
		}
		s.needing[f][q.Ref] = r
	}
	s.judge(r, now)
}

// Retake gives somebody its shares without asking whether they are free: it has
// had them before a restart, or since before the limit was there. Of rates nothing
// is taken.
func (s *State) Retake(q Request, now time.Time) {
	s.Leave(q.Ref, now)
	r := s.admit(q, now)
	r.granted, r.grantedAt = true, q.Since
	for _, sh := range r.shares {
		sh.limit.used += sh.weight
		s.settle(sh.limit, now)
	}
}

// admit makes the request known to its limits.
func (s *State) admit(q Request, now time.Time) *request {
	r := &request{Request: q, step: int64(q.Priority) - q.Since.UnixNano()/int64(s.ageing), readyAt: -1}
	for _, use := range q.Uses {
		l := s.limits[use.ID]
		if l == nil {
			l = newLimit(undefined(use.ID))
			s.limits[use.ID] = l
		}
		if use.Capacity > 0 && !l.defined && l.Capacity != use.Capacity {
			l.Capacity = use.Capacity
			s.changed(l, now)
		}
		weight := max(use.Weight, 1)
		if sh := l.users[q.Ref]; sh != nil { // named twice
			sh.weight += weight
			continue
		}
		sh := &share{request: r, limit: l, weight: weight}
		l.users[q.Ref] = sh
		r.shares = append(r.shares, sh)
	}
	s.requests[q.Ref] = r
	return r
}

// judge says whether a request is ready, and puts it into the queues or takes it
// out.
func (s *State) judge(r *request, now time.Time) {
	ready := !r.granted && !r.Held && !slices.ContainsFunc(r.Needs, func(f Fact) bool { return !s.facts[f] }) &&
		!slices.ContainsFunc(r.shares, func(sh *share) bool { return sh.weight > sh.limit.most() })
	if ready == r.ready {
		return
	}
	r.ready = ready
	for _, sh := range r.shares {
		if ready {
			s.enter(sh, now)
		} else {
			s.leave(sh, now)
		}
	}
	s.rank(r)
}

// Hold has a request passed over, or no more; one that is not there, or was
// granted, is left alone.
func (s *State) Hold(ref Ref, held bool, now time.Time) {
	if r := s.requests[ref]; r != nil && !r.granted {
		r.Held = held
		s.judge(r, now)
	}
}

// Leave takes a request back, or gives back what it holds. It reports whether
// there was one.
func (s *State) Leave(ref Ref, now time.Time) bool {
	r := s.requests[ref]
	if r == nil {
		return false
	}
	delete(s.requests, ref)
	s.forgetNeeds(r)
	r.ready = false
	for _, sh := range r.shares {
		delete(sh.limit.users, ref)
		if r.granted {
			sh.limit.used -= sh.weight
			s.settle(sh.limit, now)
		} else {
			s.leave(sh, now)
		}
		s.drop(sh.limit)
	}
	s.rank(r)
	return true
}

// drop forgets a limit that nobody defined once nobody uses it.
func (s *State) drop(l *limit) {
	if !l.defined && len(l.users) == 0 {
		s.setWake(l, time.Time{})
		delete(s.limits, l.ID)
	}
}

func (s *State) forgetNeeds(r *request) {
	for _, f := range r.Needs {
		delete(s.needing[f], r.Ref)
		if len(s.needing[f]) == 0 {
			delete(s.needing, f)
		}
	}
}

// Set says whether a condition holds from now on, and reports whether that is a
// change.
func (s *State) Set(f Fact, holds bool, now time.Time) bool {
	if s.facts[f] == holds {
		return false
	}
	if holds {
		s.facts[f] = true
	} else {
		delete(s.facts, f)
	}
	for _, ref := range slices.SortedFunc(maps.Keys(s.needing[f]), Ref.Compare) {
		s.judge(s.needing[f][ref], now)
	}
	return true
}

// Holds reports whether a condition holds.
func (s *State) Holds(f Fact) bool { return s.facts[f] }

// Next grants the first request that may begin; false if there is none.
func (s *State) Next(now time.Time) (Grant, bool) {
	for len(s.wakes) > 0 && !s.wakes[0].wake.After(now) {
		s.settle(s.wakes[0], now)
	}
	if len(s.ready) == 0 {
		return Grant{}, false
	}
	r := s.ready[0]
	g := Grant{Ref: r.Ref}
	r.ready, r.granted, r.grantedAt = false, true, now
	s.rank(r)
	s.forgetNeeds(r)
	for _, sh := range r.shares {
		l := sh.limit
		l.used += sh.weight
		if l.Rate.Count > 0 {
			l.spend(sh.weight, now)
			g.Spent = append(g.Spent, Spent{ID: l.ID, Full: l.full})
		}
		s.leave(sh, now)
	}
	return g, true
}

// Wake is the next instant at which time alone lets somebody begin, zero if there
// is none.
func (s *State) Wake() time.Time {
	if len(s.wakes) == 0 {
		return time.Time{}
	}
	return s.wakes[0].wake
}

// Defined reports whether there is a definition of the limit.
func (s *State) Defined(id ID) bool {
	l := s.limits[id]
	return l != nil && l.defined
}

// Granted reports whether a request was granted and not given back.
func (s *State) Granted(ref Ref) bool {
	r := s.requests[ref]
	return r != nil && r.granted
}
