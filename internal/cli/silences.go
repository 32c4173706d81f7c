package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/notify"
)

// silencesCommand is `regie silences`.
func (c *cli) silencesCommand() *cobra.Command {
	return family("silences", "Keep alerts from being sent for a time",
		"Lists, makes and ends silences. Alerts are opened all the same; their messages are not sent.", groupServer,
		c.listSilencesCommand(), c.createSilenceCommand(), c.deleteSilenceCommand())
}

// silences reads those of the namespace.
func (r *remote) silences(ctx context.Context) (*regiev1.ListSilencesResponse, error) {
	all := &regiev1.ListSilencesResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.alerts.ListSilences(ctx, &regiev1.ListSilencesRequest{Namespace: r.namespace, PageSize: listPage, PageToken: token})
		all.Silences = append(all.Silences, page.GetSilences()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) listSilencesCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List silences", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.silences(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"ID", "NAMESPACE", "WORKFLOW", "CAUSE", "UNTIL", "BY", "REASON"}}
				for _, s := range all.GetSilences() {
					t.Add("", s.GetId(), s.GetNamespace(), cmp.Or(s.GetWorkflow(), "all"), cmp.Or(s.GetCause(), "all"), c.when(s.GetUntil()), s.GetCreatedBy(), s.GetReason())
				}
				c.printList(&t, len(all.GetSilences()), "no silences")
				return nil
			})
		},
	}
	f.define(c, cmd)
	return cmd
}

func (c *cli) createSilenceCommand() *cobra.Command {
	var f remoteFlags
	var wait string
	m := &regiev1.CreateSilenceRequest{}
	cmd := &cobra.Command{
		Use: "create --for TIME --reason TEXT", Short: "Keep matching alerts from being sent for a time",
		Example: "  regie silences create --workflow 'eod-*' --cause late --for 2h --reason 'migration, CHG-4711'",
		Args:    arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if m.Until, err = c.after("for", wait); err != nil {
				return err
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				m.Namespace = r.namespace
				answer, err := r.alerts.CreateSilence(ctx, m)
				if err != nil {
					return err
				}
				return c.done(answer, "silence %s lasts until %s", answer.GetSilence().GetId(), c.when(answer.GetSilence().GetUntil()))
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&m.Workflow, "workflow", "", "`PATTERN` of the workflows, such as 'eod-*'; by default all, and connections")
	flags.StringVar(&m.Cause, "cause", "", "only of this `CAUSE`: failed, late, missed, approval or breaker_open")
	flags.StringVar(&wait, "for", "", "`TIME` it lasts, such as 2h")
	flags.StringVar(&m.Reason, "reason", "", "`TEXT` that says why")
	_ = cmd.RegisterFlagCompletionFunc("cause", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var causes []string
		for _, cause := range notify.Causes() {
			causes = append(causes, string(cause))
		}
		return causes, cobra.ShellCompDirectiveNoFileComp
	})
	f.define(c, cmd)
	return cmd
}

func (c *cli) deleteSilenceCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "delete ID", Short: "End a silence", Args: arguments(1, 1, "ID"),
		ValidArgsFunction: c.completing(&f, func(ctx context.Context, r *remote) ([]string, error) {
			all, err := r.silences(ctx)
			var ids []string
			for _, s := range all.GetSilences() {
				ids = append(ids, s.GetId()+"\t"+s.GetReason())
			}
			return ids, err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.alerts.DeleteSilence(ctx, &regiev1.DeleteSilenceRequest{Namespace: r.namespace, Silence: args[0]})
				if err != nil {
					return err
				}
				return c.done(answer, "silence %s has ended", args[0])
			})
		},
	}
	f.define(c, cmd)
	return cmd
}
