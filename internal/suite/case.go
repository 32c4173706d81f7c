package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// testCase is one case, ready to be run.
type testCase struct {
	node      *yamldoc.Node
	dir       string // of the test file
	program   *workflow.Program
	objects   []local.Object
	workflows []*workflow.Program // that runs may start
	input     value.Value
	date      string
	at        time.Time
	virtual   bool
	vars      value.Value
	secrets   map[string]string
	mocks     *mock.Set
	own       *mock.Set // those of the case itself
	hosts     []string
	expect    value.Value
	checks    []check
	result    Result
}

// check is an expression that must hold.
type check struct {
	source   string
	compiled expr.Compiled
}

// decodeCases reads the cases of a file whose form was checked.
func decodeCases(f *File) []*testCase {
	var out []*testCase
	for _, n := range f.node.Get("cases").Items {
		v := n.ToValue()
		c := &testCase{
			node: n, dir: f.Dir, input: v.Get("input"), date: v.Get("date").Text(), virtual: v.Get("time").Text() != timeReal,
			vars: merged(f.node.Get("vars"), n.Get("vars")), secrets: map[string]string{},
			mocks: mocksOf(n.Get("mocks"), f.node.Get("mocks")), own: mock.FromNode(n.Get("mocks")), expect: v.Get("expect"),
		}
		c.result.Name = v.Get("name").Text()
		at := v.Get("at").Text()
		if at == "" {
			at = defaultStart
		}
		c.at, _ = time.Parse(time.RFC3339Nano, at)
		for _, m := range merged(f.node.Get("secrets"), n.Get("secrets")).Members() {
			c.secrets[m.Key] = m.Value.Text()
		}
		for _, h := range v.Get("allow_hosts").Items() {
			c.hosts = append(c.hosts, h.Text())
		}
		out = append(out, c)
	}
	return out
}

// merged joins two mappings, either of which may be nil; the second wins.
func merged(a, b *yamldoc.Node) value.Value {
	out := value.Object()
	for _, n := range []*yamldoc.Node{a, b} {
		if n == nil {
			continue
		}
		for _, e := range n.Entries {
			out = out.With(e.Key.Text, e.Value.ToValue())
		}
	}
	return out
}

// mocksOf joins the mocks of a case with those of the file, whose keys count
// where the case does not have them.
func mocksOf(own, file *yamldoc.Node) *mock.Set {
	if own == nil || file == nil {
		if own == nil {
			own = file
		}
		return mock.FromNode(own)
	}
	joined := *own
	joined.Entries = slices.Clone(own.Entries)
	for _, e := range file.Entries {
		if own.Get(e.Key.Text) == nil {
			joined.Entries = append(joined.Entries, e)
		}
	}
	return mock.FromNode(&joined)
}

// compile compiles the expressions of a case.
func (c *testCase) compile(languages map[string]expr.Language, l *diag.List) {
	expect := c.node.Get("expect")
	if expect == nil || expect.Get("check") == nil {
		return
	}
	env := &expr.Env{Roots: []expr.Root{{Name: "run"}, {Name: "steps"}}}
	for _, n := range expect.Get("check").Items {
		compiled, problems := languages[cel.Name].Compile(n.Text, env)
		for _, p := range problems {
			d := l.Errorf(n.At(p.Offset), p.Code, "%s", p.Message).WithLength(p.Length)
			d.Hint = p.Hint
		}
		c.checks = append(c.checks, check{n.Text, compiled})
	}
}

// run runs the case in a data folder and compares. An error means that there
// is nothing to compare.
func (c *testCase) run(ctx context.Context, cfg *Config, dir string) error {
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o700); err != nil {
		return err
	}
	q := local.Request{Program: c.program, Input: c.input, BusinessDate: c.date, Actor: "test"}
	launch := &local.Launch{
		Objects: c.objects, Workflows: c.workflows, Vars: c.vars, Secrets: madeUp(c.secrets), Mocks: c.mocks, AllowHosts: c.hosts, Virtual: c.virtual,
		Dir: c.dir, Folders: []string{files},
	}
	conf := local.Config{Dir: filepath.Join(dir, "data"), Holder: "regie test", Environ: cfg.Environ, Languages: cfg.Languages, Launch: launch, Virtual: c.virtual, Start: c.at}
	regie, err := local.Open(ctx, conf)
	if err != nil {
		return err
	}
	run, err := c.play(ctx, regie, q)
	switch {
	case errors.Is(err, errStuck):
		err = fmt.Errorf("%w: %s", err, waits(run))
	case errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("did not end within %s of real time", CaseTimeout)
	case err == nil:
		c.result.Run = run.ID
		c.compare(run)
	}
	return errors.Join(err, regie.Close())
}

