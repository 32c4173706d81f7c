package runtime_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

func openMarker(t *testing.T, path string) *runtime.Marker {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	m, err := runtime.OpenMarker(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMarker(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "marker")
	long := store.RunID(strings.Repeat("r", store.MaxID))
	m := openMarker(t, path)
	m.Enter(long) // the process dies
	m = openMarker(t, path)
	if m.Suspect(long) {
		t.Error("suspect after one exit")
	}
	m.Enter("other")
	m.Enter("")
	m.Enter("") // and now between decisions
	m = openMarker(t, path)
	m.Enter(long)
	m = openMarker(t, path)
	if !m.Suspect(long) || m.Suspect("other") {
		t.Errorf("after two exits: %v, other %v", m.Suspect(long), m.Suspect("other"))
	}
	m = openMarker(t, path) // it stays so
	if !m.Suspect(long) {
		t.Error("forgotten")
	}
	m.Progress("other")
	m.Progress(long)
	if m = openMarker(t, path); m.Suspect(long) {
		t.Error("suspect after progress")
	}
}

func TestMarkerReadsAnything(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "\n", "\x00\xff", strings.Repeat("x", 300), "a b\n-1 r\n2\n3 \n2 r1\nx r2\n2 r1\n"} {
		path := filepath.Join(t.TempDir(), "marker")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		m := openMarker(t, path)
		if m.Suspect("r") || m.Suspect("") || m.Suspect("r2") {
			t.Errorf("suspects from %q", content)
		}
		if want := strings.Contains(content, "2 r1"); m.Suspect("r1") != want {
			t.Errorf("suspect r1 %v from %q", m.Suspect("r1"), content)
		}
	}
}

// brokenFile fails at everything but reading.
type brokenFile struct{}

var errBroken = errors.New("broken")

func (brokenFile) ReadAt([]byte, int64) (int, error)  { return 0, errBroken }
func (brokenFile) WriteAt([]byte, int64) (int, error) { return 0, errBroken }
func (brokenFile) Truncate(int64) error               { return errBroken }
func (brokenFile) Sync() error                        { return errBroken }

func TestMarkerWithoutFile(t *testing.T) {
	t.Parallel()
	if _, err := runtime.OpenMarker(brokenFile{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}
