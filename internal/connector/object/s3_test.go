package object_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/object"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

// A passing fault is tried again; what stays has a name.
func TestFaults(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		refuse(w, http.StatusServiceUnavailable, "SlowDown")
	}
	short := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "[1,")
	}
	for name, c := range map[string]struct {
		script           []http.HandlerFunc
		name, message    string
		status, requests int
		after            time.Duration
	}{
		"one SlowDown":     {script: []http.HandlerFunc{slow}, requests: 2},
		"two errors":       {script: []http.HandlerFunc{answer(500, "InternalError"), answer(502, "BadGateway")}, requests: 3},
		"SlowDown for all": {script: []http.HandlerFunc{slow, slow, slow}, name: object.Unavailable, message: "status 503 SlowDown: told by the test", status: 503, requests: 3, after: 7 * time.Second},
		"forbidden":        {script: []http.HandlerFunc{answer(403, "AccessDenied")}, name: object.Denied, message: "get object b/k: status 403 AccessDenied", status: 403, requests: 1},
		"not found":        {script: []http.HandlerFunc{answer(404, "NoSuchBucket")}, name: object.NotFound, message: "NoSuchBucket", status: 404, requests: 1},
		"other region": {script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			refuse(w, http.StatusMovedPermanently, "PermanentRedirect")
		}}, name: object.Failed, message: "PermanentRedirect", status: 301, requests: 1},
		"cold storage": {script: []http.HandlerFunc{answer(403, "InvalidObjectState")}, name: object.Denied, message: "InvalidObjectState", status: 403, requests: 1},
		"wrong length": {script: []http.HandlerFunc{short}, name: object.Broken, message: "read object b/k: unexpected EOF", requests: 1},
	} {
		for call, input := range map[string]string{"object.get": `{"key": "k"}`, "object.items": `{"key": "k", "format": "json"}`} {
			t.Run(name+" "+call, func(t *testing.T) {
				t.Parallel()
				server := newS3Server(t)
				b := s3Backend(t, server)
				b.write("k", "[1]")
				server.script(c.script...)
				_, err := b.call(t, call, input)
				if server.count() != c.requests {
					t.Errorf("%d requests, want %d", server.count(), c.requests)
				}
				if c.name == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantError(t, err, c.name, c.message)
				e := fault(t, err)
				if status, _ := e.Details.Get("status").Int(); int(status) != c.status || e.RetryAfter != c.after {
					t.Errorf("status %d, retry after %s", status, e.RetryAfter)
				}
			})
		}
	}
}

// hanging is a server that sends what start says and then nothing, until the
// caller goes.
func hanging(t *testing.T, start string) *connector.Connection {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if start != "" {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, start)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return s3Connection(t, fmt.Sprintf(`{"endpoint": %q}`, server.URL))
}

// A call ends with its context, before the answer and within its body.
func TestHang(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{"no answer": "", "slow body": "[1,"} {
		for _, call := range []string{"object.get", "object.items"} {
			t.Run(name+" "+call, func(t *testing.T) {
				t.Parallel()
				whole := s3Backend(t, newS3Server(t))
				whole.write("k", "[]")
				hang := backend{connection: hanging(t, start)}
				input := `{"key": "k"}`
				if call == "object.items" {
					input = `{"key": "k", "format": "json"}`
				}
				connectortest.Run(t, connectortest.Suite{
					New:  func(t *testing.T) connector.Connector { return whole.find(t, call) },
					Call: func(t *testing.T) connector.Call { return whole.request(t, input) },
					Hang: func(t *testing.T) connector.Call { return hang.request(t, input) },
				})
			})
		}
	}
	b := s3Backend(t, newS3Server(t))
	b.connection = hanging(t, "[1,")
	_, err := b.call(t, "object.get", `{"key": "k", "timeout": "50ms"}`)
	wantError(t, err, connector.Timeout, "longer than it may")
}

