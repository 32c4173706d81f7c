package runtime

import "sync"

// bell wakes everybody who waits for it.
type bell struct {
	mu   sync.Mutex
	rung chan struct{} // closed at the next ring; nil if nobody waits
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// OfferAgain wakes who waits for Offers: work that one of them was about to get may
// be there still.
func (s *Service) OfferAgain() { s.offers.ring() }

// Offers returns a channel that is closed when work for workers outside may have
// come, from now on. Who asks for it before looking with Survey misses none.
func (s *Service) Offers() <-chan struct{} { return s.offers.next() }
