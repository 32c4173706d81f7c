package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Restored is what a frame was when it ended, without users' data: it is open
// again with that.
type Restored struct {
	Body     workflow.BodyID `json:"body"`
	Branch   int             `json:"branch,omitempty"`
	Index    int             `json:"index"`
	Attempt  int             `json:"attempt"`
	Path     string          `json:"path"`
	Was      string          `json:"was,omitempty"`
	Finals   int             `json:"finals,omitempty"`
	State    State           `json:"state"` // it had ended so
	Failures []ActID         `json:"failures,omitempty"`
	Nodes    []RestoredNode  `json:"nodes"`
	// Owner is what the activation was that opened it, if that had ended and goes
	// on; nil if it goes on already.
	Owner *RestoredOwner `json:"owner,omitempty"`
}

// RestoredNode is what a node of the frame was. One that is judged again has
// neither ends nor an activation.
type RestoredNode struct {
	Visits int           `json:"visits,omitempty"`
	Ends   workflow.Ends `json:"ends,omitempty"`
	Why    Reason        `json:"why,omitempty"`
	Act    *RestoredAct  `json:"act,omitempty"`
	// Again says that the activation was to run again, and did not.
	Again bool `json:"again,omitempty"`
}

// RestoredAct is an activation that has ended.
type RestoredAct struct {
	ID         ActID         `json:"id"`
	Visit      int           `json:"visit"`
	Generation int           `json:"generation,omitempty"`
	Path       string        `json:"path"`
	Was        string        `json:"was,omitempty"`
	State      State         `json:"state"`
	Reason     Reason        `json:"reason,omitempty"`
	Handled    bool          `json:"handled,omitempty"`
	EnteredAt  time.Time     `json:"entered_at"`
	EndedAt    time.Time     `json:"ended_at"`
	Attempt    int           `json:"attempt"`
	Reopened   int           `json:"reopened,omitempty"`
	Resumed    int           `json:"resumed,omitempty"`
	Fence      Fence         `json:"fence,omitzero"`
	Timeout    time.Duration `json:"timeout,omitempty"`
}

// RestoredOwner is how far an activation with frames had come. Has says of which
// branches or items there is an output.
type RestoredOwner struct {
	Fails int    `json:"fails,omitempty"`
	Has   []bool `json:"has,omitempty"`
	// Of a map.
	Map         bool `json:"map,omitempty"`
	MaxParallel int  `json:"max_parallel,omitempty"`
	MaxFailures int  `json:"max_failures,omitempty"`
	Next        int  `json:"next,omitempty"`
	Done        int  `json:"done,omitempty"`
	// Of a loop.
	Turn    int       `json:"turn,omitempty"`
	Max     int       `json:"max,omitempty"`
	Base    int       `json:"base,omitempty"`
	BeganAt time.Time `json:"began_at,omitzero"`
}

// RestoredData is the users' data of a [Restored]; nil in a run that was erased.
type RestoredData struct {
	Item  value.Value        `json:"item,omitzero"`
	Raw   value.Value        `json:"raw,omitzero"`
	Vars  value.Value        `json:"vars,omitzero"`
	Nodes []RestoredNodeData `json:"nodes"`
	// Items, Outputs and Ends are those of the owner: outputs by branch or item,
	// null where there is none.
	Items   value.Value   `json:"items,omitzero"`
	Outputs []value.Value `json:"outputs,omitempty"`
	Ends    []ItemEnd     `json:"ends,omitempty"`
	First   *Error        `json:"first,omitempty"` // of the failures
}

// RestoredNodeData is the users' data of a node.
type RestoredNodeData struct {
	Input      value.Value `json:"input,omitzero"`
	Output     value.Value `json:"output,omitzero"`
	Err        *Error      `json:"error,omitempty"`
	Artifacts  []Artifact  `json:"artifacts,omitempty"`
	Checkpoint []byte      `json:"checkpoint,omitempty"`
	Queue      *Queue      `json:"queue,omitempty"`
	By         *Holding    `json:"by,omitempty"`
}

// size estimates the bytes of the values.
func (d *RestoredData) size() int {
	n := d.Item.Size() + d.Raw.Size() + d.Vars.Size() + d.Items.Size()
	for i := range d.Nodes {
		n += d.Nodes[i].Input.Size() + d.Nodes[i].Output.Size()
	}
	for _, v := range d.Outputs {
		n += v.Size()
	}
	return n
}

