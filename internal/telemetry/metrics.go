package telemetry

import (
	"fmt"
	"log/slog"
	"net/http"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/trigger/schedule"
)

// Bounds of the metrics.
const (
	// MaxLabels is how many values a label has whose values users make, such as
	// namespaces; all further ones are counted together, as [OtherLabel].
	MaxLabels  = 200
	OtherLabel = "_other"
	// MaxScrapes is how many requests for metrics are answered at once, and
	// ScrapeTimeout how long one may take.
	MaxScrapes    = 4
	ScrapeTimeout = 10 * time.Second
)

// MetricsConfig is what metrics are made with. The functions are asked at each
// scrape, at the same time as others are; of one that is nil, there are no metrics.
type MetricsConfig struct {
	// Version and Revision name this program.
	Version, Revision string

	Runtime func() runtime.Stats
	// Position is the sequence of the last durable batch.
	Position func() uint64
	Load     func() dispatch.Load
	Breakers func() []dispatch.Breaker
	// Limits shows limits, none if they cannot be had in time.
	Limits func() []gate.View
	Alerts func() notify.Stats
	Audit  func() auditlog.Status
	Traces func() TraceStats
	// Retention counts what was taken away.
	Retention func() retention.Stats

	Log *slog.Logger // default: discarded
}

// Metrics counts what happens, for Prometheus. What it is told is counted at
// once, without waiting for anything. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger

	namespaces, uses *labels

	accepted        prometheus.Counter
	runs            *prometheus.CounterVec
	steps           map[engine.State]prometheus.Counter
	attempts        *prometheus.CounterVec
	attemptDuration *prometheus.HistogramVec
	lateness        prometheus.Histogram
	missed          *prometheus.CounterVec
	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	breakers        *prometheus.CounterVec
}

// NewMetrics returns metrics in a registry of their own.
func NewMetrics(cfg MetricsConfig) *Metrics {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &Metrics{registry: prometheus.NewRegistry(), log: cfg.Log, namespaces: newLabels(), uses: newLabels()}
	m.makeRuns()
	m.makeOthers()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "regie_build_info", Help: "The program that runs; the value is always 1.",
	}, []string{"version", "revision", "goversion"})
	build.WithLabelValues(cfg.Version, cfg.Revision, goruntime.Version()).Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, p := range cfg.pulled() {
		m.registry.MustRegister(p)
	}
	return m
}

// makeRuns makes what counts the work.
func (m *Metrics) makeRuns() {
	m.accepted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "regie_runs_accepted_total", Help: "Runs that were accepted since the start of the process.",
	})
	m.runs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "regie_runs_total", Help: "Runs that have ended, by how; one that was retried counts at each of its ends.",
	}, []string{"namespace", "state", "reason"})
	steps := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "regie_steps_total", Help: "Steps that have ended or were not run, by their state.",
	}, []string{"state"})
	m.steps = map[engine.State]prometheus.Counter{}
	for _, state := range []engine.State{engine.Succeeded, engine.Failed, engine.Canceled, engine.Skipped} {
		m.steps[state] = steps.WithLabelValues(string(state))
	}
	m.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "regie_attempts_total", Help: "Attempts that have ended, by the executor or connector used and by the outcome.",
	}, []string{"uses", "outcome"})
	m.attemptDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "regie_attempt_duration_seconds", Help: "How long attempts took from their start to their end.",
		Buckets: []float64{.01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600},
	}, []string{"uses"})
	m.registry.MustRegister(m.accepted, m.runs, steps, m.attempts, m.attemptDuration)
}

// makeOthers makes what counts schedules and requests.
func (m *Metrics) makeOthers() {
	m.lateness = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "regie_schedule_lateness_seconds", Help: "How long after their tick runs of schedules were started.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 60, 300, 3600},
	})
	m.missed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "regie_schedule_missed_ticks_total", Help: "Ticks of schedules that started no run, by why.",
	}, []string{"why"})
	for _, why := range []schedule.Why{schedule.WhyLate, schedule.WhyOverlap, schedule.WhyRefused} {
		m.missed.WithLabelValues(string(why))
	}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "regie_api_requests_total", Help: "Requests that were answered, by route (none: there is no such), protocol and code.",
	}, []string{"route", "protocol", "code"})
	m.requestDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "regie_api_request_duration_seconds", Help: "How long requests took; those that stream last as long as somebody watches.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30},
	}, []string{"route"})
	m.breakers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "regie_breaker_changes_total", Help: "How often circuit breakers of connections came into a state.",
	}, []string{"state"})
	for _, state := range []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen} {
		m.breakers.WithLabelValues(string(state))
	}
	m.registry.MustRegister(m.breakers, m.lateness, m.missed, m.requests, m.requestDuration)
}

// Handler answers scrapes. A part that cannot be collected is left out and
// logged.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{m.log}, ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: MaxScrapes, Timeout: ScrapeTimeout,
	})
}

// scrapeLog passes on what goes wrong in a scrape.
type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) {
	l.log.Error("metrics are incomplete", "error", strings.TrimSuffix(fmt.Sprintln(v...), "\n"))
}

// Runs counts the runs that have ended among the rows of a committed batch. It
// is given each batch once.
func (m *Metrics) Runs(rows []store.RunRow) {
	for i := range rows {
		if r := &rows[i]; r.Ended() {
			m.runs.WithLabelValues(m.namespaces.of(r.Namespace), r.State, r.Reason).Inc()
		}
	}
}

// Events counts what became durable: it is made for ServiceConfig.Observe of the
// runtime.
func (m *Metrics) Events(events []engine.Event) {
	for i := range events {
		switch ev := &events[i]; ev.Kind {
		case engine.EvAccepted:
			m.accepted.Inc()
		case engine.EvEnded:
			if c := m.steps[ev.State]; c != nil {
				c.Inc()
			}
		case engine.EvNotEntered:
			m.steps[engine.Skipped].Add(float64(len(ev.Nodes)))
		default:
		}
	}
}

// AttemptEnded counts an attempt: it is made for Config.AttemptEnded of the
// worker.
func (m *Metrics) AttemptEnded(uses string, outcome engine.OutcomeKind, took time.Duration) {
	uses = m.uses.of(uses)
	m.attempts.WithLabelValues(uses, string(outcome)).Inc()
	m.attemptDuration.WithLabelValues(uses).Observe(max(took, 0).Seconds())
}

// TickStarted counts a run that a schedule started: it is made for
// Config.Lateness of the schedules.
func (m *Metrics) TickStarted(_ schedule.Key, late time.Duration) {
	m.lateness.Observe(max(late, 0).Seconds())
}

// TicksMissed counts ticks that started no run.
func (m *Metrics) TicksMissed(why schedule.Why, ticks int) {
	m.missed.WithLabelValues(string(why)).Add(float64(max(ticks, 0)))
}

// BreakerTripped counts a breaker that came into a state.
func (m *Metrics) BreakerTripped(state string) { m.breakers.WithLabelValues(state).Inc() }

// Request counts a request to the API that has ended. The route is empty if
// there is no such.
func (m *Metrics) Request(route, protocol, code string, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, protocol, code).Inc()
	m.requestDuration.WithLabelValues(route).Observe(max(took, 0).Seconds())
}
