package datadir_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/datadir"
)

// holdVariable names the folder that this binary, run as a program, has until
// its input ends.
const holdVariable = "REGIE_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVariable); path != "" {
		hold(path)
		return
	}
	os.Exit(m.Run())
}

func hold(path string) {
	if _, err := datadir.Open(path, owner()); err != nil {
		_, _ = fmt.Fprintln(os.Stdout, err)
		os.Exit(1)
	}
	_, _ = fmt.Fprintln(os.Stdout, "held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0) // without Close, as a crash
}

func owner() datadir.Owner {
	return datadir.Owner{PID: os.Getpid(), Host: "host-1", Started: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC), Command: "regie run nightly.yaml"}
}

func openDir(t *testing.T, path string) *datadir.Dir {
	t.Helper()
	d, err := datadir.Open(path, owner())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

func TestLayoutAndModes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "some", "where", "data")
	d := openDir(t, path)
	if _, err := d.Key(); err != nil {
		t.Fatal(err)
	}
	if d.Path() != path || d.Database() != filepath.Join(path, "regie.db") {
		t.Errorf("path %s, database %s", d.Path(), d.Database())
	}
	for name, want := range map[string]fs.FileMode{
		"": fs.ModeDir | 0o700, "../../where": fs.ModeDir | 0o700, "keys": fs.ModeDir | 0o700, "logs": fs.ModeDir | 0o700,
		"work": fs.ModeDir | 0o700, "keys/kek": 0o600, "lock": 0o600,
	} {
		if got := mode(t, filepath.Join(path, name)); got != want {
			t.Errorf("%q has mode %v, want %v", name, got, want)
		}
	}
	if _, err := d.Root().Open("../x"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the root leads outside: %v", err)
	}
}

