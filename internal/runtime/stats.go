package runtime

import (
	"slices"
	"sync"
	"time"
)

// Stats is how a service is doing.
type Stats struct {
	// Live is how many runs are in memory, Quarantined how many of them are set
	// aside, Backlog how many messages wait to be decided.
	Live        int
	Quarantined int
	Backlog     int
	// Commits tells how long commits took.
	Commits Histogram
}

// Histogram counts durations by size.
type Histogram struct {
	// Counts has the durations up to each of CommitBuckets, and behind them the
	// longer ones.
	Counts []uint64
	Count  uint64
	Sum    time.Duration
	// Failed is how many commits failed; their durations are counted too.
	Failed uint64
}

// CommitBuckets are the upper bounds of the buckets.
func CommitBuckets() []time.Duration {
	return []time.Duration{
		500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
		20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 5 * time.Second,
	}
}

// Quantile is an upper bound of the duration that the share q of all (from 0 to
// 1) did not exceed; 0 if there are none, and the last bucket's bound if it is
// beyond all.
func (h *Histogram) Quantile(q float64) time.Duration {
	bounds, seen := CommitBuckets(), uint64(0)
	for i, n := range h.Counts {
		if seen += n; h.Count > 0 && float64(seen) >= q*float64(h.Count) {
			return bounds[min(i, len(bounds)-1)]
		}
	}
	return 0
}

func (h *Histogram) add(took time.Duration, failed bool) {
	bounds := CommitBuckets()
	if h.Counts == nil {
		h.Counts = make([]uint64, len(bounds)+1)
	}
	at, _ := slices.BinarySearch(bounds, took)
	h.Counts[at]++
	h.Count++
	h.Sum += took
	if failed {
		h.Failed++
	}
}

// gauge holds the figures that the loop and the committer leave.
type gauge struct {
	mu    sync.Mutex
	stats Stats
}

func (g *gauge) handled(live, backlog int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Live, g.stats.Backlog = live, backlog
}

func (g *gauge) committed(took time.Duration, failed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Commits.add(took, failed)
}

// Stats tells how the service is doing. Safe for concurrent use; it waits for
// nothing.
func (s *Service) Stats() Stats {
	s.gauge.mu.Lock()
	defer s.gauge.mu.Unlock()
	out := s.gauge.stats
	out.Commits.Counts = slices.Clone(out.Commits.Counts)
	out.Quarantined = s.hub.quarantined()
	return out
}
