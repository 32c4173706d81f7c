package runtime_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// bench drives a reactor by hand: nothing is committed until the test says so.
type bench struct {
	t        *testing.T
	disk     *memory
	machines *runtime.Machines
	reactor  *runtime.Reactor
	cfg      runtime.Config
	now      time.Time
	batch    *store.Batch // to be committed
	tasks    map[string]engine.Task
	evals    []runtime.Evaluate
	recalls  []runtime.Recall
	posts    []runtime.Message
	effects  []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, disk: newMemory(), machines: runtime.NewMachines(languages()), now: start, tasks: map[string]engine.Task{}}
	b.restart()
	return b
}

// restart makes the reactor anew from what is on disk.
func (b *bench) restart() {
	b.t.Helper()
	b.restartWith(func(*runtime.Loaded) {})
}

// restartWith restarts with loaded runs that are changed.
func (b *bench) restartWith(change func(*runtime.Loaded)) {
	b.t.Helper()
	ctx := context.Background()
	lease, err := b.disk.Acquire(ctx, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	at, err := runtime.LastAt(ctx, b.disk)
	if err != nil {
		b.t.Fatal(err)
	}
	msgs, err := runtime.Load(ctx, b.disk, b.machines)
	if err != nil {
		b.t.Fatal(err)
	}
	for i, m := range msgs {
		loaded := m.(runtime.Loaded)
		change(&loaded)
		msgs[i] = loaded
	}
	cfg := b.cfg
	if cfg.Gate.Stored, err = runtime.ReadGate(ctx, b.disk); err != nil {
		b.t.Fatal(err)
	}
	if b.reactor, err = runtime.New(cfg, lease, at); err != nil {
		b.t.Fatal(err)
	}
	b.tell(msgs...)
}

// tell hands messages over and remembers what follows.
func (b *bench) tell(msgs ...runtime.Message) {
	b.t.Helper()
	effects := b.reactor.Handle(msgs, b.now)
	for _, e := range effects {
		switch e := e.(type) {
		case runtime.Commit:
			b.batch = e.Batch
		case runtime.Dispatch:
			b.tasks[e.Task.Path] = e.Task
		case runtime.Reattach:
			b.tasks[e.Task.Path] = e.Task
		case runtime.Recall:
			b.recalls = append(b.recalls, e)
		case runtime.Post:
			b.posts = append(b.posts, e.Message)
		case runtime.Evaluate:
			b.evals = append(b.evals, e)
		}
	}
	b.effects = append(b.effects, show(effects)...)
}

// want compares what followed since the last call.
func (b *bench) want(lines ...string) {
	b.t.Helper()
	if diff := cmp.Diff(lines, b.effects); diff != "" {
		b.t.Fatalf("effects (-want +got):\n%s", diff)
	}
	b.effects = nil
}

// commit writes the batch that was asked for and says so.
func (b *bench) commit() {
	b.t.Helper()
	if b.batch == nil {
		b.t.Fatal("nothing to commit")
	}
	batch := b.batch
	b.batch = nil
	err := b.disk.Commit(context.Background(), batch)
	b.tell(runtime.CommitDone{Incarnation: batch.Incarnation, Sequence: batch.Sequence, Err: err})
}

func (b *bench) answer(err error) {
	b.tell(runtime.CommitDone{Incarnation: b.batch.Incarnation, Sequence: b.batch.Sequence, Err: err})
}

func (b *bench) sequence() {
	last, err := b.disk.LastSequence(context.Background())
	b.tell(runtime.SequenceRead{Incarnation: b.batch.Incarnation, Last: last, Err: err})
}

// settle commits until nothing is asked for.
func (b *bench) settle() {
	b.t.Helper()
	for b.batch != nil {
		b.commit()
	}
}

func (b *bench) end(path string, kind engine.OutcomeKind) runtime.TaskEnded {
	b.t.Helper()
	t, ok := b.tasks[path]
	if !ok {
		b.t.Fatalf("no task at %s", path)
	}
	o := engine.TaskOutcome{Kind: kind}
	if kind == engine.OutcomeFailed {
		o.Error = &engine.Error{Name: "boom"}
	}
	return ended(t, o)
}

func TestNothingLeavesBeforeItsBatchIsDurable(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("two", task("a"), task("b", 0)))
	b.tell(submit("r1", p, 1))
	b.want("commit 1: r1 begins, r1 running")
	b.tell(submit("r2", p, 2)) // decided while batch 1 syncs
	b.tell(submit("r3", p, 3))
	b.want()
	b.commit()
	b.want(
		"dispatch r1 a #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false",
		"commit 2: r2 begins, r3 begins, r2 running, r3 running")
	b.commit()
	b.want(
		"dispatch r2 a #1", "reply 2 r2 existing=false err=<nil> seen=<nil>",
		"dispatch r3 a #1", "reply 3 r3 existing=false err=<nil> seen=<nil>",
		"publish r2 begins ended=false", "publish r3 begins ended=false")
	if got, want := b.tasks["a"].Fence, (engine.Fence{Incarnation: 1, Sequence: 2}); got != want {
		t.Errorf("fence %v, want %v", got, want)
	}
}

func TestRunToItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("two", task("a"), task("b", 0))), 1))
	b.settle()
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	b.effects = nil
	b.now = b.now.Add(time.Second)
	b.tell(b.end("b", engine.OutcomeSucceeded))
	b.commit()
	b.want("commit 3: r1 goes on, r1 succeeded", "settled r1 act 2 #1 refused=false", "publish r1 goes on ended=true")
	if n := b.reactor.Live(); n != 0 {
		t.Errorf("%d runs in memory after the end", n)
	}
	row := b.disk.rows["r1"]
	if !row.AcceptedAt.Equal(start) || !row.StartedAt.Equal(start) || !row.EndedAt.Equal(b.now) {
		t.Errorf("row %+v", row)
	}
	// A result that comes again is refused, at once, since all is durable.
	b.tell(b.end("b", engine.OutcomeSucceeded))
	b.want("settled r1 act 2 #1 refused=true")
	b.tell(runtime.Cancel{Run: "r1", Caller: 9})
	b.want("reply 9 r1 existing=false err=run does not exist or has ended seen=<nil>")
}

// A refusal must not be told before that on which it rests is durable: else the
// worker forgets a result that a crash has the runtime ask for again.
func TestRefusalWaitsForTheCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"), task("b", 0))), 0))
	b.settle()
	b.effects = nil
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.want("commit 2: r1 goes on")
	b.commit()
	b.want(
		"dispatch r1 b #1", "settled r1 act 1 #1 refused=false", "publish r1 goes on ended=false",
		"settled r1 act 1 #1 refused=true")
}

func TestResultsOfOtherAttemptsAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	b.settle()
	b.effects = nil
	for _, change := range []func(*runtime.TaskEnded){
		func(m *runtime.TaskEnded) { m.Fence.Sequence++ },
		func(m *runtime.TaskEnded) { m.Fence.Sequence-- },
		func(m *runtime.TaskEnded) { m.Fence.Incarnation++ },
		func(m *runtime.TaskEnded) { m.End.Attempt++ },
		func(m *runtime.TaskEnded) { m.End.Act++ },
		func(m *runtime.TaskEnded) { m.Run = "r2" },
	} {
		m := b.end("a", engine.OutcomeSucceeded)
		change(&m)
		b.tell(m)
		if len(b.effects) != 1 || !strings.HasSuffix(b.effects[0], "refused=true") {
			t.Errorf("%+v: %v", m, b.effects)
		}
		b.effects = nil
	}
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.want("commit 2: r1 goes on, r1 succeeded")
}