// A second process is told who has the folder; when that is killed, the folder
// is free.
func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdVariable+"="+path)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("holder says %q, %v", line, err)
	}
	for range 2 {
		_, err = datadir.Open(path, owner())
		var held *datadir.HeldError
		if !errors.As(err, &held) || !errors.Is(err, datadir.ErrHeld) {
			t.Fatalf("got %v, want a HeldError", err)
		}
		want := owner()
		want.PID = holder.Process.Pid
		if held.Owner != want || held.Path != path {
			t.Errorf("held by %+v at %s, want %+v", held.Owner, held.Path, want)
		}
		for _, part := range []string{path, fmt.Sprint(want.PID), "host-1", "2026-11-23T08:30:00Z", "regie run nightly.yaml"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %s", err, part)
			}
		}
	}
	view, err := datadir.View(path)
	if err != nil {
		t.Fatalf("view beside the holder: %v", err)
	}
	t.Cleanup(func() { _ = view.Close() })
	if who, held := view.Holder(); !held || who.PID != holder.Process.Pid {
		t.Errorf("holder %+v, %v", who, held)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait() // killed
	if who, held := view.Holder(); held {
		t.Errorf("held by %+v, who is dead", who)
	}
	d := openDir(t, path)
	_, err = datadir.Open(path, owner()) // within one process too
	if !errors.Is(err, datadir.ErrHeld) {
		t.Errorf("got %v, want ErrHeld", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	openDir(t, path)
}

func TestHolderThatSaysNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	openDir(t, path)
	for _, text := range []string{"", "{", "null"} {
		if err := os.WriteFile(filepath.Join(path, "lock"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := datadir.Open(path, owner())
		if !errors.Is(err, datadir.ErrHeld) || !strings.Contains(err.Error(), "another process") {
			t.Errorf("lock file %q: got %v", text, err)
		}
	}
}

func TestUnsafeFolders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d := openDir(t, path)
	if _, err := d.Key(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(name string, bad, good fs.FileMode) {
		t.Helper()
		where := filepath.Join(path, name)
		if err := os.Chmod(where, bad); err != nil {
			t.Fatal(err)
		}
		d, err := datadir.Open(path, owner())
		if err == nil {
			_, err = d.Key()
			_ = d.Close()
		}
		if !errors.Is(err, datadir.ErrUnsafe) || !strings.Contains(err.Error(), "chmod") || !strings.Contains(err.Error(), where) {
			t.Errorf("%s with mode %v: got %v, want ErrUnsafe", name, bad, err)
		}
		if err := os.Chmod(where, good); err != nil {
			t.Fatal(err)
		}
	}
	check("", 0o777, 0o700)
	check("keys", 0o750, 0o700)
	check("keys/kek", 0o640, 0o600)
	check("keys/kek", 0o604, 0o600)
	for _, fine := range []fs.FileMode{0o755, 0o775} {
		if err := os.Chmod(path, fine); err != nil {
			t.Fatal(err)
		}
		d := openDir(t, path)
		if _, err := d.Key(); err != nil {
			t.Errorf("mode %v: %v", fine, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Open(file, owner()); err == nil {
		t.Error("opened a file")
	}
	// A lock that cannot be had names the folder.
	odd := filepath.Join(t.TempDir(), "odd")
	if err := os.MkdirAll(filepath.Join(odd, "lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Open(odd, owner()); err == nil || !strings.Contains(err.Error(), "lock data folder "+odd) {
		t.Errorf("lock is a folder: %v", err)
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	d := openDir(t, path)
	view, err := datadir.View(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close() })
	if _, err := view.Key(); !errors.Is(err, datadir.ErrKey) {
		t.Errorf("a view made a key: %v", err)
	}
	// What a crash left while the key was made.
	if err := os.WriteFile(filepath.Join(path, "keys", "kek.new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := d.Key()
	if err != nil || key == [datadir.KeySize]byte{} {
		t.Fatalf("key %x, %v", key, err)
	}
	for name, other := range map[string]*datadir.Dir{"again": d, "view": view} {
		if got, err := other.Key(); got != key || err != nil {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
	second, err := openDir(t, filepath.Join(t.TempDir(), "data")).Key()
	if err != nil || second == key {
		t.Errorf("another folder has the key %x, %v", second, err)
	}

	file := filepath.Join(path, "keys", "kek")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "raw": string(key[:]), "short": string(good[:20]), "longer": string(good) + "x",
		"other": strings.Replace(string(good), "kek-1", "kek-2", 1), "spaced": strings.Replace(string(good), ":", ": ", 1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Key(); !errors.Is(err, datadir.ErrKey) {
			t.Errorf("%s: got %x, %v, want ErrKey", name, got, err)
		}
	}
	// A key that is lost is never replaced while there is a database.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Database(), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Key(); !errors.Is(err, datadir.ErrKey) || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("lost key: got %v, want ErrKey", err)
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Key(); got != key || err != nil {
		t.Errorf("key put back: %x, %v", got, err)
	}
}

// A restored folder gets the key that was kept with the backup, and never loses
// one.
func TestPutKey(t *testing.T) {
	t.Parallel()
	first := filepath.Join(t.TempDir(), "data")
	want, err := openDir(t, first).Key()
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(first, "keys", "kek")
	key, err := datadir.ReadKey(kept)
	if err != nil || key != want {
		t.Fatalf("kept key %x, %v", key, err)
	}
	path := filepath.Join(t.TempDir(), "data")
	d := openDir(t, path)
	for range 2 {
		if err := d.PutKey(key); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.Key(); got != key || err != nil {
		t.Errorf("key %x, %v", got, err)
	}
	other := key
	other[0] ^= 1
	if err := d.PutKey(other); !errors.Is(err, datadir.ErrKey) {
		t.Errorf("another key: %v, want ErrKey", err)
	}
	view, err := datadir.View(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(view.PutKey(key), view.Close()); !errors.Is(err, datadir.ErrKey) {
		t.Errorf("into a view: %v, want ErrKey", err)
	}
	if err := os.WriteFile(d.Database(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.PutKey(key); !errors.Is(err, datadir.ErrKey) {
		t.Errorf("beside a database: %v, want ErrKey", err)
	}
	if got, err := d.Key(); got != key || err != nil {
		t.Errorf("key after all: %x, %v", got, err)
	}

	for name, want := range map[string]error{"none": fs.ErrNotExist, "text": datadir.ErrKey, "open": datadir.ErrUnsafe} {
		file := filepath.Join(t.TempDir(), name)
		mode := map[string]fs.FileMode{"text": 0o600, "open": 0o644}[name]
		if mode != 0 {
			if err := errors.Join(os.WriteFile(file, []byte("hello"), mode), os.Chmod(file, mode)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := datadir.ReadKey(file); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func TestKeyFileMayNotLeadOutside(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "outside")
	other := openDir(t, outside)
	if _, err := other.Key(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "data")
	d := openDir(t, path)
	if err := os.Symlink(filepath.Join(outside, "keys", "kek"), filepath.Join(path, "keys", "kek")); err != nil {
		t.Fatal(err)
	}
	if key, err := d.Key(); err == nil {
		t.Errorf("read %x through a link", key)
	}
}

func TestViewOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := datadir.View(filepath.Join(t.TempDir(), "data")); !errors.Is(err, datadir.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
