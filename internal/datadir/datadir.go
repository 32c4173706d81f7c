package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Names in a data folder.
const (
	DatabaseName = "regie.db"
	LogsName     = "logs"
	WorkName     = "work"
	BlobsName    = "blobs"
	// KeyFile is where the key-encryption key is.
	KeyFile   = keysName + "/" + keyName
	keysName  = "keys"
	keyName   = "kek"
	lockName  = "lock"
	endedName = "ended"
)

// Modes of what is made.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// Errors.
var (
	// ErrHeld: another process has the folder. The error is a *[HeldError].
	ErrHeld = errors.New("data folder is in use")
	// ErrNotFound: there is no such folder or run.
	ErrNotFound = errors.New("data folder not found")
	// ErrUnsafe: the folder or its key is open to others; nothing was used.
	ErrUnsafe = errors.New("unsafe permissions")
	// ErrKey: the key is missing although there is a database, or is not a key.
	ErrKey = errors.New("key-encryption key cannot be had")
)

// Owner is a process that has a data folder.
type Owner struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Started time.Time `json:"started"`
	Command string    `json:"command"`
}

// HeldError says who has a folder. An Owner with PID 0 is not known.
type HeldError struct {
	Path  string
	Owner Owner
}

func (e *HeldError) Error() string {
	if e.Owner.PID == 0 {
		return fmt.Sprintf("data folder %s is in use by another process", e.Path)
	}
	return fmt.Sprintf("data folder %s is in use by process %d on %s since %s (%s)",
		e.Path, e.Owner.PID, e.Owner.Host, e.Owner.Started.Format(time.RFC3339), e.Owner.Command)
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// Dir is an open data folder.
type Dir struct {
	path string
	root *os.Root
	lock *os.File // nil for a view

	once  sync.Once
	close error
}

// Open opens the folder for this process alone, until Close or the end of the
// process, and makes what is missing in it, itself included. Errors:
// *[HeldError], [ErrUnsafe], wrapped.
func Open(path string, owner Owner) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	if err := MakeAll(path); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	return open(path, root, owner)
}

// open makes a Dir of an existing folder and takes root over.
func open(path string, root *os.Root, owner Owner) (_ *Dir, err error) {
	d := &Dir{path: path, root: root}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := checkFolder(root, path); err != nil {
		return nil, err
	}
	if d.lock, err = acquire(root, path, owner); err != nil {
		return nil, err
	}
	made := false
	for _, name := range []string{keysName, LogsName, WorkName} {
		err := root.Mkdir(name, dirMode)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make data folder: %w", err)
		}
		made = made || err == nil
	}
	if made {
		err = SyncDir(root.Open, ".")
	}
	return d, err
}

// View opens an existing folder for reading, beside the process that has it.
// The caller must not write to it. Errors: [ErrNotFound], [ErrUnsafe], wrapped.
func View(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open data folder: %w", err)
	}
	if err := checkFolder(root, path); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &Dir{path: path, root: root}, nil
}

// Path is the absolute path of the folder.
func (d *Dir) Path() string { return d.path }

// Database is the path of the database.
func (d *Dir) Database() string { return filepath.Join(d.path, DatabaseName) }

// Root reaches the files of the folder, and nothing outside of it. It is closed
// with the Dir.
func (d *Dir) Root() *os.Root { return d.root }

// SetEnded notes whether the run of the folder has ended, which lets [Prune]
// remove it one day.
func (d *Dir) SetEnded(ended bool) error {
	if !ended {
		if err := d.root.Remove(endedName); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("note that the run goes on: %w", err)
		}
		return nil
	}
	f, err := d.root.OpenFile(endedName, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("note that the run has ended: %w", err)
	}
	return f.Close()
}

// Close gives the folder back. It is idempotent.
func (d *Dir) Close() error {
	d.once.Do(func() {
		if d.lock != nil {
			d.close = errors.Join(d.lock.Truncate(0), unlock(d.lock), d.lock.Close())
		}
		d.close = errors.Join(d.close, d.root.Close())
	})
	return d.close
}

// MakeAll makes a folder, for its owner alone, and those above it that are missing,
// durably. One that is there stays as it is.
func MakeAll(path string) error {
	err := os.Mkdir(path, dirMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := MakeAll(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, dirMode)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return SyncDir(os.Open, filepath.Dir(path))
}

// SyncDir makes the names in a folder durable, such as that of a file that was
// made in it or renamed. open is [os.Open], or the Open of an [os.Root].
func SyncDir(open func(name string) (*os.File, error), name string) error {
	dir, err := open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
