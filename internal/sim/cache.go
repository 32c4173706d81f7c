package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// cached lets a task use earlier outputs: those of any run of its program, or of
// runs of the same tag. What can be undone is left out, as the languages do.
func cached(r random, n *workflow.Node) {
	if n.Task.Finish != workflow.FinishResult || n.Compensate != nil || !r.chance(0.4) {
		return
	}
	n.Cache = &workflow.Cache{Key: workflow.Constant(value.String("all"))}
	if r.chance(0.3) {
		n.Cache.Key = &workflow.Data{Expr: &workflow.Expr{
			Language: languageName, Source: "tag", Bind: []workflow.Binding{{Path: []string{"tag"}, From: workflow.Source{Root: workflow.RootInput, Name: "tag"}}},
		}}
	}
	if r.chance(0.7) {
		n.Cache.For = workflow.Constant(value.String(pick(r, "1m", "10m", "1h")))
	}
}

// cacheModel is the successes of cached nodes, by program, node and key.
type cacheModel struct {
	made    map[string][]madeModel
	asked   []time.Time // when clears were asked for
	cleared time.Time   // what was made before is gone
}

// madeModel is an output that may be used again.
type madeModel struct {
	output value.Value
	at     time.Time
}

// cacheKey is the key under which a node keeps its output.
func (m *model) cacheKey(n *workflow.Node) string {
	key := "all"
	if n.Cache.Key.Expr != nil {
		key, _ = m.input.Get("tag").Str()
	}
	return m.program.Name + "/" + n.ID + "/" + key
}

// recalling takes what an activation has to do with earlier outputs; false if it
// has nothing.
func (m *model) recalling(a *actModel, ev *engine.Event) bool {
	n := m.node(a)
	if n.Cache == nil {
		return false
	}
	c := &m.s.cache
	switch ev.Kind {
	case engine.EvAwaiting:
		a.looked = ev.At
	case engine.EvHappened:
		if a.looked.IsZero() {
			m.violatef(Cached, "activation %d is told of an output that it did not look for", ev.Act)
		}
		a.hit = !ev.Same
		if a.hit {
			m.s.faults["(cache hit)"]++
			m.checkHit(a, n, ev)
		}
		a.looked = time.Time{}
	case engine.EvEnded:
		if ev.State == engine.Succeeded && ev.Reason == "" && !a.hit {
			key := m.cacheKey(n)
			c.made[key] = append(c.made[key], madeModel{output: ev.Output, at: ev.At})
		}
	default:
	}
	return true
}

// checkHit wants an output that is used again to be one that was good when it was
// looked for; a restart looks again.
func (m *model) checkHit(a *actModel, n *workflow.Node, ev *engine.Event) {
	length := parse(n.Cache.For)
	for _, made := range m.s.cache.made[m.cacheKey(n)] {
		if value.Equal(made.output, ev.Output) && !made.at.After(ev.At) &&
			(length == 0 || a.looked.Before(made.at.Add(length))) && (made.at.After(m.s.cache.cleared) || !a.looked.After(m.s.cache.cleared)) {
			return
		}
	}
	m.violatef(Cached, "activation %d uses %s again, looked for at %v, which nobody made, or which is not good any more (cleared at %v)",
		ev.Act, ev.Output, a.looked, m.s.cache.cleared)
}

// cleanersFrom is what the callers of clears lie beyond; all others are smaller.
const cleanersFrom runtime.Caller = 1 << 63

// clear forgets all outputs now and then.
func (s *simulation) clear(r random) {
	if s.calm {
		return
	}
	if s.server.up {
		s.cache.asked = append(s.cache.asked, s.now)
		s.server.tellRuntime(runtime.ClearCache{Caller: cleanersFrom + runtime.Caller(len(s.cache.asked))})
	}
	s.at(r.span(time.Minute, 10*time.Minute), "clear", "", func() { s.clear(r) })
}

// clearedCache takes in that what was made before the clear is gone.
func (s *simulation) clearedCache(e runtime.Reply) {
	if n, ok := e.Seen.(int); ok && n > 0 && e.Err == nil {
		s.fault("cache cleared")
		s.cache.cleared = s.cache.asked[e.Caller-cleanersFrom-1]
	}
}
