package asl

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// path is a JSONPath that can be converted: names, single indexes and [*].
type path struct {
	context  bool // it begins with $$
	variable string
	steps    []pathStep
}

type pathStep struct {
	key   string
	index int
	// by is what the step goes by.
	by stepBy
}

type stepBy uint8

const (
	byKey stepBy = iota
	byIndex
	byAll
)

// keys are the steps of a path that has names only; why says what it has else.
func (p *path) keys() (keys []string, why string) {
	for _, s := range p.steps {
		if s.by != byKey {
			return nil, "it has an index"
		}
		if s.key == "" || strings.ContainsAny(s.key, ".[]") {
			return nil, "it has a name with a dot or bracket"
		}
		keys = append(keys, s.key)
	}
	return keys, ""
}

// parsePath reads a path; why says what in it cannot be converted.
func parsePath(src string) (p path, why string) {
	rest := strings.TrimPrefix(src, "$")
	if strings.HasPrefix(rest, "$") {
		p.context, rest = true, rest[1:]
	} else if end := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }); end != 0 && rest != "" {
		if end < 0 {
			end = len(rest)
		}
		p.variable, rest = rest[:end], rest[end:]
	}
	for rest != "" {
		var s pathStep
		if s, rest, why = nextStep(rest); why != "" {
			return p, why
		}
		p.steps = append(p.steps, s)
	}
	return p, ""
}

