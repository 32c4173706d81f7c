package local

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// others is what runs may have to do with others here: they may start workflows
// of the same files. Mocks stand for child runs and awaited runs, too.
type others struct{ regie *Regie }

var _ runtime.Others = others{}

// Child makes the request for a child run.
func (o others) Child(_ context.Context, q *runtime.Seek) (runtime.Request, *runtime.Instead, error) {
	r, what := o.regie, &q.Awaits
	seat := r.tasks.of(q.Run)
	if instead := mocked(seat.launch.Mocks, q); instead != nil {
		return runtime.Request{}, instead, nil
	}
	program := seat.launch.workflow(what.Namespace, what.Name)
	if program == nil {
		return runtime.Request{}, nil, outsideError(engine.ErrChildNotFound, "there is no workflow %s in these files", what.Workflow())
	}
	prepared, err := r.runtime.Prepare(program)
	if err != nil {
		return runtime.Request{}, nil, outsideError(engine.ErrChildRefused, "prepare workflow %s: %v", what.Workflow(), err)
	}
	if version := hex.EncodeToString(prepared.Stored.Hash[:8]); what.Version != "" && what.Version != version {
		return runtime.Request{}, nil, outsideError(engine.ErrChildNotFound, "workflow %s has version %s in these files, not %s", what.Workflow(), version, what.Version)
	}
	stand, err := standIn(program, seat.launch.Mocks)
	if err != nil {
		return runtime.Request{}, nil, outsideError(engine.ErrChildRefused, "workflow %s: %v", what.Workflow(), err)
	}
	if stand != program {
		if prepared, err = r.runtime.Prepare(stand); err != nil {
			return runtime.Request{}, nil, outsideError(engine.ErrChildRefused, "prepare workflow %s: %v", what.Workflow(), err)
		}
	}
	seed, err := r.seed()
	if err != nil {
		return runtime.Request{}, nil, err
	}
	if err := r.tasks.inherit(q.Run, store.RunID(what.Run)); err != nil {
		return runtime.Request{}, nil, err
	}
	return runtime.Request{
		Program: prepared, Input: q.Input, Vars: program.VarsOf(seat.launch.Vars), BusinessDate: what.Date, Seed: seed, Actor: q.Actor,
	}, nil, nil
}

// Run answers a wait for a run with a mock. Without one there is nothing to wait
// for: nobody else runs here.
func (o others) Run(_ context.Context, q *runtime.Seek) (*runtime.Instead, error) {
	if instead := mocked(o.regie.tasks.of(q.Run).launch.Mocks, q); instead != nil {
		return instead, nil
	}
	return nil, outsideError(engine.ErrNotPermitted, "runs of %s cannot be waited for without a server; a mock of step %s stands for one", q.Awaits.Workflow(), q.Path)
}

func outsideError(name, format string, args ...any) error {
	return &engine.Error{Name: name, Engine: name, Message: fmt.Sprintf(format, args...)}
}

// mocked is what stands for the run, nil if nothing does.
func mocked(mocks *mock.Set, q *runtime.Seek) *runtime.Instead {
	m, ok := mocks.Find(mock.Call{Path: q.Path, Attempt: q.Attempt})
	if !ok {
		return nil
	}
	out := &runtime.Instead{Happened: engine.Happened{Output: m.Output}, After: m.Duration}
	switch {
	case m.Lost:
		out.Error = &engine.Error{Name: engine.ErrAttemptLost, Engine: engine.ErrAttemptLost, Message: "the mock says so"}
	case m.ErrorName != "":
		out.Error = &engine.Error{Name: m.ErrorName, Message: m.ErrorMessage, Details: m.ErrorDetails}
	}
	return out
}

// workflow finds a workflow of the files.
func (l *Launch) workflow(namespace, name string) *workflow.Program {
	for _, p := range l.Workflows {
		if p.Namespace == namespace && p.Name == name {
			return p
		}
	}
	return nil
}

// inherit lets a run have what the run has that starts it.
func (t *tasks) inherit(parent, child store.RunID) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.found[parent]
	if s == nil || t.found[child] != nil {
		return nil
	}
	if err := t.regie.folder.writeLaunch(child, s.launch); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	t.found[child] = s
	return nil
}

// WaitAll waits until no run lives here any more: children that are not awaited
// outlive the run that started them.
func (r *Regie) WaitAll(ctx context.Context) error {
	for {
		rows, err := r.store.LiveRuns(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range rows {
			if _, err := r.Wait(ctx, rows[i].ID); err != nil {
				return err
			}
		}
	}
}
