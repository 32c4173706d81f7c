package telemetry_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/telemetry"
	"github.com/regie-dev/regie/internal/telemetry/traceid"
)

// settle has a retry, a group, a map, a step that is not run, and an error whose
// name is computed from data.
const settle = `
kind: Workflow
name: settle
inputs: {customer: {type: string}}
steps:
  - id: fetch
    run: curl "$CUSTOMER"
    env: {CUSTOMER: "${{ inputs.customer }}"}
    retry: {max_attempts: 2, backoff: {initial: 0s}}
  - id: each
    foreach: "[1, 2]"
    as: n
    steps:
      - {id: pay, run: "pay"}
  - {id: never, if: "false", run: "no"}
  - id: refuse
    fail: {name: "${{ inputs.customer }}", message: "${{ inputs.customer }} is refused"}
    continue_on_error: true
  - id: book
    run: book
`

// firstFails lets the first attempt of fetch fail, and book until it is mended.
func firstFails(mended *atomic.Bool) func(engine.Task) engine.TaskOutcome {
	return func(t engine.Task) engine.TaskOutcome {
		if t.Path == "fetch" && t.Attempt == 1 {
			return outcome(engine.OutcomeFailed, &engine.Error{Name: "exit.7", Message: "CANARY-message"})
		}
		if t.Path == "book" && !mended.Load() {
			return outcome(engine.OutcomeFailed, &engine.Error{Name: "exit.1", Message: "CANARY-message"})
		}
		return outcome(engine.OutcomeSucceeded, nil)
	}
}

// TestTrace: an ended run is one trace that has nothing of its data; a retry goes
// on in it with spans of its own.
func TestTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		w, c := newWorld(t, firstFails(&mended)), newCollector()
		traces := w.traces(c, nil)
		w.committed = traces.Runs
		w.start(nil)
		run := w.run(w.prepare(settle), `{"customer": "CANARY-input"}`)
		<-c.got
		synctest.Wait()
		first := c.spans(t)
		if d := cmp.Diff(strings.TrimPrefix(`
settle !exit.1 1 failed error exit.1
  fetch @fetch succeeded
    attempt !exit.7 @fetch 1 failed exit.7
    attempt @fetch 2 succeeded
  each @each succeeded
    steps @each[0] succeeded
    steps @each[1] succeeded
      pay @each[0]/pay succeeded
        attempt @each[0]/pay 1 succeeded
      pay @each[1]/pay succeeded
        attempt @each[1]/pay 1 succeeded
  refuse !_OTHER @refuse failed error _OTHER
  book !exit.1 @book failed error exit.1
    attempt !exit.1 @book 1 failed exit.1
`, "\n"), tree(first)); d != "" {
			t.Errorf("spans, against what is wanted:\n%s", d)
		}
		checkIDs(t, run, first)

		mended.Store(true)
		if _, err := w.service.Retry(t.Context(), w.order(run, "CANARY-reason")); err != nil {
			t.Fatal(err)
		}
		<-c.got
		synctest.Wait()
		second := c.spans(t)[len(first):]
		if d := cmp.Diff(strings.TrimPrefix(`
settle 2 succeeded linked
  book @book succeeded linked
    attempt @book 2 succeeded
`, "\n"), tree(second)); d != "" {
			t.Errorf("spans of the retry, against what is wanted:\n%s", d)
		}
		link := traceid.Run(string(run), 1)
		if !bytes.Equal(second[0].Links[0].SpanId, link[:]) {
			t.Errorf("the second round links to %x, want %x", second[0].Links[0].SpanId, link)
		}
		seen := map[string]bool{}
		for _, s := range append(first, second...) {
			if id := hex.EncodeToString(s.SpanId); seen[id] {
				t.Errorf("span %s (%s) came twice", id, s.Name)
			} else {
				seen[id] = true
			}
		}
		for _, body := range c.bodies {
			if bytes.Contains(body, []byte("CANARY")) {
				t.Errorf("data of the run in a request: %q", body)
			}
		}
		if s := traces.Stats(); s != (telemetry.TraceStats{Sent: uint64(len(first) + len(second))}) {
			t.Errorf("stats %+v", s)
		}
	})
}

