package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/notify"
)

// alertsCommand is `regie alerts`.
func (c *cli) alertsCommand() *cobra.Command {
	return family("alerts", "See and handle what somebody should look at",
		"Lists, shows and handles alerts: runs that failed, are late, were missed or ask people,\nand circuit breakers that opened.", groupServer,
		c.listAlertsCommand(), c.showAlertCommand(),
		c.alertCommand("ack ID", "Say that you have seen an alert", 0, "is acknowledged",
			func(_ context.Context, _ *remote, m *regiev1.UpdateAlertRequest, _ []string) error {
				m.Acknowledged = proto.Bool(true)
				return nil
			}),
		c.alertCommand("own ID [USER]", "Give an alert an owner, by default yourself", 1, "has the owner",
			func(ctx context.Context, r *remote, m *regiev1.UpdateAlertRequest, rest []string) error {
				if len(rest) > 0 {
					m.Owner = &rest[0]
					return nil
				}
				me, err := r.whoAmI(ctx)
				m.Owner = proto.String(me.GetUser())
				return err
			}),
		c.alertCommand("note ID TEXT", "Add a note to an alert", 1, "has the note",
			func(_ context.Context, _ *remote, m *regiev1.UpdateAlertRequest, rest []string) error {
				if len(rest) == 0 {
					return usagef("TEXT is missing").withHint("usage: regie alerts note ID TEXT")
				}
				m.Note = rest[0]
				return nil
			}),
		c.alertCommand("close ID", "Close an alert: nobody needs to look any more", 0, "is closed",
			func(_ context.Context, _ *remote, m *regiev1.UpdateAlertRequest, _ []string) error {
				m.Close = true
				return nil
			}))
}

func (c *cli) completeAlerts(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		page, err := r.alerts.ListAlerts(ctx, &regiev1.ListAlertsRequest{Namespace: r.namespace, PageSize: listPage})
		var ids []string
		for _, a := range page.GetAlerts() {
			ids = append(ids, a.GetId()+"\t"+cmp.Or(a.GetWorkflow(), a.GetConnection())+" "+a.GetCause())
		}
		return ids, err
	})
}

func (c *cli) listAlertsCommand() *cobra.Command {
	var f remoteFlags
	m := &regiev1.ListAlertsRequest{}
	var closed bool
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List alerts, newest first",
		Long:    "Lists alerts that are not closed, newest first. --namespace - is all namespaces in which you may see them.",
		Example: "  regie alerts list\n  regie alerts list --namespace - --state open",
		Args:    arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLimit(limit); err != nil {
				return err
			}
			if closed {
				m.States = []string{string(notify.Open), string(notify.Acknowledged), string(notify.Closed)}
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.alertList(ctx, m, limit)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				c.printAlerts(all.GetAlerts())
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&closed, "all", false, "list closed ones too")
	flags.StringArrayVar(&m.States, "state", nil, "`STATE` that they are in: open, acknowledged or closed; may be given again")
	flags.StringVar(&m.Workflow, "workflow", "", "only of this `WORKFLOW`")
	flags.IntVar(&limit, "limit", defaultListed, "list at most `N`")
	cmd.MarkFlagsMutuallyExclusive("all", "state")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"open", "acknowledged", "closed"}, cobra.ShellCompDirectiveNoFileComp))
	f.define(c, cmd)
	return cmd
}

