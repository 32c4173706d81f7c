package engine

import (
	"slices"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// retryPlan is what a retry does: what is reopened, from the outside inwards.
type retryPlan struct {
	steps    []reopening
	affected []Affected
}

// reopening is a frame or an activation that goes on.
type reopening struct {
	frame FrameID // 0: an activation
	act   ActID
	role  Role              // frame: finally goes on with that part; act: catch goes on with its handler
	keeps bool              // the frame's verdict stays
	nodes []workflow.NodeID // judged again
	// settled says that it goes on only to end as a person says.
	settled bool
}

// retryPlanner looks for what a retry gives new attempts to.
type retryPlanner struct {
	m     *Machine
	run   *Run
	named []string
	hit   []bool // by named
	// ending is a scope that is about to end, once is a step that must not be
	// attempted again: why less is retried than could be meant.
	ending string
	once   string
	// blocked is a canceled step that must not be attempted again and without
	// which what lies around it cannot go on.
	blocked string
	// settles says that the named steps are to be settled: they are not begun
	// again, nor is what is inside them.
	settles bool
}

// planRetry plans a retry, or says why there is nothing to retry.
func (m *Machine) planRetry(run *Run, in *Action) (*retryPlan, error) {
	if run.undoing() {
		p := &retryPlanner{m: m, run: run, named: in.Steps, hit: make([]bool, len(in.Steps))}
		return p.planned(p.undo())
	}
	if err := m.retryable(run, in.Steps); err != nil {
		return nil, err
	}
	if run.lastFrame == 0 {
		if run.State.Final() {
			return &retryPlan{affected: []Affected{{Does: DoesRetry}}}, nil // it never began
		}
		return nil, refusef("", "run %s has no failed step: it has not begun", run.ID)
	}
	p := &retryPlanner{m: m, run: run, named: in.Steps, hit: make([]bool, len(in.Steps))}
	steps := p.frame(run.Frames[1], len(in.Steps) == 0)
	if p.blocked != "" {
		return nil, refusef(p.blocked, "step %s is at_most_once and was canceled when it may have begun: what was canceled with it cannot go on", p.blocked)
	}
	return p.planned(steps)
}

// planned is the plan with these steps, or says why there is nothing to retry.
func (p *retryPlanner) planned(steps []reopening) (*retryPlan, error) {
	for i, path := range p.named {
		if !p.hit[i] {
			return nil, p.whyNot(path)
		}
	}
	if len(steps) == 0 {
		return nil, p.nothing()
	}
	return &retryPlan{steps: steps, affected: p.affected(steps)}, nil
}

// retryable refuses a run of which nothing can go on.
func (m *Machine) retryable(run *Run, steps []string) error {
	switch {
	case run.State == Succeeded:
		return refusef("", "run %s has succeeded: there is nothing to retry", run.ID)
	case run.State == Skipped:
		return refusef("", "run %s was skipped (%s): there is nothing to retry; start a new run", run.ID, run.Reason)
	case run.Undone():
		return refusef("", "run %s was compensated: what its steps did is undone; start a new run", run.ID)
	case run.CancelReason != "" && !run.State.Final():
		return refusef("", "run %s is being canceled: retry it once it has ended", run.ID)
	case run.State == Canceled && len(steps) > 0:
		return refusef("", "run %s was canceled: retry it as a whole, which goes on where it was stopped", run.ID)
	}
	return nil
}

// nothing says why a whole run has nothing to retry.
func (p *retryPlanner) nothing() error {
	switch {
	case p.once != "":
		return refusef(p.once, "step %s is at_most_once: it is not attempted again", p.once)
	case p.ending != "":
		return refusef(p.ending, "%s: retry when that has ended", p.ending)
	case p.run.State.Final():
		return refusef("", "run %s has no failed step that can be retried: start a new run", p.run.ID)
	}
	return refusef("", "run %s has no failed step", p.run.ID)
}

// whyNot says why a named step is not retried.
func (p *retryPlanner) whyNot(path string) error {
	a := p.run.actAt(path)
	switch {
	case !p.m.hasPath(path):
		return refusef(path, "workflow %s has no step %s", p.m.prog.Name, path)
	case p.once != "" && covers(path, p.once):
		return refusef(path, "step %s is at_most_once: it is not attempted again", p.once)
	case a == nil:
		if f, n := p.m.nodeAt(p.run, path); f != nil && f.Nodes[n].Ends != 0 {
			return refusef(path, "step %s was not run (%s): retry what failed before it", path, f.Nodes[n].Why)
		}
		return refusef(path, "step %s has not failed", path)
	case a.Phase == PhaseEnded && a.Handled:
		return refusef(path, "step %s failed and that was handled: what came after it has gone on", path)
	case a.Phase == PhaseEnded && a.State != Failed && a.State != Canceled:
		return refusef(path, "step %s has %s: only failed steps are retried", path, a.State)
	case p.ending != "":
		return refusef(path, "%s: retry when that has ended", p.ending)
	case a.Phase != PhaseEnded:
		return refusef(path, "step %s is %s: only failed steps are retried", path, a.State)
	}
	return refusef(path, "step %s has nothing to retry", path)
}

// wants reports whether the path is named, or lies in one that is.
func (p *retryPlanner) wants(path string) bool {
	return slices.ContainsFunc(p.named, func(n string) bool { return covers(n, path) })
}

// take notes that something at the path is retried.
func (p *retryPlanner) take(path string) {
	for i, n := range p.named {
		p.hit[i] = p.hit[i] || covers(n, path)
	}
}

// failed reports whether the activation ended and is one that made what is
// around it fail, or was canceled with it.
func (p *retryPlanner) failed(a *Activation) (failed, canceled bool) {
	if a.Phase != PhaseEnded {
		return false, false
	}
	n := p.m.node(p.run.Frames[a.Frame], a.Node)
	exits := n.Exit != nil && n.Exit.Error != nil && a.State == Succeeded
	return a.State == Failed && !a.Handled || exits, a.State == Canceled
}

// frame plans what goes on in a frame; with all, everything that failed.
func (p *retryPlanner) frame(f *Frame, all bool) []reopening {
	if f == nil {
		return nil
	}
	all = all || f.Path != "" && p.wants(f.Path)
	switch f.Phase {
	case FrameOpening, FrameParked, FrameUndoing:
		return nil
	case FrameStopping:
		p.ending = "what is around it is ending"
		return nil
	case FrameFinishing:
		steps := p.frame(p.run.Frames[f.Finally], all)
		if len(steps) == 0 {
			p.ending = "the finally part is running"
		}
		return steps
	case FrameEnded:
		if last := p.run.Frames[f.Finally]; last != nil && f.Verdict != nil && f.Verdict.State == Succeeded {
			if steps := p.frame(last, all); len(steps) > 0 {
				return append([]reopening{{frame: f.ID, role: RoleFinally}}, steps...)
			}
			return nil
		}
	case FrameOpen:
	}
	return p.nodes(f, all)
}

// nodes plans what goes on of a frame's nodes.
func (p *retryPlanner) nodes(f *Frame, all bool) []reopening {
	b := &p.m.bodies[f.Body]
	left, failures, again := []*Activation(nil), false, make([]bool, len(f.Nodes))
	var steps []reopening
	for i := range f.Nodes {
		a := p.run.Acts[f.Nodes[i].Act]
		if a == nil {
			continue
		}
		failed, canceled := p.failed(a)
		more := p.act(a, all)
		switch {
		case len(more) > 0:
			steps, again[i] = append(steps, more...), failed || canceled
		case failed:
			failures = true
		case canceled:
			left = append(left, a)
		}
	}
	ended := f.Phase == FrameEnded
	if len(steps) == 0 && (!all || !ended || failures) {
		return nil
	}
	if !failures {
		// Nothing is left that stops the frame: what was canceled goes on too.
		for _, a := range left {
			more := p.act(a, true)
			if len(more) == 0 {
				p.blocked = a.Path
			}
			steps, again[a.Node] = append(steps, more...), true
		}
	}
	r := reopening{frame: f.ID, keeps: failures && b.Rule.OnFailure != workflow.GoOn}
	if !r.keeps && !b.jumps {
		r.nodes = judgedAgain(b, f, again, !failures)
	}
	if !ended && len(r.nodes) == 0 {
		return steps
	}
	if len(steps) == 0 {
		p.take(f.Path)
	}
	return append([]reopening{r}, steps...)
}

// judgedAgain lists the nodes that did not run and will be judged again: those
// behind the nodes that go on, and with all, every one that did not run because
// of what happened to others.
func judgedAgain(b *body, f *Frame, again []bool, all bool) []workflow.NodeID {
	behind := slices.Clone(again)
	var queue []workflow.NodeID
	for i, yes := range again {
		if yes {
			queue = append(queue, workflow.NodeID(i))
		}
	}
	for i := range f.Nodes {
		if all && f.Nodes[i].Act == 0 && f.Nodes[i].Ends&workflow.EndNotRun != 0 && !behind[i] {
			behind[i], queue = true, append(queue, workflow.NodeID(i))
		}
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, dep := range b.dependents[n] {
			if ns := &f.Nodes[dep]; ns.Act == 0 && ns.Ends != 0 && !behind[dep] {
				behind[dep], queue = true, append(queue, dep)
			}
		}
	}
	var nodes []workflow.NodeID
	for i, yes := range behind {
		if yes && f.Nodes[i].Act == 0 {
			nodes = append(nodes, workflow.NodeID(i))
		}
	}
	return nodes
}

// act plans what goes on of an activation: its handler, its frames, or itself.
func (p *retryPlanner) act(a *Activation, all bool) []reopening {
	exact := slices.Contains(p.named, a.Path)
	all = all || p.wants(a.Path)
	if a.Phase != PhaseEnded && a.Phase != PhaseHeldError {
		return p.live(a, all)
	}
	if failed, canceled := p.failed(a); !failed && !canceled && a.Phase == PhaseEnded {
		return nil
	}
	if p.settles && exact {
		p.take(a.Path)
		return []reopening{{act: a.ID, settled: true}}
	}
	closed := a.Closed.all()
	if n := len(closed); n > 0 && !exact {
		if last := p.run.Frames[closed[n-1]]; last.Role == RoleCatch {
			if steps := p.frame(last, all); len(steps) > 0 {
				return append([]reopening{{act: a.ID, role: RoleCatch}}, steps...)
			}
			return nil
		}
	}
	if a.begun() {
		steps, some := p.frames(a, closed, all)
		if !some {
			return nil
		}
		p.take(a.Path)
		return append([]reopening{{act: a.ID}}, steps...)
	}
	if !all {
		return nil
	}
	n := p.m.node(p.run.Frames[a.Frame], a.Node)
	if n.Task != nil && n.Task.AtMostOnce && a.Attempt > 0 {
		p.once = a.Path
		return nil
	}
	p.take(a.Path)
	return []reopening{{act: a.ID}}
}

// live plans what goes on inside an activation that has not ended.
func (p *retryPlanner) live(a *Activation, all bool) []reopening {
	if a.Phase != PhaseFrames {
		return nil
	}
	open, handling := a.Open.all(), false
	for _, id := range open {
		handling = handling || p.run.Frames[id].Role == RoleCatch
	}
	if a.CancelAsked || a.Stopped && !handling {
		p.ending = a.Path + " is ending"
		return nil
	}
	var steps []reopening
	for _, id := range open {
		steps = append(steps, p.frame(p.run.Frames[id], all)...)
	}
	if handling {
		return steps
	}
	for _, id := range a.Closed.all() {
		if f := p.run.Frames[id]; f.Role == RoleBody {
			steps = append(steps, p.frame(f, all)...)
		}
	}
	return steps
}

// frames plans which frames of an activation that ended go on.
func (p *retryPlanner) frames(a *Activation, closed []FrameID, all bool) (steps []reopening, some bool) {
	rule, tolerated := ruleOf(p.m.node(p.run.Frames[a.Frame], a.Node), a)
	failures, bodies := 0, 0
	var left []*Frame
	for _, id := range closed {
		f := p.run.Frames[id]
		if f.Role != RoleBody {
			continue
		}
		bodies++
		more := p.frame(f, all)
		switch {
		case len(more) > 0:
			steps = append(steps, more...)
		case f.Outcome.State == Failed:
			failures++
		default:
			left = append(left, f)
		}
	}
	if len(steps) == 0 && (!all || failures > 0 && failures == bodies) {
		return nil, false
	}
	if failures <= tolerated && !rule.FirstSuccess {
		for _, f := range left {
			more := p.frame(f, true)
			if len(more) == 0 && p.blocked == "" {
				p.blocked = f.Path
			}
			steps = append(steps, more...)
		}
	}
	return steps, true
}

// affected tells what a plan does, in words of paths.
func (p *retryPlanner) affected(steps []reopening) []Affected {
	var out []Affected
	for i := range steps {
		s := &steps[i]
		if s.frame == 0 {
			a := p.run.Acts[s.act]
			n := p.m.node(p.run.Frames[a.Frame], a.Node)
			leaf := i+1 == len(steps) || steps[i+1].frame == 0 || p.run.Frames[steps[i+1].frame].Owner != s.act
			switch {
			case n.Kind == workflow.KindTask && leaf:
				out = append(out, Affected{Path: a.Path, Does: DoesRetry, Attempt: a.Attempt + 1})
			case leaf:
				out = append(out, Affected{Path: a.Path, Does: DoesRetry})
			}
			continue
		}
		f := p.run.Frames[s.frame]
		for _, n := range s.nodes {
			out = append(out, Affected{Path: StepPath(f, p.m.node(f, n)), Does: DoesReopen})
		}
		if f.Phase == FrameEnded && f.Finally != 0 && s.role != RoleFinally {
			out = append(out, Affected{Path: join(f.Path, "finally"), Does: DoesRepeat})
		}
	}
	if len(out) == 0 {
		out = append(out, Affected{Does: DoesRetry}) // only an output is made again
	}
	return out
}

// retryAsked reopens what a retry is about and goes on with it.
func (d *decider) retryAsked(in *Action) error {
	plan, err := d.m.planRetry(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = plan.affected
	if err := d.emit(Event{Kind: EvRetryAsked, Actor: in.Actor, Text: in.Reason}); err != nil {
		return err
	}
	if d.run.lastFrame == 0 {
		return d.openMain()
	}
	if err := d.requeue(); err != nil {
		return err
	}
	for i := range plan.steps {
		if err := d.reopen(&plan.steps[i]); err != nil {
			return err
		}
	}
	d.goOnWith(plan.steps)
	return nil
}

// goOnWith queues what is to be done in the frames that were reopened, and in
// those of activations that were.
func (d *decider) goOnWith(steps []reopening) {
	seen := map[FrameID]bool{}
	for i := range steps {
		id := steps[i].frame
		if a := d.run.Acts[steps[i].act]; a != nil {
			id = a.Frame
		}
		if f := d.run.Frames[id]; f != nil && !seen[id] {
			seen[id] = true
			d.goOn(f)
		}
	}
}

func (d *decider) reopen(s *reopening) error {
	if s.frame != 0 {
		return d.emit(Event{Kind: EvFrameReopened, Frame: s.frame, Role: s.role, Same: s.keeps, Nodes: s.nodes})
	}
	if err := d.emit(Event{Kind: EvReopened, Act: s.act, Role: s.role}); err != nil {
		return err
	}
	if s.settled {
		return nil
	}
	a := d.run.Acts[s.act]
	if a.Phase == PhaseFrames && s.role != RoleCatch {
		return d.withinBounds(a)
	}
	return nil
}

// withinBounds has an activation that goes on with its frames ask for its shares
// again, and gives it its time anew.
func (d *decider) withinBounds(a *Activation) error {
	if a.Queue != nil && a.AskedAt.IsZero() {
		if err := d.emit(Event{Kind: EvQueued, Act: a.ID, Same: true}); err != nil {
			return err
		}
		d.askGate(a)
	}
	if a.Timeout > 0 {
		return d.timer(a, TimerTimeout, d.ctx.Now.Add(a.Timeout), value.Undefined)
	}
	return nil
}

// unpark lets the first frame go on that waits for room in its map.
func (d *decider) unpark(a *Activation) error {
	id := a.Map.Parked[0]
	if err := d.emit(Event{Kind: EvFrameReopened, Frame: id}); err != nil {
		return err
	}
	d.goOnWithin(d.run.Frames[id])
	return nil
}

// goOnWithin queues what is to be done in a frame and in those inside it, also
// in those that were told to stop while it waited.
func (d *decider) goOnWithin(f *Frame) {
	if f == nil {
		return
	}
	d.goOn(f)
	for i := range f.Nodes {
		if a := d.run.Acts[f.Nodes[i].Act]; a != nil && a.Phase != PhaseEnded {
			for _, id := range a.Open.all() {
				d.goOnWithin(d.run.Frames[id])
			}
		}
	}
	d.goOnWithin(d.run.Frames[f.Finally])
}

// goOn queues what is to be done in a frame; of one that waits for room in its
// map, that the map looks for it.
func (d *decider) goOn(f *Frame) {
	if f.Phase == FrameParked {
		d.add(task{kind: taskFrames, act: f.Owner})
	}
	if f.Phase == FrameOpening {
		d.add(task{kind: taskVars, frame: f.ID})
		return
	}
	jumps := d.m.bodies[f.Body].jumps
	for i := range f.Nodes {
		ns := &f.Nodes[i]
		a := d.run.Acts[ns.Act]
		switch {
		case a == nil && ns.Act == 0 && ns.Ends == 0 && !jumps:
			d.add(task{kind: taskJoin, frame: f.ID, node: workflow.NodeID(i)})
		case a != nil && a.Phase == PhaseEntered:
			d.add(task{kind: taskBegin, act: a.ID})
		case a != nil && a.Phase == PhaseFrames:
			d.add(task{kind: taskFrames, act: a.ID})
		case a != nil && a.Phase == PhaseError:
			d.add(task{kind: taskError, act: a.ID})
		case a != nil && a.Phase == PhaseResult:
			d.add(task{kind: taskResult, act: a.ID})
		}
	}
	d.add(task{kind: taskJudge, frame: f.ID})
}