// checkIDs compares the IDs with what tasks are told.
func checkIDs(t *testing.T, run store.RunID, spans []*tracepb.Span) {
	t.Helper()
	retried := spans[3] // the second attempt of the first activation
	got := "00-" + hex.EncodeToString(retried.TraceId) + "-" + hex.EncodeToString(retried.SpanId) + "-01"
	if want := traceid.Parent(string(run), 1, 2); got != want {
		t.Errorf("the attempt is %s, and its task is told %s", got, want)
	}
	if took := retried.EndTimeUnixNano - retried.StartTimeUnixNano; took != uint64(3*time.Second) {
		t.Errorf("the attempt took %s", time.Duration(took))
	}
	for _, s := range spans {
		if !bytes.Equal(s.TraceId, retried.TraceId) {
			t.Errorf("span %s is in another trace", s.Name)
		}
		if s.StartTimeUnixNano == 0 || s.EndTimeUnixNano < s.StartTimeUnixNano {
			t.Errorf("span %s lasts from %d to %d", s.Name, s.StartTimeUnixNano, s.EndTimeUnixNano)
		}
	}
}

// TestRounds: ends that are read late are told apart, though the run has gone on
// meanwhile, as after a restart.
func TestRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		w, c := newWorld(t, firstFails(&mended)), newCollector()
		var rows []store.RunRow
		w.committed = func(committed []store.RunRow) { rows = append(rows, committed...) }
		w.start(nil)
		run := w.run(w.prepare(settle), `{"customer": "x"}`)
		<-time.After(time.Second) // of the bubble: two ends at two instants
		mended.Store(true)
		if _, err := w.service.Retry(t.Context(), w.order(run, "")); err != nil {
			t.Fatal(err)
		}
		w.wait(run)
		traces := w.traces(c, nil)
		traces.Runs(rows)
		<-c.got
		var rounds []string
		for _, s := range c.spans(t) {
			if s.ParentSpanId == nil {
				rounds = append(rounds, strings.TrimSpace(tree([]*tracepb.Span{s})))
			}
		}
		if d := cmp.Diff([]string{"settle !exit.1 1 failed error exit.1", "settle 2 succeeded linked"}, rounds); d != "" {
			t.Error(d)
		}
	})
}

// TestCollectorDown: a collector that does not answer holds up nobody; what is
// lost is counted, and told once a minute.
func TestCollectorDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, c := newWorld(t, func(engine.Task) engine.TaskOutcome { return outcome(engine.OutcomeSucceeded, nil) }), newCollector()
		c.answer = func(_ int, r *http.Request) (*http.Response, error) {
			<-r.Context().Done() // it takes the connection, and that is all
			return nil, errRefused
		}
		var log lines
		traces := w.traces(c, func(cfg *telemetry.TracesConfig) {
			cfg.Queue, cfg.Log = 10, slog.New(slog.NewTextHandler(&log, nil))
		})
		w.committed = traces.Runs
		w.start(nil)
		p := w.prepare("kind: Workflow\nname: one\nsteps: [{id: a, run: a}]")
		begun := time.Now()
		w.run(p, `{}`)
		<-time.After(telemetry.BatchDelay)
		synctest.Wait() // the request is out
		for range 30 {
			w.run(p, `{}`)
		}
		if took := time.Since(begun); took != telemetry.BatchDelay {
			t.Errorf("the runs took %s", took)
		}
		if s := traces.Stats(); s.Queued != 10 || s.QueueFull != 20 || s.Sent != 0 {
			t.Errorf("while the collector is silent: %+v", s)
		}
		if strings.Count(log.String(), "traces are lost") != 0 {
			t.Errorf("told at once: %s", &log)
		}
		<-time.After(3*telemetry.RetryFor + telemetry.ComplainEvery)
		synctest.Wait()
		if s := traces.Stats(); s.NotSent != 3*11 || s.Queued != 0 {
			t.Errorf("after the retries: %+v", s)
		}
		if n := strings.Count(log.String(), "traces are lost"); n < 1 || n > 4 {
			t.Errorf("told %d times in four minutes:\n%s", n, &log)
		}
		if strings.Contains(log.String(), "Bearer") {
			t.Errorf("a secret is in the log: %s", &log)
		}
		before := log.String()
		<-time.After(10 * telemetry.ComplainEvery)
		synctest.Wait()
		if log.String() != before {
			t.Errorf("told again, though nothing more was lost: %s", &log)
		}
	})
}

