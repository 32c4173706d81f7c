package cli

import (
	"context"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/executor"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/tasklog"
	"github.com/regie-dev/regie/internal/value"
)

// remoteLogs shows logs of a run on a server.
type remoteLogs struct {
	c      *cli
	r      *remote
	flags  *logFlags
	run    *regiev1.Run
	steps  []*regiev1.Step
	step   string
	buffer []byte
	lines  []value.Value // for JSON
}

func (c *cli) remoteLogs(ctx context.Context, r *remote, f *logFlags, run, step string) error {
	asking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := r.readSteps(asking, run)
	if err != nil {
		return r.failure(err)
	}
	l := &remoteLogs{c: c, r: r, flags: f, run: got.GetRun(), steps: got.GetSteps(), step: step}
	if err := l.choose(); err != nil {
		return err
	}
	if f.follow {
		return l.follow(ctx)
	}
	for _, s := range l.steps {
		if err := l.readStep(ctx, s); err != nil {
			return r.failure(err)
		}
	}
	if c.output == outputJSON {
		c.printJSON(value.Object(value.M("run", value.String(l.run.GetId())), value.M("lines", value.List(l.lines...))))
	}
	return nil
}

// choose checks that there is such a step.
func (l *remoteLogs) choose() error {
	if l.step == "" || l.flags.follow && l.run.GetEndedAt() == nil {
		return nil // it may come
	}
	var names []string
	for _, s := range l.steps {
		if s.GetPath() == l.step {
			return nil
		}
		names = append(names, s.GetPath())
	}
	f := failf(exitInvalid, "not_found", "run %s has no step %s", l.run.GetId(), l.step)
	if meant := diag.Suggest(l.step, names); meant != "" {
		return f.withHint("did you mean %s?", meant)
	}
	return f.withHint("`regie show %s` shows its steps", l.run.GetId())
}

// wanted reports whether the lines of a step are wanted.
func (l *remoteLogs) wanted(path string) bool {
	return l.step == "" || path == l.step || within(path, l.step)
}

// readStep shows the attempts of a step that are wanted: of one that was named
// the last, or the one that was asked for.
func (l *remoteLogs) readStep(ctx context.Context, s *regiev1.Step) error {
	if !l.wanted(s.GetPath()) || s.GetAttempts() == 0 {
		return nil
	}
	first, last := uint32(1), s.GetAttempts()
	if s.GetPath() == l.step {
		first = last
		if l.flags.attempt > 0 {
			first, last = uint32(l.flags.attempt), uint32(l.flags.attempt)
		}
	}
	for n := first; n <= last; n++ {
		err := l.readAttempt(ctx, s, n)
		if p := problem.Of(err); p.GetCode() == "attempt_not_found" && l.flags.attempt == 0 {
			continue // of a group, which has no attempts of its own
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *remoteLogs) readAttempt(ctx context.Context, s *regiev1.Step, attempt uint32) error {
	for offset := int64(0); ; {
		page, err := l.page(ctx, &regiev1.GetLogRequest{
			Namespace: l.r.namespace, Run: l.run.GetId(), Step: s.GetPath(), Attempt: attempt, Offset: offset, Limit: api.MaxLogLines,
		})
		if err != nil {
			return err
		}
		for _, line := range page.GetLines() {
			if err := l.show(line, s.GetAttempts() > 1); err != nil {
				return err
			}
		}
		if !page.GetMore() || page.GetNextOffset() == offset {
			return nil
		}
		offset = page.GetNextOffset()
	}
}

func (l *remoteLogs) page(ctx context.Context, in *regiev1.GetLogRequest) (*regiev1.GetLogResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return l.r.runs.GetLog(ctx, in)
}

// follow shows lines as they come.
func (l *remoteLogs) follow(ctx context.Context) error {
	watching, stop := l.c.untilLeft(ctx)
	defer stop()
	in := &regiev1.WatchLogRequest{Namespace: l.r.namespace, Run: l.run.GetId(), Step: l.step, Attempt: uint32(l.flags.attempt)}
	for _, s := range l.steps {
		if within(s.GetPath(), l.step) {
			in.Step = "" // a group, whose own log would be empty
		}
	}
	for answer, err := range l.r.streams.WatchLog(watching, in) {
		if left(watching) {
			return nil
		}
		if err != nil {
			return l.r.failure(err)
		}
		for _, line := range answer.GetLines() {
			if !l.wanted(line.GetStep()) {
				continue
			}
			if err := l.show(line, line.GetAttempt() > 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// show prints a line, or keeps it for the document.
func (l *remoteLogs) show(line *regiev1.LogLine, numbered bool) error {
	if l.c.output == outputJSON {
		l.lines = append(l.lines, value.Object(
			value.M("at", stamp(line.GetAt())), value.M("step", value.String(line.GetStep())), value.M("attempt", value.Int(int64(line.GetAttempt()))),
			value.M("stream", value.String(line.GetStream())), value.M("text", value.String(line.GetText()))))
		return nil
	}
	color := l.c.color(l.c.Stdout)
	style := tasklog.Style{Colour: color}
	if l.flags.timestamps {
		style.Zone = l.c.zone()
	}
	if line.GetStep() != l.step {
		prefix := diagVisible(line.GetStep())
		if numbered {
			prefix += fmt.Sprintf(" #%d", line.GetAttempt())
		}
		style.Prefix = view.Painter(color)(view.StyleFaint, prefix)
	}
	l.buffer = style.Append(l.buffer[:0], lineFrom(line))
	if _, err := l.c.Stdout.Write(l.buffer); err != nil {
		return failf(exitInternal, "unwritable", "standard output cannot be written: %w", err)
	}
	return nil
}

// lineFrom is a line of a server as logs have it.
func lineFrom(in *regiev1.LogLine) tasklog.Line {
	line := tasklog.Line{At: instantOf(in.GetAt()), Text: in.GetText(), More: in.GetMore(), Stream: executor.System}
	switch in.GetStream() {
	case "stdout":
		line.Stream = executor.Stdout
	case "stderr":
		line.Stream = executor.Stderr
	}
	return line
}

// remoteTail is the last lines of the log of a step's last attempt; none if the
// caller may not see them.
func (c *cli) remoteTail(ctx context.Context, r *remote, run string, step *history.Step) []string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	page, err := r.runs.GetLog(ctx, &regiev1.GetLogRequest{
		Namespace: r.namespace, Run: run, Step: step.Path, Limit: summaryLines, Tail: true,
	})
	if connect.CodeOf(err) == connect.CodeDataLoss {
		return []string{"= " + diagVisible(err.Error())}
	}
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(page.GetLines()))
	for _, line := range page.GetLines() {
		text := string(tasklog.Style{Colour: c.color(c.Stdout)}.Append(nil, lineFrom(line)))
		out = append(out, strings.TrimSuffix(text, "\n"))
	}
	return out
}
