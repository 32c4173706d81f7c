package sim

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// model is what the durable events of a run say, read by other code than the
// engine's, beside the engine's own fold of them.
type model struct {
	s       *simulation
	id      store.RunID
	program *workflow.Program
	hash    [32]byte
	machine *engine.Machine
	run     *engine.Run // the engine's fold

	row      store.RunRow
	events   uint64
	history  []store.Record
	input    value.Value
	children map[store.RunID]*childModel
	frames   map[engine.FrameID]*frameModel
	acts     map[engine.ActID]*actModel
	timers   map[engine.TimerID]timerModel
	live     int   // activations that have not ended
	counted  int64 // what the run's counter is at
	canceled bool
	unknown  bool // an outcome that a person must tell
	// heldErrors counts the failures that wait for a person.
	heldErrors int
	granted    bool // the run passed the gate and has not ended
	state      engine.State
	ended      bool
	held       []string // paths that are held, "" for the run
	holds      int      // so far
	retried    int
	acted      int // times that operators settled, killed or hurried
	noted      int
	waits      map[string]bool // paths that somebody has wait for the condition, or not
	rerunAsked bool            // the event before asked for a rerun of the whole run
	reruns     int
	reopenedBy string               // how it was last asked to go on after its end
	within     []string             // paths of the activations that there were in groups
	keys       map[string]bool      // of activations that a person had done again
	saidAs     map[engine.State]int // how often operators said so
	talk       talkModel
	undo       undoModel
	// withNamespace: it is held with its namespace.
	withNamespace bool
}

type frameModel struct {
	body    workflow.BodyID
	role    engine.Role
	owner   engine.ActID
	of      engine.FrameID
	attempt int             // of what it lies in
	ends    []workflow.Ends // by node; 0 while it has not ended
	entered []bool
	live    int
	verdict bool // nothing more starts
	ended   bool
	state   engine.State             // it ended as
	index   int                      // item or turn, -1 for none
	output  value.Value              // with which it ended
	forced  map[workflow.NodeID]bool // nodes that do not wait for what they need
}

type actModel struct {
	frame    engine.FrameID
	node     workflow.NodeID
	attempts []attemptModel
	failures int
	lost     int
	ended    bool
	failed   bool // it ended badly, and nobody handled that
	stopping bool
	unknown  bool
	held     bool // its failure waits for a person
	granted  bool // it passed the gate, and no attempt has begun since
	forgoes  bool // a person gave up the condition that it needs
	retries  int
	retryAt  time.Time // not before
	loop     *loopModel
	items    []value.Value   // what those of a map left; undefined: they have not ended well
	outside  *engine.Awaited // outside its run
	child    store.RunID     // that its last try started
	tries    int
	said     engine.State // how an operator says that it ends
	killed   bool         // an operator told it to stop
	again    bool         // it is to run again, and has not begun
	before   int          // attempts before it ran again with new keys
	redone   int          // how often
	key      string       // idempotency key of its attempts since
	put      bool         // an operator entered it before its time
	awaits   *awaitModel  // nil while it waits for nobody
	looked   time.Time    // it looks for an earlier output since
	hit      bool         // and has it
	result   value.Value  // the last that there was
	output   value.Value  // with which it ended
	try      int          // whose frames are open, or were last
	doubt    bool         // nobody knows what some attempt did
	handed   bool         // its work was handed over, and a message is awaited
	expired  bool         // it is told to stop because its time is up, or by an operator
}

type timerModel struct {
	act  engine.ActID
	due  time.Time
	kind engine.TimerKind
}

type attemptModel struct {
	fence   engine.Fence
	ended   bool
	outcome engine.OutcomeKind
	endedAt time.Time
	// answer is how a message said that the work ended, empty while none has.
	answer engine.OutcomeKind
	// mayHaveBegun says that it ended, and not as one that never began.
	mayHaveBegun bool
}

