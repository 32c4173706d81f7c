package auditlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/audit"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
)

// Times of anchors.
const (
	// AnchorTimeout bounds one try to hand a checkpoint over.
	AnchorTimeout = 30 * time.Second
	// FirstRetry is the wait after a failed try; it doubles with each, up to
	// MaxRetry.
	FirstRetry = time.Second
	MaxRetry   = 5 * time.Minute
)

// Anchor keeps checkpoints where those who administer this installation cannot
// change them. Its methods are called from one goroutine.
type Anchor interface {
	// Kind is file, http or command; Target says where, without secrets.
	Kind() string
	Target() string
	// Put hands a checkpoint over, and returns nil when it is kept there. The
	// same one may come again, and not every one that was signed comes. An error
	// that is [ErrFork] says that what is kept there is not of this log; after
	// any other the newest one is tried again.
	Put(ctx context.Context, c *Signed, h History) error
}

// History lets an anchor compare what it has with the log.
type History interface {
	// Key is the public key of the log.
	Key() evidence.Key
	// Continues returns ErrFork, wrapped, unless the log of c continues the old
	// checkpoint, which what names.
	Continues(ctx context.Context, c *Signed, old audit.Checkpoint, what string) error
	// Consistency proves that the log of c continues its first old batches, at
	// most as many as it has.
	Consistency(ctx context.Context, c *Signed, old int64) ([]audit.Hash, error)
}

type history struct{ s *Service }

func (h history) Key() evidence.Key { return h.s.keys.public }

func (h history) Continues(ctx context.Context, c *Signed, old audit.Checkpoint, what string) error {
	return h.s.continues(ctx, c.Checkpoint, old, what)
}

func (h history) Consistency(ctx context.Context, c *Signed, old int64) ([]audit.Hash, error) {
	return h.s.consistency(ctx, c.Size, old)
}

// runner gives the newest checkpoint to an anchor.
type runner struct {
	s      *Service
	anchor Anchor
	signal chan struct{} // holds a token while there may be something to do

	mu     sync.Mutex // guards what follows
	newest *Signed
	state  Anchored
}

func newRunner(s *Service, a Anchor) *runner {
	return &runner{s: s, anchor: a, signal: make(chan struct{}, 1), state: Anchored{Kind: a.Kind(), Target: a.Target()}}
}

// offer gives the runner a newer checkpoint.
func (r *runner) offer(c *Signed) {
	r.mu.Lock()
	r.newest = c
	r.mu.Unlock()
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

func (r *runner) status() Anchored {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// run hands checkpoints over until ctx ends or the log is at fault.
func (r *runner) run(ctx context.Context) {
	for r.s.Ready() == nil {
		select {
		case <-ctx.Done():
			return
		case <-r.signal:
		}
		for wait := FirstRetry; r.put(ctx) != nil; wait = min(2*wait, MaxRetry) {
			if r.s.Ready() != nil || sleep(ctx, r.s.cfg.Clock, wait) != nil {
				return
			}
		}
	}
}

// finish hands the newest over that the anchor lacks, in one try.
func (r *runner) finish(ctx context.Context) error {
	if err := r.put(ctx); err != nil {
		return fmt.Errorf("anchor audit log (%s %s): %w", r.anchor.Kind(), r.anchor.Target(), err)
	}
	return nil
}

// put hands the newest checkpoint over, if the anchor does not have it.
func (r *runner) put(ctx context.Context) error {
	r.mu.Lock()
	c, done := r.newest, r.newest == nil || !r.state.At.IsZero() && r.state.Size == uint64(r.newest.Size)
	r.mu.Unlock()
	if done {
		return nil
	}
	tryCtx, cancel := context.WithTimeout(ctx, AnchorTimeout)
	defer cancel()
	err := r.anchor.Put(tryCtx, c, history{r.s})
	now := r.s.cfg.Clock.Now()
	r.mu.Lock()
	if r.state.Error = err; err == nil {
		r.state.Size, r.state.At, r.state.Failures = uint64(c.Size), now, 0
	} else {
		r.state.Failures++
	}
	failures := r.state.Failures
	r.mu.Unlock()
	switch {
	case errors.Is(err, ErrFork):
		r.s.raise(fmt.Errorf("anchor audit log (%s %s): %w", r.anchor.Kind(), r.anchor.Target(), err))
	case failures == 1 && ctx.Err() == nil:
		r.s.cfg.Logger.WarnContext(ctx, "a checkpoint of the audit log was not anchored; it is tried again",
			"kind", r.anchor.Kind(), "target", r.anchor.Target(), "error", err)
	}
	return err
}
