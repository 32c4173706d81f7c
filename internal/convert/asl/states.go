package asl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

func itoa(i int) string { return strconv.Itoa(i) }

// carried notes that fields of a state are carried over as they are.
func (e *emitter) carried(s *asl.State, construct string, at *yamldoc.Node) {
	pos := s.Pos
	if at != nil {
		pos = at.Pos
	}
	e.note(Carried, pos, s.Name, construct, "")
}

// common notes what every state has.
func (e *emitter) common(b *block, s *asl.State) {
	e.note(Carried, s.Pos, s.Name, "Type", "%s", s.Type)
	if s.Next.Pos.Line > 0 {
		e.note(Carried, s.Next.Pos, s.Name, "Next", "")
	}
	if s.End {
		e.note(Carried, s.Pos, s.Name, "End", "")
	}
	if s.Comment != "" {
		e.note(Carried, s.Pos, s.Name, "Comment", "")
		if s.Type != asl.Task && s.Type != asl.Parallel && s.Type != asl.Map && s.Type != asl.Choice {
			b.notes = append(b.notes, s.Comment)
		}
	}
}

// heading are the comments of the step of a state: its name, where the ID does
// not say it, and what it is for.
func (e *emitter) heading(s *asl.State, id string) []string {
	var out []string
	if plainly(s.Name) != plainly(id) {
		out = append(out, "State "+quote(s.Name))
	}
	if s.Comment != "" && s.Type != asl.Pass && s.Type != asl.Wait && s.Type != asl.Fail {
		out = append(out, s.Comment)
	}
	return out
}

// plainly is a name without what IDs leave out.
func plainly(name string) string { return notName.ReplaceAllString(strings.ToLower(name), "") }

// scope is what an expression of a state can read.
type scope struct {
	s      *asl.State
	dollar data  // $ of paths
	input  data  // $states.input
	result *data // $states.result
	failed *data // $states.errorOutput
	loop   string
}

func (e *emitter) scope(s *asl.State, dollar, input data) scope {
	return scope{s: s, dollar: dollar, input: input, loop: e.loop}
}

// enter is what goes into the work of a state.
func (e *emitter) enter(s *asl.State, in data) data {
	out := in
	if s.InputPath != nil {
		out = e.field(e.scope(s, in, in), s.InputPath)
	}
	sc := e.scope(s, out, in)
	if s.Parameters != nil {
		e.carried(s, "Parameters", s.Parameters)
		out = e.template(sc, s.Parameters, "Parameters")
	}
	if s.Arguments != nil {
		e.carried(s, "Arguments", s.Arguments)
		out = e.template(sc, s.Arguments, "Arguments")
	}
	return out
}

// field is a field that is a literal, a path or an expression.
func (e *emitter) field(sc scope, v *asl.Value) data {
	e.note(Carried, v.Node.Pos, sc.s.Name, v.Field, "")
	switch v.Kind {
	case asl.Path, asl.Intrinsic:
		return e.query(sc, v.Text, v.Field, v.Node)
	case asl.Expression:
		return e.jsonata(sc, v.Text, v.Field, v.Node)
	case asl.Literal:
	}
	if v.Literal.IsNull() && strings.HasSuffix(v.Field, "Path") { // it discards what was there
		return data{kind: object}
	}
	return fixed(v.Literal)
}

// leave is what a state passes on: the result put where it belongs.
func (e *emitter) leave(b *block, s *asl.State, result, in data, sc *scope) data {
	if s.Language == asl.JSONata {
		if s.Output == nil {
			return result
		}
		if sc == nil {
			own := e.scope(s, in, in)
			sc = &own
		}
		e.carried(s, "Output", s.Output)
		return e.keep(b, s, e.template(*sc, s.Output, "Output"))
	}
	out := result
	if s.ResultPath != nil {
		out = e.resultPath(s, s.ResultPath, in, result)
	}
	return e.outputPath(b, s, out)
}

