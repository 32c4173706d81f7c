package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/regie-dev/regie/internal/datadir"
)

// asRegie has this binary be regie instead of its tests.
const asRegie = "REGIE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asRegie) != "" {
		main()
	}
	os.Exit(m.Run())
}

// patience bounds how long a test waits for a line.
const patience = time.Minute

// program is a regie that runs.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	seen  []string
}

// world is where programs of a test run.
type folder struct{ dir string }

func newFolder(t *testing.T, files map[string]string) folder {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder{dir}
}

func (f folder) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return f.here(exec.CommandContext(t.Context(), os.Args[0], args...))
}

// here has a command run in the folder.
func (f folder) here(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), asRegie+"=1", "REGIE_STATE_DIR="+filepath.Join(f.dir, "state"), "REGIE_VAR_DIR="+f.dir)
	return cmd
}

// start starts regie; both of its outputs are read as lines.
func (f folder) start(t *testing.T, args ...string) *program {
	t.Helper()
	return f.launch(t, f.command(t, args...))
}

// launch starts a command that is regie in the end.
func (f folder) launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: f.here(cmd), lines: make(chan string, 10_000)}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	go func() {
		defer close(p.lines)
		defer out.Close()
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			p.lines <- scan.Text()
		}
	}()
	return p
}

// line waits for a line that matches.
func (p *program) line(pattern string) string {
	p.t.Helper()
	form := regexp.MustCompile(pattern)
	late := time.After(patience)
	for {
		select {
		case text, open := <-p.lines:
			if !open {
				p.t.Fatalf("ended without a line that matches %q:\n%s", pattern, strings.Join(p.seen, "\n"))
			}
			p.seen = append(p.seen, text)
			if form.MatchString(text) {
				return text
			}
		case <-late:
			p.t.Fatalf("no line matches %q in time:\n%s", pattern, strings.Join(p.seen, "\n"))
		}
	}
}

// signal sends a signal.
func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit code, -1 after a signal.
func (p *program) wait() int {
	p.t.Helper()
	for text := range p.lines {
		p.seen = append(p.seen, text)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// wants fails unless the program ended with the code.
func (p *program) wants(code int) {
	p.t.Helper()
	if got := p.wait(); got != code {
		p.t.Errorf("exit code %d, want %d:\n%s", got, code, strings.Join(p.seen, "\n"))
	}
}

// run is the ID of the newest run.
func (f folder) run(t *testing.T) string {
	t.Helper()
	runs, err := os.ReadDir(filepath.Join(f.dir, "state", "runs"))
	if err != nil || len(runs) == 0 {
		t.Fatalf("no run: %v", err)
	}
	return runs[len(runs)-1].Name()
}

func (f folder) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// effects is a workflow whose every attempt leaves a line when it begins and
// one when it ends, and is killed somewhere in between.
const effects = `
kind: Workflow
name: effects
steps:
  - id: first
    run: echo "first $REGIE_ATTEMPT begins" >> "$OUT"; echo "first $REGIE_ATTEMPT ends" >> "$OUT"
    env: {OUT: "${{ vars.DIR }}/effects"}
  - id: each
    foreach: "[1, 2, 3]"
    as: n
    max_parallel: 2
    env: {OUT: "${{ vars.DIR }}/effects", N: "${{ n }}"}
    run: |
      echo "each$N $REGIE_ATTEMPT begins" >> "$OUT"
      sleep 0.2
      echo "each$N $REGIE_ATTEMPT ends" >> "$OUT"
  - id: flaky
    run: |
      echo "flaky $REGIE_ATTEMPT begins" >> "$OUT"
      test -e "$OUT.pass" || { touch "$OUT.pass"; exit 1; }
      echo "flaky $REGIE_ATTEMPT ends" >> "$OUT"
    env: {OUT: "${{ vars.DIR }}/effects"}
    retry: {max_attempts: 2, backoff: {initial: 300ms}}
  - id: pause
    wait: {for: 300ms}
  - id: last
    run: echo "last $REGIE_ATTEMPT begins" >> "$OUT"; sleep 0.3; echo "last $REGIE_ATTEMPT ends" >> "$OUT"
    env: {OUT: "${{ vars.DIR }}/effects"}
outputs: {ok: true}
`

// TestKilled: a run whose process is killed, wherever that is, goes on: each
// attempt is made at most once, what was recorded as ended is not made again,
// and the run ends as if nothing had happened.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, at := range []string{
		`started, effects`, `first: succeeded`, `each\[0\]: started`, `each\[1\]: succeeded`, `flaky: started`, `flaky: waits`,
		`flaky: succeeded`, `pause: waits`, `pause: succeeded`, `last: started`,
	} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, map[string]string{"effects.yaml": effects})
			p := f.start(t, "run", "effects.yaml")
			p.line(at)
			p.signal(syscall.SIGKILL)
			if code := p.wait(); code != -1 {
				t.Fatalf("ended with code %d before it was killed", code)
			}
			ended := map[string]bool{}
			for _, text := range p.seen {
				if m := regexp.MustCompile(`(\S+): succeeded`).FindStringSubmatch(text); m != nil {
					ended[m[1]] = true
				}
			}
			before := f.read(t, "effects")
			run := f.run(t)
			again := f.start(t, "run", "--resume", run, "--output", "json")
			again.wants(0)
			checkEffects(t, before, f.read(t, "effects"), ended)
			if doc := strings.Join(again.seen, "\n"); !strings.Contains(doc, `"state": "succeeded"`) || !strings.Contains(doc, `"ok": true`) {
				t.Errorf("resumed run:\n%s", doc)
			}
			third := f.start(t, "run", "--resume", run)
			third.line("has ended, or is not there")
			third.wants(2)
		})
	}
}

