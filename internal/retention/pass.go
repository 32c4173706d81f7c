package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// ActionPass is the action of a pass in the audit log. Each batch that takes
// away data or runs of a namespace has one such entry, which counts them; logs,
// which are in no batch, have one of the namespace at the end of the pass.
const ActionPass = "retention.pass"

const (
	// pageRuns is how many runs are looked at together.
	pageRuns = 500
	// batchRuns is how many runs one batch takes something away of.
	batchRuns = 100
)

// Policy is how long a namespace keeps what its runs have left, each from the
// end of the run on; zero: for ever.
type Policy struct {
	// Runs is how long a run is kept at all, Payloads how long its data is, Logs
	// how long what it printed is. What outlives the run goes with it; logs go
	// with the data at the latest.
	Runs, Payloads, Logs time.Duration
	// Last is how many runs of each workflow are kept, the newest, however old
	// they are. Their data and logs are not.
	Last int
}

// payloads is how long data is kept; 0: for ever.
func (p *Policy) payloads() time.Duration { return shorter(p.Payloads, p.Runs) }

// logs is how long logs are kept; 0: for ever.
func (p *Policy) logs() time.Duration { return shorter(p.Logs, p.payloads()) }

// shorter is the shorter time, where zero is for ever.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// mark is how far a namespace's runs are erased, without a gap.
type mark struct {
	keep  time.Duration // under which policy
	batch uint64
	run   store.RunID
}

// taken counts what was taken away in a namespace.
type taken struct{ erased, pruned, logs uint64 }

// entry puts it on record.
func (t taken) entry(namespace string) store.Entry {
	return access.System("retention").Done(access.Act{
		Action: ActionPass, Namespace: namespace, Object: "namespace/" + namespace,
		Detail: map[string]any{"erased": t.erased, "logs_deleted": t.logs, "removed": t.pruned},
	})
}

// count adds to the statistics.
func (s *Service) count(t taken) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Erased += t.erased
	s.stats.Pruned += t.pruned
	s.stats.Logs += t.logs
}

// ended are the states of runs that have ended.
var ended = []string{"succeeded", "failed", "canceled", "skipped"}

// pass is one pass.
type pass struct {
	*Service

	now      time.Time
	policies map[string]Policy
	logs     map[string]uint64 // how many were deleted, by namespace
	// kept are runs that are due, and could not be erased now.
	kept map[store.RunID]bool
}

// Pass takes away what is too old now: data first, then logs, then the runs, in
// each namespace the oldest first. What was done is on record: data and runs in
// the batch that takes them, logs at the end, also when it ends early with an
// error. It is not to be called while the service is started.
func (s *Service) Pass(ctx context.Context) error {
	p := pass{
		Service: s, now: s.cfg.Clock.Now(), policies: s.cfg.Policies(), logs: map[string]uint64{}, kept: map[store.RunID]bool{},
	}
	err := p.run(ctx)
	return errors.Join(err, p.record(context.WithoutCancel(ctx)))
}

func (p *pass) run(ctx context.Context) error {
	for _, namespace := range slices.Sorted(maps.Keys(p.policies)) {
		if err := p.erase(ctx, namespace); err != nil {
			return fmt.Errorf("erase old runs of namespace %s: %w", namespace, err)
		}
	}
	if err := p.removeLogs(ctx); err != nil {
		return fmt.Errorf("delete old logs: %w", err)
	}
	for _, namespace := range slices.Sorted(maps.Keys(p.policies)) {
		if err := p.prune(ctx, namespace); err != nil {
			return fmt.Errorf("remove old runs of namespace %s: %w", namespace, err)
		}
	}
	return nil
}

