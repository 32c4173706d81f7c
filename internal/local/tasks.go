package local

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// tasks stands between runtime, dispatcher and workers: there is a worker for
// each launch, since runs of different launches have different connections,
// secrets and mocks.
type tasks struct {
	regie   *Regie
	fresh   *seat // for runs that were started here
	found   map[store.RunID]*seat
	all     []*seat
	closing sync.Once
}

var (
	_ runtime.Tasks   = (*tasks)(nil)
	_ dispatch.Worker = (*tasks)(nil)
	_ worker.Listener = (*tasks)(nil)
)

// seat is a worker with what has to be closed after it.
type seat struct {
	worker  *worker.Worker
	closers []io.Closer
}

// newTasks makes the workers.
func newTasks(r *Regie) (*tasks, error) {
	t := &tasks{regie: r, found: map[store.RunID]*seat{}}
	var err error
	if t.fresh, err = t.seat(r.cfg.Launch); err != nil {
		return nil, err
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
			return nil, fmt.Errorf("go on with run %s: %w", row.ID, err)
		}
	}
	return t, nil
}

func (t *tasks) seat(l *Launch) (*seat, error) {
	r := t.regie
	made, err := connectors(l.AllowHosts, r.cfg.Environ)
	if err != nil {
		return nil, err
	}
	s := &seat{closers: made.closers}
	s.worker = worker.New(worker.Config{
		Executors:       map[string]executor.Executor{workflow.UsesProcess: r.process},
		Connectors:      made.connectors,
		ConnectionTypes: made.connections, ChannelTypes: made.channels,
		Objects: l.object, Vars: l.Vars, Languages: r.cfg.Languages, Secrets: l.Secrets, Mocks: l.Mocks,
		Dir: r.folder.attempts(), OpenLog: r.openLog, Clock: r.cfg.Clock,
		HandleOf: func(_, dir string) (executor.Handle, error) { return process.HandleFor(dir) },
	})
	s.worker.Listen(t)
	t.all = append(t.all, s)
	return s, nil
}

// of is the seat of a run.
func (t *tasks) of(run store.RunID) *seat {
	if s := t.found[run]; s != nil {
		return s
	}
	return t.fresh
}

// close waits for what runs; the executor was closed before.
func (t *tasks) close() (err error) {
	t.closing.Do(func() {
		for _, s := range t.all {
			s.worker.Close()
			for _, c := range s.closers {
				err = errors.Join(err, c.Close())
			}
		}
	})
	return err
}

// Dispatch, Reattach, CancelTask and Settled pass on what the runtime says.

func (t *tasks) Dispatch(task engine.Task) { t.regie.dispatch.Dispatch(task) }

// Reattach lets the dispatcher wait for the attempt and the worker look for it:
// it always says how the attempt ended, or that nobody can know.
func (t *tasks) Reattach(task engine.Task) {
	t.regie.dispatch.Reattach(task)
	t.of(store.RunID(task.Run)).worker.Reattach(task)
}

func (t *tasks) CancelTask(run store.RunID, act engine.ActID, attempt int) {
	t.regie.dispatch.CancelTask(run, act, attempt)
}

func (t *tasks) Settled(s runtime.Settled) { t.regie.dispatch.Settled(s) }

// Assign, Kill and Forget pass on what the dispatcher says.

func (t *tasks) Assign(task engine.Task) { t.of(store.RunID(task.Run)).worker.Assign(task) }
func (t *tasks) Kill(ref dispatch.Ref)   { t.of(ref.Run).worker.Kill(ref) }
func (t *tasks) Forget(ref dispatch.Ref) { t.of(ref.Run).worker.Forget(ref) }

// Started and Ended pass on what workers say.

func (t *tasks) Started(ref dispatch.Ref) {
	if f := t.regie.cfg.Started; f != nil {
		f(ref, t.regie.cfg.Clock.Now())
	}
	t.regie.dispatch.Started(workerName, ref)
}

func (t *tasks) Ended(ref dispatch.Ref, outcome engine.TaskOutcome) {
	t.regie.dispatch.Ended(workerName, ref, outcome)
}

// report takes the end of an attempt to the runtime.
func (t *tasks) report(run store.RunID, fence engine.Fence, end engine.TaskEnded) {
	t.regie.runtime.TaskEnded(run, fence, end)
}

// madeConnectors are the connectors of a launch.
type madeConnectors struct {
	connectors            map[string]connector.Connector
	connections, channels []connector.ObjectType
	closers               []io.Closer
}
