package sqlite_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/simstore"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/store/storetest"
	"pgregory.net/rapid"
)

// unsynced names a file system that does not sync, for tests of everything
// but durability.
const unsynced = "unsynced"

// rapidChecks is how many sequences of operations are tried, unless the race
// detector makes them sparse. -rapid.checks on the command line comes later and
// wins.
const rapidChecks = 50

func TestMain(m *testing.M) {
	vfs.Register(unsynced, &testFS{unsynced: true})
	if err := flag.Set("rapid.checks", strconv.Itoa(rapidChecks/sparse)); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// key is the key-encryption key of tests.
var key = [sqlite.KeySize]byte{1, 2, 3}

// config opens path without syncs.
func config(path string) sqlite.Config {
	return sqlite.Config{Path: path, Key: key, VFS: unsynced}
}

func open(t *testing.T, cfg sqlite.Config) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// files are the files of a database that a kill leaves behind: not the shared
// memory, which is rebuilt.
var files = []string{"", "-wal", sqlite.MarkSuffix}

// snapshot copies the files of a database as a kill would leave them to a new
// folder and returns its path there.
func snapshot(path, dir string) (string, error) {
	to := filepath.Join(dir, "regie.db")
	for _, suffix := range files {
		data, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(to+suffix, data, 0o600); err != nil {
			return "", err
		}
	}
	return to, nil
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		path := filepath.Join(t.TempDir(), "regie.db")
		return storetest.Harness{
			Store: open(t, config(path)),
			Reopen: func(t *testing.T) (store.Store, error) {
				var err error
				if path, err = snapshot(path, t.TempDir()); err != nil {
					return nil, err
				}
				s, err := sqlite.Open(t.Context(), config(path))
				if err != nil {
					return nil, err
				}
				t.Cleanup(func() { _ = s.Close() })
				return s, nil
			},
			Beside:    func(t *testing.T) store.Store { return open(t, config(path)) },
			SetFormat: func(t *testing.T, format int) { change(t, path, fmt.Sprintf("UPDATE lease SET format = %d", format)) },
			Tamper:    func(t *testing.T, what storetest.Tampering) { change(t, path, tampering(t, what)) },
		}
	})
}

func TestDifferential(t *testing.T) {
	t.Parallel()
	storetest.Differential(t, func(rt *rapid.T) [2]storetest.Side {
		disk := simstore.NewDisk()
		sim := func() (store.Store, error) { return simstore.Open(disk, nil) }
		path := filepath.Join(t.TempDir(), "regie.db")
		file := func() (store.Store, error) {
			s, err := sqlite.Open(t.Context(), config(path))
			if err != nil {
				return nil, err
			}
			rt.Cleanup(func() { _ = s.Close() })
			return s, nil
		}
		sides := [2]storetest.Side{{
			Reopen: func() (store.Store, error) { disk.Crash(); return sim() }, Beside: sim,
		}, {
			Reopen: func() (_ store.Store, err error) {
				if path, err = snapshot(path, t.TempDir()); err != nil {
					return nil, err
				}
				return file()
			},
			Beside: file,
		}}
		var errs [2]error
		sides[0].Store, errs[0] = sim()
		sides[1].Store, errs[1] = file()
		if err := errors.Join(errs[:]...); err != nil {
			rt.Fatal(err)
		}
		return sides
	})
}

// change runs SQL behind the store's back.
func change(t *testing.T, path, sql string) {
	t.Helper()
	c, err := sqlite3.Open("file:" + path + "?vfs=" + unsynced)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec(sql); err != nil {
		t.Fatal(err)
	}
	if c.TotalChanges() == 0 {
		t.Fatalf("%s: changed nothing", sql)
	}
}

// flip is an expression for a column of bytes with another byte at the place,
// from 1.
func flip(column string, place int) string {
	return fmt.Sprintf("CAST(substr(%[1]s, 1, %[2]d - 1) || iif(substr(%[1]s, %[2]d, 1) = x'FF', x'FE', x'FF') || substr(%[1]s, %[2]d + 1) AS BLOB)", column, place)
}

