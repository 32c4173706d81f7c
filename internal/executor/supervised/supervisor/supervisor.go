package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

const (
	// openFlags keep an opening from following a link or hanging on a FIFO,
	// which a task may have put in place of a file.
	openFlags = unix.O_NOFOLLOW | unix.O_NONBLOCK
	// lockTime is how long a supervisor waits for another one that is ending.
	lockTime = 2 * time.Second
	lockPoll = 20 * time.Millisecond
	// acceptPause is between two tries to accept when descriptors have run out.
	acceptPause = 50 * time.Millisecond
	// keptPieces is how many buffers for output are kept for the next who sends.
	keptPieces = 32
)

// Config configures a supervisor. Only Dir is needed.
type Config struct {
	// Dir is its folder, absolute; it is made if it is not there. Two
	// supervisors never have one at the same time.
	Dir string
	// Work is the folder, absolute, below which the directories of attempts
	// are. Default: work in Dir. It must let users of RunAs pass.
	Work string
	// Socket is where it listens. Default: [SocketIn] of Dir.
	Socket string
	// UIDs may speak to it, besides its own.
	UIDs []int
	// RunAs are the users that tasks may name: NAME for tasks of every
	// namespace, or NAMESPACE/NAME. Exact names, no numbers; root only if it is
	// listed. Changing users takes a supervisor that runs as root.
	RunAs []string
	// User is as whom tasks run that name nobody. Default: as itself; but one
	// that runs as root then starts such tasks only for callers that are root.
	User string
	// Environ is from where tasks get PATH and the like, see
	// [process.Config.Environ].
	Environ []string
	// Idle ends it when it had neither tasks nor callers for that long.
	// Default: never.
	Idle time.Duration
	// Build names the program, for callers.
	Build string
	// Log gets what is wrong. Default: nothing is logged.
	Log *slog.Logger
}

// ErrLocked says that another supervisor has the folder.
var ErrLocked = errors.New("another supervisor has the folder")

// controlName is the folder within Dir for what nobody else may touch.
const controlName = "control"

// SocketIn is where the supervisor of a folder listens by default.
func SocketIn(dir string) string { return filepath.Join(dir, controlName, "socket") }

// LogIn is where the log of a supervisor goes that somebody starts for a folder.
func LogIn(dir string) string { return filepath.Join(dir, controlName, "log") }

