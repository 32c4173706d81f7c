package native

import (
	"regexp"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// The roots of expressions, which nothing else may be called.
const (
	rootInputs  = "inputs"
	rootSteps   = "steps"
	rootRun     = "run"
	rootVars    = "vars"
	rootSecrets = "secrets"
	rootNeeds   = "needs"
	rootError   = "error"
	rootIndex   = "index"
	rootAttempt = "attempt"
	rootResult  = "result"
	rootGroup   = "group"

	rootTurn     = "turn"
	rootPrevious = "previous"
)

var reservedRoots = []string{
	rootInputs, rootSteps, rootRun, rootVars, rootSecrets, rootNeeds, rootError, rootIndex, rootAttempt, rootResult, rootGroup,
	rootTurn, rootPrevious,
}

// errorType is the type of `error` and of the errors of steps.
func errorType() expr.Type {
	return closed(expr.Field{Name: "name", Type: typ(expr.String)}, expr.Field{Name: "message", Type: typ(expr.String)}, expr.Field{Name: "details"})
}

func nullable(t expr.Type) expr.Type {
	t.Nullable = true
	return t
}

func typ(k expr.TypeKind) expr.Type { return expr.Type{Kind: k} }

func closed(fields ...expr.Field) expr.Type {
	return expr.Type{Kind: expr.ObjectOf, Fields: fields, Closed: true}
}

// runFacts are the members of `run`. The last two are there only in `finally`.
func runFacts() []expr.Field {
	return []expr.Field{
		{Name: "id", Type: typ(expr.String)},
		{Name: "workflow", Type: typ(expr.String)},
		{Name: "namespace", Type: typ(expr.String)},
		{Name: "business_date", Type: typ(expr.Date)},
		{Name: "accepted_at", Type: typ(expr.DateTime)},
		{Name: "state", Type: typ(expr.String)},
		{Name: "error", Type: nullable(errorType())},
	}
}

// facts are what expressions at a place read of a step.
func (st *step) facts(at *view) []expr.Field {
	facts := []expr.Field{
		{Name: "output", Type: at.outputType(st)},
		{Name: "state", Type: typ(expr.String)},
		{Name: "reason", Type: typ(expr.String)},
		{Name: "error", Type: nullable(errorType())},
	}
	if st.keepsArtifacts() {
		facts = append(facts, expr.Field{Name: factArtifacts, Type: artifactsType()})
	}
	return facts
}

func needFacts(st *step, at *view) []expr.Field {
	facts := st.facts(at)
	for _, e := range ends {
		facts = append(facts, expr.Field{Name: e.word, Type: typ(expr.Bool)})
	}
	return append(facts, expr.Field{Name: "ended", Type: typ(expr.Bool)})
}

// maxDeclared is the number of variables up to which all are declared in every
// expression, for the sake of better hints.
const maxDeclared = 50

// names resolves the names of one expression.
type names struct {
	c     *compiler
	view  *view
	node  *yamldoc.Node
	src   string
	words []string // that stand in src, without repetitions
	// report adds a diagnostic at a place of src.
	report func(offset, length int, code, format string, args ...any) *diag.Diagnostic
	binds  []workflow.Binding
	bound  map[string]bool
	failed bool
}

var wordForm = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// wordsOf lists the names that a source may mention.
func wordsOf(src string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range wordForm.FindAllString(src, -1) {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// env declares what the expression may read. Of steps and variables only those
// that the source mentions are declared: a workflow may have thousands.
func (n *names) env() *expr.Env {
	v := n.view
	env := &expr.Env{Zone: n.c.prog.Zone}
	add := func(name string, t expr.Type, why string) {
		env.Roots = append(env.Roots, expr.Root{Name: name, Type: t, Why: why})
	}
	unless := func(ok bool, why string) string {
		if ok {
			return ""
		}
		return why
	}
	add(rootInputs, n.c.inputs, unless(!v.noInputs, "inputs cannot be read here"))
	add(rootSteps, expr.Type{Kind: expr.ObjectOf, Fields: n.stepFields()}, unless(!v.noInputs && !v.noSteps, "steps cannot be read here: none has run yet"))
	add(rootRun, closed(runFacts()...), unless(!n.c.noRun, "there is no run here"))
	add(rootVars, expr.Type{Kind: expr.ObjectOf}, "")
	add(rootSecrets, expr.Type{}, "a secret stands only in env, headers and connection fields, alone in its ${{ }}: ${{ secrets.NAME }}")
	needing, _ := v.needing()
	add(rootNeeds, expr.Type{Kind: expr.ObjectOf, Fields: n.needFields()}, unless(needing != nil, "the step has no `needs`"))
	add(rootError, errorType(), unless(v.ownError || v.enclosing(roleCatch) != nil, "`error` can be read in `on_error` and `retry` only"))
	add(rootAttempt, typ(expr.Int), unless(v.attempt, "`attempt` can be read in `retry` only"))
	item := v.enclosing(roleItem)
	add(rootIndex, typ(expr.Int), unless(item != nil, "`index` can be read in `foreach` only"))
	var result expr.Type
	undo := v.enclosing(roleUndo)
	switch {
	case v.result != nil:
		result = *v.result
	case undo != nil:
		result = undo.itemType
	}
	add(rootResult, result, unless(v.result != nil || undo != nil, "`result` can be read in `outputs` of a step that is no group, in `until` and `delay` of `repeat`, and in `compensate`"))
	turn := v.enclosing(roleTurn)
	add(rootTurn, typ(expr.Int), unless(turn != nil, "`turn` can be read in `repeat` and what it repeats only"))
	why := "`previous` can be read in what is repeated and in `while` only"
	if v.turnEnded {
		why = "`previous` cannot be read behind a turn: its output is `result`"
	}
	add(rootPrevious, nullable(expr.Type{}), unless(turn != nil && !v.turnEnded, why))
	group := v.finallyGroup()
	add(rootGroup, closed(expr.Field{Name: "state", Type: typ(expr.String)}, expr.Field{Name: "error", Type: nullable(errorType())}),
		unless(group != nil, "`group` can be read in the `finally` of a group only"))
	seen := map[string]bool{}
	for w := v; w != nil; w = w.scope.outer {
		if s := w.scope; s.role == roleItem && !seen[s.itemName] {
			seen[s.itemName] = true
			add(s.itemName, s.itemType, "")
		}
	}
	variables := n.c.varNames
	if len(variables) > maxDeclared {
		variables = n.words
	}
	for _, name := range variables {
		if n.c.isVar[name] && !seen[name] {
			t, _ := v.variable(name)
			add(name, t, "")
		}
	}
	return env
}

// stepFields declares the steps that the source mentions.
func (n *names) stepFields() []expr.Field {
	var fields []expr.Field
	for _, word := range n.words {
		if st, at := n.view.findStep(word); st != nil {
			fields = append(fields, expr.Field{Name: word, Type: closed(st.facts(at)...)})
		}
	}
	return fields
}

// needFields declares the needs that the source mentions.
func (n *names) needFields() []expr.Field {
	st, at := n.view.needing()
	if st == nil {
		return nil
	}
	var fields []expr.Field
	for _, need := range st.needs {
		if slices.Contains(n.words, need.step.id) {
			fields = append(fields, expr.Field{Name: need.step.id, Type: closed(needFacts(need.step, at)...)})
		}
	}
	return fields
}

// outputType is the type of a step's output as the view sees it.
func (v *view) outputType(st *step) expr.Type {
	if v.sure.has(st.index) {
		return st.out
	}
	return nullable(st.out)
}

// needing is the step whose needs can be read, with its view: that of the
// place itself or, within foreach and repeat, of the step that has the items or
// turns.
func (v *view) needing() (*step, *view) {
	for ; v != nil; v = v.scope.outer {
		if v.at != nil && v.at.needsWritten() {
			return v.at, v
		}
		if v.scope.role != roleItem && v.scope.role != roleTurn {
			break
		}
	}
	return nil, nil
}

func (st *step) needsWritten() bool { return len(st.needs) > 0 && st.needs[0].node != st.node }

// finallyGroup is the scope of the group in whose finally part the place is.
func (v *view) finallyGroup() *scope {
	if f := v.enclosing(roleFinally); f != nil && f.outer.scope.role != roleMain {
		return f.outer.scope
	}
	return nil
}

// inRunFinally reports whether the place is in the finally part of the
// workflow.
func (v *view) inRunFinally() bool {
	for ; v != nil; v = v.scope.outer {
		if v.scope.role == roleFinally && v.scope.outer.scope.role == roleMain {
			return true
		}
	}
	return false
}

// bind resolves everything that the compiled expression reads.
func (n *names) bind(reads [][]string) []workflow.Binding {
	for _, r := range reads {
		n.read(r)
	}
	return n.binds
}

func (n *names) add(path []string, from workflow.Source, t expr.Type) {
	key := strings.Join(path, "\x00")
	if n.bound[key] {
		return
	}
	n.bound[key] = true
	if !n.c.grow(1+typeSize(&t), n.node) {
		n.failed = true
		return
	}
	n.binds = append(n.binds, workflow.Binding{Path: path, From: from, Type: t})
}

// typeSize counts the parts of a type.
func typeSize(t *expr.Type) int {
	size := len(t.Fields)
	if t.Elem != nil {
		size += 1 + typeSize(t.Elem)
	}
	for i := range t.Fields {
		size += typeSize(&t.Fields[i].Type)
	}
	return size
}

// up is the distance from the place to a scope around it.
func (n *names) up(s *scope) int { return n.view.scope.depth - s.depth }

func (n *names) read(r []string) {
	v := n.view
	member := func(i int) string {
		if i < len(r) {
			return r[i]
		}
		return ""
	}
	switch r[0] {
	case rootInputs:
		n.readInput(member(1))
	case rootVars:
		if member(1) == "" {
			n.fault(r, codeUnknownName, "`vars` must be followed by the name of a variable").WithHint("write vars.NAME")
			return
		}
		n.c.useVar(r[1])
		n.add(r[:2], workflow.Source{Root: workflow.RootNamespace, Name: r[1]}, expr.Type{})
	case rootRun:
		n.readFacts(r, 1, runFacts(), workflow.Source{Root: workflow.RootRun})
	case rootSteps:
		n.readStep(r)
	case rootNeeds:
		n.readNeed(r)
	case rootError:
		from := workflow.Source{Root: workflow.RootError}
		if !v.ownError {
			from.Up = n.up(v.enclosing(roleCatch))
		}
		n.add(r[:1], from, errorType())
	case rootAttempt:
		n.add(r[:1], workflow.Source{Root: workflow.RootAttempt, Name: "number"}, typ(expr.Int))
	case rootIndex:
		n.add(r[:1], workflow.Source{Root: workflow.RootIndex, Up: n.up(v.enclosing(roleItem))}, typ(expr.Int))
	case rootTurn:
		n.add(r[:1], workflow.Source{Root: workflow.RootIndex, Up: n.up(v.enclosing(roleTurn))}, typ(expr.Int))
	case rootPrevious:
		n.add(r[:1], workflow.Source{Root: workflow.RootItem, Up: n.up(v.enclosing(roleTurn))}, nullable(expr.Type{}))
	case rootResult:
		if v.result == nil {
			undo := v.enclosing(roleUndo)
			n.add(r[:1], workflow.Source{Root: workflow.RootFrame, Up: n.up(undo), Name: "input"}, undo.itemType)
			return
		}
		from := workflow.Source{Root: workflow.RootResult}
		if v.turnEnded {
			from.Root = workflow.RootItem
		}
		n.add(r[:1], from, *v.result)
	case rootGroup:
		n.readFacts(r, 1, []expr.Field{{Name: "state", Type: typ(expr.String)}, {Name: "error", Type: nullable(errorType())}},
			workflow.Source{Root: workflow.RootFrame, Up: n.up(v.finallyGroup())})
	default:
		n.readLocal(r)
	}
}

// readInput binds one input, or all of them as an object.
func (n *names) readInput(name string) {
	if name == "" {
		n.add([]string{rootInputs}, workflow.Source{Root: workflow.RootInput}, n.c.inputs)
		return
	}
	for _, f := range n.c.inputs.Fields {
		if f.Name == name {
			n.add([]string{rootInputs, name}, workflow.Source{Root: workflow.RootInput, Name: name}, f.Type)
		}
	}
}

// readFacts binds the fact that r names at index at, or all facts if it ends
// before.
func (n *names) readFacts(r []string, at int, facts []expr.Field, from workflow.Source) {
	for _, f := range facts {
		if at < len(r) && r[at] != f.Name {
			continue
		}
		if r[0] == rootRun && (f.Name == "state" || f.Name == "error") && !n.view.inRunFinally() {
			if at < len(r) {
				n.fault(r, codeUnknownName, "`run.%s` can be read in the `finally` of the workflow only", f.Name).
					WithHint("it is not known before")
			}
			continue
		}
		source := from
		source.Name = f.Name
		n.add(append(append([]string(nil), r[:at]...), f.Name), source, f.Type)
	}
}

func (n *names) readStep(r []string) {
	if len(r) < 2 {
		n.fault(r, codeUnknownStep, "`steps` must be followed by the name of a step").WithHint("write steps.NAME.output")
		return
	}
	st, at := n.view.findStep(r[1])
	switch {
	case st == nil || !st.named:
		n.unknownStep(r, st)
	case !at.before.has(st.index):
		n.notBefore(r, st, at)
	default:
		n.readFacts(r, 2, st.facts(at), workflow.Source{Root: workflow.RootNode, Up: n.up(st.scope), Node: workflow.NodeID(st.index)})
	}
}

func (n *names) unknownStep(r []string, st *step) {
	if st != nil {
		n.fault(r, codeUnknownStep, "the step %q has no `id`", r[1]).WithHint("give it an `id`: its place in the list may change")
		return
	}
	d := n.fault(r, codeUnknownStep, "there is no step %q here", r[1])
	if d.Hint = n.c.didYouMean(r[1], n.view.stepNames); d.Hint == "" {
		d.WithHint("steps within a group are read through the `outputs` of the group")
	}
}

// stepNames are the IDs of the steps of all scopes around the place.
func (v *view) stepNames() []string {
	var known []string
	for ; v != nil; v = v.scope.outer {
		for _, st := range v.scope.steps {
			if st.named {
				known = append(known, st.id)
			}
		}
	}
	return known
}

// notBefore explains that a step need not have ended before the place.
func (n *names) notBefore(r []string, st *step, at *view) {
	switch {
	case at.at == st:
		n.fault(r, codeStepOrder, "the step %q has not ended here: this stands within it", st.id).
			WithHint("read an earlier step")
	case at.at != nil && at.at.graph():
		n.fault(r, codeStepOrder, "the step %q need not have ended before %q starts", st.id, at.at.id).
			WithHint("add it to the `needs` of %q: needs: [%s]", at.at.id, strings.Join(append(at.at.needIDs(), st.id), ", "))
	case at.at != nil && st.scope.role == roleParallel:
		n.fault(r, codeStepOrder, "the step %q runs at the same time as %q", st.id, at.at.id).
			WithHint("read it after the `parallel`, or join the steps by `graph` and `needs`")
	default:
		n.fault(r, codeStepOrder, "the step %q comes later", st.id).WithHint("move it before this one")
	}
}

func (st *step) graph() bool { return st.scope.isGraph }

func (st *step) needIDs() []string {
	var ids []string
	for _, n := range st.needs {
		ids = append(ids, n.step.id)
	}
	return ids
}

func (n *names) readNeed(r []string) {
	st, at := n.view.needing()
	if len(r) < 2 {
		n.fault(r, codeUnknownStep, "`needs` must be followed by the name of a step").WithHint("write needs.NAME.succeeded")
		return
	}
	for _, need := range st.needs {
		if need.step.id == r[1] {
			n.readFacts(r, 2, needFacts(need.step, at), workflow.Source{Root: workflow.RootNode, Up: n.up(need.step.scope), Node: workflow.NodeID(need.step.index)})
			return
		}
	}
	d := n.fault(r, codeUnknownStep, "the step does not need %q", r[1])
	if d.Hint = diag.DidYouMean(r[1], st.needIDs()); d.Hint == "" {
		d.WithHint("its needs are %s", strings.Join(st.needIDs(), ", "))
	}
}

// readLocal binds a loop variable or an assigned variable.
func (n *names) readLocal(r []string) {
	for v := n.view; v != nil; v = v.scope.outer {
		if s := v.scope; s.role == roleItem && s.itemName == r[0] {
			n.add(r[:1], workflow.Source{Root: workflow.RootItem, Up: n.up(s)}, s.itemType)
			return
		}
	}
	if !n.c.isVar[r[0]] {
		return // a name that the language itself knows
	}
	t, set := n.view.variable(r[0])
	if !set {
		n.fault(r, codeStepOrder, "the variable %q is set by no step that ends before this one", r[0]).
			WithHint("set it earlier with `assign`")
		return
	}
	from := workflow.Source{Root: workflow.RootVar, Name: r[0]}
	if slices.Contains(n.view.set, r[0]) {
		from.Root = workflow.RootStage
	}
	n.add(r[:1], from, t)
}

// fault reports a read at its place in the source.
func (n *names) fault(r []string, code, format string, args ...any) *diag.Diagnostic {
	n.failed = true
	offset, length := locate(n.src, r)
	return n.report(offset, length, code, format, args...)
}

// locate finds the last name of a read that stands in the source: for
// steps.fetch.output the name fetch, for others the root.
func locate(src string, r []string) (offset, length int) {
	pattern := `(?:^|[^A-Za-z0-9_.])(` + regexp.QuoteMeta(r[0]) + `)`
	if len(r) > 1 {
		pattern += `\s*(?:\.\??|\[\??\s*["'])\s*(` + regexp.QuoteMeta(r[1]) + `)`
	}
	at := regexp.MustCompile(pattern + `(?:[^A-Za-z0-9_]|$)`).FindStringSubmatchIndex(src)
	if at == nil {
		return 0, 1
	}
	last := len(at) - 2
	return at[last], at[last+1] - at[last]
}
