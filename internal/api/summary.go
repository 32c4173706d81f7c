package api

import (
	"context"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow/graph"
)

// Bounds of what is kept in memory of runs that have ended.
const (
	// MaxSummarySteps is how many steps of one run a summary has; the later ones
	// are left out.
	MaxSummarySteps = 2000
	// keptSteps is how many steps of all kept summaries there are: some 300
	// bytes each.
	keptSteps = 200_000
)

// summary is what a run has come to, without payload.
type summary struct {
	batch uint64 // of the row that it is of
	steps []stepSummary
	more  bool // it had more steps
}

// stepSummary is a step as lists of many runs show it.
type stepSummary struct {
	path, node, kind     string
	state, reason, error string
	handled              bool
	attempts             uint32
	// entered, began and ended are when the step was reached, when its last
	// attempt began to run, and when it was over.
	entered, began, ended time.Time
}

// ran is how long the step ran, and waited how long it took from when it was
// reached until it ran; of a step without attempts all of it is running. What has
// not ended has neither.
func (s *stepSummary) ran() (waited, ran time.Duration, ok bool) {
	if s.ended.IsZero() || s.entered.IsZero() {
		return 0, 0, false
	}
	if s.began.IsZero() || s.began.Before(s.entered) {
		return 0, s.ended.Sub(s.entered), true
	}
	return s.began.Sub(s.entered), max(0, s.ended.Sub(s.began)), true
}

// summaries keeps what ended runs have come to: they do not change unless their
// row does. It is a cache, and lost with the process; what is not in it is folded
// from the events of the run.
type summaries struct {
	mu    sync.Mutex
	runs  map[store.RunID]*summary
	order []store.RunID // oldest first
	steps int
}

func (c *summaries) get(row *store.RunRow) *summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.runs[row.ID]; s != nil && s.batch == row.Batch {
		return s
	}
	return nil
}

func (c *summaries) put(id store.RunID, s *summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil {
		c.runs = map[store.RunID]*summary{}
	}
	if old := c.runs[id]; old != nil {
		c.steps -= len(old.steps) + 1
	} else {
		c.order = append(c.order, id)
	}
	c.runs[id] = s
	c.steps += len(s.steps) + 1
	for c.steps > keptSteps && len(c.order) > 1 {
		c.steps -= len(c.runs[c.order[0]].steps) + 1
		delete(c.runs, c.order[0])
		c.order = c.order[1:]
	}
}

// summary is what a run has come to so far.
func (a *API) summary(ctx context.Context, row *store.RunRow) (*summary, error) {
	if s := a.summaries.get(row); s != nil {
		return s, nil
	}
	seen, _, err := a.history(ctx, row, func(number int, _ string) bool { return number < MaxSummarySteps })
	if err != nil {
		return nil, err
	}
	out := &summary{batch: row.Batch, more: seen.Began() > MaxSummarySteps}
	for _, s := range seen.Run().Steps {
		one := stepSummary{
			path: s.Path, node: graph.NodeOf(s.Path), kind: s.Kind, state: string(s.State), reason: string(s.Reason), handled: s.Handled,
			attempts: uint32(s.Tries), entered: s.StartedAt, ended: s.EndedAt,
		}
		if n := len(s.Attempts); n > 0 {
			one.began = s.Attempts[n-1].StartedAt
		}
		if s.Error != nil && s.State == engine.Failed {
			one.error = s.Error.Name
		}
		out.steps = append(out.steps, one)
	}
	if row.Ended() {
		a.summaries.put(row.ID, out)
	}
	return out, nil
}
