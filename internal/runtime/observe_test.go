package runtime_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// TestObserve: whoever counts sees each durable event of each run once, also
// where a commit failed first.
func TestObserve(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		var seen []engine.EventKind
		observe := func(events []engine.Event) {
			for i := range events {
				seen = append(seen, events[i].Kind)
			}
		}
		failures := 2
		disk.fail = func(*store.Batch) error {
			if failures--; failures >= 0 {
				return errors.New("disk full")
			}
			return nil
		}
		s, _ := serve(t, runtime.ServiceConfig{Store: disk, Observe: observe}, succeed)
		var stored []engine.EventKind
		for range 2 {
			run := start1(t, s, program("counted", task("a")))
			if _, err := s.Wait(t.Context(), run); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, r := range disk.records[run] {
				events, err := engine.DecodeEvents(r.Control, r.Payload)
				if err != nil {
					t.Fatal(err)
				}
				for i := range events {
					stored = append(stored, events[i].Kind)
				}
			}
		}
		if d := cmp.Diff(stored, seen); d != "" || !slices.Contains(seen, engine.EvRunEnded) {
			t.Errorf("observed, against stored:\n%s", d)
		}
	})
}
