package sim

import (
	"errors"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// operatorsFrom is what the callers of operators lie beyond; clients' are
// smaller.
const operatorsFrom runtime.Caller = 1 << 61

// operators hold, release and retry runs and steps of them.
type operators struct {
	s *simulation
	r random

	calls  map[runtime.Caller]*order
	last   runtime.Caller
	asking int // orders under way

	signals int // sent so far
}

// order is one action, asked for until somebody answers it.
type order struct {
	run    store.RunID
	action engine.Input
	done   bool
	// answers says of a message for which attempt of which activation it is.
	act     engine.ActID
	attempt int
}

// insists reports whether the order is asked for until it is answered, whatever
// happens: a release, or a message that ends work.
func (q *order) insists() bool {
	switch in := q.action.(type) {
	case engine.Release:
		return true
	case engine.Callback:
		return !in.Beat
	}
	return false
}

func newOperators(s *simulation) *operators {
	return &operators{s: s, r: newRandom(s.options.Seed, randOperators), calls: map[runtime.Caller]*order{}, last: operatorsFrom}
}

// wish says whether a run is asked for held, or as one that was missed.
func (o *operators) wish() (held bool, skip engine.Reason) {
	if !o.r.chance(o.s.swarm.accepted) {
		return false, ""
	}
	if o.r.chance(0.3) {
		o.s.fault("accepted skipped")
		return false, engine.ReasonMissed
	}
	o.s.fault("accepted held")
	return true, ""
}

// adopt plans what is done to a run that was accepted.
func (o *operators) adopt(run store.RunID) {
	if o.s.calm {
		return
	}
	for o.r.chance(o.s.swarm.hold) {
		o.s.at(o.r.span(time.Millisecond, 10*time.Minute), "hold", string(run), func() { o.hold(run) })
	}
	for range 4 {
		if o.r.chance(o.s.swarm.settle) {
			o.s.at(o.r.span(time.Second, 20*time.Minute), "operate", string(run), func() { o.operate(run) })
		}
	}
	for range 3 {
		if o.r.chance(o.s.swarm.retry) {
			o.s.at(o.r.span(time.Second, 20*time.Minute), "retry run", string(run), func() { o.retry(run) })
		}
	}
	o.talk(run)
	if m := o.s.models[run]; m != nil && len(m.held) > 0 {
		o.s.at(o.r.span(time.Second, 5*time.Minute), "release", string(run), func() { o.release(run, nil) })
	}
}

// hold holds the run or some step of it, and mostly releases that again before
// everything is calm.
func (o *operators) hold(run store.RunID) {
	if o.s.calm {
		return
	}
	o.s.fault("hold")
	steps := o.steps(run, 0.5)
	o.ask(&order{run: run, action: engine.Hold{Action: engine.Action{Actor: "operator", Reason: "wait", Steps: steps}}})
	if o.r.chance(0.8) {
		o.s.at(o.r.span(time.Second, 15*time.Minute), "release", string(run), func() { o.release(run, steps) })
	}
}

func (o *operators) release(run store.RunID, steps []string) {
	o.ask(&order{run: run, action: engine.Release{Action: engine.Action{Actor: "operator", Steps: steps}}})
}

func (o *operators) retry(run store.RunID) {
	if o.s.calm {
		return
	}
	o.s.fault("retry")
	o.ask(&order{run: run, action: engine.Retry{Action: engine.Action{Actor: "operator", Reason: "again", Steps: o.steps(run, 0.3)}}})
}

// steps names one of the steps that are known of a run, or none.
func (o *operators) steps(run store.RunID, p float64) []string {
	m := o.s.models[run]
	if m == nil || !o.r.chance(p) {
		return nil
	}
	var paths []string
	for id := engine.ActID(1); int(id) <= len(m.acts); id++ {
		if a := m.run.Acts[id]; a != nil {
			paths = append(paths, a.Path)
		}
	}
	if o.r.chance(0.3) || len(paths) == 0 { // one that may not have begun
		for _, n := range m.program.Bodies[m.program.Main].Nodes {
			paths = append(paths, n.ID)
		}
	}
	return []string{pick(o.r, paths...)}
}

// ask sends an order. Without an answer it is asked again, as long as
// everything may still fail; a release always is.
func (o *operators) ask(q *order) {
	s := o.s
	o.asking++
	o.last++
	caller := o.last
	o.calls[caller] = q
	if s.server.up {
		s.atUnless(s.server.dead(), s.latency(), "order", string(q.run), func() {
			s.server.tellRuntime(runtime.Act{Run: q.run, Action: q.action, Caller: caller})
		})
	}
	s.at(patience, "", "", func() {
		o.asking--
		if !q.done && (q.insists() || !s.calm && o.r.chance(0.7)) {
			o.ask(q)
		}
	})
}

// reply takes an answer. What it says must be true when it leaves.
func (o *operators) reply(e runtime.Reply) {
	s := o.s
	q := o.calls[e.Caller]
	delete(o.calls, e.Caller)
	s.note("reply", string(e.Run), errorText(e.Err), uint64(e.Caller))
	if q == nil {
		s.violatef(Structure, "a second answer to order %d", e.Caller)
		return
	}
	m := s.models[q.run]
	switch {
	case e.Err == nil:
		o.check(q, m, e)
	case errors.Is(e.Err, engine.ErrRefused):
		s.fault("order refused")
	case errors.Is(e.Err, runtime.ErrNotLive), errors.Is(e.Err, store.ErrNotFound):
		if m == nil || !m.ended && !m.cameBack() {
			s.violatef(NoLostRun, "run %s is said not to be there: %v", q.run, e.Err)
		}
	case errors.Is(e.Err, runtime.ErrUnknown), errors.Is(e.Err, runtime.ErrBusy), errors.Is(e.Err, runtime.ErrStopping):
		return // asked again
	default:
		s.violatef(Structure, "order %T on run %s: %v", q.action, q.run, e.Err)
	}
	q.done = !s.calm && o.r.chance(1-s.swarm.lostReply) || s.calm
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// check wants what is acknowledged to be on disk.
func (o *operators) check(q *order, m *model, e runtime.Reply) {
	switch in := q.action.(type) {
	case engine.Hold:
		if m.holds == 0 {
			o.s.violatef(Outbox, "hold of run %s is acknowledged before it is on disk", q.run)
		}
	case engine.Callback:
		if a := m.acts[q.act]; !in.Beat && (len(a.attempts) < q.attempt || a.attempts[q.attempt-1].answer == "") {
			o.s.violatef(Outbox, "a message to run %s is acknowledged before it is on disk", q.run)
		}
	case engine.Signal, engine.Vote:
		o.heard(q, m)
	case engine.Settle, engine.Kill, engine.RunNow, engine.Comment, engine.Rerun, engine.Force:
		o.operated(q, m, e)
	case engine.AddWait:
		o.waitChanged(q, m, in.Steps, e)
	case engine.DropWait:
		o.waitChanged(q, m, in.Steps, e)
	case engine.SetPriority, engine.SetDeadline:
		if len(e.Affected) > 0 && m.noted == 0 {
			o.s.violatef(Outbox, "%T of run %s is acknowledged before it is on disk", in, q.run)
		}
	case engine.Compensate:
		o.s.fault("compensate done")
		if m.undo.asks == 0 {
			o.s.violatef(Outbox, "compensation of run %s is acknowledged before it is on disk", q.run)
		}
	case engine.Retry:
		o.s.fault("retry done")
		if m.retried == 0 || len(e.Affected) == 0 {
			o.s.violatef(Outbox, "retry of run %s is acknowledged before it is on disk: %v", q.run, e.Affected)
		}
	}
}

// answer plans the messages of work that one ends: some heartbeats, then the
// end, sooner or later.
func (o *operators) answer(run store.RunID, act engine.ActID, attempt int) {
	for o.r.chance(0.4) {
		o.s.at(o.r.span(time.Second, 5*time.Minute), "beat", string(run), func() { o.message(run, act, attempt, true) })
	}
	o.s.at(o.r.span(time.Second, 20*time.Minute), "answer", string(run), func() { o.message(run, act, attempt, false) })
}

func (o *operators) message(run store.RunID, act engine.ActID, attempt int, beat bool) {
	m := o.s.models[run]
	a := m.run.Acts[act]
	if m.ended || a == nil || a.Attempt != attempt {
		return
	}
	in := engine.Callback{Token: engine.Token(m.run, a, attempt), Beat: beat, Output: value.Int(int64(attempt)), Actor: "outside"}
	switch {
	case beat:
		o.s.fault("beat")
	case o.r.chance(0.3):
		in.Error = &engine.Error{Name: "refused"}
		o.s.fault("message of a failure")
	default:
		o.s.fault("message")
	}
	o.ask(&order{run: run, action: in, act: act, attempt: attempt})
}

// calmDown releases, again and again, all that is still held.
func (o *operators) calmDown() {
	for _, id := range o.s.order {
		if m := o.s.models[id]; !m.ended {
			for _, path := range m.held {
				if path == "" {
					o.release(id, nil)
				} else {
					o.release(id, []string{path})
				}
			}
		}
	}
	o.s.at(30*time.Minute, "", "", o.calmDown)
}
