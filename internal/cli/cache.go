package cli

import (
	"context"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

func (c *cli) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cache", Short: "See and clear outputs that steps use again", GroupID: groupRemote,
		Long: `Steps with ` + "`cache`" + ` use the output of an earlier run while their key is the same. The
outputs lie with the data of these runs; a namespace knows at most 4,096 of them.`,
	}
	cmd.AddCommand(c.cacheListCommand(), c.cacheClearCommand())
	return cmd
}

func (c *cli) cacheListCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List outputs that steps use again", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.runs.ListCached(ctx, &regiev1.ListCachedRequest{Namespace: r.namespace})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				t := view.Table{Head: []string{"WORKFLOW", "STEP", "RUN", "SINCE", "UNTIL"}}
				for _, item := range answer.GetCached() {
					t.Add("", item.GetWorkflow(), item.GetStep(), item.GetRun(), c.when(item.GetAt()), c.when(item.GetUntil()))
				}
				c.printList(&t, len(answer.GetCached()), "There are none.")
				return nil
			})
		},
	}
	f.define(c, cmd)
	return cmd
}

func (c *cli) cacheClearCommand() *cobra.Command {
	var f remoteFlags
	var workflow, reason string
	cmd := &cobra.Command{
		Use: "clear", Short: "Have steps done again that would use an earlier output", Args: arguments(0, 0, ""),
		Example: `  regie cache clear --workflow report --reason "prices were corrected"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.runs.ClearCache(ctx, &regiev1.ClearCacheRequest{Namespace: r.namespace, Workflow: workflow, Reason: reason})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				printf(c.Stdout, "cleared: %d\n", answer.GetCleared())
				return nil
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&workflow, "workflow", "", "those of this `WORKFLOW` only")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the audit log")
	return cmd
}
