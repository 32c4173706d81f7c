package engine

import (
	"time"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Context is what comes with every input.
type Context struct {
	// Now is the time of the decision (UTC). It never goes back within a run.
	Now time.Time
	// Fence is the fencing number that attempts started by this decision get:
	// the incarnation and the sequence of the batch that will hold it.
	Fence Fence
	// InlineCost is the budget of one expression that is evaluated while
	// deciding; 0 means expr.InlineCost.
	InlineCost uint64
	// MapBytes is how much of the outputs of ended items a map has in memory; 0
	// means [MapBytes].
	MapBytes int
	// BoundRuns and BoundSteps say that the namespace bounds how many of its runs
	// may be live, and how many of its attempts may be out.
	BoundRuns, BoundSteps bool
	// NamespaceHold is who holds the namespace, nil if nobody does.
	NamespaceHold *Holding
}

// Input is something that happened to a run: Accept, TaskEnded, TimerDue,
// Evaluated, Granted, Happened, Pinned, Cancel, Recover, Callback, or an operator's action: Hold, Release
// or Retry.
type Input interface{ input() }

// Accept starts the run. It is the first input and comes once.
type Accept struct {
	// Input is the run's input as given; defaults are filled in and types
	// checked by [Machine.CheckInput] before.
	Input value.Value
	// Vars holds the namespace variables that the program names.
	Vars value.Value
	// BusinessDate is 2006-01-02.
	BusinessDate string
	// Seed feeds everything that looks random in the run.
	Seed uint64
	// Actor and Trigger say who or what started it.
	Actor   string
	Trigger string
	// Parent is the run that starts it, nil for none.
	Parent *Parent
	// Held holds the run from the start, for HoldReason: nothing begins until
	// it is released.
	Held       bool
	HoldReason string
	// Skip, if not empty, ends the run at once as skipped, for this reason.
	Skip Reason
}

// TaskEnded is the end of an attempt.
type TaskEnded struct {
	Act     ActID
	Attempt int
	Outcome TaskOutcome
}

// TaskOutcome is how an attempt ended.
type TaskOutcome struct {
	Kind OutcomeKind
	// Output is the result of one that succeeded; Error the failure's.
	Output  value.Value
	Error   *Error
	Warning string
	// Checkpoint is what the next attempt will find.
	Checkpoint []byte
	StartedAt  time.Time // zero if it never started
	EndedAt    time.Time
	Usage      Usage
	// Artifacts are the files that it left, which are kept.
	Artifacts []Artifact
	// Final says that a node which a message ends has ended with this result: a
	// mock stands for the message too.
	Final bool
	// Reach says whether a call got through to the other side, for those who
	// hand out attempts; the engine does not look at it.
	Reach Reach
}

// Reach says whether the call of an attempt got through to the other side.
type Reach uint8

// What can be known of it.
const (
	ReachUnknown Reach = iota // it is no call, or ended for another reason
	ReachReached              // the other side answered, be it with a refusal
	ReachFailed               // it did not answer, or is broken
)

// OutcomeKind tells the ends of an attempt apart.
type OutcomeKind string

// The kinds. Lost means that nobody can know. NotStarted means that it
// certainly did nothing: it counts neither as failed nor as lost.
const (
	OutcomeSucceeded  OutcomeKind = "succeeded"
	OutcomeFailed     OutcomeKind = "failed"
	OutcomeCanceled   OutcomeKind = "canceled"
	OutcomeLost       OutcomeKind = "lost"
	OutcomeNotStarted OutcomeKind = "not_started"
)

// Usage is what an attempt used.
type Usage struct {
	CPUSeconds float64       `json:"cpu_seconds,omitempty"`
	PeakMemory int64         `json:"peak_memory,omitempty"` // bytes
	BytesIn    int64         `json:"bytes_in,omitempty"`
	BytesOut   int64         `json:"bytes_out,omitempty"`
	LogBytes   int64         `json:"log_bytes,omitempty"`
	QueueTime  time.Duration `json:"queue_time,omitempty"`
}

// TimerDue says that a timer's instant has come. A timer that is not there any
// more is ignored.
type TimerDue struct{ Timer TimerID }

// Evaluated answers a NeedEval.
type Evaluated struct {
	ID    uint64
	Value value.Value
	Err   *Error // of the evaluation
}

// Cancel asks the whole run to end.
type Cancel struct {
	Actor  string
	Reason string
}

// Recover is the first input after the state was folded from storage: it gives
// the commands again whose effects may be lost, and goes on with what was
// in hand.
type Recover struct{}

func (Accept) input()    {}
func (TaskEnded) input() {}
func (TimerDue) input()  {}
func (Evaluated) input() {}
func (Cancel) input()    {}
func (Recover) input()   {}

// Decision is what follows from an input.
type Decision struct {
	Events   []Event
	Commands []Command
	// Affected is what an operator's action did; empty if all was so already.
	Affected []Affected
}

// Command is work for others: Dispatch, Reattach, CancelTask, SetTimer,
// ClearTimer, AskGate, HoldGate, LeaveGate, SetFacts, Await, CancelChild, NeedEval or RunEnded. It may be acted on once the batch that
// holds the decision is durable.
type Command interface{ command() }

// Dispatch hands an attempt to a worker, once.
type Dispatch struct{ Task Task }

// Reattach asks for the result of an attempt that was handed out before a
// restart: whoever has it goes on, and otherwise it is lost.
type Reattach struct{ Task Task }

// Task is an attempt to be made.
type Task struct {
	Run     string
	Act     ActID
	Path    string
	Attempt int
	// Uses names the executor or connector; Input is its evaluated input.
	Uses  string
	Input value.Value
	// Secrets are the places of Input where secrets belong.
	Secrets []SecretSlot
	// Timeout bounds the attempt from its start; 0: none.
	Timeout time.Duration
	// Heartbeat is the longest silence; 0: none is owed.
	Heartbeat      time.Duration
	IdempotencyKey string
	Fence          Fence
	Checkpoint     []byte
	AtMostOnce     bool
	Idempotent     bool
	// Node is the program's node, and Program the whole, for what is constant.
	Node    *workflow.Node
	Program *workflow.Program
}

// SecretSlot is a text in a task's input that has secrets in it: the text at
// Path (member names; list indexes as digits) is the parts, joined.
type SecretSlot struct {
	Path  []string     `json:"path"`
	Parts []SecretPart `json:"parts"`
}

// SecretPart is plain text or the name of a secret.
type SecretPart struct {
	Text   string `json:"text,omitempty"`
	Secret string `json:"secret,omitempty"`
}

// CancelTask asks an attempt to stop. Its end is still reported.
type CancelTask struct {
	Act     ActID
	Attempt int
	Path    string
}

// SetTimer asks for a TimerDue at an instant, ClearTimer takes it back.
type SetTimer struct {
	Timer TimerID
	At    time.Time
}

// ClearTimer takes a SetTimer back.
type ClearTimer struct{ Timer TimerID }

// NeedEval asks for an evaluation within the larger budget of the pool.
type NeedEval struct {
	ID      uint64
	Program string // name, for messages
	Eval    *Evaluation
}

// RunEnded says that the run is over.
type RunEnded struct {
	State  State
	Reason Reason
	Output value.Value
	Error  *Error
}

func (Dispatch) command()   {}
func (Reattach) command()   {}
func (CancelTask) command() {}
func (SetTimer) command()   {}
func (ClearTimer) command() {}
func (NeedEval) command()   {}
func (RunEnded) command()   {}
