package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/executortest"
)

// patience is how long a test waits for what should come soon.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperDir); dir != "" {
		helper(dir)
		return
	}
	os.Exit(m.Run())
}

// open returns an executor that is closed at the end of the test.
func open(t *testing.T, config Config) *Executor {
	t.Helper()
	x, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return x
}

// output keeps what a task prints to stdout, and what Regie adds.
type output struct {
	mu    sync.Mutex
	text  []byte
	notes []byte
	came  chan struct{}
}

func (o *output) add(c executor.Chunk) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch c.Stream {
	case executor.Stdout:
		o.text = append(o.text, c.Data...)
	case executor.System:
		o.notes = append(o.notes, c.Data...)
	case executor.Stderr:
	}
	select {
	case o.came <- struct{}{}:
	default:
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// await waits until the text has so many lines, and returns them.
func (o *output) await(t *testing.T, lines int) []string {
	t.Helper()
	limit := time.After(patience)
	for strings.Count(o.String(), "\n") < lines {
		select {
		case <-o.came:
		case <-limit:
			t.Fatalf("the task printed %q, which has not %d lines", o, lines)
		}
	}
	return strings.Split(strings.TrimSuffix(o.String(), "\n"), "\n")
}

func start(t *testing.T, x *Executor, task executor.Task) (executor.Handle, *output) {
	t.Helper()
	o := &output{came: make(chan struct{}, 1)}
	task.Output = o.add
	if task.Dir == "" {
		task.Dir = t.TempDir()
	}
	h, err := x.Start(t.Context(), task)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return h, o
}

func wait(t *testing.T, x *Executor, h executor.Handle) (executor.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := x.Wait(ctx, h)
	if ctx.Err() != nil {
		t.Fatalf("the task did not end within %s", patience)
	}
	return r, err
}

// run runs a task that must succeed.
func run(t *testing.T, x *Executor, task executor.Task) (executor.Result, string) {
	t.Helper()
	h, o := start(t, x, task)
	r, err := wait(t, x, h)
	if err != nil || r.ErrorName != "" {
		t.Fatalf("task ended with %q %s, %v", r.ErrorName, r.ErrorMessage, err)
	}
	return r, o.String()
}

// TestContract runs alone: one of its tests measures what is allocated.
func TestContract(t *testing.T) {
	executortest.Run(t, func(t *testing.T) executor.Executor { return open(t, Config{}) })
}

func TestEnvironmentIsAllowed(t *testing.T) {
	t.Parallel()
	x := open(t, Config{Environ: []string{
		"HOME=/h", "LANG=nl_NL", "LC_ALL=C", "LC_TIME=nl", "TZ=UTC", "USER=u", "LOGNAME=l", "SHELL=/bin/x",
		"REGIE_TOKEN=hush", "REGIE_CALLED_FROM=/called", "AWS_SECRET_ACCESS_KEY=hush", "LD_PRELOAD=/x.so", "TMPDIR=/elsewhere", "BASH_ENV=/x", "broken",
	}})
	dir := t.TempDir()
	_, got := run(t, x, executor.Task{
		Args: []string{"/usr/bin/env"}, Dir: dir, Env: []executor.EnvVar{{Name: "LANG", Value: "de"}, {Name: "OWN", Value: "1"}},
		RunID: "r", Step: "s", Attempt: 1, IdempotencyKey: "k",
	})
	want := []string{
		"HOME=/h", "LANG=de", "LC_ALL=C", "LC_TIME=nl", "LOGNAME=l", "OWN=1", "PATH=" + defaultPath,
		"REGIE_ATTEMPT=1", "REGIE_CALLED_FROM=/called", "REGIE_CHECKPOINT=" + dir + "/out/checkpoint", "REGIE_HEARTBEAT=" + dir + "/out/heartbeat", "REGIE_IDEMPOTENCY_KEY=k",
		"REGIE_OUTPUT=" + dir + "/out/output", "REGIE_RUN_ID=r", "REGIE_STEP=s",
		"SHELL=/bin/x", "TMPDIR=" + dir + "/tmp", "TZ=UTC", "USER=u",
	}
	lines := strings.Split(strings.TrimSpace(got), "\n")
	slices.Sort(lines)
	if !slices.Equal(lines, want) {
		t.Errorf("got %q\nwant %q", lines, want)
	}
}

// The files of a task are executed at once; none may be open for writing in a
// child that is about to be executed.
func TestBundledFilesCanBeExecuted(t *testing.T) {
	t.Parallel()
	x := open(t, Config{})
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			h, _ := start(t, x, executor.Task{
				Args: []string{"./go"}, Files: []executor.File{{Path: "go", Mode: 0o755, Data: []byte("#!/bin/sh\nexit 0\n")}},
			})
			if r, err := wait(t, x, h); err != nil || r.ErrorName != "" {
				t.Errorf("got %q %s, %v", r.ErrorName, r.ErrorMessage, err)
			}
		})
	}
	all.Wait()
}

