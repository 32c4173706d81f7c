package bench_test

import (
	"testing"

	"github.com/regie-dev/regie/internal/bench"
)

// TestRun runs every workload at a small size: each gives its figures, and each
// figure names what it is and how to get it again.
func TestRun(t *testing.T) {
	t.Parallel()
	results, err := bench.Run(t.Context(), bench.Config{Dir: t.TempDir(), Scale: 0.02})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range results {
		seen[r.Workload] = true
		if r.Value <= 0 || r.Unit == "" || r.Metric == "" || r.Command == "" {
			t.Errorf("incomplete result %+v", r)
		}
	}
	for _, w := range []string{"machine", "W1", "W2", "W3", "W5"} {
		if !seen[w] {
			t.Errorf("no figure of %s", w)
		}
	}
	if _, err := bench.Run(t.Context(), bench.Config{Dir: t.TempDir(), Only: []string{"W99"}}); err == nil {
		t.Error("an unknown workload was run")
	}
}
