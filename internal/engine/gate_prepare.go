package engine

import (
	"time"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/workflow"
)

// gate links what a node asks the gate for.
func (l *linker) gate(p *workflow.Policies) {
	if len(p.Limits) >= gate.MaxUses {
		l.faultf("it has %d limits, more than %d", len(p.Limits), gate.MaxUses-1)
	}
	for i := range p.Limits {
		l.data(p.Limits[i].Name)
		l.data(p.Limits[i].Weight)
	}
	l.data(p.Priority)
	if _, err := parseExpected(p.Expected); err != nil {
		l.faultf("expected: %v", err)
	}
	if p.Gate == nil {
		return
	}
	l.refuse(p.Gate.When != nil, "a predicate over conditions")
	for _, list := range [][]workflow.ConditionMatch{p.Gate.Needs, p.Gate.Delete, p.Gate.Add} {
		if len(list) > gate.MaxNeeds {
			l.faultf("it names %d conditions, more than %d", len(list), gate.MaxNeeds)
		}
		for i := range list {
			l.data(list[i].Name)
			l.data(list[i].Date)
		}
	}
}

func (l *linker) concurrency(c *workflow.Concurrency) {
	if c == nil {
		return
	}
	l.where = "concurrency"
	l.data(c.Key)
	l.data(c.Max)
	switch c.Then {
	case "", workflow.ConcurrencyQueue, workflow.ConcurrencySkip, workflow.ConcurrencyCancelRunning:
	default:
		l.faultf("then is %q", c.Then)
	}
}

func parseExpected(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return duration.Parse(text)
}

// chains sums up, for each node of a body, how long it and the longest chain of
// nodes behind it are expected to take.
func chains(b *body) []time.Duration {
	out, done := make([]time.Duration, len(b.Nodes)), make([]bool, len(b.Nodes))
	var sum func(n workflow.NodeID) time.Duration
	sum = func(n workflow.NodeID) time.Duration {
		if done[n] {
			return out[n] // also in a circle, which no join can be in
		}
		done[n] = true
		var rest time.Duration
		for _, dep := range b.dependents[n] {
			rest = max(rest, sum(dep))
		}
		out[n] = expected(&b.Nodes[n]) + rest
		return out[n]
	}
	for n := range b.Nodes {
		sum(workflow.NodeID(n))
	}
	return out
}
