package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/store/storetest"
)

// image is a set of files by suffix.
type image map[string][]byte

func readImage(t *testing.T, path string) image {
	t.Helper()
	img := image{}
	for _, suffix := range files {
		data, err := os.ReadFile(path + suffix)
		switch {
		case err == nil && suffix == "-wal" && len(data) == 0:
			// Says nothing; SQLite makes one when it opens a database.
		case err == nil:
			img[suffix] = data
		case !errors.Is(err, os.ErrNotExist):
			t.Fatal(err)
		}
	}
	return img
}

func (img image) write(t *testing.T, path string) {
	t.Helper()
	for _, suffix := range append(slices.Clone(files), "-shm") {
		err := os.Remove(path + suffix)
		if data, ok := img[suffix]; ok {
			err = os.WriteFile(path+suffix, data, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// with is the image with one file replaced; nil removes it.
func (img image) with(suffix string, data []byte) image {
	changed := maps.Clone(img)
	changed[suffix] = data
	if data == nil {
		delete(changed, suffix)
	}
	return changed
}

// someRuns writes a few batches with one of everything and returns what can be
// read then.
func someRuns(t *testing.T, path string) (s *sqlite.Store, want storetest.State) {
	t.Helper()
	s = open(t, config(path))
	w := storetest.Lead(t, s)
	for n := range uint64(12) {
		b := store.Batch{
			Runs:      []store.RunRow{storetest.Row("a"), storetest.Row(store.RunID(fmt.Sprintf("r%d", n)))},
			Records:   []store.Record{storetest.Record("a", n+1, 1), storetest.Record(store.RunID(fmt.Sprintf("r%d", n)), 1, 3)},
			Keys:      []store.Key{{Namespace: "n", Key: fmt.Sprintf("k%d", n), Run: "a"}},
			SetTimers: []store.Timer{{TimerID: store.TimerID{Run: "a", ID: n}, At: storetest.Start}},
			Programs:  []store.Program{storetest.Program(fmt.Sprintf("p%d", n))},
			Objects:   []store.Object{storetest.Object("n", "a", n+1), storetest.Object("n", fmt.Sprintf("u%d", n), 1)},
			Entries:   []store.Entry{storetest.Entry("user/ada", "run.start", fmt.Sprintf("run/r%d", n)), storetest.Entry("user/bob", "x", "y")},
		}
		if n == 1 { // which cuts the WAL; it grows again
			b.Forget = []store.EntryID{{Batch: n, Position: 1}}
		}
		b.Records[0].Payload = []byte(strings.Repeat("payload ", 300))
		w.Commit(b)
	}
	want, err := readAll(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return s, want
}

// readAll reads everything that someRuns wrote.
func readAll(ctx context.Context, s *sqlite.Store) (storetest.State, error) {
	runs := []store.RunID{"a"}
	var keys []store.Key
	var programs []store.Program
	for n := range 12 {
		runs = append(runs, store.RunID(fmt.Sprintf("r%d", n)))
		keys = append(keys, store.Key{Namespace: "n", Key: fmt.Sprintf("k%d", n)})
		programs = append(programs, storetest.Program(fmt.Sprintf("p%d", n)))
	}
	return storetest.ReadState(ctx, s, runs, keys, programs, storetest.Start)
}

// outcome opens the image and reads everything: damage is an error, never
// another content, and refusing to open changes nothing on disk.
func outcome(t *testing.T, what, path string, img image, want storetest.State) (found bool) {
	t.Helper()
	img.write(t, path)
	s, err := sqlite.Open(t.Context(), config(path))
	if err != nil {
		if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrFormat) {
			t.Errorf("%s: open: %v, want ErrCorrupt", what, err)
		}
		if after := readImage(t, path); !reflect.DeepEqual(after, img) {
			t.Errorf("%s: refusing to open changed the files", what)
		}
		return true
	}
	defer s.Close()
	got, err := readAll(t.Context(), s)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		found = true
	case err != nil:
		t.Errorf("%s: read: %v, want ErrCorrupt", what, err)
	case !reflect.DeepEqual(got, want):
		t.Errorf("%s: silently reads something else", what)
	}
	if err := s.Verify(t.Context()); err != nil {
		found = true
		if !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: verify: %v, want ErrCorrupt", what, err)
		}
	}
	return found
}

func TestFlippedBytesOfTheDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s, want := someRuns(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	img := readImage(t, path)
	if img["-wal"] != nil {
		t.Fatal("closing left a WAL")
	}
	tried, found := 0, 0
	for at := 0; at < len(img[""]); at++ {
		if at >= 100 { // past the header, a sample
			at += 450 * sparse
		}
		if at >= len(img[""]) {
			break
		}
		data := slices.Clone(img[""])
		data[at] ^= 1 << (at % 8)
		tried++
		if outcome(t, fmt.Sprintf("byte %d", at), path, img.with("", data), want) {
			found++
		}
	}
	t.Logf("%d of %d found", found, tried)
	// All pages are in use, and each has a checksum.
	if found != tried {
		t.Errorf("%d of %d flipped bytes were found", found, tried)
	}
	if outcome(t, "intact", path, img, want) {
		t.Error("the intact image is damaged")
	}
}

func TestFlippedAndCutWAL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, want := someRuns(t, filepath.Join(dir, "live.db"))
	img := readImage(t, filepath.Join(dir, "live.db")) // as a kill leaves it
	path := filepath.Join(dir, "regie.db")
	wal := img["-wal"]
	if len(wal) < 20_000 {
		t.Fatalf("WAL of %d bytes", len(wal))
	}
	for at := 1; at < len(wal); at += 2003 * sparse {
		data := slices.Clone(wal)
		data[at] ^= 0x40
		if !outcome(t, fmt.Sprintf("byte %d", at), path, img.with("-wal", data), want) {
			t.Errorf("byte %d: not found", at)
		}
		if !outcome(t, fmt.Sprintf("cut at %d", at), path, img.with("-wal", wal[:at:at]), want) {
			t.Errorf("cut at %d: not found", at)
		}
	}
	if !outcome(t, "removed", path, img.with("-wal", nil), want) {
		t.Error("removed WAL: not found")
	}
	if outcome(t, "intact", path, img, want) {
		t.Error("the intact image is damaged")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "regie.db")
	s, want := someRuns(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	img := readImage(t, path)
	mark := img[sqlite.MarkSuffix]
	whole := len(img[""])
	for name, changed := range map[string]image{
		"database empty":           img.with("", []byte{}),
		"database empty, no mark":  img.with("", []byte{}).with(sqlite.MarkSuffix, nil),
		"database missing":         img.with("", nil),
		"database cut in a page":   img.with("", img[""][:whole-4000]),
		"database cut by a page":   img.with("", img[""][:whole-4096]),
		"database cut to a header": img.with("", img[""][:100]),
		"database cut to a word":   img.with("", img[""][:7]),
		"not a database":           img.with("", bytes.Repeat([]byte("hello "), 10_000)),
		"database of zeros":        img.with("", make([]byte, whole)),
		"mark cut":                 img.with(sqlite.MarkSuffix, mark[:20]),
		"mark too long":            img.with(sqlite.MarkSuffix, append(slices.Clone(mark), 1)),
		"mark flipped":             img.with(sqlite.MarkSuffix, append([]byte{mark[0] ^ 1}, mark[1:]...)),
	} {
		if !outcome(t, name, path, changed, want) {
			t.Errorf("%s: not found", name)
		}
	}
	// A mark that a power cut left empty says nothing.
	for name, data := range map[string][]byte{"no mark": nil, "empty mark": {}, "mark of zeros": make([]byte, sqlite.MarkSize)} {
		if outcome(t, name, path, img.with(sqlite.MarkSuffix, data), want) {
			t.Errorf("%s: taken for damage", name)
		}
	}
}

// B82: an older copy that was put back, and another history, are noticed.
func TestOlderCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "regie.db")
	s := open(t, config(path))
	w := storetest.Lead(t, s)
	w.Commit(store.Batch{Records: []store.Record{storetest.Record("a", 1, 1)}})
	old := readImage(t, path)
	w.Commit(store.Batch{Records: []store.Record{storetest.Record("b", 1, 1)}})
	lost := storetest.Lead(t, s).Lease
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	newer := readImage(t, path)
	img := old.with(sqlite.MarkSuffix, newer[sqlite.MarkSuffix])
	img.write(t, path)
	cfg := config(path)
	for range 2 {
		if _, err := sqlite.Open(t.Context(), cfg); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "batch 2") {
			t.Fatalf("older copy: got %v, want ErrCorrupt that names batch 2", err)
		}
	}
	if got := readImage(t, path); !reflect.DeepEqual(got, img) {
		t.Error("refusing to open changed the files")
	}

	cfg.AcceptLoss = true
	s = open(t, cfg)
	again := storetest.Lead(t, s)
	if again.Lease.Incarnation <= lost.Incarnation || again.Lease.LastSequence != 1 {
		t.Errorf("lease %+v; the lost ones had %+v", again.Lease, lost)
	}
	again.Commit(store.Batch{Records: []store.Record{storetest.Record("c", 1, 1)}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.AcceptLoss = false
	s = open(t, cfg) // accepted once and for all
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The copy that went another way has as many batches, but not the same.
	forked := newer.with(sqlite.MarkSuffix, readImage(t, path)[sqlite.MarkSuffix])
	forked.write(t, path)
	if _, err := sqlite.Open(t.Context(), cfg); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("another history: got %v, want ErrCorrupt", err)
	}
}

