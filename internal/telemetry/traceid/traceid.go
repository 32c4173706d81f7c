package traceid

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/regie-dev/regie/internal/engine"
)

// Trace is the ID of a trace, never all zero.
type Trace [16]byte

// Span is the ID of a span, never all zero.
type Span [8]byte

// Of is the trace of a run.
func Of(run string) Trace {
	sum := sha256.Sum256([]byte("regie/trace/" + run))
	id := Trace(sum[:16])
	if id == (Trace{}) {
		id[len(id)-1] = 1 // zero means none (W3C Trace Context, 3.2.2.3)
	}
	return id
}

// Run is the span of a run's round.
func Run(run string, round int) Span {
	return span("regie/run/" + run + "/" + strconv.Itoa(round))
}

// Step is the span of an activation in a round.
func Step(run string, act engine.ActID, round int) Span {
	return span("regie/step/" + run + "/" + strconv.FormatUint(uint64(act), 10) + "/" + strconv.Itoa(round))
}

// Attempt is the span of an attempt. Attempts are numbered through all rounds.
func Attempt(run string, act engine.ActID, attempt int) Span {
	return span("regie/attempt/" + run + "/" + strconv.FormatUint(uint64(act), 10) + "/" + strconv.Itoa(attempt))
}

// Parent is the text that makes spans of an attempt's task children of that
// attempt's span: a sampled traceparent as of W3C Trace Context, version 00.
func Parent(run string, act engine.ActID, attempt int) string {
	trace, span := Of(run), Attempt(run, act, attempt)
	return "00-" + hex.EncodeToString(trace[:]) + "-" + hex.EncodeToString(span[:]) + "-01"
}

func span(text string) Span {
	sum := sha256.Sum256([]byte(text))
	id := Span(sum[:8])
	if id == (Span{}) {
		id[len(id)-1] = 1
	}
	return id
}
