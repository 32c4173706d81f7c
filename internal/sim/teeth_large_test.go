package sim

import (
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// sendEarly has the end of an attempt name what is put only later.
func sendEarly(m runtime.Message) (runtime.Message, []runtime.Effect) {
	ended, ok := m.(runtime.TaskEnded)
	if !ok || !ended.End.Outcome.Output.HasRef() {
		return m, nil
	}
	ended.End.Outcome.Output = withRefs(ended.End.Outcome.Output, func(r *value.Ref) { r.SHA256 = "later" + r.SHA256[5:] })
	return ended, nil
}

// forgetOwner has a parent take what its child has for its own.
func forgetOwner(m runtime.Message) (runtime.Message, []runtime.Effect) {
	told, ok := m.(runtime.Outside)
	if !ok {
		return m, nil
	}
	if h, is := told.In.(engine.Happened); is && h.Output.HasRef() {
		h.Output = withRefs(h.Output, func(r *value.Ref) { r.Run = "" })
		return runtime.Outside{Run: told.Run, In: h}, nil
	}
	return m, nil
}

func withRefs(v value.Value, change func(*value.Ref)) value.Value {
	out, _ := v.Resolve(func(r value.Ref) (value.Value, error) {
		change(&r)
		return value.Reference(r), nil
	})
	return out
}

// loseParts has a part of what items left taken for the one that was put away
// before it.
func loseParts() func(runtime.Message) (runtime.Message, []runtime.Effect) {
	last := map[store.RunID]value.Value{}
	return func(m runtime.Message) (runtime.Message, []runtime.Effect) {
		e, ok := m.(runtime.Evaluated)
		if !ok {
			return m, nil
		}
		r, large := e.Result.Value.Ref()
		if !large || r.Kind != value.KindList {
			return m, nil
		}
		before, had := last[e.Run]
		last[e.Run] = e.Result.Value
		if had {
			e.Result.Value = before
		}
		return e, nil
	}
}
