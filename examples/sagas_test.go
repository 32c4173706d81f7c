package examples_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
)

// gate is a piece of a script that says that its step has begun, with its
// process, and waits until the test opens the step. It ends when the folder of
// the test is gone, or after a minute.
const gate = `echo "$REGIE_STEP $$" >>"$LEDGER.begun"; n=0; until grep -qsx "$REGIE_STEP" "$LEDGER.open"; ` +
	`do test -e "$LEDGER" && test $((n += 1)) -lt 1200 || exit 9; sleep 0.05; done`

// patience is how long the tests wait for what a server does by itself.
const patience = time.Minute

// saga is an example on a server that is killed. Its steps append to the ledger.
type saga struct {
	*world
	ledger             string
	run                string // its ID
	server, supervisor *exec.Cmd
}

// newSaga starts a server, and a run of an example in whose definition the pairs
// of texts are replaced.
func newSaga(t *testing.T, name, variable, input string, replaced ...string) *saga {
	t.Helper()
	s := &saga{world: newWorld(t)}
	s.ledger = filepath.Join(s.dir, "ledger")
	text, err := os.ReadFile(filepath.Join(name, "workflow.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(replaced, 2) {
		if !strings.Contains(string(text), pair[0]) {
			t.Fatalf("the workflow has no %q", pair[0])
		}
	}
	definition := filepath.Join(s.dir, "workflow.yaml")
	if err := os.WriteFile(definition, []byte(strings.NewReplacer(replaced...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	s.open(t)
	s.succeeds(t, "namespaces", "put", "default", "--var", variable+"="+s.ledger)
	s.succeeds(t, "apply", definition)
	s.run = regexp.MustCompile(`\b[0-9a-z]{26}\b`).FindString(s.succeeds(t, "start", name, "--input", input))
	return s
}

// open starts what does not run of the server and its supervisor, on the folders
// that they had before. Both are killed at the latest when the test ends.
func (s *saga) open(t *testing.T) {
	t.Helper()
	socket := filepath.Join(s.dir, "socket")
	if s.supervisor == nil {
		s.supervisor = s.process(t, "supervisor", "--dir", filepath.Join(s.dir, "tasks"), "--socket", socket)
		if err := s.supervisor.Start(); err != nil {
			t.Fatal(err)
		}
	}
	s.server = s.process(t, "server", "--data", filepath.Join(s.dir, "data"), "--listen", "127.0.0.1:0", "--supervisor-socket", socket, "--output", "json")
	out, err := s.server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = s.server.Process.Kill() })
	defer late.Stop()
	var ready struct {
		URL        string `json:"url"`
		AdminToken string `json:"admin_token"`
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatalf("the server was not ready: %v", err)
	}
	s.env["REGIE_SERVER"] = ready.URL
	if ready.AdminToken == "" {
		return
	}
	answer, err := regiev1connect.NewIdentityServiceClient(http.DefaultClient, ready.URL).Login(t.Context(),
		&regiev1.LoginRequest{Password: ready.AdminToken, TokenName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	s.env["REGIE_TOKEN"] = answer.GetSecret()
}

// process is a call of regie in a process of its own.
func (s *saga) process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, args...)
	cmd.Env, cmd.Dir = append(s.environ(), asRegie+"=1"), s.dir
	t.Cleanup(func() { kill(t, cmd) })
	return cmd
}

// kill kills a process that was started, unless it was killed before.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.Process == nil || cmd.ProcessState != nil {
		return
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

// killMachine kills the server, its supervisor and the script that waits at its
// gate, as if the machine had gone down.
func (s *saga) killMachine(t *testing.T) {
	t.Helper()
	kill(t, s.server)
	kill(t, s.supervisor)
	s.supervisor = nil
	begun := s.lines(t, ".begun")
	_, process, _ := strings.Cut(begun[len(begun)-1], " ")
	pid, err := strconv.Atoi(process)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// succeeds calls regie, which must end well, and returns what it printed.
func (s *saga) succeeds(t *testing.T, args ...string) string {
	t.Helper()
	code, out := s.regie(t, args...)
	if code != 0 {
		t.Fatalf("regie %q ended with %d:\n%s", args, code, out)
	}
	return out
}

// lines are those of the ledger, or of a file beside it.
func (s *saga) lines(t *testing.T, suffix string) []string {
	t.Helper()
	text, err := os.ReadFile(s.ledger + suffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// begun are the steps that came to their gates, as often as they did.
func (s *saga) begun(t *testing.T) (steps []string) {
	t.Helper()
	for _, line := range s.lines(t, ".begun") {
		step, _, _ := strings.Cut(line, " ")
		steps = append(steps, step)
	}
	return steps
}

// begins waits until these steps, and no others, have come to their gates.
func (s *saga) begins(t *testing.T, steps ...string) {
	t.Helper()
	eventually(t, func() bool { return len(s.begun(t)) >= len(steps) })
	if got := s.begun(t); !slices.Equal(got, steps) {
		t.Fatalf("steps came to their gates: %q, want %q", got, steps)
	}
}

// pass opens the gate of a step.
func (s *saga) pass(t *testing.T, step string) {
	t.Helper()
	file, err := os.OpenFile(s.ledger+".open", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(step + "\n"); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end of the run, which must have failed, and compares what
// is in the ledger and which steps were attempted, in which order.
func (s *saga) ends(t *testing.T, ledger, steps []string) {
	t.Helper()
	d := &document{}
	eventually(t, func() bool {
		d = &document{}
		if err := json.Unmarshal([]byte(s.succeeds(t, "show", s.run, "--output", "json")), d); err != nil {
			t.Fatal(err)
		}
		return slices.Contains([]string{"succeeded", "failed", "canceled"}, d.Run.State)
	})
	if d.Run.State != "failed" {
		t.Errorf("the run is %s, want failed", d.Run.State)
	}
	if got := s.lines(t, ""); !slices.Equal(got, ledger) {
		t.Errorf("ledger:\n got %q\nwant %q", got, ledger)
	}
	var got []string
	for _, step := range d.Steps {
		if step.Attempts > 0 {
			got = append(got, step.Path)
		}
	}
	if !slices.Equal(got, steps) {
		t.Errorf("steps:\n got %q\nwant %q", got, steps)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, so func() bool) {
	t.Helper()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for late := time.Now().Add(patience); !so(); <-pause.C {
		if time.Now().After(late) {
			t.Fatal("waited in vain")
		}
	}
}

// A booking is canceled, the last part first and each once, though the server
// is killed during each cancellation.
func TestBookingIsKilled(t *testing.T) {
	t.Parallel()
	booking := func(t *testing.T) *saga {
		t.Helper()
		return newSaga(t, "booking", "BOOKING_LEDGER", `{"trip": "rome"}`, `echo "$TRIP cancel`, gate+`; echo "$TRIP cancel`)
	}
	ends := func(t *testing.T, s *saga) {
		t.Helper()
		s.ends(t, []string{"rome book flight", "rome book hotel", "rome cancel hotel", "rome cancel flight 4A"},
			[]string{"flight", "hotel", "car", "hotel/compensate", "flight/compensate", "finally/tell"})
	}
	const hotel, flight = "hotel/compensate", "flight/compensate"

	// Scripts go on, and end while there is no server, or later.
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		s := booking(t)
		s.begins(t, hotel)
		kill(t, s.server)
		s.pass(t, hotel)
		eventually(t, func() bool { return len(s.lines(t, "")) == 3 })
		s.open(t)
		s.begins(t, hotel, flight)
		kill(t, s.server)
		s.open(t)
		s.pass(t, flight)
		ends(t, s)
		s.begins(t, hotel, flight)
	})

	// Scripts end too, before they did anything, and are run again.
	t.Run("machine", func(t *testing.T) {
		t.Parallel()
		s := booking(t)
		s.begins(t, hotel)
		s.killMachine(t)
		s.open(t)
		s.begins(t, hotel, hotel)
		s.pass(t, hotel)
		s.begins(t, hotel, hotel, flight)
		s.killMachine(t)
		s.open(t)
		s.begins(t, hotel, hotel, flight, flight)
		s.pass(t, flight)
		ends(t, s)
	})
}

// Nobody knows whether the transfer happened: a person is asked, still after the
// server was killed, and what is undone then is what the person said.
func TestPaymentIsKilled(t *testing.T) {
	t.Parallel()
	const transfer, back, release = "transfer", "transfer/compensate", "reserve/compensate"
	for command, want := range map[string]struct{ undone, ledger []string }{
		"set-succeeded": {[]string{back, release}, []string{"p-1 transfer back", "p-1 release"}},
		"set-failed":    {[]string{release}, []string{"p-1 release"}},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newSaga(t, "payment", "PAYMENT_LEDGER", `{"payment": "p-1"}`,
				`echo "$PAYMENT transfer" >>"$LEDGER"`, `echo "$PAYMENT transfer" >>"$LEDGER"; `+gate,
				`timeout: 10s`, `timeout: 3s`,
				`echo "$PAYMENT transfer back"`, gate+`; echo "$PAYMENT transfer back"`,
				`echo "$PAYMENT release"`, gate+`; echo "$PAYMENT release"`)
			asked := func() bool { return strings.Contains(s.succeeds(t, "why", s.run), "nobody knows what this step did") }
			eventually(t, asked)
			kill(t, s.server)
			s.open(t)
			eventually(t, asked)
			s.begins(t, transfer)
			s.succeeds(t, command, s.run, "--step", transfer)
			begun := []string{transfer}
			for _, undo := range want.undone {
				begun = append(begun, undo)
				s.begins(t, begun...)
				kill(t, s.server)
				s.open(t)
				s.pass(t, undo)
			}
			s.ends(t, append([]string{"p-1 reserve", "p-1 transfer"}, want.ledger...), append([]string{"reserve", transfer}, want.undone...))
			s.begins(t, begun...)
		})
	}
}
