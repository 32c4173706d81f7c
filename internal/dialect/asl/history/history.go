package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Of makes the history of a run from its events, in the order in which they
// were stored; the program is the one that asl.Compile made of the machine. It
// fails when the events do not belong to the program.
func Of(m *asl.Machine, program *workflow.Program, events []engine.Event) ([]Event, error) {
	h := &history{
		program: program, states: map[string]*asl.State{},
		frames: map[engine.FrameID]*frame{}, acts: map[engine.ActID]*act{},
	}
	m.Each(func(s *asl.State) { h.states[s.Location] = s })
	for i := range events {
		if err := h.event(&events[i]); err != nil {
			return nil, fmt.Errorf("history: event %d (%s): %w", i+1, events[i].Kind, err)
		}
	}
	return h.out, nil
}

// history folds the events of a run.
type history struct {
	program *workflow.Program
	states  map[string]*asl.State // by location
	frames  map[engine.FrameID]*frame
	acts    map[engine.ActID]*act
	out     []Event

	main      *frame
	canceled  string // why, once somebody canceled the execution
	timedOut  bool   // the machine's own time is up
	sealed    bool   // what stops now is not told
	redrives  int
	endedWith engine.Event // of the main frame
}

// thread is a sequence of states: that of the execution, a branch or an
// iteration. Its next event leads back to the last.
type thread struct{ last int }

// frame is a frame of the engine.
type frame struct {
	owner *act // nil: the execution
	// of is the Map whose iteration the frame is, nil for any other.
	of    *act
	body  workflow.BodyID
	index int
	*thread
	// hidden frames are executions of their own, which are nested or items of a
	// distributed Map, or compute something only.
	hidden bool
	acts   []*act
	// failure is how the state ended that failed the frame.
	failure failure
}

// act is an activation of a state, or of a node that is a part of one or of the
// machine.
type act struct {
	in      *frame
	node    *workflow.Node
	state   *asl.State
	name    string
	kind    asl.Type // of a state; empty: a part
	entered int      // number of the event
	exited  bool
	aborted bool

	input, result, assigned value.Value
	timeout, heartbeat      time.Duration // of each attempt
	err                     *engine.Error
	failure                 failure
	// started says that the frames of this attempt are told; inner is how the
	// first of them failed.
	started bool
	inner   *failure
	// spawn is the event that the next iteration follows.
	spawn int
	// out says that a task's work is told and its end is not; handed that the
	// attempt has ended, begun that a worker has taken it. An answer that came
	// before is told then.
	out, handed, begun bool
	answer             *engine.Event
}

// emit adds an event to a thread.
func (h *history) emit(t *thread, ev *engine.Event, kind string, d value.Value) {
	h.aside(t.last, ev, kind, d)
	t.last = len(h.out)
}

// aside adds an event to which no other leads back.
func (h *history) aside(previous int, ev *engine.Event, kind string, d value.Value) {
	h.out = append(h.out, Event{ID: len(h.out) + 1, Previous: previous, Type: kind, At: ev.At, Details: d})
}

func (h *history) event(ev *engine.Event) error {
	switch ev.Kind {
	case engine.EvAccepted:
		h.emit(&thread{}, ev, "ExecutionStarted", details(data("input", ev.Input)...))
		return nil
	case engine.EvCancelAsked:
		h.canceled, h.sealed = ev.Text, true
		return nil
	case engine.EvRetryAsked:
		return h.redriven(ev)
	case engine.EvRunEnded:
		return h.runEnded(ev)
	case engine.EvFrameOpened:
		return h.frameOpened(ev)
	case engine.EvFrameEnded:
		return h.frameEnded(ev)
	case engine.EvEntered:
		return h.enteredAct(ev)
	default:
		return h.actEvent(ev)
	}
}

