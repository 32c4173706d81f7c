package sim

import (
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
)

// startAnew starts children under IDs that nobody knows, so that a start that is
// asked for twice makes two.
func startAnew(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if submit, ok := m.(runtime.Submit); ok && submit.Wanted {
		submit.Run += "x"
		submit.Wanted = false
		return submit, nil
	}
	return m, nil
}

// dropChildCancels leaves the children of what is stopped alone.
func dropChildCancels(e runtime.Effect) bool {
	post, ok := e.(runtime.Post)
	if !ok {
		return true
	}
	_, drop := post.Message.(runtime.Cancel)
	return !drop
}

// dropSeeks looks for no run that others wait for.
func dropSeeks(e runtime.Effect) bool {
	_, drop := e.(runtime.Seek)
	return !drop
}

// hearSuccess takes every end of a child for a success.
func hearSuccess(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if told, ok := m.(runtime.Outside); ok {
		if h, is := told.In.(engine.Happened); is && h.Known > 0 {
			h.Error = nil
			return runtime.Outside{Run: told.Run, In: h}, nil
		}
	}
	return m, nil
}

// forgetWaits forgets at a restart what a run waits for outside.
func forgetWaits(run *engine.Run) {
	for _, a := range run.Acts {
		if a.Phase == engine.PhaseEvent {
			a.Phase = engine.PhaseTimer
		}
	}
}
