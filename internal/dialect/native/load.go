package native

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/gate"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// Name is the name of the language in programs and on the command line.
const Name = "native"

// Source is a file with any number of documents, in YAML or JSON.
type Source struct {
	Path string // as diagnostics show it
	Text []byte
}

// Config is what the language knows from outside.
type Config struct {
	// Expr is the language of expressions. Required. One that has a method
	// ParseJoin, as package cel has, takes joins apart.
	Expr expr.Language
	// Connectors are what `uses` can name.
	Connectors []Connector
	// Connections and Channels are the types of documents of these kinds.
	Connections, Channels []ObjectType
	// TaskTypes are those that are known beside the documents, whose own go first.
	TaskTypes []*TaskType
	// Files gives the files of a bundle: those below the folder of the file
	// that match one of the patterns, ordered by path. Faults are reported at
	// their pattern. Nil: bundles are not read, and programs have none.
	Files func(file string, patterns []string) ([]workflow.File, []FileFault)
	// There reports whether an object that is not in the files is where they are
	// applied. Nil: that is not known.
	There func(kind, namespace, name string) bool
	// RunOnce says that runs are started by hand and watched by nobody, as by
	// `regie run`: what only a server applies gives a warning.
	RunOnce bool
}

// FileFault is a pattern whose files cannot be had.
type FileFault struct {
	Pattern int // index
	Message string
	Hint    string
	// Missing says that nothing is there: no file, folder or link has the name,
	// or that of the folder which the pattern begins with.
	Missing bool
}

// Connector describes what `uses` can name, as connector.Descriptor does.
type Connector struct {
	Name   string
	Doc    string
	Input  *descriptor.Object
	Output *descriptor.Object
	// Connections are the types that the input's "connection" may have; empty
	// if it names none. Channel says that the input names a "channel".
	Connections []string
	Channel     bool
	Idempotent  bool
}

// ObjectType describes one type of Connection or Channel: the fields beside
// kind, name and type.
type ObjectType struct {
	Name   string
	Object *descriptor.Object
	// Connections are the types that a channel's field "connection" may have.
	Connections []string
}

// Set is what the documents of a number of files define, in their order.
type Set struct {
	Workflows []*Compiled
	// Objects are the documents of all other kinds.
	Objects []*Object
}

// Compiled is a workflow.
type Compiled struct {
	Program *workflow.Program
	Pos     diag.Pos // of the document's name
	// EffectiveFrom is when it comes in force where it is applied; zero: at once.
	EffectiveFrom time.Time
}

// Object is a document of another kind than Workflow.
type Object struct {
	Kind      string
	Namespace string
	Name      string
	Type      string            // of a Connection or Channel
	Labels    map[string]string // nil: none
	Pos       diag.Pos
	TaskType  *TaskType // of one
	// Breaker is the circuit breaker of a Connection; nil: none.
	Breaker *breaker.Policy
	// Limit is what a Limit allows; nil for other kinds.
	Limit *gate.Limit
	// Fields are the other fields. Expressions in it read namespace variables
	// only; secrets stand by name.
	Fields *workflow.Data
}

// Workflow returns the workflow with the name, or nil. `risk/eod` is the
// workflow eod of the namespace risk; without a slash the first of the name.
func (s *Set) Workflow(name string) *Compiled {
	namespace, local, qualified := strings.Cut(name, "/")
	for _, w := range s.Workflows {
		if !qualified && w.Program.Name == name || qualified && w.Program.Name == local && w.Program.Namespace == namespace {
			return w
		}
	}
	return nil
}

// Object returns the object of the kind with the name in the namespace, or
// nil.
func (s *Set) Object(kind, namespace, name string) *Object {
	for _, o := range s.Objects {
		if o.Kind == kind && o.Namespace == namespace && o.Name == name {
			return o
		}
	}
	return nil
}

// Load reads all documents of all sources. What has errors is incomplete in
// the set, or left out: it must not be used when a diagnostic is an error.
func Load(cfg Config, sources []Source) (*Set, []diag.Diagnostic) {
	l := &loader{
		cfg: cfg, lang: describe(cfg), seen: map[objectKey]diag.Pos{}, broken: map[string]bool{}, connectors: map[string]*Connector{},
		idle: map[*TaskType]bool{},
	}
	for i := range cfg.Connectors {
		l.connectors[cfg.Connectors[i].Name] = &cfg.Connectors[i]
	}
	var docs []document
	for _, src := range sources {
		nodes, problems := yamldoc.Parse(src.Path, src.Text)
		l.list.Add(problems...)
		if diag.HasErrors(problems) {
			l.broken[src.Path] = true
		}
		if len(nodes) == 0 && len(problems) == 0 {
			l.list.Errorf(diag.Pos{File: src.Path, Line: 1, Column: 1}, codeEmpty, "the file has no document").
				WithHint("a definition begins with `kind: Workflow` and a name")
		}
		for _, n := range nodes {
			if d, ok := l.identify(n); ok {
				docs = append(docs, d)
			}
		}
	}
	// What others refer to comes first.
	for _, d := range docs {
		if d.kind != kindWorkflow && d.kind != kindChannel {
			l.object(d)
		}
	}
	for _, d := range docs {
		if d.kind == kindChannel {
			l.object(d)
		}
	}
	for _, d := range docs {
		if d.kind == kindWorkflow {
			l.workflow(d)
		}
	}
	return &l.set, slices.DeleteFunc(l.list.Sorted(), l.echo)
}

