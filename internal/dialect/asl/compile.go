package asl

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The codes of what a definition cannot be compiled for.
const (
	CodeUnmapped = "UNMAPPED_RESOURCE" // nobody says what a Task calls
	CodeIgnored  = "IGNORED_FIELD"     // a warning: it has no effect here
)

// CompileConfig is what compiling knows from outside.
type CompileConfig struct {
	// Name and Namespace are those of the program.
	Name, Namespace string
	// Type is the guarantee under which the machine runs; empty: Standard: an
	// attempt whose outcome nobody knows fails, and is not repeated unless a
	// Retry says so. Express machines run at least once, with durability
	// pipelined.
	Type MachineType
	// Place is where the context object says that executions run.
	Place Place
	// JSONata is JSONata with AWS's functions. Required.
	JSONata expr.Language
	// Target says what tasks of a resource do; false for one that is not
	// mapped.
	Target func(Resource) (Target, bool)
	// Machines are the others that tasks may start and wait for; of several that
	// an ARN fits, the first.
	Machines []Other
}

// Place is the region, account and role that ARNs of the context object name.
// Definitions take such ARNs apart, so they have AWS's form. Empty members are
// "local", 000000000000 and a role that does not exist.
type Place struct{ Region, Account, Role string }

// OrDefault fills in what is empty.
func (p Place) OrDefault() Place {
	p.Region = cmp.Or(p.Region, "local")
	p.Account = cmp.Or(p.Account, "000000000000")
	p.Role = cmp.Or(p.Role, "arn:aws:iam::"+p.Account+":role/none")
	return p
}

// ARN is the ARN of something of Step Functions there.
func (p Place) ARN(kind, name string) string {
	return "arn:aws:states:" + p.Region + ":" + p.Account + ":" + kind + ":" + name
}

// Compile makes the program of a machine that was read without errors. Its
// expressions are of the language [Name], see [NewLanguage].
func Compile(cfg CompileConfig, m *Machine) (*workflow.Program, []Diagnostic) {
	c := &compiler{cfg: cfg, prog: &workflow.Program{Format: workflow.Format, Language: Name, Namespace: cfg.Namespace, Name: cfg.Name}}
	c.prog.Pipelined = cfg.Type == Express
	c.machines = map[*Machine]workflow.BodyID{}
	c.assigned, c.machine = m.assigned(), cfg.Name
	c.prog.Errors = errorTable()
	if m.Comment != "" {
		c.prog.About = map[string]string{"description": m.Comment}
	}
	if m.TimeoutSeconds != nil {
		// The whole machine is a call, which has a timeout.
		c.prog.Bodies = append(c.prog.Bodies, workflow.Body{})
		inner := c.flow(&m.Flow, nil)
		c.prog.Bodies[0] = workflow.Body{
			Nodes:  []workflow.Node{{Kind: workflow.KindCall, Call: &workflow.Call{Body: inner}, Timeout: constant(m.TimeoutSeconds.Literal)}},
			Output: c.data(workflow.Source{Root: workflow.RootNode, Name: "output"}),
		}
	} else {
		c.prog.Main = c.flow(&m.Flow, nil)
	}
	return c.prog, c.problems
}

// assigned are the variables that the machine sets somewhere.
func (m *Machine) assigned() map[string]bool {
	out := map[string]bool{}
	m.Each(func(s *State) {
		templates := []*yamldoc.Node{s.Assign}
		for i := range s.Catch {
			templates = append(templates, s.Catch[i].Assign)
		}
		if s.Choice != nil {
			for i := range s.Choice.Rules {
				templates = append(templates, s.Choice.Rules[i].Assign)
			}
		}
		for _, n := range templates {
			for _, key := range n.Keys() {
				out[strings.TrimSuffix(key, dynamic)] = true
			}
		}
	})
	return out
}

func constant(v value.Value) *workflow.Data { return workflow.Constant(v) }

type compiler struct {
	cfg      CompileConfig
	prog     *workflow.Program
	problems []Diagnostic
	assigned map[string]bool // variables
	machine  string          // name of the state machine that is compiled
	machines map[*Machine]workflow.BodyID
}

// scope is where a state stands: the frames around it.
type scope struct {
	outer *scope
	item  bool // the frame is that of an item of a Map
	// execution says that the frame is an execution of its own: an item of a
	// distributed Map, or another state machine.
	execution bool
}

// executionInput is the input of the execution that the state belongs to.
// up is how many frames lie between.
func (s *scope) executionInput(up int) workflow.Source {
	for ; s != nil; s, up = s.outer, up+1 {
		if s.execution {
			return workflow.Source{Root: workflow.RootFrame, Up: up, Name: "input"}
		}
	}
	return workflow.Source{Root: workflow.RootInput}
}

