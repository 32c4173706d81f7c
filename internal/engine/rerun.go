package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Rerun does steps again that have ended, and all that depends on them: they are
// judged and evaluated anew, and make new attempts. An ended run goes on. See
// docs/engine.md §4.
type Rerun struct {
	Action
	// Redo raises the generation of what runs again: it gets new idempotency keys.
	// Else it keeps those that it had, as a retry does.
	Redo bool
	// Past is what the run was around the steps, by [NewPast], without which nothing
	// runs again in what is over. Nil: nobody has looked.
	Past *Run
}

func (Rerun) input() {}

// DoesRerun says that a step runs again.
const DoesRerun Does = "rerun"

// Triggers of a rerun in its events.
const (
	rerunResume = "resume"
	rerunRedo   = "redo"
)

// once reports whether a node, or one in it, is at_most_once or exactly_once.
func (m *Machine) once(n *workflow.Node) (most, exactly bool) {
	most, exactly = onlyOnce(n.Task)
	seen := map[workflow.BodyID]bool{}
	for todo := bodiesOf(n); len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		b := &m.bodies[id]
		for i := range b.Nodes {
			more, also := onlyOnce(b.Nodes[i].Task)
			most, exactly = most || more, exactly || also
			todo = append(todo, bodiesOf(&b.Nodes[i])...)
		}
		if b.Finally != nil {
			todo = append(todo, *b.Finally)
		}
	}
	return most, exactly
}

// onlyOnce reports whether a task is at_most_once or exactly_once.
func onlyOnce(t *workflow.Task) (most, exactly bool) {
	if t == nil || t.With == nil {
		return t != nil && t.AtMostOnce, false
	}
	exactly, _ = t.With.Const.Get("exactly_once").Bool()
	for i := range t.With.Object {
		if d := &t.With.Object[i]; d.Key == "exactly_once" {
			yes, _ := d.Data.Const.Bool()
			exactly = exactly || yes || d.Data.Expr != nil
		}
	}
	return t.AtMostOnce, exactly
}

// bodiesOf lists the bodies that a node opens, and those of its handlers.
func bodiesOf(n *workflow.Node) []workflow.BodyID {
	var out []workflow.BodyID
	add := func(b *workflow.BodyID) {
		if b != nil {
			out = append(out, *b)
		}
	}
	switch {
	case n.Fork != nil:
		for i := range n.Fork.Branches {
			add(&n.Fork.Branches[i].Body)
		}
	case n.Map != nil:
		add(&n.Map.Body)
	case n.Loop != nil:
		add(&n.Loop.Body)
	case n.Call != nil:
		add(&n.Call.Body)
	case n.Choice != nil:
		for i := range n.Choice.Cases {
			add(n.Choice.Cases[i].Body)
		}
	}
	for i := range n.Retry {
		add(n.Retry[i].Call)
	}
	for i := range n.Catch {
		add(n.Catch[i].Body)
	}
	return out
}

