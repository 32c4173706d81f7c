package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/store/storetest"
)

// noon is when tests restore.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 1500, time.UTC)

// backedUp writes some runs and backs them up.
func backedUp(t *testing.T) (s *sqlite.Store, backup string, want storetest.State) {
	t.Helper()
	dir := t.TempDir()
	s, want = someRuns(t, filepath.Join(dir, "regie.db"))
	backup = filepath.Join(dir, "backup.db")
	if err := s.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	return s, backup, want
}

// folder reads all files of a folder.
func folder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = data
	}
	return out
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	original, backup, want := backedUp(t)
	before, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := original.Restored(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("original: %v, want ErrNotFound", err)
	}
	// The original goes on, and starts a few times.
	var last store.Lease
	for n := range uint64(5) {
		w := storetest.Lead(t, original)
		w.Commit(store.Batch{Records: []store.Record{storetest.Record("a", 13+n, 1)}})
		last = w.Lease
	}

	dir := t.TempDir()
	path := filepath.Join(dir, "regie.db")
	write(t, path+sqlite.NewSuffix, []byte("what a crash left"))
	write(t, path+sqlite.NewSuffix+"-wal", []byte("what a crash left"))
	restored, err := sqlite.Restore(t.Context(), backup, config(path), noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := (sqlite.Restored{At: store.Time(noon), Batch: 12, Incarnation: uint64(noon.UnixMilli())}); restored != want {
		t.Errorf("restored %+v, want %+v", restored, want)
	}
	if got := folder(t, dir); len(got) != 2 || len(got["regie.db"]) == 0 || len(got["regie.db-mark"]) != sqlite.MarkSize {
		t.Errorf("restoring left %d files", len(got))
	}
	s := open(t, config(path))
	if got, err := readAll(t.Context(), s); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("restored state differs: %v", err)
	}
	if got, err := s.Restored(t.Context()); err != nil || got != restored {
		t.Errorf("says that it was restored %+v, %v", got, err)
	}
	w := storetest.Lead(t, s)
	if w.Lease.Incarnation <= restored.Incarnation || w.Lease.Incarnation <= last.Incarnation+1000 || w.Lease.LastSequence != 12 {
		t.Errorf("lease %+v; the original has %+v", w.Lease, last)
	}
	w.Commit(store.Batch{Records: []store.Record{storetest.Record("a", 13, 1)}, Objects: []store.Object{storetest.Object("n", "a", 13)}})
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(backup); err != nil || !bytes.Equal(after, before) {
		t.Errorf("restoring changed the backup: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name := range folder(t, dir) {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
	}
	// The mark is that of the restored database.
	img := readImage(t, path)
	img.with("", before).write(t, path)
	if _, err := sqlite.Open(t.Context(), config(path)); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("the backup in its place, unrestored: %v, want ErrCorrupt", err)
	}
}

