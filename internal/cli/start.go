package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/calendar"
)

const startHelp = `Starts a run of a workflow on the server and prints its ID. When it is printed,
the run is on the server's disk.

--wait waits for its end and prints its result; --follow shows it meanwhile.
Ctrl-C then leaves, and the run goes on.

Exit code 0 if the run was accepted, or with --wait or --follow if it succeeded;
1 if it failed or was canceled, 2 if it could not be started because something is
not valid, 3 if the server cannot be reached.`

type startFlags struct {
	remoteFlags

	input, date, key, reason, version string
	held, wait, follow                bool
}

func (c *cli) startCommand() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use: "start WORKFLOW", Short: "Start a run on the server", Long: startHelp, GroupID: groupRemote,
		Example: `  regie start eod
  regie start eod --date 2026-03-02 --input '{"limit": 10}' --follow
  regie start payments/eod --key eod-2026-03-02 --wait --output json`,
		Args: arguments(1, 1, "WORKFLOW"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.start(cmd.Context(), &f, args[0]) },
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.input, "input", "", inputHelp)
	flags.StringVar(&f.date, "date", "", "business `DATE`, such as 2026-03-02")
	flags.StringVar(&f.key, "key", "", "`KEY` of the request: the same one gives the same run, for 30 days")
	flags.StringVar(&f.version, "version", "", "`VERSION` of the workflow, by default the one in force")
	flags.StringVar(&f.reason, "reason", "", reasonHelp)
	flags.BoolVar(&f.held, "held", false, "accept the run, and begin nothing until it is released")
	flags.BoolVar(&f.wait, "wait", false, "wait for the end, and print the result")
	flags.BoolVarP(&f.follow, "follow", "f", false, "show the run until its end")
	cmd.ValidArgsFunction = c.completeWorkflows(&f.remoteFlags)
	return cmd
}

func (c *cli) start(ctx context.Context, f *startFlags, workflow string) error {
	in := &regiev1.StartRunRequest{BusinessDate: f.date, IdempotencyKey: f.key, Held: f.held, Reason: f.reason, Version: f.version}
	if f.date != "" {
		if _, err := calendar.ParseDate(f.date); err != nil {
			return usagef("--date %s is not a date", f.date).withHint("write it as 2026-03-02")
		}
	}
	input, err := c.inputValue(f.input)
	if err != nil {
		return err
	}
	if !input.IsUndefined() {
		in.Input = &regiev1.Json{Text: input.String()}
	}
	r, err := c.connect(&f.remoteFlags)
	if err != nil {
		return err
	}
	in.Workflow = r.within(workflow)
	in.Namespace = r.namespace
	asking, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := r.runs.StartRun(asking, in)
	if err != nil {
		return r.failure(err)
	}
	run := answer.GetRun()
	if answer.GetExisting() {
		c.note("The same request with this key has started the run before.")
	}
	switch {
	case !f.wait && !f.follow && c.output == outputJSON:
		return c.printMessage(answer)
	case !f.follow && c.output != outputJSON:
		printf(c.Stdout, "%s\n", diagVisible(run.GetId()))
	}
	if !f.wait && !f.follow {
		return nil
	}
	return c.attend(ctx, r, run, f)
}

// attend waits for the end of a run.
func (c *cli) attend(ctx context.Context, r *remote, run *regiev1.Run, f *startFlags) error {
	watching, stop := c.untilLeft(ctx)
	defer stop()
	if f.held {
		c.note("It is held: regie release " + run.GetId())
	}
	err := c.followRun(watching, r, run, true, !f.follow)
	if left(watching) {
		return failf(exitFailed, "left", "left before the end of run %s, which goes on", run.GetId()).
			withHint("follow it again: regie watch %s", run.GetId())
	}
	if err != nil {
		return err
	}
	return c.finishRun(ctx, r, run.GetId(), false)
}

// note tells the user something beside the result.
func (c *cli) note(text string) { printf(c.Stderr, "%s\n", diagVisible(text)) }

// within takes the namespace off a name that has one, NAMESPACE/NAME, and looks
// there.
func (r *remote) within(name string) string {
	if namespace, rest, ok := strings.Cut(name, "/"); ok {
		r.namespace = namespace
		return rest
	}
	return name
}
