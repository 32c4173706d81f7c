package local

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
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/worker"
)

// Names in the data folder beside those of package datadir.
const (
	launchesName = "launches" // what runs were started with, see [Launch]
	markerName   = "deciding" // which run is in hand, see [runtime.Marker]
)

// folder is an open data folder with what is in it.
type folder struct {
	dir    *datadir.Dir
	store  store.Store
	marker *runtime.Marker
	file   *os.File // of the marker

	launch   sync.Once
	launched error
}

// Owner says who has a data folder: this process, for the command.
func Owner(command string, now time.Time) datadir.Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return datadir.Owner{PID: os.Getpid(), Host: host, Started: now.UTC().Truncate(time.Second), Command: command}
}

// openFolder opens the data folder of a configuration for this process alone.
func openFolder(ctx context.Context, cfg *Config) (f *folder, err error) {
	f = &folder{dir: cfg.Folder}
	defer func() {
		if err != nil {
			f, err = nil, errors.Join(err, f.close())
		}
	}()
	if f.dir == nil {
		if f.dir, err = datadir.Open(cfg.Dir, Owner(cfg.Holder, time.Now())); err != nil {
			return f, err
		}
	}
	if err := f.openStore(ctx, false); err != nil {
		return f, err
	}
	if f.file, err = f.dir.Root().OpenFile(markerName, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return f, fmt.Errorf("open data folder: %w", err)
	}
	f.marker, err = runtime.OpenMarker(f.file)
	return f, err
}

// viewFolder opens a data folder for reading, beside the process that has it.
// store.ErrNotFound, wrapped, if there is nothing in it yet.
func viewFolder(ctx context.Context, dir string) (*folder, error) {
	view, err := datadir.View(dir)
	if errors.Is(err, datadir.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	f := &folder{dir: view}
	if _, err := os.Stat(view.Database()); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%w: no database in %s", store.ErrNotFound, dir), f.close())
	}
	if err := f.openStore(ctx, true); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *folder) openStore(ctx context.Context, mustExist bool) error {
	key, err := f.dir.Key()
	if err != nil {
		return err
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Path: f.dir.Database(), Key: key, MustExist: mustExist})
	if err != nil {
		return err
	}
	f.store = s
	return nil
}

func (f *folder) close() error {
	var errs []error
	if f.store != nil {
		errs = append(errs, f.store.Close())
	}
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	if f.dir != nil {
		errs = append(errs, f.dir.Close())
	}
	return errors.Join(errs...)
}

// attempts is where the folders of attempts are.
func (f *folder) attempts() string { return filepath.Join(f.dir.Path(), datadir.WorkName) }

// logName is the name of the log of an attempt in the folder.
func logName(run store.RunID, act engine.ActID, attempt int) string {
	return path.Join(datadir.LogsName, string(run), worker.AttemptName(act, attempt))
}

// openLog opens the log of an attempt for writing.
func (f *folder) openLog(run store.RunID, act engine.ActID, attempt int) (*tasklog.Writer, error) {
	root, name := f.dir.Root(), logName(run, act, attempt)
	if err := root.Mkdir(path.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make folder of logs: %w", err)
	}
	return tasklog.Open(root, name)
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
	root := f.dir.Root()
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
		if err := syncDir(root, name); err != nil {
			return fmt.Errorf("record launch: %w", err)
		}
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// launchOf reads what a run was started with; nothing if there is no record.
func (f *folder) launchOf(run store.RunID) (*Launch, error) {
	entries, err := fs.ReadDir(f.dir.Root().FS(), launchesName)
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
	text, err := fs.ReadFile(f.dir.Root().FS(), path.Join(launchesName, entries[at-1].Name()))
	if err != nil {
		return nil, fmt.Errorf("read what run %s was started with: %w", run, err)
	}
	return decodeLaunch(text)
}
