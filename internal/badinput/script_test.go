package badinput

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// TestScripts runs whole commands in memory, as testdata/script says. Besides
// testscript's own commands there are
//
//	regie CODE ARGS…   runs the command line, which ends with this exit code
//	bytes FILE 'TEXT'  the file has the text, in which escapes are those of Go
//	repeat FILE N 'T'  the file has the text T, with escapes, N times in a row
//	newest VAR         the variable becomes the ID of the newest run
//	serve VAR          the variable becomes the HOST:PORT of a server on this
//	                   machine, see [server]
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("REGIE_STATE_DIR", filepath.Join(env.WorkDir, ".state"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"regie": func(ts *testscript.TestScript, _ bool, args []string) { runRegie(t.Context(), ts, args) },
			"bytes": writeBytes, "repeat": writeRepeated, "newest": newest, "serve": serve,
		},
	})
}

func runRegie(ctx context.Context, ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: regie CODE ARGS…")
	}
	var stdout, stderr bytes.Buffer
	code := cli.Main(ctx, cli.World{
		Args:  args[1:],
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Terminal: func(io.Writer) (int, int, bool) { return 0, 0, false },
		LookupEnv: func(name string) (string, bool) {
			text := ts.Getenv(name)
			return text, text != ""
		},
		Environ: func() []string { return []string{"PATH=" + os.Getenv("PATH")} },
		Getwd:   func() (string, error) { return ts.MkAbs("."), nil },
		Clock:   clock.Real{}, Zone: time.UTC, Random: rand.Reader,
	})
	_, _ = ts.Stdout().Write(stdout.Bytes())
	_, _ = ts.Stderr().Write(stderr.Bytes())
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// escaped reads a text with the escapes of Go.
func escaped(ts *testscript.TestScript, text string) string {
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	ts.Check(err)
	return out
}

func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(escaped(ts, args[1])), 0o600))
}

func writeRepeated(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(escaped(ts, args[2]), n)), 0o600))
}

func newest(ts *testscript.TestScript, _ bool, args []string) {
	runs, err := os.ReadDir(filepath.Join(ts.Getenv("REGIE_STATE_DIR"), "runs"))
	ts.Check(err)
	if len(runs) == 0 {
		ts.Fatalf("there is no run")
	}
	ts.Setenv(args[0], runs[len(runs)-1].Name())
}

func serve(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.HandlerFunc(server))
	ts.Defer(s.Close)
	ts.Setenv(args[0], s.Listener.Addr().String())
}

// server answers as its paths say: /to?URL redirects, /endless has no end, and
// everything else answers with the header that it got.
func server(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/to":
		http.Redirect(w, r, r.URL.RawQuery, http.StatusFound)
	case "/endless":
		for piece := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	default:
		fmt.Fprint(w, r.Header)
	}
}
