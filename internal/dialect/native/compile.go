package native

import (
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// A compiler makes the program of one workflow.
type compiler struct {
	*loader
	prog     *workflow.Program
	doc      *yamldoc.Node
	inputs   expr.Type
	varNames []string // of all variables, in order
	isVar    map[string]bool
	steps    int
	noRun    bool // there is no run: the document is no workflow

	defaultRetry   []workflow.Retry
	defaultMaxLost *int
	defaultTimeout *workflow.Data
	defaultShell   *workflow.Data

	size          int // of the program so far, see MaxProgramSize
	hints         int // "did you mean" that were looked for among steps
	vars, secrets map[string]bool
	objects       map[workflow.ObjectRef]bool
}

// workflow checks and compiles one document.
func (l *loader) workflow(d document) {
	descriptor.Check(d.node, d.desc, &l.list)
	n := d.node
	c := &compiler{
		loader: l, doc: n,
		prog: &workflow.Program{
			Format: workflow.Format, Language: Name,
			Namespace: scalarText(n.Get("namespace")), Name: scalarText(n.Get("name")), Zone: scalarText(n.Get("timezone")),
		},
	}
	pos := n.Pos
	if name := n.Get("name"); name != nil {
		pos = name.Pos
	}
	c.header()
	c.declareInputs()
	c.triggers()
	c.deadlines()
	c.allVariables()
	main := c.scope(nil, roleMain)
	main.vars = c.declareVars(main, assigned(n))
	before := &view{scope: main, noSteps: true}
	c.defaults(before)
	main.env = c.env(n, c.lang.workflow, before, nil)
	c.concurrency(before)
	c.body(main, n)
	c.later()
	c.files()
	l.set.Workflows = append(l.set.Workflows, &Compiled{Program: c.prog, Pos: pos, EffectiveFrom: c.effectiveFrom()})
}

// header takes over what describes the workflow as a whole.
func (c *compiler) header() {
	about := map[string]string{}
	for _, field := range []string{"description", "folder", "owner", "contact", "runbook", "criticality", "expected"} {
		if text := scalarText(c.doc.Get(field)); text != "" {
			about[field] = text
		}
	}
	for _, e := range entries(c.doc.Get("labels")) {
		about["label."+e.Key.Text] = scalarText(e.Value)
	}
	if text := scalarText(c.doc.Get("data").Get("classification")); text != "" {
		about["classification"] = text
	}
	if len(about) > 0 {
		c.prog.About = about
	}
	c.times()
	c.prog.Pipelined = scalarText(c.doc.Get("durability")) == "pipelined"
	c.onFailure()
}

// notYet reports a value that a later release brings.
func (c *compiler) notYet(n *yamldoc.Node, what, capability string) {
	c.errorAt(n, descriptor.CodeLater, "`%s` is not available yet: %s come with a later release", what, capability)
}

// allVariables lists the variables of the whole workflow, with those of items.
func (c *compiler) allVariables() {
	c.isVar = map[string]bool{}
	assignments(c.doc, func(key *yamldoc.Node) {
		if name := key.Text; !c.isVar[name] {
			c.isVar[name] = true
			c.varNames = append(c.varNames, name)
		}
	})
}

// declareVars declares the variables that live in a scope and sets them to
// null when its frame opens, so that reading one early gives null.
func (c *compiler) declareVars(s *scope, names []string) map[string]*variable {
	vars := map[string]*variable{}
	var ops []workflow.AssignOp
	for _, name := range names {
		if s.outer != nil && s.outer.findVar(name) != nil {
			continue // it lives further out
		}
		vars[name] = &variable{name: name, home: s}
		ops = append(ops, workflow.AssignOp{Var: name, Value: workflow.Data{Const: value.Null}})
	}
	if len(ops) > 0 {
		body := &c.prog.Bodies[s.body]
		body.Scope, body.Vars = workflow.ScopeShared, []workflow.Assignment{{Ops: ops}}
	}
	return vars
}

// scope opens a scope with a body of its own.
func (c *compiler) scope(outer *view, r role) *scope {
	s := &scope{outer: outer, role: r, byID: map[string]*step{}, body: workflow.BodyID(len(c.prog.Bodies))}
	if outer != nil {
		s.depth = outer.scope.depth + 1
		s.env = outer.scope.env
	}
	c.prog.Bodies = append(c.prog.Bodies, workflow.Body{})
	return s
}

// body compiles what stands under `steps` or `graph` of n, with `finally` and
// `outputs`, and returns the type of the body's output.
func (c *compiler) body(s *scope, n *yamldoc.Node) expr.Type {
	if list := n.Get("steps"); list != nil {
		c.collectList(s, list, true)
		c.compileSteps(s, s.steps)
	} else if graph := n.Get("graph"); graph != nil {
		s.isGraph = true
		c.compileSteps(s, c.collectGraph(s, graph))
	}
	c.finally(s, n.Get("finally"))
	desc := c.lang.step
	if s.role == roleMain {
		desc = c.lang.workflow
	}
	if e := n.Entry("outputs"); e != nil && (s.role == roleMain || s.role == roleGroup) {
		c.outputsText(n)
		d, t := c.field(n, desc, "outputs", s.end())
		c.prog.Bodies[s.body].Output = d
		return t
	}
	if s.role == roleMain {
		return typ(expr.NullType)
	}
	return c.lastOutput(s)
}

// lastOutput makes the output of a list that of its last step.
func (c *compiler) lastOutput(s *scope) expr.Type {
	if s.isGraph || len(s.steps) == 0 {
		return typ(expr.NullType)
	}
	last := s.steps[len(s.steps)-1]
	t := s.end().outputType(last)
	c.prog.Bodies[s.body].Output = c.reference(workflow.Source{Root: workflow.RootNode, Node: workflow.NodeID(last.index), Name: "output"}, t)
	return t
}

// compileSteps compiles steps in an order in which each comes after those that
// it reads; their nodes stand in the order of the source.
func (c *compiler) compileSteps(s *scope, order []*step) {
	nodes := make([]workflow.Node, len(s.steps))
	for _, st := range order {
		nodes[st.index] = c.step(st)
	}
	c.prog.Bodies[s.body].Nodes = nodes
}

// finally compiles the finally part of a scope.
func (c *compiler) finally(s *scope, n *yamldoc.Node) {
	if n == nil {
		return
	}
	f := c.scope(s.ended(), roleFinally)
	c.prog.Bodies[f.body].Name = "finally"
	c.collectList(f, n, true)
	c.compileSteps(f, f.steps)
	c.prog.Bodies[s.body].Finally = &f.body
}

// MaxProgramSize bounds what a program copies to many places: variables of the
// environment, bindings of expressions and fields of their types, rules of
// retry.
const MaxProgramSize = 500_000

// grow counts n more; false when the program is too large.
func (c *compiler) grow(n int, at *yamldoc.Node) bool {
	before := c.size
	if c.size += n; c.size <= MaxProgramSize {
		return true
	}
	if before <= MaxProgramSize {
		c.errorAt(at, codeProgramSize, "the compiled workflow is too large: more than %d environment variables, bindings and retry rules, all steps together", MaxProgramSize).
			WithHint("write fewer variables at the top, where every step gets them, or split the workflow")
	}
	return false
}

// maxHints bounds the faults for which similar names are looked for among the
// steps: each compares with all of them.
const maxHints = 50

func (c *compiler) didYouMean(name string, among func() []string) string {
	if c.hints++; c.hints > maxHints {
		return ""
	}
	return diag.DidYouMean(name, among())
}

func (c *compiler) useVar(name string) {
	if !c.vars[name] {
		if c.vars == nil {
			c.vars = map[string]bool{}
		}
		c.vars[name] = true
		c.prog.Vars = append(c.prog.Vars, name)
	}
}

func (c *compiler) useSecret(name string) {
	if !c.secrets[name] {
		if c.secrets == nil {
			c.secrets = map[string]bool{}
		}
		c.secrets[name] = true
		c.prog.Secrets = append(c.prog.Secrets, name)
	}
}

// useObject notes that something names a connection or channel, which must
// have one of the types, if any are given. A computed name may be each of
// those that are there.
func (c *compiler) useObject(kind string, n *yamldoc.Node, types []string) {
	if n == nil || n.Kind != yamldoc.String {
		return
	}
	if expr.HasTemplate(n.Text) {
		for _, o := range c.set.Objects {
			if o.Kind == kind && o.Namespace == c.prog.Namespace && (len(types) == 0 || slices.Contains(types, o.Type)) {
				c.addObject(workflow.ObjectRef{Kind: kind, Name: o.Name})
			}
		}
		return
	}
	o := c.set.Object(kind, c.prog.Namespace, n.Text)
	if o != nil && len(types) > 0 && !slices.Contains(types, o.Type) {
		c.errorAt(n, codeWrongConnection, "the connection %q is of type %s, not %s", n.Text, o.Type, strings.Join(types, " or "))
	}
	if c.addObject(workflow.ObjectRef{Kind: kind, Name: n.Text}) && o == nil {
		c.missingObject(kind, n)
	}
}

// addObject notes an object and reports whether it is the first time.
func (c *compiler) addObject(ref workflow.ObjectRef) bool {
	if c.objects[ref] {
		return false
	}
	if c.objects == nil {
		c.objects = map[workflow.ObjectRef]bool{}
	}
	c.objects[ref] = true
	c.prog.Objects = append(c.prog.Objects, ref)
	return true
}

// missingObject warns of a name that is not in the files: it may be applied
// elsewhere.
func (c *compiler) missingObject(kind string, n *yamldoc.Node) {
	there := c.cfg.There
	if there != nil && there(kind, c.prog.Namespace, n.Text) {
		return
	}
	if kind == kindLimit && there != nil {
		c.errorAt(n, codeUnknownObject, "there is no limit %q", n.Text).
			WithHint("define it beside the workflow:\n  ---\n  kind: Limit\n  name: %s\n  capacity: 1", n.Text)
		return
	}
	var names []string
	d := c.list.Warnf(n.Pos, codeUnknownObject, "the %s %q is not in these files", kind, n.Text).WithLength(n.Length())
	for _, o := range c.set.Objects {
		switch {
		case o.Kind != kind:
		case o.Namespace == c.prog.Namespace:
			names = append(names, o.Name)
		case o.Name == n.Text:
			d.WithHint("the one that is there has `namespace: %s`, what uses it `namespace: %s`", orNone(o.Namespace), orNone(c.prog.Namespace))
			return
		}
	}
	if d.Hint = diag.DidYouMean(n.Text, names); d.Hint == "" {
		d.WithHint("define it with `kind: %s`, or apply it to each environment", kind)
	}
}

func orNone(namespace string) string {
	if namespace == "" {
		return "(none)"
	}
	return namespace
}

// files takes the bundle.
func (c *compiler) files() {
	n := c.doc.Get("files")
	if n == nil || n.Kind != yamldoc.List || c.cfg.Files == nil {
		return
	}
	var patterns []string
	var nodes []*yamldoc.Node
	for _, item := range n.Items {
		if item.Kind == yamldoc.String {
			patterns, nodes = append(patterns, item.Text), append(nodes, item)
		}
	}
	files, faults := c.cfg.Files(n.Pos.File, patterns)
	for _, f := range faults {
		at := n
		if f.Pattern >= 0 && f.Pattern < len(nodes) {
			at = nodes[f.Pattern]
		}
		c.errorAt(at, codeFiles, "%s", f.Message).Hint = f.Hint
	}
	c.prog.Files = files
}

// later compiles what is only checked: fields of the workflow that a later
// release brings.
func (c *compiler) later() {
	start := &view{scope: &scope{}, noSteps: true}
	for _, field := range []string{"concurrency", "effective_from"} {
		c.field(c.doc, c.lang.workflow, field, start)
	}
}
