package access

import (
	"container/list"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Limits of attempts to log in. Each bucket holds some attempts and gets one
// back every so often. A login that succeeds fills that of the user, and takes
// nothing from that of the address, behind which many may sit.
const (
	UserAttempts       = 10
	UserAttemptEvery   = time.Minute
	RemoteAttempts     = 30
	RemoteAttemptEvery = 10 * time.Second
	// MaxBuckets is how many users and how many addresses are remembered; those
	// that were not seen for longest are forgotten first.
	MaxBuckets = 10_000
)

// buckets are token buckets by key. Safe for concurrent use.
type buckets struct {
	burst int
	every time.Duration
	most  int

	mu    sync.Mutex
	items map[string]*list.Element
	order *list.List // of *bucket, the one seen last in front
}

// bucket is full at the instant full: a bucket with k attempts left is full in
// burst-k times every.
type bucket struct {
	key  string
	full time.Time
}

func newBuckets(burst int, every time.Duration, most int) *buckets {
	return &buckets{burst: burst, every: every, most: most, items: map[string]*list.Element{}, order: list.New()}
}

// take takes an attempt, or says how long to wait for one.
func (b *buckets) take(key string, now time.Time) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.items[key]
	if e == nil {
		if b.order.Len() >= b.most {
			oldest := b.order.Back()
			b.order.Remove(oldest)
			delete(b.items, oldest.Value.(*bucket).key)
		}
		e = b.order.PushFront(&bucket{key: key})
		b.items[key] = e
	}
	b.order.MoveToFront(e)
	one := e.Value.(*bucket)
	whole := time.Duration(b.burst) * b.every
	full := one.full
	switch {
	case full.Before(now):
		full = now
	case full.Sub(now) > whole: // the clock was set back
		full = now.Add(whole)
	}
	full = full.Add(b.every)
	if over := full.Sub(now) - whole; over > 0 {
		return over
	}
	one.full = full
	return 0
}

// fill gives all attempts back.
func (b *buckets) fill(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.items[key]; e != nil {
		b.order.Remove(e)
		delete(b.items, key)
	}
}

// back gives one attempt back.
func (b *buckets) back(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.items[key]; e != nil {
		one := e.Value.(*bucket)
		one.full = one.full.Add(-b.every)
	}
}

// limited is the error of somebody who has to wait.
func limited(wait time.Duration) *Error {
	wait = wait.Truncate(time.Second) + time.Second
	return &Error{Kind: ErrLimited, After: wait, Text: "too many attempts to log in", Hint: fmt.Sprintf("try again in %v", wait)}
}

// remoteAddress reads the address of a peer, with or without a port; the zero
// address if it is none.
func remoteAddress(remote string) netip.Addr {
	if with, err := netip.ParseAddrPort(remote); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	addr, _ := netip.ParseAddr(remote)
	return addr.Unmap().WithZone("")
}

// remoteKey is what attempts are counted by: an IPv4 address, or the /64 of an
// IPv6 address, of which one machine has as many as it likes.
func remoteKey(addr netip.Addr) string {
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return addr.String()
}
