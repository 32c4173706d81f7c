package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/archive"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/registry"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/telemetry"
	"github.com/regie-dev/regie/internal/trigger/schedule"
)

// lostAfter is how long an attempt of before a restart is looked for. The own
// worker always answers, so that the time never passes.
const lostAfter = time.Hour

// tempDir is where requests are laid out, in the data folder.
const tempDir = "tmp"

// heapFloor is memory that is never touched, in bytes: the collector lets the heap
// grow to twice of what is in use and this. A server has little in use and makes
// much garbage under load: without the floor it would collect ten times a second.
const heapFloor = 24 << 20

// Server is a Regie server.
type Server struct {
	floor []byte // of heapFloor bytes

	cfg       Config
	clock     clock.Clock
	home      *home.Folder
	languages map[string]expr.Language
	machines  *runtime.Machines
	catalog   *catalog.Catalog
	access    *access.Service
	registry  *registry.Registry
	crew      *crew
	dispatch  *dispatch.Service
	runtime   *runtime.Service
	starter   *starter
	api       *api.API
	audit     *auditlog.Service
	notify    notify.Tables
	alerts    *notify.Service
	retention *retention.Service
	archive   *archive.Folder // nil: there is none
	// schedules is what is remembered of schedules; ticks starts their runs.
	schedules *registry.Table[scheduled]
	breakers  *breakers
	limits    *limits
	ticks     *schedule.Service

	metrics    *telemetry.Metrics
	traces     *telemetry.Traces // nil: there is no collector
	started    time.Time
	adminToken string // of the first start, shown once
	warnings   []string

	mu       sync.Mutex
	draining bool          // it takes no more runs
	drained  chan struct{} // closed when it should end therefore

	stop   []func() error // in the order of opening
	closed sync.Once
	err    error
}