func newModel(s *simulation, row *store.RunRow) *model {
	m := &model{
		s: s, id: row.ID, hash: row.Program, run: engine.NewRun(string(row.ID)), program: s.programOf(row.Program),
		frames: map[engine.FrameID]*frameModel{}, acts: map[engine.ActID]*actModel{}, saidAs: map[engine.State]int{}, keys: map[string]bool{}, timers: map[engine.TimerID]timerModel{}, waits: map[string]bool{},
		talk: talkModel{came: map[string]bool{}, voted: map[string]bool{}},
	}
	if m.program != nil {
		m.machine = s.machines[m.program]
	}
	return m
}

func (m *model) violatef(i Invariant, format string, args ...any) {
	m.s.suspect = m
	m.s.violatef(i, "run %s, event %d: "+format, append([]any{m.id, m.events}, args...)...)
}

// record takes the record of a batch.
func (m *model) record(r *store.Record, b *store.Batch) {
	if r.First != m.events+1 {
		m.violatef(Sequence, "record begins at event %d", r.First)
		return
	}
	m.history = append(m.history, *r)
	events, err := engine.DecodeEvents(r.Control, r.Payload)
	if err != nil || uint64(len(events)) != r.Count {
		m.violatef(Sequence, "record of %d events has %d: %v", r.Count, len(events), err)
		return
	}
	for i := range events {
		if m.s.broken != nil {
			return
		}
		m.events++
		m.event(&events[i], b)
		if err := m.machine.Apply(m.run, &events[i]); err != nil {
			m.violatef(FoldIsState, "does not fold: %v", err)
		} else if a := m.run.Acts[events[i].Act]; events[i].Kind == engine.EvEntered && a.Frame != 1 {
			m.within = append(m.within, a.Path)
		}
	}
}

// event checks that an event may follow, and takes it in.
func (m *model) event(ev *engine.Event, b *store.Batch) {
	m.rerunAsked = ev.Kind == engine.EvRetryAsked && ev.Trigger == "rerun" || m.rerunAsked && (ev.Kind == engine.EvFrameReopened || ev.Trigger == engine.ByNamespace)
	reopens := ev.Kind == engine.EvUndoAsked && m.state != engine.Skipped || ev.Kind == engine.EvRetryAsked && (m.state == engine.Failed || m.state == engine.Canceled || m.rerunAsked && m.state == engine.Succeeded)
	if (m.events == 1) != (ev.Kind == engine.EvAccepted) || m.ended && !reopens {
		m.violatef(Structure, "%s", ev.Kind)
		return
	}
	if ev.At.After(b.At) || ev.At.After(m.s.now) {
		m.violatef(TimeNeverBack, "%s at %v in a batch of %v, now %v", ev.Kind, ev.At, b.At, m.s.now)
	}
	m.largeEvent(ev)
	m.gateEvent(m.acts[ev.Act], ev)
	m.countOut(ev)
	switch ev.Kind {
	case engine.EvQueued, engine.EvGranted:
		return
	case engine.EvAccepted:
		m.input = ev.Input
	case engine.EvCancelAsked:
		m.canceled, m.held, m.withNamespace = true, nil, false
	case engine.EvHeld, engine.EvReleased:
		m.heldOrReleased(ev)
	case engine.EvSignaled:
		m.signaled(ev)
	case engine.EvCommented, engine.EvPrioritySet, engine.EvDeadlineSet:
		m.noted++
	case engine.EvWaitAdded, engine.EvWaitDropped:
		m.noted++
		m.waits[ev.Path] = ev.Kind == engine.EvWaitAdded
		m.s.faults["("+string(ev.Kind)+")"]++
	case engine.EvRetryAsked:
		m.retried++
		m.reopenedBy = ev.Trigger
		m.ended, m.canceled, m.state = false, false, ""
	case engine.EvFrameReopened:
		m.frameReopened(ev)
	case engine.EvReopened, engine.EvRestored:
		m.reopened(ev)
	case engine.EvRunEnded:
		m.ended, m.state, m.held, m.withNamespace = true, ev.State, nil, false
		m.childrenEnded()
		m.wasTold(ev)
		m.s.people.afterEnd(m)
		if m.live > 0 || len(m.timers) > 0 {
			m.violatef(Structure, "the run ended with %d live activations and %d timers", m.live, len(m.timers))
		}
	case engine.EvFrameOpened:
		m.frameOpened(ev)
	case engine.EvUndoAsked, engine.EvUndoBegun, engine.EvUndoWaits, engine.EvUndoAnswered, engine.EvUndone:
		m.undoEvent(ev)
	case engine.EvReentered:
		m.reentered(ev)
	case engine.EvFrameVerdict, engine.EvFrameEnded, engine.EvEntered, engine.EvNotEntered, engine.EvRerun, engine.EvForced:
		if f := m.frames[ev.Frame]; f == nil || f.ended {
			m.violatef(Structure, "%s of frame %d", ev.Kind, ev.Frame)
		} else {
			m.frameEvent(f, ev)
		}
	case engine.EvAssigned:
		for _, op := range ev.Ops {
			if op.Frame == 1 && op.Var == counter && op.Op == workflow.AssignAdd {
				m.counted++
			}
		}
	default:
		if a := m.acts[ev.Act]; a == nil || a.ended {
			m.violatef(Structure, "%s of activation %d", ev.Kind, ev.Act)
		} else {
			m.actEvent(a, ev, b)
		}
	}
}

