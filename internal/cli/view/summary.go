package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/value"
)

// SummaryOptions say how a summary is drawn.
type SummaryOptions struct {
	Color bool
	// Log are the last lines that the failed step printed, safe for a terminal.
	Log []string
	// Shown says that the run was just shown, so that nobody needs to be told
	// how to.
	Shown bool
}

// maxOutput is how many lines of a run's output are shown.
const maxOutput = 40

// Summary says how a run ended: state, time, output or error, the step that
// failed, and where its log is.
func Summary(run *history.Run, o SummaryOptions) string {
	paint := Painter(o.Color)
	var b strings.Builder
	mark, style := sign(run.State, run.EndedAt)
	fmt.Fprintf(&b, "%s in %s\n", paint(style, mark+" "+oneLine(run.Workflow)+" "+string(run.State)), Duration(run.EndedAt.Sub(run.StartedAt)))
	field := func(name, text string) {
		fmt.Fprintf(&b, "  %s %s\n", paint(StyleFaint, pad(name, 7)), text)
	}
	if run.CancelReason != "" {
		field("reason", oneLine(run.CancelReason))
	}
	failed := FailedStep(run)
	if run.State != engine.Succeeded && failed != nil {
		text := oneLine(failed.Path)
		if failed.Tries > 1 {
			text += fmt.Sprintf(", %d attempts", failed.Tries)
		}
		field("step", text)
	}
	if run.Error != nil && run.State != engine.Canceled {
		for i, line := range strings.Split(strings.TrimRight(run.Error.Name+": "+run.Error.Message, ":\n "), "\n") {
			field([]string{"error", ""}[min(i, 1)], diag.Visible(strings.TrimRight(line, "\r")))
		}
	}
	for i, line := range o.Log {
		field([]string{"log", ""}[min(i, 1)], line)
	}
	if !run.Output.IsNull() {
		for i, line := range outputLines(run.Output) {
			field([]string{"output", ""}[min(i, 1)], line)
		}
	}
	if n := warnings(run); n > 0 {
		field("note", paint(StyleWarning, warningCount(n)))
	}
	if run.State != engine.Succeeded && failed != nil && failed.Act != 0 && len(failed.Attempts) > 0 {
		field("logs", fmt.Sprintf("regie logs %s %s", run.ID, shellWord(failed.Path)))
	} else if !o.Shown {
		field("more", "regie show "+run.ID)
	}
	return b.String()
}

func warningCount(n int) string {
	if n == 1 {
		return "1 step has a warning"
	}
	return fmt.Sprintf("%d steps have warnings", n)
}

// FailedStep is the step that made the run fail: the first that failed without
// being handled, or what failed within it, as far inside as there is one. Of a
// step that was repeated as a whole, the last attempt counts. Nil if there is
// none.
func FailedStep(run *history.Run) *history.Step {
	children := map[string][]*history.Step{}
	for _, s := range run.Steps {
		if s.State == engine.Failed && !s.Handled {
			children[s.Parent] = append(children[s.Parent], s)
		}
	}
	var found *history.Step
	for path := ""; len(children[path]) > 0; path = found.Path {
		of := children[path]
		delete(children, path) // a path that names itself ends the search
		if found != nil && found.Tries > 1 {
			found = slices.MaxFunc(of, byEnd)
		} else {
			found = slices.MinFunc(of, byEnd)
		}
	}
	return found
}

func byEnd(a, b *history.Step) int { return a.EndedAt.Compare(b.EndedAt) }

func warnings(run *history.Run) int {
	n := 0
	for _, s := range run.Steps {
		if s.Warning != "" {
			n++
		}
	}
	return n
}

// outputLines is a value for people: an object one member a line, a text as it
// is.
func outputLines(v value.Value) []string {
	lines := strings.Split(v.Indent(), "\n")
	if len(v.String()) <= 100 {
		lines = []string{v.String()}
	}
	for i := range lines {
		lines[i] = diag.Visible(lines[i])
	}
	if len(lines) > maxOutput {
		rest := len(lines) - maxOutput
		lines = append(lines[:maxOutput], fmt.Sprintf("… %d more lines", rest))
	}
	return lines
}

// shellWord quotes a path for a shell where that is needed.
func shellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+,"
	if strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(diag.Visible(text), "'", `'\''`) + "'"
}
