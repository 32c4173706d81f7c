package cli_test

import (
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// screen is an output on which a test waits for texts.
type screen struct {
	mu   sync.Mutex
	text string
	more chan struct{} // closed at the next write
}

func newScreen() *screen { return &screen{more: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(p)
	close(s.more)
	s.more = make(chan struct{})
	return len(p), nil
}

// until waits for a text, and forgets everything up to its end.
func (s *screen) until(t *testing.T, text string) string {
	t.Helper()
	late := time.After(time.Minute)
	for {
		s.mu.Lock()
		before, rest, found := strings.Cut(s.text, text)
		if found {
			s.text = rest
			s.mu.Unlock()
			return before
		}
		more := s.more
		s.mu.Unlock()
		select {
		case <-more:
		case <-late:
			t.Fatalf("%q does not come; there is:\n%s", text, s.text)
		}
	}
}

// TestDev: a run for each change, of the definition, of bundled files and of
// files that flags name; a run in progress is canceled; what is not valid is
// shown; Ctrl-C ends it.
func TestDev(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		// As editors do: a new file takes the place of the old one.
		if err := os.WriteFile(path+".new", []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const flow = "kind: Workflow\nname: flow\nfiles: [scripts/*]\ninputs: {n: {type: integer}}\nsteps:\n  - id: only\n    run: "
	write("flow.yaml", flow+"scripts/tell.sh\n")
	write("scripts/tell.sh", "echo first\n")
	write("input.json", `{"n": 1}`)
	out, asked := newScreen(), make(chan struct{})
	code := make(chan int, 1)
	go func() {
		code <- cli.Main(t.Context(), cli.World{
			Args:  []string{"dev", "flow.yaml", "--input", "@input.json", "-v"},
			Stdin: strings.NewReader(""), Stdout: out, Stderr: out,
			Terminal: func(io.Writer) (int, int, bool) { return 0, 0, false },
			LookupEnv: func(name string) (string, bool) {
				return filepath.Join(dir, ".state"), name == "REGIE_STATE_DIR"
			},
			Environ:    func() []string { return []string{"PATH=" + os.Getenv("PATH")} },
			Getwd:      func() (string, error) { return dir, nil },
			Clock:      clock.Real{},
			Random:     rand.Reader,
			Interrupts: func() (<-chan struct{}, func()) { return asked, func() {} },
		})
	}()
	const waits = "Waits for a change; Ctrl-C ends."
	out.until(t, "only | first")
	out.until(t, waits)

	write("scripts/tell.sh", "echo second\n")
	out.until(t, "only | second")
	out.until(t, waits)

	write("input.json", `{"m": 1}`)
	out.until(t, `input "m": the workflow has no such input`)
	out.until(t, waits)
	write("input.json", `{"n": 2}`)
	out.until(t, "only | second")
	out.until(t, waits)

	write("flow.yaml", strings.Replace(flow, "steps:", "stepz:", 1)+"scripts/tell.sh\n")
	out.until(t, `flow.yaml:5:1: error[unknown_field]`)
	out.until(t, waits)

	write("flow.yaml", flow+"echo begins; sleep 60\n")
	out.until(t, "only | begins")
	write("unrelated.txt", "no reason to run again")
	write("flow.yaml", flow+"echo third; sleep 60\n")
	if before := out.until(t, "only: canceled"); strings.Contains(before, "Ctrl-C again") {
		t.Errorf("a change speaks of Ctrl-C: %s", before)
	}
	out.until(t, "only | third")
	asked <- struct{}{}
	out.until(t, "only: canceled")
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
}
