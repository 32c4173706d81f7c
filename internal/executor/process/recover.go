package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
)

// lookTime is between two looks at a task that another executor supervises.
const lookTime = 50 * time.Millisecond

// openFolder opens an attempt's folder, which must not be a link.
func openFolder(dir string) (*os.Root, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	return os.OpenRoot(dir)
}

// Exists reports whether a task was started in a folder, or is about to be, and
// was not released.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, stateFile))
	return err == nil
}

// stranger is a task of an executor that is not this one.
type stranger struct {
	dir   string
	root  *os.Root
	state state
}

// openStranger opens a task by its folder; [executor.ErrNotFound] says that
// there is none.
func openStranger(dir string) (*stranger, error) {
	root, err := openFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, executor.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	state, err := openState(root)
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return &stranger{dir, root, state}, nil
}

func (s *stranger) close() {
	s.state.close()
	_ = s.root.Close()
}

// find returns the main process if it lives. If the crash came before its
// number was written, it is the leader of a session with the task's
// environment.
func (s *stranger) find(known record, boot string) (*watcher, bool) {
	if known.PID != 0 {
		return watch(known.PID, known.Start, boot)
	}
	left := leftovers(0, "", marker(s.dir), 0)
	defer closeAll(left)
	for _, l := range left {
		if l.leader {
			id, _ := identity(l.pid, boot)
			return watch(l.pid, id, boot)
		}
	}
	return nil, false
}

// clean ends what is left of a task whose main process is gone. Only the
// environment tells that a process is ours: the numbers of the group and the
// session may have gone to others.
func (s *stranger) clean() {
	find := func() []leftover { return leftovers(0, "", marker(s.dir), 0) }
	kill(find(), find, func() {})
}

// recover waits for a task that this executor does not supervise.
func (x *Executor) recover(ctx context.Context, dir string) (executor.Result, error) {
	s, err := openStranger(dir)
	if err != nil {
		return executor.Result{}, fmt.Errorf("wait for task in %s: %w", dir, err)
	}
	defer s.close()
	ticker := time.NewTicker(lookTime)
	defer ticker.Stop()
	for {
		lockErr := s.state.lock()
		if lockErr != nil && !errors.Is(lockErr, errSupervised) {
			return executor.Result{}, fmt.Errorf("wait for task in %s: %w", dir, lockErr)
		}
		known, err := s.state.read()
		if err != nil {
			return executor.Result{}, fmt.Errorf("wait for task in %s: %w", dir, err)
		}
		if known.Ended != nil {
			r := known.Ended.Result()
			collect(s.root, &r)
			return r, nil
		}
		if lockErr == nil {
			return executor.Result{}, x.lose(ctx, s, known)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return executor.Result{}, ctx.Err()
		case <-x.closing:
			return executor.Result{}, executor.ErrClosed
		}
	}
}

// lose watches a task whose supervisor is gone to its end. Its exit status
// went to nobody.
func (x *Executor) lose(ctx context.Context, s *stranger, known record) error {
	if w, alive := s.find(known, x.boot); alive {
		defer w.close()
		w.wait(ctx.Done(), x.closing)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-x.closing:
			return executor.ErrClosed
		default:
		}
	}
	s.clean()
	return fmt.Errorf("task in %s ended while nobody supervised it: %w", s.dir, executor.ErrNotFound)
}

// stopStranger ends a task that this executor does not supervise.
func (x *Executor) stopStranger(dir string, grace time.Duration) error {
	s, err := openStranger(dir)
	if errors.Is(err, executor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop task in %s: %w", dir, err)
	}
	known, err := s.state.read()
	if err != nil {
		s.close()
		return fmt.Errorf("stop task in %s: %w", dir, err)
	}
	w, alive := s.find(known, x.boot)
	if known.Ended != nil || !alive || !x.begin() {
		if alive {
			w.close()
		}
		s.close()
		return nil
	}
	if grace > 0 {
		w.signalGroup(unix.SIGTERM)
		w.signalGroup(unix.SIGCONT)
	}
	go func() {
		defer x.work.Done()
		defer s.close()
		defer w.close()
		waiting, stop := context.WithTimeout(context.Background(), max(grace, 0))
		defer stop()
		w.wait(waiting.Done(), x.closing)
		w.signalGroup(unix.SIGKILL)
		if s.state.lock() == nil { // else its supervisor ends what is left
			s.clean()
		}
	}()
	return nil
}

// releaseStranger removes the files of a task that nobody supervises.
func releaseStranger(dir, boot string) error {
	s, err := openStranger(dir)
	if errors.Is(err, executor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("release task in %s: %w", dir, err)
	}
	defer s.close()
	if err := s.state.lock(); errors.Is(err, errSupervised) {
		return executor.ErrRunning
	}
	known, err := s.state.read()
	if err == nil && known.Ended == nil {
		if w, alive := s.find(known, boot); alive {
			w.close()
			return executor.ErrRunning
		}
	}
	if err := remove(s.root); err != nil {
		return fmt.Errorf("release task in %s: %w", dir, err)
	}
	_ = os.Remove(dir)
	return nil
}

// remove takes away what prepare and the task put into the folder; the state
// last, so that it can be done again.
func remove(root *os.Root) error {
	for _, name := range []string{workDir, tmpDir, outDir, scriptFile, SpoolName, stateFile} {
		if root.Remove(name) == nil { // the usual case: a file, or an empty directory
			continue
		}
		err := root.RemoveAll(name)
		if errors.Is(err, fs.ErrPermission) {
			unlock(root, name)
			err = root.RemoveAll(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unlock makes directories writable that a task made read-only, as package
// managers do with what they download.
func unlock(root *os.Root, name string) {
	_ = fs.WalkDir(root.FS(), name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = root.Chmod(path, 0o700)
		}
		return nil
	})
}
