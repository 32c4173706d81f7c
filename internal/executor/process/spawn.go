package process

import (
	"context"
	"runtime"
	"sync"
)

// maxSpawners bounds the threads that start processes. More than there are
// processors gain nothing: the work is the kernel's.
const maxSpawners = 4

// spawners start processes on threads that live as long as the executor. The
// kernel sends a child its death signal when the thread that forked it ends,
// not when the process does; a thread of the Go scheduler may end at any time.
type spawners struct {
	work chan func()
	wg   sync.WaitGroup
}

func newSpawners() *spawners {
	s := &spawners{work: make(chan func())}
	for range min(runtime.GOMAXPROCS(0), maxSpawners) {
		s.wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for f := range s.work {
				f()
			}
		})
	}
	return s
}

// do runs f on one of the threads; an error says that it was not run.
func (s *spawners) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case s.work <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the threads; no call of do may be under way.
func (s *spawners) close() {
	close(s.work)
	s.wg.Wait()
}