func TestDamagedMarkCanBeAccepted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s, want := someRuns(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+sqlite.MarkSuffix, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config(path)
	cfg.AcceptLoss = true
	s = open(t, cfg)
	storetest.Lead(t, s)
	if got, err := readAll(t.Context(), s); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, config(path))
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s, want := someRuns(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := readImage(t, path)
	cfg := config(path)
	cfg.Key[31] ^= 1
	if _, err := sqlite.Open(t.Context(), cfg); !errors.Is(err, store.ErrWrongKey) {
		t.Errorf("got %v, want ErrWrongKey", err)
	}
	if after := readImage(t, path); !reflect.DeepEqual(after, before) {
		t.Error("a wrong key changed the files")
	}
	if got, err := readAll(t.Context(), open(t, config(path))); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("with the right key: %v", err)
	}
}

// B53: one damaged program or run is refused; all others can be read.
func TestDamageIsLocal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "regie.db")
	s, _ := someRuns(t, path)
	change(t, path, `UPDATE programs SET data = CAST('{"format": 99' AS BLOB) WHERE hash = (SELECT min(hash) FROM programs);
		UPDATE events SET control = x'00' WHERE run = 'r3'; UPDATE run_keys SET wrapped = x'00' WHERE run = 'r4'`)
	damaged := 0
	for n := range 12 {
		id := store.RunID(fmt.Sprintf("r%d", n))
		events, err := store.Collect(s.Events(t.Context(), id, 1))
		if n == 3 || n == 4 {
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), string(id)) {
				t.Errorf("%s: got %v, want ErrCorrupt that names it", id, err)
			}
		} else if len(events) != 1 || err != nil {
			t.Errorf("%s: %v, %v", id, events, err)
		}
		_, err = s.Program(t.Context(), storetest.Program(fmt.Sprintf("p%d", n)).Hash)
		if errors.Is(err, store.ErrCorrupt) {
			damaged++
		} else if err != nil {
			t.Error(err)
		}
	}
	if damaged != 1 {
		t.Errorf("%d programs are damaged, want 1", damaged)
	}
	if live, err := s.LiveRuns(t.Context()); len(live) != 13 || err != nil {
		t.Errorf("%d live runs, %v", len(live), err)
	}
	w := storetest.Lead(t, s)
	w.Commit(store.Batch{Records: []store.Record{storetest.Record("r5", 4, 1)}})
	w.Refuse(store.Batch{Records: []store.Record{storetest.Record("r4", 4, 1)}}, store.ErrCorrupt)
}
