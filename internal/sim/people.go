package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Who starts runs and made their versions may not decide with four eyes.
const (
	starter = "user/p0"
	author  = "user/p1"
)

// awaited draws a wait for a signal or for people. It has a timeout, so that it
// ends though nobody answers.
func (g *generator) awaited(n *workflow.Node) {
	n.Kind, n.Timeout = workflow.KindWait, g.length()
	if g.r.chance(0.5) {
		n.Wait = &workflow.Wait{Event: &workflow.EventWait{Kind: workflow.EventSignal, With: workflow.Constant(value.String(signalName(g.r)))}}
		return
	}
	n.Wait = &workflow.Wait{Event: &workflow.EventWait{Kind: workflow.EventApproval, With: workflow.Constant(value.Object(
		value.M("count", value.Int(int64(1+g.r.IntN(3)))), value.M("four_eyes", value.Bool(g.r.chance(0.5))),
		value.M("on_timeout", value.String(pick(g.r, engine.OnTimeoutFail, engine.OnTimeoutApprove, engine.OnTimeoutReject)))))}}
}

func signalName(r random) string { return pick(r, "s0", "s1") }

// awaits reports whether the program waits for signals or people.
func awaits(p *workflow.Program) bool {
	return slices.ContainsFunc(p.Bodies, func(b workflow.Body) bool {
		return slices.ContainsFunc(b.Nodes, func(n workflow.Node) bool { return n.Wait != nil && n.Wait.Event != nil })
	})
}

// talk sends signals to a run at any time, many of them too early or too late.
func (o *operators) talk(run store.RunID) {
	if m := o.s.models[run]; m == nil || !awaits(m.program) {
		return
	}
	for o.r.chance(0.6) {
		o.s.at(o.r.span(time.Millisecond, 20*time.Minute), "signal", string(run), func() { o.signal(run, signalName(o.r)) })
	}
}

// asked answers what a run waits for: with a signal, or the decisions of some
// people, of whom some may not, or decide twice.
func (o *operators) asked(run store.RunID, path string, what *engine.Awaited) {
	if what.Kind == engine.AwaitSignal {
		for o.r.chance(0.6) {
			o.s.at(o.r.span(time.Millisecond, 10*time.Minute), "signal", string(run), func() { o.signal(run, what.Name) })
		}
		return
	}
	for range 1 + o.r.IntN(6) {
		o.s.at(o.r.span(time.Millisecond, 10*time.Minute), "vote", string(run), func() { o.vote(run, path) })
	}
}

func (o *operators) signal(run store.RunID, name string) {
	if o.s.calm {
		return
	}
	o.s.fault("signal")
	o.signals++
	key := fmt.Sprint("signal", o.signals)
	o.ask(&order{run: run, action: engine.Signal{Name: name, Key: key, Data: value.String(key), Actor: "outside"}})
}

// vote is the decision of somebody. The comment says who it is.
func (o *operators) vote(run store.RunID, path string) {
	if o.s.calm {
		return
	}
	o.s.fault("vote")
	who := "user/p" + fmt.Sprint(o.r.IntN(6))
	o.ask(&order{run: run, action: engine.Vote{Step: path, Actor: who, Comment: who, Approve: o.r.chance(0.85), Authors: []string{author}}})
}

// heard wants what is acknowledged to be on disk.
func (o *operators) heard(q *order, m *model) {
	switch in := q.action.(type) {
	case engine.Signal:
		if !m.talk.came[in.Key] {
			o.s.violatef(Outbox, "signal %s to run %s is acknowledged before it is on disk", in.Key, q.run)
		}
	case engine.Vote:
		if !m.talk.voted[in.Actor+" "+in.Step] {
			o.s.violatef(Outbox, "the decision of %s on run %s is acknowledged before it is on disk", in.Actor, q.run)
		}
	default:
	}
}
