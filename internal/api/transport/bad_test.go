package transport_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/routes"
	"github.com/regie-dev/regie/internal/api/transport"
)

// A request that cannot be read has a problem, whoever notices it.
func TestUnreadableRequests(t *testing.T) {
	t.Parallel()
	s := start(t)
	bomb := zipped(t, strings.Repeat(" ", routes.MaxBody+1))
	large := strings.Repeat(" ", routes.MaxBody+1)
	files := func(text string) string { return `{"files":[{"content":"` + text + `"}]}` }
	const (
		start = "/regie.v1.RunService/StartRun"
		rest  = "/v1/namespaces/n/workflows/w/runs"
		apply = "/v1/namespaces/n/definitions:apply"
	)
	tests := map[string]struct {
		path, body string
		header     []string
		status     int
		want       string // in the body
	}{
		"unknown field":            {start, `{"inputs":1}`, nil, 400, `"code":"invalid_argument"`},
		"unknown field by REST":    {rest, `{"inputs":1}`, nil, 400, `{"field":"inputs","message":"unknown field"}`},
		"large":                    {start, large, nil, 429, `"code":"resource_exhausted"`},
		"large by REST":            {rest, large, nil, 413, `"code":"request_too_large"`},
		"bomb":                     {start, bomb, []string{"Content-Encoding", "gzip"}, 429, `"code":"resource_exhausted"`},
		"bomb by REST":             {rest, bomb, []string{"Content-Encoding", "gzip"}, 413, `"code":"request_too_large"`},
		"no gzip":                  {start, "{}", []string{"Content-Encoding", "gzip"}, 400, `"code":"invalid_argument"`},
		"no gzip by REST":          {rest, "{}", []string{"Content-Encoding", "gzip"}, 400, `"code":"request_malformed"`},
		"other encoding":           {start, "{}", []string{"Content-Encoding", "br"}, 400, `"code":"invalid_argument"`},
		"other encoding by REST":   {rest, "{}", []string{"Content-Encoding", "br"}, 415, `"code":"media_type_unsupported"`},
		"XML":                      {start, "<a/>", []string{"Content-Type", "application/xml"}, 415, `"code":"media_type_unsupported"`},
		"XML by REST":              {rest, "<a/>", []string{"Content-Type", "application/xml"}, 415, `"code":"media_type_unsupported"`},
		"text by REST":             {rest, "{}", []string{"Content-Type", "text/plain"}, 415, `"code":"media_type_unsupported"`},
		"form by REST":             {rest, "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, `"code":"media_type_unsupported"`},
		"no type":                  {start, "{}", []string{"Content-Type", ""}, 415, `"code":"media_type_unsupported"`},
		"no type by REST":          {rest, "{}", []string{"Content-Type", ""}, 415, `"code":"media_type_unsupported"`},
		"other charset by REST":    {rest, "{}", []string{"Content-Type", "application/json; charset=utf-16"}, 415, `"code":"media_type_unsupported"`},
		"stream type":              {start, "{}", []string{"Content-Type", "application/connect+json"}, 415, `"code":"media_type_unsupported"`},
		"type of a stream":         {"/regie.v1.RunService/WatchRun", "{}", nil, 415, `"code":"media_type_unsupported"`},
		"empty by REST":            {rest, " ", nil, 400, `there is no JSON value`},
		"no binary":                {start, "\xff", []string{"Content-Type", "application/proto"}, 400, `"code":"invalid_argument"`},
		"timeout that is none":     {start, "{}", []string{"Connect-Timeout-Ms", "soon"}, 400, `parse timeout`},
		"charset that is fine":     {rest, "{}", []string{"Content-Type", "application/json; charset=UTF-8"}, 200, `"position":"7"`},
		"other namespace":          {rest, `{"namespace":"m"}`, nil, 400, `{"field":"namespace","message":"differs from the one in the path"}`},
		"other workflow":           {rest, `{"workflow":"v"}`, nil, 400, `"field":"workflow"`},
		"the same namespace":       {rest, `{"namespace":"n"}`, nil, 200, `"position":"7"`},
		"query beside a body":      {rest + "?namespace=m", "{}", nil, 400, `unknown parameter; it takes no parameters`},
		"duplicate key by REST":    {rest, `{"held":true,"held":false}`, nil, 400, `key stands twice`},
		"NUL by REST":              {rest, `{"reason":"\u0000"}`, nil, 400, `"field":"reason"`},
		"number without an end":    {rest, `{"input":1e}`, nil, 400, `"field":"input"`},
		"large Login":              {"/v1/login", strings.Repeat(" ", routes.MaxPublic+1), nil, 413, `larger than 64 KiB`},
		"large Apply":              {apply, files(strings.Repeat("AAAA", routes.MaxBody/3)), nil, 200, `"position":"16777215"`},
		"Apply by gzip":            {apply, zipped(t, files("AAAA")), []string{"Content-Encoding", "gzip"}, 200, `"position":"3"`},
		"a method in a header":     {"/v1/namespaces/n/runs/r", "{}", []string{"X-HTTP-Method-Override", "GET"}, 405, `"code":"method_not_allowed"`},
		"a path in another header": {"/healthz/x", "{}", []string{"X-Original-URL", rest}, 404, `"code":"route_not_found"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.do(t, "POST", test.path, test.body, test.header...)
			if got.status != test.status || !strings.Contains(got.body, test.want) {
				t.Errorf("got %d %.500s\nwant %d with %s", got.status, got.body, test.status, test.want)
			}
			if got.status >= 400 && !strings.Contains(got.body, `"problem":`) && !strings.Contains(got.body, `"regie.v1.Problem"`) {
				t.Errorf("no problem in %.500s", got.body)
			}
		})
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is no route is answered in the same way, with and without a token, and
// nobody is asked for anything.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	s := start(t)
	paths := []string{
		"/", "/v1/nothing", "/v1//whoami", "//v1/whoami", "/v1/whoami/", "/v1/whoami.", "/V1/whoami", "/v1/%2e%2e/healthz",
		"/v1/whoami;a=b", "/v1/namespaces/n/runs/r/configs", "/regie.v1.RunService/Nothing", "/regie.v1.Nothing/GetRun",
		"/api/v1/runs/x/configs", "/debug/pprof/", "/%68ealthz", "/v1/../healthz",
	}
	for _, path := range paths {
		for _, verb := range []string{"GET", "POST", "OPTIONS"} {
			with := s.do(t, verb, path, "", "X-Request-Id", "request-0002")
			without := s.do(t, verb, path, "", "X-Request-Id", "request-0002", "Authorization", "")
			if diff := cmp.Diff(with.body, without.body); diff != "" || with.status != 404 || without.status != 404 {
				t.Errorf("%s %s: %d, %d, %s", verb, path, with.status, without.status, diff)
			}
			want := `{"code":"not_found","message":"there is no such route","problem":{"code":"route_not_found",`
			if !strings.HasPrefix(with.body, want) {
				t.Errorf("%s %s: %s", verb, path, with.body)
			}
		}
	}
	if len(s.access.seen) > 0 {
		t.Errorf("access was asked: %v", s.access.seen)
	}
}

func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, allow := range map[string]string{
		"/v1/users": "GET, POST", "/v1/namespaces/n/runs:act": "POST", "/healthz": "GET, HEAD",
		"/regie.v1.RunService/GetRun": "GET, POST", "/regie.v1.RunService/Act": "POST",
	} {
		for _, verb := range []string{"PUT", "TRACE", "OPTIONS", "get"} {
			got := s.do(t, verb, path, "")
			if got.status != 405 || got.header.Get("Allow") != allow || !strings.Contains(got.body, `"method_not_allowed"`) {
				t.Errorf("%s %s: got %d, Allow %q, %s", verb, path, got.status, got.header.Get("Allow"), got.body)
			}
		}
	}
}

// Every route of the table, in every way it can be called, asks who calls and
// whether they may.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	s := start(t)
	table, err := routes.Load()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, route := range table.Routes() {
		if route.Permission == regiev1.Permission_PERMISSION_PUBLIC {
			continue
		}
		for _, call := range calls(route) {
			count++
			got := s.do(t, call.verb, call.path, call.body, "Authorization", "", "Content-Type", call.kind)
			if got.status != 401 && !strings.Contains(got.body, `"unauthenticated"`) {
				t.Errorf("%s %s without token: got %d %s", call.verb, call.path, got.status, got.body)
			}
			got = s.do(t, call.verb, call.path, call.body, "Authorization", "Bearer good", "Content-Type", call.kind)
			if got.status != 403 && !strings.Contains(got.body, `"permission_denied"`) {
				t.Errorf("%s %s without permission: got %d %s", call.verb, call.path, got.status, got.body)
			}
		}
	}
	if count < 100 {
		t.Errorf("only %d calls were tried", count)
	}
}

type oneCall struct{ verb, path, body, kind string }

// calls returns each way to call a route, in namespace "closed".
func calls(route *routes.Route) []oneCall {
	if route.Method == nil {
		return []oneCall{{"GET", route.Name, "", ""}, {"HEAD", route.Name, "", ""}}
	}
	body := "{}"
	if route.NamespaceField != nil {
		body = `{"namespace":"closed"}`
	}
	var out []oneCall
	if route.Stream() {
		out = append(out, oneCall{"POST", route.Procedure(), "\x00\x00\x00\x00" + string(rune(len(body))) + body, "application/connect+json"})
	} else {
		out = append(out, oneCall{"POST", route.Procedure(), body, "application/json"})
	}
	if route.Safe {
		out = append(out, oneCall{"GET", route.Procedure() + "?encoding=json&message=%7B%7D", "", ""})
	}
	for _, b := range route.Bindings {
		path := b.Template
		for _, v := range b.Variables {
			path = strings.Replace(path, "{"+string(v.Name())+"}", "closed", 1)
		}
		call := oneCall{b.Verb, path, "", ""}
		if b.Body {
			call.body, call.kind = "{}", "application/json"
		}
		out = append(out, call)
	}
	return out
}

func TestUnauthenticatedIsTold(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/v1/whoami", "/regie.v1.IdentityService/WhoAmI", "/metrics"} {
		if got := s.do(t, "GET", path, "", "Authorization", ""); got.status != 401 || got.header.Get("Www-Authenticate") != "Bearer" {
			t.Errorf("%s: got %d %v", path, got.status, got.header)
		}
	}
}

// The body is not read before the caller is known.
func TestBodyOfStrangersIsNotRead(t *testing.T) {
	t.Parallel()
	s := start(t)
	pipe, feed := io.Pipe()
	defer feed.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/namespaces/n/definitions:apply", pipe)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := s.Client().Do(r) // answers although the body never comes
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s := start(t)
	for sent, kept := range map[string]bool{
		"request-0001": true, "0198c2a4-7b1e_x.y": true, strings.Repeat("a", 64): true,
		"": false, "short": false, strings.Repeat("a", 65): false, "with space": false, "with\"quote": false, "ünicode-id": false,
	} {
		got := s.do(t, "GET", "/healthz", "", "X-Request-Id", sent)
		id := got.header.Get("X-Request-Id")
		if (id == sent) != kept || len(id) < 8 || got.body != "ok "+id {
			t.Errorf("sent %q, got %q and %q", sent, id, got.body)
		}
	}
}

func TestInternalErrorsAreLogged(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := "request-0001"
	got := s.do(t, "GET", "/v1/namespaces/n/runs/"+bad, "", "X-Request-Id", id)
	if got.status != 500 || strings.Contains(got.body, "secret") {
		t.Errorf("got %d %s", got.status, got.body)
	}
	s.do(t, "GET", "/v1/namespaces/n/runs/"+broken, "")
	log := s.logged()
	for _, want := range []string{`"request_id":"` + id + `"`, "secret panic", "fake_test.go", "secret detail", `"level":"ERROR"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
}

// brokenBody panics like a decoder with a fault.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { panic("secret panic") }

// A panic outside of the handlers is answered, too.
func TestPanicsOfTheTransport(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/regie.v1.RunService/GetRun", "/v1/namespaces/n/workflows/w/runs"} {
		r := httptest.NewRequest(http.MethodPost, path, brokenBody{})
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer good")
		w := httptest.NewRecorder()
		s.Config.Handler.ServeHTTP(w, r)
		if w.Code != 500 || !strings.Contains(w.Body.String(), `"internal"`) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
	if log := s.logged(); strings.Count(log, "secret panic") != 2 {
		t.Errorf("the log has no panics: %s", log)
	}
}

func TestNewRefusesGaps(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*transport.Config){
		"no table":           func(c *transport.Config) { c.Table = nil },
		"no access":          func(c *transport.Config) { c.Access = nil },
		"no service":         func(c *transport.Config) { c.Services.Audit = nil },
		"no plain handler":   func(c *transport.Config) { delete(c.Plain, "/metrics") },
		"one plain too many": func(c *transport.Config) { c.Plain["/debug"] = http.NotFoundHandler() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, &server{access: &fakeAccess{}, log: &bytes.Buffer{}})
			change(&cfg)
			if _, err := transport.New(cfg); err == nil {
				t.Error("it was made all the same")
			}
		})
	}
}
