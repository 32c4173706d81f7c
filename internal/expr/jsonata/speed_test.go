package jsonata

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

var speed = flag.Bool("speed", false, "compare times with the reference in TestSpeed, on a machine that does nothing else")

// TestSpeed compares, for the conformance cases that take the reference more
// than a millisecond to read and evaluate, the median time with ours.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("times are compared with -args -speed only") //nolint:forbidigo // a measurement, not a check
	}
	const (
		most  = 3.0 // times the time of the reference
		least = 1.0 // ms that a case takes there
	)
	dir := filepath.Join(os.Getenv("REGIE_CONFORMANCE"), "jsonata")
	var requests []value.Value
	for _, c := range readCases(t, dir) {
		r := value.Object(value.M("expression", c.Get("expr")), value.M("bindings", c.Get("bindings")), value.M("id", c.Get("id")))
		if input := inputOf(t, dir, c); !input.IsUndefined() {
			r = r.With("input", input)
		}
		requests = append(requests, r)
	}
	lang := New(Config{})
	for i, answer := range askReference(t, requests, "--time") {
		theirs, _ := answer.Get("ms").Float()
		if theirs <= least {
			continue
		}
		ours := medianTime(lang, requests[i])
		t.Logf("%-55s reference %8.3f ms, ours %8.3f ms, ratio %5.2f", requests[i].Get("id"), theirs, ours, ours/theirs)
		if ours > most*theirs {
			t.Errorf("%s takes %.2f times as long as in the reference: %s", requests[i].Get("id"), ours/theirs, requests[i].Get("expression"))
		}
	}
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
