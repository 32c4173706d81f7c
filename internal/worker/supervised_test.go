package worker_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/executor/supervised"
	"github.com/regie-dev/regie/internal/executor/supervised/supervisor"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/worker"
	"github.com/regie-dev/regie/internal/workflow"
)

// The environment that makes this test program a supervisor, or a Regie with one
// attempt, which tells of each piece of its log on standard output.
const (
	roleVariable   = "WORKER_TEST_ROLE"
	folderVariable = "WORKER_TEST_FOLDER"
	scriptVariable = "WORKER_TEST_SCRIPT"
)

func play(role string) int {
	var err error
	if role == "supervisor" {
		err = supervise()
	} else {
		err = killedRegie(role == "again")
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		return 1
	}
	return 0
}

func supervise() error {
	cfg := supervisor.Config{Environ: os.Environ()}
	flag.StringVar(&cfg.Dir, "dir", "", "")
	flag.StringVar(&cfg.Socket, "socket", "", "")
	flag.DurationVar(&cfg.Idle, "idle", 0, "")
	flag.Parse()
	return supervisor.Serve(context.Background(), cfg)
}

func killedRegie(again bool) error {
	folder := os.Getenv(folderVariable)
	_, w, err := supervisedWorker(folder, func(chunk []byte) { _, _ = fmt.Fprintf(os.Stdout, "%q\n", chunk) })
	if err != nil {
		return err
	}
	w.Listen(newListener())
	if again {
		w.Reattach(secretTask(os.Getenv(scriptVariable)))
	} else {
		w.Assign(secretTask(os.Getenv(scriptVariable)))
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until it is killed
	return err
}

// secretTask is a task with a secret in its environment.
func secretTask(script string) engine.Task {
	task := processTask(script)
	task.Input = value.Object(
		value.M("script", value.String(script)), value.M("env", value.Object(value.M("TOKEN", value.Null))))
	task.Secrets = []engine.SecretSlot{{Path: []string{"env", "TOKEN"}, Parts: []engine.SecretPart{{Secret: "TOKEN"}}}}
	return task
}

// toldLog tells of what is written.
type toldLog struct {
	*tasklog.Writer

	told func([]byte)
}

func (l toldLog) Write(c executor.Chunk) error {
	err := l.Writer.Write(c)
	l.told(c.Data)
	return err
}

// supervisedWorker is a worker whose attempts outlive it.
func supervisedWorker(folder string, told func([]byte)) (*supervised.Executor, *worker.Worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	x, err := supervised.Open(context.Background(), supervised.Config{Dir: filepath.Join(folder, "s"), Spawn: &supervised.Spawn{
		Command: []string{program}, Environ: append(os.Environ(), roleVariable+"=supervisor"), Idle: time.Second,
	}})
	if err != nil {
		return nil, nil, err
	}
	return x, worker.New(worker.Config{
		Executors: map[string]executor.Executor{workflow.UsesProcess: x},
		Dir:       x.Work(), Clock: clock.Real{},
		HandleOf: func(_, dir string) (executor.Handle, error) { return supervised.HandleFor(dir) },
		OpenLog: func(*engine.Task) (worker.Log, error) {
			root, err := os.OpenRoot(folder)
			if err != nil {
				return nil, err
			}
			defer root.Close()
			w, err := tasklog.Open(root, "log")
			return toldLog{w, told}, err
		},
		Secrets: func(string) secret.Source {
			return secret.Env(func(name string) (string, bool) { return token, name == "REGIE_SECRET_TOKEN" }, secret.EnvPrefix)
		},
		Languages: map[string]expr.Language{},
	}), nil
}

// supervisedFolder is a folder whose supervisor is killed at the end.
func supervisedFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	t.Cleanup(func() {
		if info, err := supervised.Status(context.Background(), supervised.Config{Dir: filepath.Join(folder, "s")}); err == nil {
			_ = unix.Kill(info.PID, unix.SIGKILL)
		}
	})
	return folder
}

// runKilled lets a Regie work and kills it when its log got so many pieces.
func runKilled(t *testing.T, folder, role, script string, pieces int) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), roleVariable+"="+role, folderVariable+"="+folder, scriptVariable+"="+script)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	came := 0
	for scanner := bufio.NewScanner(stdout); came < pieces && scanner.Scan(); came++ {
		if !strings.HasPrefix(scanner.Text(), `"`) {
			t.Fatalf("the %s Regie says: %s", role, scanner.Text())
		}
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if came < pieces {
		t.Fatalf("the log of the %s Regie got %d pieces, not %d", role, came, pieces)
	}
}

