package cli

import (
	"context"
	"errors"
	"sync"
)

// errLeft says that the user left before the end of the run.
var errLeft = errors.New("left before the end of the run")

// interrupts are what the user asks while a run goes on: the first time to
// cancel it, the second time to leave at once.
type interrupts struct {
	asked <-chan struct{}
	times int
}

// during hears what the user asks, and calls cancel the first time, also if that
// was before. The second time ends the context that is returned, with the cause
// errLeft. That of cancel ends with it: canceling is recorded on disk, which
// takes as long as the disk is full. When stop returns, both have ended.
func (i *interrupts) during(ctx context.Context, cancel func(context.Context)) (_ context.Context, stop func()) {
	ctx, leave := context.WithCancelCause(ctx)
	var canceling sync.WaitGroup
	if i.times > 0 {
		canceling.Go(func() { cancel(ctx) })
	}
	end := each(ctx, i.asked, func(int) {
		if i.times++; i.times > 1 {
			leave(errLeft)
			return
		}
		canceling.Go(func() { cancel(ctx) })
	})
	return ctx, func() {
		leave(nil)
		end()
		canceling.Wait()
	}
}