func TestTimers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("short", wait("30s"))), 0))
	b.tell(submit("r2", prepare(program("long", wait("61s"))), 0))
	b.want("commit 1: r1 begins, r1 running", "wake in 30s")
	b.commit()
	b.want("publish r1 begins ended=false", "commit 2: r2 begins, r2 running, timer r2/1")
	b.commit()
	b.effects = nil
	b.now = start.Add(30*time.Second - time.Nanosecond)
	b.tell()
	b.want()
	b.now = start.Add(30 * time.Second)
	b.tell()
	b.want("commit 3: r1 goes on, r1 succeeded", "wake in 1m1s")
	b.commit()
	b.effects = nil
	// After a restart the timer is there again, is not stored twice, and its row
	// goes when it fires.
	b.restart()
	b.want("wake in 1m1s")
	b.now = start.Add(20 * time.Second) // a clock that went back
	b.tell()
	b.want()
	b.now = start.Add(61 * time.Second)
	b.tell()
	b.want("commit 4: r2 goes on, r2 succeeded, no timer r2/1")
	b.commit()
	if len(b.disk.timers) != 0 {
		t.Errorf("timers left: %v", b.disk.timers)
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.now = start.Add(time.Hour)
	b.tell(submit("r1", p, 0))
	b.settle()
	b.now = start
	b.restart()
	b.tell(submit("r2", p, 0))
	b.settle()
	if got := b.disk.rows["r2"].AcceptedAt; !got.Equal(start.Add(time.Hour)) {
		t.Errorf("accepted at %v, before the batch that was on disk", got)
	}
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("two", task("a"), task("b", 0))), 0))
	b.settle()
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	b.effects = nil
	b.restart()
	b.want("reattach r1 b #1")
	if got, want := b.tasks["b"].Fence, (engine.Fence{Incarnation: 1, Sequence: 2}); got != want {
		t.Errorf("fence %v, want %v: the attempt was granted by the incarnation before", got, want)
	}
	b.tell(b.end("b", engine.OutcomeLost))
	b.commit()
	b.want("commit 3: r1 goes on, r1 running", "dispatch r1 b #2", "settled r1 act 2 #1 refused=false", "publish r1 goes on ended=false")
	if got, want := b.tasks["b"].Fence, (engine.Fence{Incarnation: 2, Sequence: 3}); got != want {
		t.Errorf("fence %v, want %v", got, want)
	}
}

// B53: what cannot be read is set aside, the others go on.
func TestDamagedRunsAreQuarantined(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	for _, id := range []store.RunID{"r1", "r2", "r3", "r4", "r5"} {
		b.tell(submit(id, p, 0))
		b.settle()
	}
	b.effects = nil
	other := prepare(program("other", task("a")))
	b.disk.records["r1"][0].Control = []byte(`{"format":1,"events":[{"kind":"accepted"},{"kind":"surprise"}]}`)
	b.disk.records["r2"][0].Control = []byte(`{"format":99,"events":[]}`)
	row := b.disk.rows["r3"]
	row.Program = other.Stored.Hash
	b.disk.rows["r3"] = row
	b.disk.records["r4"][0].First = 2
	b.restart()
	var aside []string
	for _, line := range b.effects {
		if strings.HasPrefix(line, "quarantined") {
			aside = append(aside, line[:len("quarantined r1")])
		} else if line != "reattach r5 a #1" {
			t.Errorf("effect %q", line)
		}
	}
	if diff := cmp.Diff([]string{"quarantined r1", "quarantined r2", "quarantined r3", "quarantined r4"}, aside); diff != "" {
		t.Errorf("set aside (-want +got):\n%s", diff)
	}
	b.effects = nil
	b.tell(runtime.Cancel{Run: "r2", Caller: 1}, runtime.Inspect{Run: "r2", Caller: 2})
	for _, line := range b.effects {
		if !strings.Contains(line, "err=run is quarantined: ") {
			t.Errorf("effect %q", line)
		}
	}
}

func TestPanicQuarantinesOneRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bad := task("b", 0)
	bad.If = expression("panic")
	poison := prepare(program("poison", task("a"), bad))
	var marks []store.RunID
	b.cfg.Mark = func(id store.RunID) { marks = append(marks, id) }
	b.restart()
	b.tell(submit("r1", poison, 1), submit("r2", prepare(program("one", task("c"))), 2))
	b.settle()
	if diff := cmp.Diff([]store.RunID{"r1", "", "r2", ""}, marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	b.effects = nil
	result := b.end("a", engine.OutcomeSucceeded)
	b.tell(result)
	b.want("quarantined r1: run is quarantined: decide engine.TaskEnded: panic: as asked")
	b.tell(result) // its worker keeps the result
	b.want()
	b.tell(b.end("c", engine.OutcomeSucceeded))
	b.settle()
	b.effects = nil
	if row := b.disk.rows["r1"]; row.State != "running" || b.disk.rows["r2"].State != "succeeded" {
		t.Errorf("rows %+v", b.disk.rows)
	}
	// It is tried again at the next start.
	b.restart()
	b.want("reattach r1 a #1")

	// A run that panics when it is accepted never was.
	first := task("a")
	first.If = expression("panic")
	b.tell(keyed(submit("r3", prepare(program("worse", first)), 3), ""))
	b.want(
		"quarantined r3: run is quarantined: decide engine.Accept: panic: as asked",
		"reply 3  existing=false err=run is quarantined: decide engine.Accept: panic: as asked seen=<nil>")
	b.tell(keyed(submit("r4", prepare(program("one", task("c"))), 0), ""))
	b.want("commit 3: r4 begins, r4 running, key k")
}

func TestPipelined(t *testing.T) {
	t.Parallel()
	once := task("b", 0)
	once.Task.AtMostOnce = true
	exactly := task("b", 0)
	exactly.Task.With = workflow.Constant(value.MustParse(`{"exactly_once": true}`))
	for _, c := range []struct {
		name      string
		second    workflow.Node
		pipelined bool
		overtakes bool
	}{
		{"strict", task("b", 0), false, false},
		{"pipelined", task("b", 0), true, true},
		{"at most once", once, true, false},
		{"exactly once", exactly, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p := program("two", task("a"), c.second)
			p.Pipelined = c.pipelined
			b.tell(submit("r1", prepare(p), 1))
			b.want("commit 1: r1 begins, r1 running") // never before its own acceptance
			b.settle()
			b.effects = nil
			b.tell(b.end("a", engine.OutcomeSucceeded))
			if c.overtakes {
				b.want("dispatch r1 b #1", "commit 2: r1 goes on")
				b.commit()
				b.want("settled r1 act 1 #1 refused=false", "publish r1 goes on ended=false")
				return
			}
			b.want("commit 2: r1 goes on")
			b.commit()
			b.want("dispatch r1 b #1", "settled r1 act 1 #1 refused=false", "publish r1 goes on ended=false")
		})
	}
}

func TestEvaluations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n := task("a")
	n.If = expression("costly true")
	b.tell(submit("r1", prepare(program("costly", n)), 0))
	b.want("evaluate r1", "commit 1: r1 begins, r1 running") // nothing outside sees an evaluation
	first := b.evals[0]
	b.settle()
	b.restart()
	b.effects = nil
	stale := runtime.Evaluated{Incarnation: first.Incarnation, Run: "r1", Result: first.Need.Eval.Evaluate(nil)}
	b.tell(stale)
	b.want()
	second := b.evals[1]
	b.tell(runtime.Evaluated{Incarnation: second.Incarnation, Run: "r1", Result: second.Need.Eval.Evaluate(nil)})
	b.settle()
	if _, ok := b.tasks["a"]; !ok {
		t.Errorf("no task after the answer: %v", b.effects)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	look := func(v runtime.View) any { return fmt.Sprint(v.Row.Workflow, " ", v.Run.State, " ", len(v.Run.Acts)) }
	b.tell(runtime.Inspect{Run: "r1", Look: look, Caller: 1}, runtime.Inspect{Run: "r2", Look: look, Caller: 2})
	b.want("commit 1: r1 begins, r1 running") // what it saw is not durable
	b.commit()
	b.want(
		"dispatch r1 a #1", "publish r1 begins ended=false",
		"reply 1 r1 existing=false err=<nil> seen=one running 1",
		"reply 2 r2 existing=false err=run does not exist or has ended seen=<nil>")
	// All that it sees is durable: it waits for no commit of another run, and
	// for those of its own.
	b.tell(submit("r2", prepare(program("one", task("a"))), 0))
	b.want("commit 2: r2 begins, r2 running")
	b.tell(runtime.Inspect{Run: "r1", Look: look, Caller: 3})
	b.want("reply 3 r1 existing=false err=<nil> seen=one running 1")
	b.tell(runtime.Cancel{Run: "r1"}, runtime.Inspect{Run: "r1", Look: look, Caller: 4})
	b.want()
}

