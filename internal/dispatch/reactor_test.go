package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/dispatch/match"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/workflow"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// bench drives a reactor by hand.
type bench struct {
	t       *testing.T
	reactor *dispatch.Reactor
	now     time.Time
}

func newBench(t *testing.T, cfg dispatch.Config) *bench {
	t.Helper()
	return &bench{t: t, reactor: dispatch.New(cfg), now: start}
}

// task is attempt number n of an activation of run r; the fence grows with it.
func task(act engine.ActID, n int) engine.Task {
	return engine.Task{Run: "r", Act: act, Attempt: n, Uses: "process", Fence: engine.Fence{Incarnation: 1, Sequence: uint64(n)}}
}

func ref(act engine.ActID, n int) dispatch.Ref {
	t := task(act, n)
	return dispatch.RefOf(&t)
}

func (b *bench) handle(msgs ...dispatch.Message) []string {
	b.t.Helper()
	var lines []string
	for _, e := range b.reactor.Handle(msgs, b.now) {
		switch e := e.(type) {
		case dispatch.Assign:
			lines = append(lines, fmt.Sprintf("assign %s %d.%d", e.Worker, e.Task.Act, e.Task.Attempt))
		case dispatch.Kill:
			lines = append(lines, fmt.Sprintf("kill %s %d.%d", e.Worker, e.Ref.Act, e.Ref.Attempt))
		case dispatch.Forget:
			lines = append(lines, fmt.Sprintf("forget %s %d.%d", e.Worker, e.Ref.Act, e.Ref.Attempt))
		case dispatch.Report:
			lines = append(lines, fmt.Sprintf("report %d.%d %s", e.Ref.Act, e.Ref.Attempt, e.Outcome.Kind))
		case dispatch.Tripped:
			lines = append(lines, fmt.Sprintf("tripped %s %s", e.Breaker.Connection, e.Breaker.State))
		case dispatch.Ask:
			lines = append(lines, fmt.Sprintf("ask %d.%d", e.Ref.Act, e.Ref.Attempt))
		case dispatch.WakeAt:
			if e.At.IsZero() {
				lines = append(lines, "wake never")
			} else {
				lines = append(lines, fmt.Sprintf("wake in %v", e.At.Sub(start)))
			}
		}
	}
	return lines
}

// want hands messages over and compares what follows.
func (b *bench) want(msg dispatch.Message, lines ...string) {
	b.t.Helper()
	if diff := cmp.Diff(lines, b.handle(msg)); diff != "" {
		b.t.Fatalf("after %+v (-want +got):\n%s", msg, diff)
	}
}

func up(name string, slots int, has ...dispatch.Held) dispatch.WorkerUp {
	return dispatch.WorkerUp{Worker: name, Capacity: match.Capacity{match.Process: slots, match.Connector: 1}, Has: has}
}

// held is the first attempt of an activation that a worker has.
func held(act engine.ActID, outcome engine.OutcomeKind) dispatch.Held {
	h := dispatch.Held{Ref: ref(act, 1), Class: match.Process}
	if outcome != "" {
		h.Outcome = &engine.TaskOutcome{Kind: outcome}
	}
	return h
}

func ended(worker string, act engine.ActID, n int, kind engine.OutcomeKind) dispatch.Ended {
	return dispatch.Ended{Worker: worker, Ref: ref(act, n), Outcome: engine.TaskOutcome{Kind: kind}}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(dispatch.Ready{Task: task(1, 1)})
	b.want(dispatch.Ready{Task: task(2, 1)})
	b.want(dispatch.Ready{Task: task(3, 1), Priority: 1})
	call := task(4, 1)
	call.Uses = "http.request"
	b.want(up("w", 1), "assign w 3.1")
	b.want(dispatch.Ready{Task: call}, "assign w 4.1")
	b.want(ended("w", 3, 1, engine.OutcomeSucceeded), "report 3.1 succeeded", "assign w 1.1")
	b.want(dispatch.Settled{Ref: ref(3, 1)}, "forget w 3.1")
	b.want(ended("w", 1, 1, engine.OutcomeNotStarted), "report 1.1 not_started", "assign w 2.1")
	if n := b.reactor.Attempts(); n != 3 {
		t.Errorf("%d attempts are known, want 3", n)
	}
}

func TestEachAttemptIsAssignedOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 5))
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.want(dispatch.Ready{Task: task(1, 1)})
	b.want(dispatch.Reattach{Task: task(1, 1)})
	// A newer attempt takes its place; an older one comes too late.
	b.want(dispatch.Ready{Task: task(1, 3)}, "kill w 1.1", "assign w 1.3")
	b.want(dispatch.Ready{Task: task(1, 2)})
	// What the older one says is refused.
	b.want(ended("w", 1, 1, engine.OutcomeSucceeded), "forget w 1.1")
	b.want(ended("w", 1, 3, engine.OutcomeSucceeded), "report 1.3 succeeded")
	b.want(ended("w", 1, 3, engine.OutcomeSucceeded))
	// The runtime asks again, since the answer was lost with it.
	b.want(dispatch.Reattach{Task: task(1, 3)}, "report 1.3 succeeded")
	b.want(dispatch.Settled{Ref: ref(1, 1)})
	b.want(dispatch.Settled{Ref: ref(1, 3)}, "forget w 1.3")
}

// Attempts of pipelined programs may share a fence.
func TestAttemptsOfOneBatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 5))
	first, second := task(1, 1), task(1, 2)
	second.Fence = first.Fence
	b.want(dispatch.Ready{Task: first}, "assign w 1.1")
	b.want(ended("w", 1, 1, engine.OutcomeFailed), "report 1.1 failed")
	b.want(dispatch.Ready{Task: second}, "assign w 1.2")
	// Nothing of this got on disk: the first attempt is the last that is known.
	b.want(dispatch.Reattach{Task: first}, "kill w 1.2", "report 1.1 failed")
	b.want(ended("w", 1, 2, engine.OutcomeCanceled), "forget w 1.2")
	again := task(1, 2)
	again.Fence.Incarnation = 2
	b.want(dispatch.Ready{Task: again}, "assign w 1.2")
	b.want(dispatch.Settled{Ref: dispatch.RefOf(&first)}, "forget w 1.1")
	b.want(dispatch.Settled{Ref: dispatch.RefOf(&first)})
}

// The fence decides, not the number of the attempt: another incarnation may
// have counted alike.
func TestOtherFence(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 5))
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	for _, fence := range []engine.Fence{{Incarnation: 1, Sequence: 2}, {Incarnation: 2, Sequence: 1}, {}} {
		other := ended("w", 1, 1, engine.OutcomeSucceeded)
		other.Ref.Fence = fence
		b.want(other, "forget w 1.1")
	}
	b.want(ended("elsewhere", 1, 1, engine.OutcomeSucceeded)) // not known; it will come up
	b.want(up("elsewhere", 1))
	b.want(ended("elsewhere", 1, 1, engine.OutcomeSucceeded), "forget elsewhere 1.1")
	b.want(ended("w", 1, 1, engine.OutcomeSucceeded), "report 1.1 succeeded")
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(dispatch.Ready{Task: task(1, 1)})
	b.want(dispatch.Cancel{Run: "r", Act: 1, Attempt: 1}, "report 1.1 canceled")
	b.want(dispatch.Settled{Ref: ref(1, 1)})
	b.want(up("w", 1))
	b.want(dispatch.Ready{Task: task(2, 1)}, "assign w 2.1")
	b.want(dispatch.Cancel{Run: "r", Act: 2, Attempt: 2}) // another attempt
	b.want(dispatch.Cancel{Run: "r", Act: 2, Attempt: 1}, "kill w 2.1")
	b.want(dispatch.Cancel{Run: "r", Act: 2, Attempt: 1})
	b.want(dispatch.Cancel{Run: "r", Act: 9, Attempt: 1})
	b.want(ended("w", 2, 1, engine.OutcomeCanceled), "report 2.1 canceled")
}

func TestDeadWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{LostAfter: time.Hour})
	b.want(up("w", 2))
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.want(dispatch.Ready{Task: task(2, 1)}, "assign w 2.1")
	b.want(dispatch.Ready{Task: task(3, 1)})
	b.want(ended("w", 2, 1, engine.OutcomeSucceeded), "report 2.1 succeeded", "assign w 3.1")
	b.want(dispatch.Ready{Task: task(4, 1)})
	b.want(dispatch.WorkerDown{Worker: "w", Dead: true}, "report 1.1 lost", "report 3.1 lost")
	b.want(dispatch.WorkerDown{Worker: "w", Dead: true})
	b.want(dispatch.Settled{Ref: ref(2, 1)}) // nobody there to forget it
	b.want(up("w", 2), "assign w 4.1")       // what it never had stayed here
}

// Lost contact: the attempt runs on, and counts as long as nobody gave it up.
func TestSilentWorker(t *testing.T) {
	t.Parallel()
	cfg := dispatch.Config{Lease: 30 * time.Second, LostAfter: time.Hour}
	b := newBench(t, cfg)
	b.want(up("w", 3), "wake in 30s")
	quick := task(2, 1)
	quick.Idempotent = true
	own := task(3, 1)
	own.Node = &workflow.Node{Task: &workflow.Task{LostAfter: "10m"}}
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.want(dispatch.Ready{Task: quick}, "assign w 2.1")
	b.want(dispatch.Ready{Task: own}, "assign w 3.1")
	b.now = start.Add(20 * time.Second)
	b.want(dispatch.Heartbeat{Worker: "w"}, "wake in 50s")
	b.now = start.Add(50 * time.Second)
	b.want(dispatch.Ready{Task: task(4, 1)}, "report 2.1 lost", "wake in 10m50s")
	b.now = start.Add(10*time.Minute + 50*time.Second)
	b.want(dispatch.Settled{Ref: ref(2, 1)}, "kill w 2.1", "report 3.1 lost", "wake in 1h0m50s")
	// It comes back: what was given up is stopped, the rest goes on.
	b.now = start.Add(20 * time.Minute)
	b.want(dispatch.Heartbeat{Worker: "w"}, "kill w 2.1", "kill w 3.1", "wake in 20m30s")
	b.want(ended("w", 1, 1, engine.OutcomeSucceeded), "report 1.1 succeeded", "assign w 4.1")
	b.want(ended("w", 3, 1, engine.OutcomeSucceeded)) // too late: it was reported lost
	b.want(dispatch.Settled{Ref: ref(3, 1)}, "forget w 3.1")
	// Nobody here knows of the other any more: the runtime says.
	b.want(ended("w", 2, 1, engine.OutcomeSucceeded), "report 2.1 succeeded")
	b.want(ended("w", 2, 1, engine.OutcomeSucceeded))
	b.want(dispatch.Settled{Ref: ref(2, 1)}, "forget w 2.1")
	if n := b.reactor.Attempts(); n != 2 {
		t.Errorf("%d attempts are known, want 1 and 4", n)
	}
}

func TestLateResultOfTheCurrentAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{Lease: 30 * time.Second, LostAfter: time.Hour})
	b.want(up("w", 1), "wake in 30s")
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.now = start.Add(30 * time.Second)
	b.want(dispatch.Cancel{Run: "r", Act: 1, Attempt: 1}, "kill w 1.1", "wake in 1h0m30s")
	b.now = start.Add(30 * time.Minute)
	// The worker may not have heard that it should stop.
	b.want(dispatch.Heartbeat{Worker: "w"}, "kill w 1.1", "wake in 30m30s")
	b.want(ended("w", 1, 1, engine.OutcomeSucceeded), "report 1.1 succeeded")
}