// alertList reads the newest alerts that match.
func (r *remote) alertList(ctx context.Context, m *regiev1.ListAlertsRequest, limit int) (*regiev1.ListAlertsResponse, error) {
	m.Namespace = r.namespace
	all := &regiev1.ListAlertsResponse{}
	err := pages(func(token string) (string, error) {
		m.PageToken, m.PageSize = token, pageOf(limit-len(all.GetAlerts()))
		page, err := r.alerts.ListAlerts(ctx, m)
		all.Alerts = append(all.Alerts, page.GetAlerts()...)
		if len(all.GetAlerts()) >= limit {
			all.NextPageToken = page.GetNextPageToken()
			return "", err
		}
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) printAlerts(alerts []*regiev1.Alert) {
	t := view.Table{Head: []string{"ID", "STATE", "CAUSE", "SUBJECT", "COUNT", "UPDATED", "OWNER", "TEXT"}}
	for _, a := range alerts {
		state, style := a.GetState(), ""
		switch state {
		case string(notify.Open):
			style = view.StyleBad
		case string(notify.Closed):
			style = view.StyleFaint
		}
		if a.GetSilenced() {
			state += ", silenced"
		}
		t.Add(style, a.GetId(), state, a.GetCause(), a.GetNamespace()+"/"+cmp.Or(a.GetWorkflow(), a.GetConnection()), fmt.Sprint(a.GetCount()),
			c.when(a.GetUpdatedAt()), cmp.Or(a.GetOwner(), "-"), a.GetText())
	}
	c.printList(&t, len(alerts), "no alerts")
}

func (c *cli) showAlertCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show an alert with its notes and messages", Args: arguments(1, 1, "ID"), ValidArgsFunction: c.completeAlerts(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.alerts.GetAlert(ctx, &regiev1.GetAlertRequest{Namespace: r.namespace, Alert: args[0]})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				c.printAlert(answer)
				return nil
			})
		},
	}
	f.define(c, cmd)
	return cmd
}

func (c *cli) printAlert(m *regiev1.GetAlertResponse) {
	a := m.GetAlert()
	c.printField("alert", a.GetId())
	if a.GetConnection() != "" {
		c.printField("connection", a.GetNamespace()+"/"+a.GetConnection())
	} else {
		c.printField("workflow", a.GetNamespace()+"/"+a.GetWorkflow())
	}
	c.printField("cause", fmt.Sprintf("%s, %s", a.GetCause(), count(int(a.GetCount()), "time")))
	c.printField("text", a.GetText())
	c.printField("state", a.GetState())
	c.printField("acknowledged", a.GetAcknowledgedBy())
	c.printField("owner", a.GetOwner())
	if a.GetSilenced() {
		c.printField("silenced", "no messages are sent")
	}
	c.printField("opened", c.when(a.GetOpenedAt()))
	c.printField("updated", c.when(a.GetUpdatedAt()))
	c.printField("closed", c.when(a.GetClosedAt()))
	c.printField("runs", strings.Join(a.GetRuns(), "\n"))
	if len(m.GetNotes()) > 0 {
		printf(c.Stdout, "\nnotes\n")
		for _, n := range m.GetNotes() {
			printf(c.Stdout, "  %s  %s: %s\n", c.when(n.GetAt()), diagVisible(n.GetActor()), visibleLines(n.GetText()))
		}
	}
	if len(m.GetDeliveries()) == 0 {
		return
	}
	printf(c.Stdout, "\nmessages\n")
	t := view.Table{Head: []string{"CHANNEL", "ABOUT", "STATE", "TRIES", "LAST", "NEXT", "ERROR"}}
	for _, d := range m.GetDeliveries() {
		t.Add("", d.GetChannel(), d.GetAbout(), d.GetState(), fmt.Sprint(d.GetAttempts()), cmp.Or(c.when(d.GetLastAt()), "-"), cmp.Or(c.when(d.GetNextAt()), "-"), d.GetError())
	}
	c.printTable(&t)
}

// alertCommand changes an alert; set says how, from what stands behind its ID.
func (c *cli) alertCommand(use, short string, more int, said string, set func(ctx context.Context, r *remote, m *regiev1.UpdateAlertRequest, rest []string) error) *cobra.Command {
	var f remoteFlags
	var note string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: arguments(1, 1+more, "ID"), ValidArgsFunction: c.completeAlerts(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				m := &regiev1.UpdateAlertRequest{Namespace: r.namespace, Alert: args[0], Note: note}
				if err := set(ctx, r, m, args[1:]); err != nil {
					return err
				}
				answer, err := r.alerts.UpdateAlert(ctx, m)
				if err != nil {
					return err
				}
				return c.done(answer, "alert %s %s", args[0], strings.TrimSpace(said+" "+m.GetOwner()))
			})
		},
	}
	if !strings.HasPrefix(use, "note") {
		cmd.Flags().StringVar(&note, "note", "", "`TEXT` to add as a note")
	}
	f.define(c, cmd)
	return cmd
}
