package suite

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Bounds of finding tests.
const (
	MaxFiles   = 10_000
	maxVisited = 200_000
)

// The ways in which time passes, and when runs are accepted by default: a
// Monday morning.
const (
	timeVirtual  = "virtual"
	timeReal     = "real"
	defaultStart = "2026-01-05T09:00:00Z"
)

// File is a test file as it was read.
type File struct {
	Path string // as it is shown
	Dir  string // the folder, to which its `files` are relative
	Text string
	node *yamldoc.Node
	// Problems are what is wrong with it; with an error it is not run.
	Problems []diag.Diagnostic
}

// Find reads the test files of a folder, at any depth, in the order of their
// paths, or the one file that is named. Paths are shown as dir was written;
// abs makes them absolute.
func Find(path string, abs func(string) (string, error)) ([]*File, error) {
	at, err := abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(at)
	if err != nil {
		return nil, fmt.Errorf("find tests: %w", err)
	}
	if !info.IsDir() {
		f, err := read(os.DirFS(filepath.Dir(at)), filepath.Base(at), path, filepath.Dir(at))
		if err != nil {
			return nil, fmt.Errorf("find tests: %w", err)
		}
		return []*File{f}, nil
	}
	root, err := os.OpenRoot(at)
	if err != nil {
		return nil, fmt.Errorf("find tests: %w", err)
	}
	defer root.Close()
	var files []*File
	visited := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if visited++; visited > maxVisited {
			return fmt.Errorf("%s has more than %d files and folders; name the folder with the tests", path, maxVisited)
		}
		if entry.IsDir() {
			if name != "." && (entry.Name()[0] == '.' || entry.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !IsTest(entry.Name()) || !entry.Type().IsRegular() {
			return nil
		}
		if len(files) == MaxFiles {
			return fmt.Errorf("there are more than %d test files", MaxFiles)
		}
		native := filepath.FromSlash(name)
		f, err := read(root.FS(), name, filepath.Join(path, native), filepath.Join(at, filepath.Dir(native)))
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find tests: %w", err)
	}
	return files, nil
}

// IsTest reports whether a file is a test, by name.
func IsTest(name string) bool {
	name = filepath.Base(name)
	return name[0] != '.' && (strings.HasSuffix(name, ".test.yaml") || strings.HasSuffix(name, ".test.yml"))
}

func read(dir fs.FS, name, shown, folder string) (*File, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, yamldoc.MaxBytes+1)) // the parser refuses what is longer
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", shown, err)
	}
	return Parse(shown, folder, text), nil
}

// Parse reads the text of a test file and checks its form.
func Parse(path, dir string, text []byte) *File {
	f := &File{Path: path, Dir: dir, Text: string(text)}
	docs, problems := yamldoc.Parse(path, text)
	var l diag.List
	l.Add(problems...)
	switch {
	case l.HasErrors():
	case len(docs) != 1:
		l.Errorf(diag.Pos{File: path, Line: 1, Column: 1}, "test_documents", "a test file has one document, not %d", len(docs))
	default:
		f.node = docs[0]
		descriptor.Check(f.node, Describe(), &l)
		checkNames(f.node, &l)
	}
	f.Problems = l.Sorted()
	return f
}

// checkNames refuses cases of the same name.
func checkNames(n *yamldoc.Node, l *diag.List) {
	cases := n.Get("cases")
	if cases == nil {
		return
	}
	seen := map[string]int{}
	for _, c := range cases.Items {
		name := c.Get("name")
		if name == nil {
			continue
		}
		if first, twice := seen[name.Text]; twice {
			l.Errorf(name.Pos, "duplicate_case", "the case %q is already in line %d", name.Text, first).WithLength(name.Length())
			continue
		}
		seen[name.Text] = name.Pos.Line
	}
}
