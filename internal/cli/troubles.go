package cli

import (
	"context"
	"log/slog"
	"strings"
	"sync"
)

// troubles shows what Regie logs of its own troubles while a run goes on, such
// as a disk that is full, each once.
type troubles struct {
	say func(text string)

	mu   sync.Mutex
	said map[string]bool
}

var _ slog.Handler = (*troubles)(nil)

func newTroubles(say func(text string)) *troubles {
	return &troubles{say: say, said: map[string]bool{}}
}

// Enabled leaves out what is no trouble.
func (h *troubles) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Handle shows the message and the error; the rest is for machines.
func (h *troubles) Handle(_ context.Context, r slog.Record) error {
	text := "warning: " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			text += ": " + strings.ReplaceAll(a.Value.String(), "\n", "; ")
		}
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.said[text] {
		h.said[text] = true
		h.say(diagVisible(text))
	}
	return nil
}

// WithAttrs and WithGroup change nothing: only the error of a record is shown.

func (h *troubles) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *troubles) WithGroup(string) slog.Handler      { return h }
