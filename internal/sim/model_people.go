package sim

import (
	"slices"

	"github.com/regie-dev/regie/internal/engine"
)

// talkModel is what a run was told.
type talkModel struct {
	kept  []keptModel
	came  map[string]bool // signals, by the key that is their data
	voted map[string]bool // actor and step
}

type keptModel struct {
	event uint64
	name  string
}

// awaitModel is what an activation waits for.
type awaitModel struct {
	since  uint64 // number of the event
	name   string // of a signal; empty for people
	asks   *engine.Question
	people []string // who decided
	no     bool     // somebody rejected
	late   bool     // its time is up
}

// signaled checks that a signal is taken once, by the wait that began first, and
// kept only while there is none.
func (m *model) signaled(ev *engine.Event) {
	key := ev.Output.Text()
	if m.talk.came[key] {
		m.violatef(Signals, "signal %s comes twice", key)
	}
	m.talk.came[key] = true
	var first *actModel
	for _, a := range m.acts {
		if w := a.awaits; w != nil && w.asks == nil && w.name == ev.Text && (first == nil || w.since < first.awaits.since) {
			first = a
		}
	}
	if first != m.acts[ev.Act] {
		m.violatef(Signals, "signal %s goes to activation %d, which is not the first that waits", ev.Text, ev.Act)
	}
	if first == nil {
		m.talk.kept = append(m.talk.kept, keptModel{m.events, ev.Text})
		return
	}
	first.awaits = nil
	m.dropTimers(ev.Act, "")
}

// peopleEvent checks waits for signals, and decisions (invariant 14).
func (m *model) peopleEvent(a *actModel, ev *engine.Event) {
	if m.ofRuns(a) || m.recalling(a, ev) {
		return
	}
	switch ev.Kind {
	case engine.EvAwaiting:
		a.awaits = &awaitModel{since: m.events, name: ev.Awaits.Name, asks: ev.Awaits.Question}
		if i := slices.IndexFunc(m.talk.kept, func(k keptModel) bool { return k.name == ev.Awaits.Name }); i >= 0 && a.awaits.asks == nil {
			m.violatef(Signals, "activation %d waits for signal %s, which the run has since event %d", ev.Act, ev.Awaits.Name, m.talk.kept[i].event)
		}
		m.s.people.asked(m.id, m.run.Acts[ev.Act].Path, ev.Awaits)
	case engine.EvSignalTaken:
		i := slices.IndexFunc(m.talk.kept, func(k keptModel) bool { return k.event == ev.Signal })
		if i < 0 || slices.IndexFunc(m.talk.kept, func(k keptModel) bool { return k.name == m.talk.kept[i].name }) != i {
			m.violatef(Signals, "activation %d takes signal %d, which is not the oldest that is kept", ev.Act, ev.Signal)
			return
		}
		m.talk.kept = slices.Delete(m.talk.kept, i, i+1)
	case engine.EvVoted:
		m.voted(a, ev)
	case engine.EvTimerFired:
		if a.awaits != nil {
			a.awaits.late = true
		}
	case engine.EvHappened:
		w := a.awaits
		a.awaits = nil
		m.dropTimers(ev.Act, "")
		switch {
		case w == nil || w.asks == nil:
			m.violatef(Approvals, "activation %d is answered, and asks nothing", ev.Act)
		case ev.Error != nil && !w.no, ev.Error == nil && w.no:
			m.violatef(Approvals, "activation %d ends with %v; rejected: %v", ev.Act, ev.Error, w.no)
		case ev.Error == nil && len(w.people) < w.asks.Count && (!w.late || w.asks.OnTimeout != engine.OnTimeoutApprove):
			m.violatef(Approvals, "activation %d is approved by %v, and needs %d", ev.Act, w.people, w.asks.Count)
		}
	case engine.EvError, engine.EvResult, engine.EvEnded, engine.EvSettled:
		a.awaits = nil
	default:
	}
}

func (m *model) voted(a *actModel, ev *engine.Event) {
	w := a.awaits
	switch {
	case w == nil || w.asks == nil || w.late:
		m.violatef(Approvals, "%s decides on activation %d, which asks nothing", ev.Text, ev.Act)
		return
	case slices.Contains(w.people, ev.Text):
		m.violatef(Approvals, "%s decides twice on activation %d", ev.Text, ev.Act)
	case w.asks.FourEyes && (ev.Text == starter || ev.Text == author):
		m.violatef(Approvals, "%s decides on activation %d, which needs four eyes", ev.Text, ev.Act)
	case w.no || len(w.people) >= w.asks.Count:
		m.violatef(Approvals, "%s decides on activation %d, which is decided", ev.Text, ev.Act)
	}
	w.people = append(w.people, ev.Text)
	w.no = w.no || ev.Outcome != engine.OutcomeSucceeded
	m.talk.voted[ev.Actor+" "+m.run.Acts[ev.Act].Path] = true
}
