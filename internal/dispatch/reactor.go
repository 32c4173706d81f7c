package dispatch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Config is what a reactor is made with.
type Config struct {
	// Lease is how long a worker may be silent. Zero: workers are never
	// silent, as they are in this process.
	Lease time.Duration
	// LostAfter is how long an attempt that nobody can say anything about is
	// waited for. Zero: not at all. A task that is idempotent is not waited
	// for either, and a step may name a time of its own.
	LostAfter time.Duration
	// Class is the class of slots for tasks that use the named executor or
	// connector. Nil: "process" takes a process slot, all others a connector
	// slot.
	Class func(uses string) match.Class
}

// Reactor gives tasks to workers. It is used by one goroutine, has no clock and
// does no IO: equal calls give equal effects.
type Reactor struct {
	paused  bool // nothing is given to workers
	cfg     Config
	now     time.Time
	current map[activation]*attempt
	workers map[string]*worker
	queue   match.Queue[activation]
	slots   match.Slots
	// strays are results of attempts that are not current, until they are
	// settled: nobody here has heard of them, or the next attempt is there.
	strays map[Ref]stray
	// waiting counts the attempts that have a lostAt.
	waiting int
	// lines are the connections with a breaker, shut those that are not closed.
	lines, shut map[string]*line
	arrived     uint64 // attempts so far

	effects []Effect
	wake    time.Time
}

type activation struct {
	run store.RunID
	act engine.ActID
}

// attempt is the current attempt of an activation.
type attempt struct {
	task   engine.Task
	ref    Ref
	class  match.Class
	phase  phase
	worker string // who has it, or keeps its result; empty: nobody known
	// kept: the worker has ended it and keeps the result.
	kept bool
	// canceled: it was asked to stop.
	canceled bool
	// lostAt is when it is given up, zero while its worker is in touch.
	lostAt  time.Time
	outcome engine.TaskOutcome // once it has ended

	via      Via
	priority int
	order    uint64 // of arrival
	// blocked: it waits for the breaker of its connection. probe is the round of
	// the breaker for which it was let through, 0 for none; concluded says that
	// the breaker knows how it ended.
	blocked   bool
	probe     int
	concluded bool
}

// stray is a result and who keeps it.
type stray struct {
	worker  string
	outcome engine.TaskOutcome
}

type phase uint8

const (
	queued phase = iota
	out          // given to a worker
	ended        // reported, not settled
)

// worker is one that is up, or was and has attempts.
type worker struct {
	name  string
	inUse map[Ref]match.Class // slots
	seen  time.Time
	// silent: the lease ran out, or it is down; it gets nothing.
	silent   bool
	capacity match.Capacity
}

// New returns a reactor without workers.
func New(cfg Config) *Reactor {
	if cfg.Class == nil {
		cfg.Class = func(uses string) match.Class {
			if uses == "process" {
				return match.Process
			}
			return match.Connector
		}
	}
	return &Reactor{
		cfg: cfg, current: map[activation]*attempt{}, workers: map[string]*worker{}, strays: map[Ref]stray{},
		lines: map[string]*line{}, shut: map[string]*line{},
	}
}

// Handle takes in messages, and the time, and returns what is to be done.
func (r *Reactor) Handle(msgs []Message, now time.Time) []Effect {
	r.effects = nil
	if now.After(r.now) {
		r.now = now
	}
	for _, m := range msgs {
		r.receive(m)
	}
	r.expire()
	r.probe()
	r.assign()
	if next := r.next(); !next.Equal(r.wake) {
		r.wake = next
		r.do(WakeAt{At: next})
	}
	return r.effects
}

// Attempts is how many attempts are known and not settled.
func (r *Reactor) Attempts() int { return len(r.current) + len(r.strays) }

func (r *Reactor) do(e Effect) { r.effects = append(r.effects, e) }

func (r *Reactor) receive(m Message) {
	switch m := m.(type) {
	case Ready:
		if a := r.take(&m.Task, m.Via); a != nil {
			a.priority = m.Priority
			r.push(a)
		}
	case Reattach:
		r.reattach(&m)
	case Cancel:
		r.cancel(m)
	case Settled:
		r.settled(m.Ref)
	case Recovered:
		r.recovered()
	case WorkerUp:
		r.workerUp(m)
	case WorkerDown:
		if w := r.workers[m.Worker]; w != nil {
			r.silence(w, m.Dead)
		}
	case Heartbeat:
		if w := r.workers[m.Worker]; w != nil {
			r.inTouch(w)
		}
	case Started:
		r.alive(m.Worker, m.Ref)
	case Beat:
		r.alive(m.Worker, m.Ref)
	case Ended:
		r.ended(m)
	case SetBreaker:
		r.setBreaker(m)
	case ReopenBreaker:
		r.reopenBreaker(m)
	}
}

