package supervised

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/executortest"
)

// patience is how long a test waits for what should come soon.
const patience = 30 * time.Second

// config is that of a supervisor of a test's own, which this program is. It
// takes tasks anywhere, and is killed at the end of the test.
func config(t testing.TB) Config {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "supervised") //nolint:usetesting // other users may have to pass through it
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Dir: filepath.Join(dir, "s"),
		Spawn: &Spawn{
			Command: []string{program}, Environ: append(os.Environ(), roleVariable+"=supervisor"), Work: "/", Idle: time.Second,
		},
	}
	t.Cleanup(func() {
		if info, err := Status(context.Background(), c); err == nil {
			_ = unix.Kill(info.PID, unix.SIGKILL)
		}
		_ = os.RemoveAll(dir)
	})
	return c
}

// open returns an executor that is closed at the end of the test.
func open(t testing.TB, c Config) *Executor {
	t.Helper()
	x, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

func TestContract(t *testing.T) {
	t.Parallel()
	c := config(t)
	executortest.Run(t, func(t *testing.T) executor.Executor { return open(t, c) })
}
