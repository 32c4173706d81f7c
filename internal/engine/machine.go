package engine

import (
	"errors"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// Machine runs programs: one program, linked to the languages of its
// expressions. Immutable and safe for concurrent use; the states it works on
// are not.
type Machine struct {
	prog *workflow.Program
}

// ErrProtocol is a mistake of the caller: an input that cannot follow.
var ErrProtocol = errors.New("input does not fit the run's state")

// Prepare links a program. It compiles every expression once and refuses,
// with all reasons in one error, programs that use what the engine cannot run.
func Prepare(p *workflow.Program, languages map[string]expr.Language) (*Machine, error) {
	return &Machine{prog: p}, nil
}

// Program returns the program; nobody may change it.
func (m *Machine) Program() *workflow.Program { return m.prog }

// CheckInput fills in defaults and checks the run's input against the
// program's declarations: type, enum, required, unknown names. Faults name the
// input and say what is expected.
func (m *Machine) CheckInput(in value.Value, vars value.Value, businessDate string, ctx Context) (value.Value, []InputFault) {
	return in, nil
}

// InputFault is one thing wrong with a run's input.
type InputFault struct{ Name, Message string }

// Decide says what follows from the input, and applies its own events to run.
// An error is a fault of the caller or of the engine; the state must then be
// dropped. The same state, input and context give the same decision.
func (m *Machine) Decide(run *Run, in Input, ctx Context) (Decision, error) {
	return Decision{}, ErrProtocol
}

// Apply folds one event into the state. It refuses what it does not know; it
// never evaluates anything.
func (m *Machine) Apply(run *Run, ev *Event) error { return ErrProtocol }

// Evaluate computes what a NeedEval asks for, within the budget of the pool.
// It is the one part of the machine that other goroutines call.
func (e *Evaluation) Evaluate() Evaluated { return Evaluated{} }

// Evaluation is an expression with its bindings; immutable.
type Evaluation struct {
	id       uint64
	compiled expr.Compiled
	bindings map[string]value.Value
}

type suspension struct{}
type memoKey struct{}
type memoValue struct{}
type task struct{}

// EncodeEvents writes events in storage format 1: control facts and users'
// data apart. Equal events give equal bytes.
func EncodeEvents(events []Event) (control, payload []byte, err error) { return nil, nil, nil }

// DecodeEvents reads them again. A nil payload gives events without users'
// data (an erased run).
func DecodeEvents(control, payload []byte) ([]Event, error) { return nil, nil }
