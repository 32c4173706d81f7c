package project

import (
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/workflow"
)

// Config is what the languages know from outside.
type Config struct {
	// Native is what the native language knows. Native.Files reads files for all
	// languages; [Bundle] if it is nil.
	Native native.Config
	// JSONata is JSONata with AWS's functions, for definitions in Amazon States
	// Language. Required.
	JSONata expr.Language
	// Type is the type of all state machines; empty: what their resources file
	// says.
	Type asl.MachineType
	// Resources is the resources file of all state machines; nil: that which
	// lies beside each.
	Resources *Source
}

// Set is what the definitions of a number of files define.
type Set struct {
	*native.Set // the workflows of all languages, and the objects

	// Texts are the files that were read beside the sources and that problems
	// may point into, by the path that problems name.
	Texts map[string]string
	// Unmapped are the tasks of state machines whose resource nobody has mapped.
	Unmapped []Unmapped
}

// Unmapped is a task whose resource nobody has mapped: it can be made by a mock
// only.
type Unmapped struct {
	Program *workflow.Program
	State   string
	// Listed says that there is a resources file, which lacks it.
	Listed  bool
	Problem diag.Diagnostic // an error
}

// Load checks and compiles definitions. Tasks that are not mapped are no
// findings yet, see [Set.Refused] and [Set.Lacking].
func Load(cfg Config, sources []Source) (*Set, []diag.Diagnostic) {
	if cfg.Native.Files == nil {
		cfg.Native.Files = Bundle
	}
	var own []native.Source
	for _, s := range sources {
		if s.Language == native.Name {
			own = append(own, native.Source{Path: s.Path, Text: s.Text})
		}
	}
	set, problems := native.Load(cfg.Native, own)
	l := &machines{cfg: cfg, set: &Set{Set: set, Texts: map[string]string{}}}
	l.list.Add(problems...)
	for i := range sources {
		if sources[i].Language == asl.Name {
			l.machine(&sources[i])
		}
	}
	return l.set, l.list.Sorted()
}

// Refused are the errors for tasks of the program that nobody can make; nil is
// every program. mocked says which states a mock stands in for; nil: none.
func (s *Set) Refused(p *workflow.Program, mocked func(state string) bool) []diag.Diagnostic {
	var out []diag.Diagnostic
	for _, u := range s.Unmapped {
		if (p == nil || p == u.Program) && (mocked == nil || !mocked(u.State)) {
			out = append(out, u.Problem)
		}
	}
	return out
}

// Lacking are findings for those who only look: errors where a resources file
// lacks something, else a warning for each resource once.
func (s *Set) Lacking() []diag.Diagnostic {
	type once struct{ file, message string }
	var out []diag.Diagnostic
	told := map[once]bool{}
	for _, u := range s.Unmapped {
		d := u.Problem
		if !u.Listed {
			key := once{d.File, d.Message}
			if told[key] {
				continue
			}
			told[key] = true
			d.Severity = diag.Warning
		}
		out = append(out, d)
	}
	return out
}
