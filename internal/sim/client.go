package sim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// patience is how long a client waits for an answer.
const patience = 30 * time.Second

// clients ask for runs and cancel them.
type clients struct {
	s *simulation
	r random

	requests []*request
	keys     int
	runs     int
	calls    map[runtime.Caller]*call
	last     runtime.Caller
	cancels  int // cancels under way
	began    bool
}

// request is one that a client wants to be done, however often it must ask.
type request struct {
	program int
	key     string // without one it is asked for once
	tag     string // part of the input and body
	run     store.RunID
	held    bool          // from the start
	skip    engine.Reason // it is not to run at all
	acked   bool
	over    bool // acknowledged, refused, or given up
}

// call is one asking.
type call struct {
	request *request
	cancel  store.RunID // the run to cancel; empty: the request
	done    bool
}

func newClients(s *simulation) *clients {
	return &clients{s: s, r: newRandom(s.options.Seed, randClients), calls: map[runtime.Caller]*call{}}
}

// begin spreads the requests of all clients over the horizon.
func (c *clients) begin() {
	for range c.s.swarm.clients {
		at := time.Duration(0)
		for {
			at += c.r.span(30*time.Second, 10*time.Minute)
			if at >= c.s.options.Horizon {
				break
			}
			c.s.at(at, "request", "", c.newRequest)
		}
	}
	c.s.at(c.s.options.Horizon, "all asked", "", func() { c.began = true })
}

// newRequest asks for a run, perhaps for one that another client asks for too.
func (c *clients) newRequest() {
	q := &request{program: c.r.IntN(len(c.s.programs))}
	if c.r.chance(0.8) {
		c.keys++
		q.key = fmt.Sprintf("key%d", c.keys)
	}
	q.tag = fmt.Sprintf("tag%d", len(c.requests))
	q.held, q.skip = c.s.people.wish()
	c.ask(q)
	if q.key != "" && c.r.chance(c.s.swarm.sameKey) {
		other := *q
		c.s.fault("same key twice")
		if c.r.chance(0.3) {
			c.s.fault("same key, other body")
			other.tag += "'"
		}
		c.s.at(c.r.span(time.Millisecond, 10*time.Minute), "request", "again", func() { c.ask(&other) })
	}
}

func (c *clients) ask(q *request) {
	c.requests = append(c.requests, q)
	c.send(&call{request: q})
}

// send brings a call to the server: a look at the store, then, a moment later,
// the message.
func (c *clients) send(call *call) {
	s := c.s
	c.last++
	caller := c.last
	c.calls[caller] = call
	dead := s.server.dead()
	if s.server.up {
		s.atUnless(dead, s.latency(), "call", "", func() { c.arrive(caller, call) })
	}
	s.at(patience, "patience", "", func() {
		if !call.done {
			c.failed(call)
		}
	})
}

func (c *clients) arrive(caller runtime.Caller, call *call) {
	s := c.s
	server := s.server
	if call.cancel != "" {
		server.tellRuntime(runtime.Cancel{Run: call.cancel, Actor: "client", Reason: "no longer wanted", Caller: caller})
		return
	}
	q := call.request
	c.runs++
	prepared := server.prepared[q.program]
	m := runtime.Submit{
		Run: store.RunID(fmt.Sprintf("r%05d", c.runs)), Machine: prepared.Machine, Program: prepared.Stored, Caller: caller,
		Key: q.key, BodyHash: sha256.Sum256([]byte(q.tag)), Accept: engine.Accept{Actor: starter, Input: q.input(), Seed: c.r.Uint64(), Held: q.held, Skip: q.skip},
	}
	if q.key != "" {
		m.KeyExpires = s.now.Add(runtime.KeyRetention)
		known, err := server.store.Key(ctx(), "", q.key)
		if err == nil {
			m.Known = &known
		} else if !errors.Is(err, store.ErrNotFound) {
			panic(err)
		}
	}
	s.atUnless(server.dead(), s.latency(), "submit", string(m.Run), func() { server.tellRuntime(m) })
}

