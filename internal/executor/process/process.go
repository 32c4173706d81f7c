package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
)

// DefaultDrainTime is the default of [Config.DrainTime].
const DefaultDrainTime = time.Second

// handlePrefix begins our handles; the absolute path of the folder follows.
const handlePrefix = "process:1:"

// Config configures an executor; the zero value works.
type Config struct {
	// Environ is Regie's environment, as "NAME=value", from which tasks get
	// PATH, HOME, LANG, LC_*, TZ, USER, LOGNAME, SHELL and [CalledFrom].
	// Default: none; tasks get a PATH in any case.
	Environ []string
	// DrainTime is how long output is read on when the main process has ended
	// but one of its descendants still holds it open. Default 1 s.
	DrainTime time.Duration
	// Outlive lets tasks live on when Regie is killed, so that the next Regie
	// can watch them to their end. What they print then is lost, and printing
	// may end them (PIPE). By default the kernel kills the main process of
	// each task with Regie, where it can (Linux).
	Outlive bool
	// Orphans makes this process the one that orphaned descendants of tasks are
	// given to, where the system can (Linux), so that daemons are ended with
	// their task whatever they did to their environment. The process must then
	// have no other children.
	Orphans bool
	// Users says as whom a task runs: nil is this process's own user. It is
	// asked about every task, also about those without [executor.Task.RunAs].
	// By default tasks with it are refused.
	Users func(task *executor.Task) (*User, error)
}

// User is a user of the machine as whom a task runs.
type User struct {
	Name, Home string
	UID, GID   uint32
	Groups     []uint32 // supplementary
}

// Executor runs tasks as processes. Safe for concurrent use; see [New].
type Executor struct {
	config    Config
	inherit   []executor.EnvVar
	boot      string
	null      *os.File
	buffers   buffers
	spawners  *spawners
	orphans   *orphans      // nil: they are none of ours
	closing   chan struct{} // closed by Close
	closeOnce sync.Once

	mu     sync.Mutex
	closed bool
	tasks  map[string]*task // by folder; supervised here, not yet released
	work   sync.WaitGroup   // starts, supervision, stops; added to under mu
}

var _ executor.Executor = (*Executor)(nil)

// New returns an executor. Close ends it, and the tasks that it runs.
func New(config Config) (*Executor, error) {
	if config.DrainTime <= 0 {
		config.DrainTime = DefaultDrainTime
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("open process executor: %w", err)
	}
	x := &Executor{
		config:   config,
		inherit:  allowed(config.Environ),
		boot:     bootID(),
		null:     null,
		buffers:  newBuffers(),
		spawners: newSpawners(),
		closing:  make(chan struct{}),
		tasks:    map[string]*task{},
	}
	if config.Orphans {
		if x.orphans, err = adopt(); err != nil {
			x.spawners.close()
			_ = null.Close()
			return nil, fmt.Errorf("open process executor: %w", err)
		}
	}
	return x, nil
}

// Name implements [executor.Executor]; it is "process".
func (x *Executor) Name() string { return "process" }

// HandleFor returns the handle of the task in a folder (Task.Dir), for whoever
// was killed between the start of a task and keeping its handle.
func HandleFor(dir string) (executor.Handle, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find handle: %w", err)
	}
	return executor.Handle(handlePrefix + dir), nil
}

// Folder is the inverse of [HandleFor]; false if the handle is none of ours.
func Folder(h executor.Handle) (string, bool) {
	dir, ok := strings.CutPrefix(string(h), handlePrefix)
	return filepath.Clean(dir), ok && filepath.IsAbs(dir)
}

