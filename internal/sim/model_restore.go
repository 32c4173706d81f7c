package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// restored takes that a frame goes on that was over, with its owner: in an ended
// run of which a person had a step run again, and with all that it had.
func (m *model) restored(ev *engine.Event) {
	f, a := m.frames[ev.Frame], m.acts[ev.Act]
	if f == nil || a == nil || !f.ended || f.owner != ev.Act || f.role != engine.RoleBody || m.reopenedBy != "rerun" || a.ended != (ev.Restored.Owner != nil) {
		m.violatef(NoRerun, "frame %d goes on that was over", ev.Frame)
		return
	}
	m.s.fault("restored")
	if ev.Restored.Owner != nil {
		m.ownerRestored(a, ev)
	}
	f.ended, f.verdict = false, false
	if ev.Index >= 0 && ev.Index < len(a.items) {
		a.items[ev.Index] = value.Undefined
	}
	m.turnReopened(f, ev.Frame)
	for _, n := range ev.Nodes {
		if f.entered[n] || f.ends[n] == 0 {
			m.violatef(NoRerun, "node %d of frame %d is judged again", n, ev.Frame)
		}
		f.ends[n] = 0
	}
	for i, n := range ev.Restored.Nodes {
		if n.Ends != f.ends[i] {
			m.violatef(Recalled, "node %d of frame %d goes on as %b, it ended as %b", i, ev.Frame, n.Ends, f.ends[i])
			return
		}
		if n.Act == nil || n.Again {
			continue
		}
		had := m.acts[n.Act.ID]
		if had == nil || had.frame != ev.Frame || int(had.node) != i || len(had.attempts) != n.Act.Attempt && workflow.KindTask == m.node(had).Kind {
			m.violatef(Recalled, "node %d of frame %d goes on as activation %d, attempt %d", i, ev.Frame, n.Act.ID, n.Act.Attempt)
			return
		}
		if got := ev.Recalled.Nodes[i].Output; m.node(had).Kind == workflow.KindTask && !same(got, had.output) {
			m.violatef(Recalled, "activation %d goes on with output %s, it had %s", n.Act.ID, got, had.output)
			return
		}
	}
}

// ownerRestored takes that an activation goes on with what is inside it, and has
// the outputs of all its frames.
func (m *model) ownerRestored(a *actModel, ev *engine.Event) {
	a.ended, a.failed, a.stopping, a.failures, a.lost, a.retries = false, false, false, 0, 0, 0
	a.put, a.said, a.killed, a.unknown = false, "", false, false
	a.retryAt = time.Time{}
	m.live++
	outer := m.frames[a.frame]
	outer.live++
	outer.ends[a.node] = 0
	if m.node(a).Map == nil {
		return
	}
	for _, f := range m.frames {
		if f.owner != ev.Act || f.role != engine.RoleBody || f.attempt != ev.Restored.Attempt || f.state != engine.Succeeded {
			continue
		}
		if outputs := ev.Recalled.Outputs; f.index >= len(outputs) || !same(m.whole(outputs[f.index]), m.whole(f.output)) {
			m.violatef(Recalled, "activation %d goes on without the output of its item %d", ev.Act, f.index)
			return
		}
	}
}

// same reports whether two outputs are; that there is none is null.
func same(a, b value.Value) bool {
	none := func(v value.Value) bool { return v.IsUndefined() || v.Kind() == value.KindNull }
	return none(a) && none(b) || value.Equal(a, b)
}

// recalled lists the values that an event tells again.
func recalled(d *engine.RestoredData) []value.Value {
	if d == nil {
		return nil
	}
	values := append([]value.Value{d.Item, d.Raw, d.Vars, d.Items}, d.Outputs...)
	for i := range d.Nodes {
		values = append(values, d.Nodes[i].Input, d.Nodes[i].Output)
	}
	return values
}

// leaves notes what an activation has for its output. What a message said counts,
// not what the attempt gave that handed the work over.
func (a *actModel) leaves(ev *engine.Event) {
	n := len(a.attempts)
	switch {
	case ev.Kind == engine.EvEnded && ev.Same:
		a.output = a.result
	case ev.Kind == engine.EvEnded:
		a.output = ev.Output
	case ev.Kind == engine.EvAttemptEnded && n > 0 && a.attempts[n-1].answer != "":
	case !ev.Output.IsUndefined():
		a.result = ev.Output
	}
}
