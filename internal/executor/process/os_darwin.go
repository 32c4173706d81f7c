package process

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pipe makes a pipe whose reading end does not block.
func pipe() (reader, writer int, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	err = unix.Pipe(p[:])
	if err == nil {
		unix.CloseOnExec(p[0])
		unix.CloseOnExec(p[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		_ = unix.Close(p[0])
		_ = unix.Close(p[1])
		return -1, -1, err
	}
	return p[0], p[1], nil
}

// attributes of a process to be started: a session of its own. This system has
// no death signal and no descriptors of processes.
func attributes(_ bool, _ *int) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// child is a process that we started. Here waiting reaps it: its group keeps
// its number while members live.
type child struct {
	pid    int
	over   atomic.Bool
	status unix.WaitStatus
	usage  unix.Rusage
}

func newChild(pid, _ int) *child { return &child{pid: pid} }

// wait returns when the process has ended.
func (c *child) wait(func() time.Duration) {
	for {
		_, err := unix.Wait4(c.pid, &c.status, 0, &c.usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.over.Store(true)
}

// ended reports whether the process has ended, as far as can be told at once.
func (c *child) ended() bool { return c.over.Load() }

// reap returns how the process ended.
func (c *child) reap() (unix.WaitStatus, unix.Rusage) { return c.status, c.usage }

// peakMemory of a reaped process in bytes.
func (c *child) peakMemory(usage *unix.Rusage) int64 { return usage.Maxrss }

// ioBytes is not known here.
func ioBytes(int) (in, out int64) { return 0, 0 }

// treeMemory is not known here.
func treeMemory(int, func(int)) int64 { return 0 }

// identity names a process for ever: its number may go to another one later.
// Empty if there is no such process. A process that ended but was not reaped
// does not live.
func identity(pid int, boot string) (id string, alive bool) {
	const zombie = 5 // SZOMB of sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return "", false
	}
	began := info.Proc.P_starttime
	return fmt.Sprintf("%s/%d.%06d", boot, began.Sec, began.Usec), info.Proc.P_stat != zombie
}

// bootID names the boot of the machine.
func bootID() string {
	id, err := unix.Sysctl("kern.bootsessionuuid")
	if err != nil {
		return "unknown"
	}
	return id
}

// leftover is here what is left of the group of a main process that was
// reaped, as one.
type leftover struct {
	pid     int // of the group
	leader  bool
	inGroup bool
}

func (l leftover) close() {}

func (l leftover) signal(sig unix.Signal) { _ = unix.Kill(-l.pid, sig) }

func (l leftover) ended() bool { return errors.Is(unix.Kill(-l.pid, 0), unix.ESRCH) }

// leftovers finds the group; processes elsewhere are not looked for.
func leftovers(session int, _, _ string, _ time.Duration) []leftover {
	l := leftover{pid: session, inGroup: true}
	if session == 0 || l.ended() {
		return nil
	}
	return []leftover{l}
}

// watcher follows a process that is not our child.
type watcher struct {
	pid      int
	id, boot string
}

// watch begins to follow a process if it lives and its identity is still the
// one given.
func watch(pid int, id, boot string) (*watcher, bool) {
	w := &watcher{pid, id, boot}
	return w, !w.ended()
}

func (w *watcher) ended() bool {
	id, alive := identity(w.pid, w.boot)
	return !alive || id != w.id
}

// wait returns when the process has ended or one of the channels is closed.
func (w *watcher) wait(cancel, closing <-chan struct{}) { poll(w.ended, cancel, closing) }

// signalGroup signals the group that the process leads, if it still lives.
func (w *watcher) signalGroup(sig unix.Signal) {
	if !w.ended() {
		_ = unix.Kill(-w.pid, sig)
	}
}

func (w *watcher) close() {}
