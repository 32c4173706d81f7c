package retention

import (
	"context"
	"errors"
	"fmt"

	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// ActionErase is the action of an erasure in the audit log. Its object is
// run/ID.
const ActionErase = "run.erase"

// unfinished is how many of the last erasures are looked at by Start. One at a
// time is done, so that a crash leaves one unfinished.
const unfinished = 4

// finish deletes the large data and the logs of a run if it was erased.
func (s *Service) finish(ctx context.Context, id store.RunID) error {
	row, err := s.cfg.Store.Run(ctx, id)
	switch {
	case errors.Is(err, store.ErrPruned):
	case err != nil:
		return fmt.Errorf("finish the erasure of run %s: %w", id, err)
	case row.Erased == 0:
		return nil
	}
	_, err = s.cfg.Blobs.RemoveBlobs(string(id))
	if err == nil {
		_, err = s.cfg.Logs.RemoveLogs(id)
	}
	if err == nil && row.Erased > 0 && s.cfg.Archive != nil {
		_, err = s.cfg.Archive.Remove(&row)
	}
	if err != nil {
		return fmt.Errorf("finish the erasure of run %s: %w", id, err)
	}
	return nil
}

// Order asks for the erasure of a run.
type Order struct {
	Run store.RunID
	// Entry says who asks for it and why, with [ActionErase] and run/ID.
	Entry store.Entry
	// DryRun only says what would be done.
	DryRun bool
}

// Erased is what an erasure took away.
type Erased struct {
	// Existing: the run was erased before.
	Existing bool
	// Events is how many events have lost their data now, Logs how many logs are
	// gone.
	Events uint64
	Logs   int
	// Copies is how many files of the run in the archive are gone.
	Copies int
	// Position is the batch of the erasure; 0 in a dry run.
	Position uint64
}

// Erase destroys the data of a run that has ended: key and payloads first, then
// large data, logs and its copies in the archive. To do so again is no error, and
// deletes what was left of them. Errors:
// runtime.ErrLive, store.ErrNotFound, and those of [runtime.Service.Remove]; one
// that names logs says that the rest was done.
func (s *Service) Erase(ctx context.Context, o Order) (Erased, error) {
	s.erasing.Lock()
	defer s.erasing.Unlock()
	row, err := s.cfg.Store.Run(ctx, o.Run)
	if err != nil {
		return Erased{}, fmt.Errorf("erase run %s: %w", o.Run, err)
	}
	if !row.Ended() {
		return Erased{}, &runtime.LiveError{Run: o.Run}
	}
	out := Erased{Existing: row.Erased > 0, Position: row.Erased}
	if !out.Existing {
		out.Events = row.Events
	}
	if o.DryRun {
		if s.cfg.Archive != nil {
			if out.Copies, err = s.cfg.Archive.Count(&row); err != nil {
				return out, err
			}
		}
		out.Logs, err = s.cfg.Logs.CountLogs(o.Run)
		return out, err
	}
	delete(s.whole, o.Run)
	if !out.Existing {
		out.Position, err = s.cfg.Runtime.Remove(ctx, runtime.Removal{Erase: []store.RunID{o.Run}, Entries: []store.Entry{o.Entry}})
		if err != nil {
			return Erased{}, err
		}
	}
	if _, err := s.cfg.Blobs.RemoveBlobs(string(o.Run)); err != nil {
		return out, fmt.Errorf("the data of run %s was erased, but not all of its large data and logs; erase it again: %w", o.Run, err)
	}
	if out.Logs, err = s.cfg.Logs.RemoveLogs(o.Run); err != nil {
		return out, fmt.Errorf("the data of run %s was erased, but not all of its logs; erase it again: %w", o.Run, err)
	}
	if s.cfg.Archive != nil {
		if out.Copies, err = s.cfg.Archive.Remove(&row); err != nil {
			return out, fmt.Errorf("the data of run %s was erased, but not its copies in the archive; erase it again: %w", o.Run, err)
		}
	}
	return out, nil
}
