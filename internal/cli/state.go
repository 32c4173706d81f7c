package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/regie-dev/regie/internal/store"
)

// keptRuns is how many runs without a data folder of their own naming are kept.
const keptRuns = 100

// The state directory has one entry for each run, named by its ID: the data
// folder of the run, or a link to the folder that --data named.

// stateDir is where runs without --data are kept.
func (c *cli) stateDir() (string, error) {
	if dir := c.env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "regie", "runs"), nil
	}
	home := c.env("HOME")
	if !filepath.IsAbs(home) {
		return "", failf(exitInvalid, "no_state_directory", "nobody says where to keep runs: HOME is not set").
			withHint("name a data folder with --data DIR")
	}
	return filepath.Join(home, ".local", "state", "regie", "runs"), nil
}

// newRunFolder is the folder of a new run: a fresh one in the state directory,
// or the one that was named, to which the state directory then has a link.
func (c *cli) newRunFolder(run store.RunID, named string) (string, error) {
	state, err := c.stateDir()
	if named == "" {
		if err != nil {
			return "", err
		}
		dir := filepath.Join(state, string(run))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", failf(exitInternal, "unwritable", "the state directory cannot be written: %w", err)
		}
		return dir, nil
	}
	dir, absErr := c.abs(named)
	if absErr != nil {
		return "", absErr
	}
	if err == nil {
		// Without the link, show and logs need --data; nothing else is lost.
		if os.MkdirAll(state, 0o700) == nil {
			_ = os.Symlink(dir, filepath.Join(state, string(run)))
		}
	}
	return dir, nil
}

// runFolder finds the data folder of a run.
func (c *cli) runFolder(run, named string) (string, error) {
	if !store.RunID(run).Valid() {
		return "", usagef("%q is not the ID of a run", run).withHint("`regie show` lists recent runs")
	}
	if named != "" {
		return c.abs(named)
	}
	state, err := c.stateDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(state, run)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", failf(exitInvalid, "not_found", "there is no run %s here", run).
			withHint("`regie show` lists recent runs; the newest %d are kept. If it was started with --data DIR, say so again", keptRuns)
	}
	return dir, nil
}

// forgetOldRuns removes all but the newest runs from the state directory. One
// that is in use stays.
func (c *cli) forgetOldRuns(inUse func(dir string) bool) error {
	state, err := c.stateDir()
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(state)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("forget old runs: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !store.RunID(e.Name()).Valid() })
	var errs []error
	for _, e := range entries[:max(0, len(entries)-keptRuns)] { // names sort by time
		path := filepath.Join(state, e.Name())
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			errs = append(errs, os.Remove(path)) // the folder is its owner's
		case e.IsDir() && !inUse(path):
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}