func TestReattach(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{LostAfter: time.Minute})
	b.want(up("w", 2, held(1, ""), held(2, engine.OutcomeFailed), held(3, ""), held(6, "")),
		"ask 1.1", "report 2.1 failed", "ask 3.1", "ask 6.1")
	b.want(dispatch.Reattach{Task: task(1, 1)})
	b.want(dispatch.Settled{Ref: ref(2, 1)}, "forget w 2.1")
	b.want(dispatch.Settled{Ref: ref(3, 1)}, "kill w 3.1") // nobody wants it
	b.want(dispatch.Reattach{Task: task(4, 1)}, "wake in 1m0s")
	b.want(dispatch.Reattach{Task: task(5, 1)})
	b.want(dispatch.Reattach{Task: task(6, 2)}) // the worker has an older one
	b.want(dispatch.Ready{Task: task(7, 1)})    // no slot: three attempts are held
	// Another worker turns out to have one of them.
	b.want(up("v", 1, held(5, ""), held(6, "")), "kill v 6.1")
	b.want(ended("v", 5, 1, engine.OutcomeSucceeded), "report 5.1 succeeded")
	b.now = start.Add(time.Minute)
	b.want(ended("w", 1, 1, engine.OutcomeSucceeded), "report 1.1 succeeded", "report 4.1 lost", "report 6.2 lost", "wake never")
	b.want(ended("w", 3, 1, engine.OutcomeCanceled), "report 3.1 canceled", "assign w 7.1")
}

// A worker that looks for an attempt itself has it: the attempt is not given up
// however long it takes, takes a slot, and can be canceled.
func TestReattachTo(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{LostAfter: time.Minute})
	idempotent := task(2, 1)
	idempotent.Idempotent = true
	b.want(up("w", 2))
	b.want(dispatch.Reattach{Task: task(1, 1), Worker: "w"})
	b.want(dispatch.Reattach{Task: task(1, 1), Worker: "w"}) // again changes nothing
	b.want(dispatch.Reattach{Task: idempotent, Worker: "w"})
	b.want(dispatch.Reattach{Task: task(3, 1), Worker: "nobody"}, "wake in 1m0s")
	b.want(dispatch.Ready{Task: task(4, 1)}) // no slot
	b.now = start.Add(time.Hour)
	b.want(dispatch.Cancel{Run: "r", Act: 1, Attempt: 1}, "kill w 1.1", "report 3.1 lost", "wake never")
	b.want(ended("w", 1, 1, engine.OutcomeCanceled), "report 1.1 canceled", "assign w 4.1")
	b.want(ended("w", 2, 1, engine.OutcomeSucceeded), "report 2.1 succeeded")
}

// The runtime is made anew, and has lost what it was told.
func TestRecovered(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 5, held(8, engine.OutcomeFailed), held(9, "")), "report 8.1 failed", "ask 9.1")
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.want(dispatch.Ready{Task: task(2, 1)}, "assign w 2.1")
	b.want(ended("w", 2, 1, engine.OutcomeSucceeded), "report 2.1 succeeded")
	b.want(dispatch.Recovered{}, "report 2.1 succeeded", "report 8.1 failed", "ask 9.1")
}

// Without time to wait, an attempt that nobody has is lost at once.
func TestReattachInOneProcess(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 1))
	b.want(dispatch.Reattach{Task: task(1, 1)}, "report 1.1 lost")
}

// A worker that comes up again has forgotten what it does not list.
func TestRestartedWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{})
	b.want(up("w", 3))
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.want(dispatch.Ready{Task: task(2, 1)}, "assign w 2.1")
	b.want(dispatch.Ready{Task: task(3, 1)}, "assign w 3.1")
	b.want(dispatch.Started{Worker: "w", Ref: ref(1, 1)})
	b.want(dispatch.Cancel{Run: "r", Act: 1, Attempt: 1}, "kill w 1.1")
	b.want(up("w", 3, held(1, ""), held(3, engine.OutcomeSucceeded)), "kill w 1.1", "report 3.1 succeeded", "report 2.1 lost")
}

// Whatever a worker says is a sign of life; what an unknown one says is none.
func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	b := newBench(t, dispatch.Config{Lease: 30 * time.Second, LostAfter: time.Hour})
	b.want(up("w", 1), "wake in 30s")
	b.want(dispatch.Ready{Task: task(1, 1)}, "assign w 1.1")
	b.now = start.Add(10 * time.Second)
	b.want(dispatch.Started{Worker: "w", Ref: ref(1, 1)}, "wake in 40s")
	b.now = start.Add(20 * time.Second)
	b.want(ended("w", 1, 1, engine.OutcomeSucceeded), "report 1.1 succeeded", "wake in 50s")
	b.want(dispatch.Started{Worker: "v"})
	b.want(dispatch.Heartbeat{Worker: "v"})
	b.want(dispatch.WorkerDown{Worker: "v"})
}
