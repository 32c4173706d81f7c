package notify

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// Sender sends messages.
type Sender interface {
	// Send sends a message to a channel of the message's namespace and returns
	// once it was accepted there. An error, which must not show secrets, is
	// shown to operators, and the message is sent again. Called concurrently for
	// different channels; it must return soon after ctx ended.
	Send(ctx context.Context, channel string, m Message) error
}

// Message is what is sent about an alert.
type Message struct {
	// ID is the same whenever the message is sent again.
	ID        string
	About     About
	Severity  string // info, warning or error
	Title     string // one line of at most MaxTitle characters
	Text      string // a few lines
	Namespace string
	Alert     string // its ID
	Cause     Cause
	// Workflow and Connection are as in [Alert].
	Workflow   string
	Connection string
	Run        store.RunID // that came last
	State      State
	Owner      string
	Count      uint32
	OpenedAt   time.Time
}

// MaxTitle is the length of the longest title in characters.
const MaxTitle = 200

// Data is what programs read of the message.
func (m *Message) Data() value.Value {
	return value.Object(
		fact("alert", m.Alert), fact("about", string(m.About)), fact("namespace", m.Namespace), fact("workflow", m.Workflow),
		fact("connection", m.Connection), fact("cause", string(m.Cause)), fact("run", string(m.Run)), fact("state", string(m.State)), fact("owner", m.Owner),
		value.M("count", value.Int(int64(m.Count))), fact("opened_at", m.OpenedAt.UTC().Format(time.RFC3339)),
	)
}

// compose writes a message about the alert as it is now.
func compose(a *Alert, d *Delivery) Message {
	m := Message{
		ID: d.ID, About: d.About, Severity: "warning", Namespace: a.Namespace, Alert: a.ID, Cause: a.Cause,
		Workflow: a.Workflow, Connection: a.Connection, Run: a.Run, State: a.State, Owner: a.Owner, Count: a.Count, OpenedAt: a.OpenedAt,
	}
	what := map[Cause]string{
		CauseFailed: "failed", CauseLate: "is late", CauseMissed: "missed a run", CauseApproval: "asks for approval",
		CauseBreaker: "does not answer: its circuit breaker is open",
	}[a.Cause]
	title := a.Namespace + "/" + cmp.Or(a.Workflow, a.Connection) + " " + what
	switch {
	case d.About == AboutClosed:
		title, m.Severity = "Closed: "+title, "info"
	case a.Cause == CauseFailed:
		m.Severity = "error"
	}
	if d.About != AboutClosed && a.Count > 1 {
		title += fmt.Sprintf(" (%d times)", a.Count)
	}
	m.Title = oneLine(title, MaxTitle)
	lines := []string{m.Title, "", oneLine(upper(a.Text)+".", maxErrorText)}
	if a.Count > 1 {
		lines = append(lines, fmt.Sprintf("It came %d times since %s.", a.Count, instant(a.OpenedAt)))
	}
	if d.About == AboutClosed {
		lines = append(lines, oneLine(fmt.Sprintf("Closed at %s by %s: %s.", instant(a.ClosedAt), a.ClosedBy, a.ClosedWhy), maxErrorText))
	}
	if a.Owner != "" {
		lines = append(lines, "Owner: "+oneLine(a.Owner, MaxTitle))
	}
	m.Text = strings.Join(lines, "\n")
	return m
}

func upper(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// oneLine makes a text one line of at most so many characters, without what
// cannot be seen.
func oneLine(text string, most int) string {
	runes := []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " "))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}
