package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/diag"
	aslhistory "github.com/regie-dev/regie/internal/dialect/asl/history"
	"github.com/regie-dev/regie/internal/history"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) aslHistoryCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "history RUN",
		Short: "Show a run of a state machine as an execution history",
		Long: `Shows a run of a state machine that ` + "`regie run`" + ` started, also while it goes on, as
GetExecutionHistory of AWS Step Functions shows an execution: the events with
their numbers, and with --output json their details. ` + "`regie show`" + ` shows the same run
as Regie sees it.`,
		Example: `  regie asl history 01k9zq3vy2f8
  regie asl history 01k9zq3vy2f8 --output json`,
		Args: arguments(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.aslHistory(cmd.Context(), args[0], data) },
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder `DIR`; by default it is found by the run's ID")
	return cmd
}

func (c *cli) aslHistory(ctx context.Context, run, data string) error {
	v, err := c.openView(ctx, run, data)
	if err != nil {
		return err
	}
	defer v.Close()
	machine, err := v.Machine(ctx, store.RunID(run))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noSuchRun(run)
	case err != nil:
		return folderFailure(err)
	}
	recorded, err := store.Collect(v.Events(ctx, store.RunID(run), 1))
	if err != nil {
		return folderFailure(err)
	}
	events, err := history.Execution(machine.Program(), recorded)
	switch {
	case err != nil:
		return folderFailure(err)
	case events == nil:
		return failf(exitInvalid, "no_state_machine", "run %s is not of a state machine", run).withHint("`regie show %s --events` lists its events", run)
	case c.output == outputJSON:
		items := make([]value.Value, len(events))
		for i := range events {
			items[i] = events[i].Value()
		}
		c.printJSON(value.Object(value.M("events", value.List(items...))))
	default:
		for i := range events {
			printf(c.Stdout, "%s\n", historyLine(&events[i]))
		}
	}
	return nil
}

// historyLine is an event in one line: number, the number of the one before, time
// in the execution, type, and what it is about.
func historyLine(e *aslhistory.Event) string {
	parts := []string{fmt.Sprintf("%4d %4d", e.ID, e.Previous), e.At.UTC().Format("15:04:05.000"), e.Type}
	for _, key := range []string{"name", "index", "resource", "error", "cause"} {
		if text := e.Details.Get(key).Text(); text != "" {
			parts = append(parts, diag.Visible(strings.ReplaceAll(text, "\n", " ")))
		}
	}
	return strings.Join(parts, "  ")
}
