package runtime

import (
	"context"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// Signal sends a signal to a run, and returns once it is recorded. Nothing is
// affected if the run had one with the same key. Errors: *engine.Refusal;
// ErrNotLive for a run that has ended; ErrQuarantined, ErrBusy, ErrStopping;
// ErrUnknown, and the error of ctx, mean that it may have come.
func (s *Service) Signal(ctx context.Context, run store.RunID, in engine.Signal, entries []store.Entry) (Done, error) {
	return s.act(ctx, Order{Run: run, Entries: entries}, in)
}

// Vote gives a run the decision of a person, and returns once it is recorded.
// Errors: those of Signal.
func (s *Service) Vote(ctx context.Context, run store.RunID, in engine.Vote, entries []store.Entry) (Done, error) {
	return s.act(ctx, Order{Run: run, Entries: entries}, in)
}
