package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/store/sqlite"
	"golang.org/x/sys/unix"
)

// BenchmarkFdatasync is the rate that bounds all others: append 300 bytes and
// sync.
func BenchmarkFdatasync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	data := make([]byte, 300)
	for b.Loop() {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// BenchmarkCommit commits batches of records of 300 bytes (50 control, 250
// payload). Every run gets 8 records, one a batch, before another takes its
// place.
func BenchmarkCommit(b *testing.B) {
	for _, records := range []int{1, 16, 128, 1024} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			s, lease := benchStore(b)
			batch := store.Batch{Sequence: lease.LastSequence, Incarnation: lease.Incarnation, Records: make([]store.Record, records)}
			control, payload := make([]byte, 50), make([]byte, 250)
			for b.Loop() {
				batch.Sequence++
				batch.At = time.UnixMicro(int64(batch.Sequence))
				round, turn := (batch.Sequence-1)/8, (batch.Sequence-1)%8
				for i := range batch.Records {
					batch.Records[i] = store.Record{
						Run:   store.RunID(fmt.Sprintf("01j9zk3v5m8x%08d%06d", round, i)),
						First: 1 + 2*turn, Count: 2, Control: control, Payload: payload,
					}
				}
				if err := s.Commit(b.Context(), &batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkRuns commits whole one-step runs, 256 in a batch and in two batches
// each: accepted, with a row and the key of the run, then ended.
func BenchmarkRuns(b *testing.B) { benchRuns(b, false) }

// BenchmarkRunsAsked does the same with an entry of the audit log for each run,
// as runs have that somebody asked for over the API.
func BenchmarkRunsAsked(b *testing.B) { benchRuns(b, true) }

func benchRuns(b *testing.B, asked bool) {
	s, lease := benchStore(b)
	const runs = 256
	batch := store.Batch{Sequence: lease.LastSequence, Incarnation: lease.Incarnation, Records: make([]store.Record, runs), Runs: make([]store.RunRow, runs)}
	control, payload := make([]byte, 100), make([]byte, 250)
	for b.Loop() {
		for turn, state := range []string{"running", "succeeded"} {
			batch.Sequence++
			batch.At = time.UnixMicro(int64(batch.Sequence))
			batch.Entries = batch.Entries[:0]
			for i := range runs {
				id := store.RunID(fmt.Sprintf("01j9zk3v5m8x%08d%06d", (batch.Sequence-1)/2, i))
				batch.Records[i] = store.Record{Run: id, First: uint64(1 + 3*turn), Count: 3, Control: control, Payload: payload}
				batch.Runs[i] = store.RunRow{ID: id, Namespace: "default", Workflow: "bench", BusinessDate: "2026-11-23", State: state, AcceptedAt: batch.At}
				if turn == 1 {
					batch.Runs[i].EndedAt = batch.At
				} else if asked {
					batch.Entries = append(batch.Entries, store.Entry{
						Actor: "user/ada", Via: "session", Action: "run.start", Namespace: "default", Object: "run/" + string(id), Outcome: "done",
					})
				}
			}
			if err := s.Commit(b.Context(), &batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*runs)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFresh opens a database that does not exist, takes the lease and
// closes it.
func BenchmarkFresh(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(dir, fmt.Sprintf("%d.db", n))})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Acquire(b.Context(), "bench"); err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchStore(b *testing.B) (*sqlite.Store, store.Lease) {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(b.TempDir(), "regie.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	lease, err := s.Acquire(b.Context(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	return s, lease
}

// BenchmarkRunLists lists 50 runs of 100,000 that ended, in 20 workflows, a
// hundredth of which failed; and looks for one that is not there, which reads
// all of them.
func BenchmarkRunLists(b *testing.B) {
	s, lease := benchStore(b)
	batch := store.Batch{Sequence: lease.LastSequence, Incarnation: lease.Incarnation, Runs: make([]store.RunRow, 1000)}
	for n := range 100 {
		batch.Sequence++
		batch.At = time.UnixMicro(int64(batch.Sequence))
		for i := range batch.Runs {
			state := "succeeded"
			if i%100 == 0 {
				state = "failed"
			}
			batch.Runs[i] = store.RunRow{
				ID: store.RunID(fmt.Sprintf("01j9zk3v5m8x%08d%06d", n, i)), Namespace: "default", Workflow: fmt.Sprintf("w%d", i%20),
				BusinessDate: fmt.Sprintf("2026-%02d-%02d", 1+n/28, 1+n%28), State: state, AcceptedAt: batch.At, EndedAt: batch.At,
			}
		}
		if err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]store.RunQuery{
		"newest": {}, "workflow": {Namespaces: []string{"default"}, Workflows: []string{"w3"}}, "failed": {States: []string{"failed"}},
		"date": {DateFrom: "2026-01-05", DateTo: "2026-01-05"}, "changes": {ByBatch: true, Since: 90}, "nothing": {Namespaces: []string{"other"}},
	} {
		b.Run(name, func(b *testing.B) {
			q.Limit = 50
			for b.Loop() {
				if runs, err := s.Runs(b.Context(), q); err != nil || (len(runs) == 50) == (name == "nothing") {
					b.Fatal(len(runs), err)
				}
			}
		})
	}
}
