package cli

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/executor/supervised"
	"github.com/regie-dev/regie/internal/executor/supervised/supervisor"
)

const supervisorHelp = `Runs tasks for a server, and keeps them running when the server is restarted,
upgraded or killed. A server starts its supervisor by itself; start one yourself
to let tasks run as another user than the server (with --allow-uid), or, as
root, as users that steps name with run_as (with --run-as).

Asked to end (TERM, Ctrl-C), it takes no new tasks and ends with the last one.
To kill it loses the tasks that run: they are watched to their end and count
as lost.`

func (c *cli) supervisorCommand() *cobra.Command {
	var cfg supervisor.Config
	command := &cobra.Command{
		Use:    "supervisor --dir DIR",
		Short:  "Run tasks for a server, beyond its end",
		Long:   supervisorHelp,
		Hidden: true,
		Args:   arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Dir == "" {
				return usagef("--dir is missing").withHint("usage: %s", cmd.UseLine())
			}
			return c.supervise(cmd.Context(), cfg)
		},
	}
	flags := command.Flags()
	flags.StringVar(&cfg.Dir, "dir", "", "folder of the supervisor")
	flags.StringVar(&cfg.Work, "work", "", "folder of the tasks' files (default work in --dir)")
	flags.StringVar(&cfg.Socket, "socket", "", "socket to listen on (default in --dir)")
	flags.IntSliceVar(&cfg.UIDs, "allow-uid", nil, "user `ID` that may give it tasks, besides its own")
	flags.StringSliceVar(&cfg.RunAs, "run-as", nil, "`[NAMESPACE/]USER` that steps may name with run_as")
	flags.StringVar(&cfg.User, "user", "", "`USER` of tasks whose step names none (default its own)")
	flags.DurationVar(&cfg.Idle, "idle", 0*time.Second, "end after so long without tasks and callers")
	return command
}

func (c *cli) supervise(ctx context.Context, cfg supervisor.Config) error {
	for _, path := range []*string{&cfg.Dir, &cfg.Work, &cfg.Socket} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = c.abs(*path); err != nil {
			return err
		}
	}
	cfg.Environ = c.Environ()
	cfg.Build = c.Build.ID()
	cfg.Log = slog.New(slog.NewTextHandler(c.Stderr, nil))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.interrupted(ctx, func(int) { cancel() })()
	err := supervisor.Serve(ctx, cfg)
	switch {
	case errors.Is(err, supervisor.ErrLocked):
		return failf(supervised.LockedExit, "locked", "%w", err)
	case err != nil:
		return failf(exitInternal, "supervisor", "%w", err)
	}
	return nil
}
