package schedule

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/runtime/mailbox"
)

// Schedules are the schedules in force.
type Schedules interface {
	// Schedules lists them, paused ones too; nobody changes them afterwards.
	// Keys are unique.
	Schedules(ctx context.Context) ([]Schedule, error)
}

// Runs starts runs. It is called concurrently, for one schedule by one
// goroutine.
type Runs interface {
	// Start starts the run of a tick and returns nil once it is durable, also
	// when the key named one before: the key never expires, and nothing else of
	// the request counts. An error that wraps ErrRefused means that trying again
	// is no use; with any other it is called again.
	Start(ctx context.Context, start Start) error
	// Miss records a skipped run, reason "missed", under the same rules. It must
	// not refuse.
	Miss(ctx context.Context, miss Miss) error
	// Live reports whether a run that the schedule started has not ended. It
	// sees every run that Start has returned for. It is asked only where runs
	// may not overlap.
	Live(ctx context.Context, key Key) (bool, error)
}

// Ledger remembers states durably. It is called concurrently, for one schedule
// by one goroutine.
type Ledger interface {
	// States are all that were recorded.
	States(ctx context.Context) (map[Key]State, error)
	// Record replaces the state of a schedule and returns once that is durable.
	Record(ctx context.Context, key Key, state State) error
}

// ErrRefused means that no run can be started for a tick, now or later: its
// inputs are not accepted. The tick is then recorded as missed.
var ErrRefused = errors.New("run is refused")

// Start asks for the run of a tick.
type Start struct {
	Schedule *Schedule // read only
	Tick     calendar.Tick
	// Key is the idempotency key, within the namespace of the schedule.
	Key string
	// BusinessDate is that of the instant of the tick.
	BusinessDate calendar.Date
}

// Miss asks for the record of a missed tick, or of several in a row.
type Miss struct {
	Start // of the first

	Why   Why
	Count int           // of ticks, at least 1
	Last  calendar.Tick // of several; else the first
	Cause error         // of WhyRefused
}

// Message says what was missed, for people.
func (m *Miss) Message() string {
	why := ""
	switch m.Why {
	case WhyLate:
		why = "nothing started it in time, and it is not caught up"
	case WhyOverlap:
		why = "a run of the schedule had not ended"
	case WhyRefused:
		why = fmt.Sprintf("the run was refused: %v", m.Cause)
	}
	if m.Count > 1 {
		return fmt.Sprintf("%d ticks from %s to %s were missed: %s", m.Count, m.Tick.Nominal, m.Last.Nominal, why)
	}
	return fmt.Sprintf("the tick of %s was missed: %s", m.Tick.Nominal, why)
}

// Config is what a Service is made with. The first three are needed.
type Config struct {
	Schedules Schedules
	Runs      Runs
	Ledger    Ledger
	Clock     clock.Clock // default clock.Real
	Parallel  int         // schedules worked on at once; default DefaultParallel
	// Lateness, if not nil, is told of each run started how long after its tick
	// that was. It is called concurrently.
	Lateness func(key Key, late time.Duration)
	Log      *slog.Logger // default: discarded
}

// Service starts the runs of schedules.
type Service struct {
	cfg   Config
	clock clock.Clock
	log   *slog.Logger
	box   *mailbox.Mailbox[message]

	// Of the loop.
	entries    map[Key]*entry
	states     map[Key]State // of schedules that are not there
	queue      queue
	running    int
	refreshing bool
	stale      bool // refresh again once that is over
	failures   int  // of refreshing, in a row
	looked     time.Time
	stopping   bool
	armed      time.Time
	disarm     func() bool

	started  sync.Once
	startErr error
	halt     chan struct{} // closed: work ends after the present step
	halted   sync.Once
	done     chan struct{}
	cancel   context.CancelFunc
}

// entry is a schedule in force.
type entry struct {
	s        *Schedule
	state    State
	wake     time.Time // zero: never
	waits    bool      // for the end of a run
	busy     bool      // somebody works on it
	again    bool      // plan again once that is over
	gone     bool      // no longer in force
	failures int
	index    int // in the queue, -1 if it is not there
}

