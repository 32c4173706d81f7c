package asl

import (
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// position is where an expression of a state stands: what $ and $states mean.
type position uint8

const (
	placeInput  position = iota // before the state does its work: $ is the value so far
	placeResult                 // after it: $states.result is there
	placeAssign                 // in Assign: $ is the result, or the effective input of what has none
	placeCaught                 // in a catcher: $ is the error
	placeItem                   // in an ItemSelector: $ is the effective input
	placeItems                  // in ItemsPath or Items: $ is the effective input
	placeRule                   // in a rule of a Choice: $ is the effective input
	placeBound                  // in the bounds of a Task: $ is the state's own input
)

// emitter makes the data of one state.
type emitter struct {
	*compiler
	s  *State
	in *scope
	// inner says that the data is that of a node within the state, whose input is
	// that of the frame.
	inner bool
}

// frameInput is the input of the state, seen from a node within it.
func frameInput(at position) workflow.Source {
	from := workflow.Source{Root: workflow.RootFrame, Name: "input"}
	if at == placeItem {
		from.Up = 1 // the place counts as inside the item's frame
	}
	return from
}

// data is the value of a source.
func (c *compiler) data(from workflow.Source) *workflow.Data {
	return c.made(Operation{Path: "$", Plain: true}, from)
}

// made is the value of an operation on a source.
func (c *compiler) made(op Operation, from workflow.Source) *workflow.Data {
	return &workflow.Data{Expr: &workflow.Expr{
		Language: Name, Source: op.source(), Bind: []workflow.Binding{{Path: []string{bindInput}, From: from}},
	}}
}

// expr makes an expression of an operation; variables are those that it reads.
func (e *emitter) expr(op Operation, at position, n *yamldoc.Node, variables []string) *workflow.Expr {
	out := &workflow.Expr{Language: Name, Source: op.source()}
	if n != nil {
		out.Line = n.Pos.Line
	}
	if op.JSONata != "" {
		out.Bind = e.states(op.JSONata, at)
	} else {
		out.Bind = e.roots(op, at)
	}
	for _, name := range variables {
		out.Bind = append(out.Bind, workflow.Binding{Path: []string{name}, From: workflow.Source{Root: workflow.RootVar, Name: name}})
	}
	return out
}

// roots binds $ and, where it is read, $$.
func (e *emitter) roots(op Operation, at position) []workflow.Binding {
	from := workflow.Source{Root: workflow.RootStage}
	switch {
	case e.inner:
		from = frameInput(at)
	case at == placeBound:
		from.Root = workflow.RootRaw
	case at == placeItem, at == placeItems, at == placeRule, at == placeAssign && e.s.Type == Wait:
		from.Root = workflow.RootEffective
	case at == placeAssign:
		from.Root = workflow.RootResult
	case at == placeCaught:
		from.Root = workflow.RootError
	}
	bind := []workflow.Binding{{Path: []string{bindInput}, From: from}}
	text := op.Path
	if op.Test != nil {
		text = op.source()
	}
	if strings.Contains(text, "$$") {
		bind = append(bind, e.context(at, bindContext)...)
	}
	return bind
}

// states binds what is read of $states.
func (e *emitter) states(src string, at position) []workflow.Binding {
	input := workflow.Source{Root: workflow.RootRaw}
	if e.inner {
		input = frameInput(at)
	}
	bind := []workflow.Binding{{Path: []string{bindStates, "input"}, From: input}}
	switch at {
	case placeResult, placeAssign:
		if e.s.Type != Wait && e.s.Type != Pass && e.s.Type != Choice && e.s.Type != Succeed {
			bind = append(bind, workflow.Binding{Path: []string{bindStates, "result"}, From: workflow.Source{Root: workflow.RootResult}})
		}
	case placeCaught:
		bind = append(bind, workflow.Binding{Path: []string{bindStates, "errorOutput"}, From: workflow.Source{Root: workflow.RootError}})
	case placeInput, placeItem, placeItems, placeRule, placeBound:
	}
	if compiled, problems := e.cfg.JSONata.Compile(src, nil); len(problems) == 0 {
		if slices.ContainsFunc(compiled.Reads(), func(r []string) bool {
			return r[0] == bindStates && (len(r) == 1 || r[1] == "context")
		}) {
			bind = append(bind, e.context(at, bindStates, "context")...)
		}
	}
	return bind
}

// context binds the members of the context object.
func (e *emitter) context(at position, path ...string) []workflow.Binding {
	var out []workflow.Binding
	add := func(from workflow.Source, names ...string) {
		out = append(out, workflow.Binding{Path: slices.Concat(path, names), From: from})
	}
	fixed := func(v value.Value, names ...string) {
		out = append(out, workflow.Binding{Path: slices.Concat(path, names), Const: v})
	}
	place, kind := e.cfg.Place.OrDefault(), "execution"
	if e.cfg.Type == Express {
		kind = "express"
	}
	add(workflow.Source{Root: workflow.RootRun, Name: "id", Prefix: place.ARN(kind, e.machine) + ":"}, "Execution", "Id")
	between := 0
	if at == placeItem {
		between = 1
	}
	add(e.in.executionInput(between), "Execution", "Input")
	add(workflow.Source{Root: workflow.RootRun, Name: "id"}, "Execution", "Name")
	fixed(value.String(place.Role), "Execution", "RoleArn")
	add(workflow.Source{Root: workflow.RootRun, Name: "started_at"}, "Execution", "StartTime")
	if e.cfg.Type != Express {
		fixed(value.Int(0), "Execution", "RedriveCount")
	}
	fixed(value.String(place.ARN("stateMachine", e.machine)), "StateMachine", "Id")
	fixed(value.String(e.machine), "StateMachine", "Name")
	fixed(value.String(e.s.Name), "State", "Name")
	add(workflow.Source{Root: workflow.RootAttempt, Name: "entered_at"}, "State", "EnteredTime")
	switch e.s.Type {
	case Task, Map, Parallel:
		add(workflow.Source{Root: workflow.RootAttempt, Name: "retries"}, "State", "RetryCount")
	case Pass, Wait, Choice, Succeed, Fail:
	}
	if e.s.Task != nil && e.s.Task.Resource.Pattern == WaitForTaskToken {
		add(workflow.Source{Root: workflow.RootAttempt, Name: "token"}, "Task", "Token")
	}
	up, inside := e.in.itemUp()
	if at == placeItem {
		up, inside = 0, true
	}
	if inside {
		add(workflow.Source{Root: workflow.RootIndex, Up: up}, "Map", "Item", "Index")
		add(workflow.Source{Root: workflow.RootElement, Up: up}, "Map", "Item", "Value")
	}
	return out
}

// jsonata makes data of an expression.
func (e *emitter) jsonata(src, field string, want Want, at position, n *yamldoc.Node) *workflow.Data {
	var variables []string
	if compiled, problems := e.cfg.JSONata.Compile(src, nil); len(problems) == 0 {
		for _, r := range compiled.Reads() {
			// A variable that has the name of a function hides it.
			if e.assigned[r[0]] && !slices.Contains(variables, r[0]) {
				variables = append(variables, r[0])
			}
		}
	}
	return &workflow.Data{Expr: e.expr(Operation{JSONata: src, Field: field, Want: want}, at, n, variables)}
}

// query makes data of a path or intrinsic.
func (e *emitter) query(op Operation, at position, n *yamldoc.Node) *workflow.Data {
	op.Caught = at == placeCaught
	return &workflow.Data{Expr: e.expr(op, at, n, variablesOf(op.Path))}
}

// value makes data of a field that is a literal, a path or an expression; nil
// where there is none.
func (e *emitter) value(v *Value, want Want) *workflow.Data { return e.valueAt(v, want, placeInput) }

func (e *emitter) valueAt(v *Value, want Want, at position) *workflow.Data {
	if v == nil {
		return nil
	}
	switch v.Kind {
	case Expression:
		return e.jsonata(v.Text, v.Field, want, at, v.Node)
	case Path, Intrinsic:
		return e.query(Operation{Path: v.Text, Field: v.Field, Want: want}, at, v.Node)
	case Literal:
	}
	return constant(v.Literal)
}

// template makes data of a template.
func (e *emitter) template(n *yamldoc.Node, field string, at position) *workflow.Data {
	if n == nil {
		return nil
	}
	d := e.part(n, field, at)
	return &d
}

func (e *emitter) part(n *yamldoc.Node, field string, at position) workflow.Data {
	switch {
	case n.Kind == yamldoc.Map && len(n.Entries) > 0:
		var d workflow.Data
		for i := range n.Entries {
			key, v := n.Entries[i].Key.Text, n.Entries[i].Value
			name, isQuery := strings.CutSuffix(key, dynamic)
			switch {
			case isQuery && e.s.Language == JSONPath:
				d.Object = append(d.Object, workflow.DataMember{Key: name, Data: *e.query(Operation{Path: v.Text, Field: key}, at, v)})
			default:
				d.Object = append(d.Object, workflow.DataMember{Key: key, Data: e.part(v, field+"/"+key, at)})
			}
		}
		return fixed(d, n)
	case n.Kind == yamldoc.List && len(n.Items) > 0:
		var d workflow.Data
		for i, item := range n.Items {
			d.List = append(d.List, e.part(item, index(field, i), at))
		}
		return fixed(d, n)
	case n.Kind == yamldoc.String && e.s.Language == JSONata:
		if src, _, ok, _ := expressionOf(n.Text); ok {
			return *e.jsonata(src, field, "", at, n)
		}
	}
	return workflow.Data{Const: n.ToValue()}
}

// fixed is the data as a constant if nothing in it is computed.
func fixed(d workflow.Data, n *yamldoc.Node) workflow.Data {
	for i := range d.Object {
		if d.Object[i].Data.Const.IsUndefined() {
			return d
		}
	}
	for i := range d.List {
		if d.List[i].Const.IsUndefined() {
			return d
		}
	}
	return workflow.Data{Const: n.ToValue()}
}

// pathStage replaces the value by what a path leads to; null discards it.
func (e *emitter) pathStage(v *Value) []workflow.Stage {
	switch {
	case v == nil || v.Kind == Path && v.Text == "$":
		return nil
	case v.IsNull():
		return []workflow.Stage{{Data: constant(value.Object())}}
	}
	return []workflow.Stage{{Data: e.query(Operation{Path: v.Text, Field: v.Field, Plain: true}, placeInput, v.Node)}}
}

// into puts the value into the state's input; null keeps the input only.
func (e *emitter) into(v *Value) []workflow.Stage {
	switch {
	case v == nil || v.Text == "$":
		return nil
	case v.IsNull():
		return []workflow.Stage{{Data: e.data(workflow.Source{Root: workflow.RootRaw})}}
	}
	return []workflow.Stage{{Data: &workflow.Data{Expr: &workflow.Expr{
		Language: Name, Source: Operation{Into: v.Text}.source(), Line: v.Node.Pos.Line,
		Bind: []workflow.Binding{
			{Path: []string{bindInput}, From: workflow.Source{Root: workflow.RootStage}},
			{Path: []string{bindRaw}, From: workflow.Source{Root: workflow.RootRaw}},
		},
	}}}}
}

// input makes the stages before the state does its work.
func (e *emitter) input() []workflow.Stage {
	s := e.s
	stages := e.pathStage(s.InputPath)
	switch {
	case s.Parameters != nil:
		stages = append(stages, workflow.Stage{Data: e.template(s.Parameters, "Parameters", placeInput)})
	case s.Arguments != nil:
		stages = append(stages, workflow.Stage{Data: e.template(s.Arguments, "Arguments", placeInput)})
	}
	if s.Pass != nil && s.Pass.Result != nil {
		stages = append(stages, workflow.Stage{Data: constant(s.Pass.Result.ToValue())})
	}
	return stages
}

// result makes the stages behind the state's work.
func (e *emitter) result() []workflow.Stage {
	s := e.s
	var stages []workflow.Stage
	if s.Type == Wait { // its output is what went into it
		stages = append(stages, workflow.Stage{Data: e.data(workflow.Source{Root: workflow.RootEffective})})
	}
	if s.ResultSelector != nil {
		stages = append(stages, workflow.Stage{Data: e.template(s.ResultSelector, "ResultSelector", placeInput)})
	}
	stages = append(stages, e.into(s.ResultPath)...)
	stages = append(stages, e.pathStage(s.OutputPath)...)
	if s.Output != nil && s.Type != Choice {
		stages = append(stages, workflow.Stage{Data: e.template(s.Output, "Output", placeResult)})
	}
	return stages
}

// assign makes the assignment of a template of variables.
func (e *emitter) assign(n *yamldoc.Node, at position) *workflow.Assignment {
	if n == nil || len(n.Entries) == 0 {
		return nil
	}
	out := &workflow.Assignment{OldValues: true}
	for i := range n.Entries {
		key, v := n.Entries[i].Key.Text, n.Entries[i].Value
		name, isQuery := strings.CutSuffix(key, dynamic)
		op := workflow.AssignOp{Var: key}
		if isQuery && e.s.Language == JSONPath {
			op.Var, op.Value = name, *e.query(Operation{Path: v.Text, Field: key}, at, v)
		} else {
			op.Value = e.part(v, "Assign/"+key, at)
		}
		out.Ops = append(out.Ops, op)
	}
	return out
}
