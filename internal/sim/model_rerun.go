package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/workflow"
)

// rerun takes that nodes of a frame run again: none of them may be going on, and
// with each all whose joins name it.
func (m *model) rerun(f *frameModel, ev *engine.Event) {
	m.reruns++
	again := map[int]bool{}
	for _, n := range ev.Nodes {
		again[int(n)] = true
	}
	nodes := m.program.Bodies[f.body].Nodes
	for i := range nodes {
		if nodes[i].Join == nil || again[i] {
			continue
		}
		for _, need := range nodes[i].Join.Needs {
			if again[int(need)] {
				m.violatef(Order, "node %d of frame %d runs again, but not node %d, which needs it", need, ev.Frame, i)
			}
		}
	}
	if ev.Actor == "" || f.verdict && f.ended || f.verdict {
		m.violatef(Said, "nodes %v of frame %d run again, asked by %q, verdict %v", ev.Nodes, ev.Frame, ev.Actor, f.verdict)
	}
	for id, a := range m.acts {
		if a.frame != ev.Frame || !again[int(a.node)] {
			continue
		}
		if !a.ended {
			m.violatef(Said, "activation %d runs again before it has ended", id)
		}
		if m.node(a).Task != nil && m.node(a).Task.AtMostOnce && ev.Trigger != "redo" {
			m.violatef(AtMostOnce, "activation %d runs again, and a person did not ask for that", id)
		}
		if ev.Trigger == "redo" {
			a.before, a.redone, a.key = len(a.attempts), a.redone+1, ""
		}
		a.again, a.failed, a.said, a.killed, a.put, a.unknown, a.stopping = true, false, "", false, false, false, false
		a.try, a.doubt = 0, false
		a.failures, a.lost, a.retries, a.loop, a.retryAt = 0, 0, 0, nil, time.Time{}
	}
	for n := range again {
		f.entered[n], f.ends[n] = false, 0
		delete(f.forced, workflow.NodeID(n))
	}
}

// reentered takes the begin of an activation that runs again.
func (m *model) reentered(ev *engine.Event) {
	a := m.acts[ev.Act]
	if a == nil || !a.again || !a.ended {
		m.violatef(NoRerun, "activation %d begins again", ev.Act)
		return
	}
	a.again, a.ended = false, false
	f := m.frames[a.frame]
	m.live++
	f.live++
	m.starts(f, &engine.Event{Kind: ev.Kind, Frame: a.frame, Node: a.node, Act: ev.Act, Actor: ev.Actor})
}

// sameKey checks that all attempts of an activation have the same idempotency
// key, until a person has it done again with another.
func (m *model) sameKey(a *actModel, t *engine.Task) {
	switch {
	case t.Attempt <= a.before: // of before
	case a.key == "":
		a.key = t.IdempotencyKey
		if m.keys[a.key] {
			m.violatef(Keys, "%s, attempt %d has a key that is taken", t.Path, t.Attempt)
		}
		if a.redone > 0 {
			m.keys[a.key] = true
		}
	case a.key != t.IdempotencyKey:
		m.violatef(Keys, "%s, attempt %d has another key than the attempt before", t.Path, t.Attempt)
	}
}