func (e *emitter) outputPath(b *block, s *asl.State, d data) data {
	if s.OutputPath == nil {
		return d
	}
	return e.keep(b, s, e.field(e.scope(s, d, d), s.OutputPath))
}

// resultPath puts a result into the input of the state.
func (e *emitter) resultPath(s *asl.State, v *asl.Value, in, result data) data {
	e.note(Carried, v.Node.Pos, s.Name, "ResultPath", "")
	if v.IsNull() {
		return in
	}
	if v.Text == "$" {
		return result
	}
	p, why := parsePath(v.Text)
	var keys []string
	if why == "" {
		keys, why = p.keys()
	}
	if why != "" {
		e.note(Lost, v.Node.Pos, s.Name, "ResultPath", "%s (%s); put the result into the data by hand", v.Text, why)
		return in
	}
	return e.put(in, keys, result)
}

// put is a value with another put in at a path.
func (c *converter) put(in data, path []string, what data) data {
	if in.kind == constant && in.value.Kind() == value.KindObject {
		exploded := data{kind: object}
		for _, m := range in.value.Members() {
			exploded.members = append(exploded.members, member{m.Key, fixed(m.Value)})
		}
		in = exploded
	}
	if in.kind == overlay && slices.Equal(in.path, path) {
		in = *in.base // nobody sees what was there
	}
	if in.kind != object {
		base := in
		return data{kind: overlay, base: &base, path: path, put: &what}
	}
	out := data{kind: object}
	found := false
	inner := func(old data) data {
		if len(path) == 1 {
			return what
		}
		return c.put(old, path[1:], what)
	}
	for _, m := range in.members {
		if m.key == path[0] {
			found = true
			m.data = inner(m.data)
		}
		out.members = append(out.members, m)
	}
	if !found {
		out.members = append(out.members, member{path[0], inner(data{kind: object})})
	}
	return out
}

// keep gives a value that has to be computed now a variable of its own: what
// it reads may change, and an error belongs to this state.
func (e *emitter) keep(b *block, s *asl.State, d data) data {
	if !d.some(func(part data) bool {
		return part.kind == text || part.kind == computed && (part.moving || part.loose || strings.Contains(part.source, "("))
	}) {
		return d
	}
	return e.hold(b, s, d)
}

// hold keeps a value in a variable.
func (e *emitter) hold(b *block, s *asl.State, d data) data {
	if d = e.settle(b, d); d.untyped {
		return d // a step of its own has put it together
	}
	id := e.id(s.Name)
	name := id
	if slices.Contains(reserved, id) {
		name = e.variableName(id)
	}
	st := &step{id: id, notes: e.heading(s, id), keeps: name}
	st.set("assign", mapping(field{name, e.node(d)}))
	b.add(st)
	return cel(name).like(d)
}

func (e *emitter) pass(b *block, s *asl.State, in data) data {
	result := e.enter(s, in)
	if s.Pass.Result != nil {
		e.carried(s, "Result", s.Pass.Result)
		result = fixed(s.Pass.Result.ToValue())
	}
	if s.Pass.Result != nil || s.Parameters != nil {
		result = e.hold(b, s, result)
	}
	out := e.leave(b, s, result, in, nil)
	e.assign(b, s, s.Assign, e.scope(s, result, in))
	return out
}

