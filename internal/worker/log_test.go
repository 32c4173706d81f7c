package worker_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/worker"
)

// TestLogOpensForOutput opens a log when there is something to keep, and not
// for a call that prints nothing. Where it cannot be opened the step ends as it
// ended, with a warning.
func TestLogOpensForOutput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, line string
		fault      error
		opened     int64
		warning    string
	}{
		{name: "silent"},
		{name: "prints", line: "done", opened: 1},
		{name: "prints in vain", line: "done", fault: errors.New("disk full"), opened: 1, warning: "what it printed is lost: disk full"},
		{name: "silent, and a disk that is full", fault: errors.New("disk full")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var opened atomic.Int64
			log := &memoryLog{}
			w, l, _ := setup(t, func(cfg *worker.Config) {
				cfg.OpenLog = func(*engine.Task) (worker.Log, error) {
					opened.Add(1)
					return log, c.fault
				}
				cfg.Connectors = map[string]connector.Connector{"call": caller(func(_ context.Context, call connector.Call) (connector.Result, error) {
					for range 2 * len(c.line) {
						call.Log(c.line)
					}
					return connector.Result{}, nil
				})}
			})
			w.Assign(engine.Task{Run: "r1", Act: 1, Attempt: 1, Path: "s", Uses: "call"})
			end := <-l.ends
			if end.Kind != engine.OutcomeSucceeded || end.Warning != c.warning {
				t.Errorf("ended %v, warning %q, want %q", end.Kind, end.Warning, c.warning)
			}
			if opened.Load() != c.opened {
				t.Errorf("the log was opened %d times, want %d", opened.Load(), c.opened)
			}
			if kept := log.text.Len() > 0; kept != (c.line != "" && c.fault == nil) {
				t.Errorf("the log holds %q", log.text.String())
			}
		})
	}
}
