package datadir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
)

func TestState(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"own variable", map[string]string{"REGIE_STATE_DIR": "/r", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/r"},
		{"XDG", map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/regie"},
		{"home", map[string]string{"HOME": "/h"}, "/h/.local/state/regie"},
		{"empty is not set", map[string]string{"REGIE_STATE_DIR": "", "XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/regie"},
		{"relative XDG is passed over", map[string]string{"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/regie"},
		{"nothing", nil, ""},
		{"relative home", map[string]string{"HOME": "h"}, ""},
	} {
		got, err := datadir.State(func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	got, err := datadir.State(func(name string) (string, bool) { return "here", name == "REGIE_STATE_DIR" })
	if err != nil || !filepath.IsAbs(got) || filepath.Base(got) != "here" {
		t.Errorf("relative own variable: got %q, %v", got, err)
	}
}

func newRun(t *testing.T, state, id string) *datadir.Dir {
	t.Helper()
	d, err := datadir.NewRun(state, id, owner())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestRuns(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	if _, err := datadir.FindRun(state, "r1"); !errors.Is(err, datadir.ErrNotFound) {
		t.Errorf("no state yet: %v", err)
	}
	d := newRun(t, state, "r1")
	if d.Path() != filepath.Join(state, "runs", "r1") || mode(t, d.Path()).Perm() != 0o700 {
		t.Errorf("folder %s with mode %v", d.Path(), mode(t, d.Path()))
	}
	if _, err := d.Key(); err != nil {
		t.Error(err)
	}
	found, err := datadir.FindRun(state, "r1")
	if err != nil || mode(t, found) != mode(t, d.Path()) || filepath.Base(found) != "r1" {
		t.Errorf("found %q, %v", found, err)
	}
	if _, err := datadir.NewRun(state, "r1", owner()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("again: got %v, want ErrExist", err)
	}
	if _, err := datadir.Open(found, owner()); !errors.Is(err, datadir.ErrHeld) {
		t.Errorf("open what a process has: %v", err)
	}
	newRun(t, state, "r2") // beside it

	named := filepath.Join(t.TempDir(), "named")
	openDir(t, named)
	if err := datadir.LinkRun(state, "r3", named); err != nil {
		t.Fatal(err)
	}
	if found, err := datadir.FindRun(state, "r3"); err != nil || filepath.Base(found) != "named" {
		t.Errorf("linked run: %q, %v", found, err)
	}
	if err := os.RemoveAll(named); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.FindRun(state, "r3"); !errors.Is(err, datadir.ErrNotFound) {
		t.Errorf("link to nothing: %v", err)
	}
}

// B12, B13: names from outside never leave the state directory.
func TestNamesFromOutside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	newRun(t, state, "r1")
	for _, id := range []string{"", ".", "..", "../x", "../../etc/cron.d/x", "/etc", "a/b", `a\b`, "%2e%2e%2f", "a\x00b", ".hidden", "-rf"} {
		if d, err := datadir.NewRun(state, id, owner()); err == nil {
			t.Errorf("%q: made %s", id, d.Path())
		}
		if path, err := datadir.FindRun(state, id); !errors.Is(err, datadir.ErrNotFound) {
			t.Errorf("%q: found %s, %v", id, path, err)
		}
		if err := datadir.LinkRun(state, id, dir); err == nil {
			t.Errorf("%q: linked", id)
		}
	}
	for _, where := range []string{dir, state, filepath.Join(state, "runs")} {
		entries, err := os.ReadDir(where)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s has %v, %v", where, entries, err)
		}
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	if removed, err := datadir.Prune(state, 1, time.Now()); len(removed) != 0 || err != nil {
		t.Fatalf("no runs: %v, %v", removed, err)
	}
	var held *datadir.Dir
	for i := range 12 {
		d := newRun(t, state, fmt.Sprintf("r%02d", i))
		if i != 3 { // r03 was interrupted
			if err := d.SetEnded(true); err != nil {
				t.Fatal(err)
			}
		}
		if i == 4 { // r04 goes on
			if err := d.SetEnded(false); err != nil {
				t.Fatal(err)
			}
		}
		if i == 5 { // a process still has r05
			held = d
			continue
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	named := filepath.Join(t.TempDir(), "named")
	openDir(t, named)
	if err := datadir.LinkRun(state, "r00a", named); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(state, "runs", ".stray")
	if err := os.WriteFile(stray, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	prune := func(keep int, now time.Time, want ...string) {
		t.Helper()
		removed, err := datadir.Prune(state, keep, now)
		if err != nil || !slices.Equal(removed, want) {
			t.Errorf("keep %d: removed %v, %v, want %v", keep, removed, err, want)
		}
		for _, id := range want {
			if _, err := datadir.FindRun(state, id); !errors.Is(err, datadir.ErrNotFound) {
				t.Errorf("%s is still found: %v", id, err)
			}
		}
	}
	prune(100, now)
	prune(4, now, "r00", "r00a", "r01", "r02", "r06", "r07")
	prune(4, now)
	prune(4, now.Add(datadir.KeepUnfinished-time.Hour))
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	// Three of the seven left are beyond the newest four: r05 has ended.
	prune(4, now, "r05")
	prune(4, now.Add(datadir.KeepUnfinished+time.Hour), "r03", "r04")
	for _, path := range []string{named, stray, filepath.Join(state, "runs", "r11", "keys")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if err := held.SetEnded(true); err == nil {
		t.Error("a closed folder was written to")
	}
}
