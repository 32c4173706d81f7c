package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// sameNotice is how long a notice is not shown again.
const sameNotice = 30 * time.Second

// notices shows what the services of a run warn of, such as a disk that is full,
// so that a run that does not get on says why. It is a slog.Handler.
type notices struct {
	say  func(text string)
	now  func() time.Time
	with []slog.Attr

	shared *shownNotices
}

// shownNotices is what was shown when, shared by all handlers made of one.
type shownNotices struct {
	mu sync.Mutex
	at map[string]time.Time
}

var _ slog.Handler = (*notices)(nil)

// newNotices returns a handler that says what matters by say.
func newNotices(say func(string), now func() time.Time) *notices {
	return &notices{say: say, now: now, shared: &shownNotices{at: map[string]time.Time{}}}
}

// Enabled lets warnings and errors through.
func (n *notices) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle shows a record, unless it has just been shown.
func (n *notices) Handle(_ context.Context, r slog.Record) error {
	parts := []string{r.Message}
	add := func(a slog.Attr) bool {
		if a.Key != "stack" {
			parts = append(parts, fmt.Sprintf("%s: %v", a.Key, a.Value))
		}
		return true
	}
	for _, a := range n.with {
		add(a)
	}
	r.Attrs(add)
	text := strings.Join(parts, ", ")
	now := n.now()
	n.shared.mu.Lock()
	last, shown := n.shared.at[r.Message]
	again := !shown || now.Sub(last) >= sameNotice
	if again {
		n.shared.at[r.Message] = now
	}
	n.shared.mu.Unlock()
	if again {
		n.say("warning: " + diagVisible(text))
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (n *notices) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *n
	c.with = append(append([]slog.Attr(nil), n.with...), attrs...)
	return &c
}

// WithGroup implements slog.Handler; groups are not shown.
func (n *notices) WithGroup(string) slog.Handler { return n }
