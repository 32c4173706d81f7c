package engine

import (
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/workflow"
)

// Force has steps begin although what they need is not there: their joins,
// conditions (`if`) and named conditions are not waited for. Limits are, always:
// nobody exceeds them. With
// prerequisites only those are given up: the IDs of steps that one needs, or "if";
// the rest is still waited for.
type Force struct {
	Action
	Prerequisites []string
}

func (Force) input() {}

// DoesForce says that a step begins, or waits for less.
const DoesForce Does = "force"

// prerequisiteIf names the step's own condition.
const prerequisiteIf = "if"

// forcing is a step that is forced: an activation in the gate, or a node that was
// not entered, with the needs that it gives up.
type forcing struct {
	settling
	needs []workflow.NodeID
	noIf  bool
}

// planForce finds what is forced, or says why it cannot be.
func (m *Machine) planForce(run *Run, in *Force) (all []forcing, affected []Affected, err error) {
	switch {
	case run.State.Final():
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	case len(in.Steps) == 0:
		return nil, nil, refusef("", "name the steps")
	case len(in.Prerequisites) > 0 && len(in.Steps) > 1:
		return nil, nil, refusef("", "prerequisites are those of a single step")
	}
	seen := map[string]bool{}
	for _, path := range in.Steps {
		if seen[path] {
			continue
		}
		seen[path] = true
		f, err := m.forces(run, path, in.Prerequisites)
		if err != nil {
			return nil, nil, err
		}
		if h := run.HoldOf(path); h != nil && len(in.Prerequisites) == 0 {
			return nil, nil, refusef(path, "step %s is held: release it first", path)
		}
		all = append(all, f)
		affected = append(affected, Affected{Path: path, Does: DoesForce})
	}
	return all, affected, nil
}

func (m *Machine) forces(run *Run, path string, named []string) (forcing, error) {
	if a := run.actAt(path); a != nil {
		switch {
		case a.Phase != PhaseGate:
			return forcing{}, refusef(path, "step %s does not wait for what it needs: it is %s", path, a.State)
		case len(named) > 0:
			return forcing{}, refusef(path, "step %s waits for conditions, which are given up together: name no prerequisite", path)
		case len(run.needs(path, a.Queue.Needs)) == 0:
			return forcing{}, refusef(path, "step %s waits for limits alone, which nobody exceeds: `regie limits set` gives more of one, `regie why` says who holds it", path)
		}
		return forcing{settling: settling{act: a.ID}}, nil
	}
	s, _, err := m.settlesNode(run, path, Failed)
	if err != nil {
		return forcing{}, err
	}
	out := forcing{settling: s}
	f := run.Frames[s.frame]
	n := m.node(f, s.node)
	for _, name := range named {
		if name == prerequisiteIf && n.If != nil {
			out.noIf = true
			continue
		}
		at := -1
		if n.Join != nil {
			at = slices.IndexFunc(n.Join.Needs, func(need workflow.NodeID) bool { return m.node(f, need).ID == name })
		}
		if at < 0 {
			return forcing{}, refusef(path, "step %s has no prerequisite %s", path, name)
		}
		out.needs = append(out.needs, n.Join.Needs[at])
	}
	return out, nil
}

// force begins what is forced, or records what it does not wait for.
func (d *decider) force(in *Force) error {
	all, affected, err := d.m.planForce(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for i := range all {
		s := &all[i]
		if len(in.Prerequisites) == 0 {
			if err := d.dropAdded(affected[i].Path, &in.Action); err != nil {
				return err
			}
		}
		switch {
		case s.act != 0:
			a := d.run.Acts[s.act]
			q := *a.Queue
			q.Needs = nil
			if err := d.emit(Event{Kind: EvQueued, Act: s.act, Queue: &q, Actor: in.Actor, Text: in.Reason}); err != nil {
				return err
			}
			d.askGate(a)
		case len(in.Prerequisites) == 0:
			f := d.run.Frames[s.frame]
			if err := d.emit(Event{Kind: EvForced, Path: affected[i].Path, Frame: s.frame, Node: s.node, Actor: in.Actor, Text: in.Reason}); err != nil {
				return err
			}
			if err := d.enter(f, s.node, f.Raw); err != nil {
				return err
			}
		default:
			if err := d.emit(Event{
				Kind: EvForced, Path: affected[i].Path, Frame: s.frame, Node: s.node, Nodes: s.needs, Same: s.noIf, Actor: in.Actor,
				Text: in.Reason,
			}); err != nil {
				return err
			}
			d.add(task{kind: taskJoin, frame: s.frame, node: s.node})
		}
	}
	return nil
}

// Forgone is what a node does not wait for.
type Forgone struct {
	Holding

	// Needs are those that count as met; none and no If: all of it.
	Needs []workflow.NodeID
	If    bool
}

// gives reports whether the node does not wait for a need.
func (g *Forgone) gives(need workflow.NodeID) bool {
	return g != nil && (g.all() || slices.Contains(g.Needs, need))
}

func (g *Forgone) all() bool { return len(g.Needs) == 0 && !g.If }

// applyForced keeps what a node does not wait for, beside what it gave up before.
func (m *Machine) applyForced(f *Frame, ev *Event) error {
	if ev.Node < 0 || int(ev.Node) >= len(f.Nodes) || f.Nodes[ev.Node].Act != 0 || f.Nodes[ev.Node].Ends != 0 {
		return fmt.Errorf("%w: node %d of frame %d is forced", ErrProtocol, ev.Node, f.ID)
	}
	ns := &f.Nodes[ev.Node]
	g := &Forgone{
		Holding: Holding{Path: StepPath(f, m.node(f, ev.Node)), Actor: ev.Actor, Reason: ev.Text, At: ev.At},
		Needs:   slices.Clone(ev.Nodes), If: ev.Same,
	}
	if before := ns.Forgone; before != nil && !g.all() {
		g.Needs, g.If = append(g.Needs, before.Needs...), g.If || before.If
	}
	ns.Forgone = g
	return nil
}

// joinedWithout judges a join of which a person gave some needs up; false if it
// is no conjunction, which is judged by its formula.
func (d *decider) joinedWithout(f *Frame, node workflow.NodeID, j *workflow.Join) (verdict3, bool) {
	all, g := d.m.bodies[f.Body].all[node], f.Nodes[node].Forgone
	if all == nil || g == nil {
		return unknown, false
	}
	v := yes
	for i, need := range j.Needs {
		switch ends := f.Nodes[need].Ends; {
		case g.gives(need) || ends&all[i] != 0:
		case ends != 0:
			return no, true
		default:
			v = unknown
		}
	}
	return v, true
}
