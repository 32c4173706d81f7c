package asl

import (
	"errors"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Name is the name of the language in programs and on the command line.
const Name = "asl"

// Config is what the language knows from outside.
type Config struct {
	// JSONata is JSONata with AWS's functions. Required.
	JSONata expr.Language
	// Type is the guarantee that the machine is meant for.
	Type MachineType
}

// Read reads a definition. A file whose name ends with .yaml or .yml, or whose
// text does not begin with a brace, is YAML, another one JSON. A machine that
// has errors is incomplete: it must not be used; without any machine it is nil.
func Read(cfg Config, file string, text []byte) (*Machine, []Diagnostic) {
	r := newReader(cfg, file)
	root := r.parse(text)
	if root == nil {
		return nil, r.problems
	}
	return r.machine(root), r.problems
}

// ReadState reads a definition that is a state, as that of a machine which
// begins with it and has no other: where the state names its successors, they
// are findings. Otherwise it is as [Read].
func ReadState(cfg Config, file, name string, text []byte) (*Machine, []Diagnostic) {
	r := newReader(cfg, file)
	state := r.parse(text)
	if state == nil {
		return nil, r.problems
	}
	word := func(s string) *yamldoc.Node {
		return &yamldoc.Node{Kind: yamldoc.String, Pos: state.Pos, Text: s, Value: value.String(s)}
	}
	object := func(entries ...yamldoc.Entry) *yamldoc.Node {
		return &yamldoc.Node{Kind: yamldoc.Map, Pos: state.Pos, Entries: entries}
	}
	states := object(yamldoc.Entry{Key: word(name), Value: state})
	return r.machine(object(yamldoc.Entry{Key: word("StartAt"), Value: word(name)}, yamldoc.Entry{Key: word("States"), Value: states})), r.problems
}

// reader reads one definition.
type reader struct {
	cfg      Config
	file     string
	problems []Diagnostic
	whole    QueryLanguage // of the machine
	names    map[string]bool
	labels   map[string]bool
	state    *State // the one that is being read
	// downgraded says that the state declares JSONPath in a machine of JSONata:
	// which fields fit is not said then.
	downgraded bool
}

func newReader(cfg Config, file string) *reader {
	return &reader{cfg: cfg, file: file, names: map[string]bool{}, labels: map[string]bool{}}
}

// add adds a finding.
func (r *reader) add(s Severity, code string, pos diag.Pos, length int, at, message string) *Diagnostic {
	r.problems = append(r.problems, Diagnostic{Severity: s, Code: code, Message: message, Location: at, Pos: pos, Length: max(1, length)})
	return &r.problems[len(r.problems)-1]
}

// parse reads the text; nil when that fails.
func (r *reader) parse(text []byte) *yamldoc.Node {
	start := diag.Pos{File: r.file, Line: 1, Column: 1}
	trimmed := strings.TrimLeft(string(text), " \t\r\n")
	if trimmed == "" {
		r.add(Error, CodeMissing, start, 1, "", "Received a null or empty workflow input").Hint = "a definition begins with StartAt and States"
		return nil
	}
	ext := path.Ext(r.file)
	if trimmed[0] == '{' && ext != ".yaml" && ext != ".yml" {
		var syntax *value.SyntaxError
		if _, err := value.Parse(text); errors.As(err, &syntax) {
			line := strings.Split(string(text), "\n")[syntax.Line-1]
			column := utf8.RuneCountInString(line[:min(len(line), syntax.Column-1)]) + 1
			r.add(Error, CodeInvalidJSON, diag.Pos{File: r.file, Line: syntax.Line, Column: column}, 1, "", syntax.Msg)
			return nil
		}
	}
	docs, problems := yamldoc.Parse(r.file, text)
	for _, p := range problems {
		severity := Error
		if p.Severity == diag.Warning {
			severity = Warning
		}
		r.add(severity, CodeInvalidJSON, diag.Pos{File: p.File, Line: p.Line, Column: p.Column}, p.Length, "", p.Message).Hint = p.Hint
	}
	switch {
	case HasErrors(r.problems):
		return nil
	case len(docs) != 1:
		r.add(Error, CodeInvalidJSON, start, 1, "", "a definition is one document").Hint = "write each state machine to a file of its own"
		return nil
	case docs[0].Kind != yamldoc.Map:
		r.add(Error, CodeSchema, docs[0].Pos, docs[0].Length(), "/", "Expected value of type [OBJECT]").Hint = "a definition begins with StartAt and States"
		return nil
	}
	return docs[0]
}

// language is what QueryLanguage says under the object; whole where it says
// nothing. Whatever is not exactly JSONPath is JSONata.
func (o *object) language(whole QueryLanguage) QueryLanguage {
	n := o.get("QueryLanguage")
	switch {
	case n == nil:
		return whole
	case n.Kind == yamldoc.String && n.Text == string(JSONPath):
		return JSONPath
	}
	return JSONata
}

func (o *object) checkLanguage() { o.oneOf("QueryLanguage", string(JSONPath), string(JSONata)) }

func (r *reader) machine(root *yamldoc.Node) *Machine {
	o := &object{reader: r, n: root, at: "/", pos: root.Pos}
	r.whole = o.language(JSONPath)
	o.lang = r.whole
	m := &Machine{QueryLanguage: r.whole}
	o.fields(fieldSet{both: words("Comment StartAt States Version TimeoutSeconds QueryLanguage")})
	o.required("StartAt", "States")
	o.checkLanguage()
	m.Comment = o.str("Comment").Text
	m.Version = o.oneOf("Version", "1.0")
	if n := o.get("TimeoutSeconds"); n != nil {
		literal := *o
		literal.lang = JSONPath // no expression: there is no state yet
		m.TimeoutSeconds = literal.number("TimeoutSeconds", bounds{whole: true, max: maxSeconds})
	}
	o.flow(&m.Flow)
	r.graph(&m.Flow, true)
	return m
}

// flow reads StartAt and States.
func (o *object) flow(f *Flow) {
	f.Pos, f.Location = o.pos, o.at
	f.StartAt = o.str("StartAt")
	states := o.child("States")
	if states == nil {
		return
	}
	if len(states.n.Entries) == 0 {
		o.fail(states.n, states.at, "Value cannot be empty")
	}
	outer := o.state
	for i := range states.n.Entries {
		e := &states.n.Entries[i]
		f.States = append(f.States, states.readState(e.Key, e.Value))
	}
	o.state = outer
}

// readState reads one state.
func (o *object) readState(name, n *yamldoc.Node) *State {
	at := o.where(name.Text)
	s := &State{Name: name.Text, Pos: name.Pos, Location: at, references: map[string]bool{}}
	o.state = s
	if utf8.RuneCountInString(name.Text) > maxStateName {
		o.add(Error, CodeStateName, name.Pos, name.Length(), at, "State name '"+name.Text+"' exceeds the 80-character limit allowed by the service")
	}
	if o.names[name.Text] {
		o.add(Error, CodeDuplicateState, name.Pos, name.Length(), at, "Duplicate State name: "+name.Text).
			Hint = "names are unique in the whole state machine, branches and item processors included"
	}
	o.names[name.Text] = true
	body := o.inner(n, at)
	if body == nil {
		return s
	}
	body.pos = name.Pos
	body.lang = body.language(o.whole)
	s.Language = body.lang
	body.readBody(s)
	o.downgraded = false
	return s
}

// readBody reads what stands in a state.
func (o *object) readBody(s *State) {
	o.downgraded = o.whole == JSONata && s.Language == JSONPath
	if o.downgraded {
		o.fail(o.get("QueryLanguage"), o.at, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}
	if t := o.str("Type"); t.Pos.Line == 0 && o.get("Type") == nil {
		o.required("Type")
	}
	s.Type = Type(o.oneOf("Type", types()...))
	set := fieldsOf(s.Type)
	if len(set.all()) == 0 {
		return
	}
	set.both = append(set.both, "Type", "Comment", "QueryLanguage")
	o.fields(set)
	o.checkLanguage()
	s.Comment = o.str("Comment").Text
	o.transition(s, set)
	o.data(s)
	switch s.Type {
	case Task:
		o.task(s)
	case Pass:
		o.pass(s)
	case Wait:
		o.wait(s)
	case Choice:
		o.choice(s)
	case Parallel:
		o.parallel(s)
	case Map:
		o.mapState(s)
	case Fail:
		s.Fail = &FailState{
			Error: o.text("Error", pathRule{intrinsic: true, context: true}),
			Cause: o.text("Cause", pathRule{intrinsic: true, context: true}),
		}
		o.noPath("Error")
		o.noPath("Cause")
	case Succeed:
	}
}

// transition reads what follows the state.
func (o *object) transition(s *State, set fieldSet) {
	if !set.known("End") {
		return
	}
	s.Next, s.End = o.str("Next"), o.boolean("End")
	both := o.get("Next") != nil && s.End
	switch {
	case both:
		o.fail(o.n.Entry("End").Key, o.at, "There should only be one of the following fields: [Next, End]")
	case o.get("Next") == nil && !s.End:
		o.fail(nil, o.at, "This object should have only one of the following fields: [Next, End]")
	}
}

// data reads the fields that shape what goes into the state and out of it.
func (o *object) data(s *State) {
	s.InputPath = o.path("InputPath", pathRule{null: true, context: true})
	s.OutputPath = o.path("OutputPath", pathRule{null: true, context: true})
	s.ResultPath = o.path("ResultPath", pathRule{null: true, reference: true, input: true})
	if s.Type != Map {
		s.Parameters = o.template("Parameters")
	}
	s.ResultSelector = o.template("ResultSelector")
	s.Arguments = o.template("Arguments")
	s.Output = o.template("Output")
	s.Assign = o.assign()
	if s.Type == Task || s.Type == Parallel || s.Type == Map {
		o.retry(s)
		o.catch(s)
	}
}
