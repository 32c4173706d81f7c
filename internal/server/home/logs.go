package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/store"
)

// shardOf is the folder that has the logs of a run.
func shardOf(run store.RunID) string {
	return path.Join(datadir.LogsName, string(run[:min(shardLetters, len(run))]))
}

// logOwner is the run that a log is of, by the name that LogName gives; empty if
// it is none.
func logOwner(name string) store.RunID {
	for range 2 { // activation and attempt
		end := strings.LastIndexByte(name, '-')
		if end < 0 {
			return ""
		}
		name = name[:end]
	}
	return store.RunID(name)
}

// CountLogs is how many logs a run has.
func (f *Folder) CountLogs(run store.RunID) (int, error) {
	names, err := f.logsOf(run)
	return len(names), err
}

// RemoveLogs deletes the logs of a run and returns how many there were. When it
// returns without an error, their names are gone from the disk.
func (f *Folder) RemoveLogs(run store.RunID) (int, error) {
	names, err := f.logsOf(run)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	root := f.Dir.Root()
	for i, name := range names {
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return i, fmt.Errorf("delete log: %w", err)
		}
	}
	if err := datadir.SyncDir(root.Open, shardOf(run)); err != nil {
		return len(names), fmt.Errorf("delete logs: %w", err)
	}
	return len(names), nil
}

// logsOf are the names of a run's logs in the data folder.
func (f *Folder) logsOf(run store.RunID) ([]string, error) {
	shard := shardOf(run)
	entries, err := f.readDir(shard)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if logOwner(e.Name()) == run {
			names = append(names, path.Join(shard, e.Name()))
		}
	}
	return names, nil
}

// readDir lists a folder; one that is not there is empty.
func (f *Folder) readDir(name string) ([]os.DirEntry, error) {
	dir, err := f.Dir.Root().Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	entries, err := dir.ReadDir(-1)
	if err := errors.Join(err, dir.Close()); err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	return entries, nil
}

// LogShards are the names of the folders of logs, in order: the beginnings of
// the IDs of the runs that have logs in them.
func (f *Folder) LogShards() ([]string, error) {
	entries, err := f.readDir(datadir.LogsName)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names, nil
}

// LogOwners are the runs that have logs in a shard, in order. An empty shard is
// removed, so that it is to be asked of those only in which no run begins.
func (f *Folder) LogOwners(shard string) ([]store.RunID, error) {
	entries, err := f.readDir(path.Join(datadir.LogsName, shard))
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		// It may have got a log just now: then it stays.
		_ = f.Dir.Root().Remove(path.Join(datadir.LogsName, shard))
	}
	var owners []store.RunID
	for _, e := range entries {
		if owner := logOwner(e.Name()); owner != "" {
			owners = append(owners, owner)
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners), nil
}

// Usage is how much room the folder takes, in bytes: its database, its logs, and
// all else.
func (f *Folder) Usage(ctx context.Context) (database, logs, other int64, err error) {
	base := filepath.Base(f.Dir.Database())
	err = fs.WalkDir(f.Dir.Root().FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || d.IsDir() {
			return gone(err)
		}
		info, err := d.Info()
		if err != nil {
			return gone(err)
		}
		switch {
		case strings.HasPrefix(name, datadir.LogsName+"/"):
			logs += info.Size()
		case strings.HasPrefix(name, base):
			database += info.Size()
		default:
			other += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0, 0, 0, fmt.Errorf("measure the data folder: %w", err)
	}
	return database, logs, other, nil
}

// gone passes over what went while it was looked at, or is another user's.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
