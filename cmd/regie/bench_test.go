package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/bench"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/executor/supervised"
)

// TestBench runs every workload at a small size, those over the API on servers
// of their own: each gives its figures, and no server is left behind.
func TestBench(t *testing.T) {
	t.Parallel()
	args := []string{"bench", "--scale", "0.01", "--soak", "100ms", "--dir", t.TempDir(), "--output", "json"}
	for _, name := range bench.Workloads() {
		args = append(args, "--only", name)
	}
	out, err := newFolder(t, nil).command(t, args...).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr(err))
	}
	var results []bench.Result
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	figures := map[string]int{}
	for _, r := range results {
		figures[r.Workload]++
		if r.Value <= 0 || r.Unit == "" || r.Metric == "" || r.Command == "" {
			t.Errorf("incomplete result %+v", r)
		}
	}
	for workload, atLeast := range map[string]int{"machine": 5, "W1": 2, "W2": 5, "W3": 1, "W4": 4, "W5": 2, "start": 1, "restart": 12, "load": 7, "loops": 8, "soak": 6} {
		if figures[workload] < atLeast {
			t.Errorf("%d figures of %s, want at least %d", figures[workload], workload, atLeast)
		}
	}
}

func stderr(err error) []byte {
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // of os/exec itself
		return exit.Stderr
	}
	return nil
}

// TestBenchInterrupted: what is asked to end leaves no server, no supervisor and
// no folder behind.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	f, dir := newFolder(t, nil), t.TempDir()
	p := f.start(t, "bench", "--scale", "0.01", "--soak", "1h", "--only", "soak", "--dir", dir)
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	var tasks supervised.Info
	var server datadir.Owner
	for limit := time.Now().Add(patience); ; <-ticker.C {
		if folders, _ := filepath.Glob(filepath.Join(dir, "regie-bench-*", "soak")); len(folders) == 1 {
			var err error
			if tasks, err = supervised.Status(t.Context(), supervised.Config{Dir: filepath.Join(folders[0], "supervisor")}); err == nil {
				server = holder(t, folders[0])
				break
			}
		}
		if time.Now().After(limit) {
			t.Fatal("no server is measured")
		}
	}
	p.signal(syscall.SIGTERM)
	p.line("interrupted")
	p.wants(1)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	awaitEnd(t, tasks.PID)
	awaitEnd(t, server.PID)
}

// holder is who has a data folder.
func holder(t *testing.T, folder string) datadir.Owner {
	t.Helper()
	d, err := datadir.View(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	owner, ok := d.Holder()
	if !ok {
		t.Fatalf("nobody has %s", folder)
	}
	return owner
}
