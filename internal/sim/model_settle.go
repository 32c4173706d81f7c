package sim

import (
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/workflow"
)

// settled takes how an operator says that an activation ends: nothing of it may
// be out, nor may it have frames that go on.
func (m *model) settled(a *actModel, ev *engine.Event) {
	m.acted++
	m.saidAs[ev.State]++
	n := len(a.attempts)
	switch {
	case ev.Actor == "" || ev.State == "" || (ev.State == engine.Failed) != (ev.Error != nil):
		m.violatef(Said, "activation %d is settled as %q by %q: %v", ev.Act, ev.State, ev.Actor, ev.Error)
	case n > 0 && !a.attempts[n-1].ended || a.stopping:
		m.violatef(Said, "activation %d is settled while attempt %d is out", ev.Act, n)
	case m.open(ev.Act) > 0:
		m.violatef(Said, "activation %d is settled while %d frames of it are open", ev.Act, m.open(ev.Act))
	}
	m.decided(a)
	a.said, a.unknown, a.stopping = ev.State, false, false
	m.unknown = false
	for _, b := range m.acts {
		m.unknown = m.unknown || b.unknown && !b.ended
	}
}

// open counts the frames of an activation that have not ended.
func (m *model) open(act engine.ActID) int {
	n := 0
	for _, f := range m.frames {
		if f.owner == act && !f.ended {
			n++
		}
	}
	return n
}

// skipped takes nodes that an operator skips before they begin.
func (m *model) skipped(ev *engine.Event) {
	m.acted++
	m.saidAs[engine.Skipped]++
	if ev.Actor == "" {
		m.violatef(Said, "nodes %v of frame %d are skipped by nobody", ev.Nodes, ev.Frame)
	}
}

// toldToStop takes a kill.
func (m *model) toldToStop(a *actModel, ev *engine.Event) {
	if ev.TimerKind != engine.TimerKill {
		return
	}
	m.acted++
	a.killed = true
	if ev.Actor == "" || ev.Reason != engine.ReasonKilled {
		m.violatef(Said, "activation %d is killed by %q for %s", ev.Act, ev.Actor, ev.Reason)
	}
}

// hurried takes that nobody waits for an instant any more.
func (m *model) hurried(a *actModel, ev *engine.Event) {
	if ev.Actor == "" {
		return
	}
	m.acted++
	switch ev.TimerKind {
	case engine.TimerRetry:
		a.retryAt = time.Time{}
	case engine.TimerTurn:
		a.loop.hurried = true
	case engine.TimerWait:
	default:
		m.violatef(Said, "timer %d of activation %d, a %s, fires because %s says so", ev.Timer, ev.Act, ev.TimerKind, ev.Actor)
	}
}

// mayRetry checks that what an operator stopped or settled is tried again only
// by rules that name that.
func (m *model) mayRetry(a *actModel, ev *engine.Event) {
	if (a.killed || a.said == engine.Failed) && len(m.node(a).Retry[ev.Rule].Match) == 0 {
		m.violatef(Said, "activation %d is tried again, though an operator ended it: killed %v, said %q", ev.Act, a.killed, a.said)
	}
	if !ev.Same {
		a.killed, a.said = false, ""
	}
}

// endedAsSaid checks that an activation ends as an operator said, unless its
// handlers made something else of a failure.
func (m *model) endedAsSaid(a *actModel, ev *engine.Event) {
	said := ev.Reason == engine.ReasonOperator && ev.State != engine.Failed
	if said != (a.said == engine.Succeeded || a.said == engine.Skipped) && ev.State != engine.Canceled || said && a.said != ev.State {
		m.violatef(Said, "activation %d ended as %s (%s), but an operator said %q", ev.Act, ev.State, ev.Reason, a.said)
	}
	if slices.Contains([]engine.Reason{engine.ReasonOperator, engine.ReasonKilled}, ev.Reason) && ev.State == engine.Failed && !a.killed && a.said != engine.Failed && m.node(a).Task != nil && len(m.node(a).Catch) == 0 {
		m.violatef(Said, "activation %d ended for %s, and no operator said so", ev.Act, ev.Reason)
	}
}

// forced takes that a node does not wait for what it needs.
func (m *model) forced(f *frameModel, ev *engine.Event) {
	m.acted++
	if ev.Actor == "" || f.entered[ev.Node] || f.ends[ev.Node] != 0 || f.verdict {
		m.violatef(Said, "node %d of frame %d is forced by %q", ev.Node, ev.Frame, ev.Actor)
	}
	if f.forced == nil {
		f.forced = map[workflow.NodeID]bool{}
	}
	f.forced[ev.Node] = true
}
