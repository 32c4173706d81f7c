package cli_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// caller is a command line that speaks to a server.
type caller struct {
	dir    string
	server *process
	token  string
}

// world is one call; columns above 0 are those of a terminal.
func (c *caller) world(out io.Writer, columns int, asked chan struct{}, args ...string) cli.World {
	return cli.World{
		Args: args, Stdin: strings.NewReader(""), Stdout: out, Stderr: out,
		Terminal: func(io.Writer) (int, int, bool) { return columns, 20, columns > 0 },
		LookupEnv: func(name string) (string, bool) {
			text := map[string]string{"HOME": c.dir, "REGIE_SERVER": c.server.URL, "REGIE_TOKEN": c.token, "NO_COLOR": "1"}[name]
			return text, text != ""
		},
		Environ: func() []string { return nil },
		Getwd:   func() (string, error) { return c.dir, nil },
		Clock:   clock.Real{}, Random: rand.Reader,
		Interrupts: func() (<-chan struct{}, func()) { return asked, func() {} },
	}
}

// do runs a command to its end, which must be good.
func (c *caller) do(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	if code := cli.Main(ctx, c.world(&out, 0, nil, args...)); code != 0 {
		t.Fatalf("%v: exit code %d\n%s", args, code, &out)
	}
	return strings.TrimSpace(out.String())
}

// TestWatchGoesOn kills the server while commands watch a run of it: they go on
// with the next one, and see the run to its end.
func TestWatchGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	flow := fmt.Sprintf("kind: Workflow\nname: flow\nsteps:\n  - id: first\n    run: 'echo begins; cat %s; echo ends'\n  - id: second\n    run: 'true'\n", gate)
	if err := os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(flow), 0o600); err != nil {
		t.Fatal(err)
	}
	const stuck = "kind: Workflow\nname: stuck\nsteps:\n  - id: only\n    run: 'echo stands; exec sleep 600'\n"
	if err := os.WriteFile(filepath.Join(dir, "stuck.yaml"), []byte(stuck), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := startServer(dir, "--data", "data")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	c := &caller{dir: dir, server: server}
	c.login(t)
	c.do(t.Context(), t, "apply", "flow.yaml", "stuck.yaml")
	run, other := c.do(t.Context(), t, "start", "flow"), c.do(t.Context(), t, "start", "stuck")

	type watcher struct {
		out  *screen
		code chan int
	}
	asked := make(chan struct{})
	watch := func(columns int, args ...string) watcher {
		w := watcher{newScreen(), make(chan int, 1)}
		go func() { w.code <- cli.Main(t.Context(), c.world(w.out, columns, asked, args...)) }()
		return w
	}
	plain, tree, logs, list := watch(0, "watch", run), watch(80, "watch", run), watch(0, "logs", run, "-f"), watch(0, "watch")
	ends := watch(0, "logs", other, "--follow")
	ends.out.until(t, "only | stands")
	plain.out.until(t, "first: started")
	tree.out.until(t, "first")
	logs.out.until(t, "first | begins")
	list.out.until(t, run+": flow running")

	if err := server.stop(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if server, err = startServer(dir, "--data", "data", "--listen", server.address()); err != nil {
		t.Fatal(err)
	}
	// What an earlier server has started is known to run, and can be stopped.
	if why := c.do(t.Context(), t, "why", other); !strings.Contains(why, "only is running\n") {
		t.Errorf("why, after the restart:\n%s", why)
	}
	c.do(t.Context(), t, "cancel", other)
	if code := <-ends.code; code != 0 {
		t.Errorf("the log of a canceled run: exit code %d", code)
	}
	open, err := os.OpenFile(gate, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	if again := plain.out.until(t, "first: succeeded"); strings.Contains(again, "first: started") {
		t.Errorf("what was told is told again:\n%s", again)
	}
	plain.out.until(t, "second: succeeded")
	tree.out.until(t, "✓ second")
	logs.out.until(t, "first | ends")
	list.out.until(t, run+": flow succeeded")
	for name, w := range map[string]watcher{"plain": plain, "tree": tree, "logs": logs} {
		if code := <-w.code; code != 0 {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	asked <- struct{}{}
	if code := <-list.code; code != 0 {
		t.Errorf("leaving the list: exit code %d", code)
	}
}

// login gets a token for the caller.
func (c *caller) login(t *testing.T) {
	t.Helper()
	c.token = c.server.AdminToken
	c.do(t.Context(), t, "context", "login", c.server.URL, "--name", "here")
	text, err := os.ReadFile(filepath.Join(c.dir, ".config", "regie", "contexts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `token: "`)
	c.token, _, _ = strings.Cut(rest, `"`)
}
