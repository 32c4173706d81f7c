package server

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/catalog"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/telemetry"
)

// limitsRetry is how long after a failure limits are put in force again.
const limitsRetry = time.Second

// limits puts what is stored of limits in force.
type limits struct {
	catalog *catalog.Catalog
	access  *access.Service
	runtime *runtime.Service
	log     *slog.Logger

	mu sync.Mutex // held while the definitions are read and put in force
}

var _ api.Limits = (*limits)(nil)

// Refresh puts the limits in force that are stored.
func (l *limits) Refresh(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runtime.SetLimits(ctx, l.defined())
}

// defined are all limits that are in force, quotas of namespaces too.
func (l *limits) defined() []gate.Limit {
	all := l.catalog.Limits()
	for _, n := range l.access.Namespaces() {
		for kind, most := range map[gate.Kind]uint32{gate.Runs: n.MaxRuns, gate.Steps: n.MaxSteps} {
			if most > 0 {
				all = append(all, gate.Limit{ID: gate.ID{Kind: kind, Namespace: n.Name}, Capacity: int(most)})
			}
		}
	}
	slices.SortFunc(all, func(a, b gate.Limit) int { return a.ID.Compare(b.ID) })
	return all
}

// views shows limits to the metrics.
func (l *limits) views() []gate.View {
	ctx, cancel := context.WithTimeout(context.Background(), telemetry.ScrapeTimeout/2)
	defer cancel()
	views, err := l.runtime.Limits(ctx)
	if err != nil {
		l.log.WarnContext(ctx, "limits could not be looked at", "error", err)
	}
	return views
}

// follow puts limits in force whenever one is changed, until ctx ends.
func (l *limits) follow(ctx context.Context) {
	for {
		changed, spaces := l.catalog.ObjectsChanged(), l.access.NamespacesChanged()
		wait := make(<-chan time.Time)
		if err := l.Refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			l.log.WarnContext(ctx, "limits could not be put in force", "error", err)
			wait = time.After(limitsRetry)
		}
		select {
		case <-changed:
		case <-spaces:
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}
