package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// EnvPrefix stands before the name of a secret in the environment: the secret
// TOKEN is in REGIE_SECRET_TOKEN.
const EnvPrefix = "REGIE_SECRET_"

// Limits of sources.
const (
	// MaxLength is the longest secret, in bytes; enough for a chain of
	// certificates.
	MaxLength = 64 << 10
	// MaxFileLength is the longest file of several secrets, in bytes.
	MaxFileLength = 1 << 20
)

// ErrNotFound says that a source has no secret of that name.
var ErrNotFound = errors.New("secret not found")

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// A Source finds secrets by name. Lookup returns [ErrNotFound], wrapped with
// where it looked, if it has none of that name; any other error means that the
// source could not be read. Errors never contain secret text. Sources are safe
// for concurrent use.
type Source interface {
	Lookup(name string) (Secret, error)
}

func checkName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("secret name %q: letters, digits and _ only, not starting with a digit, at most 63", name)
	}
	return nil
}

// Env reads secrets from environment variables: prefix and the name as it is
// written, or in capitals. Pass os.LookupEnv for the process's own.
func Env(lookup func(string) (string, bool), prefix string) Source {
	return envSource{lookup, prefix}
}

type envSource struct {
	lookup func(string) (string, bool)
	prefix string
}

func (s envSource) Lookup(name string) (Secret, error) {
	if err := checkName(name); err != nil {
		return Secret{}, err
	}
	for _, variable := range []string{s.prefix + name, s.prefix + strings.ToUpper(name)} {
		if text, ok := s.lookup(variable); ok {
			return wrap(text, "environment variable "+variable)
		}
	}
	return Secret{}, fmt.Errorf("%w: environment variable %s%s is not set", ErrNotFound, s.prefix, name)
}

// wrap checks the text that was found at a place and wraps it.
func wrap(text, place string) (Secret, error) {
	switch {
	case text == "":
		return Secret{}, fmt.Errorf("read secret from %s: it is empty", place)
	case len(text) > MaxLength:
		return Secret{}, fmt.Errorf("read secret from %s: longer than %d bytes", place, MaxLength)
	}
	return New(text), nil
}

// Dir reads each secret from a file of its name in the folder, as Docker and
// Kubernetes mount them; one line end at the end of the file is dropped.
// Symbolic links may not lead out of the folder. Each file that others than
// its owner may read is reported to warn, which may be nil.
func Dir(path string, warn func(message string)) Source { return dirSource{path, warn} }

type dirSource struct {
	path string
	warn func(string)
}

func (s dirSource) Lookup(name string) (Secret, error) {
	if err := checkName(name); err != nil {
		return Secret{}, err
	}
	root, err := os.OpenRoot(s.path)
	if err != nil {
		return Secret{}, fmt.Errorf("open folder of secrets: %w", err)
	}
	defer root.Close()
	place := "file " + filepath.Join(s.path, name)
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Secret{}, fmt.Errorf("%w: no %s", ErrNotFound, place)
	}
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait
		err = fmt.Errorf("%s is not a regular file", filepath.Join(s.path, name))
	}
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	f, err := root.Open(name)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	text, err := readFile(f, filepath.Join(s.path, name), MaxLength+2, s.warn)
	if err != nil {
		return Secret{}, fmt.Errorf("read secret: %w", err)
	}
	return wrap(trimLineEnd(string(text)), place)
}

func trimLineEnd(s string) string {
	if t, ok := strings.CutSuffix(s, "\r\n"); ok {
		return t
	}
	return strings.TrimSuffix(s, "\n")
}

// readFile reads a regular file of at most limit bytes and warns when others
// than the owner may read it.
func readFile(f *os.File, path string, limit int64, warn func(string)) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Mode().Perm()&0o077 != 0 && warn != nil {
		warn(fmt.Sprintf("%s holds secrets and is open to others (mode %04o): run chmod 600 %s", path, info.Mode().Perm(), path))
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return text, nil
}

// OpenFile reads all secrets of one YAML or JSON file, a mapping of names to
// texts. It warns, if warn is not nil, when others than its owner may read it.
func OpenFile(path string, warn func(message string)) (Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open file of secrets: %w", err)
	}
	defer f.Close()
	text, err := readFile(f, path, MaxFileLength, warn)
	if err != nil {
		return nil, fmt.Errorf("read file of secrets: %w", err)
	}
	s := fileSource{path: path, secrets: map[string]Secret{}}
	if err := s.parse(text); err != nil {
		return nil, fmt.Errorf("read file of secrets %s: %w", path, err)
	}
	return s, nil
}

type fileSource struct {
	path    string
	secrets map[string]Secret
}

func (s fileSource) Lookup(name string) (Secret, error) {
	if err := checkName(name); err != nil {
		return Secret{}, err
	}
	found, ok := s.secrets[name]
	if !ok {
		return Secret{}, fmt.Errorf("%w: no key %s in %s", ErrNotFound, name, s.path)
	}
	return found, nil
}

func (s fileSource) add(name, text string) error {
	if err := checkName(name); err != nil {
		return err
	}
	found, err := wrap(text, "key "+name)
	s.secrets[name] = found
	return err
}

// parse takes scalars as they are written, so that 0123 stays 0123. It passes
// on where the parser found a fault and never its messages, which may quote the
// file.
func (s fileSource) parse(text []byte) error {
	docs, problems := yamldoc.Parse(s.path, text)
	for _, p := range problems {
		if p.Severity == diag.Error {
			return fmt.Errorf("line %d, column %d: not a valid mapping of names to texts (%s)", p.Line, p.Column, p.Code)
		}
	}
	if len(docs) != 1 || docs[0].Kind != yamldoc.Map {
		return errors.New("want one mapping of names to texts")
	}
	for _, e := range docs[0].Entries {
		if !e.Value.IsScalar() || e.Value.Kind == yamldoc.Null {
			return fmt.Errorf("line %d: want a name and a text", e.Key.Pos.Line)
		}
		if err := s.add(e.Key.Text, e.Value.Text); err != nil {
			return fmt.Errorf("line %d: %w", e.Key.Pos.Line, err)
		}
	}
	return nil
}

// Chain asks the sources in turn and returns the first secret found. When none
// has it, the error wraps [ErrNotFound] and says where each one looked.
func Chain(sources ...Source) Source { return chain(sources) }

type chain []Source

func (c chain) Lookup(name string) (Secret, error) {
	places := make([]string, 0, len(c))
	for _, s := range c {
		found, err := s.Lookup(name)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return Secret{}, err
		}
		places = append(places, strings.TrimPrefix(err.Error(), ErrNotFound.Error()+": "))
	}
	if len(places) == 0 {
		return Secret{}, fmt.Errorf("%w: %s: no source of secrets is set up", ErrNotFound, name)
	}
	return Secret{}, fmt.Errorf("%w: %s: %s", ErrNotFound, name, strings.Join(places, "; "))
}
