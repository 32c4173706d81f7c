package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
	"github.com/regie-dev/regie/internal/workflow"
)

var languages = map[string]expr.Language{languageName: language{}}

// server is the process with the runtime and the dispatcher.
type server struct {
	s *simulation
	r random

	up    bool
	life  int // crashes and stops so far: what belongs to an earlier life is lost
	store *simstore.Store

	runtime    Runtime
	dispatcher Dispatcher
	machines   *runtime.Machines
	prepared   []*runtime.Prepared // by program

	inbox     []runtime.Message
	tasks     []dispatch.Message
	pumping   bool
	handling  bool
	wakeRun   int // timers asked for so far: only the last one counts
	wakeTasks int
	working   int // commits, readings and evaluations in flight
	published map[store.RunID]uint64
	seeking   map[runtime.Caller]runtime.Seek // whose start or retry is under way
	lastSeek  runtime.Caller
}

func newServer(s *simulation) *server {
	return &server{s: s, r: newRandom(s.options.Seed, randServer)}
}

// busy reports whether something is in flight inside the server.
func (v *server) busy() bool { return v.working > 0 || len(v.inbox) > 0 || len(v.tasks) > 0 }

// dead makes the test for whether an event of this life is not wanted any more.
func (v *server) dead() func() bool {
	life := v.life
	return func() bool { return v.life != life }
}

// boot starts the process: recovery from the store.
func (v *server) boot() {
	s := v.s
	plan := v.plan()
	var err error
	if v.store, err = simstore.Open(s.disk, plan); err != nil {
		panic(err)
	}
	v.up = true
	v.machines = s.languages()
	v.prepared = nil
	for i := range s.programs {
		p, err := v.machines.Prepare(s.product.compile(s.programs[i].program))
		if err != nil {
			panic(fmt.Sprintf("sim: generated program: %v", err))
		}
		v.prepared = append(v.prepared, p)
	}
	s.gates = map[string]gate{}
	s.lines = newLines()
	v.dispatcher = s.product.dispatcher(dispatch.New(dispatch.Config{Lease: s.swarm.lease, LostAfter: s.swarm.lostAfter}))
	for _, w := range s.pool {
		w.serverUp()
	}
	v.lead()
	if v.r.chance(0.5) || s.swarm.crashes == 0 || s.calm {
		return
	}
	left := s.options.Horizon - s.now.Sub(epoch)
	if left > 0 {
		s.atUnless(v.dead(), time.Duration(v.r.Int64N(int64(left))), "crash", "any time", func() { v.crash("crash at any time") })
	}
}

// lead takes the lease and makes the runtime's reactor from what is stored.
func (v *server) lead() {
	s := v.s
	lease, err := v.store.Acquire(ctx(), "server")
	if err != nil {
		panic(err)
	}
	at, err := runtime.LastAt(ctx(), v.store)
	if err != nil {
		panic(err)
	}
	msgs, err := runtime.Load(ctx(), v.store, v.machines)
	if err != nil {
		panic(err)
	}
	s.note("lead", "", "", lease.Incarnation)
	s.lines.leads++
	cfg := runtime.Config{Limits: s.swarm.limits, Gate: runtime.GateConfig{Limits: s.definitions()}}
	if cfg.Gate.Stored, err = runtime.ReadGate(ctx(), v.store); err != nil {
		panic(err)
	}
	s.inForce()
	reactor, err := runtime.New(cfg, lease, at)
	if err != nil {
		panic(err)
	}
	v.runtime, v.published = s.product.runtime(reactor), map[store.RunID]uint64{}
	v.seeking = map[runtime.Caller]runtime.Seek{}
	v.inbox = append(s.product.recovered(msgs), v.inbox...)
	v.tellDispatcher(dispatch.Recovered{})
}

// plan says how commits go.
func (v *server) plan() simstore.Plan {
	r := newRandom(v.s.options.Seed+uint64(v.life)<<32, randStore)
	return func(int, *store.Batch) simstore.Fault {
		s := v.s
		if s.calm {
			return simstore.Fault{}
		}
		w := &s.swarm
		switch {
		case r.chance(w.commitError):
			s.fault("commit error")
			return simstore.Fault{Kind: pick(r, simstore.Fail, simstore.DiskFull), Commits: 1 + r.IntN(3)}
		case r.chance(w.commitUnknown):
			f := simstore.Fault{Kind: pick(r, simstore.UnknownWritten, simstore.UnknownLost)}
			s.fault("commit unknown")
			if r.chance(w.readError) {
				s.fault("read error")
				f.Reads = 1 + r.IntN(3)
			}
			return f
		case r.chance(w.leaseLost):
			s.fault("lease lost")
			return simstore.Fault{Kind: simstore.LeaseLost}
		}
		return simstore.Fault{}
	}
}

// crash kills the process at once, unless nothing fails any more.
func (v *server) crash(kind string) bool {
	if !v.up || v.s.calm {
		return false
	}
	v.s.fault(kind)
	v.die()
	v.s.at(v.r.span(time.Second, 2*time.Minute), "boot", "", v.boot)
	return true
}

