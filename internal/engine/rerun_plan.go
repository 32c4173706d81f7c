package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/regie-dev/regie/internal/workflow"
)

// rerunPlan is what a rerun does. Frames come before those inside them; the
// first one of an ended run is its own.
type rerunPlan struct {
	all      []rerunning
	affected []Affected
}

// rerunning is what runs again of a frame.
type rerunning struct {
	frame FrameID
	nodes []workflow.NodeID
	// judged are other nodes of a frame that had ended, which were not run for
	// what has come to nothing now: they are judged again.
	judged []workflow.NodeID
	// restored is a frame of the past that is opened again, nil for one that is
	// there; first says that its owner goes on with it.
	restored *Frame
	first    bool
}

// rerunScope is a frame in which something runs again: of the run, or of its
// past.
type rerunScope struct {
	of *Run
	f  *Frame
	// from are the nodes that are named, open those in which something is.
	from, open []bool
}

// rerunPlanner collects the frames of a rerun.
type rerunPlanner struct {
	m      *Machine
	run    *Run
	in     *Rerun
	scopes map[FrameID]*rerunScope
	order  []*rerunScope
}

// planRerun finds what runs again, or says why it cannot.
func (m *Machine) planRerun(run *Run, in *Rerun) (*rerunPlan, error) {
	switch {
	case len(in.Steps) == 0:
		return nil, refusef("", "name the steps from which on it runs again, or start a new run")
	case run.State == Canceled, run.CancelReason != "":
		return nil, refusef("", "run %s was canceled: retry it, which goes on where it was stopped", run.ID)
	case run.lastFrame == 0 || run.Frames[1] == nil:
		return nil, refusef("", "run %s has not begun, or is %s: start a new run", run.ID, run.State)
	}
	if run.Undone() {
		return nil, refusef("", "run %s was compensated: what its steps did is undone; start a new run", run.ID)
	}
	p := &rerunPlanner{m: m, run: run, in: in, scopes: map[FrameID]*rerunScope{}}
	if run.State.Final() {
		p.scope(run, run.Frames[1])
	}
	for _, path := range in.Steps {
		if err := p.name(path); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(p.order, func(a, b *rerunScope) int { return cmp.Or(a.f.Depth-b.f.Depth, cmp.Compare(a.f.ID, b.f.ID)) })
	plan := &rerunPlan{}
	for _, s := range p.order {
		if err := p.plan(s, plan); err != nil {
			return nil, err
		}
	}
	return plan, p.bounded(plan)
}

// scope is that of a frame, which is looked at as it is in a state.
func (p *rerunPlanner) scope(of *Run, f *Frame) *rerunScope {
	s := p.scopes[f.ID]
	if s == nil {
		s = &rerunScope{of: of, f: f, from: make([]bool, len(f.Nodes)), open: make([]bool, len(f.Nodes))}
		p.scopes[f.ID] = s
		p.order = append(p.order, s)
	}
	return s
}

// name takes a path that a person names.
func (p *rerunPlanner) name(path string) error {
	if !p.m.hasPath(path) {
		return refusef(path, "workflow %s has no step %s", p.m.prog.Name, path)
	}
	f, nodes, err := p.m.endedAt(p.run, path)
	if err != nil {
		return err
	}
	of := p.run
	if f == nil || f.Phase == FrameEnded && f.Role != RoleMain {
		if f, nodes, err = p.over(path); err != nil {
			return err
		}
		of = p.in.Past
	}
	switch {
	case p.m.bodies[f.Body].jumps:
		return jumpedTo(path)
	case of == p.run && f.Phase != FrameOpen && f.Phase != FrameEnded:
		return refusef(path, "what lies around step %s is ending: rerun when that has ended", path)
	}
	s := p.scope(of, f)
	for _, n := range nodes {
		s.from[n] = true
	}
	return nil
}

func jumpedTo(path string) *Refusal {
	return refusef(path, "step %s is entered by a jump, and the run went on from there: start a new run, or retry what failed", path)
}

// endedAt finds a step that has ended, nil if what lies around it is gone.
func (m *Machine) endedAt(run *Run, path string) (*Frame, []workflow.NodeID, error) {
	if a := run.actAt(path); a != nil {
		if a.Phase != PhaseEnded {
			return nil, nil, refusef(path, "step %s has not ended: it is %s", path, a.State)
		}
		return run.Frames[a.Frame], []workflow.NodeID{a.Node}, nil
	}
	f, n := m.nodeAt(run, path)
	if f != nil && f.Nodes[n].Ends == 0 {
		return nil, nil, refusef(path, "step %s has not begun", path)
	}
	return f, []workflow.NodeID{n}, nil
}

// over finds a step, or an item as a whole, in what is over. All that lies around
// it goes on.
func (p *rerunPlanner) over(path string) (*Frame, []workflow.NodeID, error) {
	past, group := p.in.Past, around(path)
	switch {
	case group == "":
		return nil, nil, refusef(path, "step %s is not there any more: start a new run", path)
	case !p.run.State.Final():
		return nil, nil, refusef(path, "step %s lies in %s, which is over: rerun from that, or wait until the run has ended", path, group)
	case past == nil:
		return nil, nil, refusef(path, "step %s lies in %s, which is over: rerun from that", path, group)
	}
	f, nodes, err := p.m.endedAt(past, path)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range inOrder(past.Frames) {
		if g := past.Frames[id]; f == nil && g.Path == path && g.Role == RoleBody {
			f = g
			nodes = nodes[:0]
			for n := range g.Nodes {
				nodes = append(nodes, workflow.NodeID(n))
			}
		}
	}
	if f == nil {
		return nil, nil, refusef(path, "run %s has no step %s: look at its paths, then rerun from one of them", p.run.ID, path)
	}
	for g := f; g.Role != RoleMain; g = past.Frames[g.Outer] {
		if err := p.restorable(g, path); err != nil {
			return nil, nil, err
		}
		a := past.Acts[g.Owner]
		p.scope(past, g)
		outer := p.scopes[a.Frame]
		if outer == nil {
			outer = p.scope(past, past.Frames[a.Frame])
		}
		outer.open[a.Node] = true
	}
	return f, nodes, nil
}

// restorable refuses a frame of the past with which its owner cannot go on.
func (p *rerunPlanner) restorable(f *Frame, path string) error {
	past := p.in.Past
	a := past.Acts[f.Owner]
	switch f.Role {
	case RoleFinally:
		return refusef(path, "step %s lies in a finally part, which runs again when what it belongs to does", path)
	case RoleCatch, RolePredicate, RoleCompensate, RoleMain:
		return refusef(path, "step %s lies in what handles, or undoes, step %s: rerun from that", path, a.Path)
	case RoleBody:
	}
	switch {
	case a == nil || !past.attached(a) || a.Phase != PhaseEnded:
		return refusef(path, "step %s lies in what was to run again since, and did not", path)
	case p.m.bodies[past.Frames[a.Frame].Body].jumps:
		return jumpedTo(a.Path)
	case f.Attempt != a.Attempt:
		return refusef(path, "step %s lies in an earlier try of %s: rerun from %s, or from a step of the last try (%s)", path, a.Path, a.Path, tried(a))
	case a.Loop != nil && f.Index != a.Loop.Turn:
		return refusef(path, "step %s lies in turn %d of %s, whose last turn is %d: only that one runs again; rerun from %s to have all of them again",
			path, f.Index, a.Path, a.Loop.Turn, a.Path)
	case a.Winner > 0:
		return refusef(path, "step %s lies in %s, which ended with its first success: rerun from that", path, a.Path)
	case f.Verdict != nil && f.Verdict.ExitTo != 0:
		return refusef(path, "step %s lies in %s, which was left by an exit: rerun from that", path, a.Path)
	case a.Map == nil && a.Loop == nil && f.Branch >= len(a.Outputs):
		return refusef(path, "step %s lies in %s, whose records are not complete: rerun from that", path, a.Path)
	case a.Listed || a.Kept.Live > 0:
		return undoable(a.Path)
	}
	for _, id := range inOrder(past.Frames) {
		g := past.Frames[id]
		if g.Owner == a.ID && g.ID != f.ID && g.Role == RoleBody && g.Attempt == a.Attempt && g.Outcome != nil && g.Outcome.State == Canceled {
			return refusef(path, "%s was canceled with step %s: rerun from %s, or retry what failed", g.Path, path, a.Path)
		}
	}
	return nil
}

func undoable(path string) *Refusal {
	return refusef(path, "what step %s did can be undone, and would be done twice: start a new run", path)
}

// plan plans what runs again in a frame.
func (p *rerunPlanner) plan(s *rerunScope, plan *rerunPlan) error {
	m, f := p.m, s.f
	from := slices.Clone(s.from)
	for n, open := range s.open {
		from[n] = from[n] || open
	}
	r := rerunning{frame: f.ID}
	behind := m.behind(f, from)
	for _, n := range behind {
		if !s.open[n] {
			r.nodes = append(r.nodes, n)
		}
		for _, dep := range m.bodies[f.Body].dependents[n] {
			if s.open[dep] {
				return m.twice(s, dep)
			}
		}
		if s.open[n] && s.from[n] {
			return m.twice(s, n)
		}
	}
	if err := m.rerunnable(s.of, f, &r, p.in); err != nil {
		return err
	}
	if f.Phase == FrameEnded {
		if err := m.rerunEnded(s.of, f, &r, behind); err != nil {
			return err
		}
	}
	if f.Role != RoleMain && s.of != p.run {
		r.restored = f
		r.first = !slices.ContainsFunc(plan.all, func(o rerunning) bool { return o.restored != nil && o.restored.Owner == f.Owner })
	}
	plan.all = append(plan.all, r)
	for _, n := range r.nodes {
		d := Affected{Path: StepPath(f, m.node(f, n)), Does: DoesReopen}
		if a := s.of.Acts[f.Nodes[n].Act]; a != nil {
			if a.Listed || a.Kept.Live > 0 {
				return undoable(a.Path)
			}
			d.Path, d.Does = a.Path, DoesRerun
			if m.node(f, n).Kind == workflow.KindTask {
				d.Attempt = a.Attempt + 1
			}
		}
		plan.affected = append(plan.affected, d)
	}
	for _, n := range r.judged {
		plan.affected = append(plan.affected, Affected{Path: StepPath(f, m.node(f, n)), Does: DoesReopen})
	}
	return nil
}

// twice refuses to run something again inside a step that runs again itself.
func (m *Machine) twice(s *rerunScope, n workflow.NodeID) *Refusal {
	path := StepPath(s.f, m.node(s.f, n))
	return refusef(path, "step %s runs again as a whole, because of another step that is named: do not name what lies in it", path)
}

// bounded refuses to read again more than one event takes.
func (p *rerunPlanner) bounded(plan *rerunPlan) error {
	for i := range plan.all {
		r := &plan.all[i]
		if r.restored == nil {
			continue
		}
		if size := recall(p.in.Past, r.restored, r.judged, r.first).Recalled.size(); size > MaxText {
			a := p.in.Past.Acts[r.restored.Owner]
			return refusef(a.Path, "what the steps in %s left has %d bytes, more than the %d MiB that are read again: rerun from %s", r.restored.Path, size, MaxText>>20, a.Path)
		}
	}
	return nil
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
	for _, n := range r.nodes {
		a := run.Acts[f.Nodes[n].Act]
		if a == nil { // what a person asked for before does not hold for this time
			a = run.Acts[f.Nodes[n].Again]
		}
		switch {
		case a == nil:
			continue
		case a.Phase != PhaseEnded:
			return refusef(a.Path, "step %s, which depends on it, is %s: wait for it, or kill it first", a.Path, a.State)
		}
		most, exactly := m.once(m.node(f, n))
		switch {
		case most && !in.Redo:
			return refusef(a.Path, "step %s is at_most_once, or has such a step in it: it runs again only with --redo and a reason", a.Path)
		case (most || exactly) && in.Redo && in.Reason == "":
			return refusef(a.Path, "step %s must not have its effect twice: say why it is to be done again (--reason)", a.Path)
		}
	}
	return nil
}

// rerunEnded refuses what leaves a frame that has ended with a reason to end as it
// did, or with something to retry that would be gone, and finds what is judged
// again in it; behind are the nodes that go on.
func (m *Machine) rerunEnded(run *Run, f *Frame, r *rerunning, behind []workflow.NodeID) error {
	b, again, failures := &m.bodies[f.Body], make([]bool, len(f.Nodes)), false
	for _, n := range behind {
		again[n] = true
	}
	for i := range f.Nodes {
		a := run.Acts[f.Nodes[i].Act]
		if a == nil || again[i] {
			continue
		}
		failed := a.State == Failed && !a.Handled
		switch {
		case failed && (b.Rule.OnFailure != workflow.GoOn || f.Role != RoleMain && len(bodiesOf(&b.Nodes[i])) > 0), a.State == Canceled:
			return refusef(a.Path, "step %s is %s, which ends what lies around it: rerun it too", a.Path, a.State)
		case a.State == Succeeded && b.Nodes[i].Exit != nil:
			return refusef(a.Path, "step %s has ended what lies around it: rerun it too", a.Path)
		}
		failures = failures || failed
	}
	for _, n := range judgedAgain(b, f, again, !failures) {
		if !again[n] {
			r.judged = append(r.judged, n)
		}
	}
	return nil
}

// restore opens a frame again that is over.
func (d *decider) restore(past *Run, r *rerunning) error {
	if r.restored == nil {
		return nil
	}
	ev := recall(past, r.restored, r.judged, r.first)
	if err := d.emit(ev); err != nil {
		return fmt.Errorf("open %s again: %w", r.restored.Path, err)
	}
	if a := d.run.Acts[ev.Act]; r.first {
		return d.withinBounds(a)
	}
	return nil
}
