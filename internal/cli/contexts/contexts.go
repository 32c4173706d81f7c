package contexts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Bounds and names of the file.
const (
	// MaxBytes is the largest file that is read.
	MaxBytes = yamldoc.MaxBytes
	// MaxName is the longest name of a context.
	MaxName = 64
	// DefaultNamespace is the namespace of a context that names none.
	DefaultNamespace = "default"

	fileName = "contexts.yaml"
)

// Errors of reading the file.
var (
	// ErrUnsafe says that others may read or change the file.
	ErrUnsafe = errors.New("others may read it, and it holds tokens")
	// ErrInvalid says that the file is not one of contexts.
	ErrInvalid = errors.New("not a file of contexts")
)

// Context is one server, as one user calls it.
type Context struct {
	Name      string `json:"name"`
	Server    string `json:"server"` // its URL
	Namespace string `json:"namespace,omitempty"`
	User      string `json:"user,omitempty"`
	Token     string `json:"token,omitempty"`
	// TokenID names the token on the server if logging in made it.
	TokenID string `json:"token_id,omitempty"`
	// CA has the certificates, as PEM, that sign that of the server; empty: those
	// of the machine.
	CA string `json:"ca,omitempty"`
	// Fingerprint is the SHA-256 of the one certificate that the server may
	// have, in lower-case hexadecimal; empty: one that is signed.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// NamespaceOrDefault is the namespace that commands are about.
func (c *Context) NamespaceOrDefault() string {
	if c.Namespace == "" {
		return DefaultNamespace
	}
	return c.Namespace
}

// File is all contexts.
type File struct {
	Current  string    `json:"current,omitempty"`
	Contexts []Context `json:"contexts"`
}

// Path is where the user's file lies: $REGIE_CONFIG_DIR, $XDG_CONFIG_HOME/regie
// or ~/.config/regie. Lookup reads the environment.
func Path(lookup func(name string) (string, bool)) (string, error) {
	if dir, _ := lookup("REGIE_CONFIG_DIR"); dir != "" {
		return filepath.Join(dir, fileName), nil
	}
	if dir, _ := lookup("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "regie", fileName), nil
	}
	if home, _ := lookup("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".config", "regie", fileName), nil
	}
	return "", errors.New("find the folder of contexts: neither REGIE_CONFIG_DIR, XDG_CONFIG_HOME nor HOME names one")
}

// Load reads the file; one that is not there has no contexts. It returns
// ErrUnsafe or ErrInvalid, wrapped, for one that cannot be used.
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read contexts: %s has mode %04o: %w", path, info.Mode().Perm(), ErrUnsafe)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read contexts: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("read contexts: %s: %w: it is larger than %d bytes", path, ErrInvalid, MaxBytes)
	}
	file := &File{}
	if err := file.read(path, text); err != nil {
		return nil, fmt.Errorf("read contexts: %s: %w: %w", path, ErrInvalid, err)
	}
	return file, nil
}

func (f *File) read(path string, text []byte) error {
	docs, problems := yamldoc.Parse(path, text)
	switch {
	case diag.HasErrors(problems):
		return fmt.Errorf("line %d: %s", problems[0].Line, problems[0].Message)
	case len(docs) == 0:
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(docs[0].ToValue().String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(f); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// text is the file as YAML. A JSON string is a quoted one of YAML.
func (f *File) text() []byte {
	var b bytes.Buffer
	field := func(indent, name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s%s: %s\n", indent, name, value.String(text))
		}
	}
	field("", "current", f.Current)
	if len(f.Contexts) == 0 {
		b.WriteString("contexts: []\n")
		return b.Bytes()
	}
	b.WriteString("contexts:\n")
	for i := range f.Contexts {
		c := &f.Contexts[i]
		field("  - ", "name", c.Name)
		field("    ", "server", c.Server)
		field("    ", "namespace", c.Namespace)
		field("    ", "user", c.User)
		field("    ", "token", c.Token)
		field("    ", "token_id", c.TokenID)
		field("    ", "ca", c.CA)
		field("    ", "fingerprint", c.Fingerprint)
	}
	return b.Bytes()
}

// Save writes the file anew, all or nothing. Only the user may read it.
func (f *File) Save(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	next, err := os.CreateTemp(dir, fileName+".*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	defer os.Remove(next.Name())
	_, err = next.Write(f.text())
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	return nil
}

// Find returns the context, or nil.
func (f *File) Find(name string) *Context {
	for i := range f.Contexts {
		if f.Contexts[i].Name == name {
			return &f.Contexts[i]
		}
	}
	return nil
}

// Of returns the context of a server, the current one first, or nil.
func (f *File) Of(server string) *Context {
	if c := f.Find(f.Current); c != nil && c.Server == server {
		return c
	}
	for i := range f.Contexts {
		if f.Contexts[i].Server == server {
			return &f.Contexts[i]
		}
	}
	return nil
}

// Put adds a context, or replaces the one of that name.
func (f *File) Put(c Context) {
	if old := f.Find(c.Name); old != nil {
		*old = c
		return
	}
	f.Contexts = append(f.Contexts, c)
	slices.SortFunc(f.Contexts, func(a, b Context) int { return strings.Compare(a.Name, b.Name) })
}

// Remove removes a context; if it was the current one, none is.
func (f *File) Remove(name string) {
	f.Contexts = slices.DeleteFunc(f.Contexts, func(c Context) bool { return c.Name == name })
	if f.Current == name {
		f.Current = ""
	}
}

// Names are the names of all contexts, in order.
func (f *File) Names() []string {
	names := make([]string, len(f.Contexts))
	for i := range f.Contexts {
		names[i] = f.Contexts[i].Name
	}
	return names
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// ValidName reports whether a context may have this name: letters, digits, dots,
// dashes and underscores, at most MaxName.
func ValidName(name string) bool { return len(name) <= MaxName && nameForm.MatchString(name) }
