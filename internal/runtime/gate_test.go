package runtime_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

func closed(date string) gate.Fact {
	return gate.Fact{Namespace: "n", Name: "ledger-closed", Date: date}
}

func (b *bench) facts() []gate.Fact {
	b.t.Helper()
	var facts []gate.Fact
	b.reactor.Handle([]runtime.Message{runtime.LookGate{Look: func(s *gate.State, _ time.Time) any {
		facts = s.Facts()
		return nil
	}}}, b.now)
	return facts
}

func TestConditionsAreDurable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i, date := range []string{"2026-03-02", "2026-03-01", "", "2026-03-03"} {
		b.tell(runtime.SetCondition{Fact: closed(date), Holds: true, Caller: runtime.Caller(i + 1)})
	}
	b.settle()
	b.tell(runtime.SetCondition{Fact: closed("2026-03-02"), Caller: 9}, runtime.SetCondition{Fact: closed("2026-03-03"), Caller: 10})
	b.settle()
	want := []gate.Fact{closed(""), closed("2026-03-01")}
	if diff := cmp.Diff(want, b.facts()); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	b.restart()
	if diff := cmp.Diff(want, b.facts()); diff != "" {
		t.Errorf("conditions after a restart (-want +got):\n%s", diff)
	}
	b.tell(runtime.SetCondition{Fact: closed("2026-03-01"), Caller: 11}) // the next revision
	b.settle()
	b.restart()
	if diff := cmp.Diff(want[:1], b.facts()); diff != "" {
		t.Errorf("conditions after a second restart (-want +got):\n%s", diff)
	}
}

func (b *bench) condition(name string) store.Object {
	return b.disk.objects[store.ObjectID{Kind: runtime.KindCondition, Namespace: "n", Name: name}]
}

// A condition without dates leaves nothing but its revision, on which it goes on.
func TestConditionsAreDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	set := func(date string, holds bool) { b.tell(runtime.SetCondition{Fact: closed(date), Holds: holds}) }
	set("2026-03-01", true)
	b.settle()
	set("2026-03-01", false)
	b.settle()
	if o := b.condition("ledger-closed"); !o.Deleted || o.Revision != 2 {
		t.Errorf("stored %+v", o)
	}
	// The store alone knows the revision: of the batch in flight, and of the next.
	set("", true)
	set("", false)
	set("2026-03-02", true)
	b.settle()
	if o := b.condition("ledger-closed"); o.Deleted || o.Revision != 4 {
		t.Errorf("stored %+v", o)
	}
	set("2026-03-02", false)
	b.settle()
	b.restart()
	b.tell(runtime.Write{Entries: noted("first")}) // in flight
	set("", true)
	set("", false) // was never made
	set("2026-03-03", true)
	set("2026-03-03", false)
	set("2026-03-04", true)
	b.settle()
	if diff := cmp.Diff([]gate.Fact{closed("2026-03-04")}, b.facts()); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	if o := b.condition("ledger-closed"); o.Deleted || o.Revision != 6 {
		t.Errorf("stored %+v", o)
	}
}

// A namespace has so many conditions; that goes which changed longest ago.
func TestConditionsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	set := func(name string) {
		b.tell(runtime.SetCondition{Fact: gate.Fact{Namespace: "n", Name: name}, Holds: true})
	}
	set("old")
	b.tell(runtime.SetCondition{Fact: gate.Fact{Namespace: "n", Name: "old", Date: "2026-03-01"}, Holds: true})
	b.settle()
	b.now = b.now.Add(time.Second)
	for i := range runtime.MaxConditions - 1 {
		set(strconv.Itoa(i))
	}
	b.settle()
	b.restart()
	set("another")
	b.settle()
	facts := b.facts()
	if n := len(facts); n != runtime.MaxConditions || facts[n-1].Name != "another" || !b.condition("old").Deleted {
		t.Errorf("%d conditions hold, the last is %+v; the oldest is %+v", n, facts[n-1], b.condition("old"))
	}
}

// limited is a task that takes a share of each limit.
func limited(id string, names ...string) workflow.Node {
	n := task(id)
	for _, name := range names {
		n.Limits = append(n.Limits, workflow.LimitUse{Name: workflow.Constant(value.String(name))})
	}
	return n
}

