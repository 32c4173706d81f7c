package engine_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

var update = flag.Bool("update", false, "rewrite the wanted traces in testdata")

// TestScripts runs every script of testdata: a program and what happens to it,
// then the wanted trace.
//
//	-- program.yaml --   the program form; see loadProgram for its shorthand
//	-- script --         one command a line, see world.do
//	-- want --           what the engine did, command by command
//
// After every command the events are encoded, decoded and folded into a second
// state, which must be equal to the first.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runScript(t, file)
		})
	}
}

func runScript(t *testing.T, file string) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) *txtar.File {
		for i := range archive.Files {
			if archive.Files[i].Name == name {
				return &archive.Files[i]
			}
		}
		t.Fatalf("%s has no section %s", file, name)
		return nil
	}
	w := newWorld(t, loadProgram(t, section("program.yaml").Data))
	for line := range strings.SplitSeq(string(section("script").Data), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			w.do(line)
		}
	}
	want := section("want")
	if *update {
		want.Data = []byte(w.trace.String())
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(string(want.Data), w.trace.String()); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
}

// world drives one run and remembers what the engine asked for.
type world struct {
	t      *testing.T
	m      *engine.Machine
	run    *engine.Run
	shadow *engine.Run
	// erased is the fold of what erasing the run leaves.
	erased  *engine.Run
	now     time.Time
	batch   uint64
	inline  uint64
	stored  [][2][]byte
	events  []engine.Event
	tasks   map[string]engine.Task // attempts that are out, by path
	timers  map[engine.TimerID]time.Time
	evals   []engine.NeedEval
	paths   map[engine.ActID]string
	trace   strings.Builder
	seen    map[engine.ActID]int    // attempts handed out, each at most once
	kept    map[engine.TimerID]bool // timers that fired and were kept by a hold
	crashed bool
	gate    *doors

	boundRuns, boundSteps bool
	namespace             *engine.Holding // who holds it
	values                *shelf
}

func newWorld(t *testing.T, p *workflow.Program) *world {
	t.Helper()
	data, _, err := workflow.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = workflow.Decode(data); err != nil {
		t.Fatal(err)
	}
	m, err := engine.Prepare(p, map[string]expr.Language{"test": testLanguage{}})
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		t: t, m: m, run: engine.NewRun("r"), shadow: engine.NewRun("r"), erased: engine.NewRun("r"), now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC),
		tasks: map[string]engine.Task{}, timers: map[engine.TimerID]time.Time{}, paths: map[engine.ActID]string{}, seen: map[engine.ActID]int{},
		kept: map[engine.TimerID]bool{}, values: newShelf(),
	}
}

