package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

// signalCommand is `regie signal`.
func (c *cli) signalCommand() *cobra.Command {
	var f remoteFlags
	var data, key, filter string
	cmd := &cobra.Command{
		Use: "signal [RUN] NAME", Short: "Send a signal to runs", GroupID: groupRemote,
		Long: `Sends a signal to a run, or to each live run that --filter has. The step that waits
for it, and has waited longest, goes on with the data; if none does, the run keeps
the signal for the next one.

Exit code 1 if some run did not take it.

` + filterHelp,
		Example: "  regie signal 01k9zq3v paid --data '{\"amount\": 7}' --key order-7\n  regie signal --filter 'name:eod waiting:signal' go",
		Args:    arguments(1, 2, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := &regiev1.SendSignalRequest{Filter: filter, Name: args[len(args)-1], IdempotencyKey: key}
			switch {
			case filter == "" && len(args) < 2:
				return usagef("RUN or --filter is missing").withHint("usage: %s", cmd.UseLine())
			case filter != "" && len(args) > 1:
				return usagef("a run is named, and --filter names others: choose one")
			case filter == "":
				in.Run = args[0]
			}
			var err error
			if in.Data, err = c.jsonGiven("data", data); err != nil {
				return err
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				in.Namespace = r.namespace
				all := &regiev1.SendSignalResponse{}
				err := pages(func(token string) (string, error) {
					in.PageToken = token
					page, err := r.calls.Signals.SendSignal(ctx, in)
					all.Results, all.Position = append(all.Results, page.GetResults()...), max(all.GetPosition(), page.GetPosition())
					return page.GetNextPageToken(), err
				})
				if err != nil {
					return err
				}
				return c.printSignaled(filter, all)
			})
		},
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&data, "data", "", "what the step gets as its output, as `JSON`, or @FILE; by default null")
	flags.StringVar(&key, "key", "", "idempotency `KEY`: a run takes a signal with it once")
	flags.StringVar(&filter, "filter", "", "send it to all live runs that `LINE` has")
	cmd.ValidArgsFunction = c.completeRemoteRuns(&f)
	return cmd
}

// printSignaled prints what became of a signal in each run.
func (c *cli) printSignaled(filter string, answer *regiev1.SendSignalResponse) error {
	bad := false
	for _, result := range answer.GetResults() {
		bad = bad || !result.GetDone()
	}
	if c.output == outputJSON {
		if err := c.printMessage(answer); err != nil {
			return err
		}
	} else {
		c.printResults("no live run matches "+filter, answer.GetResults(), func(steps []string) string {
			if len(steps) > 0 {
				return "goes on: " + strings.Join(steps, ", ")
			}
			return "has it"
		})
	}
	if bad {
		return ended(exitFailed)
	}
	return nil
}

// approvalsCommand is `regie approvals`.
func (c *cli) approvalsCommand() *cobra.Command {
	var f remoteFlags
	var mine bool
	cmd := &cobra.Command{
		Use: "approvals [RUN]", Short: "List what runs ask people", GroupID: groupRemote,
		Long: `Lists the steps that wait for approvals, the oldest first: what is asked, how many
have approved, until when, and whether you may decide. --namespace - is all
namespaces whose runs you may see.`,
		Example: "  regie approvals --mine\n  regie approvals --namespace -",
		Args:    arguments(0, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				in := &regiev1.ListApprovalsRequest{Namespace: r.namespace, Mine: mine}
				if len(args) > 0 {
					in.Run = args[0]
				}
				all, err := r.calls.Approvals.ListApprovals(ctx, in)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				c.printApprovals(all)
				return nil
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().BoolVar(&mine, "mine", false, "only those on which you may decide")
	cmd.ValidArgsFunction = c.completeRemoteRuns(&f)
	return cmd
}

func (c *cli) printApprovals(all *regiev1.ListApprovalsResponse) {
	t := view.Table{Head: []string{"RUN", "STEP", "WORKFLOW", "APPROVED", "ASKED", "UNTIL", "YOU MAY", "MESSAGE"}}
	for _, a := range all.GetApprovals() {
		may, style := "yes", ""
		if a.GetRefusal() != "" {
			may, style = "no", view.StyleFaint
		}
		t.Add(style, a.GetRun(), a.GetStep(), a.GetNamespace()+"/"+a.GetWorkflow(), fmt.Sprintf("%d of %d", len(a.GetDecisions()), a.GetCount()),
			c.when(a.GetAskedAt()), cmp.Or(c.when(a.GetExpiresAt()), "-"), may, a.GetMessage())
	}
	c.printList(&t, len(all.GetApprovals()), "nothing is asked")
	if all.GetMore() {
		c.warn("there are more; name a run or a namespace")
	}
}

// decideCommand is `regie approve` or `regie reject`.
func (c *cli) decideCommand(approve bool) *cobra.Command {
	verb, short, effect := "reject", "Reject what a step asks", "The step fails with the error approval_rejected, which the workflow may handle."
	if approve {
		verb, short, effect = "approve", "Approve what a step asks", "The step goes on once as many different people have approved as it needs."
	}
	var f remoteFlags
	var comment string
	var question uint64
	cmd := &cobra.Command{
		Use: verb + " RUN[/STEP]", Short: short, GroupID: groupRemote,
		Long: effect + ` A
decision is final: everybody decides once, and nobody takes it back. STEP can be
left out if only one step of the run asks.`,
		Example: "  regie " + verb + " 01k9zq3v --comment \"checked with the bank\"\n  regie " + verb + " 01k9zq3v/sign_off",
		Args:    arguments(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, step, _ := strings.Cut(args[0], "/")
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.calls.Approvals.DecideApproval(ctx, &regiev1.DecideApprovalRequest{
					Namespace: r.namespace, Run: run, Step: step, Question: question, Approve: approve, Comment: comment,
				})
				if err != nil {
					return err
				}
				switch {
				case !approve:
					return c.done(answer, "%s of run %s is rejected", answer.GetStep(), answer.GetRun())
				case answer.GetOver():
					return c.done(answer, "%s of run %s is approved and goes on", answer.GetStep(), answer.GetRun())
				}
				return c.done(answer, "%s of run %s has %d of %d approvals", answer.GetStep(), answer.GetRun(), answer.GetApprovals(), answer.GetCount())
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&comment, "comment", "", "`TEXT` for others, kept with the decision")
	cmd.Flags().Uint64Var(&question, "question", 0, "`NUMBER` of the question that you saw (--output json); a newer one is refused")
	cmd.ValidArgsFunction = c.completing(&f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.calls.Approvals.ListApprovals(ctx, &regiev1.ListApprovalsRequest{Namespace: r.namespace, Mine: true})
		var found []string
		for _, a := range all.GetApprovals() {
			found = append(found, a.GetRun()+"/"+a.GetStep()+"\t"+a.GetMessage())
		}
		return found, err
	})
	return cmd
}
