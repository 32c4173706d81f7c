package breaker

import "time"

// MaxFailures and MaxProbes bound the numbers of a policy.
const (
	MaxFailures = 1000
	MaxProbes   = 100
)

// IdleFor is how long a breaker is half open that no probe asks: then it closes,
// since nobody seems to use the place any more.
const IdleFor = 12 * time.Hour

// Policy says when a breaker opens and closes. The zero Policy never opens.
type Policy struct {
	// Failures in a row within Within open it. At most MaxFailures.
	Failures int           `json:"failures"`
	Within   time.Duration `json:"within"`
	// OpenFor is how long it is open before probes go.
	OpenFor time.Duration `json:"open_for"`
	// Probes is how many calls go at once while it is half open. At most
	// MaxProbes.
	Probes int `json:"probes"`
}

// State is what a breaker does with calls.
type State string

// The states.
const (
	Closed   State = "closed"    // all go
	Open     State = "open"      // none goes
	HalfOpen State = "half_open" // probes go
)

// Breaker is the breaker of one place. It is used by one goroutine.
type Breaker struct {
	policy Policy
	state  State
	since  time.Time
	// failures are the instants of the failures in a row, the oldest first, at
	// most as many as open it; last is what the last one was.
	failures []time.Time
	last     string
	probeAt  time.Time // when probes go; zero: a person must close it
	by, why  string    // who opened it, if a person did
	opened   time.Time // when it opened that was closed
	// round counts how often it was opened, so that a probe of before is told
	// from one of now; probes are those that have not ended.
	round, probes int
	asked         time.Time // when it became half open, or the last probe went after that
}

// View is what a breaker shows.
type View struct {
	State State
	Since time.Time // zero: it was never open
	// Opened is when it opened that was closed: a probe that fails does not change
	// it. Zero: it was never open.
	Opened   time.Time
	Failures int    // in a row
	Last     string // the last failure
	// ProbeAt is when probes go, or go again should those that went still be on
	// their way; zero if it is closed, or a person opened it.
	ProbeAt time.Time
	// By and Reason are who opened it and why, if a person did.
	By, Reason string
}

// New returns a closed breaker.
func New(p Policy) *Breaker { return &Breaker{policy: p, state: Closed} }

// SetPolicy changes when it opens and closes. What it is stays as it is.
func (b *Breaker) SetPolicy(p Policy) { b.policy = p }

// Policy is when it opens and closes.
func (b *Breaker) Policy() Policy { return b.policy }

// State is what it does with calls.
func (b *Breaker) State() State { return b.state }

// View shows it.
func (b *Breaker) View() View {
	return View{
		State: b.state, Since: b.since, Opened: b.opened, Failures: len(b.failures), Last: b.last, ProbeAt: b.probeAt, By: b.by, Reason: b.why,
	}
}

// Failed says that a call failed to reach the place. A probe gives its round,
// other calls 0. It reports whether the breaker has opened because of it.
func (b *Breaker) Failed(round int, what string, now time.Time) bool {
	switch b.state {
	case Open:
		return false
	case HalfOpen:
		if round != b.round {
			return false // it began before the breaker opened, and says nothing new
		}
		b.last = what
		b.open(now)
		return true
	case Closed:
	}
	if b.policy.Failures < 1 {
		return false
	}
	b.last = what
	for len(b.failures) > 0 && (!b.failures[0].After(now.Add(-b.policy.Within)) || len(b.failures) >= b.policy.Failures) {
		b.failures = b.failures[1:]
	}
	b.failures = append(b.failures, now)
	if len(b.failures) < b.policy.Failures {
		return false
	}
	b.open(now)
	return true
}

func (b *Breaker) open(now time.Time) {
	if b.state == Closed {
		b.opened = now
	}
	b.state, b.since, b.probeAt = Open, now, now.Add(b.policy.OpenFor)
	b.by, b.why = "", ""
	b.round++
	b.probes = 0
}

// Reached says that a call reached the place, whatever it answered. It reports
// whether the breaker has closed because of it.
func (b *Breaker) Reached(round int, now time.Time) bool {
	switch {
	case b.state == Closed:
		b.failures = nil
		return false
	case b.state == HalfOpen && round == b.round:
		b.Close(now)
		return true
	}
	return false
}

// Gone says that a probe ended without telling anything: another may go.
func (b *Breaker) Gone(round int) {
	if b.state == HalfOpen && round == b.round && b.probes > 0 {
		b.probes--
	}
}

// Tick says what time it is, and reports whether the breaker has become half open,
// or closed since it was idle.
func (b *Breaker) Tick(now time.Time) bool {
	if b.state == Closed || b.probeAt.IsZero() || b.probeAt.After(now) {
		return false
	}
	if b.state == HalfOpen && b.probes == 0 && !b.asked.After(now.Add(-IdleFor)) {
		b.Close(now)
		return true
	}
	// Probes that hang do not keep others waiting: more go after the same time.
	b.probeAt, b.probes = now.Add(max(b.policy.OpenFor, time.Second)), 0
	if b.state == HalfOpen {
		return false
	}
	b.state, b.since, b.asked = HalfOpen, now, now
	return true
}

// Probe asks whether a probe may go now, and counts it. The round is to be given
// with how it ended.
func (b *Breaker) Probe(now time.Time) (round int, ok bool) {
	if b.state != HalfOpen || b.probes >= max(b.policy.Probes, 1) {
		return 0, false
	}
	b.probes++
	b.asked = now
	return b.round, true
}

// Reopen opens it, if it is closed, because it was open before a restart: it had
// opened at an instant, and last was the last failure. Probes go at once.
func (b *Breaker) Reopen(opened time.Time, last string, now time.Time) {
	if b.state != Closed {
		return
	}
	b.open(now)
	b.opened, b.probeAt, b.last = opened, now, last
}

// Hold opens it until somebody closes it.
func (b *Breaker) Hold(by, reason string, now time.Time) {
	b.open(now)
	b.probeAt, b.by, b.why = time.Time{}, by, reason
}

// Close closes it.
func (b *Breaker) Close(now time.Time) {
	b.state, b.since, b.probeAt = Closed, now, time.Time{}
	b.by, b.why, b.failures, b.probes = "", "", nil, 0
}
