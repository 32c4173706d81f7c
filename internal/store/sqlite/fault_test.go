package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/store/storetest"
)

// breaker lets the n-th write or sync from now fail, and all after it while
// sticky.
type breaker struct {
	n      int
	sticky bool
	write  error // what a write fails with; nil: writes succeed
	sync   error
	fired  bool
	broken bool
}

func (b *breaker) hook(err error) error {
	if err == nil {
		return nil
	}
	if b.broken && b.sticky {
		return err
	}
	if b.n--; b.n == 0 {
		b.fired, b.broken = true, true
		return err
	}
	return nil
}

// breakable opens a store on a file system with a breaker that is off, and
// commits batch 1.
func breakable(t *testing.T, name string) (fs *testFS, s *sqlite.Store, w *storetest.Writer, path string) {
	t.Helper()
	fs = &testFS{unsynced: true}
	vfsName := "break " + t.Name() + name
	vfs.Register(vfsName, fs)
	t.Cleanup(func() { vfs.Unregister(vfsName) })
	path = filepath.Join(t.TempDir(), "regie.db")
	s = open(t, sqlite.Config{Path: path, Key: key, VFS: vfsName})
	if err := s.CheckpointPages(8); err != nil {
		t.Fatal(err)
	}
	w = storetest.Lead(t, s)
	w.Commit(batchAfter(0))
	return fs, s, w, path
}

// batchAfter is a batch for a run with the number of events, of several pages.
func batchAfter(events uint64) store.Batch {
	r := storetest.Record("a", events+1, 1)
	r.Payload = []byte(strings.Repeat("x", 20_000))
	return store.Batch{
		Runs: []store.RunRow{storetest.Row("a")}, Records: []store.Record{r},
		Objects: []store.Object{storetest.Object("n", "a", events+1)}, Entries: []store.Entry{storetest.Entry("user/ada", "run.start", "run/a")},
	}
}

func (f *testFS) set(b *breaker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write, f.sync, f.truncate = nil, nil, nil
	if b != nil {
		f.write = func(string, []byte, int64) error { return b.hook(b.write) }
		f.sync = func(string) error { return b.hook(b.sync) }
		f.truncate = func(string, int64) error { return b.hook(b.write) }
	}
}

