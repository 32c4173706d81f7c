package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Queue is what an activation, or a run, asks the gate of the installation for
// before it begins, and what it does to conditions when it has succeeded. It is
// evaluated once and recorded.
type Queue struct {
	Uses     []gate.Use  `json:"uses,omitempty"`
	Needs    []gate.Fact `json:"needs,omitempty"`
	Delete   []gate.Fact `json:"delete,omitempty"`
	Add      []gate.Fact `json:"add,omitempty"`
	Priority int         `json:"priority,omitempty"`
	// Remaining is how long the run usually takes from here to its end.
	Remaining time.Duration `json:"remaining,omitempty"`
}

// AskGate asks the gate for what an activation needs to begin; with Act 0, what
// the run needs. The answer is Granted. It is given again by a recovery.
type AskGate struct {
	Act   ActID
	Path  string
	Queue Queue
	// Since is when it began to wait.
	Since time.Time
	Held  bool
	// Granted says that it has been granted, at Since: it has its shares.
	Granted bool
	// Then says what becomes of a run that would have to wait.
	Then workflow.ConcurrencyThen
}

// HoldGate has the gate pass a request over, or no more.
type HoldGate struct {
	Act  ActID
	Held bool
}

// LeaveGate gives back what an activation or run holds, or takes back its request.
type LeaveGate struct{ Act ActID }

// SetFacts changes conditions, in the commit of the decision: first those that
// cease to hold, then those that hold.
type SetFacts struct{ Delete, Add []gate.Fact }

func (AskGate) command()   {}
func (HoldGate) command()  {}
func (LeaveGate) command() {}
func (SetFacts) command()  {}

// Granted answers AskGate: it may begin.
type Granted struct {
	Act ActID // 0: the run
	// Skip says that the run is not to wait: it ends as skipped.
	Skip bool
}

func (Granted) input() {}

// InGate is where something stands with the gate.
type InGate struct {
	// Queue is what it asked for, nil before.
	Queue *Queue
	// AskedAt is since when it is in the gate, zero if it is not; GrantedAt since
	// when it has what it asked for.
	AskedAt   time.Time
	GrantedAt time.Time

	// Shut says that it was reopened, and what is inside does not begin before the
	// grant.
	Shut bool
}

func (g *InGate) queued() bool { return !g.AskedAt.IsZero() && g.GrantedAt.IsZero() }

// gated reports whether a node passes the gate before it begins.
func (d *decider) gated(n *workflow.Node) bool {
	return len(n.Limits) > 0 || n.Gate != nil || d.boundStep(n)
}

// boundStep reports whether the quota of the namespace counts attempts of the node.
func (d *decider) boundStep(n *workflow.Node) bool {
	return d.ctx.BoundSteps && n.Kind == workflow.KindTask
}

// stepUse is the share of that quota which an attempt takes.
func (d *decider) stepUse() gate.Use {
	return gate.Use{ID: gate.ID{Kind: gate.Steps, Namespace: d.m.prog.Namespace}, Weight: 1}
}

func (q *Queue) uses(kind gate.Kind) bool {
	return slices.ContainsFunc(q.Uses, func(u gate.Use) bool { return u.ID.Kind == kind })
}

// passGate asks the gate, unless it has let the activation through already. It
// reports whether the activation has to wait.
func (d *decider) passGate(a *Activation, n *workflow.Node) (bool, error) {
	if !a.GrantedAt.IsZero() || !d.gated(n) && len(d.run.added(a.Path)) == 0 {
		return false, nil
	}
	ev := Event{Kind: EvQueued, Act: a.ID, Same: a.Queue != nil}
	switch {
	case a.Queue == nil:
		q, err := d.queueOf(a, n)
		if err != nil {
			return false, err
		}
		ev.Queue = q
	case d.boundStep(n) && !a.Queue.uses(gate.Steps): // it asked before there was a quota
		q := *a.Queue
		q.Uses = append(slices.Clone(q.Uses), d.stepUse())
		ev.Queue, ev.Same = &q, false
	}
	if err := d.emit(ev); err != nil {
		return false, err
	}
	d.askGate(a)
	return true, nil
}

func (d *decider) askGate(a *Activation) {
	c := AskGate{Act: a.ID, Path: a.Path, Queue: d.run.asked(a.Path, a.Queue), Since: a.AskedAt, Held: d.run.HoldOf(a.Path) != nil}
	if !a.GrantedAt.IsZero() {
		c.Since, c.Granted = a.GrantedAt, true
	}
	d.command(c)
}

