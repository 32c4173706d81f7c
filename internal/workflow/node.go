package workflow

// Kind says what a node does.
type Kind string

// The kinds. Each has its own member of [Node], except Pass and Succeed.
const (
	KindTask   Kind = "task"   // attempts of work outside the engine
	KindFork   Kind = "fork"   // one frame for each of its bodies
	KindMap    Kind = "map"    // one frame for each item
	KindChoice Kind = "choice" // the first case that holds: a frame or a jump
	KindLoop   Kind = "loop"   // one frame a turn
	KindWait   Kind = "wait"
	KindAssign Kind = "assign"
	KindPass   Kind = "pass" // its data stages only
	KindRaise  Kind = "raise"
	KindExit   Kind = "exit"
	KindCall   Kind = "call"  // one frame of a body of the table
	KindChild  Kind = "child" // another workflow's run
)

// Node is a place in a body.
type Node struct {
	// ID names the node within its body and is a segment of the paths below
	// it. It may be empty for the only node of a map's or loop's body, whose
	// path is then that of its frame.
	ID     string `json:"id,omitempty"`
	Kind   Kind   `json:"kind"`
	Origin Origin `json:"origin,omitzero"`

	// Join says when the node of a joined body starts; nil: at once. If its
	// value is false for good, the node does not run.
	Join *Join `json:"join,omitempty"`
	// If is judged when the node starts; false skips it.
	If *Expr `json:"if,omitempty"`

	// Input makes the effective input from the raw one, in order. The raw
	// input is the frame's in a joined body, what the jump brought in a body
	// of jumps.
	Input []Stage `json:"input,omitempty"`
	// Result makes the output from the result, in order; then Assign is
	// applied.
	Result []Stage     `json:"result,omitempty"`
	Assign *Assignment `json:"assign,omitempty"`
	// Default is the output of the node when it is skipped; nil: null.
	Default *Data `json:"default,omitempty"`

	Task   *Task   `json:"task,omitempty"`
	Fork   *Fork   `json:"fork,omitempty"`
	Map    *Map    `json:"map,omitempty"`
	Choice *Choice `json:"choice,omitempty"`
	Loop   *Loop   `json:"loop,omitempty"`
	Wait   *Wait   `json:"wait,omitempty"`
	Raise  *Raise  `json:"raise,omitempty"`
	Exit   *Exit   `json:"exit,omitempty"`
	Call   *Call   `json:"call,omitempty"`
	Child  *Child  `json:"child,omitempty"`

	// Next is entered when the node of a body of jumps has ended well; nil
	// ends the frame with the node's output.
	Next *NodeID `json:"next,omitempty"`

	// Retry rules are tried in order, each with a counter of its own; then
	// Catch in order; then ContinueOnError.
	Retry []Retry `json:"retry,omitempty"`
	Catch []Catch `json:"catch,omitempty"`
	// ContinueOnError records the failure and counts it as handled.
	ContinueOnError bool `json:"continue_on_error,omitempty"`
	// Timeout ends an attempt of a task, or a frame attempt or wait of another
	// node, with the engine's error "timeout".
	Timeout *Data `json:"timeout,omitempty"`

	Policies
}

// Policies are what any node may carry besides; each is entered in the engine
// with the capability that brings it, and a program that uses one before is
// refused by engine.Prepare.
type Policies struct {
	Deadlines  []Deadline  `json:"deadlines,omitempty"`
	Limits     []LimitUse  `json:"limits,omitempty"`
	Cache      *Cache      `json:"cache,omitempty"`
	Hooks      []Hook      `json:"hooks,omitempty"`
	Compensate *Compensate `json:"compensate,omitempty"`
	Allocation *Allocation `json:"allocation,omitempty"`
	Daemon     bool        `json:"daemon,omitempty"` // ends with its frame; ready satisfies joins
	Priority   *Data       `json:"priority,omitempty"`
	Held       *Held       `json:"held,omitempty"`
	Gate       *Gate       `json:"gate,omitempty"`
	Expected   string      `json:"expected,omitempty"` // duration
}