// checkEffects: no attempt began twice, every step ended, and of those that
// were recorded as succeeded nothing was added after the kill.
func checkEffects(t *testing.T, before, after string, ended map[string]bool) {
	t.Helper()
	counts := map[string]int{}
	finished := map[string]bool{}
	for line := range strings.Lines(after) {
		counts[line]++
		if step, rest, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasSuffix(rest, "ends") {
			finished[step] = true
		}
	}
	for line, n := range counts {
		if n != 1 {
			t.Errorf("%q happened %d times", line, n)
		}
	}
	for _, step := range []string{"first", "each1", "each2", "each3", "flaky", "last"} {
		if !finished[step] {
			t.Errorf("%s did not end:\n%s", step, after)
		}
	}
	names := map[string]string{"first": "first", "each1": "each[0]", "each2": "each[1]", "each3": "each[2]", "flaky": "flaky", "last": "last"}
	for line := range strings.Lines(strings.TrimPrefix(after, before)) {
		step, _, _ := strings.Cut(line, " ")
		if ended[names[step]] {
			t.Errorf("%s had succeeded before the kill, then: %s", step, line)
		}
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // another process makes it so
	}
}

const stubborn = `
kind: Workflow
name: stubborn
steps:
  - id: hang
    run: |
      trap '' TERM
      echo $$ > "$OUT"
      echo ready
      while true; do sleep 0.1; done
    env: {OUT: "${{ vars.DIR }}/pid"}
  - run: "true"
`

// gone reports whether the process of the hanging step has ended.
func (f folder) gone(t *testing.T) bool {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(f.read(t, "pid")))
	if err != nil {
		t.Fatal(err)
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// TestInterrupted: the first Ctrl-C, TERM, or end of the terminal, cancels the
// run and says so.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, map[string]string{"flow.yaml": strings.Replace(stubborn, "trap '' TERM", ":", 1)})
			// The tests themselves may run under nohup.
			p := f.launch(t, exec.CommandContext(t.Context(), "env", "--default-signal=HUP", os.Args[0], "run", "flow.yaml", "-v"))
			p.line(`hang \| ready`)
			p.signal(s)
			p.line("Canceling the run; Ctrl-C again leaves at once")
			p.line("hang: canceled")
			p.line("stubborn canceled")
			p.wants(1)
			if !f.gone(t) {
				t.Error("the step lives on")
			}
		})
	}
}

