package asl

import (
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// QueryLanguage is the language of a state's paths and expressions.
type QueryLanguage string

// The query languages.
const (
	JSONPath QueryLanguage = "JSONPath"
	JSONata  QueryLanguage = "JSONata"
)

// Type is the type of a state.
type Type string

// The types of states.
const (
	Task     Type = "Task"
	Parallel Type = "Parallel"
	Map      Type = "Map"
	Pass     Type = "Pass"
	Wait     Type = "Wait"
	Choice   Type = "Choice"
	Succeed  Type = "Succeed"
	Fail     Type = "Fail"
)

// MachineType is the guarantee that a state machine runs under.
type MachineType string

// The machine types; empty means Standard.
const (
	Standard MachineType = "STANDARD"
	Express  MachineType = "EXPRESS"
)

// Machine is a state machine. Fields that are wrong are left out.
type Machine struct {
	Comment        string
	Version        string
	QueryLanguage  QueryLanguage
	TimeoutSeconds *Value
	Flow
}

// Flow is a set of states with the one that is entered first: a state machine,
// a branch or an item processor.
type Flow struct {
	StartAt Text
	States  []*State // in the order of the definition
	Pos     diag.Pos
	// Location is the place in the definition: /, or /States/All/Branches[0].
	Location string
}

// State returns the state with the name, or nil.
func (f *Flow) State(name string) *State {
	for _, s := range f.States {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Text is a text with its place; Pos.Line is 0 where it does not stand.
type Text struct {
	Text string
	Pos  diag.Pos
}

// Kind says how a [Value] is given.
type Kind uint8

// The kinds of values.
const (
	Literal    Kind = iota // as it stands; null too
	Path                   // a JSONPath: the field's name ends with Path
	Intrinsic              // States.Format(…) and its like
	Expression             // JSONata between {% and %}
)

// Value is a field that is a literal, a path or an expression.
type Value struct {
	Kind Kind
	// Field is the name under which it stands, such as SecondsPath.
	Field string
	// Text is the path, the intrinsic, or the JSONata without {% and %}.
	Text string
	// Literal is the value of a literal; with expressions inside, where the
	// field allows them, it is to be read from Node.
	Literal value.Value
	Node    *yamldoc.Node
}

// IsNull reports whether the field is there and null.
func (v *Value) IsNull() bool { return v != nil && v.Kind == Literal && v.Literal.IsNull() }

// State is one state. Exactly the member of its Type is set, none for Succeed.
type State struct {
	Name     string
	Type     Type
	Comment  string
	Pos      diag.Pos // of the name
	Location string   // /States/Order
	// Language is the one that holds here, whoever declares it.
	Language QueryLanguage

	// Next is the state that follows; End that none does.
	Next Text
	End  bool

	// InputPath, OutputPath and ResultPath are nil where they are not given:
	// $. They may be null.
	InputPath, OutputPath, ResultPath *Value
	// Parameters, ResultSelector, Arguments, Output and Assign are templates:
	// data with members that end with .$, or with texts between {% and %}.
	Parameters, ResultSelector *yamldoc.Node
	Arguments, Output, Assign  *yamldoc.Node

	Retry []Retrier
	Catch []Catcher

	Task     *TaskState
	Pass     *PassState
	Wait     *WaitState
	Choice   *ChoiceState
	Parallel *ParallelState
	Map      *MapState
	Fail     *FailState

	references map[string]bool // variables
}

// TaskState is what only a Task has.
type TaskState struct {
	Resource         Resource
	TimeoutSeconds   *Value
	HeartbeatSeconds *Value
	// Credentials is a template with the role to assume.
	Credentials *yamldoc.Node
}

// PassState is what only a Pass has.
type PassState struct {
	// Result is the fixed output; nil: none is given.
	Result *yamldoc.Node
}

// WaitState has one of its members.
type WaitState struct {
	Seconds   *Value // a number of seconds, or a path or expression that gives it
	Timestamp *Value
}

// FailState is what only a Fail has; each is nil where it is not given.
type FailState struct{ Error, Cause *Value }

// ParallelState has the branches that run at once.
type ParallelState struct{ Branches []*Flow }

// ChoiceState has rules; Default is entered where none holds.
type ChoiceState struct {
	Rules   []Rule
	Default Text
}

// Rule is a rule of a Choice: the first that holds decides.
type Rule struct {
	Comment  string
	Pos      diag.Pos
	Location string
	Next     Text
	Assign   *yamldoc.Node
	Output   *yamldoc.Node
	// Condition is JSONata's; Test that of JSONPath.
	Condition *Value
	Test      *Test
}

// Test is a comparison, or a combination of others: exactly one of And, Or,
// Not and Operator is set.
type Test struct {
	And, Or []Test
	Not     *Test

	Variable *Value
	// Operator is the name of the comparison without Path: StringEquals.
	Operator string
	// Operand is what is compared with: a literal, or a path where the name
	// of the comparison ends with Path.
	Operand *Value
}

// MapState is what only a Map has.
type MapState struct {
	// Items is the list: ItemsPath, Items as a list with expressions inside,
	// or an expression; nil: the whole input.
	Items *Value
	// ItemSelector is a template for each item; it was called Parameters.
	ItemSelector *yamldoc.Node
	Processor    *Flow
	// Distributed runs items as executions of their own, of the type
	// ExecutionType.
	Distributed    bool
	ExecutionType  MachineType
	MaxConcurrency *Value
	// ToleratedFailureCount and ToleratedFailurePercentage are nil where they
	// are not given: none is tolerated.
	ToleratedFailureCount, ToleratedFailurePercentage *Value
	Label                                             Text
	Reader                                            *ItemReader
	Batcher                                           *ItemBatcher
	Writer                                            *ResultWriter
}

// ItemReader reads the items from a store.
type ItemReader struct {
	Resource Resource
	// Arguments is the template Arguments or Parameters.
	Arguments *yamldoc.Node
	InputType string // CSV, JSON, JSONL, PARQUET, MANIFEST; empty: a list of objects
	// CSVHeaderLocation is FIRST_ROW or GIVEN, the latter with CSVHeaders.
	CSVHeaderLocation, CSVDelimiter string
	CSVHeaders                      []string
	ManifestType, Transformation    string
	ItemsPointer                    string
	MaxItems                        *Value
}

// ItemBatcher joins items.
type ItemBatcher struct {
	MaxItemsPerBatch, MaxInputBytesPerBatch *Value
	BatchInput                              *yamldoc.Node // a template
}

// ResultWriter stores the results.
type ResultWriter struct {
	Resource  Resource
	Arguments *yamldoc.Node // the template Arguments or Parameters
	// Transformation is NONE, COMPACT or FLATTEN; OutputType JSON or JSONL.
	Transformation, OutputType string
}

// Retrier repeats a state that failed with one of the errors.
type Retrier struct {
	ErrorEquals []string
	// IntervalSeconds is 1 and MaxAttempts 3 where nil; BackoffRate 2.
	IntervalSeconds, MaxAttempts, MaxDelaySeconds, BackoffRate *Value
	FullJitter                                                 bool
	Comment                                                    string
	Pos                                                        diag.Pos
}

// Catcher goes on elsewhere after one of the errors.
type Catcher struct {
	ErrorEquals []string
	Next        Text
	ResultPath  *Value
	Assign      *yamldoc.Node
	Output      *yamldoc.Node
	Comment     string
	Pos         diag.Pos
	Location    string
}

// Each calls visit for every state, those inside others behind them.
func (f *Flow) Each(visit func(*State)) {
	for _, s := range f.States {
		visit(s)
		if s.Parallel != nil {
			for _, b := range s.Parallel.Branches {
				b.Each(visit)
			}
		}
		if s.Map != nil && s.Map.Processor != nil {
			s.Map.Processor.Each(visit)
		}
	}
}
