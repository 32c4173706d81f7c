package dispatch

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
)

// Worker makes attempts. Its methods are called one at a time and must not
// block; they may call the service.
type Worker interface {
	// Assign gives it an attempt, which it reports by Service.Started and
	// Service.Ended.
	Assign(task engine.Task)
	// Kill asks it to stop an attempt. Idempotent; an attempt that it does not
	// have is none of its business.
	Kill(ref Ref)
	// Forget allows it to forget the result of an attempt. Idempotent.
	Forget(ref Ref)
}

// ServiceConfig is what a Service is made with.
type ServiceConfig struct {
	Config

	Clock clock.Clock // default clock.Real
	// Report takes the ends of attempts; it is Service.TaskEnded of the
	// runtime. It must not block.
	Report func(run store.RunID, fence engine.Fence, end engine.TaskEnded)
	// Alive takes signs of life of attempts that owe heartbeats; it is
	// Service.TaskBeat of the runtime. It must not block. Nil: nobody wants them.
	Alive func(run store.RunID, fence engine.Fence, beat engine.Beat)
	// Ask asks whether an attempt is wanted that a worker brought with it; it
	// is Service.TaskFound of the runtime. It must not block. Nil: what workers
	// bring runs on.
	Ask func(run store.RunID, act engine.ActID, attempt int, fence engine.Fence)
	// Via finds the connection that a task uses. It must not block. Nil: tasks
	// use none.
	Via func(t *engine.Task) Via
	// Tripped hears of breakers that have another state. It must not block. Nil:
	// nobody does.
	Tripped func(b Breaker)
}

// Service runs a reactor. It has no goroutine: whoever brings a message also
// does what follows from it, unless somebody is at it already, who then does
// both. So messages are handled one after the other, in the order of arrival,
// and where everything is called by one goroutine, in the same order each time.
// Safe for concurrent use.
type Service struct {
	clock  clock.Clock
	report func(store.RunID, engine.Fence, engine.TaskEnded)
	alive  func(store.RunID, engine.Fence, engine.Beat)
	ask    func(store.RunID, engine.ActID, int, engine.Fence)
	via    func(*engine.Task) Via
	trip   func(Breaker)

	mu      sync.Mutex
	inbox   []Message
	busy    bool // somebody handles the inbox
	stopped bool
	workers map[string]Worker

	// Of whoever is busy.
	reactor  *Reactor
	stopWake func() bool
}

var _ runtime.Tasks = (*Service)(nil)

// ErrWorkerName: a worker of this name is there already.
var ErrWorkerName = errors.New("a worker of this name is there already")

// NewService returns a service without workers.
func NewService(cfg ServiceConfig) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Ask == nil {
		cfg.Ask = func(store.RunID, engine.ActID, int, engine.Fence) {}
	}
	if cfg.Alive == nil {
		cfg.Alive = func(store.RunID, engine.Fence, engine.Beat) {}
	}
	if cfg.Via == nil {
		cfg.Via = func(*engine.Task) Via { return Via{} }
	}
	if cfg.Tripped == nil {
		cfg.Tripped = func(Breaker) {}
	}
	return &Service{
		clock: cfg.Clock, report: cfg.Report, alive: cfg.Alive, ask: cfg.Ask, via: cfg.Via, trip: cfg.Tripped,
		reactor: New(cfg.Config), workers: map[string]Worker{},
	}
}

// Stop ends the service: messages are not handled any more, and no worker is
// called. It waits for nothing. Idempotent.
func (s *Service) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

// Dispatch takes an attempt to be made.
func (s *Service) Dispatch(task engine.Task) { s.post(Ready{Task: task, Via: s.via(&task)}) }

// Reattach asks for an attempt that was handed out before.
func (s *Service) Reattach(task engine.Task) { s.post(Reattach{Task: task, Via: s.via(&task)}) }

// ReattachTo asks for an attempt that was handed out before, for which a worker
// looks itself: it always says how the attempt ended.
func (s *Service) ReattachTo(worker string, task engine.Task) {
	s.post(Reattach{Task: task, Worker: worker, Via: s.via(&task)})
}

// CancelTask asks an attempt to stop.
func (s *Service) CancelTask(run store.RunID, act engine.ActID, attempt int) {
	s.post(Cancel{Run: run, Act: act, Attempt: attempt})
}

// Settled allows the result of an attempt to be forgotten.
func (s *Service) Settled(t runtime.Settled) {
	s.post(Settled{Ref: Ref{Run: t.Run, Act: t.Act, Attempt: t.Attempt, Fence: t.Fence}})
}