// do runs one command of a script:
//
//	accept [JSON]              the run begins with this input
//	ok PATH [JSON]             the attempt at PATH succeeds with this output
//	large PATH list|text|object   it succeeds with a large value, see shelf.large
//	lose                       what is kept of large values is lost
//	fail PATH NAME [TEXT]      it fails
//	leave PATH FILE ...        it succeeds and leaves these files
//	lost PATH, unstarted PATH  nobody knows, or it never began
//	canceled PATH              it ended because it was told to
//	message PATH [JSON]        a message ends the work, with this result
//	message-fail PATH NAME     it says that the work failed
//	beat PATH                  it says that the work goes on
//	take PATH WORKER           a worker takes the work that is offered
//	message-old PATH           it names the attempt before
//	happened PATH JSON …       what is waited for outside has come: see world.outside
//	final PATH [JSON]          the attempt ends the work, though a message should
//	advance DURATION           time passes; timers fire when due
//	answer                     the oldest evaluation is answered
//	cancel                     the run is canceled
//	held, skipped REASON       the run is accepted held, or skipped
//	signal NAME [JSON]         a signal comes
//	signal-key KEY NAME        one with an idempotency key, whose data is the key
//	approve PATH USER [ROLE]   a person with the role approves
//	approve-old PATH USER      the same, of a question that is over
//	reject PATH USER [TEXT]    a person rejects, with this comment
//	hold, release, retry [PATH ...]  an operator acts on the run or on steps
//	set-succeeded PATH ... [JSON]    an operator says how steps end, with this output
//	set-failed PATH ... [!NAME]      with this error
//	leave-out, kill PATH ..., run-now [PATH ...], comment [PATH ...]
//	force PATH ... [!NAME]     steps do not wait for what they need, or for this
//	rerun, redo PATH ...       steps and what is behind them run again
//	key PATH                   the idempotency key of the attempt that is out
//	plan ACTION [PATH ...]     the dry run of an action
//	why [PATH]                 why a step, or what has not ended, waits
//	crash                      the state is folded again from storage
//	limit, taken, freed, fact, unfact, bound, skip   see world.onGate
//	inline COST                the budget of expressions from here on
//	compensate [PATH ...]      an operator has what the run did undone
//	state                      shows the run's state
//	status                     shows the state as it is shown to people
func (w *world) do(line string) {
	w.t.Helper()
	fmt.Fprintf(&w.trace, "> %s\n", line)
	word, rest, _ := strings.Cut(line, " ")
	path, arg, _ := strings.Cut(rest, " ")
	switch word {
	case "accept":
		in := value.Undefined
		if rest != "" {
			in = value.MustParse(rest)
		}
		w.input(engine.Accept{Input: in, BusinessDate: "2026-03-02", Seed: 7, Actor: "test"})
	case "ok":
		out := value.Undefined
		if arg != "" {
			out = value.MustParse(arg)
		}
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: out})
	case "large":
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: w.values.large(arg)})
	case "lose":
		clear(w.values.blobs)
	case "fail":
		name, message, _ := strings.Cut(arg, " ")
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeFailed, Error: &engine.Error{Name: name, Message: message}})
	case "leave":
		out := engine.TaskOutcome{Kind: engine.OutcomeSucceeded}
		for i, name := range strings.Fields(arg) {
			out.Artifacts = append(out.Artifacts, engine.Artifact{Path: name, Size: int64(i), SHA256: fmt.Sprint("sum", i), Executable: i > 0})
		}
		w.end(path, out)
	case "lost":
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeLost})
	case "unstarted":
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeNotStarted})
	case "canceled":
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeCanceled})
	case "advance":
		w.advance(rest)
	case "message", "message-fail", "message-old", "beat", "checkpoint", "take":
		w.message(word, path, arg)
	case "begins", "begins-old":
		w.begins(path, word == "begins-old")
	case "happened", "missed", "happened-error", "child", "found", "pinned":
		w.outside(word, path, arg)
	case "final":
		w.end(path, engine.TaskOutcome{Kind: engine.OutcomeSucceeded, Output: value.MustParse(arg), Final: true})
	case "answer":
		if len(w.evals) == 0 {
			w.t.Fatalf("nothing is to be answered; so far:\n%s", w.trace.String())
		}
		next := w.evals[0]
		w.evals = w.evals[1:]
		w.input(next.Eval.Evaluate(w.values))
	case "cancel":
		w.input(engine.Cancel{Actor: "test", Reason: "because"})
	case "held":
		w.input(engine.Accept{Input: value.Object(), Seed: 7, Held: true, HoldReason: "not yet", Actor: "ada"})
	case "skipped":
		w.input(engine.Accept{Input: value.Object(), Seed: 7, Skip: engine.Reason(rest)})
	case "compensate", "hold", "release", "retry":
		w.action(actionOf(word, strings.Fields(rest)))
	case "add-wait", "drop-wait", "set-priority", "set-deadline", "set-succeeded", "set-failed", "leave-out", "force", "rerun", "redo", "kill", "run-now", "comment":
		w.action(orderOf(word, rest))
	case "key":
		fmt.Fprintf(&w.trace, "  key %.6s\n", w.tasks[rest].IdempotencyKey)
	case "plan":
		w.plan(orderOf(path, arg))
	case "why":
		w.why(rest)
	case "crash":
		w.crash()
	case "signal", "signal-key", "approve", "reject", "approve-old":
		w.person(word, path, arg)
	case "limit", "taken", "freed", "fact", "unfact", "skip":
		w.onGate(word, path, arg)
	case "inline":
		n, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			w.t.Fatal(err)
		}
		w.inline = n
	case "state":
		fmt.Fprintf(&w.trace, "  run %s %s output=%s error=%v\n", w.run.State, w.run.Reason, w.run.Output, w.run.Err)
	case "hold-namespace":
		w.namespace = &engine.Holding{Actor: "bob", Reason: "quiet"}
		if w.run.Sequence > 0 && w.run.HoldsWithNamespace() {
			w.input(engine.HoldNamespace{Action: engine.Action{Actor: "bob", Reason: "quiet"}})
		}
	case "release-namespace":
		w.namespace = nil
		w.input(engine.ReleaseNamespace{Action: engine.Action{Actor: "bob", Reason: "loud"}})
	case "status":
		state, reason := w.run.Status()
		fmt.Fprintf(&w.trace, "  run is %s %s\n", state, reason)
	default:
		w.t.Fatalf("unknown command %q", line)
	}
}

