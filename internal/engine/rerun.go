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
}

func (Rerun) input() {}

// DoesRerun says that a step runs again.
const DoesRerun Does = "rerun"

// Triggers of a rerun in its events.
const (
	rerunResume = "resume"
	rerunRedo   = "redo"
)

// rerunning is what runs again of a frame.
type rerunning struct {
	frame FrameID
	nodes []workflow.NodeID
}

// planRerun finds what runs again, or says why it cannot.
func (m *Machine) planRerun(run *Run, in *Rerun) (all []rerunning, affected []Affected, err error) {
	switch {
	case len(in.Steps) == 0:
		return nil, nil, refusef("", "name the steps from which on it runs again, or start a new run")
	case run.State == Canceled, run.CancelReason != "":
		return nil, nil, refusef("", "run %s was canceled: retry it, which goes on where it was stopped", run.ID)
	case run.lastFrame == 0 || run.Frames[1] == nil:
		return nil, nil, refusef("", "run %s has not begun, or is %s: start a new run", run.ID, run.State)
	}
	if run.Undone() {
		return nil, nil, refusef("", "run %s was compensated: what its steps did is undone; start a new run", run.ID)
	}
	from := map[FrameID][]bool{}
	var order []FrameID
	for _, path := range in.Steps {
		f, n, err := m.rerunFrom(run, path)
		if err != nil {
			return nil, nil, err
		}
		if from[f.ID] == nil {
			from[f.ID] = make([]bool, len(f.Nodes))
			order = append(order, f.ID)
		}
		from[f.ID][n] = true
	}
	for _, id := range order {
		f := run.Frames[id]
		r := rerunning{frame: id, nodes: m.behind(f, from[id])}
		if err := m.rerunnable(run, f, &r, in); err != nil {
			return nil, nil, err
		}
		all = append(all, r)
		for _, n := range r.nodes {
			d := Affected{Path: StepPath(f, m.node(f, n)), Does: DoesReopen}
			if a := run.Acts[f.Nodes[n].Act]; a != nil {
				if a.Listed || a.Kept.Live > 0 {
					return nil, nil, refusef(a.Path, "what step %s did can be undone, and would be done twice: start a new run", a.Path)
				}
				d.Path, d.Does = a.Path, DoesRerun
				if m.node(f, n).Kind == workflow.KindTask {
					d.Attempt = a.Attempt + 1
				}
			}
			affected = append(affected, d)
		}
	}
	return all, affected, nil
}

// rerunFrom finds a step that has ended, in a frame that goes on or is the run's.
func (m *Machine) rerunFrom(run *Run, path string) (*Frame, workflow.NodeID, error) {
	if !m.hasPath(path) {
		return nil, 0, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
	}
	f, n := m.nodeAt(run, path)
	if a := run.actAt(path); a != nil {
		if a.Phase != PhaseEnded {
			return nil, 0, refusef(path, "step %s has not ended: it is %s", path, a.State)
		}
		f, n = run.Frames[a.Frame], a.Node
	} else if f != nil && f.Nodes[n].Ends == 0 {
		return nil, 0, refusef(path, "step %s has not begun", path)
	}
	group := around(path)
	switch {
	case f == nil && group != "":
		return nil, 0, refusef(path, "step %s lies in %s, which is over: rerun from that", path, group)
	case f == nil:
		return nil, 0, refusef(path, "step %s is not there any more: start a new run", path)
	case m.bodies[f.Body].jumps:
		return nil, 0, refusef(path, "step %s is entered by a jump: rerun the run as a whole", path)
	case f.Phase == FrameOpen, f.Role == RoleMain && f.Phase == FrameEnded:
		return f, n, nil
	case f.Role != RoleMain && f.Phase == FrameEnded:
		return nil, 0, refusef(path, "step %s lies in %s, which is over: rerun from that, or retry what failed in it", path, group)
	}
	return nil, 0, refusef(path, "what lies around step %s is ending: rerun when that has ended", path)
}

// behind lists the nodes and all whose joins name them, one after the other.
func (m *Machine) behind(f *Frame, from []bool) []workflow.NodeID {
	b := &m.bodies[f.Body]
	seen := slices.Clone(from)
	var queue, nodes []workflow.NodeID
	for i, yes := range seen {
		if yes {
			queue = append(queue, workflow.NodeID(i))
		}
	}
	for len(queue) > 0 {
		for _, dep := range b.dependents[queue[0]] {
			if !seen[dep] {
				seen[dep], queue = true, append(queue, dep)
			}
		}
		queue = queue[1:]
	}
	for i, yes := range seen {
		if yes {
			nodes = append(nodes, workflow.NodeID(i))
		}
	}
	return nodes
}

