package runtime_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// recall answers what was asked of the cache.
func (b *bench) recall() {
	b.t.Helper()
	b.settle()
	msgs := b.posts
	for i := range b.recalls {
		answer, err := b.recalls[i].Read(context.Background(), b.disk)
		if err != nil {
			b.t.Fatal(err)
		}
		msgs = append(msgs, answer)
	}
	b.recalls, b.posts = nil, nil
	b.tell(msgs...)
	b.settle()
}

// cachedRun runs a program whose step has a key, and says whether it was done.
func (b *bench) cachedRun(run, key string, seconds int64) bool {
	b.t.Helper()
	n := task("a")
	n.Cache = &workflow.Cache{Key: workflow.Constant(value.String(key)), For: workflow.Constant(value.Int(seconds))}
	b.tell(submit(store.RunID(run), prepare(program("cached", n)), 0))
	b.recall()
	delivered := b.dispatched()
	if delivered == "" {
		return false
	}
	done := b.end("a", engine.OutcomeSucceeded)
	done.End.Outcome.Output = value.String(run)
	b.tell(done)
	b.settle()
	return true
}

// TestCache: an output is used again until it expires, also after a restart, and
// not once its run was erased; the places of a namespace are bounded.
func TestCache(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, step := range []struct {
		key  string
		pass time.Duration
		done bool
	}{{"k", 0, true}, {"k", 0, false}, {"other", 0, true}, {"k", 59 * time.Second, false}, {"k", time.Second, true}, {"k", 59 * time.Second, false}} {
		b.now = b.now.Add(step.pass)
		if done := b.cachedRun(fmt.Sprint("r", i), step.key, 60); done != step.done {
			t.Errorf("run %d with key %s: done %v", i, step.key, done)
		}
		b.restart()
		b.effects = nil
	}
	for i := range runtime.MaxCached {
		b.now = b.now.Add(time.Millisecond)
		if !b.cachedRun(fmt.Sprint("s", i), fmt.Sprint(i), 3600) {
			t.Fatalf("key %d was there", i)
		}
	}
	if b.cachedRun("t1", "0", 3600) {
		t.Error("the first of as many as there are places is gone")
	}
	if !b.cachedRun("t2", "new", 3600) || !b.cachedRun("t3", "0", 3600) {
		t.Error("the oldest output stays beyond the bound")
	}
}

// TestClearCache: places that were cleared are filled again, also after a restart.
func TestClearCache(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 5 {
		b.cachedRun(fmt.Sprint("r", i), fmt.Sprint(i), 3600)
	}
	b.tell(runtime.ClearCache{})
	b.settle()
	if !b.cachedRun("s0", "0", 3600) || b.cachedRun("s1", "0", 3600) {
		t.Error("what was cleared is there, or what was done after it is not")
	}
	b.restart()
	if b.cachedRun("t0", "0", 3600) || !b.cachedRun("t1", "1", 3600) || !b.cachedRun("t2", "9", 3600) {
		t.Error("after a restart it is another cache")
	}
	if n := len(b.disk.objects); n != 5 {
		t.Errorf("%d places, want those that were there", n)
	}
}

// TestRecallChecksWhatItReads: only the output of the step that was kept is used.
func TestRecallChecksWhatItReads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cachedRun("r1", "k", 3600)
	n := task("a")
	n.Cache = &workflow.Cache{Key: workflow.Constant(value.String("k")), For: workflow.Constant(value.Int(3600))}
	b.tell(submit("r2", prepare(program("cached", n)), 0))
	b.settle()
	q := b.recalls[0]
	if answer, err := q.Read(t.Context(), b.disk); err != nil || answer.In.(engine.Happened).Missed {
		t.Fatalf("%+v, %v", answer, err)
	}
	q.From.Act++
	if answer, err := q.Read(t.Context(), b.disk); err != nil || !answer.In.(engine.Happened).Missed {
		t.Errorf("the output of another step is taken: %+v, %v", answer, err)
	}
}

func BenchmarkClearCache(b *testing.B) {
	place := func(i int) store.Object {
		return store.Object{
			ObjectID: store.ObjectID{Kind: runtime.KindCached, Name: fmt.Sprintf("%05d", i)}, Revision: 1,
			Data: fmt.Appendf(nil, `{"key":"%d","run":"r","at":"2026-03-02T08:00:00Z"}`, i),
		}
	}
	var cfg runtime.Config
	for i := range runtime.MaxCached {
		cfg.Gate.Stored = append(cfg.Gate.Stored, place(i))
	}
	for b.Loop() {
		b.StopTimer()
		r, err := runtime.New(cfg, store.Lease{Incarnation: 1}, start)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r.Handle([]runtime.Message{runtime.ClearCache{Caller: 1}}, start)
	}
}
