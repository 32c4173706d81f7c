package process

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/executor"
)

// Without descriptors of processes (before Linux 5.3) the same is done by
// their numbers.
func TestWithoutPidfd(t *testing.T) {
	t.Parallel()
	c := bystander(t)
	id, _ := identity(c.Process.Pid, "boot")
	w, alive := watch(c.Process.Pid, id, "boot")
	if !alive {
		t.Fatal("the process is not found")
	}
	w.close()
	w.file, w.conn = nil, nil
	canceled := make(chan struct{})
	close(canceled)
	w.wait(canceled, nil)
	if w.ended() {
		t.Fatal("the process has ended")
	}
	l := leftover{pid: c.Process.Pid, pidfd: -1, start: w.start}
	l.signal(unix.SIGKILL)
	child := &child{pid: c.Process.Pid}
	child.wait(nil)
	w.wait(nil, nil)
	if !l.ended() || child.ended() {
		t.Errorf("ended: %v; told at once: %v, which cannot be", l.ended(), child.ended())
	}
	l.start = "0"
	l.signal(unix.SIGKILL) // to nobody: that is another process
}

func TestUsage(t *testing.T) {
	t.Parallel()
	x := open(t, Config{})
	// tail keeps what it has until it is read, long enough to be seen: where
	// this process itself needs more, the peak is sampled.
	r, _ := run(t, x, executor.Task{Script: "head -c 20000000 /dev/zero | gzip -9 >/dev/null; head -c 300000000 /dev/zero | tail -c 250000000 | (sleep 4; wc -c) >/dev/null"})
	u := r.Usage
	if u.CPUSeconds < 0.02 || u.CPUSeconds > 60 {
		t.Errorf("took %f CPU seconds", u.CPUSeconds)
	}
	if u.PeakMemory < 240e6 || u.PeakMemory > 600e6 {
		t.Errorf("peak of memory %d, tail alone keeps 250 MB", u.PeakMemory)
	}
	if u.BytesIn < 300e6 || u.BytesOut < 300e6 {
		t.Errorf("read %d and wrote %d bytes", u.BytesIn, u.BytesOut)
	}
	// A small process must not be charged with our own memory, which it had at
	// its fork; what is seen while it runs counts.
	r, _ = run(t, x, executor.Task{Script: "sleep 0.2"})
	if peak := r.Usage.PeakMemory; peak == 0 || peak > 20e6 {
		t.Errorf("sleep takes %d bytes", peak)
	}
}

func TestTasksDieWithRegie(t *testing.T) {
	t.Parallel()
	x, dir := open(t, Config{}), t.TempDir()
	pids := crash(t, dir, "sleep 300 >/dev/null & echo $!; echo $$; trap '' TERM HUP; while :; do sleep 300; done", false, 2)
	if _, err := wait(t, x, handle(t, dir)); !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("wait: %v", err)
	}
	for _, pid := range pids {
		if !gone(t, pid) {
			t.Errorf("process %s lives", pid)
		}
	}
	if err := x.Release(handle(t, dir)); err != nil {
		t.Errorf("release: %v", err)
	}
}
