package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/telemetry"
	"github.com/regie-dev/regie/internal/trigger/schedule"
)

// scrape reads the metrics, without those of the process and of Go.
func scrape(t *testing.T, m *telemetry.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	text := answer.Body.String()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var own strings.Builder
	help := map[string]bool{}
	for line := range strings.Lines(text) {
		name, isHelp := strings.CutPrefix(line, "# HELP ")
		if isHelp {
			help[strings.Fields(name)[0]] = len(strings.Fields(name)) > 1
		}
		if kind, ok := strings.CutPrefix(line, "# TYPE "); ok && !help[strings.Fields(kind)[0]] {
			t.Errorf("without a help text: %s", kind)
		}
		if strings.HasPrefix(line, "regie_") {
			own.WriteString(line)
		}
	}
	if !strings.Contains(text, "go_goroutines ") {
		t.Error("nothing about Go")
	}
	return own.String()
}

// want compares lines of a scrape with those wanted.
func want(t *testing.T, got string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+got, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

func figures() telemetry.MetricsConfig {
	counts := make([]uint64, len(runtime.CommitBuckets())+1)
	counts[0], counts[1], counts[len(counts)-1] = 5, 2, 1
	signed := time.Date(2026, 3, 2, 8, 0, 0, 500e6, time.UTC)
	return telemetry.MetricsConfig{
		Version: "1.2.3", Revision: "abc",
		Runtime: func() runtime.Stats {
			return runtime.Stats{Live: 4, Quarantined: 1, Backlog: 7, Commits: runtime.Histogram{Counts: counts, Count: 8, Sum: 9 * time.Second, Failed: 3}}
		},
		Position: func() uint64 { return 42 },
		Load: func() dispatch.Load {
			return dispatch.Load{
				Queued: map[match.Class]int{match.Process: 6}, Running: map[match.Class]int{match.Connector: 2},
				Workers: map[string]int{"local": 2}, Attempts: 8,
			}
		},
		Breakers: func() []dispatch.Breaker {
			return []dispatch.Breaker{
				{Connection: "n/bank", View: breaker.View{State: breaker.HalfOpen}, Waiting: 3}, {Connection: "n/other", View: breaker.View{State: breaker.Closed}},
			}
		},
		Limits: func() []gate.View {
			return []gate.View{
				{Limit: gate.Limit{ID: gate.ID{Namespace: "n", Name: "tapes"}, Capacity: 3}, Defined: true, Used: 2, Queue: make([]gate.Waiting, 4)},
				{Limit: gate.Limit{ID: gate.ID{Kind: gate.Concurrency, Namespace: "n", Name: "key"}}},
			}
		},
		Alerts: func() notify.Stats {
			return notify.Stats{Open: map[notify.Cause]int{notify.CauseLate: 2}, Pending: 1, Outcomes: map[notify.Outcome]uint64{notify.OutcomeSent: 5}}
		},
		Audit: func() auditlog.Status {
			return auditlog.Status{
				Signed: 40, SignedAt: signed, Error: errors.New("disk full"),
				Anchored: []auditlog.Anchored{
					{Kind: "file", Target: "/mnt/\xffanchor", Size: 39, At: signed, Failures: 2}, {Kind: "http", Target: "https://w.example"},
					{Kind: "http", Target: "https://w.example", Size: 1}, // the same twice is no fault of a scrape
				},
			}
		},
		Traces: func() telemetry.TraceStats {
			return telemetry.TraceStats{Queued: 1, QueueFull: 2, Unreadable: 3, Sent: 4, TooMany: 5, NotSent: 6, Rejected: 7}
		},
		Retention: func() retention.Stats {
			return retention.Stats{Erased: 8, Pruned: 9, Logs: 10, Archived: 17, Failed: 11, Pass: signed, Usage: retention.Usage{Database: 12, Logs: 13, Other: 14, At: signed}}
		},
	}
}

// TestFigures: what others count is shown, with names and texts as Prometheus
// wants them.
func TestFigures(t *testing.T) {
	t.Parallel()
	got := scrape(t, telemetry.NewMetrics(figures()))
	want(
		t, got,
		`regie_runs_live 4`, `regie_runs_quarantined 1`, `regie_runtime_backlog_messages 7`, `regie_batch_sequence 42`,
		`regie_commit_duration_seconds_bucket{le="0.0005"} 5`, `regie_commit_duration_seconds_bucket{le="0.001"} 7`,
		`regie_commit_duration_seconds_bucket{le="5"} 7`, `regie_commit_duration_seconds_bucket{le="+Inf"} 8`,
		`regie_commit_duration_seconds_sum 9`, `regie_commit_duration_seconds_count 8`, `regie_commit_failures_total 3`,
		`regie_attempts_queued{class="process"} 6`, `regie_attempts_queued{class="connector"} 0`,
		`regie_attempts_running{class="connector"} 2`, `regie_attempts_unsettled 8`, `regie_workers 1`, `regie_worker_attempts{worker="local"} 2`,
		`regie_breaker_open{connection="n/bank"} 1`, `regie_breaker_open{connection="n/other"} 0`, `regie_breaker_waiting_attempts{connection="n/bank"} 3`,
		`regie_limit_capacity{limit="tapes",namespace="n"} 3`, `regie_limit_used{limit="tapes",namespace="n"} 2`, `regie_limit_queued{limit="tapes",namespace="n"} 4`,
		`regie_alerts_open{cause="late"} 2`, `regie_alerts_open{cause="failed"} 0`, `regie_alert_messages_pending 1`,
		`regie_alert_deliveries_total{outcome="sent"} 5`, `regie_alert_deliveries_total{outcome="silenced"} 0`,
		`regie_audit_checkpoint_batches 40`, `regie_audit_checkpoint_timestamp_seconds 1.7724384005e+09`,
		`regie_audit_signing_failed 1`, `regie_audit_fault 0`,
		"regie_audit_anchor_batches{kind=\"file\",target=\"/mnt/\ufffdanchor\"} 39", `regie_audit_anchor_timestamp_seconds{kind="http",target="https://w.example"} 0`,
		"regie_audit_anchor_failures{kind=\"file\",target=\"/mnt/\ufffdanchor\"} 2",
		`regie_trace_runs_queued 1`, `regie_trace_runs_dropped_total{reason="queue_full"} 2`, `regie_trace_runs_dropped_total{reason="unreadable"} 3`,
		`regie_trace_spans_sent_total 4`, `regie_trace_spans_dropped_total{reason="too_many"} 5`,
		`regie_trace_spans_dropped_total{reason="not_sent"} 6`, `regie_trace_spans_dropped_total{reason="rejected"} 7`,
		`regie_retention_removed_total{what="payloads"} 8`, `regie_retention_removed_total{what="runs"} 9`, `regie_retention_removed_total{what="logs"} 10`,
		`regie_retention_archived_total 17`, `regie_retention_failures_total 11`, `regie_retention_pass_timestamp_seconds 1.7724384005e+09`,
		`regie_data_folder_bytes{part="database"} 12`, `regie_data_folder_bytes{part="logs"} 13`, `regie_data_folder_bytes{part="other"} 14`,
	)
	if !strings.Contains(got, `regie_build_info{goversion="go`) || !strings.Contains(got, `revision="abc",version="1.2.3"} 1`) {
		t.Error("no build information")
	}
}

// TestNothing: metrics without sources, and with sources that have nothing yet,
// can be scraped.
func TestNothing(t *testing.T) {
	t.Parallel()
	if got := scrape(t, telemetry.NewMetrics(telemetry.MetricsConfig{})); strings.Contains(got, "regie_runs_live") {
		t.Errorf("figures from nowhere:\n%s", got)
	}
	got := scrape(t, telemetry.NewMetrics(telemetry.MetricsConfig{Runtime: func() runtime.Stats { return runtime.Stats{} }}))
	want(t, got, `regie_runs_live 0`, `regie_commit_duration_seconds_count 0`, `regie_steps_total{state="failed"} 0`)
}

// TestPanic: a source that panics loses its figures, and no others.
func TestPanic(t *testing.T) {
	t.Parallel()
	cfg := figures()
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Load = func() dispatch.Load { panic("boom") }
	want(t, scrape(t, telemetry.NewMetrics(cfg)), `regie_runs_live 4`)
	if !strings.Contains(log.String(), "metrics are incomplete") {
		t.Errorf("logged %q", &log)
	}
}

// TestCounts: runs of a real runtime are counted as they went.
func TestCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mended atomic.Bool
		w := newWorld(t, firstFails(&mended))
		m := telemetry.NewMetrics(telemetry.MetricsConfig{
			Runtime: func() runtime.Stats { return w.service.Stats() }, Position: func() uint64 { return w.service.Position() },
		})
		w.committed, w.ended = m.Runs, m.AttemptEnded
		w.start(m.Events)
		p := w.prepare(strings.Replace(settle, "name: settle", "name: settle\nnamespace: finance", 1))
		run := w.run(p, `{"customer": "x"}`)
		mended.Store(true)
		if _, err := w.service.Retry(t.Context(), w.order(run, "")); err != nil {
			t.Fatal(err)
		}
		w.wait(run)
		w.run(p, `{"customer": "x"}`)
		synctest.Wait()
		want(
			t, scrape(t, m),
			`regie_runs_accepted_total 2`, `regie_runs_live 0`,
			`regie_runs_total{namespace="finance",reason="error",state="failed"} 1`, `regie_runs_total{namespace="finance",reason="",state="succeeded"} 2`,
			// In each run fetch, each, two items, two of pay; then book. Refuse
			// fails each time, book once.
			`regie_steps_total{state="succeeded"} 14`, `regie_steps_total{state="failed"} 3`, `regie_steps_total{state="skipped"} 2`,
			`regie_attempts_total{outcome="failed",uses="process"} 3`, `regie_attempts_total{outcome="succeeded",uses="process"} 8`,
			`regie_attempt_duration_seconds_bucket{uses="process",le="1"} 0`, `regie_attempt_duration_seconds_bucket{uses="process",le="5"} 11`,
			fmt.Sprintf(`regie_batch_sequence %d`, w.service.Position()),
		)
	})
}

