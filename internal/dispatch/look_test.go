package dispatch_test

import (
	"testing"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// TestPlace: who has an attempt, and how many are before it, can be asked at any
// time, also when the service has stopped.
func TestPlace(t *testing.T) {
	t.Parallel()
	s := dispatch.NewService(dispatch.ServiceConfig{Report: (&recorder{}).report})
	if err := s.Join("w", slots, &recorder{}, nil); err != nil {
		t.Fatal(err)
	}
	for act := engine.ActID(1); act <= 3; act++ {
		s.Dispatch(task(act, 1))
	}
	for _, want := range []struct {
		act    engine.ActID
		worker string
		place  int
	}{{1, "w", 0}, {2, "", 1}, {3, "", 2}, {4, "", 0}} {
		if worker, place := s.Place("r", want.act); worker != want.worker || place != want.place {
			t.Errorf("%d is with %q, at place %d", want.act, worker, place)
		}
	}
	if worker, place := s.Place(store.RunID("other"), 1); worker != "" || place != 0 {
		t.Errorf("of another run: %q, %d", worker, place)
	}
	l := s.Load()
	if l.Queued[match.Process] != 2 || l.Running[match.Process] != 1 || l.Workers["w"] != 1 || l.Attempts != 3 {
		t.Errorf("%+v", l)
	}
	s.Stop()
	if worker, place := s.Place("r", 1); worker != "" || place != 0 {
		t.Errorf("after the stop: %q, %d", worker, place)
	}
}

// TestPause: after a pause workers get nothing more, and what they have ends.
func TestPause(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	s := dispatch.NewService(dispatch.ServiceConfig{Report: r.report})
	if err := s.Join("w", slots, r, nil); err != nil {
		t.Fatal(err)
	}
	s.Dispatch(task(1, 1))
	s.Pause()
	s.Dispatch(task(2, 1))
	s.Ended("w", ref(1, 1), engine.TaskOutcome{Kind: engine.OutcomeSucceeded})
	r.want(t, "assign 1.1", "ended 1.1 succeeded fence 1")
	if l := s.Load(); l.Queued[match.Process] != 1 || l.Running[match.Process] != 0 {
		t.Errorf("%+v", l)
	}
}
