package asl

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// emitter writes the states of one flow: the machine, a branch or an item
// processor.
type emitter struct {
	*converter
	graph *graph
	up    *emitter
	// main says that the flow is the machine itself, which `return` ends.
	main bool
	// loop is the name of the item of the innermost Map, empty outside.
	loop string
	// names are the variables of the flow by their names in the state machine;
	// vars those that are set on some way to this place.
	names map[string]string
	vars  map[string]string
	// deep is above 0 within cases and handlers; shaky are the variables that
	// may not be set though they are seen.
	deep  int
	shaky map[string]bool
	// merged are the values that steps before this place have put together.
	merged []merged
}

// maxWritten bounds how many steps are written for each state, beside a few:
// ways that share states without coming together are written for each.
const maxWritten = 8

// sequence writes the states from one up to, without, another. The value is
// what leaves the last one; live is false when the flow never gets there.
func (e *emitter) sequence(b *block, from, to string, value data) (out data, live bool) {
	for name := from; name != to; {
		s := e.graph.states[name]
		if e.total++; e.total > maxWritten*e.states+50 {
			if !e.stuck {
				e.note(Lost, s.Pos, s.Name, "Next", "too many ways share states without coming together again; run the state machine as it is: regie run FILE")
			}
			e.stuck = true
			return value, false
		}
		e.written[name]++
		var next string
		if value, next, live = e.state(b, s, value); !live {
			return value, false
		}
		if e.graph.back[edge{name, next}] {
			e.jumpBack(b, s, next)
			return value, false
		}
		name = next
	}
	return value, true
}

// jumpBack stands where the state machine goes back.
func (e *emitter) jumpBack(b *block, s *asl.State, to string) {
	f := &step{notes: []string{"TODO: here the state machine goes back to " + to + "."}}
	f.set("fail", mapping(field{"name", plain("not_converted")}, field{"message", plain("the state machine goes on with " + escape(to) + " again")}))
	b.add(f)
	e.note(Lost, s.Pos, s.Name, "Next", "a placeholder that fails stands where it goes back to %q", to)
}

// state writes one state and says which follows.
func (e *emitter) state(b *block, s *asl.State, value data) (out data, next string, live bool) {
	e.common(b, s)
	switch s.Type {
	case asl.Pass:
		out = e.pass(b, s, value)
	case asl.Succeed:
		return e.leave(b, s, e.enter(s, value), value, nil), exit, true
	case asl.Wait:
		out = e.wait(b, s, value)
	case asl.Fail:
		e.fail(b, s, value)
		return value, "", false
	case asl.Choice:
		return e.choice(b, s, value)
	case asl.Task, asl.Parallel, asl.Map:
		return e.work(b, s, value)
	}
	if s.End {
		return out, exit, true
	}
	return out, s.Next.Text, true
}

// way is one of several ways that come together again.
type way struct {
	block *block
	value data
	vars  map[string]string
}

// branch writes states of one of several ways.
func (e *emitter) branch(from, to string, value data, before func(*block, data) data) (w way, live bool) {
	saved := maps.Clone(e.vars)
	defer func(n int) { e.merged = e.merged[:n] }(len(e.merged))
	e.deep++
	w.block = &block{}
	if before != nil {
		value = before(w.block, value)
	}
	w.value, live = e.sequence(w.block, from, to, value)
	w.vars, e.vars = e.vars, saved
	e.deep--
	return w, live
}

// meet takes over the variables that the ways set.
func (e *emitter) meet(ways []way) {
	for _, w := range ways {
		maps.Copy(e.vars, w.vars)
	}
}

// arm is a case of a switch.
type arm struct {
	condition string // empty: else
	notes     []string
	way
}

// cases are the cases of a switch; one that does nothing where no other holds
// is left out.
func (e *emitter) cases(arms []arm, id string) *yamldoc.Draft {
	cases := sequence()
	for i, a := range arms {
		if len(a.block.steps) == 0 {
			if a.condition == "" {
				continue
			}
			a.block.add(nothing(e.unique(id+"_case"), "nothing to do in case "+itoa(i+1)))
		}
		one := mapping()
		if a.condition == "" {
			one.Put("else", a.block.node())
		} else {
			one.Put("if", plain(a.condition))
			one.Put("steps", a.block.node())
		}
		one.Comment = comment(a.notes)
		cases.Items = append(cases.Items, one)
	}
	return cases
}

