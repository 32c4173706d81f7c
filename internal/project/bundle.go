package project

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/glob"
	"github.com/regie-dev/regie/internal/workflow"
)

// Bounds of a bundle.
const (
	MaxBundleFile  = 16 << 20 // bytes of one file
	MaxBundleBytes = 64 << 20 // of all
	MaxBundleFiles = 10_000
)

// Bundle reads the files below the folder of a definition that match one of
// the patterns of package glob, ordered by path. Links lead nowhere outside the folder. What cannot be had, or goes
// beyond the bounds, is a fault of its pattern.
func Bundle(definition string, patterns []string) ([]workflow.File, []native.FileFault) {
	b := &bundle{seen: map[string]bool{}}
	root, err := os.OpenRoot(filepath.Dir(definition))
	if err != nil {
		return nil, []native.FileFault{{Message: fmt.Sprintf("open the folder of the bundle: %v", err), Missing: errors.Is(err, fs.ErrNotExist)}}
	}
	defer root.Close()
	b.root = root
	for i, pattern := range patterns {
		b.pattern = i
		b.take(pattern)
		if b.full {
			break
		}
	}
	slices.SortFunc(b.files, func(x, y workflow.File) int { return strings.Compare(x.Path, y.Path) })
	return b.files, b.faults
}

type bundle struct {
	root    *os.Root
	files   []workflow.File
	faults  []native.FileFault
	seen    map[string]bool
	bytes   int64
	pattern int
	full    bool
}

func (b *bundle) faultf(hint, format string, args ...any) {
	b.faults = append(b.faults, native.FileFault{Pattern: b.pattern, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// take adds the files of one pattern.
func (b *bundle) take(pattern string) {
	if fault := glob.Fault(pattern); fault != "" {
		b.faultf("patterns are relative to the folder of the workflow: scripts/**", "the pattern %q %s", pattern, fault)
		return
	}
	meant := glob.Parse(pattern)
	start := meant.Base()
	matched, visited := 0, 0
	err := fs.WalkDir(b.root.FS(), start, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if visited++; visited > MaxVisited {
			b.faultf("name the folder that is meant", "the pattern %q goes through more than %d files and folders", pattern, MaxVisited)
			return errEnough
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
		matched++
		return b.add(name)
	})
	switch {
	case errors.Is(err, errEnough):
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		b.faultf("", "the files of %q cannot be read: %v", pattern, err)
	case matched == 0:
		hint := "files are looked for beside the workflow"
		if info, err := b.root.Stat(start); err == nil && info.IsDir() && start == path.Clean(pattern) {
			hint = "for all files of the folder write " + start + "/**"
		}
		b.faultf(hint, "the pattern %q matches no file", pattern)
		_, err := b.root.Lstat(start)
		b.faults[len(b.faults)-1].Missing = errors.Is(err, fs.ErrNotExist)
	}
}

// add reads a file, unless it is there already.
func (b *bundle) add(name string) error {
	if b.seen[name] {
		return nil
	}
	b.seen[name] = true
	info, err := b.root.Stat(name)
	if err != nil {
		b.faultf("links must stay within the folder of the workflow", "the file %s cannot be read: %v", name, err)
		return nil
	}
	text, err := readRegular(b.root, name, MaxBundleFile+1)
	switch {
	case err != nil:
		b.faultf("", "the file %s cannot be read: %v", name, err)
		return nil
	case len(text) > MaxBundleFile:
		b.faultf("keep large data elsewhere and fetch it", "the file %s is larger than %d MiB", name, MaxBundleFile>>20)
		return nil
	}
	if b.bytes += int64(len(text)); b.bytes > MaxBundleBytes {
		b.full = true
		b.faultf("keep large data elsewhere and fetch it", "the bundle is larger than %d MiB", MaxBundleBytes>>20)
		return errEnough
	}
	if len(b.files) == MaxBundleFiles {
		b.full = true
		b.faultf("name fewer files", "the bundle has more than %d files", MaxBundleFiles)
		return errEnough
	}
	mode := uint32(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	sum := sha256.Sum256(text)
	b.files = append(b.files, workflow.File{Path: name, Mode: mode, SHA256: hex.EncodeToString(sum[:]), Data: text})
	return nil
}
