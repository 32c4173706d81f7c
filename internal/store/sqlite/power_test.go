package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"github.com/regie-dev/regie/internal/store/storetest"
)

// diskOp is one thing that SQLite asked of the disk.
type diskOp struct {
	suffix string // of the file's name
	kind   opKind
	data   []byte
	offset int64 // of a write, or the size after a truncation
}

type opKind uint8

const (
	opWrite opKind = iota
	opTruncate
	opSync
)

// recording is what happened to the files of a database since it was made,
// beside what the caller of the store was told.
type recording struct {
	base    []byte // the database when recording began, synced
	ops     []diskOp
	acked   []ack
	batches []*store.Batch
}

// ack says that, when ops had happened, batch was known to be committed and
// the mark said so.
type ack struct {
	ops   int
	batch uint64
	mark  []byte
}

const sectorSize = 512

// record commits batches of all sizes, with checkpoints between, and records
// what reaches the disk. Setup changes settings of the store.
func record(t *testing.T, setup string) recording {
	t.Helper()
	var rec recording
	dir := t.TempDir()
	path := filepath.Join(dir, "regie.db")
	open(t, config(path)).Close()
	var err error
	if rec.base, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	fs := &testFS{unsynced: true}
	add := func(name string, op diskOp) {
		op.suffix = strings.TrimPrefix(name, path)
		rec.ops = append(rec.ops, op)
	}
	fs.write = func(name string, data []byte, offset int64) error {
		add(name, diskOp{kind: opWrite, data: slices.Clone(data), offset: offset})
		return nil
	}
	fs.sync = func(name string) error {
		add(name, diskOp{kind: opSync})
		return nil
	}
	fs.truncate = func(name string, size int64) error {
		add(name, diskOp{kind: opTruncate, offset: size})
		return nil
	}
	vfs.Register("record "+t.Name(), fs)
	t.Cleanup(func() { vfs.Unregister("record " + t.Name()) })

	s := open(t, sqlite.Config{Path: path, Key: key, VFS: "record " + t.Name()})
	if err := errors.Join(s.Exec(setup), s.CheckpointPages(12)); err != nil {
		t.Fatal(err)
	}
	w := storetest.Lead(t, s)
	random := rand.New(rand.NewPCG(1, 2))
	next := map[store.RunID]uint64{}
	for n := range uint64(14) {
		b := store.Batch{}
		for i := range random.IntN(4) {
			id := store.RunID(fmt.Sprintf("r%d", (int(n)+i*3)%7))
			r := storetest.Record(id, next[id]+1, 1)
			r.Payload = []byte(strings.Repeat("x", random.IntN(6000)))
			next[id]++
			b.Records = append(b.Records, r)
			b.Runs = append(b.Runs, storetest.Row(id))
			b.Entries = append(b.Entries, storetest.Entry("user/ada", "run.start", "run/"+string(id)))
		}
		removing(&b, n)
		b.Objects = []store.Object{storetest.Object("n", "a", n+1)}
		rec.batches = append(rec.batches, w.Fill(b))
		w.Commit(b)
		mark, err := os.ReadFile(path + sqlite.MarkSuffix)
		if err != nil {
			t.Fatal(err)
		}
		rec.acked = append(rec.acked, ack{ops: len(rec.ops), batch: n + 1, mark: mark})
	}
	return rec
}

// removing has a run come, go on, end, be erased and be pruned.
func removing(b *store.Batch, n uint64) {
	switch n {
	case 1, 3:
		b.Records = append(b.Records, storetest.Record("gone", (n+1)/2, 1))
	case 5:
		row := storetest.Row("gone")
		row.State, row.EndedAt = "failed", storetest.Start
		b.Runs = append(b.Runs, row)
	case 7:
		b.Erase = []store.RunID{"gone"}
	case 10:
		b.Prune = []store.Pruned{{Run: "gone", Batches: []uint64{2, 4}}}
	}
}

// image writes the files as a power cut before operation at leaves them: of
// what was not synced, each write is there, is not, or is there in part.
func (rec *recording) image(dir string, at int, random *rand.Rand) (path string, acked ack, err error) {
	files := map[string][]byte{"": slices.Clone(rec.base)}
	lastSync := map[string]int{}
	for i, op := range rec.ops[:at] {
		if op.kind == opSync {
			lastSync[op.suffix] = i
		}
	}
	for i, op := range rec.ops[:at] {
		last, synced := lastSync[op.suffix]
		op.apply(files, synced && i < last, random)
	}
	for _, a := range rec.acked {
		if a.ops <= at {
			acked = a
		}
	}
	path = filepath.Join(dir, "regie.db")
	if acked.mark != nil {
		files[sqlite.MarkSuffix] = acked.mark
	}
	for _, suffix := range slices.Sorted(maps.Keys(files)) {
		err = errors.Join(err, os.WriteFile(path+suffix, files[suffix], 0o600))
	}
	return path, acked, err
}

func (op *diskOp) apply(files map[string][]byte, durable bool, random *rand.Rand) {
	fate := 0
	if !durable {
		fate = random.IntN(3)
	}
	file := files[op.suffix]
	switch {
	case op.kind == opSync || fate == 1:
	case op.kind == opTruncate:
		file = append(file, make([]byte, max(0, int(op.offset)-len(file)))...)[:op.offset]
	default:
		data := op.data
		if sectors := len(data) / sectorSize; fate == 2 && sectors > 0 {
			data = data[:random.IntN(sectors)*sectorSize]
		}
		end := int(op.offset) + len(data)
		file = append(file, make([]byte, max(0, end-len(file)))...)
		copy(file[op.offset:], data)
	}
	files[op.suffix] = file
}

