package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

func TestReadsSeeWrites(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	get := &regiev1.GetRunRequest{Run: "r"}
	if _, err := c.Runs.GetRun(t.Context(), get); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Runs.StartRun(t.Context(), &regiev1.StartRunRequest{}); err != nil {
		t.Fatal(err)
	}
	// An older position, and one of a read, change nothing.
	if _, err := c.Identities.DeleteGroup(t.Context(), &regiev1.DeleteGroupRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Runs.ListRuns(t.Context(), &regiev1.ListRunsRequest{}); err != nil {
		t.Fatal(err)
	}
	if c.Position() != 40 {
		t.Errorf("got position %d", c.Position())
	}
	if _, err := c.Runs.GetRun(t.Context(), get); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Runs.GetRun(t.Context(), &regiev1.GetRunRequest{MinPosition: 7}); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, r := range requests[*regiev1.GetRunRequest](f) {
		got = append(got, r.GetMinPosition())
	}
	if !slices.Equal(got, []uint64{0, 40, 7}) {
		t.Errorf("asked for positions %v", got)
	}
	if get.GetMinPosition() != 0 {
		t.Error("the caller's message was changed")
	}
	c.SeenPosition(39)
	c.SeenPosition(41)
	if c.Position() != 41 {
		t.Errorf("got position %d", c.Position())
	}
}

func TestRepeatsWhatMayBe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		call    func(context.Context, *client.Client) error
		outages int
		calls   int
		fails   bool
	}{
		"a read":                      {get, 2, 3, false},
		"a read, too often":           {get, 3, 3, true},
		"a write with a key":          {begin, 2, 3, false},
		"a write that has no key":     {remove, 1, 1, true},
		"a write that has no outages": {remove, 0, 1, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.outages = test.outages
			err := test.call(t.Context(), c)
			if (err != nil) != test.fails || len(f.asked) != test.calls {
				t.Errorf("got %v after %d calls", err, len(f.asked))
			}
			var e *client.Error
			if test.fails && (!errors.As(err, &e) || e.Code != "stopping") {
				t.Errorf("got error %v", err)
			}
		})
	}
}

func get(ctx context.Context, c *client.Client) error {
	_, err := c.Runs.GetRun(ctx, &regiev1.GetRunRequest{})
	return err
}

func begin(ctx context.Context, c *client.Client) error {
	_, err := c.Runs.StartRun(ctx, &regiev1.StartRunRequest{})
	return err
}

func remove(ctx context.Context, c *client.Client) error {
	_, err := c.Identities.DeleteGroup(ctx, &regiev1.DeleteGroupRequest{})
	return err
}

