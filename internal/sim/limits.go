package sim

import (
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	limits "github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// bankRate is how often shares of the limit "bank" may be taken.
var bankRate = limits.Rate{Count: 3, Per: time.Minute}

// rated lets a task take shares of a rate.
func rated(r random, n *workflow.Node) {
	if len(n.Limits) > 0 || n.Task.Finish != workflow.FinishResult || !r.chance(0.3) {
		return
	}
	n.Limits = []workflow.LimitUse{{Name: workflow.Constant(value.String("bank"))}}
	if r.chance(0.3) {
		n.Limits[0].Weight = workflow.Constant(value.Int(2))
	}
}

// further lets some tasks of a program use earlier outputs and rates.
func further(r random, p *workflow.Program) {
	for b := range p.Bodies {
		for n := range p.Bodies[b].Nodes {
			if node := &p.Bodies[b].Nodes[n]; node.Kind == workflow.KindTask {
				cached(r, node)
				rated(r, node)
			}
		}
	}
}

// plenty is what there is of "press", and how many attempts of the namespace may be
// out; both change while everything runs.
type plenty struct {
	press, steps int // steps 0: without bound
	// since are the values in force, in the order of time.
	since []plentySince
	taken []takenModel // of the rate, by time
}

type plentySince struct {
	at           time.Time
	press, steps int
}

type takenModel struct {
	at     time.Time
	weight int
}

// definitions are those in force.
func (s *simulation) definitions() []limits.Limit {
	defs := []limits.Limit{{ID: limits.ID{Name: "press"}, Capacity: s.plenty.press}}
	if s.swarm.further {
		defs = append(defs, limits.Limit{ID: limits.ID{Name: "bank"}, Rate: bankRate})
	}
	if s.plenty.steps > 0 {
		defs = append(defs, limits.Limit{ID: limits.ID{Kind: limits.Steps}, Capacity: s.plenty.steps})
	}
	return defs
}

// change sets other capacities, at once; once nothing fails any more there is
// enough for everything.
func (s *simulation) change(r random) {
	s.plenty.press = pick(r, 1, pressCapacity, pressCapacity+1)
	if s.plenty.steps > 0 {
		s.plenty.steps = 1 + r.IntN(4)
	}
	if s.calm {
		s.plenty.press = pressCapacity
	}
	s.tellCapacity()
	if !s.calm {
		s.at(r.span(time.Minute, 10*time.Minute), "capacity", "", func() { s.change(r) })
	}
}

// setter is the caller who changes limits.
const setter runtime.Caller = 1<<62 + 2

// tellCapacity has the server take the definitions; one that is down takes them as
// it comes up. Until it has said so the larger ones may be in force.
func (s *simulation) tellCapacity() {
	if !s.server.up {
		return
	}
	was := s.plenty.since[len(s.plenty.since)-1]
	s.plenty.since = append(s.plenty.since, plentySince{s.now, max(was.press, s.plenty.press), max(was.steps, s.plenty.steps)})
	s.server.tellRuntime(runtime.SetLimits{Limits: s.definitions(), Caller: setter})
}

// capacitySet takes the server's answer.
func (s *simulation) capacitySet(e runtime.Reply) {
	if e.Err != nil {
		s.at(10*time.Second, "capacity", "again", s.tellCapacity)
		return
	}
	s.fault("capacity changed")
	s.inForce()
}

func (s *simulation) inForce() {
	s.plenty.since = append(s.plenty.since, plentySince{s.now, s.plenty.press, s.plenty.steps})
}

// most is the biggest capacity in force since an instant; steps without bound: 0.
func (p *plenty) most(from time.Time) (press, steps int) {
	for i, c := range p.since {
		if i+1 < len(p.since) && p.since[i+1].at.Before(from) {
			continue
		}
		press, steps = max(press, c.press), max(steps, c.steps)
	}
	return press, steps
}

// earlier is the earlier of two instants, of which the first may be none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// checkRate wants no window to have more than the rate: what was not used is there
// for later, up to its count, and comes back one by one.
func (s *simulation) checkRate(before int) {
	taken := s.plenty.taken
	if len(taken) == before {
		return
	}
	slices.SortStableFunc(taken[before:], func(a, b takenModel) int { return a.at.Compare(b.at) })
	every := bankRate.Per / time.Duration(bankRate.Count)
	for last := before; last < len(taken); last++ {
		sum := 0
		for first := last; first >= 0; first-- {
			sum += taken[first].weight
			window := taken[last].at.Sub(taken[first].at)
			if most := bankRate.Count + int(window/every); sum > most {
				s.violatef(LimitsKept, "%d shares of bank are taken within %v, there are %d", sum, window, most)
				return
			}
			if window > time.Hour {
				break
			}
		}
	}
}

// checkCapacity wants grants not to exceed what was in force; what was held before
// a capacity was lowered stays.
func (s *simulation) checkCapacity() {
	l := &s.log.gate
	if press, _ := s.plenty.most(l.pressGrant); !l.pressGrant.IsZero() && l.shares["press"] > press {
		s.violatef(LimitsKept, "%d shares of press are held, there are %d", l.shares["press"], press)
	}
	if _, steps := s.plenty.most(l.stepGrant); !l.stepGrant.IsZero() && steps > 0 && l.out > steps {
		s.violatef(LimitsKept, "%d attempts are out, there may be %d", l.out, steps)
	}
	l.pressGrant, l.stepGrant = time.Time{}, time.Time{}
}

// countOut counts the attempts that are out.
func (m *model) countOut(ev *engine.Event) {
	l := &m.s.log.gate
	switch ev.Kind {
	case engine.EvGranted:
		a := m.acts[ev.Act]
		if a == nil {
			return
		}
		n := m.node(a)
		if n.Kind == workflow.KindTask { // others wait only for conditions, and are no attempts
			l.stepGrant = earlier(l.stepGrant, ev.At)
		}
		if len(n.Limits) == 0 {
			return
		}
		switch n.Limits[0].Name.Const.Text() {
		case "press":
			l.pressGrant = earlier(l.pressGrant, ev.At)
		case "bank":
			m.s.faults["(of a rate)"]++
			m.s.plenty.taken = append(m.s.plenty.taken, takenModel{ev.At, weightOf(n)})
		}
	case engine.EvAttempt:
		l.out++
	case engine.EvAttemptEnded:
		l.out--
	default:
	}
}
