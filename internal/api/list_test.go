package api

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/filter"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// shelf has rows, the newest first, and counts those that were read.
type shelf struct {
	store.Store

	rows []store.RunRow
	read int
}

// Runs lists rows.
func (s *shelf) Runs(_ context.Context, q store.RunQuery) ([]store.RunRow, error) {
	from := 0
	if q.Before != "" {
		if from = slices.IndexFunc(s.rows, func(r store.RunRow) bool { return r.ID < q.Before }); from < 0 {
			from = len(s.rows)
		}
	}
	out := s.rows[from:min(from+q.Limit, len(s.rows))]
	s.read += len(out)
	return out, nil
}

// Program has no program.
func (s *shelf) Program(context.Context, [32]byte) ([]byte, error) { return nil, store.ErrNotFound }

// TestTimesBoundWhatIsRead: of a list that is bounded by the time of acceptance,
// all is found, and not much more is read, in whatever order it is.
func TestTimesBoundWhatIsRead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	const day = 24 * 60 // runs, one a minute
	disk := &shelf{}
	ids := runtime.NewIDs(rand.Reader)
	for i := range 20 * day {
		at := now.Add(time.Duration(i-20*day) * time.Minute)
		id, err := ids.Next(at)
		if err != nil {
			t.Fatal(err)
		}
		disk.rows = append(disk.rows, store.RunRow{ID: id, Namespace: "n", Workflow: "w", State: "succeeded", AcceptedAt: at})
	}
	slices.Reverse(disk.rows)
	// One of the last minutes was accepted after the clock had been set back by
	// 20 hours.
	disk.rows[20*60].AcceptedAt = now.Add(-time.Minute)
	a := New()
	a.Begin(Config{Store: disk, Machines: runtime.NewMachines(nil), Zone: time.UTC})
	for line, want := range map[string]struct{ found, read int }{
		"since:1h":               {61, 1*day + 60 + 2*readRows},
		"since:1h sort:-time":    {61, 1*day + 60 + 2*readRows},
		"since:1h sort:time":     {61, 1*day + 60 + 2*readRows},
		"since:1h sort:duration": {61, 1*day + 60 + 2*readRows},
		"until:19d":              {1 * day, 2*day + 2*readRows},
		"since:19d until:18d":    {1 * day, 3*day + 2*readRows},
	} {
		disk.read = 0
		q, err := a.runQuery(t.Context(), "n", access.RunsRead, line, now)
		if err != nil {
			t.Fatal(line, err)
		}
		rows, _, err := a.matching(t.Context(), q, runToken{At: now}, 10_000, MaxScan, filter.Unknown)
		if err != nil || len(rows) != want.found {
			t.Errorf("%s: %d rows, want %d; %v", line, len(rows), want.found, err)
		}
		if disk.read > want.read {
			t.Errorf("%s: %d rows were read, at most %d are needed", line, disk.read, want.read)
		}
	}
}