// TestNohup: who was told to outlive the terminal does.
func TestNohup(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"flow.yaml": strings.Replace(stubborn, "true;", "! test -e \"$OUT.go\";", 1)})
	p := f.launch(t, exec.CommandContext(t.Context(), "sh", "-c", `trap "" HUP; exec "$@"`, "sh", os.Args[0], "run", "flow.yaml", "-v"))
	p.line(`hang \| ready`)
	p.signal(syscall.SIGHUP)
	if err := os.WriteFile(filepath.Join(f.dir, "pid.go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.line("stubborn succeeded")
	p.wants(0)
}

// TestOutputLost: a result that cannot be written is no success, whatever was
// to be printed.
func TestOutputLost(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"flow.yaml": "kind: Workflow\nname: flow\nsteps: [{run: \"true\"}]\n"})
	for _, args := range [][]string{{"run", "flow.yaml", "-o", "json"}, {"version"}, {"validate", "flow.yaml"}} {
		unwritable, err := os.Open(filepath.Join(f.dir, "flow.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		defer unwritable.Close()
		var stderr strings.Builder
		cmd := f.command(t, args...)
		cmd.Stdout, cmd.Stderr = unwritable, &stderr
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 3 || !strings.Contains(stderr.String(), "error: write standard output: ") {
			t.Errorf("%s: %v, %s", args, err, stderr.String())
		}
	}
}

// TestLeft: the second Ctrl-C leaves at once, with what the steps run, and says
// how to go on; the run remembers that it was being canceled.
func TestLeft(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"flow.yaml": stubborn})
	p := f.start(t, "run", "flow.yaml", "-v")
	p.line(`hang \| ready`)
	p.signal(syscall.SIGINT)
	p.line("is being canceled")
	begin := time.Now()
	p.signal(syscall.SIGINT)
	p.line("left run " + f.run(t) + " before its end")
	p.line("regie run --resume " + f.run(t))
	p.wants(1)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("leaving took %s", took)
	}
	waitFor(t, func() bool { return f.gone(t) })
	again := f.start(t, "run", "--resume", f.run(t))
	again.line("stubborn canceled")
	again.wants(1)
}

// TestStuckDatabase: while nothing can be recorded Regie says so, hears Ctrl-C,
// and goes on once it can.
func TestStuckDatabase(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"flow.yaml": strings.Replace(stubborn, "trap '' TERM", ":", 1)})
	p := f.start(t, "run", "flow.yaml", "-v")
	p.line(`hang \| ready`)
	db, err := sqlite3.Open("file:" + filepath.Join(f.dir, "state", "runs", f.run(t), datadir.DatabaseName))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("begin immediate"); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGINT)
	p.line("Canceling the run")
	p.line("warning: commit failed, nothing more begins until it succeeds, .*locked")
	if err := db.Close(); err != nil { // rolls back
		t.Fatal(err)
	}
	p.line("stubborn canceled")
	p.wants(1)
}

// TestSecondProcess: while one process has a run, another shows it, follows its
// logs, and may not go on with it.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"slow.yaml": `
kind: Workflow
name: slow
steps:
  - id: wait
    run: echo "waits for $OUT"; until test -e "$OUT"; do sleep 0.05; done; echo over
    env: {OUT: "${{ vars.DIR }}/go"}
  - id: then
    run: echo then
