package catalog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/workflow"
)

// spread lays the files of a request out in a folder of their own, so that the
// patterns of bundles are matched by the same code as on the command line.
func spread(tempDir string, files []File) (_ *folder, err error) {
	dir, err := os.MkdirTemp(tempDir, "apply-")
	if err != nil {
		return nil, fmt.Errorf("lay out files: %w", err)
	}
	f := &folder{parent: tempDir, dir: dir}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("lay out files: %w", err)
	}
	defer root.Close()
	for i := range files {
		if err := write(root, &files[i]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func write(root *os.Root, f *File) error {
	name := filepath.FromSlash(f.Path)
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFiles, f.Path, err)
	}
	mode := fs.FileMode(0o600)
	if f.Executable {
		mode = 0o700
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s stands twice", ErrFiles, f.Path)
	}
	if err != nil {
		return fmt.Errorf("lay out files: %w", err)
	}
	_, err = file.Write(f.Content)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("lay out files: %w", err)
	}
	return nil
}

type folder struct{ parent, dir string }

// close removes the folder. What is left of it goes at the next start.
func (f *folder) close() {
	root, err := os.OpenRoot(f.parent)
	if err != nil {
		return
	}
	defer root.Close()
	_ = root.RemoveAll(filepath.Base(f.dir))
}

// bundle gives the files of a definition's bundle.
func (f *folder) bundle(definition string, patterns []string) ([]workflow.File, []native.FileFault) {
	return project.Bundle(filepath.Join(f.dir, filepath.FromSlash(definition)), patterns)
}