// TestSending: what the answers of a collector lead to.
func TestSending(t *testing.T) {
	t.Parallel()
	partial, err := proto.Marshal(&coltracepb.ExportTraceServiceResponse{
		PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "no"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		answer   func(n int) (*http.Response, error)
		requests int
		took     time.Duration
		want     telemetry.TraceStats
	}{
		"taken": {func(int) (*http.Response, error) { return answer(200, nil), nil }, 1, 0, telemetry.TraceStats{Sent: 3}},
		"some taken": {
			func(int) (*http.Response, error) { return answer(200, partial), nil }, 1, 0, telemetry.TraceStats{Sent: 1, Rejected: 2},
		},
		"answer is no protobuf": {
			func(int) (*http.Response, error) { return answer(200, []byte("\xff\xff thanks")), nil }, 1, 0, telemetry.TraceStats{Sent: 3},
		},
		"bad request": {func(int) (*http.Response, error) { return answer(400, nil), nil }, 1, 0, telemetry.TraceStats{NotSent: 3}},
		"internal error is final": {
			func(int) (*http.Response, error) { return answer(500, nil), nil }, 1, 0, telemetry.TraceStats{NotSent: 3},
		},
		"redirect is not followed": {
			func(int) (*http.Response, error) { return answer(307, nil, "Location", "http://elsewhere/"), nil },
			1, 0, telemetry.TraceStats{NotSent: 3},
		},
		"unavailable, then taken": {
			func(n int) (*http.Response, error) { return answer([]int{503, 502, 200}[n-1], nil), nil },
			3, 3 * time.Second, telemetry.TraceStats{Sent: 3},
		},
		"asked to wait": {
			func(n int) (*http.Response, error) {
				return answer([]int{429, 200}[n-1], nil, "Retry-After", "20"), nil
			},
			2, 20 * time.Second, telemetry.TraceStats{Sent: 3},
		},
		"asked to wait for too long": {
			func(int) (*http.Response, error) { return answer(429, nil, "Retry-After", "3600"), nil }, 1, 0, telemetry.TraceStats{NotSent: 3},
		},
		"never there": { // after 0, 1, 3, 7, 15, 30 and 45 seconds, and exactly at a minute
			func(int) (*http.Response, error) { return nil, errRefused }, 8, 60 * time.Second, telemetry.TraceStats{NotSent: 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, to := newWorld(t, func(engine.Task) engine.TaskOutcome { return outcome(engine.OutcomeSucceeded, nil) }), newCollector()
				var last time.Time
				to.answer = func(n int, r *http.Request) (*http.Response, error) {
					if r.Header.Get("Authorization") != "Bearer x" || r.URL.String() != "http://localhost:4318/v1/traces" || r.Method != http.MethodPost {
						t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
					}
					last = time.Now()
					return c.answer(n)
				}
				traces := w.traces(to, nil)
				w.committed = traces.Runs
				w.start(nil)
				w.run(w.prepare("kind: Workflow\nname: one\nsteps: [{id: a, run: a}]"), `{}`)
				begun := time.Now().Add(telemetry.BatchDelay)
				<-time.After(2 * telemetry.RetryFor)
				synctest.Wait()
				if s := traces.Stats(); s != c.want || to.requests() != c.requests || last.Sub(begun) != c.took {
					t.Errorf("%d requests in %s, %+v, want %d in %s, %+v", to.requests(), last.Sub(begun), s, c.requests, c.took, c.want)
				}
			})
		})
	}
}

// TestUnreadable: a run that cannot be read has no trace, and others do.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, c := newWorld(t, func(engine.Task) engine.TaskOutcome { return outcome(engine.OutcomeSucceeded, nil) }), newCollector()
		var row store.RunRow
		w.committed = func(rows []store.RunRow) { row = rows[len(rows)-1] }
		traces := w.traces(c, nil)
		w.start(nil)
		p := w.prepare("kind: Workflow\nname: one\nsteps: [{id: a, run: a}]")
		w.run(p, `{}`)
		gone, strange := row, row
		gone.ID, strange.Program = "gone", [32]byte{1}
		live := row
		live.State, live.EndedAt = string(engine.Running), time.Time{}
		traces.Runs([]store.RunRow{gone, strange, live, row})
		<-c.got
		synctest.Wait()
		if s := traces.Stats(); s.Unreadable != 2 || len(c.spans(t)) != 3 {
			t.Errorf("%+v, %d spans", s, len(c.spans(t)))
		}
	})
}

// TestLarge: a run with more spans than are allowed is cut, in requests that are
// bounded, and says so.
func TestLarge(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, func(engine.Task) engine.TaskOutcome { return outcome(engine.OutcomeSucceeded, nil) }), newCollector()
	ended := make(chan store.RunRow, 1)
	w.committed = func(rows []store.RunRow) {
		for _, r := range rows {
			if r.Ended() {
				ended <- r
			}
		}
	}
	w.start(nil)
	items := telemetry.MaxSpans/2 + 100
	w.run(w.prepare("kind: Workflow\nname: many\ninputs: {n: {type: list}}\nsteps: [{id: each, foreach: inputs.n, as: n, max_parallel: 1000, run: a}]"),
		`{"n": [0`+strings.Repeat(",0", items-1)+`]}`)
	traces := telemetry.NewTraces(telemetry.TracesConfig{
		Endpoint: mustParse(t, "http://c:1"), Client: &http.Client{Transport: c}, Store: w, Machines: w.machines,
	})
	traces.Start()
	traces.Runs([]store.RunRow{<-ended})
	if err := traces.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans, s := c.spans(t), traces.Stats()
	if len(spans) > telemetry.MaxSpans || len(spans) < telemetry.MaxSpans-1 || int(s.TooMany)+len(spans) != 2*items+2 {
		t.Errorf("%d spans, %+v, of %d", len(spans), s, 2*items+2)
	}
	for _, body := range c.bodies {
		if n := len(decode(t, body)); n > telemetry.MaxBatch {
			t.Errorf("%d spans in a request", n)
		}
	}
	if !strings.Contains(spans[0].String(), "regie.spans_dropped") {
		t.Errorf("the run does not say that spans are left out: %s", spans[0])
	}
}

