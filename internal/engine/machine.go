package engine

import (
	"errors"
	"time"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
)

// Machine runs programs: one program, linked to the languages of its
// expressions. Immutable and safe for concurrent use; the states it works on
// are not.
type Machine struct {
	prog   *workflow.Program
	bodies []body
	exprs  map[*workflow.Expr]*linked
	errs   map[errorKey]*workflow.ErrorMapping
	// contents name what the nodes do that have a cache.
	contents map[*workflow.Node]string
}

// errorKey finds an error of the engine in the program's table: by its name,
// and for one of an evaluation by the code of the expression language too.
type errorKey struct{ engine, code string }

// body is what Prepare derives from a workflow.Body.
type body struct {
	*workflow.Body
	// dependents lists, for each node, the nodes whose joins name it.
	dependents [][]workflow.NodeID
	// all is, for each node, the atoms of a join that is a conjunction of one
	// atom for each need; nil for other joins.
	all [][]workflow.Ends
	// chain is, for each node, how long it and what follows it in the body usually
	// take.
	chain []time.Duration
	// jumps says that nodes are entered by jumps instead of joins.
	jumps bool
}

// linked is an expression that can be evaluated.
type linked struct {
	src      *workflow.Expr
	index    int
	compiled expr.Compiled
	roots    []bindNode
	readsVar bool
	// path is that of an expression that is no more than a path.
	path []string
}

// bindNode is one name of the bindings: the value of a binding, or an object of
// members.
type bindNode struct {
	name    string
	bind    *workflow.Binding
	typ     expr.Type
	members []bindNode
}

// ErrProtocol is a mistake of the caller: an input that cannot follow.
var ErrProtocol = errors.New("input does not fit the run's state")

// Program returns the program; nobody may change it.
func (m *Machine) Program() *workflow.Program { return m.prog }

func (m *Machine) node(f *Frame, id workflow.NodeID) *workflow.Node {
	return &m.bodies[f.Body].Nodes[id]
}

// engineError makes one of the engine's own errors in the language's words.
func (m *Machine) engineError(name, message string) *Error {
	return mapped(m.errs[errorKey{engine: name}], name, message)
}

func mapped(mapping *workflow.ErrorMapping, name, message string) *Error {
	e := &Error{Name: name, Message: message, Engine: name}
	if mapping != nil {
		e.Name = mapping.Name
		if mapping.Message != "" {
			e.Message = mapping.Message
		}
	}
	return e
}

// mapping is the entry of the program's table that the error came from, nil for
// none.
func (m *Machine) mapping(e *Error) *workflow.ErrorMapping {
	if e.Engine == ErrEvaluation {
		for i := range m.prog.Errors {
			if mapping := &m.prog.Errors[i]; mapping.Engine == e.Engine && mapping.Code != "" && mapping.Name == e.Name {
				return mapping
			}
		}
	}
	return m.errs[errorKey{engine: e.Engine}]
}

// The engine's own error names, before a program's error table.
const (
	ErrTimeout         = "timeout"
	ErrHeartbeat       = "heartbeat"
	ErrEvaluation      = "evaluation"
	ErrDepth           = "depth"
	ErrCanceled        = "canceled"
	ErrAttemptLost     = "attempt_lost"
	ErrTooManyFailures = "too_many_failures"
	ErrTooManyTurns    = "too_many_turns"
	ErrRejected        = "approval_rejected"
	ErrNoChoice        = "no_choice"
	ErrInputInvalid    = "input_invalid"
	ErrFailed          = "failed"
	ErrKilled          = "killed"
	ErrSetFailed       = "set_failed"
)
