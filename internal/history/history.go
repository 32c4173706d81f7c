package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Run is one run as people see it.
type Run struct {
	ID           string
	Workflow     string
	Namespace    string
	State        engine.State
	Reason       engine.Reason
	BusinessDate string
	Input        value.Value
	Output       value.Value
	Error        *engine.Error
	Actor        string
	Trigger      string
	CancelReason string
	StartedAt    time.Time
	EndedAt      time.Time // zero while it lives
	// Steps are in the order in which they began or were given up.
	Steps []*Step
}

// Step is one activation, or a node that did not run.
type Step struct {
	Act engine.ActID // 0 for one that did not run
	// Parent is the path of the step around it, "" at the top.
	Path   string
	Parent string
	Name   string
	// Kind is the language's word for it, such as run, foreach, group.
	Kind    string
	State   engine.State
	Reason  engine.Reason
	Handled bool
	// Held says that an operator keeps it from beginning.
	Held      bool
	Input     value.Value
	Output    value.Value
	Error     *engine.Error
	Warning   string
	StartedAt time.Time
	EndedAt   time.Time
	// WaitsUntil is the instant that a waiting step waits for.
	WaitsUntil time.Time
	// Queue is what it asked of limits and conditions, nil if nothing.
	Queue    *engine.Queue
	Attempts []Attempt
	// Tries counts attempts of a task, or how often a group was begun.
	Tries int
	// Items is the number of items of a foreach, 0 for a repeat; Done how many
	// items or turns ended, and Failed how many of these failed.
	Items, Done, Failed int
	// Activity is what a step offers its work to, and Taker the worker that has
	// taken the work of the last attempt; empty for others.
	Activity, Taker string
	// Artifacts are the files that the attempt left which ended last.
	Artifacts []engine.Artifact
	// Child is the run that a step started, as its child.
	Child string
	// Undone says that what it did was undone.
	Undone bool
}

// Lacks names the limits and conditions that a step waits for, such as "limit
// tapes"; "" if it waits for none.
func (s *Step) Lacks() string {
	if s.Queue == nil || s.State.Final() || s.Reason != engine.ReasonLimit && s.Reason != engine.ReasonCondition {
		return ""
	}
	var out []string
	for _, use := range s.Queue.Uses {
		if use.ID.Kind == gate.Named {
			out = append(out, "limit "+use.ID.Name)
		} else {
			out = append(out, "the quota of the namespace")
		}
	}
	for _, need := range s.Queue.Needs {
		out = append(out, "condition "+need.Name)
	}
	return strings.Join(out, ", ")
}

// Attempt is one try of a task.
type Attempt struct {
	Number    int
	Outcome   engine.OutcomeKind // empty while it lives
	Error     *engine.Error
	Warning   string
	DecidedAt time.Time
	StartedAt time.Time
	EndedAt   time.Time
	Usage     engine.Usage
	Fence     engine.Fence
}

// Builder folds events into a [Run]. Not safe for concurrent use.
type Builder struct {
	machine *engine.Machine
	state   *engine.Run
	run     *Run
	acts    map[engine.ActID]*Step
	// only says which steps are kept, nil: all; began counts all.
	only  func(number int, path string) bool
	began int
	// events are those so far of a program that is told in another way too,
	// unless there are too many.
	events     []engine.Event
	toldAsItIs bool
}

// NewBuilder begins with no events.
func NewBuilder(id string, m *engine.Machine) *Builder {
	p := m.Program()
	return &Builder{
		machine: m, state: engine.NewRun(id), acts: map[engine.ActID]*Step{},
		run: &Run{ID: id, Workflow: p.Name, Namespace: p.Namespace, State: engine.Pending},
	}
}

// Only says which steps are kept, for runs of very many of them: by their number,
// from 0 in the order in which they began or were given up, and their path. It is
// to be called before the first event.
func (b *Builder) Only(keep func(number int, path string) bool) { b.only = keep }

// Began counts the steps so far, also those that are not kept.
func (b *Builder) Began() int { return b.began }

// add numbers a step, and reports whether it is kept.
func (b *Builder) add(s *Step) bool {
	number := b.began
	b.began++
	if b.only != nil && !b.only(number, s.Path) {
		return false
	}
	b.run.Steps = append(b.run.Steps, s)
	return true
}

// Run is the view so far; it changes with the next event.
func (b *Builder) Run() *Run { return b.run }

// State is the engine's state so far.
func (b *Builder) State() *engine.Run { return b.state }

// Step returns the step of an activation, or nil.
func (b *Builder) Step(id engine.ActID) *Step { return b.acts[id] }

// Started notes that an attempt has begun to run, which is not an event. It
// reports whether anything changed.
func (b *Builder) Started(id engine.ActID, at time.Time) bool {
	s := b.acts[id]
	if s == nil || s.State != engine.Queued {
		return false
	}
	s.State = engine.Running
	if n := len(s.Attempts); n > 0 {
		s.Attempts[n-1].StartedAt = at
	}
	return true
}

