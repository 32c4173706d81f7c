package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

// conditionsCommand is `regie conditions`.
func (c *cli) conditionsCommand() *cobra.Command {
	return family("conditions", "See, add and delete the conditions that steps wait for",
		"Lists, adds and deletes conditions: named facts with a business date that steps wait for,\nadd and delete.", groupServer,
		c.listConditionsCommand(), c.setConditionCommand("add", "Say that a condition holds", true), c.setConditionCommand("delete", "Say that a condition holds no more", false))
}

func (r *remote) allConditions(ctx context.Context, name string) (*regiev1.ListConditionsResponse, error) {
	all := &regiev1.ListConditionsResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.limits.ListConditions(ctx, &regiev1.ListConditionsRequest{Namespace: r.namespace, Name: name, PageSize: listPage, PageToken: token})
		all.Conditions = append(all.Conditions, page.GetConditions()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) listConditionsCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the conditions that hold", Args: arguments(0, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.allConditions(ctx, cmp.Or(append(args, "")...))
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"CONDITION", "DATE"}}
				for _, f := range all.GetConditions() {
					t.Add("", f.GetNamespace()+"/"+f.GetName(), cmp.Or(f.GetDate(), "-"))
				}
				c.printList(&t, len(all.GetConditions()), "no condition holds")
				return nil
			})
		},
	}
	f.define(c, cmd)
	return cmd
}

// setConditionCommand adds or deletes a condition.
func (c *cli) setConditionCommand(verb, short string, holds bool) *cobra.Command {
	var f remoteFlags
	var date, reason string
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: arguments(1, 1, "NAME"),
		Example: "  regie conditions " + verb + " ledger-closed --date 2026-03-31 --reason \"by phone\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				what := args[0]
				if date != "" {
					what += " of " + date
				}
				if holds {
					answer, err := r.limits.AddCondition(ctx, &regiev1.AddConditionRequest{Namespace: r.namespace, Name: args[0], Date: date, Reason: reason})
					if err != nil {
						return err
					}
					return c.done(answer, "condition %s %s", what, changedOr(answer.GetChanged(), "holds", "held already"))
				}
				answer, err := r.limits.DeleteCondition(ctx, &regiev1.DeleteConditionRequest{Namespace: r.namespace, Name: args[0], Date: date, Reason: reason})
				if err != nil {
					return err
				}
				return c.done(answer, "condition %s %s", what, changedOr(answer.GetChanged(), "holds no more", "did not hold"))
			})
		},
	}
	cmd.Flags().StringVar(&date, "date", "", "business `DATE` of the condition, such as 2026-03-31; by default it has none")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for the audit log")
	f.define(c, cmd)
	return cmd
}

func changedOr(changed bool, yes, no string) string {
	if changed {
		return yes
	}
	return no
}
