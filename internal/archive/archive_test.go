package archive_test

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/archive"
)

var run = archive.Run{ID: "r1", Namespace: "risk", EndedAt: time.Date(2026, 12, 31, 23, 30, 0, 0, time.FixedZone("", -3600)), Events: 12}

func fill(w *zip.Writer) error {
	out, err := w.Create("run.jsonl")
	if err == nil {
		_, err = io.WriteString(out, "{}\n")
	}
	return err
}

func open(t *testing.T, dir string) *archive.Folder {
	t.Helper()
	f, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// files are those below a folder that are not being written.
func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range names {
		short, err := filepath.Rel(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, short)
	}
	return out
}

// A copy is written once for each state of a run, whole, and read by others.
func TestKeep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "archive")
	f := open(t, dir)
	for _, want := range []bool{true, false} {
		if added, err := f.Keep(run, fill); err != nil || added != want {
			t.Fatalf("kept: %v, %v", added, err)
		}
	}
	later, other := run, run
	later.Events, other.ID = 20, "r1-2" // whose name begins alike
	for _, r := range []archive.Run{later, other} {
		if added, err := f.Keep(r, fill); err != nil || !added {
			t.Fatalf("kept: %v, %v", added, err)
		}
	}
	want := []string{"risk/2027-01/r1-12.zip", "risk/2027-01/r1-2-12.zip", "risk/2027-01/r1-20.zip"}
	if diff := cmp.Diff(want, files(t, dir)); diff != "" {
		t.Error(diff)
	}
	r, err := zip.OpenReader(filepath.Join(dir, want[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	in, err := r.Open("run.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(in); err != nil || string(text) != "{}\n" {
		t.Errorf("read %q, %v", text, err)
	}
	if n, err := f.Remove(run); err != nil || n != 2 {
		t.Errorf("removed %d, %v", n, err)
	}
	if n, err := f.Remove(run); err != nil || n != 0 {
		t.Errorf("removed again %d, %v", n, err)
	}
	if diff := cmp.Diff([]string{"risk/2027-01/r1-2-12.zip"}, files(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// What could not be written to its end is not there, nor is it left anywhere.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir)
	broken := errors.New("broken")
	if _, err := f.Keep(run, func(w *zip.Writer) error { return errors.Join(fill(w), broken) }); !errors.Is(err, broken) {
		t.Error(err)
	}
	if n, err := f.Count(run); n != 0 || err != nil {
		t.Errorf("%d copies, %v", n, err)
	}
	left, err := os.ReadDir(filepath.Join(dir, ".tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".tmp", "7"), nil, 0o600); err != nil { // of a process that died
		t.Fatal(err)
	}
	open(t, dir)
	if left, err := os.ReadDir(filepath.Join(dir, ".tmp")); err != nil || len(left) > 0 {
		t.Errorf("left after a start %v, %v", left, err)
	}
}