func (m *model) frameOpened(ev *engine.Event) {
	if m.frames[ev.Frame] != nil || int(ev.Body) >= len(m.program.Bodies) {
		m.violatef(Structure, "frame %d", ev.Frame)
		return
	}
	m.turnOpened(ev)
	m.undoFrame(ev)
	if ev.Role == engine.RoleBody && ev.Act != 0 {
		m.acts[ev.Act].try = ev.Attempt
	}
	n := len(m.program.Bodies[ev.Body].Nodes)
	m.frames[ev.Frame] = &frameModel{
		body: ev.Body, role: ev.Role, owner: ev.Act, of: ev.Of, attempt: ev.Attempt, index: ev.Index, ends: make([]workflow.Ends, n), entered: make([]bool, n),
	}
}

func (m *model) frameEvent(f *frameModel, ev *engine.Event) {
	switch ev.Kind {
	case engine.EvFrameVerdict:
		if ev.Frame == 1 {
			m.undo.main = ev.State
		}
		if !f.verdict && ev.ExitTo == 0 {
			m.checkCounter(ev)
			m.checkSuccess(f, ev)
		}
		f.verdict = true
	case engine.EvFrameEnded:
		m.undoFrame(ev)
		f.ended, f.state, f.output = true, ev.State, ev.Output
		m.turnEnded(ev)
		m.itemEnded(f, ev)
		if !f.verdict {
			m.checkCounter(ev)
			m.checkSuccess(f, ev)
		}
		for n, e := range f.ends {
			if f.live > 0 || e == 0 && !m.jumps(f) {
				m.violatef(Structure, "frame %d ended while node %d has not", ev.Frame, n)
			}
		}
	case engine.EvRerun:
		m.rerun(f, ev)
	case engine.EvForced:
		m.forced(f, ev)
	case engine.EvEntered:
		m.acts[ev.Act] = &actModel{frame: ev.Frame, node: ev.Node}
		m.live++
		f.live++
		m.starts(f, ev)
	default: // EvNotEntered
		m.notEntered(f, ev)
	}
}

func (m *model) jumps(f *frameModel) bool { return len(m.program.Bodies[f.body].Start) > 0 }

// checkSuccess wants a frame that succeeds by itself to hold nothing that failed
// or was canceled, nor anything that was not run though nothing failed.
func (m *model) checkSuccess(f *frameModel, ev *engine.Event) {
	if ev.State != engine.Succeeded || m.jumps(f) || m.program.Bodies[f.body].Rule.SkippedLeaves {
		return
	}
	failed := slices.ContainsFunc(f.ends, func(e workflow.Ends) bool { return e&workflow.EndFailed != 0 })
	for n, e := range f.ends {
		if e&workflow.EndNotRun != 0 && !failed {
			m.violatef(Order, "frame %d succeeds, and nothing in it failed, although node %d was not run", ev.Frame, n)
		}
		if e&workflow.EndCanceled != 0 || e&(workflow.EndFailed|workflow.EndSucceeded) == workflow.EndFailed {
			m.violatef(Order, "frame %d succeeds although node %d ended as %b", ev.Frame, n, e)
		}
	}
}