// B20: what is no whole backup of ours under this key is refused, and nothing is
// made or changed.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	_, backup, _ := backedUp(t)
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	c, err := sqlite3.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec("CREATE TABLE lease (a)"), c.Close()); err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	edited := func(sql string) []byte {
		path := filepath.Join(t.TempDir(), "edited.db")
		write(t, path, whole)
		change(t, path, sql)
		change(t, path, "PRAGMA wal_checkpoint(TRUNCATE); UPDATE lease SET holder = 'x'; PRAGMA wal_checkpoint(TRUNCATE)")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, tt := range []struct {
		name  string
		data  []byte // nil: there is no file
		wal   []byte
		want  error
		words string
		opens bool // damage is found by verifying only
	}{
		{"missing", nil, nil, fs.ErrNotExist, "", false},
		{"empty", []byte{}, nil, store.ErrCorrupt, "empty", false},
		{"text", []byte("hello, this is no database at all"), nil, store.ErrCorrupt, "not a database", false},
		{"another program's", foreign, nil, store.ErrCorrupt, "application ID", false},
		{"cut", whole[:len(whole)-4096], nil, store.ErrCorrupt, "", true},
		{"cut in a page", whole[:len(whole)/2+7], nil, store.ErrCorrupt, "", true},
		{"flipped byte", flipped, nil, store.ErrCorrupt, "", true},
		{"edited run", edited("UPDATE runs SET state = 'waiting' WHERE id = 'a'"), nil, store.ErrCorrupt, "row of run a", true},
		{"removed entry", edited("DELETE FROM entries WHERE batch = 12 AND position = 1"), nil, store.ErrCorrupt, "entry 12/1 is missing", true},
		{"edited user", edited("UPDATE objects SET data = '{}' WHERE name = 'u3'"), nil, store.ErrCorrupt, "user n/u3", true},
		{"removed user", edited("DELETE FROM objects WHERE name = 'u3'"), nil, store.ErrCorrupt, "objects", true},
		{"newer schema", edited("INSERT INTO migrations (version_id, is_applied) VALUES (9999, 1)"), nil, store.ErrFormat, "newer Regie", false},
		{"newer format", edited("UPDATE lease SET format = 2"), nil, store.ErrFormat, "newer Regie", false},
		{"in use", whole, []byte("frames"), nil, "in use", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source := t.TempDir()
			from := filepath.Join(source, "backup.db")
			if tt.data != nil {
				write(t, from, tt.data)
			}
			if tt.wal != nil {
				write(t, from+"-wal", tt.wal)
			}
			before := folder(t, source)
			dir := t.TempDir()
			check := func(what string, err error) {
				t.Helper()
				if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) {
					t.Errorf("%s: got %v, want %v with %q", what, err, tt.want, tt.words)
				}
			}
			_, err := sqlite.Restore(t.Context(), from, config(filepath.Join(dir, "regie.db")), noon)
			check("restore", err)
			s, err := sqlite.OpenBackup(t.Context(), config(from))
			if err == nil {
				err = errors.Join(s.Verify(t.Context()), s.Close())
			} else if tt.opens && tt.words != "" {
				t.Errorf("open: %v", err)
			}
			check("look", err)
			if left := folder(t, dir); len(left) != 0 {
				t.Errorf("refusing left %d files", len(left))
			}
			if !reflect.DeepEqual(folder(t, source), before) {
				t.Error("refusing changed what was refused")
			}
		})
	}
	wrong := config(filepath.Join(t.TempDir(), "regie.db"))
	wrong.Key[0] ^= 1
	if _, err := sqlite.Restore(t.Context(), backup, wrong, noon); !errors.Is(err, store.ErrWrongKey) {
		t.Errorf("wrong key: got %v, want ErrWrongKey", err)
	}
	wrong.Path = backup
	if _, err := sqlite.OpenBackup(t.Context(), wrong); !errors.Is(err, store.ErrWrongKey) {
		t.Errorf("look with a wrong key: got %v, want ErrWrongKey", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := sqlite.Restore(ctx, backup, config(filepath.Join(dir, "regie.db")), noon); !errors.Is(err, context.Canceled) || len(folder(t, dir)) != 0 {
		t.Errorf("canceled: got %v", err)
	}
}

// A database that is there is never overwritten, nor is a WAL that would be
// taken for that of the restored one.
func TestRestoreOverwritesNothing(t *testing.T) {
	t.Parallel()
	_, backup, _ := backedUp(t)
	for _, name := range []string{"regie.db", "regie.db-wal", "regie.db-journal"} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, name), []byte("something"))
		before := folder(t, dir)
		_, err := sqlite.Restore(t.Context(), backup, config(filepath.Join(dir, "regie.db")), noon)
		if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%s: got %v, want fs.ErrExist that names it", name, err)
		}
		if !reflect.DeepEqual(folder(t, dir), before) {
			t.Errorf("%s: refusing changed it", name)
		}
	}
	if _, err := sqlite.Restore(t.Context(), backup, config(backup), noon); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto itself: got %v", err)
	}
}

