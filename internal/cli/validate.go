package cli

import (
	"context"
	"errors"
	"maps"
	"os"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/suite"
)

func (c *cli) validateCommand() *cobra.Command {
	var f remoteFlags
	var how dialectFlags
	cmd := &cobra.Command{
		Use:   "validate [FILE|DIR]...",
		Short: "Find mistakes in definitions",
		Long: `Checks definitions and reports everything that is wrong with them at once,
with file, line, column, what is wrong and what to write instead. Of a folder,
all definitions at any depth are checked together, and the tests (*.test.yaml)
too. Without an argument it is the working directory. With --context or --server
the server checks the definitions, as it would for ` + "`regie apply`" + `.

State machines in Amazon States Language (*.asl.json) are checked as AWS checks
them, with its codes and messages. A resource that nobody has mapped is a warning
where there is no resources file.

Exit code 2 if something is an error; warnings alone give 0.`,
		Example: `  regie validate eod.yaml
  regie validate . --output json
  regie validate order.asl.json --resources resources.yaml`,
		GroupID: groupWrite,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			if err := how.check(); err != nil {
				return err
			}
			if !f.named() {
				if err := withoutEffect(cmd, "without --context or --server", "namespace", "token", "token-file"); err != nil {
					return err
				}
			}
			return c.validate(args, func(paths []string) (*definitions, error) {
				if f.named() {
					return c.checkThere(cmd.Context(), &f, &how, paths)
				}
				return c.check(&how, paths)
			})
		},
	}
	f.define(c, cmd)
	how.define(cmd)
	return cmd
}

// checkThere has a server find what is wrong with definitions.
func (c *cli) checkThere(ctx context.Context, f *remoteFlags, how *dialectFlags, paths []string) (*definitions, error) {
	r, err := c.connect(f)
	if err != nil {
		return nil, err
	}
	d, err := c.load(local.Languages(), how, paths...)
	if err != nil {
		return nil, err
	}
	files, shown, err := d.send()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := r.workflows.Validate(ctx, &regiev1.ValidateRequest{Namespace: r.namespace, Files: files})
	if err != nil {
		return nil, r.failure(err)
	}
	d.found(diagnosticsFrom(answer.GetDiagnostics()), shown)
	return d, nil
}

func (c *cli) validate(paths []string, check func(paths []string) (*definitions, error)) error {
	d, err := check(paths)
	if err != nil {
		// What cannot be read is a finding too, so that readers of the document
		// have one place to look.
		var f *failure
		if !errors.As(err, &f) || c.output != outputJSON || f.code != exitInvalid || f.request != "" {
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

// check finds what is wrong with definitions, and with tests among them.
func (c *cli) check(how *dialectFlags, paths []string) (*definitions, error) {
	languages := local.Languages()
	all := &definitions{texts: map[string]string{}}
	var named, tests []string
	for _, path := range paths {
		if suite.IsTest(path) {
			tests = append(tests, path)
		} else {
			named = append(named, path)
		}
	}
	if len(named) > 0 {
		d, err := c.load(languages, how, named...)
		if err != nil {
			return nil, err
		}
		d.problems = append(d.problems, d.set.Lacking()...)
		all = d
	}
	var list diag.List
	list.Add(all.problems...)
	for _, path := range append(named, tests...) {
		if !suite.IsTest(path) && !c.isFolder(path) {
			continue
		}
		files, err := suite.Find(path, c.abs)
		if err != nil {
			abs, absErr := c.abs(path)
			if absErr != nil {
				return nil, absErr
			}
			return nil, openFailure(path, abs, err)
		}
		for _, report := range suite.Check(languages, files) {
			list.Add(report.Problems...) // sorting leaves out those of definitions that are there already
			maps.Copy(all.texts, report.Texts)
		}
	}
	all.problems = list.Sorted()
	return all, nil
}

// isFolder reports whether the path is a folder.
func (c *cli) isFolder(path string) bool {
	abs, err := c.abs(path)
	if err != nil {
		return false
	}
	info, err := os.Stat(abs)
	return err == nil && info.IsDir()
}
