package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/large"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Config configures a worker.
type Config struct {
	// Executors by the name that tasks use, such as "process"; Connectors
	// likewise.
	Executors  map[string]executor.Executor
	Connectors map[string]connector.Connector
	// ConnectionTypes and ChannelTypes describe what Objects may be.
	ConnectionTypes, ChannelTypes []connector.ObjectType
	// Objects finds a connection or channel; false if there is none.
	Objects func(kind, namespace, name string) (Object, bool)
	// OwnNamespace keeps workflows from naming objects of another namespace.
	OwnNamespace bool
	// Vars are the variables of a namespace that objects read, nil for none;
	// Languages evaluate their expressions.
	Vars      func(namespace string) value.Value
	Languages map[string]expr.Language
	// Secrets are where the secrets of a namespace are, nil for nowhere.
	Secrets func(namespace string) secret.Source
	// RunAs refuses users that steps of a namespace may not name. Nil: that is
	// for the executor to say.
	RunAs func(namespace, user string) error
	// Mocks stand in for steps. Nil: none.
	Mocks *mock.Set
	// Dir holds the folders of attempts, by run; executors make and remove
	// them.
	Dir string
	// OpenLog opens the log of an attempt. Nil drops what attempts print. A log
	// that is a [Resumable] gets each byte once, however often Regie was killed
	// meanwhile.
	OpenLog func(t *engine.Task) (Log, error)
	// Blobs keep artifacts. Nil: attempts that have any fail.
	Blobs blob.Store
	// Large keeps large results, and reads large inputs. Nil: results are recorded
	// as they are, however large.
	Large *large.Store
	Clock clock.Clock
	// Capacity is how many attempts of each class run at once.
	Capacity match.Capacity
	// HandleOf says where an executor finds the task of an attempt's folder.
	HandleOf func(uses, dir string) (executor.Handle, error)
	// Traceparent is what executors' tasks get as $TRACEPARENT, unless the step
	// sets that variable itself: the span of the attempt. Nil: they get none.
	Traceparent func(run string, act engine.ActID, attempt int) string
	// AttemptEnded, if not nil, is told of each attempt that ended here, and how
	// long it took, for metrics. Calls come from many goroutines and must not
	// block.
	AttemptEnded func(uses string, outcome engine.OutcomeKind, took time.Duration)
}

// Object is a `kind: Connection` or `kind: Channel`.
type Object struct {
	Type   string
	Fields *workflow.Data
}

// Log takes what an attempt prints, already masked. Not safe for concurrent
// use.
type Log interface {
	Write(c executor.Chunk) error
	Close() error
}

// Resumable is a [Log] that knows what it held of a stream when it was opened.
type Resumable interface {
	Held(stream executor.Stream) tasklog.Held
}

// Listener is told what becomes of attempts. Calls come from many goroutines
// and must not block.
type Listener interface {
	Started(ref dispatch.Ref)
	// Beat says that an attempt which owes heartbeats goes on.
	Beat(ref dispatch.Ref)
	Ended(ref dispatch.Ref, outcome engine.TaskOutcome)
}

// Worker makes attempts. Safe for concurrent use.
type Worker struct {
	cfg Config

	mu       sync.Mutex
	listener Listener
	attempts map[dispatch.Ref]*attempt
	closed   bool
	// invoked counts the attempts of steps whose mocks ask for it.
	invoked map[invoked]int
	running sync.WaitGroup

	// detached ends with Detach.
	detached context.Context //nolint:containedctx // that of what goes on until then
	detach   context.CancelFunc
}

// attempt is one that the worker has, until it is forgotten.
type attempt struct {
	ref   dispatch.Ref
	class match.Class
	// kill asks it to stop; never nil.
	kill    func()
	dir     string
	uses    string
	outcome *engine.TaskOutcome
	// left: it goes on without the worker. Only its own goroutine looks.
	left bool
}

// MaxResultBytes is the largest result of an attempt, as JSON.
const MaxResultBytes = executor.MaxOutputBytes

// errKilled is the cause with which the context of a stopped attempt ends.
var errKilled = errors.New("told to stop")

// New returns a worker that has no attempts.
func New(cfg Config) *Worker {
	w := &Worker{cfg: cfg, attempts: map[dispatch.Ref]*attempt{}, invoked: map[invoked]int{}}
	w.detached, w.detach = context.WithCancel(context.Background())
	return w
}

// Listen sets who is told. It comes before the first attempt.
func (w *Worker) Listen(l Listener) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listener = l
}

// Class is the class of slots that a task needs.
func Class(t *engine.Task) match.Class {
	if t.Uses == workflow.UsesProcess {
		return match.Process
	}
	return match.Connector
}