// checkCounter compares a run's output, where it is its counter, with what was
// counted.
func (m *model) checkCounter(ev *engine.Event) {
	out := m.program.Bodies[m.program.Main].Output
	if ev.Frame == 1 && ev.State == engine.Succeeded && out != nil && out.Expr != nil {
		if n, ok := ev.Output.Int(); !ok || n != m.counted {
			m.violatef(FoldIsState, "the run's output is %s, but %d was counted", ev.Output, m.counted)
		}
	}
}

// starts checks that a node may start now (invariant 7).
func (m *model) starts(f *frameModel, ev *engine.Event) {
	n := ev.Node
	if m.jumps(f) {
		if f.live > 1 || f.verdict {
			m.violatef(Order, "node %d of frame %d starts, live %d, verdict %v", n, ev.Frame, f.live, f.verdict)
		}
		f.entered[n], f.ends[n] = true, 0
		return
	}
	if f.entered[n] || f.ends[n] != 0 || f.verdict {
		m.violatef(Order, "node %d of frame %d starts, entered %v, verdict %v", n, ev.Frame, f.entered[n], f.verdict)
	}
	f.entered[n] = true
	if ev.Actor != "" {
		m.acts[ev.Act].put = true
		return
	}
	if j := m.program.Bodies[f.body].Nodes[n].Join; j != nil && !f.forced[n] && judge(j, f.ends) != yes {
		m.violatef(Order, "node %d of frame %d starts although its join does not hold: %v", n, ev.Frame, f.ends)
	}
}

func (m *model) notEntered(f *frameModel, ev *engine.Event) {
	for _, n := range ev.Nodes {
		if f.entered[n] || f.ends[n] != 0 {
			m.violatef(Order, "node %d of frame %d does not run, but did", n, ev.Frame)
		}
		j := m.program.Bodies[f.body].Nodes[n].Join
		switch ev.Reason {
		case engine.ReasonConditionFalse:
			f.ends[n] = workflow.EndSkipped
			if j != nil && judge(j, f.ends) != yes {
				m.violatef(Order, "node %d of frame %d judged its condition before its join", n, ev.Frame)
			}
			continue
		case engine.ReasonOperator:
			f.ends[n] = workflow.EndSkipped
			m.skipped(ev)
			continue
		case engine.ReasonJoinFalse:
			f.ends[n] = workflow.EndSkipped
		default:
			f.ends[n] = workflow.EndNotRun
		}
		if !f.verdict && (j == nil || judge(j, f.ends) != no) {
			m.violatef(Order, "node %d of frame %d is given up although its join may hold: %v", n, ev.Frame, f.ends)
		}
	}
}