// die ends this life.
func (v *server) die() {
	v.up = false
	v.life++
	v.inbox, v.tasks, v.pumping, v.working = nil, nil, false, 0
	v.s.disk.Crash()
	v.s.clients.serverDown()
	for _, w := range v.s.pool {
		w.serverDown()
	}
}

// tellRuntime hands messages over; they are handled together with others that
// come at the same instant.
func (v *server) tellRuntime(msgs ...runtime.Message) {
	v.inbox = append(v.inbox, msgs...)
	v.pump()
}

func (v *server) tellDispatcher(msgs ...dispatch.Message) {
	v.tasks = append(v.tasks, msgs...)
	v.pump()
}

func (v *server) pump() {
	if !v.pumping && !v.handling {
		v.pumping = true
		v.s.atUnless(v.dead(), 0, "", "", v.handle)
	}
}

// handle lets the reactors handle what is there. Each feeds the other, in
// process, until both are still.
func (v *server) handle() {
	v.pumping, v.handling = false, true
	defer func() { v.handling = false }()
	life := v.life
	if n := len(v.s.order); n > 0 && v.r.chance(0.03) {
		v.s.inspect(v.s.order[v.r.IntN(n)])
	}
	for first := true; first || len(v.inbox) > 0 || len(v.tasks) > 0; first = false {
		msgs := v.inbox
		v.inbox = nil
		for _, e := range v.runtime.Handle(msgs, v.s.now) {
			if v.perform(e); v.life != life || v.s.broken != nil {
				return
			}
		}
		tasks := v.tasks
		v.tasks = nil
		for _, e := range v.dispatcher.Handle(tasks, v.s.now) {
			v.performTask(e)
		}
	}
}

func (v *server) perform(e runtime.Effect) {
	s := v.s
	switch e := e.(type) {
	case runtime.Commit:
		v.commit(e.Batch)
	case runtime.ReadSequence:
		v.working++
		s.atUnless(v.dead(), v.r.span(time.Millisecond, 50*time.Millisecond), "read", "sequence", func() {
			v.working--
			last, err := v.store.LastSequence(ctx())
			v.tellRuntime(runtime.SequenceRead{Incarnation: e.Incarnation, Last: last, Err: err})
		})
	case runtime.Dispatch:
		s.note("dispatch", e.Task.Run, e.Task.Path, uint64(e.Task.Attempt))
		s.checkDispatch(&e.Task)
		s.wanted(&e.Task)
		v.tellDispatcher(dispatch.Ready{Task: e.Task, Via: s.viaOf(&e.Task)})
	case runtime.Reattach:
		s.note("reattach", e.Task.Run, e.Task.Path, uint64(e.Task.Attempt))
		s.adopted(&e.Task)
		v.tellDispatcher(dispatch.Reattach{Task: e.Task, Via: s.viaOf(&e.Task)})
	case runtime.CancelTask:
		s.note("stop", string(e.Run), "", uint64(e.Act))
		s.checkCancelTask(e)
		v.tellDispatcher(dispatch.Cancel{Run: e.Run, Act: e.Act, Attempt: e.Attempt})
	case runtime.Settled:
		s.checkSettled(e)
		v.tellDispatcher(dispatch.Settled{Ref: dispatch.Ref{Run: e.Run, Act: e.Act, Attempt: e.Attempt, Fence: e.Fence}})
	case runtime.Evaluate:
		v.working++
		s.atUnless(v.dead(), v.r.span(time.Millisecond, 10*time.Second), "evaluate", string(e.Run), func() {
			v.working--
			v.tellRuntime(runtime.Evaluated{Incarnation: e.Incarnation, Run: e.Run, Result: e.Need.Eval.Evaluate(s.shelf)})
		})
	case runtime.Recall:
		v.working++
		s.atUnless(v.dead(), v.r.span(time.Millisecond, 5*time.Second), "recall", string(e.Run), func() {
			v.working--
			answer, err := e.Read(ctx(), v.store)
			if err != nil {
				panic(err)
			}
			v.tellRuntime(answer)
		})
	case runtime.Reload:
		v.working++
		s.atUnless(v.dead(), v.r.span(time.Millisecond, 5*time.Second), "reload", string(e.Run), func() {
			v.working--
			v.tellRuntime(runtime.Reloaded{Incarnation: e.Incarnation, Loaded: runtime.LoadEnded(ctx(), v.store, v.machines, e)})
		})
	case runtime.Seek:
		v.seek(e)
	case runtime.Post:
		v.tellRuntime(e.Message)
	case runtime.WakeAt:
		v.wakeRun++
		v.wake(e.At, &v.wakeRun)
	case runtime.Reply:
		s.clients.reply(e)
	case runtime.Publish:
		s.checkPublish(e, v.published)
	case runtime.Quarantined:
		s.violatef(NoQuarantine, "%s: %v\n%s", e.Run, e.Reason, e.Stack)
	case runtime.Halt:
		v.halt(e)
	}
}