// choice writes a Choice with everything up to where its ways come together.
func (e *emitter) choice(b *block, s *asl.State, in data) (out data, next string, live bool) {
	value := e.enter(s, in)
	value = e.outputPath(b, s, value)
	id := e.id(s.Name)
	st := &step{id: id, notes: e.heading(s, id)}
	join := e.graph.join[s.Name]
	var arms []arm
	var ways []way // that come together
	add := func(condition string, notes []string, to string, before func(*block, data) data) {
		var a arm
		var arrives bool
		if e.graph.back[edge{s.Name, to}] {
			a.way = way{block: &block{}, vars: e.vars}
			e.jumpBack(a.block, s, to)
		} else {
			a.way, arrives = e.branch(to, join, value, before)
		}
		a.condition, a.notes = condition, notes
		arms = append(arms, a)
		if arrives {
			ways = append(ways, a.way)
		}
	}
	for i := range s.Choice.Rules {
		r := &s.Choice.Rules[i]
		e.note(Carried, r.Pos, s.Name, "Choices", "")
		condition := e.condition(b, s, r, value)
		var notes []string
		if r.Comment != "" {
			notes = []string{r.Comment}
		}
		add(condition, notes, r.Next.Text, e.choosing(s, r.Output, r.Assign))
	}
	if d := s.Choice.Default; d.Pos.Line > 0 {
		e.note(Carried, d.Pos, s.Name, "Default", "")
		add("", nil, d.Text, e.choosing(s, s.Output, s.Assign))
	} else {
		e.unused(s, "Output", s.Output)
		e.unused(s, "Assign", s.Assign)
		none := &block{}
		f := &step{}
		f.set("fail", mapping(field{"name", plain("States.NoChoiceMatched")}, field{"message", plain("no rule of " + escape(s.Name) + " matches")}))
		none.add(f)
		arms = append(arms, arm{way: way{block: none}})
	}
	e.meet(ways)
	out = e.unify(ways, id, value)
	st.set("switch", e.cases(arms, id))
	b.add(st)
	return out, join, len(ways) > 0
}

// unused notes what a Choice does with its Default, where it has none.
func (e *emitter) unused(s *asl.State, construct string, n *yamldoc.Node) {
	if n != nil {
		e.note(Carried, n.Pos, s.Name, construct, "without a Default nothing uses it")
	}
}

// unify finds one value for several ways. Where they differ, each way ends with
// a step that gives its value, and what holds behind them is read from the
// output of the step id around them.
func (e *emitter) unify(ways []way, id string, before data) data {
	if len(ways) == 0 {
		return before
	}
	local := map[string]bool{}
	values := make([]data, len(ways))
	for i, w := range ways {
		w.block.ids(local)
		values[i] = w.value
	}
	plug, holes := differ(values, local)
	switch {
	case holes == nil:
		return values[0]
	case natural(ways, holes):
		out := cel("steps." + id + ".output")
		out.shape = holes[0].shape
		return plug(out)
	}
	name := e.unique("after_" + id)
	for i, w := range ways {
		e.give(w.block, name, holes[i])
	}
	return plug(cel("steps." + id + ".output." + name))
}

// give ends a block with a step whose output is an object with the value.
func (e *emitter) give(b *block, name string, d data) {
	if last := b.last(); last != nil && last.keeps != "" && d.kind == computed && d.source == last.keeps {
		// It was kept only to be read here.
		last.fields = []field{{"assign", mapping(field{name, last.get("assign").Entries[0].Value})}}
		last.id, last.keeps = "", ""
		return
	}
	d = e.settleInside(b, d)
	if last := b.last(); last != nil && last.gives(d) {
		own := last.get("outputs")
		switch {
		case d.source == "steps."+last.id+".output.result":
			own = template("result.result")
		case own == nil:
			own = template("result")
		}
		last.set("outputs", mapping(field{name, own}))
		return
	}
	s := &step{}
	s.set("assign", mapping(field{name, e.node(d)}))
	b.add(s)
}

// gives reports whether the value is what the step gives, so that its `outputs`
// can give it in another way.
func (s *step) gives(d data) bool {
	if s.id == "" || d.kind != computed || s.get("foreach") != nil || s.get("on_error") != nil || s.get("steps") != nil || s.get("assign") != nil {
		return false
	}
	uses := s.get("uses")
	merges := uses != nil && uses.Text == mergeConnector && s.get("outputs") == nil
	return d.source == "steps."+s.id+".output" || merges && d.source == "steps."+s.id+".output.result"
}

// mergeConnector puts values into others.
const mergeConnector = "json.transform"

