package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/breaker"
	"github.com/regie-dev/regie/internal/cli/view"
)

// breakersCommand is `regie breakers`.
func (c *cli) breakersCommand() *cobra.Command {
	return family("breakers", "See, open and close the circuit breakers of connections",
		"Lists, opens and closes circuit breakers. While the breaker of a connection is open,\nattempts of steps that use it wait. A Connection has one if it says `breaker:`.", groupServer,
		c.listBreakersCommand(),
		c.setBreakerCommand("open CONNECTION", "Keep attempts from a connection until you close its breaker", "is open, and stays so until it is closed", true),
		c.setBreakerCommand("close CONNECTION", "Let attempts use a connection again", "is closed", false))
}

func (r *remote) allBreakers(ctx context.Context) (*regiev1.ListBreakersResponse, error) {
	all := &regiev1.ListBreakersResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.limits.ListBreakers(ctx, &regiev1.ListBreakersRequest{Namespace: r.namespace, PageSize: listPage, PageToken: token})
		all.Breakers = append(all.Breakers, page.GetBreakers()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) listBreakersCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List circuit breakers", Args: arguments(0, 0, ""),
		Long: "Lists the circuit breakers of connections. --namespace - is all namespaces whose runs\nyou may see.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.allBreakers(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"CONNECTION", "STATE", "SINCE", "WAITING", "NEXT PROBE", "WHY"}}
				for _, b := range all.GetBreakers() {
					c.addBreaker(&t, b)
				}
				c.printList(&t, len(all.GetBreakers()), "no circuit breakers; connections have one if they say `breaker:`")
				return nil
			})
		},
	}
	f.define(c, cmd)
	return cmd
}

func (c *cli) addBreaker(t *view.Table, b *regiev1.Breaker) {
	style, why := "", ""
	switch breaker.State(b.GetState()) {
	case breaker.Open:
		style, why = view.StyleBad, fmt.Sprintf("%s in a row, the last: %s", count(int(b.GetFailures()), "failure"), b.GetLastFailure())
		if b.GetOpenedBy() != "" {
			why = "opened by " + b.GetOpenedBy()
			if b.GetReason() != "" {
				why += ": " + b.GetReason()
			}
		}
	case breaker.HalfOpen:
		style, why = view.StyleWarning, "probes go; the last failure: "+b.GetLastFailure()
	case breaker.Closed:
		if b.GetFailures() > 0 {
			why = fmt.Sprintf("%s in a row, the last: %s", count(int(b.GetFailures()), "failure"), b.GetLastFailure())
		}
	}
	t.Add(style, b.GetNamespace()+"/"+b.GetConnection(), b.GetState(), cmp.Or(c.when(b.GetSince()), "-"), fmt.Sprint(b.GetWaiting()), cmp.Or(c.when(b.GetProbeAt()), "-"), why)
}

// setBreakerCommand opens or closes a breaker.
func (c *cli) setBreakerCommand(use, short, said string, open bool) *cobra.Command {
	var f remoteFlags
	var reason string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: arguments(1, 1, "CONNECTION"),
		ValidArgsFunction: c.completing(&f, func(ctx context.Context, r *remote) ([]string, error) {
			all, err := r.allBreakers(ctx)
			var names []string
			for _, b := range all.GetBreakers() {
				names = append(names, b.GetConnection()+"\t"+b.GetState())
			}
			return names, err
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.limits.SetBreaker(ctx, &regiev1.SetBreakerRequest{Namespace: r.namespace, Connection: args[0], Open: open, Reason: reason})
				if err != nil {
					return err
				}
				return c.done(answer, "the circuit breaker of connection %s %s", args[0], said)
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` that says why, for the audit log")
	f.define(c, cmd)
	return cmd
}
