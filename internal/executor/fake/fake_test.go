package fake_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/fake"
)

// Time passes at once: the tests run in a bubble.
func bubble(t *testing.T, outcomes []fake.Outcome, test func(t *testing.T, x *fake.Executor)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := fake.New(fake.Config{Steps: map[string][]fake.Outcome{"step": outcomes}})
		test(t, x)
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
}

func start(t *testing.T, x *fake.Executor, task executor.Task) executor.Handle {
	t.Helper()
	task.Step = "step"
	h, err := x.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOutcomesByAttempt(t *testing.T) {
	broken := &executor.StartError{Name: "start", Err: errors.New("no disk")}
	bubble(t, []fake.Outcome{
		{StartErr: broken},
		{Result: executor.Result{ErrorName: "exit.75", ExitCode: 75}},
		{Delay: time.Minute, Prints: []executor.Chunk{{Stream: executor.Stdout, Data: []byte("hi")}}},
	}, func(t *testing.T, x *fake.Executor) {
		if _, err := x.Start(t.Context(), executor.Task{Step: "step", Attempt: 1}); !errors.Is(err, broken) {
			t.Errorf("first attempt: %v", err)
		}
		r, err := x.Wait(t.Context(), start(t, x, executor.Task{Attempt: 2}))
		if err != nil || r.ErrorName != "exit.75" {
			t.Errorf("second attempt: %q, %v", r.ErrorName, err)
		}
		for attempt := 3; attempt < 5; attempt++ {
			printed := ""
			h := start(t, x, executor.Task{Attempt: attempt, Output: func(c executor.Chunk) { printed += string(c.Data) }})
			r, err := x.Wait(t.Context(), h)
			if err != nil || r.ErrorName != "" || r.EndedAt.Sub(r.StartedAt) != time.Minute || printed != "hi" {
				t.Errorf("attempt %d: %+v, %v, printed %q", attempt, r, err, printed)
			}
		}
		if got := x.Started(); len(got) != 4 || got[3].Attempt != 4 {
			t.Errorf("started %d tasks", len(got))
		}
	})
}

func TestUnknownStepSucceeds(t *testing.T) {
	bubble(t, nil, func(t *testing.T, x *fake.Executor) {
		if r, err := x.Wait(t.Context(), start(t, x, executor.Task{})); err != nil || r.ErrorName != "" {
			t.Errorf("got %q, %v", r.ErrorName, err)
		}
	})
}

func TestEnded(t *testing.T) {
	for name, c := range map[string]struct {
		outcome fake.Outcome
		task    executor.Task
		stops   []time.Duration
		want    string
		signal  string
		took    time.Duration
	}{
		"timeout":          {fake.Outcome{Delay: time.Hour}, executor.Task{Timeout: time.Minute, Grace: time.Second}, nil, "timeout", "TERM", time.Minute},
		"in time":          {fake.Outcome{Delay: time.Second}, executor.Task{Timeout: time.Minute}, nil, "", "", time.Second},
		"timeout, ignored": {fake.Outcome{Forever: true, IgnoresTerm: true}, executor.Task{Timeout: time.Minute, Grace: time.Second}, nil, "timeout", "KILL", time.Minute + time.Second},
		"default grace":    {fake.Outcome{Forever: true, IgnoresTerm: true}, executor.Task{Timeout: time.Minute}, nil, "timeout", "KILL", time.Minute + executor.DefaultGrace},
		"stopped":          {fake.Outcome{Forever: true}, executor.Task{}, []time.Duration{time.Second, time.Second}, "canceled", "TERM", 0},
		"stopped, ignored": {fake.Outcome{Forever: true, IgnoresTerm: true}, executor.Task{}, []time.Duration{time.Second}, "canceled", "KILL", time.Second},
		"killed":           {fake.Outcome{Forever: true}, executor.Task{}, []time.Duration{0, 0}, "canceled", "KILL", 0},
		"killed at last":   {fake.Outcome{Forever: true, IgnoresTerm: true}, executor.Task{}, []time.Duration{time.Hour, 0}, "canceled", "KILL", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, []fake.Outcome{c.outcome}, func(t *testing.T, x *fake.Executor) {
				h := start(t, x, c.task)
				synctest.Wait()
				for _, grace := range c.stops {
					if err := x.Stop(h, grace); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				r, err := x.Wait(t.Context(), h)
				if err != nil || r.ErrorName != c.want || r.Signal != c.signal || r.EndedAt.Sub(r.StartedAt) != c.took {
					t.Errorf("got %+v, %v", r, err)
				}
			})
		})
	}
}

func TestHandles(t *testing.T) {
	bubble(t, []fake.Outcome{{Delay: time.Second, Lost: true}}, func(t *testing.T, x *fake.Executor) {
		h := start(t, x, executor.Task{})
		if err := x.Release(h); !errors.Is(err, executor.ErrRunning) {
			t.Errorf("release of a task that runs: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := x.Wait(ctx, h); !errors.Is(err, context.Canceled) {
			t.Errorf("wait with an ended context: %v", err)
		}
		if _, err := x.Wait(t.Context(), h); !errors.Is(err, executor.ErrNotFound) {
			t.Errorf("wait for a lost task: %v", err)
		}
		for range 2 {
			if err := x.Release(h); err != nil {
				t.Errorf("release: %v", err)
			}
		}
		for _, unknown := range []executor.Handle{h, "nonsense"} {
			if _, err := x.Wait(t.Context(), unknown); !errors.Is(err, executor.ErrNotFound) {
				t.Errorf("wait for %q: %v", unknown, err)
			}
			if err := x.Stop(unknown, 0); err != nil {
				t.Errorf("stop of %q: %v", unknown, err)
			}
		}
	})
}

func TestClose(t *testing.T) {
	bubble(t, []fake.Outcome{{Forever: true}}, func(t *testing.T, x *fake.Executor) {
		h := start(t, x, executor.Task{})
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Wait(t.Context(), h); !errors.Is(err, executor.ErrClosed) {
			t.Errorf("wait after close: %v", err)
		}
		var refused *executor.StartError
		if _, err := x.Start(t.Context(), executor.Task{}); !errors.As(err, &refused) || !errors.Is(err, executor.ErrClosed) {
			t.Errorf("start after close: %v", err)
		}
	})
}
