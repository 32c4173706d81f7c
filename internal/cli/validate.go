package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/local"
)

func (c *cli) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE|DIR]...",
		Short: "Find mistakes in definitions",
		Long: `Checks definitions and reports everything that is wrong with them at once,
with file, line, column, what is wrong and what to write instead. Of a folder,
all definitions at any depth are checked together. Without an argument it is
the working directory.

Exit code 2 if something is an error; warnings alone give 0.`,
		Example: `  regie validate eod.yaml
  regie validate . --output json`,
		GroupID: groupWrite,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			return c.validate(args)
		},
	}
}

func (c *cli) validate(paths []string) error {
	d, err := c.load(local.Languages(), paths...)
	if err != nil {
		// What cannot be read is a finding too, so that readers of the document
		// have one place to look.
		var f *failure
		if !errors.As(err, &f) || c.output != outputJSON {
			return err
		}
		d = &definitions{problems: []diag.Diagnostic{{File: paths[0], Code: f.name, Severity: diag.Error, Message: f.message, Hint: f.hint}}}
	}
	if c.output == outputJSON {
		c.printJSON(diagnosticsDocument(d.problems))
	} else {
		paint := view.Painter(c.color(c.Stdout))
		d.renderProblems(c.Stdout, c.color(c.Stdout))
		switch {
		case diag.HasErrors(d.problems):
			printf(c.Stdout, "%s: %s in %s\n", paint(view.StyleError, "not valid"), summary(d.problems), count(len(d.texts), "file"))
		case len(d.problems) > 0:
			printf(c.Stdout, "%s, with %s, in %s\n", paint(view.StyleWarning, "valid"), summary(d.problems), count(len(d.texts), "file"))
		default:
			printf(c.Stdout, "%s: %s\n", paint(view.StyleGood, "valid"), count(len(d.texts), "file"))
		}
	}
	if diag.HasErrors(d.problems) {
		return ended(exitInvalid)
	}
	return nil
}
