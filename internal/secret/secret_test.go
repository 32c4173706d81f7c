package secret_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/secret"
	"go.yaml.in/yaml/v4"
)

const plain = "correct-horse-battery"

// A handle shows the placeholder whoever prints it, alone or inside something
// (rows B40, B42).
func TestSecretIsNotPrinted(t *testing.T) {
	t.Parallel()
	s := secret.New(plain)
	if s.Reveal() != plain {
		t.Fatalf("Reveal gave %q", s.Reveal())
	}
	type holder struct {
		Name   string
		Token  secret.Secret
		hidden secret.Secret
		ptr    *secret.Secret
		many   map[string]secret.Secret
	}
	h := holder{"n", s, s, &s, map[string]secret.Secret{"k": s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T"} {
		for _, x := range []any{s, &s, h, &h, []secret.Secret{s}, h.many} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
	}
	fmt.Fprintln(&out, s, h, fmt.Errorf("call: %w", fmt.Errorf("with %v", s)))
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("message", "secret", s, "holder", h, "group", slog.GroupValue(slog.Any("inner", s)))
	}
	for _, encode := range []func(any) ([]byte, error){json.Marshal, xml.Marshal, yamlMarshal} {
		text, err := encode(tokenOnly{s})
		if err != nil || !strings.Contains(string(text), secret.Placeholder) {
			t.Errorf("encoded as %q, %v", text, err)
		}
		out.Write(text)
	}
	if err := gob.NewEncoder(&out).Encode(s); err == nil {
		t.Error("a secret has a binary form")
	}
	if strings.Contains(out.String(), plain) || strings.Contains(out.String(), fmt.Sprintf("%x", plain)) {
		t.Errorf("output contains the secret:\n%s", out.String())
	}
	if got := fmt.Sprintf("%v %s %q %#v", s, s, s, s); got != strings.Repeat(secret.Placeholder+" ", 3)+secret.Placeholder {
		t.Errorf("printed as %q", got)
	}
	if (secret.Secret{}).Reveal() != "" {
		t.Error("the zero secret is not empty")
	}
}

type tokenOnly struct{ Token secret.Secret }

func yamlMarshal(v any) ([]byte, error) { return yaml.Marshal(v) }

const crashEnv = "REGIE_TEST_CRASH"

// A crash with secrets in memory prints none (row B42): the test runs itself
// and lets it panic with a handle as the panic's value and in its arguments.
func TestCrashShowsNoSecret(t *testing.T) {
	t.Parallel()
	if os.Getenv(crashEnv) != "" {
		crash(secret.New(strings.Join([]string{"correct", "horse", "battery"}, "-")))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestCrashShowsNoSecret$")
	cmd.Env = append(os.Environ(), crashEnv+"=1", "GOTRACEBACK=system")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: ") || !strings.Contains(string(out), secret.Placeholder) {
		t.Fatalf("did not crash with the placeholder: %v\n%s", err, out)
	}
	if strings.Contains(string(out), plain) {
		t.Errorf("the crash shows the secret:\n%s", out)
	}
}

//go:noinline
func crash(s secret.Secret) {
	go func() { panic(fmt.Errorf("call with %v: %w", s, os.ErrInvalid)) }()
	select {}
}

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