// assign sets variables. The values are all computed before the first is set.
func (e *emitter) assign(b *block, s *asl.State, n *yamldoc.Node, sc scope) {
	if n == nil || len(n.Entries) == 0 {
		return
	}
	e.carried(s, "Assign", n)
	type setting struct {
		name  string
		value data
	}
	var all []setting
	for i := range n.Entries {
		key, v := n.Entries[i].Key.Text, n.Entries[i].Value
		var d data
		name, isQuery := strings.CutSuffix(key, ".$")
		if isQuery && s.Language == asl.JSONPath {
			d = e.query(sc, v.Text, key, v)
		} else {
			name, d = key, e.template(sc, v, "Assign/"+key)
		}
		all = append(all, setting{e.declare(name), e.settle(b, d)})
	}
	st := &step{}
	values := mapping()
	set := map[string]bool{}
	for len(all) > 0 {
		at := -1
		for i, a := range all { // one that no other still reads
			free := true
			for k, other := range all {
				free = free && (i == k || !reads(other.value, map[string]bool{a.name: true}))
			}
			if free {
				at = i
				break
			}
		}
		if at < 0 {
			at = 0
			e.note(Lost, n.Pos, s.Name, "Assign", "its variables read each other's old values; keep the old values in other variables first")
		}
		values.Put(all[at].name, e.node(all[at].value))
		set[all[at].name] = true
		all = append(all[:at:at], all[at+1:]...)
	}
	st.set("assign", values)
	b.add(st)
	for i := range n.Entries {
		name := n.Entries[i].Key.Text
		if s.Language == asl.JSONPath {
			name = strings.TrimSuffix(name, ".$")
		}
		e.vars[name] = e.names[name]
		if e.deep > 0 {
			e.shaky[name] = true
		}
	}
}

// declare is the native name of a variable that the flow sets.
func (e *emitter) declare(name string) string {
	if e.names[name] == "" {
		e.names[name] = e.variableName(asName(name))
	}
	return e.names[name]
}

// asName is the name of a variable as far as it can be a native one.
func asName(name string) string {
	if isName(name) {
		return name
	}
	clean := strings.Trim(notName.ReplaceAllString(strings.ToLower(name), "_"), "_")
	if clean == "" || clean[0] >= '0' && clean[0] <= '9' {
		clean = "v_" + clean
	}
	return clean[:min(len(clean), maxID)]
}

// variable is a variable as the flow sees it.
func (e *emitter) variable(name string) (d data, ok bool) {
	for at := e; at != nil; at = at.up {
		if native := at.vars[name]; native != "" {
			d = cel(native)
			if at.shaky[name] {
				d = cel("dyn(" + native + ")")
			}
			d.moving = true
			return d, true
		}
	}
	return data{}, false
}

func (e *emitter) wait(b *block, s *asl.State, in data) data {
	effective := e.enter(s, in)
	id := e.id(s.Name)
	st := &step{id: id, notes: e.heading(s, id)}
	sc := e.scope(s, effective, in)
	how := mapping()
	if v := s.Wait.Seconds; v != nil {
		how.Put("for", e.seconds(b, sc, v))
	}
	if v := s.Wait.Timestamp; v != nil {
		how.Put("until", e.node(e.settle(b, e.field(sc, v))))
	}
	st.set("wait", compact(how))
	b.add(st)
	out := e.leave(b, s, effective, in, nil)
	e.assign(b, s, s.Assign, sc)
	return out
}

// seconds is a number of seconds as a duration.
func (e *emitter) seconds(b *block, sc scope, v *asl.Value) *yamldoc.Draft {
	d := e.settle(b, e.field(sc, v))
	if d.kind == constant {
		return plain(d.value.String() + "s")
	}
	e.note(Changed, v.Node.Pos, sc.s.Name, v.Field, "a number with a fraction is not refused").Differs = true
	return e.loose(d)
}

func (e *emitter) fail(b *block, s *asl.State, in data) {
	sc := e.scope(s, in, in)
	st := &step{notes: []string{"State " + quote(s.Name)}}
	how := mapping()
	name := fixedText("failed")
	if v := s.Fail.Error; v != nil {
		name = e.settle(b, e.field(sc, v))
	} else {
		e.note(Changed, s.Pos, s.Name, "Error", "there is none; the workflow fails with the error failed")
	}
	how.Put("name", e.textNode(name))
	if v := s.Fail.Cause; v != nil {
		how.Put("message", e.textNode(e.settle(b, e.field(sc, v))))
	}
	st.set("fail", how)
	b.add(st)
}

// textNode is a value that has to be a text.
func (e *emitter) textNode(d data) *yamldoc.Draft {
	if d.kind == computed && (d.loose || d.shape != nil) {
		return template("string(" + e.source(d) + ")")
	}
	return e.node(d)
}
