package native

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
)

// summary writes a program in a form that a person can check.
type summary struct{ strings.Builder }

func (s *summary) linef(format string, args ...any) {
	fmt.Fprintf(s, strings.TrimRight(format, " ")+"\n", args...)
}

func summarize(p *workflow.Program) string {
	s := &summary{}
	s.linef("program %s/%s zone=%q pipelined=%v", p.Namespace, p.Name, p.Zone, p.Pipelined)
	if p.BusinessDate != nil {
		s.linef("business_date %s %d %s", p.BusinessDate.Calendar, p.BusinessDate.Offset, p.BusinessDate.DayStarts)
	}
	for _, in := range p.Inputs {
		s.linef("input %s %s required=%v default=%s enum=%v", in.Name, typeName(in.Type), in.Required, data(in.Default), in.Enum)
	}
	for _, list := range [][]string{p.Vars, p.Secrets} {
		if len(list) > 0 {
			s.linef("reads %s", strings.Join(list, " "))
		}
	}
	for _, o := range p.Objects {
		s.linef("object %s %s", o.Kind, o.Name)
	}
	for _, t := range p.Triggers {
		e := t.Schedule
		s.linef("schedule %s %q zone=%s%s catch_up=%s%s overlap=%s paused=%v inputs=%s", e.ID, e.Cron, e.Zone, words(" calendar=", e.Calendar),
			e.CatchUp.Policy, words("/", e.CatchUp.Window), e.Overlap, e.Paused, data(e.Inputs))
	}
	for _, d := range p.Deadlines {
		day := ""
		if d.Day != nil {
			day = strconv.Itoa(*d.Day)
		}
		s.linef("deadline %s %s start=%v least=%v%s then=%s", d.From, data(d.At), d.Start, d.Least, words(" zone=", d.Zone, " day=", day), d.Then)
	}
	if con := p.Concurrency; con != nil {
		s.linef("concurrency key=%s max=%s then=%s", data(con.Key), data(con.Max), con.Then)
	}
	for i := range p.Bodies {
		s.body(workflow.BodyID(i), &p.Bodies[i])
	}
	return s.String()
}

func (s *summary) body(id workflow.BodyID, b *workflow.Body) {
	s.linef("body %d%s", id, words(" name=", b.Name, " scope=", string(b.Scope), " on_failure=", string(b.Rule.OnFailure)))
	for _, v := range b.Vars {
		for _, op := range v.Ops {
			s.linef("  var %s = %s", op.Var, data(&op.Value))
		}
	}
	for i := range b.Nodes {
		s.node(i, &b.Nodes[i])
	}
	if b.Output != nil {
		s.linef("  output %s", data(b.Output))
	}
	if b.Finally != nil {
		s.linef("  finally body %d", *b.Finally)
	}
}

// words joins pairs of label and text, leaving out empty texts.
func words(pairs ...string) string {
	out := ""
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out += pairs[i] + pairs[i+1]
		}
	}
	return out
}

func (s *summary) node(i int, n *workflow.Node) {
	s.linef("  %d %q %s %s:%d", i, n.ID, n.Kind, n.Origin.Path, n.Origin.Line)
	part := func(name, text string) {
		if text != "" {
			s.linef("      %s %s", name, text)
		}
	}
	if n.Join != nil {
		part("join", cond(n.Join, &n.Join.When))
	}
	part("if", expression(n.If))
	part("default", data(n.Default))
	for _, st := range n.Input {
		part("input", data(st.Data))
	}
	s.kind(n, part)
	for _, st := range n.Result {
		part("result", data(st.Data))
	}
	if n.Assign != nil {
		for _, op := range n.Assign.Ops {
			part("assign "+op.Var, data(&op.Value))
		}
	}
	part("timeout", data(n.Timeout))
	for _, use := range n.Limits {
		part("limit", data(use.Name))
		part("weight", data(use.Weight))
	}
	part("priority", data(n.Priority))
	if n.Gate != nil {
		for what, list := range [][]workflow.ConditionMatch{n.Gate.Needs, n.Gate.Delete, n.Gate.Add} {
			for _, f := range list {
				part([]string{"needs", "deletes", "adds"}[what], data(f.Name)+"/"+data(f.Date))
			}
		}
	}
	if n.Cache != nil {
		part("cache", data(n.Cache.Key)+words(" for=", data(n.Cache.For)))
	}
	for _, r := range n.Retry {
		part("retry", fmt.Sprintf("max=%s initial=%s factor=%s most=%s%s match=%v%s", data(r.MaxAttempts), data(r.Backoff.Initial),
			data(r.Backoff.Factor), data(r.Backoff.Max), words(" jitter=", string(r.Backoff.Jitter)), r.Match, words(" when=", expression(r.When))))
	}
	for _, c := range n.Catch {
		part("catch", fmt.Sprintf("match=%v%s body %d", c.Match, words(" when=", expression(c.When)), *c.Body))
	}
	if n.ContinueOnError {
		part("continue_on_error", "true")
	}
}