// A thread that ends takes the children that it forked with it.
func TestTasksOutliveTheCallersThread(t *testing.T) {
	t.Parallel()
	x := open(t, Config{})
	handles := make(chan executor.Handle)
	dir := t.TempDir()
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		h, _ := start(t, x, executor.Task{Script: "until test -e go; do sleep 0.01; done", Dir: dir})
		handles <- h
	}()
	h := <-handles
	letGo(t, dir)
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "" {
		t.Errorf("got %q, %v", r.ErrorName, err)
	}
}

// letGo makes the file go in the working directory.
func letGo(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, workDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually looks at something that gives no sign when it changes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func TestClose(t *testing.T) {
	before := goleak.IgnoreCurrent()
	x, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	running, o := start(t, x, executor.Task{Script: "trap '' TERM; echo $$; while :; do sleep 300; done", Timeout: time.Hour})
	released, _ := start(t, x, executor.Task{Script: "exit 0"})
	kept, _ := start(t, x, executor.Task{Script: "exit 5"})
	for _, h := range []executor.Handle{released, kept} {
		if _, err := wait(t, x, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Release(released); err != nil {
		t.Fatal(err)
	}
	pid := o.await(t, 1)[0]
	waited := make(chan error, 1)
	go func() {
		_, err := x.Wait(context.Background(), running)
		waited <- err
	}()
	for range 2 {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-waited; !errors.Is(err, executor.ErrClosed) && !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("wait during close: %v", err)
	}
	if !gone(t, pid) {
		t.Errorf("process %s lives after close", pid)
	}
	if _, err := x.Wait(t.Context(), running); !errors.Is(err, executor.ErrNotFound) {
		t.Errorf("wait for a task that was ended by close: %v", err)
	}
	if r, err := x.Wait(t.Context(), kept); err != nil || r.ErrorName != "exit.5" {
		t.Errorf("a result is lost by close: %q, %v", r.ErrorName, err)
	}
	if err := x.Release(kept); err != nil {
		t.Errorf("release after close: %v", err)
	}
	if _, err := x.Start(t.Context(), executor.Task{Script: "exit 0", Dir: t.TempDir()}); !errors.Is(err, executor.ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
	goleak.VerifyNone(t, before)
}

// Tasks that start while the executor is closed end with it, or never start.
func TestCloseDuringStarts(t *testing.T) {
	t.Parallel()
	x, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	first := make(chan struct{})
	var once sync.Once
	for range 20 {
		dir := t.TempDir()
		all.Go(func() {
			h, err := x.Start(t.Context(), executor.Task{Script: "sleep 300", Dir: dir})
			once.Do(func() { close(first) })
			if err != nil {
				if !errors.Is(err, executor.ErrClosed) {
					t.Errorf("start: %v", err)
				}
				return
			}
			if _, err := wait(t, x, h); !errors.Is(err, executor.ErrClosed) && !errors.Is(err, executor.ErrNotFound) {
				t.Errorf("wait: %v", err)
			}
		})
	}
	<-first
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
}

// What a task puts in place of its folders leads nowhere.
func TestReleaseStaysInside(t *testing.T) {
	t.Parallel()
	x := open(t, Config{})
	outside := t.TempDir()
	treasure := filepath.Join(outside, "treasure")
	if err := os.WriteFile(treasure, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, _ := start(t, x, executor.Task{
		Dir: dir, Env: []executor.EnvVar{{Name: "OUTSIDE", Value: outside}},
		Script: `ln -s "$OUTSIDE" link; cd ..; mv work elsewhere; ln -s "$OUTSIDE" work; rm -r tmp; ln -s "$OUTSIDE" tmp; rm -r elsewhere
			rm script; ln -s "$OUTSIDE/treasure" script; rm state; ln -s "$OUTSIDE/treasure" state`,
	})
	if r, err := wait(t, x, h); err != nil || r.ErrorName != "" {
		t.Fatalf("got %q %s, %v", r.ErrorName, r.ErrorMessage, err)
	}
	other := open(t, Config{})
	if _, err := wait(t, other, h); err == nil {
		t.Error("a link in place of the state was followed")
	}
	if err := x.Release(h); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(treasure); err != nil || info.Size() != 0 {
		t.Errorf("a file outside was touched: %v, %v", info, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "log" {
		t.Errorf("left %v (%v), want the caller's log", left, err)
	}
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	locked := filepath.Join(dir, "work", "module", "cache")
	if err := os.MkdirAll(locked, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{locked, filepath.Dir(locked)} {
		if err := os.Chmod(name, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	unlock(root, "work")
	for _, name := range []string{locked, filepath.Dir(locked)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// A folder that holds anything of ours' name is refused, and left alone.
func TestStartInUsedFolder(t *testing.T) {
	t.Parallel()
	x := open(t, Config{})
	dir := t.TempDir()
	precious := filepath.Join(dir, workDir, "precious")
	if err := os.Mkdir(filepath.Dir(precious), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := x.Start(t.Context(), executor.Task{Script: "exit 0", Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	const head = `{"format":1,"task":"r/s/1"}` + "\n"
	self := os.Getpid()
	before, _ := identity(self, "before")
	for name, c := range map[string]struct {
		text string
		want string // in the error of Wait
	}{
		"empty":            {"", "not found"},
		"torn head":        {`{"format":1,"ta`, "not found"},
		"never started":    {head, "not found"},
		"torn end":         {head + `{"ended":{"exit_code":0`, "not found"},
		"another process":  {head + fmt.Sprintf(`{"pid":%d,"start":"%s/1"}`, self, bootID()) + "\n", "not found"},
		"another boot":     {head + fmt.Sprintf(`{"pid":%d,"start":"%s"}`, self, before) + "\n", "not found"},
		"no such process":  {head + `{"pid":999999999,"start":"b/1"}` + "\n", "not found"},
		"from the future":  {`{"format":99}` + "\n", "newer Regie"},
		"not ours":         {"hello\n", "read state"},
		"lines after that": {head + "hello\n" + `{"ended":{}}` + "\n", "read state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := open(t, Config{})
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			h, err := HandleFor(dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := wait(t, x, h); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("wait: %v, want %q", err, c.want)
			}
			// Nothing of this is a reason to signal anybody: we live.
			if err := x.Stop(h, 0); err != nil && c.want == "not found" {
				t.Errorf("stop: %v", err)
			}
			if err := x.Release(h); err != nil {
				t.Errorf("release: %v", err)
			}
		})
	}
	t.Run("ended", func(t *testing.T) {
		t.Parallel()
		x := open(t, Config{})
		dir := t.TempDir()
		text := head + `{"pid":7,"start":"b/1"}` + "\n" + `{"ended":{"exit_code":75,"error_name":"exit.75","error_message":"exit code 75","started_at":"2026-01-02T03:04:05Z","ended_at":"2026-01-02T03:04:06Z","cpu_seconds":0.5,"peak_memory":1,"bytes_in":2,"bytes_out":3,"log_bytes":4}}` + "\n{torn"
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h, _ := HandleFor(dir)
		r, err := wait(t, x, h)
		want := executor.Usage{CPUSeconds: 0.5, PeakMemory: 1, BytesIn: 2, BytesOut: 3, LogBytes: 4}
		if err != nil || r.ErrorName != "exit.75" || r.ExitCode != 75 || r.Usage != want || r.EndedAt.Sub(r.StartedAt) != time.Second {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

// gone reports whether a process has ended.
func gone(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil || n <= 0 {
		t.Fatalf("%q is no process number", pid)
	}
	_, alive := identity(n, "")
	return !alive
}

// bystander is a process of the test that no task may touch.
func bystander(t *testing.T) *exec.Cmd {
	t.Helper()
	c := exec.Command("sleep", "300")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}
