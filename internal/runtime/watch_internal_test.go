package runtime

import (
	"context"
	"errors"
	"io"
	"iter"
	"testing"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
)

// stored is a reader of one run, which counts the records that were read.
type stored struct {
	store.Reader
	records []store.Record
	read    int
}

func (s *stored) Events(_ context.Context, _ store.RunID, first uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for i := range s.records {
			if s.records[i].First < first {
				continue
			}
			if s.read++; !yield(s.records[i], nil) {
				return
			}
		}
	}
}

// TestWatchLongRun wants a watcher to read a long run in parts, each record once,
// and to see the end only behind the last: the run ended before, and was retried.
func TestWatchLongRun(t *testing.T) {
	t.Parallel()
	const records, size = 10, MaxWatchBacklog / 2
	events := make([]engine.Event, size)
	for i := range events {
		events[i].Kind = engine.EvCommented
	}
	events[size-1].Kind = engine.EvRunEnded // of each record
	control, payload, err := engine.EncodeEvents(events)
	if err != nil {
		t.Fatal(err)
	}
	s := &stored{}
	for i := range records {
		s.records = append(s.records, store.Record{Run: "r", First: uint64(1 + i*size), Count: size, Control: control, Payload: payload})
	}
	h := &hub{reader: s}
	w := h.watch("r", 1, nil)
	defer w.Close()
	seen := 0
	for {
		events, err := w.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || len(events) > MaxWatchBacklog {
			t.Fatalf("%d events at once, %v", len(events), err)
		}
		seen += len(events)
	}
	if seen != records*size || s.read != records {
		t.Errorf("%d events of %d records, want %d of %d", seen, s.read, records*size, records)
	}
}
