package worker

import (
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/workflow"
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
	// A mock stands for the message too that ends the step.
	final := f.task.Node != nil && f.task.Node.Task != nil && f.task.Node.Task.Finish != workflow.FinishResult
	return engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: m.Output, Warning: m.Warning, Final: final}
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

// invoked is a step of a run, wherever it stands.
type invoked struct{ run, name string }

// mocked is what mocks are asked about an attempt. Invocations are counted here:
// of those before a restart only the attempts of the same activation are known.
func (w *Worker) mocked(t *engine.Task) mock.Call {
	c := mock.Call{Path: t.Path, Attempt: t.Attempt}
	if t.Node == nil {
		return c
	}
	c.Name = t.Node.ID
	if !w.cfg.Mocks.Counts(c.Name) {
		return c
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := invoked{t.Run, c.Name}
	c.Invocation = max(w.invoked[key], t.Attempt-1)
	if w.attempts[dispatch.RefOf(t)] == nil {
		w.invoked[key] = c.Invocation + 1
	}
	return c
}
