package local

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of a Regie.
const (
	// DefaultProcesses and DefaultCalls are how many processes, and calls of
	// connectors, run at once.
	DefaultProcesses = 16
	DefaultCalls     = 64
	// StopTimeout bounds how long the last commit is waited for.
	StopTimeout = 10 * time.Second
	// lostAfter is how long an attempt of before a restart is looked for. Here
	// the worker always answers, so that the time never passes.
	lostAfter = time.Hour
)

// workerName names the one worker.
const workerName = "local"

// Config is what a Regie is made with. Dir or Folder is needed.
type Config struct {
	// Dir is the data folder. It is made if it is not there, and locked for as
	// long as the Regie is open. Or it is open already: then it is Folder, which
	// the Regie takes over and closes, also when it cannot be opened.
	Dir    string
	Folder *datadir.Dir
	// Holder says who locks it, for whoever finds it locked.
	Holder string
	// Clock is the time; default the machine's. Virtual lets runs have a time of
	// their own, which begins at Start (zero: now) and passes at once where
	// nothing but a timer is waited for.
	Clock   clock.Clock
	Virtual bool
	Start   time.Time
	// Environ is the environment of Regie, of which tasks get PATH and the like;
	// nil: that of the process, without Launch.Dir.
	Environ []string
	// Proxy names the proxy for an HTTP request; nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// Languages evaluate expressions; default [Languages].
	Languages map[string]expr.Language
	// Launch is what runs are started with; nil: nothing. Relaunch says with
	// what a run goes on that is found unfinished, given what it was started
	// with; nil: with that.
	Launch   *Launch
	Relaunch func(run store.RunID, recorded *Launch) (*Launch, error)
	// Processes and Calls are how many processes, and calls of connectors, run
	// at once; defaults DefaultProcesses and DefaultCalls.
	Processes, Calls int
	// Started is told that an attempt has begun; Output what it prints, masked.
	// Both are called from many goroutines and must not block for long.
	Started func(ref dispatch.Ref, at time.Time)
	Output  func(ref dispatch.Ref, path string, chunk executor.Chunk)
	// Random is a source of unpredictable bytes; default crypto/rand.
	Random io.Reader
	Log    *slog.Logger // default: discarded
}

// Regie runs workflows. Safe for concurrent use.
type Regie struct {
	cfg      Config
	folder   *folder
	store    store.Store
	runtime  *runtime.Service
	dispatch *dispatch.Service
	tasks    *tasks
	ids      *runtime.IDs
	machines *runtime.Machines
	virtual  *clock.Virtual // the clock if it is one

	unfinished []store.RunRow

	closing sync.Once
	closed  error
}