// Assign makes the attempt. It returns at once. An attempt that the worker has
// already is not made again.
func (w *Worker) Assign(t engine.Task) { w.take(t, false) }

// Reattach finds an attempt again that was made before a restart; if it is not
// to be found its outcome is lost.
func (w *Worker) Reattach(t engine.Task) { w.take(t, true) }

// take makes an attempt in a goroutine of its own, or lets a mock stand in.
func (w *Worker) take(t engine.Task, again bool) {
	ref := dispatch.RefOf(&t)
	ctx, cancel := context.WithCancelCause(context.Background())
	a := &attempt{ref: ref, class: Class(&t), kill: func() { cancel(errKilled) }, uses: t.Uses, dir: w.folder(&t)}
	m, mocked := w.cfg.Mocks.Find(w.mocked(&t))
	var fake *fake
	if mocked {
		fake = w.newFake(a, &t, m)
		a.kill = fake.kill
	}
	w.mu.Lock()
	if known := w.attempts[ref]; known != nil || w.closed {
		w.mu.Unlock()
		cancel(nil)
		if known == nil {
			w.tellEnded(ref, engine.TaskOutcome{Kind: engine.OutcomeNotStarted})
		}
		return
	}
	w.attempts[ref] = a
	w.running.Add(1)
	w.mu.Unlock()
	w.cfg.Clock.Begin()
	if mocked {
		defer w.cfg.Clock.End()
		cancel(nil)
		fake.begin()
		return
	}
	go func() {
		defer w.running.Done()
		defer w.cfg.Clock.End()
		defer cancel(nil)
		if out := w.run(ctx, a, &t, again); !a.left {
			w.end(a, out)
		}
	}()
}

// end keeps the outcome of an attempt and reports it.
func (w *Worker) end(a *attempt, outcome engine.TaskOutcome) {
	w.mu.Lock()
	a.outcome = &outcome
	w.mu.Unlock()
	if w.cfg.AttemptEnded != nil && w.detached.Err() == nil {
		w.cfg.AttemptEnded(a.uses, outcome.Kind, outcome.EndedAt.Sub(outcome.StartedAt))
	}
	w.tellEnded(a.ref, outcome)
}

func (w *Worker) tellStarted(ref dispatch.Ref) {
	if l := w.told(); l != nil {
		l.Started(ref)
	}
}

func (w *Worker) tellEnded(ref dispatch.Ref, outcome engine.TaskOutcome) {
	if l := w.told(); l != nil {
		l.Ended(ref, outcome)
	}
}

// told is who is told, nil if nobody is.
func (w *Worker) told() Listener {
	if w.detached.Err() != nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listener
}

// folder is the attempt's own, named by numbers only.
func (w *Worker) folder(t *engine.Task) string {
	return filepath.Join(w.cfg.Dir, t.Run, AttemptName(t.Act, t.Attempt))
}

// AttemptName names an attempt's folder and log within its run.
func AttemptName(act engine.ActID, attempt int) string {
	return strconv.FormatUint(uint64(act), 10) + "-" + strconv.Itoa(attempt)
}

// Kill tells an attempt to stop. Its end is reported all the same.
func (w *Worker) Kill(ref dispatch.Ref) {
	w.mu.Lock()
	a := w.attempts[ref]
	w.mu.Unlock()
	if a != nil {
		a.kill()
	}
}

// Forget drops an attempt that has ended, with its folder; its log stays.
func (w *Worker) Forget(ref dispatch.Ref) {
	w.mu.Lock()
	a := w.attempts[ref]
	if a == nil || a.outcome == nil {
		w.mu.Unlock()
		return
	}
	delete(w.attempts, ref)
	w.mu.Unlock()
	if x := w.cfg.Executors[a.uses]; x != nil && w.cfg.HandleOf != nil {
		if h, err := w.cfg.HandleOf(a.uses, a.dir); err == nil {
			_ = x.Release(h) // what stays is removed with the run's folder
		}
	}
}

// Close stops every attempt and waits for its end. Idempotent.
func (w *Worker) Close() {
	w.mu.Lock()
	w.closed = true
	all := slices.Collect(maps.Values(w.attempts))
	w.mu.Unlock()
	for _, a := range all {
		a.kill()
	}
	w.running.Wait()
}

// Detach leaves the attempts of executors that outlive the process to these,
// stops all others, and waits until nothing goes on here. Nothing is reported from
// its call on: what runs or has ended is found again by [Worker.Reattach] of the
// next process. Idempotent.
func (w *Worker) Detach() {
	w.mu.Lock()
	w.closed = true
	all := slices.Collect(maps.Values(w.attempts))
	w.mu.Unlock()
	w.detach()
	for _, a := range all {
		if w.cfg.Executors[a.uses] == nil {
			a.kill()
		}
	}
	w.running.Wait()
}