// Fencing numbers: no two installations that come from one backup have an
// incarnation in common, whatever the clock says, as long as it moves.
func TestRestoreRaisesTheIncarnation(t *testing.T) {
	t.Parallel()
	_, backup, _ := backedUp(t)
	again := filepath.Join(t.TempDir(), "again.db")
	highest := uint64(0)
	for i, tt := range []struct {
		from string
		now  time.Time
	}{
		{backup, time.Unix(0, 0)}, // a clock that is far behind
		{backup, noon},
		{backup, noon.Add(time.Second)},
		{again, noon.Add(time.Minute)},
		{again, noon.Add(-time.Hour)}, // behind again: the step counts
	} {
		path := filepath.Join(t.TempDir(), "regie.db")
		r, err := sqlite.Restore(t.Context(), tt.from, config(path), tt.now)
		if err != nil {
			t.Fatal(err)
		}
		if tt.from == backup && i > 0 && r.Incarnation != uint64(tt.now.UnixMilli()) {
			t.Errorf("restore %d: incarnation %d", i, r.Incarnation)
		}
		if i < 4 && r.Incarnation <= highest {
			t.Errorf("restore %d: incarnation %d, one before had %d", i, r.Incarnation, highest)
		}
		s := open(t, config(path))
		lease := storetest.Lead(t, s).Lease
		if lease.Incarnation <= r.Incarnation {
			t.Errorf("restore %d: lease %+v", i, lease)
		}
		highest = max(highest, lease.Incarnation)
		if i == 2 {
			if err := s.Backup(t.Context(), again); err != nil {
				t.Fatal(err)
			}
		}
		if i == 4 && r.Incarnation < uint64(noon.Add(time.Second).UnixMilli())+1000 {
			t.Errorf("restore of a restored one with a clock behind: incarnation %d", r.Incarnation)
		}
	}
}

// A database was lost and its mark is there: the restored one is raised beyond
// it. The same holds for a restore that was cut short before the last step.
func TestRestoreAfterALoss(t *testing.T) {
	t.Parallel()
	_, backup, want := backedUp(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "regie.db")
	future := noon.AddDate(1, 0, 0)
	if _, err := sqlite.Restore(t.Context(), backup, config(path), future); err != nil {
		t.Fatal(err)
	}
	lost := storetest.Lead(t, open(t, config(path))).Lease
	mark, err := os.ReadFile(path + sqlite.MarkSuffix)
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string][]byte{"mark": mark, "no mark": nil, "damaged mark": []byte("garbage")} {
		path := filepath.Join(t.TempDir(), "regie.db")
		if left != nil {
			write(t, path+sqlite.MarkSuffix, left)
			if _, err := sqlite.Open(t.Context(), config(path)); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%s: open without a database: %v", name, err)
			}
		}
		r, err := sqlite.Restore(t.Context(), backup, config(path), noon)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "mark" && r.Incarnation <= lost.Incarnation {
			t.Errorf("incarnation %d, the lost one had %d", r.Incarnation, lost.Incarnation)
		}
		if got, err := readAll(t.Context(), open(t, config(path))); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What OpenBackup opens is only looked at.
