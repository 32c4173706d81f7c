package executortest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

func testWait(t *testing.T, x executor.Executor) {
	h, l, dir := start(t, x, executor.Task{Script: "echo up; " + awaitGo + "exit 9"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Wait(ctx, h); !errors.Is(err, context.Canceled) {
		t.Fatalf("wait with an ended context: %v", err)
	}
	results := make([]executor.Result, 5)
	var waiting sync.WaitGroup
	for i := range results {
		waiting.Go(func() { results[i] = wait(t, x, h) })
	}
	l.await(t, executor.Stdout, "up\n")
	letGo(t, dir)
	waiting.Wait()
	for _, r := range results {
		if r.ErrorName != "exit.9" || !reflect.DeepEqual(r, results[0]) {
			t.Errorf("got %+v and %+v", r, results[0])
		}
	}
}

func testRelease(t *testing.T, x executor.Executor) {
	h, l, dir := start(t, x, executor.Task{Script: "mkdir -p deep/er; echo >deep/er/file; echo up; " + awaitGo})
	l.await(t, executor.Stdout, "up\n")
	if err := x.Release(h); !errors.Is(err, executor.ErrRunning) {
		t.Fatalf("release of a task that runs: %v", err)
	}
	letGo(t, dir)
	if r := wait(t, x, h); r.ErrorName != "" {
		t.Fatalf("a refused release changed the task: %s", r.ErrorName)
	}
	for range 2 {
		if err := x.Release(h); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
	if _, err := x.Wait(t.Context(), h); !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("wait after release: %v", err)
	}
	if err := x.Stop(h, 0); err != nil {
		t.Errorf("stop after release: %v", err)
	}
}

func testNotFound(t *testing.T, x executor.Executor) {
	h, _, _ := start(t, x, executor.Task{Script: "exit 0"})
	wait(t, x, h)
	for _, unknown := range []executor.Handle{"", "nonsense", h + "0"} {
		if _, err := x.Wait(t.Context(), unknown); !errors.Is(err, executor.ErrNotFound) {
			t.Errorf("wait for %q: %v", unknown, err)
		}
		if err := x.Stop(unknown, 0); err != nil {
			t.Errorf("stop of %q: %v", unknown, err)
		}
		if err := x.Release(unknown); err != nil {
			t.Errorf("release of %q: %v", unknown, err)
		}
	}
}

func testMany(t *testing.T, x executor.Executor) {
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			text := fmt.Sprintf("task %d", i)
			r, l := run(t, x, executor.Task{
				Script: `echo "$TEXT"; echo n="$TEXT" >$REGIE_OUTPUT; exit $CODE`,
				Env:    []executor.EnvVar{{Name: "TEXT", Value: text}, {Name: "CODE", Value: fmt.Sprint(i)}},
			})
			if r.ExitCode != i || r.Output.Get("n").String() != fmt.Sprintf("%q", text) || l.text(executor.Stdout) != text+"\n" {
				t.Errorf("task %d: code %d, output %v, stdout %q", i, r.ExitCode, r.Output, l.text(executor.Stdout))
			}
		})
	}
	all.Wait()
}

// testSecond finds tasks of one executor with another.
func testSecond(t *testing.T, first, second executor.Executor) {
	t.Run("running", func(t *testing.T) {
		t.Parallel()
		h, l, dir := start(t, first, executor.Task{
			Script: "echo up; " + awaitGo + "echo total=1 >$REGIE_OUTPUT; echo point >$REGIE_CHECKPOINT; exit 4",
			Step:   "x", SuccessCodes: []int{0, 4},
		})
		l.await(t, executor.Stdout, "up\n")
		var here, there executor.Result
		var both sync.WaitGroup
		both.Go(func() { here = wait(t, first, h) })
		both.Go(func() { there = wait(t, second, h) })
		if err := second.Release(h); !errors.Is(err, executor.ErrRunning) {
			t.Errorf("release of a task that runs: %v", err)
		}
		letGo(t, dir)
		both.Wait()
		same(t, here, there)
		if there.Output.Get("total").String() != `"1"` || string(there.Checkpoint) != "point\n" || there.Warning == "" {
			t.Errorf("got %+v", there)
		}
	})
	t.Run("ended", func(t *testing.T) {
		t.Parallel()
		h, _, _ := start(t, first, executor.Task{Script: "kill -KILL $$"})
		here := wait(t, first, h)
		same(t, here, wait(t, second, h))
		if here.ErrorName != "signal.KILL" {
			t.Errorf("got %q", here.ErrorName)
		}
		if err := second.Stop(h, 0); err != nil {
			t.Errorf("stop of a task that ended: %v", err)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		t.Parallel()
		h, l, _ := start(t, first, executor.Task{Script: "trap '' TERM; echo up; while :; do sleep 300; done"})
		l.await(t, executor.Stdout, "up\n")
		if err := second.Stop(h, 0); err != nil {
			t.Fatal(err)
		}
		if r := wait(t, first, h); r.ErrorName == "" || r.Signal != "KILL" {
			t.Errorf("got %q by %q", r.ErrorName, r.Signal)
		}
	})
	t.Run("released", func(t *testing.T) {
		t.Parallel()
		h, _, _ := start(t, first, executor.Task{Script: "exit 0"})
		wait(t, first, h)
		if err := first.Release(h); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Wait(t.Context(), h); !errors.Is(err, executor.ErrNotFound) {
			t.Errorf("wait after release: %v", err)
		}
		if err := second.Release(h); err != nil {
			t.Errorf("release again: %v", err)
		}
	})
	t.Run("context", func(t *testing.T) {
		t.Parallel()
		h, _, _ := start(t, first, executor.Task{Script: "sleep 300"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := second.Wait(ctx, h); !errors.Is(err, context.Canceled) {
			t.Errorf("wait with an ended context: %v", err)
		}
	})
}

// same compares two results, of which one came from a disk.
func same(t *testing.T, a, b executor.Result) {
	t.Helper()
	if !a.StartedAt.Equal(b.StartedAt) || !a.EndedAt.Equal(b.EndedAt) || a.Output.String() != b.Output.String() {
		t.Errorf("got %+v and %+v", a, b)
	}
	a.StartedAt, a.EndedAt, a.Output = b.StartedAt, b.EndedAt, b.Output
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got %+v and %+v", a, b)
	}
}