// queueOf evaluates what a node asks for.
func (d *decider) queueOf(a *Activation, n *workflow.Node) (*Queue, error) {
	p := d.placeOf(a)
	p.stage = p.raw
	q := &Queue{Remaining: d.remaining(a)}
	space := d.m.prog.Namespace
	for i := range n.Limits {
		use := &n.Limits[i]
		name, err := d.gateName(use.Name, p, "limits")
		if err != nil {
			return nil, err
		}
		weight, err := d.count(use.Weight, p, "the weight of limit "+name, 1)
		if err != nil {
			return nil, err
		}
		if weight < 1 || weight > gate.MaxCapacity {
			return nil, d.m.engineError(ErrEvaluation, fmt.Sprintf("the weight of limit %s is %d, want one from 1 to %d", name, weight, gate.MaxCapacity))
		}
		q.Uses = append(q.Uses, gate.Use{ID: gate.ID{Namespace: space, Name: name}, Weight: weight})
	}
	if d.boundStep(n) {
		q.Uses = append(q.Uses, d.stepUse())
	}
	if n.Priority != nil {
		v, err := d.value(n.Priority, p)
		if err != nil {
			return nil, err
		}
		priority, ok := v.Int()
		if !ok || priority < -gate.MaxPriority || priority > gate.MaxPriority {
			return nil, d.m.engineError(ErrEvaluation, fmt.Sprintf("priority: %s is no whole number from %d to %d", v, -gate.MaxPriority, gate.MaxPriority))
		}
		q.Priority = int(priority)
	}
	if n.Gate == nil {
		return q, nil
	}
	for _, list := range []struct {
		from []workflow.ConditionMatch
		to   *[]gate.Fact
	}{{n.Gate.Needs, &q.Needs}, {n.Gate.Delete, &q.Delete}, {n.Gate.Add, &q.Add}} {
		for i := range list.from {
			f, err := d.fact(&list.from[i], p)
			if err != nil {
				return nil, err
			}
			*list.to = append(*list.to, f)
		}
	}
	return q, nil
}

func (d *decider) gateName(data *workflow.Data, p *place, what string) (string, error) {
	v, err := d.value(data, p)
	if err != nil {
		return "", err
	}
	name, ok := v.Str()
	if err := gate.CheckName(name); !ok || err != nil {
		return "", d.m.engineError(ErrEvaluation, fmt.Sprintf("%s: %s is no name: want a text of at most %d bytes", what, short(v), gate.MaxName))
	}
	return name, nil
}

// fact evaluates a condition; without a date it has the run's.
func (d *decider) fact(c *workflow.ConditionMatch, p *place) (gate.Fact, error) {
	f := gate.Fact{Namespace: d.m.prog.Namespace, Date: d.run.BusinessDate}
	var err error
	if f.Name, err = d.gateName(c.Name, p, "conditions"); err != nil {
		return f, err
	}
	date, err := d.value(c.Date, p)
	if err != nil {
		return f, err
	}
	if !date.IsNull() {
		f.Date = date.Text()
	}
	if err := f.Check(); err != nil {
		return f, d.m.engineError(ErrEvaluation, "conditions: "+err.Error())
	}
	return f, nil
}

// remaining is how long the run usually takes from the begin of an activation to
// its end, by what its nodes are expected to take.
func (d *decider) remaining(a *Activation) time.Duration {
	f := d.run.Frames[a.Frame]
	left := d.m.bodies[f.Body].chain[a.Node]
	for f.Owner != 0 {
		owner := d.run.Acts[f.Owner]
		f = d.run.Frames[owner.Frame]
		left += d.m.bodies[f.Body].chain[owner.Node] - expected(d.m.node(f, owner.Node))
	}
	return left
}

// granted lets an activation begin, or a run.
func (d *decider) granted(in Granted) error {
	if in.Act == 0 {
		return d.runGranted(in)
	}
	a := d.run.Acts[in.Act]
	if a == nil || !a.queued() {
		d.command(LeaveGate{Act: in.Act})
		return nil
	}
	if err := d.emit(Event{Kind: EvGranted, Act: a.ID}); err != nil {
		return err
	}
	if a.Phase == PhaseEntered {
		d.add(task{kind: taskBegin, act: a.ID})
		return nil
	}
	d.beginEntered() // what goes on inside
	return nil
}

func (d *decider) beginEntered() {
	for _, id := range inOrder(d.run.Acts) {
		if d.run.Acts[id].Phase == PhaseEntered {
			d.add(task{kind: taskBegin, act: id})
		}
	}
}

// shutOut reports whether a frame lies in something that was reopened and has not
// got its shares again.
func (d *decider) shutOut(f *Frame) bool {
	if d.run.queued() {
		return true
	}
	for f.Owner != 0 || f.Of != 0 {
		if owner := d.run.Acts[f.Owner]; owner != nil && owner.queued() {
			return true
		}
		f = d.run.Frames[f.Outer]
	}
	return false
}

// holdGate tells the gate of requests that a hold covers, or no longer covers.
func (d *decider) holdGate() {
	if d.run.queued() {
		d.command(HoldGate{Held: d.run.wholeHold() != nil})
	}
	for _, id := range inOrder(d.run.Acts) {
		if a := d.run.Acts[id]; a.queued() {
			d.command(HoldGate{Act: id, Held: d.run.HoldOf(a.Path) != nil})
		}
	}
}

