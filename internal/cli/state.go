package cli

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
)

// stateDir is the user's state directory, where runs without --data are kept.
func (c *cli) stateDir() (string, error) {
	state, err := datadir.State(c.LookupEnv)
	if err != nil {
		return "", failf(exitInvalid, "no_state_directory", "nobody says where to keep runs: %w", err).
			withHint("name a data folder with --data DIR")
	}
	return state, nil
}

// owner says who has a data folder.
func (c *cli) owner() datadir.Owner { return home.Owner(c.commandLine(), c.Clock.Now()) }

// commandLine is the command as others see it: without its flags, whose values
// may be secret.
func (c *cli) commandLine() string {
	words := []string{"regie"}
	for i, arg := range c.Args {
		if i >= 2 || strings.HasPrefix(arg, "-") {
			break
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// newRunFolder opens the folder of a new run: a fresh one in the state
// directory, or the one that was named, to which the state directory then has a
// link.
func (c *cli) newRunFolder(run store.RunID, named string) (*datadir.Dir, error) {
	state, err := c.stateDir()
	if named == "" {
		if err != nil {
			return nil, err
		}
		dir, err := datadir.NewRun(state, string(run), c.owner())
		if err != nil {
			return nil, folderFailure(err)
		}
		return dir, nil
	}
	path, absErr := c.abs(named)
	if absErr != nil {
		return nil, absErr
	}
	dir, openErr := datadir.Open(path, c.owner())
	if openErr != nil {
		return nil, folderFailure(openErr)
	}
	if err == nil {
		// Without the link, show and logs need --data; nothing else is lost.
		_ = datadir.LinkRun(state, string(run), path)
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
	dir, err := datadir.FindRun(state, run)
	if errors.Is(err, datadir.ErrNotFound) {
		return "", noSuchRun(run)
	}
	if err != nil {
		return "", folderFailure(err)
	}
	return dir, nil
}

func noSuchRun(run string) error {
	return failf(exitInvalid, "not_found", "there is no run %s here", run).
		withHint("`regie show` lists recent runs, of which the newest %d are kept; if its folder was named by --data DIR, name it again", datadir.KeepRuns)
}

// prune removes old runs from the state directory.
func (c *cli) prune(now time.Time) {
	state, err := datadir.State(c.LookupEnv)
	if err != nil {
		return
	}
	if _, err := datadir.Prune(state, datadir.KeepRuns, now); err != nil {
		c.warn(err.Error())
	}
}

// folderFailure says why a data folder cannot be used.
func folderFailure(err error) error {
	switch {
	case errors.Is(err, datadir.ErrHeld):
		return failf(exitInternal, "locked", "%w", err).withHint("wait until it has ended, or use another folder")
	case errors.Is(err, datadir.ErrUnsafe), errors.Is(err, datadir.ErrKey), errors.Is(err, store.ErrWrongKey):
		return failf(exitInternal, "unsafe", "%w", err)
	case errors.Is(err, store.ErrCorrupt):
		return failf(exitInternal, "damaged", "%w", err).withHint("nothing was changed; put a backup in its place, or use another folder")
	case errors.Is(err, store.ErrFormat):
		return failf(exitInternal, "unknown_format", "%w", err).withHint("use the newer Regie")
	case errors.Is(err, fs.ErrPermission):
		return failf(exitInternal, "not_writable", "%w", err).withHint("name a folder that you may write to with --data DIR")
	}
	return failf(exitInternal, "internal", "%w", err).withHint("see whether it is a folder that can be written to, on a disk with room, or name another with --data DIR")
}
