package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/engine"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// maxListed is how many recent runs are listed.
const maxListed = 20

func (c *cli) showCommand() *cobra.Command {
	var data string
	var events bool
	var f remoteFlags
	cmd := &cobra.Command{
		Use:   "show [RUN]",
		Short: "Show a run, or list recent runs",
		Long: `Shows what became of a run, also while it goes on: its steps with states, times,
attempts and errors, and its result. With --output json it is the document that
` + "`regie run --output json`" + ` prints. Without RUN it lists recent runs.

A run that ` + "`regie run`" + ` started lies on this machine; others are those of the
server of the context. --server and --context look there only, where a unique
beginning of the ID is enough.`,
		Example: `  regie show
  regie show 01k9zq3vy2f8 --output json
  regie show 01k9zq3vy2f8 --events`,
		GroupID: groupRun,
		Args:    arguments(0, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if events {
					return usagef("--events needs a RUN").withHint("`regie show` lists recent runs")
				}
				if f.named() {
					return c.call(cmd, &f, func(ctx context.Context, r *remote) error { return c.remoteRuns(ctx, r, "", maxListed) })
				}
				return c.listRuns(cmd.Context(), data)
			}
			elsewhere, err := c.elsewhere(&f, args[0], data)
			if err != nil {
				return err
			}
			if !elsewhere {
				return c.showRun(cmd.Context(), args[0], data, events)
			}
			r, err := c.connect(&f)
			if err != nil {
				return err
			}
			return c.showRemote(cmd.Context(), r, args[0], events)
		},
	}
	f.define(c, cmd)
	cmd.ValidArgsFunction = c.completeAnyRun(&f)
	cmd.Flags().StringVar(&data, "data", "", "data folder `DIR`; by default it is found by the run's ID")
	cmd.Flags().BoolVar(&events, "events", false, "list every recorded event")
	return cmd
}

// openView opens the data folder of a run for reading.
func (c *cli) openView(ctx context.Context, run, data string) (*local.View, error) {
	dir, err := c.runFolder(run, data)
	if err != nil {
		return nil, err
	}
	v, err := local.OpenView(ctx, dir, local.Languages())
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchRun(run)
	}
	if err != nil {
		return nil, folderFailure(err)
	}
	return v, nil
}

// seenRun is a run as it was read.
type seenRun struct {
	tree   *view.Tree
	events []engine.Event
	held   bool // a process goes on with it
}

// readRun reads a run and folds its events, which it keeps if they are wanted too.
func (c *cli) readRun(ctx context.Context, v *local.View, id store.RunID, events bool) (*seenRun, error) {
	machine, err := v.Machine(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchRun(string(id))
	}
	if err != nil {
		return nil, folderFailure(err)
	}
	seen := &seenRun{tree: view.NewTree(history.NewBuilder(string(id), machine), machine.Program()), held: v.Held()}
	for ev, err := range v.Events(ctx, id, 1) {
		if err == nil {
			_, err = seen.tree.Add(&ev)
		}
		if err != nil {
			return nil, folderFailure(err)
		}
		if events {
			seen.events = append(seen.events, ev)
		}
	}
	// That an attempt has begun is no event; it leaves other traces.
	for _, s := range seen.tree.Run().Steps {
		if n := len(s.Attempts); s.State == engine.Queued && n > 0 && v.Begun(id, s.Act, s.Attempts[n-1].Number) {
			seen.tree.Started(s.Act, s.Attempts[n-1].DecidedAt)
		}
	}
	return seen, nil
}

func (c *cli) showRun(ctx context.Context, run, data string, events bool) error {
	v, err := c.openView(ctx, run, data)
	if err != nil {
		return err
	}
	defer v.Close()
	seen, err := c.readRun(ctx, v, store.RunID(run), events)
	if err != nil {
		return err
	}
	switch {
	case events && c.output == outputJSON:
		doc, err := eventsDocument(seen)
		if err != nil {
			return err
		}
		c.printJSON(doc)
	case events:
		c.printEvents(seen)
	case c.output == outputJSON:
		c.printJSON(seen.tree.Run().Document())
	default:
		c.printRun(seen)
	}
	return nil
}

