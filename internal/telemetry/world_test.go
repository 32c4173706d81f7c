package telemetry_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
	"github.com/regie-dev/regie/internal/telemetry"
	"github.com/regie-dev/regie/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a runtime on a store in memory, whose tasks end as the test says.
type world struct {
	*simstore.Store

	t        *testing.T
	service  *runtime.Service
	machines *runtime.Machines
	// committed is told the rows of each commit.
	committed func(rows []store.RunRow)
	do        func(t engine.Task) engine.TaskOutcome
	ended     func(uses string, outcome engine.OutcomeKind, took time.Duration)
}

// newWorld starts a world; the end of the test stops it.
func newWorld(t *testing.T, do func(engine.Task) engine.TaskOutcome) *world {
	t.Helper()
	s, err := simstore.Open(simstore.NewDisk(), nil)
	if err != nil {
		t.Fatal(err)
	}
	languages := map[string]expr.Language{cel.Name: cel.New()}
	return &world{
		Store: s, t: t, machines: runtime.NewMachines(languages), do: do, committed: func([]store.RunRow) {},
		ended: func(string, engine.OutcomeKind, time.Duration) {},
	}
}

// start starts the runtime.
func (w *world) start(observe func([]engine.Event)) {
	w.t.Helper()
	number := 0
	w.service = runtime.NewService(runtime.ServiceConfig{
		Store: w, Machines: w.machines, Languages: map[string]expr.Language{cel.Name: cel.New()}, Tasks: w, Observe: observe, Inline: true,
		NewID: func(time.Time) (store.RunID, error) { number++; return store.RunID(fmt.Sprintf("run-%d", number)), nil },
	})
	if err := w.service.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := w.service.Stop(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
}

// Commit implements store.Writer.
func (w *world) Commit(ctx context.Context, b *store.Batch) error {
	if err := w.Store.Commit(ctx, b); err != nil {
		return err
	}
	w.committed(b.Runs)
	return nil
}

func (w *world) Dispatch(t engine.Task) {
	o := w.do(t)
	w.ended(t.Uses, o.Kind, o.EndedAt.Sub(o.StartedAt))
	w.service.TaskEnded(store.RunID(t.Run), t.Fence, engine.TaskEnded{Act: t.Act, Attempt: t.Attempt, Outcome: o})
}

func (w *world) Reattach(engine.Task)                      {}
func (w *world) CancelTask(store.RunID, engine.ActID, int) {}
func (w *world) Settled(runtime.Settled)                   {}
func (w *world) Recovered()                                {}
func (w *world) order(run store.RunID, why string) runtime.Order {
	return runtime.Order{Run: run, Action: engine.Action{Actor: "user/CANARY", Reason: why}}
}

// prepare compiles a definition.
func (w *world) prepare(text string) *runtime.Prepared {
	w.t.Helper()
	set, problems := native.Load(native.Config{Expr: cel.New()}, []native.Source{{Path: "w.yaml", Text: []byte(text)}})
	if diag.HasErrors(problems) {
		w.t.Fatal(problems)
	}
	prepared, err := w.service.Prepare(set.Workflows[0].Program)
	if err != nil {
		w.t.Fatal(err)
	}
	return prepared
}

// run runs a workflow to its end.
func (w *world) run(p *runtime.Prepared, input string) store.RunID {
	w.t.Helper()
	accepted, err := w.service.Submit(w.t.Context(), runtime.Request{
		Program: p, Input: value.MustParse(input), Actor: "user/CANARY", Trigger: "manual", BusinessDate: "2026-03-02",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.wait(accepted.Run)
	return accepted.Run
}

func (w *world) wait(run store.RunID) {
	w.t.Helper()
	if _, err := w.service.Wait(w.t.Context(), run); err != nil {
		w.t.Fatal(err)
	}
}

// collector is an http.RoundTripper that takes spans.
type collector struct {
	mu     sync.Mutex
	bodies [][]byte
	got    chan struct{} // holds a token after each request
	// answer, if not nil, answers the n-th request, from 1.
	answer func(n int, r *http.Request) (*http.Response, error)
}

func newCollector() *collector { return &collector{got: make(chan struct{}, 1000)} }

func answer(status int, body []byte, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(bytes.NewReader(body))}
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.bodies = append(c.bodies, body)
	n := len(c.bodies)
	c.mu.Unlock()
	defer func() { c.got <- struct{}{} }()
	if c.answer != nil {
		return c.answer(n, r)
	}
	return answer(200, nil), nil
}

func (c *collector) requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.bodies)
}

// spans are those of all requests, in order.
func (c *collector) spans(t *testing.T) []*tracepb.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*tracepb.Span
	for _, body := range c.bodies {
		all = append(all, decode(t, body)...)
	}
	return all
}

// decode reads a request as a collector does.
func decode(t *testing.T, body []byte) []*tracepb.Span {
	t.Helper()
	var q coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &q); err != nil {
		t.Fatal(err)
	}
	if len(q.ResourceSpans) != 1 || len(q.ResourceSpans[0].ScopeSpans) != 1 {
		t.Fatalf("request %s", &q)
	}
	return q.ResourceSpans[0].ScopeSpans[0].Spans
}

// tree draws spans: one line each with its depth, name, status and attributes,
// in the order of sending.
func tree(spans []*tracepb.Span) string {
	parents := map[string]string{}
	for _, s := range spans {
		parents[hex.EncodeToString(s.SpanId)] = hex.EncodeToString(s.ParentSpanId)
	}
	var out strings.Builder
	for _, s := range spans {
		for id := hex.EncodeToString(s.ParentSpanId); id != ""; id = parents[id] {
			out.WriteString("  ")
			if _, there := parents[id]; !there {
				out.WriteString("?")
				break
			}
		}
		out.WriteString(s.Name)
		if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			out.WriteString(" !" + s.Status.Message)
		}
		for _, a := range s.Attributes {
			v, _, _ := strings.Cut(a.Key, ".")
			if v == "error" || slices.Contains([]string{"regie.state", "regie.reason", "regie.step.path", "regie.attempt.number", "regie.attempt.outcome", "regie.run.round"}, a.Key) {
				text := a.Value.GetStringValue()
				if text == "" {
					text = fmt.Sprint(a.Value.GetIntValue())
				}
				if a.Key == "regie.step.path" {
					text = "@" + text
				}
				out.WriteString(" " + text)
			}
		}
		if len(s.Links) > 0 {
			out.WriteString(" linked")
		}
		out.WriteString("\n")
	}
	return out.String()
}

// traces starts traces that end with the test.
func (w *world) traces(c http.RoundTripper, change func(*telemetry.TracesConfig)) *telemetry.Traces {
	w.t.Helper()
	endpoint, err := telemetry.ParseEndpoint("localhost:4318", map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20x"})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := telemetry.TracesConfig{
		Endpoint: endpoint, Client: &http.Client{Transport: c}, Store: w, Machines: w.machines, Version: "1.2.3", Environment: "test", Worker: "local",
	}
	if change != nil {
		change(&cfg)
	}
	traces := telemetry.NewTraces(cfg)
	traces.Start()
	w.t.Cleanup(func() {
		if err := traces.Stop(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
	return traces
}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var errRefused = errors.New("connection refused")

// outcome is that of a task which took three seconds, in the past.
func outcome(kind engine.OutcomeKind, e *engine.Error) engine.TaskOutcome {
	now := time.Now()
	return engine.TaskOutcome{Kind: kind, Error: e, Output: value.String("CANARY-output"), StartedAt: now.Add(-3 * time.Second), EndedAt: now}
}
