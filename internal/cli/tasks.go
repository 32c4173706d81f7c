package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/duration"
)

// wherever stands for the namespace of the run that a token is of.
const wherever = "-"

// workHelp says how commands are given the token of work.
const workHelp = `

TOKEN is what take printed, or what the step sent; - reads it from standard
input, where others on this machine do not see it.`

// taskCommand is `regie task`.
func (c *cli) taskCommand() *cobra.Command {
	return family("task", "Do work of steps that is done outside",
		"Takes work that steps offer to the workers of an activity, and says how work went\nthat waits for a message with its token.", groupRemote,
		c.takeTaskCommand(), c.completeTaskCommand(), c.heartbeatTaskCommand())
}

func (c *cli) takeTaskCommand() *cobra.Command {
	var f remoteFlags
	var worker, wait string
	cmd := &cobra.Command{
		Use: "take ACTIVITY", Short: "Take work of an activity",
		Long: `Takes the oldest work that a step offers to the activity and nobody has taken, and
prints it as JSON with its token and input. ACTIVITY is a name, or a whole ARN.

Exit code 1 if there is none until the end of the wait.`,
		Example: "  regie task take pack --worker pack-7 --wait 20s",
		Args:    arguments(1, 1, "ACTIVITY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			length, err := duration.Parse(wait)
			if err != nil {
				return usagef("--wait %q is not a length of time", wait).withHint("write 20s, at most 60s")
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.calls.Tasks.TakeTask(ctx, &regiev1.TakeTaskRequest{
					Namespace: r.namespace, Activity: args[0], Worker: worker, Wait: durationpb.New(length),
				})
				if err != nil {
					return err
				}
				if answer.GetTask() == nil {
					c.note("there is no work for the activity " + args[0])
					return ended(exitFailed)
				}
				return c.printMessage(answer.GetTask())
			})
		},
	}
	f.define(c, cmd)
	cmd.Flags().StringVar(&worker, "worker", "", "`NAME` of the worker, as others will see it; by default yours")
	cmd.Flags().StringVar(&wait, "wait", "0s", "how `LONG` to wait for work, at most 60s")
	return cmd
}

func (c *cli) completeTaskCommand() *cobra.Command {
	var f remoteFlags
	var result, details string
	var failure regiev1.TaskError
	cmd := &cobra.Command{
		Use: "complete TOKEN", Short: "End work, with its result or an error",
		Long: "Ends the work that the token is of: with its result, or with --error. It is on\nrecord once the command has ended." + workHelp,
		Example: `  regie task complete TOKEN --result '{"parcels": 3}'
  regie task complete TOKEN --error Busy --message "no room until noon"`,
		Args: arguments(1, 1, "TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if failure.GetName() == "" && (failure.GetMessage() != "" || details != "") {
				return usagef("--message and --details are about an error: --error NAME is missing")
			}
			in := &regiev1.CompleteTaskRequest{Namespace: wherever}
			var err error
			if in.Output, err = c.jsonGiven("result", result); err != nil {
				return err
			}
			if failure.GetName() != "" {
				in.Error = &failure
				if failure.Details, err = c.jsonGiven("details", details); err != nil {
					return err
				}
			}
			if in.Token, err = c.taskToken(args[0]); err != nil {
				return err
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.calls.Tasks.CompleteTask(ctx, in)
				if err != nil {
					return err
				}
				return c.done(answer, "%s of run %s goes on with it", cmp.Or(answer.GetPath(), "the step"), answer.GetRun())
			})
		},
	}
	f.defineServer(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&result, "result", "", "what came of it, as `JSON`, or @FILE; by default null")
	flags.StringVar(&failure.Name, "error", "", "the work failed: `NAME` of the error, which the workflow may handle")
	flags.StringVar(&failure.Message, "message", "", "`TEXT` of the error")
	flags.StringVar(&details, "details", "", "details of the error, as `JSON`, or @FILE")
	cmd.MarkFlagsMutuallyExclusive("result", "error")
	return cmd
}

func (c *cli) heartbeatTaskCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "heartbeat TOKEN", Short: "Say that work goes on",
		Long: "Says that the work goes on: the time until the next heartbeat is due begins anew." + workHelp,
		Args: arguments(1, 1, "TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := c.taskToken(args[0])
			if err != nil {
				return err
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.calls.Tasks.HeartbeatTask(ctx, &regiev1.HeartbeatTaskRequest{Namespace: wherever, Token: token})
				if err != nil {
					return err
				}
				return c.done(answer, "the work goes on")
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

// taskToken is the token that an argument gives.
func (c *cli) taskToken(argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	text, err := readAll("standard input", c.Stdin, maxToken)
	return strings.TrimSpace(string(text)), err
}

// jsonGiven is a value for the API from a flag, nil if it is not given.
func (c *cli) jsonGiven(flag, text string) (*regiev1.Json, error) {
	v, err := c.jsonOrFile(flag, text)
	if err != nil || v.IsUndefined() {
		return nil, err
	}
	return &regiev1.Json{Text: v.String()}, nil
}
