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
