package supervised

import (
	"context"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

// The benchmarks of package process show what a bare start takes, and a task
// without a supervisor. Run them with -cpu 1,2,16: tasks that end at the same time
// share a sync.

func benchmarkTask(b *testing.B, task executor.Task) {
	x := open(b, config(b))
	base := b.TempDir()
	var n atomic.Int64
	task.Output = func(executor.Chunk) {}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			task := task
			task.Dir = filepath.Join(base, strconv.FormatInt(n.Add(1), 10))
			h, err := x.Start(context.Background(), task)
			if err == nil {
				_, err = x.Wait(context.Background(), h)
			}
			if err == nil {
				err = x.Release(h)
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkTaskArgs(b *testing.B) { benchmarkTask(b, executor.Task{Args: []string{"/bin/true"}}) }

func BenchmarkTaskScript(b *testing.B) { benchmarkTask(b, executor.Task{Script: "exit 0"}) }

func BenchmarkTaskPrints(b *testing.B) { benchmarkTask(b, executor.Task{Script: "echo hello"}) }