// actEvent takes an event of an activation; those that tell nothing here are
// passed over.
func (h *history) actEvent(ev *engine.Event) error {
	a := h.acts[ev.Act]
	switch ev.Kind {
	case engine.EvAttempt, engine.EvAttemptEnded, engine.EvTaken, engine.EvAnswered, engine.EvMapOpened, engine.EvResult, engine.EvError, engine.EvRetry, engine.EvEnded,
		engine.EvStopping, engine.EvReopened:
		if a == nil {
			return fmt.Errorf("activation %d is not there", ev.Act)
		}
	case engine.EvAssigned:
		if a != nil {
			for i := range ev.Ops {
				a.assigned = a.assigned.With(ev.Ops[i].Var, value.String(ev.Ops[i].Value.String()))
			}
		}
		return nil
	default:
		return nil
	}
	if !ev.Input.IsUndefined() {
		a.input = ev.Input
	}
	switch ev.Kind {
	case engine.EvAttempt:
		h.attempt(a, ev)
	case engine.EvAttemptEnded:
		h.attemptEnded(a, ev)
	case engine.EvTaken:
		h.taken(a, ev)
	case engine.EvAnswered:
		h.answered(a, ev)
	case engine.EvMapOpened:
		h.mapOpened(a, ev)
	case engine.EvResult:
		a.result = ev.Output
		h.resultOf(a, ev)
	case engine.EvError:
		h.failedWith(a, ev)
	case engine.EvRetry:
		if !ev.Same { // same: none was left
			a.err, a.inner, a.started = nil, nil, false
		}
	case engine.EvStopping:
		if a.kind == "" && a.in == h.main && ev.TimerKind == engine.TimerTimeout {
			h.timedOut, h.sealed = true, true
		}
	case engine.EvReopened:
		a.aborted, a.err, a.inner = false, nil, nil
	case engine.EvEnded:
		h.endedAct(a, ev)
	default:
	}
	return nil
}

// redriven begins what AWS calls a redrive.
func (h *history) redriven(ev *engine.Event) error {
	h.redrives++
	h.canceled, h.timedOut, h.sealed = "", false, false
	h.emit(h.end(), ev, "ExecutionRedriven", details(value.M("redriveCount", value.Int(int64(h.redrives)))))
	return nil
}

// end is the thread of the last event.
func (h *history) end() *thread { return &thread{len(h.out)} }

func (h *history) runEnded(ev *engine.Event) error {
	out, fails := &h.endedWith, failure{}
	if h.main != nil {
		fails = h.main.failure
	}
	switch {
	case ev.State == engine.Succeeded:
		h.emit(h.end(), ev, "ExecutionSucceeded", details(data("output", out.Output)...))
	case h.timedOut:
		h.emit(h.end(), ev, "ExecutionTimedOut", failure{name: fails.name}.details())
	case ev.State == engine.Failed:
		h.emit(h.end(), ev, "ExecutionFailed", fails.details())
	default: // canceled, or skipped before it began
		h.emit(h.end(), ev, "ExecutionAborted", failure{cause: h.canceled}.details())
	}
	return nil
}

func (h *history) enteredAct(ev *engine.Event) error {
	f := h.frames[ev.Frame]
	if f == nil {
		return fmt.Errorf("frame %d is not there", ev.Frame)
	}
	if f.body < 0 || int(f.body) >= len(h.program.Bodies) {
		return fmt.Errorf("the program has no body %d", f.body)
	}
	nodes := h.program.Bodies[f.body].Nodes
	if ev.Node < 0 || int(ev.Node) >= len(nodes) {
		return fmt.Errorf("body %d of the program has no node %d", f.body, ev.Node)
	}
	n := &nodes[ev.Node]
	a := &act{in: f, node: n, name: n.ID, kind: asl.Type(n.Origin.Kind), state: h.states[n.Origin.Path], input: ev.Input}
	switch a.kind {
	case asl.Task, asl.Parallel, asl.Map, asl.Pass, asl.Wait, asl.Choice, asl.Succeed, asl.Fail:
	default:
		a.kind = ""
	}
	h.acts[ev.Act] = a
	f.acts = append(f.acts, a)
	h.tell(a, ev, string(a.kind)+"StateEntered", details(append([]value.Member{value.M("name", value.String(a.name))}, data("input", ev.Input)...)...))
	a.entered = len(h.out)
	return nil
}

// mapOpened begins a Map whose items are known.
func (h *history) mapOpened(a *act, ev *engine.Event) {
	h.mapStarted(a, ev, details(value.M("length", value.Int(int64(ev.Count)))))
}