// logOf is what the log holds of each stream.
func logOf(t *testing.T, folder string) map[executor.Stream]string {
	t.Helper()
	f, err := os.Open(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	texts := map[executor.Stream]string{}
	r := tasklog.NewReader(f)
	for {
		c, err := r.Next()
		if err != nil {
			if err != io.EOF { //nolint:errorlint // what Next says
				t.Fatal(err)
			}
			return texts
		}
		texts[c.Stream] += string(c.Data)
	}
}

// The log holds what a task printed once and in order, and its result is taken,
// however often the server is killed meanwhile.
func TestLogAfterKills(t *testing.T) {
	t.Parallel()
	const lines = 300
	script := fmt.Sprintf(`i=0
while [ $i -lt %d ]; do
	echo "line $i with $TOKEN"; printf 's3cr3t-' ; echo "of $i" >&2; i=$((i+1))
	[ $((i %% 4)) != 0 ] || sleep 0.02
done; echo total=$i >$REGIE_OUTPUT; exit 7`, lines)
	folder := supervisedFolder(t)
	runKilled(t, folder, "first", script, 20)
	for _, pieces := range []int{1, 40, 3, 90} {
		runKilled(t, folder, "again", script, pieces)
	}
	x, w, err := supervisedWorker(folder, func([]byte) {})
	if err != nil {
		t.Fatal(err)
	}
	l := newListener()
	w.Listen(l)
	task := secretTask(script)
	w.Reattach(task)
	o := <-l.ends
	if o.Kind != engine.OutcomeFailed || o.Error.Name != "exit.7" || !strings.Contains(o.Error.Message, fmt.Sprintf("of %d", lines-1)) {
		t.Errorf("outcome %+v, %v", o, o.Error)
	}
	var stdout, stderr strings.Builder
	for i := range lines {
		// What looks like the beginning of the secret goes before the next line.
		fmt.Fprintf(&stdout, "line %d with ***\ns3cr3t-", i)
		fmt.Fprintf(&stderr, "of %d\n", i)
	}
	texts := logOf(t, folder)
	if texts[executor.Stdout] != stdout.String() || texts[executor.Stderr] != stderr.String() || texts[executor.System] != "" {
		t.Errorf("the log holds:\n%s\n%s\n%s", texts[executor.Stdout], texts[executor.Stderr], texts[executor.System])
	}
	w.Forget(dispatch.RefOf(&task))
	if info, err := x.Info(t.Context()); err != nil || info.Running != 0 || info.Kept != 0 {
		t.Errorf("the supervisor still has %+v, %v", info.Info, err)
	}
	w.Close()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// A worker that is detached leaves its attempts, and writes nothing that may be
// the beginning of a secret.
func TestDetach(t *testing.T) {
	t.Parallel()
	folder := supervisedFolder(t)
	first, rest := token[:8], token[8:]
	script := "printf 'up %s' " + first + "; until test -e go; do sleep 0.01; done; echo " + rest + "; exit 4"
	told := make(chan struct{}, 100)
	x, w, err := supervisedWorker(folder, func([]byte) { told <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	l := newListener()
	w.Listen(l)
	task := secretTask(script)
	w.Assign(task)
	<-told
	w.Detach()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if len(l.ends) > 0 {
		t.Errorf("the end of an attempt was reported that goes on: %+v", <-l.ends)
	}
	if got := logOf(t, folder)[executor.Stdout]; got != "up " {
		t.Errorf("the log holds %q", got)
	}
	x, w, err = supervisedWorker(folder, func([]byte) {})
	if err != nil {
		t.Fatal(err)
	}
	w.Listen(l)
	w.Reattach(task)
	if err := os.WriteFile(filepath.Join(x.Work(), task.Run, worker.AttemptName(task.Act, task.Attempt), "work", "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := <-l.ends; o.Error == nil || o.Error.Name != "exit.4" {
		t.Errorf("outcome %+v", o)
	}
	if got := logOf(t, folder)[executor.Stdout]; got != "up ***\n" {
		t.Errorf("the log holds %q", got)
	}
	w.Forget(dispatch.RefOf(&task))
	w.Close()
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}