// begins says that a worker has begun the attempt at the path, or goes on with it.
func (w *world) begins(path string, old bool) {
	for id, p := range w.paths {
		if a := w.run.Acts[id]; p == path && a != nil {
			in := engine.Beat{Act: id, Attempt: a.Attempt}
			if old {
				in.Attempt--
			}
			w.input(in)
		}
	}
}

// message sends a message that names the token of the work at the path.
func (w *world) message(word, path, arg string) {
	w.t.Helper()
	for id, p := range w.paths {
		if p != path || w.run.Acts[id] == nil {
			continue
		}
		a := w.run.Acts[id]
		in := engine.Callback{Token: engine.Token(w.run, a, a.Attempt), Beat: word == "beat" || word == "checkpoint", Actor: "ada"}
		switch {
		case word == "message-fail":
			in.Error = &engine.Error{Name: arg, Message: "it said so"}
		case word == "checkpoint":
			in.Checkpoint = []byte(arg)
		case word == "take":
			in.Taker = arg
		case word == "message-old":
			in.Token = engine.Token(w.run, a, a.Attempt-1)
		case arg != "":
			in.Output = value.MustParse(arg)
		}
		if run, ok := engine.TokenRun(in.Token); !ok || run != w.run.ID {
			w.t.Fatalf("token of run %q", run)
		}
		w.action(in)
		return
	}
	w.t.Fatalf("nothing is at %q", path)
}

func actionOf(word string, steps []string) engine.Input {
	a := engine.Action{Actor: "ada", Reason: "because", Steps: steps}
	switch word {
	case "hold":
		return engine.Hold{Action: a}
	case "release":
		return engine.Release{Action: a}
	case "compensate":
		return engine.Compensate{Action: a}
	}
	return engine.Retry{Action: a}
}

// action lets an operator act. What it says it did is what its dry run said; a
// refusal changes nothing.
func (w *world) action(in engine.Input) {
	w.t.Helper()
	in = w.withPast(in)
	planned, refused := w.m.Plan(w.run, in)
	before := len(w.stored)
	w.batch++
	d, err := w.m.Decide(w.run, in, w.context())
	if fmt.Sprint(err != nil, d.Affected) != fmt.Sprint(refused != nil, planned) {
		w.t.Fatalf("planned %v, %v; did %v, %v", planned, refused, d.Affected, err)
	}
	if err != nil {
		if !errors.Is(err, engine.ErrRefused) || len(w.stored) != before {
			w.t.Fatalf("decide %T: %v", in, err)
		}
		fmt.Fprintf(&w.trace, "  refused: %v\n", refused)
		w.same(w.run, w.shadow)
		return
	}
	w.tellAffected(d.Affected)
	w.decided(d)
}

func (w *world) plan(in engine.Input) {
	affected, err := w.m.Plan(w.run, w.withPast(in))
	if err != nil {
		fmt.Fprintf(&w.trace, "  refused: %v\n", err)
	}
	w.tellAffected(affected)
	w.same(w.run, w.shadow)
}

func (w *world) tellAffected(affected []engine.Affected) {
	for _, a := range affected {
		fmt.Fprintf(&w.trace, "  will %s %s %d\n", a.Does, cmp.Or(a.Path, "run"), a.Attempt)
	}
	if len(affected) == 0 {
		fmt.Fprintln(&w.trace, "  nothing to do")
	}
}

func (w *world) why(path string) {
	w.t.Helper()
	explanations, err := w.m.Why(w.run, path, w.now)
	if err != nil {
		fmt.Fprintf(&w.trace, "  refused: %v\n", err)
	}
	for _, e := range explanations {
		if _, err := json.Marshal(e); err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&w.trace, "  %s: %s %s\n", cmp.Or(e.Path, "run"), e.State, e.Reason)
		for _, c := range e.Conditions {
			fmt.Fprintf(&w.trace, "    %s %v: %s\n", c.Kind, c.Met, c.Text)
		}
	}
}