func TestEnv(t *testing.T) {
	t.Parallel()
	s := secret.Env(env(map[string]string{"REGIE_SECRET_TOKEN": plain, "REGIE_SECRET_lower": "l", "REGIE_SECRET_EMPTY": ""}), secret.EnvPrefix)
	for name, want := range map[string]string{"TOKEN": plain, "token": plain, "lower": "l"} {
		if got, err := s.Lookup(name); err != nil || got.Reveal() != want {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
	for name, want := range map[string]string{
		"MISSING": "environment variable REGIE_SECRET_MISSING is not set",
		"EMPTY":   "it is empty",
		"a-b":     "letters, digits and _ only",
		"":        "letters, digits and _ only",
	} {
		if _, err := s.Lookup(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

func TestDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "not yours", 0o600)
	write(t, filepath.Join(dir, "token"), plain+"\n", 0o600)
	write(t, filepath.Join(dir, "two_lines"), "a\n\n", 0o600)
	write(t, filepath.Join(dir, "windows"), "a\r\n", 0o600)
	write(t, filepath.Join(dir, "open"), plain, 0o644)
	write(t, filepath.Join(dir, "empty"), "\n", 0o600)
	write(t, filepath.Join(dir, "long"), strings.Repeat("x", secret.MaxLength+1), 0o600)
	write(t, filepath.Join(dir, "longest"), strings.Repeat("x", secret.MaxLength), 0o600)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("token", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "escape")); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	s := secret.Dir(dir, func(m string) { warnings = append(warnings, m) })
	for name, want := range map[string]string{
		"token": plain, "two_lines": "a\n", "windows": "a", "link": plain, "longest": strings.Repeat("x", secret.MaxLength),
	} {
		if got, err := s.Lookup(name); err != nil || got.Reveal() != want {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
	if _, err := s.Lookup("open"); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "chmod 600") {
		t.Errorf("file open to others: %v, warnings %q", err, warnings)
	}
	for name, want := range map[string]string{
		"missing": "secret not found", "empty": "it is empty", "long": "longer than",
		"folder": "not a regular file", "escape": "read secret", "..": "letters, digits and _ only",
	} {
		if _, err := s.Lookup(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	if _, err := secret.Dir(filepath.Join(dir, "none"), nil).Lookup("token"); err == nil || errors.Is(err, secret.ErrNotFound) {
		t.Errorf("missing folder: %v", err)
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"s.yaml": "TOKEN: correct-horse-battery\npin: 0123\nblock: |\n  a\n  b\n",
		"s.json": `{"TOKEN": "correct-horse-battery", "pin": "0123", "block": "a\nb\n"}`,
	} {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, text, 0o600)
		s, err := secret.OpenFile(path, func(m string) { t.Errorf("warning %q", m) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for key, want := range map[string]string{"TOKEN": plain, "pin": "0123", "block": "a\nb\n"} {
			if got, err := s.Lookup(key); err != nil || got.Reveal() != want {
				t.Errorf("%s: %s: %q, %v", name, key, got.Reveal(), err)
			}
		}
		if _, err := s.Lookup("other"); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("%s: missing key: %v", name, err)
		}
		warned := 0
		write(t, path, text, 0o640)
		if _, err := secret.OpenFile(path, func(string) { warned++ }); err != nil || warned != 1 {
			t.Errorf("%s: open to the group: %v, %d warnings", name, err, warned)
		}
	}
}

// Faulty files are refused with the place of the fault and without their text
// (row B40).
func TestOpenFileFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"YAML list":          {"s.yaml", "- hunter2\n", "one mapping of names"},
		"YAML empty":         {"s.yaml", "", "one mapping of names"},
		"YAML broken":        {"s.yaml", "a: 'hunter2\n", "not a valid mapping"},
		"YAML nested":        {"s.yaml", "a:\n  b: hunter2\n", "line 1: want a name and a text"},
		"YAML null":          {"s.yaml", "a: hunter2hunter2\nb:\n", "line 2: want a name and a text"},
		"YAML twice":         {"s.yaml", "a: hunter2\na: hunter2\n", "line 2, column 1: not a valid mapping"},
		"YAML documents":     {"s.yaml", "a: hunter2\n---\nb: hunter2\n", "one mapping of names"},
		"YAML bad name":      {"s.yaml", "a b: hunter2\n", "letters, digits and _ only"},
		"YAML empty secret":  {"s.yaml", "a: ''\n", "key a: it is empty"},
		"JSON list":          {"s.json", `["hunter2"]`, "one mapping of names"},
		"JSON broken":        {"s.json", "{\"a\":\n hunter2: }", "not a valid mapping"},
		"JSON list inside":   {"s.json", `{"a": ["hunter2"]}`, "want a name and a text"},
		"JSON bad name":      {"s.json", `{"a-b": "hunter2"}`, "letters, digits and _ only"},
		"longer than limits": {"s.yaml", strings.Repeat("#", secret.MaxFileLength+1), "longer than"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		write(t, path, c.text, 0o600)
		_, err := secret.OpenFile(path, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
	if _, err := secret.OpenFile(filepath.Join(t.TempDir(), "none"), nil); err == nil {
		t.Error("a missing file gives no error")
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	first := secret.Env(env(map[string]string{"A_x": "first", "A_empty": ""}), "A_")
	second := secret.Env(env(map[string]string{"B_x": "second", "B_y": "second", "B_empty": "s"}), "B_")
	c := secret.Chain(first, second)
	for name, want := range map[string]string{"x": "first", "y": "second"} {
		if got, err := c.Lookup(name); err != nil || got.Reveal() != want {
			t.Errorf("%s: %q, %v", name, got.Reveal(), err)
		}
	}
	_, err := c.Lookup("z")
	if !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), "A_z is not set; environment variable B_z is not set") {
		t.Errorf("missing: %v", err)
	}
	if _, err := c.Lookup("empty"); err == nil || errors.Is(err, secret.ErrNotFound) {
		t.Errorf("a source that cannot be read is passed over: %v", err)
	}
	if _, err := secret.Chain().Lookup("z"); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("empty chain: %v", err)
	}
}
