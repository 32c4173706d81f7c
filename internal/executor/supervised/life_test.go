package supervised

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/supervised/supervisor"
	"github.com/regie-dev/regie/internal/executor/supervised/wire"
)

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	x := open(t, config(t))
	base := t.TempDir()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			p := newPrinted()
			h, err := x.Start(t.Context(), executor.Task{
				Script: fmt.Sprintf("echo up; until test -e %s/go; do sleep 0.02; done; echo %d; echo n=%d >$REGIE_OUTPUT; exit %d", base, i, i, i%50),
				Dir:    filepath.Join(base, fmt.Sprint(i)), Output: p.add,
			})
			if err != nil {
				t.Error(err)
				return
			}
			r, err := wait(t, x, h)
			if err != nil || r.ExitCode != i%50 || r.Output.Get("n").String() != fmt.Sprintf("%q", fmt.Sprint(i)) || p.String() != fmt.Sprintf("up\n%d\n", i) {
				t.Errorf("task %d: %+v, %v, %q", i, r, err, p)
			}
			if err := x.Release(h); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all run at once", func() bool { return ask(t, x).Running == 100 })
	if err := os.WriteFile(filepath.Join(base, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if info := ask(t, x); info.Running != 0 || info.Kept != 0 {
		t.Errorf("left %+v", info)
	}
}

// A supervisor without tasks and callers ends; the next start brings up another.
func TestIdle(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Spawn.Idle = 50 * time.Millisecond
	first, second := open(t, c), open(t, c)
	info, again := first.Last(), second.Last()
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has ended", func() bool { return gone(strconv.Itoa(info.PID)) })
	if _, err := Status(t.Context(), c); !errors.Is(err, ErrNoSupervisor) {
		t.Errorf("status without a supervisor: %v", err)
	}
	x := open(t, c)
	h, _, _ := begin(t, x, executor.Task{Script: "sleep 0.2; exit 2"})
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "exit.2" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
	if last := x.Last(); last.PID == info.PID || again.PID != info.PID {
		t.Errorf("processes %d, %d and %d", info.PID, again.PID, last.PID)
	}
}

// A server of another build goes on with the supervisor that runs, and one of its
// own takes over when that has no task.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	c := config(t)
	before := open(t, c)
	h, p, dir := begin(t, before, executor.Task{Script: "echo up; " + untilGo + "exit 8"})
	p.await(t)
	old := before.Last().PID
	_ = before.Close()

	c.Build = "new"
	c.Spawn.Environ = append(c.Spawn.Environ, "SUPERVISED_TEST_BUILD=new")
	x := open(t, c)
	if info := ask(t, x); info.PID != old || !info.Retiring || info.Running != 1 {
		t.Errorf("the supervisor says %+v", info)
	}
	meanwhile, _, _ := begin(t, x, executor.Task{Script: "exit 9"})
	if r, err := wait(t, x, meanwhile); err != nil || r.ErrorName != "exit.9" {
		t.Errorf("a task of the old one: %q, %v", r.ErrorName, err)
	}
	letGo(t, dir)
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "exit.8" {
		t.Errorf("the task from before: %q, %v", r.ErrorName, err)
	}
	after, _, _ := begin(t, x, executor.Task{Script: "exit 10"})
	if r, err := wait(t, x, after); err != nil || r.ErrorName != "exit.10" {
		t.Errorf("a task of the new one: %q, %v", r.ErrorName, err)
	}
	if info := ask(t, x); info.PID == old || info.Build != "new" || info.Retiring {
		t.Errorf("the supervisor says %+v", info)
	}
}

// A supervisor of another build that ends before it answers is as good as one
// that retires: one of the server's own takes over.
func TestUpgradeOfOneThatEnds(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Build = "new"
	c.Spawn.Environ = append(c.Spawn.Environ, "SUPERVISED_TEST_BUILD=new")
	if err := supervisor.MakeFolder(c.Dir, false); err != nil {
		t.Fatal(err)
	}
	old, err := net.Listen("unix", c.socket())
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	go func() {
		defer close(asked)
		conn, err := old.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		defer old.Close() // before the connection
		l := &line{conn: conn.(*net.UnixConn)}
		_, _, _ = wire.ReadFrame(conn) // what it says of itself
		_ = l.send(wire.Welcome{Version: wire.Version, Info: wire.Info{Build: "old"}})
		_, request, _ := wire.ReadFrame(conn)
		asked <- string(request)
	}()
	x := open(t, c)
	if request := <-asked; !strings.Contains(request, string(wire.OpRetire)) {
		t.Errorf("the old one was asked %q", request)
	}
	if info := ask(t, x); info.Build != "new" {
		t.Errorf("the supervisor says %+v", info)
	}
}