// dispatched lists the attempts that were handed out since the last call.
func (b *bench) dispatched() string {
	var out []string
	for _, e := range b.effects {
		if rest, ok := strings.CutPrefix(e, "dispatch "); ok {
			out = append(out, rest)
		}
	}
	b.effects = nil
	return strings.Join(out, ", ")
}

func (b *bench) wantDispatched(want string) {
	b.t.Helper()
	b.settle()
	if got := b.dispatched(); got != want {
		b.t.Fatalf("dispatched %q, want %q", got, want)
	}
}

func (b *bench) define(limits ...gate.Limit) {
	b.cfg.Gate.Limits = limits
	b.tell(runtime.SetLimits{Limits: limits})
}

func named(name string, capacity int) gate.Limit {
	return gate.Limit{ID: gate.ID{Name: name}, Capacity: capacity}
}

func TestLockBetweenRuns(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, run := range []string{"r1", "r2", "r3"} {
		b.tell(submit(store.RunID(run), prepare(program(run, limited(run, "tapes"))), 0))
		b.settle()
		b.now = b.now.Add(time.Second)
	}
	b.wantDispatched("r1 r1 #1") //nolint:dupword // run and step; nobody has defined it: a lock
	b.restart()
	b.settle()
	b.wantDispatched("") // the holder is known again before anybody is granted
	// The end of one and the begin of the next are one batch.
	b.tell(b.end("r1", engine.OutcomeSucceeded))
	if got := b.effects[len(b.effects)-1]; !strings.Contains(got, "r1 goes on, r2 goes on") {
		t.Errorf("committed %q", got)
	}
	b.wantDispatched("r2 r2 #1") //nolint:dupword // run and step
	if fence := b.tasks["r2"].Fence; fence != (engine.Fence{Incarnation: 2, Sequence: b.tasks["r2"].Fence.Sequence}) || !b.tasks["r1"].Fence.Less(fence) {
		t.Errorf("fence %v after %v", fence, b.tasks["r1"].Fence)
	}
	b.define(named("tapes", 2))
	b.wantDispatched("r3 r3 #1") //nolint:dupword // run and step; at once
	b.define(named("tapes", 1))
	b.tell(submit("r4", prepare(program("r4", limited("r4", "tapes"))), 0))
	b.settle()
	b.tell(b.end("r2", engine.OutcomeSucceeded))
	b.wantDispatched("") // one is held, and one is all there is
	b.tell(runtime.Cancel{Run: "r3"})
	b.settle()
	b.tell(b.end("r3", engine.OutcomeCanceled))
	b.wantDispatched("r4 r4 #1") //nolint:dupword // run and step
}

func TestRateOverARestart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bank := gate.Limit{ID: gate.ID{Name: "bank"}, Rate: gate.Rate{Count: 1, Per: time.Minute}}
	b.define(bank)
	b.tell(submit("r1", prepare(program("one", limited("a", "bank"))), 0))
	b.wantDispatched("r1 a #1")
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	b.restart()
	b.tell(submit("r2", prepare(program("two", limited("b", "bank"))), 0))
	b.wantDispatched("")
	b.now = b.now.Add(59 * time.Second)
	b.tell()
	b.wantDispatched("")
	b.now = b.now.Add(time.Second)
	b.tell()
	b.wantDispatched("r2 b #1")
}

func TestConditionStartsWaitingRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := task("a")
	needs := []workflow.ConditionMatch{{Name: workflow.Constant(value.String("ledger-closed")), Date: workflow.Constant(value.String("2026-03-01"))}}
	n.Gate = &workflow.Gate{Needs: needs, Delete: needs}
	p := program("one", n)
	p.Namespace = "n"
	b.tell(submit("r1", prepare(p), 0), submit("r2", prepare(p), 0))
	b.wantDispatched("")
	b.restart()
	b.tell(runtime.SetCondition{Fact: closed("2026-03-01"), Holds: true})
	b.wantDispatched("r1 a #1, r2 a #1")
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	if facts := b.facts(); len(facts) > 0 {
		t.Errorf("%v hold after the step that deletes them", facts)
	}
	b.restart()
	if facts := b.facts(); len(facts) > 0 {
		t.Errorf("%v hold after a restart", facts)
	}
}

