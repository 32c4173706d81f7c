package dispatch_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// recorder is a worker, and a runtime, that note what they are told.
type recorder struct {
	mu    sync.Mutex
	lines []string
	// do, if not nil, is what the worker does with an attempt.
	do func(engine.Task)
}

func (r *recorder) notef(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) want(t *testing.T, lines ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(lines, r.lines); diff != "" {
		t.Fatalf("noted (-want +got):\n%s", diff)
	}
	r.lines = nil
}

func (r *recorder) Assign(t engine.Task) {
	r.notef("assign %d.%d", t.Act, t.Attempt)
	if r.do != nil {
		r.do(t)
	}
}
func (r *recorder) Kill(ref dispatch.Ref)   { r.notef("kill %d.%d", ref.Act, ref.Attempt) }
func (r *recorder) Forget(ref dispatch.Ref) { r.notef("forget %d.%d", ref.Act, ref.Attempt) }

func (r *recorder) report(_ store.RunID, fence engine.Fence, end engine.TaskEnded) {
	r.notef("ended %d.%d %s fence %d", end.Act, end.Attempt, end.Outcome.Kind, fence.Sequence)
}

func (r *recorder) ask(_ store.RunID, act engine.ActID, attempt int, _ engine.Fence) {
	r.notef("asked %d.%d", act, attempt)
}

var slots = match.Capacity{match.Process: 1}

func TestService(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	s := dispatch.NewService(dispatch.ServiceConfig{Report: r.report, Ask: r.ask})
	// A worker that does everything at once, from within the call.
	r.do = func(task engine.Task) {
		s.Started("w", dispatch.RefOf(&task))
		s.Ended("w", dispatch.RefOf(&task), engine.TaskOutcome{Kind: engine.OutcomeSucceeded})
	}
	if err := s.Join("w", slots, r, []dispatch.Held{held(9, "")}); err != nil {
		t.Fatal(err)
	}
	r.want(t, "asked 9.1")
	if err := s.Join("w", slots, r, nil); !errors.Is(err, dispatch.ErrWorkerName) {
		t.Errorf("error %v", err)
	}
	s.Settled(runtime.Settled{Run: "r", Act: 9, Attempt: 1, Fence: task(9, 1).Fence})
	r.want(t, "kill 9.1")
	s.Ended("w", ref(9, 1), engine.TaskOutcome{Kind: engine.OutcomeCanceled})
	r.want(t, "ended 9.1 canceled fence 1")
	s.Dispatch(task(1, 2))
	s.Dispatch(task(2, 1))
	r.want(t, "assign 1.2", "ended 1.2 succeeded fence 2", "assign 2.1", "ended 2.1 succeeded fence 1")
	s.Reattach(task(1, 2))
	s.Settled(runtime.Settled{Run: "r", Act: 1, Attempt: 2, Fence: task(1, 2).Fence})
	r.want(t, "ended 1.2 succeeded fence 2", "forget 1.2")
	r.do = nil
	s.Dispatch(task(3, 1))
	s.CancelTask("r", 3, 1)
	r.want(t, "assign 3.1", "kill 3.1")
	s.Leave("w")
	r.want(t, "ended 3.1 lost fence 1")
	s.Stop()
	s.Dispatch(task(4, 1))
	if err := s.Join("w", slots, r, nil); err != nil {
		t.Fatal(err)
	}
	r.want(t)
}

// A worker that leaves just before it is given an attempt has not begun it.
func TestWorkerLeavesBeforeItIsGivenAnAttempt(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	s := dispatch.NewService(dispatch.ServiceConfig{Report: r.report})
	if err := s.Join("w", match.Capacity{match.Process: 2}, r, nil); err != nil {
		t.Fatal(err)
	}
	s.Leave("w")
	r.do = func(engine.Task) { s.Leave("w") }
	s.Dispatch(task(1, 1))
	s.Dispatch(task(2, 1))
	if err := s.Join("w", match.Capacity{match.Process: 2}, r, nil); err != nil {
		t.Fatal(err)
	}
	r.want(t, "assign 1.1", "ended 2.1 not_started fence 1", "ended 1.1 lost fence 1")
}

func TestServiceKeepsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		s := dispatch.NewService(dispatch.ServiceConfig{
			Config: dispatch.Config{LostAfter: time.Hour}, Report: r.report,
		})
		s.Reattach(task(1, 1))
		<-time.After(time.Hour - time.Nanosecond)
		synctest.Wait()
		r.want(t)
		<-time.After(time.Nanosecond)
		synctest.Wait()
		r.want(t, "ended 1.1 lost fence 1")
	})
}

// Messages from many goroutines are handled one after the other.
func TestServiceFromManyGoroutines(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	s := dispatch.NewService(dispatch.ServiceConfig{Report: func(run store.RunID, fence engine.Fence, end engine.TaskEnded) {
		r.report(run, fence, end)
	}})
	var wg sync.WaitGroup
	r.do = func(task engine.Task) {
		wg.Go(func() {
			s.Started("w", dispatch.RefOf(&task))
			s.Ended("w", dispatch.RefOf(&task), engine.TaskOutcome{Kind: engine.OutcomeSucceeded})
		})
	}
	if err := s.Join("w", match.Capacity{match.Process: 3}, r, nil); err != nil {
		t.Fatal(err)
	}
	const tasks = 200
	var senders sync.WaitGroup
	for i := range tasks {
		senders.Go(func() { s.Dispatch(task(engine.ActID(i+1), 1)) })
	}
	senders.Wait()
	wg.Wait()
	count := map[string]int{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		count[line]++
	}
	for i := range tasks {
		for _, line := range []string{fmt.Sprintf("assign %d.1", i+1), fmt.Sprintf("ended %d.1 succeeded fence 1", i+1)} {
			if count[line] != 1 {
				t.Errorf("%q happened %d times", line, count[line])
			}
		}
	}
}