// Asked to drain, a supervisor takes no new tasks; those wait for the next one.
func TestDrain(t *testing.T) {
	t.Parallel()
	x := open(t, config(t))
	h, p, dir := begin(t, x, executor.Task{Script: "echo up; " + untilGo + "exit 8"})
	p.await(t)
	old := ask(t, x).PID
	if err := x.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := make(chan executor.Handle, 1)
	go func() {
		h, err := x.Start(context.Background(), executor.Task{Script: "exit 9", Dir: filepath.Join(filepath.Dir(dir), "late")})
		if err != nil {
			t.Error(err)
		}
		late <- h
	}()
	if info := ask(t, x); info.PID != old || !info.Draining || len(late) > 0 {
		t.Errorf("the supervisor says %+v", info)
	}
	letGo(t, dir)
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "exit.8" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
	if r, err := wait(t, x, <-late); err != nil || r.ErrorName != "exit.9" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
	if ask(t, x).PID == old {
		t.Error("it has not ended")
	}
}

// A supervisor that somebody else starts may be there after its first caller.
func TestPatience(t *testing.T) {
	t.Parallel()
	c := config(t)
	caller := Config{Dir: c.Dir, Patience: 30 * time.Millisecond}
	begin := time.Now()
	if _, err := Open(t.Context(), caller); !errors.Is(err, ErrNoSupervisor) || time.Since(begin) < caller.Patience {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
	caller.Patience = time.Minute
	opened := make(chan error, 1)
	go func() {
		x, err := Open(t.Context(), caller)
		if err == nil {
			err = x.Close()
		}
		opened <- err
	}()
	open(t, c)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestOpenFails(t *testing.T) {
	t.Parallel()
	if _, err := Open(t.Context(), Config{Dir: filepath.Join(t.TempDir(), "s")}); !errors.Is(err, ErrNoSupervisor) {
		t.Errorf("without a supervisor: %v", err)
	}
	if _, err := Open(t.Context(), Config{Dir: "relative", Spawn: &Spawn{}}); err == nil || !strings.Contains(err.Error(), "not absolute") {
		t.Errorf("with a relative folder: %v", err)
	}
	c := config(t)
	c.Spawn.RunAs = []string{"0"}
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "numbers are no names") {
		t.Errorf("of one that ends at once: %v", err)
	}
	c = config(t)
	c.Spawn.Command = []string{"/no/such/program"}
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("of one that cannot be started: %v", err)
	}
}

// A folder with a long name has its socket all the same.
func TestLongFolder(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Dir = filepath.Join(c.Dir, strings.Repeat("long/", 40))
	x := open(t, c)
	h, _, _ := begin(t, x, executor.Task{Script: "exit 2"})
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "exit.2" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
	// The short name of the test's own cleaning does not find it.
	if err := x.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// One that cannot start is not tried again at once, however often it is asked for.
func TestNotStartedAgainAtOnce(t *testing.T) {
	t.Parallel()
	c := config(t)
	x := open(t, c)
	killSupervisor(t, x)
	x.hangUp()
	count := filepath.Join(t.TempDir(), "count")
	c.Spawn.Command = []string{"/bin/sh", "-c", "echo x >>" + count + "; echo broken >&2; exit 1"}
	for tries, rest := range []time.Duration{firstRest, 2 * firstRest, 4 * firstRest} {
		x.restUntil = time.Time{} // it is time again
		for range 5 {
			if _, err := x.line(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") {
				t.Fatalf("a connection to a supervisor that cannot start: %v", err)
			}
		}
		if text, err := os.ReadFile(count); err != nil || len(text) != 2*(tries+1) {
			t.Errorf("tried %q times, want %d, %v", text, tries+1, err)
		}
		if x.rest != rest {
			t.Errorf("rests %s, want %s", x.rest, rest)
		}
	}
	// Somebody else may start it meanwhile.
	x.restUntil = time.Now().Add(time.Hour)
	other := config(t)
	other.Dir = c.Dir
	open(t, other)
	if info := ask(t, x); info.PID == 0 {
		t.Errorf("the supervisor says %+v", info)
	}
}