func grouped(then workflow.ConcurrencyThen, id string) *runtime.Prepared {
	p := program("nightly", task(id))
	p.Concurrency = &workflow.Concurrency{Then: then}
	return prepare(p)
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", grouped("", "r1"), 0))
	b.wantDispatched("r1 r1 #1") //nolint:dupword // run and step
	b.tell(submit("r2", grouped("", "r2"), 0))
	b.wantDispatched("")
	if row := b.disk.rows["r2"]; row.State != "queued" || row.Reason != "concurrency" || !row.StartedAt.IsZero() {
		t.Errorf("r2 is %s (%s), started at %s", row.State, row.Reason, row.StartedAt)
	}
	b.tell(submit("r3", grouped(workflow.ConcurrencySkip, "r3"), 0))
	b.settle()
	if row := b.disk.rows["r3"]; row.State != "skipped" || row.Reason != "concurrency" {
		t.Errorf("r3 is %s (%s)", row.State, row.Reason)
	}
	b.restart()
	b.settle()
	b.tell(submit("r4", grouped(workflow.ConcurrencyCancelRunning, "r4"), 0))
	b.wantDispatched("")
	if row := b.disk.rows["r2"]; row.State != "canceled" {
		t.Errorf("r2 is %s: it had not begun", row.State)
	}
	b.tell(b.end("r1", engine.OutcomeCanceled))
	b.wantDispatched("r4 r4 #1") //nolint:dupword // run and step
	if row := b.disk.rows["r1"]; row.State != "canceled" {
		t.Errorf("r1 is %s", row.State)
	}
}

// A run that does not wait for its key waits for the quota of its namespace, until
// another run has taken its place.
func TestSkipWaitsForTheQuota(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.define(gate.Limit{ID: gate.ID{Kind: gate.Runs}, Capacity: 1})
	b.tell(submit("r1", prepare(program("other", task("a"))), 0))
	b.wantDispatched("r1 a #1")
	b.tell(submit("r2", grouped(workflow.ConcurrencySkip, "x"), 0))
	b.settle()
	b.tell(submit("r3", grouped(workflow.ConcurrencySkip, "y"), 0))
	b.settle()
	if two, three := b.disk.rows["r2"].State, b.disk.rows["r3"].State; two != "queued" || three != "skipped" {
		t.Errorf("r2 is %s, r3 is %s", two, three)
	}
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.wantDispatched("r2 x #1")
}

// What waited for a condition and waits no more leaves the gate.
func TestTimedOutWaitsLeave(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := workflow.Node{ID: "w", Kind: workflow.KindWait, Timeout: workflow.Constant(value.String("1m")), Wait: &workflow.Wait{
		Event: &workflow.EventWait{Kind: workflow.EventCondition, With: workflow.Constant(value.Object(value.M("name", value.String("never"))))},
	}, ContinueOnError: true}
	p := program("waits", n, task("a"))
	p.Bodies[0].Nodes[1].Join = &workflow.Join{Needs: []workflow.NodeID{0}, When: workflow.Cond{Op: workflow.OpEnd, Ends: workflow.EndAny}}
	b.tell(submit("r1", prepare(p), 0))
	b.settle()
	b.now = b.now.Add(time.Minute)
	b.tell()
	b.wantDispatched("r1 a #1")
	var waiting bool
	b.tell(runtime.LookGate{Caller: 9, Look: func(s *gate.State, now time.Time) any {
		_, waiting = s.Standing(gate.Ref{Run: "r1", Act: 1 | 1<<62}, now)
		return nil
	}})
	b.settle()
	if waiting {
		t.Error("the wait that timed out is still in the gate")
	}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	b.settle()
	b.define(gate.Limit{ID: gate.ID{Kind: gate.Runs}, Capacity: 2}, gate.Limit{ID: gate.ID{Kind: gate.Steps}, Capacity: 1})
	b.tell(submit("r2", prepare(program("two", task("b"), task("c"))), 0), submit("r3", prepare(program("three", task("d"))), 0))
	b.wantDispatched("r1 a #1, r2 b #1") // r1 began before it was bounded, and counts as a run
	b.restart()
	b.settle()
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.wantDispatched("") // r3 has begun; its step waits
	b.tell(b.end("b", engine.OutcomeSucceeded))
	b.wantDispatched("r2 c #1")
	b.tell(b.end("c", engine.OutcomeSucceeded))
	b.wantDispatched("r3 d #1")
}