`})
	p := f.start(t, "run", "slow.yaml")
	p.line("wait: started")
	run := f.run(t)
	logs := f.start(t, "logs", run, "-f")
	logs.line(`^wait \| waits for `)
	show := f.start(t, "show", run)
	show.line("It goes on")
	show.wants(0)
	list := f.start(t, "show")
	list.line(run + "  running")
	list.wants(0)
	other := f.start(t, "run", "--resume", run)
	other.line("is in use by process " + strconv.Itoa(p.cmd.Process.Pid))
	other.wants(3)
	if err := os.WriteFile(filepath.Join(f.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.wants(0)
	logs.line(`^wait \| over`)
	logs.line(`^then \| then`)
	logs.wants(0)
}

// TestUnfinishedFirst: with --data, what was left unfinished in the folder goes
// on first, and is said to.
func TestUnfinishedFirst(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"effects.yaml": effects})
	p := f.start(t, "run", "effects.yaml", "--data", "data")
	p.line(`each\[0\]: started`)
	p.signal(syscall.SIGKILL)
	p.wait()
	first := f.run(t)
	next := f.start(t, "run", "effects.yaml", "--data", "data")
	next.line("Going on with run " + first + " of effects, which was interrupted")
	next.line("Run " + first + ": succeeded")
	next.line("started, effects")
	next.wants(0)
	show := f.start(t, "show", "--data", "data")
	show.wants(0)
	if n := strings.Count(strings.Join(show.seen, "\n"), "succeeded"); n != 2 {
		t.Errorf("%d runs succeeded, want 2:\n%s", n, strings.Join(show.seen, "\n"))
	}
}

// TestUnfinishedCanceled: who interrupts the run that goes on first does not
// want the next one either.
func TestUnfinishedCanceled(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"flow.yaml": strings.Replace(stubborn, "trap '' TERM", ":", 1)})
	p := f.start(t, "run", "flow.yaml", "--data", "data", "-v")
	p.line(`hang \| ready`)
	p.signal(syscall.SIGKILL)
	p.wait()
	next := f.start(t, "run", "flow.yaml", "--data", "data", "-v")
	next.line(`hang \| ready`)
	next.signal(syscall.SIGINT)
	next.line("nothing else was started")
	next.wants(1)
	show := f.start(t, "show", "--data", "data")
	show.wants(0)
	if len(show.seen) != 1 || !strings.Contains(show.seen[0], "canceled") {
		t.Errorf("runs: %q", show.seen)
	}
}

// BenchmarkColdStart is from the start of the process to its end for a workflow
// of one step that does nothing.
func BenchmarkColdStart(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "one.yaml"), []byte("kind: Workflow\nname: one\nsteps: [{run: \"true\"}]\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{{"version"}, {"validate", "one.yaml"}, {"run", "one.yaml"}} {
		b.Run(args[0], func(b *testing.B) {
			var cpu time.Duration
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), os.Args[0], args...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), asRegie+"=1", "REGIE_STATE_DIR="+filepath.Join(dir, "state"))
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatal(fmt.Errorf("%w: %s", err, out))
				}
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(cpu.Microseconds())/1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// TestReaderGoesAway: a run ends as it would, though nobody reads on.
func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{"effects.yaml": effects})
	cmd := f.command(t, "run", "effects.yaml")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	show := f.start(t, "show", f.run(t))
	show.line("effects succeeded")
	show.wants(0)
}

// TestTestsInterrupted: Ctrl-C ends tests in order: nothing of them is left.
func TestTestsInterrupted(t *testing.T) {
	t.Parallel()
	f := newFolder(t, map[string]string{
		"flow.yaml":      strings.Replace(stubborn, "trap '' TERM", ":", 1),
		"flow.test.yaml": "cases:\n  - name: hangs\n    vars: {DIR: \"DIRECTORY\"}\n",
	})
	text := strings.Replace(f.read(t, "flow.test.yaml"), "DIRECTORY", f.dir, 1)
	if err := os.WriteFile(filepath.Join(f.dir, "flow.test.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(f.dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	p := f.launch(t, exec.CommandContext(t.Context(), "sh", "-c", `TMPDIR=$PWD/tmp exec "$@"`, "sh", os.Args[0], "test"))
	waitFor(t, func() bool { return f.read(t, "pid") != "" })
	if left, err := os.ReadDir(temp); err != nil || len(left) == 0 {
		t.Errorf("nothing there while a case runs: %v", err)
	}
	p.signal(syscall.SIGINT)
	p.line("interrupted")
	p.wants(1)
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if !f.gone(t) {
		t.Error("the step lives on")
	}
}
