package bench_test

import (
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/bench"
)

// TestUnknownWorkload: nothing is measured for a name that there is not. That
// every workload gives its figures is tested on the program, in cmd/regie.
func TestUnknownWorkload(t *testing.T) {
	t.Parallel()
	results, err := bench.Run(t.Context(), bench.Config{Dir: t.TempDir(), Only: []string{"W1", "W99"}})
	if err == nil || !strings.Contains(err.Error(), `"W99"`) || len(results) > 0 {
		t.Errorf("measured %v, %v", results, err)
	}
}
