package worker

import (
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/mock"
)

// fake is an attempt that a mock stands in for. It has no goroutine: what it
// does, it does when it is assigned, when its time has passed, and when it is
// killed, so that on a virtual clock the same mocks end in the same order each
// time.
type fake struct {
	w     *Worker
	a     *attempt
	task  *engine.Task
	mock  mock.Result
	began time.Time

	mu   sync.Mutex
	stop func() bool // of the timer; nil before it is set
	over bool
}

// newFake makes a fake of an attempt.
func (w *Worker) newFake(a *attempt, t *engine.Task, m mock.Result) *fake {
	return &fake{w: w, a: a, task: t, mock: m}
}

// begin prints what the mock prints, and waits as long as it says.
func (f *fake) begin() {
	f.began = f.w.cfg.Clock.Now()
	f.w.tellStarted(f.a.ref)
	f.print()
	length, outcome := f.mock.Duration, f.outcome()
	if f.task.Timeout > 0 && length > f.task.Timeout {
		length, outcome = f.task.Timeout, timedOut(f.task)
	}
	if length <= 0 {
		f.end(outcome)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.stop = f.w.cfg.Clock.AfterFunc(f.began.Add(length), func() { f.end(outcome) })
	}
}

// print writes the log, if there is anything in it.
func (f *fake) print() {
	if len(f.mock.Log) == 0 {
		return
	}
	log, err := f.w.openLog(f.task)
	if err != nil || log == nil {
		return
	}
	for _, line := range f.mock.Log {
		_ = log.Write(executor.Chunk{At: f.began, Stream: executor.Stdout, Data: []byte(line + "\n")})
	}
	_ = log.Close()
}

// outcome is what the mock gives.
func (f *fake) outcome() engine.TaskOutcome {
	m := &f.mock
	switch {
	case m.Lost:
		return engine.TaskOutcome{Kind: engine.OutcomeLost}
	case m.ErrorName != "":
		return engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{
			Name: m.ErrorName, Message: m.ErrorMessage, Details: m.ErrorDetails,
		}}
	}
	return engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: m.Output, Warning: m.Warning}
}

// kill ends the attempt before its time.
func (f *fake) kill() {
	f.mu.Lock()
	stop := f.stop
	f.mu.Unlock()
	if stop == nil || stop() {
		f.end(engine.TaskOutcome{Kind: engine.OutcomeCanceled})
	}
}

// end reports the outcome, once.
func (f *fake) end(outcome engine.TaskOutcome) {
	f.mu.Lock()
	over := f.over
	f.over = true
	f.mu.Unlock()
	if over {
		return
	}
	defer f.w.running.Done()
	outcome.StartedAt, outcome.EndedAt = f.began, f.w.cfg.Clock.Now()
	f.w.end(f.a, outcome)
}
