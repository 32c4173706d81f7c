package offline_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/server/offline"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// noon is when tests restore.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(path string) offline.Folder {
	return offline.Folder{
		Path: path, Owner: home.Owner("regie test", noon), Random: rand.Reader,
		Now: func() time.Time { return noon },
	}
}

// installation is the data folder of a server that has ended.
type installation struct {
	t    *testing.T
	path string
	last uint64
}

func (i *installation) key() string { return filepath.Join(i.path, datadir.KeyFile) }

// install makes a data folder with some batches and a run that has not ended,
// and signs them.
func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{t: t, path: filepath.Join(t.TempDir(), "data")}
	i.work(func(ctx context.Context, s *sqlite.Store) {
		i.commit(ctx, s, store.Batch{
			Runs:    []store.RunRow{{ID: "r1", Namespace: "default", Workflow: "eod", State: "running", AcceptedAt: noon}},
			Records: []store.Record{{Run: "r1", First: 1, Count: 1, Control: []byte(`{}`), Payload: []byte("secret")}},
		})
		i.grow(ctx, s, 3)
	})
	return i
}

// work has the folder open as a server has, and signs at the end.
func (i *installation) work(do func(ctx context.Context, s *sqlite.Store)) {
	i.t.Helper()
	ctx := i.t.Context()
	f, err := home.Open(ctx, i.path, home.Owner("regie server", noon))
	if err != nil {
		i.t.Fatal(err)
	}
	log, err := auditlog.Open(auditlog.Config{Log: f.Store, Root: f.Dir.Root()})
	if err != nil {
		i.t.Fatal(err)
	}
	lease, err := f.Store.Acquire(ctx, "regie server")
	if err != nil {
		i.t.Fatal(err)
	}
	i.last = lease.LastSequence
	if err := log.Start(ctx); err != nil {
		i.t.Fatal(err)
	}
	do(ctx, f.Store)
	if err := errors.Join(log.Ready(), log.Stop(ctx), f.Close()); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) commit(ctx context.Context, s *sqlite.Store, b store.Batch) {
	i.t.Helper()
	lease, err := s.Acquire(ctx, "regie server")
	if err != nil {
		i.t.Fatal(err)
	}
	i.last++
	b.Sequence, b.Incarnation, b.At = i.last, lease.Incarnation, noon.Add(time.Duration(i.last)*time.Second)
	if err := s.Commit(ctx, &b); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) grow(ctx context.Context, s *sqlite.Store, n int) {
	i.t.Helper()
	for range n {
		i.commit(ctx, s, store.Batch{Entries: []store.Entry{{Actor: "user/ada", Action: "test", Outcome: "done"}}})
	}
}

// backup makes a backup, after which the original goes on.
func (i *installation) backup() string {
	i.t.Helper()
	file := filepath.Join(i.t.TempDir(), "regie.backup")
	i.work(func(ctx context.Context, s *sqlite.Store) {
		if err := s.Backup(ctx, file); err != nil {
			i.t.Fatal(err)
		}
		i.grow(ctx, s, 5)
	})
	return file
}

