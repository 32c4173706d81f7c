package suite

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/workflow"
)

// CaseTimeout bounds one case, in real time.
const CaseTimeout = 2 * time.Minute

// Config says how tests are run. Languages, Now and TempDir are needed.
type Config struct {
	Languages map[string]expr.Language
	// Only runs the cases whose FILE/NAME matches; nil: all.
	Only *regexp.Regexp
	// Parallel is how many cases run at once; default as many as there are
	// processors.
	Parallel int
	// TempDir is where data folders of cases are made.
	TempDir string
	// Environ is the environment of which tasks get PATH and the like.
	Environ []string
	// Now is the time on the wall, by which cases are measured.
	Now func() time.Time
	// Done is told about each case when it has ended, in the order of the files
	// and cases. It is called by one goroutine at a time.
	Done func(*File, *Result)
}

// Result is what came of a case.
type Result struct {
	Name  string
	Took  time.Duration
	began time.Time
	// Failures say what is not as expected, each on one or several lines; none
	// if the case passed.
	Failures []string
	// Notes are worth knowing, though the case may have passed.
	Notes []string
	// Run is the ID of the run, "" if it was not started.
	Run string
}

// FileResult is what came of the cases of a file.
type FileResult struct {
	File    *File
	Results []*Result
	// Problems are those of the file and of the definitions that it names; Texts
	// are the files that they point into. With an error nothing was run.
	Problems []diag.Diagnostic
	Texts    map[string]string
	// Took is the time from the start of the first case to the end of the last.
	Took time.Duration
}

// OK reports whether everything is as expected.
func (r *FileResult) OK() bool {
	return !diag.HasErrors(r.Problems) && !slices.ContainsFunc(r.Results, func(x *Result) bool { return len(x.Failures) > 0 })
}

// Run runs the cases of files side by side and returns what came of them, in
// the order of the files.
func Run(ctx context.Context, cfg Config, files []*File) []*FileResult {
	if cfg.Parallel <= 0 {
		cfg.Parallel = goruntime.GOMAXPROCS(0)
	}
	slots := make(chan struct{}, cfg.Parallel)
	reports := make([]*FileResult, len(files))
	var running sync.WaitGroup
	told := make(chan struct{})
	close(told) // of the file before the first
	for i, f := range files {
		report := &FileResult{File: f, Problems: f.Problems, Texts: map[string]string{f.Path: f.Text}}
		reports[i] = report
		var cases []*testCase
		if !diag.HasErrors(f.Problems) {
			cases = cfg.prepare(f, report)
		}
		for _, c := range cases {
			before := told
			told = make(chan struct{})
			report.Results = append(report.Results, &c.result)
			running.Add(1)
			go func(after chan<- struct{}) {
				defer running.Done()
				slots <- struct{}{}
				cfg.run(ctx, c)
				<-slots
				<-before
				if cfg.Done != nil {
					cfg.Done(f, &c.result)
				}
				close(after)
			}(told)
		}
	}
	running.Wait()
	for i := range reports {
		reports[i].measure()
	}
	return reports
}

// Check finds what is wrong with files, without running anything.
func Check(languages map[string]expr.Language, files []*File) []*FileResult {
	cfg := Config{Languages: languages}
	reports := make([]*FileResult, len(files))
	for i, f := range files {
		reports[i] = &FileResult{File: f, Problems: f.Problems, Texts: map[string]string{f.Path: f.Text}}
		if !diag.HasErrors(f.Problems) {
			cfg.prepare(f, reports[i])
		}
	}
	return reports
}

// measure finds how long the cases took altogether.
func (r *FileResult) measure() {
	var first, last time.Time
	for _, x := range r.Results {
		if first.IsZero() || x.began.Before(first) {
			first = x.began
		}
		if end := x.began.Add(x.Took); end.After(last) {
			last = end
		}
	}
	r.Took = last.Sub(first)
}

// prepare loads the definitions of a file and makes its cases.
func (cfg *Config) prepare(f *File, report *FileResult) []*testCase {
	all := decodeCases(f)
	if cfg.Only != nil {
		all = slices.DeleteFunc(all, func(c *testCase) bool { return !cfg.Only.MatchString(f.Path + "/" + c.result.Name) })
	}
	if len(all) == 0 {
		return nil
	}
	var l diag.List
	l.Add(f.Problems...)
	found := cfg.definitions(f, report.Texts, &l)
	for _, c := range all {
		c.compile(cfg.Languages, &l)
		c.program, c.objects, c.workflows = found.program, found.objects, found.workflows
	}
	report.Problems = l.Sorted()
	if l.HasErrors() {
		return nil
	}
	return all
}