// run makes one attempt.
func (w *Worker) run(ctx context.Context, a *attempt, t *engine.Task, again bool) engine.TaskOutcome {
	begin := w.cfg.Clock.Now()
	out, ok := w.refused(t)
	if !ok {
		out = w.real(ctx, a, t, again)
	}
	if out.StartedAt.IsZero() {
		out.StartedAt = begin
	}
	if out.EndedAt.IsZero() {
		out.EndedAt = w.cfg.Clock.Now()
	}
	return out
}

// refused is the failure of a task that nobody here can make.
func (w *Worker) refused(t *engine.Task) (engine.TaskOutcome, bool) {
	if w.cfg.Executors[t.Uses] != nil || w.cfg.Connectors[t.Uses] != nil {
		return engine.TaskOutcome{}, false
	}
	return failed("no_such_task_type", "nothing here runs "+strconv.Quote(t.Uses)), true
}

func (w *Worker) real(ctx context.Context, a *attempt, t *engine.Task, again bool) (out engine.TaskOutcome) {
	s, out, ok := w.session(t, again)
	if !ok {
		return out
	}
	defer func() {
		if err := s.log.close(a.left); err != nil && out.Warning == "" {
			out.Warning = "what it printed is lost: " + err.Error()
		}
	}()
	// What a task gives a connector to do may bring a library down, which is
	// the end of this attempt and of nothing else.
	defer func() {
		if p := recover(); p != nil {
			s.log.line(executor.System, fmt.Sprintf("outcome unknown: Regie has a defect: %v; report it with these lines:\n%s", p, debug.Stack()))
			out = engine.TaskOutcome{Kind: engine.OutcomeLost}
		}
	}()
	if x := w.cfg.Executors[t.Uses]; x != nil {
		out = w.execute(ctx, x, a, t, s, again)
	} else if again {
		// A call does not outlive its process: whether it had its effect
		// nobody can know.
		out = engine.TaskOutcome{Kind: engine.OutcomeLost}
	} else {
		w.tellStarted(a.ref)
		out = w.call(ctx, w.cfg.Connectors[t.Uses], t, s)
	}
	return w.putAway(t, bounded(s.mask(replied(t, out))))
}

// putAway keeps what is large in an outcome where it does not have to lie in an
// event. A success whose result cannot be kept is a failure.
func (w *Worker) putAway(t *engine.Task, o engine.TaskOutcome) engine.TaskOutcome {
	if w.cfg.Large == nil {
		return o
	}
	kept, err := w.cfg.Large.Keep(t.Run, o.Output)
	if err == nil {
		o.Output = kept
	} else {
		o.Kind, o.Output = engine.OutcomeFailed, value.Undefined
		o.Error = &engine.Error{Name: "result_not_kept", Message: "the result cannot be kept: " + err.Error()}
	}
	if o.Error == nil {
		return o
	}
	e := *o.Error
	if e.Details, err = w.cfg.Large.Keep(t.Run, e.Details); err != nil {
		e.Details = value.Undefined
		e.Message += " (its details cannot be kept: " + err.Error() + ")"
	}
	o.Error = &e
	return o
}

// bounded fails an attempt whose result is too large to be recorded.
func bounded(o engine.TaskOutcome) engine.TaskOutcome {
	n := o.Output.JSONSize()
	if n <= MaxResultBytes {
		return o
	}
	o.Kind, o.Output = engine.OutcomeFailed, value.Undefined
	o.Error = &engine.Error{Name: "result_too_large", Message: fmt.Sprintf(
		"the result has %d bytes as JSON, more than %d MiB; return less, or write it to a file or table", n, MaxResultBytes>>20)}
	return o
}

func (w *Worker) openLog(t *engine.Task) (Log, error) {
	if w.cfg.OpenLog == nil {
		return nil, nil
	}
	return w.cfg.OpenLog(t)
}

func failed(name, message string) engine.TaskOutcome {
	return engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: name, Message: message}}
}

func timedOut(t *engine.Task) engine.TaskOutcome {
	return engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{
		Name: engine.ErrTimeout, Engine: engine.ErrTimeout, Message: "took longer than its timeout of " + t.Timeout.String(),
	}}
}

// Attempts is how many attempts the worker has.
func (w *Worker) Attempts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.attempts)
}

// vars are the variables of a namespace.
func (w *Worker) vars(namespace string) value.Value {
	if w.cfg.Vars == nil {
		return value.Undefined
	}
	return w.cfg.Vars(namespace)
}
