package examples_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/suite"
)

// folders are the examples: every folder here.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	if len(out) < 2 {
		t.Fatalf("found %q, want the examples", out)
	}
	return out
}

// Every example says what it shows, has no finding, and has tests that pass.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, dir := range folders(t) {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
				t.Error(err)
			}
			if tested := checkFolder(t, dir); tested == 0 {
				t.Error("has no test")
			}
		})
	}
}

// checkFolder checks that the definitions of a folder have no finding and that
// their tests pass, and returns how many cases there were.
func checkFolder(t *testing.T, dir string) (cases int) {
	t.Helper()
	p, err := project.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	languages := local.Languages()
	cfg := local.Definitions(languages)
	cfg.Native.RunOnce = false // a server has a use for triggers and deadlines
	set, problems := project.Load(cfg, p.Sources)
	if problems = append(problems, set.Lacking()...); len(problems) > 0 {
		t.Fatalf("findings: %v", problems)
	}
	files, err := suite.Find(dir, filepath.Abs)
	if err != nil {
		t.Fatal(err)
	}
	config := suite.Config{Languages: languages, TempDir: t.TempDir(), Environ: os.Environ(), Now: time.Now}
	for _, report := range suite.Run(t.Context(), config, files) {
		if !report.OK() {
			t.Errorf("%s: not as expected: %v", report.File.Path, report.Problems)
		}
		for _, c := range report.Results {
			cases++
			for _, failure := range c.Failures {
				t.Errorf("%s: %s: %s", report.File.Path, c.Name, failure)
			}
		}
	}
	return cases
}

// world is a place in which regie is called.
type world struct {
	dir string            // the working directory
	env map[string]string // beside PATH
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{dir: t.TempDir(), env: map[string]string{"HOME": t.TempDir(), "PATH": os.Getenv("PATH")}}
}

// document is the result of `regie run --output json`, as far as it is looked
// at.
type document struct {
	Run struct {
		State  string         `json:"state"`
		Output map[string]any `json:"output"`
		Error  struct {
			Name    string `json:"name"`
			Message string `json:"message"`
		} `json:"error"`
	} `json:"run"`
	Steps []step `json:"steps"`
}

type step struct {
	Path     string          `json:"path"`
	State    string          `json:"state"`
	Attempts int             `json:"attempts"`
	Output   json.RawMessage `json:"output"`
}

// object is the step's output.
func (s step) object(t *testing.T) (out map[string]any) {
	t.Helper()
	if err := json.Unmarshal(s.Output, &out); err != nil {
		t.Fatalf("output of %s: %v", s.Path, err)
	}
	return out
}

// step finds a step, failing the test if there is none.
func (d *document) step(t *testing.T, path string) step {
	t.Helper()
	for _, s := range d.Steps {
		if s.Path == path {
			return s
		}
	}
	t.Fatalf("there is no step %s", path)
	return step{}
}

// asRegie makes the test program be regie, for those tests that kill it.
const asRegie = "REGIE_EXAMPLES_AS_REGIE"

func TestMain(m *testing.M) {
	if os.Getenv(asRegie) == "" {
		os.Exit(m.Run())
	}
	os.Exit(cli.Main(context.Background(), cli.World{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal: noTerminal, LookupEnv: os.LookupEnv, Environ: os.Environ, Getwd: os.Getwd,
		Clock: clock.Real{}, Random: rand.Reader,
	}))
}

func noTerminal(io.Writer) (columns, rows int, ok bool) { return 0, 0, false }

// example is the absolute path of an example.
func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run calls `regie run` and returns what it printed and its exit code.
func (w *world) run(t *testing.T, args ...string) (*document, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(t.Context(), cli.World{
		Args:  append([]string{"run", "--output", "json"}, args...),
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Terminal: noTerminal,
		LookupEnv: func(name string) (string, bool) { text, ok := w.env[name]; return text, ok },
		Environ:   w.environ, Getwd: func() (string, error) { return w.dir, nil },
		Clock: clock.Real{}, Random: rand.Reader,
	})
	d := &document{}
	if err := json.Unmarshal(out.Bytes(), d); err != nil || d.Run.State == "" {
		t.Fatalf("regie run ended with %d and said %q; its result: %v", code, errs.String(), err)
	}
	return d, code
}

// regie calls regie, and returns its exit code and all that it printed.
func (w *world) regie(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var both bytes.Buffer
	code = cli.Main(t.Context(), cli.World{
		Args: args, Stdin: strings.NewReader(""), Stdout: &both, Stderr: &both, Terminal: noTerminal,
		LookupEnv: func(name string) (string, bool) { text, ok := w.env[name]; return text, ok },
		Environ:   w.environ, Getwd: func() (string, error) { return w.dir, nil },
		Clock: clock.Real{}, Random: rand.Reader,
	})
	return code, both.String()
}

func (w *world) environ() []string {
	var out []string
	for name, text := range w.env {
		out = append(out, name+"="+text)
	}
	return out
}

// command runs a program and returns what it printed.
func command(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	return string(out)
}