// definitions loads what a test file names and finds its workflow.
func (cfg *Config) definitions(f *File, texts map[string]string, l *diag.List) defined {
	at := f.node.Pos
	paths := []string{f.Dir}
	if files := f.node.Get("files"); files != nil {
		at, paths = files.Pos, nil
		for _, item := range files.Items {
			paths = append(paths, filepath.Join(f.Dir, filepath.FromSlash(item.Text)))
		}
	}
	p, err := project.Open(paths...)
	if err != nil {
		l.Errorf(at, "test_definitions", "%s", err.Error()).WithHint("name the definitions in `files`, relative to the test file")
		return defined{}
	}
	absolute := map[string]string{}
	for i := range p.Sources {
		s := &p.Sources[i]
		shown := s.Path
		if rest, err := filepath.Rel(f.Dir, s.Path); err == nil {
			shown = filepath.Join(filepath.Dir(f.Path), rest)
		}
		absolute[shown], texts[shown] = s.Path, string(s.Text)
		s.Path = shown
	}
	dialect := local.Definitions(cfg.Languages)
	dialect.Native.Files = bundles(f, absolute)
	set, problems := project.Load(dialect, p.Sources)
	maps.Copy(texts, set.Texts)
	for _, problem := range problems {
		if problem.Severity == diag.Error {
			l.Add(problem)
		}
	}
	if diag.HasErrors(problems) {
		return defined{}
	}
	var workflows []*workflow.Program
	for _, w := range set.Workflows {
		workflows = append(workflows, w.Program)
	}
	return defined{pick(f, set.Set, l), local.ObjectsOf(set.Set), workflows}
}

func bundles(f *File, absolute map[string]string) func(string, []string) ([]workflow.File, []native.FileFault) {
	return func(file string, patterns []string) ([]workflow.File, []native.FileFault) {
		at, ok := absolute[file]
		if !ok { // it lies beside a definition, and is named as that one
			rest, err := filepath.Rel(filepath.Dir(f.Path), file)
			if err != nil {
				return nil, []native.FileFault{{Message: err.Error()}}
			}
			at = filepath.Join(f.Dir, rest)
		}
		return project.Bundle(at, patterns)
	}
}

// pick finds the workflow that a file tests.
func pick(f *File, set *native.Set, l *diag.List) *workflow.Program {
	var names []string
	for _, w := range set.Workflows {
		names = append(names, w.Program.Name)
	}
	n := f.node.Get("workflow")
	switch {
	case n != nil:
		if w := set.Workflow(n.Text); w != nil {
			return w.Program
		}
		if w := set.Workflow(project.MachineName(n.Text)); w != nil && filepath.Base(w.Pos.File) == filepath.Base(n.Text) {
			return w.Program
		}
		d := l.Errorf(n.Pos, "test_workflow", "there is no workflow %q", n.Text).WithLength(n.Length())
		if d.Hint = diag.DidYouMean(n.Text, names); d.Hint == "" {
			d.WithHint("there is %s", strings.Join(names, ", "))
		}
	case len(names) == 1:
		return set.Workflows[0].Program
	case len(names) == 0:
		l.Errorf(f.node.Pos, "test_workflow", "there is no workflow to test").WithHint("name the definitions in `files`")
	default:
		l.Errorf(f.node.Pos, "test_workflow", "there are %d workflows, and `workflow` does not say which is tested", len(names)).
			WithHint("add `workflow: NAME`; there is %s", strings.Join(names, ", "))
	}
	return nil
}

// run runs one case and compares.
func (cfg *Config) run(ctx context.Context, c *testCase) {
	begin := cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, CaseTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(cfg.TempDir, "regie-test-")
	if err == nil {
		err = c.run(ctx, cfg, dir)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		c.result.Failures = append(c.result.Failures, err.Error())
	}
	c.result.began, c.result.Took = begin, cfg.Now().Sub(begin)
}

// defined is what the definitions of a test file have.
type defined struct {
	program   *workflow.Program // that is tested
	objects   []local.Object
	workflows []*workflow.Program
}
