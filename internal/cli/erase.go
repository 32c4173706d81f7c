package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

type eraseFlags struct {
	remoteFlags

	reason      string
	dryRun, yes bool
}

// eraseCommand is `regie runs erase`.
func (c *cli) eraseCommand() *cobra.Command {
	var f eraseFlags
	cmd := &cobra.Command{
		Use: "erase RUN", Short: "Destroy the data and logs of a run that has ended",
		Long: `Destroys the inputs, outputs, results, messages and logs of a run that has
ended, for good: the key that they are encrypted with is destroyed as well, and
what the archive has of the run. That the run was there, its steps, states and
times stay, and so does the proof of them in the audit log. It cannot be tried again any more.

To erase a run again changes nothing. Backups made before still hold its data;
what else does, the server's documentation lists. The reason stays in the audit
log: give the number of the request rather than a name.`,
		Example: `  regie runs erase 01k9zq3v --reason "request 2026-117" --dry-run
  regie runs erase 01k9zq3v --reason "request 2026-117"`,
		Args: arguments(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.reason == "" {
				return usagef("--reason is missing").withHint("say why, for the audit log, such as --reason \"request 2026-117\"")
			}
			return c.call(cmd, &f.remoteFlags, func(ctx context.Context, r *remote) error { return c.erase(ctx, r, &f, args[0]) })
		},
	}
	f.define(c, cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.reason, "reason", "", "why, as `TEXT` for the audit log")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be destroyed, and do nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.ValidArgsFunction = c.completeRemoteRuns(&f.remoteFlags)
	return cmd
}

func (c *cli) erase(ctx context.Context, r *remote, f *eraseFlags, run string) error {
	in := &regiev1.EraseRunRequest{Namespace: r.namespace, Run: run, Reason: f.reason, DryRun: true}
	would, err := r.runs.EraseRun(ctx, in)
	if err != nil {
		return err
	}
	if f.dryRun {
		return c.done(would, "%s", erasedText(would, "would be erased"))
	}
	if _, _, terminal := c.Terminal(c.Stderr); terminal && !f.yes && !would.GetExisting() {
		question := fmt.Sprintf("%s; nobody can undo it. Erase it? [y/N] ", erasedText(would, "would be erased"))
		answer, asked, err := c.prompt(question, false)
		if err != nil {
			return err
		}
		if asked && !yes(answer) {
			printf(c.Stderr, "Nothing was done.\n")
			return ended(exitFailed)
		}
	}
	in.Run, in.DryRun = would.GetRun(), false
	done, err := r.runs.EraseRun(ctx, in)
	if err != nil {
		return err
	}
	return c.done(done, "%s", erasedText(done, "was erased"))
}

// erasedText says what an erasure took away, or would.
func erasedText(m *regiev1.EraseRunResponse, what string) string {
	logs := count(int(m.GetLogs()), "log")
	if n := m.GetCopies(); n > 0 {
		logs += ", " + count(int(n), "archived file")
	}
	if m.GetExisting() {
		return fmt.Sprintf("run %s was erased before; left of it: %s", m.GetRun(), logs)
	}
	return fmt.Sprintf("run %s %s: data of %s, %s", m.GetRun(), what, count(int(m.GetEvents()), "event"), logs)
}