func (m *model) actEvent(a *actModel, ev *engine.Event, b *store.Batch) {
	a.leaves(ev)
	m.loopEvent(a, ev)
	m.peopleEvent(a, ev)
	m.doubtEvent(a, ev)
	switch ev.Kind {
	case engine.EvLoopOpened:
		m.loopOpened(a, ev)
	case engine.EvMapOpened:
		a.items = make([]value.Value, ev.Count)
	case engine.EvResult:
		m.gathered(a, ev)
	case engine.EvAttempt:
		m.attempt(a, ev, b)
	case engine.EvAttemptEnded:
		m.attemptEnded(a, ev)
	case engine.EvAnswered:
		m.answered(a, ev)
	case engine.EvTimerSet:
		if ev.TimerKind == engine.TimerHeartbeat {
			m.dropTimers(ev.Act, engine.TimerHeartbeat)
		}
		m.timers[ev.Timer] = timerModel{ev.Act, ev.Due, ev.TimerKind}
	case engine.EvRetry:
		m.retry(a, ev)
	case engine.EvAwaiting:
		m.awaiting(a, ev)
	case engine.EvHappened:
		m.happened(a, ev)
	case engine.EvTimerFired:
		m.expired(a, ev)
		t, ok := m.timers[ev.Timer]
		m.hurried(a, ev)
		if !ok || t.act != ev.Act || ev.Actor == "" && ev.At.Before(t.due) {
			m.violatef(Timers, "timer %d of %v fired at %v", ev.Timer, t.due, ev.At)
		}
		delete(m.timers, ev.Timer)
	case engine.EvStopping:
		a.stopping = a.stopping || ev.State == engine.Canceled
		m.childStopped(a, ev)
		m.toldToStop(a, ev)
	case engine.EvSettled:
		m.settled(a, ev)
	case engine.EvUnknown:
		a.unknown, m.unknown = true, true
		if !m.node(a).Task.AtMostOnce || a.attempts[len(a.attempts)-1].outcome != engine.OutcomeLost {
			m.violatef(Attempts, "activation %d waits for a person without need", ev.Act)
		}
	case engine.EvFailureHeld:
		m.failureHeld(a, ev)
	case engine.EvEnded:
		m.checkHeld(m.frames[a.frame], a, ev)
		m.actEnded(a, ev)
	case engine.EvError:
		a.stopping = false // its handlers come
	default:
	}
	switch ev.Kind {
	case engine.EvResult, engine.EvError, engine.EvEnded, engine.EvAnswered, engine.EvSettled, engine.EvHappened: // what it waited for is over
		m.dropTimers(ev.Act, "")
	case engine.EvAttemptEnded:
		if ev.Outcome != engine.OutcomeSucceeded || m.node(a).Task.Finish == workflow.FinishResult || a.stopping {
			m.dropTimers(ev.Act, "")
		}
	default:
	}
}

// dropTimers forgets the timers of an activation, or those of a kind.
func (m *model) dropTimers(act engine.ActID, kind engine.TimerKind) {
	for id, t := range m.timers {
		if t.act == act && (kind == "" || t.kind == kind) {
			delete(m.timers, id)
		}
	}
}

// answered takes what a message said: once for an attempt, of work that a
// message ends.
func (m *model) answered(a *actModel, ev *engine.Event) {
	n := len(a.attempts)
	if n == 0 || ev.Attempt != n || a.attempts[n-1].answer != "" || a.ended || m.node(a).Task.Finish != workflow.FinishMessage {
		m.violatef(OneResult, "a message ends attempt %d of activation %d, which has %d", ev.Attempt, ev.Act, n)
		return
	}
	a.attempts[n-1].answer = ev.Outcome
	if ev.Outcome == engine.OutcomeFailed {
		a.failures++
	}
}

func (m *model) node(a *actModel) *workflow.Node {
	return &m.program.Bodies[m.frames[a.frame].body].Nodes[a.node]
}

// attempt checks that an attempt may be made (invariants 8, 11, fence).
func (m *model) attempt(a *actModel, ev *engine.Event, b *store.Batch) {
	n := len(a.attempts)
	if ev.Attempt != n+1 || n > 0 && !a.attempts[n-1].ended || a.unknown || a.held || a.stopping {
		m.violatef(Attempts, "attempt %d of activation %d after %d, stopping %v", ev.Attempt, ev.Act, n, a.stopping)
		return
	}
	m.gateAttempt(a, ev)
	if want := (engine.Fence{Incarnation: b.Incarnation, Sequence: b.Sequence}); ev.Fence != want {
		m.violatef(FenceGrows, "attempt %d of activation %d has fence %v in batch %v", ev.Attempt, ev.Act, ev.Fence, want)
	}
	m.notHeld(ev)
	if a.put {
		m.violatef(Order, "attempt %d of activation %d begins, which an operator settled", ev.Attempt, ev.Act)
	}
	if m.stopped(a.frame) {
		m.violatef(CanceledRun, "attempt %d of activation %d begins after its surroundings were canceled", ev.Attempt, ev.Act)
	}
	if ev.At.Before(a.retryAt) {
		m.violatef(Attempts, "attempt %d of activation %d at %v, not before %v", ev.Attempt, ev.Act, ev.At, a.retryAt)
	}
	node := m.node(a)
	limit := 1
	if len(node.Retry) > 0 {
		most, _ := node.Retry[0].MaxAttempts.Const.Int()
		limit = int(most)
	}
	lost := 3
	if node.Task.MaxLost != nil {
		lost = *node.Task.MaxLost
	}
	if a.failures >= limit || a.lost > lost || node.Task.AtMostOnce && n > a.before && a.attempts[n-1].outcome != engine.OutcomeNotStarted {
		m.violatef(Attempts, "attempt %d of activation %d: %d failed of %d, %d lost of %d", ev.Attempt, ev.Act, a.failures, limit, a.lost, lost)
	}
	a.attempts = append(a.attempts, attemptModel{fence: ev.Fence})
	if node.Task.Finish == workflow.FinishMessage {
		m.s.people.answer(m.id, ev.Act, ev.Attempt)
	}
}