// Each call has a key of its own, which its repetitions share; a key that was
// given stays.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	f.outages = 1
	for _, key := range []string{"", "", "mine"} {
		if _, err := c.Runs.StartRun(t.Context(), &regiev1.StartRunRequest{IdempotencyKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	for _, r := range requests[*regiev1.StartRunRequest](f) {
		keys = append(keys, r.GetIdempotencyKey())
	}
	if len(keys) != 4 || keys[0] != keys[1] || keys[1] == keys[2] || len(keys[0]) != 32 || keys[3] != "mine" {
		t.Errorf("got keys %q", keys)
	}
}

// unavailable answers every call like a server that is stopping, and remembers
// when it was called.
type unavailable struct{ calls []time.Time }

func (u *unavailable) RoundTrip(r *http.Request) (*http.Response, error) {
	u.calls = append(u.calls, time.Now())
	_, err := io.Copy(io.Discard, r.Body)
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, e := w.WriteString(`{"code":"unavailable"}`)
	return w.Result(), errors.Join(err, e)
}

func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &unavailable{}
		c, err := client.New(client.Config{
			Transport: server, Retry: client.Retry{Tries: 6, First: time.Second, Most: 5 * time.Second},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := get(t.Context(), c); connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if len(server.calls) != 6 {
			t.Fatalf("got %d calls", len(server.calls))
		}
		for i, most := range []time.Duration{1, 2, 4, 5, 5} {
			most *= time.Second
			if pause := server.calls[i+1].Sub(server.calls[i]); pause < most/2 || pause > most {
				t.Errorf("pause %d was %v, not between a half and the whole of %v", i, pause, most)
			}
		}
	})
}

func TestPausesEndWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &unavailable{}
		c, err := client.New(client.Config{Transport: server, Retry: client.Retry{First: time.Hour, Most: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := get(ctx, c); connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != time.Minute || len(server.calls) != 1 {
			t.Errorf("took %v and %d calls", took, len(server.calls))
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	_, err := c.Runs.StartRun(t.Context(), &regiev1.StartRunRequest{Workflow: "wrong"})
	var e *client.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if e.Kind != connect.CodeInvalidArgument || e.Code != "input_invalid" || e.RequestID == "" ||
		e.Violations[0].GetField() != "input.a" || e.Diagnostics[0].GetLine() != 3 ||
		e.Error() != "the input is wrong; look at its inputs" || connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("got %+v", e)
	}
	for _, err := range c.WatchRun(t.Context(), &regiev1.WatchRunRequest{Run: "missing"}) {
		if !errors.As(err, &e) || e.Code != "run_not_found" {
			t.Errorf("got %v", err)
		}
	}
}

func TestErrorsOfTheWay(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.RedirectHandler("https://elsewhere.example.com/", http.StatusTemporaryRedirect))
	t.Cleanup(proxy.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, test := range map[string]struct {
		server string
		kind   connect.Code
	}{
		"nobody there":   {gone.URL, connect.CodeUnavailable},
		"something else": {proxy.URL, connect.CodeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := client.New(client.Config{Server: test.server, Token: "secret", Retry: quick})
			if err != nil {
				t.Fatal(err)
			}
			var e *client.Error
			if err := get(t.Context(), c); !errors.As(err, &e) || e.Kind != test.kind || e.Code != test.kind.String() || e.RequestID != "" {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestTokenIsSent(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	if err := get(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.WatchRun(t.Context(), &regiev1.WatchRunRequest{}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(f.tokens, []string{"Bearer secret", "Bearer secret"}) {
		t.Errorf("got %q", f.tokens)
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := (&fake{}).serve(listener)
	defer server.Close()
	for _, address := range []string{"unix:" + path, "unix://" + path} {
		c, err := client.New(client.Config{Server: address})
		if err != nil {
			t.Fatal(err)
		}
		if err := get(t.Context(), c); err != nil {
			t.Error(err)
		}
		c.Close()
	}
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer((&fake{}).handler())
	defer server.Close()
	c, err := client.New(client.Config{Server: server.URL + "/", TLS: server.Client().Transport.(*http.Transport).TLSClientConfig})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := get(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []client.Config{
		{Server: "regie.example.com"}, {Server: "ftp://regie.example.com"}, {Server: "https://"}, {Server: "://"},
		{Server: "http://regie.example.com"}, {Server: "http://10.0.0.1:7373"}, {Server: "http://127.0.0.1.example.com"},
		{Server: "https://user:password@regie.example.com"}, {Server: "https://regie.example.com?token=a"},
		{Server: "unix:relative"}, {Server: "unix:/s", Transport: http.DefaultTransport}, {Token: "a\nb"}, {Token: "a b"}, {Token: "é"},
	} {
		if _, err := client.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
	for _, cfg := range []client.Config{
		{}, {Server: "http://localhost:1"}, {Server: "http://[::1]:1"}, {Server: "https://regie.example.com/prefix/"},
		{Server: "http://regie.example.com", Insecure: true},
	} {
		if _, err := client.New(cfg); err != nil {
			t.Errorf("%+v was refused: %v", cfg, err)
		}
	}
}

// However often streams are cut, each message comes once and in order.
func TestStreamsGoOn(t *testing.T) {
	t.Parallel()
	want := []uint64{1, 2, 3, 4, 5}
	watches := map[string]func(*testing.T, *client.Client) []uint64{
		"run": func(t *testing.T, c *client.Client) []uint64 {
			return numbers(t, c.WatchRun(t.Context(), &regiev1.WatchRunRequest{}), func(r *regiev1.WatchRunResponse) uint64 {
				return r.GetEvents()[0].GetNumber()
			})
		},
		"runs": func(t *testing.T, c *client.Client) []uint64 {
			return numbers(t, c.WatchRuns(t.Context(), &regiev1.WatchRunsRequest{}), (*regiev1.WatchRunsResponse).GetPosition)
		},
		"log of an attempt": func(t *testing.T, c *client.Client) []uint64 {
			return numbers(t, c.WatchLog(t.Context(), &regiev1.WatchLogRequest{Step: "s", Attempt: 1}), line)
		},
		"log of a run": func(t *testing.T, c *client.Client) []uint64 {
			return numbers(t, c.WatchLog(t.Context(), &regiev1.WatchLogRequest{}), line)
		},
	}
	for name, watch := range watches {
		for _, cuts := range [][]int{nil, {0}, {1}, {2, 1}, {3, 0, 0, 1, 0}, {5}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f, c := start(t)
				f.cuts = cuts
				if got := watch(t, c); !slices.Equal(got, want) {
					t.Errorf("cuts after %v: got %v", cuts, got)
				}
			})
		}
	}
}

func line(r *regiev1.WatchLogResponse) uint64 {
	return uint64(r.GetLines()[0].GetText()[0] - '0')
}

func numbers[T any](t *testing.T, watch iter.Seq2[*T, error], number func(*T) uint64) (got []uint64) {
	t.Helper()
	for answer, err := range watch {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, number(answer))
	}
	return got
}

func TestStreamsGiveUp(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	f.outages = 100
	var failed int
	for answer, err := range c.WatchRuns(t.Context(), &regiev1.WatchRunsRequest{}) {
		if err == nil {
			t.Errorf("got %v", answer)
		}
		failed++
	}
	if failed != 1 || len(f.asked) != quick.Tries {
		t.Errorf("%d errors after %d calls", failed, len(f.asked))
	}
}

func TestStreamsEndWithTheContextOrTheLoop(t *testing.T) {
	t.Parallel()
	_, c := start(t)
	for _, err := range c.WatchRun(t.Context(), &regiev1.WatchRunRequest{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range c.WatchRun(ctx, &regiev1.WatchRunRequest{}) {
		last = err
	}
	if connect.CodeOf(last) != connect.CodeCanceled {
		t.Errorf("got %v", last)
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	f.cuts = []int{-1, 1}
	for _, whole := range []bool{true, false} {
		download, err := c.Runs.DownloadLog(t.Context(), &regiev1.DownloadLogRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		n, err := client.Save(&text, download)
		if (err == nil) != whole || n != int64(text.Len()) || whole && text.String() != "1\n2\n3\n" {
			t.Errorf("got %q, %d, %v", text.String(), n, err)
		}
	}
}