// Add folds one event, and returns the steps that it changed.
func (b *Builder) Add(ev *engine.Event) ([]*Step, error) {
	if err := b.machine.Apply(b.state, ev); err != nil {
		return nil, fmt.Errorf("read history of run %s: %w", b.run.ID, err)
	}
	b.keep(ev)
	switch ev.Kind {
	case engine.EvAccepted:
		b.run.State, b.run.Input, b.run.StartedAt = engine.Running, ev.Input, ev.At
		b.run.BusinessDate, b.run.Actor, b.run.Trigger = ev.BusinessDate, ev.Actor, ev.Trigger
		return nil, nil
	case engine.EvCancelAsked:
		b.run.CancelReason = ev.Text
		return nil, nil
	case engine.EvRunEnded:
		b.run.State, b.run.Reason, b.run.EndedAt = b.state.State, b.state.Reason, ev.At
		b.run.Output, b.run.Error = b.state.Output, failure(b.machine.Program(), b.events, b.state.Err)
		return nil, nil
	case engine.EvRetryAsked, engine.EvUndoAsked:
		b.run.State, b.run.Reason, b.run.EndedAt, b.run.CancelReason = b.state.State, b.state.Reason, b.state.EndedAt, b.state.CancelReason
		b.run.Output, b.run.Error = b.state.Output, b.state.Err
		return nil, nil
	case engine.EvFrameReopened, engine.EvRerun:
		return b.judgedAgain(ev), nil
	case engine.EvRestored:
		return b.restored(ev), nil
	case engine.EvHeld, engine.EvReleased:
		return b.held(ev), nil
	case engine.EvNotEntered:
		return b.notEntered(ev), nil
	case engine.EvEntered:
		return b.entered(ev), nil
	default:
	}
	s := b.acts[ev.Act]
	if s == nil || ev.Act == 0 {
		return nil, nil
	}
	b.change(s, ev)
	return []*Step{s}, nil
}

func (b *Builder) node(f *engine.Frame, id workflow.NodeID) *workflow.Node {
	return &b.machine.Program().Bodies[f.Body].Nodes[id]
}

// entered adds the step of an activation; one without a path is the run as a
// whole, and no step.
func (b *Builder) entered(ev *engine.Event) []*Step {
	a := b.state.Acts[ev.Act]
	if a.Path == "" {
		return nil
	}
	f := b.state.Frames[a.Frame]
	s := &Step{
		Act: a.ID, Path: a.Path, Parent: b.parent(f), Kind: kindOf(b.node(f, a.Node)), Name: b.node(f, a.Node).ID,
		State: a.State, StartedAt: ev.At, Tries: a.Attempt,
	}
	for i := range b.state.Holds {
		s.Held = s.Held || b.state.Holds[i].Path == s.Path
	}
	if !b.add(s) {
		return nil
	}
	b.acts[a.ID] = s
	return []*Step{s}
}

// held marks the step that an operator holds or releases; one that nobody has
// reached yet is marked when it begins.
func (b *Builder) held(ev *engine.Event) []*Step {
	if ev.Path == "" {
		return nil
	}
	for _, s := range b.run.Steps {
		if s.Path == ev.Path && s.Act != 0 {
			s.Held = ev.Kind == engine.EvHeld
			return []*Step{s}
		}
	}
	return nil
}

// parent is the path of the step that opened the frame.
func (b *Builder) parent(f *engine.Frame) string {
	for f != nil && f.Owner == 0 && f.Of != 0 {
		f = b.state.Frames[f.Of] // a finally part belongs where its frame does
	}
	if f == nil || f.Owner == 0 {
		return ""
	}
	if a := b.state.Acts[f.Owner]; a != nil {
		return a.Path
	}
	return ""
}

func kindOf(n *workflow.Node) string {
	if n.Origin.Kind != "" {
		return n.Origin.Kind
	}
	return string(n.Kind)
}

func (b *Builder) notEntered(ev *engine.Event) []*Step {
	f := b.state.Frames[ev.Frame]
	steps := make([]*Step, 0, len(ev.Nodes))
	for _, id := range ev.Nodes {
		n := b.node(f, id)
		if s := b.acts[f.Nodes[id].Again]; s != nil { // it was to run again
			s.State, s.Reason, s.EndedAt = engine.Skipped, ev.Reason, ev.At
			steps = append(steps, s)
			continue
		}
		s := &Step{
			Path: engine.StepPath(f, n), Parent: b.parent(f), Kind: kindOf(n), Name: n.ID, State: engine.Skipped, Reason: ev.Reason,
			StartedAt: ev.At, EndedAt: ev.At,
		}
		if b.add(s) {
			steps = append(steps, s)
		}
	}
	return steps
}

// judgedAgain takes out the steps that were not run and will be judged again. Of
// one that has run before, it is open again whether it does.
func (b *Builder) judgedAgain(ev *engine.Event) []*Step {
	f := b.state.Frames[ev.Frame]
	var steps []*Step
	for _, id := range ev.Nodes {
		if s := b.acts[f.Nodes[id].Again]; s != nil {
			s.anew()
			steps = append(steps, s)
		}
		path := engine.StepPath(f, b.node(f, id))
		b.run.Steps = slices.DeleteFunc(b.run.Steps, func(s *Step) bool { return s.Act == 0 && s.Path == path })
	}
	return steps
}

