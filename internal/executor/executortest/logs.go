package executortest

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

func testLogOrder(t *testing.T, x executor.Executor) {
	h, l, dir := start(t, x, executor.Task{Script: "echo one; " + awaitGo + "echo two >&2; " + awaitGo + "printf three"})
	l.await(t, executor.Stdout, "one\n")
	letGo(t, dir)
	l.await(t, executor.Stderr, "two\n")
	letGo(t, dir)
	r := wait(t, x, h)
	var got []string
	last := r.StartedAt
	for _, c := range l.chunks {
		got = append(got, string(rune('0'+c.Stream))+string(c.Data))
		if c.At.Before(last) || c.At.After(time.Now()) {
			t.Errorf("%q came at %s, after one at %s", c.Data, c.At, last)
		}
		last = c.At
	}
	if want := "1one\n|2two\n|1three"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if r.Usage.LogBytes != int64(len("one\ntwo\nthree")) {
		t.Errorf("counted %d bytes", r.Usage.LogBytes)
	}
}

func testLogBound(t *testing.T, x executor.Executor) {
	for name, c := range map[string]struct {
		script  string
		max     int64
		kept    string
		printed int64
		cut     bool
	}{
		"cut":          {script: "printf 0123456789", max: 7, kept: "0123456", printed: 10, cut: true},
		"cut once":     {script: "for i in 1 2 3; do echo 0123456789; done", max: 7, kept: "0123456", printed: 33, cut: true},
		"exactly full": {script: "printf 0123456", max: 7, kept: "0123456", printed: 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, l := succeed(t, x, executor.Task{Script: c.script, MaxLogBytes: c.max})
			if got := l.text(executor.Stdout); got != c.kept || r.Usage.LogBytes != c.printed {
				t.Errorf("kept %q, counted %d", got, r.Usage.LogBytes)
			}
			if mark := l.text(executor.System); (mark != "") != c.cut || strings.Count(mark, "\n") > 1 {
				t.Errorf("mark %q", mark)
			}
		})
	}
}

// testMemory prints a hundred times what is kept.
func testMemory(t *testing.T, x executor.Executor) {
	const size, kept = 100 << 20, 1 << 20
	var passed, marks, largest atomic.Int64
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := x.Start(t.Context(), executor.Task{
		Script: "head -c 104857600 /dev/zero; echo done >$REGIE_CHECKPOINT", Dir: t.TempDir(), MaxLogBytes: kept,
		Output: func(c executor.Chunk) {
			if c.Stream == executor.System {
				marks.Add(1)
				return
			}
			passed.Add(int64(len(c.Data)))
			largest.Store(max(largest.Load(), int64(len(c.Data))))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := wait(t, x, h)
	runtime.ReadMemStats(&after)
	if r.ErrorName != "" || string(r.Checkpoint) != "done\n" {
		t.Errorf("task did not go on: %q %s", r.ErrorName, r.ErrorMessage)
	}
	if passed.Load() != kept || marks.Load() != 1 || r.Usage.LogBytes != size {
		t.Errorf("passed %d bytes and %d marks, counted %d", passed.Load(), marks.Load(), r.Usage.LogBytes)
	}
	if largest.Load() > executor.MaxChunkBytes {
		t.Errorf("a piece of %d bytes", largest.Load())
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("allocated %d MiB", used>>20)
	}
	if err := x.Release(h); err != nil {
		t.Error(err)
	}
}

func testHeldOutput(t *testing.T, x executor.Executor) {
	for name, script := range map[string]string{
		"silent":         "sleep 300 & echo started",
		"noisy":          "echo started; (while :; do echo noise >&2; done) &",
		"ignores asking": "(trap '' TERM HUP; sleep 300) & echo started",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := time.Now()
			_, l := succeed(t, x, executor.Task{Script: script, MaxLogBytes: 1 << 10})
			if took := time.Since(before); took > patience/2 {
				t.Errorf("waited %s for a descendant that holds the output", took)
			}
			if name != "noisy" && l.text(executor.Stdout) != "started\n" {
				t.Errorf("stdout %q", l.text(executor.Stdout))
			}
		})
	}
	t.Run("late", func(t *testing.T) {
		t.Parallel()
		_, l := succeed(t, x, executor.Task{Script: "(sleep 0.1; echo late) & echo started"})
		if got := l.text(executor.Stdout); got != "started\nlate\n" {
			t.Errorf("stdout %q; what a descendant prints soon after the end belongs to the task", got)
		}
	})
}