func nextStep(src string) (s pathStep, rest, why string) {
	switch {
	case strings.HasPrefix(src, ".."):
		return s, "", "a search with .. has no counterpart"
	case strings.HasPrefix(src, ".['"), strings.HasPrefix(src, `.["`):
		return nextStep(src[1:])
	case src[0] == '.':
		rest = src[1:]
		end := strings.IndexAny(rest, ".[(")
		if end < 0 {
			end = len(rest)
		}
		s.key, rest = rest[:end], rest[end:]
		switch {
		case strings.HasPrefix(rest, "("):
			return s, "", "a function of a path has no counterpart"
		case s.key == "*":
			s.by = byAll
		case s.key == "":
			return s, "", "it is not understood"
		}
		return s, rest, ""
	case src[0] != '[':
		return s, "", "it is not understood"
	}
	if len(src) > 1 && (src[1] == '\'' || src[1] == '"') {
		end := strings.IndexByte(src[2:], src[1])
		if end < 0 || strings.Contains(src[2:2+end], `\`) || !strings.HasPrefix(src[3+end:], "]") {
			return s, "", "several names, or names with escapes, have no counterpart"
		}
		s.key = src[2 : 2+end]
		return s, src[4+end:], ""
	}
	inside, after, closed := strings.Cut(src[1:], "]")
	inside = strings.TrimSpace(inside)
	if inside == "*" && closed {
		s.by = byAll
		return s, after, ""
	}
	n, err := strconv.Atoi(inside)
	if err != nil || !closed {
		return s, "", "filters, slices and several indexes have no counterpart"
	}
	s.index, s.by = n, byIndex
	return s, after, ""
}

// cautions say what is different with paths and functions that are converted.
var cautions = []struct{ in, note string }{
	{"[*]", "what is missing or no list fails the run"},
	{"States.Format(", "null is written as nothing"},
	{"States.StringToJson(", "an empty text fails the run"},
	{"States.MathAdd(", "numbers with a fraction are not rounded"},
}

// query is what a path or an intrinsic function gives.
func (e *emitter) query(sc scope, src, field string, n *yamldoc.Node) data {
	d, why := e.read(sc, src)
	if why != "" {
		return e.placeholder(sc.s, src, field, n, why)
	}
	for _, c := range cautions {
		if strings.Contains(src, c.in) {
			e.note(Changed, n.Pos, sc.s.Name, field, "%s", c.note).Differs = true
		}
	}
	return d
}

// placeholder stands for what cannot be converted: it fails.
func (c *converter) placeholder(s *asl.State, src, field string, n *yamldoc.Node, why string) data {
	pos := s.Pos
	if n != nil {
		pos = n.Pos
	}
	c.note(Lost, pos, s.Name, field, "%s: %s; a placeholder that fails stands there, write the value", src, why)
	return cel("json.parse(" + quote("TODO: "+src) + ")")
}

// read converts a path or a call of an intrinsic function.
func (e *emitter) read(sc scope, src string) (d data, why string) {
	if strings.HasPrefix(src, "States.") {
		p := &callParser{emitter: e, sc: sc, src: src}
		d = p.call()
		if p.why == "" && strings.TrimSpace(p.src[p.pos:]) != "" {
			p.why = "it is not understood"
		}
		return d, p.why
	}
	p, why := parsePath(src)
	if why != "" {
		return d, why
	}
	d = sc.dollar
	steps := p.steps
	switch {
	case p.context:
		if d, steps, why = e.context(sc, p.steps); why != "" {
			return d, why
		}
	case p.variable != "":
		v, ok := e.variable(p.variable)
		if !ok {
			return d, "no state sets the variable before"
		}
		d = v
	}
	return e.follow(d, steps)
}

// follow goes along the steps of a path.
func (c *converter) follow(d data, steps []pathStep) (out data, why string) {
	for i, s := range steps {
		switch s.by {
		case byKey:
			d = c.member(d, s.key)
		case byIndex:
			d = c.item(d, s.index)
		case byAll:
			return c.each(d, steps[i+1:])
		}
	}
	return d, ""
}

// each goes along the steps in every item of a list.
func (c *converter) each(d data, steps []pathStep) (out data, why string) {
	of := d.source
	if d.kind != computed || d.shape != nil {
		if d.some(func(part data) bool { return part.kind == overlay }) {
			return d, "it goes over data that is put together"
		}
		of = "dyn(" + c.source(d) + ")"
	}
	if len(steps) == 0 {
		out = cel(of + ".filter(x, true)") // which only lists have
		out.moving = d.moving
		return out, ""
	}
	there, at := "", "x"
	for _, s := range steps {
		if s.by != byKey {
			return d, "only names can follow [*]"
		}
		if there != "" {
			there += " && "
		}
		if isName(s.key) {
			there += "has(" + access(at, s.key) + ")"
		} else {
			there += quote(s.key) + " in " + at
		}
		at = access(at, s.key)
	}
	out = cel(of + ".map(x, " + there + ", " + at + ")")
	out.moving = d.moving
	return out, ""
}

// context is a member of the context object, with the steps that are left.
func (e *emitter) context(sc scope, steps []pathStep) (d data, rest []pathStep, why string) {
	var names []string
	for _, s := range steps {
		if s.by != byKey {
			break
		}
		names = append(names, s.key)
	}
	facts := []struct {
		name string
		data data
	}{
		{"Execution.Id", cel("run.id")},
		{"Execution.Name", cel("run.id")},
		{"Execution.Input", data{kind: root}},
		{"Execution.StartTime", cel("run.accepted_at")},
		{"StateMachine.Name", cel("run.workflow")},
		{"StateMachine.Id", cel("run.workflow")},
		{"State.Name", fixedText(sc.s.Name)},
	}
	if sc.loop != "" {
		facts = append(facts, []struct {
			name string
			data data
		}{{"Map.Item.Value", cel(sc.loop)}, {"Map.Item.Index", cel("index")}}...)
	}
	joined := strings.Join(names, ".")
	for _, f := range facts {
		if joined != f.name && !strings.HasPrefix(joined, f.name+".") {
			continue
		}
		if strings.HasPrefix(f.name, "Execution.") && f.name != "Execution.Input" || strings.HasPrefix(f.name, "StateMachine.") {
			e.note(Changed, sc.s.Pos, sc.s.Name, "context object", "%s is %s", f.name, f.data.source)
		}
		return f.data, steps[strings.Count(f.name, ".")+1:], ""
	}
	return d, nil, "the context object has no such member here"
}

// template is a template with everything in it converted.
func (e *emitter) template(sc scope, n *yamldoc.Node, field string) data {
	switch n.Kind {
	case yamldoc.Map:
		d := data{kind: object}
		for i := range n.Entries {
			key, v := n.Entries[i].Key.Text, n.Entries[i].Value
			name, isQuery := strings.CutSuffix(key, ".$")
			if isQuery && sc.s.Language == asl.JSONPath && v.Kind == yamldoc.String {
				d.members = append(d.members, member{name, e.query(sc, v.Text, field+"/"+key, v)})
				continue
			}
			d.members = append(d.members, member{key, e.template(sc, v, field+"/"+key)})
		}
		return simple(d)
	case yamldoc.List:
		d := data{kind: list}
		for i, item := range n.Items {
			d.items = append(d.items, e.template(sc, item, field+"["+itoa(i)+"]"))
		}
		return simple(d)
	case yamldoc.String:
		if src, ok := expressionOf(n.Text); ok && sc.s.Language == asl.JSONata {
			return e.jsonata(sc, src, field, n)
		}
	default:
	}
	return fixed(n.ToValue())
}

// expressionOf is the JSONata in a text.
func expressionOf(s string) (src string, ok bool) {
	inside, begins := strings.CutPrefix(s, "{%")
	inside, ends := strings.CutSuffix(inside, "%}")
	return strings.TrimSpace(inside), begins && ends
}

// simple makes a constant of data in which nothing is computed.
func simple(d data) data {
	if d.some(func(part data) bool { return part.kind != constant && part.kind != object && part.kind != list }) {
		return d
	}
	return fixed(constantOf(d))
}

func constantOf(d data) value.Value {
	switch d.kind {
	case object:
		var members []value.Member
		for _, m := range d.members {
			members = append(members, value.M(m.key, constantOf(m.data)))
		}
		return value.Object(members...)
	case list:
		var items []value.Value
		for _, item := range d.items {
			items = append(items, constantOf(item))
		}
		return value.List(items...)
	case constant, computed, text, overlay, root:
	}
	if d.value.IsUndefined() {
		return value.Null
	}
	return d.value
}
