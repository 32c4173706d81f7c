package sim

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regie-dev/regie/internal/dispatch"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// teethSeeds is within how many seeds a broken product must be found out.
const teethSeeds = 300

// TestTeeth breaks the product on purpose, one promise at a time, and wants the
// simulator to find out by the right invariant.
func TestTeeth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		damage func(*product)
		found  []Invariant
	}{
		{"callers are answered before the commit", onRuntime(func(r *brokenRuntime) { r.before = answerAtOnce }), []Invariant{NoLostRun}},
		{"cancels are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetCancels }), []Invariant{Outbox}},
		{"results are settled before the commit", onRuntime(func(r *brokenRuntime) { r.before = settleAtOnce }), []Invariant{Outbox}},
		{"any result counts for the current attempt", onDispatcher(func(d *brokenDispatcher) { d.skipFence = true }), []Invariant{OneResult, Slots, Outbox}},
		{"an unknown outcome counts as success", onRuntime(func(r *brokenRuntime) { r.before = trustUnknown }), []Invariant{Sequence, NoLostRun, Outbox, NoHalt}},
		{"timers fire early", onRuntime(func(r *brokenRuntime) { r.hurry = time.Second }), []Invariant{TimeNeverBack, Timers}},
		{"nobody asks for attempts after a restart", onRuntime(func(r *brokenRuntime) { r.after = dropReattach }), []Invariant{Liveness}},
		{"attempts are not told to stop", onRuntime(func(r *brokenRuntime) { r.after = dropCancelTask }), []Invariant{Liveness}},
		{"results are never settled", onRuntime(func(r *brokenRuntime) { r.after = dropSettled }), []Invariant{Outbox}},
		{"tasks leave before the commit", func(p *product) { p.compile = pipeline }, []Invariant{Outbox}},
		{"an attempt is given out twice", onDispatcher(func(d *brokenDispatcher) { d.change = assignTwice }), []Invariant{StartedOnce}},
		{"lost workers are forgotten", onDispatcher(func(d *brokenDispatcher) { d.change = dropLost }), []Invariant{Liveness}},
		{"an open breaker lets some attempts through", onDispatcher(func(d *brokenDispatcher) { d.noVia = true }), []Invariant{Breakers}},
		{"a breaker opens late", onDispatcher(func(d *brokenDispatcher) { d.lenient = true }), []Invariant{Breakers}},
		{"retries are forgotten at a restart", onRecovery(forgetRetries), []Invariant{Attempts, FoldIsState}},
		{"timers are forgotten at a restart", onRecovery(forgetTimers), []Invariant{Liveness, FoldIsState, Timers}},
		{"a run is forgotten at a restart", func(p *product) {
			p.recovered = func(m []runtime.Message) []runtime.Message { return m[:max(0, len(m)-1)] }
		}, []Invariant{Liveness, NoLostRun, Outbox}},
		{"holds are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetHolds }), []Invariant{Outbox}},
		{"messages are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetMessages }), []Invariant{Outbox}},
		{"answers are forgotten at a restart", onRecovery(forgetAnswers), []Invariant{Attempts, OneResult, Liveness, FoldIsState}},
		{"holds are forgotten at a restart", onRecovery(forgetHolding), []Invariant{Held, FoldIsState}},
		{"a retry takes what succeeded for failed", onRuntime(func(r *brokenRuntime) { r.before = spoilSuccess }), []Invariant{NoRerun, FoldIsState}},
		{"a retry leaves out what was canceled", onRuntime(func(r *brokenRuntime) { r.before = forgetCanceled }), []Invariant{Order, Structure, Liveness, FoldIsState}},
		{"held failures are forgotten at a restart", onRecovery(forgetHeldErrors), []Invariant{Attempts, HeldFailure, FoldIsState, Structure}},
		{"failures are not held", onProgram(func(p *workflow.Program) {
			if p.OnFailure == workflow.OnFailureHold {
				p.OnFailure = ""
			}
		}), []Invariant{HeldFailure}},
		{"operators are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetOperators }), []Invariant{Outbox}},
		{"generations are forgotten at a restart", onRecovery(forgetGenerations), []Invariant{Keys, FoldIsState}},
		{"what succeeded is skipped", onRuntime(func(r *brokenRuntime) { r.before = turnAround }), []Invariant{Outbox, FoldIsState}},
		{"what was killed is tried again", onRetries(func(r *workflow.Retry) { r.Match = []string{"killed", "failed", "flaky", "set_failed"} }), []Invariant{Said}},
		{"a signal comes as often as it is sent", onAct(dropKey), []Invariant{Signals}},
		{"kept signals are forgotten at a restart", onRecovery(forgetSignals), []Invariant{Signals, FoldIsState}},
		{"a person counts as often as they decide", onAct(otherNames()), []Invariant{Approvals, Outbox}},
		{"decisions are forgotten at a restart", onRecovery(forgetVotes), []Invariant{Approvals, FoldIsState}},
		{"who made a version decides on it", onAct(noAuthor), []Invariant{Approvals}},
		{"limits are counted in memory only", onRecovery(forgetGrants), []Invariant{LimitsKept, FoldIsState}},
		{"conditions are not asked for", func(p *product) { p.compile = unconditional }, []Invariant{Facts}},
		{"turns are counted in memory only", onRecovery(forgetTurns), []Invariant{Turns, FoldIsState}},
		{"waits between turns end with a restart", onRecovery(forgetDelays), []Invariant{Turns, Timers, FoldIsState}},
		{"a loop has a turn too many", onLoops(func(l *workflow.Loop) {
			if l.Max != nil {
				l.Max = workflow.Constant(value.Int(int64(whole(l.Max) + 1)))
			}
		}), []Invariant{Turns}},
		{"failed turns are forgiven", onLoops(func(l *workflow.Loop) { l.FailedTurn = workflow.GoOn }), []Invariant{Turns, FoldIsState}},
		{"children get IDs that do not follow", onRuntime(func(r *brokenRuntime) { r.before = startAnew }), []Invariant{Children}},
		{"children are not told to stop", onRuntime(func(r *brokenRuntime) { r.after = dropChildCancels }), []Invariant{Children, Liveness}},
		{"nobody looks for runs that are waited for", onRuntime(func(r *brokenRuntime) { r.after = dropSeeks }), []Invariant{Liveness}},
		{"every end of a child is a success", onRuntime(func(r *brokenRuntime) { r.before = hearSuccess }), []Invariant{Children}},
		{"waits for runs are forgotten at a restart", onRecovery(forgetWaits), []Invariant{Liveness, Signals, FoldIsState, Timers}},
		{"what was done is undone in the order of the start", onRecovery(undoInStartOrder), []Invariant{Undoing, FoldIsState}},
		{"what was undone is undone again after a restart", onRecovery(undoAgain), []Invariant{Undoing, FoldIsState}},
		{"it is undone though the run succeeded", onRecovery(undoSuccess), []Invariant{Undoing, FoldIsState}},
		{"unknown outcomes are forgotten at a restart", onRecovery(forgetDoubts), []Invariant{Undoing, FoldIsState}},
		{"nobody is asked about unknown outcomes", onNodes(askNobody), []Invariant{Undoing}},
		{"nothing is undone", onProgram(func(p *workflow.Program) {
			if p.OnFailure == workflow.OnFailureCompensate {
				p.OnFailure = ""
			}
		}), []Invariant{Undoing}},
		{"compensations are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetCompensation }), []Invariant{Outbox}},
		{"results are reported before what they name is on disk", onRuntime(func(r *brokenRuntime) { r.before = sendEarly }), []Invariant{Large}},
		{"a run takes what another one has for its own", onRuntime(func(r *brokenRuntime) { r.before = forgetOwner }), []Invariant{Large}},
		{"outputs are good for ever", onCaches(func(c *workflow.Cache) { c.For = nil }), []Invariant{Cached}},
		{"outputs of other keys are used", onCaches(oneKey), []Invariant{Cached}},
		{"clears are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetClears }), []Invariant{Cached}},
		{"one share is taken whatever is asked for", onNodes(oneShare), []Invariant{LimitsKept}},
		{"a capacity is never lowered", onLimits(neverLower), []Invariant{LimitsKept}},
		{"the quota of a namespace is dropped", onLimits(noQuota), []Invariant{LimitsKept, Facts}},
		{"added waits are forgotten at a restart", onRecovery(func(run *engine.Run) { run.Adjusted.Waits = nil }), []Invariant{Facts, FoldIsState}},
		{"added waits are answered and forgotten", onRuntime(func(r *brokenRuntime) { r.before = forgetAddedWaits }), []Invariant{Outbox}},
		{"one part of what items left is taken for another", onRuntime(func(r *brokenRuntime) { r.before = loseParts() }), []Invariant{Large}},
		{"the output of an item is lost in a rerun", onRuntime(func(r *brokenRuntime) { r.before = onPast(loseItem) }), []Invariant{Recalled}},
		{"a rerun in a group has kept steps run again", onRuntime(func(r *brokenRuntime) { r.before = onPast(loseEnds) }), []Invariant{Recalled, Order, NoRerun}},
		{"turns do not wait", onLoops(func(l *workflow.Loop) { l.Delay = nil }), []Invariant{Turns}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := shipped()
			c.damage(&p)
			for seed := uint64(1); seed <= teethSeeds; seed++ {
				r := run(Options{Seed: seed, Calm: 12 * time.Hour}, p)
				if r.Violation == nil {
					continue
				}
				if !slices.Contains(c.found, r.Violation.Invariant) {
					t.Fatalf("seed %d: found by %v, want one of %v", seed, r.Violation, c.found)
				}
				t.Logf("seed %d: %v", seed, r.Violation)
				return
			}
			t.Fatalf("not found within %d seeds", teethSeeds)
		})
	}
}

// brokenRuntime stands between the simulator and the runtime.
type brokenRuntime struct {
	*runtime.Reactor

	before func(runtime.Message) (changed runtime.Message, more []runtime.Effect)
	after  func(runtime.Effect) bool // whether the effect is passed on
	hurry  time.Duration
}

func onRuntime(breakIt func(*brokenRuntime)) func(*product) {
	return func(p *product) {
		p.runtime = func(r *runtime.Reactor) Runtime {
			b := &brokenRuntime{Reactor: r}
			breakIt(b)
			return b
		}
	}
}

func (b *brokenRuntime) Handle(msgs []runtime.Message, now time.Time) []runtime.Effect {
	var effects []runtime.Effect
	var passed []runtime.Message
	for _, m := range msgs {
		if b.before != nil {
			var more []runtime.Effect
			m, more = b.before(m)
			effects = append(effects, more...)
		}
		if m != nil {
			passed = append(passed, m)
		}
	}
	for _, e := range b.Reactor.Handle(passed, now.Add(b.hurry)) {
		if b.after == nil || b.after(e) {
			effects = append(effects, e)
		}
	}
	return effects
}

func answerAtOnce(m runtime.Message) (runtime.Message, []runtime.Effect) {
	submit, ok := m.(runtime.Submit)
	if !ok || submit.Known != nil {
		return m, nil
	}
	reply := runtime.Reply{Caller: submit.Caller, Run: submit.Run}
	submit.Caller = 0
	return submit, []runtime.Effect{reply}
}

func forgetCancels(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if cancel, ok := m.(runtime.Cancel); ok {
		return nil, []runtime.Effect{runtime.Reply{Caller: cancel.Caller, Run: cancel.Run}}
	}
	return m, nil
}

func forgetHolds(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if act, ok := m.(runtime.Act); ok {
		if _, holds := act.Action.(engine.Hold); holds {
			return nil, []runtime.Effect{runtime.Reply{Caller: act.Caller, Run: act.Run}}
		}
	}
	return m, nil
}

// forgetMessages answers messages that end work, and forgets them.
func forgetMessages(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if act, ok := m.(runtime.Act); ok {
		if in, is := act.Action.(engine.Callback); is && !in.Beat {
			return nil, []runtime.Effect{runtime.Reply{Caller: act.Caller, Run: act.Run}}
		}
	}
	return m, nil
}

func forgetAnswers(run *engine.Run) {
	for _, a := range run.Acts {
		a.Answer = nil
	}
}

// spoilSuccess takes for failed what succeeded in a run that is read again.
func spoilSuccess(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if reloaded, ok := m.(runtime.Reloaded); ok && reloaded.Loaded.Run != nil {
		for _, a := range reloaded.Loaded.Run.Acts {
			if a.State == engine.Succeeded {
				a.State = engine.Failed
			}
		}
	}
	return m, nil
}

// forgetCanceled leaves out of a retry what was canceled.
func forgetCanceled(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if reloaded, ok := m.(runtime.Reloaded); ok && reloaded.Loaded.Run != nil {
		for _, a := range reloaded.Loaded.Run.Acts {
			if a.State == engine.Canceled {
				a.State = engine.Skipped
			}
		}
	}
	return m, nil
}

func settleAtOnce(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if e, ok := m.(runtime.TaskEnded); ok {
		return m, []runtime.Effect{runtime.Settled{Run: e.Run, Act: e.End.Act, Attempt: e.End.Attempt, Fence: e.Fence}}
	}
	return m, nil
}

func trustUnknown(m runtime.Message) (runtime.Message, []runtime.Effect) {
	if done, ok := m.(runtime.CommitDone); ok && errors.Is(done.Err, store.ErrUnknown) {
		done.Err = nil
		return done, nil
	}
	return m, nil
}

func dropReattach(e runtime.Effect) bool {
	_, drop := e.(runtime.Reattach)
	return !drop
}

func dropCancelTask(e runtime.Effect) bool {
	_, drop := e.(runtime.CancelTask)
	return !drop
}

func dropSettled(e runtime.Effect) bool {
	_, drop := e.(runtime.Settled)
	return !drop
}

// pipeline compiles programs that did not agree to it as pipelined.
func pipeline(p *workflow.Program) *workflow.Program {
	changed := *p
	changed.Pipelined = true
	return &changed
}

// brokenDispatcher stands between the simulator and the dispatcher.
type brokenDispatcher struct {
	*dispatch.Reactor

	change    func(dispatch.Effect) []dispatch.Effect
	skipFence bool
	noVia     bool                           // half of the attempts say that they use no connection
	lenient   bool                           // breakers bear a failure more
	current   map[activation]dispatch.Assign // the last of each
}

type activation struct {
	run string
	act engine.ActID
}

func onDispatcher(breakIt func(*brokenDispatcher)) func(*product) {
	return func(p *product) {
		p.dispatcher = func(r *dispatch.Reactor) Dispatcher {
			b := &brokenDispatcher{Reactor: r, current: map[activation]dispatch.Assign{}}
			breakIt(b)
			return b
		}
	}
}

func (b *brokenDispatcher) Handle(msgs []dispatch.Message, now time.Time) []dispatch.Effect {
	if b.skipFence {
		for _, m := range msgs {
			if ended, ok := m.(dispatch.Ended); ok {
				if a, known := b.current[activation{string(ended.Ref.Run), ended.Ref.Act}]; known && ended.Ref != dispatch.RefOf(&a.Task) {
					msgs = append(msgs, dispatch.Ended{Worker: a.Worker, Ref: dispatch.RefOf(&a.Task), Outcome: ended.Outcome})
				}
			}
		}
	}
	if b.noVia {
		for i, m := range msgs {
			if ready, ok := m.(dispatch.Ready); ok && ready.Task.Act%2 == 0 {
				ready.Via = dispatch.Via{}
				msgs[i] = ready
			}
		}
	}
	if b.lenient {
		for i, m := range msgs {
			if ready, ok := m.(dispatch.Ready); ok && ready.Via.Breaker.Failures > 0 {
				ready.Via.Breaker.Failures++
				msgs[i] = ready
			}
		}
	}
	var effects []dispatch.Effect
	for _, e := range b.Reactor.Handle(msgs, now) {
		if a, ok := e.(dispatch.Assign); ok {
			b.current[activation{a.Task.Run, a.Task.Act}] = a
		}
		if b.change == nil {
			effects = append(effects, e)
		} else {
			effects = append(effects, b.change(e)...)
		}
	}
	return effects
}

func assignTwice(e dispatch.Effect) []dispatch.Effect {
	if assign, ok := e.(dispatch.Assign); ok && strings.HasSuffix(assign.Task.Path, "1") {
		return []dispatch.Effect{e, e}
	}
	return []dispatch.Effect{e}
}

func dropLost(e dispatch.Effect) []dispatch.Effect {
	if report, ok := e.(dispatch.Report); ok && report.Outcome.Kind == engine.OutcomeLost {
		return nil
	}
	return []dispatch.Effect{e}
}

func onRecovery(forget func(*engine.Run)) func(*product) {
	return func(p *product) {
		p.recovered = func(msgs []runtime.Message) []runtime.Message {
			for _, m := range msgs {
				if loaded, ok := m.(runtime.Loaded); ok && loaded.Run != nil {
					forget(loaded.Run)
				}
			}
			return msgs
		}
	}
}

func forgetRetries(run *engine.Run) {
	for _, a := range run.Acts {
		a.Retries = nil
	}
}

// forgetHeldErrors lets what failed begin again.
func forgetHeldErrors(run *engine.Run) {
	for _, a := range run.Acts {
		if a.Phase == engine.PhaseHeldError {
			a.Phase, a.State, a.Reason = engine.PhaseEntered, engine.Pending, engine.ReasonNone
		}
	}
}

// forgetGrants forgets who holds shares.
func forgetGrants(run *engine.Run) {
	for _, a := range run.Acts {
		if !a.GrantedAt.IsZero() {
			a.AskedAt, a.GrantedAt = time.Time{}, time.Time{}
		}
	}
}

// unconditional lets steps begin without the conditions that they need.
func unconditional(p *workflow.Program) *workflow.Program {
	changed := *p
	changed.Bodies = slices.Clone(p.Bodies)
	for i := range changed.Bodies {
		nodes := slices.Clone(changed.Bodies[i].Nodes)
		for n := range nodes {
			if g := nodes[n].Gate; g != nil {
				bare := *g
				bare.Needs = nil
				nodes[n].Gate = &bare
			}
		}
		changed.Bodies[i].Nodes = nodes
	}
	return &changed
}

func forgetTurns(run *engine.Run) {
	for _, a := range run.Acts {
		if a.Loop != nil {
			a.Loop.Turn = 0
		}
	}
}

// forgetDelays lets the next turn of every loop begin that waits for it.
func forgetDelays(run *engine.Run) {
	for _, a := range run.Acts {
		if a.Loop != nil && a.Timer != 0 {
			delete(run.Timers, a.Timer)
			a.Timer, a.Phase, a.State, a.Reason, a.Loop.Due = 0, engine.PhaseFrames, engine.Running, engine.ReasonNone, true
		}
	}
}

// onProgram changes what is compiled.
func onProgram(change func(*workflow.Program)) func(*product) {
	return func(p *product) {
		p.compile = func(program *workflow.Program) *workflow.Program {
			changed := *program
			change(&changed)
			return &changed
		}
	}
}

// onLoops changes the loops of what is compiled.
func onLoops(change func(*workflow.Loop)) func(*product) {
	return func(p *product) {
		p.compile = func(program *workflow.Program) *workflow.Program {
			changed := *program
			changed.Bodies = slices.Clone(program.Bodies)
			for i := range changed.Bodies {
				b := &changed.Bodies[i]
				b.Nodes = slices.Clone(b.Nodes)
				for j := range b.Nodes {
					if b.Nodes[j].Loop != nil {
						l := *b.Nodes[j].Loop
						change(&l)
						b.Nodes[j].Loop = &l
					}
				}
			}
			return &changed
		}
	}
}

func forgetHolding(run *engine.Run) { run.Hold, run.Holds = nil, nil }

func forgetTimers(run *engine.Run) { clear(run.Timers) }
