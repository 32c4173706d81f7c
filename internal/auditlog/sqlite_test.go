package auditlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/regie-dev/regie/internal/auditlog"
	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
)

// installation is a data folder with a database and an audit log, as a server
// has it.
type installation struct {
	t      testing.TB
	path   string
	anchor string
	dir    *datadir.Dir
	store  *sqlite.Store
	log    *auditlog.Service
	told   alarms
	lease  store.Lease
}

// openInstallation opens the folder as a start of the server does.
func openInstallation(t testing.TB, path, anchor string) *installation {
	t.Helper()
	i := &installation{t: t, path: path, anchor: anchor}
	var err error
	i.dir, err = datadir.Open(path, datadir.Owner{PID: os.Getpid(), Started: time.Now()})
	i.must(err)
	t.Cleanup(i.close)
	key, err := i.dir.Key()
	i.must(err)
	i.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: i.dir.Database(), Key: key})
	i.must(err)
	i.lease, err = i.store.Acquire(t.Context(), "test")
	i.must(err)
	i.log, err = auditlog.Open(auditlog.Config{
		Log: i.store, Root: i.dir.Root(), Alarm: i.told.raise, Anchors: []auditlog.Anchor{auditlog.NewFileAnchor(anchor)},
	})
	i.must(err)
	i.must(i.log.Start(t.Context()))
	return i
}

// grow commits batches with a record, an object and two entries each.
func (i *installation) grow(n int, word string) {
	i.t.Helper()
	for range n {
		i.lease.LastSequence++
		sequence := i.lease.LastSequence
		run := store.RunID(fmt.Sprintf("r%d", sequence))
		i.must(i.store.Commit(i.t.Context(), &store.Batch{
			Sequence: sequence, Incarnation: i.lease.Incarnation, At: time.Date(2026, 11, 23, 8, 0, int(sequence), 0, time.UTC),
			Records: []store.Record{{Run: run, First: 1, Count: 2, Control: []byte(`{"events":[]}`), Payload: []byte("secret")}},
			Runs:    []store.RunRow{{ID: run, Workflow: "eod", State: "running", AcceptedAt: time.Unix(1, 0)}},
			Objects: []store.Object{{ObjectID: store.ObjectID{Kind: "note", Name: string(run)}, Revision: 1, Data: []byte(word)}},
			Entries: []store.Entry{
				{Actor: "user/ada", Action: "run.start", Object: "run/" + string(run), Outcome: "done", Detail: []byte(`{"a":1}`)},
				{Actor: "user/mallory", Action: "log.read", Object: "run/" + string(run), Outcome: "denied", Reason: word},
			},
		}))
	}
}

func (i *installation) close() {
	if i.log != nil {
		_ = i.log.Stop(i.t.Context())
		i.log = nil
	}
	if i.store != nil {
		_ = i.store.Close()
		i.store = nil
	}
	_ = i.dir.Close()
}

func (i *installation) must(err error) {
	if err != nil {
		i.t.Helper()
		i.t.Fatal(err)
	}
}

// copyFolder copies a data folder that nobody has.
func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	private(t, to)
	return to
}

