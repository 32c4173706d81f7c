package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

func (c *cli) whyCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "why RUN[/STEP]", Short: "Say why a run or step is where it is", GroupID: groupRemote,
		Long: `Says of a run, and of each step that has not ended, what it waits for: each
condition, met (✓) or not (✗), and who or what can change it. With a STEP it is
about that one, whatever its state.`,
		Example: `  regie why 01k9zq3v
  regie why 01k9zq3v/settle[3]`,
		Args: arguments(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				run, step, _ := strings.Cut(args[0], "/")
				answer, err := r.runs.Explain(ctx, &regiev1.ExplainRequest{Namespace: r.namespace, Run: run, Step: step})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				c.printWhy(answer, step)
				return nil
			})
		},
	}
	f.define(c, cmd)
	cmd.ValidArgsFunction = c.completeRemoteRuns(&f)
	return cmd
}

func (c *cli) printWhy(answer *regiev1.ExplainResponse, step string) {
	if step == "" {
		c.printExplained("run "+answer.GetRun(), answer.GetState(), answer.GetReason(), answer.GetConditions())
	}
	for _, s := range answer.GetSteps() {
		c.printExplained(s.GetPath(), s.GetState(), s.GetReason(), s.GetConditions())
	}
}

// printExplained prints a line for what is explained, and one for each of its
// conditions.
func (c *cli) printExplained(what, state, reason string, conditions []*regiev1.Condition) {
	paint := view.Painter(c.color(c.Stdout))
	line := diagVisible(what) + " is " + diagVisible(state)
	if reason != "" && reason != state {
		line += " (" + diagVisible(strings.ReplaceAll(reason, "_", " ")) + ")"
	}
	printf(c.Stdout, "%s\n", paint(view.StyleBold, line))
	for _, condition := range conditions {
		mark := paint(view.StyleBad, "✗")
		if condition.GetMet() {
			mark = paint(view.StyleGood, "✓")
		}
		printf(c.Stdout, "  %s %s%s\n", mark, diagVisible(condition.GetText()), paint(view.StyleFaint, c.conditionTimes(condition)))
	}
}

// conditionTimes says since when a condition is as it is, and when it should
// change.
func (c *cli) conditionTimes(condition *regiev1.Condition) string {
	var parts []string
	if at := condition.GetExpected(); at != nil && !condition.GetMet() {
		parts = append(parts, "expected "+c.clockTime(at))
	}
	if at := condition.GetSince(); at != nil && !strings.Contains(condition.GetText(), " since ") {
		parts = append(parts, "since "+c.clockTime(at))
	}
	if len(parts) == 0 {
		return ""
	}
	return "  (" + strings.Join(parts, ", ") + ")"
}

// clockTime is an instant as short as it can be said: today without the date.
func (c *cli) clockTime(t *timestamppb.Timestamp) string {
	at, now := t.AsTime().In(c.zone()), c.Clock.Now().In(c.zone())
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(timeForm)
}
