package api

import (
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/filter"
)

// Bounds of GetStatistics.
const (
	// StatisticsRuns is over how many runs they are without a wish, and
	// MaxStatisticsRuns the most.
	StatisticsRuns    = 30
	MaxStatisticsRuns = 100
	// MaxStatisticsSteps is how many nodes are in one answer.
	MaxStatisticsSteps = 500
)

// GetStatistics sums up how the last runs of a workflow went.
func (a *API) GetStatistics(ctx context.Context, m *regiev1.GetStatisticsRequest) (*regiev1.GetStatisticsResponse, error) {
	n := int(m.GetRuns())
	if n == 0 {
		n = StatisticsRuns
	}
	if n < 1 || n > MaxStatisticsRuns {
		return nil, invalid("runs", "it is %d; it lies between 1 and %d", m.GetRuns(), MaxStatisticsRuns)
	}
	now := a.cfg.Now()
	q, err := a.runQuery(ctx, m.GetNamespace(), access.RunsRead, "state:succeeded,failed,canceled", now)
	if err != nil {
		return nil, err
	}
	q.only1(m.GetWorkflow())
	rows, _, err := a.matching(ctx, q, runToken{At: now}, n, MaxScan, filter.Unknown)
	if err != nil {
		return nil, failure(err)
	}
	whole := &sample{}
	nodes := map[string]*sample{}
	out := &regiev1.GetStatisticsResponse{}
	for i := range rows {
		row := &rows[i]
		if !row.StartedAt.IsZero() {
			whole.add(row.State, row.StartedAt.Sub(row.AcceptedAt), row.EndedAt.Sub(row.StartedAt))
		} else {
			whole.add(row.State, row.EndedAt.Sub(row.AcceptedAt), 0)
		}
		if !m.GetSteps() && m.GetNode() == "" {
			continue
		}
		s, err := a.summary(ctx, row)
		if err != nil {
			return nil, failure(err)
		}
		for j := range s.steps {
			step := &s.steps[j]
			waited, ran, ok := step.ran()
			if !ok || step.state == string(engine.Skipped) || m.GetNode() != "" && step.node != m.GetNode() {
				continue
			}
			if nodes[step.node] == nil {
				if len(nodes) == MaxStatisticsSteps {
					out.Truncated = true
					continue
				}
				nodes[step.node] = &sample{}
				out.Steps = append(out.Steps, &regiev1.Statistics{Node: step.node})
			}
			nodes[step.node].add(step.state, waited, ran)
		}
	}
	out.Workflow = &regiev1.Statistics{}
	whole.tell(out.GetWorkflow())
	for _, s := range out.GetSteps() {
		nodes[s.GetNode()].tell(s)
	}
	return out, nil
}

// sample is what was measured.
type sample struct {
	succeeded, failed uint32
	waited, ran       []time.Duration
}

func (s *sample) add(state string, waited, ran time.Duration) {
	switch state {
	case string(engine.Succeeded):
		s.succeeded++
	case string(engine.Failed):
		s.failed++
	}
	s.waited, s.ran = append(s.waited, max(0, waited)), append(s.ran, max(0, ran))
}

func (s *sample) tell(out *regiev1.Statistics) {
	out.Count, out.Succeeded, out.Failed = uint32(len(s.ran)), s.succeeded, s.failed
	if len(s.ran) == 0 {
		return
	}
	slices.Sort(s.waited)
	slices.Sort(s.ran)
	out.RunP50, out.RunP95 = percentile(s.ran, 50), percentile(s.ran, 95)
	out.WaitP50, out.WaitP95 = percentile(s.waited, 50), percentile(s.waited, 95)
}

// percentile is the least of the sorted values that p in a hundred do not pass.
func percentile(sorted []time.Duration, p float64) *durationpb.Duration {
	at := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return durationpb.New(sorted[max(0, at)])
}
