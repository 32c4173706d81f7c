package supervised

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/regie-dev/regie/internal/executor/supervised/supervisor"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

const (
	// DefaultIdle is how long a supervisor that we start lives without tasks
	// and callers.
	DefaultIdle = time.Minute
	// readyTime bounds the waiting for a supervisor that was started.
	readyTime = 15 * time.Second
	// firstPause and longestPause are between two tries to reach one.
	firstPause   = 2 * time.Millisecond
	longestPause = 200 * time.Millisecond
	// shownLog is how much of the end of its log is shown when it ends at once.
	shownLog = 2 << 10
)

// Config says where the supervisor is, and how it is started.
type Config struct {
	// Dir is its folder, absolute, in which it listens by default. Not needed
	// if Socket is set and Spawn is not.
	Dir string
	// Socket is where it listens. Default: control/socket in Dir.
	Socket string
	// UIDs are users as whom it may run, besides our own and root.
	UIDs []int
	// Build names this program. A supervisor of another build that we started
	// is asked to retire: it goes on, and ends as soon as it has no task.
	Build string
	// Spawn starts one when none answers. Nil: somebody else does.
	Spawn *Spawn
	// Patience is how long [Open] waits for one that somebody else starts; 0: not.
	Patience time.Duration
}

// Spawn says how a supervisor is started.
type Spawn struct {
	// Command is the program with its first arguments. Default: this program
	// and "supervisor".
	Command []string
	// Environ is its environment, from which tasks get PATH and the like.
	Environ []string
	// Work, RunAs, User are as in [supervisor.Config].
	Work  string
	RunAs []string
	User  string
	// Idle is as in [supervisor.Config]. Default: [DefaultIdle].
	Idle time.Duration
}

// Info is what is known of a supervisor.
type Info struct {
	wire.Info
	// SameUser: it runs as the same user as this process, so that tasks can
	// read and write whatever this process can.
	SameUser bool
}

// ErrNoSupervisor says that nobody answers.
var ErrNoSupervisor = errors.New("no supervisor of tasks answers")

func (c *Config) complete() error {
	if c.Socket == "" && c.Dir == "" || c.Spawn != nil && !filepath.IsAbs(c.Dir) {
		return fmt.Errorf("reach supervisor: folder %q is not absolute", c.Dir)
	}
	if c.Socket == "" {
		c.Socket = supervisor.SocketIn(c.Dir)
	}
	return nil
}

// Status tells of the supervisor that runs; it starts none. [ErrNoSupervisor]
// says that there is none.
func Status(ctx context.Context, c Config) (Info, error) {
	if err := c.complete(); err != nil {
		return Info{}, err
	}
	l, err := dial(ctx, c.Socket, c.UIDs)
	if err != nil {
		return Info{}, unreachable(c.Socket, err)
	}
	defer l.close()
	return infoOf(l), nil
}

func infoOf(l *line) Info {
	return Info{Info: l.welcome.Info, SameUser: l.welcome.Info.UID == os.Geteuid()}
}

// unreachable explains why there is no connection.
func unreachable(socket string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w at %s", ErrNoSupervisor, socket)
	}
	return fmt.Errorf("reach supervisor at %s: %w", socket, err)
}

// spawnError says that a supervisor which was started came to nothing.
type spawnError struct{ err error }

func (e *spawnError) Error() string { return "start supervisor: " + e.err.Error() }

func (e *spawnError) Unwrap() error { return e.err }

