package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// hand makes attempts as the test says, and reports to the service.
type hand struct {
	service *runtime.Service
	// do returns how an attempt ends; false: it goes on.
	do func(engine.Task) (engine.TaskOutcome, bool)

	mu        sync.Mutex
	recovered int // how often the runtime was made anew
	settled   int
	stopped   []engine.ActID
}

func succeed(engine.Task) (engine.TaskOutcome, bool) {
	return engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.String("done")}, true
}

func (h *hand) end(t engine.Task, o engine.TaskOutcome) {
	h.service.TaskEnded(store.RunID(t.Run), t.Fence, engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: o})
}

func (h *hand) Dispatch(t engine.Task) {
	if o, over := h.do(t); over {
		h.end(t, o)
	}
}

func (h *hand) Reattach(t engine.Task) { h.end(t, engine.TaskOutcome{Kind: engine.OutcomeLost}) }

func (h *hand) CancelTask(_ store.RunID, act engine.ActID, _ int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = append(h.stopped, act)
}

func (h *hand) Settled(runtime.Settled) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settled++
}

func (h *hand) Recovered() { h.recovered++ }

// serve starts a service on the store; the test's end stops it.
func serve(t *testing.T, cfg runtime.ServiceConfig, do func(engine.Task) (engine.TaskOutcome, bool)) (*runtime.Service, *hand) {
	t.Helper()
	h := &hand{do: do}
	cfg.Languages, cfg.Tasks = languages(), h
	s := runtime.NewService(cfg)
	h.service = s
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s, h
}

func stop(t *testing.T, s *runtime.Service) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func request(t *testing.T, s *runtime.Service, p *workflow.Program) runtime.Request {
	t.Helper()
	prepared, err := s.Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.Request{Program: prepared}
}

func start1(t *testing.T, s *runtime.Service, p *workflow.Program) store.RunID {
	t.Helper()
	accepted, err := s.Submit(t.Context(), request(t, s, p))
	if err != nil {
		t.Fatal(err)
	}
	return accepted.Run
}

// TestSubmitTellsRow: the row in the answer is the one that readers find.
func TestSubmitTellsRow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		for _, held := range []bool{true, false} {
			q := request(t, s, program("waits", wait("90s")))
			q.Held, q.Key, q.Due = held, fmt.Sprint("key", held), time.Date(2031, 1, 1, 0, 0, 0, 999, time.UTC)
			accepted, err := s.Submit(t.Context(), q)
			if err != nil || accepted.Row == nil {
				t.Fatalf("accepted %+v, %v", accepted, err)
			}
			again, err := s.Submit(t.Context(), q)
			if err != nil || !again.Existing || again.Row != nil || again.Run != accepted.Run {
				t.Errorf("the same key again: %+v, %v", again, err)
			}
			row, err := disk.Run(t.Context(), accepted.Run)
			if err != nil || row != *accepted.Row {
				t.Errorf("answer has %+v\nreaders see %+v, %v", *accepted.Row, row, err)
			}
		}
	})
}

func TestServiceRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, h := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		costly := task("b", 0)
		costly.If = expression("costly true")
		q := request(t, s, program("two", task("a"), costly, wait("90s")))
		accepted, err := s.Submit(t.Context(), q)
		if err != nil || accepted.Existing || !accepted.Run.Valid() {
			t.Fatalf("accepted %+v, error %v", accepted, err)
		}
		w := s.Watch(accepted.Run, 1)
		defer w.Close()
		begun := time.Now()
		result, err := s.Wait(t.Context(), accepted.Run)
		if err != nil || result.State != engine.Succeeded {
			t.Fatalf("result %+v, error %v", result, err)
		}
		if took := time.Since(begun); took < 90*time.Second || took > 91*time.Second {
			t.Errorf("took %v", took)
		}
		// Once more, of a run that has left memory.
		if again, err := s.Wait(t.Context(), accepted.Run); err != nil || again.State != result.State {
			t.Errorf("result %+v, error %v", again, err)
		}
		synctest.Wait()
		if h.settled != 2 {
			t.Errorf("%d results are settled, want 2", h.settled)
		}
		seen := watchAll(t, w)
		if diff := cmp.Diff(stored(t, disk, accepted.Run), seen); diff != "" {
			t.Errorf("events watched (-stored +got):\n%s", diff)
		}
		// From the middle, and after the end.
		late := s.Watch(accepted.Run, 4)
		defer late.Close()
		if diff := cmp.Diff(seen[3:], watchAll(t, late)); diff != "" {
			t.Errorf("events watched from the middle (-want +got):\n%s", diff)
		}
		if _, err := late.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func watchAll(t *testing.T, w *runtime.Watcher) []engine.EventKind {
	t.Helper()
	var kinds []engine.EventKind
	for {
		events, err := w.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return kinds
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			kinds = append(kinds, events[i].Kind)
		}
	}
}

func stored(t *testing.T, disk *memory, run store.RunID) []engine.EventKind {
	t.Helper()
	var kinds []engine.EventKind
	for _, r := range disk.records[run] {
		events, err := engine.DecodeEvents(r.Control, r.Payload)
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			kinds = append(kinds, events[i].Kind)
		}
	}
	return kinds
}

// A watcher that does not look for long reads from the store what it missed.
func TestSlowWatcher(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		var release sync.Once
		gate := make(chan struct{})
		s, h := serve(t, runtime.ServiceConfig{Store: disk}, nil)
		h.do = func(task engine.Task) (engine.TaskOutcome, bool) {
			if task.Path == "a" {
				go func() {
					<-gate
					h.end(task, engine.TaskOutcome{Kind: engine.OutcomeSucceeded})
				}()
				return engine.TaskOutcome{}, false
			}
			return succeed(task)
		}
		items := make([]value.Value, 1200)
		for i := range items {
			items[i] = value.Int(int64(i))
		}
		p := program("wide", task("a"), workflow.Node{
			ID: "each", Kind: workflow.KindMap, Join: task("", 0).Join,
			Map: &workflow.Map{Body: 1, Items: workflow.Constant(value.List(items...)), Gather: workflow.GatherList},
		})
		p.Bodies = append(p.Bodies, workflow.Body{Nodes: []workflow.Node{task("x")}})
		run := start1(t, s, p)
		w := s.Watch(run, 1)
		defer w.Close()
		if _, err := w.Next(t.Context()); err != nil { // it has begun
			t.Fatal(err)
		}
		release.Do(func() { close(gate) })
		if _, err := s.Wait(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		all := stored(t, disk, run)
		if len(all) < runtime.MaxWatchBacklog {
			t.Fatalf("only %d events", len(all))
		}
		seen := watchAll(t, w)
		if want := len(all) - 4; len(seen) != want || seen[len(seen)-1] != engine.EvRunEnded {
			t.Errorf("%d events, want %d", len(seen), want)
		}
	})
}

func TestServiceKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := serve(t, runtime.ServiceConfig{Store: newMemory()}, succeed)
		q := request(t, s, program("one", task("a")))
		q.Key, q.Body = "k", []byte("body")
		first, err := s.Submit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Submit(t.Context(), q)
		if err != nil || !again.Existing || again.Run != first.Run {
			t.Errorf("again %+v, error %v", again, err)
		}
		q.Body = []byte("other")
		if _, err := s.Submit(t.Context(), q); !errors.Is(err, runtime.ErrConflict) {
			t.Errorf("error %v", err)
		}
		q.Key, q.Run = "", first.Run
		if _, err := s.Submit(t.Context(), q); !errors.Is(err, runtime.ErrRunExists) {
			t.Errorf("error %v", err)
		}
		for _, bad := range []func(*runtime.Request){
			func(q *runtime.Request) { q.Key = "a\x00b" },
			func(q *runtime.Request) { q.Key = "\xff" },
			func(q *runtime.Request) { q.Key = string(make([]byte, store.MaxText+1)) },
			func(q *runtime.Request) { q.Run = "../etc" },
		} {
			q := request(t, s, program("one", task("a")))
			bad(&q)
			if _, err := s.Submit(t.Context(), q); err == nil {
				t.Errorf("accepted %+v", q)
			}
		}
		p := program("strict", task("a"))
		p.Inputs = []workflow.Input{{Name: "day", Required: true}}
		var faults *runtime.InputError
		if _, err := s.Submit(t.Context(), request(t, s, p)); !errors.As(err, &faults) || len(faults.Faults) != 1 {
			t.Errorf("error %v", err)
		}
	})
}

