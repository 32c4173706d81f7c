package sim

import (
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
)

// workerSim is a worker. Remote ones are processes of their own; others live
// and die with the server.
type workerSim struct {
	s    *simulation
	r    random
	name string

	up   bool
	life int // deaths so far
	// connection is the server's life that it is connected to, -1 for none.
	connection int
	// known is the worker's life that the server has heard of last: what it
	// sends reaches that one or nobody.
	known    int
	cut      bool // messages are held
	toServer link
	toWorker link
	jobs     []*job // in the order of arrival
}

// link is one direction of a connection: in order, each message with its own
// latency.
type link struct {
	last time.Time
	held []func()
}

// job is an attempt that the worker has.
type job struct {
	task    engine.Task
	ref     dispatch.Ref
	class   match.Class
	started bool
	begun   time.Time
	outcome *engine.TaskOutcome // once it has ended
	gone    bool                // forgotten, or died with the worker
}

func newWorker(s *simulation, name string) *workerSim {
	w := &workerSim{s: s, name: name, connection: -1, up: true}
	w.r = newRandom(s.options.Seed+uint64(len(s.pool))<<32, randWorkers)
	for range s.swarm.workerDeaths {
		s.at(time.Duration(w.r.Int64N(int64(s.options.Horizon))), "death", name, w.die)
	}
	if s.swarm.remote {
		for range s.swarm.partitions {
			s.at(time.Duration(w.r.Int64N(int64(s.options.Horizon))), "cut", name, w.cutOff)
		}
	}
	return w
}

func (w *workerSim) dead() func() bool {
	life := w.life
	return func() bool { return w.life != life }
}

// die takes the worker down with all that it runs and keeps.
func (w *workerSim) die() {
	if !w.up || w.s.calm {
		return
	}
	for _, j := range w.jobs {
		switch {
		case !j.started:
			w.s.fault("worker death before start")
		case j.outcome != nil:
			w.s.fault("worker death with a result")
		case w.s.world.deeds[j.ref].effect:
			w.s.fault("worker death after effect")
		default:
			w.s.fault("worker death in the middle")
		}
	}
	w.s.fault("worker death")
	w.end()
	if w.s.server.up && w.r.chance(0.5) {
		// Somebody sees it at once.
		server := w.s.server
		w.s.atUnless(server.dead(), w.s.latency(), "down", w.name, func() {
			server.tellDispatcher(dispatch.WorkerDown{Worker: w.name, Dead: true})
		})
	}
	w.s.at(w.r.span(time.Second, 5*time.Minute), "worker up", w.name, func() {
		w.up = true
		w.connect()
	})
}

// end loses everything.
func (w *workerSim) end() {
	w.up, w.connection = false, -1
	w.life++
	for _, j := range w.jobs {
		j.gone = true
	}
	w.jobs, w.toServer.held, w.toWorker.held = nil, nil, nil
}

// serverUp lets the worker find the server.
func (w *workerSim) serverUp() {
	if !w.s.swarm.remote {
		w.up = true
		w.connect()
		return
	}
	w.s.atUnless(w.s.server.dead(), w.r.span(10*time.Millisecond, 20*time.Second), "connect", w.name, w.connect)
}

// serverDown breaks the connection.
func (w *workerSim) serverDown() {
	w.connection = -1
	w.toServer.held, w.toWorker.held = nil, nil
	if !w.s.swarm.remote && w.up {
		w.end()
	}
}

// connect tells the server what the worker has.
func (w *workerSim) connect() {
	if !w.up || !w.s.server.up || w.connection == w.s.server.life {
		return
	}
	w.connection = w.s.server.life
	m := dispatch.WorkerUp{Worker: w.name, Capacity: w.s.swarm.capacityOf()}
	for _, j := range w.jobs {
		m.Has = append(m.Has, dispatch.Held{Ref: j.ref, Class: j.class, Outcome: j.outcome})
	}
	life := w.life
	w.tell("up", func() dispatch.Message {
		w.known = life
		return m
	})
	w.beat()
}