// errStuck ends a case whose run would never end.
var errStuck = errors.New("nothing is left that could end the run")

// waits says what a run waits for.
func waits(run *history.Run) string {
	var out []string
	for _, s := range run.Steps {
		if s.State != engine.Waiting && s.State != engine.Queued {
			continue
		}
		if len(out) == maxPaths {
			return strings.Join(append(out, "…"), ", ")
		}
		what := s.Lacks()
		if what == "" {
			what = strings.ReplaceAll(string(s.Reason), "_", " ")
		}
		out = append(out, fmt.Sprintf("step %s is %s (%s)", s.Path, s.State, what))
	}
	return strings.Join(out, ", ")
}

// play runs the workflow to its end, or with errStuck as far as it comes.
func (c *testCase) play(ctx context.Context, regie *local.Regie, q local.Request) (*history.Run, error) {
	id, err := regie.Submit(ctx, q)
	if err != nil {
		return nil, err
	}
	machine, err := regie.Machine(ctx, id)
	if err != nil {
		return nil, err
	}
	b := history.NewBuilder(string(id), machine)
	w := regie.Watch(id, 1)
	defer w.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if regie.Stuck(ctx, id) {
			cancel(errStuck)
		}
	}()
	for {
		events, err := w.Next(ctx)
		switch {
		case err != nil && errors.Is(context.Cause(ctx), errStuck):
			return b.Run(), errStuck
		case errors.Is(err, io.EOF):
			return b.Run(), nil
		case errors.Is(err, runtime.ErrQuarantined):
			return nil, fmt.Errorf("run was set aside: %w", err)
		case err != nil:
			return nil, err
		}
		for i := range events {
			if _, err := b.Add(&events[i]); err != nil {
				return nil, err
			}
		}
	}
}

// madeUp are the secrets of a test.
type madeUp map[string]string

// Lookup implements [secret.Source].
func (m madeUp) Lookup(name string) (secret.Secret, error) {
	text, ok := m[name]
	if !ok {
		return secret.Secret{}, fmt.Errorf("%w: the test has no secret %s; add it under `secrets`", secret.ErrNotFound, name)
	}
	return secret.New(text), nil
}

// failf notes what is not as expected.
func (c *testCase) failf(format string, args ...any) {
	c.result.Failures = append(c.result.Failures, fmt.Sprintf(format, args...))
}

// compare notes all that is not as expected.
func (c *testCase) compare(run *history.Run) {
	want := c.expect.Get("state").Text()
	if want == "" {
		want = string(engine.Succeeded)
	}
	if string(run.State) != want {
		because := ""
		if run.Error != nil {
			because = fmt.Sprintf(" (%s)", run.Error)
		}
		c.failf("state is %s, want %s%s", run.State, want, because)
	}
	c.same("run", c.expect, observed{reason: run.Reason, output: run.Output, err: run.Error})
	byPath := map[string]*history.Step{}
	for _, s := range run.Steps {
		byPath[s.Path] = s
	}
	for _, item := range c.expect.Get("ran").Items() {
		if !anyStep(run, item.Text(), ran) {
			c.failf("no step %s ran%s", item.Text(), fate(run, item.Text()))
		}
	}
	for _, item := range c.expect.Get("not_run").Items() {
		if anyStep(run, item.Text(), ran) {
			c.failf("step %s ran, but must not", item.Text())
		}
	}
	for _, m := range c.expect.Get("steps").Members() {
		s := byPath[m.Key]
		if s == nil {
			c.failf("there is no step %s in the run; there is %s", m.Key, strings.Join(paths(run), ", "))
			continue
		}
		if state, ok := m.Value.Get("state").Str(); ok && state != string(s.State) {
			c.failf("step %s: state is %s, want %s", m.Key, s.State, state)
		}
		c.same("step "+m.Key, m.Value, observed{reason: s.Reason, output: s.Output, err: s.Error})
		c.sameStep(s, m.Value)
	}
	c.holds(run)
	for _, pattern := range c.own.Patterns() { // those of the file are there for other cases too
		if !anyStep(run, pattern, func(*history.Step) bool { return true }) {
			c.result.Notes = append(c.result.Notes, fmt.Sprintf("the mock %s stands in for no step of the run", pattern))
		}
	}
}

