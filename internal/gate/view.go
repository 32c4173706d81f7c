package gate

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// View is a limit as it stands.
type View struct {
	Limit

	// Defined is false for a lock that nobody defined, and for concurrency keys.
	Defined bool
	Used    int
	// Tokens is how much of the rate is there, and Full when all of it is.
	Tokens  int
	Full    time.Time
	Holders []Holder
	Queue   []Waiting // in order
}

// Holder is who holds a share.
type Holder struct {
	Ref    Ref
	Path   string
	Weight int
	Since  time.Time // of the grant
}

// Waiting is who waits for a share.
type Waiting struct {
	Ref      Ref
	Path     string
	Weight   int
	Priority int
	Since    time.Time
	// Position is its place in the queue, from 1.
	Position int
	Why      Obstacle
	// Lacks are the conditions that do not hold.
	Lacks []Fact
	// Next is when the rate lets it begin, if that is what it waits for and
	// nobody comes before it; else zero.
	Next time.Time
}

// Obstacle is why somebody has to wait for a share of a limit.
type Obstacle string

// The obstacles, of which the first that applies is named.
const (
	Held      Obstacle = "held"      // by an operator: passed over
	Condition Obstacle = "condition" // a condition does not hold: passed over
	TooBig    Obstacle = "too_big"   // it wants more than there will ever be: passed over
	Busy      Obstacle = "busy"      // others hold too much
	Spread    Obstacle = "rate"      // the rate does not allow it yet
	Behind    Obstacle = "behind"    // what is free is kept for those before it
	Elsewhere Obstacle = "elsewhere" // another of its limits does not let it begin
)

// Limits shows the limits that are defined or used, in order.
func (s *State) Limits(now time.Time) []View {
	views := make([]View, 0, len(s.limits))
	for _, id := range slices.SortedFunc(maps.Keys(s.limits), ID.Compare) {
		v, _ := s.Limit(id, now)
		views = append(views, v)
	}
	return views
}

// Limit shows a limit; false if nobody defined or uses it.
func (s *State) Limit(id ID, now time.Time) (View, bool) {
	l := s.limits[id]
	if l == nil {
		return View{}, false
	}
	v := l.view(now)
	for _, sh := range l.ordered() {
		if sh.granted {
			v.Holders = append(v.Holders, holder(sh))
			continue
		}
		w := s.waiting(sh, now)
		w.Position = len(v.Queue) + 1
		v.Queue = append(v.Queue, w)
	}
	return v, true
}

// view shows a limit without those who hold it or wait.
func (l *limit) view(now time.Time) View {
	v := View{Limit: l.Limit, Defined: l.defined, Used: l.used}
	if l.Rate.Count > 0 {
		v.Tokens, v.Full = l.tokens(now), l.full
	}
	return v
}

func holder(sh *share) Holder {
	return Holder{Ref: sh.Ref, Path: sh.Path, Weight: sh.weight, Since: sh.grantedAt}
}

// ordered lists the users of a limit: who holds by the time of the grant, and who
// waits by the order.
func (l *limit) ordered() []*share {
	return slices.SortedFunc(maps.Values(l.users), func(a, b *share) int {
		switch {
		case a.granted && b.granted:
			if c := a.grantedAt.Compare(b.grantedAt); c != 0 {
				return c
			}
			return a.Ref.Compare(b.Ref)
		case a.granted:
			return -1
		case b.granted, b.before(a.request):
			return 1
		}
		return -1
	})
}

func (s *State) waiting(sh *share, now time.Time) Waiting {
	w := Waiting{
		Ref: sh.Ref, Path: sh.Path, Weight: sh.weight, Priority: sh.Priority, Since: sh.Since,
		Why: s.obstacle(sh, now), Lacks: s.lacks(sh.request),
	}
	if w.Why == Spread && sh.limit.rest.top() == sh {
		w.Next = sh.limit.wake
	}
	return w
}

func (s *State) lacks(r *request) []Fact {
	var lacks []Fact
	for _, f := range r.Needs {
		if !s.facts[f] {
			lacks = append(lacks, f)
		}
	}
	return lacks
}

func (s *State) obstacle(sh *share, now time.Time) Obstacle {
	l := sh.limit
	switch {
	case sh.Held:
		return Held
	case len(s.lacks(sh.request)) > 0:
		return Condition
	case sh.weight > l.most():
		return TooBig
	case !sh.ready, sh.in == &l.first:
		return Elsewhere
	case sh.weight > l.free():
		return Busy
	case sh.weight > l.tokens(now):
		return Spread
	}
	return Behind
}

// Standing is a request with what it waits for.
type Standing struct {
	Request

	Granted bool
	Since   time.Time // of the grant, or of the wait
	// Limits are those of Uses, in that order and each once, without queues but
	// for the request itself while it waits.
	Limits []View
	// Lacks are the conditions that do not hold.
	Lacks []Fact
}

// MaxHolders is how many holders of a limit a [Standing] names.
const MaxHolders = 5

// Standing shows one request; false if there is none.
func (s *State) Standing(ref Ref, now time.Time) (Standing, bool) {
	r := s.requests[ref]
	if r == nil {
		return Standing{}, false
	}
	st := Standing{Request: r.Request, Granted: r.granted, Since: r.Since}
	if r.granted {
		st.Since = r.grantedAt
		return st, true
	}
	st.Lacks = s.lacks(r)
	for _, sh := range r.shares {
		st.Limits = append(st.Limits, s.around(sh, now))
	}
	return st, true
}

// around shows a limit to one who waits for it, in time proportional to those who
// hold it or wait.
func (s *State) around(sh *share, now time.Time) View {
	v := sh.limit.view(now)
	w := s.waiting(sh, now)
	w.Position = 1
	for _, other := range sh.limit.users {
		switch {
		case other.granted:
			v.Holders = append(v.Holders, holder(other))
		case other.before(sh.request):
			w.Position++
		}
	}
	slices.SortFunc(v.Holders, func(a, b Holder) int { return cmp.Or(a.Since.Compare(b.Since), a.Ref.Compare(b.Ref)) })
	v.Holders, v.Queue = v.Holders[:min(len(v.Holders), MaxHolders)], []Waiting{w}
	return v
}

// Crowded reports whether a request waits for a limit of the kind because of those
// who hold shares of it or come first, whatever else it waits for.
func (s *State) Crowded(ref Ref, kind Kind) bool {
	r := s.requests[ref]
	if r == nil || r.granted {
		return false
	}
	for _, sh := range r.shares {
		if sh.limit.ID.Kind != kind || sh.limit.Capacity == 0 {
			continue
		}
		wanted := sh.limit.used + sh.weight
		for _, other := range sh.limit.users {
			if !other.granted && other != sh && other.before(r) {
				wanted += other.weight
			}
		}
		if wanted > sh.limit.Capacity {
			return true
		}
	}
	return false
}

// Members lists who holds a share of a limit or waits for one, whoever asked
// first at the front.
func (s *State) Members(id ID) []Ref {
	l := s.limits[id]
	if l == nil {
		return nil
	}
	all := slices.SortedFunc(maps.Values(l.users), func(a, b *share) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return a.Ref.Compare(b.Ref)
	})
	refs := make([]Ref, len(all))
	for i, sh := range all {
		refs[i] = sh.Ref
	}
	return refs
}

// Facts lists the conditions that hold, in order.
func (s *State) Facts() []Fact { return slices.SortedFunc(maps.Keys(s.facts), Fact.Compare) }
