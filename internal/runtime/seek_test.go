package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/workflow"
)

// permissive lets runs have to do with all others, but starts none.
type permissive struct{}

func (permissive) Child(context.Context, *runtime.Seek) (runtime.Request, *runtime.Instead, error) {
	panic("as asked")
}

func (permissive) Run(context.Context, *runtime.Seek) (*runtime.Instead, error) { return nil, nil }

// listed is a store that has some runs.
type listed struct {
	store.Reader
	rows  []store.RunRow
	query store.RunQuery
}

func (l *listed) Run(_ context.Context, id store.RunID) (store.RunRow, error) {
	for _, row := range l.rows {
		if row.ID == id {
			return row, nil
		}
	}
	return store.RunRow{}, store.ErrNotFound
}

func (l *listed) Runs(_ context.Context, q store.RunQuery) ([]store.RunRow, error) {
	l.query = q
	return l.rows, nil
}

// told is the error that the step is told.
func told(t *testing.T, m runtime.Message, err error) string {
	t.Helper()
	out, ok := m.(runtime.Outside)
	if err != nil || !ok {
		t.Fatalf("%+v, %v", m, err)
	}
	return out.In.(engine.Happened).Error.Name
}

// TestRefusedRetry: a child that cannot be retried is looked for once more, since
// somebody else may have done so.
func TestRefusedRetry(t *testing.T) {
	t.Parallel()
	ended := store.RunRow{ID: "c", State: "failed", Events: 5, EndedAt: start}
	disk := &listed{rows: []store.RunRow{ended}}
	k := &runtime.Seeker{Store: disk, Others: permissive{}}
	q := &runtime.Seek{Run: "p", Act: 1, Awaits: engine.Awaited{ID: 2, Kind: engine.AwaitChild, Run: "c", Known: 5}}
	if m, err := k.Look(t.Context(), q, 7, start); err != nil || !m.(runtime.Act).Wanted {
		t.Fatalf("%+v, %v", m, err)
	}
	m, err := k.Replied(q, runtime.Reply{Err: &engine.Refusal{Message: "the run has not ended"}})
	again, ok := m.(runtime.SeekAgain)
	if err != nil || !ok {
		t.Fatalf("%+v, %v", m, err)
	}
	disk.rows[0] = store.RunRow{ID: "c", State: "running", Events: 6}
	if m, err := k.Look(t.Context(), &again.Seek, 8, start); m != nil || err != nil {
		t.Errorf("a child that runs: %+v, %v", m, err)
	}
	disk.rows[0] = ended
	if m, err := k.Look(t.Context(), &again.Seek, 9, start); told(t, m, err) != engine.ErrChildRefused {
		t.Errorf("a child that is still so: %+v", m)
	}
}

func TestReplied(t *testing.T) {
	t.Parallel()
	q := &runtime.Seek{Run: "p", Act: 1, Awaits: engine.Awaited{ID: 2, Kind: engine.AwaitChild, Run: "c"}}
	k := &runtime.Seeker{Others: permissive{}}
	for _, test := range []struct {
		err  error
		want string
	}{
		{runtime.ErrUnwanted, engine.ErrChildCanceled},
		{runtime.ErrErased, engine.ErrChildRefused},
		{runtime.ErrQuarantined, engine.ErrChildRefused},
	} {
		m, err := k.Replied(q, runtime.Reply{Err: test.err})
		if got := told(t, m, err); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
	if m, err := k.Replied(q, runtime.Reply{}); m != nil || err != nil {
		t.Errorf("started: %+v, %v", m, err)
	}
	for _, err := range []error{runtime.ErrRunExists, runtime.ErrUnknown} {
		if m, got := k.Replied(q, runtime.Reply{Err: err}); m != nil || !errors.Is(got, err) {
			t.Errorf("%v: %+v, %v; want another look", err, m, got)
		}
	}
	detached := *q
	detached.Awaits.Detach = true
	for _, err := range []error{nil, runtime.ErrRunExists} {
		if m, got := k.Replied(&detached, runtime.Reply{Err: err}); got != nil || m.(runtime.Outside).In.(engine.Happened).Error != nil {
			t.Errorf("%v: %+v, %v; want that it was accepted", err, m, got)
		}
	}
}

// TestSeekPrevious: runs of the same date fill no page of those before it.
func TestSeekPrevious(t *testing.T) {
	t.Parallel()
	disk := &listed{rows: []store.RunRow{{ID: "b", BusinessDate: "2026-02-27"}, {ID: "a", BusinessDate: "2026-02-28", State: "skipped"}}}
	k := &runtime.Seeker{Store: disk, Others: permissive{}}
	q := &runtime.Seek{Run: "p", Act: 1, Awaits: engine.Awaited{
		ID: 2, Kind: engine.AwaitRun, Namespace: "n", Name: "w", Date: "2026-03-01", Which: engine.RunPrevious,
	}}
	m, err := k.Look(t.Context(), q, 7, start)
	if err != nil || m.(runtime.Outside).In.(engine.Pinned).Date != "2026-02-27" || disk.query.DateTo != "2026-02-28" {
		t.Errorf("%+v, %v, of %+v", m, err, disk.query)
	}
}

// TestSeekOutlivesPanic: the step is told, and the service goes on.
func TestSeekOutlivesPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := serve(t, runtime.ServiceConfig{Store: newMemory(), Others: permissive{}}, succeed)
		n := workflow.Node{ID: "c", Kind: workflow.KindChild, Child: &workflow.Child{Workflow: "other"}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := s.Wait(ctx, start1(t, s, program("parent", n)))
		if err != nil || r.State != engine.Failed || r.Error.Name != engine.ErrChildRefused {
			t.Errorf("result %+v, error %v", r, err)
		}
	})
}
