package runtime

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	goruntime "runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/runtime/mailbox"
	"github.com/regie-dev/regie/internal/store"
)

// Tasks is where attempts go. Its methods are called by one goroutine in order,
// and must not block. Ends are reported by Service.TaskEnded.
type Tasks interface {
	// Dispatch takes an attempt to be made; it comes once for each.
	Dispatch(task engine.Task)
	// Reattach asks for an attempt that was handed out before; who does not
	// know it any more reports it lost.
	Reattach(task engine.Task)
	// CancelTask asks an attempt to stop.
	CancelTask(run store.RunID, act engine.ActID, attempt int)
	// Settled allows the result of an attempt to be forgotten.
	Settled(s Settled)
	// Recovered says that the runtime was made anew from the store and has
	// asked for all attempts that it wants: ends that were reported before and
	// are not settled must be reported again.
	Recovered()
}

// ServiceConfig is what a Service is made with. Store, Languages and Tasks are
// needed.
type ServiceConfig struct {
	Store     store.Store
	Holder    string // who leads, for the lease; default "regie"
	Languages map[string]expr.Language
	Tasks     Tasks
	Clock     clock.Clock // default clock.Real
	// Marker remembers which run is in hand; nil: nobody does.
	Marker *Marker
	// Machines prepares programs; nil: one of the service's own does.
	Machines *Machines
	// Values keeps large values; nil: there are none.
	Values engine.Values
	// Others knows what children runs may start and what they may wait for; nil:
	// neither.
	Others Others
	// Inline lets the loop itself commit and evaluate. That is slower, but then
	// all there is happens in one order: with a virtual clock and tasks that
	// report in order, a run takes the same course every time.
	Inline bool
	// Ageing is how long somebody must wait for a limit to come as early as the
	// next higher priority; default gate.DefaultAgeing.
	Ageing time.Duration
	// Observe, if not nil, is shown the events of all runs once they are durable:
	// each at most once, and not if the reactor was made anew before it knew. It
	// is called by one goroutine, must be quick, and keeps nothing of it.
	Observe func(events []engine.Event)
	// NewID makes run IDs; default NewIDs(rand.Reader).Next.
	NewID func(now time.Time) (store.RunID, error)
	Log   *slog.Logger // default: discarded
}

// Bounds of a Service.
const (
	// MaxRestarts is how often in a row, without a commit in between, the
	// reactor is made anew before the service gives up.
	MaxRestarts = 3
	// CommitTimeout bounds one call of the store; after it the outcome is
	// unknown.
	CommitTimeout = 30 * time.Second
)

// Service runs a reactor: one loop, a committer and a pool of evaluators.
type Service struct {
	cfg      ServiceConfig
	clock    clock.Clock
	log      *slog.Logger
	machines *Machines
	box      *mailbox.Mailbox[Message]
	hub      hub
	gauge    gauge
	tide     tide
	offers   bell
	pool     *pool
	storage  chan func() // one goroutine calls the store's writer

	// Of the loop.
	reactor  *Reactor
	led      bool // the reactor has taken in what was on disk
	stopWake func() bool
	restarts int

	started  sync.Once
	startErr error
	done     chan struct{} // closed when the loop has ended
	reason   error         // why it has, nil after Stop; set before done is closed

	removing sync.Mutex // held by one removal from its look at the store on

	mu      sync.Mutex
	callers map[Caller]chan Reply
	seeking map[Caller]Seek // whose Submit or Act is under way
	last    Caller
	// limits are the definitions last set; leading: a reactor has taken them in.
	limits  []gate.Limit
	leading bool
}

// NewService returns a service that has not been started.
func NewService(cfg ServiceConfig) *Service {
	if cfg.Holder == "" {
		cfg.Holder = "regie"
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.NewID == nil {
		cfg.NewID = NewIDs(rand.Reader).Next
	}
	if cfg.Machines == nil {
		cfg.Machines = NewMachines(cfg.Languages)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, clock: cfg.Clock, log: cfg.Log, machines: cfg.Machines,
		box: mailbox.New[Message](cfg.Clock), hub: hub{reader: cfg.Store},
		storage: make(chan func(), 1), done: make(chan struct{}), callers: map[Caller]chan Reply{}, seeking: map[Caller]Seek{},
	}
}

// Start takes the lease, reads what is live, and goes on with it. When it
// returns nil, the service must be stopped. Starting again returns what the
// first start did.
func (s *Service) Start(ctx context.Context) error {
	s.started.Do(func() {
		msgs, err := s.lead(ctx)
		if err != nil {
			s.startErr = fmt.Errorf("start runtime: %w", err)
			s.end(s.startErr)
			return
		}
		var helpers sync.WaitGroup
		if !s.cfg.Inline {
			helpers.Go(func() {
				for call := range s.storage {
					call()
				}
			})
			s.pool = newPool(goruntime.GOMAXPROCS(0), &helpers)
		}
		s.clock.Begin()
		go func() {
			defer func() {
				close(s.storage)
				s.pool.close()
				helpers.Wait()
				s.end(s.reason)
			}()
			s.loop(context.WithoutCancel(ctx), msgs)
		}()
	})
	return s.startErr
}

// Stop decides nothing more, waits for what was decided to be committed, and
// ends the service; callers are turned away. It waits at most until ctx ends.
// Idempotent; stopping a service that was not started does nothing.
func (s *Service) Stop(ctx context.Context) error {
	s.started.Do(func() {
		s.startErr = ErrStopping
		s.end(nil)
	})
	s.box.Post(Stop{})
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop runtime: %w", ctx.Err())
	}
}

