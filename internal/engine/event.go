package engine

import (
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// EventKind names a kind of event in storage.
type EventKind string

// The kinds of events of format 1.
const (
	EvAccepted     EventKind = "accepted"      // the run exists
	EvFrameOpened  EventKind = "frame_opened"  //
	EvFrameVerdict EventKind = "frame_verdict" // nothing more starts in it
	EvFrameEnded   EventKind = "frame_ended"   //
	EvEntered      EventKind = "entered"       // an activation began
	EvQueued       EventKind = "queued"        // it waits for limits and conditions; with no activation, the run does
	EvGranted      EventKind = "granted"       // it has them
	EvNotEntered   EventKind = "not_entered"   // nodes that will not run
	EvAttempt      EventKind = "attempt"       // an attempt is handed out
	EvAttemptEnded EventKind = "attempt_ended" //
	EvCheckpoint   EventKind = "checkpoint"    // a worker left something for the next attempt
	EvTaken        EventKind = "taken"         // a worker took the work that was offered
	EvAnswered     EventKind = "answered"      // a message said how the work ended
	EvAwaiting     EventKind = "awaiting"      // something outside the run is waited for
	EvHappened     EventKind = "happened"      // what was waited for has come, or will not
	EvSignaled     EventKind = "signaled"      // a signal came
	EvSignalTaken  EventKind = "signal_taken"  // a wait took a signal that was kept
	EvVoted        EventKind = "voted"         // a person decided on a question
	EvMapOpened    EventKind = "map_opened"    // items are known
	EvLoopOpened   EventKind = "loop_opened"   // how many turns there may be is known
	EvOutputsKept  EventKind = "outputs_kept"  // outputs of items were put away
	EvResult       EventKind = "result"        // a node that is no task has its result
	EvError        EventKind = "error"         // a node has an error, handlers follow
	EvTimerSet     EventKind = "timer_set"     //
	EvTimerFired   EventKind = "timer_fired"   //
	EvRetry        EventKind = "retry"         // the next attempt is decided
	EvCaught       EventKind = "caught"        // a catch rule took the error
	EvAssigned     EventKind = "assigned"      // variables changed
	EvStopping     EventKind = "stopping"      // an activation was told to stop
	EvUnknown      EventKind = "unknown"       // a person must say what happened
	EvFailureHeld  EventKind = "failure_held"  // a person decides what becomes of a failure
	EvEnded        EventKind = "ended"         // an activation ended
	EvCancelAsked  EventKind = "cancel_asked"  // the run was told to stop
	EvRunEnded     EventKind = "run_ended"     //

	EvHeld          EventKind = "held"           // the run, or the step at a path, starts nothing
	EvReleased      EventKind = "released"       // a hold was taken back
	EvSettled       EventKind = "settled"        // an operator says how an activation ends
	EvForced        EventKind = "forced"         // a node does not wait for what it needs
	EvRerun         EventKind = "rerun"          // nodes of a frame run again
	EvReentered     EventKind = "reentered"      // an activation begins that runs again
	EvCommented     EventKind = "commented"      // an operator's note
	EvRetryAsked    EventKind = "retry_asked"    // what failed is to run again
	EvFrameReopened EventKind = "frame_reopened" // a frame goes on that had ended
	EvReopened      EventKind = "reopened"       // an activation goes on that had ended
	EvRestored      EventKind = "restored"       // a frame goes on that was over and gone, and its owner
)

// Event is a fact. Which members are set depends on Kind; values hold users'
// data and are stored apart from the rest (see [EncodeEvents]).
type Event struct {
	Kind EventKind `json:"kind"`
	At   time.Time `json:"at"`

	Frame   FrameID           `json:"frame,omitempty"`
	Act     ActID             `json:"act,omitempty"`
	Path    string            `json:"path,omitempty"` // of a step that is held or released
	Node    workflow.NodeID   `json:"node,omitempty"`
	Nodes   []workflow.NodeID `json:"nodes,omitempty"`
	Acts    []ActID           `json:"acts,omitempty"` // that are to be undone
	Body    workflow.BodyID   `json:"body,omitempty"`
	Role    Role              `json:"role,omitempty"`
	Of      FrameID           `json:"of,omitempty"`
	Branch  int               `json:"branch,omitempty"`
	Index   int               `json:"index,omitempty"`
	Visit   int               `json:"visit,omitempty"`
	Attempt int               `json:"attempt,omitempty"`
	Rule    int               `json:"rule,omitempty"`

	State   State       `json:"state,omitempty"`
	Reason  Reason      `json:"reason,omitempty"`
	Handled bool        `json:"handled,omitempty"`
	Outcome OutcomeKind `json:"outcome,omitempty"`

	Timer     TimerID   `json:"timer,omitempty"`
	TimerKind TimerKind `json:"timer_kind,omitempty"`
	Due       time.Time `json:"due,omitzero"`

	Fence     Fence     `json:"fence,omitzero"`
	Key       string    `json:"key,omitempty"` // idempotency key
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Usage     Usage     `json:"usage,omitzero"`

	BusinessDate string  `json:"business_date,omitempty"`
	Seed         uint64  `json:"seed,omitempty"`
	Actor        string  `json:"actor,omitempty"`
	Taker        string  `json:"taker,omitempty"` // worker outside that took the work
	Trigger      string  `json:"trigger,omitempty"`
	Count        int     `json:"count,omitempty"`
	Parent       *Parent `json:"parent,omitempty"`
	Known        uint64  `json:"known,omitempty"` // events of the child that has ended
	MaxParallel  int     `json:"max_parallel,omitempty"`
	MaxFailures  int     `json:"max_failures,omitempty"`
	Signal       uint64  `json:"signal,omitempty"` // number of the event that it came with
	// Same says that the output is the result, which an earlier event holds; of
	// a frame that is reopened, that its verdict stays; of an attempt that ended,
	// that no message is awaited any more.
	Same     bool             `json:"same,omitempty"`
	ExitTo   FrameID          `json:"exit_to,omitempty"`
	ExitNext *workflow.NodeID `json:"exit_next,omitempty"`
	Ops      []VarOp          `json:"-"`
	Awaits   *Awaited         `json:"-"`
	Queue    *Queue           `json:"-"`
	Restored *Restored        `json:"restored,omitempty"`

	// Users' data.
	Input      value.Value   `json:"-"`
	Vars       value.Value   `json:"-"`
	Output     value.Value   `json:"-"`
	Items      value.Value   `json:"-"`
	Error      *Error        `json:"-"`
	Warning    string        `json:"-"`
	Text       string        `json:"-"` // a person's reason
	Checkpoint []byte        `json:"-"`
	Secrets    []SecretSlot  `json:"-"`
	Artifacts  []Artifact    `json:"-"`
	Recalled   *RestoredData `json:"-"`
	Timeout    time.Duration `json:"timeout,omitempty"`
	Heartbeat  time.Duration `json:"heartbeat,omitempty"`
}

// VarOp is a change of a variable, as recorded.
type VarOp struct {
	Frame FrameID             `json:"frame"`
	Var   string              `json:"var"`
	Path  []string            `json:"path,omitempty"` // member names, indexes as digits
	Op    workflow.AssignKind `json:"op,omitempty"`
	Value value.Value         `json:"value,omitzero"`
}