// stopped reports whether a frame lies in something that was told to stop, and
// not in a finally part, which runs all the same.
func (m *model) stopped(id engine.FrameID) bool {
	for {
		f := m.frames[id]
		switch {
		case f.role == engine.RoleFinally, f.role == engine.RoleCompensate:
			return false
		case f.owner == 0:
			return m.canceled
		case m.acts[f.owner].stopping:
			return true
		}
		id = m.acts[f.owner].frame
	}
}

// attemptEnded checks the result against what really happened (invariant 2).
func (m *model) attemptEnded(a *actModel, ev *engine.Event) {
	n := len(a.attempts)
	if n == 0 || ev.Attempt != n || a.attempts[n-1].ended {
		m.violatef(OneResult, "end of attempt %d of activation %d, which has %d", ev.Attempt, ev.Act, n)
		return
	}
	m.gateAttemptEnded(a)
	last := &a.attempts[n-1]
	last.ended, last.outcome, last.endedAt = true, ev.Outcome, ev.At
	last.mayHaveBegun = ev.Outcome != engine.OutcomeNotStarted && (ev.Outcome != engine.OutcomeCanceled || !ev.StartedAt.IsZero())
	deed := m.s.world.deeds[ref(m.id, ev.Act, n, last.fence)]
	switch ev.Outcome {
	case engine.OutcomeSucceeded, engine.OutcomeFailed:
		if ev.Outcome == engine.OutcomeFailed && last.answer == "" {
			a.failures++
		}
		switch {
		case deed == nil || deed.outcome == nil || deed.outcome.Kind != ev.Outcome:
			m.violatef(OneResult, "attempt %d of activation %d is said to have %s, but it is %+v", n, ev.Act, ev.Outcome, deed)
		case ev.Outcome == engine.OutcomeSucceeded && !value.Equal(deed.outcome.Output, ev.Output):
			m.violatef(OneResult, "attempt %d of activation %d has output %s, but gave %s", n, ev.Act, ev.Output, deed.outcome.Output)
		case ev.Outcome == engine.OutcomeFailed && deed.outcome.Error.Name != ev.Error.Name:
			m.violatef(OneResult, "attempt %d of activation %d failed of %s, but said %s", n, ev.Act, ev.Error.Name, deed.outcome.Error.Name)
		}
	case engine.OutcomeLost:
		if last.answer == "" && !a.stopping {
			a.lost++
		}
	case engine.OutcomeNotStarted:
		if deed != nil && deed.started {
			m.violatef(OneResult, "attempt %d of activation %d is said not to have started, but it did", n, ev.Act)
		}
	case engine.OutcomeCanceled:
		if !a.stopping {
			m.violatef(OneResult, "attempt %d of activation %d was canceled, and nobody asked for it", n, ev.Act)
		}
	}
}

// retry checks the wait before the next attempt (invariant 8).
func (m *model) retry(a *actModel, ev *engine.Event) {
	m.mayRetry(a, ev)
	if ev.Same {
		return // matched, with no attempts left
	}
	if ev.Timer != 0 {
		m.timers[ev.Timer] = timerModel{ev.Act, ev.Due, engine.TimerRetry}
		a.retryAt = ev.Due
	}
	b := &m.node(a).Retry[ev.Rule].Backoff
	wait, most := parse(b.Initial), parse(b.Max)
	for range a.retries {
		wait *= 2
	}
	a.retries++
	if most > 0 {
		wait = min(wait, most)
	}
	want := ev.At.Add(wait)
	if b.Jitter == workflow.JitterNone && wait > 0 && !ev.Due.Equal(want) || ev.Due.After(want) {
		m.violatef(Attempts, "retry %d of activation %d is due at %v, want %v", a.retries, ev.Act, ev.Due, want)
	}
}

