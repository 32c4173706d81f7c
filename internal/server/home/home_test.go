package home_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
