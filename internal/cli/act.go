package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/api/problem"
	"github.com/regie-dev/regie/internal/cli/view"
)

// action is one of the commands that act on runs.
type action struct {
	kind  regiev1.Action
	verb  string
	done  string // what happens to a run
	would string // what would
	short string
	long  string
	steps string // in the help of --step; empty: it is about whole runs
	// define adds flags of its own, and fill puts them into the request.
	define func(*pflag.FlagSet, *actFlags)
	fill   func(*cli, *actFlags, *regiev1.ActRequest) error
	// instead does something else with a run when no steps are named.
	instead func(*cli, context.Context, *remote, *actFlags, string) error
	// all does it with the namespace as a whole.
	all func(*cli, context.Context, *remote, *actFlags) error
}

// insteadOfRun is the help of --step where it narrows what is acted on.
const insteadOfRun = "`PATH` of a step, instead of the whole run; can be repeated"

// actions are the commands that act on runs.
func actions() []action {
	return append(append(stepActions(), adjustActions()...), []action{
		{regiev1.Action_ACTION_CANCEL, "cancel", "is being canceled", "would be canceled", "Cancel runs",
			"Asks runs to end: what runs is stopped, nothing else begins, and what the\nworkflow says about its end is done.", "", nil, nil, nil, nil},
		{regiev1.Action_ACTION_HOLD, "hold", "is held", "would be held", "Keep runs or steps from going on",
			"Keeps runs from starting anything new, or steps from beginning. What runs goes\non to its end. A hold stays until it is released, also over a restart.\nWith --all the namespace is held: its live runs, and those that are started\nmeanwhile.", insteadOfRun, nil, nil, nil, (*cli).holdAll},
		{regiev1.Action_ACTION_RELEASE, "release", "is released", "would be released", "Let held runs or steps go on",
			"Takes holds back: that of a run, or those of steps. With --all that of the\nnamespace; what somebody holds beside it stays held.", insteadOfRun, nil, nil, nil, (*cli).releaseAll},
		{regiev1.Action_ACTION_RETRY, "retry", "is tried again", "would be tried again", "Try failed steps again",
			"Gives the steps of a run that failed, or the named ones of them, new attempts.\nWhat was not run because of them is judged again; what succeeded is not repeated.", insteadOfRun, nil, nil, nil, nil},
	}...)
}

type actFlags struct {
	remoteFlags

	filter, reason string
	steps          []string
	dryRun, yes    bool
	all            bool

	output, errorName, message string
	prerequisites              []string
	redo, sameVersion          bool
	conditions                 []string
	priority                   string
	finishBy                   string
	start                      startFlags
}

func (c *cli) actCommand(a action) *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use: a.verb + " RUN...", Short: a.short, GroupID: groupOperate,
		Long: a.long + `

The runs are named, or are those that --filter has; then, on a terminal, it asks
first if there are several. Each run has a result of its own.

Exit code 1 if something was refused.

` + filterHelp,
		Example: fmt.Sprintf("  regie %[1]s 01k9zq3v --reason \"ticket 42\"\n  regie %[1]s --filter 'name:eod date:today' --dry-run", a.verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f.remoteFlags, func(ctx context.Context, r *remote) error { return c.act(ctx, r, a, &f, args) })
		},
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.filter, "filter", "", "act on all runs that `LINE` has")
	flags.StringVar(&f.reason, "reason", "", reasonHelp)
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would happen, and do nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	if a.steps != "" {
		flags.StringArrayVar(&f.steps, "step", nil, a.steps)
	}
	if a.all != nil {
		flags.BoolVar(&f.all, "all", false, "the namespace as a whole, runs that are started later too")
	}
	if a.define != nil {
		a.define(flags, &f)
	}
	complete := c.completeRemoteRuns(&f.remoteFlags)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, nil, typed) // any number of runs
	}
	return cmd
}

