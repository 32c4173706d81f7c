package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// MaxFiles bounds the definitions of a project, and MaxVisited the files and
// folders that are looked at on the way.
const (
	MaxFiles   = 10_000
	MaxVisited = 200_000
)

// ErrNoDefinition says that a folder has no definition in it.
var ErrNoDefinition = errors.New("no definition found")

// A Project is a set of definitions as text.
type Project struct {
	Sources []Source
}

// Source is one file.
type Source struct {
	Path     string // as it was named, or joined to the folder that was named
	Language string
	Text     []byte
}

// Open reads files and folders. A file that is named is taken as it is. In a
// folder, definitions are the files *.yaml, *.yml and *.json, at any depth,
// that a language recognises; hidden folders, node_modules and tests
// (*.test.yaml, *.test.yml) are left out. Without any it is [ErrNoDefinition].
func Open(paths ...string) (*Project, error) {
	p := &Project{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("open definitions: %w", err)
		}
		if info.IsDir() {
			err = p.folder(path)
		} else {
			err = p.file(path)
		}
		if err != nil {
			return nil, fmt.Errorf("open definitions: %w", err)
		}
	}
	if len(p.Sources) == 0 {
		return nil, fmt.Errorf("%w in %s: definitions are *.yaml, *.yml or *.json files with `kind:`, and *.asl.json files", ErrNoDefinition, strings.Join(paths, ", "))
	}
	return p, nil
}

// file takes a file that was named. Whatever it is, somebody means it as a
// definition: what no language recognises is for the native one to refuse, but a
// state machine is one by whatever name.
func (p *Project) file(path string) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	text, err := readRegular(root, filepath.Base(path), yamldoc.MaxBytes+1)
	if err != nil {
		return err
	}
	return p.add(NewSource(path, text))
}

// folder takes the definitions of a folder, in the order of their paths.
func (p *Project) folder(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	visited := 0
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if visited++; visited > MaxVisited {
			return fmt.Errorf("%s has more than %d files and folders; name the folder with the definitions", path, MaxVisited)
		}
		if entry.IsDir() {
			if name != "." && (entry.Name()[0] == '.' || entry.Name() == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !definition(entry.Name()) || !regular(root, name, entry) {
			return nil
		}
		text, err := readRegular(root, name, yamldoc.MaxBytes+1)
		if err != nil {
			return err
		}
		for _, l := range languages {
			if full := filepath.Join(path, filepath.FromSlash(name)); l.recognises(full, text) {
				return p.add(Source{Path: full, Language: l.name, Text: text})
			}
		}
		return nil
	})
}

// definition reports whether a file of a folder may be a definition, by name.
func definition(name string) bool {
	if name[0] == '.' {
		return false
	}
	switch filepath.Ext(name) {
	case ".yaml", ".yml":
		return !strings.HasSuffix(strings.TrimSuffix(name, filepath.Ext(name)), ".test")
	case ".json":
		return true
	}
	return false
}

// regular reports whether the entry is a file, or a link to one within the
// folder.
func regular(root *os.Root, name string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// NewSource is a file that is meant as a definition: the language is the one
// that recognises it, or the native one.
func NewSource(path string, text []byte) Source {
	s := Source{Path: path, Language: native.Name, Text: text}
	for _, l := range languages {
		if l.recognises(path, text) {
			s.Language = l.name
			return s
		}
	}
	if isMachine(path, text) {
		s.Language = asl.Name
	}
	return s
}

// add takes a file, unless it is there already.
func (p *Project) add(s Source) error {
	if slices.ContainsFunc(p.Sources, func(old Source) bool { return old.Path == s.Path }) {
		return nil
	}
	if len(p.Sources) == MaxFiles {
		return fmt.Errorf("there are more than %d definitions", MaxFiles)
	}
	p.Sources = append(p.Sources, s)
	return nil
}

// Connectors are the connectors as the language wants them described.
func Connectors(described []*connector.Descriptor) []native.Connector {
	out := make([]native.Connector, len(described))
	for i, d := range described {
		out[i] = native.Connector{
			Name: d.Name, Doc: d.Doc, Input: d.Input, Output: d.Output,
			Connections: d.Connections, Channel: d.Channel, Idempotent: d.Idempotent,
		}
	}
	return out
}

// ObjectTypes are the types of connections or channels as the language wants
// them described.
func ObjectTypes(described []connector.ObjectType) []native.ObjectType {
	out := make([]native.ObjectType, len(described))
	for i := range described {
		d := &described[i]
		out[i] = native.ObjectType{Name: d.Name, Object: d.Object, Connections: d.Connections}
	}
	return out
}

// errNotRegular is a folder, device or pipe where a file should be.
var errNotRegular = errors.New("is not a regular file")

// readRegular reads at most limit bytes of a regular file.
func readRegular(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // before opening it: a pipe would block
		return nil, &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return text, nil
}
