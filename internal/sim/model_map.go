package sim

import (
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// itemEnded notes what an item of a map left.
func (m *model) itemEnded(f *frameModel, ev *engine.Event) {
	if f.role != engine.RoleBody || ev.State != engine.Succeeded {
		return
	}
	if a := m.acts[f.owner]; a != nil && ev.Index >= 0 && ev.Index < len(a.items) {
		a.items[ev.Index] = ev.Output
	}
}

// gathered wants the result of a map to have what its items left, in their order,
// wherever it was meanwhile.
func (m *model) gathered(a *actModel, ev *engine.Event) {
	n := &m.program.Bodies[m.frames[a.frame].body].Nodes[a.node]
	if n.Map == nil || n.Map.Rule.FirstSuccess {
		return
	}
	var want []value.Value
	for _, v := range a.items {
		switch {
		case !v.IsUndefined():
			want = append(want, m.whole(v))
		case n.Map.Gather != workflow.GatherPresent:
			want = append(want, value.Null)
		}
	}
	if got := m.whole(ev.Output); !value.Equal(got, value.List(want...)) {
		m.violatef(Large, "the items of %s left %s, gathered is %s", n.ID, value.List(want...), got)
	}
}

// whole is a value of the run with what its references stand for, as it is on
// disk.
func (m *model) whole(v value.Value) value.Value {
	out, err := v.Resolve(func(r value.Ref) (value.Value, error) {
		run := string(m.id)
		if r.Run != "" {
			run = r.Run
		}
		var stored value.Value
		if err := stored.UnmarshalJSON(m.s.shelf.blobs[run+"/"+r.SHA256]); err != nil {
			return value.Undefined, err
		}
		for _, step := range r.Path {
			stored = stored.Within(step)
		}
		return m.whole(stored), nil
	})
	if err != nil {
		m.violatef(Large, "cannot be read: %v", err)
	}
	return out
}