// The test server really checks: other keys and other contents are refused.
func TestSignature(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	b := s3Backend(t, server)
	b.write("k", "1")
	for fields, message := range map[string]string{
		`"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wrong"`: "SignatureDoesNotMatch",
		`"access_key_id": "AKIDOTHER", "secret_access_key": "wrong"`:   "InvalidAccessKeyId",
		`"path_style": true`: "AccessDenied",
	} {
		b.connection = s3Connection(t, fmt.Sprintf(`{"endpoint": %q, "region": %q, %s}`, server.URL, region, fields))
		_, err := b.call(t, "object.get", `{"key": "k"}`)
		wantError(t, err, object.Denied, message)
		if strings.Contains(err.Error(), "wrong") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	server.anonymous = true
	b := s3Backend(t, server)
	b.write("k", "1")
	b.connection = s3Connection(t, fmt.Sprintf(`{"endpoint": %q}`, server.URL))
	if got, err := b.call(t, "object.get", `{"key": "k"}`); err != nil || got.Get("body").Text() != "1" {
		t.Errorf("%s %v", got, err)
	}
}

func TestS3Details(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	b := s3Backend(t, server)
	b.write("k", "new")
	b.write("k?v1", "old")
	if got, err := b.call(t, "object.get", `{"key": "k", "version": "v1"}`); err != nil || got.Get("body").Text() != "old" {
		t.Errorf("%s %v", got, err)
	}
	got, err := b.call(t, "object.get", `{"key": "k"}`)
	if err != nil || got.Get("metadata").Get("owner").Text() != "ann" || got.Get("last_modified").Text() != "2026-07-01T08:00:00Z" {
		t.Errorf("%s %v", got, err)
	}
	for input, want := range map[string]string{
		`{"key": "t", "body": "x"}`: "text/plain; charset=utf-8", `{"key": "t", "body": [1]}`: "application/json",
		`{"key": "t", "body": "eA==", "base64": true}`: "application/octet-stream", `{"key": "t", "body": "x", "content_type": "text/csv"}`: "text/csv",
	} {
		if _, err := b.call(t, "object.put", input); err != nil {
			t.Error(err)
		}
		server.mu.Lock()
		if got := server.types["/b/t"]; got != want {
			t.Errorf("%s: %s", input, got)
		}
		server.mu.Unlock()
	}
}

// Private addresses are refused unless the connection itself leads there.
func TestEgress(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	b := s3Backend(t, server)
	allowed := *b.connection
	b.connection.AllowHosts = nil
	for call, input := range map[string]string{
		"object.get": `{"key": "k"}`, "object.put": `{"key": "k", "body": 1}`, "object.list": `{}`, "object.delete": `{"key": "k"}`, "object.items": `{"key": "k", "format": "json"}`,
	} {
		_, err := b.call(t, call, input)
		wantError(t, err, egress.ErrorName, "127.0.0.1 is")
	}
	if server.count() != 0 {
		t.Errorf("%d requests arrived", server.count())
	}
	b.connection = &allowed
	if _, err := b.call(t, "object.list", `{}`); err != nil {
		t.Error(err)
	}
	b.connection = s3Connection(t, `{"endpoint": "http://169.254.169.254"}`)
	_, err := b.call(t, "object.list", `{}`)
	wantError(t, err, egress.ErrorName, "always denied")
}

func TestS3Connections(t *testing.T) {
	t.Parallel()
	b := s3Backend(t, newS3Server(t))
	for fields, message := range map[string]string{
		`{"access_key_id": "x"}`: "access_key_id and secret_access_key", `{"session_token": "x"}`: "access_key_id and secret_access_key",
		`{"endpoint": "ftp://x"}`: "scheme", `{"endpoint": "https://u:p@x"}`: "no user", `{"endpoint": "https://x/?q=1"}`: "no user",
		`{"endpoint": "http://a b"}`: "cannot be read", `{"ca": "none"}`: "no certificate", `{"unknown": 1}`: "unknown field",
	} {
		b.connection = &connector.Connection{Name: "lake", Type: "s3", Fields: value.MustParse(fields)}
		_, err := b.call(t, "object.list", `{}`)
		wantError(t, err, connector.InvalidConnection, message)
	}
	b.connection = s3Connection(t, `{"endpoint": "http://127.0.0.1:1"}`)
	_, err := b.call(t, "object.list", `{}`)
	wantError(t, err, object.NoConnect, "connection refused")
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`{}`: "[]", `{"endpoint": "https://minio.example.org"}`: "[minio.example.org:443]", `{"endpoint": "http://10.0.0.1:9000/s3"}`: "[10.0.0.1:9000]",
	} {
		if got, err := object.S3Type().Hosts(value.MustParse(fields)); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v %v", fields, got, err)
		}
	}
	if _, err := object.S3Type().Hosts(value.MustParse(`{"endpoint": "minio"}`)); err == nil {
		t.Error("a host without a scheme was taken")
	}
}

// Without an endpoint the request goes to the region's own, by the bucket's
// name; with TLS the authority of the connection counts.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "over TLS") }))
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	b := s3Backend(t, newS3Server(t))
	b.connection = s3Connection(t, value.Object(value.M("endpoint", value.String(server.URL)), value.M("ca", value.String(ca))).String())
	if got, err := b.call(t, "object.get", `{"key": "k"}`); err != nil || got.Get("body").Text() != "over TLS" {
		t.Errorf("%s %v", got, err)
	}
	b.connection = s3Connection(t, fmt.Sprintf(`{"endpoint": %q}`, server.URL))
	_, err := b.call(t, "object.get", `{"key": "k"}`)
	wantError(t, err, object.NoConnect, "certificate")

	asked := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- r.Host:
		default:
		}
	}))
	defer proxy.Close()
	place, err := egress.ParseHostPort(strings.TrimPrefix(proxy.URL, "http://"))
	must(t, err)
	b.stores = object.New(object.Config{
		Dialer: egress.NewDialer(egress.Config{Policy: egress.Policy{Allow: []egress.HostPort{place}}}), Pause: time.Millisecond,
		Proxy: func(r *http.Request) (*url.URL, error) { return r.URL.Parse(proxy.URL) },
	})
	b.connection = s3Connection(t, `{"region": "eu-west-1"}`)
	_, err = b.find(t, "object.get").Call(t.Context(), b.request(t, `{"bucket": "my-bucket", "key": "k"}`))
	wantError(t, err, object.NoConnect, "")
	if host := <-asked; host != "my-bucket.s3.eu-west-1.amazonaws.com:443" {
		t.Errorf("asked for %s", host)
	}
}
