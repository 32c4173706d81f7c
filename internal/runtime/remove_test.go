package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

// TestRemove: a run that goes on keeps what it has; of one that is being erased
// nobody begins a retry, and of one that is being read for a retry nothing is
// erased.
func TestRemove(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	b.settle()
	erase := runtime.Remove{Erase: []store.RunID{"r1"}, Entries: noted("run.erase"), Caller: 1}
	retry := runtime.Act{Run: "r1", Action: engine.Retry{Action: orderOf()}, Caller: 2}
	b.effects = nil
	b.tell(erase)
	b.want("reply 1 r1 existing=false err=run r1: run has not ended seen=<nil>")
	b.tell(b.end("a", engine.OutcomeFailed))
	b.settle()

	b.effects = nil
	b.tell(retry) // it is being read
	b.want("reload r1")
	b.tell(erase)
	b.want("reply 1 r1 existing=false err=run r1: run has not ended seen=<nil>")
	b.tell(runtime.Reloaded{Incarnation: b.disk.incarnation, Loaded: runtime.Loaded{Row: store.RunRow{ID: "r1"}, Err: errors.New("as asked")}})
	b.want("reply 2 r1 existing=false err=as asked seen=<nil>")

	b.tell(erase)
	b.want("commit 3: erase r1")
	if n := len(b.batch.Entries); n != 1 {
		t.Errorf("%d entries", n)
	}
	b.tell(retry)
	b.want()
	b.commit()
	b.want("reply 1  existing=false err=<nil> seen=<nil>", "reply 2 r1 existing=false err=data of the run was erased seen=<nil>")
}

// TestServiceRemoves: what is asked for is checked before it reaches the store,
// which would call it a fault; what was begun is done though nobody waits.
func TestServiceRemoves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		s, _ := serve(t, runtime.ServiceConfig{Store: disk}, succeed)
		slow, run := start1(t, s, program("slow", wait("1h"))), start1(t, s, program("one", task("a")))
		if _, err := s.Wait(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			erase []store.RunID
			want  error
		}{
			"live":  {[]store.RunID{run, slow}, runtime.ErrLive},
			"none":  {[]store.RunID{run, "none"}, store.ErrNotFound},
			"twice": {[]store.RunID{run, run}, store.ErrInvalid},
		} {
			if _, err := s.Remove(t.Context(), runtime.Removal{Erase: c.erase}); !errors.Is(err, c.want) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Remove(gone, runtime.Removal{Erase: []store.RunID{run}, Entries: noted("run.erase")}); err != nil {
			t.Fatal(err)
		}
		for name, batches := range map[string][]uint64{"other batches": {1}, "none": nil} {
			if _, err := s.Remove(t.Context(), runtime.Removal{Prune: []store.Pruned{{Run: run, Batches: batches}}}); !errors.Is(err, store.ErrInvalid) {
				t.Errorf("pruned with %s: error %v", name, err)
			}
		}
		var erased *runtime.ErasedError
		if _, err := s.Remove(t.Context(), runtime.Removal{Erase: []store.RunID{run}}); !errors.As(err, &erased) || erased.Run != run || !errors.Is(err, runtime.ErrErased) {
			t.Errorf("error %v", err)
		}
		var records []uint64
		for _, r := range disk.records[run] {
			records = append(records, r.Batch)
		}
		if _, err := s.Remove(t.Context(), runtime.Removal{Prune: []store.Pruned{{Run: run, Batches: records}}}); err != nil {
			t.Error(err)
		}
		if _, err := s.Remove(t.Context(), runtime.Removal{Prune: []store.Pruned{{Run: run, Batches: records}}}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("pruned again: error %v", err)
		}
	})
}
