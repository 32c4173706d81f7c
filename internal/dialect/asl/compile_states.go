package asl

import (
	"slices"

	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// raise fails with what a Fail state says; without Error the error has no name.
func (e *emitter) raise() *workflow.Raise {
	r := &workflow.Raise{Name: e.value(e.s.Fail.Error, WantText), Message: e.value(e.s.Fail.Cause, WantText)}
	if r.Name == nil {
		r.Name = constant(value.String(""))
	}
	return r
}

func (e *emitter) wait() *workflow.Wait {
	w := e.s.Wait
	return &workflow.Wait{For: e.value(w.Seconds, WantSeconds), Until: e.value(w.Timestamp, WantTimestamp)}
}

func (e *emitter) choice(nodes map[string]workflow.NodeID) *workflow.Choice {
	out := &workflow.Choice{MustMatch: true}
	for i := range e.s.Choice.Rules {
		r := &e.s.Choice.Rules[i]
		out.Cases = append(out.Cases, workflow.Case{
			If: e.condition(r), Next: next(nodes, r.Next),
			Result: e.output(r.Output != nil, func() *workflow.Data { return e.template(r.Output, "Output", placeInput) }),
			Assign: e.assign(r.Assign, placeRule),
		})
	}
	if t := next(nodes, e.s.Choice.Default); t != nil {
		out.Cases = append(out.Cases, workflow.Case{
			Next:   t,
			Result: e.output(e.s.Output != nil, func() *workflow.Data { return e.template(e.s.Output, "Output", placeInput) }),
			Assign: e.assign(e.s.Assign, placeRule),
		})
	}
	return out
}

func (e *emitter) output(there bool, data func() *workflow.Data) []workflow.Stage {
	if !there {
		return nil
	}
	return []workflow.Stage{{Data: data()}}
}

// condition is the predicate of a rule; nil: it always holds.
func (e *emitter) condition(r *Rule) *workflow.Expr {
	switch {
	case r.Test != nil:
		src := r.Test.source()
		return e.expr(Operation{Test: &src}, placeInput, nil, r.Test.variables(nil))
	case r.Condition.Kind == Expression:
		return e.jsonata(r.Condition.Text, "Condition", WantBoolean, placeInput, r.Condition.Node).Expr
	}
	// A literal is an expression too: a rule that is false is not left out.
	return e.jsonata(r.Condition.Literal.String(), "Condition", WantBoolean, placeInput, r.Condition.Node).Expr
}

// variables lists the variables of a rule.
func (t *Test) variables(out []string) []string {
	for i := range t.And {
		out = t.And[i].variables(out)
	}
	for i := range t.Or {
		out = t.Or[i].variables(out)
	}
	if t.Not != nil {
		out = t.Not.variables(out)
	}
	for _, v := range []*Value{t.Variable, t.Operand} {
		if v == nil || v.Kind != Path {
			continue
		}
		for _, name := range variablesOf(v.Text) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (e *emitter) task() *workflow.Task {
	t := e.s.Task
	out := &workflow.Task{Heartbeat: e.valueAt(t.HeartbeatSeconds, WantSeconds, placeBound)}
	if t.Resource.Pattern == WaitForTaskToken || t.Resource.Kind == Activity {
		out.Finish = workflow.FinishMessage
	}
	if e.cfg.Type != Express { // a task whose outcome is unknown is repeated by Retry only
		out.MaxLost = new(int)
	}
	if t.Credentials != nil {
		e.problems = append(e.problems, Diagnostic{
			Severity: Warning, Code: CodeIgnored, Location: place(e.s.Location, "Credentials"), Pos: t.Credentials.Pos, Length: 1,
			Message: "Credentials have no effect: no role is assumed here", Hint: "say in the file of resources with which connection the resource is called",
		})
	}
	called, target, ok := e.target()
	passed := e.passed(&called)
	if !ok {
		out.Uses, out.With = t.Resource.Text, &passed // what mocks show
		e.unmapped(&called)
		return out
	}
	out.Uses, out.Idempotent, out.AtMostOnce, out.Reply = target.Uses, target.Idempotent, target.AtMostOnce, target.Reply
	if target.With != nil {
		with := target.With(passed)
		out.With = &with
	}
	if out.Uses == "activity.offer" { // its time begins when a worker takes it
		out.Finish = workflow.FinishOffer
	}
	return out
}

// activity offers the work to workers that ask for it.
func activity(r Resource) Target {
	return Target{Uses: "activity.offer", With: func(arguments workflow.Data) workflow.Data {
		return workflow.Data{Object: []workflow.DataMember{
			{Key: "activity", Data: *constant(value.String(r.Text))}, {Key: "input", Data: arguments},
		}}
	}}
}

func (e *emitter) parallel() *workflow.Fork {
	out := &workflow.Fork{Rule: workflow.Rule{OnFailure: workflow.CancelRest}, Gather: workflow.GatherList}
	for _, b := range e.s.Parallel.Branches {
		out.Branches = append(out.Branches, workflow.Branch{Body: e.flow(b, &scope{outer: e.in})})
	}
	return out
}

// Errors with a meaning of their own in Retry and Catch.
const (
	errAll        = "States.ALL"
	errTaskFailed = "States.TaskFailed"
	errTimeout    = "States.Timeout"
)

// match makes the patterns of ErrorEquals: States.ALL and States.TaskFailed
// stand for others, except for those that only their own name takes.
func match(names []string) (patterns, except []string) {
	wide := false
	for _, name := range names {
		switch name {
		case errAll:
			wide = true
			except = append(except, errRuntime)
		case errTaskFailed:
			wide = true
			except = append(except, errRuntime, errTimeout)
		default:
			patterns = append(patterns, name)
		}
	}
	if !wide {
		return patterns, nil
	}
	return []string{"*"}, slices.DeleteFunc(except, func(name string) bool { return slices.Contains(names, name) })
}

// Defaults of a retrier.
const (
	defaultInterval = 1 // seconds
	defaultAttempts = 3 // retries
	defaultRate     = 2
)

func (e *emitter) retry() []workflow.Retry {
	var out []workflow.Retry
	for i := range e.s.Retry {
		r := &e.s.Retry[i]
		patterns, except := match(r.ErrorEquals)
		attempts := int64(defaultAttempts)
		if r.MaxAttempts != nil {
			attempts, _ = r.MaxAttempts.Literal.Int()
		}
		rule := workflow.Retry{
			Match: patterns, Except: except, MaxAttempts: constant(value.Int(attempts + 1)),
			Backoff: workflow.Backoff{
				Initial: e.value(r.IntervalSeconds, ""), Factor: e.value(r.BackoffRate, ""), Max: e.value(r.MaxDelaySeconds, ""),
			},
		}
		if rule.Backoff.Initial == nil {
			rule.Backoff.Initial = constant(value.Int(defaultInterval))
		}
		if rule.Backoff.Factor == nil {
			rule.Backoff.Factor = constant(value.Int(defaultRate))
		}
		if r.FullJitter {
			rule.Backoff.Jitter = workflow.JitterFull
		}
		out = append(out, rule)
	}
	return out
}

func (e *emitter) catch(nodes map[string]workflow.NodeID) []workflow.Catch {
	var out []workflow.Catch
	for i := range e.s.Catch {
		c := &e.s.Catch[i]
		rule := workflow.Catch{Next: next(nodes, c.Next)}
		rule.Match, rule.Except = match(c.ErrorEquals)
		shown := &workflow.Data{Expr: &workflow.Expr{
			Language: Name, Source: Operation{Error: true}.source(),
			Bind: []workflow.Binding{{Path: []string{bindError}, From: workflow.Source{Root: workflow.RootError}}},
		}}
		if c.Output != nil {
			shown = e.template(c.Output, "Output", placeCaught)
		}
		rule.Result = append([]workflow.Stage{{Data: shown}}, e.into(c.ResultPath)...)
		rule.Assign = e.assign(c.Assign, placeCaught)
		out = append(out, rule)
	}
	return out
}
