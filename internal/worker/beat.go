package worker

import (
	"context"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/executor"
)

// How often it is looked whether a task has given a sign of life: looksPerBeat
// times in the time that one may take to come, within bounds.
const (
	looksPerBeat = 10
	minLook      = 20 * time.Millisecond
	maxLook      = 10 * time.Second
)

// listen passes on the signs of life of a task until ctx ends.
func (w *Worker) listen(ctx context.Context, x executor.Beater, h executor.Handle, heartbeat time.Duration, ref dispatch.Ref) {
	looks := time.NewTicker(min(max(heartbeat/looksPerBeat, minLook), maxLook))
	defer looks.Stop()
	last, _ := x.LastBeat(h)
	for {
		select {
		case <-ctx.Done():
			return
		case <-looks.C:
		}
		// What cannot be looked at now is looked at again.
		if at, err := x.LastBeat(h); err == nil && at.After(last) {
			last = at
			if l := w.told(); l != nil {
				l.Beat(ref)
			}
		}
	}
}
