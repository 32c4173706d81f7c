package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/regie-dev/regie/internal/egress"
)

// Times and bounds of sending.
const (
	// MaxBatch is how many spans one request has at most.
	MaxBatch = 512
	// BatchDelay is how long spans wait for others to go with them.
	BatchDelay = time.Second
	// SendTimeout bounds one request.
	SendTimeout = 10 * time.Second
	// RetryFirst is waited after a request that failed, twice as long each further
	// time, at most RetryMax, unless the collector says how long; after RetryFor
	// the spans are dropped.
	RetryFirst = time.Second
	RetryMax   = 15 * time.Second
	RetryFor   = time.Minute

	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 64 << 10
)

// exporter sends spans to a collector: OTLP over HTTP, as protobuf.
type exporter struct {
	endpoint Endpoint
	client   *http.Client
	// frame is what each request has but for the spans.
	frame func(spans []*tracepb.Span) *tracepb.TracesData
	// hurry is closed when nothing is to be waited for any more.
	hurry <-chan struct{}
}

// retryError is a failure that may pass.
type retryError struct {
	error

	after time.Duration // that the collector asked to wait; 0: it did not
}

// send sends spans, again and again while that makes sense. It returns how many
// of them the collector refused.
func (x *exporter) send(ctx context.Context, spans []*tracepb.Span) (rejected int, err error) {
	// TracesData has the bytes of the ExportTraceServiceRequest, whose package
	// would bring all of gRPC.
	body, err := proto.Marshal(x.frame(spans))
	if err != nil {
		return 0, fmt.Errorf("encode spans: %w", err)
	}
	last := time.Now().Add(RetryFor)
	for wait := RetryFirst; ; wait = min(2*wait, RetryMax) {
		rejected, err := x.post(ctx, body)
		var again *retryError
		if !errors.As(err, &again) {
			return rejected, err
		}
		pause := wait
		if again.after > 0 {
			pause = again.after
		}
		if time.Now().Add(pause).After(last) || !x.pause(ctx, pause) {
			return 0, err
		}
	}
}

// pause waits; false: there is no time for that.
func (x *exporter) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.hurry:
	case <-ctx.Done():
	}
	return false
}

// post makes one request.
func (x *exporter) post(ctx context.Context, body []byte) (rejected int, err error) {
	ctx, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, x.endpoint.URL.String(), bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	request.Header = x.endpoint.Header.Clone()
	request.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := egress.Exchange(x.client, request, maxAnswer)
	var cut *egress.ExchangeError
	switch {
	case errors.As(err, &cut) && cut.Status != 0:
		answer = &egress.Response{Status: cut.Status, Header: cut.Header} // what is missing says nothing
	case err != nil:
		return 0, &retryError{error: fmt.Errorf("send spans: %w", err)}
	}
	refusal := fmt.Errorf("send spans: the collector answers %d %s", answer.Status, http.StatusText(answer.Status))
	switch code := answer.Status; {
	case code >= 200 && code < 300:
		return refused(answer.Body), nil
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return 0, &retryError{error: refusal, after: egress.RetryAfter(answer.Header, time.Now())}
	default:
		return 0, refusal
	}
}

// refused reads how many spans the collector did not take: field 1 of the
// partial success, which is field 1 of the ExportTraceServiceResponse. An answer
// that is something else says nothing.
func refused(answer []byte) int {
	partial, _ := field(answer, protowire.BytesType)
	_, count := field(partial, protowire.VarintType)
	return int(min(count, uint64(MaxBatch)))
}

// field finds field 1 of a message, of the type.
func field(message []byte, want protowire.Type) (text []byte, number uint64) {
	for len(message) > 0 {
		id, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, 0
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(id, kind, message)
		if size < 0 {
			return nil, 0
		}
		if id == 1 && kind == want {
			text, _ = protowire.ConsumeBytes(message[:size])
			number, _ = protowire.ConsumeVarint(message[:size])
			return text, number
		}
		message = message[size:]
	}
	return nil, 0
}
