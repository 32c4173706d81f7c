package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/runtime/clock"
	"github.com/regie-dev/regie/internal/server/home"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with")

// TestScripts runs whole commands in memory, as testdata/script says. Besides
// testscript's own commands there are
//
//	regie ARGS…    runs the command line; `!` wants it to fail
//	eventually 'R' ARGS…  the command line is run until its standard output
//	               matches the pattern R
//	code N         the last regie ended with this exit code
//	tty WxH|off    both outputs are a terminal of this size, or none
//	type FILE      the file is standard input of the next regie
//	bytes FILE 'T' the file has the text T, in which escapes are those of Go
//	normal         standard output is that of the last regie, in which RUN, TIME
//	               and DUR stand for what differs from run to run
//	hold DIR       another opens the data folder; release gives it back
//	damage FILE    the middle of the file is overwritten
//	answer TEXT…   whoever sits at the terminal gives these answers, one to each
//	               question of the next regie
//	server ARGS…   a server runs in a process of its own until the script ends or
//	               says "server stop" or "server kill"; SERVER and ADDRESS are
//	               where it is, FINGERPRINT is that of its certificate, ADMIN_TOKEN
//	               what it said at its first start
//	settoken VAR   the variable becomes the token in the JSON of standard output
//	setrun VAR     the variable becomes the ID of the run in standard output, or
//	               of the newest run
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			env.Setenv("HOME", filepath.Join(env.WorkDir, ".home"))
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, ".config"))
			env.Values[stageKey{}] = &stage{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"regie": func(ts *testscript.TestScript, neg bool, args []string) { runRegie(t.Context(), ts, neg, args) },
			"code":  checkCode, "tty": setTerminal, "type": setStdin, "normal": normalize, "bytes": writeBytes, "hold": hold, "release": release, "damage": damage, "setrun": setRun, "answer": answer, "server": server, "settoken": setToken, "setword": setWord, "worker": work,

			"eventually": func(ts *testscript.TestScript, _ bool, args []string) { eventually(t.Context(), ts, args) },
		},
	})
}

type stageKey struct{}

// stage is what a script remembers.
type stage struct {
	code          int
	stdin, stdout string
	columns, rows int
	held          *datadir.Dir
	answers       []string
	server        *process
	worker        *running
}

func runRegie(ctx context.Context, ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(stageKey{}).(*stage)
	var stdout, stderr bytes.Buffer
	s.code = cli.Main(ctx, cli.World{
		Args:  args,
		Build: cli.Build{Version: "v1.2.3", Commit: "c0ffee", Go: "go1.26"},
		Stdin: strings.NewReader(s.stdin), Stdout: &stdout, Stderr: &stderr,
		Terminal: func(io.Writer) (int, int, bool) { return s.columns, s.rows, s.columns > 0 },
		Ask: func(question string, hidden bool) (string, bool, error) {
			if len(s.answers) == 0 {
				return "", false, nil
			}
			text := s.answers[0]
			s.answers = s.answers[1:]
			fmt.Fprintf(&stderr, "%s(hidden: %t)\n", question, hidden)
			return text, true, nil
		},
		Host: "testhost",
		LookupEnv: func(name string) (string, bool) {
			text := ts.Getenv(name)
			return text, text != ""
		},
		Environ: func() []string { return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")} },
		Getwd:   func() (string, error) { return ts.MkAbs("."), nil },
		Clock:   clock.Real{}, Zone: time.UTC, Random: rand.Reader,
	})
	s.stdin, s.answers = "", nil
	s.stdout = stdout.String()
	_, _ = ts.Stdout().Write(stdout.Bytes())
	_, _ = ts.Stderr().Write(stderr.Bytes())
	if (s.code != 0) != neg {
		ts.Fatalf("exit code %d", s.code)
	}
}

// eventually waits for what a server does by itself.
func eventually(ctx context.Context, ts *testscript.TestScript, args []string) {
	s, wanted := ts.Value(stageKey{}).(*stage), regexp.MustCompile("(?m)"+args[0])
	const patience = 60 * time.Second
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for late := time.Now().Add(patience); ; {
		runRegie(ctx, ts, false, args[1:])
		switch {
		case wanted.MatchString(s.stdout):
			return
		case ctx.Err() != nil || time.Now().After(late):
			ts.Fatalf("%s never matches %q", strings.Join(args[1:], " "), args[0])
		}
		<-pause.C
	}
}

func checkCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: code N")
	}
	if got := strconv.Itoa(ts.Value(stageKey{}).(*stage).code); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