// TestStop: what waits is sent at the end, but nothing is waited for: neither
// another try nor, beyond the context, an answer.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(*http.Request) (*http.Response, error)
		took   time.Duration
		fails  bool
		want   telemetry.TraceStats
	}{
		"taken":  {func(*http.Request) (*http.Response, error) { return answer(200, nil), nil }, 0, false, telemetry.TraceStats{Sent: 6}},
		"absent": {func(*http.Request) (*http.Response, error) { return nil, errRefused }, 0, false, telemetry.TraceStats{NotSent: 6}},
		"silent": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, errRefused
		}, 5 * time.Second, true, telemetry.TraceStats{NotSent: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, to := newWorld(t, func(engine.Task) engine.TaskOutcome { return outcome(engine.OutcomeSucceeded, nil) }), newCollector()
				to.answer = func(_ int, r *http.Request) (*http.Response, error) { return c.answer(r) }
				traces := w.traces(to, nil)
				w.committed = traces.Runs
				w.start(nil)
				p := w.prepare("kind: Workflow\nname: one\nsteps: [{id: a, run: a}]")
				w.run(p, `{}`)
				w.run(p, `{}`)
				begun := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				err := traces.Stop(ctx)
				if took := time.Since(begun); took != c.took || (err != nil) != c.fails || traces.Stats() != c.want {
					t.Errorf("%v after %s, %+v", err, took, traces.Stats())
				}
				if err := traces.Stop(t.Context()); err != nil {
					t.Errorf("stop again: %v", err)
				}
			})
		})
	}
}

// TestStopNotStarted: traces that were never started end at once.
func TestStopNotStarted(t *testing.T) {
	t.Parallel()
	traces := telemetry.NewTraces(telemetry.TracesConfig{Endpoint: mustParse(t, "http://c:1"), Client: &http.Client{}})
	if err := traces.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	traces.Start() // and do not begin any more
}

// TestOverHTTP: a collector behind a socket gets a request that it understands,
// with the resource.
func TestOverHTTP(t *testing.T) {
	t.Parallel()
	got := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
		}
		got <- body
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, func(engine.Task) engine.TaskOutcome { return outcome(engine.OutcomeSucceeded, nil) })
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	traces := w.traces(transport, func(cfg *telemetry.TracesConfig) {
		var err error
		if cfg.Endpoint, err = telemetry.ParseEndpoint(server.URL, map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "site=ams,service.version=9"}); err != nil {
			t.Fatal(err)
		}
	})
	w.committed = traces.Runs
	w.start(nil)
	w.run(w.prepare("kind: Workflow\nname: one\nsteps: [{id: a, run: a}]"), `{}`)
	if err := traces.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	var q coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(<-got, &q); err != nil {
		t.Fatal(err)
	}
	var resource, root []string
	for _, a := range q.ResourceSpans[0].Resource.Attributes {
		resource = append(resource, a.Key+"="+a.Value.GetStringValue())
	}
	spans := q.ResourceSpans[0].ScopeSpans[0].Spans
	for _, a := range spans[0].Attributes {
		if a.Key != "regie.workflow.version" {
			root = append(root, fmt.Sprintf("%s=%s%d", a.Key, a.Value.GetStringValue(), a.Value.GetIntValue()))
		}
	}
	want := [][]string{
		{"service.name=regie", "service.version=1.2.3", "deployment.environment.name=test", "site=ams"},
		{
			"regie.run.id=run-10", "regie.run.round=1", "regie.workflow.name=one0",
			"regie.run.business_date=2026-03-020", "regie.run.trigger=manual0", "regie.state=succeeded0",
		},
	}
	if d := cmp.Diff(want, [][]string{resource, root}); d != "" {
		t.Error(d)
	}
	if !strings.Contains(spans[2].String(), "regie.worker") {
		t.Errorf("the attempt does not say who made it: %s", spans[2])
	}
}

func mustParse(t *testing.T, text string) telemetry.Endpoint {
	t.Helper()
	e, err := telemetry.ParseEndpoint(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
