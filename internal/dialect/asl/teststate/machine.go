package teststate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// innerName names the state that stands for those inside a Map or Parallel.
const innerName = "inside"

// uses is what the tasks of a test call: nobody but the driver sees it.
const uses = "mock"

// lone is a machine of one state and of those that can follow it.
type lone struct {
	*engine.Machine
	nodes []successor // by node; the first is the state itself
}

// successor is where a state goes on, after an error by a catcher.
type successor struct {
	state   string
	catcher *int // index
}

// compile makes a machine of the state alone, behind which every successor ends
// the machine. With mocked, a Map or Parallel is one task instead of its items
// or branches.
func (t *test) compile(s asl.State, mocked bool) (*lone, error) {
	flow := asl.Flow{StartAt: asl.Text{Text: s.Name, Pos: diag.Pos{Line: 1}}, States: []*asl.State{&s}}
	out := &lone{nodes: make([]successor, 1)}
	leads := func(n asl.Text, catcher *int) asl.Text {
		if n.Pos.Line == 0 {
			return n // the machine ends
		}
		out.nodes = append(out.nodes, successor{n.Text, catcher})
		n.Text = fmt.Sprintf("successor %d of %s", len(out.nodes), s.Name) // a state can follow itself
		flow.States = append(flow.States, &asl.State{Name: n.Text, Type: asl.Succeed, Language: s.Language})
		return n
	}
	s.Next = leads(s.Next, nil)
	s.Catch = slices.Clone(s.Catch)
	for i := range s.Catch {
		s.Catch[i].Next = leads(s.Catch[i].Next, &i)
	}
	if s.Choice != nil {
		choice := asl.ChoiceState{Rules: slices.Clone(s.Choice.Rules), Default: leads(s.Choice.Default, nil)}
		for i := range choice.Rules {
			choice.Rules[i].Next = leads(choice.Rules[i].Next, nil)
		}
		s.Choice = &choice
	}
	inside(&s)
	if mocked && s.Map != nil {
		s.Map.Batcher = nil
	}
	program, problems := asl.Compile(asl.CompileConfig{
		Name: "test", JSONata: t.cfg.JSONata,
		Target: func(asl.Resource) (asl.Target, bool) { return asl.Target{Uses: uses}, true },
	}, &asl.Machine{QueryLanguage: s.Language, Flow: flow})
	if asl.HasErrors(problems) {
		return nil, &Error{Code: CodeDefinition, Message: asl.InvalidDefinition(problems), Diagnostics: problems}
	}
	node := under(program, s.Name)
	if t.state.Map != nil && t.state.Map.Reader != nil && node.Map != nil {
		node.Map.Items = nil
		if items, ok := t.items(); ok {
			node.Map.Items = workflow.Constant(items)
		}
	}
	if mocked {
		if err := mock(node, &s); err != nil {
			return nil, err
		}
	}
	language := &language{Language: asl.NewLanguage(t.cfg.JSONata), context: t.context, variables: t.variables}
	var err error
	out.Machine, err = engine.Prepare(program, map[string]expr.Language{asl.Name: language})
	if err != nil {
		return nil, fmt.Errorf("prepare the state: %w", err)
	}
	return out, nil
}

// inside takes out what a mock stands for: what branches and items do, and
// where items come from and results go.
func inside(s *asl.State) {
	pass := &asl.State{Name: innerName, Type: asl.Pass, Language: s.Language, Pass: &asl.PassState{}, End: true}
	flow := &asl.Flow{StartAt: asl.Text{Text: innerName, Pos: diag.Pos{Line: 1}}, States: []*asl.State{pass}}
	switch {
	case s.Map != nil:
		m := *s.Map
		m.Processor, m.Reader, m.Writer = flow, nil, nil
		s.Map = &m
	case s.Parallel != nil:
		s.Parallel = &asl.ParallelState{Branches: []*asl.Flow{flow}}
	case s.Task != nil:
		task := *s.Task
		task.Resource = asl.Resource{Text: uses}
		s.Task = &task
	}
}

// under is the node of the state under test.
func under(p *workflow.Program, name string) *workflow.Node {
	nodes := p.Bodies[p.Main].Nodes
	return &nodes[slices.IndexFunc(nodes, func(n workflow.Node) bool { return n.ID == name })]
}

// The members of a mocked task's input.
const (
	inArguments  = "arguments"
	inItems      = "items"
	inMax        = "maxConcurrency"
	inCount      = "toleratedFailureCount"
	inPercentage = "toleratedFailurePercentage"
	inHeartbeat  = "heartbeat"
)

// mock makes a task of a node that does work: what else the node would evaluate
// is in the task's input.
func mock(n *workflow.Node, s *asl.State) error {
	source, err := json.Marshal(asl.Operation{Path: "$", Plain: true})
	if err != nil {
		return fmt.Errorf("write an expression: %w", err)
	}
	with := &workflow.Data{}
	add := func(key string, d *workflow.Data) {
		if d != nil {
			with.Object = append(with.Object, workflow.DataMember{Key: key, Data: *d})
		}
	}
	add(inArguments, &workflow.Data{Expr: &workflow.Expr{
		Language: asl.Name, Source: string(source),
		Bind: []workflow.Binding{{Path: []string{"$"}, From: workflow.Source{Root: workflow.RootEffective}}},
	}})
	switch n.Kind {
	case workflow.KindTask:
		add(inHeartbeat, n.Task.Heartbeat)
	case workflow.KindMap:
		add(inItems, n.Map.Items)
		add(inMax, n.Map.MaxParallel)
		if s.Map.ToleratedFailureCount != nil {
			add(inCount, n.Map.Rule.MaxFailures)
		}
		if s.Map.ToleratedFailurePercentage != nil {
			add(inPercentage, n.Map.Rule.MaxFailedPercent)
		}
	case workflow.KindFork:
	default:
		return nil
	}
	n.Kind, n.Map, n.Fork = workflow.KindTask, nil, nil
	n.Task = &workflow.Task{Uses: uses, With: with}
	return nil
}

// language is the language with the context object and the variables of the
// request instead of those of the run.
type language struct {
	expr.Language
	context, variables value.Value
}

// Compile implements expr.Language.
func (l *language) Compile(src string, env *expr.Env) (expr.Compiled, []expr.Problem) {
	c, problems := l.Language.Compile(src, env)
	if len(problems) > 0 {
		return nil, problems
	}
	return &compiled{Compiled: c, language: l}, nil
}

type compiled struct {
	expr.Compiled
	language *language
}

// Eval implements expr.Compiled.
func (c *compiled) Eval(r expr.Request) (value.Value, error) {
	bindings := map[string]value.Value{}
	for _, m := range c.language.variables.Members() {
		bindings[m.Key] = m.Value
	}
	maps.Copy(bindings, r.Bindings)
	bindings["$$"] = c.language.over(bindings["$$"])
	if states, ok := bindings["states"]; ok {
		bindings["states"] = states.With("context", c.language.over(states.Get("context")))
	}
	r.Bindings = bindings
	return c.Compiled.Eval(r) //nolint:wrapcheck // an evaluation's error is shown as it is
}

// over is the request's context object instead of that of the run, except for
// the item that an ItemSelector is about.
func (l *language) over(run value.Value) value.Value {
	if item, ok := run.Lookup("Map"); ok {
		return l.context.With("Map", item)
	}
	return l.context
}
