package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// forgetFrame takes a frame out of memory, with all that was kept in it.
func (m *Machine) forgetFrame(run *Run, f *Frame) {
	if run.recallsFrame(f) {
		return
	}
	for i := range f.Nodes {
		if a := run.Acts[f.Nodes[i].Act]; a != nil {
			m.forget(run, a)
		}
		delete(run.Acts, f.Nodes[i].Again)
	}
	for _, id := range f.Left {
		m.forget(run, run.Acts[id])
	}
	if last := run.Frames[f.Finally]; last != nil {
		m.forgetFrame(run, last)
	}
	delete(run.Frames, f.ID)
}

// forget takes an activation that has ended out of memory.
func (m *Machine) forget(run *Run, a *Activation) {
	m.forgetClosed(run, a)
	for _, id := range a.Kept.all() {
		m.forgetFrame(run, run.Frames[id])
	}
	if a.Listed {
		run.Undo.Gone++
	}
	delete(run.Acts, a.ID)
}

// forgetClosed takes the frames out of memory that were kept for a retry, but for
// those in which something can be undone.
func (m *Machine) forgetClosed(run *Run, a *Activation) {
	for _, id := range a.Closed.all() {
		if f := run.Frames[id]; f != nil {
			m.letGo(run, f)
		}
	}
	a.Closed = OpenFrames{}
}

// begun reports whether the activation has opened the frames of its try, so
// that it goes on with them instead of beginning anew.
func (a *Activation) begun() bool { return a.Map != nil || a.Loop != nil || len(a.Outputs) > 0 }

// applyReopened lets an activation go on that had ended, or whose failure is
// held: with its handler, with
// its frames, or from the beginning.
func (m *Machine) applyReopened(run *Run, a *Activation, ev *Event) error {
	f := run.Frames[a.Frame]
	if a.Phase != PhaseEnded && a.Phase != PhaseHeldError || f == nil {
		return fmt.Errorf("%w: activation %d reopened while it is %s", ErrProtocol, a.ID, a.Phase)
	}
	if a.Phase == PhaseEnded {
		f.Live++
		f.Failures = slices.DeleteFunc(f.Failures, func(id ActID) bool { return id == a.ID })
		m.unsettle(f, a.Node)
	}
	run.unlist(a)
	a.State, a.Reason, a.Phase, a.Handled = Pending, ReasonNone, PhaseEntered, false
	a.EndedAt, a.Output, a.Result = time.Time{}, value.Undefined, value.Undefined
	a.CancelAsked, a.Why, a.Expired, a.Stopped, a.Winner = false, ReasonNone, "", false, 0
	a.By, a.Told = nil, false
	a.Retries, a.Lost, a.Matched, a.RuleAt, a.FirstErr = nil, 0, false, 0, nil
	if ev.Role == RoleCatch {
		a.Phase, a.State, a.Stopped = PhaseFrames, Running, true
		return nil
	}
	if a.Loop != nil {
		a.Loop.reopened()
	}
	a.Err = nil
	a.Reopened++
	for _, id := range a.Closed.all() {
		if c := run.Frames[id]; c != nil && c.Role == RoleCatch {
			a.Closed.remove(id)
			m.letGo(run, c)
		}
	}
	if a.begun() {
		a.Phase, a.State = PhaseFrames, Running
	}
	return nil
}

// unsettle takes back that a node has ended, for the joins behind it.
func (m *Machine) unsettle(f *Frame, n workflow.NodeID) {
	b := &m.bodies[f.Body]
	ns := &f.Nodes[n]
	if !b.jumps {
		f.Settled--
		for _, dep := range b.dependents[n] {
			all := b.all[dep]
			if all == nil {
				continue
			}
			for i, need := range b.Nodes[dep].Join.Needs {
				if need == n && ns.Ends&all[i] != 0 {
					f.Nodes[dep].Met--
				}
			}
		}
	}
	ns.Ends, ns.Why, ns.By = 0, ReasonNone, nil
}

// applyFrameReopened lets a frame go on. One that had ended: with its verdict
// or without, or with its finally part; a frame of a map waits for room first.
// One that waited for room has it now. Of one that is open, only nodes that did
// not run are judged again.
func (m *Machine) applyFrameReopened(run *Run, f *Frame, ev *Event) error {
	for _, n := range ev.Nodes {
		if n < 0 || int(n) >= len(f.Nodes) || f.Nodes[n].Act != 0 || f.Nodes[n].Ends == 0 {
			return fmt.Errorf("%w: node %d of frame %d is to be judged again", ErrProtocol, n, f.ID)
		}
		m.unsettle(f, n)
	}
	switch f.Phase {
	case FrameOpen:
		return nil
	case FrameParked:
		m.unparked(run, f)
		return nil
	case FrameEnded:
	case FrameOpening, FrameStopping, FrameUndoing, FrameFinishing:
		return fmt.Errorf("%w: frame %d reopened while it is %s", ErrProtocol, f.ID, f.Phase)
	}
	outcome := f.Outcome
	f.Outcome = nil
	if ev.Role == RoleFinally {
		f.Phase = FrameFinishing
	} else {
		if last := run.Frames[f.Finally]; last != nil {
			m.forgetFrame(run, last)
		}
		f.Finally = 0
		switch {
		case !ev.Same:
			f.Verdict = nil
		case f.Verdict == nil:
			f.Verdict = outcome
		}
		f.Phase = m.reopenedPhase(f)
	}
	a := run.Acts[f.Owner]
	if a == nil {
		return nil
	}
	a.Closed.remove(f.ID)
	if f.Role != RoleBody {
		a.Open.add(f.ID)
		return nil
	}
	if outcome.State == Failed {
		a.Fails--
	}
	a.FirstErr, a.Stopped = nil, false
	if a.Map == nil {
		a.Open.add(f.ID)
		return nil
	}
	a.Map.Done--
	a.Map.Parked = append(a.Map.Parked, f.ID)
	f.Phase = FrameParked
	run.inPark++
	return nil
}

// reopenedPhase is where a frame stands that goes on.
func (m *Machine) reopenedPhase(f *Frame) FramePhase {
	switch {
	case f.Finally != 0:
		return FrameFinishing
	case f.Verdict != nil:
		return FrameStopping
	case len(m.bodies[f.Body].Vars) > 0 && f.Vars.IsUndefined():
		return FrameOpening
	}
	return FrameOpen
}

func (m *Machine) unparked(run *Run, f *Frame) {
	run.inPark--
	f.Phase = m.reopenedPhase(f)
	a := run.Acts[f.Owner]
	a.Map.Parked = slices.DeleteFunc(a.Map.Parked, func(id FrameID) bool { return id == f.ID })
	a.Open.add(f.ID)
}
