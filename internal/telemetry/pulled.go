package telemetry

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/notify"
	"github.com/regie-dev/regie/internal/retention"
	"github.com/regie-dev/regie/internal/runtime"
)

// pulled collects figures that others keep, at each scrape.
type pulled struct {
	descs   []*prometheus.Desc
	collect func(out chan<- prometheus.Metric)
}

func (p *pulled) Describe(out chan<- *prometheus.Desc) {
	for _, d := range p.descs {
		out <- d
	}
}

func (p *pulled) Collect(out chan<- prometheus.Metric) { p.collect(out) }

// desc adds the description of a metric.
func (p *pulled) desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	p.descs = append(p.descs, d)
	return d
}

func gauge(out chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func counter(out chan<- prometheus.Metric, d *prometheus.Desc, v uint64, labels ...string) {
	out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

// at is an instant in seconds since 1970; 0 for none.
func at(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// pulled are the collectors of all that there is to ask.
func (c *MetricsConfig) pulled() []prometheus.Collector {
	var all []prometheus.Collector
	if c.Runtime != nil {
		all = append(all, runtimeFigures(c.Runtime))
	}
	if c.Position != nil {
		all = append(all, positionFigure(c.Position))
	}
	if c.Load != nil {
		all = append(all, loadFigures(c.Load))
	}
	if c.Breakers != nil {
		all = append(all, breakerFigures(c.Breakers))
	}
	if c.Limits != nil {
		all = append(all, limitFigures(c.Limits))
	}
	if c.Alerts != nil {
		all = append(all, alertFigures(c.Alerts))
	}
	if c.Audit != nil {
		all = append(all, auditFigures(c.Audit))
	}
	if c.Traces != nil {
		all = append(all, traceFigures(c.Traces))
	}
	if c.Retention != nil {
		all = append(all, retentionFigures(c.Retention))
	}
	return all
}

func runtimeFigures(stats func() runtime.Stats) prometheus.Collector {
	p := &pulled{}
	live := p.desc("regie_runs_live", "Runs in memory: those that have not ended.")
	aside := p.desc("regie_runs_quarantined", "Runs that were set aside because deciding them failed.")
	backlog := p.desc("regie_runtime_backlog_messages", "Messages that wait to be decided.")
	commits := p.desc("regie_commit_duration_seconds", "How long commits took, those that failed too.")
	failures := p.desc("regie_commit_failures_total", "Commits that failed; they are repeated.")
	p.collect = func(out chan<- prometheus.Metric) {
		s := stats()
		gauge(out, live, float64(s.Live))
		gauge(out, aside, float64(s.Quarantined))
		gauge(out, backlog, float64(s.Backlog))
		buckets, below := map[float64]uint64{}, uint64(0)
		for i, bound := range runtime.CommitBuckets() {
			if i < len(s.Commits.Counts) {
				below += s.Commits.Counts[i]
			}
			buckets[bound.Seconds()] = below
		}
		out <- prometheus.MustNewConstHistogram(commits, s.Commits.Count, s.Commits.Sum.Seconds(), buckets)
		counter(out, failures, s.Commits.Failed)
	}
	return p
}

func positionFigure(position func() uint64) prometheus.Collector {
	p := &pulled{}
	sequence := p.desc("regie_batch_sequence", "Number of the last durable batch, which is also how many batches the audit log has.")
	p.collect = func(out chan<- prometheus.Metric) { gauge(out, sequence, float64(position())) }
	return p
}

func loadFigures(load func() dispatch.Load) prometheus.Collector {
	p := &pulled{}
	queued := p.desc("regie_attempts_queued", "Attempts that wait for a slot, by the class of slots.", "class")
	running := p.desc("regie_attempts_running", "Attempts that a worker has, by the class of slots.", "class")
	known := p.desc("regie_attempts_unsettled", "Attempts whose end is not on disk, wherever they are.")
	workers := p.desc("regie_workers", "Workers that take tasks.")
	has := p.desc("regie_worker_attempts", "Attempts that a worker has.", "worker")
	p.collect = func(out chan<- prometheus.Metric) {
		l := load()
		for _, class := range []match.Class{match.Process, match.Connector} {
			gauge(out, queued, float64(l.Queued[class]), string(class))
			gauge(out, running, float64(l.Running[class]), string(class))
		}
		gauge(out, known, float64(l.Attempts))
		gauge(out, workers, float64(len(l.Workers)))
		for name, n := range l.Workers {
			gauge(out, has, float64(n), name)
		}
	}
	return p
}

func breakerFigures(list func() []dispatch.Breaker) prometheus.Collector {
	p := &pulled{}
	open := p.desc("regie_breaker_open", "Whether the circuit breaker of a connection is open or half open (1).", "connection")
	waiting := p.desc("regie_breaker_waiting_attempts", "Attempts that the circuit breaker of a connection keeps from workers.", "connection")
	p.collect = func(out chan<- prometheus.Metric) {
		all := list()
		for _, b := range all[:min(len(all), MaxLabels)] {
			gauge(out, open, flag(b.State != breaker.Closed), b.Connection)
			gauge(out, waiting, float64(b.Waiting), b.Connection)
		}
	}
	return p
}

func limitFigures(list func() []gate.View) prometheus.Collector {
	p := &pulled{}
	labels := []string{"namespace", "limit"}
	capacity := p.desc("regie_limit_capacity", "Shares of a limit that may be held at once; 0: without bound.", labels...)
	used := p.desc("regie_limit_used", "Shares of a limit that are held.", labels...)
	queued := p.desc("regie_limit_queued", "Those who wait for shares of a limit.", labels...)
	p.collect = func(out chan<- prometheus.Metric) {
		all := slices.DeleteFunc(list(), func(v gate.View) bool { return v.ID.Kind != gate.Named || !v.Defined })
		for i := range all[:min(len(all), MaxLabels)] {
			v := &all[i]
			gauge(out, capacity, float64(v.Capacity), v.ID.Namespace, v.ID.Name)
			gauge(out, used, float64(v.Used), v.ID.Namespace, v.ID.Name)
			gauge(out, queued, float64(len(v.Queue)), v.ID.Namespace, v.ID.Name)
		}
	}
	return p
}

func alertFigures(stats func() notify.Stats) prometheus.Collector {
	p := &pulled{}
	open := p.desc("regie_alerts_open", "Alerts that are not closed, by cause.", "cause")
	pending := p.desc("regie_alert_messages_pending", "Messages about alerts that are on their way.")
	sent := p.desc("regie_alert_deliveries_total", "Attempts to send messages about alerts, by what came of them.", "outcome")
	p.collect = func(out chan<- prometheus.Metric) {
		s := stats()
		for _, cause := range notify.Causes() {
			gauge(out, open, float64(s.Open[cause]), string(cause))
		}
		gauge(out, pending, float64(s.Pending))
		for _, outcome := range []notify.Outcome{notify.OutcomeSent, notify.OutcomeRetried, notify.OutcomeFailed, notify.OutcomeSilenced} {
			counter(out, sent, s.Outcomes[outcome], string(outcome))
		}
	}
	return p
}

func auditFigures(status func() auditlog.Status) prometheus.Collector {
	p := &pulled{}
	signed := p.desc("regie_audit_checkpoint_batches", "Batches under the last signed checkpoint of the audit log.")
	when := p.desc("regie_audit_checkpoint_timestamp_seconds", "When the last checkpoint was signed; 0: none was.")
	failing := p.desc("regie_audit_signing_failed", "Whether the last try to sign a checkpoint failed (1).")
	fault := p.desc("regie_audit_fault", "Whether the audit log does not continue what was signed (1): then nothing is signed any more.")
	size := p.desc("regie_audit_anchor_batches", "Batches under the last checkpoint that an anchor took since the start.", "kind", "target")
	took := p.desc("regie_audit_anchor_timestamp_seconds", "When an anchor took a checkpoint last; 0: not since the start.", "kind", "target")
	failures := p.desc("regie_audit_anchor_failures", "How often in a row an anchor has failed to take a checkpoint.", "kind", "target")
	p.collect = func(out chan<- prometheus.Metric) {
		s := status()
		gauge(out, signed, float64(s.Signed))
		gauge(out, when, at(s.SignedAt))
		gauge(out, failing, flag(s.Error != nil))
		gauge(out, fault, flag(s.Fault != nil))
		seen := map[[2]string]bool{}
		for _, a := range s.Anchored {
			target := strings.ToValidUTF8(a.Target, "\ufffd")
			if seen[[2]string{a.Kind, target}] { // two that look alike, such as one program twice
				continue
			}
			seen[[2]string{a.Kind, target}] = true
			gauge(out, size, float64(a.Size), a.Kind, target)
			gauge(out, took, at(a.At), a.Kind, target)
			gauge(out, failures, float64(a.Failures), a.Kind, target)
		}
	}
	return p
}

func traceFigures(stats func() TraceStats) prometheus.Collector {
	p := &pulled{}
	queued := p.desc("regie_trace_runs_queued", "Ended runs whose traces are still to be made.")
	runs := p.desc("regie_trace_runs_dropped_total", "Ended runs without a trace, by why.", "reason")
	sent := p.desc("regie_trace_spans_sent_total", "Spans that the collector took.")
	spans := p.desc("regie_trace_spans_dropped_total", "Spans that the collector did not get or take, by why.", "reason")
	p.collect = func(out chan<- prometheus.Metric) {
		s := stats()
		gauge(out, queued, float64(s.Queued))
		counter(out, runs, s.QueueFull, "queue_full")
		counter(out, runs, s.Unreadable, "unreadable")
		counter(out, sent, s.Sent)
		counter(out, spans, s.TooMany, "too_many")
		counter(out, spans, s.NotSent, "not_sent")
		counter(out, spans, s.Rejected, "rejected")
	}
	return p
}

func retentionFigures(stats func() retention.Stats) prometheus.Collector {
	p := &pulled{}
	taken := p.desc("regie_retention_removed_total", "What retention has taken away since the start of the process.", "what")
	archived := p.desc("regie_retention_archived_total", "Runs that retention has copied into the archive since the start of the process.")
	failed := p.desc("regie_retention_failures_total", "Passes of retention that ended early.")
	pass := p.desc("regie_retention_pass_timestamp_seconds", "When the last pass of retention ended that did not end early; 0: none has.")
	room := p.desc("regie_data_folder_bytes", "Room that the data folder takes, as it was measured last, each hour.", "part")
	p.collect = func(out chan<- prometheus.Metric) {
		s := stats()
		counter(out, taken, s.Erased, "payloads")
		counter(out, taken, s.Logs, "logs")
		counter(out, taken, s.Pruned, "runs")
		counter(out, archived, s.Archived)
		counter(out, failed, s.Failed)
		gauge(out, pass, at(s.Pass))
		if u := &s.Usage; !u.At.IsZero() {
			gauge(out, room, float64(u.Database), "database")
			gauge(out, room, float64(u.Logs), "logs")
			gauge(out, room, float64(u.Other), "other")
		}
	}
	return p
}