func TestServiceCancelAndInspect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, h := serve(t, runtime.ServiceConfig{Store: newMemory()}, func(engine.Task) (engine.TaskOutcome, bool) {
			return engine.TaskOutcome{}, false
		})
		run := start1(t, s, program("one", task("a")))
		seen, err := s.Inspect(t.Context(), run, func(v runtime.View) any { return v.Run.State })
		if err != nil || seen != engine.Running {
			t.Errorf("seen %v, error %v", seen, err)
		}
		if _, err := s.Cancel(t.Context(), runtime.Order{Run: run, Action: engine.Action{Actor: "me", Reason: "enough"}}); err != nil {
			t.Fatal(err)
		}
		if len(h.stopped) != 1 {
			t.Errorf("stopped %v", h.stopped)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := s.Wait(ctx, run); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v: it waits for the attempt", err)
		}
		s.TaskEnded(run, engine.Fence{Incarnation: 1, Sequence: 1}, engine.TaskEnded{Act: 1, Attempt: 1, Outcome: engine.TaskOutcome{Kind: engine.OutcomeCanceled}})
		if r, err := s.Wait(t.Context(), run); err != nil || r.State != engine.Canceled {
			t.Errorf("result %+v, error %v", r, err)
		}
		for _, run := range []store.RunID{run, "other"} {
			if _, err := s.Cancel(t.Context(), runtime.Order{Run: run}); !errors.Is(err, runtime.ErrNotLive) {
				t.Errorf("error %v", err)
			}
		}
		if _, err := s.Wait(t.Context(), "other"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
}

func TestServiceRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		attempts := 0
		do := func(task engine.Task) (engine.TaskOutcome, bool) {
			if attempts++; attempts == 1 {
				return engine.TaskOutcome{}, false
			}
			return succeed(task)
		}
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, do)
		run := start1(t, s, program("one", task("a"), wait("1h")))
		w := s.Watch(run, 1)
		defer w.Close()
		stop(t, s)
		stop(t, s)
		if _, err := s.Submit(t.Context(), request(t, s, program("one", task("a")))); !errors.Is(err, runtime.ErrStopping) {
			t.Errorf("error %v", err)
		}
		if _, err := s.Wait(t.Context(), run); !errors.Is(err, runtime.ErrStopping) {
			t.Errorf("error %v", err)
		}
		if s.Err() != nil {
			t.Errorf("error %v", s.Err())
		}
		again, _ := serve(t, runtime.ServiceConfig{Store: disk}, do)
		if r, err := again.Wait(t.Context(), run); err != nil || r.State != engine.Succeeded {
			t.Errorf("result %+v, error %v", r, err)
		}
		if attempts != 2 {
			t.Errorf("%d attempts, want 2: the first was lost with the process", attempts)
		}
	})
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	s := runtime.NewService(runtime.ServiceConfig{Store: newMemory(), Tasks: &hand{}})
	stop(t, s)
	if err := s.Start(t.Context()); !errors.Is(err, runtime.ErrStopping) {
		t.Errorf("error %v", err)
	}
}

