package runtime_test

import (
	"context"
	"testing"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
)

func quiesce(held bool, caller runtime.Caller) runtime.QuiesceNamespace {
	return runtime.QuiesceNamespace{
		Hold: runtime.NamespaceHold{Held: held, Actor: "user/ada", Reason: "upgrade"}, Entries: noted("namespace.hold"), Caller: caller,
	}
}

// A namespace that is held begins nothing: neither what is live, nor what comes, nor
// what is retried; also after a restart. Its release leaves what was held before.
func TestQuiesce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	b.wantDispatched("r1 a #1")
	b.tell(b.end("a", engine.OutcomeFailed))
	b.settle()
	b.tell(submit("r2", prepare(program("two", task("b"), task("c", 0))), 0), submit("r3", prepare(program("three", task("d"), task("e", 0))), 0))
	b.wantDispatched("r2 b #1, r3 d #1")
	b.tell(runtime.Act{Run: "r3", Action: engine.Hold{Action: orderOf()}})
	b.settle()

	dry := quiesce(true, 1)
	dry.DryRun = true
	b.tell(dry)
	b.settle()
	b.tell(quiesce(true, 2))
	if n := len(b.batch.Entries); n != 1 {
		t.Errorf("%d entries, want one", n)
	}
	b.settle()
	b.effects = nil
	b.tell(quiesce(true, 3), submit("r4", prepare(program("four", task("f"))), 0), b.end("b", engine.OutcomeSucceeded), b.end("d", engine.OutcomeSucceeded))
	b.wantDispatched("")
	b.restart()
	b.settle()
	b.tell(submit("r5", prepare(program("five", task("g"))), 0), runtime.Act{Run: "r1", Action: engine.Retry{Action: orderOf()}})
	b.tell(runtime.Reloaded{Incarnation: b.disk.incarnation, Loaded: runtime.LoadEnded(context.Background(), b.disk, b.machines, runtime.Reload{Run: "r1"})})
	b.wantDispatched("")
	for _, run := range []store.RunID{"r1", "r2", "r3", "r4", "r5"} {
		if row := b.disk.rows[run]; !row.Held || row.Reason != "held" {
			t.Errorf("%s is %s (%s), held %v", run, row.State, row.Reason, row.Held)
		}
	}
	b.tell(quiesce(false, 5))
	b.wantDispatched("r1 a #2, r2 c #1, r4 f #1, r5 g #1")
	if row := b.disk.rows["r3"]; !row.Held {
		t.Error("r3 was held before, and is not any more")
	}
	b.restart()
	b.tell(runtime.Act{Run: "r3", Action: engine.Release{Action: orderOf()}})
	b.wantDispatched("r3 e #1")
}
