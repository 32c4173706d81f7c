package sim

import (
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/workflow"
)

// undoModel is what is to be undone of a run, and how far that is.
type undoModel struct {
	list  []undoEntry // in the order of completion
	asks  int         // times that operators asked
	asked bool        // one did, and that is not over
	only  []engine.ActID
	began bool
	going bool
	frame engine.FrameID // that undoes an entry, 0 for none
	waits engine.ActID   // a person must say whether there is something to undo
	main  engine.State   // the verdict on the run
}

// undoEntry is an activation that can be undone.
type undoEntry struct {
	act     engine.ActID
	unknown bool // nobody knows whether it did something
	over    bool // it is undone, or need not be
}

// next is the entry whose turn it is: of those that are wanted the last that
// ended. Nil if there is none.
func (u *undoModel) next() *undoEntry {
	for i := range slices.Backward(u.list) {
		if e := &u.list[i]; !e.over && (len(u.only) == 0 || slices.Contains(u.only, e.act)) {
			return e
		}
	}
	return nil
}

func (u *undoModel) drop(gone func(engine.ActID) bool) {
	u.list = slices.DeleteFunc(u.list, func(e undoEntry) bool { return gone(e.act) })
}

// cameBack reports whether somebody had a run go on that had ended.
func (m *model) cameBack() bool { return m.retried > 0 || m.undo.asks > 0 }

// lastly reports whether a frame lies in a finally part or a compensation: what
// is done there is not undone.
func (m *model) lastly(id engine.FrameID) bool {
	for {
		f := m.frames[id]
		switch {
		case f.role == engine.RoleFinally, f.role == engine.RoleCompensate:
			return true
		case f.owner == 0:
			return false
		}
		id = m.acts[f.owner].frame
	}
}

// inUndo reports whether a frame lies in a compensation.
func (m *model) inUndo(id engine.FrameID) bool {
	for {
		f := m.frames[id]
		switch {
		case f.role == engine.RoleCompensate:
			return true
		case f.of != 0:
			id = f.of
			continue
		case f.owner == 0:
			return false
		}
		id = m.acts[f.owner].frame
	}
}

// doubtEvent notes when nobody knows what the work of an activation did: it was
// lost or stopped in the middle, its time was up, or it was handed over and
// nobody waits for it any more.
func (m *model) doubtEvent(a *actModel, ev *engine.Event) {
	n := m.node(a)
	switch ev.Kind {
	case engine.EvRetry:
		if n.Task == nil && !ev.Same {
			a.try = 0
		}
	case engine.EvStopping:
		if ev.State == engine.Canceled {
			a.expired = ev.TimerKind != ""
		}
	case engine.EvAnswered:
		a.handed = false
	case engine.EvAttemptEnded:
		if ev.Attempt != len(a.attempts) {
			return
		}
		answered := a.attempts[ev.Attempt-1].answer != ""
		a.handed = n.Task.Finish == workflow.FinishMessage && ev.Outcome == engine.OutcomeSucceeded && !answered
		late := ev.Outcome == engine.OutcomeFailed && ev.Error.Name == engine.ErrTimeout
		stopped := ev.Outcome == engine.OutcomeCanceled && !ev.StartedAt.IsZero()
		a.doubt = a.doubt || !answered && (ev.Outcome == engine.OutcomeLost || late || stopped || a.handed && a.stopping)
	case engine.EvError:
		// Whether its time was up before or after it failed, nobody can tell, unless
		// whoever did its work said before how that ended.
		doubtful := false
		if n := len(a.attempts); n > 0 {
			doubtful = a.attempts[n-1].mayHaveBegun && a.attempts[n-1].answer == ""
		}
		a.doubt = a.doubt || a.handed || a.expired && n.Task != nil && doubtful
		a.handed, a.expired = false, false
	case engine.EvEnded:
		a.doubt = a.doubt || a.handed && ev.State == engine.Canceled
		a.handed, a.expired = false, false
	default:
	}
}

// completed takes an activation on the list that ended and can be undone, in the
// place of what lies in its last try; one that is done again has one place.
func (m *model) completed(a *actModel, ev *engine.Event) {
	n := m.node(a)
	if n.Compensate == nil || m.lastly(a.frame) {
		return
	}
	done := ev.State == engine.Succeeded && ev.Reason != engine.ReasonHandled
	u := &m.undo
	if done {
		u.drop(func(id engine.ActID) bool { return id == ev.Act || m.inside(id, ev.Act) })
	} else if !a.doubt || a.said != "" || n.Task == nil || slices.ContainsFunc(u.list, func(e undoEntry) bool { return e.act == ev.Act }) {
		return
	}
	u.list = append(u.list, undoEntry{act: ev.Act, unknown: !done})
	m.s.faults["(can be undone)"]++
}

// inside reports whether an activation lies in the last try of another one.
func (m *model) inside(id, of engine.ActID) bool {
	for id != 0 {
		f := m.frames[m.acts[id].frame]
		if f.owner == of {
			return f.role == engine.RoleBody && f.attempt == m.acts[of].try
		}
		id = f.owner
	}
	return false
}

