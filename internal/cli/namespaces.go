package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/value"
)

// namespacesCommand is `regie namespaces`.
func (c *cli) namespacesCommand() *cobra.Command {
	return family("namespaces", "Manage namespaces", "Lists, makes and changes namespaces: what belongs to one team or tenant.", groupAccess,
		c.listNamespacesCommand(), c.putNamespaceCommand(), c.deleteNamespaceCommand())
}

// namespaces reads those in which the caller may do anything.
func (r *remote) namespaces(ctx context.Context) (*regiev1.ListNamespacesResponse, error) {
	all := &regiev1.ListNamespacesResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.identities.ListNamespaces(ctx, &regiev1.ListNamespacesRequest{PageSize: listPage, PageToken: token})
		all.Namespaces = append(all.Namespaces, page.GetNamespaces()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) completeNamespaces(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.namespaces(ctx)
		var names []string
		for _, n := range all.GetNamespaces() {
			names = append(names, n.GetName()+"\t"+n.GetDescription())
		}
		return names, err
	})
}

func (c *cli) listNamespacesCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List the namespaces in which you may do anything", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.namespaces(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"NAME", "ENVIRONMENT", "RUN AS", "ALERT CHANNELS", "CALLERS", "VARS", "KEEPS", "HELD", "DESCRIPTION"}}
				for _, n := range all.GetNamespaces() {
					t.Add("", n.GetName(), cmp.Or(n.GetEnvironment(), "-"), cmp.Or(strings.Join(n.GetRunAs(), ", "), "-"),
						cmp.Or(strings.Join(n.GetAlertChannels(), ", "), "-"), cmp.Or(strings.Join(n.GetCallers(), ", "), "-"),
						cmp.Or(strings.Join(slices.Sorted(maps.Keys(n.GetVars())), ", "), "-"), keeps(n.GetRetention()), cmp.Or(heldText(n.GetHeld()), "-"), n.GetDescription())
				}
				c.printList(&t, len(all.GetNamespaces()), "no namespaces in which you may do anything")
				return nil
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

// heldText says who holds a namespace, empty for nobody.
func heldText(h *regiev1.NamespaceHold) string {
	if h == nil {
		return ""
	}
	text := "by " + h.GetActor()
	if h.GetReason() != "" {
		text += ": " + h.GetReason()
	}
	return text
}

// keeps says how long a namespace keeps what runs have left.
func keeps(r *regiev1.Retention) string {
	var parts []string
	for _, p := range []struct{ what, time string }{{"runs", r.GetKeepRuns()}, {"data", r.GetKeepPayloads()}, {"logs", r.GetKeepLogs()}} {
		if p.time != "" {
			parts = append(parts, p.what+" "+p.time)
		}
	}
	if r.GetKeepRuns() != "" && r.KeepLast != nil {
		parts = append(parts, fmt.Sprintf("last %d", r.GetKeepLast()))
	}
	if len(parts) > 0 && r.GetArchive() {
		parts = append(parts, "archived before")
	}
	return cmp.Or(strings.Join(parts, ", "), "all")
}

// namespaceFlags are what `regie namespaces put` changes.
type namespaceFlags struct {
	vars, unset, runAs, channels, callers []string
	environment, description              string

	keepRuns, keepPayloads, keepLogs string
	keepLast                         uint32
	archive                          bool
	maxRuns, maxSteps                uint32
}

