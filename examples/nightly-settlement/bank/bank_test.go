package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const north = `{"date": "2026-03-06", "batch": "north", "currency": "EUR", "payments": [{"id": "1", "amount": "10.10"}, {"id": "2", "amount": "0.95"}]}`

// ask sends one request with a key and returns status, Retry-After and body.
func ask(t *testing.T, b *bank, method, path, key, body string) (status int, wait string, out map[string]any) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	r.Header.Set("Authorization", "Bearer sesame")
	w := httptest.NewRecorder()
	b.routes().ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil && method != http.MethodHead {
		t.Fatalf("%s %s answered %q: %v", method, path, w.Body, err)
	}
	return w.Code, w.Header().Get("Retry-After"), out
}

func TestFirstCallsFail(t *testing.T) {
	t.Parallel()
	b := newBank(2, 3, "sesame")
	for call, want := range []int{503, 503, 201, 200} {
		status, wait, out := ask(t, b, "POST", "/batches", "k", north)
		if status != want {
			t.Fatalf("call %d: got %d %v, want %d", call+1, status, out, want)
		}
		if want == 503 && wait != "3" {
			t.Errorf("call %d: Retry-After is %q, want 3", call+1, wait)
		}
		if want < 300 && (out["total"] != "11.05" || out["count"] != 2.0) {
			t.Errorf("call %d: got %v, want 2 payments of 11.05", call+1, out)
		}
	}
	_, _, statement := ask(t, b, "GET", "/statement?date=2026-03-06", "", "")
	if statement["total"] != "11.05" || statement["count"] != 2.0 {
		t.Errorf("statement after a repeated call: %v, want the batch once", statement)
	}
	if _, _, other := ask(t, b, "GET", "/statement?date=2026-03-07", "", ""); other["total"] != "0.00" {
		t.Errorf("statement of another date: %v, want nothing", other)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path, key, body string
		want                    int
	}{
		"closed account":   {"POST", "/batches", "k", `{"date": "2026-03-06", "batch": "west"}`, 422},
		"no key":           {"POST", "/batches", "", north, 400},
		"no JSON":          {"POST", "/batches", "k", "hello", 400},
		"amount as float":  {"POST", "/batches", "k", `{"batch": "north", "payments": [{"id": "1", "amount": "1.5"}]}`, 400},
		"payment twice":    {"POST", "/batches", "k", `{"batch": "north", "payments": [{"id": "1", "amount": "1.50"}, {"id": "1", "amount": "1.50"}]}`, 400},
		"unknown advice":   {"GET", "/batches/none/advice", "", "", 404},
		"message, no JSON": {"POST", "/messages", "", "hello", 400},
		"unknown path":     {"DELETE", "/batches/none/advice", "", "{}", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBank(0, 1, "")
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("Idempotency-Key", test.key)
			w := httptest.NewRecorder()
			b.routes().ServeHTTP(w, r)
			if w.Code != test.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, test.want)
			}
		})
	}
}

func TestAdviceAndMessages(t *testing.T) {
	t.Parallel()
	b := newBank(0, 1, "sesame")
	for _, name := range []string{"north", "south"} {
		_, _, out := ask(t, b, "POST", "/batches", name, strings.Replace(north, "north", name, 1))
		want := map[string]int{"north": 200, "south": 404}[name]
		if status, _, _ := ask(t, b, "GET", "/batches/"+out["id"].(string)+"/advice", "", ""); status != want {
			t.Errorf("advice of %s: got %d, want %d", name, status, want)
		}
	}
	if _, _, out := ask(t, b, "POST", "/messages", "", `{"text": "done"}`); out["messages"] != 1.0 {
		t.Errorf("after one message: got %v", out)
	}
	w := httptest.NewRecorder()
	b.routes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/messages", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("without the token: got %d, want 401", w.Code)
	}
}
