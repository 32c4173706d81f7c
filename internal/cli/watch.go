package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

const watchHelp = `Shows a run of the server while it goes on, until it has ended; without RUN all
runs that go on, until you leave (Ctrl-C). It goes on after the connection was cut
or the server was started again. Where the output is no terminal, it is a line for
each change.

Of a run the exit code is 0 if it succeeded, 1 if it failed or was canceled.

` + filterHelp

func (c *cli) watchCommand() *cobra.Command {
	var f runsFlags
	var filter string
	cmd := &cobra.Command{
		Use: "watch [RUN]", Short: "Show a run, or all runs, while they go on", Long: watchHelp, GroupID: groupRemote,
		Example: `  regie watch 01k9zq3v
  regie watch --filter 'folder:/payments/**' --all-namespaces`,
		Args: arguments(0, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.connect(&f.remoteFlags)
			if err != nil {
				return err
			}
			switch {
			case len(args) == 1 && (filter != "" || f.all):
				return usagef("a RUN is named, and --filter or --all-namespaces are about others: choose one")
			case len(args) == 1:
				return c.watchRun(cmd.Context(), r, args[0])
			case c.output == outputJSON:
				return usagef("the list of runs has no end that JSON needs").withHint("`regie runs --output json` lists them as they are")
			}
			if err := f.everywhere(r); err != nil {
				return err
			}
			return c.watchRuns(cmd.Context(), r, filter)
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&filter, "filter", "", "show the runs that `LINE` has")
	f.defineAll(cmd)
	cmd.ValidArgsFunction = c.completeRemoteRuns(&f.remoteFlags)
	return cmd
}

func (c *cli) watchRun(ctx context.Context, r *remote, id string) error {
	asking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := r.runs.GetRun(asking, &regiev1.GetRunRequest{Namespace: r.namespace, Run: id})
	if err != nil {
		return r.failure(err)
	}
	watching, stop := c.untilLeft(ctx)
	defer stop()
	err = c.followRun(watching, r, got.GetRun(), false, false)
	if left(watching) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.finishRun(ctx, r, got.GetRun().GetId(), true)
}

// maxWatched is how many runs a live list remembers; those that ended first are
// forgotten first.
const maxWatched = 1000

// liveRuns is the live list of runs.
type liveRuns struct {
	*picture

	zone       *time.Location
	everywhere bool
	runs       map[string]*regiev1.Run
}

func (c *cli) watchRuns(ctx context.Context, r *remote, filter string) error {
	watching, stop := c.untilLeft(ctx)
	defer stop()
	l := &liveRuns{zone: c.zone(), everywhere: r.namespace == allNamespaces, runs: map[string]*regiev1.Run{}}
	l.picture = c.newPicture(l.table)
	err := l.during(func() error {
		for answer, err := range r.streams.WatchRuns(watching, &regiev1.WatchRunsRequest{Namespace: r.namespace, Filter: filter}) {
			if err != nil {
				return err
			}
			l.take(answer.GetRuns())
		}
		return nil
	})
	if left(watching) {
		return nil
	}
	return r.failure(err)
}

// take notes runs that have changed.
func (l *liveRuns) take(runs []*regiev1.Run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, run := range runs {
		before := l.runs[run.GetId()]
		l.runs[run.GetId()] = run
		if l.screen == nil {
			l.tell(before, run)
		}
	}
	if len(l.runs) > maxWatched {
		for _, run := range l.order()[maxWatched:] {
			delete(l.runs, run.GetId())
		}
	}
}

// tell prints a line if something of the run is worth it.
func (l *liveRuns) tell(before, run *regiev1.Run) {
	if before != nil && before.GetState() == run.GetState() && runNote(before) == runNote(run) {
		return
	}
	name := run.GetWorkflow()
	if l.everywhere {
		name = run.GetNamespace() + "/" + name
	}
	text := name + " " + run.GetState()
	if note := runNote(run); note != "" {
		text += ", " + note
	}
	printf(l.out, "%s %s: %s\n", l.c.Clock.Now().In(l.zone).Format("15:04:05.000"), diagVisible(run.GetId()), diagVisible(text))
}

// order is the runs as they are shown: those that go on first, then the newest
// first.
func (l *liveRuns) order() []*regiev1.Run {
	return slices.SortedFunc(maps.Values(l.runs), func(a, b *regiev1.Run) int {
		if live := a.GetEndedAt() == nil; live != (b.GetEndedAt() == nil) {
			if live {
				return -1
			}
			return 1
		}
		return strings.Compare(b.GetId(), a.GetId())
	})
}

// table draws the list.
func (l *liveRuns) table(columns, rows int) []string {
	runs := l.order()
	if len(runs) == 0 {
		return []string{"no runs go on; this waits for some"}
	}
	room := max(rows-2, 1) // the head, and the line of the cursor
	if len(runs) > room {
		runs = runs[:room]
	}
	return l.c.runTable(runs, l.everywhere).Lines(columns, view.Painter(l.color))
}