func (cfg Config) withDefaults() Config {
	if cfg.Clock == nil {
		cfg.Clock = clock.Real{}
	}
	if cfg.Virtual {
		if cfg.Start.IsZero() {
			cfg.Start = cfg.Clock.Now()
		}
		cfg.Clock = clock.NewVirtual(cfg.Start)
	}
	if cfg.Languages == nil {
		cfg.Languages = Languages()
	}
	if cfg.Processes <= 0 {
		cfg.Processes = DefaultProcesses
	}
	if cfg.Calls <= 0 {
		cfg.Calls = DefaultCalls
	}
	if cfg.Launch == nil {
		cfg.Launch = &Launch{}
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Holder == "" {
		cfg.Holder = "regie"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Open opens the data folder and goes on with the runs that are unfinished in
// it. Whoever calls it must call Close.
func Open(ctx context.Context, cfg Config) (_ *Regie, err error) {
	r := &Regie{cfg: cfg.withDefaults()}
	r.virtual, _ = r.cfg.Clock.(*clock.Virtual)
	r.ids, r.machines = runtime.NewIDs(r.cfg.Random), runtime.NewMachines(r.cfg.Languages)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.openFolder(ctx); err != nil {
		return nil, err
	}
	if r.unfinished, err = r.store.LiveRuns(ctx); err != nil {
		return nil, err
	}
	if err := newTasks(r); err != nil {
		return nil, err
	}
	r.dispatch = dispatch.NewService(dispatch.ServiceConfig{
		Config: dispatch.Config{LostAfter: lostAfter}, Clock: r.cfg.Clock, Report: r.tasks.report, Alive: r.tasks.alive, Ask: r.tasks.ask,
	})
	r.runtime = runtime.NewService(runtime.ServiceConfig{
		Store: r.store, Holder: r.cfg.Holder, Languages: r.cfg.Languages, Tasks: attempts{r.dispatch, r.tasks}, Clock: r.cfg.Clock,
		Marker: r.folder.Marker, Inline: r.cfg.Virtual, NewID: r.ids.Next, Log: r.cfg.Log, Others: others{r}, Values: r.folder.Large,
	})
	capacity := match.Capacity{match.Process: r.cfg.Processes, match.Connector: r.cfg.Calls}
	if err := r.dispatch.Join(workerName, capacity, r.tasks, nil); err != nil {
		return nil, err
	}
	if err := r.runtime.SetLimits(ctx, r.tasks.limits()); err != nil {
		return nil, err
	}
	if err := r.runtime.Start(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// openFolder opens the data folder for this process alone, or takes the open one.
func (r *Regie) openFolder(ctx context.Context) (err error) {
	var f *home.Folder
	if dir := r.cfg.Folder; dir != nil {
		f, err = home.Take(ctx, dir)
	} else {
		f, err = home.Open(ctx, r.cfg.Dir, home.Owner(r.cfg.Holder, time.Now()))
	}
	if err != nil {
		return err
	}
	r.folder, r.store = &folder{Folder: f}, f.Store
	return nil
}

// Close ends everything in order: nothing more is decided, tasks that run are
// killed, the folder is unlocked. Runs that have not ended go on when the folder
// is opened again; what their tasks did is then unknown. Idempotent.
func (r *Regie) Close() error {
	r.closing.Do(func() { r.closed = r.close() })
	return r.closed
}

func (r *Regie) close() error {
	var errs []error
	if r.runtime != nil {
		ctx, cancel := context.WithTimeout(context.Background(), StopTimeout)
		defer cancel()
		errs = append(errs, r.runtime.Stop(ctx))
	}
	if r.dispatch != nil {
		r.dispatch.Stop()
	}
	if r.tasks != nil {
		errs = append(errs, r.tasks.close())
	}
	if r.folder != nil {
		errs = append(errs, r.folder.Close())
	}
	return errors.Join(errs...)
}

// Request asks for a run.
type Request struct {
	Program *workflow.Program
	Input   value.Value
	// BusinessDate is 2006-01-02; empty: what the program says of now.
	BusinessDate string
	Actor        string // who asks
	// Run is the ID; empty: one is made.
	Run store.RunID
}

// Check reports what Submit would find wrong with the input, without running
// anything: a [*runtime.InputError].
func Check(languages map[string]expr.Language, l *Launch, q Request, now time.Time) error {
	program, err := standIn(q.Program, l.Mocks)
	if err != nil {
		return err
	}
	machine, err := engine.Prepare(program, languages)
	if err != nil {
		return fmt.Errorf("prepare workflow %s: %w", q.Program.Name, err)
	}
	if q.BusinessDate == "" {
		date, err := q.Program.DateAt(now)
		if err != nil {
			return err
		}
		q.BusinessDate = date.String()
	}
	accept := engine.Accept{Input: q.Input, Vars: q.Program.VarsOf(l.Vars), BusinessDate: q.BusinessDate}
	if _, faults := machine.CheckInput(string(q.Run), accept, now); len(faults) > 0 {
		return &runtime.InputError{Faults: faults}
	}
	return nil
}

// Submit starts a run and returns once it is durable. Errors: those of
// [runtime.Service.Submit].
func (r *Regie) Submit(ctx context.Context, q Request) (store.RunID, error) {
	program, err := standIn(q.Program, r.cfg.Launch.Mocks)
	if err != nil {
		return "", err
	}
	prepared, err := r.runtime.Prepare(program)
	if err != nil {
		return "", fmt.Errorf("prepare workflow %s: %w", q.Program.Name, err)
	}
	now := r.cfg.Clock.Now()
	if q.BusinessDate == "" {
		date, err := q.Program.DateAt(now)
		if err != nil {
			return "", err
		}
		q.BusinessDate = date.String()
	}
	if q.Run == "" {
		if q.Run, err = r.ids.Next(now); err != nil {
			return "", err
		}
	}
	seed, err := r.seed()
	if err != nil {
		return "", err
	}
	if err := r.folder.keepLaunch(q.Run, r.cfg.Launch); err != nil {
		return "", err
	}
	accepted, err := r.runtime.Submit(ctx, runtime.Request{
		Program: prepared, Input: q.Input, Vars: q.Program.VarsOf(r.cfg.Launch.Vars), BusinessDate: q.BusinessDate, Seed: seed,
		Actor: q.Actor, Trigger: "manual", Run: q.Run,
	})
	return accepted.Run, err
}

// Now is the time of the runs.
func (r *Regie) Now() time.Time { return r.cfg.Clock.Now() }

// Stuck waits until nothing more happens by itself while the run has not ended,
// which only virtual time can tell. It reports whether that is so: not if the run
// has ended, time is real, or ctx has ended.
func (r *Regie) Stuck(ctx context.Context, run store.RunID) bool {
	if r.virtual == nil {
		return false
	}
	for {
		still := r.virtual.Still()
		select {
		case <-still:
		case <-ctx.Done():
			return false
		}
		row, err := r.store.Run(ctx, run)
		if err != nil || engine.State(row.State).Final() {
			return false
		}
		if still == r.virtual.Still() { // nothing began meanwhile
			return true
		}
	}
}

// Cancel asks a run to end and returns once that is recorded.
func (r *Regie) Cancel(ctx context.Context, run store.RunID, actor, reason string) error {
	_, err := r.runtime.Cancel(ctx, runtime.Order{Run: run, Action: engine.Action{Actor: actor, Reason: reason}})
	return err
}

// Wait waits for the end of a run, see [runtime.Service.Wait].
func (r *Regie) Wait(ctx context.Context, run store.RunID) (runtime.Result, error) {
	return r.runtime.Wait(ctx, run)
}

// Watch shows the committed events of a run from number first (from 1) on.
// Close the watcher when done.
func (r *Regie) Watch(run store.RunID, first uint64) *runtime.Watcher {
	return r.runtime.Watch(run, first)
}

// Machine is the engine's machine for the program of a run that is stored.
func (r *Regie) Machine(ctx context.Context, run store.RunID) (*engine.Machine, error) {
	return machineOf(ctx, r.store, r.machines, run)
}

// Log opens the log of an attempt for reading. fs.ErrNotExist, wrapped, if it
// printed nothing.
func (r *Regie) Log(run store.RunID, act engine.ActID, attempt int) (*os.File, error) {
	return r.folder.ReadLog(run, act, attempt)
}

// SetEnded notes in the data folder whether all of its runs have ended, which
// lets datadir.Prune remove it one day.
func (r *Regie) SetEnded(ended bool) error { return r.folder.Dir.SetEnded(ended) }

// openLog opens the log of an attempt, and lets others see what is written.
func (r *Regie) openLog(t *engine.Task) (worker.Log, error) {
	w, err := r.folder.OpenLog(store.RunID(t.Run), t.Act, t.Attempt)
	if err != nil || r.cfg.Output == nil {
		return w, err
	}
	return &shownLog{Writer: w, ref: dispatch.RefOf(t), path: t.Path, show: r.cfg.Output}, nil
}

// shownLog is a log that others see while it is written.
type shownLog struct {
	*tasklog.Writer

	ref  dispatch.Ref
	path string
	show func(dispatch.Ref, string, executor.Chunk)
}

// Write writes to the log, then shows.
func (l *shownLog) Write(c executor.Chunk) error {
	err := l.Writer.Write(c)
	l.show(l.ref, l.path, c)
	return err
}

// virtualSeed is the seed of runs in virtual time, which take the same course
// each time.
const virtualSeed = 1

// seed draws what feeds everything in a run that looks random.
func (r *Regie) seed() (uint64, error) {
	if r.cfg.Virtual {
		return virtualSeed, nil
	}
	var b [8]byte
	if _, err := io.ReadFull(r.cfg.Random, b[:]); err != nil {
		return 0, fmt.Errorf("draw the run's seed: %w", err)
	}
	return binary.BigEndian.Uint64(b[:]), nil
}
