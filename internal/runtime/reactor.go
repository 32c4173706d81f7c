package runtime

import (
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Reactor decides for all live runs, one message after the other. It is used
// by one goroutine, has no clock and does no IO: equal calls give equal
// effects.
type Reactor struct {
	limits Limits
	lease  store.Lease
	door   *door
	cache  cache
	quiet  quiet
	mark   func(store.RunID)

	now      time.Time // of decisions; never goes back
	live     map[store.RunID]*live
	timers   timers
	waits    waits
	keys     map[keyName]*keyTaken // taken by batches that are not durable
	programs map[[32]byte]bool     // known to be stored

	building *batch
	inflight *batch
	commit   commit
	backlog  []Message
	waiting  map[store.RunID][]Act // for an ended run to be read

	draining bool
	stopping bool
	halted   bool

	effects []Effect
	wake    time.Time // as last asked for
}

// Config is what a reactor is made with.
type Config struct {
	Limits Limits
	Gate   GateConfig
	// Mark, if not nil, is told which run is about to be decided, and with an
	// empty ID that the decision is over.
	Mark func(store.RunID)
}

// live is a run in memory.
type live struct {
	id      store.RunID
	machine *engine.Machine
	run     *engine.Run
	row     store.RunRow
	rowNew  bool // no batch has the row as it is now
	timers  map[engine.TimerID]bool
	gated   gated
	waits   map[engine.ActID]*waiter // for runs
	// durable: its acceptance is on disk. ended: the last decision ended it.
	durable bool
	ended   bool
	// quarantine is why nothing is decided for it any more.
	quarantine error
}

type keyName struct{ namespace, key string }

// keyTaken is an idempotency key that no reader can see yet.
type keyTaken struct {
	run  store.RunID
	hash [32]byte
}

// New returns a reactor that leads under the lease. lastAt is the time of the
// last batch on disk: decisions are never made at an earlier one. The error says
// why what is stored of the gate cannot be read.
func New(cfg Config, lease store.Lease, lastAt time.Time) (*Reactor, error) {
	r := &Reactor{
		limits: cfg.Limits.withDefaults(), lease: lease, mark: cfg.Mark, now: normal(lastAt),
		live: map[store.RunID]*live{}, waits: waits{children: map[store.RunID]*waiter{}, runs: map[workflowName][]*waiter{}}, keys: map[keyName]*keyTaken{}, waiting: map[store.RunID][]Act{}, programs: map[[32]byte]bool{},
		building: newBatch(lease.LastSequence + 1),
	}
	var err error
	if r.door, err = newDoor(cfg.Gate, r.now); err != nil {
		return nil, err
	}
	if r.cache, err = newCache(cfg.Gate.Stored); err != nil {
		return nil, err
	}
	if r.quiet, err = newQuiet(cfg.Gate.Stored); err != nil {
		return nil, err
	}
	if r.mark == nil {
		r.mark = func(store.RunID) {}
	}
	return r, nil
}

// normal is the time as the store keeps it, so that what is decided now equals
// what is read back.
func normal(t time.Time) time.Time { return store.Time(t) }

// Handle takes in messages, and the time, and returns what is to be done.
// Called without messages it fires what is due.
func (r *Reactor) Handle(msgs []Message, now time.Time) []Effect {
	r.effects = nil
	if now = normal(now); now.After(r.now) {
		r.now = now
	}
	for _, m := range msgs {
		r.receive(m)
	}
	r.work()
	r.askToWake()
	return r.effects
}

// Backlog is how many messages wait to be decided.
func (r *Reactor) Backlog() int { return len(r.backlog) }

// Live is how many runs are in memory, those in quarantine included.
func (r *Reactor) Live() int { return len(r.live) }

func (r *Reactor) do(e Effect) { r.effects = append(r.effects, e) }

// receive takes in what needs no decision and queues the rest.
func (r *Reactor) receive(m Message) {
	if r.halted {
		r.turnAway(m, ErrStopping)
		return
	}
	switch m := m.(type) {
	case CommitDone:
		r.commitDone(m)
	case SequenceRead:
		r.sequenceRead(m)
	case Drain:
		r.draining = true
	case Stop:
		r.stopping = true
		for _, waiting := range r.backlog {
			r.turnAway(waiting, ErrStopping)
		}
		r.backlog = nil
		r.turnAwayWaiting(ErrStopping)
		r.turnAwayQuiet()
	default:
		if r.stopping {
			r.turnAway(m, ErrStopping)
			return
		}
		// What nobody waits for comes from a run, which cannot ask again.
		if caller, ok := callerOf(m); ok && caller != 0 && len(r.backlog) >= r.limits.Backlog {
			r.reply(Reply{Caller: caller, Err: ErrBusy})
			return
		}
		if _, ok := m.(Loaded); ok {
			r.door.loading++
		}
		r.backlog = append(r.backlog, m)
	}
}

// callerOf returns who waits for the answer to m; ok is false for messages
// that must not be turned away.
func callerOf(m Message) (caller Caller, ok bool) {
	switch m := m.(type) {
	case Submit:
		return m.Caller, true
	case Cancel:
		return m.Caller, true
	case Act:
		return m.Caller, true
	case Survey:
		return m.Caller, true
	case Inspect:
		return m.Caller, true
	case Write:
		return m.Caller, true
	case Remove:
		return m.Caller, true
	case SetLimits:
		return m.Caller, true
	case SetCondition:
		return m.Caller, true
	case LookGate:
		return m.Caller, true
	case LookCache:
		return m.Caller, true
	case QuiesceNamespace:
		return m.Caller, true
	case LookQuiet:
		return m.Caller, true
	case ClearCache:
		return m.Caller, true
	}
	return 0, false
}

func (r *Reactor) turnAway(m Message, err error) {
	if caller, ok := callerOf(m); ok {
		r.reply(Reply{Caller: caller, Err: err})
	}
}

func (r *Reactor) reply(reply Reply) {
	if reply.Caller != 0 {
		r.do(reply)
	}
}

// work decides whatever can be decided, and sends the batch off if none is in
// flight.
func (r *Reactor) work() {
	if r.halted {
		return
	}
	r.retryCommit()
	if !r.stopping {
		r.grant()
		// Timers first: what the backlog holds back must not hold them back.
		for r.room() {
			t := r.timers.due(r.now)
			if t == nil {
				break
			}
			r.fire(t)
			r.grant()
		}
		done := 0
		for done < len(r.backlog) && r.room() {
			r.decideMessage(r.backlog[done])
			r.grant()
			done++
		}
		if done > 0 {
			r.backlog = slices.Delete(r.backlog, 0, done)
		}
	}
	if r.inflight == nil && !r.halted {
		r.send()
	}
	if r.stopping && !r.halted && r.inflight == nil {
		r.halted = true
		r.do(Halt{})
	}
}

// room makes sure that a decision fits in, sending the batch off if it is full
// and none is in flight.
func (r *Reactor) room() bool {
	if r.halted {
		return false
	}
	b := r.building
	if b.events < r.limits.BatchEvents && len(b.order) < r.limits.BatchRecords && b.bytes < r.limits.BatchBytes {
		return true
	}
	if r.inflight != nil {
		return false
	}
	r.send()
	return true
}

// askToWake asks for a call at the next instant at which there is something to
// do, if that is another one than before.
func (r *Reactor) askToWake() {
	if !r.wake.After(r.now) {
		r.wake = time.Time{} // it has come
	}
	var at time.Time
	if !r.halted {
		at = r.commit.retryAt
	}
	next := r.timers.next()
	if wake := r.door.state.Wake(); r.door.loading == 0 && !wake.IsZero() && (next.IsZero() || wake.Before(next)) {
		next = wake
	}
	if !next.IsZero() && !r.halted && !r.stopping && r.room() {
		next = store.TimerTime(next) // r.now is cut off to the microsecond
		if at.IsZero() || next.Before(at) {
			at = next
		}
	}
	if !at.Equal(r.wake) {
		r.wake = at
		r.do(WakeAt{At: at})
	}
}

// halt ends the reactor. Callers whose answer waits for a commit are told that
// nobody knows; nothing else leaves.
func (r *Reactor) halt(reason error, again bool) {
	r.halted = true
	for _, b := range []*batch{r.inflight, r.building} {
		if b == nil {
			continue
		}
		for _, o := range b.out {
			if reply, ok := o.effect.(Reply); ok {
				r.reply(Reply{Caller: reply.Caller, Run: reply.Run, Err: ErrUnknown})
			}
		}
	}
	for _, m := range r.backlog {
		r.turnAway(m, ErrStopping)
	}
	r.backlog = nil
	r.turnAwayWaiting(ErrStopping)
	r.turnAwayQuiet()
	r.do(Halt{Reason: reason, Again: again})
}
