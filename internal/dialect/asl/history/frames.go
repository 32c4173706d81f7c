package history

import (
	"fmt"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

func (h *history) frameOpened(ev *engine.Event) error {
	f := &frame{body: ev.Body, index: ev.Index, thread: &thread{}}
	h.frames[ev.Frame] = f
	if ev.Role == engine.RoleMain {
		h.main = f
		return nil
	}
	a := h.acts[ev.Act]
	if a == nil {
		return fmt.Errorf("activation %d is not there", ev.Act)
	}
	f.owner, f.hidden = a, a.in.hidden
	if transparent := h.openedBy(f, ev); transparent {
		f.thread = a.in.thread
		return nil
	}
	f.last = a.in.last
	if f.of != nil && !f.hidden {
		f.last = f.of.spawn
		h.emit(f.thread, ev, "MapIterationStarted", f.iteration())
	}
	return nil
}

// openedBy tells what the first frame of a state means, and says what the frame
// is. Transparent ones hold parts of what is around them.
func (h *history) openedBy(f *frame, ev *engine.Event) (transparent bool) {
	a := f.owner
	part := a.partOf()
	switch {
	case a.kind == asl.Task:
		h.nested(a, ev)
		f.hidden = true
	case a.kind == asl.Parallel:
		if !a.started {
			a.started = true
			h.tell(a, ev, "ParallelStateStarted", value.Undefined)
		}
	case a.kind == asl.Map && a.node.Kind != workflow.KindMap: // it reads, batches or writes
		h.mapStarted(a, ev, value.Undefined)
		return true
	case a.kind == asl.Map:
		f.of, f.hidden = a, f.hidden || a.distributed()
	case part.kind == asl.Map && a.name == itemsPart:
		f.of, f.hidden = part, f.hidden || part.distributed()
	case part.kind == asl.Map:
		f.hidden = true
	default: // the machine as a whole
		return true
	}
	return false
}

// itemsPart is the name of the part of a Map that goes over the items.
const itemsPart = "items"

// partOf is the state that the activation is a part of; itself where it is a
// state, or part of no state.
func (a *act) partOf() *act {
	if a.kind == "" && a.in.owner != nil {
		return a.in.owner
	}
	return a
}

// iteration are the details of an iteration's events.
func (f *frame) iteration() value.Value {
	return details(value.M("name", value.String(f.of.name)), value.M("index", value.Int(int64(f.index))))
}

// tell adds an event about a state, unless the state belongs to another
// execution. Nothing is told of parts.
func (h *history) tell(a *act, ev *engine.Event, kind string, d value.Value) {
	if !a.in.hidden && a.kind != "" {
		h.emit(a.in.thread, ev, kind, d)
	}
}

// tellAside is like tell, for an event to which no other leads back.
func (h *history) tellAside(a *act, ev *engine.Event, kind string) {
	if !a.in.hidden && a.kind != "" {
		h.aside(a.in.last, ev, kind, value.Undefined)
	}
}

func (h *history) frameEnded(ev *engine.Event) error {
	f := h.frames[ev.Frame]
	if f == nil {
		return fmt.Errorf("frame %d is not there", ev.Frame)
	}
	if f.owner == nil {
		h.endedWith = *ev
		if f.failure == (failure{}) && ev.Error != nil {
			f.failure = failure{ev.Error.Name, detail(ev.Error)}
		}
		return nil
	}
	a := f.owner
	first := ev.State == engine.Failed && a.inner == nil
	if first {
		a.inner = &f.failure
	}
	if f.thread == a.in.thread || f.hidden || h.sealed {
		return nil
	}
	if first || ev.State == engine.Succeeded {
		a.in.last = f.last
	}
	if f.of != nil {
		h.iterationEnded(f, ev)
	}
	for _, inner := range f.acts {
		h.abort(inner, ev)
	}
	return nil
}

// iterationEnded tells how an iteration ended. The next one follows what it did
// last, the end of its Map the event that tells its success.
func (h *history) iterationEnded(f *frame, ev *engine.Event) {
	switch ev.State {
	case engine.Succeeded:
		h.aside(f.last, ev, "MapIterationSucceeded", f.iteration())
		f.of.spawn, f.owner.in.last = f.last, len(h.out)
	case engine.Failed:
		h.aside(f.last, ev, "MapIterationFailed", f.iteration())
		f.of.spawn = f.last
	default:
		h.aside(f.cause(), ev, "MapIterationAborted", f.iteration())
	}
}

// cause is the event for which what is in the frame was told to stop: the last
// in the nearest frame that failed.
func (f *frame) cause() int {
	for a := f.owner; a != nil; a = a.in.owner {
		if a.inner != nil {
			return a.in.last
		}
	}
	return f.last
}

// abort tells that a state has not ended by itself, for types that can stay for
// a while.
func (h *history) abort(a *act, ev *engine.Event) {
	if a.exited || a.aborted {
		return
	}
	switch a.kind {
	case asl.Task, asl.Wait, asl.Map, asl.Parallel:
		a.aborted = true
		h.aside(a.in.cause(), ev, string(a.kind)+"StateAborted", value.Undefined)
	case asl.Pass, asl.Choice, asl.Succeed, asl.Fail:
	}
}
