package process

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pipe makes a pipe whose reading end does not block.
func pipe() (reader, writer int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		_ = unix.Close(p[0])
		_ = unix.Close(p[1])
		return -1, -1, err
	}
	return p[0], p[1], nil
}

// attributes of a process to be started: a session of its own, and the kernel
// kills it when the thread that calls ends, unless it may outlive Regie.
func attributes(outlive bool, pidfd *int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, PidFD: pidfd}
	if !outlive {
		a.Pdeathsig = syscall.SIGKILL
	}
	return a
}

// child is a process that we started. Until it is reaped its number cannot go
// to another process.
type child struct {
	pid   int
	floor int64 // no peak of memory up to here can be told from our own

	// The process as a descriptor that becomes readable when it ends: waiting
	// takes a goroutine, not a thread. Nil before Linux 5.3.
	file *os.File
	conn syscall.RawConn
}

func newChild(pid, pidfd int) *child {
	c := &child{pid: pid, floor: ownPeak()}
	if pidfd < 0 {
		return c
	}
	c.file, c.conn = watchable(pidfd)
	return c
}

// watchable makes a pidfd known to the scheduler; nil if that fails.
func watchable(pidfd int) (*os.File, syscall.RawConn) {
	if err := unix.SetNonblock(pidfd, true); err != nil {
		_ = unix.Close(pidfd)
		return nil, nil
	}
	file := os.NewFile(uintptr(pidfd), "pidfd")
	conn, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, nil
	}
	return file, conn
}

// wait returns when the process has ended; it is not reaped. Before that,
// tick is called at the times that it returns, the first one at once.
func (c *child) wait(tick func() time.Duration) {
	if c.file == nil {
		for {
			err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}
	for {
		_ = c.file.SetReadDeadline(time.Now().Add(tick()))
		err := c.conn.Read(readable)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// readable reports whether the process of a pidfd has ended.
func readable(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// ended reports whether the process has ended, as far as can be told at once.
func (c *child) ended() bool {
	if c.conn == nil {
		return false
	}
	over := false
	_ = c.conn.Control(func(fd uintptr) { over = readable(fd) })
	return over
}

// reap frees the process's number and returns how it ended.
func (c *child) reap() (unix.WaitStatus, unix.Rusage) {
	var status unix.WaitStatus
	var usage unix.Rusage
	for {
		_, err := unix.Wait4(c.pid, &status, 0, &usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if c.file != nil {
		_ = c.file.Close()
	}
	return status, usage
}

// peakMemory of a reaped process in bytes, 0 if not known. A forked process
// begins with the peak of its parent, us: only what exceeds that says
// something.
func (c *child) peakMemory(usage *unix.Rusage) int64 {
	if peak := kibibytes(usage.Maxrss); peak > c.floor {
		return peak
	}
	return 0
}

func ownPeak() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return kibibytes(usage.Maxrss)
}

// kibibytes in bytes; the width of the field depends on the machine.
func kibibytes[T int32 | int64](n T) int64 { return int64(n) << 10 }

// ioBytes of an ended process that is not reaped, with the children that it
// waited for.
func ioBytes(pid int) (in, out int64) {
	for line := range strings.Lines(string(readProc(pid, "io"))) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.ParseInt(number, 10, 64)
		switch name {
		case "rchar":
			in = n
		case "wchar":
			out = n
		}
	}
	return in, out
}

// identity names a process for ever: its number may go to another one later.
// Empty if there is no such process. A process that ended but was not reaped
// does not live.
func identity(pid int, boot string) (id string, alive bool) {
	s, ok := readStat(pid)
	if !ok {
		return "", false
	}
	return boot + "/" + s.start, !s.ended()
}

// bootID names the boot of the machine.
func bootID() string {
	id := strings.TrimSpace(string(readKernel("/proc/sys/kernel/random/boot_id")))
	if id == "" {
		return "unknown"
	}
	return id
}

// watcher follows a process that is not our child.
type watcher struct {
	leftover
	file *os.File // its pidfd; nil where the system has none
	conn syscall.RawConn
}

// watch begins to follow a process if it lives and its identity is still the
// one given.
func watch(pid int, id, boot string) (*watcher, bool) {
	w := &watcher{leftover: leftover{pid: pid, pidfd: -1}}
	if pidfd, err := unix.PidfdOpen(pid, 0); err == nil {
		w.file, w.conn = watchable(pidfd)
	}
	now, alive := identity(pid, boot)
	if !alive || now != id {
		w.close()
		return nil, false
	}
	w.start = startOf(id)
	return w, true
}

// wait returns when the process has ended or one of the channels is closed.
func (w *watcher) wait(cancel, closing <-chan struct{}) {
	if w.file == nil {
		poll(w.ended, cancel, closing)
		return
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-cancel:
		case <-closing:
		case <-stop:
		}
		_ = w.file.SetReadDeadline(time.Unix(1, 0))
	}()
	_ = w.conn.Read(readable)
	close(stop)
	<-done
}

func (w *watcher) close() {
	if w.file != nil {
		_ = w.file.Close()
	}
}

// signalGroup signals the group that the process leads, if it still lives.
func (w *watcher) signalGroup(sig unix.Signal) {
	if !w.ended() {
		_ = unix.Kill(-w.pid, sig)
	}
}