func (q *request) input() value.Value {
	return value.Object(value.M("yes", value.Bool(true)), value.M("no", value.Bool(false)), value.M("tag", value.String(q.tag)))
}

// reply sends an answer on its way. What it says must be true when it leaves,
// whether it arrives or not.
func (c *clients) reply(e runtime.Reply) {
	s := c.s
	switch {
	case e.Caller == setter:
		s.capacitySet(e)
		return
	case e.Caller > cleanersFrom:
		s.clearedCache(e)
		return
	case e.Caller == inspector:
		s.inspected(e)
		return
	case e.Caller > operatorsFrom:
		s.people.reply(e)
		return
	case e.Caller > seekersFrom:
		s.server.seekReplied(e)
		return
	}
	call := c.calls[e.Caller]
	delete(c.calls, e.Caller)
	s.note("reply", string(e.Run), fmt.Sprint(e.Existing, e.Err), uint64(e.Caller))
	if call == nil {
		s.violatef(Structure, "a second answer to call %d", e.Caller)
		return
	}
	if call.cancel != "" {
		c.checkCanceled(call, e)
	} else {
		c.checkAccepted(call.request, e)
	}
	if !s.calm && c.r.chance(s.swarm.lostReply) {
		s.fault("lost acknowledgement")
		return
	}
	s.at(s.latency(), "answer", string(e.Run), func() {
		if !call.done {
			c.answered(call, e)
		}
	})
}

func (c *clients) checkAccepted(q *request, e runtime.Reply) {
	s := c.s
	switch {
	case e.Err == nil:
		m := s.models[e.Run]
		if m == nil {
			s.violatef(NoLostRun, "run %s is acknowledged before it is on disk", e.Run)
			return
		}
		if !value.Equal(m.input, q.input()) || m.program != s.programs[q.program].program {
			s.violatef(NoLostRun, "run %s has another input or program than was asked for", e.Run)
		}
		if q.key != "" && s.log.keys[q.key] != e.Run {
			s.violatef(Idempotent, "key %s names run %s, but %s is acknowledged", q.key, s.log.keys[q.key], e.Run)
		}
		if q.run != "" && q.run != e.Run {
			s.violatef(Idempotent, "key %s gave run %s, now %s", q.key, q.run, e.Run)
		}
		q.run = e.Run
	case errors.Is(e.Err, runtime.ErrConflict):
		holder := s.models[s.log.keys[q.key]]
		if holder == nil || value.Equal(holder.input, q.input()) {
			s.violatef(Idempotent, "key %s is refused without reason", q.key)
		}
	case errors.Is(e.Err, runtime.ErrUnknown), errors.Is(e.Err, runtime.ErrBusy), errors.Is(e.Err, runtime.ErrStopping):
	default:
		s.violatef(Structure, "request for a run: %v", e.Err)
	}
}

func (c *clients) checkCanceled(call *call, e runtime.Reply) {
	m := c.s.models[call.cancel]
	switch {
	case e.Err == nil:
		if !m.canceled && !m.ended && !m.undo.began {
			c.s.violatef(Outbox, "cancel of run %s is acknowledged before it is on disk", call.cancel)
		}
	case errors.Is(e.Err, runtime.ErrNotLive):
		if !m.ended && !m.cameBack() {
			c.s.violatef(NoLostRun, "run %s is said to have ended", call.cancel)
		}
	case errors.Is(e.Err, runtime.ErrUnknown), errors.Is(e.Err, runtime.ErrBusy), errors.Is(e.Err, runtime.ErrStopping):
	default:
		c.s.violatef(Structure, "cancel of run %s: %v", call.cancel, e.Err)
	}
}

