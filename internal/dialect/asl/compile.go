package asl

import (
	"fmt"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The codes of what a definition cannot be compiled for.
const (
	CodeUnmapped = "UNMAPPED_RESOURCE"  // nobody says what a Task calls
	CodeLater    = "NOT_AVAILABLE"      // a later release brings it
	CodeMixed    = "MIXED_QUERY_ERRORS" // a warning
)

// Target says what the tasks of a resource do here.
type Target struct {
	// Uses names the executor or connector.
	Uses string
	// With makes its input of the arguments of the state; nil: as they are.
	With func(arguments workflow.Data) workflow.Data
	// Idempotent and AtMostOnce are those of the task.
	Idempotent, AtMostOnce bool
}

// CompileConfig is what compiling knows from outside.
type CompileConfig struct {
	// Name and Namespace are those of the program.
	Name, Namespace string
	// JSONata is JSONata with AWS's functions. Required.
	JSONata expr.Language
	// Target says what tasks of a resource do; false for one that is not
	// mapped.
	Target func(Resource) (Target, bool)
}

// Compile makes the program of a machine that was read without errors. Its
// expressions are of the language [Name], see [NewLanguage].
func Compile(cfg CompileConfig, m *Machine) (*workflow.Program, []Diagnostic) {
	c := &compiler{cfg: cfg, prog: &workflow.Program{Format: workflow.Format, Language: Name, Namespace: cfg.Namespace, Name: cfg.Name}}
	c.assigned = m.assigned()
	c.errorTable(m)
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
}

// scope is where a state stands: the frames around it.
type scope struct {
	outer *scope
	item  bool // the frame is that of an item of a Map
}

// itemUp is how many frames outward the item is found; ok is false outside
// every Map.
func (s *scope) itemUp() (up int, ok bool) {
	for ; s != nil; s = s.outer {
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

// errorTable names the engine's own errors. Those of expressions have the name
// of the query language that most of the machine is in.
func (c *compiler) errorTable(m *Machine) {
	languages := map[QueryLanguage]bool{}
	m.Each(func(s *State) { languages[s.Language] = true })
	evaluation := workflow.ErrorMapping{Engine: "evaluation", Name: errRuntime, Uncatchable: true, NoRetry: true}
	if m.QueryLanguage == JSONata || languages[JSONata] {
		evaluation = workflow.ErrorMapping{Engine: "evaluation", Name: errQuery}
	}
	if languages[JSONata] && languages[JSONPath] {
		c.problems = append(c.problems, Diagnostic{
			Severity: Warning, Code: CodeMixed, Location: "/", Pos: m.Pos, Length: 1,
			Message: "Failed paths of JSONPath states have the error " + errQuery + " here, which can be caught, because other states use JSONata",
		})
	}
	c.prog.Errors = []workflow.ErrorMapping{
		evaluation,
		{Engine: "timeout", Name: "States.Timeout"},
		{Engine: "heartbeat", Name: "States.HeartbeatTimeout"},
		{Engine: "no_choice", Name: "States.NoChoiceMatched"},
		{Engine: "too_many_failures", Name: "States.ExceedToleratedFailureThreshold"},
		{Engine: "attempt_lost", Name: "States.TaskFailed"},
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
	if in != nil {
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
		n.Kind, n.Task = workflow.KindTask, e.task()
		n.Timeout = e.value(s.Task.TimeoutSeconds, WantSeconds)
	case Parallel:
		n.Kind, n.Fork = workflow.KindFork, e.parallel()
	case Map:
		n.Kind, n.Map = workflow.KindMap, e.mapState()
	}
	n.Input, n.Result = e.input(), e.result()
	if s.Type != Choice { // there the rules have their own
		n.Assign = e.assign(s.Assign, placeResult)
	}
	n.Retry = e.retry()
	n.Catch = e.catch(nodes)
	return n
}
