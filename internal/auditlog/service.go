package auditlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
)

// Times and sizes.
const (
	// Every is how old the last checkpoint gets before the next one.
	Every = time.Minute
	// DefaultLeaves is by how many batches the log grows before the next one.
	DefaultLeaves = 1000
	// PollEvery is how often the service looks whether the log has grown.
	PollEvery = time.Second
)

// Log is what the service reads of the store. Safe for concurrent use.
type Log interface {
	AuditSize(ctx context.Context) (uint64, error)
	AuditLeaf(ctx context.Context, n uint64) (store.Leaf, error)
	AuditHashes(ctx context.Context, indexes []int64) ([]audit.Hash, error)
	EntryEvidence(ctx context.Context, id store.EntryID) (store.Entry, store.Evidence, error)
	RecordEvidence(ctx context.Context, run store.RunID, first uint64) (store.Record, store.Evidence, error)
}

// Config is what a Service is made with. Log and Root are needed.
type Config struct {
	Log Log
	// Root is the data folder; it stays open until Stop has returned.
	Root    *os.Root
	Anchors []Anchor
	// Leaves says after how many batches a checkpoint is signed before its time:
	// 0 means DefaultLeaves.
	Leaves uint64
	// Alarm is called, once, when the log does not continue what was signed; it
	// must neither block nor call the service. Nil: nobody is told.
	Alarm  func(error)
	Clock  clock.Clock  // default clock.Real
	Logger *slog.Logger // default: discarded
}

// Service signs checkpoints. Safe for concurrent use.
type Service struct {
	cfg     Config
	keys    keys
	anchors []*runner

	signing sync.Mutex // one checkpoint after the other

	mu        sync.Mutex // guards what follows
	ledger    *ledger
	fault     error // why nothing is signed any more
	lastError error // of the last try to sign

	started bool
	once    sync.Once
	stop    context.CancelFunc // ends loops
	loops   sync.WaitGroup
	ended   error
}

// Open reads or makes the key and reads the last checkpoint. It signs nothing.
// Errors: [ErrKey], [ErrDamaged], datadir.ErrUnsafe, wrapped. Stop must be called.
func Open(cfg Config) (*Service, error) {
	if cfg.Leaves == 0 {
		cfg.Leaves = DefaultLeaves
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, stop: func() {}}
	var err error
	if s.keys, err = openKeys(cfg.Root); err != nil {
		return nil, fmt.Errorf("open signing key: %w", err)
	}
	if s.ledger, err = openLedger(cfg.Root, s.keys.public); err != nil {
		return nil, fmt.Errorf("open checkpoints: %w", err)
	}
	for _, a := range cfg.Anchors {
		s.anchors = append(s.anchors, newRunner(s, a))
	}
	return s, nil
}

// Start signs what the log has grown by since the last checkpoint, and goes on
// doing so until Stop. That the log is not what was signed is no error of Start:
// the alarm is raised, and Ready fails.
func (s *Service) Start(ctx context.Context) error {
	if s.started {
		return errors.New("start audit log: it was started before")
	}
	s.started = true
	if err := s.signIfAny(ctx); err != nil && s.Ready() == nil {
		return err
	}
	loopCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if last := s.Last(); last != nil && s.Ready() == nil {
		for _, r := range s.anchors {
			r.offer(last)
		}
	}
	s.loops.Go(func() { s.watch(loopCtx) })
	for _, r := range s.anchors {
		s.loops.Go(func() { r.run(loopCtx) })
	}
	return nil
}