// alive notes that a worker is there, and passes on that an attempt is.
func (r *Reactor) alive(name string, ref Ref) {
	w := r.workers[name]
	if w == nil {
		return
	}
	r.inTouch(w)
	if a := r.current[ref.key()]; a != nil && a.ref == ref && a.phase == out && a.worker == name && a.task.Heartbeat > 0 {
		r.do(Alive{Ref: ref})
	}
}

func (a *attempt) key() activation { return activation{a.ref.Run, a.ref.Act} }

func (r Ref) key() activation { return activation{r.Run, r.Act} }

// take makes the task the current attempt of its activation, and returns nil if
// it is already, or if a newer one is.
func (r *Reactor) take(t *engine.Task, via Via) *attempt {
	ref := RefOf(t)
	if old := r.current[ref.key()]; old != nil {
		if !old.ref.before(ref) {
			return nil
		}
		r.drop(old)
	}
	r.arrived++
	a := &attempt{task: *t, ref: ref, class: r.cfg.Class(t.Uses), via: via, order: r.arrived}
	r.current[ref.key()] = a
	return a
}

// drop gives up an attempt for another one. A result is kept until it is
// settled: of pipelined programs the next attempt comes before that.
func (r *Reactor) drop(a *attempt) {
	switch {
	case a.phase == queued:
		r.pull(a)
	case a.worker == "":
	case a.kept:
		r.strays[a.ref] = stray{a.worker, a.outcome}
	default: // it may be running
		r.do(Kill{Worker: a.worker, Ref: a.ref})
	}
	r.found(a)
	r.concluded(a, &engine.TaskOutcome{})
	delete(r.current, a.key())
}

// reattach finds who has the attempt. What is here of the same activation
// besides was never recorded: the runtime knows.
func (r *Reactor) reattach(m *Reattach) {
	ref := RefOf(&m.Task)
	if a := r.current[ref.key()]; a != nil && a.ref == ref {
		if a.phase == ended {
			r.do(Report{Ref: ref, Outcome: a.outcome})
		}
		return
	} else if a != nil {
		r.drop(a)
	}
	a := r.take(&m.Task, m.Via)
	if s, ok := r.strays[ref]; ok {
		delete(r.strays, ref)
		a.worker, a.kept = s.worker, true
		r.end(a, s.outcome)
		return
	}
	a.phase = out
	if w := r.workers[m.Worker]; w != nil {
		if _, has := w.inUse[ref]; !has {
			w.inUse[ref] = a.class
			r.slots.Hold(w.name, a.class)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.workers)) {
		w := r.workers[name]
		if _, has := w.inUse[ref]; has {
			a.worker = name
			if w.silent {
				r.await(a)
			}
			return
		}
	}
	r.await(a)
}

// await gives the attempt up some time from now, unless somebody gets in touch.
func (r *Reactor) await(a *attempt) {
	if a.lostAt.IsZero() {
		a.lostAt = r.now.Add(r.lostAfter(a))
		r.waiting++
	}
}

func (r *Reactor) found(a *attempt) {
	if !a.lostAt.IsZero() {
		a.lostAt = time.Time{}
		r.waiting--
	}
}

// lostAfter is how long the attempt is waited for once contact is lost.
func (r *Reactor) lostAfter(a *attempt) time.Duration {
	if n := a.task.Node; n != nil && n.Task != nil && n.Task.LostAfter != "" {
		if d, err := duration.Parse(n.Task.LostAfter); err == nil {
			return d
		}
	}
	if a.task.Idempotent {
		return 0
	}
	return r.cfg.LostAfter
}

func (r *Reactor) cancel(m Cancel) {
	a := r.current[activation{m.Run, m.Act}]
	if a == nil || a.ref.Attempt != m.Attempt || a.canceled {
		return
	}
	a.canceled = true
	switch a.phase {
	case queued:
		r.pull(a)
		r.end(a, engine.TaskOutcome{Kind: engine.OutcomeCanceled})
	case out:
		if a.worker != "" {
			r.do(Kill{Worker: a.worker, Ref: a.ref})
		}
	case ended:
	}
}

// end reports the end of the current attempt.
func (r *Reactor) end(a *attempt, outcome engine.TaskOutcome) {
	r.found(a)
	a.phase, a.outcome = ended, outcome
	r.do(Report{Ref: a.ref, Outcome: outcome})
	r.concluded(a, &outcome)
}

func (r *Reactor) settled(ref Ref) {
	if a := r.current[ref.key()]; a != nil && a.ref == ref {
		if a.phase == ended {
			r.drop(a)
			r.forget(ref)
		}
		return
	}
	if r.forget(ref) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r.workers)) {
		if _, runs := r.workers[name].inUse[ref]; runs {
			r.do(Kill{Worker: name, Ref: ref})
		}
	}
}

