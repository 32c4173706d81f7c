package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/store"
)

// FuzzVerify: nobody without the key can make a document that holds. Whatever is
// read, the verifier neither fails nor finds it sound, unless it is what was
// signed, but for white space in proofs and checkpoints in between in exports.
func FuzzVerify(f *testing.F) {
	l := smallLog(f)
	sound := [][]byte{l.export(1), l.export(4), l.clone().proveEntry(store.EntryID{Batch: 4}), l.clone().proveRun()}
	for _, text := range sound {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		report, err := evidence.Verify(bytes.NewReader(text), evidence.Options{Key: l.key})
		if err != nil {
			t.Fatal(err)
		}
		if report.Fault != nil {
			return
		}
		for _, s := range sound {
			if sameJSON(s, text) || bytes.Equal(bare(s), bare(text)) {
				return
			}
		}
		t.Errorf("it holds: %q", text)
	})
}

// bare is an export without its checkpoints.
func bare(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		if json.Valid(line) && !bytes.HasPrefix(line, []byte(`{"checkpoint"`)) {
			out = append(out, line...)
		}
	}
	return out
}

// BenchmarkVerify verifies exports of many batches, each of as many runs as it
// says, with a record and a row for each; and a checkpoint every 1,000.
func BenchmarkVerify(b *testing.B) {
	for _, bench := range []struct {
		name         string
		leaves, runs int
	}{{"leaves=1000000", 1_000_000, 1}, {"leaves=20000/runs=64", 20_000, 64}} {
		b.Run(bench.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "export.jsonl")
			key, size := writeLarge(b, path, bench.leaves, bench.runs)
			b.SetBytes(size)
			for b.Loop() {
				f, err := os.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				report, err := evidence.Verify(f, evidence.Options{Key: key})
				if err != nil || report.Fault != nil || report.Size != uint64(bench.leaves) {
					b.Fatalf("%+v, %v", report, err)
				}
				f.Close()
			}
			b.ReportMetric(float64(bench.leaves)*float64(b.N)/b.Elapsed().Seconds(), "leaves/s")
		})
	}
}

func writeLarge(b *testing.B, path string, leaves, runs int) (evidence.Key, int64) {
	b.Helper()
	l := newTestLog(b)
	f, err := os.Create(path)
	l.must(err)
	w := evidence.NewWriter(f, evidence.Header{Key: l.key, From: 1, Size: uint64(leaves)})
	for i := 1; i <= leaves; i++ {
		batch := store.Batch{}
		for n := range runs {
			run := store.RunID(fmt.Sprintf("r%d-%d", i, n))
			batch.Records = append(batch.Records, record(run, 1, 2))
			batch.Runs = append(batch.Runs, store.RunRow{ID: run, Workflow: "eod", State: "running"})
		}
		batch.ClearTimers = []store.TimerID{{Run: "r1", ID: uint64(i)}}
		l.leaves = l.leaves[:0:0] // what was written is not needed any more
		l.batches, l.salts, l.stored = nil, nil, nil
		l.addAt(uint64(i), batch)
		l.must(w.Batch(&l.leaves[0]))
		if i%1000 == 0 || i == leaves {
			l.must(w.Checkpoint(l.sign()))
			clear(l.signed)
		}
	}
	info, err := f.Stat()
	l.must(err)
	l.must(f.Close())
	return l.key, info.Size()
}
