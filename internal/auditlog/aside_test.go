package auditlog_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/auditlog"
)

// signedFolder is a data folder whose log was signed after each of the sizes.
func signedFolder(t *testing.T, h *history, sizes ...int) *os.Root {
	t.Helper()
	root := folder(t, t.TempDir())
	s := open(t, auditlog.Config{Log: h, Root: root})
	grown := 0
	for _, size := range sizes {
		h.grow(words(size - grown)...)
		grown = size
		if _, err := s.Sign(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestCompare(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := signedFolder(t, h, 3, 7, 12)
	ledger := filepath.Join(root.Name(), "audit", "checkpoints")
	for _, test := range []struct {
		name string
		log  *history
		want error
		text string
	}{
		{"the log itself", h, nil, ""},
		{"the log, gone on", newHistory(t, words(20)...), nil, ""},
		{"an older copy", newHistory(t, words(5)...), auditlog.ErrFork, "covers 7 batches, but the log has 5"},
		{"another end", newHistory(t, append(words(10), "b", "b", "a")...), auditlog.ErrFork, "covers 12 batches, of which the log has others"},
		{"another beginning", newHistory(t, append([]string{"b"}, words(19)...)...), auditlog.ErrFork, "checkpoints:1 covers 3 batches"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			kept, err := auditlog.Compare(t.Context(), test.log, root)
			if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v with %q", err, test.want, test.text)
			}
			if kept.Checkpoints != 3 || kept.Size != 12 || !strings.HasPrefix(kept.Origin, "regie/") {
				t.Errorf("the folder has %+v", kept)
			}
		})
	}
	before, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if after, err := os.ReadFile(ledger); err != nil || string(after) != string(before) {
			t.Errorf("the checkpoints were changed: %v", err)
		}
	})
}

func TestCompareWithoutCheckpoints(t *testing.T) {
	t.Parallel()
	h := newHistory(t, "a")
	root := folder(t, t.TempDir())
	if kept, err := auditlog.Compare(t.Context(), h, root); err != nil || kept != (auditlog.Kept{}) {
		t.Errorf("an empty folder has %+v, %v", kept, err)
	}
	s := open(t, auditlog.Config{Log: h, Root: root})
	if kept, err := auditlog.Compare(t.Context(), h, root); err != nil || kept != (auditlog.Kept{Origin: s.Key().Origin()}) {
		t.Errorf("a folder that signed nothing has %+v, %v", kept, err)
	}
}

func TestCompareDamaged(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := signedFolder(t, h, 2)
	ledger := filepath.Join(root.Name(), "audit", "checkpoints")
	text, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ledger, []byte(strings.Replace(string(text), `\n2\n`, `\n1\n`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := auditlog.Compare(t.Context(), h, root); !errors.Is(err, auditlog.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

// A log that was set aside is followed by a new one; put back, it goes on.
func TestSetAside(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	root := signedFolder(t, h, 4)
	now := time.Date(2026, 11, 23, 8, 0, 0, 5e6, time.UTC)
	was, err := auditlog.Compare(t.Context(), h, root)
	if err != nil {
		t.Fatal(err)
	}
	name, kept, err := auditlog.SetAside(root, now)
	if err != nil || kept != was || name != "audit-until-20261123T080000.005Z" {
		t.Fatalf("set aside as %q with %+v, %v; it was %+v", name, kept, err, was)
	}
	if again, _, err := auditlog.SetAside(root, now); err != nil || again != "" {
		t.Errorf("nothing to set aside: %q, %v", again, err)
	}
	s := open(t, auditlog.Config{Log: h, Root: root})
	if s.Key().Origin() == was.Origin || s.Last() != nil {
		t.Errorf("the new log is %s with %v, after %s", s.Key().Origin(), s.Last(), was.Origin)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := auditlog.SetAside(root, now); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := root.RemoveAll("audit"); err != nil {
		t.Fatal(err)
	}
	if err := auditlog.PutBack(root, name); err != nil {
		t.Fatal(err)
	}
	if back := open(t, auditlog.Config{Log: h, Root: root}); back.Key().Origin() != was.Origin || back.Last() == nil || back.Last().Size != 4 {
		t.Errorf("put back: %s with %+v", back.Key().Origin(), back.Last())
	}
}