// recoverGate asks again for what waits, and retakes what was granted.
func (d *decider) recoverGate() {
	if !d.run.AskedAt.IsZero() {
		d.askRunGate()
	}
	for _, id := range inOrder(d.run.Acts) {
		if a := d.run.Acts[id]; !a.AskedAt.IsZero() {
			d.askGate(a)
		}
	}
}

// leaveGate tells the gate who has left it with the last event.
func (d *decider) leaveGate(ev *Event, before bool) {
	if before && d.run.AskedAt.IsZero() {
		d.command(LeaveGate{})
	}
	if a := d.run.Acts[ev.Act]; a != nil && a.left {
		a.left = false
		d.command(LeaveGate{Act: a.ID})
	}
}

// applyGate folds what the gate has to do with an activation.
func applyGate(run *Run, a *Activation, ev *Event) {
	if ev.Kind == EvGranted {
		a.GrantedAt = ev.At
		if a.Phase == PhaseGate {
			a.Phase, a.State, a.Reason = PhaseEntered, Pending, ReasonNone
			return
		}
		a.open(run)
		a.State, a.Reason = Running, ReasonNone
		return
	}
	if ev.Queue != nil {
		a.Queue = ev.Queue
	}
	if a.Queue == nil {
		a.Queue = &Queue{} // of an erased run
	}
	if a.Phase != PhaseGate { // else it waits for less, and keeps its place
		a.AskedAt, a.GrantedAt = ev.At, time.Time{}
	}
	a.State, a.Reason = Queued, ReasonLimit
	if len(a.Queue.Uses) == 0 {
		a.Reason = ReasonCondition
	}
	switch a.Phase {
	case PhaseEntered:
		a.Phase = PhaseGate
	case PhaseGate:
	default:
		a.close(run)
	}
}

func (g *InGate) close(run *Run) {
	if !g.Shut {
		g.Shut = true
		run.shut++
	}
}

func (g *InGate) open(run *Run) {
	if g.Shut {
		g.Shut = false
		run.shut--
	}
}

// settleGate sees whether an activation leaves the gate with an event: a task when
// its attempt has ended, everything else when it ends itself.
func (m *Machine) settleGate(run *Run, a *Activation, ev *Event) {
	a.left = false
	if a.AskedAt.IsZero() || !m.leaves(run, a, ev) {
		return
	}
	a.open(run)
	a.left, a.AskedAt, a.GrantedAt = true, time.Time{}, time.Time{}
}

func (m *Machine) leaves(run *Run, a *Activation, ev *Event) bool {
	switch a.Phase {
	case PhaseEnded:
		return true
	case PhaseGate, PhaseAttempt, PhaseMessage, PhaseUnknown, PhaseEvent: // a task in the last looks into the cache
		return false
	default:
	}
	n := m.node(run.Frames[a.Frame], a.Node)
	if n.Kind != workflow.KindTask {
		return false
	}
	if a.Phase != PhaseEntered {
		return true
	}
	return ev.Kind == EvAttemptEnded && (ev.Outcome != OutcomeLost || !n.Task.AtMostOnce)
}

// facts changes the conditions that an activation changes by its success.
func (d *decider) facts(a *Activation) {
	if q := a.Queue; q != nil && len(q.Delete)+len(q.Add) > 0 {
		d.command(SetFacts{Delete: slices.Clone(q.Delete), Add: slices.Clone(q.Add)})
	}
}

// expected is how long a node usually takes.
func expected(n *workflow.Node) time.Duration {
	length, err := parseExpected(n.Expected)
	if err != nil {
		return 0 // Prepare has refused it
	}
	return length
}

// awaitCondition waits until a condition holds.
func (d *decider) awaitCondition(a *Activation, n *workflow.Node, p *place) error {
	with, err := d.plain(n.Wait.Event.With, p)
	if err != nil {
		return err
	}
	name, date := with.Get("name"), with.Get("date")
	match := workflow.ConditionMatch{Name: workflow.Constant(name)}
	if !date.IsNull() {
		match.Date = workflow.Constant(date)
	}
	f, err := d.fact(&match, p)
	if err != nil {
		return err
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	return d.await(a, Awaited{Kind: AwaitCondition, Namespace: f.Namespace, Name: f.Name, Date: f.Date}, value.Undefined, timeout)
}

// conditionAwaited explains a wait for a condition.
func (w *whyer) conditionAwaited(a *Activation) Condition {
	f := a.Awaits.Fact()
	c := Condition{Kind: ConditionFact, Subject: f.Name, Since: a.Since, Due: w.latest(a)}
	c.Text = fmt.Sprintf("It waits for condition %s, which does not hold.", factText(f))
	if !c.Due.IsZero() {
		c.Text += " It waits until " + stamp(c.Due) + "."
	}
	return c
}

// Fact is the condition that is waited for.
func (a *Awaited) Fact() gate.Fact {
	return gate.Fact{Namespace: a.Namespace, Name: a.Name, Date: a.Date}
}
