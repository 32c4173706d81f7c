package mailbox

import (
	"iter"
	"sync"

	"github.com/regie-dev/regie/internal/runtime/clock"
)

// Mailbox is a queue with any number of senders and one receiver. It is not
// bounded: who reads it bounds what it takes on.
type Mailbox[T any] struct {
	clock  clock.Clock
	mu     sync.Mutex
	items  []T
	closed bool
	signal chan struct{} // holds a token while there is something to see
}

// New returns an empty mailbox.
func New[T any](c clock.Clock) *Mailbox[T] {
	return &Mailbox[T]{clock: c, signal: make(chan struct{}, 1)}
}

// Post adds a message. It never blocks, and reports false once the mailbox is
// closed: the message then reaches nobody.
func (m *Mailbox[T]) Post(item T) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.clock.Begin()
	m.items = append(m.items, item)
	m.wake()
	return true
}

// Close ends the mailbox: what is in it is still received. Idempotent.
func (m *Mailbox[T]) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.wake()
}

func (m *Mailbox[T]) wake() {
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// All waits for messages and gives all that are there, in the order of
// posting, until the mailbox is closed and empty. Messages count as in flight
// until the loop's body has returned. A body that leaves the loop early should
// close the mailbox and receive the rest.
func (m *Mailbox[T]) All() iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for range m.signal {
			m.mu.Lock()
			items, closed := m.items, m.closed
			m.items = nil
			m.mu.Unlock()
			if len(items) > 0 {
				more := yield(items)
				for range items {
					m.clock.End()
				}
				if !more {
					return
				}
			}
			if closed {
				return
			}
		}
	}
}
