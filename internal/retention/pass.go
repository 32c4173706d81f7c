package retention

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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
	// maxNamed is how many failures the error of a pass names; it counts others.
	maxNamed = 10
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
	// Archive: nothing is taken of a run before a copy of it is in the archive.
	Archive bool
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

// ErrNoArchive: a namespace wants its runs to be archived, and there is no archive.
var ErrNoArchive = errors.New("there is no archive; name its folder in the configuration of the server (archive.folder)")

// ended are the states of runs that have ended.
var ended = []string{"succeeded", "failed", "canceled", "skipped"}

// pass is one pass.
type pass struct {
	*Service

	now      time.Time
	policies map[string]Policy
	files    map[string]taken // of logs and copies, by namespace
	// kept are runs that are due, and could not be erased now.
	kept map[store.RunID]bool
	// failures are those that ended no more than the work on one run, shard or
	// namespace, at most maxNamed, and unnamed how many more there were.
	failures []error
	unnamed  int
}

// Pass takes away what is too old now: data first, then logs, then the runs, in
// each namespace the oldest first. What was done is on record: data and runs in
// the batch that takes them, logs at the end, also when it ends early. It goes
// on with others where something fails, and returns all errors in the end; early
// it ends with that of ctx and runtime.ErrStopping only. It is not to be called
// while the service is started.
func (s *Service) Pass(ctx context.Context) error {
	p := pass{
		Service: s, now: s.cfg.Clock.Now(), policies: s.cfg.Policies(), files: map[string]taken{}, kept: map[store.RunID]bool{},
	}
	err := p.run(ctx)
	if p.unnamed > 0 {
		p.failures = append(p.failures, fmt.Errorf("and %d more errors", p.unnamed))
	}
	return errors.Join(errors.Join(p.failures...), err, p.record(context.WithoutCancel(ctx)))
}

func (p *pass) run(ctx context.Context) error {
	for _, namespace := range slices.Sorted(maps.Keys(p.policies)) {
		if err := p.goOn(ctx, "erase old runs of namespace "+namespace, p.erase(ctx, namespace)); err != nil {
			return err
		}
	}
	if err := p.goOn(ctx, "delete old logs", p.removeLogs(ctx)); err != nil {
		return err
	}
	if err := p.goOn(ctx, "delete left large data", p.removeBlobs(ctx)); err != nil {
		return err
	}
	for _, namespace := range slices.Sorted(maps.Keys(p.policies)) {
		if err := p.goOn(ctx, "remove old runs of namespace "+namespace, p.prune(ctx, namespace)); err != nil {
			return err
		}
	}
	return nil
}

// goOn notes an error that ends nothing else than what was done, and returns one
// that ends the pass.
func (p *pass) goOn(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return ctx.Err()
	case ends(ctx, err):
		return fmt.Errorf("%s: %w", what, err)
	case len(p.failures) < maxNamed:
		p.failures = append(p.failures, fmt.Errorf("%s: %w", what, err))
	default:
		p.unnamed++
	}
	return nil
}

