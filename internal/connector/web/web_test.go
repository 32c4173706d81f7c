package web_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/connector/connectortest"
	"github.com/regie-dev/regie/internal/connector/web"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/value"
)

func hostPort(t *testing.T, rawURL string) egress.HostPort {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	place, err := egress.PlaceOf(u)
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// newWeb returns a connector that may call the servers.
func newWeb(t *testing.T, urls ...string) *web.Web {
	t.Helper()
	var p egress.Policy
	for _, u := range urls {
		p = p.With(hostPort(t, u))
	}
	w := web.New(web.Config{Dialer: egress.NewDialer(egress.Config{Policy: p})})
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// echo answers with what it was asked, as JSON.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	headers := map[string]value.Value{}
	for name := range r.Header {
		headers[name] = value.String(r.Header.Get(name))
	}
	h, _ := value.From(headers)
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprint(w, value.Object(
		value.M("method", value.String(r.Method)), value.M("uri", value.String(r.RequestURI)), value.M("host", value.String(r.Host)),
		value.M("headers", h), value.M("body", value.String(string(body)))))
}

func TestContract(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			_, _ = io.Copy(io.Discard, r.Body) // else the end of the call is not seen
			<-r.Context().Done()
			return
		}
		echo(w, r)
	}))
	t.Cleanup(server.Close)
	connectortest.Run(t, connectortest.Suite{
		New: func(t *testing.T) connector.Connector { return newWeb(t, server.URL) },
		Call: func(t *testing.T) connector.Call {
			return connectortest.Call(t, fmt.Sprintf(`{"url": %q}`, server.URL))
		},
		Hang: func(t *testing.T) connector.Call {
			return connectortest.Call(t, fmt.Sprintf(`{"url": "%s/hang", "method": "POST", "text": "x"}`, server.URL))
		},
		Bad: []string{
			`{}`,
			`{"url": "http://a.example", "connection": "c"}`,
			`{"url": "http://a.example", "path": "/x"}`,
			`{"path": "/x"}`,
			`{"url": "not a url"}`,
			`{"url": "http://a.example:x/"}`,
			`{"url": "file:///etc/passwd"}`,
			`{"url": "gopher://a.example/"}`,
			`{"url": "unix:/run/docker.sock"}`,
			`{"url": "http://user:hunter2@a.example/"}`,
			`{"url": "http://a.example", "method": "get"}`,
			`{"url": "http://a.example", "method": "CONNECT"}`,
			`{"url": "http://a.example", "body": "x", "json": 1}`,
			`{"url": "http://a.example", "form": {}, "text": "x"}`,
			`{"url": "http://a.example", "form": {"a": {"b": 1}}}`,
			`{"url": "http://a.example", "query": {"a": {"b": 1}}}`,
			`{"url": "http://a.example", "headers": {"X": "a\r\nEvil: b"}}`,
			`{"url": "http://a.example", "headers": {"X": "a\nb"}}`,
			`{"url": "http://a.example", "headers": {"X\r\nEvil": "a"}}`,
			`{"url": "http://a.example", "headers": {"X Y": "a"}}`,
			`{"url": "http://a.example", "headers": {"": "a"}}`,
			`{"url": "http://a.example", "headers": {"Host": "a\r\nEvil: b"}}`,
			`{"url": "http://a.example", "headers": {"Content-Length": "1"}}`,
			`{"url": "http://a.example", "headers": {"transfer-encoding": "chunked"}}`,
			`{"url": "http://a.example", "expected_status": "7xx"}`,
			`{"url": "http://a.example", "expected_status": [600]}`,
			`{"url": "http://a.example", "expected_status": ["ok"]}`,
			`{"url": "http://a.example", "timeout": "0s"}`,
			`{"url": "http://a.example", "timeout": "2h"}`,
			`{"url": "http://a.example", "timeout": "soon"}`,
			`{"url": "http://a.example", "max_bytes": 0}`,
			`{"url": "http://a.example", "max_bytes": 1000000000000}`,
			`{"url": "http://a.example", "response": "xml"}`,
		},
	})
	connectortest.CheckObjectType(t, web.ConnectionType())
}