// observed is what a run and a step have in common.
type observed struct {
	reason engine.Reason
	output value.Value
	err    *engine.Error
}

func (c *testCase) same(what string, want value.Value, got observed) {
	if reason, ok := want.Get("reason").Str(); ok && reason != string(got.reason) {
		c.failf("%s: reason is %q, want %q", what, got.reason, reason)
	}
	if output, given := want.Lookup("output"); given {
		c.sameValue(what+": output", output, got.output)
	}
	fault, given := want.Lookup("error")
	if !given {
		return
	}
	if got.err == nil {
		c.failf("%s: there is no error, want %s", what, fault)
		return
	}
	if name, ok := fault.Get("name").Str(); ok && name != got.err.Name {
		c.failf("%s: error is %s, want %s", what, got.err, name)
	}
	if part, ok := fault.Get("message").Str(); ok && !strings.Contains(got.err.Message, part) {
		c.failf("%s: the error's message %q does not contain %q", what, got.err.Message, part)
	}
}

func (c *testCase) sameStep(s *history.Step, want value.Value) {
	if input, given := want.Lookup("input"); given {
		c.sameValue("step "+s.Path+": input", input, s.Input)
	}
	if n, ok := want.Get("attempts").Int(); ok && n != int64(s.Tries) {
		c.failf("step %s: %d attempts, want %d", s.Path, s.Tries, n)
	}
	if part, ok := want.Get("warning").Str(); ok && !strings.Contains(s.Warning, part) {
		c.failf("step %s: the warning %q does not contain %q", s.Path, s.Warning, part)
	}
}

func (c *testCase) sameValue(what string, want, got value.Value) {
	if got.IsUndefined() {
		got = value.Null
	}
	if !value.Equal(want, got) {
		c.failf("%s differs\n  want %s\n  got  %s", what, want, got)
	}
}

// holds evaluates the expressions that must hold.
func (c *testCase) holds(run *history.Run) {
	if len(c.checks) == 0 {
		return
	}
	doc := run.Document()
	var steps []value.Member
	for _, s := range doc.Get("steps").Items() {
		steps = append(steps, value.M(s.Get("path").Text(), s))
	}
	request := expr.Request{
		Bindings: map[string]value.Value{"run": doc.Get("run"), "steps": value.Object(steps...)}, Cost: expr.PoolCost, Now: c.at,
	}
	for _, k := range c.checks {
		result, err := k.compiled.Eval(request)
		if err != nil {
			c.failf("check %s: %v", k.source, err)
		} else if ok, isBool := result.Bool(); !isBool || !ok {
			c.failf("check %s is %s", k.source, result)
		}
	}
}

// ran reports whether a step did anything.
func ran(s *history.Step) bool { return s.State != engine.Skipped && s.State != engine.Pending }

func anyStep(run *history.Run, pattern string, is func(*history.Step) bool) bool {
	return slices.ContainsFunc(run.Steps, func(s *history.Step) bool { return mock.Fits(pattern, s.Path) && is(s) })
}

// fate says what became of a step that did not run.
func fate(run *history.Run, pattern string) string {
	for _, s := range run.Steps {
		if mock.Fits(pattern, s.Path) {
			return fmt.Sprintf(": it is %s (%s)", s.State, s.Reason)
		}
	}
	return "; there is " + strings.Join(paths(run), ", ")
}

// maxPaths is how many paths a message lists.
const maxPaths = 20

func paths(run *history.Run) []string {
	var out []string
	for _, s := range run.Steps {
		if len(out) == maxPaths {
			return append(out, "…")
		}
		out = append(out, s.Path)
	}
	return out
}