// check opens the image: it holds every batch that was acknowledged, whole, and
// at most the one in flight beyond; it verifies, and takes another batch.
func (rec *recording) check(ctx context.Context, path string, acked ack) error {
	s, err := sqlite.Open(ctx, config(path))
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Verify(ctx); err != nil {
		return err
	}
	lease, err := s.Acquire(ctx, "after the power cut")
	if err != nil {
		return err
	}
	if lease.LastSequence < acked.batch || lease.LastSequence > acked.batch+1 {
		return fmt.Errorf("%d batches, %d were acknowledged", lease.LastSequence, acked.batch)
	}
	records := map[store.RunID]int{}
	for _, b := range rec.batches[:lease.LastSequence] {
		for _, r := range b.Records {
			records[r.Run]++
		}
		for _, p := range b.Prune {
			records[p.Run] = 0
		}
	}
	if err := checkRemoved(ctx, s, lease.LastSequence); err != nil {
		return err
	}
	for id, want := range records {
		events, err := store.Collect(s.Events(ctx, id, 1))
		if err != nil || len(events) != want {
			return fmt.Errorf("run %s has %d records, want %d: %w", id, len(events), want, err)
		}
	}
	if err := rec.checkMore(ctx, s, lease.LastSequence); err != nil {
		return err
	}
	return s.Commit(ctx, &store.Batch{
		Sequence: lease.LastSequence + 1, Incarnation: lease.Incarnation, At: storetest.Start,
		Records: []store.Record{{Run: "new", First: 1, Count: 1}},
	})
}

// checkMore checks the object and the entries.
func (rec *recording) checkMore(ctx context.Context, s *sqlite.Store, last uint64) error {
	if last == 0 {
		return nil
	}
	if o, err := s.Object(ctx, storetest.Object("n", "a", 1).ObjectID); err != nil || o.Revision != last {
		return fmt.Errorf("object has revision %d after %d batches: %w", o.Revision, last, err)
	}
	want := 0
	for _, b := range rec.batches[:last] {
		want += len(b.Entries)
	}
	if entries, err := s.Entries(ctx, store.EntryQuery{}); err != nil || len(entries) != want {
		return fmt.Errorf("%d entries, want %d: %w", len(entries), want, err)
	}
	return nil
}

// powerCuts cuts the power before every operation, with several fates of what
// was not synced, and returns the first violation.
func powerCuts(t *testing.T, rec recording, fates uint64) error {
	t.Helper()
	dir := t.TempDir()
	for at := 0; at <= len(rec.ops); at += sparse {
		for fate := range fates {
			into := filepath.Join(dir, fmt.Sprintf("%d-%d", at, fate))
			if err := os.Mkdir(into, 0o700); err != nil {
				t.Fatal(err)
			}
			path, acked, err := rec.image(into, at, rand.New(rand.NewPCG(uint64(at), fate)))
			if err != nil {
				t.Fatal(err)
			}
			if err := rec.check(t.Context(), path, acked); err != nil {
				return fmt.Errorf("before operation %d of %d, fate %d: %w", at, len(rec.ops), fate, err)
			}
			if err := os.RemoveAll(into); err != nil {
				t.Fatal(err)
			}
		}
	}
	return nil
}

// Promise G1: whatever was acknowledged survives a power cut at any moment.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	rec := record(t, "PRAGMA synchronous = FULL")
	checkpoints := 0
	for _, op := range rec.ops {
		if op.suffix == "" && op.kind == opSync {
			checkpoints++
		}
	}
	t.Logf("%d operations, %d checkpoints", len(rec.ops), checkpoints)
	if checkpoints < 3 {
		t.Errorf("only %d checkpoints", checkpoints)
	}
	if err := powerCuts(t, rec, 1); err != nil {
		t.Error(err)
	}
}

// The same with weaker settings finds a loss: the model has teeth.
func TestPowerCutsFindWeakSettings(t *testing.T) {
	t.Parallel()
	for _, setup := range []string{"PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF"} {
		t.Run(setup, func(t *testing.T) {
			t.Parallel()
			err := powerCuts(t, record(t, setup), 1)
			if err == nil {
				t.Error("no power cut lost anything")
			}
			t.Log(err)
		})
	}
}

// checkRemoved: no half of a run that was erased or pruned is there.
func checkRemoved(ctx context.Context, s *sqlite.Store, last uint64) error {
	row, err := s.Run(ctx, "gone")
	switch {
	case last < 6:
		return nil
	case last >= 11 && !errors.Is(err, store.ErrPruned), last < 11 && (err != nil || (row.Erased == 8) != (last >= 8)):
		return fmt.Errorf("after %d batches the run to be pruned is %+v, %w", last, row, err)
	}
	records, err := store.Collect(s.Events(ctx, "gone", 1))
	for i := range records {
		if (records[i].Payload == nil) != (last >= 8) {
			return fmt.Errorf("after %d batches a payload of the run to be erased is %q", last, records[i].Payload)
		}
	}
	return err
}
