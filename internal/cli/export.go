package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/api/codec"
	"github.com/regie-dev/regie/internal/api/problem"
)

type exportFlags struct {
	remoteFlags

	file                       string
	force, withoutData, noLogs bool
}

// exportCommand is `regie runs export`.
func (c *cli) exportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use: "export --file FILE [FILTER]...", Short: "Write runs that have ended to a file, with all that is known of them",
		Long: `Writes runs that have ended to a file of JSON lines: what they were, their data,
their events, and what their tasks printed. Runs that go on are left out. The file
is written whole or not at all, and holds what the server keeps encrypted: keep it
as you keep the data. Reading data and logs is on record.

Each line is an object with the members kind, run (the ID) and value, which the
API's definition describes: run (Run), data (GetRunDataResponse), event (Event),
log (LogLine). The lines of a run stand together, in this order; a run that was
erased has no log lines. One that the server removes during the export is left out.

` + filterHelp,
		Example: `  regie runs export --file 2026-03.jsonl until:2026-03-31
  regie runs export --file eod.jsonl --without-logs name:eod`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.file == "" {
				return usagef("--file is missing").withHint("name a file, or - for standard output")
			}
			if err := c.newFile(f.file, f.force, false); err != nil {
				return err
			}
			r, err := c.connect(&f.remoteFlags)
			if err != nil {
				return err
			}
			return r.answered(c.export(cmd.Context(), r, &f, strings.Join(args, " ")))
		},
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "write to `FILE`; - for standard output")
	flags.BoolVar(&f.force, "force", false, "overwrite the file")
	flags.BoolVar(&f.withoutData, "without-data", false, "leave inputs, outputs and errors out")
	flags.BoolVar(&f.noLogs, "without-logs", false, "leave what tasks printed out")
	return cmd
}

func (c *cli) export(ctx context.Context, r *remote, f *exportFlags, filter string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.interrupted(ctx, func(int) { cancel() })()
	n, err := c.writeNew(f.file, f.force, func(w io.Writer) error {
		e := exporter{r: r, flags: f, note: c.note, out: bufio.NewWriter(w)}
		err := pages(func(token string) (string, error) { return e.page(ctx, filter, token) })
		if err != nil {
			return err
		}
		return e.out.Flush()
	})
	if ctx.Err() != nil && err != nil {
		return failf(exitFailed, "canceled", "interrupted: %s was not written", f.file)
	}
	if err != nil {
		return err
	}
	c.saved(f.file, "the export", n)
	return nil
}

// exporter writes runs as JSON lines.
type exporter struct {
	r     *remote
	flags *exportFlags
	note  func(text string)
	out   *bufio.Writer
	lines bytes.Buffer // of the run that is read
}

// page writes one page of runs.
func (e *exporter) page(ctx context.Context, filter, token string) (string, error) {
	page, err := e.r.runs.ListRuns(ctx, &regiev1.ListRunsRequest{Namespace: e.r.namespace, Filter: filter, PageSize: listPage, PageToken: token})
	if err != nil {
		return "", err
	}
	for _, run := range page.GetRuns() {
		if run.GetEndedAt() == nil {
			continue
		}
		e.lines.Reset()
		err := e.run(ctx, run)
		if code := problem.Of(err).GetCode(); code == "run_not_found" || code == "not_found" {
			e.note("Run " + run.GetId() + " is left out: the server has removed it since the export began.")
			continue
		}
		if err != nil {
			return "", err
		}
		if _, err := e.lines.WriteTo(e.out); err != nil {
			return "", err
		}
	}
	return page.GetNextPageToken(), nil
}

// run reads all lines of a run.
func (e *exporter) run(ctx context.Context, run *regiev1.Run) error {
	if err := e.line("run", run.GetId(), run); err != nil {
		return err
	}
	if !e.flags.withoutData {
		data, err := e.r.readData(ctx, run.GetId())
		if err != nil {
			return err
		}
		if err := e.line("data", run.GetId(), data); err != nil {
			return err
		}
	}
	if err := e.events(ctx, run.GetId()); err != nil {
		return err
	}
	if e.flags.noLogs || run.GetErased() {
		return nil
	}
	whole := e.lines.Len()
	err := e.logs(ctx, run.GetId())
	if problem.Of(err).GetCode() == "run_erased" {
		e.lines.Truncate(whole)
		e.note("Run " + run.GetId() + " has no log lines: it was erased since the export began.")
		return nil
	}
	return err
}

func (e *exporter) events(ctx context.Context, run string) error {
	for after := uint64(0); ; {
		page, err := e.r.runs.ListEvents(ctx, &regiev1.ListEventsRequest{Namespace: e.r.namespace, Run: run, After: after, Limit: api.MaxPage})
		if err != nil {
			return err
		}
		for _, event := range page.GetEvents() {
			if err := e.line("event", run, event); err != nil {
				return err
			}
			after = event.GetNumber()
		}
		if page.GetEnded() || len(page.GetEvents()) == 0 {
			return nil
		}
	}
}

// logs reads what the attempts of each step printed.
func (e *exporter) logs(ctx context.Context, run string) error {
	got, err := e.r.readSteps(ctx, run)
	if err != nil {
		return err
	}
	for _, s := range got.GetSteps() {
		for attempt := range s.GetAttempts() {
			err := e.log(ctx, &regiev1.GetLogRequest{
				Namespace: e.r.namespace, Run: run, Step: s.GetPath(), Attempt: attempt + 1, Limit: api.MaxLogLines,
			})
			if problem.Of(err).GetCode() == "attempt_not_found" {
				break // of a group, which has no attempts of its own
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// log reads what one attempt printed.
func (e *exporter) log(ctx context.Context, in *regiev1.GetLogRequest) error {
	for {
		page, err := e.r.runs.GetLog(ctx, in)
		if err != nil {
			return err
		}
		for _, line := range page.GetLines() {
			if err := e.line("log", in.GetRun(), line); err != nil {
				return err
			}
		}
		if !page.GetMore() || page.GetNextOffset() == in.GetOffset() {
			return nil
		}
		in.Offset = page.GetNextOffset()
	}
}

// line adds one line.
func (e *exporter) line(kind, run string, m proto.Message) error {
	line, err := codec.AppendLine(nil, kind, run, m)
	if err == nil {
		_, err = e.lines.Write(line)
	}
	return err
}
