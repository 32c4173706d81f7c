package message

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// keyPrefix marks signing keys in base64, as Standard Webhooks writes them.
const keyPrefix = "whsec_"

// minKeyLength is the shortest signing key, in bytes.
const minKeyLength = 16

// post sends the message to a webhook and returns the bytes sent.
func (m *Message) post(ctx context.Context, n note) (int64, error) {
	in, err := n.fields(WebhookType())
	if err != nil {
		return 0, err
	}
	u, err := hookURL(in)
	if err != nil {
		return 0, n.invalid("url: %v", err)
	}
	body := n.payload(in.Text("payload"))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, n.invalid("url: the request makes no sense")
	}
	r.Header.Set("User-Agent", "regie")
	for _, h := range in.Get("headers").Members() {
		text, _ := h.Value.Str()
		if !validHeader(h.Key, text) {
			return 0, n.invalid("headers: %q is not a header, or its value contains a line end", h.Key)
		}
		r.Header.Set(h.Key, text)
	}
	r.Header.Set("Content-Type", "application/json")
	if err := n.sign(r.Header, in.Text("secret"), body); err != nil {
		return 0, err
	}
	dialer, err := m.allow(n, n.call.Channel.AllowHosts)
	if err != nil {
		return 0, err
	}
	client := egress.NewHTTPClient(egress.HTTPConfig{Dialer: dialer, Proxy: m.config.Proxy})
	defer client.CloseIdleConnections()
	resp, err := egress.Exchange(egress.WithoutRedirects(client), r, maxAnswer)
	var fault *egress.ExchangeError
	switch {
	case errors.As(err, &fault) && fault.Status/100 == 2:
		return int64(len(body)), nil // accepted; what else it says does not matter
	case errors.As(err, &fault) && fault.Status != 0:
		return 0, n.rejected(fault.Status, fault.Header)
	case errors.As(err, &fault):
		e := connector.Errorf(fault.Name, "channel %s: %v", n.call.Channel.Name, fault)
		e.Unknown = fault.Sent
		return 0, e
	case err != nil:
		return 0, err
	case resp.Status/100 != 2:
		return 0, n.rejected(resp.Status, resp.Header)
	}
	return int64(len(body)), nil
}

func (n *note) rejected(status int, header http.Header) *connector.Error {
	e := connector.Errorf(fmt.Sprintf("http.%d", status), "channel %s: the webhook answered %d %s", n.call.Channel.Name, status, http.StatusText(status))
	e.Details = value.Object(value.M("status", value.Int(int64(status))))
	e.RetryAfter = egress.RetryAfter(header, n.now)
	return e
}

// validHeader reports whether name and text make one header and no more.
func validHeader(name, text string) bool {
	if name == "" || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return false
	}
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Expect", "Host", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

func (n *note) payload(what string) []byte {
	text := value.M("text", value.String(n.text))
	if what == "text" {
		return value.Object(text).Append(nil)
	}
	return value.Object(
		text,
		value.M("subject", value.String(n.title(""))),
		value.M("severity", value.String(n.severity)),
		value.M("run", value.String(n.call.RunID)),
		value.M("step", value.String(n.call.Step)),
		value.M("attempt", value.Int(int64(n.call.Attempt))),
		value.M("time", value.String(n.now.UTC().Format(time.RFC3339))),
		value.M("data", n.data),
	).Append(nil)
}

// sign sets the headers of Standard Webhooks.
func (n *note) sign(h http.Header, secret string, body []byte) error {
	stamp := strconv.FormatInt(n.now.Unix(), 10)
	h.Set("Webhook-Id", n.id)
	h.Set("Webhook-Timestamp", stamp)
	if secret == "" {
		return nil
	}
	key := []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, keyPrefix); ok {
		var err error
		if key, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return n.invalid("secret: want base64 after %s", keyPrefix)
		}
	}
	if len(key) < minKeyLength {
		return n.invalid("secret: want a key of at least %d bytes", minKeyLength)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", n.id, stamp, body) // a hash takes everything
	h.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return nil
}
