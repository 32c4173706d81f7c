package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/executor"
)

// The environment of the helper, which is this test program again.
const (
	helperDir     = "PROCESS_TEST_DIR"
	helperScript  = "PROCESS_TEST_SCRIPT"
	helperOutlive = "PROCESS_TEST_OUTLIVE"
)

// helper is a Regie that starts a task, says so, and is then killed.
func helper(dir string) {
	x, err := New(Config{Outlive: os.Getenv(helperOutlive) != ""})
	if err == nil {
		_, err = x.Start(context.Background(), executor.Task{
			Dir: dir, Script: os.Getenv(helperScript),
			Output: func(c executor.Chunk) { _, _ = os.Stdout.Write(c.Data) },
		})
	}
	if err != nil {
		_, _ = os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// crash runs a script in a Regie that is killed when the script has printed so
// many lines, which it returns.
func crash(t *testing.T, dir, script string, outlive bool, lines int) []string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program)
	c.Env = append(os.Environ(), helperDir+"="+dir, helperScript+"="+script)
	if outlive {
		c.Env = append(c.Env, helperOutlive+"=1")
	}
	stdin, err := c.StdinPipe() // held open: the helper ends with us
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
	var got []string
	for scanner := bufio.NewScanner(stdout); len(got) < lines && scanner.Scan(); {
		got = append(got, scanner.Text())
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if len(got) < lines {
		t.Fatalf("the helper printed %q", got)
	}
	return got
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, workDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func handle(t *testing.T, dir string) executor.Handle {
	t.Helper()
	h, err := HandleFor(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const patientScript = `echo $$; until test -e go; do sleep 0.01; done; echo done >done; exit 3`

func TestTasksOutliveRegie(t *testing.T) {
	t.Parallel()
	for name, intent := range map[string]bool{"known": false, "number not written": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, dir := open(t, Config{}), t.TempDir()
			pid := crash(t, dir, patientScript, true, 1)[0]
			if intent {
				cutState(t, dir)
			}
			h := handle(t, dir)
			if err := x.Release(h); !errors.Is(err, executor.ErrRunning) {
				t.Errorf("release of a task that runs: %v", err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if _, err := x.Wait(ctx, h); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("wait for a task that runs: %v", err)
			}
			waited := make(chan error, 2)
			for range cap(waited) {
				go func() {
					_, err := x.Wait(context.Background(), h)
					waited <- err
				}()
			}
			letGo(t, dir)
			for range cap(waited) {
				if err := <-waited; !errors.Is(err, executor.ErrNotFound) {
					t.Errorf("wait: %v", err)
				}
			}
			if got := read(t, dir, "done"); got != "done\n" || !gone(t, pid) {
				t.Errorf("the task was not watched to its end: %q", got)
			}
		})
	}
}

// cutState takes the file back to where a crash right after the fork leaves
// it.
func cutState(t *testing.T, dir string) {
	t.Helper()
	name := filepath.Join(dir, stateFile)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(name, []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A shell that tells of a child's signal would be ended by PIPE: nobody reads
// the output any more.
func TestStopAfterCrash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		again  bool // it takes a second stop
	}{
		"asked":       {"exec 2>/dev/null; trap 'echo >asked; exit' TERM; echo $$; while :; do sleep 0.02 || :; done", false},
		"ignored":     {"exec 2>/dev/null; trap 'echo >asked' TERM; echo $$; while :; do sleep 0.02 || :; done", true},
		"descendants": {"exec 2>/dev/null; trap 'echo >asked; exit' TERM; setsid sleep 300 >/dev/null & echo $!; while :; do sleep 0.02 || :; done", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, dir := open(t, Config{}), t.TempDir()
			pid := crash(t, dir, c.script, true, 1)[0]
			h := handle(t, dir)
			for range 2 {
				if err := x.Stop(h, patience); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the task was asked to end", func() bool {
				_, err := os.Stat(filepath.Join(dir, workDir, "asked"))
				return err == nil
			})
			if c.again {
				if err := x.Stop(h, 0); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := wait(t, x, h); !errors.Is(err, executor.ErrNotFound) {
				t.Errorf("wait: %v", err)
			}
			eventually(t, "the process has ended", func() bool { return gone(t, pid) })
		})
	}
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		x, dir := open(t, Config{}), t.TempDir()
		pid := crash(t, dir, "exec 2>/dev/null; trap '' TERM; echo $$; while :; do sleep 300; done", true, 1)[0]
		waited := make(chan error, 1)
		go func() {
			_, err := x.Wait(context.Background(), handle(t, dir))
			waited <- err
		}()
		if err := x.Stop(handle(t, dir), time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waited; err == nil {
			t.Error("wait during close succeeded")
		}
		eventually(t, "the process has ended", func() bool { return gone(t, pid) })
	})
}
