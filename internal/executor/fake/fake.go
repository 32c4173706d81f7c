package fake

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

// Outcome is what becomes of a task.
type Outcome struct {
	// StartErr is returned by Start instead of a handle.
	StartErr error
	// Prints is passed to Task.Output at the start.
	Prints []executor.Chunk
	// Delay is how long the task runs. Forever leaves it running until it is
	// stopped or its timeout has passed.
	Delay   time.Duration
	Forever bool
	// Result is how it ends; StartedAt and EndedAt are filled in.
	Result executor.Result
	// Lost lets Wait return executor.ErrNotFound at the end.
	Lost bool
	// IgnoresTerm lets it run on until the grace of a stop is over.
	IgnoresTerm bool
}

// Config says how tasks end; the zero value lets all succeed at once.
type Config struct {
	// Name is the executor's; default "fake".
	Name string
	// Steps holds the outcomes of a step's attempts in order, by the path of the
	// activation; the last one counts for all further ones.
	Steps map[string][]Outcome
	// Now and After are the clock; default that of the machine.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// Executor implements [executor.Executor]. Safe for concurrent use.
type Executor struct {
	config  Config
	closing chan struct{} // closed by Close
	work    sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	started []executor.Task
	tasks   map[executor.Handle]*task
}

var _ executor.Executor = (*Executor)(nil)

type task struct {
	outcome Outcome
	stop    chan time.Duration // gets the grace of the first stop
	kill    chan struct{}      // closed by a stop without grace
	done    chan struct{}      // closed when result and err stand
	result  executor.Result
	err     error

	mu              sync.Mutex
	stopped, killed bool
}

// New returns an executor. Close it at the end.
func New(config Config) *Executor {
	if config.Name == "" {
		config.Name = "fake"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.After == nil {
		config.After = time.After
	}
	return &Executor{config: config, closing: make(chan struct{}), tasks: map[executor.Handle]*task{}}
}

// Name implements [executor.Executor].
func (x *Executor) Name() string { return x.config.Name }

// Started returns the tasks that were started, in order, also those whose start
// was to fail.
func (x *Executor) Started() []executor.Task {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.started)
}

// Start implements [executor.Executor].
func (x *Executor) Start(ctx context.Context, t executor.Task) (executor.Handle, error) {
	if err := ctx.Err(); err != nil {
		return "", &executor.StartError{Name: "start", Err: err}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return "", &executor.StartError{Name: "start", Err: executor.ErrClosed}
	}
	x.started = append(x.started, t)
	var outcome Outcome
	if list := x.config.Steps[t.Step]; len(list) > 0 {
		outcome = list[min(max(t.Attempt-1, 0), len(list)-1)]
	}
	if outcome.StartErr != nil {
		return "", outcome.StartErr
	}
	h := executor.Handle(fmt.Sprintf("%s:%d", x.config.Name, len(x.started)))
	running := &task{outcome: outcome, stop: make(chan time.Duration, 1), kill: make(chan struct{}), done: make(chan struct{})}
	x.tasks[h] = running
	x.work.Go(func() { x.run(running, t) })
	return h, nil
}

// run lets a task come to its end.
func (x *Executor) run(running *task, t executor.Task) {
	defer close(running.done)
	startedAt := x.config.Now()
	for _, c := range running.outcome.Prints {
		if t.Output != nil {
			t.Output(c)
		}
	}
	var over, timeout <-chan time.Time
	if !running.outcome.Forever {
		over = x.config.After(running.outcome.Delay)
	}
	if t.Timeout > 0 {
		timeout = x.config.After(t.Timeout)
	}
	r := running.outcome.Result
	select {
	case <-over:
	case <-timeout:
		grace := t.Grace
		if grace <= 0 {
			grace = executor.DefaultGrace
		}
		r = x.ended(running, executor.ErrorTimeout, grace, t.Timeout)
	case grace := <-running.stop:
		r = x.ended(running, executor.ErrorCanceled, grace, 0)
	case <-running.kill:
		r = x.ended(running, executor.ErrorCanceled, 0, 0)
	case <-x.closing:
		running.err = executor.ErrClosed
		return
	}
	r.StartedAt, r.EndedAt = startedAt, x.config.Now()
	running.result = r
	if running.outcome.Lost {
		running.result, running.err = executor.Result{}, executor.ErrNotFound
	}
}

// ended is the result of a task that was ended.
func (x *Executor) ended(running *task, cause string, grace, timeout time.Duration) executor.Result {
	exit := executor.Exit{Code: -1, Signal: "TERM", Cause: cause, Timeout: timeout}
	if grace <= 0 || running.outcome.IgnoresTerm {
		exit.Signal = "KILL"
	}
	if grace > 0 && running.outcome.IgnoresTerm {
		select {
		case <-x.config.After(grace):
		case <-running.kill:
		case <-x.closing:
		}
	}
	return exit.Result(nil)
}

func (x *Executor) find(h executor.Handle) *task {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tasks[h]
}

// Wait implements [executor.Executor].
func (x *Executor) Wait(ctx context.Context, h executor.Handle) (executor.Result, error) {
	t := x.find(h)
	if t == nil {
		return executor.Result{}, executor.ErrNotFound
	}
	select {
	case <-t.done:
		return t.result, t.err
	case <-ctx.Done():
		return executor.Result{}, ctx.Err()
	}
}

// Stop implements [executor.Executor].
func (x *Executor) Stop(h executor.Handle, grace time.Duration) error {
	t := x.find(h)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case grace <= 0 && !t.killed:
		t.killed = true
		close(t.kill)
	case grace > 0 && !t.stopped:
		t.stopped = true
		t.stop <- grace
	}
	return nil
}

// Release implements [executor.Executor].
func (x *Executor) Release(h executor.Handle) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.tasks[h]
	if t == nil {
		return nil
	}
	select {
	case <-t.done:
		delete(x.tasks, h)
		return nil
	default:
		return executor.ErrRunning
	}
}

// Close ends all tasks. Idempotent.
func (x *Executor) Close() error {
	x.mu.Lock()
	if !x.closed {
		x.closed = true
		close(x.closing)
	}
	x.mu.Unlock()
	x.work.Wait()
	return nil
}