// private gives files the modes that they have in a data folder.
func private(t testing.TB, path string) {
	t.Helper()
	err := filepath.WalkDir(path, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return errors.Join(err, os.Chmod(path, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSQLite writes a log to a real database, and verifies what is exported and
// proven of it.
func TestSQLite(t *testing.T) {
	t.Parallel()
	i := openInstallation(t, filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "anchor"))
	i.grow(20, "why")
	i.lease.LastSequence++
	i.must(i.store.Commit(t.Context(), &store.Batch{
		Sequence: 21, Incarnation: i.lease.Incarnation, At: time.Date(2026, 11, 23, 8, 1, 0, 0, time.UTC), Erase: []store.RunID{"r5"}, Forget: []store.EntryID{{Batch: 3, Position: 1}},
	}))
	i.grow(2, "why")
	if report := export(t, i.log, 1); report.Size != 23 || report.Entries != 44 || report.Forgotten != 1 || report.Records != 22 {
		t.Errorf("report %+v", report)
	}
	export(t, i.log, 13)
	proof, err := i.log.ProveEntry(t.Context(), store.EntryID{Batch: 7, Position: 1})
	if report := verified(t, i.log, proof, err); report.Entry.Actor != "user/mallory" || report.Entry.Reason != "why" {
		t.Errorf("entry %+v", report.Entry)
	}
	for _, run := range []store.RunID{"r4", "r5"} { // r5 was erased: its facts stay
		proof, err := i.log.ProveRun(t.Context(), run)
		if report := verified(t, i.log, proof, err); report.Events != 2 || bytes.Contains(proof, []byte("secret")) {
			t.Errorf("run %s: %+v", run, report)
		}
	}
	i.must(i.store.Verify(t.Context()))
}

// TestTamperedSQLite: rows of the log are changed or removed by hand (B82).
func TestTamperedSQLite(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "data")
	i := openInstallation(t, whole, filepath.Join(t.TempDir(), "anchor"))
	i.grow(10, "why")
	i.close()
	for _, sql := range []string{
		`UPDATE batches SET at = at + 1000000 WHERE sequence = 4`,
		`UPDATE batches SET items = zeroblob(length(items)) WHERE sequence = 4`,
		`UPDATE entries SET actor = 'user/ada' WHERE batch = 4 AND position = 1`,
		`DELETE FROM entries WHERE batch = 4 AND position = 1`,
		`DELETE FROM batches WHERE sequence = 4`,
	} {
		t.Run(sql, func(t *testing.T) {
			t.Parallel()
			path := copyFolder(t, whole)
			tamper(t, filepath.Join(path, datadir.DatabaseName), sql)
			i := openInstallation(t, path, filepath.Join(t.TempDir(), "anchor"))
			err := i.log.Export(t.Context(), &bytes.Buffer{}, 1)
			if err == nil || !strings.Contains(err.Error(), "4") {
				t.Errorf("export: %v", err)
			}
		})
	}
}

// TestOldCopiesOfSQLite: the database, or the whole data folder, is put back to
// an older copy, and the log goes on (B82).
func TestOldCopiesOfSQLite(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string]bool{"database": false, "folder": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, anchor := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "anchor")
			i := openInstallation(t, path, anchor)
			i.grow(5, "why")
			i.close()
			old := copyFolder(t, path)
			i = openInstallation(t, path, anchor)
			i.grow(5, "why")
			i.close()
			if !whole {
				i.must(os.RemoveAll(filepath.Join(old, "audit")))
				i.must(os.CopyFS(filepath.Join(old, "audit"), os.DirFS(filepath.Join(path, "audit"))))
				private(t, filepath.Join(old, "audit"))
			}
			i = openInstallation(t, old, anchor)
			i.grow(7, "another why")
			_, err := i.log.Sign(t.Context())
			if !whole && !errors.Is(err, auditlog.ErrFork) {
				t.Errorf("sign: %v", err)
			}
			key := i.log.Key()
			if whole {
				// In the folder all is sound; the anchor knows better.
				_ = i.log.Stop(t.Context())
			}
			if err := i.log.Ready(); !errors.Is(err, auditlog.ErrFork) || i.told.count() != 1 {
				t.Errorf("ready %v, alarms %v", err, i.told.told)
			}
			if !whole {
				return
			}
			// Somebody takes the anchor away: only its copy finds it then.
			i.close()
			i = openInstallation(t, old, filepath.Join(t.TempDir(), "anchor"))
			export(t, i.log, 1)
			var out bytes.Buffer
			i.must(i.log.Export(t.Context(), &out, 1))
			f, err := os.Open(anchor)
			i.must(err)
			defer f.Close()
			kept, _, err := evidence.ReadKept("anchor", f, key)
			i.must(err)
			report, err := evidence.Verify(&out, evidence.Options{Key: key, Kept: kept})
			i.must(err)
			if report.Fault == nil || report.Fault.First != 6 || report.Fault.Last != 10 {
				t.Errorf("fault %v", report.Fault)
			}
		})
	}
}

// tamper changes a database by hand.
func tamper(t testing.TB, path, sql string) {
	t.Helper()
	c, err := sqlite3.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Exec(sql), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkExport writes an export of a real database, of batches with a record,
// three other items and two entries each.
func BenchmarkExport(b *testing.B) {
	const batches = 2000
	i := openInstallation(b, filepath.Join(b.TempDir(), "data"), filepath.Join(b.TempDir(), "anchor"))
	i.grow(batches, "why")
	for b.Loop() {
		i.must(i.log.Export(b.Context(), io.Discard, 1))
	}
	b.ReportMetric(batches*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
}

// BenchmarkSign proves that a log of 2,000 batches continues the last
// checkpoint, signs it and keeps it, after each batch.
func BenchmarkSign(b *testing.B) {
	i := openInstallation(b, filepath.Join(b.TempDir(), "data"), filepath.Join(b.TempDir(), "anchor"))
	i.grow(2000, "why")
	for b.Loop() {
		b.StopTimer()
		i.grow(1, "why")
		b.StartTimer()
		_, err := i.log.Sign(b.Context())
		i.must(err)
	}
}
