package worker_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// TestTraceparent: tasks of executors learn the span of their attempt before
// what their step sets, which so wins.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of   func(run string, act engine.ActID, attempt int) string
		env  value.Value
		want []string
	}{
		"off": {want: nil},
		"on": {
			of:   func(run string, act engine.ActID, attempt int) string { return fmt.Sprint(run, "/", act, "/", attempt) },
			want: []string{"r1/3/1"},
		},
		"set by the step": {
			of:   func(string, engine.ActID, int) string { return "ours" },
			env:  value.Object(value.M("TRACEPARENT", value.String("theirs"))),
			want: []string{"ours", "theirs"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			x := newScripted(func(task executor.Task) (executor.Result, error) {
				for _, v := range task.Env {
					if v.Name == "TRACEPARENT" {
						got = append(got, v.Value)
					}
				}
				return executor.Result{}, nil
			})
			w, l, _ := setup(t, func(cfg *worker.Config) {
				cfg.Executors, cfg.Traceparent = map[string]executor.Executor{workflow.UsesProcess: x}, c.of
			})
			task := processTask("echo")
			task.Input = value.Object(value.M(workflow.ProcessScript, value.String("echo")), value.M(workflow.ProcessEnv, c.env))
			task.Secrets = nil
			w.Assign(task)
			if o := <-l.ends; o.Kind != engine.OutcomeSucceeded || !slices.Equal(got, c.want) {
				t.Errorf("%s, $TRACEPARENT %q, want %q", o.Kind, got, c.want)
			}
		})
	}
}

// TestAttemptEnded: each attempt is told once, before its end is reported, with
// what it used and how long it took; a mock's too, one that was left is not.
func TestAttemptEnded(t *testing.T) {
	t.Parallel()
	type end struct {
		uses    string
		outcome engine.OutcomeKind
		took    time.Duration
	}
	set, problems := mock.Parse("m.yaml", []byte("mocks: {mocked: {output: 1}}"), mock.Which{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var ends []end
	hold := make(chan struct{})
	x := newScripted(func(executor.Task) (executor.Result, error) {
		at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		return executor.Result{ErrorName: "exit.1", StartedAt: at, EndedAt: at.Add(3 * time.Second)}, nil
	})
	w, l, _ := setup(t, func(cfg *worker.Config) {
		cfg.Executors = map[string]executor.Executor{workflow.UsesProcess: x}
		cfg.Connectors = map[string]connector.Connector{"call": caller(func(ctx context.Context, _ connector.Call) (connector.Result, error) {
			close(hold)
			<-ctx.Done()
			return connector.Result{}, ctx.Err()
		})}
		cfg.Mocks = set
		cfg.AttemptEnded = func(uses string, outcome engine.OutcomeKind, took time.Duration) {
			ends = append(ends, end{uses, outcome, took})
		}
	})
	w.Assign(processTask("x"))
	<-l.ends
	mocked := processTask("x")
	mocked.Path, mocked.Act = "mocked", 4
	w.Assign(mocked)
	<-l.ends
	w.Assign(engine.Task{Run: "r1", Act: 5, Path: "call", Attempt: 1, Uses: "call", Input: value.Object()})
	<-hold
	w.Detach()
	if len(ends) != 2 || ends[0] != (end{workflow.UsesProcess, engine.OutcomeFailed, 3 * time.Second}) || ends[1].outcome != engine.OutcomeSucceeded {
		t.Errorf("told %v", ends)
	}
}
