package cli

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"
)

// TestNotices: what services warn of is shown once in a while, harmless, and
// without what is for developers.
func TestNotices(t *testing.T) {
	t.Parallel()
	var said []string
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	log := slog.New(newNotices(func(text string) { said = append(said, text) }, func() time.Time { return now }))
	fail := func() {
		log.WarnContext(t.Context(), "commit failed", "sequence", 7, "error", errors.New("disk full\x1b[2J"), "stack", "goroutine 1")
	}
	log.InfoContext(t.Context(), "not shown")
	fail()
	fail()
	log.With("run", "r1").WithGroup("g").ErrorContext(t.Context(), "run is quarantined")
	now = now.Add(sameNotice)
	fail()
	want := []string{
		`warning: commit failed, sequence: 7, error: disk full\x1b[2J`, `warning: run is quarantined, run: r1`,
		`warning: commit failed, sequence: 7, error: disk full\x1b[2J`,
	}
	if !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
}