// Start implements [executor.Executor]. All its errors are
// *[executor.StartError]; the folder is left as it was.
func (x *Executor) Start(ctx context.Context, t executor.Task) (executor.Handle, error) {
	h, err := HandleFor(t.Dir)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && t.Dir == "" {
		err = errors.New("task has no directory")
	}
	if err == nil && !x.begin() {
		err = executor.ErrClosed
	}
	if err != nil {
		return "", &executor.StartError{Name: "start", Err: err}
	}
	defer x.work.Done()
	dir, _ := Folder(h)
	if err := x.start(ctx, dir, &t); err != nil {
		return "", err
	}
	return h, nil
}

// begin announces work that Close has to wait for; false if the executor is
// closed.
func (x *Executor) begin() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	x.work.Add(1)
	return true
}

func (x *Executor) start(ctx context.Context, dir string, t *executor.Task) error {
	user, err := x.user(t)
	if err != nil {
		return &executor.StartError{Name: "run_as", Err: err}
	}
	root, err := openFolder(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if made {
		if err = os.MkdirAll(dir, 0o700); err == nil {
			root, err = openFolder(dir)
		}
	}
	if err != nil {
		return &executor.StartError{Name: "start", Err: fmt.Errorf("open directory of the task: %w", err)}
	}
	state, err := createState(root, t)
	if err != nil {
		_ = root.Close()
		return &executor.StartError{Name: "start", Err: err}
	}
	running := &task{
		dir: dir, root: root, state: state, drainTime: x.config.DrainTime, timeout: t.Timeout,
		success: t.SuccessCodes, done: make(chan struct{}), user: user, orphans: x.orphans,
	}
	x.orphans.begin(running)
	if err := x.launch(ctx, running, t); err != nil {
		x.orphans.end(running)
		state.close()
		if errors.Is(err, errNotEmpty) {
			_ = root.Remove(stateFile)
		} else {
			_ = remove(root)
		}
		_ = root.Close()
		if made {
			_ = os.Remove(dir)
		}
		return err
	}
	x.mu.Lock()
	x.tasks[dir] = running
	closed := x.closed
	x.work.Add(1) // our own Start still counts, so Close has not passed its Wait
	x.mu.Unlock()
	grace := t.Grace
	if grace <= 0 {
		grace = executor.DefaultGrace
	}
	go func() {
		defer x.work.Done()
		running.supervise(grace)
	}()
	if closed {
		running.end(causeClosed, 0)
	}
	return nil
}

// user says as whom a task runs; nil is our own user.
func (x *Executor) user(t *executor.Task) (*User, error) {
	if x.config.Users != nil {
		return x.config.Users(t)
	}
	if t.RunAs != "" {
		return nil, fmt.Errorf("user %q: tasks run as the user of Regie itself here; other users need a server whose supervisor may change to them", t.RunAs)
	}
	return nil, nil
}

// launch prepares and starts the process of a task.
func (x *Executor) launch(ctx context.Context, running *task, t *executor.Task) error {
	command, err := prepare(running.root, running.dir, t, x.inherit, running.user)
	if err != nil {
		return err
	}
	capture, writers, err := newCapture(x.buffers, t)
	if err != nil {
		return &executor.StartError{Name: "start", Err: err}
	}
	running.capture = capture
	err = x.spawn(ctx, running, command, writers)
	for _, fd := range writers {
		_ = unix.Close(fd)
	}
	if err != nil {
		capture.close()
		return &executor.StartError{Name: "start", Err: err}
	}
	// If this cannot be written the process runs all the same, and can still
	// be found by its environment.
	id, _ := identity(running.child.pid, x.boot)
	running.setMain(running.child.pid, startOf(id))
	_ = running.state.add(record{PID: running.child.pid, Start: id})
	return nil
}

func (x *Executor) spawn(ctx context.Context, running *task, c command, writers [2]int) error {
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir: c.dir, Env: c.environ,
		Files: []uintptr{x.null.Fd(), uintptr(writers[0]), uintptr(writers[1])},
		Sys:   attributes(x.config.Outlive, &pidfd),
	}
	if u := running.user; u != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	var startErr error
	err := x.spawners.do(ctx, func() {
		running.startedAt = time.Now()
		running.child, startErr = x.orphans.fork(func() (*child, error) {
			pid, _, err := syscall.StartProcess(c.program, c.argv, attr)
			if err != nil {
				return nil, err
			}
			return newChild(pid, pidfd), nil
		})
	})
	if err != nil {
		return err
	}
	switch {
	case errors.Is(startErr, unix.E2BIG):
		return fmt.Errorf("execute %q: arguments and environment are too large for the system; pass large values in a file", c.program)
	case errors.Is(startErr, unix.ENOENT):
		return fmt.Errorf("execute %q: the interpreter that the file names is not there", c.program)
	case errors.Is(startErr, unix.EACCES) && running.user != nil:
		return fmt.Errorf("execute %q: user %q may not execute it, or may not enter %s: %w", c.program, running.user.Name, c.dir, startErr)
	case startErr != nil:
		return fmt.Errorf("execute %q: %w", c.program, startErr)
	}
	return nil
}

