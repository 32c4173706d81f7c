package sim

import (
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
)

// connections is how many connections tasks use where there are breakers.
const connections = 3

// viaOf is the connection of a task: one in four uses none, the others one of a
// few, by the name of the step.
func (s *simulation) viaOf(t *engine.Task) dispatch.Via {
	if s.swarm.breaker.Failures == 0 {
		return dispatch.Via{}
	}
	path := t.Path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		path = path[i+1:]
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(path))
	n := h.Sum32() % (connections + 1)
	if n == connections {
		return dispatch.Via{}
	}
	return dispatch.Via{Connection: "sim/c" + strconv.Itoa(int(n)), Breaker: s.swarm.breaker}
}

// reachOf says of an outcome whether the call got through.
func (w *workerSim) reachOf(o engine.TaskOutcome) engine.Reach {
	switch {
	case w.s.swarm.breaker.Failures == 0:
	case o.Kind == engine.OutcomeSucceeded:
		return engine.ReachReached
	case o.Kind == engine.OutcomeFailed || o.Kind == engine.OutcomeLost:
		return pick(w.r, engine.ReachFailed, engine.ReachFailed, engine.ReachFailed, engine.ReachReached, engine.ReachUnknown)
	}
	return engine.ReachUnknown
}

// gate is a breaker as the outside sees it.
type gate struct {
	state breaker.State
	since time.Time
}

// checkTripped notes what a breaker says of itself: it is never half open before
// its time.
func (s *simulation) checkTripped(e dispatch.Tripped) {
	b := e.Breaker
	s.note("tripped", b.Connection, string(b.State), uint64(b.Waiting))
	if b.State == breaker.Open {
		s.fault("breaker open")
	}
	if old := s.gates[b.Connection]; b.State == breaker.HalfOpen && (old.state != breaker.Open || s.now.Sub(old.since) < s.swarm.breaker.OpenFor) {
		s.violatef(Breakers, "the breaker of %s lets probes through before its time", b.Connection)
	}
	s.gates[b.Connection] = gate{state: b.State, since: s.now}
}

// checkGate: while a breaker is open nothing goes that uses its connection.
func (s *simulation) checkGate(t *engine.Task) {
	if g := s.gates[s.viaOf(t).Connection]; g.state == breaker.Open {
		s.violatef(Breakers, "run %s, %s: attempt %d is given out while the breaker of its connection is open", t.Run, t.Path, t.Attempt)
	}
}

// line is what the failures and successes of a connection, as they were reported,
// make of its breaker: judged from outside, whatever the breaker says of itself.
type line struct {
	failures []time.Time
	opened   time.Time // zero: closed
	round    int       // how often it opened
	used     time.Time // when an attempt last began
	idle     bool      // it may have closed since nobody used it: nothing is judged
}

// use is an attempt that uses a connection.
type use struct {
	connection string
	round      int // of which it is a probe; 0: none
	told       bool
}

// lines are the connections as they are seen in one life of the server.
type lines struct {
	lines map[string]*line
	uses  map[dispatch.Ref]*use
	// leads counts the leaders that the dispatcher has had. An earlier one may have
	// given out attempts that it never recorded: from then on nothing is judged.
	leads int
}

func newLines() lines { return lines{lines: map[string]*line{}, uses: map[dispatch.Ref]*use{}} }

// checkLine wants no attempt to begin while its connection is open from outside.
func (s *simulation) checkLine(t *engine.Task) {
	name := s.viaOf(t).Connection
	l := s.lines.lines[name]
	if l == nil || s.lines.leads > 1 {
		return
	}
	last := l.used
	if half := l.opened.Add(s.swarm.breaker.OpenFor); half.After(last) {
		last = half
	}
	l.idle = l.idle || !l.opened.IsZero() && s.now.Sub(last) >= breaker.IdleFor
	if l.idle {
		return
	}
	l.used = s.now
	u := &use{connection: name}
	if !l.opened.IsZero() {
		u.round = l.round
		if s.now.Before(l.opened.Add(s.swarm.breaker.OpenFor)) {
			s.violatef(Breakers, "run %s, %s: attempt %d is given out %v after %d failures of %s in a row", t.Run, t.Path, t.Attempt,
				s.now.Sub(l.opened), s.swarm.breaker.Failures, name)
		}
	}
	s.lines.uses[dispatch.RefOf(t)] = u
}

// reported takes in how an attempt ended, once.
func (s *simulation) reported(e dispatch.Report) {
	u := s.lines.uses[e.Ref]
	if u == nil || u.told {
		return
	}
	u.told = true
	l, p := s.lines.lines[u.connection], s.swarm.breaker
	if l == nil {
		return // nobody has wanted to use it in this life
	}
	half := !l.opened.IsZero() && !s.now.Before(l.opened.Add(p.OpenFor)) && u.round == l.round
	switch {
	case e.Outcome.Reach == engine.ReachReached && l.opened.IsZero():
		l.failures = nil
	case e.Outcome.Reach == engine.ReachReached && half:
		l.opened, l.failures = time.Time{}, nil
	case e.Outcome.Reach == engine.ReachFailed && l.opened.IsZero():
		for len(l.failures) > 0 && !l.failures[0].After(s.now.Add(-p.Within)) {
			l.failures = l.failures[1:]
		}
		if l.failures = append(l.failures, s.now); len(l.failures) >= p.Failures {
			l.opened, l.round = s.now, l.round+1
			s.faults["(open from outside)"]++
		}
	case e.Outcome.Reach == engine.ReachFailed && half:
		l.opened, l.round = s.now, l.round+1
	default:
	}
}

// wanted takes in that an attempt is to use a connection.
func (s *simulation) wanted(t *engine.Task) {
	if name := s.viaOf(t).Connection; name != "" && s.lines.lines[name] == nil {
		s.lines.lines[name] = &line{}
	}
}

// adopted takes in that an attempt of before is looked for: how it ends counts.
func (s *simulation) adopted(t *engine.Task) {
	if name := s.viaOf(t).Connection; name != "" && s.lines.uses[dispatch.RefOf(t)] == nil {
		s.lines.uses[dispatch.RefOf(t)] = &use{connection: name}
	}
}
