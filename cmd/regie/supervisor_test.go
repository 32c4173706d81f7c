package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/supervised"
)

// TestSupervisor: the program is the supervisor that a server starts, survives
// being asked to end while a task runs, and is alone in its folder.
func TestSupervisor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x, err := supervised.Open(t.Context(), supervised.Config{Dir: filepath.Join(dir, "s"), Build: "dev ", Spawn: &supervised.Spawn{
		Environ: append(os.Environ(), asRegie+"=1"), Idle: 100 * time.Millisecond,
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	folder := filepath.Join(x.Work(), "run", "1-1")
	h, err := x.Start(t.Context(), executor.Task{Script: "until test -e go; do sleep 0.01; done; exit 7", Dir: folder})
	if err != nil {
		t.Fatal(err)
	}
	pid := x.Last().PID
	for range 3 {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	p := newFolder(t, nil).command(t, "supervisor", "--dir", filepath.Join(dir, "s"))
	if out, err := p.CombinedOutput(); p.ProcessState.ExitCode() != supervised.LockedExit || !strings.Contains(string(out), "another supervisor") {
		t.Errorf("a second one: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(folder, "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if r, err := x.Wait(ctx, h); err != nil || r.ErrorName != "exit.7" {
		t.Errorf("the task ended with %q, %v", r.ErrorName, err)
	}
	if err := x.Release(h); err != nil { // of the next supervisor
		t.Error(err)
	}
	next := x.Last().PID
	if next == pid {
		t.Error("the supervisor that was asked to end goes on without a task")
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	awaitEnd(t, next)
}

// awaitEnd waits until a process has ended that is none of our own children.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for limit := time.Now().Add(patience); ; <-ticker.C {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(text), ") Z ") {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("process %d does not end", pid)
		}
	}
}
