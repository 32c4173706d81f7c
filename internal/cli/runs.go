package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api"
	"github.com/regie-dev/regie/internal/cli/view"
)

// defaultRuns is how many runs are listed unless told otherwise.
const defaultRuns = 50

// filterHelp says what a filter line is, for every command that takes one.
const filterHelp = `A filter is one line of terms, which all must hold:

  state:failed,running   late   held   name:eod   name~"gl_*"   folder:/fin/**
  label:crit   owner:me   actor:ada   trigger:schedule   date:today-1..today
  since:24h   until:2026-03-02   waiting:slot   wait>15m   duration>1h
  attempt>1   sort:-wait

A minus before a term turns it round; write it behind --, as in: -- -state:succeeded`

type runsFlags struct {
	remoteFlags

	limit int
	all   bool
}

func (c *cli) runsCommand() *cobra.Command {
	var f runsFlags
	cmd := &cobra.Command{
		Use: "runs [FILTER]...", Short: "List the runs of a server", GroupID: groupRemote,
		Long: "Lists runs, the newest first.\n\n" + filterHelp,
		Example: `  regie runs
  regie runs state:failed since:24h
  regie runs 'name~"gl_*"' late --all-namespaces --output json`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkLimit(f.limit); err != nil {
				return err
			}
			return c.call(cmd, &f.remoteFlags, func(ctx context.Context, r *remote) error {
				if err := f.everywhere(r); err != nil {
					return err
				}
				return c.remoteRuns(ctx, r, strings.Join(args, " "), f.limit)
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().IntVar(&f.limit, "limit", defaultRuns, "list at most so many")
	f.defineAll(cmd)
	cmd.AddCommand(c.eraseCommand(), c.exportCommand())
	return cmd
}

// checkLimit refuses a --limit that lists nothing.
func checkLimit(limit int) error {
	if limit < 1 {
		return usagef("--limit %d: list at least 1", limit)
	}
	return nil
}

// defineAll defines --all-namespaces.
func (f *runsFlags) defineAll(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&f.all, "all-namespaces", "A", false, "look in all namespaces that you may see")
}

// everywhere has the server look in all namespaces, if asked for.
func (f *runsFlags) everywhere(r *remote) error {
	switch {
	case f.all && f.namespace != "":
		return usagef("--namespace and --all-namespaces are both given: choose one")
	case f.all:
		r.namespace = allNamespaces
	}
	return nil
}

// allNamespaces stands for those in which the caller has the permission.
const allNamespaces = "-"

// listRuns reads the first runs that a filter has.
func (r *remote) listRuns(ctx context.Context, filter string, limit int) (*regiev1.ListRunsResponse, error) {
	all := &regiev1.ListRunsResponse{}
	for {
		page, err := r.runs.ListRuns(ctx, &regiev1.ListRunsRequest{
			Namespace: r.namespace, Filter: filter, PageSize: int32(min(limit-len(all.GetRuns()), api.MaxPage)), PageToken: all.GetNextPageToken(),
		})
		if err != nil {
			return nil, err
		}
		all.Runs = append(all.Runs, page.GetRuns()...)
		all.NextPageToken, all.Position = page.GetNextPageToken(), page.GetPosition()
		if all.GetNextPageToken() == "" || len(all.GetRuns()) >= limit {
			return all, nil
		}
	}
}

func (c *cli) remoteRuns(ctx context.Context, r *remote, filter string, limit int) error {
	all, err := r.listRuns(ctx, filter, limit)
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		return c.printMessage(all)
	}
	if len(all.GetRuns()) == 0 {
		if filter == "" {
			printf(c.Stdout, "no runs yet; `regie start WORKFLOW` starts one\n")
		} else {
			printf(c.Stdout, "no run matches %s\n", diagVisible(filter))
		}
		return nil
	}
	c.printTable(c.runTable(all.GetRuns(), r.namespace == allNamespaces))
	if all.GetNextPageToken() != "" {
		printf(c.Stderr, "There are more; --limit shows them.\n")
	}
	return nil
}

// runTable is runs as a table.
func (c *cli) runTable(runs []*regiev1.Run, everywhere bool) *view.Table {
	t := &view.Table{Head: []string{"RUN", "STATE", "WORKFLOW", "DATE", "ACCEPTED", "TOOK", "NOTE"}}
	for _, run := range runs {
		name := run.GetWorkflow()
		if everywhere {
			name = run.GetNamespace() + "/" + name
		}
		end := c.Clock.Now()
		if run.GetEndedAt() != nil {
			end = run.GetEndedAt().AsTime()
		}
		t.Add(stateStyle(run.GetState()), run.GetId(), run.GetState(), name, cmp.Or(run.GetBusinessDate(), "-"),
			c.when(run.GetAcceptedAt()), view.Duration(end.Sub(run.GetAcceptedAt().AsTime())), runNote(run))
	}
	return t
}

// runNote is what is worth saying of a run beside its state.
func runNote(run *regiev1.Run) string {
	var parts []string
	add := func(worth bool, text string) {
		if worth {
			parts = append(parts, text)
		}
	}
	add(run.GetQuarantined() != "", "set aside")
	add(run.GetErased(), "erased")
	add(run.GetHeld(), "held")
	add(run.GetLate(), "late")
	switch reason := run.GetReason(); reason {
	case "", "held", "error", run.GetState(): // said already
	default:
		add(true, strings.ReplaceAll(reason, "_", " "))
	}
	add(run.GetAttempts() > 1, fmt.Sprintf("attempt %d", run.GetAttempts()))
	return strings.Join(parts, ", ")
}

// completeRemoteRuns completes the ID of a run of the server.
func (c *cli) completeRemoteRuns(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.listRuns(ctx, "", defaultRuns)
		if err != nil {
			return nil, err
		}
		now := c.Clock.Now()
		out := make([]string, len(all.GetRuns()))
		for i, run := range all.GetRuns() {
			ago := now.Sub(run.GetAcceptedAt().AsTime()).Round(time.Second)
			out[i] = fmt.Sprintf("%s\t%s %s, %s ago", run.GetId(), run.GetWorkflow(), run.GetState(), view.Duration(ago))
		}
		return out, nil
	})
}
