package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
)

// outputKind is how the result is printed; it is a flag's value.
type outputKind string

// The kinds.
const (
	outputText outputKind = "text"
	outputJSON outputKind = "json"
)

func (o *outputKind) String() string { return string(*o) }

// Set implements pflag.Value.
func (o *outputKind) Set(text string) error {
	switch kind := outputKind(text); kind {
	case outputText, outputJSON:
		*o = kind
		return nil
	}
	return fmt.Errorf("want text or json")
}

// Type implements pflag.Value.
func (o *outputKind) Type() string { return "text|json" }

// printJSON prints the one document of a command.
func (c *cli) printJSON(v value.Value) {
	fmt.Fprintln(c.Stdout, v.Indent())
}

// visibleLines makes foreign text harmless and keeps its line ends, behind
// which it indents.
func visibleLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = diag.Visible(lines[i])
	}
	return strings.Join(lines, "\n  ")
}

// printf prints formatted text; the arguments are Regie's own or were made
// harmless.
func printf(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, format, args...)
}

// printTable prints a table as wide as the terminal.
func (c *cli) printTable(t *view.Table) {
	columns, _, _ := c.Terminal(c.Stdout)
	for _, line := range t.Lines(columns, view.Painter(c.color(c.Stdout))) {
		printf(c.Stdout, "%s\n", line)
	}
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// visibleJSON is a value as indented JSON that cannot steer a terminal: its
// texts escape what [diag.Visible] would.
func visibleJSON(v value.Value) string {
	lines := strings.Split(v.Indent(), "\n")
	for i := range lines {
		lines[i] = diag.Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// diagVisible is foreign text on one line, made harmless.
func diagVisible(text string) string { return diag.Visible(text) }
