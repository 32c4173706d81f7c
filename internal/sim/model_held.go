package sim

import (
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/workflow"
)

// failureHeld checks that a failure may be held: the program or the node says so.
func (m *model) failureHeld(a *actModel, ev *engine.Event) {
	if m.program.OnFailure != workflow.OnFailureHold && m.node(a).Held == nil && !m.inUndo(a.frame) || a.held || a.stopping {
		m.violatef(HeldFailure, "the failure of activation %d is held", ev.Act)
	}
	a.held = true
	m.heldErrors++
}

// decided takes in that somebody decided about a failure, or that it does not
// matter any more.
func (m *model) decided(a *actModel) {
	if a.held {
		a.held = false
		m.heldErrors--
	}
}

// checkHeld wants the failures of a run that holds them not to be final: nothing
// that lies in no other step fails by itself.
func (m *model) checkHeld(f *frameModel, a *actModel, ev *engine.Event) {
	switch {
	case a.held && ev.State != engine.Canceled && !m.undo.asked:
		m.violatef(HeldFailure, "activation %d ended as %s while its failure was held", ev.Act, ev.State)
	case m.program.OnFailure == workflow.OnFailureHold && f.role == engine.RoleMain && !f.verdict && !m.undo.asked && ev.State == engine.Failed && !ev.Handled && a.said != engine.Failed && ev.Reason != engine.ReasonOperator:
		m.violatef(HeldFailure, "the failure of activation %d is final", ev.Act)
	}
	m.decided(a)
}

// heldOrReleased takes in a hold of the run, of a step of it or of its namespace, or
// that one was taken back.
func (m *model) heldOrReleased(ev *engine.Event) {
	held := ev.Kind == engine.EvHeld
	if held {
		m.holds++
	}
	switch {
	case ev.Trigger == engine.ByNamespace:
		m.withNamespace = held
	case held:
		m.held = append(m.held, ev.Path)
	default:
		m.held = slices.DeleteFunc(m.held, func(path string) bool { return path == ev.Path })
	}
}