// recall is the event that opens a frame of the past again. The judged nodes are
// as if nobody had looked at them; first says that its owner goes on with it.
func recall(past *Run, f *Frame, judged []workflow.NodeID, first bool) Event {
	r := &Restored{
		Body: f.Body, Branch: f.Branch, Index: f.Index, Attempt: f.Attempt, Path: f.Path, Was: f.Was, Finals: f.Finals,
		State: f.Outcome.State, Failures: slices.Clone(f.Failures), Nodes: make([]RestoredNode, len(f.Nodes)),
	}
	data := &RestoredData{Item: f.Item, Raw: f.Raw, Vars: f.Vars, Nodes: make([]RestoredNodeData, len(f.Nodes))}
	for i := range f.Nodes {
		ns := &f.Nodes[i]
		a := past.Acts[ns.Act]
		switch {
		case a != nil:
			r.Nodes[i] = RestoredNode{Visits: ns.Visits, Ends: ns.Ends, Why: ns.Why, Act: recallAct(a)}
			data.Nodes[i] = RestoredNodeData{
				Input: a.Input, Output: a.Output, Err: a.Err, Artifacts: a.Artifacts, Checkpoint: a.Checkpoint, Queue: a.Queue,
			}
		case !slices.Contains(judged, workflow.NodeID(i)):
			r.Nodes[i] = RestoredNode{Visits: ns.Visits, Ends: ns.Ends, Why: ns.Why}
			data.Nodes[i].By = ns.By
		}
		if again := past.Acts[ns.Again]; a == nil && again != nil {
			r.Nodes[i].Visits, r.Nodes[i].Act, r.Nodes[i].Again = ns.Visits, recallAct(again), true
		}
	}
	if first {
		recallOwner(past.Acts[f.Owner], f, r, data)
	}
	return Event{Kind: EvRestored, Frame: f.ID, Act: f.Owner, Role: RoleBody, Index: f.Index, Nodes: judged, Restored: r, Recalled: data}
}

func recallAct(a *Activation) *RestoredAct {
	return &RestoredAct{
		ID: a.ID, Visit: a.Visit, Generation: a.Generation, Path: a.Path, Was: a.Was, State: a.State, Reason: a.Reason, Handled: a.Handled,
		EnteredAt: a.EnteredAt, EndedAt: a.EndedAt, Attempt: a.Attempt, Reopened: a.Reopened, Resumed: a.Resumed, Fence: a.Fence, Timeout: a.Timeout,
	}
}

// recallOwner notes how far the activation had come that opened the frame.
func recallOwner(a *Activation, f *Frame, r *Restored, data *RestoredData) {
	o := &RestoredOwner{Fails: a.Fails}
	r.Owner, data.First = o, a.FirstErr
	switch {
	case a.Map != nil:
		m := a.Map
		o.Map, o.MaxParallel, o.MaxFailures, o.Next, o.Done = true, m.MaxParallel, m.MaxFailures, m.Next, m.Done
		data.Items, data.Ends = m.Items, m.Ends
		o.Has = slices.Clone(m.Ok)
		for i := range m.Count {
			data.Outputs = append(data.Outputs, m.Outputs.of(i))
		}
		return
	case a.Loop != nil:
		o.Turn, o.Max, o.Base, o.BeganAt = f.Index, a.Loop.Max, a.Loop.Base, a.Loop.BeganAt
		return
	}
	for _, v := range a.Outputs {
		o.Has = append(o.Has, !v.IsUndefined())
		data.Outputs = append(data.Outputs, nullIfUndefined(v))
	}
}

// applyRestored opens a frame again that was over, with what its nodes had. Its
// owner goes on, if it does not already; a frame of a map waits for room.
func (m *Machine) applyRestored(run *Run, a *Activation, ev *Event) error {
	r, data := ev.Restored, ev.Recalled
	switch {
	case r == nil || r.Body < 0 || int(r.Body) >= len(m.bodies) || len(r.Nodes) != len(m.bodies[r.Body].Nodes) || ev.Frame > run.lastFrame,
		(a.Phase == PhaseEnded) != (r.Owner != nil):
		return fmt.Errorf("%w: frame %d restored in activation %d, which is %s", ErrProtocol, ev.Frame, a.ID, a.Phase)
	}
	if data == nil {
		data = &RestoredData{Nodes: make([]RestoredNodeData, len(r.Nodes))}
	}
	if old := run.Frames[ev.Frame]; old != nil { // it was kept for a retry
		a.Closed.remove(old.ID)
		m.forgetFrame(run, old)
	}
	if r.Owner != nil {
		m.ownerGoesOn(run, a, r.Owner, data)
	}
	outer := run.Frames[a.Frame]
	f := &Frame{
		ID: ev.Frame, Role: RoleBody, Body: r.Body, Owner: a.ID, Outer: outer.ID, Branch: r.Branch, Index: r.Index, Attempt: r.Attempt,
		Depth: outer.Depth + 1, Path: r.Path, Was: r.Was, Item: data.Item, Raw: data.Raw, Vars: data.Vars, Failures: slices.Clone(r.Failures),
		Finals: r.Finals, Nodes: make([]NodeState, len(r.Nodes)), Phase: FrameOpen,
	}
	run.Frames[f.ID] = f
	m.restoreNodes(run, f, r, data)
	if r.State == Failed && !tolerates(m.node(outer, a.Node)) {
		a.Fails--
	}
	if a.Fails == 0 {
		a.FirstErr = nil
	}
	switch {
	case a.Map != nil:
		a.Map.Done--
		a.Map.Outputs.drop(f.Index)
		a.Map.Ok[f.Index] = false
		if a.Map.Ends != nil {
			a.Map.Ends[f.Index] = ItemEnd{OpenedAt: a.Map.Ends[f.Index].OpenedAt}
		}
		a.Map.Parked = append(a.Map.Parked, f.ID)
		f.Phase = FrameParked
		run.inPark++
		return nil
	case a.Loop != nil:
		a.Loop.Output = data.Item // of the turn before
	default:
		a.Outputs[f.Branch] = value.Undefined
	}
	a.Open.add(f.ID)
	return nil
}

