package message_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/message"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

func newMessage() *message.Message {
	return message.New(message.Config{Dialer: egress.NewDialer(egress.Config{})})
}

// webhook returns a channel with the fields, URL standing for the server's.
func webhook(t *testing.T, server, fields string) *connector.Channel {
	t.Helper()
	v := value.MustParse(strings.ReplaceAll(fields, "URL", server))
	hosts, err := message.WebhookType().Hosts(v)
	if err != nil {
		hosts = nil // the call says what is wrong
	}
	return &connector.Channel{Name: "ops", Type: "webhook", Fields: v, AllowHosts: hosts}
}

func call(t testing.TB, input string, channel *connector.Channel) connector.Call {
	c := connectortest.Call(t, input)
	c.Channel = channel
	return c
}

// wantError checks name and text of an error, and that it shows no secret.
func wantError(t *testing.T, what string, err error, name, text string) {
	t.Helper()
	e := coded(err)
	if e.Name != name || !strings.Contains(e.Message, text) || strings.Contains(e.Message, "hunter2") {
		t.Errorf("%s: error %v, want %s with %q", what, err, name, text)
	}
}

// coded returns the step's error, an empty one if there is none.
func coded(err error) *connector.Error {
	var e *connector.Error
	if !errors.As(err, &e) {
		return &connector.Error{}
	}
	return e
}