// Who looks and panics gets an error; the runs go on.
func TestLookPanics(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("one", task("a"))), 0))
	b.settle()
	b.effects = nil
	b.tell(
		runtime.Inspect{Run: "r1", Look: func(runtime.View) any { panic("as asked") }, Caller: 1},
		runtime.Survey{Look: func(runtime.View) bool { panic("as asked") }, Caller: 2})
	if len(b.effects) != 2 {
		t.Fatalf("effects %q", b.effects)
	}
	for i, line := range b.effects {
		if !strings.HasPrefix(line, fmt.Sprintf("reply %d ", i+1)) || !strings.Contains(line, "err=look at run r1: panic: as asked") {
			t.Errorf("effect %q", line)
		}
	}
	b.effects = nil
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.settle()
	if row := b.disk.rows["r1"]; row.State != "succeeded" {
		t.Errorf("row %+v", row)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]runtime.Limits{
		"events":  {BatchEvents: 8, Backlog: 2},
		"records": {BatchRecords: 2, Backlog: 2},
		"bytes":   {BatchBytes: 600, Backlog: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.cfg.Limits = limits
			b.restart()
			p := prepare(program("one", task("a")))
			sub := func(i int) runtime.Submit {
				m := submit(store.RunID(fmt.Sprint("r", i)), p, runtime.Caller(i))
				m.Accept.Input = value.String(strings.Repeat("x", 150))
				return m
			}
			b.tell(sub(1))
			b.effects = nil
			for i := 2; i <= 6; i++ {
				b.tell(sub(i))
			}
			b.want("reply 6  existing=false err=too many requests wait; try again later seen=<nil>")
			var got []string
			for b.batch != nil {
				b.commit()
			}
			for _, line := range b.effects {
				if strings.HasPrefix(line, "commit") {
					got = append(got, line)
				}
			}
			want := []string{"commit 2: r2 begins, r3 begins, r2 running, r3 running", "commit 3: r4 begins, r5 begins, r4 running, r5 running"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("batches (-want +got):\n%s", diff)
			}
		})
	}
}

// What a run sends, nobody sends again: it gets in however many wait.
func TestMessagesOfRunsGetIn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cfg.Limits = runtime.Limits{BatchRecords: 1, Backlog: 1}
	b.restart()
	p := prepare(program("one", task("a")))
	b.tell(submit("r1", p, 1)) // in flight
	b.tell(submit("r2", p, 2))
	b.tell(submit("r3", p, 3)) // fills the backlog
	b.effects = nil
	b.tell(runtime.Cancel{Run: "r1", Actor: "run/r0"})
	b.tell(runtime.Cancel{Run: "r1", Actor: "user/ada", Caller: 4})
	b.want("reply 4  existing=false err=too many requests wait; try again later seen=<nil>")
	b.effects = nil
	for b.batch != nil {
		b.commit()
	}
	if !slices.Contains(b.effects, "cancel r1 act 1 #1") {
		t.Errorf("r1 is not canceled: %q", b.effects)
	}
}

