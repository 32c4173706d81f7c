package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/process"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
	"github.com/regie-dev/regie/internal/tasklog"
)

// smallSpool is how much output goes into the journal with the result, in bytes
// of its log: more than that is synced in its own file.
const smallSpool = 32 << 10

// job is a task that runs here, or ran.
type job struct {
	dir    string
	handle executor.Handle

	mu       sync.Mutex
	spool    *tasklog.Writer // from the first output on
	spoolErr error
	grown    chan struct{} // closed when there is more output, then another

	done chan struct{} // closed when it has ended, and end and err stand
	end  *kept
	err  error
}

func newJob(dir string) *job {
	return &job{dir: dir, grown: make(chan struct{}), done: make(chan struct{})}
}

// ended reports whether the task has ended.
func (j *job) ended() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// print keeps a piece of output.
func (j *job) print(c executor.Chunk) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.spoolErr != nil {
		return
	}
	if j.spool == nil {
		root, err := os.OpenRoot(j.dir)
		if err == nil {
			j.spool, err = tasklog.Open(root, process.SpoolName)
			_ = root.Close()
		}
		if err != nil {
			j.spoolErr = err
			return
		}
	}
	j.spoolErr = j.spool.Write(c)
	close(j.grown)
	j.grown = make(chan struct{})
}

// watch returns a channel that is closed when there is more output.
func (j *job) watch() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.grown
}

// finish keeps the end of the task.
func (j *job) finish(journal *journal, r executor.Result, err error) {
	defer close(j.done)
	spool, spoolErr := j.closeSpool()
	if err != nil {
		j.err = err
		return
	}
	if spoolErr != nil {
		warn(&r, "what the task printed is not all kept: "+spoolErr.Error())
	}
	if j.end, err = keep(j.dir, &r, spool); err == nil {
		err = journal.end(j.dir, j.end)
	}
	if err == nil {
		return
	}
	warn(&r, "the result is not kept on disk: "+err.Error())
	result, attachments := wire.ResultOf(&r)
	j.end = &kept{result: result, attachments: attachments}
}

// closeSpool ends the log of output. It returns the log if it is small, and else
// makes it durable.
func (j *job) closeSpool() ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.spool == nil {
		return nil, j.spoolErr
	}
	f, err := openSpool(j.dir)
	if err != nil {
		return nil, errors.Join(j.spoolErr, err)
	}
	defer f.Close()
	text := make([]byte, smallSpool+1)
	n, err := io.ReadFull(f, text)
	if n > smallSpool {
		err = j.spool.Sync()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	err = errors.Join(j.spoolErr, err, j.spool.Close())
	if n > smallSpool {
		return nil, err
	}
	return append([]byte(nil), text[:n]...), err
}

// keep makes what the journal keeps of an end.
func keep(dir string, r *executor.Result, spool []byte) (*kept, error) {
	result, attachments := wire.ResultOf(r)
	e := entry{Dir: []byte(dir), Result: result, Spooled: spool != nil}
	all := attachments
	if spool != nil {
		all = append(append([][]byte(nil), attachments...), spool)
	}
	payload, err := wire.EncodeMessage(e, all...)
	if err != nil {
		return nil, err
	}
	return &kept{payload: payload, result: result, attachments: attachments, spool: spool}, nil
}

func warn(r *executor.Result, text string) {
	if r.Warning != "" {
		r.Warning += "; "
	}
	r.Warning += text
}

func openSpool(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, process.SpoolName), os.O_RDONLY|openFlags, 0)
}

// follow waits for the end of a job.
func (s *supervisor) follow(j *job) {
	r, err := s.tasks.Wait(context.Background(), j.handle)
	j.finish(s.journal, r, err)
	if j.err != nil {
		s.log.Error("supervise a task", "dir", j.dir, "error", j.err)
	}
	s.mu.Lock()
	s.running--
	s.mu.Unlock()
	s.settle()
}

// start starts a task. An error that is no [executor.StartError] says that
// nobody knows whether it was started, or [wire.ErrBusy] that it was not.
func (s *supervisor) start(t *executor.Task, silent bool) error {
	j := newJob(t.Dir)
	s.mu.Lock()
	if s.over || s.draining {
		s.mu.Unlock()
		return fmt.Errorf("start task: %w", wire.ErrBusy)
	}
	if s.jobs[t.Dir] != nil {
		s.mu.Unlock()
		return &executor.StartError{Name: "start", Err: errors.New("its directory was used by an attempt before; every attempt needs its own")}
	}
	s.jobs[t.Dir] = j
	s.running++
	s.mu.Unlock()

	if !silent {
		t.Output = j.print
	}
	made, err := s.makeFolder(t.Dir)
	if err == nil {
		j.handle, err = s.tasks.Start(context.Background(), *t)
	} else {
		err = &executor.StartError{Name: "start", Err: fmt.Errorf("make directory of the task: %w", err)}
	}
	if err == nil {
		go s.follow(j)
		return nil
	}
	if made {
		s.removeFolder(t.Dir)
	}
	// A caller whose connection broke may have asked again, and follows it.
	j.err = err
	close(j.done)
	s.mu.Lock()
	delete(s.jobs, t.Dir)
	s.running--
	s.mu.Unlock()
	s.settle()
	return err
}

// folderTries is how often a folder is made again whose parent was removed
// meanwhile by the end of another task of the run.
const folderTries = 100

// makeFolder makes the folder of an attempt and those above it, unless it is
// there.
func (s *supervisor) makeFolder(dir string) (made bool, err error) {
	for range folderTries {
		if err := os.MkdirAll(filepath.Dir(dir), s.folderMode); err != nil {
			return false, err
		}
		err = os.Mkdir(dir, s.folderMode)
		if errors.Is(err, os.ErrExist) {
			return false, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, err
}

// removeFolder removes the folder of an attempt, and that of its run if it was
// the last one.
func (s *supervisor) removeFolder(dir string) {
	_ = os.Remove(dir)
	if run := filepath.Dir(dir); filepath.Dir(run) == s.cfg.Work {
		_ = os.Remove(run)
	}
}

// release forgets a task.
func (s *supervisor) release(dir string) error {
	s.mu.Lock()
	j := s.jobs[dir]
	s.mu.Unlock()
	if j != nil && !j.ended() {
		return executor.ErrRunning
	}
	h, err := process.HandleFor(dir)
	if err == nil {
		err = s.tasks.Release(h)
	}
	if err != nil {
		return err
	}
	s.journal.release(dir)
	s.mu.Lock()
	delete(s.jobs, dir)
	s.mu.Unlock()
	s.removeFolder(dir)
	return nil
}
