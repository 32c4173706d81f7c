package history

import (
	"github.com/regie-dev/regie/internal/dialect/asl"
	aslhistory "github.com/regie-dev/regie/internal/dialect/asl/history"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/workflow"
)

// Execution is a run of a state machine as AWS Step Functions tells it: the
// events of its history so far. It is nil for a program of another language, and
// where the definition is not kept.
func Execution(p *workflow.Program, events []engine.Event) ([]aslhistory.Event, error) {
	if p.Language != asl.Name || p.Definition == nil {
		return nil, nil
	}
	machine, problems := asl.Read(asl.Config{JSONata: jsonata.New(jsonata.Config{AWS: true})}, p.Definition.File, []byte(p.Definition.Text))
	if asl.HasErrors(problems) {
		return nil, nil // it was checked in another way when it was compiled
	}
	return aslhistory.Of(machine, p, events) //nolint:wrapcheck // the error says whose it is
}

// maxKept is how many events of a run of a state machine are kept in memory to
// tell its error. AWS ends an execution with 25,000 events of its own.
const maxKept = 50_000

// keep keeps an event for telling the run in another way; of a run with too many
// events none is kept, and its error is told as it is.
func (b *Builder) keep(ev *engine.Event) {
	switch p := b.machine.Program(); {
	case p.Definition == nil || b.toldAsItIs:
	case len(b.events) == maxKept:
		b.events, b.toldAsItIs = nil, true
	default:
		b.events = append(b.events, *ev)
	}
}

// failure is the error of a run in the words of its language: that of a state
// machine is told with the state and the number of its event.
func failure(p *workflow.Program, events []engine.Event, e *engine.Error) *engine.Error {
	if e == nil {
		return nil
	}
	told, err := Execution(p, events)
	if err != nil || len(told) == 0 {
		return e
	}
	name, cause := aslhistory.Failure(told)
	if name == "" && cause == "" {
		return e
	}
	out := *e
	out.Name, out.Message = name, cause
	return &out
}
