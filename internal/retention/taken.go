package retention

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/store"
)

// taken counts what was taken away in a namespace.
type taken struct{ erased, pruned, logs, archived uint64 }

// entry puts it on record.
func (t taken) entry(namespace string) store.Entry {
	return access.System("retention").Done(access.Act{
		Action: ActionPass, Namespace: namespace, Object: "namespace/" + namespace,
		Detail: map[string]any{"archived": t.archived, "erased": t.erased, "logs_deleted": t.logs, "removed": t.pruned},
	})
}

// count adds to the statistics.
func (s *Service) count(t taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Erased += t.erased
	s.stats.Pruned += t.pruned
	s.stats.Logs += t.logs
	s.stats.Archived += t.archived
}

// tally counts what is on record at the end of the pass.
func (p *pass) tally(namespace string, t taken) {
	sum := p.files[namespace]
	sum.logs += t.logs
	sum.archived += t.archived
	p.files[namespace] = sum
}

// record puts on record what is in no batch: copies that were made, and logs that
// were deleted.
func (p *pass) record(ctx context.Context) error {
	var entries []store.Entry
	for _, namespace := range slices.Sorted(maps.Keys(p.files)) {
		if t := p.files[namespace]; t != (taken{}) {
			entries = append(entries, t.entry(namespace))
			p.count(t)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if _, err := p.cfg.Runtime.Write(ctx, nil, entries); err != nil {
		return fmt.Errorf("record what a pass of retention archived, and which logs it deleted: %w", err)
	}
	return nil
}