// echo reports whether a finding is only that something is missing in a file
// that could not be read whole.
func (l *loader) echo(d diag.Diagnostic) bool {
	return l.broken[d.File] && (d.Code == descriptor.CodeMissingField || d.Code == codeNoKind)
}

// The kinds of documents.
const (
	kindWorkflow   = "Workflow"
	kindConnection = "Connection"
	kindChannel    = "Channel"
	kindTaskType   = "TaskType"
	kindCalendar   = "Calendar"
	kindLimit      = "Limit"
	kindPolicy     = "Policy"
)

type loader struct {
	cfg        Config
	lang       *language
	list       diag.List
	set        Set
	seen       map[objectKey]diag.Pos
	broken     map[string]bool // files that are not well-formed
	connectors map[string]*Connector
	idle       map[*TaskType]bool // types of which was said that nobody does their work
}

type objectKey struct{ kind, namespace, name string }

// document is one document whose kind is known.
type document struct {
	kind string
	node *yamldoc.Node
	desc *descriptor.Object
}

// identify finds out the kind of a document and that its name is not taken.
func (l *loader) identify(n *yamldoc.Node) (document, bool) {
	if n.Kind != yamldoc.Map {
		l.list.Errorf(n.Pos, codeNoKind, "a document must be a mapping with `kind` and `name`; this is %s", n.Kind).WithLength(n.Length())
		return document{}, false
	}
	var names []string
	for _, o := range l.lang.kinds() {
		names = append(names, o.Name)
	}
	k := n.Get("kind")
	if k == nil {
		l.list.Errorf(n.Pos, codeNoKind, "the document does not say its `kind`").WithHint("begin with `kind: Workflow`; kinds are %s", strings.Join(names, ", "))
		return document{}, false
	}
	i := slices.Index(names, k.Text)
	if k.Kind != yamldoc.String || i < 0 {
		d := l.list.Errorf(k.Pos, codeUnknownKind, "%q is not a kind of document", k.Text).WithLength(k.Length())
		if d.Hint = diag.DidYouMean(k.Text, names); d.Hint == "" {
			d.WithHint("kinds are %s", strings.Join(names, ", "))
		}
		return document{}, false
	}
	d := document{kind: k.Text, node: n, desc: l.lang.kinds()[i]}
	if name := n.Get("name"); name != nil && name.Kind == yamldoc.String {
		key := objectKey{kind: d.kind, namespace: scalarText(n.Get("namespace")), name: name.Text}
		if first, taken := l.seen[key]; taken {
			l.list.Errorf(name.Pos, codeDuplicateObject, "the %s %q is already defined in %s, line %d", d.kind, key.name, first.File, first.Line).
				WithLength(name.Length()).WithHint("rename or remove one of the two")
		} else {
			l.seen[key] = name.Pos
		}
	}
	return d, true
}

// scalarText is the text of a scalar, "" for anything else.
func scalarText(n *yamldoc.Node) string {
	if n == nil || !n.IsScalar() {
		return ""
	}
	return n.Text
}

// object checks a document that is no workflow.
func (l *loader) object(d document) {
	o := &Object{
		Kind: d.kind, Namespace: scalarText(d.node.Get("namespace")), Name: scalarText(d.node.Get("name")),
		Type: scalarText(d.node.Get("type")), Pos: d.node.Pos,
	}
	for _, e := range entries(d.node.Get("labels")) {
		if o.Labels == nil {
			o.Labels = map[string]string{}
		}
		o.Labels[e.Key.Text] = scalarText(e.Value)
	}
	desc := d.desc
	if byType := map[string]map[string]*descriptor.Object{kindConnection: l.lang.connections, kindChannel: l.lang.channels}[d.kind]; byType != nil {
		desc = byType[o.Type]
		if desc == nil {
			l.unknownType(d, slices.Sorted(maps.Keys(byType)))
			return
		}
	}
	descriptor.Check(d.node, desc, &l.list)
	c := &compiler{loader: l, prog: &workflow.Program{Namespace: o.Namespace}}
	for _, t := range l.cfg.Channels {
		if d.kind == kindChannel && t.Name == o.Type && len(t.Connections) > 0 {
			c.useObject(kindConnection, d.node.Get("connection"), t.Connections)
		}
	}
	if d.kind == kindLimit {
		o.Limit = l.limitOf(d.node, o)
		l.set.Objects = append(l.set.Objects, o)
		return
	}
	if d.kind == kindConnection {
		o.Breaker = l.breakerOf(d.node.Get("breaker"))
	}
	o.Fields = c.objectFields(d.node, desc)
	if d.kind == kindTaskType {
		o.TaskType = c.taskTypeOf(d.node, o.Name)
	}
	l.set.Objects = append(l.set.Objects, o)
}

// unknownType reports a Connection or Channel of a type that nobody knows; its
// other fields cannot be checked then.
func (l *loader) unknownType(d document, types []string) {
	n := d.node.Get("type")
	if n == nil {
		descriptor.Check(d.node, d.desc, &l.list)
		return
	}
	diagnostic := l.list.Errorf(n.Pos, descriptor.CodeUnknownValue, "%q is not a type of %s", n.Text, d.kind).WithLength(n.Length())
	if diagnostic.Hint = diag.DidYouMean(n.Text, types); diagnostic.Hint == "" {
		diagnostic.WithHint("types are %s", strings.Join(types, ", "))
	}
}

// constant makes a Data of a value.
func constant(v value.Value) *workflow.Data { return workflow.Constant(v) }
