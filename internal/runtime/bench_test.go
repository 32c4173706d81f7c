package runtime_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// BenchmarkRuns measures runs of one step, a thousand at a time, from being
// asked for to their end, without a disk.
func BenchmarkRuns(b *testing.B) {
	p := prepare(program("one", task("a")))
	disk := newMemory()
	lease, err := disk.Acquire(context.Background(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	r, err := runtime.New(runtime.Config{}, lease, start)
	if err != nil {
		b.Fatal(err)
	}
	const each = 1000
	n := 0
	for b.Loop() {
		msgs := make([]runtime.Message, 0, each)
		for range each {
			n++
			msgs = append(msgs, submit(store.RunID(fmt.Sprintf("r%09d", n)), p, 1))
		}
		for len(msgs) > 0 {
			effects := r.Handle(msgs, start)
			msgs = nil
			for _, e := range effects {
				switch e := e.(type) {
				case runtime.Commit:
					err := disk.Commit(context.Background(), e.Batch)
					msgs = append(msgs, runtime.CommitDone{Incarnation: e.Batch.Incarnation, Sequence: e.Batch.Sequence, Err: err})
				case runtime.Dispatch:
					msgs = append(msgs, ended(e.Task, engine.TaskOutcome{Kind: engine.OutcomeSucceeded}))
				}
			}
		}
	}
	if r.Live() != 0 {
		b.Fatalf("%d runs have not ended", r.Live())
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "runs/s")
}
