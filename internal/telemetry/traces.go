package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// Bounds of traces.
const (
	// DefaultQueue is how many ended runs wait for their traces.
	DefaultQueue = 4096
	// ReadTimeout bounds the reading of one run.
	ReadTimeout = 30 * time.Second
	// ComplainEvery is how often at most the log says that traces are lost.
	ComplainEvery = time.Minute
)

// TracesConfig is what traces are made with. Endpoint, Client, Store and Machines
// are needed.
type TracesConfig struct {
	Endpoint Endpoint
	// Client makes the calls; it must be one of package egress that may reach the
	// endpoint. Redirects are not followed.
	Client   *http.Client
	Store    store.Reader
	Machines *runtime.Machines
	// Version is that of this program, Environment names the installation, and
	// Worker who makes its attempts; empty: it is not said.
	Version, Environment, Worker string
	Queue                        int          // ended runs that may wait; default DefaultQueue
	Log                          *slog.Logger // default: discarded
}

// Traces sends a trace of each run that ends. Safe for concurrent use.
type Traces struct {
	cfg      TracesConfig
	log      *slog.Logger
	exporter exporter

	queue    chan store.RunRow
	stopping chan struct{}
	stop     context.CancelFunc
	done     chan struct{}
	started  sync.Once
	stopped  sync.Once

	queueFull, unreadable, sent, tooMany, notSent, rejected atomic.Uint64

	// Of the loop.
	batch     []*tracepb.Span
	last      error // why something was lost last
	told      uint64
	abandoned bool // a request failed after Stop: the collector is not called again
}

// TraceStats are numbers about traces since the start.
type TraceStats struct {
	Queued int // ended runs that wait
	// QueueFull and Unreadable count ended runs without a trace.
	QueueFull, Unreadable uint64
	Sent                  uint64 // spans that the collector took
	// TooMany counts spans left out of runs with more than MaxSpans, NotSent those
	// that the collector did not get, Rejected those that it did not want.
	TooMany, NotSent, Rejected uint64
}

func (s *TraceStats) lost() uint64 {
	return s.QueueFull + s.Unreadable + s.TooMany + s.NotSent + s.Rejected
}

// NewTraces returns traces that have not been started.
func NewTraces(cfg TracesConfig) *Traces {
	if cfg.Queue <= 0 {
		cfg.Queue = DefaultQueue
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Traces{
		cfg: cfg, log: cfg.Log, queue: make(chan store.RunRow, cfg.Queue), stopping: make(chan struct{}),
		done: make(chan struct{}), stop: func() {},
	}
	t.exporter = exporter{endpoint: cfg.Endpoint, client: egress.WithoutRedirects(cfg.Client), frame: t.frame, hurry: t.stopping}
	return t
}

// Start begins to make traces of what is given to Runs. Traces must then be
// stopped. Starting again does nothing.
func (t *Traces) Start() {
	t.started.Do(func() {
		ctx, stop := context.WithCancel(context.Background())
		t.stop = stop
		go func() {
			defer close(t.done)
			defer stop()
			t.loop(ctx)
		}()
	})
}

// Runs takes the runs that have ended among the rows of a committed batch. It
// never blocks: what does not fit into the queue gets no trace. It is given each
// batch once.
func (t *Traces) Runs(rows []store.RunRow) {
	for i := range rows {
		if !rows[i].Ended() {
			continue
		}
		select {
		case t.queue <- rows[i]:
		default:
			t.queueFull.Add(1)
		}
	}
}

// Stop sends what is queued, trying each request once, and ends. It waits at most
// until ctx ends, whose error it then returns. Idempotent.
func (t *Traces) Stop(ctx context.Context) error {
	t.started.Do(func() { close(t.done) }) // there is nothing to stop
	t.stopped.Do(func() { close(t.stopping) })
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
	}
	t.stop()
	<-t.done
	return fmt.Errorf("send the last traces: %w", ctx.Err())
}

// Stats returns the numbers so far.
func (t *Traces) Stats() TraceStats {
	return TraceStats{
		Queued: len(t.queue), QueueFull: t.queueFull.Load(), Unreadable: t.unreadable.Load(), Sent: t.sent.Load(),
		TooMany: t.tooMany.Load(), NotSent: t.notSent.Load(), Rejected: t.rejected.Load(),
	}
}

