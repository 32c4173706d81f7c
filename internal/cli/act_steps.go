package cli

import (
	"context"

	"github.com/spf13/pflag"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/value"
)

// namedSteps is the help of --step where it must be given.
const namedSteps = "`PATH` of a step; can be repeated"

// stepActions are the commands that say how single steps go on.
func stepActions() []action {
	return []action{
		{
			regiev1.Action_ACTION_SET_SUCCEEDED, "set-succeeded", "goes on", "would go on", "Say that steps have succeeded",
			"Ends steps as succeeded that wait for something or somebody, have not begun, or\nfailed, also in a run that has ended, which then goes on behind them. Kill a step\nfirst that runs.", namedSteps,
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringVar(&f.output, "result", "", "`JSON` that the step gives to those behind it (default null)")
			}, fillOutput, nil, nil,
		},
		{
			regiev1.Action_ACTION_SET_FAILED, "set-failed", "goes on", "would go on", "Say that steps have failed",
			"Ends steps as failed that wait for something or somebody, or have not begun.\nTheir on_error takes the error; they are tried again only if their retry names it.", namedSteps,
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringVar(&f.errorName, "error", "", "`NAME` of the error (default set_failed)")
				flags.StringVar(&f.message, "message", "", "`TEXT` of the error")
			}, fillError, nil, nil,
		},
		{
			regiev1.Action_ACTION_SKIP, "skip", "goes on", "would go on", "Leave steps out",
			"Leaves out steps that wait for something or somebody, have not begun, or failed,\nalso in a run that has ended, which then goes on behind them.", namedSteps, nil, nil, nil, nil,
		},
		{
			regiev1.Action_ACTION_KILL, "kill", "is killed", "would be killed", "Stop steps that run",
			"Stops what steps do. They fail with the error killed: their on_error takes it, and\nthey are tried again only if their retry names it.", namedSteps, nil, nil, nil, nil,
		},
		{
			regiev1.Action_ACTION_RUN_NOW, "run-now", "goes on", "would go on", "Do not wait for an instant",
			"Ends waits for an instant: of `wait`, before the next attempt, or before the next\nturn of a `repeat`.", insteadOfRun, nil, nil, nil, nil,
		},
		{
			regiev1.Action_ACTION_COMPENSATE, "compensate", "is undone", "would be undone", "Undo what runs did",
			"Undoes what the completed steps of a run did that have `compensate`, or the named\nones of them, the last first: of a run that has ended, or that waits for somebody\nto decide about a failure; that one ends with it. --dry-run lists what would be\nundone, in that order.", insteadOfRun, nil, nil, nil, nil,
		},
		{
			regiev1.Action_ACTION_COMMENT, "comment", "has a note", "would have a note", "Write a note on a run",
			"Keeps the reason as a note among the events of runs and in the audit log.", insteadOfRun, nil, nil, nil, nil,
		},
		{
			regiev1.Action_ACTION_FORCE, "force", "does not wait", "would not wait", "Begin steps whatever they need",
			"Has steps begin though what they need is not there: needs, `if`, limits and\nconditions. With --prerequisite only that need is given up, for good.", namedSteps,
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringArrayVar(&f.prerequisites, "prerequisite", nil, "give up this alone: the `ID` of a step that it needs, or if; can be repeated")
			},
			func(_ *cli, f *actFlags, in *regiev1.ActRequest) error {
				in.Prerequisites = f.prerequisites
				return nil
			}, nil, nil,
		},
		{
			regiev1.Action_ACTION_RERUN, "rerun", "runs again", "would run again", "Run steps or runs again",
			`With --from, runs that step again and all that depends on it, in the same run,
which goes on if it has ended; the rest stays as it is. Each step reads its input
anew. Idempotency keys stay, or become new ones with --redo, as steps with
at_most_once need. In an ended run the step may lie in a group that is over
(load/check), or be an item of a foreach (settle[3], settle[3]/book): the group
goes on with what its other steps, or items, had.

Without --from, starts a new run with the input and business date of the old one,
of the version that is in force, and prints its ID.`, "",
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringArrayVar(&f.steps, "from", nil, "`PATH` of the step from which on to run again; can be repeated")
				flags.BoolVar(&f.redo, "redo", false, "with new idempotency keys")
				flags.StringVar(&f.start.input, "input", "", "of the new run: "+inputHelp)
				flags.StringVar(&f.start.date, "date", "", "business `DATE` of the new run")
				flags.StringVar(&f.start.version, "version", "", "`VERSION` of the workflow for the new run")
				flags.BoolVar(&f.sameVersion, "same-version", false, "start the new run with the version of the old one")
				flags.BoolVar(&f.start.held, "held", false, "accept the new run, and begin nothing until it is released")
			}, fillRedo, (*cli).repeat, nil,
		},
	}
}

func fillRedo(_ *cli, f *actFlags, in *regiev1.ActRequest) error {
	if len(f.steps) == 0 {
		return usagef("--from is missing").withHint("several runs can run again from a step on only")
	}
	in.Redo = f.redo
	return nil
}

// repeat starts a run that repeats another.
func (c *cli) repeat(ctx context.Context, r *remote, f *actFlags, run string) error {
	old, err := r.runs.GetRun(ctx, &regiev1.GetRunRequest{Namespace: r.namespace, Run: run})
	if err != nil {
		return err
	}
	in := &regiev1.StartRunRequest{
		Namespace: r.namespace, Workflow: old.GetRun().GetWorkflow(), RerunOf: old.GetRun().GetId(), BusinessDate: f.start.date,
		Version: f.start.version, Held: f.start.held, Reason: f.reason,
	}
	if f.sameVersion {
		in.Version = old.GetRun().GetVersion()
	}
	input, err := c.inputValue(f.start.input)
	if err != nil {
		return err
	}
	if !input.IsUndefined() {
		in.Input = &regiev1.Json{Text: input.String()}
	}
	if f.dryRun {
		printf(c.Stdout, "%s would run again as a new run of %s\n", diagVisible(old.GetRun().GetId()), diagVisible(in.GetWorkflow()))
		return nil
	}
	answer, err := r.runs.StartRun(ctx, in)
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		return c.printMessage(answer)
	}
	printf(c.Stdout, "%s\n", diagVisible(answer.GetRun().GetId()))
	return nil
}

func fillOutput(_ *cli, f *actFlags, in *regiev1.ActRequest) error {
	if f.output == "" {
		return nil
	}
	if _, err := value.Parse([]byte(f.output)); err != nil {
		return usagef("--result is not valid JSON: %w", err)
	}
	in.Output = &regiev1.Json{Text: f.output}
	return nil
}

func fillError(_ *cli, f *actFlags, in *regiev1.ActRequest) error {
	in.ErrorName, in.ErrorMessage = f.errorName, f.message
	return nil
}