func (w *world) context() engine.Context {
	return engine.Context{Now: w.now, Fence: engine.Fence{Incarnation: 1, Sequence: w.batch}, InlineCost: w.inline, BoundRuns: w.boundRuns, BoundSteps: w.boundSteps, NamespaceHold: w.namespace}
}

func (w *world) end(path string, o engine.TaskOutcome) {
	w.t.Helper()
	task, ok := w.tasks[path]
	if !ok {
		w.t.Fatalf("no attempt is out at %q; there are %v; so far:\n%s", path, w.out(), w.trace.String())
	}
	delete(w.tasks, path)
	o.StartedAt, o.EndedAt = w.now, w.now
	w.input(engine.TaskEnded{Act: task.Act, Attempt: task.Attempt, Outcome: o})
}

func (w *world) out() []string {
	var paths []string
	for p := range w.tasks {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	return paths
}

func (w *world) advance(text string) {
	w.t.Helper()
	length, err := time.ParseDuration(text)
	if err != nil {
		w.t.Fatal(err)
	}
	end := w.now.Add(length)
	for {
		var due engine.TimerID
		for id, at := range w.timers {
			if !at.After(end) && (due == 0 || at.Before(w.timers[due]) || at.Equal(w.timers[due]) && id < due) {
				due = id
			}
		}
		if due == 0 {
			w.now = end
			return
		}
		w.now = w.timers[due]
		delete(w.timers, due)
		w.input(engine.TimerDue{Timer: due})
		if w.run.Timers[due] != nil {
			w.kept[due] = true
		}
	}
}

func (w *world) crash() {
	w.run = w.folded(engine.NewRun("r"))
	w.same(w.shadow, w.run)
	w.timers, w.evals = map[engine.TimerID]time.Time{}, nil
	w.kept = map[engine.TimerID]bool{}
	w.crashed = true
	w.crashGate()
	w.input(engine.Recover{})
	w.crashed = false
}

// folded folds what is stored.
func (w *world) folded(run *engine.Run) *engine.Run {
	for _, rec := range w.stored {
		events, err := engine.DecodeEvents(rec[0], rec[1])
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range events {
			if err := w.m.Apply(run, &events[i]); err != nil {
				w.t.Fatalf("fold: %v", err)
			}
		}
	}
	return run
}

func (w *world) input(in engine.Input) {
	w.t.Helper()
	w.batch++
	d, err := w.m.Decide(w.run, in, w.context())
	if err != nil {
		w.t.Fatalf("decide %T: %v", in, err)
	}
	w.decided(d)
}

func (w *world) decided(d engine.Decision) {
	w.t.Helper()
	w.store(d.Events)
	w.sameCounts()
	for _, c := range d.Commands {
		w.command(c)
	}
	w.grant()
}

// sameCounts wants a run with a held failure to be shown as waiting for a person
// if nothing else in it goes on.
func (w *world) sameCounts() {
	w.t.Helper()
	held, busy := false, w.run.Undo.Waits != 0
	for _, a := range w.run.Acts {
		switch a.Phase {
		case engine.PhaseHeldError:
			held = true
		case engine.PhaseFrames, engine.PhaseUnknown, engine.PhaseEnded:
		default:
			busy = true
		}
	}
	_, reason := w.run.Status()
	waits := reason == engine.ReasonFailureHeld || reason == engine.ReasonUndoFailed
	if w.run.State != engine.Failed && waits != (held && !busy) {
		w.t.Errorf("the run is shown for %s; a failure is held: %t, something goes on: %t", reason, held, busy)
	}
}

// store keeps the events as storage would and folds them into the second
// state.
func (w *world) store(events []engine.Event) {
	w.t.Helper()
	if len(events) == 0 {
		return
	}
	control, payload, err := engine.EncodeEvents(events)
	if err != nil {
		w.t.Fatal(err)
	}
	w.stored = append(w.stored, [2][]byte{control, payload})
	read, err := engine.DecodeEvents(control, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	w.events = append(w.events, read...)
	for i := range read {
		if err := w.m.Apply(w.shadow, &read[i]); err != nil {
			w.t.Fatalf("fold %s: %v", read[i].Kind, err)
		}
		w.tell(&read[i])
	}
	w.same(w.run, w.shadow)
	w.storeErased(control)
}

// storeErased folds what is left of the events once the run's data is erased: it is
// read all the same.
func (w *world) storeErased(control []byte) {
	w.t.Helper()
	read, err := engine.DecodeEvents(control, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range read {
		if err := w.m.Apply(w.erased, &read[i]); err != nil {
			w.t.Fatalf("fold %s without data: %v", read[i].Kind, err)
		}
	}
	if w.erased.State != w.shadow.State {
		w.t.Fatalf("without data the run is %s, with it %s", w.erased.State, w.shadow.State)
	}
}

func (w *world) same(a, b *engine.Run) {
	w.t.Helper()
	opts := gocmp.Options{
		cmpopts.IgnoreUnexported(engine.Run{}, engine.Activation{}, engine.MapOutputs{}),
		cmpopts.EquateEmpty(),
		gocmp.Comparer(func(x, y value.Value) bool {
			return x.IsUndefined() == y.IsUndefined() && value.Equal(x, y)
		}),
	}
	if diff := gocmp.Diff(a, b, opts); diff != "" {
		w.t.Fatalf("the fold of the events is not the state (-state +fold):\n%s", diff)
	}
}

// tell writes what an event says in the words of a trace.
func (w *world) tell(ev *engine.Event) {
	if a := w.shadow.Acts[ev.Act]; a != nil {
		w.paths[ev.Act] = a.Path
	}
	path := w.paths[ev.Act]
	say := func(format string, args ...any) { fmt.Fprintf(&w.trace, "  "+format+"\n", args...) }
	switch ev.Kind {
	case engine.EvNotEntered:
		say("not entered: %v of frame %d: %s", ev.Nodes, ev.Frame, ev.Reason)
	case engine.EvAttempt:
		say("attempt %s %d", path, ev.Attempt)
	case engine.EvRetry:
		if !ev.Same {
			say("retry %s by rule %d, wait %s", path, ev.Rule, wait(ev))
		}
	case engine.EvTimerSet:
		say("timer %s %s for %s", path, ev.TimerKind, wait(ev))
	case engine.EvEnded:
		say("ended %s %s %s%s", path, ev.State, ev.Reason, handled(ev))
	case engine.EvAssigned:
		for _, op := range ev.Ops {
			say("assigned %s%v %s= %s in frame %d", op.Var, op.Path, op.Op, op.Value, op.Frame)
		}
	case engine.EvError:
		say("error %s %s: %s", path, ev.Error.Name, ev.Error.Message)
	case engine.EvStopping:
		say("stopping %s %s", path, ev.Reason)
	case engine.EvFrameVerdict:
		say("verdict on frame %d: %s %s", ev.Frame, ev.State, ev.Reason)
	case engine.EvRunEnded:
		say("run %s %s output=%s error=%v", w.run.State, w.run.Reason, w.run.Output, w.run.Err)
	case engine.EvUndoAsked:
		say("undo asked by %s: %s", ev.Actor, ev.Text)
	case engine.EvUndoBegun, engine.EvUndone:
		say("%s", ev.Kind)
	case engine.EvUndoWaits, engine.EvUndoAnswered:
		say("%s %s %s", ev.Kind, path, ev.Outcome)
	case engine.EvFailureHeld:
		say("held failure of %s: %s", path, ev.Reason)
	case engine.EvUnknown:
		say("unknown %s", path)
	case engine.EvCheckpoint:
		say("checkpoint %s %s", path, ev.Checkpoint)
	case engine.EvTaken:
		say("taken %s by worker %s", path, ev.Taker)
	case engine.EvAnswered:
		say("answered %s %s by %s", path, ev.Outcome, ev.Actor)
	case engine.EvQueued, engine.EvGranted:
		say("%s %s", ev.Kind, cmp.Or(path, "run"))
	case engine.EvSignaled:
		say("signaled %s %s by %s", cmp.Or(path, "run"), ev.Text, ev.Actor)
	case engine.EvSignalTaken:
		say("took %s the signal of event %d", path, ev.Signal)
	case engine.EvVoted:
		say("voted %s %s by %s: %s", path, ev.Outcome, ev.Actor, ev.Text)
	case engine.EvHeld, engine.EvReleased:
		say("%s %s by %s: %s", ev.Kind, cmp.Or(ev.Path, ev.Trigger, "run"), ev.Actor, ev.Text)
	case engine.EvRetryAsked:
		say("retry asked by %s: %s", ev.Actor, ev.Text)
	case engine.EvSettled:
		say("settled %s %s by %s: %s", path, ev.State, ev.Actor, ev.Text)
	case engine.EvForced:
		say("node %d of frame %d forced by %s, gives up %v: %s", ev.Node, ev.Frame, ev.Actor, ev.Nodes, ev.Text)
	case engine.EvRerun:
		say("%v of frame %d run again by %s (%s): %s", ev.Nodes, ev.Frame, ev.Actor, ev.Trigger, ev.Text)
	case engine.EvReentered:
		say("entered %s again", path)
	case engine.EvRestored:
		say("opened %s again, now %s, judges %v", ev.Restored.Path, w.shadow.Frames[ev.Frame].Phase, ev.Nodes)
	case engine.EvWaitAdded, engine.EvWaitDropped:
		say("%s %s %s %s by %s", ev.Kind, ev.Path, ev.Queue.Needs[0].Name, ev.Queue.Needs[0].Date, ev.Actor)
	case engine.EvPrioritySet:
		say("priority of %s %d by %s", cmp.Or(ev.Path, "run"), ev.Count, ev.Actor)
	case engine.EvDeadlineSet:
		say("deadline in %s by %s", wait(ev), ev.Actor)
	case engine.EvCommented:
		say("comment on %s by %s: %s", cmp.Or(ev.Path, "run"), ev.Actor, ev.Text)
	case engine.EvTimerFired:
		if ev.Actor != "" {
			say("timer %s %s fired by %s: %s", path, ev.TimerKind, ev.Actor, ev.Text)
		}
	case engine.EvReopened:
		say("reopened %s %s", path, ev.Role)
	case engine.EvFrameReopened:
		say("frame %d reopened, now %s, judges %v", ev.Frame, w.shadow.Frames[ev.Frame].Phase, ev.Nodes)
	default:
	}
}

func wait(ev *engine.Event) time.Duration {
	if ev.Due.IsZero() {
		return 0
	}
	return ev.Due.Sub(ev.At)
}

func handled(ev *engine.Event) string {
	if ev.Handled {
		return "handled"
	}
	return ""
}

func (w *world) command(c engine.Command) {
	w.t.Helper()
	switch c := c.(type) {
	case engine.Dispatch:
		if w.seen[c.Task.Act] >= c.Task.Attempt {
			w.t.Fatalf("attempt %d of %s was handed out twice", c.Task.Attempt, c.Task.Path)
		}
		w.seen[c.Task.Act] = c.Task.Attempt
		w.tasks[c.Task.Path] = c.Task
		if in := c.Task.Input; !in.IsNull() {
			fmt.Fprintf(&w.trace, "  input %s\n", in)
		}
		for _, s := range c.Task.Secrets {
			fmt.Fprintf(&w.trace, "  secret at %v: %v\n", s.Path, s.Parts)
		}
	case engine.Reattach:
		w.tasks[c.Task.Path] = c.Task
		fmt.Fprintf(&w.trace, "  reattach %s %d\n", c.Task.Path, c.Task.Attempt)
	case engine.CancelTask:
		fmt.Fprintf(&w.trace, "  cancel task %s %d\n", c.Path, c.Attempt)
	case engine.SetTimer:
		w.timers[c.Timer] = c.At
	case engine.ClearTimer:
		if _, ok := w.timers[c.Timer]; !ok && !w.kept[c.Timer] {
			w.t.Fatalf("timer %d is cleared but not set", c.Timer)
		}
		delete(w.timers, c.Timer)
	case engine.KeepCached:
		ev := w.events[c.Event-1]
		fmt.Fprintf(&w.trace, "  keep %s for %s under %.8s: %s\n", c.Path, c.For, c.Key, ev.Output)
	case engine.Await:
		w.await(c)
		w.gateCommand(c)
	case engine.AskGate, engine.HoldGate, engine.LeaveGate, engine.SetFacts:
		w.gateCommand(c)
	case engine.CancelChild:
		fmt.Fprintf(&w.trace, "  cancel child %s: %s\n", c.Run, c.Reason)
	case engine.NeedEval:
		w.evals = append(w.evals, c)
		fmt.Fprintf(&w.trace, "  need evaluation\n")
	case engine.RunEnded:
		if len(w.tasks) > 0 || len(w.timers) > 0 {
			w.t.Errorf("the run ended while attempts %v and %d timers were out", w.out(), len(w.timers))
		}
	}
}

// loadProgram reads the program form as YAML, with a shorthand for what tests
// write often. In a body's nodes: `needs: [a, b]` is a join that all satisfy;
// `needs: {a: [failed]}` names the ends; `join: any | done` changes the
// predicate. Bodies are named and referred to by name. A text `=SOURCE` in the
// place of data or an expression is an expression of the test language, whose
// names are bound by bindName.
func loadProgram(t *testing.T, text []byte) *workflow.Program {
	t.Helper()
	docs, problems := yamldoc.Parse("program.yaml", text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	raw := plain(docs[0].ToValue()).(map[string]any)
	raw["format"], raw["language"], raw["name"] = workflow.Format, "test", "test"
	named := map[string]int{}
	bodies := raw["bodies"].([]any)
	for i, b := range bodies {
		if name, ok := textOf(b.(map[string]any)["name"]); ok {
			named[name] = i
		}
	}
	l := &loader{t: t, bodies: named}
	for _, b := range bodies {
		l.body(b.(map[string]any))
	}
	delete(raw, "comment")
	if c, ok := raw["concurrency"]; ok {
		raw["concurrency"] = l.walk("concurrency", c)
	}
	data, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	p, err := workflow.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func plain(v value.Value) any {
	switch v.Kind() {
	case value.KindList:
		out := make([]any, 0, v.Len())
		for _, item := range v.Items() {
			out = append(out, plain(item))
		}
		return out
	case value.KindObject:
		out := map[string]any{}
		for _, m := range v.Members() {
			out[m.Key] = plain(m.Value)
		}
		return out
	default:
		return v
	}
}

func textOf(x any) (string, bool) {
	v, ok := x.(value.Value)
	if !ok {
		return "", false
	}
	return v.Str()
}

type loader struct {
	t      *testing.T
	bodies map[string]int
	nodes  map[string]int // of the body in hand
}

func (l *loader) body(b map[string]any) {
	l.nodes = map[string]int{}
	nodes := b["nodes"].([]any)
	for i, n := range nodes {
		if id, ok := textOf(n.(map[string]any)["id"]); ok {
			l.nodes[id] = i
		}
	}
	for _, n := range nodes {
		l.needs(n.(map[string]any))
	}
	for k, v := range b {
		b[k] = l.walk(k, v)
	}
}

var ends = map[string]workflow.Ends{
	"succeeded": workflow.EndSucceeded, "skipped": workflow.EndSkipped, "failed": workflow.EndFailed,
	"canceled": workflow.EndCanceled, "not_run": workflow.EndNotRun,
}

func (l *loader) needs(n map[string]any) {
	needs, ok := n["needs"]
	if !ok {
		return
	}
	delete(n, "needs")
	word, _ := textOf(n["join"])
	delete(n, "join")
	join := workflow.Join{When: workflow.Cond{Op: workflow.OpAnd}}
	if word == "any" {
		join.When.Op = workflow.OpOr
	}
	add := func(id string, set workflow.Ends) {
		if word == "done" {
			set = workflow.EndAny
		}
		at, ok := l.nodes[id]
		if !ok {
			l.t.Fatalf("needs names %q", id)
		}
		join.When.Args = append(join.When.Args, workflow.Cond{Op: workflow.OpEnd, Need: len(join.Needs), Ends: set})
		join.Needs = append(join.Needs, workflow.NodeID(at))
	}
	switch needs := needs.(type) {
	case []any:
		for _, id := range needs {
			s, _ := textOf(id)
			add(s, workflow.EndOK)
		}
	case map[string]any:
		ids := make([]string, 0, len(needs))
		for id := range needs {
			ids = append(ids, id)
		}
		sort.Strings(ids)
		for _, id := range ids {
			var set workflow.Ends
			for _, w := range needs[id].([]any) {
				s, _ := textOf(w)
				set |= ends[s]
			}
			add(id, set)
		}
	}
	n["join"] = join
}

// exprKeys are the members that hold a bare expression.
var exprKeys = map[string]bool{"if": true, "when": true, "check": true, "expr": true, "while": true, "until": true}

func (l *loader) walk(key string, x any) any {
	switch x := x.(type) {
	case []any:
		if dataKeys[key] {
			return constant(x)
		}
		for i := range x {
			x[i] = l.walk(key, x[i])
		}
		return x
	case map[string]any:
		if dataKeys[key] && !isData(x) {
			return constant(x)
		}
		for k, v := range x {
			x[k] = l.walk(k, v)
		}
		return x
	case value.Value:
		s, ok := x.Str()
		switch {
		case ok && (key == "body" || key == "finally" || key == "call"):
			return l.ref(s, l.bodies)
		case ok && (key == "next" || key == "start"):
			return l.ref(s, l.nodes)
		case ok && strings.HasPrefix(s, "=") && exprKeys[key]:
			return l.expr(s[1:])
		case ok && strings.HasPrefix(s, "="):
			return map[string]any{"expr": l.expr(s[1:])}
		case dataKeys[key] || key == "list":
			return map[string]any{"const": x}
		}
	}
	return x
}

func constant(x any) any { return map[string]any{"const": x} }

// isData tells the form of workflow.Data from a plain object.
func isData(x map[string]any) bool {
	for k := range x {
		switch k {
		case "const", "expr", "text", "list", "object":
		default:
			return false
		}
	}
	return true
}

// dataKeys are the members that hold data, where a plain value is a constant.
var dataKeys = map[string]bool{
	"max_attempts": true, "initial": true, "factor": true, "max": true, "items": true, "max_parallel": true, "max_failures": true,
	"max_failed_percent": true, "timeout": true, "for": true, "delay": true, "default": true, "value": true, "details": true,
	"heartbeat": true, "grid": true, "with": true, "date": true,
}

func (l *loader) ref(name string, in map[string]int) int {
	i, ok := in[name]
	if !ok {
		l.t.Fatalf("no body or node %q", name)
	}
	return i
}

var namePattern = regexp.MustCompile(`[a-z_][A-Za-z0-9_^]*(\.[A-Za-z0-9_]+)*`)

func (l *loader) expr(src string) *workflow.Expr {
	e := &workflow.Expr{Language: "test", Source: src}
	seen := map[string]bool{}
	for _, name := range namePattern.FindAllString(src, -1) {
		if !seen[name] && name != "true" && name != "false" && name != "null" && name != "clock" && name != "drawn" && !strings.Contains(src, `"`+name+`"`) {
			seen[name] = true
			e.Bind = append(e.Bind, workflow.Binding{Path: []string{name}, From: l.bindName(name)})
		}
	}
	return e
}

// bindName says what a name of the test language means: in.NAME the run's
// input, item, index, error.FACT, raw, stage, result, run.FACT, frame.FACT,
// node.NODE.FACT a node of the body; anything else a variable. upN.NAME looks
// N frames outward (of nodes by number: up1.node.0.output).
func (l *loader) bindName(name string) workflow.Source {
	parts := strings.Split(name, ".")
	up := 0
	if strings.HasPrefix(parts[0], "up") {
		if n, err := strconv.Atoi(parts[0][2:]); err == nil {
			up, parts = n, parts[1:]
		}
	}
	fact := strings.Join(parts[1:], ".")
	switch parts[0] {
	case "in":
		return workflow.Source{Root: workflow.RootInput, Name: fact}
	case "item", "index", "error", "raw", "stage", "result", "run", "frame", "attempt", "effective":
		return workflow.Source{Root: workflow.Root(parts[0]), Up: up, Name: fact}
	case "node":
		id, err := strconv.Atoi(parts[1])
		if err != nil {
			id = l.ref(parts[1], l.nodes)
		}
		return workflow.Source{Root: workflow.RootNode, Up: up, Node: workflow.NodeID(id), Name: parts[2]}
	}
	return workflow.Source{Root: workflow.RootVar, Name: parts[0]}
}
