package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
)

const (
	// killTime bounds how long processes that got KILL are waited for, and
	// killRounds how often is looked for new ones: a fork bomb may be faster.
	killTime   = 5 * time.Second
	killRounds = 100
	// Memory is looked at first after sampleFirst, then in twice the time up
	// to sampleMost.
	sampleFirst = 20 * time.Millisecond
	sampleMost  = 5 * time.Second
	// lastDrainTime bounds the reading of output after all was killed.
	lastDrainTime = 200 * time.Millisecond
	// pollTime is between two looks at something that cannot wake us.
	pollTime = 10 * time.Millisecond
)

// causeClosed ends a task because the executor is closed.
const causeClosed = "closed"

// task is one that this executor supervises.
type task struct {
	dir       string
	root      *os.Root
	state     state
	child     *child
	user      *User // nil: our own
	orphans   *orphans
	capture   *capture
	drainTime time.Duration
	timeout   time.Duration
	success   []int
	startedAt time.Time
	sampled   int64 // peak of memory seen, bytes

	mu        sync.Mutex
	cause     string // why we ended it
	killAt    time.Time
	killTimer *time.Timer
	over      bool           // the main process has ended
	pid       int            // of the main process
	start     string         // of it, by the system's clock
	seen      map[int]string // descendants that were seen: number to start

	done   chan struct{} // closed when result and err stand
	result executor.Result
	err    error
}

// end asks the task to end: TERM to its group, KILL after grace. The first
// cause stays; a later call can only shorten the grace.
func (t *task) end(cause string, grace time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	killAt := time.Now().Add(max(grace, 0))
	if t.cause == "" && (t.over || t.child.ended()) {
		// It ended by itself; what it left is not waited for any longer.
		t.drainTime = 0
		if t.over {
			t.capture.deadline(time.Now())
		}
		return
	}
	if t.cause != "" && !killAt.Before(t.killAt) {
		return
	}
	t.killAt = killAt
	if t.killTimer != nil {
		t.killTimer.Stop()
	}
	if t.over {
		t.capture.deadline(killAt)
		return
	}
	first := t.cause == ""
	if first {
		t.cause = cause
	}
	if grace <= 0 {
		_ = unix.Kill(-t.child.pid, unix.SIGKILL)
		return
	}
	if first {
		_ = unix.Kill(-t.child.pid, unix.SIGTERM)
		_ = unix.Kill(-t.child.pid, unix.SIGCONT) // a stopped process cannot end
	}
	t.killTimer = time.AfterFunc(grace, t.kill)
}

// kill ends the group of the main process. Once that has ended, clean takes
// over: the number of a reaped process may belong to others.
func (t *task) kill() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		_ = unix.Kill(-t.child.pid, unix.SIGKILL)
	}
}

// deadline is when what still runs is killed.
func (t *task) deadline() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.killAt
}

// supervise follows the task to its end. It runs in a goroutine of its own.
func (t *task) supervise(grace time.Duration) {
	read := make(chan bool, 1)
	go func() { read <- t.capture.drain() }()
	if t.timeout > 0 {
		timer := time.AfterFunc(t.timeout, func() { t.end(executor.ErrorTimeout, grace) })
		defer timer.Stop()
	}
	t.child.wait(t.sampler())
	endedAt := time.Now()
	cause := t.setOver(endedAt)

	allRead := <-read
	killed, alive := t.clean(cause != "")
	if !allRead {
		t.capture.deadline(time.Now().Add(lastDrainTime))
		t.capture.drain()
	}
	if killed > 0 {
		t.capture.note(fmt.Sprintf("processes that the task left running, and that were killed: %d", killed))
	}
	t.capture.close()
	r := t.reap(endedAt, cause)
	if alive > 0 {
		warn(&r, fmt.Sprintf("processes that the task left running, and that could not be killed: %d", alive))
	}
	t.orphans.end(t)
	t.finish(r, cause)
}

// maxSeen bounds the descendants that are remembered of one task.
const maxSeen = 1024

// see remembers a descendant, where that says something.
func (t *task) see(pid int) {
	if t.orphans == nil {
		return
	}
	t.mu.Lock()
	known := t.seen[pid] != "" || len(t.seen) >= maxSeen
	t.mu.Unlock()
	if known {
		return
	}
	id, alive := identity(pid, "")
	if !alive {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[int]string{}
	}
	t.seen[pid] = startOf(id)
}

// hasSeen reports whether a process was a descendant of the task.
func (t *task) hasSeen(pid int, start string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return start != "" && t.seen[pid] == start
}

