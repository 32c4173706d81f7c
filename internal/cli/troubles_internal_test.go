package cli

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
)

// Troubles are shown once each, with the error and nothing else, in one line
// that steers no terminal.
func TestTroubles(t *testing.T) {
	t.Parallel()
	var said []string
	log := slog.New(newTroubles(func(text string) { said = append(said, text) }))
	log.Info("all is well")
	full := errors.New("disk is full")
	log.Warn("commit failed", "sequence", 4, "error", full)
	log.Warn("commit failed", "sequence", 4, "error", full)
	log.With("run", "r1").WithGroup("x").Error("halted", "error", errors.New("line\nand \x1b[2J"))
	want := []string{"warning: commit failed: disk is full", `warning: halted: line; and \x1b[2J`}
	if !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