func tampering(t *testing.T, what storetest.Tampering) string {
	t.Helper()
	const record = " WHERE run = 'tampered' AND first = 3"
	const last = " WHERE run = 'tampered' AND first = 4"
	sql, ok := map[storetest.Tampering]string{
		storetest.ChangeControl:    "UPDATE events SET control = " + flip("control", 1) + record,
		storetest.ChangePayload:    "UPDATE events SET payload = " + flip("payload", 1) + record,
		storetest.ChangeCommitment: "UPDATE events SET commitment = " + flip("commitment", 1) + record,
		storetest.SwapPayloads: `CREATE TEMP TABLE saved AS SELECT first, payload, commitment FROM events WHERE run = 'tampered';
			UPDATE events SET (payload, commitment) = (SELECT payload, commitment FROM saved WHERE first = 4 - events.first)
			WHERE run = 'tampered' AND first IN (1, 3)`,
		storetest.ChangeCount:   "UPDATE events SET count = count + 1" + last,
		storetest.DeleteRecord:  "DELETE FROM events" + last,
		storetest.DeleteRun:     "DELETE FROM events WHERE run = 'tampered'; DELETE FROM run_keys WHERE run = 'tampered'",
		storetest.InsertRecord:  `INSERT INTO events SELECT run, first + count AS first, count, batch, position, commitment, control, payload FROM events` + last,
		storetest.DeleteBatch:   "DELETE FROM batches WHERE sequence = 3",
		storetest.ChangeTime:    "UPDATE batches SET at = at + 1 WHERE sequence = 2",
		storetest.ChangeTree:    "UPDATE batches SET tree = " + flip("tree", 33) + " WHERE sequence = 2",
		storetest.ChangeHash:    "UPDATE batches SET records = " + flip("records", 1) + " WHERE sequence = 2",
		storetest.ChangeRow:     "UPDATE runs SET state = 'waiting' WHERE id = 'tampered'",
		storetest.ChangeKey:     "UPDATE keys SET run = 'other' WHERE key = 'order'",
		storetest.ChangeTimer:   "UPDATE timers SET at = at + 1",
		storetest.ChangeProgram: "UPDATE programs SET data = CAST('q' AS BLOB)",
		storetest.ForgeErasure: `UPDATE events SET payload = NULL WHERE run = 'tampered';
			UPDATE run_keys SET wrapped = NULL, erased = 3 WHERE run = 'tampered'`,
		storetest.ForgePruning: `DELETE FROM events WHERE run = 'tampered';
			UPDATE run_keys SET wrapped = NULL, erased = 2, pruned = 3, batches = x'010101' WHERE run = 'tampered'`,
		storetest.ChangeObject:   "UPDATE objects SET data = '{}' WHERE name = 'a'",
		storetest.ChangeRevision: "UPDATE objects SET revision = revision + 1 WHERE name = 'a'",
		storetest.ReviveObject:   "UPDATE objects SET data = '{}' WHERE name = 'gone'",
		storetest.DeleteObject:   "DELETE FROM objects WHERE name = 'a'",
		storetest.ForgeObject:    "INSERT INTO objects SELECT kind, namespace, 'b', revision, data, salt, batch FROM objects WHERE name = 'a'",
		storetest.ChangeEntry:    "UPDATE entries SET actor = 'user/eve' WHERE (batch, position) = (1, 1)",
		storetest.ChangeDetail:   "UPDATE entries SET detail = '' WHERE (batch, position) = (1, 1)",
		storetest.SwapEntries:    "UPDATE entries SET position = 1 - position + 10 WHERE batch = 3 AND position < 2; UPDATE entries SET position = position - 10 WHERE position > 5",
		storetest.DeleteEntry:    "DELETE FROM entries WHERE (batch, position) = (1, 2)",
		storetest.DeleteEntries:  "DELETE FROM entries WHERE batch = 3",
		storetest.InsertEntry: `INSERT INTO entries SELECT batch, 3, actor, via, action, namespace, object, outcome, reason, request, detail, salt, forgotten
			FROM entries WHERE (batch, position) = (1, 2)`,
		storetest.HideEntries: "DELETE FROM entries WHERE batch = 1; UPDATE batches SET entries = 0 WHERE sequence = 1",
		storetest.ForgeForgetting: `UPDATE entries SET actor = NULL, via = NULL, action = NULL, namespace = NULL, object = NULL, outcome = NULL,
			reason = NULL, request = NULL, detail = NULL, salt = NULL, forgotten = 2 WHERE (batch, position) = (1, 1)`,
		storetest.RestoreForgotten: `UPDATE entries SET (actor, via, action, namespace, object, outcome, reason, request, detail, salt) =
			(SELECT actor, via, action, namespace, 'a', outcome, reason, request, detail, salt FROM entries AS e WHERE (batch, position) = (1, 1)),
			forgotten = NULL WHERE (batch, position) = (1, 0)`,
	}[what]
	if !ok {
		t.Fatalf("do not know how to %s", what)
	}
	return sql
}