func (c *cli) putNamespaceCommand() *cobra.Command {
	var f remoteFlags
	var n namespaceFlags
	cmd := &cobra.Command{
		Use: "put NAME", Short: "Make a namespace, or change it",
		Long: `Makes a namespace, or changes what the flags name; what they do not name stays as
it is. The value of a variable is JSON if it can be read as that, and text
otherwise: --var retries=3 is a number, --var 'retries="3"' a text.`,
		Example: `  regie namespaces put risk --description 'risk department' --environment prod
  regie namespaces put risk --var currency=EUR --var 'desks=["fx", "rates"]'
  regie namespaces put risk --keep-runs 3650d --keep-payloads 90d --keep-logs 30d
  regie namespaces put risk --run-as riskbatch --alert-channel risk-oncall`,
		Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeNamespaces(&f),
		RunE: func(cmd *cobra.Command, args []string) error { return c.putNamespace(cmd, &f, &n, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&n.vars, "var", nil, "`NAME=VALUE` of a variable (vars.NAME); may be given again")
	flags.StringArrayVar(&n.unset, "unset-var", nil, "`NAME` of a variable to remove; may be given again")
	flags.StringArrayVar(&n.runAs, "run-as", nil, "`USER` of the machine that tasks may run as, in place of those who are; may be given again ('' for none)")
	flags.StringArrayVar(&n.channels, "alert-channel", nil, "`NAME` of a channel that alerts are sent to, in place of those that are; may be given again ('' for none)")
	flags.StringArrayVar(&n.callers, "caller", nil, "`NAMESPACE` whose runs may start runs here and wait for them, in place of those that are; may be given again ('' for none)")
	flags.StringVar(&n.environment, "environment", "", "`NAME` of what it is for, such as prod; '' for that of the server")
	flags.StringVar(&n.description, "description", "", "`TEXT` about it")
	flags.StringVar(&n.keepRuns, "keep-runs", "", "`TIME` that runs are kept after their end, such as 90d, 30d at least; '' for ever")
	flags.StringVar(&n.keepPayloads, "keep-payloads", "", "`TIME` that inputs, outputs and results of runs are kept after their end; '' as long as the run")
	flags.StringVar(&n.keepLogs, "keep-logs", "", "`TIME` that logs of runs are kept after their end; '' as long as their data")
	flags.Uint32Var(&n.keepLast, "keep-last", access.DefaultKeepLast, "keep the last `N` runs of each workflow, however old they are, but for their data and logs")
	flags.BoolVar(&n.archive, "archive", false, "copy runs into the archive of the server before anything of them goes; --archive=false not to")
	flags.Uint32Var(&n.maxRuns, "max-runs", 0, "`N` runs at once that have begun; further ones are queued; 0 for no bound")
	flags.Uint32Var(&n.maxSteps, "max-steps", 0, "`N` attempts of steps at once; further ones are queued; 0 for no bound")
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) putNamespace(cmd *cobra.Command, f *remoteFlags, n *namespaceFlags, name string) error {
	vars, err := parseVars(n.vars)
	if err != nil {
		return err
	}
	return c.call(cmd, f, func(ctx context.Context, r *remote) error {
		all, err := r.namespaces(ctx)
		if err != nil {
			return err
		}
		m := &regiev1.PutNamespaceRequest{Name: name}
		for _, has := range all.GetNamespaces() {
			if has.GetName() == name {
				m.Description, m.Vars, m.RunAs = has.GetDescription(), has.GetVars(), has.GetRunAs()
				m.AlertChannels, m.Environment = has.GetAlertChannels(), has.GetEnvironment()
				m.Retention, m.Callers = has.GetRetention(), has.GetCallers()
				m.MaxRuns, m.MaxSteps = has.GetMaxRuns(), has.GetMaxSteps()
			}
		}
		if m.Vars == nil {
			m.Vars = map[string]string{}
		}
		maps.Copy(m.Vars, vars)
		for _, unset := range n.unset {
			delete(m.Vars, unset)
		}
		if m.GetRetention() == nil {
			m.Retention = &regiev1.Retention{}
		}
		for flag, set := range map[string]func(){
			"run-as": func() { m.RunAs = given(n.runAs) }, "alert-channel": func() { m.AlertChannels = given(n.channels) },
			"caller": func() { m.Callers = given(n.callers) }, "environment": func() { m.Environment = n.environment }, "description": func() { m.Description = n.description },
			"keep-runs": func() { m.Retention.KeepRuns = n.keepRuns }, "keep-payloads": func() { m.Retention.KeepPayloads = n.keepPayloads },
			"max-runs": func() { m.MaxRuns = n.maxRuns }, "max-steps": func() { m.MaxSteps = n.maxSteps },
			"keep-logs": func() { m.Retention.KeepLogs = n.keepLogs }, "keep-last": func() { m.Retention.KeepLast = &n.keepLast },
			"archive": func() { m.Retention.Archive = n.archive },
		} {
			if cmd.Flags().Changed(flag) {
				set()
			}
		}
		answer, err := r.identities.PutNamespace(ctx, m)
		if err != nil {
			return err
		}
		return c.done(answer, "namespace %s was written", name)
	})
}

// parseVars reads NAME=VALUE, where a value that is no JSON is text.
func parseVars(texts []string) (map[string]string, error) {
	vars := make(map[string]string, len(texts))
	for _, text := range texts {
		name, given, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usagef("--var %q is not NAME=VALUE", text)
		}
		v, err := value.Parse([]byte(given))
		if err != nil {
			v = value.String(given)
		}
		vars[name] = v.String()
	}
	return vars, nil
}

func (c *cli) deleteNamespaceCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Remove a namespace that has no workflows and no runs that go on",
		Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeNamespaces(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.DeleteNamespace(ctx, &regiev1.DeleteNamespaceRequest{Name: args[0]})
				if err != nil {
					return err
				}
				return c.done(answer, "namespace %s was removed", args[0])
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}
