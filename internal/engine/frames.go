package engine

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// beginFrames opens the frames of an activation, under its timeout.
func (d *decider) beginFrames(a *Activation, n *workflow.Node, p *place, frames []opening) error {
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	if timeout > 0 {
		if err := d.timer(a, TimerTimeout, d.ctx.Now.Add(timeout), value.Undefined); err != nil {
			return err
		}
	}
	for _, o := range frames {
		o.role, o.owner, o.attempt = RoleBody, a.ID, a.Attempt
		if err := d.open(o); err != nil {
			return err
		}
		if a.Phase != PhaseFrames {
			return nil // the depth guard failed it
		}
	}
	return nil
}

func (d *decider) beginFork(a *Activation, n *workflow.Node, p *place) error {
	frames := make([]opening, len(n.Fork.Branches))
	for i, b := range n.Fork.Branches {
		frames[i] = opening{body: b.Body, branch: i, index: -1, raw: p.input}
	}
	return d.beginFrames(a, n, p, frames)
}

func (d *decider) beginChoice(a *Activation, n *workflow.Node, p *place) error {
	for i := range n.Choice.Cases {
		c := &n.Choice.Cases[i]
		if c.If != nil {
			ok, err := d.truth(c.If, p)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		if c.Body != nil {
			return d.beginFrames(a, n, p, []opening{{body: *c.Body, branch: i, index: -1, raw: p.input}})
		}
		if err := d.emit(Event{Kind: EvResult, Act: a.ID, Output: nullIfUndefined(p.input), Input: p.input, Branch: i + 1}); err != nil {
			return err
		}
		d.add(task{kind: taskResult, act: a.ID})
		return nil
	}
	if n.Choice.MustMatch {
		return d.m.engineError(ErrNoChoice, "no case of "+a.Path+" holds")
	}
	return d.setResult(a, value.Null, p.input)
}

// endChoice ends a choice: the case that jumped has stages of its own.
func (d *decider) endChoice(a *Activation, n *workflow.Node, e ending) error {
	if a.Winner == 0 || n.Choice.Cases[a.Winner-1].Next == nil {
		return d.endAct(a, e)
	}
	c := &n.Choice.Cases[a.Winner-1]
	p := d.placeOf(a)
	output, err := d.stages(c.Result, e.output, p)
	p.output = output
	if err == nil && c.Assign != nil {
		err = d.assign(a, c.Assign, p)
	}
	if failure, ok := asError(err); ok {
		return d.setError(a, failure)
	}
	if err != nil {
		return err
	}
	e.output, e.same, e.next = output, e.same && c.Result == nil, c.Next
	return d.endAct(a, e)
}

func (d *decider) beginMap(a *Activation, n *workflow.Node, p *place) error {
	v, err := d.value(n.Map.Items, p)
	if err != nil {
		return err
	}
	if r, large := v.Ref(); v.Kind() != value.KindList && (!large || r.Kind != value.KindList) {
		return d.m.engineError(ErrEvaluation, fmt.Sprintf("%s goes over a list, but got %s", a.Path, v.Kind()))
	}
	parallel, err := d.count(n.Map.MaxParallel, p, "max_parallel", 0)
	if err != nil {
		return err
	}
	if parallel == 0 {
		parallel = MapParallel
	}
	tolerated, err := d.tolerance(&n.Map.Rule, p, v.Len())
	if err != nil {
		return err
	}
	timeout, err := d.duration(n.Timeout, p, "timeout")
	if err != nil {
		return err
	}
	if err := d.emit(Event{
		Kind: EvMapOpened, Act: a.ID, Items: v, Count: v.Len(), MaxParallel: parallel, MaxFailures: tolerated, Input: p.input,
	}); err != nil {
		return err
	}
	if v.Len() == 0 {
		return d.setResult(a, value.List(), value.Undefined)
	}
	if timeout > 0 {
		if err := d.timer(a, TimerTimeout, d.ctx.Now.Add(timeout), value.Undefined); err != nil {
			return err
		}
	}
	d.add(task{kind: taskFrames, act: a.ID})
	return nil
}

// tolerance is how many of the items may fail.
func (d *decider) tolerance(r *workflow.Rule, p *place, items int) (int, error) {
	tolerated := 0
	if r.MaxFailures != nil {
		n, err := d.count(r.MaxFailures, p, "max_failures", 0)
		if err != nil {
			return 0, err
		}
		tolerated = n
	}
	if r.MaxFailedPercent != nil {
		v, err := d.value(r.MaxFailedPercent, p)
		if err != nil {
			return 0, err
		}
		percent, ok := v.Float()
		if !ok || percent < 0 || percent > 100 {
			return 0, d.m.engineError(ErrEvaluation, fmt.Sprintf("max_failed_percent: %s is no number from 0 to 100", v))
		}
		share := int(percent * float64(items) / 100)
		if r.MaxFailures == nil || share < tolerated {
			tolerated = share
		}
	}
	return tolerated, nil
}

// framesNext opens the frames of items for which there is room, those first
// that wait to be reopened, and ends what has no open frames left.
func (d *decider) framesNext(id ActID) error {
	a := d.run.Acts[id]
	if a == nil || a.Phase != PhaseFrames || a.CancelAsked {
		return nil
	}
	if d.cur == nil && d.run.suspended[a.pending] != nil {
		return nil // what goes on then does all there is
	}
	err := d.nextFrames(a)
	if errors.Is(err, errSuspended) {
		a.pending = d.run.lastEval
	}
	return err
}

func (d *decider) nextFrames(a *Activation) error {
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	if a.Loop != nil {
		d.nextTurn(a)
		return nil
	}
	if a.Map == nil {
		return d.framesDone(a, n)
	}
	for len(a.Map.Parked) > 0 && a.room() {
		if err := d.unpark(a); err != nil {
			return err
		}
	}
	for a.Phase == PhaseFrames && !a.full(n) && a.room() {
		o := opening{role: RoleBody, owner: a.ID, body: n.Map.Body, index: a.Map.Next, attempt: a.Attempt}
		item, made, err := d.itemOf(a, n)
		if e, ok := asError(err); ok {
			return d.failMap(a, e)
		}
		if err != nil {
			return err
		}
		o.item = item
		if err := d.open(o); err != nil {
			return err
		}
		if made { // one evaluation for each piece of work
			d.add(task{kind: taskFrames, act: a.ID})
			return nil
		}
	}
	return d.framesDone(a, n)
}

// itemOf makes the next item, if it is not as it stands in the list: by the map's
// expression, or because it lies elsewhere and its frame hands it on.
func (d *decider) itemOf(a *Activation, n *workflow.Node) (item value.Value, made bool, err error) {
	whole := a.Map.Item(a.Map.Next)
	switch {
	case n.Map.Select != nil:
		p := d.placeOf(a)
		p.item, p.index = &whole, a.Map.Next
		item, err = d.value(n.Map.Select, p)
	case d.m.bodies[n.Map.Body].jumps && foreign(whole):
		item, err = d.own(whole)
	default:
		return value.Undefined, false, nil
	}
	return nullIfUndefined(item), true, err
}

// failMap fails a map for an error of its own; what is open is unwound first.
func (d *decider) failMap(a *Activation, e *Error) error {
	if a.living() == 0 {
		return d.setError(a, e)
	}
	if err := d.emit(Event{Kind: EvStopping, Act: a.ID, State: Failed, Reason: ReasonError, Error: e}); err != nil {
		return err
	}
	return d.stopFrames(a, ReasonSibling)
}

// bodyDone takes the end of one of the activation's frames.
func (d *decider) bodyDone(a *Activation, f *Frame, out Outcome) error {
	if a.CancelAsked {
		if a.living() == 0 {
			return d.unwound(a)
		}
		return nil
	}
	if a.Loop != nil {
		d.nextTurn(a)
		return nil
	}
	n := d.m.node(d.run.Frames[a.Frame], a.Node)
	rule, tolerated := ruleOf(n, a)
	stop := false
	switch {
	case out.State == Succeeded && rule.FirstSuccess:
		stop = true
	case out.State == Failed && !rule.FirstSuccess && a.Fails > tolerated && rule.OnFailure != workflow.GoOn:
		stop = rule.OnFailure == workflow.CancelRest
		if !a.Stopped && !stop {
			if err := d.emit(Event{Kind: EvStopping, Act: a.ID, State: Failed, Reason: ReasonSibling}); err != nil {
				return err
			}
		}
	}
	if stop && !a.Stopped && (a.living() > 0 || n.Kind == workflow.KindMap || out.State == Succeeded) {
		winner := 0
		if out.State == Succeeded {
			winner = max(f.Index, f.Branch) + 1
		}
		if err := d.emit(Event{Kind: EvStopping, Act: a.ID, State: Failed, Reason: ReasonSibling, Branch: winner}); err != nil {
			return err
		}
		if a.living() > 0 {
			return d.stopFrames(a, ReasonSibling)
		}
	}
	if n.Kind == workflow.KindMap {
		d.keepOutputs(a, n)
		d.add(task{kind: taskFrames, act: a.ID})
		return nil
	}
	return d.framesDone(a, n)
}

// living counts the frames that have not ended.
func (a *Activation) living() int {
	if a.Map == nil {
		return a.Open.Live
	}
	return a.Open.Live + len(a.Map.Parked)
}

// room reports whether another frame of the map may be open.
func (a *Activation) room() bool { return a.Open.Live < a.Map.MaxParallel }

// full reports whether no further items of the map begin: there are none, or
// too many have failed.
func (a *Activation) full(n *workflow.Node) bool {
	rule, tolerated := ruleOf(n, a)
	return a.Stopped || a.Map.Next >= a.Map.Count ||
		a.Fails > tolerated && rule.OnFailure != workflow.GoOn && !rule.FirstSuccess
}

// firstError is the error of the first frame that failed; of those that are
// left after a retry, the first by number.
func (r *Run) firstError(a *Activation) *Error {
	if a.FirstErr != nil {
		return a.FirstErr
	}
	for _, id := range a.Closed.all() {
		if f := r.Frames[id]; f != nil && f.Role == RoleBody && f.Outcome.State == Failed && f.Outcome.Error != nil {
			return f.Outcome.Error
		}
	}
	return &Error{Name: ErrFailed}
}

func ruleOf(n *workflow.Node, a *Activation) (rule workflow.Rule, tolerated int) {
	switch {
	case n.Fork != nil:
		return n.Fork.Rule, 0
	case n.Map != nil && a.Map != nil:
		return n.Map.Rule, a.Map.MaxFailures
	}
	return workflow.Rule{OnFailure: workflow.CancelRest}, 0
}

// framesDone makes the result once no frame is open and none will be.
func (d *decider) framesDone(a *Activation, n *workflow.Node) error {
	if a.Phase != PhaseFrames || a.living() > 0 || a.Map != nil && !a.full(n) {
		return nil
	}
	rule, tolerated := ruleOf(n, a)
	switch {
	case rule.FirstSuccess && a.Winner > 0:
		if a.Map != nil {
			return d.setResult(a, a.Map.Outputs.of(a.Winner-1), value.Undefined)
		}
		return d.setResult(a, nullIfUndefined(a.Outputs[a.Winner-1]), value.Undefined)
	case a.Fails > tolerated:
		err := d.run.firstError(a)
		if a.Map != nil && (rule.MaxFailures != nil || rule.MaxFailedPercent != nil) {
			first := err
			err = d.m.engineError(ErrTooManyFailures, fmt.Sprintf(
				"%d of %d items failed, %d tolerated; the first: %s", a.Fails, a.Map.Count, tolerated, first.Message))
			err.Details = first.Value()
		}
		return d.setError(a, err)
	case a.FirstErr != nil && a.Fails == 0: // an error of the map itself
		return d.setError(a, a.FirstErr)
	}
	gathered := gather(n, a)
	apart := a.Map != nil && len(a.Map.Outputs.Parts) > 0
	if d.doing.kind != taskFrames && (apart || gathered.Size() > MaxInline) {
		d.add(task{kind: taskFrames, act: a.ID}) // as work that can be done again
		return nil
	}
	keep := d.kept
	if apart {
		keep = d.keptList
	}
	gathered, err := keep(gathered)
	if e, ok := asError(err); ok {
		return d.setError(a, e)
	}
	if err != nil {
		return err
	}
	return d.setResult(a, gathered, value.Undefined)
}

// outcomes lists how each item of a map ended.
func outcomes(m *MapState) value.Value {
	stamp := func(t time.Time) value.Value {
		if t.IsZero() {
			return value.Null
		}
		return value.String(t.UTC().Format(time.RFC3339Nano))
	}
	out := make([]value.Value, m.Count)
	for i := range out {
		end := &m.Ends[i]
		state := end.State
		if state == "" {
			state = Pending
		}
		out[i] = value.Object(
			value.M("index", value.Int(int64(i))), value.M("state", value.String(string(state))),
			value.M("input", nullIfUndefined(m.Item(i))), value.M("output", m.Outputs.of(i)), value.M("error", end.Err.Value()),
			value.M("started_at", stamp(end.OpenedAt)), value.M("ended_at", stamp(end.EndedAt)))
	}
	return value.List(out...)
}

// gather makes one result of the frames' outputs.
func gather(n *workflow.Node, a *Activation) value.Value {
	if a.Map != nil {
		return gatherMap(n, a.Map)
	}
	if n.Fork == nil || n.Fork.Gather == workflow.GatherSingle {
		for _, v := range a.Outputs {
			if !v.IsUndefined() {
				return v
			}
		}
		return value.Null
	}
	if n.Fork.Gather == workflow.GatherObject {
		members := make([]value.Member, len(n.Fork.Branches))
		for i, b := range n.Fork.Branches {
			name := b.Name
			if name == "" {
				name = strconv.Itoa(i)
			}
			members[i] = value.M(name, nullIfUndefined(a.Outputs[i]))
		}
		return value.Object(members...)
	}
	items := make([]value.Value, len(a.Outputs))
	for i, v := range a.Outputs {
		items[i] = nullIfUndefined(v)
	}
	return value.List(items...)
}
