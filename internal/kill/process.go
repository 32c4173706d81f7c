package kill

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is a server that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan error
	ready time.Duration
}

// ready is what a server prints once it listens.
type ready struct {
	URL        string `json:"url"`
	AdminToken string `json:"admin_token"`
}

// startServer starts a server and waits until it listens. What it logs goes to
// a file beside its data.
func startServer(ctx context.Context, binary, data, sqlite, address string) (*process, *ready, error) {
	began := time.Now()
	log, err := os.OpenFile(data+".log", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), binary, "server", "--data", data, "--listen", address, "--sqlite-folder", sqlite,
		"--processes", strconv.Itoa(processes), "--log-level", "warn", "--output", "json")
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start the server: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the server: %w", err)
	}
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	said := make(chan *ready, 1)
	go func() {
		var r ready
		if err := json.NewDecoder(bufio.NewReader(out)).Decode(&r); err == nil {
			said <- &r
		}
		p.ended <- cmd.Wait()
	}()
	late := time.NewTimer(readyTime)
	defer late.Stop()
	select {
	case r := <-said:
		p.ready = time.Since(began)
		return p, r, nil
	case err := <-p.ended:
		p.ended <- err
		return nil, nil, fmt.Errorf("the server ended before it was ready (see %s): %w", filepath.Base(data)+".log", err)
	case <-late.C:
		return nil, nil, errors.Join(fmt.Errorf("the server was not ready after %s", readyTime), p.kill())
	case <-ctx.Done():
		return nil, nil, errors.Join(context.Cause(ctx), p.kill())
	}
}

// kill kills the server, and nothing else: what it started goes on.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	var exit *exec.ExitError
	if err := <-p.ended; err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("kill the server: %w", err)
	}
	return nil
}

// stop ends the server as an operator does.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	if err := <-p.ended; err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}
