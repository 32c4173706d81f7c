package sim

import (
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
)

// notHeld checks that nobody holds what an attempt begins of.
func (m *model) notHeld(ev *engine.Event) {
	path := m.run.Acts[ev.Act].Path
	if m.withNamespace {
		m.violatef(Held, "attempt %d of %s begins, but its namespace is held", ev.Attempt, path)
	}
	for _, held := range m.held {
		if rest, inside := strings.CutPrefix(path, held); held == "" || inside && (rest == "" || strings.ContainsAny(rest[:1], "/[~#")) {
			m.violatef(Held, "attempt %d of %s begins, but %q is held", ev.Attempt, path, held)
		}
	}
}

// frameReopened checks that a frame which goes on did not end well, nor its
// nodes that are judged again run.
func (m *model) frameReopened(ev *engine.Event) {
	f := m.frames[ev.Frame]
	if f == nil || f.ended && f.state == engine.Succeeded && !m.rerunAsked {
		m.violatef(NoRerun, "frame %d is reopened", ev.Frame)
		return
	}
	if f.ended && ev.Role != engine.RoleFinally {
		f.verdict = ev.Same
	}
	f.ended = false
	m.turnReopened(f, ev.Frame)
	for _, n := range ev.Nodes {
		if f.entered[n] || f.ends[n] == 0 {
			m.violatef(NoRerun, "node %d of frame %d is judged again", n, ev.Frame)
		}
		f.ends[n] = 0
	}
}

// reopened checks that an activation which goes on did not end well. Its
// budgets begin anew.
func (m *model) reopened(ev *engine.Event) {
	if ev.Kind == engine.EvRestored {
		m.restored(ev)
		return
	}
	a := m.acts[ev.Act]
	if a == nil || !a.held && (!a.ended || !a.failed) {
		m.violatef(NoRerun, "activation %d is reopened", ev.Act)
		return
	}
	held := a.held
	m.undo.drop(func(id engine.ActID) bool { return id == ev.Act })
	m.decided(a)
	a.ended, a.failed, a.stopping, a.failures, a.lost, a.retries = false, false, false, 0, 0, 0
	a.put = false
	a.said, a.killed, a.unknown = "", false, false
	a.retryAt = time.Time{} // a person does not wait for a backoff
	a.loop.reopened()
	if held {
		return
	}
	m.live++
	f := m.frames[a.frame]
	f.live++
	f.ends[a.node] = 0
}
