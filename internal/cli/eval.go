package cli

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/asl"
	"github.com/regie-dev/regie/internal/eval"
	"github.com/regie-dev/regie/internal/expr/cel"
	"github.com/regie-dev/regie/internal/expr/jsonata"
	"github.com/regie-dev/regie/internal/expr/jsonpath"
	"github.com/regie-dev/regie/internal/local"
)

// maxBatchLine is the longest line that eval --batch reads.
const maxBatchLine = 64 << 20

func (c *cli) evalCommand() *cobra.Command {
	var language, input, bindings string
	var batch bool
	cmd := &cobra.Command{
		Use:   "eval EXPR",
		Short: "Evaluate an expression",
		Long: `Evaluates an expression as a workflow would, and prints the result as JSON.
The expression reads the value of --input as ` + "`input`" + `, and each member of
--bindings by its name. In JSONata, the input is the context, and each binding
a variable such as $name. In JSONPath, the input is $, the binding context is
$$, and every other binding a variable such as $name.

With --batch it reads one request a line from standard input,
  {"id": 1, "language": "cel", "expression": "a + 1", "bindings": {"a": 1}}
and answers each with one line: {"id": 1, "result": 2}, {"id": 1, "undefined":
true}, or {"id": 1, "error": {"code": …, "message": …, "position": …}}, where
position counts bytes from the start of the expression. input and bindings may
be left out.

Exit code 2 if the expression is not valid, 1 if its evaluation fails.`,
		Example: `  regie eval '1 + 2'
  regie eval 'input.files.size()' --input @files.json
  regie eval 'date.add(day, 1)' --bindings '{"day": "2026-03-02"}'
  regie eval '$sum(orders.price)' --language jsonata --input @orders.json
  regie eval "States.Format('{} orders', States.ArrayLength(\$.orders))" --language jsonpath --input @orders.json`,
		GroupID: groupWrite,
		RunE: func(cmd *cobra.Command, args []string) error {
			if batch {
				if err := arguments(0, 0, "")(cmd, args); err != nil {
					return err
				}
				return c.evalBatch(language)
			}
			if err := arguments(1, 1, "EXPR")(cmd, args); err != nil {
				return err
			}
			return c.eval(eval.Request{Language: language, Expression: args[0]}, input, bindings)
		},
	}
	cmd.Flags().StringVar(&language, "language", cel.Name, "`LANGUAGE` of the expression")
	cmd.Flags().StringVar(&input, "input", "", inputHelp)
	cmd.Flags().StringVar(&bindings, "bindings", "", "names that the expression can read, as a `JSON` object")
	cmd.Flags().BoolVar(&batch, "batch", false, "read requests from standard input, one a line")
	_ = cmd.RegisterFlagCompletionFunc("language", cobra.FixedCompletions([]string{cel.Name, jsonata.Name, jsonpath.Name}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// evaluator evaluates in all languages that there are.
func (c *cli) evaluator() *eval.Evaluator {
	cfg := eval.Config{Now: c.Clock.Now().UTC()}
	for _, l := range local.Languages() {
		if l.Name() != asl.Name { // its expressions are those of the others, with more about them
			cfg.Languages = append(cfg.Languages, l)
		}
	}
	return eval.New(cfg)
}

func (c *cli) eval(r eval.Request, input, bindings string) error {
	var err error
	if r.Input, err = c.inputValue(input); err != nil {
		return err
	}
	if bindings != "" {
		if r.Bindings, err = jsonFlag("bindings", bindings); err != nil {
			return err
		}
	}
	answer := c.evaluator().Evaluate(r)
	fault := answer.Error
	switch {
	case fault == nil:
		c.printAnswer(answer)
		return nil
	case fault.Code == eval.InvalidRequest || fault.Code == eval.UnknownLanguage:
		return failf(exitInvalid, fault.Code, "%s", fault.Message)
	case c.output == outputJSON:
		printf(c.Stdout, "%s\n", answer.Append(nil))
	}
	d := diag.Diagnostic{Code: fault.Code, Severity: diag.Error, Message: fault.Message}
	if fault.Position >= 0 {
		before := r.Expression[:min(fault.Position, len(r.Expression))]
		line := before[strings.LastIndexByte(before, '\n')+1:]
		d.Line, d.Column = strings.Count(before, "\n")+1, len([]rune(line))+1
	}
	fmt.Fprint(c.Stderr, diag.Render(d, r.Expression, c.color(c.Stderr)))
	if fault.Static {
		return ended(exitInvalid)
	}
	return ended(exitFailed)
}

func (c *cli) printAnswer(a eval.Answer) {
	switch {
	case c.output == outputJSON:
		printf(c.Stdout, "%s\n", a.Append(nil))
	case a.Result.IsUndefined():
		printf(c.Stdout, "undefined\n")
	default:
		printf(c.Stdout, "%s\n", visibleJSON(a.Result))
	}
}

// evalBatch answers requests line by line, each as soon as it was read.
func (c *cli) evalBatch(language string) error {
	e := c.evaluator()
	lines := bufio.NewScanner(c.Stdin)
	lines.Buffer(nil, maxBatchLine)
	unreadable := 0
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		r, fault := eval.ParseRequest(lines.Bytes())
		answer := eval.Answer{ID: r.ID, Error: fault}
		if fault == nil {
			if r.Language == "" {
				r.Language = language
			}
			answer = e.Evaluate(r)
		} else {
			unreadable++
		}
		if _, err := fmt.Fprintf(c.Stdout, "%s\n", answer.Append(nil)); err != nil {
			return failf(exitInternal, "unwritable", "standard output cannot be written: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return failf(exitInvalid, "unreadable", "standard input cannot be read: %w", err).
			withHint("a request is one line of at most %d MiB", maxBatchLine>>20)
	}
	if unreadable > 0 {
		printf(c.Stderr, "%s %s could not be read\n", view.Painter(c.color(c.Stderr))(view.StyleError, "error:"), count(unreadable, "request"))
		return ended(exitInvalid)
	}
	return nil
}