// An answer has all members, whatever the server sent: expressions may read
// them unguarded.
func TestAnswerIsWhole(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	c := newWeb(t, server.URL)
	for _, method := range []string{"GET", "HEAD", "DELETE"} {
		result, err := c.Call(t.Context(), connectortest.Call(t, fmt.Sprintf(`{"url": %q, "method": %q}`, server.URL, method)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Describe().Output.Fields {
			if !f.Required || result.Output.Get(f.Name).IsUndefined() {
				t.Errorf("%s: member %s is required: %v; got %s", method, f.Name, f.Required, result.Output)
			}
		}
	}
}

// What is sent for which input.
func TestRequest(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	w := newWeb(t, server.URL)
	for name, c := range map[string]struct {
		input string // beside the URL
		want  map[string]string
	}{
		"defaults": {`{}`, map[string]string{
			"method": "GET", "uri": "/p?a=1", "body": "", "User-Agent": "regie", "Accept-Encoding": "gzip", "Idempotency-Key": "", "Content-Type": "",
		}},
		"query": {`{"query": {"b": "x y&z", "n": 1.5, "yes": true, "many": [1, "é"], "none": [], "skip": null, "skips": [null]}}`, map[string]string{
			"uri": "/p?a=1&b=x+y%26z&n=1.5&yes=true&many=1&many=%C3%A9",
		}},
		"headers": {`{"headers": {"X-Text": "é", "x-number": 12, "User-Agent": "mine", "Host": "other.example", "Accept-Encoding": "br"}}`, map[string]string{
			"X-Text": "é", "X-Number": "12", "User-Agent": "mine", "host": "other.example", "Accept-Encoding": "br",
		}},
		"object as body": {`{"method": "POST", "body": {"b": 1, "a": [12345678901234567890]}}`, map[string]string{
			"method": "POST", "body": `{"b":1,"a":[12345678901234567890]}`, "Content-Type": "application/json", "Idempotency-Key": "key-1",
		}},
		"text as body":   {`{"method": "PUT", "body": "é"}`, map[string]string{"body": "é", "Content-Type": "text/plain; charset=utf-8", "Idempotency-Key": "key-1"}},
		"number as body": {`{"method": "POST", "body": 1}`, map[string]string{"body": "1", "Content-Type": "application/json"}},
		"null as body":   {`{"method": "POST", "body": null}`, map[string]string{"body": "", "Content-Type": "", "Idempotency-Key": "key-1"}},
		"JSON text":      {`{"method": "POST", "json": "x"}`, map[string]string{"body": `"x"`, "Content-Type": "application/json"}},
		"JSON null":      {`{"method": "POST", "json": null}`, map[string]string{"body": `null`, "Content-Type": "application/json"}},
		"form": {`{"method": "POST", "form": {"a": "x y", "b": [1, 2]}}`, map[string]string{
			"body": "a=x+y&b=1&b=2", "Content-Type": "application/x-www-form-urlencoded",
		}},
		"text":                  {`{"method": "PATCH", "text": "{}"}`, map[string]string{"body": "{}", "Content-Type": "text/plain; charset=utf-8"}},
		"type of one's own":     {`{"method": "POST", "text": "<a/>", "headers": {"content-type": "text/xml"}}`, map[string]string{"Content-Type": "text/xml"}},
		"key of one's own":      {`{"method": "POST", "headers": {"idempotency-key": "mine"}}`, map[string]string{"Idempotency-Key": "mine"}},
		"no key":                {`{"method": "DELETE", "idempotency_key": false}`, map[string]string{"method": "DELETE", "Idempotency-Key": ""}},
		"one's own and no key":  {`{"method": "POST", "idempotency_key": false, "headers": {"Idempotency-Key": "mine"}}`, map[string]string{"Idempotency-Key": "mine"}},
		"body with GET is sent": {`{"json": {"q": 1}}`, map[string]string{"method": "GET", "body": `{"q":1}`}},
	} {
		call := connectortest.Call(t, c.input)
		call.Input = call.Input.With("url", value.String(server.URL+"/p?a=1#fragment"))
		result, err := w.Call(t.Context(), call)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := result.Output.Get("body")
		for key, want := range c.want {
			text, ok := got.Get(key).Str()
			if !ok {
				text, _ = got.Get("headers").Get(key).Str()
			}
			if text != want {
				t.Errorf("%s: %s is %q, want %q", name, key, text, want)
			}
		}
		if sent := got.Get("body").Len(); result.BytesOut != int64(sent) || result.BytesIn == 0 {
			t.Errorf("%s: %d bytes out, sent %d; %d in", name, result.BytesOut, sent, result.BytesIn)
		}
	}
}

func TestConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	w := newWeb(t) // nothing is allowed but by the connection
	connect := func(fields string) *connector.Connection {
		return &connector.Connection{
			Name: "bank", Type: "http", AllowHosts: []string{hostPort(t, server.URL).String()},
			Fields: value.MustParse(strings.ReplaceAll(fields, "URL", server.URL)),
		}
	}
	for name, c := range map[string]struct {
		fields, input string
		want          map[string]string
	}{
		"base only":         {`{"url": "URL/api/"}`, `{}`, map[string]string{"uri": "/api/"}},
		"path":              {`{"url": "URL/api/"}`, `{"path": "/batches/1"}`, map[string]string{"uri": "/api/batches/1"}},
		"path without /":    {`{"url": "URL/api"}`, `{"path": "batches"}`, map[string]string{"uri": "/api/batches"}},
		"escaped path":      {`{"url": "URL/api"}`, `{"path": "/a%2Fb/c%20d"}`, map[string]string{"uri": "/api/a%2Fb/c%20d"}},
		"path to escape":    {`{"url": "URL/api"}`, `{"path": "/é d"}`, map[string]string{"uri": "/api/%C3%A9%20d"}},
		"path with a query": {`{"url": "URL"}`, `{"path": "/x?a=1", "query": {"b": 2}}`, map[string]string{"uri": "/x?a=1&b=2"}},
		"only a query":      {`{"url": "URL/api"}`, `{"query": {"b": 2}}`, map[string]string{"uri": "/api?b=2"}},
		"basic":             {`{"url": "URL", "basic": {"user": "u", "password": "p:q"}}`, `{}`, map[string]string{"Authorization": "Basic dTpwOnE="}},
		"bearer":            {`{"url": "URL", "bearer": "t0ken"}`, `{}`, map[string]string{"Authorization": "Bearer t0ken"}},
		"headers":           {`{"url": "URL", "headers": {"X-Key": "k", "X-Both": "connection"}}`, `{"headers": {"x-both": "step"}}`, map[string]string{"X-Key": "k", "X-Both": "step"}},
	} {
		call := connectortest.Call(t, c.input)
		call.Input = call.Input.With("connection", value.String("bank"))
		call.Connection = connect(c.fields)
		result, err := w.Call(t.Context(), call)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := result.Output.Get("body")
		for key, want := range c.want {
			text, ok := got.Get(key).Str()
			if !ok {
				text, _ = got.Get("headers").Get(key).Str()
			}
			if text != want {
				t.Errorf("%s: %s is %q, want %q", name, key, text, want)
			}
		}
	}
	for name, c := range map[string]struct {
		conn              *connector.Connection
		input, want, text string
	}{
		"no such connection":    {nil, `{}`, connector.InvalidConnection, `no connection "bank"`},
		"wrong type":            {&connector.Connection{Name: "bank", Type: "smtp"}, `{}`, connector.InvalidConnection, "has type smtp; want http"},
		"no URL":                {connect(`{}`), `{}`, connector.InvalidConnection, "url"},
		"credentials in URL":    {connect(`{"url": "https://u:hunter2@a.example"}`), `{}`, connector.InvalidConnection, "no user"},
		"query in URL":          {connect(`{"url": "https://a.example?key=hunter2"}`), `{}`, connector.InvalidConnection, "no user, query"},
		"file":                  {connect(`{"url": "file:///etc/hunter2"}`), `{}`, connector.InvalidConnection, "scheme"},
		"line end in the token": {connect(`{"url": "URL", "bearer": "hunter2\nX: y"}`), `{}`, connector.InvalidConnection, "line end"},
		"line end in a header":  {connect(`{"url": "URL", "headers": {"X": "hunter2\r\nY: z"}}`), `{}`, connector.InvalidConnection, "line end"},
		"two ways to log in":    {connect(`{"url": "URL", "bearer": "x", "basic": {"user": "u", "password": "hunter2"}}`), `{}`, connector.InvalidConnection, "basic"},
		"CA that is none":       {connect(`{"url": "URL", "ca": "hunter2"}`), `{}`, connector.InvalidConnection, "no certificate"},
		"another host":          {connect(`{"url": "URL"}`), `{"path": "//evil.example/x"}`, connector.InvalidInput, "want a path"},
		"another URL":           {connect(`{"url": "URL"}`), `{"path": "http://evil.example/x"}`, connector.InvalidInput, "want a path"},
		"out of the path":       {connect(`{"url": "URL/api"}`), `{"path": "/../admin"}`, connector.InvalidInput, ".."},
		"out of it, escaped":    {connect(`{"url": "URL/api"}`), `{"path": "/%2e%2e/admin"}`, connector.InvalidInput, ".."},
		"out of it, backslash":  {connect(`{"url": "URL/api"}`), `{"path": "/a\\..\\admin"}`, connector.InvalidInput, ".."},
		"out of it, escaped /":  {connect(`{"url": "URL/api"}`), `{"path": "/a%2f..%2fadmin"}`, connector.InvalidInput, ".."},
	} {
		call := connectortest.Call(t, c.input)
		call.Input = call.Input.With("connection", value.String("bank"))
		call.Connection = c.conn
		_, err := w.Call(t.Context(), call)
		var e *connector.Error
		if !errors.As(err, &e) || e.Name != c.want || !strings.Contains(e.Message, c.text) || strings.Contains(e.Message, "hunter2") {
			t.Errorf("%s: %v, want %s with %q", name, err, c.want, c.text)
		}
	}
	// What the connection allows, it allows to its own calls only, also after
	// it left an open connection behind.
	_, err := w.Call(t.Context(), connectortest.Call(t, fmt.Sprintf(`{"url": %q}`, server.URL)))
	var e *connector.Error
	if !errors.As(err, &e) || e.Name != egress.ErrorName || !strings.Contains(e.Message, "--allow-host "+hostPort(t, server.URL).String()) {
		t.Errorf("without the connection: %v", err)
	}
}

func TestConnectionHosts(t *testing.T) {
	t.Parallel()
	hosts := web.ConnectionType().Hosts
	got, err := hosts(value.MustParse(`{"url": "https://Bank.example.org/api", "bearer": "x"}`))
	if err != nil || len(got) != 1 || got[0] != "bank.example.org:443" {
		t.Errorf("%v, %v", got, err)
	}
	for _, fields := range []string{`{}`, `{"url": "127.1"}`, `{"url": "http://127.1/"}`, `{"url": "${{ secrets.URL }}"}`} {
		if got, err := hosts(value.MustParse(fields)); err == nil {
			t.Errorf("%s: %v", fields, got)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	w := newWeb(t)
	for name, c := range map[string]struct{ ca, want string }{
		"authority of the connection": {ca, ""},
		"unknown authority":           {"", "http.connect"},
	} {
		fields := value.Object(value.M("url", value.String(server.URL)))
		if c.ca != "" {
			fields = fields.With("ca", value.String(c.ca))
		}
		call := connectortest.Call(t, `{"connection": "bank", "method": "POST"}`)
		call.Connection = &connector.Connection{Name: "bank", Type: "http", Fields: fields, AllowHosts: []string{hostPort(t, server.URL).String()}}
		_, err := w.Call(t.Context(), call)
		var e *connector.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.As(err, &e) || e.Name != c.want || e.Unknown):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What comes back for which answer.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		input             string // beside the URL
		status            int
		contentType, body string
		want              string // the output without headers, or the error
	}{
		"JSON":               {`{}`, 200, "application/json", `{"b": 12345678901234567890, "a": 1.0}`, `{"status":200,"body":{"b":12345678901234567890,"a":1.0},"body_format":"json"}`},
		"problem JSON":       {`{"expected_status": 404}`, 404, "application/problem+json; charset=utf-8", `[]`, `{"status":404,"body":[],"body_format":"json"}`},
		"JSON with a mark":   {`{}`, 200, "application/json", "\ufeff[1]", `{"status":200,"body":[1],"body_format":"json"}`},
		"text":               {`{}`, 201, "text/plain", `{"a": 1}`, `{"status":201,"body":"{\"a\": 1}","body_format":"text"}`},
		"no type":            {`{}`, 200, "", `é`, `{"status":200,"body":"é","body_format":"text"}`},
		"bytes":              {`{}`, 200, "application/octet-stream", "\xff\x00", `{"status":200,"body":"/wA=","body_format":"base64"}`},
		"empty":              {`{}`, 200, "application/json", "", `{"status":200,"body":null,"body_format":"none"}`},
		"no content":         {`{}`, 204, "", "", `{"status":204,"body":null,"body_format":"none"}`},
		"HEAD":               {`{"method": "HEAD"}`, 200, "application/json", "{}", `{"status":200,"body":null,"body_format":"none"}`},
		"JSON wanted":        {`{"response": "json"}`, 200, "text/plain", `[1]`, `{"status":200,"body":[1],"body_format":"json"}`},
		"text wanted":        {`{"response": "text"}`, 200, "application/json", `[1]`, `{"status":200,"body":"[1]","body_format":"text"}`},
		"base64 wanted":      {`{"response": "base64"}`, 200, "application/json", `[1]`, `{"status":200,"body":"WzFd","body_format":"base64"}`},
		"broken JSON":        {`{}`, 200, "application/json", `{"a": 1`, `http.protocol`},
		"repeated key":       {`{}`, 200, "application/json", `{"a": 1, "a": 2}`, `http.protocol`},
		"not JSON":           {`{"response": "json"}`, 200, "text/html", `<html>`, `http.protocol`},
		"not found":          {`{}`, 404, "text/plain", "no such batch", `http.404`},
		"not expected":       {`{"expected_status": [200, "3xx"]}`, 201, "", "", `http.201`},
		"class":              {`{"expected_status": ["2xx", 418]}`, 418, "", "", `{"status":418,"body":null,"body_format":"none"}`},
		"class in capitals":  {`{"expected_status": "4XX"}`, 499, "", "", `{"status":499,"body":null,"body_format":"none"}`},
		"status as text":     {`{"expected_status": "404"}`, 404, "", "", `{"status":404,"body":null,"body_format":"none"}`},
		"redirect to follow": {`{}`, 302, "", "", `{"status":200,"body":"arrived","body_format":"text"}`},
		"redirect refused":   {`{"follow_redirects": false}`, 302, "", "", `http.302`},
		"too long":           {`{"max_bytes": 3}`, 200, "", "four", `http.too_large`},
		"long enough":        {`{"max_bytes": 4}`, 200, "", "four", `{"status":200,"body":"four","body_format":"text"}`},
		"too long and 500":   {`{"max_bytes": 3}`, 500, "", "four", `http.500`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/target" {
				_, _ = io.WriteString(w, "arrived")
				return
			}
			w.Header()["Content-Type"] = []string{c.contentType}
			w.Header().Set("Location", "/target")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		call := connectortest.Call(t, c.input)
		call.Input = call.Input.With("url", value.String(server.URL))
		result, err := newWeb(t, server.URL).Call(t.Context(), call)
		server.Close()
		var e *connector.Error
		var got string
		if err == nil {
			var kept []value.Member
			for _, m := range result.Output.Members() {
				if m.Key != "headers" {
					kept = append(kept, m)
				}
			}
			got = value.Object(kept...).String()
		} else if errors.As(err, &e) {
			got = e.Name
		}
		if got != c.want {
			t.Errorf("%s: got %s (%v), want %s", name, got, err, c.want)
		}
	}
}

func TestStatusError(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var after string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"code": 17, "text": "`+strings.Repeat("x", len(r.URL.Path))+`"}`)
	}))
	defer server.Close()
	w := newWeb(t, server.URL)
	fail := func(path string) *connector.Error {
		call := connectortest.Call(t, fmt.Sprintf(`{"url": "%s%s?key=hunter2", "method": "POST"}`, server.URL, path))
		call.Now = func() time.Time { return now }
		_, err := w.Call(t.Context(), call)
		var e *connector.Error
		if !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		return e
	}
	for text, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"0":                             0,
		"-5":                            0,
		"soon":                          0,
		"99999999999999":                0,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute,
		"Fri, 02 Jan 2026 03:03:05 GMT": 0,
	} {
		after = text
		if e := fail("/"); e.Name != "http.503" || e.RetryAfter != want || e.Unknown {
			t.Errorf("Retry-After %q: %s, %s, unknown %v", text, e.Name, e.RetryAfter, e.Unknown)
		}
	}
	e := fail("/batches")
	if !strings.Contains(e.Message, "POST "+server.URL+"/batches answered 503 Service Unavailable: {\"code\": 17") || strings.Contains(e.Error(), "hunter2") {
		t.Errorf("message %q", e.Message)
	}
	if got, _ := e.Details.Get("body").Get("code").Int(); got != 17 {
		t.Errorf("details %s", e.Details)
	}
	if got, _ := e.Details.Get("headers").Get("content-type").Str(); got != "application/json" {
		t.Errorf("details %s", e.Details)
	}
	long := fail("/" + strings.Repeat("y", web.MaxErrorBody))
	if body, ok := long.Details.Get("body").Str(); !ok || len(body) != web.MaxErrorBody || len(long.Message) > web.MaxErrorBody+1000 {
		t.Errorf("a long body is kept as %d bytes", len(body))
	}
}

// When a request that is not idempotent gets no complete answer, its outcome
// is unknown.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf)
			if strings.Contains(string(buf[:n]), "/half") {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
			}
			_ = conn.Close()
		}
	}()
	server := "http://" + l.Addr().String()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	w := newWeb(t, server, closed.URL)
	for _, c := range []struct {
		method, url, want string
		unknown           bool
	}{
		{"GET", server, "http.protocol", false},
		{"PUT", server, "http.protocol", false},
		{"DELETE", server, "http.protocol", false},
		{"POST", server, "http.protocol", true},
		{"PATCH", server, "http.protocol", true},
		{"POST", server + "/half", "http.protocol", true},
		{"GET", server + "/half", "http.protocol", false},
		{"POST", closed.URL, "http.connect", false},
		{"POST", "http://169.254.169.254/", "egress_denied", false},
	} {
		_, err := w.Call(t.Context(), connectortest.Call(t, fmt.Sprintf(`{"url": %q, "method": %q, "text": "x"}`, c.url, c.method)))
		var e *connector.Error
		if !errors.As(err, &e) || e.Name != c.want || e.Unknown != c.unknown {
			t.Errorf("%s %s: %+v, want %s, unknown %v", c.method, c.url, err, c.want, c.unknown)
		}
	}
}

// The input's own timeout ends a slow answer (row B28).
func TestTimeout(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	log := &connectortest.Log{}
	call := connectortest.Call(t, fmt.Sprintf(`{"url": %q, "timeout": "100ms"}`, server.URL))
	call.Log = log.Add
	_, err := newWeb(t, server.URL).Call(t.Context(), call)
	var e *connector.Error
	if !errors.As(err, &e) || e.Name != connector.Timeout || !strings.Contains(e.Message, "no complete answer within 100ms") {
		t.Errorf("%v", err)
	}
	if !strings.Contains(log.String(), "GET "+server.URL) {
		t.Errorf("log: %s", log)
	}
}
