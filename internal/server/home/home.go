package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/regie-dev/regie/internal/blob/folder"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/large"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/worker"
)

// Names in the data folder beside those of package datadir.
const (
	markerName = "deciding" // which run is in hand, see [runtime.Marker]
)

// Folder is an open data folder with what is in it.
type Folder struct {
	Dir    *datadir.Dir
	Store  *sqlite.Store
	Marker *runtime.Marker // nil in a view
	// Blobs are the files that steps left, see package blob.
	Blobs *folder.Store
	// Large are values that are too large for events; they lie among the blobs.
	Large *large.Store

	file *os.File // of the marker
}

// Owner says who has a data folder: this process, for the command.
func Owner(command string, now time.Time) datadir.Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return datadir.Owner{PID: os.Getpid(), Host: host, Started: now.UTC().Truncate(time.Second), Command: command}
}

// Open opens a data folder, which is made if it is not there, for this process
// alone.
func Open(ctx context.Context, dir string, owner datadir.Owner) (*Folder, error) {
	d, err := datadir.Open(dir, owner)
	if err != nil {
		return nil, err
	}
	return Take(ctx, d)
}

// Take opens what is in a data folder that this process has. It closes the
// folder, also when it fails.
func Take(ctx context.Context, dir *datadir.Dir) (f *Folder, err error) {
	f = &Folder{Dir: dir}
	defer func() {
		if err != nil {
			f, err = nil, errors.Join(err, f.Close())
		}
	}()
	if err := f.openStore(ctx, false); err != nil {
		return f, err
	}
	if f.Blobs, err = folder.Open(folder.Config{Root: f.Dir.Root(), Name: datadir.BlobsName}); err != nil {
		return f, err
	}
	f.Large = large.New(large.Config{Blobs: f.Blobs})
	if f.file, err = f.Dir.Root().OpenFile(markerName, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return f, fmt.Errorf("open data folder: %w", err)
	}
	f.Marker, err = runtime.OpenMarker(f.file)
	return f, err
}

// View opens a data folder for reading, beside the process that has it.
// store.ErrNotFound, wrapped, if there is nothing in it yet.
func View(ctx context.Context, dir string) (*Folder, error) {
	view, err := datadir.View(dir)
	if errors.Is(err, datadir.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	f := &Folder{Dir: view, Blobs: folder.View(folder.Config{Root: view.Root(), Name: datadir.BlobsName})}
	f.Large = large.New(large.Config{Blobs: f.Blobs})
	if _, err := os.Stat(view.Database()); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%w: no database in %s", store.ErrNotFound, dir), f.Close())
	}
	if err := f.openStore(ctx, true); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Folder) openStore(ctx context.Context, mustExist bool) error {
	key, err := f.Dir.Key()
	if err != nil {
		return err
	}
	s, err := sqlite.Open(ctx, sqlite.Config{Path: f.Dir.Database(), Key: key, MustExist: mustExist})
	if err != nil {
		return err
	}
	f.Store = s
	return nil
}

// Close ends everything, and unlocks the folder.
func (f *Folder) Close() error {
	var errs []error
	if f.Store != nil {
		errs = append(errs, f.Store.Close())
	}
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	if f.Dir != nil {
		errs = append(errs, f.Dir.Close())
	}
	return errors.Join(errs...)
}

// Attempts is where the folders of attempts are.
func (f *Folder) Attempts() string { return filepath.Join(f.Dir.Path(), datadir.WorkName) }

// shardLetters is how many letters of run IDs name a folder of logs: it holds
// those of the runs that were accepted within half a minute. A folder for each
// run would cost a short step more than all else that is done for it.
const shardLetters = 7

// LogName is the name of the log of an attempt in the folder.
func LogName(run store.RunID, act engine.ActID, attempt int) string {
	return path.Join(shardOf(run), string(run)+"-"+worker.AttemptName(act, attempt))
}

// OpenLog opens the log of an attempt for writing.
func (f *Folder) OpenLog(run store.RunID, act engine.ActID, attempt int) (*tasklog.Writer, error) {
	root, name := f.Dir.Root(), LogName(run, act, attempt)
	log, err := tasklog.Open(root, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return log, err
	}
	if err := root.Mkdir(path.Dir(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make folder of logs: %w", err)
	}
	return tasklog.Open(root, name)
}

// ReadLog opens the log of an attempt for reading. fs.ErrNotExist, wrapped, if
// it printed nothing, or has not begun.
func (f *Folder) ReadLog(run store.RunID, act engine.ActID, attempt int) (*os.File, error) {
	file, err := f.Dir.Root().Open(LogName(run, act, attempt))
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return file, nil
}
