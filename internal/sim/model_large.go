package sim

import (
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// largeEvent wants what an event names by reference to be on disk, and to be the
// run's own: that of another run is named only by the end of one that was waited
// for.
func (m *model) largeEvent(ev *engine.Event) {
	values := []value.Value{ev.Input, ev.Vars, ev.Output, ev.Items}
	if ev.Error != nil {
		values = append(values, ev.Error.Details)
	}
	values = append(values, recalled(ev.Recalled)...)
	for _, op := range ev.Ops {
		values = append(values, op.Value)
	}
	for _, v := range values {
		for _, r := range v.Refs(nil) {
			m.refersTo(ev, &r)
		}
	}
}

func (m *model) refersTo(ev *engine.Event, r *value.Ref) {
	run := string(m.id)
	if r.Run != "" {
		run = r.Run
		if ev.Kind != engine.EvHappened {
			m.violatef(Large, "%s refers to what run %s has", ev.Kind, r.Run)
			return
		}
	}
	if m.s.shelf.blobs[run+"/"+r.SHA256] == nil {
		m.violatef(Large, "%s refers to %.8s of run %s, which is not on disk", ev.Kind, r.SHA256, run)
	}
}
