package api

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// Config is what the API is made with. All is needed.
type Config struct {
	Store    store.Store
	Runtime  *runtime.Service
	Machines *runtime.Machines
	Registry *registry.Registry
	Catalog  *catalog.Catalog
	Access   *access.Service
	Starter  Starter
	Workers  Workers
	Logs     Logs
	Blobs    Blobs
	Values   Values
	Eraser   Eraser
	// Archive says that there is an archive for what retention takes away.
	Archive bool
	// Timetable, Alerts, Audit, Backup and System are parts of the server.
	Timetable Timetable
	Alerts    *notify.Service
	Breakers  Breakers
	Limits    Limits
	Audit     Audit
	Backup    Backuper
	System    System
	Now       func() time.Time
	Zone      *time.Location // of dates in filters
	Log       *slog.Logger
}

// Logs opens the log of an attempt. fs.ErrNotExist, wrapped, if it printed
// nothing.
type Logs interface {
	Log(run store.RunID, act engine.ActID, attempt int) (*os.File, error)
}

// Eraser destroys the data of runs.
type Eraser interface {
	Erase(ctx context.Context, o retention.Order) (retention.Erased, error)
}

// Workers tells where attempts are.
type Workers interface {
	// Place is the worker that has the current attempt of an activation, and
	// its place in the queue, from 1, if it waits for a slot; both empty if
	// nobody knows the attempt.
	Place(run store.RunID, act engine.ActID) (worker string, place int)
}

// API answers the methods. Safe for concurrent use.
type API struct {
	cfg  Config
	keys *registry.Table[answered]

	mu sync.Mutex
	// acting are requests with a key that are under way and make no transaction
	// that could remember it; the channel is closed when they end.
	acting map[string]chan struct{}
	// heavy holds a token for each thing at one time that takes room or time as
	// the whole store does: a backup, a verification.
	heavy chan struct{}
	// desk has the work for workers outside; takers counts those who wait there.
	desk   desk
	takers atomic.Int64
	// summaries are of runs that have ended.
	summaries summaries
}

// New returns an API that needs Begin before anything else but Tables.
func New() *API {
	return &API{keys: registry.NewTable[answered]("key"), acting: map[string]chan struct{}{}, heavy: make(chan struct{}, 1)}
}

// Tables are the API's tables, for [registry.Open].
func (a *API) Tables() []registry.AnyTable { return []registry.AnyTable{a.keys} }

// Begin gives the API what it calls.
func (a *API) Begin(cfg Config) { a.cfg = cfg }

// identityKey is where the context has the identity of the caller.
type identityKey struct{}

// WithIdentity says who calls.
func WithIdentity(ctx context.Context, identity access.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, identity)
}

// identityOf is who calls. Without one, which the routes do not let through, it
// is somebody who may do nothing.
func identityOf(ctx context.Context) access.Identity {
	identity, _ := ctx.Value(identityKey{}).(access.Identity)
	return identity
}

// by is the beginning of an entry of the audit log about the caller.
func (a *API) by(ctx context.Context, reason string) store.Entry {
	return identityOf(ctx).Done(access.Act{Reason: reason})
}

// record puts a line into the audit log and returns once it is durable. Texts of
// the caller's are cut to what it takes.
func (a *API) record(ctx context.Context, action, namespace, object string) error {
	e := identityOf(ctx).Done(access.Act{Action: action, Namespace: namespace, Object: object})
	_, err := a.cfg.Registry.Record(ctx, e)
	return err
}

// reached waits until readers see everything up to a position.
func (a *API) reached(ctx context.Context, position uint64) error {
	if position <= a.cfg.Runtime.Position() {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, PositionWait)
	defer cancel()
	_, err := a.cfg.Runtime.Reached(waiting, position)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return refuse(connect.CodeUnavailable, "position_not_reached", "what was written at that position cannot be seen yet",
			"try again; a position of another installation, or of before a restore, is never reached")
	}
	return failure(err)
}

// history folds the events of a run and keeps the steps that only names, nil: all.
// Erased says that its payload is gone, maybe since the row was read.
func (a *API) history(
	ctx context.Context, row *store.RunRow, only func(number int, path string) bool,
) (builder *history.Builder, erased bool, err error) {
	machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, row.Program)
	if err != nil {
		return nil, false, err
	}
	builder = history.NewBuilder(string(row.ID), machine)
	builder.Only(only)
	for record, err := range a.cfg.Store.Events(ctx, row.ID, 1) {
		if err != nil {
			return nil, false, err
		}
		// The first event always has the input.
		erased = erased || record.Payload == nil && record.First == 1
		events, err := engine.DecodeEvents(record.Control, record.Payload)
		if err != nil {
			return nil, false, err
		}
		for i := range events {
			if _, err := builder.Add(&events[i]); err != nil {
				return nil, false, err
			}
		}
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
	}
	return builder, erased, nil
}

// about is what a program says about itself.
func (a *API) about(ctx context.Context, program [32]byte) map[string]string {
	machine, err := a.cfg.Machines.Stored(ctx, a.cfg.Store, program)
	if err != nil {
		return nil // of a program of a newer Regie nothing is shown
	}
	return machine.Program().About
}

func jsonOf(v value.Value) *regiev1.Json {
	if v.IsUndefined() {
		return nil
	}
	return &regiev1.Json{Text: v.String()}
}

func errorOf(e *engine.Error) *regiev1.RunError {
	if e == nil {
		return nil
	}
	return &regiev1.RunError{Name: e.Name, Message: e.Message, Details: jsonOf(e.Details)}
}
