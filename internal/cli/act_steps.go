package cli

import (
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
			}, fillOutput,
		},
		{
			regiev1.Action_ACTION_SET_FAILED, "set-failed", "goes on", "would go on", "Say that steps have failed",
			"Ends steps as failed that wait for something or somebody, or have not begun.\nTheir on_error takes the error; they are tried again only if their retry names it.", namedSteps,
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringVar(&f.errorName, "error", "", "`NAME` of the error (default set_failed)")
				flags.StringVar(&f.message, "message", "", "`TEXT` of the error")
			}, fillError,
		},
		{
			regiev1.Action_ACTION_SKIP, "skip", "goes on", "would go on", "Leave steps out",
			"Leaves out steps that wait for something or somebody, have not begun, or failed,\nalso in a run that has ended, which then goes on behind them.", namedSteps, nil, nil,
		},
		{
			regiev1.Action_ACTION_KILL, "kill", "is killed", "would be killed", "Stop steps that run",
			"Stops what steps do. They fail with the error killed: their on_error takes it, and\nthey are tried again only if their retry names it.", namedSteps, nil, nil,
		},
		{
			regiev1.Action_ACTION_RUN_NOW, "run-now", "goes on", "would go on", "Do not wait for an instant",
			"Ends waits for an instant: of `wait`, before the next attempt, or before the next\nturn of a `repeat`.", insteadOfRun, nil, nil,
		},
		{
			regiev1.Action_ACTION_COMMENT, "comment", "has a note", "would have a note", "Write a note on a run",
			"Keeps the reason as a note among the events of runs and in the audit log.", insteadOfRun, nil, nil,
		},
	}
}

func fillOutput(f *actFlags, in *regiev1.ActRequest) error {
	if f.output == "" {
		return nil
	}
	if _, err := value.Parse([]byte(f.output)); err != nil {
		return usagef("--result is not valid JSON: %w", err)
	}
	in.Output = &regiev1.Json{Text: f.output}
	return nil
}

func fillError(f *actFlags, in *regiev1.ActRequest) error {
	in.ErrorName, in.ErrorMessage = f.errorName, f.message
	return nil
}