// message is what the loop is told.
type message any

type (
	wakeUp    struct{}
	checkTime struct{}
	stop      struct{}
	refresh   struct{}
	runEnded  struct{ key Key }
	refreshed struct {
		list []Schedule
		err  error
	}
	worked struct {
		entry *entry
		state State
		plan  *Plan // without steps; nil: plan again
		err   error
	}
)

// NewService returns a service that has not been started.
func NewService(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = DefaultParallel
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		cfg: cfg, clock: cfg.Clock, log: cfg.Log, box: mailbox.New[message](cfg.Clock),
		entries: map[Key]*entry{}, halt: make(chan struct{}), done: make(chan struct{}), cancel: func() {},
	}
}

// Start reads what is in force and begins. When it returns nil, the service
// must be stopped. Starting again returns what the first start did.
func (s *Service) Start(ctx context.Context) error {
	s.started.Do(func() {
		var err error
		var list []Schedule
		if s.states, err = s.cfg.Ledger.States(ctx); err == nil {
			list, err = s.cfg.Schedules.Schedules(ctx)
		}
		if err != nil {
			s.startErr = fmt.Errorf("start schedules: %w", err)
			close(s.done)
			return
		}
		work, cancel := context.WithCancel(context.WithoutCancel(ctx))
		s.cancel = cancel
		s.looked = s.clock.Now()
		s.box.Post(refreshed{list: list})
		go s.check()
		go func() {
			defer close(s.done)
			defer cancel()
			s.loop(work)
		}()
	})
	return s.startErr
}

// Stop takes no more steps, waits for those that are being taken, and ends the
// service. When ctx ends before that, they are canceled, and so may or may not
// have happened. Idempotent; a service that was not started cannot be started
// any more.
func (s *Service) Stop(ctx context.Context) error {
	s.started.Do(func() {
		s.startErr = errors.New("start schedules: stopped before")
		close(s.done)
	})
	s.halted.Do(func() { close(s.halt) })
	s.box.Post(stop{})
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		s.cancel()
		<-s.done
		return fmt.Errorf("stop schedules: %w", ctx.Err())
	}
}

// Refresh says that what is in force has changed: something was applied,
// removed, paused or resumed. It does not wait.
func (s *Service) Refresh() { s.box.Post(refresh{}) }

// RunEnded says that a run of the schedule has ended. It does not wait.
func (s *Service) RunEnded(key Key) { s.box.Post(runEnded{key}) }

// check has the loop look at the clock now and then. A ticker does not follow a
// clock that is set, which is the point.
func (s *Service) check() {
	ticker := time.NewTicker(CheckEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.box.Post(checkTime{})
		case <-s.halt:
			return
		}
	}
}

func (s *Service) loop(ctx context.Context) {
	for batch := range s.box.All() {
		now := s.clock.Now()
		for _, m := range batch {
			s.handle(ctx, m, now)
		}
		if s.stopping {
			if s.disarm != nil {
				s.disarm()
			}
			if s.running == 0 && !s.refreshing {
				s.box.Close()
			}
			continue
		}
		s.dispatch(ctx, now)
		s.arm(now)
	}
}

func (s *Service) handle(ctx context.Context, m message, now time.Time) {
	switch m := m.(type) {
	case wakeUp:
		s.armed = time.Time{}
	case checkTime:
		set := now.Before(s.looked.Add(-MaxAhead))
		for _, e := range s.entries {
			if set || e.waits {
				s.wakeAt(e, now)
			}
		}
	case stop:
		s.stopping = true
	case refresh:
		s.refresh(ctx)
	case refreshed:
		s.refreshed(ctx, m, now)
	case runEnded:
		if e := s.entries[m.key]; e != nil {
			s.wakeAt(e, now)
		}
	case worked:
		s.worked(m, now)
	}
	s.looked = now
}

// refresh reads the list, once at a time.
func (s *Service) refresh(ctx context.Context) {
	if s.stale = s.refreshing; s.stale || s.stopping {
		return
	}
	s.refreshing = true
	s.clock.Begin()
	go func() {
		defer s.clock.End()
		list, err := s.cfg.Schedules.Schedules(ctx)
		s.box.Post(refreshed{list, err})
	}()
}

