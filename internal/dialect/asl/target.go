package asl

import (
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Target says what the tasks of a resource do here.
type Target struct {
	// Uses names the executor or connector.
	Uses string
	// With makes its input of what the task passes: the arguments of the state,
	// or the payload of a function that it invokes; nil: the arguments, whatever
	// it calls.
	With func(passed workflow.Data) workflow.Data
	// Idempotent and AtMostOnce are those of the task; Reply says how what comes
	// back becomes its result.
	Idempotent, AtMostOnce bool
	Reply                  workflow.Reply
	// Store is the connection of an object store, for what reads items or writes
	// results; Uses is then not needed.
	Store string
}

// The members of arguments that name what an integration calls.
var subjects = map[string]string{
	"lambda:invoke":         "FunctionName",
	"states:startExecution": "StateMachineArn",
}

// Calls is the resource of a Task with what its arguments name, where that is a
// text: the function that lambda:invoke invokes, the state machine that
// states:startExecution starts.
func (s *State) Calls() Resource {
	r := s.Task.Resource
	n := s.arguments().Get(subjects[r.Service+":"+r.Action])
	if n == nil || n.Kind != yamldoc.String {
		return r
	}
	if _, _, computed, _ := expressionOf(n.Text); s.Language != JSONata || !computed {
		r.Subject, r.SubjectPos = n.Text, n.Pos
	}
	return r
}

// arguments is the template of a Task's arguments, nil if it has none.
func (s *State) arguments() *yamldoc.Node {
	if s.Arguments != nil {
		return s.Arguments
	}
	return s.Parameters
}

// target is what a task calls, with the target for it: for what its arguments
// name, else for the resource itself.
func (e *emitter) target() (called Resource, target Target, ok bool) {
	named := e.s.Calls()
	if target, ok = e.cfg.Target(named); ok || named.Subject == "" {
		if !ok && named.Kind == Activity {
			return named, activity(named), true
		}
		return named, target, ok && target.Uses != ""
	}
	if target, ok = e.cfg.Target(e.s.Task.Resource); ok {
		return e.s.Task.Resource, target, target.Uses != ""
	}
	return named, target, false
}

// Invokes reports whether the resource is a function that is called by
// lambda:invoke.
func (r *Resource) Invokes() bool {
	return r.Kind == Integration && r.Service == "lambda" && r.Action == "invoke" && r.Subject != ""
}

// passed is what a task passes to what it calls: an expression that reads one
// source, or the empty object that a function gets which is invoked without a
// payload.
func (e *emitter) passed(r *Resource) workflow.Data {
	from := workflow.Source{Root: workflow.RootEffective}
	if !r.Invokes() {
		return *e.data(from)
	}
	from.Name = memberPayload
	out := e.data(from)
	if arguments := e.s.arguments(); arguments.Get(memberPayload) == nil && arguments.Get(memberPayload+dynamic) == nil {
		out.Expr.Bind = []workflow.Binding{{Path: []string{bindInput}, Const: value.Object()}}
	}
	return *out
}

// memberPayload is the argument of lambda:invoke that the function gets.
const memberPayload = "Payload"

// unmapped refuses a resource that nobody has mapped.
func (e *emitter) unmapped(r *Resource) {
	mapped, pos, what := r.Text, e.s.Task.Resource.Pos, "the resource "+r.Text
	if r.Subject != "" {
		mapped, pos, what = r.Subject, r.SubjectPos, r.Subject
	}
	d := e.fail(CodeUnmapped, pos, len(mapped)+2, place(e.s.Location, "Resource"), "Nothing says what %s is here", what)
	d.State = e.s.Name
	like := "{run: [python3, function.py]}"
	switch {
	case r.Kind != Integration || r.Invokes():
	case subjects[r.Service+":"+r.Action] != "" && r.Subject == "":
		d.Hint = "what is computed is not known before the run: map the resource itself, as any other integration"
		return
	case r.Service == "states":
		like = "{machine: child.asl.json}"
	default:
		like = `{http: {url: "http://localhost:9000/"}}`
	}
	d.Hint = "map it in resources.yaml beside the definition, under `resources:`, such as `\"" + mapped + "\": " + like + "`, or give the state a mock (--mocks FILE)"
}
