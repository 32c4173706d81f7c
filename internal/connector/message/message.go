package message

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// Config says how messages are sent.
type Config struct {
	// Dialer opens connections. Required.
	Dialer *egress.Dialer
	// Proxy names the proxy for webhooks; nil means none, see
	// [egress.HTTPConfig].
	Proxy func(*http.Request) (*url.URL, error)
}

// Message is the connector notify.send. It keeps no connections.
type Message struct {
	config     Config
	descriptor *connector.Descriptor
}

var _ connector.Connector = (*Message)(nil)

// New returns the connector.
func New(config Config) *Message { return &Message{config, describe()} }

// Describe returns the descriptor of notify.send.
func (m *Message) Describe() *connector.Descriptor { return m.descriptor }

// note is a message on its way.
type note struct {
	id, text, subject, severity string
	data                        value.Value
	call                        connector.Call
	now                         time.Time
}

// Call sends the message.
func (m *Message) Call(ctx context.Context, call connector.Call) (connector.Result, error) {
	in, err := connector.Prepare(ctx, m.descriptor, call)
	if err != nil {
		return connector.Result{}, err
	}
	n := note{
		id: messageID(call), text: in.Text("text"), subject: in.Text("subject"), severity: in.Text("severity"),
		data: in.Get("data"), call: call, now: call.Now(),
	}
	if strings.ContainsAny(n.subject, "\r\n\x00") {
		return connector.Result{}, connector.Errorf(connector.InvalidInput, "subject: want one line")
	}
	ctx, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()
	var sent int64
	switch call.Channel.Type {
	case "webhook":
		sent, err = m.post(ctx, n)
	case "smtp":
		sent, err = m.mail(ctx, n)
	default:
		err = connector.Errorf(connector.InvalidConnection, "channel %s has type %s; want webhook or smtp", call.Channel.Name, call.Channel.Type)
	}
	if err != nil {
		return connector.Result{}, err
	}
	call.Log("sent to channel " + call.Channel.Name)
	return connector.Result{
		Output:   value.Object(value.M("channel", value.String(call.Channel.Name)), value.M("message_id", value.String(n.id))),
		BytesOut: sent,
	}, nil
}

// messageID is the same for all attempts of the step.
func messageID(call connector.Call) string {
	sum := sha256.Sum256([]byte(call.IdempotencyKey + "\n" + call.RunID + "\n" + call.Step))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// fields checks the channel's fields.
func (n *note) fields(t connector.ObjectType) (connector.Input, error) {
	in, err := connector.NewInput(n.call.Channel.Fields, t.Object, "channel "+n.call.Channel.Name+": ")
	if err != nil {
		return connector.Input{}, err
	}
	return in, nil
}

// invalid is an error of the channel or its connection.
func (n *note) invalid(format string, args ...any) *connector.Error {
	return connector.Errorf(connector.InvalidConnection, "channel "+n.call.Channel.Name+": "+format, args...)
}

// title is the subject, else the channel's, else the first line of the text.
func (n *note) title(ofChannel string) string {
	for _, s := range []string{n.subject, ofChannel} {
		if s != "" {
			return s
		}
	}
	line, _, _ := strings.Cut(strings.TrimSpace(n.text), "\n")
	line = strings.Join(strings.Fields(line), " ")
	if runes := []rune(line); len(runes) > MaxSubject {
		line = string(runes[:MaxSubject-1]) + "…"
	}
	return line
}

// allow returns the dialer with the places of the channel and its connection.
func (m *Message) allow(n note, hosts []string) (*egress.Dialer, error) {
	dialer := m.config.Dialer
	for _, text := range hosts {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			return nil, n.invalid("%v", err)
		}
		dialer = dialer.With(place)
	}
	return dialer, nil
}
