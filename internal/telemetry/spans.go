package telemetry

import (
	"cmp"
	"encoding/hex"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/telemetry/traceid"
)

// Bounds of spans.
const (
	// MaxSpans is how many spans one run has at most in a round; those of the steps
	// and attempts that began last are left out.
	MaxSpans = 10_000
	// MaxText is the longest text of a span in bytes; the rest is cut off.
	MaxText = 512
)

// Keys of attributes.
const (
	keyService      = "service.name"
	keyVersion      = "service.version"
	keyEnvironment  = "deployment.environment.name"
	keyError        = "error.type"
	keyRun          = "regie.run.id"
	keyRound        = "regie.run.round"
	keyNamespace    = "regie.namespace"
	keyWorkflow     = "regie.workflow.name"
	keyProgram      = "regie.workflow.version"
	keyBusinessDate = "regie.run.business_date"
	keyTrigger      = "regie.run.trigger"
	keyState        = "regie.state"
	keyReason       = "regie.reason"
	keyHandled      = "regie.step.handled"
	keyPath         = "regie.step.path"
	keyKind         = "regie.step.kind"
	keyAttempt      = "regie.attempt.number"
	keyOutcome      = "regie.attempt.outcome"
	keyQueued       = "regie.attempt.queued_seconds"
	keyWorker       = "regie.worker"
	keyDropped      = "regie.spans_dropped"
)

// flags say that a span is sampled, and that it is known of its parent, or of what
// it links to, that Regie made it too (OTLP, SpanFlags).
const flags = 0x01 | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)

// spans are those of a round, the run's first, and how many are left out.
func (r *round) spans(row *store.RunRow, worker string) (spans []*tracepb.Span, dropped int) {
	trace := traceid.Of(r.run)
	root := r.span(trace, traceid.Run(r.run, r.number), nil, row.Workflow, r.start, r.end)
	if r.number > 1 {
		root.Links = []*tracepb.Span_Link{link(trace, traceid.Run(r.run, r.number-1))}
	}
	spans = append(spans, root)
	for _, s := range r.steps {
		if len(spans)+1+len(s.attempts) > MaxSpans {
			dropped += 1 + len(s.attempts)
			s.left = true
			continue
		}
		spans = append(spans, r.step(trace, s))
		for i := range s.attempts {
			spans = append(spans, r.attempt(trace, s, &s.attempts[i], worker))
		}
	}
	root.Attributes = attributes(
		text(keyRun, r.run), number(keyRound, int64(r.number)), text(keyNamespace, row.Namespace), text(keyWorkflow, row.Workflow),
		text(keyProgram, hex.EncodeToString(row.Program[:8])), text(keyBusinessDate, row.BusinessDate), text(keyTrigger, row.Trigger),
		text(keyState, string(r.state)), text(keyReason, string(r.reason)), count(keyDropped, dropped),
	)
	if r.state == engine.Failed {
		fail(root, r.name(r.err), string(r.reason))
	}
	return spans, dropped
}

func (r *round) step(trace traceid.Trace, s *step) *tracepb.Span {
	parent := traceid.Run(r.run, r.number)
	if p := r.ancestor(s); p != nil {
		parent = traceid.Step(r.run, p.act, r.number)
	}
	span := r.span(trace, traceid.Step(r.run, s.act, r.number), parent[:], s.name, s.start, cmp.Or(s.end, r.end))
	if s.before > 0 {
		span.Links = []*tracepb.Span_Link{link(trace, traceid.Step(r.run, s.act, s.before))}
	}
	span.Attributes = attributes(
		text(keyPath, s.path), text(keyKind, s.kind), text(keyState, string(s.state)), text(keyReason, string(s.reason)),
	)
	if s.handled {
		span.Attributes = append(span.Attributes, &commonpb.KeyValue{
			Key: keyHandled, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}},
		})
	}
	if s.state == engine.Failed {
		fail(span, r.name(s.err), string(s.reason))
	}
	return span
}

// ancestor is the step around another that has a span; nil: none but the run.
func (r *round) ancestor(s *step) *step {
	for parent := r.acts[s.parent]; parent != nil; parent = r.acts[parent.parent] {
		if !parent.left {
			return parent
		}
	}
	return nil
}

func (r *round) attempt(trace traceid.Trace, s *step, a *attempt, worker string) *tracepb.Span {
	parent := traceid.Step(r.run, s.act, r.number)
	start := cmp.Or(a.started, a.decided)
	span := r.span(trace, traceid.Attempt(r.run, s.act, a.number), parent[:], "attempt", start, cmp.Or(a.end, s.end, r.end))
	span.Attributes = attributes(
		text(keyPath, s.path), number(keyAttempt, int64(a.number)), text(keyOutcome, string(a.outcome)), text(keyWorker, worker),
		seconds(keyQueued, start.Sub(a.decided)),
	)
	switch a.outcome {
	case engine.OutcomeFailed, engine.OutcomeLost:
		fail(span, r.name(a.err), string(a.outcome))
	default:
	}
	return span
}

func (r *round) span(trace traceid.Trace, id traceid.Span, parent []byte, name string, start, end time.Time) *tracepb.Span {
	if end.Before(start) { // the clocks of two machines
		end = start
	}
	return &tracepb.Span{
		TraceId: trace[:], SpanId: id[:], ParentSpanId: parent, Name: bounded(name), Kind: tracepb.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: uint64(start.UnixNano()), EndTimeUnixNano: uint64(end.UnixNano()), Flags: flags,
	}
}

func link(trace traceid.Trace, span traceid.Span) *tracepb.Span_Link {
	return &tracepb.Span_Link{TraceId: trace[:], SpanId: span[:], Flags: flags}
}

// otherError stands for names of errors that are not shown (OpenTelemetry,
// attribute error.type).
const otherError = "_OTHER"

// name is the name of an error as others may see it, empty for none: one that
// nobody can have computed from the data of a run.
func (r *round) name(e *engine.Error) string {
	switch {
	case e == nil:
		return ""
	case e.Engine == "" && !r.names[e.Name]:
		return otherError
	}
	return e.Name
}

// fail marks a span as failed. The status has the name of the error, and never
// its message, which may have anything in it.
func fail(span *tracepb.Span, name, otherwise string) {
	name = bounded(cmp.Or(name, otherwise))
	span.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: name}
	span.Attributes = append(span.Attributes, text(keyError, name))
}

// bounded is a text as spans have it.
func bounded(text string) string {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	return strings.ToValidUTF8(text, "")
}

// text, number, count and seconds make attributes, nil for what says nothing.

func text(key, value string) *commonpb.KeyValue {
	if value == "" {
		return nil
	}
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: bounded(value)}}}
}

func number(key string, value int64) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}}
}

func count(key string, n int) *commonpb.KeyValue {
	if n == 0 {
		return nil
	}
	return number(key, int64(n))
}

func seconds(key string, d time.Duration) *commonpb.KeyValue {
	if d <= 0 {
		return nil
	}
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: d.Seconds()}}}
}

// attributes are those that say something.
func attributes(all ...*commonpb.KeyValue) []*commonpb.KeyValue {
	kept := all[:0]
	for _, a := range all {
		if a != nil {
			kept = append(kept, a)
		}
	}
	return kept
}
