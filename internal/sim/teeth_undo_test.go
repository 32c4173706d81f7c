package sim

import (
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/workflow"
)

// undoInStartOrder forgets at a restart in which order steps ended.
func undoInStartOrder(run *engine.Run) {
	slices.SortFunc(run.Undo.List, func(a, b engine.Undoable) int { return int(b.Act) - int(a.Act) })
}

// undoAgain forgets at a restart what was undone.
func undoAgain(run *engine.Run) {
	for i := range run.Undo.List {
		run.Undo.List[i].State = ""
	}
	run.Undo.At = len(run.Undo.List)
}

// undoSuccess has undone at a restart what nobody wants undone.
func undoSuccess(run *engine.Run) { run.Undo.Asked = true }

// forgetDoubts forgets at a restart that nobody knows what some attempts did.
func forgetDoubts(run *engine.Run) {
	for _, a := range run.Acts {
		a.Doubt = false
	}
}

// forgetCompensation tells operators that something was undone.
func forgetCompensation(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if act, ok := m.(runtime.Act); ok {
		if _, is := act.Action.(engine.Compensate); is {
			return nil, []runtime.Effect{runtime.Reply{Caller: act.Caller, Run: act.Run}}
		}
	}
	return m, nil
}

// onNodes changes the nodes of what is compiled.
func onNodes(change func(*workflow.Node)) func(*product) {
	return onProgram(func(p *workflow.Program) {
		p.Bodies = slices.Clone(p.Bodies)
		for i := range p.Bodies {
			p.Bodies[i].Nodes = slices.Clone(p.Bodies[i].Nodes)
			for n := range p.Bodies[i].Nodes {
				change(&p.Bodies[i].Nodes[n])
			}
		}
	})
}

// askNobody undoes what nobody knows to have been done.
func askNobody(n *workflow.Node) {
	if n.Compensate != nil {
		c := *n.Compensate
		c.OnUnknown = workflow.OnUnknownRun
		n.Compensate = &c
	}
}
