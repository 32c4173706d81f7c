package clock

import (
	"context"
	"sync"
	"time"
)

// Clock is the time of a service. Safe for concurrent use.
type Clock interface {
	// Now is the present instant.
	Now() time.Time
	// AfterFunc calls f once the instant has come, never before it. It returns
	// at once; f must not block. The result takes the call back and reports
	// whether it was in time: false means that f runs, ran, or was taken back
	// before. On a virtual clock it is called between Begin and End.
	AfterFunc(at time.Time, f func()) (stop func() bool)
	// Begin and End bracket work that is in flight: a message that waits, a
	// commit, an evaluation, a task that runs. Virtual time stands still
	// while there is any.
	Begin()
	End()
}

// recheck is how long a real timer sleeps at most before it looks at the wall
// clock again, so that a clock that was set, or a machine that slept, delays
// nothing by more.
const recheck = time.Minute

// Real is the machine's clock.
type Real struct{}

var _ Clock = Real{}

// Now is the machine's time.
func (Real) Now() time.Time { return time.Now() }

// AfterFunc calls f in a goroutine of its own.
func (Real) AfterFunc(at time.Time, f func()) func() bool {
	t := &realTimer{at: at, f: f}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(t.wait(), t.fire)
	return t.stop
}

// Begin does nothing: real time passes anyway.
func (Real) Begin() {}

// End does nothing.
func (Real) End() {}

type realTimer struct {
	at time.Time
	f  func()

	mu    sync.Mutex
	timer *time.Timer
	done  bool // fired or taken back
}

func (t *realTimer) wait() time.Duration { return min(time.Until(t.at), recheck) }

func (t *realTimer) fire() {
	t.mu.Lock()
	if wait := t.wait(); wait > 0 && !t.done {
		t.timer.Reset(wait)
		t.mu.Unlock()
		return
	}
	fire := !t.done
	t.done = true
	t.mu.Unlock()
	if fire {
		t.f()
	}
}

func (t *realTimer) stop() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return false
	}
	t.done = true
	t.timer.Stop()
	return true
}

// Sleep waits for d on the clock, or until ctx ends, whose error it then
// returns. The caller is in flight (between Begin and End); while it sleeps it
// is not.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	woken := make(chan struct{})
	stop := c.AfterFunc(c.Now().Add(d), func() {
		c.Begin()
		close(woken)
	})
	c.End()
	select {
	case <-woken:
		return nil
	case <-ctx.Done():
		if stop() {
			c.Begin()
		} else {
			<-woken
		}
		return ctx.Err()
	}
}