// itemUp is how many frames outward the item is found; ok is false outside
// every Map of the execution.
func (s *scope) itemUp() (up int, ok bool) {
	for ; s != nil && !s.execution; s = s.outer {
		if s.item {
			return up, true
		}
		up++
	}
	return 0, false
}

func (c *compiler) fail(code string, pos diag.Pos, length int, at, format string, args ...any) *Diagnostic {
	c.problems = append(c.problems, Diagnostic{
		Severity: Error, Code: code, Message: fmt.Sprintf(format, args...), Location: at, Pos: pos, Length: max(1, length),
	})
	return &c.problems[len(c.problems)-1]
}

// errorTable names the engine's own errors. A path that leads nowhere fails the
// execution: nobody can catch that.
func errorTable() []workflow.ErrorMapping {
	return []workflow.ErrorMapping{
		{Engine: "evaluation", Name: errRuntime, Uncatchable: true, NoRetry: true},
		{Engine: "evaluation", Code: errRuntime, Name: errRuntime, Uncatchable: true, NoRetry: true},
		{Engine: "evaluation", Code: errDataLimit, Name: errDataLimit, Uncatchable: true, NoRetry: true},
		{Engine: "evaluation", Code: errQuery, Name: errQuery},
		{Engine: "evaluation", Code: errReader, Name: errReader},
		{Engine: "evaluation", Code: jsonpath.ResultPathMatchFailure, Name: jsonpath.ResultPathMatchFailure},
		{Engine: "timeout", Name: errTimeout},
		{Engine: "heartbeat", Name: errTimeout, Also: "States.HeartbeatTimeout"},
		{Engine: "no_choice", Name: "States.NoChoiceMatched"},
		{Engine: "too_many_failures", Name: "States.ExceedToleratedFailureThreshold", Message: "The specified tolerated failure threshold was exceeded"},
		{Engine: "killed", Name: errTaskFailed},
		{Engine: "attempt_lost", Name: errTaskFailed, Message: "The outcome of the task is not known"},
	}
}

// flow compiles states to a body of jumps.
func (c *compiler) flow(f *Flow, in *scope) workflow.BodyID {
	id := workflow.BodyID(len(c.prog.Bodies))
	c.prog.Bodies = append(c.prog.Bodies, workflow.Body{})
	nodes := make(map[string]workflow.NodeID, len(f.States))
	for i, s := range f.States {
		nodes[s.Name] = workflow.NodeID(i)
	}
	body := workflow.Body{Start: []workflow.NodeID{nodes[f.StartAt.Text]}, Rule: workflow.Rule{OnFailure: workflow.CancelRest}}
	switch {
	case in == nil:
	case in.execution:
		body.Scope = workflow.ScopeOwn
	default:
		body.Scope = workflow.ScopeRead
	}
	for _, s := range f.States {
		body.Nodes = append(body.Nodes, c.state(s, nodes, in))
	}
	c.prog.Bodies[id] = body
	return id
}

// next is the node of a name, nil where there is none.
func next(nodes map[string]workflow.NodeID, t Text) *workflow.NodeID {
	if t.Pos.Line == 0 {
		return nil
	}
	id := nodes[t.Text]
	return &id
}

// state compiles one state.
func (c *compiler) state(s *State, nodes map[string]workflow.NodeID, in *scope) workflow.Node {
	n := workflow.Node{
		ID: s.Name, Next: next(nodes, s.Next),
		Origin: workflow.Origin{Path: s.Location, File: s.Pos.File, Line: s.Pos.Line, Kind: string(s.Type), Label: s.Comment},
	}
	e := &emitter{compiler: c, s: s, in: in}
	switch s.Type {
	case Pass:
		n.Kind = workflow.KindPass
	case Succeed:
		n.Kind = workflow.KindPass
	case Fail:
		n.Kind, n.Raise = workflow.KindRaise, e.raise()
	case Wait:
		n.Kind, n.Wait = workflow.KindWait, e.wait()
	case Choice:
		n.Kind, n.Choice = workflow.KindChoice, e.choice(nodes)
	case Task:
		if s.Task.Resource.startsMachine() && len(c.cfg.Machines) > 0 {
			e.other(&n)
		} else {
			n.Kind, n.Task = workflow.KindTask, e.task()
		}
		n.Timeout = e.valueAt(s.Task.TimeoutSeconds, WantSeconds, placeBound)
	case Parallel:
		n.Kind, n.Fork = workflow.KindFork, e.parallel()
	case Map:
		e.mapState(&n)
	}
	n.Input, n.Result = e.input(), e.result()
	if s.Type != Choice { // there the rules have their own
		n.Assign = e.assign(s.Assign, placeAssign)
	}
	n.Retry = e.retry()
	n.Catch = e.catch(nodes)
	return n
}
