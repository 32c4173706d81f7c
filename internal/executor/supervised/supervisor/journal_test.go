package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/regie-dev/regie/internal/executor"
)

// ending keeps the end of a task in a folder that is there.
func ending(t *testing.T, j *journal, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	k, err := keep(dir, &executor.Result{ErrorName: text, Checkpoint: []byte("c" + text)}, []byte("s"+text))
	if err == nil {
		err = j.end(dir, k)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, path string) *journal {
	t.Helper()
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.close() })
	return j
}

func has(t *testing.T, j *journal, dir, text string) {
	t.Helper()
	k := j.find(dir)
	if k == nil {
		t.Fatalf("the end of %s is not kept", dir)
	}
	r, err := k.result.Executor(k.attachments)
	if err != nil || r.ErrorName != text || string(r.Checkpoint) != "c"+text || string(k.spool) != "s"+text {
		t.Errorf("kept %+v with %q, %v", r, k.spool, err)
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	path := filepath.Join(base, "journal")
	j := reopen(t, path)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { ending(t, j, filepath.Join(base, fmt.Sprint(i)), fmt.Sprint(i)) })
	}
	all.Wait()
	for i := range 50 {
		has(t, j, filepath.Join(base, fmt.Sprint(i)), fmt.Sprint(i))
	}
	j.release(filepath.Join(base, "7"))
	j.release(filepath.Join(base, "no such task"))
	ending(t, j, filepath.Join(base, "7 again"), "7") // takes the release with it
	if err := os.RemoveAll(filepath.Join(base, "8")); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A crash cuts the file anywhere, or leaves something else at its end.
	for cut := range 40 {
		for _, end := range []string{"", strings.Repeat("\x00", 100), "\xff\xff\xff\xff garbage"} {
			if err := os.WriteFile(path, append(bytes.Clone(whole[:len(whole)-cut]), end...), 0o600); err != nil {
				t.Fatal(err)
			}
			j := reopen(t, path)
			want := 49 // of 51 two are gone
			if cut > 0 {
				want = 48
			}
			if j.count() != want || j.find(filepath.Join(base, "7")) != nil || j.find(filepath.Join(base, "8")) != nil {
				t.Fatalf("cut by %d, with %q: %d are kept, want %d", cut, end, j.count(), want)
			}
			has(t, j, filepath.Join(base, "9"), "9")
			ending(t, j, filepath.Join(base, "new"), "new")
			again := reopen(t, path)
			has(t, again, filepath.Join(base, "new"), "new")
		}
	}
}

func TestJournalRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"something else":           "no journal",
		"RGSJ\x02\x00\x00\x00rest": "format 2",
	} {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openJournal(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A disk that takes nothing loses no result in memory, and later ends are kept.
func TestJournalDiskFails(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	j := reopen(t, filepath.Join(base, "journal"))
	ending(t, j, filepath.Join(base, "before"), "before")
	good := j.file
	bad, err := os.Open(j.path) // cannot be written
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	j.file = bad
	k, err := keep(filepath.Join(base, "lost"), &executor.Result{ErrorName: "lost", Checkpoint: []byte("clost")}, []byte("slost"))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.end(filepath.Join(base, "lost"), k); err == nil {
		t.Error("a result is kept on a disk that takes nothing")
	}
	has(t, j, filepath.Join(base, "lost"), "lost")
	j.file = good
	ending(t, j, filepath.Join(base, "after"), "after")
	again := reopen(t, j.path)
	has(t, again, filepath.Join(base, "before"), "before")
	has(t, again, filepath.Join(base, "after"), "after")
}

// The journal does not grow with what was released.
func TestJournalStaysSmall(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	j := reopen(t, filepath.Join(base, "journal"))
	ending(t, j, filepath.Join(base, "kept"), "kept")
	large := &executor.Result{Checkpoint: bytes.Repeat([]byte("x"), 1<<20)}
	for i := range 40 {
		dir := filepath.Join(base, fmt.Sprint(i))
		k, err := keep(dir, large, nil)
		if err == nil {
			err = j.end(dir, k)
		}
		if err != nil {
			t.Fatal(err)
		}
		j.release(dir)
	}
	ending(t, j, filepath.Join(base, "last"), "last")
	info, err := os.Stat(j.path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxSlack+4<<20 {
		t.Errorf("the journal has %d bytes", info.Size())
	}
	again := reopen(t, j.path)
	if again.count() != 2 {
		t.Errorf("%d are kept", again.count())
	}
	has(t, again, filepath.Join(base, "kept"), "kept")
}

// A journal that cannot be written anew goes on as it is, and says nothing of
// what is durable all the same.
func TestJournalStaysLarge(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	j := reopen(t, filepath.Join(base, "journal"))
	if err := os.Mkdir(j.path+".new", 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	j.slack = maxSlack + 1
	ending(t, j, filepath.Join(base, "first"), "first")
	if err := os.Remove(j.path + ".new"); err != nil {
		t.Fatal(err)
	}
	ending(t, j, filepath.Join(base, "second"), "second")
	again := reopen(t, j.path)
	has(t, again, filepath.Join(base, "first"), "first")
	has(t, again, filepath.Join(base, "second"), "second")
}

// A new file that has taken the name is the one that is written, also where the
// folder could not be synced; until it could, nothing is durable.
func TestJournalFolderFails(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	j := reopen(t, filepath.Join(base, "journal"))
	good := j.folder
	bad, err := os.Open(base)
	if err == nil {
		err = bad.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	j.folder, j.slack = bad, maxSlack+1
	for _, name := range []string{"unsure", "as unsure"} {
		k, err := keep(filepath.Join(base, name), &executor.Result{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.end(filepath.Join(base, name), k); err == nil {
			t.Errorf("the end of %q is durable in a folder that was not synced", name)
		}
	}
	j.folder = good
	ending(t, j, filepath.Join(base, "after"), "after")
	again := reopen(t, j.path)
	has(t, again, filepath.Join(base, "after"), "after")
}