// forget lets go of a result that is settled, and reports whether there was one.
func (r *Reactor) forget(ref Ref) bool {
	s, ok := r.strays[ref]
	if ok && r.workers[s.worker] != nil {
		r.do(Forget{Worker: s.worker, Ref: ref})
	}
	delete(r.strays, ref)
	return ok
}

// recovered tells the runtime again what it may have been told before.
func (r *Reactor) recovered() {
	for _, a := range r.sorted() {
		if a.phase == ended {
			r.do(Report{Ref: a.ref, Outcome: a.outcome})
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(r.strays), Ref.compare) {
		r.do(Report{Ref: ref, Outcome: r.strays[ref].outcome})
	}
	for _, name := range slices.Sorted(maps.Keys(r.workers)) {
		for _, ref := range slices.SortedFunc(maps.Keys(r.workers[name].inUse), Ref.compare) {
			if a := r.current[ref.key()]; a == nil || a.ref != ref {
				r.do(Ask{Ref: ref})
			}
		}
	}
}

// ended passes a result on if it is that of the current attempt, from the
// worker that has it.
func (r *Reactor) ended(m Ended) {
	w := r.workers[m.Worker]
	if w == nil {
		return // it will say so again when it comes up
	}
	r.inTouch(w)
	r.release(w, m.Ref)
	a := r.current[m.Ref.key()]
	switch {
	case a == nil:
		if _, known := r.strays[m.Ref]; !known {
			r.strays[m.Ref] = stray{m.Worker, m.Outcome}
			r.do(Report{Ref: m.Ref, Outcome: m.Outcome})
		}
	case a.ref != m.Ref:
		r.do(Forget{Worker: m.Worker, Ref: m.Ref})
	case a.phase == out && (a.worker == m.Worker || a.worker == ""):
		a.worker, a.kept = m.Worker, true
		r.end(a, m.Outcome)
	case a.phase == ended:
		// It was given up, or this comes again: the first word counts.
		a.worker, a.kept = m.Worker, true
	default:
		r.do(Forget{Worker: m.Worker, Ref: m.Ref})
	}
}

func (r *Reactor) release(w *worker, ref Ref) {
	if class, ok := w.inUse[ref]; ok {
		delete(w.inUse, ref)
		r.slots.Release(w.name, class)
	}
}

// adopt takes up an attempt that a worker turns out to have.
func (r *Reactor) adopt(w *worker, a *attempt) {
	r.found(a)
	a.worker = w.name
	if a.canceled {
		r.do(Kill{Worker: w.name, Ref: a.ref})
	}
}

// expire gives up what nobody has been in touch about for too long.
func (r *Reactor) expire() {
	if r.cfg.Lease > 0 {
		for _, name := range slices.Sorted(maps.Keys(r.workers)) {
			if w := r.workers[name]; !w.silent && !w.seen.Add(r.cfg.Lease).After(r.now) {
				r.silence(w, false)
			}
		}
	}
	if first := r.firstLoss(); first.IsZero() || first.After(r.now) {
		return
	}
	for _, a := range r.sorted() {
		if a.phase == out && !a.lostAt.IsZero() && !a.lostAt.After(r.now) {
			r.lose(a)
		}
	}
}

func (r *Reactor) lose(a *attempt) {
	r.end(a, engine.TaskOutcome{Kind: engine.OutcomeLost, Error: &engine.Error{
		Name: engine.ErrAttemptLost, Engine: engine.ErrAttemptLost, Message: "nobody knows how the attempt ended",
	}})
}

// sorted lists the attempts in an order that is the same every time.
func (r *Reactor) sorted() []*attempt {
	return slices.SortedFunc(maps.Values(r.current), func(a, b *attempt) int {
		return cmp.Or(cmp.Compare(a.ref.Run, b.ref.Run), cmp.Compare(a.ref.Act, b.ref.Act))
	})
}

func (r *Reactor) firstLoss() time.Time {
	var first time.Time
	if r.waiting == 0 {
		return first
	}
	for _, a := range r.current {
		if a.phase == out && !a.lostAt.IsZero() && (first.IsZero() || a.lostAt.Before(first)) {
			first = a.lostAt
		}
	}
	return first
}

// next is when something expires.
func (r *Reactor) next() time.Time {
	next := r.firstLoss()
	if at := r.nextProbe(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	if r.cfg.Lease > 0 {
		for _, w := range r.workers {
			if at := w.seen.Add(r.cfg.Lease); !w.silent && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

// assign gives out what waits to whom has room.
func (r *Reactor) assign() {
	for !r.paused {
		key, name, ok := match.Next(&r.queue, &r.slots)
		if !ok {
			return
		}
		a := r.current[key]
		a.phase, a.worker = out, name
		r.workers[name].inUse[a.ref] = a.class
		r.do(Assign{Worker: name, Task: a.task})
	}
}