// undoEvent checks invariant 9 in the events of undoing.
func (m *model) undoEvent(ev *engine.Event) {
	u := &m.undo
	e := u.next()
	switch ev.Kind {
	case engine.EvUndoAsked:
		m.undoAsked(ev)
	case engine.EvUndoBegun:
		failed := u.main == engine.Failed || u.main == engine.Canceled
		if u.going || e == nil || m.frames[1].live > 0 || !u.asked && (!failed || m.program.OnFailure != workflow.OnFailureCompensate) {
			m.violatef(Undoing, "what the run did is undone, which is %s: %d activations live, %+v", u.main, m.frames[1].live, u)
		}
		u.began, u.going = true, true
	case engine.EvUndoWaits:
		if e == nil || e.act != ev.Act || !e.unknown || m.node(m.acts[ev.Act]).Compensate.OnUnknown == workflow.OnUnknownRun || u.frame != 0 {
			m.violatef(Undoing, "a person is asked about activation %d, the next is %+v", ev.Act, e)
		}
		u.waits = ev.Act
	case engine.EvUndoAnswered:
		m.undoAnswered(e, ev)
	case engine.EvUndone:
		if !u.going || e != nil || u.frame != 0 || u.waits != 0 {
			m.violatef(Undoing, "it is said that all is undone: %+v", u)
		}
		u.going, u.asked, u.only = false, false, nil
	default:
	}
}

// undoAsked takes that an operator has undone what the run did.
func (m *model) undoAsked(ev *engine.Event) {
	u := &m.undo
	if ev.Actor == "" || u.going || u.next() == nil || !m.ended && m.heldErrors == 0 {
		m.violatef(Undoing, "%q has the run undone: %+v", ev.Actor, u)
	}
	u.asks++
	u.asked, u.only = true, ev.Acts
	if !m.ended {
		return
	}
	m.ended, u.began, u.going = false, true, true
	m.frames[1].ended = false
}

func (m *model) undoAnswered(e *undoEntry, ev *engine.Event) {
	u := &m.undo
	m.acted++
	if u.waits != ev.Act || e == nil || ev.Actor == "" {
		m.violatef(Undoing, "%q says what activation %d did, asked about is %d", ev.Actor, ev.Act, u.waits)
		return
	}
	u.waits = 0
	if ev.Outcome == engine.OutcomeSucceeded {
		m.saidAs[engine.Succeeded]++
		e.unknown = false
		return
	}
	m.saidAs[engine.Failed]++
	e.over = true
}

// undoFrame checks the begin and the end of a compensation, and that those come
// first: one at a time, the last that ended first, each once, and nothing that
// did not happen.
func (m *model) undoFrame(ev *engine.Event) {
	u := &m.undo
	e := u.next()
	switch {
	case ev.Kind == engine.EvFrameOpened && ev.Role == engine.RoleCompensate:
		a := m.acts[ev.Act]
		if !u.going || u.frame != 0 || u.waits != 0 || e == nil || e.act != ev.Act || ev.Body != m.node(a).Compensate.Body ||
			e.unknown && m.node(a).Compensate.OnUnknown != workflow.OnUnknownRun {
			m.violatef(Undoing, "activation %d is undone, the next is %+v: %+v", ev.Act, e, u)
			return
		}
		m.wasDone(a, e)
		u.frame = ev.Frame
	case ev.Kind == engine.EvFrameEnded && ev.Role == engine.RoleCompensate:
		if u.frame != ev.Frame || e == nil || e.act != ev.Act {
			m.violatef(Undoing, "activation %d was undone in frame %d: %+v", ev.Act, ev.Frame, u)
			return
		}
		u.frame, e.over = 0, true
		m.s.faults["(undone)"]++
	case ev.Kind == engine.EvFrameEnded && ev.Frame == 1, ev.Kind == engine.EvFrameOpened && ev.Role == engine.RoleFinally && ev.Of == 1:
		failed := u.main == engine.Failed || u.main == engine.Canceled
		if ev.Kind == engine.EvFrameEnded && !m.frames[1].verdict {
			failed = ev.State != engine.Succeeded
		}
		if u.going || !u.began && e != nil && failed && m.program.OnFailure == workflow.OnFailureCompensate {
			m.violatef(Undoing, "%s of the run, which is %s, before what it did is undone: %+v", ev.Kind, u.main, u)
		}
	default:
	}
}

// wasDone wants work that succeeded by itself, and is undone, to have succeeded
// outside.
func (m *model) wasDone(a *actModel, e *undoEntry) {
	n := m.node(a)
	if e.unknown || a.said != "" || a.hit || n.Task == nil || a.doubt || n.Task.Finish != workflow.FinishResult {
		return
	}
	for i := range a.attempts {
		if d := m.s.world.deeds[ref(m.id, e.act, i+1, a.attempts[i].fence)]; d != nil && d.outcome != nil && d.outcome.Kind == engine.OutcomeSucceeded {
			return
		}
	}
	m.violatef(Undoing, "activation %d is undone, and no attempt of it succeeded", e.act)
}