// natural reports whether each value is the output of the last step of its way
// already.
func natural(ways []way, values []data) bool {
	for i, w := range ways {
		last := w.block.last()
		if last == nil || last.id == "" || values[i].kind != computed || values[i].source != "steps."+last.id+".output" {
			return false
		}
	}
	return true
}

// differ finds the smallest part in which values differ, or which cannot be
// read outside: holes are the values of that part, nil if there is none, and
// plug puts something else in there.
func differ(values []data, local map[string]bool) (plug func(data) data, holes []data) {
	first := values[0]
	equal := true
	for _, v := range values[1:] {
		equal = equal && same(first, v)
	}
	if equal && !reads(first, local) {
		return func(data) data { return first }, nil
	}
	whole := func(d data) data { return d }
	switch first.kind {
	case overlay:
		parts := make([]data, len(values))
		for i, v := range values {
			if v.kind != overlay || !slices.Equal(v.path, first.path) || !same(*v.base, *first.base) || reads(*v.base, local) {
				return whole, values
			}
			parts[i] = *v.put
		}
		inner, holes := differ(parts, local)
		return func(d data) data {
			in := inner(d)
			return data{kind: overlay, base: first.base, path: first.path, put: &in}
		}, holes
	case object:
		return differInMember(values, local)
	case constant, computed, list, text, root:
	}
	return whole, values
}

func differInMember(values []data, local map[string]bool) (plug func(data) data, holes []data) {
	first := values[0]
	whole := func(d data) data { return d }
	at := -1
	for i, m := range first.members {
		parts := make([]data, len(values))
		for k, v := range values {
			if v.kind != object || len(v.members) != len(first.members) || v.members[i].key != m.key {
				return whole, values
			}
			parts[k] = v.members[i].data
		}
		if _, inner := differ(parts, local); inner != nil {
			if at >= 0 {
				return whole, values
			}
			at = i
		}
	}
	if at < 0 {
		return whole, values
	}
	parts := make([]data, len(values))
	for k, v := range values {
		parts[k] = v.members[at].data
	}
	inner, holes := differ(parts, local)
	return func(d data) data {
		out := first
		out.members = slices.Clone(first.members)
		out.members[at].data = inner(d)
		return out
	}, holes
}

var nameForm = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// reads reports whether the value reads one of the names.
func reads(d data, names map[string]bool) bool {
	return d.some(func(part data) bool {
		return part.kind == computed && slices.ContainsFunc(nameForm.FindAllString(part.source, -1), func(w string) bool { return names[w] })
	})
}

// settle gives the parts of a value that are put together of others a step of
// their own.
func (e *emitter) settle(b *block, d data) data {
	if !d.some(func(part data) bool { return part.kind == overlay }) {
		return d
	}
	switch d.kind {
	case object:
		members := make([]member, len(d.members))
		for i, m := range d.members {
			members[i] = member{m.key, e.settle(b, m.data)}
		}
		return data{kind: object, members: members}
	case list, text:
		items := make([]data, len(d.items))
		for i, item := range d.items {
			items[i] = e.settle(b, item)
		}
		return data{kind: d.kind, items: items}
	case overlay:
		return e.merge(b, d)
	case constant, computed, root:
	}
	return d
}

// settleInside settles a value at the end of a block that others do not see.
func (e *emitter) settleInside(b *block, d data) data {
	defer func(n int) { e.merged = e.merged[:n] }(len(e.merged))
	return e.settle(b, d)
}

// merge writes the step that puts values into another.
func (e *emitter) merge(b *block, d data) data {
	for _, m := range e.merged {
		if same(m.what, d) {
			return m.result
		}
	}
	what := d
	var ops []*yamldoc.Draft
	name := ""
	for ; d.kind == overlay; d = *d.base {
		inner := e.settle(b, *d.put)
		path := strings.Join(d.path, ".")
		if name == "" {
			name = d.path[len(d.path)-1]
		}
		ops = append(ops, mapping(field{"set", mapping(field{path, e.node(inner)})}))
	}
	slices.Reverse(ops)
	id := e.id("with_" + name)
	s := &step{id: id}
	s.set("uses", plain(mergeConnector))
	s.set("with", mapping(field{"input", e.node(e.settle(b, d))}, field{"operations", sequence(ops...)}))
	b.add(s)
	out := cel("steps." + id + ".output.result")
	out.untyped = true
	if !reads(what, map[string]bool{"error": true}) { // which is another one in each handler
		e.merged = append(e.merged, merged{what, out})
	}
	return out
}

// merged is a value that a step has put together.
type merged struct{ what, result data }
