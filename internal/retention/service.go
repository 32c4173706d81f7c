package retention

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
)

// PassEvery is how often what is too old is taken away. The first pass begins
// when the service starts.
const PassEvery = time.Hour

// Runtime removes what the store has. [runtime.Service] does.
type Runtime interface {
	Remove(ctx context.Context, m runtime.Removal) (position uint64, err error)
	Write(ctx context.Context, objects []store.Object, entries []store.Entry) (position uint64, err error)
}

// Logs are what attempts printed, in shards: folders of logs whose names are the
// beginnings of the IDs of their runs. Safe for concurrent use.
type Logs interface {
	// CountLogs is how many logs a run has.
	CountLogs(run store.RunID) (int, error)
	// RemoveLogs deletes the logs of a run, durably, and returns how many there
	// were. To delete those of a run that has none is no error.
	RemoveLogs(run store.RunID) (int, error)
	// LogShards are the names of all shards, in order.
	LogShards() ([]string, error)
	// LogOwners are the runs that have logs in a shard, in order.
	LogOwners(shard string) ([]store.RunID, error)
}

// Archive has copies of runs, outside of what retention takes away. Safe for
// concurrent use.
type Archive interface {
	// Keep copies a run that has ended, durably. False says that the archive has
	// it as it is already.
	Keep(ctx context.Context, row *store.RunRow) (added bool, err error)
	// Count is how many copies of a run there are; Remove deletes them, durably,
	// and returns how many there were.
	Count(row *store.RunRow) (int, error)
	Remove(row *store.RunRow) (int, error)
}

// Usage is how much room the data folder takes, in bytes.
type Usage struct {
	// Database is that of the database, Logs that of what tasks printed, Other
	// all else.
	Database, Logs, Other int64
	// At is when it was measured; zero: not yet.
	At time.Time
}

// Config is what a service is made with. All but Archive is needed.
type Config struct {
	Store   store.Reader
	Runtime Runtime
	Logs    Logs
	// Blobs are the large data of runs, which goes with the rest of it.
	Blobs blob.Remover
	// Archive, nil for none, is where runs are copied to whose policy says so.
	Archive Archive
	// Policies are those of the namespaces that have one.
	Policies func() map[string]Policy
	// Measure measures the data folder.
	Measure func(ctx context.Context) (Usage, error)
	Clock   clock.Clock
	Log     *slog.Logger
}

// Stats is what was taken away by passes since the start of the process.
type Stats struct {
	Erased, Pruned, Logs uint64
	// Archived is how many copies were made before.
	Archived uint64
	// Failed is how many passes ended early.
	Failed uint64
	// Pass is when the last pass ended that did not; zero: none has.
	Pass  time.Time
	Usage Usage
}

// Service takes away what runs have left. Safe for concurrent use.
type Service struct {
	cfg Config

	erasing sync.Mutex // held by one erasure until its logs are gone
	// whole are runs with large data that were not erased when they were looked up.
	// Guarded by erasing.
	whole map[store.RunID]bool

	passed map[string]mark // used by the loop only

	mu    sync.Mutex
	stats Stats

	started sync.Once
	cancel  context.CancelFunc
	done    chan struct{}
}

// New returns a service that has not been started.
func New(cfg Config) *Service {
	return &Service{cfg: cfg, passed: map[string]mark{}, whole: map[store.RunID]bool{}, done: make(chan struct{})}
}

// Start finishes what a crash interrupted, as far as that is possible, and begins
// with the first pass.
func (s *Service) Start(ctx context.Context) error {
	last, err := s.cfg.Store.Entries(ctx, store.EntryQuery{Action: ActionErase, Limit: unfinished})
	if err != nil {
		return fmt.Errorf("read the last erasures: %w", err)
	}
	for i := range last {
		err := s.finish(ctx, store.RunID(strings.TrimPrefix(last[i].Object, "run/")))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.cfg.Log.WarnContext(ctx, "an erasure is not finished; erase the run again", "error", err)
		}
	}
	s.started.Do(func() {
		passing, cancel := context.WithCancel(context.WithoutCancel(ctx))
		s.cancel = cancel
		go s.loop(passing)
	})
	return nil
}

// Stop ends the service and waits for the step of a pass that is under way.
// Idempotent; one that was not started is stopped.
func (s *Service) Stop(ctx context.Context) error {
	s.started.Do(func() {
		s.cancel = func() {}
		close(s.done)
	})
	s.cancel()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats is what was taken away so far.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Service) loop(ctx context.Context) {
	defer close(s.done)
	for ctx.Err() == nil {
		err := s.Pass(ctx)
		usage, failed := s.cfg.Measure(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.cfg.Log.WarnContext(ctx, "what is too old could not be taken away", "error", err)
		}
		if failed != nil {
			s.cfg.Log.WarnContext(ctx, "the data folder could not be measured", "error", failed)
		}
		now := s.cfg.Clock.Now()
		s.mu.Lock()
		switch {
		case err != nil:
			s.stats.Failed++
		default:
			s.stats.Pass = now
		}
		if failed == nil {
			s.stats.Usage = usage
		}
		s.mu.Unlock()
		due := make(chan struct{})
		stop := s.cfg.Clock.AfterFunc(now.Add(PassEvery), func() { close(due) })
		select {
		case <-due:
		case <-ctx.Done():
			stop()
		}
	}
}
