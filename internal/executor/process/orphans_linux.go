package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reapTime is how long zombies of orphans may stay: one look serves all that
// ended within it.
const reapTime = 200 * time.Millisecond

// orphans are the processes that the kernel gives us because their parents,
// descendants of tasks, have ended. All of our children are either main
// processes of tasks, which are known here, or orphans. A nil *orphans is that
// of an executor to which none are given.
type orphans struct {
	// forking is held for reading from before a fork until the child is
	// known, and for writing while children are looked at: what is not known
	// then is an orphan.
	forking sync.RWMutex

	mu    sync.Mutex
	mains map[int]*child     // not yet reaped
	live  map[*task]struct{} // from before the fork until nothing of it is left

	stop chan struct{}
	done chan struct{}
}

// adopt makes this process the reaper of its descendants' orphans.
func adopt() (*orphans, error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become the reaper of orphans: %w", err)
	}
	o := &orphans{
		mains: map[int]*child{}, live: map[*task]struct{}{}, stop: make(chan struct{}), done: make(chan struct{}),
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		defer close(o.done)
		defer signal.Stop(ended)
		for {
			select {
			case <-ended:
			case <-o.stop:
				return
			}
			select {
			case <-time.After(reapTime):
			case <-o.stop:
				return
			}
			o.sweep()
		}
	}()
	return o, nil
}

// close ends the looking after orphans; those that live stay.
func (o *orphans) close() {
	if o == nil {
		return
	}
	close(o.stop)
	<-o.done
}

// begin announces a task that is about to be started.
func (o *orphans) begin(t *task) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.live[t] = struct{}{}
}

// end says that all of a task has ended that could be told. What nobody else
// can have started any more is killed.
func (o *orphans) end(t *task) {
	if o == nil {
		return
	}
	o.mu.Lock()
	delete(o.live, t)
	o.mu.Unlock()
	o.sweep()
}

// fork runs start, which forks a main process.
func (o *orphans) fork(start func() (*child, error)) (*child, error) {
	if o == nil {
		return start()
	}
	o.forking.RLock()
	defer o.forking.RUnlock()
	c, err := start()
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mains[c.pid] = c
	return c, nil
}

// reap frees the number of a main process, which is none of ours then.
func (o *orphans) reap(c *child) (unix.WaitStatus, unix.Rusage) {
	if o == nil {
		return c.reap()
	}
	o.forking.RLock()
	defer o.forking.RUnlock()
	status, usage := c.reap()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mains[c.pid] == c { // else the number has gone to another already
		delete(o.mains, c.pid)
	}
	return status, usage
}

// of adds to what is known to be left of a task the orphans that are its own.
func (o *orphans) of(t *task, left []leftover) []leftover {
	if o == nil {
		return left
	}
	known := map[int]bool{}
	for _, l := range left {
		known[l.pid] = true
	}
	return append(left, o.look(func(pid int, s stat) bool {
		return !known[pid] && o.owner(pid, s) == t
	})...)
}

// sweep reaps orphans that have ended, and kills those that only tasks that
// have ended can have started.
func (o *orphans) sweep() {
	for _, l := range o.look(func(pid int, s stat) bool { return o.owner(pid, s) == nil && !o.possible(s, nil) }) {
		l.signal(unix.SIGKILL)
		l.close()
	}
}

// look reaps the orphans that have ended and returns those among the others
// that are wanted. The caller closes them.
func (o *orphans) look(wanted func(pid int, s stat) bool) []leftover {
	// The kernel gives orphans to the first thread of the process.
	self := os.Getpid()
	o.forking.Lock()
	var found []int
	for _, pid := range childrenOf(self, strconv.Itoa(self)) {
		o.mu.Lock()
		main := o.mains[pid] != nil
		o.mu.Unlock()
		if main {
			continue
		}
		if s, ok := readStat(pid); ok && s.ended() {
			reapOrphan(pid)
			continue
		}
		found = append(found, pid)
	}
	o.forking.Unlock()
	var out []leftover
	for _, pid := range found {
		s, ok := readStat(pid)
		if !ok || s.ended() || !wanted(pid, s) {
			continue
		}
		if l, ok := pin(pid, s); ok {
			out = append(out, l)
		}
	}
	return out
}

func reapOrphan(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// owner is the live task to which an orphan belongs; nil if that cannot be
// told. It is the one whose session it is in, whose $REGIE_OUTPUT is in its
// environment, or among whose descendants it or the leader of its session was
// seen; else the only one that can have started it.
func (o *orphans) owner(pid int, s stat) *task {
	mark := outputOf(pid)
	leader, _ := readStat(s.session)
	for _, t := range o.tasks() {
		if t.leads(s.session) || mark != "" && mark == marker(t.dir) ||
			t.hasSeen(pid, s.start) || t.hasSeen(s.session, leader.start) {
			return t
		}
	}
	for _, t := range o.tasks() {
		if couldStart(t, s) && !o.possible(s, t) {
			return t
		}
	}
	return nil
}

// outputOf is the entry of a process's environment by which tasks are
// recognised; empty if there is none.
func outputOf(pid int) string {
	for entry := range bytes.SplitSeq(readProc(pid, "environ"), []byte{0}) {
		if bytes.HasPrefix(entry, []byte("REGIE_OUTPUT=")) {
			return string(entry)
		}
	}
	return ""
}

// possible reports whether a live task other than that one can have started a
// process.
func (o *orphans) possible(s stat, other *task) bool {
	for _, t := range o.tasks() {
		if t != other && couldStart(t, s) {
			return true
		}
	}
	return false
}

// couldStart reports whether a task was there when a process began.
func couldStart(t *task, s stat) bool { return !older(s.start, t.started()) }

func (o *orphans) tasks() []*task {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]*task, 0, len(o.live))
	for t := range o.live {
		out = append(out, t)
	}
	return out
}
