package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
)

const (
	stateFormat   = 1
	maxStateBytes = 1 << 20 // far above what we write
)

// errSupervised says that another executor holds the lock of a task.
var errSupervised = errors.New("task is supervised by another executor")

// record is one line of the state file; one group of its fields is set.
type record struct {
	Format int    `json:"format,omitempty"`
	Task   string `json:"task,omitempty"`

	PID   int    `json:"pid,omitempty"`
	Start string `json:"start,omitempty"`

	Ended *executor.Head `json:"ended,omitempty"`
}

// state is an open state file.
type state struct{ file *os.File }

// createState makes the state file of a task that is about to be started and
// locks it.
func createState(root *os.Root, task *executor.Task) (state, error) {
	f, err := root.OpenFile(stateFile, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return state{}, errors.New("its directory was used by an attempt before; every attempt needs its own")
	}
	if err != nil {
		return state{}, err
	}
	s := state{f}
	err = s.lock()
	if err == nil {
		err = s.add(record{Format: stateFormat, Task: fmt.Sprintf("%s/%s/%d", task.RunID, task.Step, task.Attempt)})
	}
	if err != nil {
		s.close()
		return state{}, err
	}
	return s, nil
}

// openState opens the state file that is there; [executor.ErrNotFound] says
// that there is none.
func openState(root *os.Root) (state, error) {
	f, err := openRegular(root, stateFile, os.O_RDWR|os.O_APPEND)
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, executor.ErrNotFound
	}
	return state{f}, err
}

// close gives the lock back. Closing alone would not always do that at once: a
// child that is just being forked shares the lock until its exec.
func (s state) close() {
	_ = s.flock(unix.LOCK_UN)
	_ = s.file.Close()
}

// lock takes the right to supervise, or returns [errSupervised].
func (s state) lock() error {
	err := s.flock(unix.LOCK_EX | unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errSupervised
	}
	return err
}

func (s state) flock(how int) error {
	conn, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) { lockErr = unix.Flock(int(fd), how) })
	return errors.Join(err, lockErr)
}

func (s state) add(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if _, err := s.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// read returns all that is known: the fields of all lines together.
func (s state) read() (record, error) {
	text, err := io.ReadAll(io.NewSectionReader(s.file, 0, maxStateBytes))
	if err != nil {
		return record{}, fmt.Errorf("read state: %w", err)
	}
	var all record
	for {
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole {
			break
		}
		if err := json.Unmarshal(line, &all); err != nil {
			return record{}, fmt.Errorf("read state: %w", err)
		}
		text = rest
	}
	if all.Format > stateFormat {
		return record{}, fmt.Errorf("state has format %d, this Regie knows %d; use the newer Regie", all.Format, stateFormat)
	}
	return all, nil
}

// openRegular opens a file that a task could have replaced: it follows no
// link, and does not hang on a FIFO.
func openRegular(root *os.Root, name string, flag int) (*os.File, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := root.OpenFile(name, flag|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(before, now) {
		_ = f.Close()
		return nil, errors.Join(err, errNotRegular)
	}
	return f, nil
}

// errNotRegular says that a link, FIFO, device or directory is where a file
// should be.
var errNotRegular = errors.New("is no regular file; the task replaced it")
