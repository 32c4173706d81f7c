package main

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/regie-dev/regie/internal/bench"
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
	for workload, atLeast := range map[string]int{"machine": 5, "W1": 2, "W2": 5, "W3": 1, "W4": 4, "W5": 2, "start": 1, "restart": 12, "load": 7, "soak": 6} {
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