// printRun prints the tree and how the run stands.
func (c *cli) printRun(seen *seenRun) {
	run := seen.tree.Run()
	color := c.color(c.Stdout)
	columns, _, _ := c.Terminal(c.Stdout)
	for _, l := range seen.tree.Lines(view.Frame{Now: c.Clock.Now(), Columns: columns, Color: color, Whole: true}) {
		printf(c.Stdout, "%s\n", l)
	}
	switch {
	case run.State.Final():
		_, _ = io.WriteString(c.Stdout, view.Summary(run, view.SummaryOptions{Color: color, Shown: true}))
	case seen.held:
		printf(c.Stdout, "It goes on; `regie logs %s -f` follows what it prints.\n", run.ID)
	default:
		printf(c.Stdout, "It was interrupted; go on with it: regie run --resume %s\n", run.ID)
	}
}

// printEvents prints a line for each event.
func (c *cli) printEvents(seen *seenRun) {
	paths := pathsOf(seen)
	for i := range seen.events {
		ev := &seen.events[i]
		parts := []string{ev.At.In(c.zone()).Format("2006-01-02 15:04:05.000"), fmt.Sprintf("%-14s", ev.Kind)}
		if path := paths[ev.Act]; path != "" {
			parts = append(parts, diagVisible(path))
		}
		parts = append(parts, eventFacts(ev)...)
		printf(c.Stdout, "%5d  %s\n", i+1, strings.Join(parts, "  "))
	}
}

// eventFacts are what is worth saying of an event in one line.
func eventFacts(ev *engine.Event) []string {
	var out []string
	if ev.Attempt > 0 {
		out = append(out, fmt.Sprintf("attempt %d", ev.Attempt))
	}
	for _, text := range []string{string(ev.Outcome), string(ev.State), string(ev.Reason)} {
		if text != "" {
			out = append(out, text)
		}
	}
	if !ev.Due.IsZero() {
		out = append(out, "in "+view.Duration(ev.Due.Sub(ev.At)))
	}
	if ev.Error != nil {
		out = append(out, view.ErrorText(ev.Error))
	}
	return out
}

// pathsOf are the paths of activations.
func pathsOf(seen *seenRun) map[engine.ActID]string {
	paths := map[engine.ActID]string{}
	for _, s := range seen.tree.Run().Steps {
		if s.Act != 0 {
			paths[s.Act] = s.Path
		}
	}
	return paths
}

// eventsDocument is all events as JSON: {"run": ID, "events": […]}, each with
// its number and the path of its step beside what is recorded.
func eventsDocument(seen *seenRun) (value.Value, error) {
	paths := pathsOf(seen)
	items := make([]value.Value, len(seen.events))
	for i := range seen.events {
		ev := &seen.events[i]
		text, err := json.Marshal(ev)
		if err != nil {
			return value.Undefined, fmt.Errorf("print event %d: %w", i+1, err)
		}
		control, err := value.Parse(text)
		if err != nil {
			return value.Undefined, fmt.Errorf("print event %d: %w", i+1, err)
		}
		step := value.Undefined
		if path := paths[ev.Act]; path != "" {
			step = value.String(path)
		}
		warning, note := value.Undefined, value.Undefined
		if ev.Warning != "" {
			warning = value.String(ev.Warning)
		}
		if ev.Text != "" {
			note = value.String(ev.Text)
		}
		fault := value.Undefined
		if ev.Error != nil {
			fault = ev.Error.Value()
		}
		members := append([]value.Member{value.M("number", value.Int(int64(i+1)))}, control.Members()...)
		items[i] = value.Object(append(members, value.M("step", step), value.M("input", ev.Input), value.M("output", ev.Output),
			value.M("items", ev.Items), value.M("error", fault), value.M("warning", warning), value.M("text", note))...)
	}
	return value.Object(value.M("run", value.String(seen.tree.Run().ID)), value.M("events", value.List(items...))), nil
}

// listedRun is a run in the list.
type listedRun struct {
	row    store.RunRow
	folder string
	held   bool
}

// state is the state of the run, or that nobody goes on with it.
func (l *listedRun) state() string {
	if !l.row.Ended() && !l.held {
		return "interrupted"
	}
	return l.row.State
}

// recentRuns are the newest runs of a data folder, or of the state directory.
func (c *cli) recentRuns(ctx context.Context, data string, limit int) ([]listedRun, error) {
	if data != "" {
		dir, err := c.abs(data)
		if err != nil {
			return nil, err
		}
		runs, err := c.runsIn(ctx, dir, "", limit)
		if err != nil {
			return nil, folderFailure(err)
		}
		return runs, nil
	}
	state, err := c.stateDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(state, "runs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, failf(exitInternal, "unreadable", "the state directory cannot be read: %w", err)
	}
	slices.Reverse(entries) // names sort by time
	var out []listedRun
	for _, e := range entries {
		if len(out) == limit {
			break
		}
		dir, err := datadir.FindRun(state, e.Name())
		if err != nil {
			continue // a link that leads nowhere any more
		}
		runs, err := c.runsIn(ctx, dir, store.RunID(e.Name()), 1)
		if errors.Is(err, store.ErrNotFound) {
			continue // the folder was made anew since
		}
		if err != nil {
			c.warn(fmt.Sprintf("run %s: %v", e.Name(), err))
			continue
		}
		out = append(out, runs...)
	}
	return out, nil
}

