package home_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/server/home"
	"github.com/regie-dev/regie/internal/store"
)

// TestLogs keeps the logs of attempts apart, those of runs accepted at about the
// same time in one folder.
func TestLogs(t *testing.T) {
	t.Parallel()
	f, err := home.Open(t.Context(), t.TempDir(), home.Owner("test", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type attempt struct {
		run     store.RunID
		act     engine.ActID
		attempt int
	}
	all := []attempt{
		{"01k0000000aaaaaaaaaaaaaaaa", 1, 1}, {"01k0000000aaaaaaaaaaaaaaaa", 1, 11}, {"01k0000000aaaaaaaaaaaaaaaa", 11, 1},
		{"01k0000zzzaaaaaaaaaaaaaaaa", 1, 1}, {"r", 1, 1}, {"r-1", 1, 1},
	}
	for _, a := range all {
		if _, err := f.ReadLog(a.run, a.act, a.attempt); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: the log of an attempt that printed nothing: %v", a, err)
		}
		log, err := f.OpenLog(a.run, a.act, a.attempt)
		if err != nil {
			t.Fatalf("%v: %v", a, err)
		}
		if held := log.Held(executor.Stdout); held.Bytes > 0 {
			t.Errorf("%v: the log of another attempt was opened", a)
		}
		if err := errors.Join(log.Write(executor.Chunk{At: time.Now(), Stream: executor.Stdout, Data: []byte("x")}), log.Close()); err != nil {
			t.Errorf("%v: %v", a, err)
		}
		file, err := f.ReadLog(a.run, a.act, a.attempt)
		if err != nil {
			t.Fatalf("%v: %v", a, err)
		}
		_ = file.Close()
	}
	folders, err := os.ReadDir(filepath.Join(f.Dir.Path(), "logs"))
	if err != nil || len(folders) != 3 {
		t.Errorf("folders of logs: %v, %v", folders, err)
	}
}

// TestRemoveLogs deletes the logs of one run, and none of another that is in the
// same folder or whose ID begins with its.
func TestRemoveLogs(t *testing.T) {
	t.Parallel()
	f, err := home.Open(t.Context(), t.TempDir(), home.Owner("test", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	runs := []store.RunID{"01k0000000aaaaaaaaaaaaaaaa", "01k0000000bbbbbbbbbbbbbbbb", "01k00000", "01k00000-1", "01k00000-1-1"}
	for _, run := range runs {
		for act := range engine.ActID(2) {
			log, err := f.OpenLog(run, act+1, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, run := range runs {
		if n, err := f.RemoveLogs(run); err != nil || n != 2 {
			t.Errorf("%s: %d logs deleted, %v", run, n, err)
		}
		if n, err := f.RemoveLogs(run); err != nil || n != 0 {
			t.Errorf("%s: %d logs deleted again, %v", run, n, err)
		}
		for j, other := range runs {
			if n, err := f.CountLogs(other); err != nil || (n == 2) != (j > i) {
				t.Errorf("%s has %d logs after those of %s were deleted, %v", other, n, run, err)
			}
		}
	}
	if n, err := f.RemoveLogs("nobody"); err != nil || n != 0 {
		t.Errorf("a run without logs: %d, %v", n, err)
	}
}

// TestLogShards: logs are found by the beginnings of the IDs of their runs, and
// measured.
func TestLogShards(t *testing.T) {
	t.Parallel()
	f, err := home.Open(t.Context(), t.TempDir(), home.Owner("test", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if shards, err := f.LogShards(); err != nil || len(shards) > 0 {
		t.Errorf("shards without logs: %v, %v", shards, err)
	}
	for _, run := range []store.RunID{"01k0000zzz-1", "01k0000aaa", "01k0001aaa"} {
		log, err := f.OpenLog(run, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(log.Write(executor.Chunk{At: time.Now(), Stream: executor.Stdout, Data: make([]byte, 100)}), log.Close()); err != nil {
			t.Fatal(err)
		}
	}
	shards, err := f.LogShards()
	if err != nil || !slices.Equal(shards, []string{"01k0000", "01k0001"}) {
		t.Errorf("shards %v, %v", shards, err)
	}
	owners, err := f.LogOwners("01k0000")
	if err != nil || !slices.Equal(owners, []store.RunID{"01k0000aaa", "01k0000zzz-1"}) {
		t.Errorf("owners %v, %v", owners, err)
	}
	if _, err := f.RemoveLogs("01k0001aaa"); err != nil {
		t.Error(err)
	}
	if owners, err := f.LogOwners("01k0001"); err != nil || len(owners) > 0 {
		t.Errorf("owners in an empty shard: %v, %v", owners, err)
	}
	if shards, err := f.LogShards(); err != nil || !slices.Equal(shards, []string{"01k0000"}) {
		t.Errorf("shards %v, %v", shards, err)
	}
	database, logs, other, err := f.Usage(t.Context())
	if err != nil || database < 10_000 || logs < 200 || logs > 3000 || other == 0 {
		t.Errorf("%d bytes of database, %d of logs, %d others, %v", database, logs, other, err)
	}
}
