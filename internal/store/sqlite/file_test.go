package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/store/storetest"
)

var update = flag.Bool("update", false, "write testdata/format1.db anew")

const fixture = "testdata/format1.db"

// A database of format 1, as it was written when that was new, opens for ever.
func TestFormat1(t *testing.T) {
	t.Parallel()
	if *update {
		path := filepath.Join(t.TempDir(), "regie.db")
		s, _ := someRuns(t, path)
		w := storetest.Lead(t, s)
		w.Commit(store.Batch{Erase: []store.RunID{"r11"}})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(fixture, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(fixture)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "regie.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, config(path))
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	got, err := readAll(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	fresh, _ := someRuns(t, filepath.Join(t.TempDir(), "regie.db"))
	storetest.Lead(t, fresh).Commit(store.Batch{Erase: []store.RunID{"r11"}})
	if want, err := readAll(t.Context(), fresh); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
	w := storetest.Lead(t, s)
	w.Commit(store.Batch{Records: []store.Record{storetest.Record("a", 13, 1)}})
	if w.Lease.Incarnation != 3 || w.Lease.LastSequence != 13 {
		t.Errorf("lease %+v", w.Lease)
	}
}

func TestSchemaOfANewerRegie(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	if err := open(t, config(path)).Close(); err != nil {
		t.Fatal(err)
	}
	change(t, path, "INSERT INTO migrations (version_id, is_applied) VALUES (9999, 1)")
	before := readImage(t, path)
	if _, err := sqlite.Open(t.Context(), config(path)); !errors.Is(err, store.ErrFormat) {
		t.Errorf("got %v, want ErrFormat", err)
	}
	if after := readImage(t, path); !reflect.DeepEqual(after, before) {
		t.Error("refusing to open changed the files")
	}
	change(t, path, "DELETE FROM migrations WHERE version_id = 9999")
	open(t, config(path))
}

// An older schema is brought up to date. Version 0 has no tables.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	if err := open(t, config(path)).Close(); err != nil {
		t.Fatal(err)
	}
	change(t, path, `DELETE FROM migrations WHERE version_id > 0;
		DROP TABLE objects; DROP TABLE entries; DROP TABLE runs; DROP TABLE keys; DROP TABLE timers; DROP TABLE programs; DROP TABLE run_keys; DROP TABLE events;
		DROP TABLE batches; ALTER TABLE lease RENAME TO kept`)
	if _, err := sqlite.Open(t.Context(), config(path)); err == nil || !strings.Contains(err.Error(), "no lease row") {
		t.Fatalf("upgraded database without a lease: %v", err)
	}
	change(t, path, "INSERT INTO lease SELECT id, format, incarnation, holder, settled, key_check, restored_at, restored_batch, restored_incarnation FROM kept")
	s := open(t, config(path))
	storetest.Lead(t, s).Commit(batchAfter(0))
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNotARegieDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "other.db")
	c, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec("CREATE TABLE lease (a)"), c.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), config(path)); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "application ID") {
		t.Errorf("got %v", err)
	}
}

