package runtime

import (
	"context"

	"github.com/regie-dev/regie/internal/engine"
)

// Operate does an action of an operator that is one of the engine's inputs, such
// as engine.Settle, on a run, and returns once that is recorded. The order's
// action is that of the input. Errors: those of Hold; for an action that reopens
// ended runs those of Retry.
func (s *Service) Operate(ctx context.Context, o Order, in engine.Input) (Done, error) {
	return s.act(ctx, o, in)
}

// reopens reports whether an action may be about a run that has ended.
func reopens(in engine.Input) bool {
	switch in.(type) {
	case engine.Retry, engine.Settle, engine.Rerun, engine.Compensate:
		return true
	}
	return false
}