// Open opens the data folder, goes on with the runs that are unfinished in it,
// and starts everything but listening. Whoever calls it must call Close.
func Open(ctx context.Context, cfg Config) (_ *Server, err error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{floor: make([]byte, heapFloor), cfg: cfg, clock: cfg.Clock, drained: make(chan struct{})}
	s.started = s.clock.Now()
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, open := range []func(context.Context) error{
		s.openHome, s.openDefinitions, s.openWork, s.openServices,
	} {
		if err := open(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// onClose has something done at the end, before what was opened earlier.
func (s *Server) onClose(f func() error) { s.stop = append(s.stop, f) }

func (s *Server) openHome(ctx context.Context) (err error) {
	if s.home, err = home.Open(ctx, s.cfg.Dir, home.Owner(s.cfg.Holder, s.started)); err == nil {
		s.home.Blobs.Bound(s.cfg.MaxBlob, s.cfg.MaxRunBlobs)
	}
	if err != nil {
		return err
	}
	s.onClose(s.home.Close)
	root := s.home.Dir.Root()
	if err := root.RemoveAll(tempDir); err != nil { // of a process that was killed
		return fmt.Errorf("empty the folder of temporary files: %w", err)
	}
	if err := root.Mkdir(tempDir, 0o700); err != nil {
		return fmt.Errorf("make the folder of temporary files: %w", err)
	}
	return nil
}

func (s *Server) tempDir() string { return filepath.Join(s.home.Dir.Path(), tempDir) }

// openDefinitions reads what is not a run. The runtime is made, but not started:
// nothing runs before all is there that tasks need.
func (s *Server) openDefinitions(ctx context.Context) (err error) {
	s.languages = local.Languages()
	s.machines = runtime.NewMachines(s.languages)
	if err := s.openTelemetry(); err != nil {
		return err
	}
	s.crew = &crew{}
	s.dispatch = dispatch.NewService(dispatch.ServiceConfig{
		Config: dispatch.Config{LostAfter: lostAfter}, Clock: s.clock,
		Report: func(run store.RunID, fence engine.Fence, end engine.TaskEnded) { s.runtime.TaskEnded(run, fence, end) },
		Alive:  func(run store.RunID, fence engine.Fence, beat engine.Beat) { s.runtime.TaskBeat(run, fence, beat) },
		Ask: func(run store.RunID, act engine.ActID, attempt int, fence engine.Fence) {
			s.runtime.TaskFound(run, act, attempt, fence)
		},
		Via: s.via, Tripped: s.tripped,
	})
	s.runtime = runtime.NewService(runtime.ServiceConfig{
		Store: s.home.Store, Holder: s.cfg.Holder, Languages: s.languages, Machines: s.machines,
		Tasks: attempts{s.dispatch, s.crew}, Clock: s.clock, Marker: s.home.Marker, Log: s.cfg.Log, Observe: s.metrics.Events,
		Others: others{s}, Values: s.home.Large,
	})
	definitions := local.Definitions(s.languages)
	definitions.Native.RunOnce = false // triggers and deadlines work here
	s.catalog = catalog.New(catalog.Config{
		Store: s.home.Store, Programs: s.runtime, Machines: s.machines, Definitions: definitions,
		TempDir: s.tempDir(), Now: s.clock.Now,
	})
	if s.access, err = access.New(access.Config{Now: s.clock.Now, Random: rand.Reader}); err != nil {
		return err
	}
	s.api, s.notify, s.schedules = api.New(), notify.NewTables(), registry.NewTable[scheduled]("schedule")
	s.breakers = &breakers{dispatch: s.dispatch, table: registry.NewTable[heldOpen]("breaker"), alerts: s.notify.Alerts}
	s.registry, err = registry.Open(ctx, s.home.Store, s.runtime, s.tables()...)
	if err != nil {
		return fmt.Errorf("read what is stored: %w", err)
	}
	s.catalog.Begin(s.registry)
	s.breakers.catalog, s.breakers.registry = s.catalog, s.registry
	s.breakers.begin()
	s.limits = &limits{catalog: s.catalog, access: s.access, runtime: s.runtime, log: s.cfg.Log}
	if err := s.limits.Refresh(ctx); err != nil { // before anything is granted
		return err
	}
	s.access.Begin(s.registry)
	s.starter = &starter{catalog: s.catalog, access: s.access, runtime: s.runtime, clock: s.clock, random: rand.Reader}
	return nil
}

// tables are those of everything that keeps objects.
func (s *Server) tables() []registry.AnyTable {
	return slices.Concat(s.catalog.Tables(), s.access.Tables(), s.api.Tables(),
		[]registry.AnyTable{s.notify.Alerts, s.notify.Silences, s.notify.Cursors, s.schedules, s.breakers.table})
}

// openWork starts the worker, then the runtime, which goes on with what is
// unfinished.
func (s *Server) openWork(ctx context.Context) error {
	s.onClose(s.crew.close)
	if err := s.crew.open(ctx, crewConfig{
		server: &s.cfg, home: s.home, catalog: s.catalog, access: s.access, languages: s.languages,
		dispatch: s.dispatch, clock: s.clock, metrics: s.metrics, traced: s.traces != nil,
	}); err != nil {
		return err
	}
	s.onClose(func() error {
		s.dispatch.Stop()
		return nil
	})
	capacity := match.Capacity{match.Process: s.cfg.Processes, match.Connector: s.cfg.Calls}
	if err := s.dispatch.Join(workerName, capacity, s.crew.worker, nil); err != nil {
		return err
	}
	if err := s.runtime.Start(ctx); err != nil {
		return err
	}
	s.onClose(bounded(s.runtime.Stop))
	return nil
}

// Close ends everything in order: nothing more is decided, the calls of
// connectors are ended, the folder is unlocked. Tasks of processes go on. What
// has not ended goes on when the folder is opened again. Idempotent.
func (s *Server) Close() error {
	s.closed.Do(func() {
		var errs []error
		for _, stop := range slices.Backward(s.stop) {
			errs = append(errs, stop())
		}
		s.err = errors.Join(errs...)
	})
	return s.err
}
