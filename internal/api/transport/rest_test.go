package transport_test

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestREST(t *testing.T) {
	t.Parallel()
	s := start(t)
	tests := map[string]struct {
		verb, path, body string
		status           int
		want             string // the body begins like that
	}{
		"path variables": {
			"GET", "/v1/namespaces/a%2Fb/runs/r%20s?steps=true", "", 200,
			`{"run":{"id":"r s","namespace":"a/b","workflow":"",`,
		},
		"query": {
			"GET", "/v1/namespaces/n/runs/r/events?after=18446744073709551615&wait=1.5s", "", 200,
			`{"events":[{"number":"18446744073709551615","type":"","path":"","attempt":0,"state":"","reason":"","text":"1.5s"}],"ended":false}`,
		},
		"query of a list": {
			"GET", "/v1/namespaces/n/runs/r/data?paths=a&paths=b%5B0%5D", "", 200,
			`{"input":{"z":1.50,"a":null},"steps":[{"path":"a","warning":""},{"path":"b[0]","warning":""}],"erased":false,"cancel_reason":"","next_steps":"0"}`,
		},
		"additional binding": {
			"POST", "/v1/namespaces/n/runs/r/actions", `{"action":"ACTION_RETRY","steps":["a"]}`, 200,
			`{"results":[{"run":"r","done":false,"code":"","message":"","steps":["a"]}],"position":"0","more":false}`,
		},
		"error": {
			"GET", "/v1/namespaces/n/runs/" + missing, "", 404,
			`{"code":"not_found","message":"no such run","problem":{"code":"run_not_found","hint":"look","violations":[],"diagnostics":[],"request_id":"`,
		},
		"query that is none":        {"GET", "/v1/namespaces/n/runs?sort=name;drop", "", 400, `{"code":"invalid_argument","message":"the query cannot be read`},
		"unknown parameter":         {"GET", "/v1/namespaces/n/runs?sort=name", "", 400, `{"code":"invalid_argument","message":"sort: unknown parameter; there are filter, page_size`},
		"parameter of the path":     {"GET", "/v1/namespaces/n/runs?namespace=m", "", 400, `{"code":"invalid_argument","message":"namespace: unknown parameter`},
		"parameter twice":           {"GET", "/v1/namespaces/n/runs?page_size=1&page_size=2", "", 400, `{"code":"invalid_argument","message":"page_size: stands more than once`},
		"parameter of another kind": {"GET", "/v1/namespaces/n/runs?page_size=1e3", "", 400, `{"code":"invalid_argument","message":"page_size: must be a number (int32)"`},
		"parameter too large":       {"GET", "/v1/namespaces/n/runs?page_size=2147483648", "", 400, `{"code":"invalid_argument","message":"page_size: must be`},
		"time that is none":         {"GET", "/v1/audit/entries?from=yesterday", "", 400, `{"code":"invalid_argument","message":"from: must be a time`},
		"time":                      {"GET", "/v1/audit/entries?from=2026-01-31T12:00:00Z", "", 501, `{"code":"unimplemented"`},
		"truth that is none":        {"GET", "/v1/namespaces/n/runs/r?steps=1", "", 400, `{"code":"invalid_argument","message":"steps: must be true or false"`},
		"NUL in a parameter":        {"GET", "/v1/namespaces/n/runs?filter=%00", "", 400, `{"code":"invalid_argument","message":"filter: is not UTF-8, or`},
		"no UTF-8 in a parameter":   {"GET", "/v1/namespaces/n/runs?filter=%ff", "", 400, `{"code":"invalid_argument","message":"filter: is not UTF-8, or`},
		"too many parameters":       {"GET", "/v1/namespaces/n/runs/r/data?" + strings.Repeat("paths=a&", 2001), "", 400, `{"code":"invalid_argument","message":"the query has more than`},
		"body of GET":               {"GET", "/v1/namespaces/n/runs", "{}", 400, `{"code":"invalid_argument","message":"GET takes no body`},
		"body of GET of connect":    {"GET", "/regie.v1.RunService/GetRun", "{}", 400, `{"code":"invalid_argument","message":"GET takes no body`},
		"body of DELETE":            {"DELETE", "/v1/users/u", "{}", 400, `{"code":"invalid_argument","message":"DELETE takes no body`},
		"not there yet":             {"GET", "/v1/users", "", 501, `{"code":"unimplemented"`},
		"plain":                     {"GET", "/healthz", "", 200, "ok "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.do(t, test.verb, test.path, test.body)
			if got.status != test.status || !strings.HasPrefix(got.body, test.want) {
				t.Errorf("got %d %.500s\nwant %d %s", got.status, got.body, test.status, test.want)
			}
			if got.status >= 400 && !strings.Contains(got.body, got.header.Get("X-Request-Id")) {
				t.Error("the error does not name the request")
			}
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got headers %v", got.header)
			}
		})
	}
}

func TestHeadersOfHandlersReachREST(t *testing.T) {
	t.Parallel()
	got := start(t).do(t, "POST", "/v1/namespaces/n/workflows/w/runs", "{}")
	if got.header.Get("Set-Cookie") != "a=b" || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %v", got.header)
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	s := start(t)
	whole := s.do(t, "GET", "/v1/namespaces/n/runs/r/log/text", "")
	if whole.status != 200 || whole.body != "one\ntwo\n" || whole.err != nil {
		t.Errorf("got %+v", whole)
	}
	for key, want := range map[string]string{
		"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": `attachment; filename="log.txt"`,
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
	} {
		if got := whole.header.Get(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	empty := s.do(t, "GET", "/v1/namespaces/n/runs/empty/log/text", "")
	if empty.status != 200 || empty.body != "" || empty.header.Get("Content-Disposition") != "attachment" {
		t.Errorf("got %+v", empty)
	}
	failed := s.do(t, "GET", "/v1/namespaces/n/runs/"+missing+"/log/text", "")
	if failed.status != 404 || !strings.Contains(failed.body, "run_not_found") || failed.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", failed)
	}
	// One that fails in the middle does not pass for a whole one.
	half := s.do(t, "GET", "/v1/namespaces/n/runs/"+cut+"/log/text", "")
	if half.status != 200 || half.body != "one\n" || !errors.Is(half.err, io.ErrUnexpectedEOF) {
		t.Errorf("got %+v", half)
	}
	if log := s.logged(); !strings.Contains(log, "disk on fire") {
		t.Errorf("the log does not say why: %s", log)
	}
}
