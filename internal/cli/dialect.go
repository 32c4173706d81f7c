package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/resources"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// dialectFlags say how definitions are read.
type dialectFlags struct {
	language  string
	resources string
	kind      string // of state machines
}

func (f *dialectFlags) define(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.language, "language", "", "`LANGUAGE` of the definitions ("+strings.Join(project.Languages(), ", ")+"); by default it is recognised")
	flags.StringVar(&f.resources, "resources", "", "`FILE` that says what the resources of state machines are here; by default resources.yaml beside each")
	_ = cmd.RegisterFlagCompletionFunc("language", cobra.FixedCompletions(project.Languages(), cobra.ShellCompDirectiveNoFileComp))
}

// defineKind defines the flag for the guarantee of state machines.
func (f *dialectFlags) defineKind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.kind, "type", "", "`standard|express`: the guarantee of a state machine; by default what its resources file says, else standard")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{resources.TypeStandard, resources.TypeExpress}, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses flags that cannot be, before anything is read.
func (f *dialectFlags) check() error {
	if f.language != "" && !slices.Contains(project.Languages(), f.language) {
		return usagef("there is no workflow language %q", f.language).withHint("there are %s", strings.Join(project.Languages(), ", "))
	}
	if f.kind != "" && f.kind != resources.TypeStandard && f.kind != resources.TypeExpress {
		return usagef("--type %s: want standard or express", f.kind)
	}
	return nil
}

// apply tells the languages what the flags say. The resources file gets a place
// among the definitions.
func (f *dialectFlags) apply(c *cli, cfg *project.Config, d *definitions) error {
	cfg.Type = asl.MachineType(strings.ToUpper(f.kind))
	if f.resources == "" {
		return nil
	}
	text, err := c.readFile(f.resources, yamldoc.MaxBytes)
	if err != nil {
		return err
	}
	abs, err := c.abs(f.resources)
	if err != nil {
		return err
	}
	d.resources = f.resources
	d.beside[f.resources] = abs
	cfg.Resources = &project.Source{Path: f.resources, Text: text}
	return nil
}

// chosen leaves the definitions of the language: a file that was named is of
// it, whatever it looks like.
func (f *dialectFlags) chosen(p *project.Project, folder bool) {
	if f.language == "" {
		return
	}
	if folder {
		p.Sources = slices.DeleteFunc(p.Sources, func(s project.Source) bool { return s.Language != f.language })
		return
	}
	for i := range p.Sources {
		p.Sources[i].Language = f.language
	}
}

// mapped refuses a program with tasks that nobody can make: their resource is
// not mapped, and no mock stands in for them. Where others are mocked the run may
// never come to them: then it is a warning, and they fail.
func (c *cli) mapped(d *definitions, p *workflow.Program, mocks *mock.Set) error {
	problems := d.set.Refused(p, mocks.Answers)
	for i := range problems {
		if mocks != nil {
			problems[i].Severity = diag.Warning
		}
	}
	return c.usable(&definitions{problems: problems, texts: d.texts})
}
