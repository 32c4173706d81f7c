package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

func (c *cli) versionsCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "versions NAME", Short: "List the versions of a workflow",
		Long: `Lists the versions of a workflow, the newest first. Each is named by what it
compiles to, and never changes; runs stay on the version that they began with.`,
		Args: arguments(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				name := r.within(args[0])
				all := &regiev1.ListVersionsResponse{}
				err := pages(func(token string) (string, error) {
					page, err := r.workflows.ListVersions(ctx, &regiev1.ListVersionsRequest{
						Namespace: r.namespace, Workflow: name, PageSize: listPage, PageToken: token,
					})
					all.Versions = append(all.Versions, page.GetVersions()...)
					return page.GetNextPageToken(), err
				})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				c.printTable(c.versionTable(all.GetVersions()))
				return nil
			})
		},
	}
	f.define(c, cmd)
	cmd.ValidArgsFunction = c.completeWorkflows(&f)
	return cmd
}

// versionTable shows versions.
func (c *cli) versionTable(versions []*regiev1.Version) *view.Table {
	t := &view.Table{Head: []string{"VERSION", "IN FORCE", "STORED", "BY", "REASON"}}
	for _, v := range versions {
		force := "-"
		switch {
		case v.GetCurrent():
			force = "now"
		case v.GetEffectiveFrom() != nil:
			force = "from " + c.when(v.GetEffectiveFrom())
		}
		t.Add("", v.GetVersion(), force, c.when(v.GetCreatedAt()), v.GetCreatedBy(), v.GetReason())
	}
	return t
}

func (c *cli) activateCommand() *cobra.Command {
	var f remoteFlags
	var reason string
	cmd := &cobra.Command{
		Use: "activate NAME VERSION", Short: "Put a version in force, also an earlier one",
		Long: `Puts a version of a workflow in force at once: what starts from now on uses it,
by hand and by schedule. Runs that go on stay on theirs. Versions that are to come
in force later are taken back.`,
		Example: `  regie workflows versions eod
  regie workflows activate eod 5d41402abc4b2a76 --reason "back to what worked"`,
		Args: arguments(2, 2, "NAME and VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				name := r.within(args[0])
				answer, err := r.workflows.ActivateVersion(ctx, &regiev1.ActivateVersionRequest{
					Namespace: r.namespace, Workflow: name, Version: args[1], Reason: reason,
				})
				if err != nil {
					return err
				}
				return c.done(answer, "%s/%s uses version %s; before: %s", r.namespace, name, args[1], cmp.Or(answer.GetBefore(), "none"))
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&reason, "reason", "", reasonHelp)
	cmd.ValidArgsFunction = c.completeWorkflows(&f)
	return cmd
}

func (c *cli) diffVersionsCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "diff NAME VERSION [VERSION]", Short: "Show how two versions of a workflow differ",
		Long: `Shows how the first version became the second, by default the one in force: the
text of the definition, then the steps that were added, removed or changed.`,
		Args: arguments(2, 3, "NAME and one or two VERSIONs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				in := &regiev1.CompareVersionsRequest{Workflow: r.within(args[0]), From: args[1]}
				in.Namespace = r.namespace
				if len(args) > 2 {
					in.To = args[2]
				}
				answer, err := r.workflows.CompareVersions(ctx, in)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				c.printComparison(answer)
				return nil
			})
		},
	}
	f.define(c, cmd)
	cmd.ValidArgsFunction = c.completeWorkflows(&f)
	return cmd
}

func (c *cli) printComparison(d *regiev1.CompareVersionsResponse) {
	for line := range strings.Lines(d.GetText()) {
		printf(c.Stdout, "%s\n", diagVisible(strings.TrimRight(line, "\r\n")))
	}
	if d.GetText() == "" {
		c.note("The definitions have the same text.")
	}
	if len(d.GetParts()) > 0 {
		printf(c.Stdout, "~ workflow: %s\n", strings.Join(d.GetParts(), ", "))
	}
	for _, s := range d.GetSteps() {
		mark := map[string]string{"added": "+", "removed": "-"}[s.GetAction()]
		printf(c.Stdout, "%s step %s", cmp.Or(mark, "~"), diagVisible(s.GetPath()))
		if len(s.GetParts()) > 0 {
			printf(c.Stdout, ": %s", strings.Join(s.GetParts(), ", "))
		}
		printf(c.Stdout, "\n")
	}
	if len(d.GetParts())+len(d.GetSteps()) == 0 {
		c.note("What runs is the same.")
	}
}
