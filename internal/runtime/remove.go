package runtime

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/regie-dev/regie/internal/store"
)

// Remove asks for something of ended runs to be taken away, all in one batch.
type Remove struct {
	// Erase names runs whose payloads and keys are destroyed.
	Erase []store.RunID
	// Prune names runs that are removed.
	Prune []store.Pruned
	// Entries are committed with it.
	Entries []store.Entry
	Caller  Caller
}

func (Remove) message() {}

// Removal is what a [Service.Remove] takes away.
type Removal struct {
	// Erase names runs that have ended and were not erased before, each once.
	Erase []store.RunID
	// Prune names runs that have ended and were erased before, each with all
	// batches that have its records. Nothing is left of them but that they were
	// there.
	Prune []store.Pruned
	// Entries are the audit records of it, committed in the same batch.
	Entries []store.Entry
}

// LiveError says which run goes on, so that nothing of it can be taken away. It
// is ErrLive.
type LiveError struct{ Run store.RunID }

func (e *LiveError) Error() string { return fmt.Sprintf("run %s: %v", e.Run, ErrLive) }

func (e *LiveError) Unwrap() error { return ErrLive }

// ErasedError says which run was erased before. It is ErrErased.
type ErasedError struct{ Run store.RunID }

func (e *ErasedError) Error() string { return fmt.Sprintf("run %s: %v", e.Run, ErrErased) }

func (e *ErasedError) Unwrap() error { return ErrErased }

// Remove takes something of ended runs away and returns the batch that did so,
// once it is durable. All of it is done, or nothing. Errors: *LiveError,
// *ErasedError, store.ErrNotFound, store.ErrInvalid; ErrBusy, ErrStopping;
// ErrUnknown means that it may have been done.
//
// Removals are made one after the other, and what was begun is waited for though
// the caller goes away: nobody else can erase a run between the look at its row
// and the batch.
func (s *Service) Remove(ctx context.Context, m Removal) (position uint64, err error) {
	alone := store.Batch{Sequence: math.MaxInt64, Incarnation: 1, At: s.clock.Now(), Erase: m.Erase, Prune: m.Prune, Entries: m.Entries}
	if err := alone.Check(); err != nil {
		return 0, fmt.Errorf("remove what runs left: %w", err)
	}
	s.removing.Lock()
	defer s.removing.Unlock()
	for _, id := range m.Erase {
		row, err := s.cfg.Store.Run(ctx, id)
		switch {
		case err != nil:
			return 0, fmt.Errorf("read run %s: %w", id, err)
		case !row.Ended():
			return 0, &LiveError{Run: id}
		case row.Erased > 0:
			return 0, &ErasedError{Run: id}
		}
	}
	for i := range m.Prune {
		if err := s.checkPrune(ctx, &m.Prune[i]); err != nil {
			return 0, err
		}
	}
	reply, err := s.call(context.WithoutCancel(ctx), func(c Caller) Message {
		return Remove{Erase: slices.Clone(m.Erase), Prune: slices.Clone(m.Prune), Entries: slices.Clone(m.Entries), Caller: c}
	})
	return reply.Position, err
}

// checkPrune refuses what the store would.
func (s *Service) checkPrune(ctx context.Context, p *store.Pruned) error {
	row, err := s.cfg.Store.Run(ctx, p.Run)
	if err != nil {
		return fmt.Errorf("read run %s: %w", p.Run, err)
	}
	if !row.Ended() {
		return &LiveError{Run: p.Run}
	}
	var batches []uint64
	for record, err := range s.cfg.Store.Events(ctx, p.Run, 1) {
		if err != nil {
			return fmt.Errorf("read events of run %s: %w", p.Run, err)
		}
		batches = append(batches, record.Batch)
	}
	if row.Erased == 0 || !slices.Equal(batches, p.Batches) {
		return fmt.Errorf("%w: run %s was not erased, or has records in other batches", store.ErrInvalid, p.Run)
	}
	return nil
}

// remove puts a removal into the batch, if none of its runs goes on: one that
// was just reopened, or is being read to be.
func (r *Reactor) remove(m Remove) {
	ids := slices.Clone(m.Erase)
	for i := range m.Prune {
		ids = append(ids, m.Prune[i].Run)
	}
	for _, id := range ids {
		if r.live[id] != nil || len(r.waiting[id]) > 0 {
			r.building.after(id, Reply{Caller: m.Caller, Run: id, Err: &LiveError{Run: id}})
			return
		}
	}
	b := r.building
	b.prune = append(b.prune, m.Prune...)
	b.erase = append(b.erase, m.Erase...)
	for i := range m.Entries {
		b.entries = append(b.entries, entry{Entry: m.Entries[i], caller: m.Caller})
	}
	b.events += len(ids) + len(m.Entries)
	b.after("", Reply{Caller: m.Caller})
}

// removing reports whether a batch that is not durable erases the run. One that
// prunes it needs no look: the run was erased before.
func (r *Reactor) removing(id store.RunID) bool {
	return slices.Contains(r.building.erase, id) || r.inflight != nil && slices.Contains(r.inflight.erase, id)
}