// startOf returns the start of a process from its identity.
func startOf(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

// Wait implements [executor.Executor]. For a task of another executor on the
// same machine it waits until that one ends it, or is gone; a task that lives
// on without one is watched to its end.
func (x *Executor) Wait(ctx context.Context, h executor.Handle) (executor.Result, error) {
	dir, ok := Folder(h)
	if !ok {
		return executor.Result{}, fmt.Errorf("handle %q is none of the process executor: %w", h, executor.ErrNotFound)
	}
	t := x.supervised(dir)
	if t == nil {
		return x.recover(ctx, dir)
	}
	select {
	case <-t.done:
		return t.result, t.err
	case <-ctx.Done():
		return executor.Result{}, ctx.Err()
	}
}

func (x *Executor) supervised(dir string) *task {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tasks[dir]
}

// Stop implements [executor.Executor]. A task of another executor gets TERM
// and KILL too; if that one still supervises it, the result there is the
// signal, not "canceled".
func (x *Executor) Stop(h executor.Handle, grace time.Duration) error {
	dir, ok := Folder(h)
	if !ok {
		return nil
	}
	if t := x.supervised(dir); t != nil {
		t.end(executor.ErrorCanceled, grace)
		return nil
	}
	return x.stopStranger(dir, grace)
}

// Release implements [executor.Executor]. It removes what [Executor.Start] put
// into the folder, the files of the task, and the folder itself unless there is
// something else in it.
func (x *Executor) Release(h executor.Handle) error {
	dir, ok := Folder(h)
	if !ok {
		return nil
	}
	t := x.supervised(dir)
	if t == nil {
		return releaseStranger(dir, x.boot)
	}
	select {
	case <-t.done:
	default:
		return executor.ErrRunning
	}
	if err := remove(t.root); err != nil {
		return fmt.Errorf("release task in %s: %w", dir, err)
	}
	_ = os.Remove(dir) // others may have something in it
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tasks[dir] == t {
		delete(x.tasks, dir)
		_ = t.root.Close()
	}
	return nil
}

// Close kills the tasks that the executor runs and waits until nothing of it
// is left. Their Wait returns [executor.ErrClosed], and later ones
// [executor.ErrNotFound]. Idempotent.
func (x *Executor) Close() error {
	x.closeOnce.Do(func() {
		x.mu.Lock()
		x.closed = true
		running := make([]*task, 0, len(x.tasks))
		for _, t := range x.tasks {
			running = append(running, t)
		}
		x.mu.Unlock()
		close(x.closing)
		for _, t := range running {
			t.end(causeClosed, 0)
		}
		x.work.Wait()
		x.spawners.close()
		x.orphans.close()
		x.mu.Lock()
		for dir, t := range x.tasks {
			_ = t.root.Close()
			delete(x.tasks, dir)
		}
		x.mu.Unlock()
		_ = x.null.Close()
	})
	return nil
}
