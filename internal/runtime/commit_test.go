package runtime_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

func TestFailedCommitIsRepeated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.tell(submit("r1", p, 1))
	b.want("commit 1: r1 begins, r1 running")
	first := b.batch
	full := errors.New("disk full")
	for _, wake := range []string{"wake in 50ms", "wake in 150ms", "wake in 350ms"} {
		b.answer(full)
		b.want(wake)
		b.tell(submit(store.RunID("other-"+wake[8:]), p, 0)) // deciding goes on
		b.want()
		b.now = start.Add(mustDuration(t, wake[8:]))
		b.tell()
		b.want("commit 1: r1 begins, r1 running")
		if b.batch != first {
			t.Fatal("not the same batch")
		}
	}
	b.commit()
	b.want(
		"dispatch r1 a #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false",
		"commit 2: other-50ms begins, other-150ms begins, other-350ms begins, other-50ms running, other-150ms running, other-350ms running")
}

func mustDuration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, happened := range []bool{true, false} {
		t.Run(fmt.Sprint(happened), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.tell(submit("r1", prepare(program("one", task("a"))), 1))
			b.effects = nil
			if happened {
				b.disk.write(b.batch)
			}
			b.answer(fmt.Errorf("connection broke: %w", store.ErrUnknown))
			b.want("read sequence")
			// A late answer to the commit, and one to somebody else, are ignored.
			b.answer(nil)
			b.tell(runtime.SequenceRead{Incarnation: 99, Last: 1})
			b.want()
			b.tell(runtime.SequenceRead{Incarnation: 1, Err: errors.New("unreachable")})
			b.want("wake in 50ms")
			b.now = b.now.Add(50 * time.Millisecond)
			b.tell()
			b.want("read sequence")
			b.sequence()
			if !happened {
				b.want("wake in 150ms")
				b.now = b.now.Add(100 * time.Millisecond)
				b.tell()
				b.want("commit 1: r1 begins, r1 running")
				b.commit()
			}
			b.want("dispatch r1 a #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false")
		})
	}
}

func TestHalts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		last uint64 // what the store says if it is asked
		want []string
	}{
		{"lease lost", store.ErrLeaseLost, 0, []string{
			"reply 1 r1 existing=false err=outcome is unknown; try again with the same idempotency key seen=<nil>",
			"halt lease lost again=false",
		}},
		{"sequence went backwards", store.ErrUnknown, 7, []string{
			"read sequence",
			"reply 1 r1 existing=false err=outcome is unknown; try again with the same idempotency key seen=<nil>",
			"halt store and memory contradict each other: store is at batch 7 while batch 1 is being written again=true",
		}},
		{"out of sequence", store.ErrSequence, 0, []string{
			"read sequence",
			"reply 1 r1 existing=false err=outcome is unknown; try again with the same idempotency key seen=<nil>",
			"halt store and memory contradict each other: store is at batch 0 while batch 1 is being written again=true",
		}},
		{"damaged", store.ErrCorrupt, 0, []string{
			"reply 1 r1 existing=false err=outcome is unknown; try again with the same idempotency key seen=<nil>",
			"halt store and memory contradict each other: stored data is damaged again=true",
		}},
		{"closed", store.ErrClosed, 0, []string{
			"reply 1 r1 existing=false err=outcome is unknown; try again with the same idempotency key seen=<nil>",
			"halt store is closed again=false",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.tell(submit("r1", prepare(program("one", task("a"))), 1))
			b.effects = nil
			b.answer(c.err)
			if len(c.want) == 3 {
				b.tell(runtime.SequenceRead{Incarnation: 1, Last: c.last})
			}
			b.want(c.want...)
			b.tell(submit("r2", prepare(program("one", task("a"))), 2), b.end2())
			b.want("reply 2  existing=false err=stopping, or no longer in charge seen=<nil>")
		})
	}
}

func (b *bench) end2() runtime.Message { return runtime.TaskEnded{Run: "r1"} }

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.tell(keyed(submit("r1", p, 1), "body"))
	b.tell(keyed(submit("r2", p, 2), "body"))
	b.tell(keyed(submit("r3", p, 3), "other body"))
	b.want("commit 1: r1 begins, r1 running, key k")
	b.commit()
	b.want(
		"dispatch r1 a #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false",
		"reply 2 r1 existing=true err=<nil> seen=<nil>",
		"reply 3 r1 existing=false err=idempotency key was used with another request seen=<nil>")
	known := b.disk.keys[[2]string{"", "k"}]
	again := keyed(submit("r4", p, 4), "body")
	again.Known = &known
	b.tell(again)
	b.want("reply 4 r1 existing=true err=<nil> seen=<nil>")
	b.now = start.Add(runtime.KeyRetention) // expired: the key is free
	again.Caller, again.KeyExpires = 5, b.now.Add(runtime.KeyRetention)
	b.tell(again)
	b.want("commit 2: r4 begins, r4 running, key k")
}