// older lists runs of a namespace that ended at least keep ago, the oldest
// first, from a mark on, page by page.
func (p *pass) older(ctx context.Context, namespace string, keep time.Duration, from mark, page func(rows []store.RunRow) error) error {
	limit := p.now.Add(-keep)
	for {
		rows, err := p.cfg.Store.Runs(ctx, store.RunQuery{
			Namespaces: []string{namespace}, States: ended, ByBatch: true, Since: from.batch, After: from.run, Limit: pageRuns,
		})
		if err != nil {
			return err
		}
		last := len(rows) < pageRuns
		if i := slices.IndexFunc(rows, func(r store.RunRow) bool { return r.EndedAt.After(limit) }); i >= 0 {
			rows, last = rows[:i], true
		}
		if len(rows) > 0 {
			if err := page(rows); err != nil {
				return err
			}
			end := &rows[len(rows)-1]
			from.batch, from.run = end.Batch, end.ID
		}
		if last {
			return ctx.Err()
		}
	}
}

// erase erases old runs of a namespace, from where the last pass ended on.
func (p *pass) erase(ctx context.Context, namespace string) error {
	policy := p.policies[namespace]
	keep := policy.payloads()
	if keep == 0 {
		return nil
	}
	from := p.passed[namespace]
	if from.keep != keep {
		from = mark{keep: keep}
	}
	gap := false // whether a run was kept: the mark stays before it
	return p.older(ctx, namespace, keep, from, func(rows []store.RunRow) error {
		var ids []store.RunID
		for i := range rows {
			if rows[i].Erased == 0 {
				ids = append(ids, rows[i].ID)
			}
		}
		for batch := range slices.Chunk(ids, batchRuns) {
			if err := p.eraseRuns(ctx, namespace, batch); err != nil {
				return err
			}
		}
		for i := range rows {
			gap = gap || p.kept[rows[i].ID]
			if !gap {
				p.passed[namespace] = mark{keep: keep, batch: rows[i].Batch, run: rows[i].ID}
			}
		}
		return nil
	})
}