// beat sends heartbeats as long as the connection lasts.
func (w *workerSim) beat() {
	if w.s.swarm.lease == 0 {
		return
	}
	dead, connection := w.dead(), w.connection
	w.s.atUnless(func() bool { return dead() || w.connection != connection }, w.s.swarm.lease/3, "", "", func() {
		w.tell("", say(dispatch.Heartbeat{Worker: w.name}))
		w.beat()
	})
}

// cutOff holds all messages for a while.
func (w *workerSim) cutOff() {
	if w.cut || !w.up || w.s.calm {
		return
	}
	w.s.fault("partition")
	w.cut = true
	w.s.at(w.r.span(time.Second, 15*time.Minute), "mend", w.name, w.mend)
}

func (w *workerSim) mend() {
	w.cut = false
	for _, l := range []*link{&w.toServer, &w.toWorker} {
		held := l.held
		l.held = nil
		for _, m := range held {
			m()
		}
	}
}

func (w *workerSim) calmDown() {
	if w.cut {
		w.mend()
	}
}

// tell sends a message to the server; without a connection it is lost.
func (w *workerSim) tell(what string, m func() dispatch.Message) {
	server := w.s.server
	if w.connection < 0 || w.connection != server.life {
		return
	}
	w.over(&w.toServer, func() bool { return !server.up || w.connection != server.life }, what, func() {
		server.tellDispatcher(m())
	})
}

func say(m dispatch.Message) func() dispatch.Message { return func() dispatch.Message { return m } }

// send brings something from the server to the worker.
func (w *workerSim) send(what string, do func(*workerSim)) {
	if w.connection != w.s.server.life {
		return
	}
	known := w.known
	w.over(&w.toWorker, func() bool { return w.life != known }, what, func() { do(w) })
}

// over sends a message over a link.
func (w *workerSim) over(l *link, dead func() bool, what string, do func()) {
	if w.cut {
		l.held = append(l.held, func() { w.over(l, dead, what, do) })
		return
	}
	at := w.s.now.Add(w.s.latency())
	if at.Before(l.last) {
		at = l.last
	}
	l.last = at
	w.s.atUnless(dead, at.Sub(w.s.now), what, w.name, do)
}

func (w *workerSim) job(ref dispatch.Ref) *job {
	i := slices.IndexFunc(w.jobs, func(j *job) bool { return j.ref == ref })
	if i < 0 {
		return nil
	}
	return w.jobs[i]
}

// assign takes an attempt.
func (w *workerSim) assign(t engine.Task) {
	j := &job{task: t, ref: dispatch.RefOf(&t), class: match.Connector}
	if t.Uses == "process" {
		j.class = match.Process
	}
	w.s.world.assigned(w.s, w.name, j.ref)
	w.jobs = append(w.jobs, j)
	running := 0
	for _, other := range w.jobs {
		if other.outcome == nil && other.class == j.class {
			running++
		}
	}
	if running > w.s.swarm.capacity {
		w.s.violatef(Slots, "%s has %d attempts of class %s, capacity %d", w.name, running, j.class, w.s.swarm.capacity)
	}
	if w.unlucky(w.s.swarm.notStarted, "not started") {
		w.finish(j, engine.TaskOutcome{Kind: engine.OutcomeNotStarted})
		return
	}
	delay := w.r.span(time.Millisecond, 100*time.Millisecond)
	if w.unlucky(w.s.swarm.lateStart, "late start") {
		delay = w.r.span(time.Second, 5*time.Minute)
	}
	w.later(j, delay, "start", func() { w.start(j) })
}

// unlucky draws a fault.
func (w *workerSim) unlucky(p float64, kind string) bool {
	if w.s.calm || !w.r.chance(p) {
		return false
	}
	w.s.fault(kind)
	return true
}