func TestOpenBackup(t *testing.T) {
	t.Parallel()
	_, backup, want := backedUp(t)
	dir := t.TempDir()
	data, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "b ackup?.db")
	if err := os.WriteFile(path, data, 0o400); err != nil {
		t.Fatal(err)
	}
	before := folder(t, dir)
	s, err := sqlite.OpenBackup(t.Context(), config(path))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(t.Context(), s); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("reads something else: %v", err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if last, err := s.LastSequence(t.Context()); last != 12 || err != nil {
		t.Errorf("last sequence %d, %v", last, err)
	}
	if _, err := s.Acquire(t.Context(), "x"); !errors.Is(err, sqlite.ErrReadOnly) {
		t.Errorf("acquire: %v, want ErrReadOnly", err)
	}
	b := &store.Batch{Sequence: 13, Incarnation: 1, At: noon}
	if err := s.Commit(t.Context(), b); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("commit: %v, want ErrLeaseLost", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(folder(t, dir), before) {
		t.Error("looking at a backup changed its folder")
	}
}

// Every backup that is made while commits go on verifies, and holds whole
// batches only.
func TestBackupsBesideCommits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, config(filepath.Join(dir, "regie.db")))
	if err := s.CheckpointPages(20); err != nil {
		t.Fatal(err)
	}
	w := storetest.Lead(t, s)
	next := func() {
		n := w.Next
		id := store.RunID(fmt.Sprintf("r%06d", n))
		b := store.Batch{
			Runs: []store.RunRow{storetest.Row(id)}, Records: []store.Record{storetest.Record(id, 1, 1), storetest.Record("a", n, 1)},
			Objects: []store.Object{storetest.Object("n", "a", n)}, Entries: []store.Entry{storetest.Entry("user/ada", "run.start", "run/"+string(id))},
		}
		if n%7 == 0 {
			b.Erase, b.Forget = []store.RunID{store.RunID(fmt.Sprintf("r%06d", n/7))}, []store.EntryID{{Batch: n / 7}}
		}
		w.Commit(b)
	}
	next()
	last := uint64(1)
	for i := range 20 {
		begun := make(chan struct{})
		var committing sync.WaitGroup
		committing.Go(func() {
			close(begun)
			for range 30 {
				next()
			}
		})
		<-begun
		path := filepath.Join(dir, fmt.Sprintf("backup%d.db", i))
		if err := s.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		b, err := sqlite.OpenBackup(t.Context(), config(path))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(t.Context()); err != nil {
			t.Errorf("backup %d: %v", i, err)
		}
		size, err := b.LastSequence(t.Context())
		o, err2 := b.Object(t.Context(), storetest.Object("n", "a", 1).ObjectID)
		events, err3 := store.Collect(b.Events(t.Context(), "a", 1))
		if err := errors.Join(err, err2, err3, b.Close()); err != nil || size < last || o.Revision != size || uint64(len(events)) != size {
			t.Errorf("backup %d: %d batches after %d, revision %d, %d records, %v", i, size, last, o.Revision, len(events), err)
		}
		committing.Wait()
		last = size
	}
}

// A backup of more pages than SQLite keeps in memory, none of which has been
// copied out of the WAL, has a right checksum on each.
func TestBackupOfALongWAL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, config(filepath.Join(dir, "regie.db")))
	if err := s.CheckpointPages(0); err != nil {
		t.Fatal(err)
	}
	w := storetest.Lead(t, s)
	for n := range uint64(60) {
		r := storetest.Record("a", n+1, 1)
		r.Payload = bytes.Repeat([]byte{byte(n)}, 100_000)
		w.Commit(store.Batch{Records: []store.Record{r}})
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "backup.db")); err != nil {
		t.Fatal(err)
	}
	b, err := sqlite.OpenBackup(t.Context(), config(filepath.Join(dir, "backup.db")))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Verify(t.Context()), b.Close()); err != nil {
		t.Error(err)
	}
}

// B82: a user that is put back to what it was, as it was once written.
func TestObjectPutBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s := open(t, config(path))
	w := storetest.Lead(t, s)
	w.Commit(store.Batch{Objects: []store.Object{storetest.Object("n", "a", 1)}})
	change(t, path, "CREATE TABLE saved AS SELECT kind, namespace, name, revision, data, salt, batch FROM objects; UPDATE saved SET name = name")
	deletion := store.Object{ObjectID: storetest.Object("n", "a", 1).ObjectID, Revision: 2, Deleted: true}
	w.Commit(store.Batch{Objects: []store.Object{deletion}})
	change(t, path, "INSERT OR REPLACE INTO objects (kind, namespace, name, revision, data, salt, batch) SELECT kind, namespace, name, revision, data, salt, batch FROM saved; DROP TABLE saved")
	if err := s.Verify(t.Context()); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "put back") {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}