// rerun begins again with what a person names.
func (d *decider) rerun(in *Rerun) error {
	plan, err := d.m.planRerun(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = plan.affected
	how := rerunResume
	if in.Redo {
		how = rerunRedo
	}
	if d.run.State.Final() {
		if err := d.emit(Event{Kind: EvRetryAsked, Trigger: "rerun", Actor: in.Actor, Text: in.Reason}); err != nil {
			return err
		}
		if err := d.emit(Event{Kind: EvFrameReopened, Frame: 1, Nodes: plan.all[0].judged}); err != nil {
			return err
		}
		if err := d.requeue(); err != nil {
			return err
		}
	}
	for i := range plan.all {
		if err := d.restore(in.Past, &plan.all[i]); err != nil {
			return err
		}
	}
	for i := range plan.all {
		if len(plan.all[i].nodes) == 0 {
			continue
		}
		if err := d.emit(Event{
			Kind: EvRerun, Frame: plan.all[i].frame, Nodes: plan.all[i].nodes, Trigger: how, Actor: in.Actor, Text: in.Reason,
		}); err != nil {
			return err
		}
	}
	for i := range plan.all {
		d.goOn(d.run.Frames[plan.all[i].frame])
	}
	return nil
}

// applyRerun makes nodes of a frame as if they had not been entered. What they
// were is kept until they are entered again, which is the same activation.
func (m *Machine) applyRerun(run *Run, f *Frame, ev *Event) error {
	for _, n := range ev.Nodes {
		if n < 0 || int(n) >= len(f.Nodes) || m.bodies[f.Body].jumps {
			return fmt.Errorf("%w: node %d of frame %d runs again", ErrProtocol, n, f.ID)
		}
		ns := &f.Nodes[n]
		ns.Forgone = nil
		a := run.Acts[ns.Act]
		if a == nil {
			if ns.Ends != 0 {
				m.unsettle(f, n)
			}
			continue
		}
		if a.Phase != PhaseEnded {
			return fmt.Errorf("%w: activation %d runs again while it is %s", ErrProtocol, a.ID, a.Phase)
		}
		f.Failures = slices.DeleteFunc(f.Failures, func(id ActID) bool { return id == a.ID })
		m.unsettle(f, n)
		m.forgetClosed(run, a)
		ns.Again, ns.Act = a.ID, 0
		a.anew(m.node(f, n), f, ev.Trigger == rerunRedo)
	}
	return nil
}

// anew forgets how an activation went. Its numbers count on.
func (a *Activation) anew(n *workflow.Node, f *Frame, redo bool) {
	fresh := Activation{
		ID: a.ID, Frame: a.Frame, Node: a.Node, Visit: a.Visit, Generation: a.Generation, Path: a.Path, Was: a.Was,
		State: Pending, Phase: PhaseEnded, Raw: f.Raw, EnteredAt: a.EnteredAt, Since: a.Since, Attempt: a.Attempt, Fence: a.Fence,
		Reopened: a.Reopened + 1, Resumed: a.Resumed, Checkpoint: a.Checkpoint, Anew: true,
	}
	if redo {
		fresh.Generation++
		fresh.Checkpoint = nil
	}
	switch n.Kind {
	case workflow.KindFork, workflow.KindMap, workflow.KindLoop, workflow.KindCall, workflow.KindChoice, workflow.KindChild:
		fresh.Attempt++ // its frames have paths of their own
		if !redo {
			fresh.Resumed++
		}
	default:
	}
	*a = fresh
}

// enterNode makes an activation, or lets that go on which runs again; actor is
// who enters it before its time, empty for the engine.
func (d *decider) enterNode(f *Frame, node workflow.NodeID, raw value.Value, actor string) (ActID, error) {
	if again := f.Nodes[node].Again; again != 0 {
		return again, d.emit(Event{Kind: EvReentered, Act: again, Actor: actor})
	}
	id := d.run.lastAct + 1
	ev := Event{Kind: EvEntered, Frame: f.ID, Node: node, Act: id, Actor: actor}
	if d.m.bodies[f.Body].jumps {
		ev.Input = raw
	}
	return id, d.emit(ev)
}

// applyAgain lets an activation begin that runs again, or go on with what was over
// inside it.
func (m *Machine) applyAgain(run *Run, a *Activation, ev *Event) error {
	if ev.Kind == EvRestored {
		return m.applyRestored(run, a, ev)
	}
	return applyReentered(run, a, ev)
}

func applyReentered(run *Run, a *Activation, ev *Event) error {
	f := run.Frames[a.Frame]
	ns := &f.Nodes[a.Node]
	if ns.Again != a.ID || ns.Act != 0 {
		return fmt.Errorf("%w: activation %d is entered again", ErrProtocol, a.ID)
	}
	ns.Act, ns.Again, ns.Ends = a.ID, 0, 0
	a.Phase, a.EnteredAt, a.Since, a.EndedAt = PhaseEntered, ev.At, ev.At, time.Time{}
	f.Live++
	return nil
}

// generation is that of what is inside an activation.
func (r *Run) generation(f *Frame) int {
	for ; f != nil; f = r.Frames[f.Outer] {
		if a := r.Acts[f.Owner]; a != nil {
			return a.Generation
		}
	}
	return 0
}

// keyPath is the path of an activation for its idempotency key: a resume leaves
// it as it was, though it opens frames with new paths.
func (a *Activation) keyPath() string {
	if a.Was != "" {
		return a.Was
	}
	return a.Path
}

// wasPath is the path that a frame of the activation has for keys, empty if it
// is its path.
func (a *Activation) wasPath(f *Frame) string {
	rest, ok := strings.CutPrefix(f.Path, a.Path)
	if !ok || a.Was == "" && a.Resumed == 0 {
		return ""
	}
	if a.Resumed > 0 {
		before := ""
		if n := a.Attempt - a.Resumed; n > 1 {
			before = "~" + strconv.Itoa(n)
		}
		rest = strings.Replace(rest, "~"+strconv.Itoa(a.Attempt), before, 1)
	}
	return a.keyPath() + rest
}