// failAt lets one commit go wrong, in order of the batches.
func failAt(disk *memory, sequence uint64, err error) {
	disk.fail = func(b *store.Batch) error {
		if b.Sequence == sequence {
			disk.fail = nil
			return err
		}
		return nil
	}
}

func TestServiceOutlivesFailures(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]error{
		"disk full":            errors.New("disk full"),
		"unknown, not written": store.ErrUnknown,
		"unknown, written":     written{store.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				disk := newMemory()
				s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
				if _, ok := fail.(written); ok { //nolint:errorlint // made above
					disk.fail = func(b *store.Batch) error {
						if b.Sequence == 2 {
							return fail
						}
						return nil
					}
				} else {
					failAt(disk, 2, fail)
				}
				run := start1(t, s, program("two", task("a"), task("b", 0)))
				if r, err := s.Wait(t.Context(), run); err != nil || r.State != engine.Succeeded {
					t.Errorf("result %+v, error %v", r, err)
				}
			})
		})
	}
}

// When memory and disk contradict each other the service starts over from the
// store; callers without an answer ask again.
func TestServiceStartsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, h := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		run := start1(t, s, program("slow", wait("1h")))
		w := s.Watch(run, 1)
		defer w.Close()
		synctest.Wait()
		failAt(disk, 2, store.ErrCorrupt)
		q := request(t, s, program("one", task("a")))
		q.Key = "k"
		if _, err := s.Submit(t.Context(), q); !errors.Is(err, runtime.ErrUnknown) {
			t.Fatalf("error %v", err)
		}
		accepted, err := s.Submit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range []store.RunID{accepted.Run, run} {
			if r, err := s.Wait(t.Context(), run); err != nil || r.State != engine.Succeeded {
				t.Errorf("result %+v, error %v", r, err)
			}
		}
		if diff := cmp.Diff(stored(t, disk, run), watchAll(t, w)); diff != "" {
			t.Errorf("events watched (-stored +got):\n%s", diff)
		}
		if h.recovered != 2 {
			t.Errorf("tasks were told of %d recoveries, want 2", h.recovered)
		}
	})
}

func TestServiceGivesUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fail  error
		tries int
	}{
		"lease lost": {store.ErrLeaseLost, 1},
		"damaged":    {store.ErrCorrupt, 1 + runtime.MaxRestarts},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				disk := newMemory()
				s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
				disk.fail = func(*store.Batch) error { return c.fail }
				q := request(t, s, program("one", task("a")))
				tries := 0
				for {
					_, err := s.Submit(t.Context(), q)
					if errors.Is(err, runtime.ErrStopping) {
						break
					}
					if !errors.Is(err, runtime.ErrUnknown) {
						t.Fatalf("error %v", err)
					}
					tries++
				}
				<-s.Done()
				if !errors.Is(s.Err(), c.fail) || tries != c.tries {
					t.Errorf("error %v after %d tries, want %d", s.Err(), tries, c.tries)
				}
			})
		})
	}
}

// A panic beside the engine makes the memory untrusted, not the process dead.
func TestServiceOutlivesPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		first := true
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, func(task engine.Task) (engine.TaskOutcome, bool) {
			if first {
				first = false
				panic("as asked")
			}
			return succeed(task)
		})
		q := request(t, s, program("one", task("a")))
		q.Run = "r1"
		if _, err := s.Submit(t.Context(), q); !errors.Is(err, runtime.ErrUnknown) {
			t.Fatalf("error %v", err)
		}
		if r, err := s.Wait(t.Context(), "r1"); err != nil || r.State != engine.Succeeded {
			t.Errorf("result %+v, error %v", r, err)
		}
	})
}

