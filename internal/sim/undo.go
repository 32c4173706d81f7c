package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// undoable lets some nodes of a program be undone, wherever they lie, and mostly
// has the program undo what it did when it fails.
func undoable(r random, p *workflow.Program) {
	g := &generator{r: r, p: p, depth: maxNesting + 1, nodes: maxNodes, last: 1}
	for b := range len(p.Bodies) {
		for n := range p.Bodies[b].Nodes {
			node := &p.Bodies[b].Nodes[n]
			if chance := 0.2; r.chance(chance) || node.Kind == workflow.KindTask && r.chance(2*chance) {
				c := &workflow.Compensate{Body: g.undo(node.ID), OnUnknown: pick(r, "", workflow.OnUnknownAsk, workflow.OnUnknownRun)}
				p.Bodies[b].Nodes[n].Compensate = c
			}
		}
	}
	if r.chance(0.8) {
		p.OnFailure = workflow.OnFailureCompensate
	}
}

// undo adds a body that undoes a node: a task, perhaps with another behind it.
func (g *generator) undo(id string) workflow.BodyID {
	b := workflow.Body{Nodes: []workflow.Node{{ID: id + "u"}}}
	g.task(&b.Nodes[0])
	if g.r.chance(0.25) {
		after := workflow.Node{ID: id + "v", Join: &workflow.Join{Needs: []workflow.NodeID{0}, When: ends(0, workflow.EndOK)}}
		g.task(&after)
		b.Nodes = append(b.Nodes, after)
	}
	g.p.Bodies = append(g.p.Bodies, b)
	return workflow.BodyID(len(g.p.Bodies) - 1)
}

// undoers have undone by hand what runs did, and decide, once nothing fails any
// more, what the undoing of a run waits for.
type undoers struct {
	s *simulation
	r random
}

// adopt plans that what a run did is undone, whether it can be by then or not.
func (u *undoers) adopt(run store.RunID) {
	for range 3 {
		if u.s.swarm.undo && u.r.chance(0.3) {
			u.s.at(u.r.span(time.Second, time.Hour), "compensate", string(run), func() { u.compensate(run) })
		}
	}
}

func (u *undoers) compensate(run store.RunID) {
	m := u.s.models[run]
	if m == nil || u.s.calm && m.ended && m.undo.asks > 0 {
		return
	}
	u.s.fault("compensate")
	a := engine.Action{Actor: "operator", Reason: "undo"}
	if e := m.undo.list; len(e) > 0 && u.r.chance(0.4) {
		a.Steps = []string{m.run.Acts[pick(u.r, e...).act].Path}
	}
	u.s.people.ask(&order{run: run, action: engine.Compensate{Action: a}})
}

// lookAfter says of what a person must decide about how it went.
func (u *undoers) lookAfter() {
	for _, id := range u.s.order {
		m := u.s.models[id]
		if m.ended || !m.undo.going {
			continue
		}
		if m.undo.waits != 0 {
			u.settle(m, m.undo.waits, pick(u.r, engine.Succeeded, engine.Failed))
		}
		for act := engine.ActID(1); int(act) <= len(m.acts); act++ {
			if a := m.acts[act]; a != nil && a.held && !a.ended {
				u.settle(m, act, pick(u.r, engine.Succeeded, engine.Succeeded, engine.Failed))
			}
		}
	}
	u.s.at(10*time.Minute, "", "", u.lookAfter)
}

func (u *undoers) settle(m *model, act engine.ActID, as engine.State) {
	a := engine.Action{Actor: "operator", Reason: "so it was", Steps: []string{m.run.Acts[act].Path}}
	u.s.people.ask(&order{run: m.id, action: engine.Settle{Action: a, As: as}})
}