// restored shows a step as running that goes on with what is inside it, although
// that was over.
func (b *Builder) restored(ev *engine.Event) []*Step {
	steps := b.judgedAgain(ev)
	s := b.acts[ev.Act]
	if s == nil {
		return steps
	}
	if ev.Restored.Owner != nil {
		a := b.state.Acts[ev.Act]
		s.State, s.Reason, s.EndedAt, s.Handled = a.State, a.Reason, time.Time{}, false
		s.Error, s.Warning, s.Output = nil, "", value.Undefined
	}
	if ev.Index >= 0 { // an item or a turn
		s.Done--
		if ev.Restored.State == engine.Failed {
			s.Failed--
		}
	}
	return append(steps, s)
}

// anew shows a step as pending that is to run again.
func (s *Step) anew() {
	s.State, s.Reason, s.EndedAt, s.Handled = engine.Pending, engine.ReasonNone, time.Time{}, false
	s.Error, s.Warning, s.Output = nil, "", value.Undefined
	s.Artifacts, s.Child = nil, ""
}

func (b *Builder) change(s *Step, ev *engine.Event) {
	if a := b.state.Acts[ev.Act]; a != nil {
		s.State, s.Reason, s.Tries = a.State, a.Reason, a.Attempt
		s.Queue = a.Queue
		s.Activity, s.Taker = b.machine.Activity(b.state, a), a.Taker
		if a.Awaits != nil {
			s.Child = a.Awaits.Run
		}
	}
	if !ev.Input.IsUndefined() {
		s.Input = ev.Input
	}
	s.WaitsUntil = time.Time{}
	switch ev.Kind {
	case engine.EvAttempt:
		s.Attempts = append(s.Attempts, Attempt{Number: ev.Attempt, DecidedAt: ev.At, Fence: ev.Fence})
		s.Error, s.Warning = nil, ""
	case engine.EvAttemptEnded:
		if n := len(s.Attempts); n > 0 {
			at := &s.Attempts[n-1]
			at.Outcome, at.Error, at.Warning, at.Usage = ev.Outcome, ev.Error, ev.Warning, ev.Usage
			at.StartedAt, at.EndedAt = ev.StartedAt, ev.EndedAt
		}
		s.Error, s.Warning, s.Output, s.Artifacts = ev.Error, ev.Warning, ev.Output, ev.Artifacts
		b.answered(s)
	case engine.EvAnswered:
		b.answered(s)
	case engine.EvError:
		s.Error = ev.Error
	case engine.EvSettled:
		s.Error, s.Output = ev.Error, value.Null
	case engine.EvMapOpened:
		s.Items, s.Done, s.Failed = ev.Count, 0, 0
		s.Input = ev.Items
	case engine.EvLoopOpened:
		s.Done, s.Failed = 0, 0
	case engine.EvFrameEnded:
		s.Undone = s.Undone || ev.Role == engine.RoleCompensate && ev.State == engine.Succeeded
		if ev.Role == engine.RoleBody && ev.Index >= 0 {
			s.Done++
			if ev.State == engine.Failed {
				s.Failed++
			}
		}
	case engine.EvResult:
		s.Output = ev.Output
	case engine.EvHappened:
		s.Output, s.Error = ev.Output, ev.Error
	case engine.EvRetry, engine.EvTimerSet:
		switch ev.TimerKind {
		case engine.TimerRetry, engine.TimerWait, engine.TimerTurn:
			s.WaitsUntil = ev.Due
		case engine.TimerTimeout, engine.TimerHeartbeat, engine.TimerKill:
		}
	case engine.EvEnded:
		b.ended(s, ev)
	case engine.EvReopened:
		s.EndedAt, s.Handled = time.Time{}, false
	default:
	}
}

// answered shows what a message said of the work, not what the attempt gave that
// handed it over.
func (b *Builder) answered(s *Step) {
	switch a := b.state.Acts[s.Act]; a.Phase {
	case engine.PhaseMessage:
		s.Output = value.Undefined
	case engine.PhaseResult:
		s.Output, s.Error = a.Result, nil
	case engine.PhaseError:
		s.Error = a.Err
	default:
	}
}

func (b *Builder) ended(s *Step, ev *engine.Event) {
	s.State, s.Reason, s.Handled, s.EndedAt = ev.State, ev.Reason, ev.Handled, ev.At
	if !ev.Same {
		s.Output = ev.Output
	}
	if ev.Error != nil {
		s.Error = ev.Error
	}
	if ev.State == engine.Succeeded {
		s.Error = nil
	} else {
		s.Output = value.Null
	}
}

// Read folds all events of a run at once.
func Read(id string, m *engine.Machine, events []engine.Event) (*Run, error) {
	b := NewBuilder(id, m)
	for i := range events {
		if _, err := b.Add(&events[i]); err != nil {
			return nil, err
		}
	}
	return b.run, nil
}