// wake pumps at an instant, unless another one is asked for before.
func (v *server) wake(at time.Time, counter *int) {
	if at.IsZero() {
		return
	}
	mine := *counter
	dead := v.dead()
	v.s.atUnless(func() bool { return dead() || *counter != mine }, max(0, at.Sub(v.s.now)), "wake", "", v.pump)
}

// commit lets a commit happen some time from now, and its answer later still;
// the process may die before, between and after.
func (v *server) commit(b *store.Batch) {
	s := v.s
	pending := v.store.Begin(b)
	slowest := 5 * time.Millisecond
	if !s.calm && v.r.chance(s.swarm.slowCommit) {
		s.fault("slow commit")
		slowest = 30 * time.Second
	}
	when := 3
	if !s.calm && v.r.chance(s.swarm.crash) {
		when = v.r.IntN(3)
	}
	v.working++
	s.atUnless(v.dead(), v.r.span(100*time.Microsecond, slowest), "commit", "", func() {
		if when == 0 && v.crash("crash before commit") {
			return
		}
		if !s.calm && v.r.chance(s.swarm.contradiction) {
			s.fault("contradiction")
			v.committed(b, store.ErrCorrupt, false)
			return
		}
		err := pending.Complete()
		written := err == nil || pending.Fault().Kind == simstore.UnknownWritten && errors.Is(err, store.ErrUnknown)
		s.note("committed", fmt.Sprint(err), "", b.Sequence)
		if written {
			s.durable(pending.Batch())
		}
		if when == 1 && v.crash("crash after commit") {
			return
		}
		v.committed(b, err, when == 2)
	})
}

// committed tells the runtime, a moment later, how a commit went; the process
// may die just after.
func (v *server) committed(b *store.Batch, err error, crash bool) {
	s := v.s
	s.atUnless(v.dead(), v.r.span(50*time.Microsecond, time.Millisecond), "commit done", "", func() {
		v.working--
		v.tellRuntime(runtime.CommitDone{Incarnation: b.Incarnation, Sequence: b.Sequence, Err: err})
		if crash {
			s.atUnless(v.dead(), v.r.span(time.Microsecond, time.Millisecond), "crash", "", func() { v.crash("crash after answer") })
		}
	})
}

func (v *server) halt(e runtime.Halt) {
	v.s.note("halt", fmt.Sprint(e.Reason), "", 0)
	if e.Again && errors.Is(e.Reason, store.ErrCorrupt) {
		v.lead() // the dispatcher lives on
		return
	}
	if !errors.Is(e.Reason, store.ErrLeaseLost) {
		v.s.violatef(NoHalt, "%v", e.Reason)
		return
	}
	// Another process took the lease and is gone: this one starts again.
	v.die()
	v.s.at(v.r.span(time.Second, 10*time.Second), "boot", "", v.boot)
}

func (v *server) performTask(e dispatch.Effect) {
	s := v.s
	switch e := e.(type) {
	case dispatch.Assign:
		s.checkAssign(e)
		s.workerNamed(e.Worker).send("assign", func(w *workerSim) { w.assign(e.Task) })
	case dispatch.Kill:
		s.workerNamed(e.Worker).send("kill", func(w *workerSim) { w.kill(e.Ref) })
	case dispatch.Forget:
		s.workerNamed(e.Worker).send("forget", func(w *workerSim) { w.forget(e.Ref) })
	case dispatch.Report:
		s.reported(e)
		v.tellRuntime(runtime.TaskEnded{Run: e.Ref.Run, Fence: e.Ref.Fence, End: engine.TaskEnded{
			Act: e.Ref.Act, Attempt: e.Ref.Attempt, Outcome: e.Outcome,
		}})
	case dispatch.Alive:
		v.tellRuntime(runtime.TaskBeat{Run: e.Ref.Run, Fence: e.Ref.Fence, Beat: engine.Beat{Act: e.Ref.Act, Attempt: e.Ref.Attempt}})
	case dispatch.Ask:
		v.tellRuntime(runtime.TaskFound{Run: e.Ref.Run, Act: e.Ref.Act, Attempt: e.Ref.Attempt, Fence: e.Ref.Fence})
	case dispatch.WakeAt:
		v.wakeTasks++
		v.wake(e.At, &v.wakeTasks)
	case dispatch.Tripped:
		s.checkTripped(e)
	}
}

func (s *simulation) workerNamed(name string) *workerSim {
	for _, w := range s.pool {
		if w.name == name {
			return w
		}
	}
	panic("sim: no worker " + name)
}

// programOf is the program that a run was accepted with.
func (s *simulation) programOf(hash [32]byte) *workflow.Program {
	for i := range s.server.prepared {
		if s.server.prepared[i].Stored.Hash == hash {
			return s.programs[i].program
		}
	}
	return nil
}

// capacityOf is what a worker of the swarm can do at once.
func (w *swarm) capacityOf() match.Capacity {
	return match.Capacity{match.Process: w.capacity, match.Connector: w.capacity}
}
