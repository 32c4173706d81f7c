package folder_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/blob"
	"github.com/regie-dev/regie/internal/blob/folder"
)

func openRoot(t *testing.T) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root, dir
}

func open(t *testing.T, cfg folder.Config) *folder.Store {
	t.Helper()
	cfg.Name = "blobs"
	s, err := folder.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *folder.Store, run, text string) blob.Ref {
	t.Helper()
	ref, err := s.Put(t.Context(), run, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func read(s *folder.Store, run, sum string) (string, error) {
	r, err := s.Open(run, sum)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	return string(text), err
}

// TestKept: what was put is read, also by the next process, and put twice it is
// there once.
func TestKept(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	s := open(t, folder.Config{Root: root})
	ref := put(t, s, "run1", "hello")
	if want := (blob.Ref{SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", Size: 5}); ref != want {
		t.Errorf("ref is %v, want %v", ref, want)
	}
	if again := put(t, s, "run1", "hello"); again != ref {
		t.Errorf("put twice: %v, want %v", again, ref)
	}
	put(t, s, "run2", "hello")
	s = open(t, folder.Config{Root: root})
	if text, err := read(s, "run1", ref.SHA256); text != "hello" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "blobs/*/*"))
	if len(files) != 2 {
		t.Errorf("files: %v", files)
	}
}

// TestRemoved: blobs of a run go together, and those of others stay.
func TestRemoved(t *testing.T) {
	t.Parallel()
	root, _ := openRoot(t)
	s := open(t, folder.Config{Root: root})
	one, other := put(t, s, "run1", "a"), put(t, s, "run2", "a")
	put(t, s, "run1", "b")
	if n, err := s.RemoveBlobs("run1"); n != 2 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if n, err := s.RemoveBlobs("run1"); n != 0 || err != nil {
		t.Errorf("removed again: %d, %v", n, err)
	}
	if _, err := read(s, "run1", one.SHA256); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("reading what was removed: %v", err)
	}
	if _, err := read(s, "run2", other.SHA256); err != nil {
		t.Errorf("reading another run's: %v", err)
	}
	if owners, err := s.BlobOwners(); len(owners) != 1 || owners[0] != "run2" || err != nil {
		t.Errorf("owners: %v, %v", owners, err)
	}
}

// TestBounds: nothing is kept of what is too large, and what is there already
// does not count twice.
func TestBounds(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	cfg := folder.Config{Root: root, MaxBytes: 4, MaxRunBytes: 6}
	s := open(t, cfg)
	put(t, s, "run1", "1234")
	put(t, s, "run1", "1234")
	s = open(t, cfg) // which does not know what the run has
	for text, ofRun := range map[string]bool{"12345": false, "123": true} {
		_, err := s.Put(t.Context(), "run1", strings.NewReader(text))
		var limit *blob.LimitError
		if !errors.As(err, &limit) || limit.Run != ofRun || !errors.Is(err, blob.ErrTooLarge) {
			t.Errorf("%s: %v", text, err)
		}
	}
	put(t, s, "run1", "12")
	put(t, s, "run2", "123")
	if left, _ := filepath.Glob(filepath.Join(dir, "blobs/.tmp/*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

type failing struct{}

var errFailing = errors.New("no more")

func (failing) Read([]byte) (int, error) { return 0, errFailing }

// TestNotKept: a reader that fails, and a caller that goes, leave nothing; what
// a crash has left is gone after the next start.
func TestNotKept(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	s := open(t, folder.Config{Root: root})
	if _, err := s.Put(t.Context(), "run1", io.MultiReader(strings.NewReader("x"), failing{})); !errors.Is(err, errFailing) {
		t.Errorf("a reader that fails: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(gone, "run1", strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that is gone: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blobs/.tmp/1"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, folder.Config{Root: root})
	put(t, s, "run1", "x")
	left, _ := filepath.Glob(filepath.Join(dir, "blobs/.tmp/*"))
	if owners, _ := s.BlobOwners(); len(left) > 0 || len(owners) != 1 {
		t.Errorf("left behind: %v, owners %v", left, owners)
	}
}

// TestDamaged: a changed file is found when it is read, to the last byte.
func TestDamaged(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	s := open(t, folder.Config{Root: root})
	whole := string(bytes.Repeat([]byte("abc"), 100_000))
	ref := put(t, s, "run1", whole)
	file := filepath.Join(dir, "blobs/run1", ref.SHA256)
	for name, text := range map[string]string{"changed": whole[1:] + "x", "cut": whole[1:], "longer": whole + "x", "empty": ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(s, "run1", ref.SHA256); !errors.Is(err, blob.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again := put(t, s, "run1", whole); again != ref {
		t.Errorf("put again: %v", again)
	}
	if text, err := read(s, "run1", ref.SHA256); text != whole || err != nil {
		t.Errorf("after it was put again: %d bytes, %v", len(text), err)
	}
}

// TestNames: names lead nowhere else.
func TestNames(t *testing.T) {
	t.Parallel()
	root, dir := openRoot(t)
	s := open(t, folder.Config{Root: root})
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"", ".", "..", ".tmp", "a/b", "/etc", "a\x00", strings.Repeat("a", 129)} {
		if _, err := s.Put(t.Context(), run, strings.NewReader("x")); err == nil {
			t.Errorf("put for run %q", run)
		}
		if n, err := s.RemoveBlobs(run); n > 0 || err != nil {
			t.Errorf("removed %d of %q: %v", n, run, err)
		}
	}
	for _, sum := range []string{"", "..", "../../secret", strings.Repeat("g", 64), strings.Repeat("A", 64)} {
		if _, err := s.Open("run1", sum); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("opened %q: %v", sum, err)
		}
	}
}
