package sim

import (
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/runtime"
)

// swarm is what a seed makes of the world: which faults there are and how
// often. Each seed has some of them only, so that rare combinations come up
// which a mixture of everything would hide.
type swarm struct {
	workers  int
	capacity int
	clients  int
	// remote: workers are processes of their own, which live on when the
	// server crashes.
	remote    bool
	lostAfter time.Duration
	lease     time.Duration

	limits runtime.Limits

	crash         float64 // of the server, for each commit
	crashes       int     // of the server at any time, in the horizon
	commitError   float64
	commitUnknown float64
	leaseLost     float64
	contradiction float64 // of store and memory
	slowCommit    float64
	readError     float64 // of the sequence
	lostReply     float64
	workerDeaths  int // in the horizon, for each worker
	partitions    int // likewise
	lateStart     float64
	notStarted    float64
	outcomeLost   float64
	slowTask      float64
	duplicate     float64 // of results
	cancel        float64 // of runs
	sameKey       float64 // of requests
	taskFailure   float64
	// What operators do, for each run.
	hold     float64
	retry    float64
	settle   float64 // and kill, hurry, note
	accepted float64 // held from the start, or skipped
	// breaker is the policy of the breakers of connections; most have none.
	breaker breaker.Policy
	// undo: programs undo what they did.
	undo bool
	// large: workers leave some outputs by reference, and programs use them.
	large bool
	// further: tasks use earlier outputs and rates, and capacities change;
	// quota: how many attempts may be out is bounded too.
	further, quota bool
}

func newSwarm(r random) swarm {
	some := func(p float64) float64 {
		if r.chance(0.5) {
			return 0
		}
		return p * r.Float64()
	}
	count := func(n int) int {
		if r.chance(0.5) {
			return 0
		}
		return r.IntN(n + 1)
	}
	w := swarm{
		workers: 1 + r.IntN(3), capacity: 1 + r.IntN(6), clients: 1 + r.IntN(4), remote: r.chance(0.6),
		crash: some(0.06), crashes: count(4), commitError: some(0.2), commitUnknown: some(0.2), leaseLost: some(0.01), contradiction: some(0.02),
		slowCommit: some(0.2), readError: some(0.5), lostReply: some(0.4), workerDeaths: count(4), partitions: count(4),
		lateStart: some(0.2), notStarted: some(0.1), outcomeLost: some(0.1), slowTask: some(0.2), duplicate: some(0.5),
		cancel: some(0.6), sameKey: some(0.6), taskFailure: some(0.3),
	}
	if w.remote {
		w.lease = 3 * time.Minute
		w.lostAfter = pick(r, 0, time.Minute, 10*time.Minute)
	}
	if r.chance(0.3) {
		w.limits = runtime.Limits{BatchEvents: 1 + r.IntN(40), BatchRecords: 1 + r.IntN(4), Backlog: 1 + r.IntN(4)}
	}
	w.hold, w.retry, w.accepted, w.settle = some(0.8), some(0.9), some(0.3), some(0.8)
	if r.chance(0.3) {
		w.breaker = breaker.Policy{
			Failures: 1 + r.IntN(4), Within: pick(r, time.Minute, time.Hour), OpenFor: r.span(time.Second, 10*time.Minute), Probes: 1 + r.IntN(2),
		}
	}
	w.undo = r.chance(0.35)
	w.large = r.chance(0.6)
	w.further, w.quota = r.chance(0.35), r.chance(0.4)
	if w.large {
		w.limits.MapBytes = 1 + r.IntN(600)
	}
	return w
}
