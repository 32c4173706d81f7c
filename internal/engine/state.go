package engine

import (
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// State is where a run or an activation stands: one closed set for both.
type State string

// The states (docs/design.md §5).
const (
	Pending   State = "pending"
	Queued    State = "queued"
	Running   State = "running"
	Waiting   State = "waiting"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Canceled  State = "canceled"
	Skipped   State = "skipped"
)

// Final reports whether nothing follows.
func (s State) Final() bool {
	switch s {
	case Succeeded, Failed, Canceled, Skipped:
		return true
	case Pending, Queued, Running, Waiting:
	}
	return false
}

// Reason says why something is in its state.
type Reason string

// The reasons.
const (
	ReasonNone              Reason = ""
	ReasonConditionFalse    Reason = "condition_false"    // skipped: its own if
	ReasonJoinFalse         Reason = "join_false"         // skipped: its predecessors ended another way
	ReasonUpstreamFailed    Reason = "upstream_failed"    // not run
	ReasonUpstreamCanceled  Reason = "upstream_canceled"  // not run
	ReasonExited            Reason = "exited"             // an exit ended the frame around it
	ReasonTimedOut          Reason = "timed_out"          //
	ReasonCanceled          Reason = "canceled"           // by a person or a rule
	ReasonSibling           Reason = "sibling_failed"     // canceled by the rule of its frame
	ReasonError             Reason = "error"              // failed of an error
	ReasonAttemptsExhausted Reason = "attempts_exhausted" // failed, and every retry too
	ReasonAttemptLost       Reason = "attempt_lost"       //
	ReasonHandled           Reason = "handled"            // its error was caught
	ReasonRetry             Reason = "retry"              // waits for the next attempt
	ReasonTimer             Reason = "timer"              // waits for an instant
	ReasonEvaluation        Reason = "evaluation"         // an expression is being evaluated
	ReasonMessage           Reason = "message"            // waits for a message that names its token
	ReasonOutcomeUnknown    Reason = "outcome_unknown"    // at most once: a person must decide
	ReasonChild             Reason = "child"              // waits for the run that it started
	ReasonRun               Reason = "run"                // waits for a run of another workflow
	ReasonHeld              Reason = "held"               // by an operator
	ReasonOperator          Reason = "operator"           // an operator said how it ends
	ReasonKilled            Reason = "killed"             // by an operator
	ReasonFailureHeld       Reason = "failure_held"       // failed, and a person decides what becomes of it
	ReasonLimit             Reason = "limit"              // queued for a limit or lock
	ReasonCondition         Reason = "condition"          // waits for a condition
	ReasonConcurrency       Reason = "concurrency"        // of a run: others of its key are live
	ReasonCached            Reason = "cached"             // succeeded with the output of an earlier run
	ReasonApproval          Reason = "approval"           // asks people; of a run: something in it does
	ReasonMissed            Reason = "missed"             // skipped: the tick that should have started it was dropped
)

// FrameID and ActID number the frames and activations of a run from 1, in the
// order in which they came to be. 0 is none.
type (
	FrameID uint64
	ActID   uint64
	TimerID uint64
)

// Fence is the fencing number of an attempt: it only grows over the whole
// installation.
type Fence struct {
	Incarnation uint64 `json:"incarnation"`
	Sequence    uint64 `json:"sequence"`
}

// Less orders fencing numbers.
func (f Fence) Less(g Fence) bool {
	return f.Incarnation < g.Incarnation || f.Incarnation == g.Incarnation && f.Sequence < g.Sequence
}

// Error is a failure as the workflow's language sees it.
type Error struct {
	Name    string      `json:"name,omitempty"`
	Message string      `json:"message,omitempty"`
	Details value.Value `json:"details,omitzero"`
	// Engine is the engine's own name, if the error is the engine's.
	Engine string `json:"engine,omitempty"`
	// RetryAfter is how long the other side asked to wait.
	RetryAfter time.Duration `json:"retry_after,omitempty"`
}

// Value is the error as data: name, message, details.
func (e *Error) Value() value.Value {
	if e == nil {
		return value.Null
	}
	return value.Object(
		value.M("name", value.String(e.Name)),
		value.M("message", value.String(e.Message)),
		value.M("details", nullIfUndefined(e.Details)))
}

func (e *Error) Error() string { return e.Name + ": " + e.Message }

func nullIfUndefined(v value.Value) value.Value {
	if v.IsUndefined() {
		return value.Null
	}
	return v
}

// Run is the state of one run: the fold of its events.
type Run struct {
	ID string
	// Sequence is the number of the last event.
	Sequence uint64

	State  State
	Reason Reason
	// Input is the run's input after defaults; Vars the namespace variables.
	Input        value.Value
	Vars         value.Value
	BusinessDate string
	AcceptedAt   time.Time
	EndedAt      time.Time
	Seed         uint64
	// Parent is the run that started it, nil if none did.
	Parent       *Parent
	Output       value.Value
	Err          *Error
	CancelReason string // set when a cancel was asked for
	InGate
	// Starter is who started it, as an actor.
	Starter string
	// Hold is the hold of the whole run, nil for none; Holds are those of paths
	// in it, in the order in which they were asked for.
	Hold  *Holding
	Holds []Holding
	// NamespaceHold is the hold of its namespace, nil for none.
	NamespaceHold *Holding
	// Adjusted is what operators changed about when something begins.
	Adjusted Adjusted
	// Undo is what becomes of what the run did, if it must be undone.
	Undo Undo

	// Signals are those that nothing has waited for yet, in the order in which they
	// came; SignalKeys the last idempotency keys of signals.
	Signals    []KeptSignal
	SignalKeys []string

	Frames map[FrameID]*Frame
	Acts   map[ActID]*Activation
	Timers map[TimerID]*Timer

	lastFrame  FrameID
	lastAct    ActID
	lastTimer  TimerID
	varVersion uint64 // changes of variables so far
	inPark     int    // parked frames
	asking     int    // questions that people have not answered
	heldErrors int    // activations whose failure is held
	busy       int    // activations that go on by themselves
	shut       int    // of what was reopened, and has to wait for the gate

	// past are the paths that a state of NewPast is for; nil of others.
	past []string

	// What is below is not the fold of events but work in hand: it is rebuilt
	// by Recover.
	suspended map[uint64]*suspension
	lastEval  uint64
	lastWrite uint64 // outputs of maps that were put away
	parked    []task // assignments that wait while variables are pinned
	pinned    bool   // an evaluation of variables must not become stale again
}

// Role says what a frame is to its owner.
type Role string

// The roles.
const (
	RoleMain    Role = "main"    // the run's outermost
	RoleBody    Role = "body"    // branch, item, turn, case or call of an activation
	RoleCatch   Role = "catch"   // handles the error of an activation
	RoleFinally Role = "finally" // the finally part of a frame
	// RolePredicate decides whether a retry rule takes an error.
	RolePredicate Role = "predicate"
	// RoleCompensate undoes what an activation did that has ended.
	RoleCompensate Role = "compensate"
)

// Frame is one execution of a body.
type Frame struct {
	ID   FrameID
	Role Role
	Body workflow.BodyID
	// Owner is the activation that opened it; 0 for the main frame and for
	// finally frames of it. Of is the frame whose finally part this is.
	Owner ActID
	Of    FrameID
	// Outer is the frame lexically around it: that of the owner, or Of.
	Outer FrameID
	// Branch is the index of branch or case, Index the map item's, from 0, or the
	// number of the turn, from 1 (-1 for none), Attempt the frame attempt of the owner, from 1.
	Branch  int
	Index   int
	Attempt int
	Depth   int
	Path    string
	// Was is the path for idempotency keys, if that is another.
	Was   string
	Item  value.Value
	Raw   value.Value // raw input, in bodies of jumps and calls
	Vars  value.Value // variables, if the body opens a scope
	Error *Error      // what a catch frame handles

	Nodes []NodeState
	// Live counts the activations that have not ended; Settled the nodes of a
	// joined body that have ended or will not run.
	Live    int
	Settled int
	// Failures are the unhandled failures, in order.
	Failures []ActID
	LastEnd  ActID // the activation that ended last
	Phase    FramePhase
	// Verdict is the provisional outcome once no more may start; Outcome the
	// last one, of a frame that ended.
	Verdict *Outcome
	Outcome *Outcome
	// Finally is the frame of the finally part once it is open; Finals counts
	// how often it was opened.
	Finally FrameID
	Finals  int
	// Undoable counts what can be undone in it and in frames inside it; as long
	// as there is something, it is kept. Left are earlier visits of nodes that
	// are kept for that.
	Undoable int
	Left     []ActID
	// Undone says of the main frame that what the run did was undone, NoFinally
	// that it had ended before.
	Undone    bool
	NoFinally bool
}

// FramePhase is where a frame stands.
type FramePhase string

// The phases: opening, until its variables are set; open; stopping, where
// nothing more starts and what lives is awaited; of the main frame undoing, where
// what the run did is undone; finishing, where the finally
// part runs; ended. A frame that did not end well is kept as long as it may be
// reopened. A parked one was reopened and waits until its map has room for it.
const (
	FrameOpening   FramePhase = "opening"
	FrameOpen      FramePhase = "open"
	FrameStopping  FramePhase = "stopping"
	FrameUndoing   FramePhase = "undoing"
	FrameFinishing FramePhase = "finishing"
	FrameEnded     FramePhase = "ended"
	FrameParked    FramePhase = "parked"
)

// Outcome is how a frame ends.
type Outcome struct {
	State  State       `json:"state"`
	Reason Reason      `json:"reason,omitempty"`
	Output value.Value `json:"output,omitzero"`
	Error  *Error      `json:"error,omitempty"`
	// ExitTo is the frame that an exit names, 0 for none: the outcome is its,
	// and frames between are unwound.
	ExitTo FrameID `json:"exit_to,omitempty"`
	// ExitNext continues in ExitTo at this node instead of ending it.
	ExitNext *workflow.NodeID `json:"exit_next,omitempty"`
}

// NodeState is what a frame knows of one of its nodes.
type NodeState struct {
	Act    ActID // the last activation, 0 before the first
	Visits int
	// Ends are the ways in which it ended; 0 while it has not.
	Ends workflow.Ends
	// Why is the reason of one that did not run.
	Why Reason
	// Again is the activation that goes on when it is entered: it runs again.
	Again ActID
	// Forgone is what it does not wait for because a person said so.
	Forgone *Forgone
	// By says which operator skipped one that did not run, nil for none.
	By *Holding
	// Met counts the needs that are met, for joins that are conjunctions.
	Met int
}

// Phase is what an activation is doing.
type Phase string

// The phases of an activation that has not ended.
const (
	PhaseEntered   Phase = "entered"    // to be begun
	PhaseAttempt   Phase = "attempt"    // an attempt is out
	PhaseMessage   Phase = "message"    // the attempt has handed the work over: a message will say how it ended
	PhaseFrames    Phase = "frames"     // frames are open
	PhaseTimer     Phase = "timer"      // waits for an instant
	PhaseRetry     Phase = "retry"      // waits for the next attempt
	PhaseResult    Phase = "result"     // has a result; output is to be made
	PhaseError     Phase = "error"      // has an error; handlers are to be tried
	PhasePredicate Phase = "predicate"  // a retry rule asks a body
	PhaseUnwinding Phase = "unwinding"  // its frames are being canceled
	PhaseUnknown   Phase = "unknown"    // a person must say what happened
	PhaseEvent     Phase = "event"      // waits for something outside the run
	PhaseHeldError Phase = "held_error" // failed, and a person decides what becomes of it
	PhaseGate      Phase = "gate"       // waits for limits and conditions
	PhaseEnded     Phase = "ended"
)

// Activation is a node in a frame, once.
type Activation struct {
	ID         ActID
	Frame      FrameID
	Node       workflow.NodeID
	Visit      int
	Generation int
	Path       string

	State  State
	Reason Reason
	Phase  Phase
	Raw    value.Value
	Input  value.Value
	Result value.Value
	Output value.Value
	Err    *Error
	// Handled says that the failure does not fail the frame.
	Handled   bool
	EnteredAt time.Time
	EndedAt   time.Time
	// Since is when it came into its phase.
	Since time.Time

	// Attempt is the number of the last attempt (of a frame owner: the frame
	// attempt); Failures and Lost count how they ended; Retries counts per
	// retry rule.
	Attempt  int
	Failures int
	Lost     int
	Retries  []int
	// Reopened counts the retries that people asked for.
	Reopened   int
	Fence      Fence
	Checkpoint []byte
	Warning    string
	Secrets    []SecretSlot
	// Caching is what it has to do with the cache; nil: nothing, or not yet.
	Caching *Caching
	// Artifacts are the files that the attempt left which ended last.
	Artifacts []Artifact
	// Timeout bounds each attempt; of what has frames, or waits, the whole.
	Timeout time.Duration
	// CancelAsked is set once the attempt or frames were told to stop; Why is
	// the reason with which the activation will end.
	CancelAsked bool
	Why         Reason
	// Expired is the timer because of which it stops, which its handlers will
	// see; empty: it stops because of what happens around it.
	Expired  TimerKind
	Timer    TimerID // retry, wait, turn
	Deadline TimerID // timeout of frames, of a wait, or of work that a message ends
	Beat     TimerID // heartbeat
	// Heartbeat is the longest silence of an attempt, 0 for none.
	Heartbeat time.Duration
	InGate
	// Anew says that it runs again, and evaluates its input again; Was is its path
	// for idempotency keys, if that is another; Resumed counts the frame attempts
	// that do not count there.
	Anew    bool
	Was     string
	Resumed int
	// By says which operator settled or killed it, nil for none; Told that how it
	// ends was said, so that nobody needs to ask what its last attempt did.
	By   *Holding
	Told bool
	// Awaits is what it waits for outside the run, or waited for last.
	Awaits *Awaited
	// Votes are the decisions of people on what it asks, or asked last.
	Votes []Voted
	// Answer is what a message said while the attempt was out.
	Answer *Answer
	// Taker is the worker outside that took the work of the attempt, at TakenAt;
	// empty while nobody has.
	Taker   string
	TakenBy string // actor
	TakenAt time.Time

	// Open are the frames that live, Closed those that did not end well and are
	// kept for a retry; both in order.
	Open   OpenFrames
	Closed OpenFrames
	// Kept are the frames in which something can be undone.
	Kept OpenFrames
	// Listed says that it can be undone itself, Undos how often that was begun.
	// Doubt says that nobody knows what some attempt of it did; Undoable that it
	// has begun, and could be undone once it has ended.
	Listed   bool
	Undoable bool
	Undos    int
	Doubt    bool
	Map      *MapState
	Loop     *LoopState
	// pending is the evaluation that the opening of its next frame waits for, or its
	// result. It is no fold of events.
	pending uint64
	// Outputs are the outputs of a fork's branches.
	Outputs []value.Value
	// Fails counts failed frames of a fork or map; FirstErr is the first's.
	Fails    int
	FirstErr *Error
	Stopped  bool // starts no more frames
	Winner   int  // frame that won by first success, from 1; 0 for none
	RuleAt   int  // retry rule to try next
	Matched  bool // a retry rule matched but had no attempts left

	dropped []TimerID // timers that the last event took away
	left    bool      // it left the gate with the last event
}

// MapState is the progress of a map.
type MapState struct {
	// Items are the list, or a reference to it; undefined of an erased run. Count
	// is how many there are.
	Items       value.Value
	Count       int
	MaxParallel int
	MaxFailures int // tolerated
	Next        int // first item that was not started
	// Parked are reopened frames that wait for room.
	Parked  []FrameID
	Done    int
	Outputs MapOutputs
	Ok      []bool
	// Ends are how the items ended, where the node gathers outcomes.
	Ends []ItemEnd
}

// ItemEnd is how an item of a map ended; State is empty while it has not.
type ItemEnd struct {
	State    State     `json:"state,omitempty"`
	Err      *Error    `json:"error,omitempty"`
	OpenedAt time.Time `json:"opened_at,omitzero"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
}

// LoopState is the progress of a loop. Of its turns the current one alone is in
// memory.
type LoopState struct {
	Max int // turns; 0: no bound
	// Turn is the number of the turn that began last, 0 before the first.
	Turn int
	// Base is how many turns do not count for Max: those before a person retried
	// the loop after it had too many.
	Base int
	// Exhausted says that it had too many.
	Exhausted bool
	// Output is that of the turn that ended last, null before the first one.
	Output value.Value
	// Due says that the next turn is decided, and that what it waited for is over.
	Due bool
	// BeganAt is when the loop began.
	BeganAt time.Time
}

// last is the number of the last turn that there may be, 0 for no bound.
func (l *LoopState) last() int {
	if l.Max == 0 {
		return 0
	}
	return l.Base + l.Max
}

// TimerKind says what a timer is for.
type TimerKind string

// The kinds of timers.
const (
	TimerWait    TimerKind = "wait"
	TimerRetry   TimerKind = "retry"
	TimerTimeout TimerKind = "timeout"
	// TimerTurn lets the next turn of a loop begin.
	TimerTurn TimerKind = "turn"
	// TimerHeartbeat ends work that is silent for too long.
	TimerHeartbeat TimerKind = "heartbeat"
	// TimerKill is no timer: an operator ends work, as if its time were up.
	TimerKill TimerKind = "kill"
)

// Timer is an instant that the run waits for.
type Timer struct {
	ID   TimerID
	Act  ActID
	Kind TimerKind
	At   time.Time
}

// NewRun returns the state before the first event.
func NewRun(id string) *Run {
	return &Run{
		ID: id, State: Pending,
		Frames: map[FrameID]*Frame{}, Acts: map[ActID]*Activation{}, Timers: map[TimerID]*Timer{},
		suspended: map[uint64]*suspension{},
	}
}