// TestTold: what is told is counted.
func TestTold(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics(telemetry.MetricsConfig{})
	m.TickStarted(schedule.Key{}, 30*time.Millisecond)
	m.TickStarted(schedule.Key{}, -time.Second) // a clock that was set back
	m.TicksMissed(schedule.WhyOverlap, 3)
	m.Request("regie.v1.RunService/GetRun", "rest", "ok", 3*time.Millisecond)
	m.Request("", "http", "not_found", time.Millisecond)
	want(
		t, scrape(t, m),
		`regie_schedule_lateness_seconds_bucket{le="0.005"} 1`, `regie_schedule_lateness_seconds_bucket{le="0.05"} 2`,
		`regie_schedule_lateness_seconds_sum 0.03`, `regie_schedule_missed_ticks_total{why="overlap"} 3`, `regie_schedule_missed_ticks_total{why="late"} 0`,
		`regie_api_requests_total{code="ok",protocol="rest",route="regie.v1.RunService/GetRun"} 1`,
		`regie_api_requests_total{code="not_found",protocol="http",route="none"} 1`,
		`regie_api_request_duration_seconds_bucket{route="regie.v1.RunService/GetRun",le="0.005"} 1`,
	)
}

// TestLabels: values that users make are bounded, also when many come at once.
func TestLabels(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics(telemetry.MetricsConfig{})
	var all sync.WaitGroup
	for i := range telemetry.MaxLabels + 50 {
		all.Go(func() {
			m.Runs([]store.RunRow{
				{Namespace: fmt.Sprintf("n%d", i), State: "succeeded", EndedAt: time.Unix(1, 0)}, {Namespace: "n", State: "running"},
			})
			m.AttemptEnded(fmt.Sprintf("u%d", i), engine.OutcomeLost, time.Second)
		})
	}
	all.Wait()
	got := scrape(t, m)
	want(
		t, got, `regie_runs_total{namespace="_other",reason="",state="succeeded"} 50`, `regie_attempts_total{outcome="lost",uses="_other"} 50`,
	)
	if n := strings.Count(got, "regie_runs_total{"); n != telemetry.MaxLabels+1 {
		t.Errorf("%d namespaces", n)
	}
}

// TestAllocations: counting costs no memory.
func TestAllocations(t *testing.T) {
	m := telemetry.NewMetrics(telemetry.MetricsConfig{})
	rows := []store.RunRow{{Namespace: "finance", State: "succeeded", EndedAt: time.Unix(1, 0)}}
	events := []engine.Event{{Kind: engine.EvAccepted}, {Kind: engine.EvNotEntered, Nodes: nil}, {Kind: engine.EvEnded, State: engine.Failed}}
	for name, count := range map[string]func(){
		"runs":     func() { m.Runs(rows) },
		"events":   func() { m.Events(events) },
		"attempts": func() { m.AttemptEnded("process", engine.OutcomeSucceeded, time.Second) },
		"requests": func() { m.Request("route", "rest", "ok", time.Second) },
		"ticks":    func() { m.TickStarted(schedule.Key{}, time.Second) },
	} {
		if n := testing.AllocsPerRun(100, count); n != 0 {
			t.Errorf("%s: %.0f allocations", name, n)
		}
	}
}