func TestServiceQuarantines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		bad := task("b", 0)
		bad.If = expression("panic")
		run := start1(t, s, program("poison", task("a"), bad))
		w := s.Watch(run, 1)
		defer w.Close()
		if _, err := s.Wait(t.Context(), run); !errors.Is(err, runtime.ErrQuarantined) {
			t.Errorf("error %v", err)
		}
		if err := s.Quarantine(run); !errors.Is(err, runtime.ErrQuarantined) {
			t.Errorf("error %v", err)
		}
		if _, err := s.Wait(t.Context(), run); !errors.Is(err, runtime.ErrQuarantined) {
			t.Errorf("error %v", err)
		}
		for err := error(nil); !errors.Is(err, runtime.ErrQuarantined); _, err = w.Next(t.Context()) {
			if err != nil {
				t.Fatalf("error %v", err)
			}
		}
	})
}

// A panic of an expression language in the pool is a failed evaluation.
func TestPoolOutlivesPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := serve(t, runtime.ServiceConfig{Store: newMemory()}, succeed)
		bad := task("a")
		bad.If = expression("costly panic")
		run := start1(t, s, program("poison", bad))
		if r, err := s.Wait(t.Context(), run); err != nil || r.State != engine.Failed {
			t.Errorf("result %+v, error %v", r, err)
		}
	})
}

func TestSuspectStartsInQuarantine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marker")
	for range runtime.SuspectExits {
		openMarker(t, path).Enter("r1")
	}
	marker := openMarker(t, path)
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		for _, id := range []store.RunID{"r1", "r2"} {
			q := request(t, s, program("slow", wait("1h")))
			q.Run = id
			if _, err := s.Submit(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		stop(t, s)
		again, _ := serve(t, runtime.ServiceConfig{Store: disk, Marker: marker}, succeed)
		if _, err := again.Wait(t.Context(), "r1"); !errors.Is(err, runtime.ErrQuarantined) {
			t.Errorf("error %v", err)
		}
		if r, err := again.Wait(t.Context(), "r2"); err != nil || r.State != engine.Succeeded {
			t.Errorf("result %+v, error %v", r, err)
		}
	})
}

// With a virtual clock hours pass at once, and a run takes the same course each
// time.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	var first []string
	for range 3 {
		disk := newMemory()
		virtual := clock.NewVirtual(start)
		s, h := serve(t, runtime.ServiceConfig{Store: disk, Clock: virtual, Inline: true}, nil)
		h.do = func(task engine.Task) (engine.TaskOutcome, bool) {
			if task.Path == "a" && task.Attempt < 3 {
				return engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: "boom"}}, true
			}
			if task.Path != "b" {
				return succeed(task)
			}
			virtual.Begin()
			go func() { // a task that takes its time
				defer virtual.End()
				if err := clock.Sleep(context.Background(), virtual, 3*time.Hour); err != nil {
					t.Error(err)
				}
				h.end(task, engine.TaskOutcome{Kind: engine.OutcomeSucceeded})
			}()
			return engine.TaskOutcome{}, false
		}
		a, costly := task("a"), task("c")
		a.Retry = []workflow.Retry{{Backoff: workflow.Backoff{Initial: workflow.Constant(value.String("1h")), Jitter: workflow.JitterFull}}}
		costly.If = expression("costly true")
		q := request(t, s, program("mixed", a, task("b"), costly, wait("5h"), task("d", 0, 1)))
		q.Run, q.Seed = "r1", 42
		if _, err := s.Submit(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Wait(t.Context(), "r1"); err != nil || r.State != engine.Succeeded {
			t.Fatalf("result %+v, error %v", r, err)
		}
		if now := virtual.Now(); !now.Equal(start.Add(5 * time.Hour)) {
			t.Errorf("it is %v", now)
		}
		var course []string
		for _, r := range disk.records["r1"] {
			course = append(course, fmt.Sprintf("%d %s %s", r.Batch, r.Control, r.Payload))
		}
		if first == nil {
			first = course
		}
		if diff := cmp.Diff(first, course); diff != "" {
			t.Errorf("another course:\n%s", diff)
		}
	}
}