// ownerGoesOn lets an activation go on with frames that had ended.
func (m *Machine) ownerGoesOn(run *Run, a *Activation, o *RestoredOwner, data *RestoredData) {
	f := run.Frames[a.Frame]
	f.Live++
	f.Failures = slices.DeleteFunc(f.Failures, func(id ActID) bool { return id == a.ID })
	m.unsettle(f, a.Node)
	a.State, a.Reason, a.Phase, a.Handled = Running, ReasonNone, PhaseFrames, false
	a.EndedAt, a.Output, a.Result, a.Err = time.Time{}, value.Undefined, value.Undefined, nil
	a.CancelAsked, a.Why, a.Expired, a.Stopped = false, ReasonNone, "", false
	a.By, a.Told, a.Retries, a.Matched, a.RuleAt = nil, false, nil, false, 0
	a.Reopened++
	for _, id := range a.Closed.all() {
		if c := run.Frames[id]; c != nil && c.Role == RoleCatch {
			a.Closed.remove(id)
			m.letGo(run, c)
		}
	}
	a.Fails, a.FirstErr, a.Outputs, a.Map, a.Loop = o.Fails, data.First, nil, nil, nil
	outputs := make([]value.Value, len(o.Has))
	for i, has := range o.Has {
		if has && i < len(data.Outputs) {
			outputs[i] = data.Outputs[i]
		}
	}
	switch {
	case o.Map:
		a.Map = &MapState{
			Items: data.Items, Count: len(o.Has), MaxParallel: o.MaxParallel, MaxFailures: o.MaxFailures, Next: o.Next, Done: o.Done,
			Outputs: MapOutputs{Inline: make([]value.Value, len(outputs))}, Ok: slices.Clone(o.Has), Ends: slices.Clone(data.Ends),
		}
		for i, has := range o.Has {
			if has {
				a.Map.Outputs.add(i, outputs[i])
			}
		}
	case o.Turn > 0:
		a.Loop = &LoopState{Max: o.Max, Turn: o.Turn, Base: o.Base, Output: value.Null, BeganAt: o.BeganAt}
	default:
		a.Outputs = outputs
	}
}

// restoreNodes gives a frame back what its nodes had.
func (m *Machine) restoreNodes(run *Run, f *Frame, r *Restored, data *RestoredData) {
	for i := range r.Nodes {
		n, u, ns := &r.Nodes[i], &data.Nodes[i], &f.Nodes[i]
		ns.Visits, ns.Ends, ns.Why, ns.By = n.Visits, n.Ends, n.Why, u.By
		if x := n.Act; x != nil {
			a := &Activation{
				ID: x.ID, Frame: f.ID, Node: workflow.NodeID(i), Visit: x.Visit, Generation: x.Generation, Path: x.Path, Was: x.Was,
				State: x.State, Reason: x.Reason, Phase: PhaseEnded, Handled: x.Handled, EnteredAt: x.EnteredAt, EndedAt: x.EndedAt, Since: x.EndedAt,
				Attempt: x.Attempt, Reopened: x.Reopened, Resumed: x.Resumed, Fence: x.Fence, Timeout: x.Timeout, Raw: f.Raw,
				Input: u.Input, Output: u.Output, Err: u.Err, Artifacts: u.Artifacts, Checkpoint: u.Checkpoint,
			}
			a.Queue = u.Queue
			run.Acts[a.ID] = a
			if n.Again {
				ns.Again, a.Anew = a.ID, true
			} else {
				ns.Act = a.ID
			}
		}
		if ns.Ends != 0 {
			m.settled(f, workflow.NodeID(i))
		}
	}
}
