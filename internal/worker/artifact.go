package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/glob"
	"github.com/regie-dev/regie/internal/workflow"
)

// Names of errors of attempts with artifacts, and with those of others.
const (
	ErrArtifacts = "artifacts"
	ErrFilesFrom = "files_from"
)

// Bounds of artifacts.
const (
	// MaxArtifacts is how many files one attempt may keep.
	MaxArtifacts = 1000
	// MaxSearched is how many files and folders are looked at for them.
	MaxSearched = 100_000
	// MaxFilesFrom is how many bytes of artifacts one attempt gets: they travel
	// to it in one piece.
	MaxFilesFrom = 64 << 20
)

// workFolder is the working directory in an attempt's folder.
const workFolder = "work"

// withArtifacts keeps the files that an attempt left, whether it succeeded or
// failed, unless it was told to stop. A success whose files cannot be kept is a
// failure; a failure stays what it is. False says that the worker was detached
// meanwhile: whoever finds the attempt again keeps them.
func (w *Worker) withArtifacts(t *engine.Task, dir string, s *session, out engine.TaskOutcome) (engine.TaskOutcome, bool) {
	if t.Node == nil || t.Node.Task == nil || len(t.Node.Task.Artifacts) == 0 || out.Kind == engine.OutcomeCanceled {
		return out, true
	}
	c := &collector{w: w, task: t, seen: map[string]bool{}}
	err := c.collect(filepath.Join(dir, workFolder))
	if err != nil && w.detached.Err() != nil {
		return engine.TaskOutcome{}, false
	}
	if err == nil {
		out.Artifacts = c.kept
		if n := len(c.kept); n > 0 {
			s.log.line(executor.System, fmt.Sprintf("kept %d artifacts, %d bytes", n, c.bytes))
		}
		if out.Kind == engine.OutcomeSucceeded && out.Warning == "" && len(c.empty) > 0 {
			out.Warning = "artifacts: no file matches " + strings.Join(c.empty, ", ")
		}
		return out, true
	}
	s.log.line(executor.System, "no artifacts are kept: "+err.Error())
	if out.Kind == engine.OutcomeSucceeded {
		late := failed(ErrArtifacts, err.Error())
		out.Kind, out.Output, out.Error = late.Kind, late.Output, late.Error
	}
	return out, true
}

// collector keeps the files of one attempt.
type collector struct {
	w     *Worker
	task  *engine.Task
	root  *os.Root
	seen  map[string]bool
	kept  []engine.Artifact
	bytes int64
	empty []string // patterns that match no file
	looks int      // at files and folders
}

func (c *collector) collect(dir string) (err error) {
	if c.w.cfg.Blobs == nil {
		return errors.New("nothing here keeps artifacts")
	}
	c.root, err = os.OpenRoot(dir)
	if errors.Is(err, fs.ErrPermission) {
		return errors.New("the working directory belongs to another user, whose files the server may not read; artifacts need a supervisor that runs as the user of the server")
	}
	if err != nil {
		return fmt.Errorf("the working directory cannot be read: %w", err)
	}
	defer func() { err = errors.Join(err, c.root.Close()) }()
	for _, pattern := range c.task.Node.Task.Artifacts {
		if fault := glob.Fault(pattern); fault != "" {
			return fmt.Errorf("the pattern %q %s", pattern, fault)
		}
		if err := c.take(pattern); err != nil {
			return err
		}
	}
	slices.SortFunc(c.kept, func(a, b engine.Artifact) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

// take keeps the files of one pattern.
func (c *collector) take(pattern string) error {
	meant := glob.Parse(pattern)
	start, found := meant.Base(), false
	// A link on the way would be followed without being looked at.
	for at := start; at != "."; at = filepath.Dir(at) {
		if info, err := c.root.Lstat(at); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return refusedFile(at, info.Mode())
		}
	}
	err := fs.WalkDir(c.root.FS(), start, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == start {
			return nil
		}
		if err != nil {
			return err
		}
		if c.looks++; c.looks > MaxSearched {
			return fmt.Errorf("more than %d files and folders were looked at; name the folder that is meant", MaxSearched)
		}
		if entry.IsDir() {
			if name != start && !meant.MayHold(name) {
				return fs.SkipDir
			}
			return nil
		}
		if !meant.Match(name) {
			return nil
		}
		found = true
		return c.keep(name)
	})
	if err == nil && !found {
		c.empty = append(c.empty, pattern)
	}
	return err
}

