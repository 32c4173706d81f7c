package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/duration"
)

// flagNone is the value of a flag that takes back what was set.
const flagNone = "none"

// adjustActions are the commands that change when runs and steps begin.
func adjustActions() []action {
	condition := func(flags *pflag.FlagSet, f *actFlags) {
		flags.StringArrayVar(&f.conditions, "condition", nil, "`NAME[@DATE]` of a condition; without a date it has that of the run; can be repeated")
	}
	return []action{
		{
			regiev1.Action_ACTION_ADD_WAIT, "add-wait", "waits for more", "would wait for more", "Have steps wait for conditions too",
			`Has steps that have not begun wait for conditions that their workflow does not
name; also when they are tried again. drop-wait takes that back.`, namedSteps, condition, fillConditions, nil, nil,
		},
		{
			regiev1.Action_ACTION_DROP_WAIT, "drop-wait", "waits for less", "would wait for less", "Have steps not wait for conditions",
			`Has steps not wait for conditions: those that add-wait added, or their own, once
they wait for them. Steps that they need are dropped by force --prerequisite.`, namedSteps, condition, fillConditions, nil, nil,
		},
		{
			regiev1.Action_ACTION_SET_PRIORITY, "set-priority", "has the priority", "would have the priority", "Change who comes first of those that wait",
			`Changes the priority with which runs, or steps of them and what is inside those,
wait for limits: higher ones come first. It holds at once, and for what begins
later, until --priority none has what the workflow says hold again.`, insteadOfRun,
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringVar(&f.priority, "priority", "", "`N`, higher ones first; none for what the workflow says")
			}, fillPriority, nil, nil,
		},
		{
			regiev1.Action_ACTION_SET_DEADLINE, "set-deadline", "has the deadline", "would have the deadline", "Change by when runs should end",
			`Changes by when runs should end. Of those that wait for a limit with the same
priority the one comes first that must begin first to be in time; a run that is
not in time is late, and has an alert.`, "",
			func(flags *pflag.FlagSet, f *actFlags) {
				flags.StringVar(&f.finishBy, "finish-by", "", "`TIME`, such as 2026-11-23T18:00, or how long from now: 90m; none for no deadline")
			}, fillDeadline, nil, nil,
		},
	}
}

func fillConditions(_ *cli, f *actFlags, in *regiev1.ActRequest) error {
	if len(f.conditions) == 0 {
		return usagef("--condition is missing").withHint("write --condition NAME, or --condition NAME@2026-11-23")
	}
	for _, text := range f.conditions {
		name, date, dated := strings.Cut(text, "@")
		if name == "" || dated && date == "" {
			return usagef("--condition %q is not NAME or NAME@DATE", text).withHint("write --condition ledger-closed@2026-11-23")
		}
		in.Conditions = append(in.Conditions, &regiev1.WaitCondition{Name: name, Date: date})
	}
	return nil
}

func fillPriority(_ *cli, f *actFlags, in *regiev1.ActRequest) error {
	if f.priority == flagNone {
		return nil
	}
	n, err := strconv.ParseInt(f.priority, 10, 32)
	if err != nil {
		return usagef("--priority %q is no whole number", f.priority).withHint("write one such as 10 or -5, or none for what the workflow says")
	}
	priority := int32(n)
	in.Priority = &priority
	return nil
}

func fillDeadline(c *cli, f *actFlags, in *regiev1.ActRequest) (err error) {
	switch _, length := duration.Parse(f.finishBy); {
	case f.finishBy == flagNone:
	case length == nil:
		in.FinishBy, err = c.after("finish-by", f.finishBy)
	default:
		in.FinishBy = c.instant(f.finishBy)
		if in.GetFinishBy() == nil {
			err = usagef("--finish-by %q is not a time", f.finishBy).withHint("write 2026-11-23T18:00, how long from now: 90m, or none")
		}
	}
	return err
}