// later lets something happen to a job unless it has ended or gone.
func (w *workerSim) later(j *job, after time.Duration, what string, do func()) {
	w.s.atUnless(func() bool { return j.gone || j.outcome != nil }, after, what, w.name, do)
}

func (w *workerSim) start(j *job) {
	j.started, j.begun = true, w.s.now
	w.s.note("started", j.task.Run, j.task.Path, uint64(j.task.Attempt))
	w.s.world.started(w.s, &j.task)
	w.tell("started", say(dispatch.Started{Worker: w.name, Ref: j.ref}))
	behaviour, _ := j.task.Input.Get("behaviour").Str()
	length := w.r.span(50*time.Millisecond, 30*time.Second)
	if behaviour == slow || w.unlucky(w.s.swarm.slowTask, "slow task") {
		length = w.r.span(time.Minute, 15*time.Minute)
	}
	outcome := w.outcome(j, behaviour)
	outcome.Reach = w.reachOf(outcome)
	if limit := j.task.Timeout; limit > 0 && (behaviour == stuck || length > limit) {
		length, behaviour = limit, ""
		outcome = engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "timeout", Message: "took too long"}}
	}
	effect := time.Duration(w.r.Int64N(int64(length)))
	w.later(j, effect, "effect", func() { w.s.world.effect(j.ref) })
	if behaviour == stuck {
		return
	}
	w.later(j, length, "end", func() { w.finish(j, outcome) })
}

// outcome draws how an attempt ends that nobody stops.
func (w *workerSim) outcome(j *job, behaviour string) engine.TaskOutcome {
	fails := behaviour == failing || behaviour == flaky && w.r.chance(0.5)
	if !fails && w.unlucky(w.s.swarm.taskFailure, "task failure") {
		fails = true
	}
	switch {
	case w.unlucky(w.s.swarm.outcomeLost, "outcome lost"):
		return engine.TaskOutcome{Kind: engine.OutcomeLost}
	case fails:
		return engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "exit.1", Message: "no luck"}}
	}
	w.s.world.results++
	output := value.Object(value.M("result", value.Int(int64(w.s.world.results))), value.M("attempt", value.Int(int64(j.task.Attempt))))
	if w.s.swarm.large {
		output = w.s.shelf.enlarge(j.task.Run, output)
	}
	return engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: output}
}

// finish ends a job and reports it, perhaps twice.
func (w *workerSim) finish(j *job, outcome engine.TaskOutcome) {
	if j.started {
		outcome.StartedAt, outcome.EndedAt = j.begun, w.s.now
	}
	j.outcome = &outcome
	w.s.note("finished", j.task.Run, j.task.Path+" "+string(outcome.Kind), uint64(j.task.Attempt))
	w.s.world.ended(j.ref, &outcome)
	report := say(dispatch.Ended{Worker: w.name, Ref: j.ref, Outcome: outcome})
	w.tell("ended", report)
	if w.unlucky(w.s.swarm.duplicate, "duplicate result") {
		w.s.atUnless(w.dead(), w.r.span(time.Millisecond, 10*time.Minute), "again", w.name, func() { w.tell("ended", report) })
	}
}

// kill stops a job; it takes a while, and may have ended by itself before.
func (w *workerSim) kill(ref dispatch.Ref) {
	j := w.job(ref)
	if j == nil || j.outcome != nil {
		return
	}
	grace := time.Duration(0)
	if j.started {
		grace = w.r.span(time.Millisecond, 10*time.Second)
	}
	w.later(j, grace, "killed", func() { w.finish(j, engine.TaskOutcome{Kind: engine.OutcomeCanceled}) })
}

// forget drops a result.
func (w *workerSim) forget(ref dispatch.Ref) {
	j := w.job(ref)
	if j == nil {
		return
	}
	if j.outcome == nil {
		w.s.violatef(Outbox, "%s was told to forget attempt %v, which it is running", w.name, ref)
		return
	}
	j.gone = true
	w.jobs = slices.DeleteFunc(w.jobs, func(k *job) bool { return k == j })
}