func setTerminal(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(stageKey{}).(*stage)
	s.columns, s.rows = 0, 0
	if args[0] == "off" {
		return
	}
	columns, rows, _ := strings.Cut(args[0], "x")
	var err, err2 error
	s.columns, err = strconv.Atoi(columns)
	s.rows, err2 = strconv.Atoi(rows)
	ts.Check(err)
	ts.Check(err2)
}

func setStdin(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(stageKey{}).(*stage).stdin = ts.ReadFile(args[0])
}

var (
	runID    = regexp.MustCompile(`\b0[0-9a-hjkmnp-tv-z]{25}\b`)
	variable = []struct {
		form *regexp.Regexp
		text string
	}{
		{runID, "RUN"},
		{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "SERVER"},
		{regexp.MustCompile(`\b[0-9a-f]{16}\b`), "VERSION"},
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
		{regexp.MustCompile(`(\d{4}-\d\d-\d\d )?\b\d\d:\d\d:\d\d(\.\d+)?`), "TIME"},
		{regexp.MustCompile(`\b(\d+(\.\d+)?m?s|\d+m\d\ds)\b`), "DUR"},
	}
)

func normalize(ts *testscript.TestScript, _ bool, _ []string) {
	text := ts.Value(stageKey{}).(*stage).stdout
	for _, v := range variable {
		text = v.form.ReplaceAllString(text, v.text)
	}
	_, _ = io.WriteString(ts.Stdout(), text)
}

func setToken(ts *testscript.TestScript, _ bool, args []string) {
	var task struct {
		Token string `json:"token"`
	}
	ts.Check(json.Unmarshal([]byte(ts.Value(stageKey{}).(*stage).stdout), &task))
	ts.Setenv(args[0], task.Token)
}

// setWord keeps what the group of a pattern matches in what was printed.
func setWord(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.Value(stageKey{}).(*stage).stdout)
	if found == nil {
		ts.Fatalf("%s is not there", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func setRun(ts *testscript.TestScript, _ bool, args []string) {
	id := runID.FindString(ts.Value(stageKey{}).(*stage).stdout)
	if id == "" {
		runs, err := os.ReadDir(filepath.Join(ts.Getenv("XDG_STATE_HOME"), "regie", "runs"))
		ts.Check(err)
		id = runs[len(runs)-1].Name()
	}
	ts.Setenv(args[0], id)
}

func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(args[1], `"`, `\"`) + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

func answer(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(stageKey{}).(*stage).answers = args
}

func server(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(stageKey{}).(*stage)
	switch args[0] {
	case "stop":
		ts.Check(s.server.stop(syscall.SIGTERM))
		return
	case "kill":
		ts.Check(s.server.stop(syscall.SIGKILL))
		return
	}
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "$WORK", ts.Getenv("WORK"))
	}
	var err error
	s.server, err = startServer(ts.MkAbs("."), args...)
	ts.Check(err)
	ts.Defer(func() { _ = s.server.stop(syscall.SIGTERM) })
	ts.Setenv("SERVER", s.server.URL)
	ts.Setenv("ADDRESS", s.server.address())
	ts.Setenv("FINGERPRINT", s.server.Fingerprint)
	if s.server.AdminToken != "" {
		ts.Setenv("ADMIN_TOKEN", s.server.AdminToken)
	}
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	dir, err := datadir.Open(ts.MkAbs(args[0]), home.Owner("regie run other.yaml", time.Now()))
	ts.Check(err)
	ts.Value(stageKey{}).(*stage).held = dir
}

func release(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Value(stageKey{}).(*stage).held.Close())
}

func damage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	text, err := os.ReadFile(path)
	ts.Check(err)
	for i := len(text) / 4; i < len(text)/2; i++ {
		text[i] ^= 0x5a
	}
	ts.Check(os.WriteFile(path, text, 0o600))
}
