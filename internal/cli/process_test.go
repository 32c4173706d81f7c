package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/regie-dev/regie/internal/cli"
	"github.com/regie-dev/regie/internal/runtime/clock"
)

// asRegie is set where the test program is to be regie.
const asRegie = "REGIE_TEST_CLI_AS_REGIE"

func TestMain(m *testing.M) {
	if os.Getenv(asRegie) != "" {
		os.Exit(cli.Main(context.Background(), realWorld()))
	}
	os.Exit(m.Run())
}

func realWorld() cli.World {
	return cli.World{
		Args: os.Args[1:], Build: cli.Build{Version: "v1.2.3", Commit: "c0ffee", Go: "go1.26"},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Terminal:  func(io.Writer) (int, int, bool) { return 0, 0, false },
		LookupEnv: os.LookupEnv, Environ: os.Environ, Getwd: os.Getwd,
		Clock: clock.Real{}, Random: rand.Reader,
		Interrupts: func() (<-chan struct{}, func()) {
			signals, asked, done := make(chan os.Signal, 1), make(chan struct{}), make(chan struct{})
			signal.Notify(signals, syscall.SIGTERM)
			go func() {
				for {
					select {
					case <-signals:
						select {
						case asked <- struct{}{}:
						case <-done:
							return
						}
					case <-done:
						return
					}
				}
			}()
			return asked, func() {
				signal.Stop(signals)
				close(done)
			}
		},
	}
}

// process is a server in a process of its own.
type process struct {
	// What it says when it is ready.
	URL         string `json:"url"`
	Data        string `json:"data"`
	AdminToken  string `json:"admin_token"`
	Fingerprint string `json:"fingerprint"`

	cmd *exec.Cmd
	log *bytes.Buffer
}

// startServer starts a server and waits until it is ready. Where it listens is
// its own choice unless the arguments say.
func startServer(dir string, args ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(strings.Join(args, " "), "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	p := &process{cmd: exec.Command(program, append([]string{"server", "--output", "json"}, args...)...), log: &bytes.Buffer{}}
	p.cmd.Dir, p.cmd.Stderr = dir, p.log
	p.cmd.Env = append(os.Environ(), asRegie+"=1", "HOME="+dir)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(p); err != nil || p.URL == "" {
		return nil, errors.Join(fmt.Errorf("the server was not ready: %w", err), p.stop(syscall.SIGKILL))
	}
	return p, nil
}

// address is where it listens.
func (p *process) address() string {
	_, address, _ := strings.Cut(p.URL, "://")
	return address
}

// stop ends the server, once.
func (p *process) stop(how syscall.Signal) error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	if err := p.cmd.Process.Signal(how); err != nil {
		return err
	}
	err := p.cmd.Wait()
	if how == syscall.SIGKILL {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the server ended with %w:\n%s", err, p.log)
	}
	return nil
}
