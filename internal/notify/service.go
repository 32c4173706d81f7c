package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/runtime/mailbox"
	"github.com/regie-dev/regie/internal/store"
)

// Times of the service.
const (
	// FeedInterval is how often at most the changes of runs are read.
	FeedInterval = 200 * time.Millisecond
	// LateGrace is how long after it was due a run is looked at: its end may be
	// on its way to the disk.
	LateGrace = time.Second
	// RepeatAfter is how long after a message no other says that the cause of an
	// alert came again.
	RepeatAfter = time.Hour
	// RetryDelay is how long the service waits after the store has failed.
	RetryDelay = 5 * time.Second
	// PruneInterval is how often what is old is forgotten.
	PruneInterval = time.Hour
)

// Bounds of the service.
const (
	// feedPage is how many runs are looked at in one transaction.
	feedPage = 500
	// cursorLag is how many batches are read again at most after a crash for
	// which no alert had to be written.
	cursorLag = 1000
	// prunePage is how many objects are removed in one transaction.
	prunePage = 500
)

// Runs is what the service reads of runs; a [store.Reader] is one.
type Runs interface {
	LiveRuns(ctx context.Context) ([]store.RunRow, error)
	Runs(ctx context.Context, q store.RunQuery) ([]store.RunRow, error)
}

// Config is what a service is made with. Registry, Tables, Runs and Sender are
// needed. The functions are called within transactions: they must not begin one,
// and must return soon.
type Config struct {
	Registry *registry.Registry
	Tables   Tables // opened by the registry
	Runs     Runs
	Sender   Sender
	// Channels are the channels of a namespace that alerts go to. Default: none.
	Channels func(namespace string) []string
	// Owner is the user who owns the alerts of a workflow at first, empty:
	// nobody. Default: nobody.
	Owner func(namespace, workflow string) string
	// Breakers are the circuit breakers that are not closed. Called outside of
	// transactions. Default: none.
	Breakers func() []Breaker
	// Position is the last batch of the store at the start. Where the service
	// has never run, what ended before is not looked at.
	Position uint64
	Clock    clock.Clock  // default clock.Real
	Log      *slog.Logger // default: discarded
}

// Service makes alerts and sends them. Safe for concurrent use.
type Service struct {
	cfg     Config
	clock   clock.Clock
	log     *slog.Logger
	box     *mailbox.Mailbox[any]
	woken   atomic.Bool // a wake message waits
	tripped atomic.Bool // breakers have changed
	watched sync.Map    // runs of which Runs was told last that they ask people, or are due

	mu    sync.Mutex // held over a transaction and what follows from it
	index *index
	// stale says that nobody knows what the last transaction did.
	stale     bool
	outcomes  map[Outcome]uint64
	resilence bool // silences have changed

	// Of the loop.
	position Cursor // up to which runs were looked at
	wanted   bool   // runs have changed
	fedAt    time.Time
	due      dueRuns
	asking   askers
	silences time.Time // when to look at silences again
	pruneAt  time.Time // zero: there is nothing to forget
	retryAt  time.Time
	stopWake func() bool
	stopping bool
	sending  sending

	started sync.Once
	err     error
	done    chan struct{}
}

// Messages of the loop, beside results of sending.
type (
	wake struct{} // runs or alerts have changed
	tick struct{} // it is time for something
	stop struct{}
)

// New returns a service that has not been started.
func New(cfg Config) *Service {
	if cfg.Channels == nil {
		cfg.Channels = func(string) []string { return nil }
	}
	if cfg.Owner == nil {
		cfg.Owner = func(string, string) string { return "" }
	}
	if cfg.Breakers == nil {
		cfg.Breakers = func() []Breaker { return nil }
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		cfg: cfg, clock: cfg.Clock, log: cfg.Log, box: mailbox.New[any](cfg.Clock),
		stale: true, outcomes: map[Outcome]uint64{}, done: make(chan struct{}),
	}
	s.due.init()
	return s
}

// Start reads what is live and begins to look at runs. When it returns nil, the
// service must be stopped. Starting again returns what the first start did.
func (s *Service) Start(ctx context.Context) error {
	s.started.Do(func() {
		if err := s.begin(ctx); err != nil {
			s.err = fmt.Errorf("start alerts: %w", err)
			s.box.Close()
			close(s.done)
			return
		}
		s.wake()
		s.sending.init(context.WithoutCancel(ctx))
		go s.loop(context.WithoutCancel(ctx))
	})
	return s.err
}

func (s *Service) begin(ctx context.Context) error {
	cursor, there := s.cfg.Tables.Cursors.Get("", cursorName)
	if !there {
		cursor = Cursor{Batch: s.cfg.Position}
	}
	s.position = cursor
	_, err := s.update(ctx, func(_ *draft, tx *registry.Tx) error { // also makes the index
		if !there {
			s.cfg.Tables.Cursors.Put(tx, "", cursorName, cursor)
		}
		return nil
	})
	if err != nil {
		return err
	}
	live, err := s.cfg.Runs.LiveRuns(ctx)
	if err != nil {
		return err
	}
	for i := range live {
		s.due.see(&live[i])
		if asks(&live[i]) || !live[i].Due.IsZero() {
			s.watched.Store(live[i].ID, nil)
		}
	}
	s.asking = newAskers(live, s.cfg.Tables.Alerts.All(), store.Time(s.clock.Now()))
	s.wanted, s.resilence, s.pruneAt = true, true, s.clock.Now()
	s.tripped.Store(true)
	return nil
}