// Origin says where a node came from.
type Origin struct {
	// Path is the place in the source, such as graph.fetch or States/Order.
	Path string `json:"path,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Kind is the language's own word, such as run, foreach, Parallel.
	Kind  string `json:"kind,omitempty"`
	Label string `json:"label,omitempty"`
}

// Join is a predicate over predecessors, judged with three values: it starts
// the node as soon as it is true, gives it up as soon as it can only be false.
type Join struct {
	// Needs are the predecessors, in the order in which they stand; atoms of
	// When refer to them.
	Needs []NodeID `json:"needs"`
	When  Cond     `json:"when"`
	// Settled judges only when all Needs have ended.
	Settled bool `json:"settled,omitempty"`
}

// Cond is a formula over ends of predecessors.
type Cond struct {
	Op Op `json:"op"`
	// Args are the operands of And, Or and Not.
	Args []Cond `json:"args,omitempty"`
	// Need and Ends are an atom's: true when the predecessor (an index into
	// Needs) ended in one of Ends, false when it ended otherwise.
	Need int  `json:"need,omitempty"`
	Ends Ends `json:"ends,omitempty"`
	// Expr is judged when all needs have ended and takes the place of an atom.
	Expr *Expr `json:"expr,omitempty"`
}

// Op is an operator of a [Cond].
type Op string

// The operators. And of nothing is true, Or of nothing false.
const (
	OpAnd  Op = "and"
	OpOr   Op = "or"
	OpNot  Op = "not"
	OpEnd  Op = "end" // atom
	OpExpr Op = "expr"
)

// Ends is a set of ways in which a predecessor can end.
type Ends uint16

// The ways. A failure that was handled by ContinueOnError is both EndSucceeded
// and EndFailed. NotRun is the state skipped with the reason upstream_failed
// or upstream_canceled. Ready is a fact published before the end.
const (
	EndSucceeded Ends = 1 << iota
	EndSkipped
	EndFailed
	EndCanceled
	EndNotRun
	EndTimedOut
	EndReady
)

// EndAny is every end; EndOK is what satisfies a plain need.
const (
	EndAny = EndSucceeded | EndSkipped | EndFailed | EndCanceled | EndNotRun | EndTimedOut
	EndOK  = EndSucceeded | EndSkipped
)

// Task is work outside the engine.
type Task struct {
	// Uses names the executor ("process") or connector ("http.request").
	Uses string `json:"uses"`
	// With is the task's input after the node's Input stages. For "process":
	// script or args, shell, env (object), success_codes, image.
	With *Data `json:"with,omitempty"`
	// AtMostOnce: an attempt with unknown outcome is not repeated but waits
	// for a person. Idempotent: repeating is harmless.
	AtMostOnce bool `json:"at_most_once,omitempty"`
	Idempotent bool `json:"idempotent,omitempty"`
	// MaxLost is how many attempts with unknown outcome are repeated; nil: 3.
	MaxLost *int `json:"max_lost,omitempty"`
	// Heartbeat is the longest silence; nil: none is asked for.
	Heartbeat *Data `json:"heartbeat,omitempty"`
	// Type is the task type of a user's own program that the task is of; nil: none.
	Type *TaskType `json:"type,omitempty"`
	// Finish says what ends the node: the task's result (default), or a message
	// that names the attempt's token.
	Finish Finish `json:"finish,omitempty"`
	// Reply says how what comes back becomes the result or the error; it is not
	// applied to what mocks give.
	Reply Reply `json:"reply,omitempty"`
	// RunsOn chooses workers; RunAs the user; OnDisconnect and LostAfter what
	// lost contact means.
	RunsOn       *Data  `json:"runs_on,omitempty"`
	RunAs        string `json:"run_as,omitempty"`
	OnDisconnect string `json:"on_disconnect,omitempty"`
	LostAfter    string `json:"lost_after,omitempty"`
	// Artifacts are files kept from the working directory.
	Artifacts []string `json:"artifacts,omitempty"`
}

// Finish says what ends a task's node.
type Finish string

// The empty Finish means the result.
const (
	FinishResult  Finish = ""
	FinishMessage Finish = "message"
	// FinishOffer is a message too, of whoever took the work: the attempt offers
	// it to the workers of the activity that its input names in the member
	// "activity", and its timeout and heartbeat begin when one takes it.
	FinishOffer Finish = "offer"
)

// MaxActivity is the longest name of an activity, in bytes.
const MaxActivity = 1000

// Reply says how what an executor or connector gave becomes a task's result.
type Reply string

// The replies. That of a function is what the process left in $REGIE_OUTPUT, or
// the body of the HTTP answer; an object with the texts errorType and
// errorMessage is an error of that name, whose message is the object as JSON.
const (
	ReplyAsIs     Reply = ""         // as it is
	ReplyFunction Reply = "function" // what the function returned or raised
	ReplyInvoke   Reply = "invoke"   // same, wrapped: {ExecutedVersion, Payload, StatusCode}
)

// Fork opens one frame for each body at once and ends when all have.
type Fork struct {
	Branches []Branch `json:"branches"`
	Rule     Rule     `json:"rule,omitzero"`
	// Gather says how the branches' outputs become the result.
	Gather Gather `json:"gather"`
}

// Branch is one body of a fork. An empty Name adds no segment to paths.
type Branch struct {
	Name string `json:"name,omitempty"`
	Body BodyID `json:"body"`
}

// Gather says how outputs of several frames become one result.
type Gather string

// GatherSingle is the output of the only branch; GatherObject an object by
// branch names; GatherList a list in the order of branches or items;
// GatherPresent a list without those that were skipped or failed;
// GatherOutcomes, of a map, a list of {index, state, input, output, error,
// started_at, ended_at} of all items.
const (
	GatherSingle  Gather = "single"
	GatherObject  Gather = "object"
	GatherList    Gather = "list"
	GatherPresent Gather = "present"

	GatherOutcomes Gather = "outcomes"
)

// Map opens one frame of Body for each item.
type Map struct {
	Body BodyID `json:"body"`
	// Items is evaluated to a list when the node is entered. Later sources
	// (range, paged reader, channel) stand beside it.
	Items  *Data   `json:"items,omitempty"`
	Reader *Reader `json:"reader,omitempty"`
	// Select makes an item's value.
	Select *Data `json:"select,omitempty"`
	// MaxParallel bounds the frames that are open at once; nil or 0: 1,000.
	MaxParallel *Data  `json:"max_parallel,omitempty"`
	Rule        Rule   `json:"rule,omitzero"`
	Gather      Gather `json:"gather"`
	// ChildRuns makes each item a run of its own.
	ChildRuns bool `json:"child_runs,omitempty"`
}

// Reader reads items page by page from outside.
type Reader struct {
	Uses string `json:"uses"`
	With *Data  `json:"with,omitempty"`
}

// Choice takes the first case that holds.
type Choice struct {
	Cases []Case `json:"cases"`
	// MustMatch fails with the engine's error "no_choice" when no case holds;
	// else the node succeeds with null.
	MustMatch bool `json:"must_match,omitempty"`
}

// Case is taken when If is true (nil: always): its body runs as a frame, or
// control goes to a node of the same body.
type Case struct {
	Name   string      `json:"name,omitempty"`
	If     *Expr       `json:"if,omitempty"`
	Body   *BodyID     `json:"body,omitempty"`
	Next   *NodeID     `json:"next,omitempty"`
	Result []Stage     `json:"result,omitempty"`
	Assign *Assignment `json:"assign,omitempty"`
}

// Loop opens one frame of Body a turn, one after the other. Turns are numbered
// from 1. The result is the output of the last turn, null if there was none.
//
// While, Until, Delay and Grid are judged as if inside the frame of a turn
// (Source.Up counts it): RootIndex is the number of the turn, RootItem the
// output of the turn that ended last.
type Loop struct {
	Body BodyID `json:"body"`
	// Until is judged when a turn has ended, and ends the loop when it holds.
	// While is judged before a turn, before the first too and before the wait for
	// it, and ends the loop when it does not hold. One of While, Until and Max
	// must be there.
	While *Expr `json:"while,omitempty"`
	Until *Expr `json:"until,omitempty"`
	// Max bounds the turns; nil: no bound. A loop that would go on beyond it fails
	// with the engine's error "too_many_turns". Without While and Until it is how
	// many turns there are.
	Max *Data `json:"max,omitempty"`
	// Delay is waited between turns, from the end of one: duration, evaluated
	// when the turn has ended. Grid, instead, is the distance of the instants at
	// which turns begin, from the begin of the loop: the first one after the end of a
	// turn is taken.
	Delay *Data `json:"delay,omitempty"`
	Grid  *Data `json:"grid,omitempty"`
	// FailedTurn says whether a failed turn ends the loop: with the empty value it
	// counts as a turn with the output null; with any other, the loop fails with
	// its error.
	FailedTurn Reaction `json:"failed_turn,omitempty"`
}

// Wait ends at the earliest of what it names.
type Wait struct {
	For   *Data `json:"for,omitempty"`   // duration: text, or a number of seconds
	Until *Data `json:"until,omitempty"` // instant: RFC 3339
	// Event waits for a message, people, a run, fact or asset.
	Event *EventWait `json:"event,omitempty"`
}

// The kinds of an [EventWait].
const (
	// EventRun waits for a run. With is {workflow, date, state: succeeded, failed or
	// ended, which: previous}.
	EventRun = "run"
	// EventCondition waits until a condition holds: With is its name, and its date
	// (default: that of the run).
	EventCondition = "condition"
	// EventSignal waits for a signal to the run, whose name With gives; its data is
	// the result.
	EventSignal = "signal"
	// EventApproval asks people. With is an object: message, count, roles, users,
	// four_eyes, on_timeout. The result has approved, expired, and by, the list of
	// user, at and comment; a rejection is the engine's error "approval_rejected".
	EventApproval = "approval"
)

// EventWait is a wait for something that happens outside the run.
type EventWait struct {
	Kind      string   `json:"kind"` // EventRun, EventSignal, EventApproval; planned: condition, asset, token
	With      *Data    `json:"with,omitempty"`
	Filter    *Expr    `json:"filter,omitempty"`
	Correlate *Data    `json:"correlate,omitempty"`
	Count     *Data    `json:"count,omitempty"`
	Collect   bool     `json:"collect,omitempty"`
	Missing   Reaction `json:"missing,omitempty"`
}

// Raise fails with an error.
type Raise struct {
	Name    *Data `json:"name,omitempty"`
	Message *Data `json:"message,omitempty"`
	Details *Data `json:"details,omitempty"`
	// Error, instead of the three, is an error object to raise again.
	Error *Data `json:"error,omitempty"`
}

// Exit ends an enclosing frame, or goes on somewhere in it.
type Exit struct {
	// Up is how many frames lie between: 0 is the node's own frame. Run ends
	// the whole run instead.
	Up  int  `json:"up,omitempty"`
	Run bool `json:"run,omitempty"`
	// Value is what the frame ends with; or Error; or Next, a node of that
	// frame's body where it goes on.
	Value *Data   `json:"value,omitempty"`
	Error *Raise  `json:"error,omitempty"`
	Next  *NodeID `json:"next,omitempty"`
}

// Call runs a body of the table as a frame with arguments as its raw input.
type Call struct {
	Body BodyID `json:"body"`
	With *Data  `json:"with,omitempty"`
}

// Child starts another workflow's run. The result is its output; of one that is
// detached, {run: ID} as soon as it is accepted.
type Child struct {
	// Workflow is NAME or NAMESPACE/NAME.
	Workflow string `json:"workflow"`
	// With is the input; nil: that of the node.
	With   *Data `json:"with,omitempty"`
	Detach bool  `json:"detach,omitempty"`
	// Cancel says what becomes of it when the node is stopped.
	Cancel ChildStop `json:"cancel,omitempty"`
	// Version of the workflow; empty: the one in force.
	Version string `json:"version,omitempty"`
	// Date is the business date; nil: the run's.
	Date *Data `json:"date,omitempty"`
}

// ChildStop says what becomes of a child run when the node that started it is
// stopped.
type ChildStop string

// The empty ChildStop cancels it and waits for its end; ChildAbandon lets it go
// on.
const (
	ChildCancel  ChildStop = ""
	ChildAbandon ChildStop = "abandon"
)

// Retry repeats a failed task, or a frame with everything in it.
type Retry struct {
	// Match lists error names, each with * as wildcard; empty matches all.
	// Except takes names out again.
	Match  []string `json:"match,omitempty"`
	Except []string `json:"except,omitempty"`
	// When is a predicate over the error and the attempt's facts; Call runs a
	// body that decides.
	When *Expr   `json:"when,omitempty"`
	Call *BodyID `json:"call,omitempty"`
	// MaxAttempts counts all attempts, the first one too. Nil: no bound.
	MaxAttempts *Data   `json:"max_attempts,omitempty"`
	Backoff     Backoff `json:"backoff,omitzero"`
}

// Backoff is the wait before an attempt: Initial × Factor^(n-1), at most Max,
// for the n-th retry of the rule.
type Backoff struct {
	Initial *Data  `json:"initial,omitempty"` // default none
	Factor  *Data  `json:"factor,omitempty"`  // default 1
	Max     *Data  `json:"max,omitempty"`
	Jitter  Jitter `json:"jitter,omitempty"`
	// HonourRetryAfter waits at least as long as the other side asked.
	HonourRetryAfter bool `json:"honour_retry_after,omitempty"`
}

// Jitter makes waits differ.
type Jitter string

// JitterFull draws from 0 to the wait.
const (
	JitterNone Jitter = ""
	JitterFull Jitter = "full"
)

// Catch handles an error that no retry took.
type Catch struct {
	Match  []string `json:"match,omitempty"`
	Except []string `json:"except,omitempty"`
	When   *Expr    `json:"when,omitempty"`
	// Body runs as a frame; its output becomes the node's, which then counts
	// as succeeded. Or Next is entered in a body of jumps.
	Body *BodyID `json:"body,omitempty"`
	Next *NodeID `json:"next,omitempty"`
	// Result makes what Next receives; the stage value begins as the error.
	Result []Stage     `json:"result,omitempty"`
	Assign *Assignment `json:"assign,omitempty"`
}