// rerunnable refuses what runs, and what must not run twice.
func (m *Machine) rerunnable(run *Run, f *Frame, r *rerunning, in *Rerun) error {
	again := map[workflow.NodeID]bool{}
	for _, n := range r.nodes {
		again[n] = true
		a := run.Acts[f.Nodes[n].Act]
		switch {
		case a == nil:
			continue
		case a.Phase != PhaseEnded:
			return refusef(a.Path, "step %s, which depends on it, is %s: wait for it, or kill it first", a.Path, a.State)
		}
		most, exactly := m.once(m.node(f, n), 0)
		switch {
		case most && !in.Redo:
			return refusef(a.Path, "step %s is at_most_once, or has such a step in it: it runs again only with --redo and a reason", a.Path)
		case (most || exactly) && in.Redo && in.Reason == "":
			return refusef(a.Path, "step %s must not have its effect twice: say why it is to be done again (--reason)", a.Path)
		}
	}
	if f.Phase == FrameOpen {
		return nil
	}
	goesOn := m.bodies[f.Body].Rule.OnFailure == workflow.GoOn
	for i := range f.Nodes {
		if a := run.Acts[f.Nodes[i].Act]; a != nil && !again[a.Node] && (a.State == Failed && !a.Handled && !goesOn || a.State == Canceled) {
			return refusef(a.Path, "step %s is %s, which ends what lies around it: rerun it too", a.Path, a.State)
		}
	}
	return nil
}

// once reports whether a node, or one in it, is at_most_once or exactly_once.
func (m *Machine) once(n *workflow.Node, depth int) (most, exactly bool) {
	if n.Task != nil {
		most = n.Task.AtMostOnce
		if n.Task.With != nil {
			yes, _ := n.Task.With.Const.Get("exactly_once").Bool()
			exactly = yes
			for i := range n.Task.With.Object {
				if d := &n.Task.With.Object[i]; d.Key == "exactly_once" {
					yes, _ := d.Data.Const.Bool()
					exactly = exactly || yes || d.Data.Expr != nil
				}
			}
		}
	}
	if depth >= workflow.DefaultMaxDepth {
		return most, exactly
	}
	for _, body := range bodiesOf(n) {
		for i := range m.bodies[body].Nodes {
			more, also := m.once(&m.bodies[body].Nodes[i], depth+1)
			most, exactly = most || more, exactly || also
		}
	}
	return most, exactly
}

// bodiesOf lists the bodies that a node opens.
func bodiesOf(n *workflow.Node) []workflow.BodyID {
	var out []workflow.BodyID
	switch {
	case n.Fork != nil:
		for i := range n.Fork.Branches {
			out = append(out, n.Fork.Branches[i].Body)
		}
	case n.Map != nil:
		out = append(out, n.Map.Body)
	case n.Loop != nil:
		out = append(out, n.Loop.Body)
	case n.Call != nil:
		out = append(out, n.Call.Body)
	case n.Choice != nil:
		for i := range n.Choice.Cases {
			if b := n.Choice.Cases[i].Body; b != nil {
				out = append(out, *b)
			}
		}
	}
	for i := range n.Catch {
		if b := n.Catch[i].Body; b != nil {
			out = append(out, *b)
		}
	}
	return out
}

// rerun begins again with what a person names.
func (d *decider) rerun(in *Rerun) error {
	all, affected, err := d.m.planRerun(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	how := rerunResume
	if in.Redo {
		how = rerunRedo
	}
	over := d.run.State.Final()
	if over {
		if err := d.emit(Event{Kind: EvRetryAsked, Trigger: "rerun", Actor: in.Actor, Text: in.Reason}); err != nil {
			return err
		}
		if err := d.emit(Event{Kind: EvFrameReopened, Frame: 1}); err != nil {
			return err
		}
		if err := d.requeue(); err != nil {
			return err
		}
	}
	for i := range all {
		if err := d.emit(Event{
			Kind: EvRerun, Frame: all[i].frame, Nodes: all[i].nodes, Trigger: how, Actor: in.Actor, Text: in.Reason,
		}); err != nil {
			return err
		}
	}
	for i := range all {
		d.goOn(d.run.Frames[all[i].frame])
	}
	if over {
		d.goOn(d.run.Frames[1])
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