// Drain takes no more runs; those that are there go on.
func (s *Service) Drain() { s.box.Post(Drain{}) }

// Done is closed when the service has ended, by Stop or otherwise; Err then
// says why, nil after Stop.
func (s *Service) Done() <-chan struct{} { return s.done }

// Err is why the service has ended; nil before.
func (s *Service) Err() error {
	select {
	case <-s.done:
		return s.reason
	default:
		return nil
	}
}

func (s *Service) end(reason error) {
	s.box.Close()
	s.reason = reason
	close(s.done)
}

// lead takes the lease and makes a reactor of what is on disk. It returns the
// messages that it must be given first.
func (s *Service) lead(ctx context.Context) ([]Message, error) {
	lease, err := s.cfg.Store.Acquire(ctx, s.cfg.Holder)
	if err != nil {
		return nil, err
	}
	lastAt, err := LastAt(ctx, s.cfg.Store)
	if err != nil {
		return nil, err
	}
	msgs, err := Load(ctx, s.cfg.Store, s.machines)
	if err != nil {
		return nil, err
	}
	s.tide.rise(lease.LastSequence)
	cfg := Config{Gate: GateConfig{Ageing: s.cfg.Ageing}}
	if cfg.Gate.Stored, err = ReadGate(ctx, s.cfg.Store); err != nil {
		return nil, err
	}
	s.mu.Lock()
	cfg.Gate.Limits, s.leading = s.limits, true
	s.mu.Unlock()
	if marker := s.cfg.Marker; marker != nil {
		cfg.Mark = marker.Enter
		for i, m := range msgs {
			if loaded, ok := m.(Loaded); ok && loaded.Err == nil && marker.Suspect(loaded.Row.ID) {
				loaded.Err = fmt.Errorf("the process died %d times while it was being decided", SuspectExits)
				msgs[i] = loaded
			}
		}
	}
	if s.reactor, err = New(cfg, lease, lastAt); err != nil {
		return nil, err
	}
	s.led = false
	return msgs, nil
}

// loop handles messages until the reactor halts for good.
func (s *Service) loop(ctx context.Context, first []Message) {
	halted := s.turn(ctx, first)
	s.clock.End() // begun by Start
	if halted {
		s.box.Close()
	}
	for msgs := range s.box.All() {
		if halted {
			s.turnAway(msgs)
			continue
		}
		if halted = s.turn(ctx, msgs); halted {
			s.box.Close()
		}
	}
}

// turn handles messages, and starts over if the reactor cannot go on with what
// it has in memory. It reports whether the service ends.
func (s *Service) turn(ctx context.Context, msgs []Message) (halted bool) {
	for {
		halt := s.handle(ctx, msgs)
		if halt == nil {
			if !s.led {
				s.led = true
				s.cfg.Tasks.Recovered()
			}
			return false
		}
		if s.stopWake != nil {
			s.stopWake()
		}
		s.restarts++
		if !halt.Again || s.restarts > MaxRestarts {
			s.reason = halt.Reason
			if halt.Reason != nil {
				s.log.ErrorContext(ctx, "runtime halted", "error", halt.Reason)
			}
			s.answerAll(ErrUnknown)
			return true
		}
		s.log.WarnContext(ctx, "runtime starts over from the store", "error", halt.Reason)
		s.answerAll(ErrUnknown)
		var err error
		s.onStorage(func() { msgs, err = s.lead(ctx) })
		if err != nil {
			s.reason = errors.Join(halt.Reason, fmt.Errorf("start over: %w", err))
			return true
		}
		s.hub.reread()
		s.offers.ring()
	}
}

// handle lets the reactor handle messages and does what it wants done. A panic
// of the reactor makes its memory untrusted.
func (s *Service) handle(ctx context.Context, msgs []Message) (halt *Halt) {
	defer func() {
		if p := recover(); p != nil {
			s.log.ErrorContext(ctx, "the runtime has a defect", "panic", p, "stack", string(debug.Stack()))
			halt = &Halt{Reason: fmt.Errorf("%w: panic: %v", errUntrusted, p), Again: true}
		}
	}()
	for _, e := range s.reactor.Handle(msgs, s.clock.Now()) {
		if h, ok := e.(Halt); ok {
			return &h
		}
		s.perform(ctx, e)
	}
	s.gauge.handled(s.reactor.Live(), s.reactor.Backlog())
	return nil
}

