package executortest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

// patience is how long a test waits for what should come soon.
const patience = 30 * time.Second

// Run tests an executor. open returns a new one and closes it at the end of t;
// two that are open at the same time stand for two Regies on one machine.
func Run(t *testing.T, open func(t *testing.T) executor.Executor) {
	t.Run("memory", func(t *testing.T) { testMemory(t, open(t)) }) // alone: it measures
	for name, test := range map[string]func(*testing.T, executor.Executor){
		"ends":         testEnds,
		"start errors": testStartErrors,
		"environment":  testEnvironment,
		"variables":    testVariables,
		"files":        testFiles,
		"bundle":       testBundle,
		"outputs":      testOutputs,
		"checkpoint":   testCheckpoint,
		"log order":    testLogOrder,
		"log bound":    testLogBound,
		"held output":  testHeldOutput,
		"timeout":      testTimeout,
		"stop":         testStop,
		"wait":         testWait,
		"release":      testRelease,
		"not found":    testNotFound,
		"many":         testMany,
		"directory":    testDirectory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
	t.Run("second executor", func(t *testing.T) {
		t.Parallel()
		testSecond(t, open(t), open(t))
	})
}

// log keeps what a task prints.
type log struct {
	mu     sync.Mutex
	chunks []executor.Chunk
	came   chan struct{} // gets a value, if there is room, when a chunk came
}

func newLog() *log { return &log{came: make(chan struct{}, 1)} }

func (l *log) add(c executor.Chunk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Data = bytes.Clone(c.Data)
	l.chunks = append(l.chunks, c)
	select {
	case l.came <- struct{}{}:
	default:
	}
}

// text is what came on a stream.
func (l *log) text(stream executor.Stream) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b bytes.Buffer
	for _, c := range l.chunks {
		if c.Stream == stream {
			b.Write(c.Data)
		}
	}
	return b.String()
}

// await waits until a text has come on a stream.
func (l *log) await(t *testing.T, stream executor.Stream, want string) {
	t.Helper()
	limit := time.After(patience)
	for l.text(stream) != want {
		select {
		case <-l.came:
		case <-limit:
			t.Fatalf("stream %d has %q, want %q", stream, l.text(stream), want)
		}
	}
}

// start starts a task in a folder of its own. At the end of the test it is
// ended and released.
func start(t *testing.T, x executor.Executor, task executor.Task) (executor.Handle, *log, string) {
	t.Helper()
	l := newLog()
	task.Output = l.add
	task.Dir = t.TempDir()
	h, err := x.Start(t.Context(), task)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := x.Stop(h, 0); err != nil {
			t.Errorf("stop: %v", err)
		}
		_, _ = x.Wait(ctx, h)
		if err := x.Release(h); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return h, l, task.Dir
}

// wait waits for the end of a task.
func wait(t *testing.T, x executor.Executor, h executor.Handle) executor.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := x.Wait(ctx, h)
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return r
}

// run runs a task to its end.
func run(t *testing.T, x executor.Executor, task executor.Task) (executor.Result, *log) {
	t.Helper()
	h, l, _ := start(t, x, task)
	return wait(t, x, h), l
}

// succeed runs a task that must succeed.
func succeed(t *testing.T, x executor.Executor, task executor.Task) (executor.Result, *log) {
	t.Helper()
	r, l := run(t, x, task)
	if r.ErrorName != "" {
		t.Fatalf("task ended with %s (%s); stderr: %s", r.ErrorName, r.ErrorMessage, l.text(executor.Stderr))
	}
	return r, l
}

// awaitGo is a part of a script that waits for a file that letGo makes in the
// working directory.
const awaitGo = "until test -e go; do sleep 0.01; done; rm go; "

// letGo makes the file that awaitGo waits for. (A FIFO would not do: a reader
// that comes back at once may meet the writer before.)
func letGo(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
