package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// seekersFrom is what the callers of looks for other runs lie beyond; those of
// operators are larger, those of clients smaller.
const seekersFrom runtime.Caller = 1 << 60

// child makes the node start a run of a program that was drawn before, or wait
// for one.
func (g *generator) child(n *workflow.Node, n0 int) {
	name := fmt.Sprintf("p%d", g.r.IntN(n0))
	if g.r.chance(0.35) {
		state := pick(g.r, engine.RunSucceeded, engine.RunFailed, engine.RunHasEnded)
		n.Kind, n.Wait = workflow.KindWait, &workflow.Wait{Event: &workflow.EventWait{
			Kind: workflow.EventRun, With: workflow.Constant(value.Object(value.M("workflow", value.String(name)), value.M("state", value.String(string(state))))),
		}}
		length := pick(g.r, "5m", "90m", "2h")
		if g.depth > 1 { // items and tries repeat it: all is to end while it is calm
			length = "5m"
		}
		n.Timeout = workflow.Constant(value.String(length))
		return
	}
	n.Kind, n.Child = workflow.KindChild, &workflow.Child{Workflow: name, Detach: g.r.chance(0.2)}
	if g.r.chance(0.25) {
		n.Child.Cancel = workflow.ChildAbandon
	}
	if g.r.chance(0.05) {
		n.Child.Workflow = "nowhere"
	}
	if g.r.chance(0.3) {
		n.Timeout = workflow.Constant(value.String(pick(g.r, "1s", "1m", "20m")))
	}
	if g.r.chance(0.2) {
		n.Retry = []workflow.Retry{{MaxAttempts: workflow.Constant(value.Int(2))}}
	}
}

// simOthers are the programs of the simulation.
type simOthers struct{ server *server }

func (o simOthers) Child(_ context.Context, q *runtime.Seek) (runtime.Request, *runtime.Instead, error) {
	for i, p := range o.server.s.programs {
		if p.program.Name == q.Awaits.Name {
			child := request{tag: "child"}
			return runtime.Request{Program: o.server.prepared[i], Input: child.input(), Seed: o.server.r.Uint64(), Actor: q.Actor}, nil, nil
		}
	}
	return runtime.Request{}, nil, &engine.Error{Name: engine.ErrChildNotFound, Engine: engine.ErrChildNotFound, Message: "there is no such program"}
}

func (o simOthers) Run(context.Context, *runtime.Seek) (*runtime.Instead, error) { return nil, nil }

func (v *server) seeker() *runtime.Seeker {
	return &runtime.Seeker{Store: v.store, Machines: v.machines, Others: simOthers{v}}
}

// seek looks for a run that another one waits for, a while later.
func (v *server) seek(q runtime.Seek) {
	v.working++
	v.s.atUnless(v.dead(), v.r.span(time.Millisecond, 5*time.Second), "seek", string(q.Run), func() {
		v.working--
		v.lastSeek++
		caller := seekersFrom + v.lastSeek
		m, err := v.seeker().Look(ctx(), &q, caller, v.s.now)
		switch m.(type) {
		case runtime.Submit, runtime.Act:
			v.seeking[caller] = q
		}
		v.sought(q, m, err)
	})
}

func (v *server) sought(q runtime.Seek, m runtime.Message, err error) {
	if err != nil {
		v.s.atUnless(v.dead(), runtime.SeekAgainAfter, "", "", func() { v.tellRuntime(runtime.SeekAgain{Seek: q}) })
		return
	}
	if m != nil {
		v.tellRuntime(m)
	}
}

// seekReplied takes the answer to the start or retry of a child.
func (v *server) seekReplied(e runtime.Reply) {
	q, ok := v.seeking[e.Caller]
	if !ok {
		return // of a reactor before this one
	}
	delete(v.seeking, e.Caller)
	v.s.note("child", string(e.Run), fmt.Sprint(e.Err), 0)
	m, err := v.seeker().Replied(&q, e)
	v.sought(q, m, err)
}

// childModel is a run that an activation started, or that it waits for.
type childModel struct {
	attempt int
	bound   bool
	stopped time.Time // its step was told to stop; zero: it was not
}

// ofRuns reports whether an activation has to do with other runs.
func (m *model) ofRuns(a *actModel) bool {
	n := m.node(a)
	return n.Child != nil || n.Wait != nil && n.Wait.Event != nil && n.Wait.Event.Kind == workflow.EventRun
}