// refusedFile says that something is no file that is kept.
func refusedFile(name string, mode fs.FileMode) error {
	what := "no regular file"
	switch {
	case mode&fs.ModeSymlink != 0:
		what = "a symbolic link"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	}
	return fmt.Errorf("%q is %s; only regular files of the working directory are kept", name, what)
}

// keep keeps a file, unless it is kept already, or is one of the bundle as it
// came.
func (c *collector) keep(name string) error {
	if c.seen[name] {
		return nil
	}
	c.seen[name] = true
	if !utf8.ValidString(name) {
		return fmt.Errorf("the name %q is not UTF-8", name)
	}
	if len(c.kept) == MaxArtifacts {
		return fmt.Errorf("there are more than %d files; pack them into one", MaxArtifacts)
	}
	before, err := c.root.Lstat(name)
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() {
		return refusedFile(name, before.Mode())
	}
	f, err := c.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if after, err := f.Stat(); err != nil || !os.SameFile(before, after) {
		return fmt.Errorf("%q was replaced while it was read", name)
	}
	if same, err := c.bundled(name, f); same || err != nil {
		return err
	}
	ref, err := c.w.cfg.Blobs.Put(c.w.detached, c.task.Run, f)
	var limit *blob.LimitError
	if errors.As(err, &limit) {
		return fmt.Errorf("%q cannot be kept: %w", name, limit)
	}
	if err != nil {
		return fmt.Errorf("%q cannot be kept: %w", name, err)
	}
	c.bytes += ref.Size
	c.kept = append(c.kept, engine.Artifact{Path: name, Size: ref.Size, SHA256: ref.SHA256, Executable: before.Mode()&0o111 != 0})
	return nil
}

// bundled reports whether an open file is one of the bundle, unchanged.
func (c *collector) bundled(name string, f *os.File) (bool, error) {
	if c.task.Program == nil {
		return false, nil
	}
	files := c.task.Program.Files
	i := slices.IndexFunc(files, func(file workflow.File) bool { return file.Path == name })
	if i < 0 {
		return false, nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return false, err
	}
	_, err := f.Seek(0, io.SeekStart)
	return hex.EncodeToString(sum.Sum(nil)) == files[i].SHA256, err
}

// addArtifacts adds artifacts of earlier steps to the files of a bundle. Where
// both have a path, the artifact is taken; two steps that have the same one are
// refused.
func (w *Worker) addArtifacts(files []executor.File, t *engine.Task, from []workflow.InputFile) ([]executor.File, error) {
	if len(from) == 0 {
		return files, nil
	}
	if w.cfg.Blobs == nil {
		return nil, errors.New("nothing here keeps artifacts")
	}
	known := map[string]string{}
	total := int64(0)
	for _, f := range from {
		if sum, twice := known[f.Path]; twice {
			if sum != f.SHA256 {
				return nil, fmt.Errorf("%q comes from two steps, with different content", f.Path)
			}
			continue
		}
		known[f.Path] = f.SHA256
		if total += f.Size; total > MaxFilesFrom {
			return nil, fmt.Errorf("the artifacts have more than %d MiB together; hand large files over in an object store", MaxFilesFrom>>20)
		}
		data, err := w.load(t.Run, f.SHA256, f.Size)
		if err != nil {
			return nil, fmt.Errorf("%q cannot be had: %w", f.Path, err)
		}
		mode := uint32(0o644)
		if f.Executable {
			mode = 0o755
		}
		files = slices.DeleteFunc(files, func(b executor.File) bool { return b.Path == f.Path })
		files = append(files, executor.File{Path: f.Path, Mode: mode, Data: data})
	}
	return files, nil
}

// load reads a blob whole.
func (w *Worker) load(run, sum string, size int64) ([]byte, error) {
	r, err := w.cfg.Blobs.Open(run, sum)
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err = io.ReadFull(r, data); err == nil {
		// The last read compares the content with its name.
		if n, last := r.Read(make([]byte, 1)); n > 0 || !errors.Is(last, io.EOF) {
			err = errors.Join(last, blob.ErrDamaged)
		}
	}
	return data, errors.Join(err, r.Close())
}
