package bench

import "testing"

// TestTenths: of a run whose events take ever longer the last tenth is told apart
// from the first; of one that nobody could look at often enough neither is.
func TestTenths(t *testing.T) {
	t.Parallel()
	var marks []mark
	for i := range 101 {
		marks = append(marks, mark{events: uint64(i), cpu: float64(i * i)})
	}
	if first, last := tenths(marks); first != 10 || last != 190 {
		t.Errorf("an event of the first tenth took %g, of the last %g, want 10 and 190", first, last)
	}
	if first, last := tenths([]mark{{}}); first != 0 || last != 0 {
		t.Errorf("no event took %g and %g", first, last)
	}
}