// Stop ends the service: messages under way are given up, to be sent again by
// the next start. It waits at most until ctx ends. Idempotent.
func (s *Service) Stop(ctx context.Context) error {
	s.started.Do(func() {
		s.err = errors.New("alerts were stopped before they were started")
		s.box.Close()
		close(s.done)
	})
	s.box.Post(stop{})
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop alerts: %w", ctx.Err())
	}
}

// Runs says that runs have changed, after the commit. It never blocks, and keeps
// no more of what it is given than which runs ask people or are due: the service reads what
// it needs from the store.
func (s *Service) Runs(rows []store.RunRow) {
	news := false
	for i := range rows {
		eased := false // it asks no more, or its deadline was taken away
		if r := &rows[i]; asks(r) || !r.Ended() && !r.Due.IsZero() {
			s.watched.Store(r.ID, nil)
		} else {
			_, eased = s.watched.LoadAndDelete(r.ID)
		}
		news = news || rows[i].Ended() || !rows[i].Due.IsZero() || failureHeld(&rows[i]) || asks(&rows[i]) || eased
	}
	if news {
		s.wake()
	}
}

func (s *Service) wake() {
	if !s.woken.Swap(true) {
		s.box.Post(wake{})
	}
}

// update runs a transaction over alerts.
func (s *Service) update(ctx context.Context, change func(d *draft, tx *registry.Tx) error) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var d *draft
	refused := false
	position, err := s.cfg.Registry.Update(ctx, func(tx *registry.Tx) error {
		if s.stale {
			s.index, s.stale = newIndex(s.cfg.Tables.Alerts.All()), false
		}
		d = newDraft(&s.cfg, s.index, store.Time(s.clock.Now()))
		err := change(d, tx)
		refused = err != nil
		if err == nil {
			d.flush(tx)
		}
		return err
	})
	if err != nil {
		s.stale = s.stale || !refused
		return 0, err
	}
	s.index.take(d)
	s.outcomes[OutcomeSilenced] += uint64(d.dropped)
	return position, nil
}

// lost reports whether nobody knows what a transaction did.
func (s *Service) lost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale
}

// loop handles messages until the service is stopped.
func (s *Service) loop(ctx context.Context) {
	defer close(s.done)
	for messages := range s.box.All() {
		for _, m := range messages {
			switch m := m.(type) {
			case wake:
				s.woken.Store(false)
				s.wanted = true
			case result:
				s.sending.results = append(s.sending.results, m)
			case stop:
				s.stopping = true
			}
		}
		if s.stopping {
			s.end(ctx)
			return
		}
		now := s.clock.Now()
		if !now.Before(s.retryAt) {
			if err := s.round(ctx, now); err != nil {
				s.log.ErrorContext(ctx, "alerts cannot be written; trying again", "error", err, "after", RetryDelay)
				s.retryAt = now.Add(RetryDelay)
			}
		}
		s.send(now)
		s.plan(now)
	}
}

// round does what is to be done now.
func (s *Service) round(ctx context.Context, now time.Time) error {
	if err := s.record(ctx); err != nil {
		return err
	}
	if s.lost() {
		if _, err := s.update(ctx, func(*draft, *registry.Tx) error { return nil }); err != nil {
			return err
		}
	}
	overdue := s.due.anyBefore(now.Add(-LateGrace))
	if overdue || s.wanted && !now.Before(s.fedAt.Add(FeedInterval)) {
		if err := s.feed(ctx, now); err != nil {
			return err
		}
	}
	if overdue {
		if err := s.overdue(ctx, now); err != nil {
			return err
		}
	}
	if err := s.followBreakers(ctx); err != nil {
		return err
	}
	if err := s.endSilences(ctx, now); err != nil {
		return err
	}
	if s.pruneAt.IsZero() || now.Before(s.pruneAt) {
		return nil
	}
	s.pruneAt = time.Time{}
	return s.prune(ctx, now)
}

// plan sets the timer for what comes next.
func (s *Service) plan(now time.Time) {
	if s.pruneAt.IsZero() && s.anythingToPrune() {
		s.pruneAt = now.Add(PruneInterval)
	}
	next := s.pruneAt
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.wanted {
		earlier(s.fedAt.Add(FeedInterval))
	}
	if at, is := s.due.first(); is {
		earlier(at.Add(LateGrace))
	}
	earlier(s.silences)
	if s.retryAt.After(now) {
		next = s.retryAt // nothing is done before, but for sending
	}
	earlier(s.nextSend())
	if s.stopWake != nil {
		s.stopWake()
	}
	s.stopWake = nil
	if !next.IsZero() {
		s.stopWake = s.clock.AfterFunc(next, func() { s.box.Post(tick{}) })
	}
}

// end stops sending and writes what is known.
func (s *Service) end(ctx context.Context) {
	if s.stopWake != nil {
		s.stopWake()
	}
	s.sending.end()
	s.box.Close()
	for messages := range s.box.All() {
		for _, m := range messages {
			if r, ok := m.(result); ok {
				s.sending.results = append(s.sending.results, r)
			}
		}
	}
	err := s.record(ctx)
	if err == nil {
		err = s.keepCursor(ctx)
	}
	if err != nil { // what was not written is done again
		s.log.WarnContext(ctx, "alerts were not written at the end", "error", err)
	}
}