// The reader looked the key up before the batch with it was durable, the
// request arrived after: the store refuses the batch.
func TestKeyTurnsOutToBeTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.tell(keyed(submit("r1", p, 0), "body"))
	b.settle()
	b.effects = nil
	b.tell(submit("r2", p, 2), keyed(submit("r3", p, 3), "body"), runtime.Cancel{Run: "r3", Caller: 4})
	b.tell(keyed(submit("r4", p, 5), "other"), submit("r5", p, 6))
	b.want("commit 2: r2 begins, r3 begins, r2 running, r3 running, key k")
	b.commit()
	b.want(
		"reply 3 r1 existing=true err=<nil> seen=<nil>",
		"reply 4 r3 existing=false err=run does not exist or has ended seen=<nil>",
		"reply 5 r1 existing=false err=idempotency key was used with another request seen=<nil>",
		"commit 2: r2 begins, r2 running")
	b.commit()
	b.want(
		"dispatch r2 a #1", "reply 2 r2 existing=false err=<nil> seen=<nil>", "publish r2 begins ended=false",
		"commit 3: r5 begins, r5 running")
	b.settle()
	b.effects = nil
	if n := b.reactor.Live(); n != 3 {
		t.Errorf("%d runs are live, want r1, r2 and r5", n)
	}
}

// A batch that has nothing left is written all the same: fencing numbers of the
// next one count on its sequence.
func TestEmptyBatchKeepsItsSequence(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.tell(keyed(submit("r1", p, 0), "body"))
	b.settle()
	b.tell(keyed(submit("r2", p, 0), "body"))
	b.tell(submit("r3", p, 0))
	b.settle()
	if got := b.tasks["a"]; got.Run != "r3" || got.Fence.Sequence != 3 || b.disk.records["r3"][0].Batch != 3 {
		t.Errorf("task %+v in batch %d", got.Fence, b.disk.records["r3"][0].Batch)
	}
}

func TestRunIDTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.tell(submit("r1", p, 1))
	b.tell(submit("r1", p, 2))
	b.commit()
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	b.effects = nil
	b.tell(submit("r1", p, 3)) // has left memory
	b.settle()
	b.want("commit 3: r1 begins, r1 running", "read sequence")
	b.batch = &store.Batch{Incarnation: 1}
	b.sequence()
	b.want("reply 3 r1 existing=false err=run exists seen=<nil>", "commit 3: ")
	b.settle()
	if n := len(b.disk.records["r1"]); n != 2 {
		t.Errorf("%d records", n)
	}
}

// The commit happened, nobody knew, it was sent again, and the store finds the
// keys of its own batch taken.
func TestOwnBatchTakesItsKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(keyed(submit("r1", prepare(program("one", task("a"))), 1), "body"))
	b.disk.write(b.batch)
	b.effects = nil
	b.answer(&store.KeyTakenError{Key: "k", Run: "r1"})
	b.want("read sequence")
	b.sequence()
	b.want("dispatch r1 a #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false")
}

// What the store refuses to hold is taken out of the batch; the rest is written.
func TestWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cfg.Limits.RecordBytes = 10_000
	b.restart()
	long := prepare(program(strings.Repeat("x", store.MaxText+1), task("a")))
	good := prepare(program("one", task("c")))
	b.tell(submit("r1", good, 1), keyed(submit("r2", long, 2), ""), runtime.Cancel{Run: "r2", Caller: 3})
	b.effects = nil
	b.commit()
	if got := strings.Join(b.effects, "\n"); !strings.Contains(got, "quarantined r2") ||
		!strings.Contains(got, "reply 2 r2 existing=false err=run is quarantined") ||
		!strings.Contains(got, "reply 3 r2 existing=false err=run is quarantined") || !strings.Contains(got, "commit 1: r1 begins, r1 running") {
		t.Errorf("effects:\n%s", got)
	}
	b.effects = nil
	b.settle()
	b.want("dispatch r1 c #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false")

	// An event that is larger than a record may be.
	huge := b.end("c", engine.OutcomeSucceeded)
	huge.End.Outcome.Output = value.String(strings.Repeat("x", 10_000))
	b.tell(huge)
	if len(b.effects) != 1 || !strings.HasPrefix(b.effects[0], "quarantined r1: run is quarantined: store events: ") {
		t.Errorf("effects %v", b.effects)
	}
}
