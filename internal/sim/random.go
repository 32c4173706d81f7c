package sim

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// random is one subsystem's share of the seed.
type random struct{ *rand.Rand }

// Subsystems; the numbers are part of what a seed means.
const (
	randPrograms uint64 = iota + 1
	randClients
	randStore
	randServer
	randWorkers
	randNet
	randSwarm
	randOperators
	randGate
	randUndo
	randAdjust
	randLarge
	randFurther
)

func newRandom(seed, subsystem uint64) random {
	return random{rand.New(rand.NewPCG(seed, subsystem*0x9e3779b97f4a7c15))} //nolint:gosec // it must repeat
}

// chance is true with probability p.
func (r random) chance(p float64) bool { return p > 0 && r.Float64() < p }

// span is a time from low to high; every doubling is equally likely.
func (r random) span(low, high time.Duration) time.Duration {
	doublings := bits.Len64(uint64(high / low))
	d := low << r.IntN(doublings)
	return min(d+time.Duration(r.Int64N(int64(d))), high)
}

// pick draws one of the values.
func pick[T any](r random, values ...T) T { return values[r.IntN(len(values))] }
