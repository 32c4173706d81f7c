package datadir

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/store"
)

// Limits of what [Prune] removes.
const (
	// KeepRuns is how many of the newest runs are kept.
	KeepRuns = 100
	// KeepUnfinished is how long a run beyond these that has not ended is kept,
	// counted from when a process last had it.
	KeepUnfinished = 30 * 24 * time.Hour
)

// runsName is the folder of runs in the state directory. It has one entry for
// each run, named by its ID: the data folder of the run, or a link to it.
const runsName = "runs"

// State is the user's state directory for Regie: $REGIE_STATE_DIR,
// $XDG_STATE_HOME/regie or ~/.local/state/regie. As the XDG specification says,
// a relative XDG_STATE_HOME is passed over. Lookup reads the environment.
func State(lookup func(name string) (string, bool)) (string, error) {
	if dir, _ := lookup("REGIE_STATE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir, _ := lookup("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "regie"), nil
	}
	if home, _ := lookup("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "regie"), nil
	}
	return "", errors.New("find the state directory: neither REGIE_STATE_DIR, XDG_STATE_HOME nor HOME names one")
}

// NewRun makes the data folder of a new run in the state directory and opens
// it. The ID must be new: fs.ErrExist, wrapped, if it is not.
func NewRun(state, id string, owner Owner) (*Dir, error) {
	runs, err := openRuns(state, id)
	if err != nil {
		return nil, fmt.Errorf("make folder of run: %w", err)
	}
	defer runs.Close()
	err = runs.Mkdir(id, dirMode)
	if err == nil {
		err = SyncDir(runs.Open, ".")
	}
	if err != nil {
		return nil, fmt.Errorf("make folder of run: %w", err)
	}
	root, err := runs.OpenRoot(id)
	if err != nil {
		return nil, fmt.Errorf("open folder of run: %w", err)
	}
	return open(filepath.Join(runs.Name(), id), root, owner)
}

// LinkRun lets [FindRun] find a run whose data folder is elsewhere.
func LinkRun(state, id, folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return fmt.Errorf("link run: %w", err)
	}
	runs, err := openRuns(state, id)
	if err != nil {
		return fmt.Errorf("link run: %w", err)
	}
	defer runs.Close()
	if err := runs.Symlink(folder, id); err != nil {
		return fmt.Errorf("link run: %w", err)
	}
	return nil
}

// FindRun returns the path of the data folder of a run, or [ErrNotFound],
// wrapped.
func FindRun(state, id string) (string, error) {
	if !store.RunID(id).Valid() {
		return "", fmt.Errorf("%w: %q is not a run ID", ErrNotFound, id)
	}
	found := filepath.Join(state, runsName, id)
	// A link leads out of the state directory: it is followed on purpose.
	info, err := os.Stat(found)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.IsDir():
		return "", fmt.Errorf("%w: run %s", ErrNotFound, id)
	case err != nil:
		return "", fmt.Errorf("find run: %w", err)
	}
	if resolved, err := filepath.EvalSymlinks(found); err == nil {
		found = resolved
	}
	return filepath.Abs(found)
}

// openRuns opens the folder of runs, made if it is missing, and checks the ID.
func openRuns(state, id string) (*os.Root, error) {
	if !store.RunID(id).Valid() {
		return nil, fmt.Errorf("%q is not a run ID", id)
	}
	dir, err := filepath.Abs(filepath.Join(state, runsName))
	if err != nil {
		return nil, err
	}
	if err := MakeAll(dir); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// Prune removes folders of runs, all but the newest keep, and returns the IDs
// of those that it removed. IDs sort by time. A folder that a process has is
// kept, and so is one whose run has not ended, unless nobody had it for
// [KeepUnfinished]. Of a link only the link goes. What cannot be removed does
// not keep the others.
func Prune(state string, keep int, now time.Time) ([]string, error) {
	runs, err := os.OpenRoot(filepath.Join(state, runsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("prune runs: %w", err)
	}
	defer runs.Close()
	entries, err := fs.ReadDir(runs.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("prune runs: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !store.RunID(e.Name()).Valid() })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	var removed []string
	var errs []error
	for _, e := range entries[:max(0, len(entries)-keep)] {
		gone, err := prune(runs, e, now)
		if err != nil {
			errs = append(errs, fmt.Errorf("prune run %s: %w", e.Name(), err))
		}
		if gone {
			removed = append(removed, e.Name())
		}
	}
	return removed, errors.Join(errs...)
}

// prune removes one entry, if it may.
func prune(runs *os.Root, e fs.DirEntry, now time.Time) (removed bool, err error) {
	switch {
	case e.Type()&fs.ModeSymlink != 0:
		err = runs.Remove(e.Name())
		return err == nil, err
	case !e.IsDir() || !mayPrune(runs, e, now):
		return false, nil
	}
	lock, err := runs.OpenFile(path.Join(e.Name(), lockName), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return false, err
	}
	defer lock.Close()
	if flock(lock) != nil {
		return false, nil // a process has it
	}
	if err := runs.RemoveAll(e.Name()); err != nil {
		return false, err
	}
	return true, nil
}

// mayPrune reports whether the run has ended, or was left long ago.
func mayPrune(runs *os.Root, e fs.DirEntry, now time.Time) bool {
	if _, err := runs.Stat(path.Join(e.Name(), endedName)); err == nil {
		return true
	}
	info, err := runs.Stat(path.Join(e.Name(), lockName))
	if err != nil {
		info, err = e.Info() // never opened
	}
	return err == nil && now.Sub(info.ModTime()) > KeepUnfinished
}
