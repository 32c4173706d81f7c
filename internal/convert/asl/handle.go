package asl

import (
	"math"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// wrap puts a step with foreach into a group of its ID, whose fields concern
// the step as a whole.
func (e *emitter) wrap(k *core) *core {
	inner := k.step
	outer := &step{id: inner.id, notes: inner.notes}
	inner.id, inner.notes = e.unique(inner.id+"_items"), nil
	outer.set("steps", (&block{steps: []*step{inner}}).node())
	// A group has no `result`, and reads its steps.
	return &core{step: outer, s: k.s, raw: cel("steps." + inner.id + ".output"), isGroup: true}
}

// handler is a handler of errors that is being written.
type handler struct {
	catcher *asl.Catcher
	way
	live bool
}

// handled writes a step with the handlers of its errors, and what follows
// where they do not come together at once.
func (e *emitter) handled(b *block, k *core, in, out data) (after data, next string, live bool) {
	s := k.s
	next = s.Next.Text
	if s.End {
		next = exit
	}
	if len(s.Catch) == 0 {
		b.add(k.step)
		b.steps = append(b.steps, k.after.steps...)
		return out, next, true
	}
	join := e.graph.join[s.Name]
	ends := next != join && e.main && join == exit
	var all []handler
	var arriving []way
	for i := range s.Catch {
		h := e.catcher(s, &s.Catch[i], join, in)
		if h.live && ends {
			d := e.settleInside(h.block, h.value)
			r := &step{}
			r.set("return", e.node(d))
			h.block.add(r)
		} else if h.live {
			arriving = append(arriving, h.way)
		}
		all = append(all, h)
	}
	if len(arriving) == 0 { // nobody comes back: what follows belongs to the good end
		k.set("on_error", e.rules(all))
		b.add(k.step)
		b.steps = append(b.steps, k.after.steps...)
		return out, next, true
	}
	e.meet(arriving)
	if next == join {
		return e.rejoin(b, k, all, arriving, out), next, true
	}
	return e.apart(b, k, all, arriving, out, next, join)
}

// rejoin writes a step whose handlers go on where the step itself goes on.
func (e *emitter) rejoin(b *block, k *core, all []handler, arriving []way, out data) data {
	local := map[string]bool{"error": true, k.id: true}
	k.after.ids(local)
	values := []data{out}
	for _, w := range arriving {
		w.block.ids(local)
		values = append(values, w.value)
	}
	plug, holes := differ(values, local)
	if holes == nil {
		around := e.enclose(b, k, nil, "")
		around.set("on_error", e.rules(all))
		return out
	}
	if len(k.after.steps) == 0 && holes[0].kind == computed && holes[0].source == "steps."+k.id+".output" && natural(arriving, holes[1:]) {
		k.set("on_error", e.rules(all))
		b.add(k.step)
		return plug(holes[0])
	}
	name := e.unique("after_" + k.id)
	for i, w := range arriving {
		e.give(w.block, name, holes[i+1])
	}
	around := e.enclose(b, k, &holes[0], name)
	around.set("on_error", e.rules(all))
	return plug(cel("steps." + around.id + ".output." + name))
}

// enclose adds a step, with what belongs behind it, as one step whose output is
// an object with the value; nil: nobody reads it.
func (e *emitter) enclose(b *block, k *core, d *data, name string) *step {
	give := func(d data) *yamldoc.Draft { return e.outputs(data{kind: object, members: []member{{name, d}}}) }
	if len(k.after.steps) == 0 {
		switch {
		case d == nil:
			return b.add(k.step)
		case k.each:
		case d.kind == computed && d.source == "steps."+k.id+".output":
			k.set("outputs", give(k.raw))
			return b.add(k.step)
		case !reads(*d, map[string]bool{k.id: true}):
			k.set("outputs", give(e.settle(b, *d)))
			return b.add(k.step)
		}
	}
	e.merged = e.merged[:min(len(e.merged), k.merged)]
	defer func(n int) { e.merged = e.merged[:n] }(len(e.merged))
	outer := &step{id: e.unique(k.id + "_handled"), notes: k.notes}
	k.notes = nil
	body := &block{steps: append([]*step{k.step}, k.after.steps...)}
	if d != nil {
		outer.set("outputs", give(e.settle(body, *d)))
	}
	outer.fields = append([]field{{"steps", body.node()}}, outer.fields...)
	return b.add(outer)
}

// apart writes a step some of whose handlers go on elsewhere: a switch asks
// which way was taken.
func (e *emitter) apart(b *block, k *core, all []handler, arriving []way, out data, next, join string) (after data, goOn string, live bool) {
	local := map[string]bool{k.id: true}
	k.after.ids(local)
	plug, holes := differ([]data{out}, local)
	hole := fixed(value0)
	if holes != nil {
		hole = holes[0]
	}
	done, caught := e.unique(k.id+"_done"), e.unique(k.id+"_caught")
	for _, w := range arriving {
		e.give(w.block, caught, w.value)
	}
	around := e.enclose(b, k, &hole, done)
	around.set("on_error", e.rules(all))
	output := "steps." + around.id + ".output."
	onward := out
	if holes != nil {
		onward = plug(cel(output + done))
	}
	id := e.unique(k.id + "_then")
	good, arrives := e.branch(next, join, onward, nil)
	bad := way{block: &block{}, value: cel(output + caught), vars: e.vars}
	ways := []way{bad}
	if arrives {
		ways = append(ways, good)
	}
	e.meet(ways)
	out = e.unify(ways, id, out)
	if len(good.block.steps) == 0 {
		good.block.add(nothing(e.unique(id+"_case"), "nothing else to do"))
	}
	cases := sequence(mapping(field{"if", plain("has(" + output + done + ")")}, field{"steps", good.block.node()}))
	if len(bad.block.steps) > 0 {
		cases.Items = append(cases.Items, mapping(field{"else", bad.block.node()}))
	}
	st := &step{id: id, notes: []string{"Where " + quote(k.s.Name) + " did not fail."}}
	st.set("switch", cases)
	b.add(st)
	return out, join, true
}

// value0 marks that a step is done.
var value0 = value.Bool(true)

// rules are handlers as `on_error`.
func (e *emitter) rules(all []handler) *yamldoc.Draft {
	out := sequence()
	for _, h := range all {
		one := mapping()
		if h.catcher.Comment != "" {
			one.Comment = comment([]string{h.catcher.Comment})
		}
		match(one, h.catcher.ErrorEquals)
		if len(h.block.steps) == 0 {
			h.block.add(nothing(e.unique("handled"), "the error is handled"))
		}
		one.Put("steps", h.block.node())
		out.Items = append(out.Items, one)
	}
	return out
}

// catcher writes what a Catch goes on with.
func (e *emitter) catcher(s *asl.State, c *asl.Catcher, join string, in data) handler {
	note := e.note(Carried, c.Pos, s.Name, "Catch", "")
	if why := e.errorNames(c.ErrorEquals); why != "" {
		note.Outcome, note.Note = Changed, why
	}
	name := cel("error.name")
	if len(c.ErrorEquals) == 1 && c.ErrorEquals[0] != "States.ALL" && c.ErrorEquals[0] != "States.TaskFailed" {
		name = fixedText(c.ErrorEquals[0])
	}
	failed := data{kind: object, members: []member{{"Error", name}, {"Cause", cel("error.message")}}}
	sc := e.scope(s, failed, in)
	sc.failed = &failed
	h := handler{catcher: c}
	if e.graph.back[edge{s.Name, c.Next.Text}] {
		h.way = way{block: &block{}, vars: e.vars}
		e.jumpBack(h.block, s, c.Next.Text)
		return h
	}
	h.way, h.live = e.branch(c.Next.Text, join, in, func(b *block, _ data) data {
		out := failed
		switch {
		case c.Output != nil:
			e.carried(s, "Output", c.Output)
			out = e.keep(b, s, e.template(sc, c.Output, "Output"))
		case c.ResultPath != nil:
			out = e.resultPath(s, c.ResultPath, in, failed)
		}
		e.assign(b, s, c.Assign, sc)
		return out
	})
	return h
}

// choosing is what a rule of a Choice does before its way begins.
func (e *emitter) choosing(s *asl.State, output, assign *yamldoc.Node) func(*block, data) data {
	if output == nil && assign == nil {
		return nil
	}
	return func(b *block, in data) data {
		sc := e.scope(s, in, in)
		out := in
		if output != nil {
			e.carried(s, "Output", output)
			out = e.keep(b, s, e.template(sc, output, "Output"))
		}
		e.assign(b, s, assign, sc)
		return out
	}
}

// nativeErrors are the errors of the States Language that have another name.
var nativeErrors = map[string]string{
	"States.Timeout": "timeout", "States.Runtime": "evaluation", "States.QueryEvaluationError": "evaluation",
	"States.ParameterPathFailure": "evaluation", "States.ResultPathMatchFailure": "json.wrong_kind",
	"States.IntrinsicFailure": "evaluation", "States.ExceedToleratedFailureThreshold": "too_many_failures",
}

// match writes which errors a rule is for; none stands for all.
func match(n *yamldoc.Draft, names []string) {
	var out []string
	for _, name := range names {
		switch name {
		case "States.ALL":
			return
		case "States.TaskFailed":
			n.Put("if", plain(`error.name != "timeout"`))
			return
		}
		if native := nativeErrors[name]; native != "" {
			name = native
		}
		out = append(out, name)
	}
	list := sequence()
	for _, name := range out {
		list.Items = append(list.Items, plain(name))
	}
	n.Put("match", compact(list))
}

// errorNames says what is different with the errors of a rule.
func (e *emitter) errorNames(names []string) string {
	var out []string
	for _, name := range names {
		switch {
		case name == "States.ALL":
			out = append(out, "it takes errors of expressions too")
		case name == "States.TaskFailed":
			if len(names) > 1 {
				out = append(out, "it takes every error but timeout")
			} else {
				out = append(out, "it takes errors of expressions too")
			}
		case nativeErrors[name] != "":
			out = append(out, name+" is called "+nativeErrors[name])
		case strings.HasPrefix(name, "States.") && name != "States.NoChoiceMatched":
			out = append(out, name+" does not occur")
		}
	}
	return strings.Join(out, "; ")
}

// Defaults of a retrier and of `retry`.
const (
	defaultInterval = 1 // seconds
	defaultRetries  = 3
	defaultRate     = 2
	nativeMax       = 300 // seconds
)

// retry is the field of the retriers; nil where there is none.
func (e *emitter) retry(s *asl.State) *yamldoc.Draft {
	rules := sequence()
	for i := range s.Retry {
		r := &s.Retry[i]
		note := e.note(Carried, r.Pos, s.Name, "Retry", "")
		if why := e.errorNames(r.ErrorEquals); why != "" {
			note.Outcome, note.Note = Changed, why
		}
		one := mapping()
		if r.Comment != "" {
			one.Comment = comment([]string{r.Comment})
		}
		match(one, r.ErrorEquals)
		retries, interval, rate := float64(defaultRetries), float64(defaultInterval), float64(defaultRate)
		for _, f := range []struct {
			v  *asl.Value
			to *float64
		}{{r.MaxAttempts, &retries}, {r.IntervalSeconds, &interval}, {r.BackoffRate, &rate}} {
			if f.v == nil {
				continue
			}
			if n, ok := f.v.Literal.Float(); ok {
				*f.to = n
			} else {
				e.note(Lost, f.v.Node.Pos, s.Name, "Retry", "%s is computed; write the number", f.v.Field)
			}
		}
		one.Put("max_attempts", number(decimal(retries+1)))
		backoff := mapping(field{"initial", plain(decimal(interval) + "s")}, field{"factor", number(decimal(rate))})
		longest := interval * math.Pow(rate, retries-1)
		if v := r.MaxDelaySeconds; v != nil {
			longest, _ = v.Literal.Float()
			backoff.Put("max", plain(decimal(longest)+"s"))
		} else if longest > nativeMax {
			backoff.Put("max", plain(decimal(math.Min(longest, 1e9))+"s"))
		}
		if r.FullJitter {
			backoff.Put("jitter", plain("full"))
		}
		if retries > 0 {
			one.Put("backoff", compact(backoff))
		}
		if i == 0 && s.Type == asl.Task && e.cfg.Type != asl.Express {
			one.Put("max_lost", number("0"))
		}
		rules.Items = append(rules.Items, one)
	}
	switch len(rules.Items) {
	case 0:
		return nil
	case 1:
		return rules.Items[0]
	}
	return rules
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