func (c *cli) act(ctx context.Context, r *remote, a action, f *actFlags, runs []string) error {
	in := &regiev1.ActRequest{Namespace: r.namespace, Action: a.kind, Filter: f.filter, Steps: f.steps, Reason: f.reason, DryRun: f.dryRun}
	switch {
	case f.all && (len(runs) > 0 || f.filter != "" || len(f.steps) > 0):
		return usagef("--all is about the namespace: name no runs, steps or filter beside it")
	case f.all:
		return a.all(c, ctx, r, f)
	case len(runs) == 0 && f.filter == "":
		return usagef("RUN or --filter is missing").withHint("`regie runs` lists runs; --filter LINE names all that match")
	case len(runs) > 0 && f.filter != "":
		return usagef("runs are named, and --filter names others: choose one")
	case a.instead != nil && len(f.steps) == 0 && len(runs) == 1:
		return a.instead(c, ctx, r, f, runs[0])
	case len(runs) == 1:
		in.Run = runs[0]
	default:
		in.Runs = runs
	}
	if a.fill != nil {
		if err := a.fill(c, f, in); err != nil {
			return err
		}
	}
	in.Confirmed = f.yes
	if f.filter != "" && !f.yes && !f.dryRun {
		if ok, err := c.confirmed(ctx, r, a, in, 2); err != nil || !ok {
			return err
		}
	}
	answer, err := r.runs.Act(ctx, in)
	if !in.GetConfirmed() && problem.Of(err).GetCode() == "confirmation_needed" {
		if ok, err := c.confirmed(ctx, r, a, in, 1); err != nil || !ok {
			return err
		}
		if in.GetConfirmed() {
			answer, err = r.runs.Act(ctx, in)
		}
	}
	if err != nil {
		return err
	}
	return c.printActed(a, f, answer)
}

// confirmed asks whether to act on runs, from as many as least on, if somebody can be asked; false
// if they say no. After a yes the request is confirmed, and about those that were shown.
func (c *cli) confirmed(ctx context.Context, r *remote, a action, in *regiev1.ActRequest, least int) (bool, error) {
	if _, _, terminal := c.Terminal(c.Stderr); !terminal {
		return true, nil
	}
	in.DryRun = true
	would, err := r.runs.Act(ctx, in)
	in.DryRun = false
	if err != nil {
		return false, err
	}
	var runs []string
	for _, result := range would.GetResults() {
		if result.GetDone() {
			runs = append(runs, result.GetRun())
		}
	}
	if len(runs) < least {
		return true, nil
	}
	shown := min(len(runs), maxListed)
	var question strings.Builder
	for _, run := range runs[:shown] {
		question.WriteString(diagVisible(run) + "\n")
	}
	if shown < len(runs) {
		fmt.Fprintf(&question, "… and %d more\n", len(runs)-shown)
	}
	fmt.Fprintf(&question, "%s %s in %s? [y/N] ", a.verb, count(len(runs), "run"), diagVisible(r.namespace))
	answer, asked, err := c.prompt(question.String(), false)
	switch {
	case err != nil:
		return false, err
	case !asked:
		return true, nil
	case !yes(answer):
		printf(c.Stderr, "Nothing was done.\n")
		return false, ended(exitFailed)
	}
	in.Confirmed = true
	if in.GetFilter() != "" {
		in.Runs, in.Filter = runs, ""
	}
	return true, nil
}

// printActed prints what became of each run.
func (c *cli) printActed(a action, f *actFlags, answer *regiev1.ActResponse) error {
	refused := 0
	for _, result := range answer.GetResults() {
		if !result.GetDone() {
			refused++
		}
	}
	if c.output == outputJSON {
		if err := c.printMessage(answer); err != nil {
			return err
		}
	} else {
		text := a.done
		if f.dryRun {
			text = a.would
		}
		c.printResults("no run matches "+f.filter, answer.GetResults(), func(steps []string) string {
			if len(steps) > 0 {
				return text + ": " + strings.Join(steps, ", ")
			}
			return text
		})
	}
	if answer.GetMore() {
		c.warn("more runs match than are acted on at once; do it again for the others")
	}
	if refused > 0 || answer.GetMore() {
		return ended(exitFailed)
	}
	return nil
}

// printResults prints what became of each run; text is that of one that went well.
func (c *cli) printResults(none string, results []*regiev1.ActResult, text func(steps []string) string) {
	if len(results) == 0 {
		printf(c.Stdout, "%s\n", diagVisible(none))
		return
	}
	paint := view.Painter(c.color(c.Stdout))
	for _, result := range results {
		run := diagVisible(result.GetRun())
		if result.GetDone() {
			printf(c.Stdout, "%s %s %s\n", paint(view.StyleGood, "✓"), run, diagVisible(text(result.GetSteps())))
		} else {
			printf(c.Stdout, "%s %s: %s\n", paint(view.StyleBad, "✗"), run, diagVisible(result.GetMessage()))
		}
	}
}
