package auditlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/datadir"
)

// FileAnchor appends checkpoints to a file, as lines of JSON that
// evidence.ReadKept reads: a mount of another machine, or a medium that can only
// be appended to. Before it appends, it compares with the last line, so that an
// old copy of the log that was put back is found.
type FileAnchor struct{ path string }

// NewFileAnchor returns an anchor for a file, whose folder exists.
func NewFileAnchor(path string) *FileAnchor { return &FileAnchor{path} }

// Kind is file.
func (a *FileAnchor) Kind() string { return "file" }

// Target is the path.
func (a *FileAnchor) Target() string { return a.path }

// Put appends the checkpoint, synced, unless it is the last line.
func (a *FileAnchor) Put(ctx context.Context, c *Signed, h History) (err error) {
	root, err := os.OpenRoot(filepath.Dir(a.path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	name := filepath.Base(a.path)
	f, err := root.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last, err := lastLine(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", a.path, err)
	}
	line, err := evidence.LineOf(c.Note)
	if err != nil {
		return err
	}
	if last.end != 0 {
		have, err := a.compare(ctx, last.text, c, h)
		if err != nil || have {
			return err
		}
	}
	if last.end != info.Size() { // a crash cut the last line: readers pass it over
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil || info.Size() != 0 {
		return err
	}
	return datadir.SyncDir(root.Open, ".")
}

// compare checks that the checkpoint continues the last line, and reports
// whether it is the same one.
func (a *FileAnchor) compare(ctx context.Context, text []byte, c *Signed, h History) (bool, error) {
	_, old, err := evidence.OpenLine(text, h.Key())
	if err != nil {
		return false, fmt.Errorf("the last line of %s is not a checkpoint of the log %s: give each log a file of its own", a.path, h.Key().Origin())
	}
	if err := h.Continues(ctx, c, old, "the last line of "+a.path); err != nil {
		return false, err
	}
	return old.Size == c.Size, nil
}