// Recovered says that the runtime was made anew and has asked for what it wants.
func (s *Service) Recovered() { s.post(Recovered{}) }

// Join takes a worker in, with the attempts that it has.
func (s *Service) Join(name string, capacity match.Capacity, w Worker, has []Held) error {
	s.mu.Lock()
	if s.workers[name] != nil {
		s.mu.Unlock()
		return ErrWorkerName
	}
	s.workers[name] = w
	s.mu.Unlock()
	s.post(WorkerUp{Worker: name, Capacity: capacity, Has: has})
	return nil
}

// Leave says that a worker is dead: what it had is lost.
func (s *Service) Leave(name string) {
	s.mu.Lock()
	delete(s.workers, name)
	s.mu.Unlock()
	s.post(WorkerDown{Worker: name, Dead: true})
}

// Started says that a worker has begun an attempt.
func (s *Service) Started(worker string, ref Ref) { s.post(Started{Worker: worker, Ref: ref}) }

// Beat says that an attempt goes on.
func (s *Service) Beat(worker string, ref Ref) { s.post(Beat{Worker: worker, Ref: ref}) }

// Ended says how an attempt ended.
func (s *Service) Ended(worker string, ref Ref, outcome engine.TaskOutcome) {
	s.post(Ended{Worker: worker, Ref: ref, Outcome: outcome})
}

// tick says that time has passed.
type tick struct{}

func (tick) message() {}

// post hands a message over, and handles what is there if nobody does.
func (s *Service) post(m Message) { s.offer(m) }

// offer is post; it reports whether the message will be handled.
func (s *Service) offer(m Message) bool {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return false
	}
	s.inbox = append(s.inbox, m)
	if s.busy {
		s.mu.Unlock()
		return true
	}
	s.busy = true
	s.clock.Begin() // a deadline that is set below must not pass meanwhile
	for len(s.inbox) > 0 && !s.stopped {
		msgs := s.inbox
		s.inbox = nil
		s.mu.Unlock()
		s.handle(msgs)
		s.mu.Lock()
	}
	left := s.inbox
	s.inbox, s.busy = nil, false
	s.mu.Unlock()
	for _, m := range left {
		if l, ok := m.(look); ok { // stopped meanwhile; nobody else has the reactor
			l.ask(s.reactor)
		}
	}
	s.clock.End()
	return true
}

// handle handles messages in order; questions are answered in between.
func (s *Service) handle(msgs []Message) {
	for len(msgs) > 0 {
		n := slices.IndexFunc(msgs, func(m Message) bool { _, ok := m.(look); return ok })
		if n < 0 {
			n = len(msgs)
		}
		if n > 0 {
			for _, e := range s.reactor.Handle(msgs[:n], s.clock.Now()) {
				s.perform(e)
			}
		} else {
			msgs[0].(look).ask(s.reactor)
			n = 1
		}
		msgs = msgs[n:]
	}
}

func (s *Service) perform(e Effect) {
	switch e := e.(type) {
	case Assign:
		if w := s.worker(e.Worker); w != nil {
			w.Assign(e.Task)
			return
		}
		s.notAssigned(e)
	case Kill:
		if w := s.worker(e.Worker); w != nil {
			w.Kill(e.Ref)
		}
	case Forget:
		if w := s.worker(e.Worker); w != nil {
			w.Forget(e.Ref)
		}
	case Report:
		s.report(e.Ref.Run, e.Ref.Fence, engine.TaskEnded{Act: e.Ref.Act, Attempt: e.Ref.Attempt, Outcome: e.Outcome})
	case Alive:
		s.alive(e.Ref.Run, e.Ref.Fence, engine.Beat{Act: e.Ref.Act, Attempt: e.Ref.Attempt})
	case Ask:
		s.ask(e.Ref.Run, e.Ref.Act, e.Ref.Attempt, e.Ref.Fence)
	case WakeAt:
		s.wakeAt(e.At)
	case Tripped:
		s.trip(e.Breaker)
	}
}

// notAssigned says, before anybody hears that the worker has left, that it did
// so before it got this.
func (s *Service) notAssigned(e Assign) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inbox = slices.Insert(s.inbox, 0, Message(Ended{
		Worker: e.Worker, Ref: RefOf(&e.Task), Outcome: engine.TaskOutcome{Kind: engine.OutcomeNotStarted},
	}))
}

func (s *Service) worker(name string) Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.workers[name]
}

func (s *Service) wakeAt(at time.Time) {
	if s.stopWake != nil {
		s.stopWake()
		s.stopWake = nil
	}
	if !at.IsZero() {
		s.stopWake = s.clock.AfterFunc(at, func() { s.post(tick{}) })
	}
}
