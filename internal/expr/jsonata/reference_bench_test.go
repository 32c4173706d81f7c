package jsonata

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// BenchmarkReference compares, for the conformance cases that take the reference
// more than a millisecond to read and evaluate, the median time with ours. It
// runs once, with -benchtime 1x, on a machine that does nothing else.
func BenchmarkReference(b *testing.B) {
	const (
		most  = 3.0 // times the time of the reference
		least = 1.0 // ms that a case takes there
	)
	dir := filepath.Join(os.Getenv("REGIE_CONFORMANCE"), "jsonata")
	var requests []value.Value
	for _, c := range readCases(b, dir) {
		r := value.Object(value.M("expression", c.Get("expr")), value.M("bindings", c.Get("bindings")), value.M("id", c.Get("id")))
		if input := inputOf(b, dir, c); !input.IsUndefined() {
			r = r.With("input", input)
		}
		requests = append(requests, r)
	}
	lang, compared, slowest := New(Config{}), 0, 0.0
	for i, answer := range askReference(b, requests, "--time") {
		theirs, _ := answer.Get("ms").Float()
		if theirs <= least {
			continue
		}
		ours := medianTime(lang, requests[i])
		compared, slowest = compared+1, math.Max(slowest, ours/theirs)
		b.Logf("%-55s reference %8.3f ms, ours %8.3f ms, ratio %5.2f", requests[i].Get("id"), theirs, ours, ours/theirs)
		if ours > most*theirs {
			b.Errorf("%s takes %.2f times as long as in the reference: %s", requests[i].Get("id"), ours/theirs, requests[i].Get("expression"))
		}
	}
	if compared == 0 {
		b.Error("no case takes the reference that long")
	}
	b.ReportMetric(slowest, "ratio")
}

// medianTime is the median time in ms of reading and evaluating an expression.
func medianTime(lang *Language, r value.Value) float64 {
	src, _ := r.Get("expression").Str()
	bindings := map[string]value.Value{}
	for _, m := range r.Get("bindings").Members() {
		bindings[m.Key] = m.Value
	}
	if input := r.Get("input"); !input.IsUndefined() {
		bindings[inputRoot] = input
	}
	var times []float64
	for end := time.Now().Add(time.Second / 2); len(times) < 5 || time.Now().Before(end); {
		start := time.Now()
		if compiled, problems := lang.Compile(src, nil); len(problems) == 0 {
			_, _ = compiled.Eval(expr.Request{Bindings: bindings, Cost: expr.PoolCost}) // an error takes its time too
		}
		times = append(times, float64(time.Since(start).Microseconds())/1000)
	}
	slices.Sort(times)
	return times[len(times)/2]
}
