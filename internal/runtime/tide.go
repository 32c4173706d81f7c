package runtime

import (
	"context"
	"sync"
)

// tide is how far the store has come, for those who wait for it.
type tide struct {
	mu       sync.Mutex
	position uint64
	risen    bell
}

// rise says that everything up to the position is durable.
func (t *tide) rise(position uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if position > t.position {
		t.position = position
		t.risen.ring()
	}
}

// look returns the position and a channel that is closed when it has grown.
func (t *tide) look() (uint64, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position, t.risen.next()
}

// Position is the sequence of the last batch that is durable: readers see
// everything up to it.
func (s *Service) Position() uint64 {
	s.tide.mu.Lock()
	defer s.tide.mu.Unlock()
	return s.tide.position
}

// Reached waits until readers see everything up to the position, and returns
// the position then. Errors: ErrStopping, and that of ctx.
func (s *Service) Reached(ctx context.Context, position uint64) (uint64, error) {
	for {
		now, risen := s.tide.look()
		if now >= position {
			return now, nil
		}
		select {
		case <-risen:
		case <-ctx.Done():
			return now, ctx.Err()
		case <-s.done:
			return now, ErrStopping
		}
	}
}