// awaiting takes what an activation waits for outside its run.
func (m *model) awaiting(a *actModel, ev *engine.Event) {
	if !m.ofRuns(a) {
		return
	}
	what := ev.Awaits
	a.outside = what
	m.s.faults["(awaits "+string(what.Kind)+")"]++
	if what.Kind != engine.AwaitChild {
		return
	}
	id := store.RunID(what.Run)
	if m.children == nil {
		m.children = map[store.RunID]*childModel{}
	}
	if a.child != "" && (a.child == id) != (a.tries == what.Attempt) || a.child != id && m.children[id] != nil {
		m.violatef(Children, "try %d of activation %d starts run %s, try %d started %s", what.Attempt, ev.Act, id, a.tries, a.child)
	}
	a.child, a.tries = id, what.Attempt
	m.children[id] = &childModel{attempt: what.Attempt, bound: !what.Detach && !what.Abandon}
}

// happened checks that what an activation is told of its child is so.
func (m *model) happened(a *actModel, ev *engine.Event) {
	if !m.ofRuns(a) {
		return
	}
	what := a.outside
	if what == nil {
		m.violatef(Children, "activation %d is told of what it does not wait for", ev.Act)
		return
	}
	a.outside = nil
	if what.Kind != engine.AwaitChild {
		return
	}
	child := m.s.models[store.RunID(what.Run)]
	switch {
	case what.Detach && ev.Error == nil && child == nil, ev.Known > 0 && (child == nil || child.events < ev.Known):
		m.violatef(Outbox, "activation %d is told of run %s before that is on disk", ev.Act, what.Run)
	case ev.Known > 0 && child.events == ev.Known && (!child.ended || (ev.Error == nil) != (child.state == engine.Succeeded)):
		m.violatef(Children, "activation %d is told that run %s ended, error %v; it is %s", ev.Act, what.Run, ev.Error, child.state)
	}
}

// expired checks, once nothing fails any more, that a wait for a run whose time is
// up missed none.
func (m *model) expired(a *actModel, ev *engine.Event) {
	what := a.outside
	since := m.s.options.Horizon + time.Hour
	if what == nil || what.Kind != engine.AwaitRun || ev.Actor != "" || ev.TimerKind != engine.TimerTimeout || ev.At.Sub(epoch) < since {
		return
	}
	for _, id := range m.s.order {
		x := m.s.models[id]
		if x.row.Workflow == what.Name && x.ended && x.retried == 0 && what.State.Meets(x.state) && ev.At.Sub(x.row.EndedAt) > time.Hour {
			m.violatef(Liveness, "activation %d waited in vain for a run of %s, and run %s is %s", ev.Act, what.Name, id, x.state)
		}
	}
}

// stopsWithin is how long after the stop of its step a child may end and not know
// of it: longer than anything fails.
const stopsWithin = 25 * time.Minute

// childStopped notes that a step was told to stop that started a run.
func (m *model) childStopped(a *actModel, ev *engine.Event) {
	if a.outside != nil && a.outside.Kind == engine.AwaitChild && ev.State == engine.Canceled {
		m.children[a.child].stopped = ev.At
	}
}

// wasTold wants a run to have been canceled whose parent was stopped long ago.
func (m *model) wasTold(ev *engine.Event) {
	id, isChild := strings.CutPrefix(m.row.Trigger, runtime.TriggerRun)
	if !isChild || m.canceled || m.undo.began || m.cameBack() {
		return
	}
	c := m.s.models[store.RunID(id)].children[m.id]
	if c.bound && !c.stopped.IsZero() && ev.At.Sub(c.stopped) > stopsWithin {
		m.violatef(Children, "it ended %v after its parent was stopped, and was never canceled", ev.At.Sub(c.stopped))
	}
}

// childrenEnded wants no child to outlive the end of its parent that is bound to
// it (invariant 12).
func (m *model) childrenEnded() {
	for _, id := range m.s.order {
		c := m.children[id]
		if child := m.s.models[id]; c != nil && c.bound && !child.ended && !child.cameBack() {
			m.violatef(Children, "it ended, and its child %s has not", id)
		}
	}
}

// asked wants a child to have been asked for by a run that has not ended.
func (s *simulation) asked(row *store.RunRow) {
	id, isChild := strings.CutPrefix(row.Trigger, runtime.TriggerRun)
	if !isChild {
		return
	}
	parent := s.models[store.RunID(id)]
	if parent == nil || parent.children[row.ID] == nil || parent.ended && parent.children[row.ID].bound {
		s.violatef(Children, "run %s is the child of run %s, which did not ask for it", row.ID, id)
	}
}
