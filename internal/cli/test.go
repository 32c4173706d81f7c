package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/suite"
	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) testCommand() *cobra.Command {
	var only string
	var verbose bool
	var parallel int
	cmd := &cobra.Command{
		Use:   "test [DIR|FILE]",
		Short: "Run tests of workflows",
		Long: `Runs the cases of all files *.test.yaml of the folder, at any depth, and
compares what came of each with what it expects. Time is virtual: waits, retries
and timeouts pass at once. Cases run side by side, each in a data folder of its
own. ` + "`regie schema test`" + ` prints the form of a test file.

Exit code 1 if a case failed, 2 if a test or a definition is not valid.`,
		Example: `  regie test
  regie test workflows -v --run 'eod.*retries'`,
		GroupID: groupRun,
		Args:    arguments(0, 1, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg := suite.Config{Parallel: parallel}
			if only != "" {
				pattern, err := regexp.Compile(only)
				if err != nil {
					return usagef("--run %q is not a regular expression: %w", only, err)
				}
				cfg.Only = pattern
			}
			path := "."
			if len(args) > 0 {
				path = args[0]
			}
			return c.test(cmd.Context(), cfg, path, verbose)
		},
	}
	cmd.Flags().StringVar(&only, "run", "", "only the cases whose FILE/NAME matches this regular `EXPRESSION`")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show every case")
	cmd.Flags().IntVar(&parallel, "parallel", 0, "how many cases run at once: `NUMBER`, by default that of the processors")
	return cmd
}

func (c *cli) test(ctx context.Context, cfg suite.Config, path string, verbose bool) error {
	files, err := suite.Find(path, c.abs)
	if err != nil {
		abs, absErr := c.abs(path)
		if absErr != nil {
			return absErr
		}
		return openFailure(path, abs, err)
	}
	if len(files) == 0 {
		return failf(exitInvalid, "not_found", "no tests found in %s", path).withHint("tests are files *.test.yaml; `regie init` writes one")
	}
	out := c.Stdout
	if c.output == outputJSON {
		out = c.Stderr
	}
	r := &testReport{c: c, out: out, paint: view.Painter(c.color(out)), color: c.color(out)}
	cfg.Languages, cfg.TempDir, cfg.Environ, cfg.Now = local.Languages(), os.TempDir(), c.Environ(), c.Clock.Now
	if verbose {
		cfg.Done = r.each
	}
	// Cases are ended in order, and their folders removed.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := c.interrupted(ctx, func(int) { cancel() })
	results := suite.Run(ctx, cfg, files)
	stop()
	for _, file := range results {
		r.file(file, verbose)
	}
	if c.output == outputJSON {
		c.printJSON(r.document(results))
	}
	r.end()
	switch {
	case r.invalid > 0:
		return ended(exitInvalid)
	case r.failed > 0:
		return ended(exitFailed)
	case r.passed == 0:
		return failf(exitInvalid, "not_found", "no case matches --run %s", cfg.Only)
	}
	return nil
}

// testReport prints results as they are known.
type testReport struct {
	c                       *cli
	out                     io.Writer
	paint                   view.Paint
	color                   bool
	passed, failed, invalid int
}

// each prints the result of a case.
func (r *testReport) each(f *suite.File, result *suite.Result) {
	word := r.paint(view.StyleGood, "--- PASS:")
	if len(result.Failures) > 0 {
		word = r.paint(view.StyleError, "--- FAIL:")
	}
	printf(r.out, "%s %s: %s (%s)\n", word, diagVisible(f.Path), diagVisible(result.Name), view.Duration(result.Took))
	for _, text := range result.Failures {
		printf(r.out, "    %s\n", strings.ReplaceAll(visibleLines(text), "\n", "\n    "))
	}
	for _, text := range result.Notes {
		printf(r.out, "    %s %s\n", r.paint(view.StyleWarning, "note:"), visibleLines(text))
	}
}

// file prints the result of a file.
func (r *testReport) file(file *suite.FileResult, told bool) {
	for _, p := range file.Problems {
		fmt.Fprint(r.out, diag.Render(p, file.Texts[p.File], r.color))
	}
	bad, took := 0, file.Took
	for _, result := range file.Results {
		if len(result.Failures) > 0 {
			bad++
		}
		if !told && len(result.Failures)+len(result.Notes) > 0 {
			r.each(file.File, result)
		}
	}
	r.passed, r.failed = r.passed+len(file.Results)-bad, r.failed+bad
	path := diagVisible(file.File.Path)
	switch {
	case diag.HasErrors(file.Problems):
		r.invalid++
		printf(r.out, "%s %s  not valid: %s\n", r.paint(view.StyleError, "FAIL"), path, summary(file.Problems))
	case bad > 0:
		printf(r.out, "%s %s  %s  %d of %s failed\n", r.paint(view.StyleError, "FAIL"), path, view.Duration(took), bad, count(len(file.Results), "case"))
	case len(file.Results) == 0:
		printf(r.out, "%s   %s  no cases to run\n", r.paint(view.StyleFaint, "-"), path)
	default:
		printf(r.out, "%s   %s  %s  %s\n", r.paint(view.StyleGood, "ok"), path, view.Duration(took), count(len(file.Results), "case"))
	}
}

// end prints the totals.
func (r *testReport) end() {
	var parts []string
	if r.passed > 0 {
		parts = append(parts, r.paint(view.StyleGood, fmt.Sprintf("%d passed", r.passed)))
	}
	if r.failed > 0 {
		parts = append(parts, r.paint(view.StyleError, fmt.Sprintf("%d failed", r.failed)))
	}
	if r.invalid > 0 {
		parts = append(parts, r.paint(view.StyleError, count(r.invalid, "file")+" not valid"))
	}
	if len(parts) > 0 {
		printf(r.out, "%s\n", strings.Join(parts, ", "))
	}
}

// document is all results as JSON.
func (r *testReport) document(results []*suite.FileResult) value.Value {
	var cases, problems []value.Value
	for _, file := range results {
		problems = append(problems, diagnosticsDocument(file.Problems).Get("diagnostics").Items()...)
		for _, result := range file.Results {
			word := "passed"
			if len(result.Failures) > 0 {
				word = "failed"
			}
			cases = append(cases, value.Object(
				value.M("file", value.String(file.File.Path)), value.M("case", value.String(result.Name)), value.M("result", value.String(word)),
				value.M("seconds", value.Float(result.Took.Seconds())),
				value.M("failures", texts(result.Failures)), value.M("notes", texts(result.Notes))))
		}
	}
	return value.Object(
		value.M("passed", value.Int(int64(r.passed))), value.M("failed", value.Int(int64(r.failed))),
		value.M("cases", value.List(cases...)), value.M("diagnostics", value.List(problems...)))
}

func texts(items []string) value.Value {
	out := make([]value.Value, len(items))
	for i, s := range items {
		out[i] = value.String(s)
	}
	return value.List(out...)
}