// ends reports whether nothing more can be done after an error.
func ends(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, runtime.ErrStopping)
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
		var due []store.Pruned
		for i := range rows {
			if rows[i].Erased > 0 {
				continue
			}
			err := p.archive(ctx, &rows[i])
			if failed := p.goOn(ctx, "archive a run before its data is erased", err); failed != nil {
				return failed
			}
			if err != nil {
				p.kept[rows[i].ID] = true
				continue
			}
			due = append(due, store.Pruned{Run: rows[i].ID})
		}
		for batch := range slices.Chunk(due, batchRuns) {
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

// eraseRuns erases runs and then deletes their large data and logs.
func (p *pass) eraseRuns(ctx context.Context, namespace string, runs []store.Pruned) error {
	p.erasing.Lock()
	defer p.erasing.Unlock()
	for i := range runs {
		delete(p.whole, runs[i].Run)
	}
	done, err := p.remove(ctx, namespace, runs, func(runs []store.Pruned) (m runtime.Removal, t taken) {
		for i := range runs {
			m.Erase = append(m.Erase, runs[i].Run)
		}
		return m, taken{erased: uint64(len(runs))}
	})
	for i := range done {
		if failed := p.goOn(ctx, "delete the large data and logs of an erased run", p.deleteFiles(namespace, done[i].Run)); failed != nil {
			return failed
		}
	}
	return err
}

// remove takes something of runs away, in one batch if that is possible, and
// returns of which it has. Others are kept, but for those that are erased.
func (p *pass) remove(
	ctx context.Context, namespace string, runs []store.Pruned, removal func([]store.Pruned) (runtime.Removal, taken),
) (done []store.Pruned, err error) {
	runs = slices.Clone(runs)
	for len(runs) > 0 {
		m, t := removal(runs)
		m.Entries = []store.Entry{t.entry(namespace)}
		_, err := p.cfg.Runtime.Remove(ctx, m)
		var live *runtime.LiveError
		var erased *runtime.ErasedError
		switch {
		case err == nil:
			p.count(t)
			return runs, nil
		case errors.As(err, &live): // it was retried, or is being read to see whether it can be
			p.kept[live.Run] = true
			runs = slices.DeleteFunc(runs, func(r store.Pruned) bool { return r.Run == live.Run })
		case errors.As(err, &erased):
			runs = slices.DeleteFunc(runs, func(r store.Pruned) bool { return r.Run == erased.Run })
		case len(runs) == 1 || ends(ctx, err):
			for i := range runs {
				p.kept[runs[i].Run] = true
			}
			return nil, p.goOn(ctx, fmt.Sprintf("take away run %s", runs[0].Run), err)
		default: // it may be that of one run: each by itself
			for one := range slices.Chunk(runs, 1) {
				gone, err := p.remove(ctx, namespace, one, removal)
				done = append(done, gone...)
				if err != nil {
					return done, err
				}
			}
			return done, nil
		}
	}
	return nil, nil
}

// archive copies a run that something is taken of, if its namespace wants that.
func (p *pass) archive(ctx context.Context, row *store.RunRow) error {
	if !p.policies[row.Namespace].Archive || row.Erased > 0 {
		return nil
	}
	if p.cfg.Archive == nil {
		return fmt.Errorf("run %s: %w", row.ID, ErrNoArchive)
	}
	added, err := p.cfg.Archive.Keep(ctx, row)
	if added {
		p.tally(row.Namespace, taken{archived: 1})
	}
	return err
}

// deleteLogs deletes the logs of a run.
func (p *pass) deleteLogs(namespace string, run store.RunID) error {
	n, err := p.cfg.Logs.RemoveLogs(run)
	p.tally(namespace, taken{logs: uint64(n)})
	if err != nil {
		return fmt.Errorf("run %s: %w", run, err)
	}
	return nil
}

// deleteFiles deletes the large data and the logs of a run.
func (p *pass) deleteFiles(namespace string, run store.RunID) error {
	if _, err := p.cfg.Blobs.RemoveBlobs(string(run)); err != nil {
		return err
	}
	return p.deleteLogs(namespace, run)
}

// removeBlobs deletes large data that was left of runs that have none any more: by
// a crash, or by attempts of which nobody wanted to know. A run that has data is
// looked up once, and again when it was erased.
func (p *pass) removeBlobs(ctx context.Context) error {
	owners, err := p.cfg.Blobs.BlobOwners()
	if err != nil {
		return err
	}
	there := make(map[store.RunID]bool, len(owners))
	for _, run := range owners {
		there[store.RunID(run)] = true
		if err := p.goOn(ctx, "delete left large data", p.removeBlobsOf(ctx, store.RunID(run))); err != nil {
			return err
		}
	}
	p.erasing.Lock()
	defer p.erasing.Unlock()
	maps.DeleteFunc(p.whole, func(run store.RunID, _ bool) bool { return !there[run] })
	return nil
}

func (p *pass) removeBlobsOf(ctx context.Context, run store.RunID) error {
	p.erasing.Lock()
	defer p.erasing.Unlock()
	if p.whole[run] {
		return nil
	}
	row, err := p.cfg.Store.Run(ctx, run)
	switch {
	case err == nil && row.Erased > 0, errors.Is(err, store.ErrPruned):
		_, err = p.cfg.Blobs.RemoveBlobs(string(run))
		return err
	case err == nil, errors.Is(err, store.ErrNotFound): // of another database, such as before a restore
		p.whole[run] = true
		return nil
	}
	return err
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
		if err := p.goOn(ctx, "look for old logs in "+shard, err); err != nil {
			return err
		}
		for _, run := range owners {
			if err := p.goOn(ctx, "delete old logs", p.removeLogsOf(ctx, run)); err != nil {
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
		return fmt.Errorf("read run %s: %w", run, err)
	}
	policy := p.policies[row.Namespace]
	keep := policy.logs()
	if keep == 0 || !row.Ended() || row.Erased == 0 && row.EndedAt.After(p.now.Add(-keep)) {
		return nil
	}
	if err := p.archive(ctx, &row); err != nil {
		return fmt.Errorf("archive it before: %w", err)
	}
	return p.deleteLogs(row.Namespace, run)
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
			if err := p.goOn(ctx, "remove an old run", err); err != nil {
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

// prunable reads which batches have the records of a run, and deletes its files;
// nil if it cannot be read, which hinders no other.
func (p *pass) prunable(ctx context.Context, row *store.RunRow) (*store.Pruned, error) {
	out := &store.Pruned{Run: row.ID}
	for record, err := range p.cfg.Store.Events(ctx, row.ID, 1) {
		if errors.Is(err, store.ErrCorrupt) {
			p.cfg.Log.WarnContext(ctx, "an old run is damaged and stays", "run", row.ID, "error", err)
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read events of run %s: %w", row.ID, err)
		}
		out.Batches = append(out.Batches, record.Batch)
	}
	if err := p.deleteFiles(row.Namespace, row.ID); err != nil {
		return nil, err
	}
	return out, nil
}

func (p *pass) pruneRuns(ctx context.Context, namespace string, runs []store.Pruned) error {
	_, err := p.remove(ctx, namespace, runs, func(runs []store.Pruned) (runtime.Removal, taken) {
		return runtime.Removal{Prune: runs}, taken{pruned: uint64(len(runs))}
	})
	return err
}