func (s *summary) kind(n *workflow.Node, part func(name, text string)) {
	switch {
	case n.Task != nil:
		part("task", n.Task.Uses+" "+data(n.Task.With))
		if n.Task.MaxLost != nil {
			part("max_lost", fmt.Sprint(*n.Task.MaxLost))
		}
		if n.Task.Idempotent {
			part("idempotent", "true")
		}
	case n.Fork != nil:
		part("fork", fmt.Sprintf("body %d gather=%s", n.Fork.Branches[0].Body, n.Fork.Gather))
	case n.Map != nil:
		r := n.Map.Rule
		part("map", fmt.Sprintf("body %d items=%s%s", n.Map.Body, data(n.Map.Items), words(" max_parallel=", data(n.Map.MaxParallel),
			" on_failure=", string(r.OnFailure), " max_failures=", data(r.MaxFailures), " max_failed_percent=", data(r.MaxFailedPercent))))
	case n.Loop != nil:
		l := n.Loop
		part("loop", fmt.Sprintf("body %d%s", l.Body, words(" while=", expression(l.While), " until=", expression(l.Until), " max=", data(l.Max),
			" delay=", data(l.Delay), " failed_turn=", string(l.FailedTurn))))
	case n.Choice != nil:
		for _, c := range n.Choice.Cases {
			part("case", fmt.Sprintf("body %d%s", *c.Body, words(" if ", expression(c.If))))
		}
	case n.Wait != nil:
		part("for", data(n.Wait.For))
		part("until", data(n.Wait.Until))
		if e := n.Wait.Event; e != nil {
			part(e.Kind, data(e.With))
		}
	case n.Child != nil:
		part("child", fmt.Sprintf("%s@%s detach=%t cancel=%s date %s with %s", n.Child.Workflow, n.Child.Version, n.Child.Detach, n.Child.Cancel, data(n.Child.Date), data(n.Child.With)))
	case n.Raise != nil:
		part("raise", data(n.Raise.Name)+" "+data(n.Raise.Message)+" "+data(n.Raise.Details))
	case n.Exit != nil:
		part("exit", fmt.Sprintf("run=%v %s", n.Exit.Run, data(n.Exit.Value)))
	}
}

func cond(j *workflow.Join, c *workflow.Cond) string {
	switch c.Op {
	case workflow.OpEnd:
		var out []string
		for _, e := range ends {
			if c.Ends&e.end != 0 {
				out = append(out, e.word)
			}
		}
		if c.Ends == workflow.EndAny {
			out = []string{"any"}
		}
		return fmt.Sprintf("%d:%s", j.Needs[c.Need], strings.Join(out, "|"))
	case workflow.OpExpr:
		return expression(c.Expr)
	case workflow.OpAnd, workflow.OpOr, workflow.OpNot:
	}
	var out []string
	for i := range c.Args {
		out = append(out, cond(j, &c.Args[i]))
	}
	return string(c.Op) + "(" + strings.Join(out, " ") + ")"
}

func data(d *workflow.Data) string {
	switch {
	case d == nil:
		return ""
	case d.Expr != nil:
		return expression(d.Expr)
	case d.Text != nil:
		out := ""
		for _, p := range d.Text {
			switch {
			case p.Expr != nil:
				out += expression(p.Expr)
			case p.Secret != "":
				out += "<secret " + p.Secret + ">"
			default:
				out += p.Literal
			}
		}
		return fmt.Sprintf("%q", out)
	case d.List != nil:
		var out []string
		for i := range d.List {
			out = append(out, data(&d.List[i]))
		}
		return "[" + strings.Join(out, ", ") + "]"
	case d.Object != nil:
		var out []string
		for i := range d.Object {
			out = append(out, d.Object[i].Key+": "+data(&d.Object[i].Data))
		}
		return "{" + strings.Join(out, ", ") + "}"
	}
	return d.Const.String()
}

func expression(e *workflow.Expr) string {
	if e == nil {
		return ""
	}
	var out []string
	for _, b := range e.Bind {
		from := string(b.From.Root)
		switch b.From.Root {
		case workflow.RootNode:
			from += fmt.Sprintf("^%d[%d].%s", b.From.Up, b.From.Node, b.From.Name)
		case workflow.RootItem, workflow.RootIndex, workflow.RootError, workflow.RootFrame:
			from += fmt.Sprintf("^%d%s", b.From.Up, words(".", b.From.Name))
		default:
			from += words(".", b.From.Name)
		}
		out = append(out, strings.Join(b.Path, ".")+"="+from+":"+typeName(b.Type))
	}
	return "‹" + e.Source + words(" ← ", strings.Join(out, ", ")) + "›"
}

func typeName(t expr.Type) string {
	name := [...]string{"any", "bool", "int", "number", "decimal", "string", "date", "datetime", "duration", "list", "object", "null"}[t.Kind]
	if t.Elem != nil {
		name += "(" + typeName(*t.Elem) + ")"
	}
	if len(t.Fields) > 0 {
		var out []string
		for _, f := range t.Fields {
			out = append(out, f.Name+" "+typeName(f.Type))
		}
		name += "(" + strings.Join(out, ", ") + ")"
	}
	if t.Nullable {
		name += "?"
	}
	return name
}
