package cli

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

// shownVersions is how many versions of a workflow are shown.
const shownVersions = 10

// plainName tells a name from a filter.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

func (c *cli) workflowsCommand() *cobra.Command {
	var f runsFlags
	cmd := &cobra.Command{
		Use: "workflows [NAME | FILTER...]", Short: "List the workflows of a server, show or delete one", GroupID: groupRemote,
		Long: `Lists workflows. A filter has name:, folder:, label: and owner: here.
With a NAME it says what that one takes, when it runs and which versions there are.`,
		Example: `  regie workflows
  regie workflows 'folder:/payments/**' owner:me
  regie workflows eod
  regie workflows show eod --source > eod.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f.remoteFlags, func(ctx context.Context, r *remote) error {
				if err := f.everywhere(r); err != nil {
					return err
				}
				if len(args) == 1 && plainName.MatchString(args[0]) {
					return c.showWorkflow(ctx, r, args[0], "", false)
				}
				return c.listWorkflows(ctx, r, strings.Join(args, " "))
			})
		},
	}
	f.define(c, cmd)
	f.defineAll(cmd)
	cmd.AddCommand(c.showWorkflowCommand(), c.versionsCommand(), c.activateCommand(), c.diffVersionsCommand(), c.deleteWorkflowCommand())
	return cmd
}

// allWorkflows reads all workflows that a filter has.
func (r *remote) allWorkflows(ctx context.Context, filter string) (*regiev1.ListWorkflowsResponse, error) {
	all := &regiev1.ListWorkflowsResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.workflows.ListWorkflows(ctx, &regiev1.ListWorkflowsRequest{
			Namespace: r.namespace, Filter: filter, PageSize: listPage, PageToken: token,
		})
		all.Workflows = append(all.Workflows, page.GetWorkflows()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) completeWorkflows(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.allWorkflows(ctx, "")
		var names []string
		for _, w := range all.GetWorkflows() {
			names = append(names, w.GetName()+"\t"+firstLine(w.GetDescription()))
		}
		return names, err
	})
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func (c *cli) listWorkflows(ctx context.Context, r *remote, filter string) error {
	all, err := r.allWorkflows(ctx, filter)
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		return c.printMessage(all)
	}
	t := &view.Table{Head: []string{"WORKFLOW", "VERSION", "LAST RUN", "STATE", "NEXT", "OWNER", "DESCRIPTION"}}
	for _, w := range all.GetWorkflows() {
		name := w.GetName()
		if r.namespace == allNamespaces {
			name = w.GetNamespace() + "/" + name
		}
		last, state := "-", "-"
		if run := w.GetLastRun(); run != nil {
			last, state = c.when(run.GetAcceptedAt()), run.GetState()
		}
		t.Add(stateStyle(state), name, cmp.Or(w.GetVersion(), "-"), last, state, cmp.Or(c.nextTick(w.GetSchedules()), "-"), cmp.Or(w.GetOwner(), "-"), firstLine(w.GetDescription()))
	}
	none := "no workflows yet; `regie apply FILE` stores one"
	if filter != "" {
		none = "no workflow matches " + filter
	}
	c.printList(t, len(all.GetWorkflows()), none)
	return nil
}

// nextTick is when the first of the schedules starts a run next.
func (c *cli) nextTick(schedules []*regiev1.Schedule) string {
	var next *regiev1.Schedule
	for _, s := range schedules {
		if s.GetNextAt() != nil && (next == nil || s.GetNextAt().AsTime().Before(next.GetNextAt().AsTime())) {
			next = s
		}
	}
	switch {
	case next != nil:
		return c.when(next.GetNextAt())
	case len(schedules) > 0:
		return "paused"
	}
	return ""
}

func (c *cli) showWorkflowCommand() *cobra.Command {
	var f remoteFlags
	var version string
	var source bool
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a workflow: inputs, schedules, versions, or its source",
		Example: "  regie workflows show eod\n  regie workflows show eod --source > eod.yaml",
		Args:    arguments(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				return c.showWorkflow(ctx, r, args[0], version, source)
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&version, "version", "", "`VERSION` to show, by default the one that new runs use")
	cmd.Flags().BoolVar(&source, "source", false, "print the definition as it was written")
	cmd.ValidArgsFunction = c.completeWorkflows(&f)
	return cmd
}

func (c *cli) showWorkflow(ctx context.Context, r *remote, name, version string, source bool) error {
	name = r.within(name)
	got, err := r.workflows.GetWorkflow(ctx, &regiev1.GetWorkflowRequest{Namespace: r.namespace, Workflow: name, Version: version})
	if err != nil {
		return err
	}
	versions, err := r.workflows.ListVersions(ctx, &regiev1.ListVersionsRequest{Namespace: r.namespace, Workflow: name, PageSize: shownVersions})
	switch {
	case err != nil:
		return err
	case c.output == outputJSON:
		return c.printMessage(got)
	case source:
		c.printSource(got.GetSource())
	default:
		c.printWorkflow(got, versions)
	}
	return nil
}

// printSource prints definitions as they were written; on a terminal what could
// steer it is shown.
func (c *cli) printSource(files []*regiev1.SourceFile) {
	_, _, terminal := c.Terminal(c.Stdout)
	for _, file := range files {
		if !terminal {
			printf(c.Stdout, "%s", file.GetContent())
			continue
		}
		for line := range strings.Lines(string(file.GetContent())) {
			printf(c.Stdout, "%s\n", diagVisible(strings.TrimRight(line, "\r\n")))
		}
	}
}

func (c *cli) printWorkflow(got *regiev1.GetWorkflowResponse, versions *regiev1.ListVersionsResponse) {
	w := got.GetWorkflow()
	c.printField("workflow", w.GetNamespace()+"/"+w.GetName())
	c.printField("about", strings.TrimSpace(w.GetDescription()))
	c.printField("owner", w.GetOwner())
	c.printField("folder", w.GetFolder())
	var labels []string
	for key, text := range w.GetLabels() {
		labels = append(labels, key+"="+text)
	}
	c.printField("labels", strings.Join(sorted(labels), ", "))
	if run := w.GetLastRun(); run != nil {
		c.printField("last run", fmt.Sprintf("%s %s, %s", run.GetId(), run.GetState(), c.when(run.GetAcceptedAt())))
	}
	if len(got.GetInputs()) > 0 {
		t := &view.Table{Head: []string{"INPUT", "TYPE", "DEFAULT", "ABOUT"}}
		for _, in := range got.GetInputs() {
			fallback := "-"
			switch {
			case in.GetDefault() != nil:
				fallback = in.GetDefault().GetText()
			case in.GetRequired():
				fallback = "(required)"
			}
			about := firstLine(in.GetDescription())
			if len(in.GetEnum()) > 0 {
				var values []string
				for _, v := range in.GetEnum() {
					values = append(values, v.GetText())
				}
				about = strings.TrimSpace(about + " one of " + strings.Join(values, ", "))
			}
			t.Add("", in.GetName(), in.GetType(), fallback, about)
		}
		printf(c.Stdout, "\n")
		c.printTable(t)
	}
	if len(w.GetSchedules()) > 0 {
		printf(c.Stdout, "\n")
		c.printTable(c.scheduleTable(w.GetSchedules(), false))
	}
	printf(c.Stdout, "\n")
	c.printTable(c.versionTable(versions.GetVersions()))
	if versions.GetNextPageToken() != "" {
		printf(c.Stdout, "… of %d versions\n", w.GetVersions())
	}
}

func (c *cli) deleteWorkflowCommand() *cobra.Command {
	var f remoteFlags
	var reason string
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Remove a workflow; its runs stay",
		Long: "Removes a workflow: nothing starts it any more. Runs that go on end as they\nwould, and its runs and versions stay on record.",
		Args: arguments(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				name := r.within(args[0])
				answer, err := r.workflows.DeleteWorkflow(ctx, &regiev1.DeleteWorkflowRequest{Namespace: r.namespace, Workflow: name, Reason: reason})
				if err != nil {
					return err
				}
				return c.done(answer, "%s/%s is removed; its runs stay", r.namespace, name)
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&reason, "reason", "", reasonHelp)
	cmd.ValidArgsFunction = c.completeWorkflows(&f)
	return cmd
}
