package sim

import (
	"slices"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/workflow"
)

// forgetOperators tells operators that something was done.
func forgetOperators(m runtime.Message) (runtime.Message, []runtime.Effect) {
	act, ok := m.(runtime.Act)
	if !ok {
		return m, nil
	}
	switch act.Action.(type) {
	case engine.Settle, engine.Kill, engine.RunNow, engine.Rerun:
		return nil, []runtime.Effect{runtime.Reply{Caller: act.Caller, Run: act.Run, Affected: []engine.Affected{{Does: engine.DoesSettle}}}}
	}
	return m, nil
}

func forgetGenerations(run *engine.Run) {
	for _, a := range run.Acts {
		a.Generation = 0
	}
}

// turnAround makes another end of that which an operator says.
func turnAround(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if act, ok := m.(runtime.Act); ok {
		if in, ok := act.Action.(engine.Settle); ok && in.As == engine.Succeeded {
			in.As = engine.Skipped
			act.Action = in
			return act, nil
		}
	}
	return m, nil
}

// onRetries changes the retry rules of what is compiled.
func onRetries(change func(*workflow.Retry)) func(*product) {
	return func(p *product) {
		p.compile = func(program *workflow.Program) *workflow.Program {
			changed := *program
			changed.Bodies = slices.Clone(program.Bodies)
			for i := range changed.Bodies {
				b := &changed.Bodies[i]
				b.Nodes = slices.Clone(b.Nodes)
				for j := range b.Nodes {
					b.Nodes[j].Retry = slices.Clone(b.Nodes[j].Retry)
					for k := range b.Nodes[j].Retry {
						change(&b.Nodes[j].Retry[k])
					}
				}
			}
			return &changed
		}
	}
}

// onPast changes what the past of a run is said to have been.
func onPast(change func(*engine.Run)) func(runtime.Message) (runtime.Message, []runtime.Effect) {
	return func(m runtime.Message) (runtime.Message, []runtime.Effect) {
		if reloaded, ok := m.(runtime.Reloaded); ok && reloaded.Loaded.Past != nil {
			change(reloaded.Loaded.Past)
		}
		return m, nil
	}
}

// loseItem forgets what the items of maps have left.
func loseItem(past *engine.Run) {
	for _, a := range past.Acts {
		if a.Map != nil {
			clear(a.Map.Outputs.Inline)
		}
	}
}

// loseEnds forgets that steps in groups have ended.
func loseEnds(past *engine.Run) {
	for _, f := range past.Frames {
		for i := range f.Nodes {
			if f.Role == engine.RoleBody && i == 0 {
				f.Nodes[i].Act, f.Nodes[i].Ends = 0, 0
			}
		}
	}
}