// MakeFolder makes the folder of a supervisor and what it needs in it. Others
// may pass through it if open is set, to what is below its work folder.
func MakeFolder(dir string, open bool) error {
	mode := os.FileMode(0o700)
	if open {
		mode = 0o711
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return fmt.Errorf("make folder of supervisor: %w", err)
	}
	control := filepath.Join(dir, controlName)
	if err := os.Mkdir(control, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder of supervisor: %w", err)
	}
	info, err := os.Lstat(control)
	if err != nil {
		return fmt.Errorf("make folder of supervisor: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("folder %s must be a folder that nobody else may enter (mode 0700), and has mode %s", control, info.Mode())
	}
	return nil
}

type supervisor struct {
	cfg        Config
	log        *slog.Logger
	users      *users
	tasks      *process.Executor
	journal    *journal
	folderMode os.FileMode
	pieces     pieces

	mu       sync.Mutex
	jobs     map[string]*job // by folder, until released
	running  int             // of jobs
	calls    map[*call]struct{}
	draining bool
	retiring bool
	over     bool // it ends: nothing is begun any more
	idle     *time.Timer
	ended    chan struct{} // closed with over

	serving sync.WaitGroup
}

// Serve supervises until it is drained: it returns nil when ctx has ended, or a
// caller has asked for it, and no task runs any more; or after [Config.Idle].
// Results that were not taken are kept on disk for the next one. While another
// supervisor has the folder it returns [ErrLocked].
func Serve(ctx context.Context, cfg Config) error {
	if !filepath.IsAbs(cfg.Dir) {
		return fmt.Errorf("start supervisor: folder %q is not absolute", cfg.Dir)
	}
	s, err := newSupervisor(cfg)
	if err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	lock, err := lockFolder(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	defer lock.Close()
	if err := s.open(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	defer s.close()
	listener, err := s.listen()
	if err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { s.drain(true) })
	defer stop()
	s.serving.Go(func() { s.accept(listener) })
	s.settle()
	<-s.ended
	_ = listener.Close()
	s.hangUp()
	s.serving.Wait()
	return nil
}

func newSupervisor(cfg Config) (*supervisor, error) {
	cfg.Dir = filepath.Clean(cfg.Dir)
	if cfg.Work == "" {
		cfg.Work = filepath.Join(cfg.Dir, "work")
	}
	cfg.Work = filepath.Clean(cfg.Work)
	if !filepath.IsAbs(cfg.Work) {
		return nil, fmt.Errorf("work folder %q is not absolute", cfg.Work)
	}
	if cfg.Socket == "" {
		cfg.Socket = SocketIn(cfg.Dir)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	users, err := newUsers(cfg.RunAs, cfg.User)
	if err != nil {
		return nil, err
	}
	s := &supervisor{
		cfg: cfg, log: cfg.Log, users: users, folderMode: 0o700, pieces: make(pieces, keptPieces),
		jobs: map[string]*job{}, calls: map[*call]struct{}{}, ended: make(chan struct{}),
	}
	if s.changesUsers() {
		s.folderMode = 0o711
	}
	return s, MakeFolder(cfg.Dir, s.changesUsers())
}

func (s *supervisor) changesUsers() bool { return len(s.cfg.RunAs) > 0 || s.cfg.User != "" }

// open makes what stands behind the socket.
func (s *supervisor) open() (err error) {
	if err := os.MkdirAll(s.cfg.Work, s.folderMode); err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	if s.journal, err = openJournal(filepath.Join(s.cfg.Dir, controlName, "journal")); err != nil {
		return err
	}
	s.tasks, err = process.New(process.Config{Environ: s.cfg.Environ, Outlive: true, Orphans: true, Users: s.users.of})
	if err != nil {
		_ = s.journal.close()
	}
	return err
}

// close is called when no task runs.
func (s *supervisor) close() {
	if err := errors.Join(s.tasks.Close(), s.journal.close()); err != nil {
		s.log.Error("end the supervisor", "error", err)
	}
}

// lockFolder takes the folder, for as long as the file is open.
func lockFolder(dir string) (*os.File, error) {
	name := filepath.Join(dir, controlName, "lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|openFlags, 0o600)
	if err != nil {
		return nil, err
	}
	for limit := time.Now().Add(lockTime); ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		case time.Now().After(limit):
			_ = f.Close()
			return nil, fmt.Errorf("%w %s", ErrLocked, dir)
		}
		<-time.After(lockPoll)
	}
}

func (s *supervisor) listen() (*net.UnixListener, error) {
	if err := os.Remove(s.cfg.Socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of an earlier supervisor: %w", err)
	}
	address, done, err := wire.Address(s.cfg.Socket)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", s.cfg.Socket, err)
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", s.cfg.Socket, err)
	}
	l.SetUnlinkOnClose(false) // the name may be the next supervisor's by then
	mode := os.FileMode(0o600)
	if len(s.cfg.UIDs) > 0 {
		mode = 0o666 // each caller is asked for its user
	}
	if err := os.Chmod(s.cfg.Socket, mode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listen on %s: %w", s.cfg.Socket, err)
	}
	return l, nil
}

func (s *supervisor) accept(l *net.UnixListener) {
	for {
		c, err := l.AcceptUnix()
		if err == nil {
			s.serve(c)
			continue
		}
		select {
		case <-s.ended:
			return
		case <-time.After(acceptPause):
			s.log.Warn("accept a caller", "error", err)
		}
	}
}

// allowed reports whether a user may speak to us.
func (s *supervisor) allowed(uid int) bool {
	return uid == s.users.uid || slices.Contains(s.cfg.UIDs, uid)
}

// drain lets the supervisor end when no task runs any more; with hard it takes
// no new ones.
func (s *supervisor) drain(hard bool) {
	s.mu.Lock()
	s.retiring = true
	s.draining = s.draining || hard
	s.mu.Unlock()
	s.settle()
}

// settle ends the supervisor if it is time, or sets the time when it will be.
func (s *supervisor) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	switch {
	case s.over || s.running > 0:
	case s.retiring:
		s.finish()
	case len(s.calls) == 0 && s.cfg.Idle > 0:
		var timer *time.Timer
		timer = time.AfterFunc(s.cfg.Idle, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.idle == timer && !s.over {
				s.finish()
			}
		})
		s.idle = timer
	}
}

// finish ends the supervisor. The lock is held.
func (s *supervisor) finish() {
	s.over = true
	close(s.ended)
}

func (s *supervisor) info() wire.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.Info{
		PID: os.Getpid(), UID: s.users.uid, Build: s.cfg.Build, Work: s.cfg.Work, RunAs: s.cfg.RunAs,
		Running: s.running, Kept: s.journal.count(), Draining: s.draining, Retiring: s.retiring,
	}
}