// eraseRuns erases runs in one batch, but for those of which that has become
// impossible, and then deletes their logs.
func (p *pass) eraseRuns(ctx context.Context, namespace string, ids []store.RunID) error {
	p.erasing.Lock()
	defer p.erasing.Unlock()
	ids = slices.Clone(ids)
	for len(ids) > 0 {
		t := taken{erased: uint64(len(ids))}
		_, err := p.cfg.Runtime.Remove(ctx, runtime.Removal{Erase: ids, Entries: []store.Entry{t.entry(namespace)}})
		if err == nil {
			p.count(t)
			break
		}
		var live *runtime.LiveError
		var erased *runtime.ErasedError
		switch {
		case errors.As(err, &live): // it was retried, or is being read to see whether it can be
			p.kept[live.Run] = true
			ids = slices.DeleteFunc(ids, func(id store.RunID) bool { return id == live.Run })
		case errors.As(err, &erased):
			ids = slices.DeleteFunc(ids, func(id store.RunID) bool { return id == erased.Run })
		default:
			return err
		}
	}
	for _, id := range ids {
		n, err := p.cfg.Logs.RemoveLogs(id)
		p.logs[namespace] += uint64(n)
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// removeLogs deletes old logs, and those that a crash has left of runs that were
// erased.
func (p *pass) removeLogs(ctx context.Context) error {
	newest := time.Duration(0) // of what may be deleted
	for _, policy := range p.policies {
		newest = shorter(newest, policy.logs())
	}
	if newest == 0 {
		return nil
	}
	shards, err := p.cfg.Logs.LogShards()
	if err != nil {
		return err
	}
	first := string(runtime.FirstID(p.now.Add(-newest)))
	for _, shard := range shards {
		if shard > first {
			break // its runs were accepted later
		}
		owners, err := p.cfg.Logs.LogOwners(shard)
		if err != nil {
			return err
		}
		for _, run := range owners {
			if err := p.removeLogsOf(ctx, run); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pass) removeLogsOf(ctx context.Context, run store.RunID) error {
	row, err := p.cfg.Store.Run(ctx, run)
	if errors.Is(err, store.ErrNotFound) {
		return nil // of another database, such as before a restore
	}
	if err != nil {
		return err
	}
	policy := p.policies[row.Namespace]
	keep := policy.logs()
	if keep == 0 || !row.Ended() || row.Erased == 0 && row.EndedAt.After(p.now.Add(-keep)) {
		return nil
	}
	n, err := p.cfg.Logs.RemoveLogs(run)
	p.logs[row.Namespace] += uint64(n)
	return err
}

// prune removes old runs of a namespace but for the last of each workflow. They
// were erased before; their logs are gone before they are.
func (p *pass) prune(ctx context.Context, namespace string) error {
	policy := p.policies[namespace]
	if policy.Runs == 0 {
		return nil
	}
	kept := map[string][]store.RunID{} // the last ones of each workflow
	return p.older(ctx, namespace, policy.Runs, mark{}, func(rows []store.RunRow) error {
		var batch []store.Pruned
		for i := range rows {
			keeps, err := p.last(ctx, kept, &rows[i], policy.Last)
			if err != nil {
				return err
			}
			if keeps || rows[i].Erased == 0 {
				continue
			}
			pruned, err := p.prunable(ctx, &rows[i])
			if err != nil {
				return err
			}
			if pruned != nil {
				batch = append(batch, *pruned)
			}
			if len(batch) == batchRuns {
				if err := p.pruneRuns(ctx, namespace, batch); err != nil {
					return err
				}
				batch = nil
			}
		}
		return p.pruneRuns(ctx, namespace, batch)
	})
}

// last reports whether a run is one of the last of its workflow.
func (p *pass) last(ctx context.Context, kept map[string][]store.RunID, row *store.RunRow, n int) (bool, error) {
	if n == 0 {
		return false, nil
	}
	ids, known := kept[row.Workflow]
	if !known {
		rows, err := p.cfg.Store.Runs(ctx, store.RunQuery{Namespaces: []string{row.Namespace}, Workflows: []string{row.Workflow}, Limit: n})
		if err != nil {
			return false, err
		}
		for i := range rows {
			ids = append(ids, rows[i].ID)
		}
		kept[row.Workflow] = ids
	}
	return slices.Contains(ids, row.ID), nil
}

// prunable reads which batches have the records of a run, and deletes its logs;
// nil if it cannot be read, which hinders no other.
func (p *pass) prunable(ctx context.Context, row *store.RunRow) (*store.Pruned, error) {
	records, err := p.cfg.Store.Events(ctx, row.ID, 1)
	if errors.Is(err, store.ErrCorrupt) {
		p.cfg.Log.WarnContext(ctx, "an old run is damaged and stays", "run", row.ID, "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, err := p.cfg.Logs.RemoveLogs(row.ID)
	p.logs[row.Namespace] += uint64(n)
	if err != nil {
		return nil, err
	}
	out := &store.Pruned{Run: row.ID}
	for i := range records {
		out.Batches = append(out.Batches, records[i].Batch)
	}
	return out, nil
}

func (p *pass) pruneRuns(ctx context.Context, namespace string, runs []store.Pruned) error {
	if len(runs) == 0 {
		return nil
	}
	t := taken{pruned: uint64(len(runs))}
	if _, err := p.cfg.Runtime.Remove(ctx, runtime.Removal{Prune: runs, Entries: []store.Entry{t.entry(namespace)}}); err != nil {
		return err
	}
	p.count(t)
	return ctx.Err()
}

// record puts on record which logs were deleted.
func (p *pass) record(ctx context.Context) error {
	var entries []store.Entry
	for _, namespace := range slices.Sorted(maps.Keys(p.logs)) {
		if t := (taken{logs: p.logs[namespace]}); t.logs > 0 {
			entries = append(entries, t.entry(namespace))
			p.count(t)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	if _, err := p.cfg.Runtime.Write(ctx, nil, entries); err != nil {
		return fmt.Errorf("record which logs a pass of retention deleted: %w", err)
	}
	return nil
}
