package teststate

import (
	"fmt"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
)

// Config is what a test knows from outside.
type Config struct {
	// JSONata is JSONata with AWS's functions. Required.
	JSONata expr.Language
	// Now is when the state is entered; virtual time goes on from there.
	Now time.Time
	// Seed feeds what looks random, such as States.UUID().
	Seed uint64
	// Place is where the context object says that the execution runs.
	Place asl.Place
}

// Level says how much a [Response] tells.
type Level string

// The levels. Debug and Trace give the [Inspection]; HTTP requests, which Trace
// shows in AWS, are not made.
const (
	Info  Level = "INFO"
	Debug Level = "DEBUG"
	Trace Level = "TRACE"
)

// Validation says how a mocked result is held against the answer of the API
// that the state calls.
type Validation string

// The validations. APIs whose form is not known here are not validated.
const (
	Strict  Validation = "STRICT"  // what is there fits, and what is required is there
	Present Validation = "PRESENT" // what is there fits
	None    Validation = "NONE"
)

// Request is a test.
type Request struct {
	// Definition is a state, or a state machine, in JSON or YAML; File names it
	// in diagnostics and tells YAML from JSON as for [asl.Read].
	Definition, File string
	// StateName names the state of a machine, also one inside a Map or Parallel.
	// It is empty for a definition that is a state.
	StateName string
	// Input is the state's input; undefined: {}.
	Input value.Value
	// Variables are those that the machine has assigned, by name; undefined: none.
	Variables value.Value
	// Context is the whole context object; undefined: one that looks like that
	// of a first state.
	Context value.Value
	// Mock stands for what a Task, Map or Parallel would do; these are refused
	// without one.
	Mock          *Mock
	Configuration Configuration
	Level         Level // empty: Info
	RevealSecrets bool  // refused with a mock
}

// Mock is a result or an error; exactly one is set.
type Mock struct {
	// Result is what the Task, all branches or all items give; undefined: Error
	// is set.
	Result value.Value
	Error  *MockError
	// Validation is Strict where it is empty.
	Validation Validation
}

// MockError is an error with its cause; both may be empty.
type MockError struct{ Error, Cause string }

// Configuration says in which situation the state is.
type Configuration struct {
	// RetrierRetryCount is how often the retrier that takes the error has
	// retried already, at most [MaxRetries].
	RetrierRetryCount int
	// ErrorCausedByState is the state inside a Map or Parallel that a mocked
	// error comes from.
	ErrorCausedByState string
	// MapIterationFailureCount is how many items of a Map have failed.
	MapIterationFailureCount int
	// MapItemReaderData is what the ItemReader of a Map has read, as text.
	MapItemReaderData string
}

// MaxRetries bounds RetrierRetryCount: each of them is decided.
const MaxRetries = 100_000

// The codes of refused requests, as AWS names them.
const (
	CodeValidation = "ValidationException"
	CodeDefinition = "InvalidDefinition"
	CodeInput      = "InvalidExecutionInput"
)

// Error is a request that is refused.
type Error struct {
	Code, Message string
	Hint          string // what to do; may be empty
	// Diagnostics are the faults of the definition.
	Diagnostics []asl.Diagnostic
}

func (e *Error) Error() string { return e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) withHint(hint string) *Error {
	e.Hint = hint
	return e
}

