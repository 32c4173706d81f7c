package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	limits "github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// pressCapacity is what there is at first of the limit "press"; "lock" is defined by nobody.
const pressCapacity = 2

// gateLog is what the durable batches say of limits, runs of one program, and the
// one condition that there is.
type gateLog struct {
	shares map[string]int // held by attempts, by limit
	runs   map[string]int // granted and not ended, by program
	holds  bool           // the condition
	// said is when somebody last said that it holds. A batch in which it comes to
	// hold and ceases to says nothing of it.
	said time.Time
	out  int // attempts
	// pressGrant and stepGrant are when the batch in hand first grants shares of
	// "press", and anything to a step; zero for not at all.
	pressGrant, stepGrant time.Time
	before                bool // before the batch in hand
	change                bool // the batch in hand changes it
}

// theFact is the condition of the simulation.
func theFact() limits.Fact { return limits.Fact{Name: "closed", Date: "2026-03-01"} }

func factMatch() []workflow.ConditionMatch {
	return []workflow.ConditionMatch{{
		Name: workflow.Constant(value.String(theFact().Name)), Date: workflow.Constant(value.String(theFact().Date)),
	}}
}

// gate has some tasks wait for limits and the condition. Work that a message ends
// is left out: when its share is given back, no event of its attempt says.
func (g *generator) gate(n *workflow.Node) {
	if n.Task.Finish == workflow.FinishResult && g.r.chance(0.12) {
		name := pick(g.r, "press", "lock")
		n.Limits = []workflow.LimitUse{{Name: workflow.Constant(value.String(name))}}
		if name == "press" && g.r.chance(0.3) {
			n.Limits[0].Weight = workflow.Constant(value.Int(pressCapacity))
		}
		if g.r.chance(0.3) {
			n.Priority = workflow.Constant(value.Int(int64(g.r.IntN(5))))
		}
	}
	switch g.r.IntN(20) {
	case 0:
		n.Gate = &workflow.Gate{Needs: factMatch()}
	case 1:
		n.Gate = &workflow.Gate{Delete: factMatch()}
	case 2:
		n.Gate = &workflow.Gate{Add: factMatch()}
	}
}

// concurrency bounds the live runs of some programs.
func (g *generator) concurrency() {
	if g.r.chance(0.15) {
		g.p.Concurrency = &workflow.Concurrency{
			Max:  workflow.Constant(value.Int(int64(1 + g.r.IntN(2)))),
			Then: pick(g.r, workflow.ConcurrencyQueue, workflow.ConcurrencyQueue, workflow.ConcurrencySkip, workflow.ConcurrencyCancelRunning),
		}
	}
}

// weightOf is what an attempt of the node takes of its limit.
func weightOf(n *workflow.Node) int {
	if w := n.Limits[0].Weight; w != nil {
		return whole(w)
	}
	return 1
}

// gateEvent takes what the gate said to the run or an activation.
func (m *model) gateEvent(a *actModel, ev *engine.Event) {
	l := &m.s.log.gate
	switch ev.Kind {
	case engine.EvQueued:
		if a != nil && ev.Actor != "" {
			m.acted++
			a.forgoes = true // a person gave the condition up
		}
	case engine.EvGranted:
		if ev.Act == 0 {
			m.granted = true
			l.runs[m.program.Name]++
			return
		}
		if a == nil {
			m.violatef(Structure, "activation %d is granted, which is not there", ev.Act)
			return
		}
		a.granted = true
		if m.needsFact(a, ev) && !l.before && !l.change && !a.forgoes && !ev.At.Equal(l.said) {
			m.violatef(Facts, "activation %d begins without the condition that it needs", ev.Act)
		}
	case engine.EvEnded:
		if a != nil && ev.State == engine.Succeeded {
			if n := m.node(a); n.Gate != nil && len(n.Gate.Add) > 0 {
				l.said = ev.At
			}
		}
	case engine.EvRunEnded:
		if m.granted {
			m.granted = false
			l.runs[m.program.Name]--
		}
	default:
	}
}

// needsFact reports whether an activation begins only while the condition holds: so
// it was written, unless somebody said otherwise since.
func (m *model) needsFact(a *actModel, ev *engine.Event) bool {
	if waits, said := m.waits[m.run.Acts[ev.Act].Path]; said {
		return waits
	}
	n := m.node(a)
	return n.Gate != nil && len(n.Gate.Needs) > 0
}

// gateAttempt takes the shares of an attempt that begins.
func (m *model) gateAttempt(a *actModel, ev *engine.Event) {
	n := m.node(a)
	if m.program.Concurrency != nil && !m.granted {
		m.violatef(LimitsKept, "attempt %d of activation %d begins, and the run was not granted", ev.Attempt, ev.Act)
	}
	if (len(n.Limits) > 0 || n.Gate != nil) && !a.granted {
		m.violatef(Facts, "attempt %d of activation %d begins without a grant", ev.Attempt, ev.Act)
	}
	a.granted = false // the next attempt needs another one
	if len(n.Limits) > 0 {
		m.s.log.gate.shares[n.Limits[0].Name.Const.Text()] += weightOf(n)
	}
}

func (m *model) gateAttemptEnded(a *actModel) {
	if n := m.node(a); len(n.Limits) > 0 {
		m.s.log.gate.shares[n.Limits[0].Name.Const.Text()] -= weightOf(n)
	}
}

// gateBatch looks at a batch before its records, and checkShares after them.
func (s *simulation) gateBatch(b *store.Batch) {
	l := &s.log.gate
	if l.shares == nil {
		l.shares, l.runs = map[string]int{}, map[string]int{}
	}
	l.before, l.change = l.holds, false
	for i := range b.Objects {
		if o := &b.Objects[i]; o.Kind == runtime.KindCondition {
			l.change, l.holds = true, len(o.Data) > len(`{"dates":[]}`)
		}
	}
}

// checkShares: however it crashed, no more is held than there is (invariant 6).
func (s *simulation) checkShares() {
	l := &s.log.gate
	if l.shares["lock"] > 1 {
		s.violatef(LimitsKept, "%d shares of a lock are held", l.shares["lock"])
	}
	for i := range s.programs {
		p := s.programs[i].program
		if p.Concurrency != nil && l.runs[p.Name] > whole(p.Concurrency.Max) {
			s.violatef(LimitsKept, "%d runs of %s are live, there may be %d", l.runs[p.Name], p.Name, whole(p.Concurrency.Max))
		}
	}
}

// toggle has people add and delete the condition; once nothing fails any more it
// holds again and again, so that nothing waits for good.
func (s *simulation) toggle(r random) {
	if s.server.up {
		holds := s.calm || r.chance(0.6)
		if holds {
			s.log.gate.said = store.Time(s.now)
		}
		s.server.tellRuntime(runtime.SetCondition{Fact: theFact(), Holds: holds})
	}
	s.at(r.span(time.Minute, 20*time.Minute), "condition", "", func() { s.toggle(r) })
}