// afterCrash says how many batches a kill at this moment would leave.
func afterCrash(t *testing.T, path string) uint64 {
	t.Helper()
	copied, err := snapshot(path, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, config(copied))
	if err := s.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	last, err := s.LastSequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// Every write and sync of commits fails once, in turn, in every way: the store
// says what a crash would find, and goes on.
func TestEveryFailureOfACommit(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name        string
		write, sync error
		definite    bool // nothing was written when the commit fails
	}{
		{"disk full", sqlite3.FULL, nil, true},
		{"write error", sqlite3.IOERR_WRITE, nil, false},
		{"sync error", nil, sqlite3.IOERR_FSYNC, false},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			fs, s, w, path := breakable(t, "")
			outcomes := map[string]int{}
			events := uint64(1)
			for n := 1; ; n++ {
				b := &breaker{n: n, write: kind.write, sync: kind.sync}
				fs.set(b)
				before := w.Next - 1
				err := s.Commit(t.Context(), w.Fill(batchAfter(events)))
				fs.set(nil)
				crashed := afterCrash(t, path)
				switch {
				case err == nil:
					outcomes["committed"]++
				case errors.Is(err, store.ErrUnknown) && !kind.definite:
					outcomes["unknown"]++
					if crashed != before && crashed != before+1 {
						t.Fatalf("operation %d: %d batches after a crash, %d before the commit", n, crashed, before)
					}
				case kind.definite && !errors.Is(err, store.ErrUnknown):
					outcomes["definite"]++
				default:
					t.Fatalf("operation %d: %v", n, err)
				}
				last, lastErr := s.LastSequence(t.Context())
				if lastErr != nil {
					t.Fatalf("operation %d: %v", n, lastErr)
				}
				if got := afterCrash(t, path); got != last || err == nil && last != before+1 || kind.definite && err != nil && crashed != before {
					t.Fatalf("operation %d: commit said %v, store says %d, a crash leaves %d (%d at once), %d before", n, err, last, got, crashed, before)
				}
				if last == before+1 {
					w.Next++
					events++
				}
				w.Commit(batchAfter(events)) // goes on, the same bytes if they were lost
				events++
				if !b.fired {
					break
				}
			}
			t.Log(outcomes)
			if outcomes["committed"] < 2 || len(outcomes) < 2 {
				t.Errorf("outcomes %v: the breaker has not met a commit and a checkpoint", outcomes)
			}
			if err := s.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// While the disk does not work, an unknown outcome stays unknown, and nothing
// else is written.
func TestUnknownUntilTheDiskWorks(t *testing.T) {
	t.Parallel()
	fs, s, w, path := breakable(t, "")
	fs.set(&breaker{n: 1, sync: sqlite3.IOERR_FSYNC, write: nil, sticky: true})
	w.Refuse(batchAfter(1), store.ErrUnknown)
	for range 3 {
		if last, err := s.LastSequence(t.Context()); err == nil {
			t.Errorf("last sequence: %d while nothing can be synced", last)
		}
		err := s.Commit(t.Context(), w.Fill(batchAfter(1)))
		if err == nil || errors.Is(err, store.ErrUnknown) {
			t.Errorf("commit: %v, want a definite failure", err)
		}
	}
	if runs, err := s.Runs(t.Context(), store.RunQuery{Limit: 10}); len(runs) != 1 || err != nil {
		t.Errorf("reading: %v, %v", runs, err)
	}
	fs.set(nil)
	last, err := s.LastSequence(t.Context())
	if err != nil || last != 1 || afterCrash(t, path) != 1 {
		t.Fatalf("last sequence %d, %v", last, err)
	}
	w.Commit(batchAfter(1))
}

// A disk that stays full fails every commit, definitely, and harms nothing.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	fs, s, w, path := breakable(t, "")
	fs.set(&breaker{n: 1, write: sqlite3.FULL, sticky: true})
	for range 5 {
		err := s.Commit(t.Context(), w.Fill(batchAfter(1)))
		if !errors.Is(err, sqlite3.FULL) || errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("got %v, want a definite failure", err)
		}
	}
	if last, err := s.LastSequence(t.Context()); last != 1 || err != nil || afterCrash(t, path) != 1 {
		t.Errorf("last sequence %d, %v", last, err)
	}
	fs.set(nil)
	for n := uint64(1); n < 6; n++ {
		w.Commit(batchAfter(n))
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// Another process that holds the write lock delays a commit or fails it,
// definitely.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s := open(t, config(path))
	w := storetest.Lead(t, s)
	other, err := sqlite3.Open("file:" + path + "?vfs=" + unsynced)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec("PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	w.Refuse(batchAfter(0), sqlite3.BUSY)
	if _, err := s.Runs(t.Context(), store.RunQuery{Limit: 1}); err != nil {
		t.Errorf("read beside a foreign transaction: %v", err)
	}
	if err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	w.Commit(batchAfter(0))
}

// Runs that fall out of the writer's memory are read back.
func TestMoreRunsThanAreRemembered(t *testing.T) {
	t.Parallel()
	s := open(t, config(filepath.Join(t.TempDir(), "regie.db")))
	s.RememberRuns(20)
	w := storetest.Lead(t, s)
	run := func(i int) store.RunID { return store.RunID(fmt.Sprintf("r%06d", i)) }
	const runs = 100
	for first := uint64(1); first < 3; first++ {
		for from := 0; from < runs; from += 10 {
			var b store.Batch
			for i := from; i < min(from+10, runs); i++ {
				b.Records = append(b.Records, store.Record{Run: run(i), First: first, Count: 1})
				b.Runs = append(b.Runs, storetest.Row(run(i)))
			}
			w.Commit(b)
		}
	}
	w.Refuse(store.Batch{Records: []store.Record{{Run: run(0), First: 2, Count: 1}}}, store.ErrSequence)
	w.Refuse(store.Batch{Records: []store.Record{{Run: run(0), First: 1, Count: 1}}}, store.ErrKeyTaken)
	if n := s.RunsRemembered(); n > 40 {
		t.Errorf("remembers %d runs", n)
	}
	for i := range runs {
		if row, err := s.Run(t.Context(), run(i)); err != nil || row.Events != 2 {
			t.Errorf("run %d: %+v, %v", i, row, err)
		}
	}
}
