package cli

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	convert "github.com/regie-dev/regie/internal/convert/asl"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) importCommand() *cobra.Command {
	return family("import", "Convert definitions of other systems",
		"Converts a definition of another system to a native workflow, with a report of\nwhat is carried over, what means something else, and what is lost.", groupWrite,
		c.importASLCommand())
}

// importFlags are those of `regie import asl`.
type importFlags struct {
	out, report, name, kind string
	partial                 bool
}

func (c *cli) importASLCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "asl FILE",
		Short: "Convert a Step Functions state machine",
		Long: `Converts a state machine in the Amazon States Language (JSON or YAML) to a native
workflow. The workflow goes to standard output, or to --out; the report, which
says of every construct whether it is carried over, means something else or is
lost, goes to standard error, or to --report.

What has no counterpart becomes a placeholder that fails when it is reached: look
for TODO. A state machine with loops, or one whose ways share states without
coming together, cannot be converted: that ends with exit code 2, unless
--partial has placeholders stand where it would have to jump. It need not be
converted to be run.`,
		Example: `  regie import asl order.asl.json --out order.yaml
  regie import asl order.asl.json --output json`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(_ *cobra.Command, args []string) error { return c.importASL(args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.out, "out", "", "`FILE` for the workflow, which must not be there yet")
	flags.StringVar(&f.report, "report", "", "`FILE` for the report, which must not be there yet")
	flags.StringVar(&f.name, "name", "", "`NAME` of the workflow; default: from that of the file")
	flags.StringVar(&f.kind, "type", "standard", "the guarantee of the state machine: standard or express")
	flags.BoolVar(&f.partial, "partial", false, "convert what can be converted of a state machine that jumps")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"standard", "express"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (c *cli) importASL(path string, f importFlags) error {
	kind := asl.MachineType(strings.ToUpper(f.kind))
	if kind != asl.Standard && kind != asl.Express {
		return usagef("%q is no type of state machine", f.kind).withHint("write --type standard or --type express")
	}
	machine, err := c.readMachine(path, kind)
	if err != nil {
		return err
	}
	name := f.name
	if name == "" {
		name, _, _ = strings.Cut(filepath.Base(path), ".")
		name = workflowName(name)
	}
	result := convert.Convert(convert.Config{Name: name, Type: kind, Partial: f.partial}, machine)
	if result.YAML != nil {
		_, problems := native.Load(local.Native(local.Languages()), []native.Source{{Path: name + ".yaml", Text: result.YAML}})
		if diag.HasErrors(problems) {
			return failf(exitInternal, "internal", "what %s was converted to is not valid: %s", path, problems[0].Message).
				withHint("this is a defect of Regie: report it with the state machine")
		}
	}
	return c.writeImported(path, f, result)
}

// readMachine reads a state machine, and reports what is wrong with it.
func (c *cli) readMachine(path string, kind asl.MachineType) (*asl.Machine, error) {
	text, err := c.readFile(path, maxStateFile)
	if err != nil {
		return nil, err
	}
	language := jsonata.New(jsonata.Config{AWS: true})
	machine, found := asl.Read(asl.Config{JSONata: language, Type: kind}, path, text)
	if !asl.HasErrors(found) {
		return machine, nil
	}
	d := &definitions{texts: map[string]string{path: string(text)}}
	for _, p := range found {
		d.problems = append(d.problems, p.Diag())
	}
	if c.output == outputJSON {
		c.printJSON(diagnosticsDocument(d.problems))
		return nil, ended(exitInvalid)
	}
	d.renderProblems(c.Stderr, c.color(c.Stderr))
	return nil, failf(exitInvalid, "invalid", "%s is not valid: %s", path, summary(d.problems))
}

// writeImported writes the workflow and the report to where they belong.
func (c *cli) writeImported(path string, f importFlags, r convert.Result) error {
	files := []struct{ path, text string }{{f.report, r.Report.Text()}}
	if r.YAML != nil {
		files = append(files, struct{ path, text string }{f.out, string(r.YAML)})
	}
	for _, file := range files {
		if file.path == "" {
			continue
		}
		if err := c.writeNewFile(file.path, file.text); err != nil {
			return err
		}
	}
	paint := view.Painter(c.color(c.Stderr))
	switch {
	case c.output == outputJSON:
		workflow := value.Null
		if r.YAML != nil {
			workflow = value.String(string(r.YAML))
		}
		c.printJSON(value.Object(value.M("workflow", workflow), value.M("report", r.Report.Value())))
	case f.out == "" && r.YAML != nil:
		printf(c.Stdout, "%s", r.YAML)
	case r.YAML != nil:
		printf(c.Stdout, "wrote %s: %s\n", visibleLines(f.out), r.Report.Summary())
	}
	if f.report == "" && c.output != outputJSON {
		for line := range strings.Lines(r.Report.Text()) {
			printf(c.Stderr, "%s\n", diag.Visible(strings.TrimSuffix(line, "\n")))
		}
	}
	if r.YAML == nil {
		printf(c.Stderr, "%s %s cannot be converted: it has no structure of steps, see the report\n", paint(view.StyleError, "error:"), visibleLines(path))
		return ended(exitInvalid)
	}
	return nil
}

// writeNewFile writes a file that is not there yet.
func (c *cli) writeNewFile(path, text string) error {
	abs, err := c.abs(path)
	if err != nil {
		return err
	}
	switch err := writeNew(abs, text); {
	case errors.Is(err, fs.ErrExist):
		return failf(exitInvalid, "exists", "%s is there already", path).withHint("remove it, or name another file")
	case err != nil:
		return failf(exitInternal, "unwritable", "%s cannot be written: %w", path, err)
	}
	return nil
}