// answered takes an answer that arrived.
func (c *clients) answered(call *call, e runtime.Reply) {
	uncertain := errors.Is(e.Err, runtime.ErrUnknown) || errors.Is(e.Err, runtime.ErrBusy) || errors.Is(e.Err, runtime.ErrStopping)
	if uncertain {
		c.failed(call)
		return
	}
	call.done = true
	if call.cancel != "" {
		c.cancels--
		return
	}
	q := call.request
	q.over = true
	if e.Err != nil {
		return
	}
	q.acked = true
	c.s.people.adopt(q.run)
	c.s.undoers.adopt(q.run)
	if c.r.chance(c.s.swarm.cancel) {
		c.s.at(c.r.span(time.Millisecond, 20*time.Minute), "cancel", string(q.run), func() {
			c.s.fault("cancel")
			c.cancel(q.run)
		})
		c.cancels++ // under way from now on
	}
}

func (c *clients) cancel(run store.RunID) { c.send(&call{cancel: run}) }

// failed tries again what may be tried again.
func (c *clients) failed(f *call) {
	f.done = true
	if f.cancel == "" && f.request.key == "" {
		f.request.over = true // nobody will know
		return
	}
	again := &call{request: f.request, cancel: f.cancel}
	c.s.at(c.r.span(10*time.Millisecond, 20*time.Second), "retry", string(f.cancel), func() { c.send(again) })
}

// serverDown breaks all connections. The calls fail when their patience ends.
func (c *clients) serverDown() {
	c.calls = map[runtime.Caller]*call{}
	c.s.people.calls = map[runtime.Caller]*order{}
}

// calmDown has somebody look after runs that cannot end by themselves.
func (c *clients) calmDown() { c.s.at(10*time.Minute, "look after", "", c.lookAfter) }

// lookAfter cancels what waits for a person, or is stuck.
func (c *clients) lookAfter() {
	for _, id := range c.s.order {
		m := c.s.models[id]
		i := slices.IndexFunc(c.s.programs, func(p specimen) bool { return p.program == m.program })
		if !m.ended && !m.canceled && !m.undo.going && (m.unknown || m.heldErrors > 0 || c.s.programs[i].stuck) {
			c.cancels++
			c.cancel(id)
		}
	}
	c.s.at(time.Hour, "look after", "", c.lookAfter)
}

// finished reports whether all has been asked and answered.
func (c *clients) finished() bool { return c.began && c.waiting() == "" }

// waiting says what is not done.
func (c *clients) waiting() string {
	for _, q := range c.requests {
		if !q.over {
			return fmt.Sprintf("request %+v", *q)
		}
	}
	if c.cancels > 0 {
		return fmt.Sprintf("%d cancels", c.cancels)
	}
	for _, w := range c.s.pool {
		if len(w.jobs) > 0 {
			return "attempts of " + w.name
		}
	}
	return ""
}

// atTheEnd checks that every run that was acknowledged is there, and that no
// key started two.
func (c *clients) atTheEnd() {
	byKey := map[string]store.RunID{}
	for _, q := range c.requests {
		if !q.acked {
			continue
		}
		m := c.s.models[q.run]
		if m == nil || !m.ended {
			c.s.violatef(NoLostRun, "run %s was acknowledged and is not there", q.run)
		}
		if first, ok := byKey[q.key]; ok && q.key != "" && first != q.run {
			c.s.violatef(Idempotent, "key %s started runs %s and %s", q.key, first, q.run)
		}
		byKey[q.key] = q.run
	}
	// A tag is asked for under one key: each must have started one run at most.
	tags := map[string]store.RunID{}
	for _, q := range c.requests {
		if q.key == "" {
			continue
		}
		for _, id := range c.s.order {
			if tag, _ := c.s.models[id].input.Get("tag").Str(); tag != q.tag {
				continue
			}
			if first, ok := tags[q.tag]; ok && first != id {
				c.s.violatef(Idempotent, "request %s started runs %s and %s", q.tag, first, id)
			}
			tags[q.tag] = id
		}
	}
}