func TestCreation(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a b+c?d#e%20f;g&h=i")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "regie.db")
	cfg := config(path)
	cfg.MustExist = true
	if _, err := sqlite.Open(t.Context(), cfg); !errors.Is(err, store.ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v, want ErrNotFound", err)
	}
	// What a crash left of a creation before is in nobody's way.
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.WriteFile(path+sqlite.NewSuffix+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, config(path))
	w := storetest.Lead(t, s)
	w.Commit(batchAfter(0))
	if _, err := s.Runs(t.Context(), store.RunQuery{Limit: 1}); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 && !strings.HasSuffix(e.Name(), "-shm") {
			t.Errorf("%s has mode %v, want 0600, %v", e.Name(), info.Mode(), err)
		}
		if strings.Contains(e.Name(), sqlite.NewSuffix) {
			t.Errorf("creation left %s", e.Name())
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.MustExist = true
	open(t, cfg)
	if _, err := sqlite.Open(t.Context(), config(filepath.Join(dir, "no", "regie.db"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: got %v", err)
	}
	if _, err := sqlite.Open(t.Context(), config(dir)); err == nil {
		t.Error("opened a folder")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sqlite.Open(ctx, config(filepath.Join(dir, "canceled.db"))); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
}

// Erasing leaves no sealed payload and no wrapped key on disk.
func TestErasedBytesAreGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s, _ := someRuns(t, path)
	secrets := readSecrets(t, path, "a")
	if len(secrets) != 13 { // the key and 12 payloads
		t.Fatalf("%d secrets", len(secrets))
	}
	contains := func() (n int) {
		for _, data := range readImage(t, path) {
			for _, secret := range secrets {
				n += bytes.Count(data, secret)
			}
		}
		return n
	}
	if contains() == 0 {
		t.Fatal("cannot find what is there")
	}
	w := storetest.Lead(t, s)
	w.Commit(store.Batch{Erase: []store.RunID{"a"}})
	if n := contains(); n != 0 {
		t.Errorf("%d pieces of erased data are on disk", n)
	}
	if data := readImage(t, path); len(data["-wal"]) != 0 {
		t.Errorf("WAL of %d bytes", len(data["-wal"]))
	}

	// A reader in the way delays that until a commit after it is gone, but does
	// not hold commits up.
	secrets = readSecrets(t, path, "r1")
	reader, err := sqlite3.Open("file:" + path + "?vfs=" + unsynced)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := reader.Exec("BEGIN; SELECT id FROM lease"); err != nil {
		t.Fatal(err)
	}
	w.Commit(store.Batch{Erase: []store.RunID{"r1"}})
	if err := reader.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	w.Commit(store.Batch{})
	if n := contains(); n != 0 || len(secrets) != 2 {
		t.Errorf("%d pieces of %d erased later are on disk", n, len(secrets))
	}
}

// Taking the text of an entry out leaves none of it on disk.
func TestForgottenBytesAreGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s := open(t, config(path))
	w := storetest.Lead(t, s)
	var b store.Batch
	for i := range 200 {
		b.Entries = append(b.Entries, storetest.Entry("user/ada", "user.put", fmt.Sprintf("user/%03d-eve", i)))
	}
	w.Commit(b)
	contains := func(text string) (n int) {
		for _, data := range readImage(t, path) {
			n += bytes.Count(data, []byte(text))
		}
		return n
	}
	if contains("user/100-eve") == 0 {
		t.Fatal("cannot find what is there")
	}
	var forget store.Batch
	for i := range uint32(200) {
		if i%3 != 0 {
			forget.Forget = append(forget.Forget, store.EntryID{Batch: 1, Position: i})
		}
	}
	w.Commit(forget)
	if n := contains("user/100-eve"); n != 0 {
		t.Errorf("%d pieces of a forgotten entry are on disk", n)
	}
	if contains("user/099-eve") == 0 {
		t.Error("an entry that was not forgotten is gone")
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// No copy of a wrapped key stays behind where rows have moved between pages.
func TestErasedKeysAreGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s := open(t, config(path))
	w := storetest.Lead(t, s)
	const runs, each = 400, 20
	ids := make([]store.RunID, runs)
	for i, n := range rand.New(rand.NewPCG(1, 2)).Perm(runs) {
		ids[i] = store.RunID(fmt.Sprintf("r%05d", n))
	}
	for batch := range slices.Chunk(ids, each) {
		var b store.Batch
		for _, id := range batch {
			b.Records = append(b.Records, storetest.Record(id, 1, 1))
		}
		w.Commit(b)
	}
	var keys [][]byte
	for _, id := range ids {
		keys = append(keys, readSecrets(t, path, string(id))[0])
	}
	for batch := range slices.Chunk(ids, each) {
		w.Commit(store.Batch{Erase: batch})
	}
	for suffix, data := range readImage(t, path) {
		for _, key := range keys {
			if bytes.Contains(data, key) {
				t.Errorf("regie.db%s holds the key of an erased run", suffix)
			}
		}
	}
}

// readSecrets reads the wrapped key of a run, and 40 bytes after the nonce of
// each of its sealed payloads.
func readSecrets(t *testing.T, path, run string) (secrets [][]byte) {
	t.Helper()
	c, err := sqlite3.Open("file:" + path + "?vfs=" + unsynced)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stmt, _, err := c.Prepare(`SELECT wrapped FROM run_keys WHERE run = ?1 UNION ALL SELECT substr(payload, 13, 40) FROM events WHERE run = ?1`)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	if err := stmt.BindText(1, run); err != nil {
		t.Fatal(err)
	}
	for stmt.Step() {
		secrets = append(secrets, stmt.ColumnBlob(0, nil))
	}
	return secrets
}

// Payloads and keys cannot be read without the key-encryption key.
func TestPayloadsAreSealed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s := open(t, config(path))
	r := storetest.Record("a", 1, 1)
	r.Payload = []byte("the quick brown fox")
	storetest.Lead(t, s).Commit(store.Batch{Records: []store.Record{r}})
	for suffix, data := range readImage(t, path) {
		if bytes.Contains(data, r.Payload) {
			t.Errorf("regie.db%s holds the payload in the clear", suffix)
		}
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, want := someRuns(t, filepath.Join(dir, "regie.db"))
	w := storetest.Lead(t, s)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var committing sync.WaitGroup
	committing.Go(func() { // beside the backups
		for n := uint64(13); ctx.Err() == nil; n++ {
			w.Commit(store.Batch{Records: []store.Record{storetest.Record("a", n, 1)}})
		}
	})
	for _, name := range []string{"one.db", "two.db"} {
		if err := s.Backup(t.Context(), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	committing.Wait()
	for _, name := range []string{"one.db", "two.db"} {
		b := open(t, config(filepath.Join(dir, name)))
		if err := b.Verify(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := readAll(t.Context(), b)
		if err != nil || len(got.Events["a"]) < 12 || !reflect.DeepEqual(got.Programs, want.Programs) {
			t.Errorf("%s: %d records, %v", name, len(got.Events["a"]), err)
		}
		if next := storetest.Lead(t, b); next.Lease.LastSequence < 12 {
			t.Errorf("%s: lease %+v", name, next.Lease)
		}
	}
	if err := s.Backup(t.Context(), filepath.Join(dir, "one.db")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over an existing file: got %v", err)
	}
	if err := s.Backup(ctx, filepath.Join(dir, "three.db")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "three.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a canceled backup left its file: %v", err)
	}
}

// Somebody who only looks on may close last, after commits that it never saw.
func TestOnlookerClosesLast(t *testing.T) {
	t.Parallel()
	cfg := config(filepath.Join(t.TempDir(), "regie.db"))
	cfg.VFS = "" // the real one, which maps memory
	s := open(t, cfg)
	leader := storetest.Lead(t, s)
	onlooker := open(t, cfg)
	if _, err := onlooker.Runs(t.Context(), store.RunQuery{Limit: 1}); err != nil {
		t.Fatal(err)
	}
	leader.Commit(batchAfter(0))
	for _, x := range []*sqlite.Store{s, onlooker} {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(t, cfg).Run(t.Context(), "a"); err != nil {
		t.Errorf("after all: %v", err)
	}
}

// Readers wait for a connection, as long as their context allows, and Close
// waits for readers.
func TestReadersWaitAndCloseWaits(t *testing.T) {
	t.Parallel()
	cfg := config(filepath.Join(t.TempDir(), "regie.db"))
	cfg.Readers = 1
	s := open(t, cfg)
	storetest.Lead(t, s).Commit(batchAfter(0))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 50 {
				if _, err := store.Collect(s.Events(t.Context(), "a", 1)); err != nil && !errors.Is(err, store.ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	readers.Wait()
	if _, err := s.Runs(t.Context(), store.RunQuery{Limit: 1}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// docs/storage.md names every table and column.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/storage.md")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "regie.db")
	open(t, config(path))
	c, err := sqlite3.Open("file:" + path + "?vfs=" + unsynced)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stmt, _, err := c.Prepare(`SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	columns := 0
	for stmt.Step() {
		columns++
		table, column := stmt.ColumnText(0), stmt.ColumnText(1)
		row := regexp.MustCompile("(?m)^\\| `" + table + "` \\|.*$").Find(text)
		if !bytes.Contains(row, []byte("`"+column+"`")) {
			t.Errorf("the row of table %s does not name %s: %s", table, column, row)
		}
	}
	if columns < 40 {
		t.Errorf("only %d columns", columns)
	}
}
