package command_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/regie-dev/regie/command"
	"github.com/regie-dev/regie/worker"
)

const (
	// asProgram has this binary be a regie with a worker instead of its tests.
	asProgram = "REGIE_TEST_AS_PROGRAM"
	// stall names a file while which is there work of the worker does not end.
	stall = "REGIE_TEST_STALL"
)

type numbers struct {
	A int `json:"a"`
	B int `json:"b"`
}

type sum struct {
	Sum int    `json:"sum"`
	Key string `json:"key"`
}

func add(ctx context.Context, in numbers) (sum, error) {
	if in.A < 0 {
		return sum{}, &worker.Error{Name: "negative", Message: "a is less than 0"}
	}
	if err := os.WriteFile(os.Getenv(stall)+".begun", nil, 0o600); err != nil {
		return sum{}, err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(os.Getenv(stall)); errors.Is(err, os.ErrNotExist) {
			return sum{Sum: in.A + in.B, Key: worker.IdempotencyKey(ctx)}, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sum{}, ctx.Err()
		}
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		command.Main("test", command.Worker(worker.Config{}, func(w *worker.Worker) { worker.Handle(w, "add", add) }))
	}
	os.Exit(m.Run())
}

// patience bounds how long a test waits.
const patience = time.Minute

// folder is where the program has its files.
type folder struct {
	t   *testing.T
	dir string
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), asProgram+"=1", stall+"="+f.path("stall"), "REGIE_STATE_DIR="+f.path("state"), "REGIE_VAR_DIR="+f.dir,
		"XDG_CONFIG_HOME="+f.path("config"), "HOME="+f.dir)
	return cmd
}

// run runs a command to its end, and returns what it prints.
func (f *folder) run(args ...string) string {
	f.t.Helper()
	cmd := f.command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("%q: %v\n%s%s", args, err, out, errs.String())
	}
	return string(out)
}

// server is one that runs.
type server struct {
	cmd *exec.Cmd
	url string
}

// serve starts a server and waits until it listens.
func (f *folder) serve() *server {
	f.t.Helper()
	s := &server{cmd: f.command("server", "--data", "data", "--listen", "127.0.0.1:0")}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(s.kill)
	for scan := bufio.NewScanner(out); scan.Scan() && s.url == ""; {
		_, s.url, _ = strings.Cut(scan.Text(), " listens on ")
	}
	if s.url == "" {
		f.t.Fatal("the server does not listen")
	}
	return s
}

// kill ends it at once.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// stop asks it to end.
func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("the server ended with %v", err)
	}
}

const definitions = `kind: TaskType
name: add
input: {a: {type: integer, required: true}, b: {type: integer, required: true}}
output: {sum: {type: integer, required: true}, key: {type: string, required: true}}
---
kind: Workflow
name: adds
inputs: {a: {type: integer, required: true}}
steps:
  - {id: add, uses: add, with: {a: "${{ inputs.a }}", b: 2}}
outputs: {sum: "${{ steps.add.output.sum }}"}
`

// TestWorker: the server does work in its own process, by the rules of workers
// elsewhere; what a kill or an end cuts off is done again by the next one.
func TestWorker(t *testing.T) {
	t.Parallel()
	f := &folder{t: t, dir: t.TempDir()}
	f.write("adds.yaml", definitions)
	if out := f.run("version"); !strings.Contains(out, "test") {
		t.Errorf("version: %s", out)
	}
	s := f.serve()
	s.stop(t)
	f.write("reset", strings.Fields(f.run("admin", "reset", "--data", "data"))[0])
	s = f.serve()
	f.run("context", "login", s.url, "--token-file", "reset")
	f.write("token", strings.Fields(f.run("tokens", "create", "tests"))[0])
	at := func(args ...string) string {
		return f.run(append(args, "--server", s.url, "--token-file", "token")...)
	}
	at("apply", "adds.yaml")
	if out := at("start", "adds", "--input", `{"a": 40}`, "--wait", "--output", "json"); !strings.Contains(out, `"sum": 42`) {
		t.Errorf("added: %s", out)
	}
	for _, cut := range []func(){s.kill, func() { s.stop(t) }} {
		f.write("stall", "")
		_ = os.Remove(f.path("stall.begun"))
		run := strings.Fields(at("start", "adds", "--input", `{"a": 5}`))[0]
		f.await("stall.begun")
		cut()
		if err := os.Remove(f.path("stall")); err != nil {
			t.Fatal(err)
		}
		s = f.serve()
		at("watch", run)
	}
	if out := at("audit", "list", "--action", "task.complete"); !strings.Contains(out, "system/worker") {
		t.Errorf("on record: %s", out)
	}
	s.stop(t)
}

// await waits until a file is there.
func (f *folder) await(name string) {
	f.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		if _, err := os.Stat(f.path(name)); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			f.t.Fatalf("%s does not come", name)
		}
	}
}
