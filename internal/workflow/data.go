package workflow

import (
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Expr is an expression with its language and what its names mean.
type Expr struct {
	Language string `json:"language"`
	Source   string `json:"source"`
	// Bind says where the values of the names come from. Names that the
	// source does not read are not bound.
	Bind []Binding `json:"bind,omitempty"`
	Zone string    `json:"zone,omitempty"`
	Line int       `json:"line,omitempty"`
}

// Binding gives one name, or one member of a name, a value from a root of the
// engine: {Path: ["steps","fetch","output"], From: node 3's output}; or a value
// that never changes.
type Binding struct {
	Path []string `json:"path"`
	From Source   `json:"from,omitzero"`
	// Const, if it is defined, takes the place of From.
	Const value.Value `json:"const,omitzero"`
	Type  expr.Type   `json:"type,omitzero"`
}

// Source is a root of the engine: which value, of which instance.
type Source struct {
	Root Root `json:"root"`
	// Up is how many frames outward the instance is found; 0 is the frame of
	// the node whose expression this is.
	Up int `json:"up,omitempty"`
	// Node is the node whose fact is read (RootNode), in that frame.
	Node NodeID `json:"node,omitempty"`
	// Name is the variable, input, namespace variable or fact; of a raw or
	// effective input, stage, result, output or error it is a member, empty for
	// the whole.
	Name string `json:"name,omitempty"`
	// Prefix is put before the value, as text.
	Prefix string `json:"prefix,omitempty"`
	// Which tells instances of a node that was visited more than once apart;
	// empty: the last.
	Which Which `json:"which,omitempty"`
}

// Root is a kind of [Source].
type Root string

// The roots of the engine.
const (
	RootInput     Root = "input"     // the run's input, or member Name of it
	RootRaw       Root = "raw"       // the node's raw input
	RootEffective Root = "effective" // the node's effective input
	RootStage     Root = "stage"     // the value that the stage before made
	RootResult    Root = "result"    // the node's result, before its stages
	RootOutput    Root = "output"    // what the stages made of it
	RootError     Root = "error"     // error being handled: the node's own, or that of the catch frame Up
	// RootAttempt is fact Name of the node's work: number of the attempt,
	// failures, lost, retries by its rules, entered_at, and the token that
	// messages for it name.
	RootAttempt Root = "attempt"
	RootItem    Root = "item"    // the map item of the frame Up, or the output of the loop's turn before it
	RootElement Root = "element" // same, as it was before Map.Select
	RootIndex   Root = "index"   // its index, from 0, or the loop's turn, from 1
	RootVar     Root = "var"     // variable Name, seen from here
	RootVars    Root = "vars"    // all variables, as an object
	// RootNode is fact Name of a node: output, state, reason, error, input and
	// ended; succeeded, skipped, failed, canceled and not_run are booleans that
	// say whether it ended in the way of that name (see [Ends]).
	RootNode      Root = "node"
	RootRun       Root = "run"       // fact Name of the run: id, workflow, business_date, accepted_at, state, error, …
	RootFrame     Root = "frame"     // fact Name of the frame Up: state, reason, error, output, and its raw input
	RootNamespace Root = "namespace" // namespace variable Name
)

// Which names an instance among several visits or turns.
type Which string

// WhichAll is a list of all, in order.
const (
	WhichLast Which = ""
	WhichAll  Which = "all"
)

// Data is a value that may have expressions in it. Exactly one member is set;
// an empty
// list or object is a Const.
type Data struct {
	Const  value.Value  `json:"const,omitzero"`
	Expr   *Expr        `json:"expr,omitempty"`
	Text   []Part       `json:"text,omitempty"` // joined as text
	List   []Data       `json:"list,omitempty"`
	Object []DataMember `json:"object,omitempty"`
}

// DataMember is one member of a Data object; a member whose value is undefined
// is left out.
type DataMember struct {
	Key  string `json:"key"`
	Data Data   `json:"data"`
}

// Part is a piece of a text: literal, expression or secret. A secret is never
// evaluated by the engine: the place is recorded, and whoever runs the task
// puts the secret there.
type Part struct {
	Literal string `json:"literal,omitempty"`
	Expr    *Expr  `json:"expr,omitempty"`
	Secret  string `json:"secret,omitempty"`
}

// Stage is one step of data flow. It sees the value so far as RootStage.
type Stage struct {
	// Data replaces the value; nil keeps it.
	Data *Data `json:"data,omitempty"`
	// Check, if set, is a predicate that must hold for the value.
	Check *Expr `json:"check,omitempty"`
}

// PathStep is a member name or an index of a path; one of both.
type PathStep struct {
	Key   string `json:"key,omitempty"`
	Index *Data  `json:"index,omitempty"`
	Name  *Data  `json:"name,omitempty"` // computed member name
}

// Assignment changes variables, all at once for everybody else.
type Assignment struct {
	Ops []AssignOp `json:"ops"`
	// OldValues evaluates every operation on the values before the assignment;
	// else each sees what those before it did.
	OldValues bool `json:"old_values,omitempty"`
}

// AssignOp is one operation on a variable.
type AssignOp struct {
	Var   string     `json:"var"`
	Path  []PathStep `json:"path,omitempty"`
	Op    AssignKind `json:"op,omitempty"`
	Value Data       `json:"value"`
}

// AssignKind is what an operation does.
type AssignKind string

// The empty AssignKind sets.
const (
	AssignSet    AssignKind = ""
	AssignAppend AssignKind = "append"
	AssignAdd    AssignKind = "add"
	AssignMerge  AssignKind = "merge"
	AssignUnset  AssignKind = "unset"
)

// Constant returns a Data without expressions.
func Constant(v value.Value) *Data { return &Data{Const: v} }

// LimitUse takes Weight of the named limit while the node's frame or attempt
// lives.
type LimitUse struct {
	Name   *Data `json:"name"`
	Weight *Data `json:"weight,omitempty"`
}

// Concurrency bounds the runs with the same key.
type Concurrency struct {
	Key  *Data           `json:"key,omitempty"`
	Max  *Data           `json:"max,omitempty"`
	Then ConcurrencyThen `json:"then"`
}

// ConcurrencyThen says what becomes of a run when as many are live as may be.
type ConcurrencyThen string

// The empty ConcurrencyThen means Queue: it waits. Skip ends it as skipped;
// CancelRunning cancels the oldest, and it waits for the end of that.
const (
	ConcurrencyQueue         ConcurrencyThen = "queue"
	ConcurrencySkip          ConcurrencyThen = "skip"
	ConcurrencyCancelRunning ConcurrencyThen = "cancel_running"
)

// Cache reuses an earlier output of the same key.
type Cache struct {
	Key *Data `json:"key"`
	For *Data `json:"for,omitempty"`
}

// Hook enters a body when its owner reaches a state or a clock is due.
type Hook struct {
	On       string `json:"on"`
	When     *Expr  `json:"when,omitempty"`
	At       *Data  `json:"at,omitempty"`
	Each     bool   `json:"each,omitempty"`
	Body     BodyID `json:"body"`
	Awaited  bool   `json:"awaited,omitempty"`
	Counting bool   `json:"counting,omitempty"` // its failure counts
}

// Compensate undoes what the node did.
type Compensate struct {
	Body      BodyID `json:"body"`
	OnUnknown string `json:"on_unknown,omitempty"`
}

// What is done about a node of which nobody knows whether it did something: it is
// undone, or a person is asked. The empty text asks.
const (
	OnUnknownRun = "run"
	OnUnknownAsk = "ask"
)

// Allocation is a place that the tasks of a frame share until it ends.
type Allocation struct {
	Kind string `json:"kind"`
	With *Data  `json:"with,omitempty"`
}

// Held keeps a failure from being final until a person or rule decides.
type Held struct {
	Match []string `json:"match,omitempty"`
}

// Gate is a start gate over conditions, judged again when limits are granted;
// Delete and Add change conditions in the commit of the node's end.
type Gate struct {
	When   *Cond            `json:"when,omitempty"`
	Needs  []ConditionMatch `json:"needs,omitempty"`
	Delete []ConditionMatch `json:"delete,omitempty"`
	Add    []ConditionMatch `json:"add,omitempty"`
}

// ConditionMatch names a condition and its date.
type ConditionMatch struct {
	Name *Data `json:"name"`
	Date *Data `json:"date,omitempty"`
}
