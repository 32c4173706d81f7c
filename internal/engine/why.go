package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/workflow"
)

// Explanation says why a step is where it is: what it waits for, or why it
// ended so.
type Explanation struct {
	// Path names the step; empty: the run.
	Path   string `json:"path,omitempty"`
	State  State  `json:"state"`
	Reason Reason `json:"reason,omitempty"`
	// Since is when that began; zero if it is not known.
	Since      time.Time   `json:"since,omitzero"`
	Conditions []Condition `json:"conditions,omitempty"`
}

// Condition is one thing that a step waits for, has met, or ended of.
type Condition struct {
	Kind ConditionKind `json:"kind"`
	Met  bool          `json:"met"`
	// Text is the condition as a sentence in English.
	Text string `json:"text"`
	// Subject is who or what it is about: a step's path, an actor, or the worker
	// that took the work.
	Subject string `json:"subject,omitempty"`
	// State and Reason are the subject's.
	State  State  `json:"state,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	// Since is when it came to be so, Due when it will be otherwise.
	Since time.Time `json:"since,omitzero"`
	Due   time.Time `json:"due,omitzero"`
	// Attempt is an attempt's number; Limit how many there may be, 0 if that is
	// not fixed.
	Attempt int    `json:"attempt,omitempty"`
	Limit   int    `json:"limit,omitempty"`
	Error   *Error `json:"error,omitempty"`
	// Expression is the source text that was judged.
	Expression string `json:"expression,omitempty"`
	// Worker and Position are for the caller to fill in, where it knows them: who
	// makes the attempt, or its place in the queue, from 1.
	Worker   string `json:"worker,omitempty"`
	Position int    `json:"position,omitempty"`
}

// ConditionKind tells conditions apart.
type ConditionKind string

// The kinds.
const (
	ConditionNeed       ConditionKind = "need"       // a predecessor
	ConditionJoin       ConditionKind = "join"       // the predecessors together
	ConditionIf         ConditionKind = "if"         // the step's own condition
	ConditionHold       ConditionKind = "hold"       // an operator
	ConditionTimer      ConditionKind = "timer"      // an instant
	ConditionRetry      ConditionKind = "retry"      // the next attempt
	ConditionAttempt    ConditionKind = "attempt"    // an attempt that is out
	ConditionMessage    ConditionKind = "message"    // a message that names the token of an attempt
	ConditionEvaluation ConditionKind = "evaluation" // an expression beside the decider
	ConditionChildren   ConditionKind = "children"   // what goes on inside
	ConditionRoom       ConditionKind = "room"       // of a map, for a further item
	ConditionPerson     ConditionKind = "person"     // an outcome that somebody must tell
	ConditionUpstream   ConditionKind = "upstream"   // what failed first
	ConditionEnded      ConditionKind = "ended"      // how it ended
	ConditionLimit      ConditionKind = "limit"      // shares of a limit
	ConditionFact       ConditionKind = "condition"  // a named fact with a date
	ConditionChildRun   ConditionKind = "child"      // the run that it started
	ConditionRun        ConditionKind = "run"        // a run of another workflow
	ConditionPriority   ConditionKind = "priority"   // that an operator set
	ConditionDeadline   ConditionKind = "deadline"   // that an operator set
	ConditionWait       ConditionKind = "wait"       // that an operator added or dropped
)

// Why explains a step, and what in it has not ended; with no path, the run and
// every step that has not ended, in the order of the program and of frames. The
// error is a *[Refusal]: there is no such step.
func (m *Machine) Why(run *Run, path string, now time.Time) ([]Explanation, error) {
	w := &whyer{m: m, run: run, now: now, evaluating: map[task]bool{}}
	for _, id := range slices.Sorted(maps.Keys(run.suspended)) {
		if s := run.suspended[id]; s.rest == nil {
			w.evaluating[s.doing] = true
		}
	}
	if path == "" {
		w.explainRun()
		w.frame(run.Frames[1], "")
		return w.out, nil
	}
	if !m.hasPath(path) {
		return nil, refusef(path, "workflow %s has no step %s", m.prog.Name, path)
	}
	w.frame(run.Frames[1], path)
	if len(w.out) == 0 {
		w.out = append(w.out, w.absent(path))
	}
	return w.out, nil
}

type whyer struct {
	m   *Machine
	run *Run
	now time.Time
	out []Explanation
	// evaluating is the work that waits for an evaluation.
	evaluating map[task]bool
}

func (w *whyer) explainRun() {
	state, reason := w.run.Status()
	e := Explanation{State: state, Reason: reason, Since: w.run.AcceptedAt}
	if state.Final() {
		e.Since = w.run.EndedAt
		e.Conditions = append(e.Conditions, w.howRunEnded())
	}
	if w.run.queued() {
		e.Conditions, e.Since = append(e.Conditions, inGate(&w.run.InGate, w.run.Queue.Needs)...), w.run.AskedAt
	}
	for _, h := range []*Holding{w.run.NamespaceHold, w.run.Hold} {
		if h != nil {
			e.Conditions = append(e.Conditions, heldBy(h))
			e.Since = h.At
		}
	}
	if w.run.CancelReason != "" && !state.Final() && !w.run.undoing() {
		e.Conditions = append(e.Conditions, Condition{
			Kind: ConditionChildren, Text: "It is being canceled (" + w.run.CancelReason + ") and waits until what runs has stopped.",
		})
	}
	e.Conditions = append(e.Conditions, w.undoing()...)
	if !state.Final() {
		e.Conditions = append(e.Conditions, w.adjusted("")...)
	}
	w.out = append(w.out, e)
}

func (w *whyer) howRunEnded() Condition {
	c := Condition{Kind: ConditionEnded, Met: true, State: w.run.State, Reason: w.run.Reason, Since: w.run.EndedAt, Error: w.run.Err}
	c.Text = "The run " + ended(w.run.State, w.run.Reason, w.run.Err) + "."
	if w.run.State == Canceled && w.run.CancelReason != "" {
		c.Text = "The run was canceled: " + w.run.CancelReason + "."
	}
	if f := w.run.Frames[1]; f != nil {
		if a := w.first(f); a != nil {
			c.Subject = a.Path
			c.Text = strings.TrimSuffix(c.Text, ".") + "; step " + a.Path + " was the first."
		}
	}
	return c
}

// first is the innermost activation whose failure came first in a frame, nil if
// none failed.
func (w *whyer) first(f *Frame) *Activation {
	var first *Activation
	for _, id := range f.Failures {
		if a := w.run.Acts[id]; a != nil && (first == nil || a.EndedAt.Before(first.EndedAt)) {
			first = a
		}
	}
	if first == nil {
		return nil
	}
	for _, id := range first.Closed.all() {
		if inner := w.run.Frames[id]; inner != nil && inner.Outcome.State == Failed {
			if a := w.first(inner); a != nil {
				return a
			}
		}
	}
	return first
}

// frame explains what has not ended in a frame and in those inside it; with a
// path, the step of that path and what is inside it.
func (w *whyer) frame(f *Frame, path string) {
	if f == nil || path != "" && f.Path != "" && !covers(f.Path, path) && !covers(path, f.Path) {
		return
	}
	jumps := w.m.bodies[f.Body].jumps
	for i := range f.Nodes {
		id := workflow.NodeID(i)
		ns := &f.Nodes[i]
		a := w.run.Acts[ns.Act]
		if a == nil {
			p := StepPath(f, w.m.node(f, id))
			exact := path != "" && p == path
			if exact || ns.Ends == 0 && !jumps && f.Phase == FrameOpen && (path == "" || covers(path, p)) {
				w.out = append(w.out, w.notEntered(f, id))
			}
			continue
		}
		if path == "" || covers(path, a.Path) {
			if a.Phase != PhaseEnded || a.Path == path || a.ID == w.run.Undo.Waits {
				w.out = append(w.out, w.activation(a))
			}
		} else if !covers(a.Path, path) {
			continue
		}
		frames := append(a.Kept.all(), a.Open.all()...)
		if a.Map != nil {
			frames = append(frames, a.Map.Parked...)
		}
		if path != "" && a.Path != path {
			frames = append(frames, a.Closed.all()...)
		}
		for _, inner := range frames {
			w.frame(w.run.Frames[inner], path)
		}
	}
	w.frame(w.run.Frames[f.Finally], path)
}

// absent explains a step that nothing is known of: its surroundings have not
// begun, or are gone.
func (w *whyer) absent(path string) Explanation {
	e := Explanation{Path: path, State: Pending}
	if w.run.State.Final() {
		e.State, e.Reason, e.Since = Skipped, ReasonNone, w.run.EndedAt
		e.Conditions = []Condition{{Kind: ConditionEnded, Met: true, State: w.run.State, Since: w.run.EndedAt,
			Text: "The run has ended (" + string(w.run.State) + "), and what lay around the step is over."}}
		return e
	}
	if h := w.run.HoldOf(path); h != nil {
		e.Conditions = append(e.Conditions, heldBy(h))
	}
	for at := around(path); at != ""; at = around(at) {
		a := w.run.actAt(at)
		if a == nil {
			continue
		}
		c := Condition{Kind: ConditionNeed, Subject: at, State: a.State, Reason: a.Reason, Since: a.Since}
		c.Text = fmt.Sprintf("It lies in %s, which is %s.", at, a.State)
		if a.Phase == PhaseEnded {
			e.State, e.Since, c.Kind, c.Met = Skipped, a.EndedAt, ConditionEnded, true
		}
		e.Conditions = append(e.Conditions, c)
		return e
	}
	e.Conditions = append(e.Conditions, Condition{Kind: ConditionNeed, Text: "What lies around it has not begun."})
	return e
}

func heldBy(h *Holding) Condition {
	c := Condition{Kind: ConditionHold, Subject: h.Actor, Since: h.At}
	what := "The run"
	switch {
	case h.Namespace != "":
		what = "Namespace " + h.Namespace
	case h.Path != "":
		what = "Step " + h.Path
	}
	c.Text = what + " is held"
	if h.Actor != "" {
		c.Text += " by " + h.Actor
	}
	c.Text += " since " + stamp(h.At)
	if h.Reason != "" {
		c.Text += ": " + strings.TrimSuffix(h.Reason, ".")
	}
	c.Text += "."
	return c
}

// saidBy tells which operator settled or killed a step.
func saidBy(h *Holding) Condition {
	c := Condition{Kind: ConditionPerson, Met: true, Subject: h.Actor, Since: h.At}
	c.Text = by("That was asked for", h.Actor, strings.TrimSuffix(h.Reason, ".")) + "."
	return c
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// activation explains one that has begun.
func (w *whyer) activation(a *Activation) Explanation {
	e := Explanation{Path: a.Path, State: a.State, Reason: a.Reason, Since: a.Since}
	if a.Phase == PhaseEnded {
		e.Since = a.EndedAt
		e.Conditions = []Condition{{
			Kind: ConditionEnded, Met: true, State: a.State, Reason: a.Reason, Since: a.EndedAt, Error: a.Err, Attempt: a.Attempt,
			Text: "It " + ended(a.State, a.Reason, a.Err) + ".",
		}}
		if a.By != nil && (a.Reason == ReasonOperator || a.Reason == ReasonKilled) {
			e.Conditions = append(e.Conditions, saidBy(a.By))
		}
		e.Conditions = append(e.Conditions, w.undone(a)...)
		return e
	}
	e.Conditions = w.waits(a)
	if h := w.run.HoldOf(a.Path); h != nil && a.Phase != PhaseAttempt && a.Phase != PhaseFrames {
		e.Reason = ReasonHeld
		e.Conditions = append(e.Conditions, heldBy(h))
	}
	if a.queued() {
		e.Conditions = append(append(e.Conditions, w.adjusted(a.Path)...), w.changedWaits(a.Path)...)
	}
	for _, kind := range []taskKind{taskBegin, taskFrames, taskResult, taskError} {
		if w.evaluates(task{kind: kind, act: a.ID}) {
			e.Reason = ReasonEvaluation
			e.Conditions = append(e.Conditions, evaluation())
		}
	}
	if a.Loop != nil && w.evaluates(task{kind: taskTurn, act: a.ID, turn: a.Loop.Turn}) {
		e.Reason = ReasonEvaluation
		e.Conditions = append(e.Conditions, evaluation())
	}
	if a.CancelAsked {
		e.Conditions = append(e.Conditions, Condition{Kind: ConditionChildren, Reason: a.Why, Text: "It was told to stop (" + string(a.Why) + ") and has not stopped yet."})
	}
	return e
}

// waits says what an activation waits for.
func (w *whyer) waits(a *Activation) []Condition {
	switch a.Phase {
	case PhaseAttempt:
		return []Condition{{
			Kind: ConditionAttempt, State: a.State, Since: a.Since, Attempt: a.Attempt, Limit: w.limit(a),
			Text: fmt.Sprintf("Attempt %d was handed out at %s and has not ended.", a.Attempt, stamp(a.Since)),
		}}
	case PhaseMessage:
		return []Condition{w.message(a)}
	case PhaseTimer, PhaseRetry:
		return []Condition{w.timer(a)}
	case PhaseFrames, PhaseUnwinding, PhasePredicate:
		c := Condition{Kind: ConditionChildren, Since: a.Since, Text: "What is inside it has not ended."}
		if a.Map != nil {
			c.Text = fmt.Sprintf("%d of %d items have ended.", a.Map.Done, a.Map.Count)
			c.Attempt, c.Limit = 0, a.Map.Count
		}
		if a.Loop != nil && a.Open.Live > 0 {
			c.Text, c.Limit = turnText(a.Loop)+" has not ended.", a.Loop.last()
		}
		if a.queued() {
			return append(inGate(&a.InGate, w.run.needs(a.Path, a.Queue.Needs)), c)
		}
		return []Condition{c}
	case PhaseEvent:
		return []Condition{w.awaited(a)}
	case PhaseHeldError:
		return []Condition{w.heldError(a)}
	case PhaseUnknown:
		return []Condition{{
			Kind: ConditionPerson, Since: a.Since, Attempt: a.Attempt,
			Text: fmt.Sprintf("Nobody knows what attempt %d did, and it must not be repeated: a person has to say.", a.Attempt),
		}}
	case PhaseGate:
		return inGate(&a.InGate, w.run.needs(a.Path, a.Queue.Needs))
	case PhaseEntered, PhaseResult, PhaseError, PhaseEnded:
	}
	if w.parked(a) {
		return []Condition{{Kind: ConditionRoom, Since: a.Since, Text: "Its map is busy with as many items as it may have at once."}}
	}
	return nil
}

// message says who is to end work that a message ends.
func (w *whyer) message(a *Activation) Condition {
	c := Condition{Kind: ConditionMessage, State: a.State, Since: a.Since, Attempt: a.Attempt, Limit: w.limit(a), Due: w.latest(a)}
	activity := w.m.Activity(w.run, a)
	switch {
	case !w.m.offers(w.run, a):
		c.Text = fmt.Sprintf("Attempt %d handed its work over at %s; a message that names its token ends it.", a.Attempt, stamp(a.Since))
	case a.Taker == "":
		c.Text = fmt.Sprintf("Attempt %d is offered to the workers of activity %s since %s; none has taken it.", a.Attempt, activity, stamp(a.Since))
	default:
		c.Since, c.Subject = a.TakenAt, a.Taker
		c.Text = fmt.Sprintf("Worker %s took attempt %d from activity %s at %s and has not ended it.", a.Taker, a.Attempt, activity, stamp(a.TakenAt))
	}
	return c
}

// latest is when the activation's time is up, zero if it has no bound.
func (w *whyer) latest(a *Activation) time.Time {
	if t := w.run.Timers[a.Deadline]; t != nil {
		return t.At
	}
	return time.Time{}
}

func (w *whyer) parked(a *Activation) bool {
	for f := w.run.Frames[a.Frame]; f != nil; f = w.run.Frames[f.Outer] {
		if f.Phase == FrameParked {
			return true
		}
	}
	return false
}

func (w *whyer) timer(a *Activation) Condition {
	c := Condition{Kind: ConditionTimer, Since: a.Since}
	if t := w.run.Timers[a.Timer]; t != nil {
		c.Due = t.At
	}
	when := "at " + stamp(c.Due)
	if !c.Due.After(w.now) {
		c.Met = true
		when = "since " + stamp(c.Due)
	}
	if a.Phase == PhaseTimer && a.Loop != nil {
		c.Limit = a.Loop.last()
		c.Text = turnText(a.Loop) + " has ended; the next is due " + when + "."
		return c
	}
	if a.Phase == PhaseTimer {
		c.Text = "It waits for an instant, which comes " + when + "."
		if c.Met {
			c.Text = "What it waited for has come: it is due " + when + "."
		}
		return c
	}
	c.Kind, c.Attempt, c.Limit, c.Error = ConditionRetry, a.Attempt+1, w.limit(a), a.Err
	of := ""
	if c.Limit > 0 {
		of = " of " + strconv.Itoa(c.Limit)
	}
	c.Text = fmt.Sprintf("Attempt %d%s is due %s", c.Attempt, of, when)
	if a.Err != nil {
		c.Text += ", after the error " + errorText(a.Err)
	}
	c.Text += "."
	return c
}

// turnText names the last turn of a loop that has had one.
func turnText(l *LoopState) string {
	if l.Max == 0 {
		return "Turn " + strconv.Itoa(l.Turn)
	}
	return fmt.Sprintf("Turn %d of at most %d", l.Turn, l.last())
}

// limit is the most attempts that the first retry rule of a node gives, counted
// on from those that a person asked for; 0 if an expression says it.
func (w *whyer) limit(a *Activation) int {
	n := w.m.node(w.run.Frames[a.Frame], a.Node)
	if len(n.Retry) == 0 || n.Retry[0].MaxAttempts == nil {
		return 0
	}
	most, ok := n.Retry[0].MaxAttempts.Const.Int()
	if !ok {
		return 0
	}
	used := 0
	for _, r := range a.Retries {
		used += r
	}
	begun := a.Attempt - used // attempts before the first retry of this budget
	if a.Phase == PhaseRetry {
		begun++
	}
	return max(begun, 1) - 1 + int(most)
}

// ended says how something ended, as the rest of a sentence.
func ended(s State, r Reason, e *Error) string {
	text := string(s)
	switch s {
	case Canceled, Skipped:
		text = "was " + text
	default:
	}
	if r != ReasonNone {
		text += " (" + string(r) + ")"
	}
	if e != nil && s == Failed {
		text += " of " + errorText(e)
	}
	return text
}

func errorText(e *Error) string {
	if e.Message == "" {
		return e.Name
	}
	return strings.TrimSuffix(e.Name+": "+e.Message, ".")
}