// runsIn are the newest runs of a folder, or the one that is named.
func (c *cli) runsIn(ctx context.Context, dir string, only store.RunID, limit int) ([]listedRun, error) {
	v, err := local.OpenView(ctx, dir, local.Languages())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer v.Close()
	var rows []store.RunRow
	if only != "" {
		row, err := v.Run(ctx, only)
		if err != nil {
			return nil, err
		}
		rows = []store.RunRow{row}
	} else if rows, err = v.Runs(ctx, limit); err != nil {
		return nil, err
	}
	held := v.Held()
	out := make([]listedRun, len(rows))
	for i, row := range rows {
		out[i] = listedRun{row, dir, held}
	}
	return out, nil
}

func (c *cli) listRuns(ctx context.Context, data string) error {
	runs, err := c.recentRuns(ctx, data, maxListed)
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		c.printJSON(listDocument(runs))
		return nil
	}
	if len(runs) == 0 {
		where := "yet"
		if data != "" {
			where = "in " + diagVisible(data)
		}
		printf(c.Stdout, "no runs %s; `regie run FILE` starts one\n", where)
		return nil
	}
	color := c.color(c.Stdout)
	paint := view.Painter(color)
	columns, _, _ := c.Terminal(c.Stdout)
	for i := range runs {
		r := &runs[i]
		took := ""
		if r.row.Ended() {
			took = view.Duration(r.row.EndedAt.Sub(r.row.AcceptedAt))
		}
		line := fmt.Sprintf("%s  %-12s %s  %8s  %s", r.row.ID, r.state(), r.row.AcceptedAt.In(c.zone()).Format("2006-01-02 15:04:05"), took, diagVisible(r.row.Workflow))
		if columns > 0 {
			line = view.Clip(line, columns-1)
		}
		printf(c.Stdout, "%s\n", paint(stateStyle(r.state()), line))
	}
	return nil
}

func stateStyle(state string) string {
	switch state {
	case string(engine.Failed), "interrupted":
		return view.StyleBad
	case string(engine.Canceled):
		return view.StyleWarning
	}
	return ""
}

func listDocument(runs []listedRun) value.Value {
	items := make([]value.Value, len(runs))
	for i := range runs {
		r := &runs[i]
		items[i] = value.Object(
			value.M("id", value.String(string(r.row.ID))), value.M("workflow", value.String(r.row.Workflow)),
			value.M("state", value.String(r.row.State)), value.M("reason", value.String(r.row.Reason)),
			value.M("interrupted", value.Bool(!r.row.Ended() && !r.held)),
			value.M("business_date", value.String(r.row.BusinessDate)),
			value.M("accepted_at", instant(r.row.AcceptedAt)), value.M("ended_at", instant(r.row.EndedAt)),
			value.M("data", value.String(r.folder)))
	}
	return value.Object(value.M("runs", value.List(items...)))
}

func instant(t time.Time) value.Value {
	if t.IsZero() {
		return value.Null
	}
	return value.String(t.UTC().Format(time.RFC3339Nano))
}

// completeAnyRun completes the ID of a run, here or on the server.
func (c *cli) completeAnyRun(f *remoteFlags) cobra.CompletionFunc {
	remotely := c.completeRemoteRuns(f)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if f.named() {
			return remotely(cmd, args, typed)
		}
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found := c.localRuns(cmd.Context())
		if c.configured() {
			more, _ := remotely(cmd, args, typed)
			found = append(found, more...)
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// localRuns are the IDs of recent runs on this machine, for completion.
func (c *cli) localRuns(ctx context.Context) []string {
	runs, err := c.recentRuns(ctx, "", maxListed)
	if err != nil {
		return nil
	}
	out := make([]string, len(runs))
	for i := range runs {
		out[i] = fmt.Sprintf("%s\t%s %s", runs[i].row.ID, diagVisible(runs[i].row.Workflow), runs[i].state())
	}
	return out
}