// Stop signs once more, gives the last checkpoint to the anchors that lack it,
// trying each once, and ends. It is called when nothing commits any more, and
// before the store is closed. The context bounds it. It is idempotent; its error
// says what was not done.
func (s *Service) Stop(ctx context.Context) error {
	s.once.Do(func() {
		s.stop()
		s.loops.Wait()
		var errs []error
		if s.started && s.Ready() == nil {
			errs = append(errs, s.signIfAny(ctx))
			for _, r := range s.anchors {
				if s.Ready() == nil {
					errs = append(errs, r.finish(ctx))
				}
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = errors.Join(append(errs, s.ledger.close())...)
	})
	return s.ended
}

// signIfAny signs unless there is nothing to sign.
func (s *Service) signIfAny(ctx context.Context) error {
	if s.Last() == nil {
		if size, err := s.cfg.Log.AuditSize(ctx); err != nil || size == 0 {
			return err
		}
	}
	_, err := s.Sign(ctx)
	return err
}

// watch signs when it is time, until ctx ends.
func (s *Service) watch(ctx context.Context) {
	failed := false
	for sleep(ctx, s.cfg.Clock, PollEvery) == nil && s.Ready() == nil {
		err := s.poll(ctx)
		if err != nil && !failed && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "the audit log was not signed; it is tried again", "error", err)
		}
		failed = err != nil
	}
}

// poll signs if it is time.
func (s *Service) poll(ctx context.Context) error {
	size, err := s.cfg.Log.AuditSize(ctx)
	if err != nil {
		return err
	}
	signed, at := uint64(0), time.Time{}
	if last := s.Last(); last != nil {
		signed, at = uint64(last.Size), last.At
	}
	// A clock that was set back makes no checkpoint wait, nor does a log that
	// shrank.
	age := s.cfg.Clock.Now().Sub(at)
	if size == signed || size > signed && size-signed < s.cfg.Leaves && age >= 0 && age < Every {
		return nil
	}
	_, err = s.Sign(ctx)
	return err
}

// raise notes that nothing is signed any more, and says so once.
func (s *Service) raise(err error) {
	err = fmt.Errorf("%w; nothing is signed until the server starts again with the right files: compare with the anchors, "+
		"or move %s away to begin a new log, and tell those who have the old key", err, filepath.Join(s.cfg.Root.Name(), folderName))
	s.mu.Lock()
	first := s.fault == nil
	if first {
		s.fault = err
	}
	s.mu.Unlock()
	if first && s.cfg.Alarm != nil {
		s.cfg.Alarm(err)
	}
}

// Ready says why nothing is signed any more: [ErrFork] or store.ErrCorrupt,
// wrapped; nil: all is well.
func (s *Service) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// Last is the last checkpoint that was signed; nil: none was.
func (s *Service) Last() *Signed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ledger.last
}

// Key is the public key, which has the name of the log too.
func (s *Service) Key() evidence.Key { return s.keys.public }

// NoAnchor is what Warning says.
const NoAnchor = "the audit log has no anchor: an administrator who has the data folder with the key can rewrite everything, unnoticed; " +
	"set audit.anchor to a file, an HTTP service or a command outside of this machine's control"

// Warning says what is weak about the configuration; empty: nothing.
func (s *Service) Warning() string {
	if len(s.anchors) == 0 {
		return NoAnchor
	}
	return ""
}

// Status says how the log stands, for people and metrics.
type Status struct {
	Origin string
	// Signed is the size of the last checkpoint, SignedAt its time; zero: none.
	Signed   uint64
	SignedAt time.Time
	// Error is that of the last try to sign, Fault why none is made any more.
	Error, Fault error
	Anchored     []Anchored
}

// Anchored says how an anchor stands.
type Anchored struct {
	Kind, Target string
	// Size is that of the last checkpoint that it took since the start, At when;
	// zero: none.
	Size uint64
	At   time.Time
	// Error is that of the last try, nil if it was taken; Failures is how many
	// have failed since.
	Error    error
	Failures int
}

// Status returns how the log stands.
func (s *Service) Status() Status {
	s.mu.Lock()
	out := Status{Origin: s.keys.public.Origin(), Error: s.lastError, Fault: s.fault}
	if last := s.ledger.last; last != nil {
		out.Signed, out.SignedAt = uint64(last.Size), last.At
	}
	s.mu.Unlock()
	for _, r := range s.anchors {
		out.Anchored = append(out.Anchored, r.status())
	}
	return out
}

// sleep waits, or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, c clock.Clock, d time.Duration) error {
	c.Begin()
	defer c.End()
	return clock.Sleep(ctx, c, d)
}