func (s *Service) turnAway(msgs []Message) {
	for _, m := range msgs {
		if caller, ok := callerOf(m); ok {
			s.answer(context.Background(), Reply{Caller: caller, Err: ErrStopping})
		}
	}
}

func (s *Service) perform(ctx context.Context, e Effect) {
	switch e := e.(type) {
	case Commit:
		s.askStore(func() Message {
			ctx, cancel := context.WithTimeout(ctx, CommitTimeout)
			defer cancel()
			begun := time.Now()
			err := s.cfg.Store.Commit(ctx, e.Batch)
			s.gauge.committed(time.Since(begun), err != nil)
			if err == nil {
				s.tide.rise(e.Batch.Sequence)
			} else {
				s.log.WarnContext(ctx, "commit failed, nothing more begins until it succeeds", "sequence", e.Batch.Sequence, "error", err)
			}
			return CommitDone{Incarnation: e.Batch.Incarnation, Sequence: e.Batch.Sequence, Err: err}
		})
	case ReadSequence:
		s.askStore(func() Message {
			ctx, cancel := context.WithTimeout(ctx, CommitTimeout)
			defer cancel()
			last, err := s.cfg.Store.LastSequence(ctx)
			if err == nil {
				s.tide.rise(last)
			}
			return SequenceRead{Incarnation: e.Incarnation, Last: last, Err: err}
		})
	case Dispatch:
		s.cfg.Tasks.Dispatch(e.Task)
	case Reattach:
		s.cfg.Tasks.Reattach(e.Task)
	case CancelTask:
		s.cfg.Tasks.CancelTask(e.Run, e.Act, e.Attempt)
	case Settled:
		s.cfg.Tasks.Settled(e)
	case Evaluate:
		s.evaluate(e)
	case Recall:
		s.recall(e)
	case Reload:
		s.reload(e)
	case Seek:
		s.seek(ctx, e)
	case Post:
		s.box.Post(e.Message)
	case WakeAt:
		s.wakeAt(e.At)
	case Reply:
		s.answer(ctx, e)
	case Publish:
		s.restarts = 0
		if s.cfg.Marker != nil {
			s.cfg.Marker.Progress(e.Run)
		}
		if s.cfg.Observe != nil {
			s.cfg.Observe(e.Events)
		}
		s.hub.publish(e)
		if e.Offers {
			s.offers.ring()
		}
	case Quarantined:
		s.log.ErrorContext(ctx, "run is quarantined", "run", e.Run, "error", e.Reason, "stack", string(e.Stack))
		s.hub.quarantine(e.Run, e.Reason)
	case Halt: // see handle
	}
}

// askStore calls the store and posts what it says.
func (s *Service) askStore(call func() Message) {
	if s.cfg.Inline {
		s.box.Post(call())
		return
	}
	s.clock.Begin()
	s.storage <- func() {
		s.box.Post(call())
		s.clock.End()
	}
}

// onStorage calls f where the store is called, after all calls before, and
// waits for it.
func (s *Service) onStorage(f func()) {
	if s.cfg.Inline {
		f()
		return
	}
	done := make(chan struct{})
	s.storage <- func() {
		defer close(done)
		f()
	}
	<-done
}

func (s *Service) evaluate(e Evaluate) {
	s.clock.Begin()
	job := func() {
		result := evaluate(e.Need, s.cfg.Values)
		s.box.Post(Evaluated{Incarnation: e.Incarnation, Run: e.Run, Result: result})
		s.clock.End()
	}
	if s.cfg.Inline {
		job()
		return
	}
	s.pool.do(job)
}

// evaluate turns a panic of an expression language into a failed evaluation.
func evaluate(need engine.NeedEval, values engine.Values) (result engine.Evaluated) {
	defer func() {
		if p := recover(); p != nil {
			result = engine.Evaluated{ID: need.ID, Err: &engine.Error{
				Name: engine.ErrEvaluation, Engine: engine.ErrEvaluation, Message: fmt.Sprintf("the expression language failed: %v", p),
			}}
		}
	}()
	return need.Eval.Evaluate(values)
}

// tick is posted when a timer is due; the reactor sees the time.
type tick struct{}

func (tick) message() {}

func (s *Service) wakeAt(at time.Time) {
	if s.stopWake != nil {
		s.stopWake()
		s.stopWake = nil
	}
	if !at.IsZero() {
		s.stopWake = s.clock.AfterFunc(at, func() { s.box.Post(tick{}) })
	}
}