func (h *history) mapStarted(a *act, ev *engine.Event, d value.Value) {
	if !a.started {
		a.started = true
		h.tell(a, ev, "MapStateStarted", d)
		a.spawn = a.in.last
		if a.distributed() && ev.Kind != engine.EvError {
			h.tell(a, ev, "MapRunStarted", value.Undefined)
		}
	}
}

// distributed reports whether the items of a Map are executions of their own.
func (a *act) distributed() bool {
	return a.kind == asl.Map && a.state != nil && a.state.Map != nil && a.state.Map.Distributed
}

// resultOf tells that the work of a state is done.
func (h *history) resultOf(a *act, ev *engine.Event) {
	switch a.kind {
	case asl.Map:
		if a.distributed() {
			h.tell(a, ev, "MapRunSucceeded", value.Undefined)
		}
		h.tellAside(a, ev, "MapStateSucceeded")
	case asl.Parallel:
		h.tellAside(a, ev, "ParallelStateSucceeded")
	case asl.Task: // a nested execution
		h.taskEnded(a, ev, "Succeeded", data("output", ev.Output))
	case asl.Pass, asl.Wait, asl.Choice, asl.Succeed, asl.Fail:
	}
}

// failedWith takes an error that handlers will be offered.
func (h *history) failedWith(a *act, ev *engine.Event) {
	a.err = errorOf(ev)
	if a.inner != nil && a.err.Engine != engine.ErrTooManyFailures {
		a.failure = *a.inner
	} else {
		a.failure = a.failed(a.err)
		h.evaluationFailed(a, ev)
	}
	if a.out { // a nested execution, or work of which nobody knows or that took too long
		h.taskFailed(a, ev)
	}
}

// evaluationFailed tells of a failed expression of JSONata.
func (h *history) evaluationFailed(a *act, ev *engine.Event) {
	e := a.err
	if e.Engine != engine.ErrEvaluation {
		return
	}
	a = a.partOf()
	if a.kind == asl.Map && strings.Contains(e.Message, "ToleratedFailure") {
		h.mapStarted(a, ev, value.Undefined) // what is tolerated is read once the items are known
	}
	if a.state == nil || a.state.Language != asl.JSONata {
		return
	}
	h.tell(a, ev, "EvaluationFailed", details(
		text("error", e.Name), text("cause", detail(e)), text("location", location(e.Message)), value.M("state", value.String(a.name))))
}

func (h *history) endedAct(a *act, ev *engine.Event) {
	if ev.Error != nil && ev.State == engine.Failed { // of a handler's own expression
		a.err = ev.Error
		a.failure, a.inner = a.failed(a.err), nil
		h.evaluationFailed(a, ev)
	}
	switch ev.State {
	case engine.Succeeded:
		if a.err != nil { // it was caught
			h.stateFailed(a, ev)
		}
		if !ev.Same { // same: the output is the result
			a.result = ev.Output
		}
		h.exit(a, ev)
	case engine.Failed:
		h.stateFailed(a, ev)
		a.in.failure = a.failure
	case engine.Canceled:
	default:
	}
}

func (h *history) exit(a *act, ev *engine.Event) {
	a.exited = true
	members := append([]value.Member{value.M("name", value.String(a.name))}, data("output", a.result)...)
	if a.assigned.Len() > 0 {
		members = append(members, value.M("assignedVariables", a.assigned),
			value.M("assignedVariablesDetails", value.Object(value.M("truncated", value.Bool(false)))))
	}
	h.tell(a, ev, string(a.kind)+"StateExited", details(members...))
}

// stateFailed tells that a Map or Parallel has failed for good.
func (h *history) stateFailed(a *act, ev *engine.Event) {
	switch a.kind {
	case asl.Parallel:
		h.tell(a, ev, "ParallelStateFailed", value.Undefined)
	case asl.Map:
		if a.inner == nil && a.err != nil && a.err.Name == "States.Runtime" {
			return // that ends the execution at once
		}
		if a.distributed() && a.started {
			h.tell(a, ev, "MapRunFailed", a.failure.details())
		}
		h.tell(a, ev, "MapStateFailed", value.Undefined)
	case asl.Task, asl.Pass, asl.Wait, asl.Choice, asl.Succeed, asl.Fail:
	}
}
