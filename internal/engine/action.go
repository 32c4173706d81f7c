package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Action is what every action of an operator carries.
type Action struct {
	// Actor is who asks, Reason why, in the actor's words.
	Actor  string
	Reason string
	// Steps are the paths of the steps that it is about, such as settle[0] or
	// group/step; none: the run as a whole.
	Steps []string
}

// Hold keeps the run from starting attempts, or the steps from beginning,
// those too that nobody has reached yet. What runs goes on and its result is
// taken; waits and retries that come due are kept until the release; timeouts
// go on. Holding again changes nothing. A hold stays, also over the end of the
// step, until it is released, the run is canceled or has ended.
type Hold struct{ Action }

// Release takes a hold back: that of the run, or those of the steps. Others
// stay.
type Release struct{ Action }

// Retry gives failed steps new attempts: those whose failure was not handled,
// or the named ones only. See docs/engine.md §4.
type Retry struct{ Action }

func (Hold) input()    {}
func (Release) input() {}
func (Retry) input()   {}

// Affected is one thing that an action does.
type Affected struct {
	// Path names a step; empty: the run.
	Path string `json:"path,omitempty"`
	Does Does   `json:"does"`
	// Attempt is the number that the next attempt will have; 0 for what makes
	// none.
	Attempt int `json:"attempt,omitempty"`
}

// Does says what an action does to a step or a run.
type Does string

// The kinds.
const (
	DoesHold    Does = "hold"
	DoesRelease Does = "release"
	DoesRetry   Does = "retry"  // it is done again, or for the first time
	DoesReopen  Does = "reopen" // it was not run, and is judged again
	DoesRepeat  Does = "repeat" // a finally part that ran, and will run again
	DoesAnswer  Does = "answer" // its work ends with a message
	DoesBeat    Does = "beat"   // the time of its next heartbeat begins
	DoesTake    Does = "take"   // a worker has its work from now on
	DoesSignal  Does = "signal" // its wait ends with a signal
	DoesKeep    Does = "keep"   // the run keeps a signal
	DoesApprove Does = "approve"
	DoesReject  Does = "reject"
)

// ErrRefused is wrapped by every [Refusal].
var ErrRefused = errors.New("refused")

// ErrNoWork is the refusal of a message whose token names no work that waits. It
// does not tell a token that never was from one of work that has ended.
var ErrNoWork = refusef("", "no work waits for this token: it has ended, or another attempt has taken its place")

// Refusal says why an action cannot be done. The state is as it was.
type Refusal struct { //nolint:errname // an answer to an operator, and named as one
	// Path names the step that it is about; empty: the run.
	Path    string
	Message string
	// Denied says that who asks may not; else nobody could do it now.
	Denied bool
}

func (r *Refusal) Error() string { return r.Message }

func (r *Refusal) Unwrap() error { return ErrRefused }

// deniedf is a refusal of who asks.
func deniedf(path, format string, args ...any) *Refusal {
	r := refusef(path, format, args...)
	r.Denied = true
	return r
}

func refusef(path, format string, args ...any) *Refusal {
	return &Refusal{Path: path, Message: fmt.Sprintf(format, args...)}
}