// Timers are not held back by what waits behind a full batch, nor is anybody
// woken for what cannot be done yet.
func TestTimersAndFullBatches(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.cfg.Limits = runtime.Limits{BatchRecords: 1}
	b.restart()
	b.tell(submit("r1", prepare(program("short", wait("30s"))), 0))
	b.settle()
	b.effects = nil
	p := prepare(program("one", task("a")))
	b.tell(submit("r2", p, 0), submit("r3", p, 0), submit("r4", p, 0))
	b.want("commit 2: r2 begins, r2 running", "wake never") // r3 fills the next batch
	b.now = b.now.Add(time.Minute)
	b.tell()
	b.want()
	b.commit()
	b.commit()
	b.effects = nil
	b.commit()
	b.want("publish r1 goes on ended=true", "commit 5: r4 begins, r4 running")
}

func TestDrainAndStop(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := prepare(program("one", task("a")))
	b.tell(submit("r1", p, 1))
	b.tell(submit("r2", p, 2))
	b.tell(runtime.Drain{}, submit("r3", p, 3))
	b.want("commit 1: r1 begins, r1 running", "reply 3  existing=false err=stopping, or no longer in charge seen=<nil>")
	b.tell(runtime.Stop{}, submit("r4", p, 4), runtime.Cancel{Run: "r1", Caller: 5})
	b.want(
		"reply 4  existing=false err=stopping, or no longer in charge seen=<nil>",
		"reply 5  existing=false err=stopping, or no longer in charge seen=<nil>")
	b.commit()
	b.commit()
	b.want(
		"dispatch r1 a #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 begins ended=false",
		"commit 2: r2 begins, r2 running",
		"dispatch r2 a #1", "reply 2 r2 existing=false err=<nil> seen=<nil>", "publish r2 begins ended=false",
		"halt <nil> again=false")
	b.tell(b.end("a", engine.OutcomeSucceeded))
	b.want()
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.tell(submit("r1", prepare(program("mixed", task("a"), wait("1h"))), 0))
	b.settle()
	b.effects = nil
	b.tell(runtime.Cancel{Run: "r1", Actor: "me", Reason: "enough", Caller: 1})
	b.tell(runtime.Cancel{Run: "r1", Caller: 2}) // changes nothing, and is answered in order
	b.want("commit 2: r1 goes on, no timer r1/1", "wake never")
	b.commit()
	b.want(
		"cancel r1 act 1 #1", "reply 1 r1 existing=false err=<nil> seen=<nil>", "publish r1 goes on ended=false",
		"reply 2 r1 existing=false err=<nil> seen=<nil>")
	b.tell(b.end("a", engine.OutcomeCanceled))
	b.settle()
	if row := b.disk.rows["r1"]; row.State != "canceled" {
		t.Errorf("row %+v", row)
	}
}

// The time of decisions is cut off to the microsecond: whoever is woken at a
// timer of finer grain must not be too early, nor be forgotten.
func TestTimersFinerThanTheClock(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	failing := task("a")
	failing.Retry = []workflow.Retry{{
		MaxAttempts: workflow.Constant(value.Int(3)),
		Backoff:     workflow.Backoff{Initial: workflow.Constant(value.String("10s")), Jitter: workflow.JitterFull},
	}}
	m := submit("r1", prepare(program("one", failing)), 0)
	m.Accept.Seed = 7
	b.tell(m)
	b.settle()
	b.effects = nil
	b.tell(b.end("a", engine.OutcomeFailed))
	wake := b.effects[len(b.effects)-1]
	at := start.Add(mustDuration(t, strings.TrimPrefix(wake, "wake in ")))
	if !at.Equal(at.Truncate(time.Microsecond)) {
		t.Fatalf("asked to be woken at %v", at)
	}
	b.settle()
	b.now = at
	b.tell()
	b.settle()
	if got := b.tasks["a"].Attempt; got != 2 {
		t.Errorf("attempt %d after the wait, want 2: %v", got, b.effects)
	}
}