func runsQuota(most int) gate.Limit { return gate.Limit{ID: gate.ID{Kind: gate.Runs}, Capacity: most} }

// used is how many runs the gate counts.
func (b *bench) used() (used int) {
	b.t.Helper()
	b.tell(runtime.LookGate{Look: func(s *gate.State, now time.Time) any {
		v, _ := s.Limit(gate.ID{Kind: gate.Runs}, now)
		used = v.Used
		return nil
	}})
	return used
}

// Only runs that have begun count, each once.
func TestQuotaCountsRunsThatHaveBegun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	held := submit("r1", prepare(program("held", task("a"))), 0)
	held.Accept.Held = true
	b.tell(held)
	b.settle()
	b.define(runsQuota(1))
	b.settle()
	b.restart()
	if n := b.used(); n != 0 {
		t.Errorf("%d runs count, want none: one is held before it begins", n)
	}
	b.tell(runtime.Act{Run: "r1", Action: engine.Release{Action: orderOf()}})
	b.wantDispatched("r1 a #1")
	b.define(runsQuota(1))
	if n := b.used(); n != 1 {
		t.Errorf("%d runs count, want one", n)
	}
	b.restart()
	if n := b.used(); n != 1 {
		t.Errorf("%d runs count after a restart, want one", n)
	}
}

func TestQuotaCountsWhoWaitsForItsKeyLater(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", grouped("", "x"), 0), submit("r2", grouped("", "y"), 0))
	b.wantDispatched("r1 x #1")
	b.define(runsQuota(1))
	if n := b.used(); n != 1 {
		t.Errorf("%d runs count, want one: the other waits for its key", n)
	}
	b.tell(b.end("x", engine.OutcomeSucceeded))
	b.wantDispatched("r2 y #1")
	if n := b.used(); n != 1 {
		t.Errorf("%d runs count, want the one that has begun now", n)
	}
}

// A run that is set aside may still do something: it keeps what it holds, and
// counts as it did.
func TestQuarantinedKeepsItsShares(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.define(runsQuota(5))
	b.tell(submit("r1", prepare(program("one", limited("a", "tapes"))), 0))
	b.wantDispatched("r1 a #1")
	b.define(runsQuota(5))
	b.restartWith(func(m *runtime.Loaded) { m.Err = errors.New("damaged") })
	b.define(runsQuota(5))
	if n := b.used(); n != 1 {
		t.Errorf("%d runs count, want one", n)
	}
	b.tell(submit("r2", prepare(program("two", limited("b", "tapes"))), 0))
	b.wantDispatched("")
	// Of which it turns out as it is recovered.
	b.restartWith(func(m *runtime.Loaded) {
		if m.Row.ID == "r1" {
			m.Run.Acts[1].Frame = 99
		}
	})
	b.wantDispatched("")
	if n := b.used(); n != 2 {
		t.Errorf("%d runs count, want two", n)
	}
}

// A deadline that an operator sets is that of the row, and decides who is first.
func TestDeadlineIsMoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", limited("a", "tapes"))), 0))
	b.wantDispatched("r1 a #1")
	for _, run := range []store.RunID{"r2", "r3"} {
		b.tell(submit(run, prepare(program("other", limited("b", "tapes"))), 0))
		b.settle()
	}
	at := b.now.Add(time.Hour)
	b.tell(runtime.Act{Run: "r3", Action: engine.SetDeadline{FinishBy: at}, Caller: 1})
	b.settle()
	b.restart()
	if due := b.disk.rows["r3"].Due; !due.Equal(at) {
		t.Errorf("r3 is due at %s, want %s", due, at)
	}
	b.settle()
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.wantDispatched("r3 b #1")
}
