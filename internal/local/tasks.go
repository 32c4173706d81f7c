package local

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/all"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// tasks stands between runtime, dispatcher and workers: there is a worker for
// each launch, since runs of different launches have different connections,
// secrets and mocks.
type tasks struct {
	regie *Regie
	fresh *seat      // for runs that were started here
	mu    sync.Mutex // of found
	found map[store.RunID]*seat
	all   []*seat
}

var (
	_ runtime.Tasks   = attempts{}
	_ dispatch.Worker = (*tasks)(nil)
	_ worker.Listener = (*tasks)(nil)
)

// seat is a worker with what it uses.
type seat struct {
	launch     *Launch
	worker     *worker.Worker
	process    *process.Executor
	connectors map[string]connector.Connector
}

// newTasks makes the workers of a Regie.
func newTasks(r *Regie) error {
	t := &tasks{regie: r, found: map[store.RunID]*seat{}}
	r.tasks = t // closed with it, also if what follows fails
	var err error
	if t.fresh, err = t.seat(r.cfg.Launch); err != nil {
		return err
	}
	for _, row := range r.unfinished {
		launch, err := r.folder.launchOf(row.ID)
		if err == nil && r.cfg.Relaunch != nil {
			launch, err = r.cfg.Relaunch(row.ID, launch)
		}
		if err == nil {
			t.found[row.ID], err = t.seat(launch)
		}
		if err != nil {
			return fmt.Errorf("go on with run %s: %w", row.ID, err)
		}
	}
	return nil
}

// seat makes the worker of a launch.
func (t *tasks) seat(l *Launch) (*seat, error) {
	r := t.regie
	environ := r.cfg.Environ
	if l.Dir != "" && environ != nil {
		environ = append(slices.Clone(environ), process.CalledFrom+"="+l.Dir)
	}
	s := &seat{launch: l}
	var err error
	if s.process, err = process.New(process.Config{Environ: environ}); err != nil {
		return nil, err
	}
	t.all = append(t.all, s)
	if s.connectors, err = connectors(l, r.cfg.Proxy); err != nil {
		return nil, err
	}
	s.worker = worker.New(worker.Config{
		Executors:       map[string]executor.Executor{workflow.UsesProcess: s.process},
		Connectors:      s.connectors,
		ConnectionTypes: all.ConnectionTypes(), ChannelTypes: all.ChannelTypes(),
		Objects: l.object, Vars: func(string) value.Value { return l.Vars }, Languages: r.cfg.Languages,
		Secrets: func(string) secret.Source { return l.Secrets }, Mocks: l.Mocks,
		Dir: r.folder.Attempts(), OpenLog: r.openLog, Blobs: r.folder.Blobs, Large: r.folder.Large, Clock: r.cfg.Clock,
		HandleOf: func(_, dir string) (executor.Handle, error) { return process.HandleFor(dir) },
	})
	s.worker.Listen(t)
	return s, nil
}

// limits are those of all launches; what is started here counts where several
// define one.
func (t *tasks) limits() []gate.Limit {
	var found []gate.Limit
	for _, s := range t.all {
		for _, l := range s.launch.limits() {
			if !slices.ContainsFunc(found, func(o gate.Limit) bool { return o.ID == l.ID }) {
				found = append(found, l)
			}
		}
	}
	return found
}

// of is the seat of a run.
func (t *tasks) of(run store.RunID) *seat {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.found[run]; s != nil {
		return s
	}
	return t.fresh
}

// close kills what runs and waits for it.
func (t *tasks) close() error {
	var errs []error
	// The executors first: what they kill by themselves has no outcome that
	// anybody knows, and is looked for when its run goes on.
	for _, s := range t.all {
		errs = append(errs, s.process.Close())
	}
	for _, s := range t.all {
		if s.worker != nil {
			s.worker.Close()
		}
		errs = append(errs, all.Close(s.connectors))
	}
	return errors.Join(errs...)
}

// attempts is what the runtime hands its attempts to: the dispatcher.
type attempts struct {
	*dispatch.Service

	tasks *tasks
}

// Reattach has the worker look for the attempt: it always says how it ended, or
// that nobody can know. The dispatcher waits for that, and knows who has it.
func (a attempts) Reattach(task engine.Task) {
	a.ReattachTo(workerName, task)
	a.tasks.of(store.RunID(task.Run)).worker.Reattach(task)
}

// Assign, Kill and Forget pass on what the dispatcher says.

func (t *tasks) Assign(task engine.Task) { t.of(store.RunID(task.Run)).worker.Assign(task) }
func (t *tasks) Kill(ref dispatch.Ref)   { t.of(ref.Run).worker.Kill(ref) }
func (t *tasks) Forget(ref dispatch.Ref) { t.of(ref.Run).worker.Forget(ref) }

// Started, Beat and Ended pass on what workers say.

func (t *tasks) Started(ref dispatch.Ref) {
	if f := t.regie.cfg.Started; f != nil {
		f(ref, t.regie.cfg.Clock.Now())
	}
	t.regie.dispatch.Started(workerName, ref)
}

func (t *tasks) Beat(ref dispatch.Ref) { t.regie.dispatch.Beat(workerName, ref) }

func (t *tasks) Ended(ref dispatch.Ref, outcome engine.TaskOutcome) {
	t.regie.dispatch.Ended(workerName, ref, outcome)
}

// report takes the end of an attempt to the runtime.
func (t *tasks) report(run store.RunID, fence engine.Fence, end engine.TaskEnded) {
	t.regie.runtime.TaskEnded(run, fence, end)
}

// alive takes a sign of life of an attempt to the runtime.
func (t *tasks) alive(run store.RunID, fence engine.Fence, beat engine.Beat) {
	t.regie.runtime.TaskBeat(run, fence, beat)
}

// ask asks the runtime about an attempt that runs.
func (t *tasks) ask(run store.RunID, act engine.ActID, attempt int, fence engine.Fence) {
	t.regie.runtime.TaskFound(run, act, attempt, fence)
}