// ParseRequest reads a request in the JSON form of AWS. Fields that hold JSON
// as text there (definition, input, variables, context, result of the mock) may
// hold it as it is too. The error is an *[Error].
func ParseRequest(v value.Value) (Request, error) {
	r := Request{
		StateName: v.Get("stateName").Text(), Level: Level(v.Get("inspectionLevel").Text()),
	}
	r.RevealSecrets, _ = v.Get("revealSecrets").Bool()
	if d := v.Get("definition"); d.Kind() == value.KindString {
		r.Definition = d.Text()
	} else {
		r.Definition = d.Indent()
	}
	var err error
	if r.Input, err = jsonText(v.Get("input"), CodeInput, "The input must be valid JSON"); err != nil {
		return r, err
	}
	if r.Variables, err = jsonText(v.Get("variables"), CodeValidation, "The variables must be valid JSON"); err != nil {
		return r, err
	}
	if r.Context, err = jsonText(v.Get("context"), CodeValidation, "The context must be valid JSON"); err != nil {
		return r, err
	}
	if mock, ok := v.Lookup("mock"); ok {
		if r.Mock, err = ParseMock(mock); err != nil {
			return r, err
		}
	}
	r.Configuration, err = ParseConfiguration(v.Get("stateConfiguration"))
	return r, err
}

// jsonText is a value that is given as it is, or as a text that holds it.
func jsonText(v value.Value, code, message string) (value.Value, error) {
	text, ok := v.Str()
	if !ok {
		return v, nil
	}
	parsed, err := value.Parse([]byte(text))
	if err != nil {
		return value.Undefined, refuse(code, "%s", message).withHint(err.Error())
	}
	return parsed, nil
}

// ParseMock reads a mock in the JSON form of AWS. The error is an *[Error].
func ParseMock(v value.Value) (*Mock, error) {
	if err := known(v, "mock", "result", "errorOutput", "fieldValidationMode"); err != nil {
		return nil, err
	}
	m := &Mock{Validation: Validation(v.Get("fieldValidationMode").Text())}
	switch m.Validation {
	case "", Strict, Present, None:
	default:
		return nil, refuse(CodeValidation, "fieldValidationMode %q is none of STRICT, PRESENT and NONE", m.Validation)
	}
	var err error
	if m.Result, err = jsonText(v.Get("result"), CodeValidation, "Mocked result must be valid JSON"); err != nil {
		return nil, err
	}
	if e, ok := v.Lookup("errorOutput"); ok {
		if err := known(e, "errorOutput of the mock", "error", "cause"); err != nil {
			return nil, err
		}
		m.Error = &MockError{Error: e.Get("error").Text(), Cause: e.Get("cause").Text()}
	}
	return m, nil
}

// ParseConfiguration reads a state configuration in the JSON form of AWS;
// undefined gives the empty one. The error is an *[Error].
func ParseConfiguration(v value.Value) (c Configuration, err error) {
	if v.IsUndefined() {
		return c, nil
	}
	if err := known(v, "stateConfiguration", "retrierRetryCount", "errorCausedByState", "mapIterationFailureCount", "mapItemReaderData"); err != nil {
		return c, err
	}
	if c.RetrierRetryCount, err = number(v, "retrierRetryCount"); err != nil {
		return c, err
	}
	if c.MapIterationFailureCount, err = number(v, "mapIterationFailureCount"); err != nil {
		return c, err
	}
	c.ErrorCausedByState = v.Get("errorCausedByState").Text()
	if data := v.Get("mapItemReaderData"); !data.IsUndefined() {
		c.MapItemReaderData = data.Text()
	}
	return c, nil
}

// number is a member that counts something.
func number(v value.Value, key string) (int, error) {
	n, ok := v.Lookup(key)
	if !ok {
		return 0, nil
	}
	i, ok := n.Int()
	if !ok || i < 0 || i > 1<<31 {
		return 0, refuse(CodeValidation, "%s must be a whole number from 0, and is %s", key, n)
	}
	return int(i), nil
}

// known refuses what is no object, and members that nothing reads.
func known(v value.Value, what string, names ...string) error {
	if v.Kind() != value.KindObject {
		return refuse(CodeValidation, "%s must be an object with %s", what, strings.Join(names, ", "))
	}
members:
	for _, m := range v.Members() {
		for _, name := range names {
			if m.Key == name {
				continue members
			}
		}
		return refuse(CodeValidation, "%s has no member %q", what, m.Key).withHint("there are: " + strings.Join(names, ", "))
	}
	return nil
}
