package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// others is what runs may have to do with runs of other workflows.
type others struct{ server *Server }

var _ runtime.Others = others{}

// Child makes the request for a child run: of the version in force unless the
// step names one.
func (o others) Child(ctx context.Context, q *runtime.Seek) (runtime.Request, *runtime.Instead, error) {
	if err := o.permits(q, "start"); err != nil {
		return runtime.Request{}, nil, err
	}
	s, what := o.server.starter, &q.Awaits
	now := s.clock.Now()
	prepared, err := s.catalog.Program(ctx, what.Namespace, what.Name, what.Version, now)
	switch {
	case errors.Is(err, catalog.ErrNotFound), errors.Is(err, catalog.ErrNotInForce):
		return runtime.Request{}, nil, &engine.Error{Name: engine.ErrChildNotFound, Engine: engine.ErrChildNotFound, Message: err.Error()}
	case runtime.Unreadable(err):
		return runtime.Request{}, nil, &engine.Error{Name: engine.ErrChildRefused, Engine: engine.ErrChildRefused, Message: err.Error()}
	case err != nil:
		return runtime.Request{}, nil, err
	}
	request, err := s.request(prepared, what.Date, now, now)
	if err != nil {
		return runtime.Request{}, nil, err
	}
	request.Input, request.Actor = q.Input, q.Actor
	request.Entries = []store.Entry{{
		Actor: q.Actor, Via: runtime.TriggerRun + string(q.Run), Action: "run.start", Namespace: what.Namespace, Outcome: "done",
	}}
	return request, nil, nil
}

// Run lets a run wait for runs of namespaces that allow it.
func (o others) Run(_ context.Context, q *runtime.Seek) (*runtime.Instead, error) {
	return nil, o.permits(q, "wait for")
}

func (o others) permits(q *runtime.Seek, what string) error {
	if o.server.access.Calls(q.Namespace, q.Awaits.Namespace) {
		return nil
	}
	return &engine.Error{Name: engine.ErrNotPermitted, Engine: engine.ErrNotPermitted, Message: fmt.Sprintf(
		"runs of namespace %s may not %s runs of namespace %s, which does not name it among its callers (regie namespaces put %s --caller %s)",
		q.Namespace, what, q.Awaits.Namespace, q.Awaits.Namespace, q.Namespace)}
}