// entries are the newest entries of a data folder, the newest first.
func entries(t *testing.T, path string) []store.Entry {
	t.Helper()
	f, err := home.View(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.Store.Entries(t.Context(), store.EntryQuery{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sound checks a folder and returns what was found.
func sound(t *testing.T, path string) *offline.Verified {
	t.Helper()
	v, err := offline.Verify(t.Context(), path)
	if err != nil || v.Fault != nil {
		t.Fatalf("verify %s: %+v, %v", path, v, err)
	}
	return v
}

func TestRestore(t *testing.T) {
	t.Parallel()
	original := install(t)
	backup := original.backup()
	path := filepath.Join(t.TempDir(), "new")
	r, err := offline.Restore(t.Context(), at(path), backup, original.key())
	if err != nil {
		t.Fatal(err)
	}
	if r.Batch != 4 || r.Live != 1 || !r.LastAt.Equal(noon.Add(4*time.Second)) || r.Aside != "" {
		t.Errorf("restored %+v", r)
	}
	if v := sound(t, path); v.Batches != 5 || v.Kept.Checkpoints != 0 {
		t.Errorf("verified %+v", v)
	}
	if e := entries(t, path)[0]; e.Action != "system.restore" || e.Actor != "system/restore" || e.Outcome != "done" || !strings.Contains(string(e.Detail), `"last_batch":4`) {
		t.Errorf("on record: %+v", e)
	}
	// It goes on, and signs a log of its own.
	restored := &installation{t: t, path: path}
	restored.work(func(ctx context.Context, s *sqlite.Store) { restored.grow(ctx, s, 2) })
	one, other := sound(t, path), sound(t, original.path)
	if one.Kept.Checkpoints == 0 || one.Kept.Origin == other.Kept.Origin {
		t.Errorf("signed %+v and %+v", one.Kept, other.Kept)
	}
}

// The database of a folder is lost; what it signed is still there, and covers
// more than the backup has.
func TestRestoreInPlace(t *testing.T) {
	t.Parallel()
	i := install(t)
	backup := i.backup()
	was := sound(t, i.path).Kept
	for _, name := range []string{"regie.db", "regie.db-wal", "regie.db-shm"} {
		if err := os.Remove(filepath.Join(i.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	r, err := offline.Restore(t.Context(), at(i.path), backup, "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Former != was || r.Aside != "audit-until-20261123T120000.000Z" {
		t.Errorf("set aside %q with %+v, which was %+v", r.Aside, r.Former, was)
	}
	if _, err := os.Stat(filepath.Join(i.path, r.Aside, "checkpoints")); err != nil {
		t.Error(err)
	}
	e := entries(t, i.path)[0]
	for _, want := range []string{was.Origin, was.Root.String(), r.Aside, `"size":9`} {
		if !strings.Contains(string(e.Detail), want) {
			t.Errorf("%s is not on record: %s", want, e.Detail)
		}
	}
	i.work(func(ctx context.Context, s *sqlite.Store) { i.grow(ctx, s, 1) })
	if v := sound(t, i.path); v.Kept.Checkpoints == 0 || v.Kept.Origin == was.Origin {
		t.Errorf("verified %+v", v)
	}
}

// files are the files of a folder with their content, but who has it.
func files(t *testing.T, path string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == path {
			return nil
		}
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		text, err := os.ReadFile(name)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	i := install(t)
	good := i.backup()
	other := install(t)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(text)
	damaged[len(damaged)/2] ^= 1
	for _, test := range []struct {
		name, key string
		backup    string // content; empty: the good one
		prepare   func(t *testing.T, path string)
		want      error
	}{
		{name: "not a backup", key: i.key(), backup: "../../etc/passwd\x00 is no database", want: store.ErrCorrupt},
		{name: "an archive", key: i.key(), backup: "PK\x03\x04../../../keys/kek", want: store.ErrCorrupt},
		{name: "cut", key: i.key(), backup: string(text[:len(text)/2]), want: store.ErrCorrupt},
		{name: "damaged", key: i.key(), backup: string(damaged), want: store.ErrCorrupt},
		{name: "another key", key: other.key(), want: store.ErrWrongKey},
		{name: "no key", want: offline.ErrNoKey},
		{name: "a key that is none", key: good, want: datadir.ErrKey},
		{name: "a key that is not there", key: i.path + "/nothing", want: fs.ErrNotExist},
		{name: "a folder with a database", key: other.key(), want: fs.ErrExist, prepare: func(t *testing.T, path string) {
			t.Helper()
			if err := os.CopyFS(path, os.DirFS(other.path)); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a folder with another key", key: i.key(), want: datadir.ErrKey, prepare: func(t *testing.T, path string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Join(path, "keys"), 0o700); err != nil {
				t.Fatal(err)
			}
			key, err := os.ReadFile(other.key())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(path, "keys", "kek"), key, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a folder with a log, and a damaged backup", key: i.key(), backup: string(damaged), want: store.ErrCorrupt, prepare: func(t *testing.T, path string) {
			t.Helper()
			if err := os.CopyFS(filepath.Join(path, "audit"), os.DirFS(filepath.Join(other.path, "audit"))); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path, backup := filepath.Join(t.TempDir(), "data"), good
			if test.backup != "" {
				backup = filepath.Join(t.TempDir(), "other.backup")
				if err := os.WriteFile(backup, []byte(test.backup), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.prepare != nil {
				if err := os.MkdirAll(path, 0o700); err != nil {
					t.Fatal(err)
				}
				test.prepare(t, path)
				if err := os.Chmod(path, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, path)
			if _, err := offline.Restore(t.Context(), at(path), backup, test.key); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if after := files(t, path); !maps.Equal(after, before) {
				t.Errorf("the folder has %q, and had %q", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
			}
		})
	}
}

func TestRestoreWhileHeld(t *testing.T) {
	t.Parallel()
	i := install(t)
	backup := i.backup()
	i.work(func(ctx context.Context, _ *sqlite.Store) {
		if _, err := offline.Restore(ctx, at(i.path), backup, ""); !errors.Is(err, datadir.ErrHeld) {
			t.Errorf("restore: %v", err)
		}
		if _, err := offline.Reset(ctx, at(i.path), "ada"); !errors.Is(err, datadir.ErrHeld) {
			t.Errorf("reset: %v", err)
		}
		sound(t, i.path)
	})
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(t *testing.T, i *installation)
		want   error
		text   string
	}{
		{"a byte of the database", func(t *testing.T, i *installation) {
			t.Helper()
			name := filepath.Join(i.path, "regie.db")
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)/2+100] ^= 1
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}, store.ErrCorrupt, ""},
		{"an old copy, with its mark", func(t *testing.T, i *installation) {
			t.Helper()
			old := filepath.Join(t.TempDir(), "old")
			if err := os.CopyFS(old, os.DirFS(i.path)); err != nil {
				t.Fatal(err)
			}
			i.work(func(ctx context.Context, s *sqlite.Store) { i.grow(ctx, s, 2) })
			for _, name := range []string{"regie.db", "regie.db-mark"} {
				if err := os.Rename(filepath.Join(old, name), filepath.Join(i.path, name)); err != nil {
					t.Fatal(err)
				}
			}
		}, auditlog.ErrFork, "covers 6 batches, but the log has 4"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			test.change(t, i)
			v, err := offline.Verify(t.Context(), i.path)
			if err != nil || !errors.Is(v.Fault, test.want) || !strings.Contains(v.Fault.Error(), test.text) {
				t.Errorf("got %+v, %v; want %v with %q", v, err, test.want, test.text)
			}
		})
	}
	if _, err := offline.Verify(t.Context(), t.TempDir()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestVerifyBackup(t *testing.T) {
	t.Parallel()
	i := install(t)
	backup := i.backup()
	if v, err := offline.VerifyBackup(t.Context(), backup, i.key()); err != nil || v.Fault != nil || v.Batches != 4 {
		t.Errorf("got %+v, %v", v, err)
	}
	if v, err := offline.VerifyBackup(t.Context(), backup, install(t).key()); err != nil || !errors.Is(v.Fault, store.ErrWrongKey) {
		t.Errorf("with another key: %+v, %v", v, err)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	i := install(t)
	secret, err := offline.Reset(t.Context(), at(i.path), "ada")
	if err != nil || !access.IsAdminToken(secret) {
		t.Fatalf("got %q, %v", secret, err)
	}
	sound(t, i.path)
	if e := entries(t, i.path); e[0].Action != "admin_token.create" || e[1].Action != "user.reset" || e[1].Object != "user/ada" {
		t.Errorf("on record: %+v", e[:2])
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := offline.Reset(t.Context(), at(none), "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder was made: %v", err)
	}
	if _, err := offline.Reset(t.Context(), at(i.path), "Ada!"); !errors.Is(err, access.ErrInvalid) {
		t.Errorf("a name that is none: %v", err)
	}
}

// An old copy of the database stands in the place of a newer one.
func TestAcceptLoss(t *testing.T) {
	t.Parallel()
	i := install(t)
	if _, err := offline.AcceptLoss(t.Context(), at(i.path)); !errors.Is(err, offline.ErrSound) {
		t.Fatalf("nothing is lost: %v", err)
	}
	name := filepath.Join(i.path, "regie.db")
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	i.work(func(ctx context.Context, s *sqlite.Store) { i.grow(ctx, s, 3) })
	if err := os.WriteFile(name, old, 0o600); err != nil {
		t.Fatal(err)
	}
	was := i.last
	a, err := offline.AcceptLoss(t.Context(), at(i.path))
	if err != nil {
		t.Fatal(err)
	}
	if a.Batch != was-3 || a.Aside == "" || a.Former.Size != was {
		t.Errorf("accepted %+v, of %d batches", a, was)
	}
	if e := entries(t, i.path)[0]; e.Action != "system.accept_loss" || !strings.Contains(string(e.Detail), "former_log") {
		t.Errorf("on record: %+v", e)
	}
	i.work(func(ctx context.Context, s *sqlite.Store) { i.grow(ctx, s, 1) })
	sound(t, i.path)
}
