package workflow

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Format is the number of the program form that this package writes and reads.
const Format = 1

// BodyID is an index into Program.Bodies; NodeID one into Body.Nodes. Both are
// pointers where they may be absent.
type (
	BodyID int
	NodeID int
)

// Program is a compiled workflow.
type Program struct {
	Format int `json:"format"`
	// Language is the language of the source, such as "native" or "asl".
	Language  string `json:"language"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// About is what people read: folder, owner, runbook and the like.
	About map[string]string `json:"about,omitempty"`
	// Zone is the IANA name in which dates are computed; empty means UTC.
	Zone         string        `json:"zone,omitempty"`
	BusinessDate *BusinessDate `json:"business_date,omitempty"`
	// Inputs declares the run's input; nil accepts anything as it is, and takes
	// none at all for an empty object; an empty list accepts nothing.
	Inputs []Input `json:"inputs,omitzero"`
	// Bodies is the table of bodies; Main is the one that a run enters.
	// Bodies may be entered from several places, themselves included.
	Bodies []Body `json:"bodies"`
	Main   BodyID `json:"main"`
	// Errors says how the engine's own errors look in this language.
	Errors []ErrorMapping `json:"errors,omitempty"`
	// MaxDepth bounds the nesting of frames at run time; 0 means
	// [DefaultMaxDepth]. Beyond it the entering activation fails with the
	// engine's error "depth".
	MaxDepth int `json:"max_depth,omitempty"`
	// Pipelined lets the next step start before the previous result is on
	// disk (docs/engine.md §4).
	Pipelined bool `json:"pipelined,omitempty"`
	// Definition is what the program was compiled of, where the read side of its
	// language needs it.
	Definition *Definition `json:"definition,omitempty"`
	// Files is the bundle: what is put into the working directory of tasks.
	Files []File `json:"files,omitempty"`
	// Vars are the names of namespace variables that the program reads; they
	// are resolved when a run is accepted and recorded with it.
	Vars []string `json:"vars,omitempty"`
	// Secrets are the names of secrets that tasks of the program use; they are
	// resolved where the task runs and recorded nowhere.
	Secrets []string `json:"secrets,omitempty"`
	// Objects are the connections and channels that tasks name.
	Objects []ObjectRef `json:"objects,omitempty"`
	// Triggers start runs; a run that was asked for has no use for them.
	Triggers []Trigger `json:"triggers,omitempty"`
	// Concurrency, Deadlines and OnFailure govern the whole run.
	Concurrency *Concurrency `json:"concurrency,omitempty"`
	Deadlines   []Deadline   `json:"deadlines,omitempty"`
	OnFailure   OnFailure    `json:"on_failure,omitempty"`
	// Unattended says that nobody can be asked to decide about a failure: none
	// is held.
	Unattended bool `json:"unattended,omitempty"`
}

// VarsOf is the part of a namespace's variables, an object, that the program
// reads, in the order of Vars.
func (p *Program) VarsOf(namespace value.Value) value.Value {
	var members []value.Member
	for _, name := range p.Vars {
		if v, ok := namespace.Lookup(name); ok {
			members = append(members, value.M(name, v))
		}
	}
	return value.Object(members...)
}

// DefaultMaxDepth is the nesting of frames that a program may reach.
const DefaultMaxDepth = 200

// OnFailure says what a failed run does.
type OnFailure string

// The empty OnFailure means Fail.
const (
	OnFailureFail       OnFailure = "fail"
	OnFailureHold       OnFailure = "hold"
	OnFailureCompensate OnFailure = "compensate"
)

// BusinessDate says which date a run is for.
type BusinessDate struct {
	Calendar  string `json:"calendar"`
	Offset    int    `json:"offset,omitempty"`
	DayStarts string `json:"day_starts,omitempty"` // 15:04
}

// Input declares one member of the run's input.
type Input struct {
	Name        string        `json:"name"`
	Type        expr.Type     `json:"type"`
	Required    bool          `json:"required,omitempty"`
	Default     *Data         `json:"default,omitempty"`
	Enum        []value.Value `json:"enum,omitempty"`
	Description string        `json:"description,omitempty"`
}

// Definition is the text of a workflow as it was written.
type Definition struct {
	File string `json:"file"` // name without folders
	Text string `json:"text"`
}

// File is one file of the bundle, by content.
type File struct {
	Path   string `json:"path"` // slash-separated, relative to the workflow's folder
	Mode   uint32 `json:"mode"` // 0644 or 0755
	SHA256 string `json:"sha256"`
	Data   []byte `json:"data"`
}

// ObjectRef names an object that a task uses.
type ObjectRef struct {
	Kind string `json:"kind"` // Connection, Channel
	Name string `json:"name"`
}

// ErrorMapping gives one of the engine's errors the name and form that the
// language knows it by.
type ErrorMapping struct {
	// Engine is the engine's name: timeout, heartbeat, evaluation, depth,
	// canceled, attempt_lost, too_many_failures, too_many_turns, no_choice,
	// approval_rejected, input_invalid, killed.
	Engine string `json:"engine"`
	// Code, if it is not empty, narrows "evaluation" to errors with this code of
	// the expression language, whose messages are then taken as they are.
	Code string `json:"code,omitempty"`
	Name string `json:"name"`
	// Also, if it is not empty, is another name by which handlers know it.
	Also string `json:"also,omitempty"`
	// Message, if it is not empty, replaces the message.
	Message string `json:"message,omitempty"`
	// Uncatchable errors pass every catch; NoRetry ones every retry.
	Uncatchable bool `json:"uncatchable,omitempty"`
	NoRetry     bool `json:"no_retry,omitempty"`
}

// Body is a graph of nodes.
type Body struct {
	Name  string `json:"name,omitempty"`
	Nodes []Node `json:"nodes"`
	// Start lists the nodes of a body of jumps that are entered first; empty
	// for a joined body, where every node waits for its Join.
	Start []NodeID `json:"start,omitempty"`
	// Scope says whether a frame of this body opens a scope of variables.
	Scope Scope `json:"scope,omitempty"`
	// Vars are set when a frame opens.
	Vars []Assignment `json:"vars,omitempty"`
	// Rule judges the frame at each child's end.
	Rule Rule `json:"rule,omitzero"`
	// Output is what the frame ends with when it succeeds; nil takes the
	// output of the node that ended it (in a body of jumps), else null.
	Output *Data `json:"output,omitempty"`
	// Finally is entered when everything else in the frame has settled,
	// whatever the outcome, and is not touched by cancellation of the frame.
	Finally *BodyID `json:"finally,omitempty"`
}

// Scope says what becomes of assignments in a frame.
type Scope string

const (
	// ScopeNone: the frame has no variables; those of the enclosing scope are
	// read and written.
	ScopeNone Scope = ""
	// ScopeRead: the frame has its own; others are read through, never
	// written.
	ScopeRead Scope = "read"
	// ScopeShared: the frame has its own for new names; names of enclosing
	// scopes are written where they stand.
	ScopeShared Scope = "shared"
	// ScopeOwn: the frame has its own, and sees no others.
	ScopeOwn Scope = "own"
)

// Rule judges a frame, and in [Fork] and [Map] the frames of a node.
type Rule struct {
	// OnFailure says what a child's unhandled failure beyond the tolerance
	// means for its siblings. The empty value lets the independent ones go on.
	OnFailure Reaction `json:"on_failure,omitempty"`
	// MaxFailures and MaxFailedPercent (0–100, of all items) tolerate that
	// many failed children; both must hold. Nil tolerates none.
	MaxFailures      *Data `json:"max_failures,omitempty"`
	MaxFailedPercent *Data `json:"max_failed_percent,omitempty"`
	// FirstSuccess ends with the first child that succeeds: the others are
	// canceled, failures count only when nobody succeeded.
	FirstSuccess bool `json:"first_success,omitempty"`
	// SkippedLeaves: a leaf that was skipped takes the states of its
	// predecessors, so that an unhandled failure before it fails the frame.
	SkippedLeaves bool `json:"skipped_leaves,omitempty"`
	// IgnoreFinally: a failure of the finally part does not change the
	// outcome.
	IgnoreFinally bool `json:"ignore_finally,omitempty"`
	// Abandon: canceled children are not waited for; what they report later
	// is dropped.
	Abandon bool `json:"abandon,omitempty"`
}

// Reaction is what a failure means for the siblings.
type Reaction string

const (
	// GoOn: siblings that do not depend on it go on and start.
	GoOn Reaction = ""
	// StartNoMore: what runs may end, nothing more starts.
	StartNoMore Reaction = "start_no_more"
	// CancelRest: what runs is canceled, nothing more starts.
	CancelRest Reaction = "cancel_rest"
)