// refreshed takes over a new list.
func (s *Service) refreshed(ctx context.Context, m refreshed, now time.Time) {
	s.refreshing = false
	switch {
	case m.err != nil:
		s.log.ErrorContext(ctx, "schedules cannot be read; trying again", "error", m.err)
		s.failures++
		if !s.stopping {
			s.clock.AfterFunc(now.Add(backoff(s.failures)), func() { s.box.Post(refresh{}) })
		}
		return
	case s.stale:
		s.refresh(ctx)
	}
	s.failures = 0
	for _, e := range s.entries {
		e.gone = true
	}
	for i := range m.list {
		sched := &m.list[i]
		e := s.entries[sched.Key]
		if e == nil {
			e = &entry{state: s.states[sched.Key], index: -1}
			s.entries[sched.Key] = e
			delete(s.states, sched.Key)
		}
		e.s, e.gone = sched, false
		s.wakeAt(e, now)
	}
	for _, e := range s.entries {
		if e.gone && !e.busy {
			s.drop(e)
		}
	}
}

// drop forgets a schedule that is no longer in force, but not its state.
func (s *Service) drop(e *entry) {
	if e.index >= 0 {
		heap.Remove(&s.queue, e.index)
	}
	s.states[e.s.Key] = e.state
	delete(s.entries, e.s.Key)
}

// wakeAt has a schedule planned at the instant; zero means never.
func (s *Service) wakeAt(e *entry, at time.Time) {
	if e.busy {
		e.again = true
		return
	}
	e.wake = at
	switch {
	case at.IsZero() && e.index >= 0:
		heap.Remove(&s.queue, e.index)
	case at.IsZero():
	case e.index >= 0:
		heap.Fix(&s.queue, e.index)
	default:
		heap.Push(&s.queue, e)
	}
}

// dispatch works on the schedules whose time has come.
func (s *Service) dispatch(ctx context.Context, now time.Time) {
	for len(s.queue) > 0 && s.running < s.cfg.Parallel && !s.queue[0].wake.After(now) {
		e := s.queue[0]
		heap.Remove(&s.queue, 0)
		e.busy = true
		s.running++
		sched, state := e.s, e.state
		s.clock.Begin()
		go func() {
			defer s.clock.End()
			m := worked{entry: e}
			m.state, m.plan, m.err = s.work(ctx, sched, state)
			s.box.Post(m)
		}()
	}
}

// arm sets the timer to the schedule that is next.
func (s *Service) arm(now time.Time) {
	if len(s.queue) == 0 || !s.queue[0].wake.After(now) {
		return // who is busy reports when there is a place
	}
	at := s.queue[0].wake
	if at.Equal(s.armed) {
		return
	}
	if s.disarm != nil {
		s.disarm()
	}
	s.armed = at
	s.disarm = s.clock.AfterFunc(at, func() { s.box.Post(wakeUp{}) })
}

// worked takes over what somebody did about a schedule.
func (s *Service) worked(m worked, now time.Time) {
	e := m.entry
	s.running--
	e.busy, e.state = false, m.state
	again := e.again
	e.again = false
	switch {
	case e.gone:
		s.drop(e)
		return
	case m.err != nil:
		e.failures++
		e.waits = false
		s.log.Error("schedule cannot go on; trying again", "schedule", e.s.Key.String(), "failures", e.failures, "error", m.err)
		s.wakeAt(e, now.Add(backoff(e.failures)))
	case again || m.plan == nil:
		e.failures = 0
		s.wakeAt(e, now)
	default:
		e.failures, e.waits = 0, m.plan.Waits
		s.wakeAt(e, m.plan.Wake)
	}
}

// backoff is what is waited after so many failures in a row.
func backoff(failures int) time.Duration {
	return min(RetryFirst<<min(failures-1, 20), RetryMax)
}

// queue orders entries by when they are to be planned.
type queue []*entry

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].wake.Before(q[j].wake) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push adds an entry at the end.
func (q *queue) Push(x any) {
	e, _ := x.(*entry)
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop removes the last entry.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.index = -1
	return e
}