func parse(d *workflow.Data) time.Duration {
	if d == nil {
		return 0
	}
	text, _ := d.Const.Str()
	length, err := duration.Parse(text)
	if err != nil {
		panic(err)
	}
	return length
}

func (m *model) actEnded(a *actModel, ev *engine.Event) {
	if n := len(a.attempts); n > 0 && !a.attempts[n-1].ended {
		m.violatef(Structure, "activation %d ended while attempt %d is out", ev.Act, n)
	}
	if ev.State == engine.Succeeded && ev.Reason == "" && m.node(a).Kind == workflow.KindTask && m.node(a).Task.Finish == workflow.FinishMessage &&
		a.attempts[len(a.attempts)-1].answer != engine.OutcomeSucceeded {
		m.violatef(OneResult, "activation %d succeeded, and no message said so", ev.Act)
	}
	m.endedAsSaid(a, ev)
	m.completed(a, ev)
	a.ended, a.failed = true, ev.State == engine.Failed && !ev.Handled || ev.State == engine.Canceled
	m.live--
	f := m.frames[a.frame]
	f.live--
	switch ev.State {
	case engine.Succeeded:
		f.ends[a.node] = workflow.EndSucceeded
	case engine.Failed:
		f.ends[a.node] = workflow.EndFailed
		if ev.Reason == engine.ReasonTimedOut {
			f.ends[a.node] |= workflow.EndTimedOut
		}
		if ev.Handled {
			f.ends[a.node] |= workflow.EndSucceeded
		}
	case engine.Canceled:
		f.ends[a.node] = workflow.EndCanceled
	case engine.Skipped:
		f.ends[a.node] = workflow.EndSkipped
	default:
		m.violatef(Structure, "activation %d ended as %s", ev.Act, ev.State)
	}
}

// truth3 is a truth value that may not be known yet.
type truth3 int

const (
	unknown truth3 = iota
	yes
	no
)

// judge is the truth of a join over the ends of nodes.
func judge(j *workflow.Join, ends []workflow.Ends) truth3 {
	if j.Settled {
		for _, n := range j.Needs {
			if ends[n] == 0 {
				return unknown
			}
		}
	}
	return formula(&j.When, j, ends)
}

func formula(c *workflow.Cond, j *workflow.Join, ends []workflow.Ends) truth3 {
	var has [3]bool
	for i := range c.Args {
		has[formula(&c.Args[i], j, ends)] = true
	}
	switch c.Op {
	case workflow.OpAnd:
		if has[no] {
			return no
		}
		if has[unknown] {
			return unknown
		}
		return yes
	case workflow.OpOr:
		if has[yes] {
			return yes
		}
		if has[unknown] {
			return unknown
		}
		return no
	case workflow.OpNot:
		if has[yes] {
			return no
		}
		if has[no] {
			return yes
		}
		return unknown
	default: // OpEnd
		switch e := ends[j.Needs[c.Need]]; {
		case e == 0:
			return unknown
		case e&c.Ends != 0:
			return yes
		}
		return no
	}
}

// write shows the program and the events of the run.
func (m *model) write(w io.Writer) {
	data, _, err := workflow.Encode(m.program)
	if err == nil {
		fmt.Fprintf(w, "run %s, program %s\n", m.id, data)
	}
	for _, r := range m.history {
		events, err := engine.DecodeEvents(r.Control, r.Payload)
		if err != nil {
			fmt.Fprintln(w, err)
		}
		for i := range events {
			control, payload, err := engine.EncodeEvents(events[i : i+1])
			fmt.Fprintf(w, "%5d %s %s", r.First+uint64(i), control, payload)
			if err != nil {
				fmt.Fprintf(w, " %v", err)
			}
			fmt.Fprintln(w)
		}
	}
}