// leads reports whether the main process is that one.
func (t *task) leads(pid int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pid != 0 && t.pid == pid
}

// setMain sets what the main process is known by.
func (t *task) setMain(pid int, start string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pid, t.start = pid, start
}

// started is the start of the main process; empty if it is not known yet.
func (t *task) started() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.start
}

// setOver notes that the main process has ended, and gives the reading of
// output its bound. It returns why we ended the process, if we did.
func (t *task) setOver(endedAt time.Time) (cause string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if t.killTimer != nil {
		t.killTimer.Stop()
	}
	until := endedAt.Add(t.drainTime)
	if t.cause != "" {
		// Descendants that were asked to end have the rest of the grace.
		until = t.killAt
	}
	t.capture.deadline(until)
	return t.cause
}

// clean ends what the main process left running, and returns how many
// processes it killed and how many still live. Those that were asked to end get
// the rest of the grace.
func (t *task) clean(asked bool) (killed, alive int) {
	find := func() []leftover {
		left := leftovers(t.child.pid, t.started(), marker(t.dir), time.Since(t.startedAt))
		return t.orphans.of(t, left)
	}
	left := find()
	if asked && len(left) > 0 {
		for _, l := range left {
			if !l.inGroup {
				l.signal(unix.SIGTERM)
			}
		}
		await(left, t.deadline)
	}
	return kill(left, find, func() { _ = unix.Kill(-t.child.pid, unix.SIGKILL) })
}

// kill ends processes and those that find returns then, until there are none.
// It gives up after a bound, and returns how many it killed and how many are
// left. It calls group once, when those of left are counted: what it ends among
// them was killed too.
func kill(left []leftover, find func() []leftover, group func()) (killed, alive int) {
	limit := time.Now().Add(killTime)
	for round := 0; round == 0 || len(left) > 0 && round < killRounds && time.Now().Before(limit); round++ {
		for _, l := range left {
			if !l.ended() {
				killed++
				l.signal(unix.SIGKILL)
			}
		}
		if round == 0 {
			group()
		}
		if len(left) == 0 {
			break
		}
		await(left, func() time.Time { return limit })
		closeAll(left)
		left = find()
	}
	closeAll(left)
	return killed, len(left)
}

func closeAll(left []leftover) {
	for _, l := range left {
		l.close()
	}
}

// await waits until all have ended, up to a time that may change.
func await(left []leftover, deadline func() time.Time) {
	for _, l := range left {
		poll(func() bool { return l.ended() || !time.Now().Before(deadline()) }, nil, nil)
	}
}

// poll waits for what cannot wake us, or until one of the channels is closed.
func poll(ok func() bool, cancel, closing <-chan struct{}) {
	ticker := time.NewTicker(pollTime)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-cancel:
			return
		case <-closing:
			return
		}
	}
}

// sampler looks at the memory of the task from time to time.
func (t *task) sampler() func() time.Duration {
	var next time.Duration
	return func() time.Duration {
		if next == 0 {
			next = sampleFirst
			return next
		}
		t.sampled = max(t.sampled, treeMemory(t.child.pid, t.see))
		next = min(2*next, sampleMost)
		return next
	}
}

// reap frees the process and returns how it ended, without what stands in
// files.
func (t *task) reap(endedAt time.Time, cause string) executor.Result {
	in, out := ioBytes(t.child.pid)
	status, usage := t.orphans.reap(t.child)
	exit := executor.Exit{Code: -1, Cause: cause, Timeout: t.timeout}
	if status.Signaled() {
		exit.Signal = signalName(status.Signal())
	} else {
		exit.Code = status.ExitStatus()
	}
	r := exit.Result(t.success)
	r.StartedAt, r.EndedAt = t.startedAt, endedAt
	r.Usage = executor.Usage{
		CPUSeconds: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds(),
		PeakMemory: max(t.sampled, t.child.peakMemory(&usage)),
		BytesIn:    in, BytesOut: out,
		LogBytes: t.capture.bytes(),
	}
	return r
}

// finish keeps the result on disk, and then makes it known.
func (t *task) finish(r executor.Result, cause string) {
	defer close(t.done)
	defer t.state.close()
	if cause == causeClosed {
		t.err = executor.ErrClosed
		return
	}
	head := r.Head()
	if err := t.state.add(record{Ended: &head}); err != nil {
		warn(&r, "result is not kept on disk: "+err.Error())
	}
	collect(t.root, &r)
	t.result = r
}

// signalName is the name of a signal without SIG, or its number.
func signalName(sig unix.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return strings.TrimPrefix(name, "SIG")
	}
	return strconv.Itoa(int(sig))
}
