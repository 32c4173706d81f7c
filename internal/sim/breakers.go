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
