package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
)

// launchesName is where a data folder has what runs were started with, see
// [Launch].
const launchesName = "launches"

// folder is an open data folder with what runs in it were started with.
type folder struct {
	*home.Folder

	launch   sync.Once
	launched error
}

// keepLaunch records what the runs of this process are started with, before the
// first of them. The record is named by that run: a later run was started with
// the last record before it.
func (f *folder) keepLaunch(run store.RunID, l *Launch) error {
	f.launch.Do(func() { f.launched = f.writeLaunch(run, l) })
	return f.launched
}

func (f *folder) writeLaunch(run store.RunID, l *Launch) error {
	text, err := l.encode()
	if err != nil {
		return err
	}
	root := f.Dir.Root()
	if err := root.Mkdir(launchesName, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("record launch: %w", err)
	}
	file, err := root.OpenFile(path.Join(launchesName, string(run)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("record launch: %w", err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("record launch: %w", err)
	}
	for _, name := range []string{launchesName, "."} {
		if err := datadir.SyncDir(root.Open, name); err != nil {
			return fmt.Errorf("record launch: %w", err)
		}
	}
	return nil
}

// launchOf reads what a run was started with; nothing if there is no record.
func (f *folder) launchOf(run store.RunID) (*Launch, error) {
	entries, err := fs.ReadDir(f.Dir.Root().FS(), launchesName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what run %s was started with: %w", run, err)
	}
	at, exact := slices.BinarySearchFunc(entries, string(run), func(e fs.DirEntry, name string) int { return strings.Compare(e.Name(), name) })
	if exact {
		at++
	}
	if at == 0 {
		return &Launch{}, nil
	}
	text, err := fs.ReadFile(f.Dir.Root().FS(), path.Join(launchesName, entries[at-1].Name()))
	if err != nil {
		return nil, fmt.Errorf("read what run %s was started with: %w", run, err)
	}
	return decodeLaunch(text)
}
