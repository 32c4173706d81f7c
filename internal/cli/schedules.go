package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
)

// defaultTicks is how many of the next ticks are shown unless told otherwise.
const defaultTicks = 5

func (c *cli) schedulesCommand() *cobra.Command {
	var f runsFlags
	cmd := &cobra.Command{
		Use: "schedules", Short: "List schedules, pause and resume them", GroupID: groupRemote,
		Long: "Lists when workflows start by the clock. A schedule is named WORKFLOW/ID, or just\nWORKFLOW if it has a single one.",
		Example: `  regie schedules
  regie schedules show eod --ticks 20
  regie schedules pause eod/nightly --reason "migration"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f.remoteFlags, func(ctx context.Context, r *remote) error {
				if err := f.everywhere(r); err != nil {
					return err
				}
				all, err := r.allSchedules(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				c.printList(c.scheduleTable(all.GetSchedules(), f.all), len(all.GetSchedules()), "no schedules; workflows name them in `schedules:`")
				return nil
			})
		},
	}
	f.define(c, cmd)
	f.defineAll(cmd)
	cmd.AddCommand(c.showScheduleCommand(), c.pauseCommand("pause", "Keep a schedule from starting runs", true), c.pauseCommand("resume", "Let a schedule start runs again", false))
	return cmd
}

func (r *remote) allSchedules(ctx context.Context) (*regiev1.ListSchedulesResponse, error) {
	all := &regiev1.ListSchedulesResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.schedules.ListSchedules(ctx, &regiev1.ListSchedulesRequest{Namespace: r.namespace, PageSize: listPage, PageToken: token})
		all.Schedules = append(all.Schedules, page.GetSchedules()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) completeSchedules(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.allSchedules(ctx)
		var names []string
		for _, s := range all.GetSchedules() {
			names = append(names, s.GetWorkflow()+"/"+s.GetId()+"\t"+s.GetCron())
		}
		return names, err
	})
}

func (c *cli) scheduleTable(schedules []*regiev1.Schedule, everywhere bool) *view.Table {
	t := &view.Table{Head: []string{"SCHEDULE", "CRON", "ZONE", "NEXT", "LAST", "OVERLAP", "CATCH-UP", "NOTE"}}
	for _, s := range schedules {
		name := s.GetWorkflow() + "/" + s.GetId()
		if everywhere {
			name = s.GetNamespace() + "/" + name
		}
		next, note, style := cmp.Or(c.when(s.GetNextAt()), "-"), "", ""
		if s.GetPaused() {
			next, style = "paused", view.StyleWarning
			note = strings.TrimSuffix("paused by "+s.GetPausedBy()+": "+s.GetPausedReason(), ": ")
		}
		t.Add(style, name, s.GetCron(), s.GetZone(), next, cmp.Or(c.when(s.GetLastAt()), "-"), s.GetOverlap(), s.GetCatchUp(), note)
	}
	return t
}

// schedule finds the schedule that is named WORKFLOW/ID, or WORKFLOW if it has
// one only.
func (r *remote) schedule(ctx context.Context, name string) (*regiev1.Schedule, error) {
	workflow, id, _ := strings.Cut(name, "/")
	got, err := r.workflows.GetWorkflow(ctx, &regiev1.GetWorkflowRequest{Namespace: r.namespace, Workflow: workflow})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range got.GetWorkflow().GetSchedules() {
		if s.GetId() == id || id == "" && len(got.GetWorkflow().GetSchedules()) == 1 {
			return s, nil
		}
		names = append(names, workflow+"/"+s.GetId())
	}
	switch {
	case len(names) == 0:
		return nil, failf(exitInvalid, "schedule_not_found", "workflow %s has no schedule", workflow)
	case id == "":
		return nil, usagef("workflow %s has several schedules", workflow).withHint("name one: %s", strings.Join(names, ", "))
	}
	f := failf(exitInvalid, "schedule_not_found", "workflow %s has no schedule %s", workflow, id)
	if meant := diag.Suggest(name, names); meant != "" {
		return nil, f.withHint("did you mean %s?", meant)
	}
	return nil, f.withHint("there is %s", strings.Join(names, ", "))
}

func (c *cli) showScheduleCommand() *cobra.Command {
	var f remoteFlags
	var ticks int32
	cmd := &cobra.Command{
		Use: "show WORKFLOW[/ID]", Short: "Show a schedule with its next ticks", Args: arguments(1, 1, "WORKFLOW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				s, err := r.schedule(ctx, args[0])
				if err != nil {
					return err
				}
				got, err := r.schedules.GetSchedule(ctx, &regiev1.GetScheduleRequest{
					Namespace: r.namespace, Workflow: s.GetWorkflow(), Schedule: s.GetId(), Ticks: ticks,
				})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(got)
				}
				c.printSchedule(got)
				return nil
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().Int32Var(&ticks, "ticks", defaultTicks, "how many of the next ticks")
	cmd.ValidArgsFunction = c.completeSchedules(&f)
	return cmd
}

func (c *cli) printSchedule(got *regiev1.GetScheduleResponse) {
	s := got.GetSchedule()
	c.printField("schedule", s.GetNamespace()+"/"+s.GetWorkflow()+"/"+s.GetId())
	c.printField("cron", s.GetCron()+"  "+s.GetZone())
	c.printField("overlap", s.GetOverlap())
	c.printField("catch-up", s.GetCatchUp())
	if s.GetPaused() {
		c.printField("paused", strings.TrimSuffix("by "+s.GetPausedBy()+": "+s.GetPausedReason(), ": "))
	}
	c.printField("last tick", c.when(s.GetLastAt()))
	for i, tick := range got.GetTicks() {
		printf(c.Stdout, "%-14s %s\n", []string{"next ticks", ""}[min(i, 1)], c.when(tick))
	}
	if s.GetPaused() && len(got.GetTicks()) > 0 {
		printf(c.Stdout, "They start nothing until `regie schedules resume %s/%s`.\n", diagVisible(s.GetWorkflow()), diagVisible(s.GetId()))
	}
}

func (c *cli) pauseCommand(verb, short string, paused bool) *cobra.Command {
	var f remoteFlags
	var reason string
	cmd := &cobra.Command{
		Use: verb + " WORKFLOW[/ID]", Short: short, Args: arguments(1, 1, "WORKFLOW"),
		Long: short + ". Ticks that fall into a pause are not made up for.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				s, err := r.schedule(ctx, args[0])
				if err != nil {
					return err
				}
				answer, err := r.schedules.PauseSchedule(ctx, &regiev1.PauseScheduleRequest{
					Namespace: r.namespace, Workflow: s.GetWorkflow(), Schedule: s.GetId(), Paused: paused, Reason: reason,
				})
				if err != nil {
					return err
				}
				text := s.GetWorkflow() + "/" + s.GetId() + " is paused"
				if !paused {
					text = s.GetWorkflow() + "/" + s.GetId() + " goes on; next tick " + cmp.Or(c.when(answer.GetSchedule().GetNextAt()), "never")
				}
				return c.done(answer, "%s", text)
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&reason, "reason", "", reasonHelp)
	cmd.ValidArgsFunction = c.completeSchedules(&f)
	return cmd
}

func sorted(texts []string) []string {
	slices.Sort(texts)
	return texts
}