func (t *Traces) loop(ctx context.Context) {
	complain := time.NewTicker(ComplainEvery)
	defer complain.Stop()
	flush := time.NewTimer(BatchDelay)
	defer flush.Stop()
	for {
		select {
		case row := <-t.queue:
			if len(t.batch) == 0 {
				flush.Reset(BatchDelay)
			}
			t.take(ctx, &row)
		case <-flush.C:
			t.send(ctx, 1)
		case <-complain.C:
			t.complain(ctx)
		case <-t.stopping:
			t.drain(ctx)
			t.complain(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

// drain handles what is left at the end.
func (t *Traces) drain(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case row := <-t.queue:
			t.take(ctx, &row)
		default:
			t.send(ctx, 1)
			return
		}
	}
}

// take makes the spans of a run and sends what fills requests.
func (t *Traces) take(ctx context.Context, row *store.RunRow) {
	r, err := t.read(ctx, row)
	if err != nil {
		t.unreadable.Add(1)
		t.last = err
		return
	}
	spans, dropped := r.spans(row, t.cfg.Worker)
	if dropped > 0 {
		t.tooMany.Add(uint64(dropped))
		t.last = fmt.Errorf("run %s has more than %d spans", row.ID, MaxSpans)
	}
	t.batch = append(t.batch, spans...)
	t.send(ctx, MaxBatch)
}

// read folds the round of the run that the row is the end of.
func (t *Traces) read(ctx context.Context, row *store.RunRow) (r *round, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("read run %s: panic: %v", row.ID, p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	machine, err := t.cfg.Machines.Stored(ctx, t.cfg.Store, row.Program)
	if err != nil {
		return nil, err
	}
	if r, err = fold(string(row.ID), machine, t.cfg.Store.Events(ctx, row.ID, 1), row.EndedAt); err == nil && r == nil {
		err = fmt.Errorf("read run %s: it has not ended", row.ID)
	}
	return r, err
}

// send sends requests as long as there are at least so many spans.
func (t *Traces) send(ctx context.Context, least int) {
	for len(t.batch) >= least {
		n := min(len(t.batch), MaxBatch)
		spans := t.batch[:n]
		t.batch = t.batch[n:]
		if t.abandoned {
			t.notSent.Add(uint64(n))
			continue
		}
		rejected, err := t.exporter.send(ctx, spans)
		switch {
		case err != nil:
			t.notSent.Add(uint64(n))
			t.last = err
			t.abandoned = t.ending()
		case rejected > 0:
			t.rejected.Add(uint64(rejected))
			t.last = errors.New("the collector does not take some spans")
		}
		if err == nil {
			t.sent.Add(uint64(max(n-rejected, 0)))
		}
	}
	if len(t.batch) == 0 {
		t.batch = nil // so that no large run stays in memory
	}
}

func (t *Traces) ending() bool {
	select {
	case <-t.stopping:
		return true
	default:
		return false
	}
}

// complain says what was lost since it last did.
func (t *Traces) complain(ctx context.Context) {
	s := t.Stats()
	if lost := s.lost(); lost > t.told {
		t.told = lost
		t.log.WarnContext(ctx, "traces are lost; runs go on as ever", "collector", t.cfg.Endpoint.URL.Host,
			"runs_queue_full", s.QueueFull, "runs_unreadable", s.Unreadable, "spans_too_many", s.TooMany,
			"spans_not_sent", s.NotSent, "spans_rejected", s.Rejected, "error", t.last)
	}
}

// frame is a request with the spans.
func (t *Traces) frame(spans []*tracepb.Span) *tracepb.TracesData {
	described := []*commonpb.KeyValue{text(keyService, t.cfg.Endpoint.Service), text(keyVersion, t.cfg.Version)}
	if _, ok := t.cfg.Endpoint.Attributes[keyEnvironment]; !ok {
		described = append(described, text(keyEnvironment, t.cfg.Environment))
	}
	for _, key := range slices.Sorted(maps.Keys(t.cfg.Endpoint.Attributes)) {
		if key != keyVersion || t.cfg.Version == "" {
			described = append(described, text(key, t.cfg.Endpoint.Attributes[key]))
		}
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: attributes(described...)},
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: &commonpb.InstrumentationScope{Name: "github.com/regie-dev/regie", Version: t.cfg.Version}, Spans: spans,
		}},
	}}}
}