func badInputs() []string {
	return []string{
		`{"channel": "ops"}`,
		`{"text": "x"}`,
		`{"channel": "ops", "text": "x", "severity": "fatal"}`,
		`{"channel": "ops", "text": "x", "subject": "a\r\nBcc: evil@example.org"}`,
		`{"channel": "ops", "text": "x", "subject": "a\nb"}`,
		`{"channel": "ops", "text": "` + strings.Repeat("x", message.MaxText+1) + `"}`,
		`{"channel": "ops", "text": "x", "subject": "` + strings.Repeat("x", message.MaxSubject+1) + `"}`,
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	connectortest.Run(t, connectortest.Suite{
		New: func(*testing.T) connector.Connector { return newMessage() },
		Call: func(t *testing.T) connector.Call {
			return call(t, `{"channel": "ops", "text": "hello"}`, webhook(t, server.URL, `{"url": "URL"}`))
		},
		Hang: func(t *testing.T) connector.Call {
			return call(t, `{"channel": "ops", "text": "hello"}`, webhook(t, server.URL, `{"url": "URL/hang"}`))
		},
		Bad: badInputs(),
	})
	for _, o := range []connector.ObjectType{message.WebhookType(), message.MailType(), message.SMTPType()} {
		connectortest.CheckObjectType(t, o)
	}
}

// received is what a webhook got.
type received struct {
	header http.Header
	body   []byte
}

func hookServer(t *testing.T, status int, header map[string]string) (server string, got *[]received) {
	t.Helper()
	got = &[]received{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, received{r.Header.Clone(), body})
		for name, text := range header {
			w.Header().Set(name, text)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "answer")
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("", 3600))
	const input = `{"channel": "ops", "text": "Settled\nall", "severity": "warning", "data": {"b": 12345678901234567890, "a": null}}`
	server, got := hookServer(t, http.StatusNoContent, nil)
	send := func(fields string) received {
		t.Helper()
		c := call(t, input, webhook(t, server, fields))
		c.Now = func() time.Time { return now }
		result, err := newMessage().Call(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		last := (*got)[len(*got)-1]
		if id, _ := result.Output.Get("message_id").Str(); id == "" || id != last.header.Get("Webhook-Id") {
			t.Errorf("message ID %q, header %q", id, last.header.Get("Webhook-Id"))
		}
		if result.BytesOut != int64(len(last.body)) {
			t.Errorf("%d bytes out, want %d", result.BytesOut, len(last.body))
		}
		return last
	}
	plain := send(`{"url": "URL/hook?x=1", "headers": {"Authorization": "Bearer t", "Content-Type": "text/plain"}}`)
	const want = `{"text":"Settled\nall","subject":"Settled","severity":"warning","run":"r-1","step":"step","attempt":1,"time":"2026-01-02T02:04:05Z","data":{"b":12345678901234567890,"a":null}}`
	if string(plain.body) != want {
		t.Errorf("body %s", plain.body)
	}
	for name, text := range map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer t", "Webhook-Timestamp": "1767319445", "Webhook-Signature": "",
	} {
		if plain.header.Get(name) != text {
			t.Errorf("%s: %q, want %q", name, plain.header.Get(name), text)
		}
	}
	if short := send(`{"url": "URL", "payload": "text"}`); string(short.body) != `{"text":"Settled\nall"}` {
		t.Errorf("body %s", short.body)
	}
	for secret, key := range map[string][]byte{
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": {0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0},
		"sixteen letters!":                       []byte("sixteen letters!"),
	} {
		signed := send(fmt.Sprintf(`{"url": "URL", "secret": %q}`, secret))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(signed.header.Get("Webhook-Id") + "." + signed.header.Get("Webhook-Timestamp") + "." + string(signed.body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); signed.header.Get("Webhook-Signature") != want {
			t.Errorf("signature %q, want %q", signed.header.Get("Webhook-Signature"), want)
		}
	}
	// All attempts of a step send the same ID, other steps another.
	ids := map[string]bool{}
	for _, key := range []string{"key-1", "key-1", "key-2"} {
		c := call(t, input, webhook(t, server, `{"url": "URL"}`))
		c.IdempotencyKey, c.Attempt = key, len(ids)+1
		if _, err := newMessage().Call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		ids[(*got)[len(*got)-1].header.Get("Webhook-Id")] = true
	}
	if len(ids) != 2 {
		t.Errorf("IDs %v, want two", ids)
	}
}

func TestWebhookErrors(t *testing.T) {
	t.Parallel()
	const input = `{"channel": "ops", "text": "x"}`
	busy, _ := hookServer(t, http.StatusServiceUnavailable, map[string]string{"Retry-After": "7"})
	moved, _ := hookServer(t, http.StatusTemporaryRedirect, map[string]string{"Location": "/elsewhere"})
	fine, got := hookServer(t, http.StatusOK, nil)
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	defer silent.Close()
	talkative := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 3 << 10 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	}))
	defer talkative.Close()
	if _, err := newMessage().Call(t.Context(), call(t, input, webhook(t, talkative.URL, `{"url": "URL"}`))); err != nil {
		t.Errorf("a long answer to an accepted message: %v", err)
	}
	for name, c := range map[string]struct {
		channel    *connector.Channel
		want, text string
		unknown    bool
	}{
		"503":                   {webhook(t, busy, `{"url": "URL?key=hunter2"}`), "http.503", "channel ops", false},
		"redirect":              {webhook(t, moved, `{"url": "URL"}`), "http.307", "", false},
		"no answer":             {webhook(t, silent.URL, `{"url": "URL?key=hunter2"}`), "http.protocol", "channel ops", true},
		"metadata":              {webhook(t, "", `{"url": "http://169.254.169.254/hunter2"}`), egress.ErrorName, "always denied", false},
		"no channel":            {nil, connector.InvalidConnection, `no channel "ops"`, false},
		"unknown type":          {&connector.Channel{Name: "ops", Type: "pigeon"}, connector.InvalidConnection, "type pigeon", false},
		"no URL":                {webhook(t, fine, `{}`), connector.InvalidConnection, "url", false},
		"file":                  {webhook(t, fine, `{"url": "file:///hunter2"}`), connector.InvalidConnection, "scheme", false},
		"password in URL":       {webhook(t, fine, `{"url": "http://u:hunter2@example.org"}`), connector.InvalidConnection, "use headers", false},
		"line end in a header":  {webhook(t, fine, `{"url": "URL", "headers": {"X": "a\r\nhunter2: b"}}`), connector.InvalidConnection, "line end", false},
		"header of the request": {webhook(t, fine, `{"url": "URL", "headers": {"Host": "evil.example"}}`), connector.InvalidConnection, "Host", false},
		"bad key":               {webhook(t, fine, `{"url": "URL", "secret": "whsec_hunter2 "}`), connector.InvalidConnection, "base64", false},
		"short key":             {webhook(t, fine, `{"url": "URL", "secret": "hunter2"}`), connector.InvalidConnection, "at least 16 bytes", false},
		"unknown field":         {webhook(t, fine, `{"url": "URL", "token": "hunter2"}`), connector.InvalidConnection, "token", false},
	} {
		_, err := newMessage().Call(t.Context(), call(t, input, c.channel))
		wantError(t, name, err, c.want, c.text)
		e := coded(err)
		if e.Unknown != c.unknown {
			t.Errorf("%s: unknown %v", name, e.Unknown)
		}
		if name == "503" && e.RetryAfter != 7*time.Second {
			t.Errorf("retry after %s", e.RetryAfter)
		}
	}
	if len(*got) != 0 {
		t.Errorf("%d messages were sent all the same", len(*got))
	}
	// Without the channel's own allowance the private host is denied.
	channel := webhook(t, fine, `{"url": "URL"}`)
	channel.AllowHosts = nil
	_, err := newMessage().Call(t.Context(), call(t, input, channel))
	wantError(t, "not allowed", err, egress.ErrorName, "--allow-host")
}

// The payload is JSON whatever the text is.
func FuzzWebhookPayload(f *testing.F) {
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
	f.Cleanup(server.Close)
	f.Add("plain", "subject")
	f.Add("\"quoted\" \\ \x00 \xff\n", "")
	f.Fuzz(func(t *testing.T, text, subject string) {
		c := connectortest.Call(t, `{}`)
		c.Channel = webhook(t, server.URL, `{"url": "URL"}`)
		c.Input = value.Object(value.M("channel", value.String("ops")), value.M("text", value.String(text)), value.M("subject", value.String(subject)))
		if _, err := newMessage().Call(t.Context(), c); err != nil {
			return
		}
		var got map[string]any
		if err := json.Unmarshal(body, &got); err != nil || got["text"] != strings.ToValidUTF8(text, "\ufffd") && len([]rune(text)) == len(text) {
			t.Fatalf("%q was sent as %s: %v", text, body, err)
		}
	})
}