// Holding is a hold that is in force.
type Holding struct {
	Path      string    `json:"path,omitempty"`      // empty: the run
	Namespace string    `json:"namespace,omitempty"` // of a namespace that is held as a whole
	Actor     string    `json:"actor,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	At        time.Time `json:"at,omitzero"`
}

// Held reports whether an operator holds the run or a step of it.
func (r *Run) Held() bool { return r.wholeHold() != nil || len(r.Holds) > 0 }

// HoldOf is the hold that keeps a step at the path from beginning, nil if there
// is none.
func (r *Run) HoldOf(path string) *Holding {
	if h := r.wholeHold(); h != nil {
		return h
	}
	for i := range r.Holds {
		if covers(r.Holds[i].Path, path) {
			return &r.Holds[i]
		}
	}
	return nil
}

// Status is the run's state and reason as they are shown: of a run that is held
// as a whole, waiting, or pending if nothing of it has begun, for the reason
// held, unless attempts are out. So is one in which nothing goes on before
// somebody decides what becomes of a failure that is held.
func (r *Run) Status() (State, Reason) {
	if r.State.Final() {
		return r.State, r.Reason
	}
	if reason, waits := r.waitsForPerson(); waits {
		return Waiting, reason
	}
	if r.wholeHold() == nil && r.undoing() && !r.queued() {
		return r.State, ReasonUndoing
	}
	if r.wholeHold() == nil {
		if r.asking > 0 {
			return r.State, ReasonApproval
		}
		return r.State, r.Reason
	}
	if r.lastFrame == 0 {
		return Pending, ReasonHeld
	}
	for _, id := range inOrder(r.Acts) {
		if r.Acts[id].Phase == PhaseAttempt {
			return r.State, r.Reason
		}
	}
	return Waiting, ReasonHeld
}

// covers reports whether a path is that of the step, of another item, try or
// visit of it, or of something inside it.
func covers(step, path string) bool {
	rest, ok := strings.CutPrefix(path, step)
	return ok && (rest == "" || strings.IndexByte("/[~#", rest[0]) >= 0)
}

// Plan says what an action would do, and changes nothing: its dry run. The
// error is a *[Refusal].
func (m *Machine) Plan(run *Run, in Input) ([]Affected, error) {
	switch in := in.(type) {
	case Hold:
		_, affected, err := m.planHold(run, &in.Action)
		return affected, err
	case Release:
		_, affected, err := m.planRelease(run, &in.Action)
		return affected, err
	case Retry:
		plan, err := m.planRetry(run, &in.Action)
		if err != nil {
			return nil, err
		}
		return plan.affected, nil
	case Settle:
		plan, err := m.planSettle(run, &in)
		if err != nil {
			return nil, err
		}
		return plan.affected, nil
	case Rerun:
		plan, err := m.planRerun(run, &in)
		if err != nil {
			return nil, err
		}
		return plan.affected, nil
	case Force:
		_, affected, err := m.planForce(run, &in)
		return affected, err
	case Kill:
		_, affected, err := m.planKill(run, &in.Action)
		return affected, err
	case RunNow:
		_, affected, err := m.planRunNow(run, &in.Action)
		return affected, err
	case Comment:
		return m.planComment(run, &in.Action)
	case SetPriority:
		_, affected, err := m.planPriority(run, &in)
		return affected, err
	case SetDeadline:
		return m.planDeadline(run, &in)
	case AddWait:
		_, affected, err := m.planWaits(run, &in.Action, in.Conditions, false)
		return affected, err
	case DropWait:
		_, affected, err := m.planWaits(run, &in.Action, in.Conditions, true)
		return affected, err
	case Callback:
		_, affected, err := m.planCallback(run, &in)
		return affected, err
	case Compensate:
		_, affected, err := m.planCompensate(run, &in.Action)
		return affected, err
	case Signal:
		_, affected, err := m.planSignal(run, &in)
		return affected, err
	case Vote:
		_, affected, err := m.planVote(run, &in)
		return affected, err
	}
	return nil, fmt.Errorf("%w: %T is no action", ErrProtocol, in)
}

// planHold finds the paths that are to be held and are not: "" for the run.
func (m *Machine) planHold(run *Run, in *Action) (paths []string, affected []Affected, err error) {
	if run.State.Final() {
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	}
	if run.CancelReason != "" {
		return nil, nil, refusef("", "run %s is being canceled", run.ID)
	}
	if len(in.Steps) == 0 {
		if run.Hold != nil {
			return nil, nil, nil
		}
		return []string{""}, []Affected{{Does: DoesHold}}, nil
	}
	seen := map[string]bool{}
	for i := range run.Holds {
		seen[run.Holds[i].Path] = true
	}
	for _, path := range in.Steps {
		if seen[path] {
			continue
		}
		seen[path] = true
		if err := m.holdable(run, path); err != nil {
			return nil, nil, err
		}
		paths = append(paths, path)
		affected = append(affected, Affected{Path: path, Does: DoesHold})
	}
	return paths, affected, nil
}

// holdable refuses a step that does not exist or has ended.
func (m *Machine) holdable(run *Run, path string) error {
	if a := run.actAt(path); a != nil {
		if a.Phase == PhaseEnded {
			return refusef(path, "step %s has ended: it is %s", path, a.State)
		}
		return nil
	}
	if !m.hasPath(path) {
		return refusef(path, "workflow %s has no step %s", m.prog.Name, path)
	}
	if f, n := m.nodeAt(run, path); f != nil && f.Nodes[n].Ends != 0 {
		return refusef(path, "step %s has ended: it was skipped (%s)", path, f.Nodes[n].Why)
	}
	// Of what lies around it, the closest that exists says whether it can come
	// to be.
	for at := path; at != ""; at = around(at) {
		a := run.actAt(at)
		if a == nil {
			continue
		}
		if a.Phase == PhaseEnded {
			return refusef(path, "step %s cannot begin any more: %s is %s", path, at, a.State)
		}
		if l := a.Loop; l != nil {
			i, ok := itemOf(path, at)
			if ok && (i < 1 || l.Max > 0 && i > l.last() || i <= l.Turn && !m.itemLives(run, a, i)) {
				return refusef(path, "step %s cannot begin any more: turn %d of %s is not to come", path, i, at)
			}
		}
		if a.Map != nil {
			if i, ok := itemOf(path, at); ok && (i >= a.Map.Count || i < a.Map.Next && !m.itemLives(run, a, i)) {
				return refusef(path, "step %s cannot begin any more: %s has %d items, and item %d is not to come", path, at, a.Map.Count, i)
			}
		}
		return nil
	}
	return nil
}

func (m *Machine) itemLives(run *Run, a *Activation, index int) bool {
	frames := a.Open.all()
	if a.Map != nil {
		frames = append(frames, a.Map.Parked...)
	}
	for _, id := range frames {
		if f := run.Frames[id]; f != nil && f.Role == RoleBody && f.Index == index {
			return true
		}
	}
	return false
}

// planRelease finds the holds that are in force and to be taken back.
func (m *Machine) planRelease(run *Run, in *Action) (paths []string, affected []Affected, err error) {
	if run.State.Final() {
		return nil, nil, refusef("", "run %s has ended: it is %s", run.ID, run.State)
	}
	if len(in.Steps) == 0 {
		if run.Hold == nil {
			if h := run.NamespaceHold; h != nil {
				return nil, nil, refusef("", "namespace %s is held as a whole: `regie release --namespace %s --all` releases it", h.Namespace, h.Namespace)
			}
			return nil, nil, nil
		}
		return []string{""}, []Affected{{Does: DoesRelease}}, nil
	}
	for _, path := range in.Steps {
		held := false
		for i := range run.Holds {
			held = held || run.Holds[i].Path == path
		}
		for _, done := range paths {
			held = held && done != path
		}
		if held {
			paths = append(paths, path)
			affected = append(affected, Affected{Path: path, Does: DoesRelease})
			continue
		}
		if !m.hasPath(path) {
			return nil, nil, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
		}
	}
	return paths, affected, nil
}

func (d *decider) hold(in *Action) error {
	paths, affected, err := d.m.planHold(d.run, in)
	if err != nil {
		return err
	}
	d.dec.Affected = affected
	for _, path := range paths {
		if err := d.emit(Event{Kind: EvHeld, Path: path, Actor: in.Actor, Text: in.Reason}); err != nil {
			return err
		}
	}
	d.holdGate()
	return nil
}

func (d *decider) release(in *Action) error {
	paths, affected, err := d.m.planRelease(d.run, in)
	if err != nil || len(paths) == 0 {
		return err
	}
	d.dec.Affected = affected
	for _, path := range paths {
		if err := d.emit(Event{Kind: EvReleased, Path: path, Actor: in.Actor, Text: in.Reason}); err != nil {
			return err
		}
	}
	return d.resume()
}

// resume goes on with what a hold kept, in order.
func (d *decider) resume() error {
	if d.run.lastFrame == 0 {
		if d.run.queued() {
			d.holdGate()
			return nil
		}
		return d.openMain()
	}
	d.holdGate()
	for _, id := range inOrder(d.run.Timers) {
		if t := d.run.Timers[id]; t != nil && t.heldBack() && !d.ctx.Now.Before(t.At) {
			d.command(ClearTimer{Timer: id}) // it may be on its way; here it fires
			if err := d.timerDue(id); err != nil {
				return err
			}
		}
	}
	d.beginEntered()
	return nil
}

// openMain begins the run, or has it wait for the gate.
func (d *decider) openMain() error {
	if d.run.wholeHold() != nil {
		return nil
	}
	if d.gatedRun() {
		d.add(task{kind: taskOpen})
		return nil
	}
	return d.open(opening{role: RoleMain, body: d.m.prog.Main, index: -1, attempt: 1})
}

// applyAction folds the events of operators' actions on a whole run.
func (m *Machine) applyAction(run *Run, ev *Event) error {
	if ev.Trigger == ByNamespace {
		m.applyNamespaceHold(run, ev)
		return nil
	}
	switch ev.Kind {
	case EvHeld:
		h := Holding{Path: ev.Path, Actor: ev.Actor, Reason: ev.Text, At: ev.At}
		if ev.Path == "" {
			run.Hold = &h
		} else {
			run.Holds = append(run.Holds, h)
		}
	case EvReleased:
		if ev.Path == "" {
			run.Hold = nil
		} else {
			run.Holds = slices.DeleteFunc(run.Holds, func(h Holding) bool { return h.Path == ev.Path })
		}
	default: // EvRetryAsked
		if run.undoing() {
			return nil
		}
		run.State, run.Reason, run.EndedAt, run.CancelReason = Running, ReasonNone, time.Time{}, ""
		run.Output, run.Err = value.Undefined, nil
	}
	return nil
}

// actAt is the activation at a path, nil if there is none. No two have the same
// path.
func (r *Run) actAt(path string) *Activation {
	for _, id := range inOrder(r.Acts) {
		if a := r.Acts[id]; a.Path == path && r.attached(a) {
			return a
		}
	}
	return nil
}

// attached reports whether the activation is that of its node: one that is to run
// again is not before it is entered.
func (r *Run) attached(a *Activation) bool {
	f := r.Frames[a.Frame]
	return f == nil || f.Nodes[a.Node].Again != a.ID
}

// nodeAt is the node of a frame that has the path and was not entered, nil if
// there is none.
func (m *Machine) nodeAt(run *Run, path string) (*Frame, workflow.NodeID) {
	for _, id := range inOrder(run.Frames) {
		f := run.Frames[id]
		if f.Path != "" && !covers(f.Path, path) {
			continue
		}
		for i := range f.Nodes {
			if f.Nodes[i].Act == 0 && StepPath(f, m.node(f, workflow.NodeID(i))) == path {
				return f, workflow.NodeID(i)
			}
		}
	}
	return nil, 0
}
