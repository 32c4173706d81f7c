package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/diag"
)

// maxErrorText is how much of what a command prints is kept for its error, in
// bytes; killWait is how long after its end, or after it was killed, its
// children may hold its outputs.
const (
	maxErrorText = 1 << 10
	killWait     = time.Second
)

// CommandAnchor gives checkpoints to a program on its standard input. The exit
// code 0 says that it was kept. It has no environment, and is killed after
// AnchorTimeout.
type CommandAnchor struct{ argv []string }

// NewCommandAnchor returns an anchor for a program and its arguments; there is no
// shell.
func NewCommandAnchor(argv []string) *CommandAnchor { return &CommandAnchor{argv} }

// Kind is command.
func (a *CommandAnchor) Kind() string { return "command" }

// Target is the program, without its arguments, which may be secret.
func (a *CommandAnchor) Target() string { return a.argv[0] }

// Put runs the program.
func (a *CommandAnchor) Put(ctx context.Context, c *Signed, _ History) error {
	cmd := exec.CommandContext(ctx, a.argv[0], a.argv[1:]...) //nolint:forbidigo // no task: nothing to recover, and it is gone before the next one
	cmd.Env, cmd.WaitDelay = []string{}, killWait             // nil would be the environment of the server, with its secrets
	cmd.Stdin = bytes.NewReader(c.Note)
	var said head
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end in time: %w", a.argv[0], ctx.Err())
	}
	var exit *exec.ExitError
	if text := strings.TrimSpace(string(said.text)); text != "" && errors.As(err, &exit) {
		return fmt.Errorf("%s: %w: %s", a.argv[0], err, diag.Visible(text))
	}
	return fmt.Errorf("%s: %w", a.argv[0], err)
}

// head keeps the beginning of what is written to it.
type head struct{ text []byte }

func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxErrorText-len(h.text))]...)
	return len(p), nil
}