// await connects for the first time. One that somebody else starts, perhaps at the
// same time as this process, is waited for.
func (x *Executor) await(ctx context.Context) (*line, error) {
	var late <-chan time.Time
	if x.config.Spawn == nil && x.config.Patience > 0 {
		late = time.After(x.config.Patience)
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		l, err := x.line(ctx)
		if late == nil || !errors.Is(err, ErrNoSupervisor) {
			return l, err
		}
		select {
		case <-time.After(pause):
		case <-late:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// ensure connects, and starts a supervisor where that is needed and allowed.
func ensure(ctx context.Context, c *Config) (*line, error) {
	l, err := dial(ctx, c.Socket, c.UIDs)
	var refused *refusedError
	if err == nil || errors.As(err, &refused) || ctx.Err() != nil || c.Spawn == nil {
		if err != nil {
			err = unreachable(c.Socket, err)
		}
		return l, err
	}
	started, err := start(c)
	if err != nil {
		return nil, &spawnError{err}
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	ended := started.done
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if l, err = dial(ctx, c.Socket, c.UIDs); err == nil {
			return l, nil
		}
		if errors.As(err, &refused) {
			return nil, unreachable(c.Socket, err)
		}
		select {
		case <-ended:
			switch ended = nil; {
			case errors.Is(started.err, supervisor.ErrLocked): // the one that has the folder may answer in a moment
			case started.err != nil:
				return nil, &spawnError{fmt.Errorf("it ended at once: %w", started.err)}
			default: // nobody came in time: the machine is busy
				if started, err = start(c); err != nil {
					return nil, &spawnError{err}
				}
				ended = started.done
			}
		case <-time.After(pause):
		case <-ctx.Done():
			if caller.Err() != nil {
				return nil, fmt.Errorf("start supervisor: %w", caller.Err())
			}
			return nil, &spawnError{fmt.Errorf("it does not answer: %w", err)}
		}
	}
}

// LockedExit is the exit code of a supervisor whose folder another one has.
const LockedExit = 5

// spawned is a supervisor that was started.
type spawned struct {
	done chan struct{} // closed when it has ended; only then err stands
	err  error
}

// start starts a supervisor with a session of its own.
func start(c *Config) (*spawned, error) {
	if err := supervisor.MakeFolder(c.Dir, len(c.Spawn.RunAs) > 0 || c.Spawn.User != ""); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(supervisor.LogIn(c.Dir), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("open its log: %w", err)
	}
	argv, err := c.command()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)        //nolint:noctx // it outlives us
	cmd.Env = append([]string{}, c.Spawn.Environ...) // nil would mean ours
	cmd.Dir = "/"                                    // it must not hold a folder that is to be unmounted
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &spawned{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		err := cmd.Wait()
		var exit *exec.ExitError
		switch {
		case err == nil:
		case errors.As(err, &exit) && exit.ExitCode() == LockedExit:
			s.err = supervisor.ErrLocked
		default:
			s.err = fmt.Errorf("%s; its log says: %s", cmd.ProcessState, lastWords(supervisor.LogIn(c.Dir), from))
		}
	}()
	return s, nil
}

// command is how the supervisor is started.
func (c *Config) command() ([]string, error) {
	argv := append([]string{}, c.Spawn.Command...)
	if len(argv) == 0 {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		argv = []string{program, "supervisor"}
	}
	idle := c.Spawn.Idle
	if idle <= 0 {
		idle = DefaultIdle
	}
	argv = append(argv, "--dir", c.Dir, "--socket", c.Socket, "--idle", idle.String())
	if c.Spawn.Work != "" {
		argv = append(argv, "--work", c.Spawn.Work)
	}
	for _, entry := range c.Spawn.RunAs {
		argv = append(argv, "--run-as", entry)
	}
	if c.Spawn.User != "" {
		argv = append(argv, "--user", c.Spawn.User)
	}
	for _, uid := range c.UIDs {
		argv = append(argv, "--allow-uid", strconv.Itoa(uid))
	}
	return argv, nil
}

// lastWords is the end of what was written to a log since an offset.
func lastWords(name string, from int64) string {
	f, err := os.Open(name)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		from = max(from, info.Size()-shownLog)
	}
	text, err := io.ReadAll(io.NewSectionReader(f, from, shownLog))
	if err != nil {
		return err.Error()
	}
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return "nothing"
	}
	return string(text)
}
