package archive

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
)

const (
	tempName = ".tmp" // no namespace begins with a dot
	suffix   = ".zip"
	dirMode  = fs.FileMode(0o700)
	fileMode = fs.FileMode(0o600)
)

// Run is the run that a copy is of.
type Run struct {
	ID, Namespace string
	EndedAt       time.Time
	// Events is the number of its last event.
	Events uint64
}

// folder is where its copies are.
func (r *Run) folder() string { return path.Join(r.Namespace, r.EndedAt.UTC().Format("2006-01")) }

// prefix is how the names of its copies begin.
func (r *Run) prefix() string { return r.ID + "-" }

func (r *Run) name() string {
	return path.Join(r.folder(), r.prefix()+strconv.FormatUint(r.Events, 10)+suffix)
}

// Folder is an archive. Safe for concurrent use. Copies that several servers write
// into one folder do not harm each other, but they delete each other's unfinished
// ones when they start.
type Folder struct {
	root *os.Root

	mu    sync.Mutex
	temps uint64
}

// Open opens the archive in a folder, which is made if it is not there, and
// deletes what an earlier process did not write to its end.
func Open(name string) (*Folder, error) {
	if err := datadir.MakeAll(name); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	err = root.RemoveAll(tempName)
	if err == nil {
		err = root.Mkdir(tempName, dirMode)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the archive in %s: %w", name, err), root.Close())
	}
	return &Folder{root: root}, nil
}

// Close closes it.
func (f *Folder) Close() error { return f.root.Close() }

// Keep writes a copy of a run, durably. False says that there is one already, in
// which case fill is not called. An error of fill is passed on, and nothing is
// kept then.
func (f *Folder) Keep(r Run, fill func(w *zip.Writer) error) (added bool, err error) {
	switch _, err := f.root.Lstat(r.name()); {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("archive run %s: %w", r.ID, err)
	}
	f.mu.Lock()
	f.temps++
	temp := path.Join(tempName, strconv.FormatUint(f.temps, 10))
	f.mu.Unlock()
	defer func() { _ = f.root.Remove(temp) }() // gone, if all went well
	err = f.write(temp, fill)
	if err == nil {
		err = f.place(temp, &r)
	}
	if err != nil {
		return false, fmt.Errorf("archive run %s: %w", r.ID, err)
	}
	return true, nil
}

// write fills a new file, and syncs it.
func (f *Folder) write(temp string, fill func(w *zip.Writer) error) error {
	file, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 256<<10)
	w := zip.NewWriter(buffered)
	err = fill(w)
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// place gives a written file its name, durably.
func (f *Folder) place(temp string, r *Run) error {
	if err := f.root.MkdirAll(r.folder(), dirMode); err != nil {
		return err
	}
	if err := f.root.Rename(temp, r.name()); err != nil {
		return err
	}
	var err error
	for dir := r.folder(); ; dir = path.Dir(dir) {
		err = errors.Join(err, datadir.SyncDir(f.root.Open, dir))
		if dir == "." {
			return err
		}
	}
}

// Count is how many copies of a run there are.
func (f *Folder) Count(r Run) (int, error) {
	names, err := f.copies(&r)
	return len(names), err
}

// Remove deletes the copies of a run, durably, and returns how many there were.
// To delete those of a run that has none is no error.
func (f *Folder) Remove(r Run) (int, error) {
	names, err := f.copies(&r)
	for _, name := range names {
		if err == nil {
			err = f.root.Remove(name)
		}
	}
	if err == nil && len(names) > 0 {
		err = datadir.SyncDir(f.root.Open, r.folder())
	}
	if err != nil {
		return 0, fmt.Errorf("delete the copies of run %s in the archive: %w", r.ID, err)
	}
	return len(names), nil
}

// copies are the files of a run.
func (f *Folder) copies(r *Run) ([]string, error) {
	dir, err := f.root.Open(r.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for run %s in the archive: %w", r.ID, err)
	}
	all, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return nil, fmt.Errorf("look for run %s in the archive: %w", r.ID, err)
	}
	var out []string
	for _, name := range all {
		rest, mine := strings.CutPrefix(name, r.prefix())
		number, zipped := strings.CutSuffix(rest, suffix)
		if _, err := strconv.ParseUint(number, 10, 64); mine && zipped && err == nil {
			out = append(out, path.Join(r.folder(), name))
		}
	}
	return out, nil
}
