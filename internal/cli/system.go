package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/duration"
	"github.com/regie-dev/regie/internal/server/offline"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// systemCommand is `regie system`.
func (c *cli) systemCommand() *cobra.Command {
	return family("system", "See and end a server", "Shows how a server stands, and has it end.", groupKeep, c.infoCommand(), c.drainCommand())
}

func (c *cli) infoCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "info", Short: "Show how the server stands", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				m, err := r.system.GetInfo(ctx, &regiev1.GetInfoRequest{})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(m)
				}
				c.printField("server", r.place.Server)
				c.printField("version", m.GetVersion())
				c.printField("installation", m.GetInstallation())
				c.printField("environment", m.GetEnvironment())
				c.printField("started", c.when(m.GetStartedAt()))
				c.printField("position", fmt.Sprint(m.GetPosition()))
				if u := m.GetUsage(); u != nil {
					c.printField("data", fmt.Sprintf("%s: database %s, logs %s; measured %s", byteText(u.GetDatabaseBytes()+u.GetLogsBytes()+u.GetOtherBytes()),
						byteText(u.GetDatabaseBytes()), byteText(u.GetLogsBytes()), c.when(u.GetMeasuredAt())))
				}
				if m.GetDraining() {
					c.printField("state", "draining: it takes no more runs")
				}
				c.printField("warnings", strings.Join(m.GetWarnings(), "\n"))
				return nil
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) drainCommand() *cobra.Command {
	var f remoteFlags
	var wait string
	cmd := &cobra.Command{
		Use: "drain", Short: "Have the server take no more runs, and end",
		Long: `Has the server take no more runs, and end when those that are there have ended or
the time is over. What has not ended goes on at the next start.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := &regiev1.DrainRequest{}
			if wait != "" {
				d, err := duration.Parse(wait)
				if err != nil {
					return usagef("--wait %q is not a length of time", wait).withHint("write 10m or 90s")
				}
				m.Seconds = int32(min((d+time.Second-1)/time.Second, 1<<31-1))
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.system.Drain(ctx, m)
				if err != nil {
					return err
				}
				return c.done(answer, "%s takes no more runs, and ends", r.place.Server)
			})
		},
	}
	cmd.Flags().StringVar(&wait, "wait", "", "`TIME` that runs may take to end, such as 10m; by default none")
	f.defineServer(c, cmd)
	return cmd
}

// adminCommand is `regie admin`.
func (c *cli) adminCommand() *cobra.Command {
	return family("admin", "Repair the data folder of a server that does not run",
		"Works on the data folder of a server that does not run. What is done is on record\nin its audit log.", groupKeep,
		c.resetCommand(), c.acceptLossCommand())
}

func (c *cli) resetCommand() *cobra.Command {
	var data, user string
	cmd := &cobra.Command{
		Use: "reset --data DIR", Short: "Get in again when all admins are lost",
		Long: `Makes a user an admin, or makes one, and prints an admin token for them, which is
good once within a day: ` + "`regie context login`" + ` takes it. Their password, sessions and
tokens end, for others may know them.`,
		Example: "  regie admin reset --data /var/lib/regie",
		Args:    arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := c.serverFolder(data)
			if err != nil {
				return err
			}
			secret, err := offline.Reset(cmd.Context(), folder, user)
			var refused *access.Error
			switch {
			case errors.As(err, &refused):
				return failf(exitInvalid, "refused", "%s", refused.Text).withHint("%s", refused.Hint)
			case errors.Is(err, store.ErrNotFound):
				return failf(exitInvalid, "not_found", "%w", err)
			case err != nil:
				return folderFailure(err)
			}
			if c.output == outputJSON {
				c.printJSON(value.Object(value.M("user", value.String(user)), value.M("admin_token", value.String(secret))))
				return nil
			}
			c.sayf("user %s is an admin; the admin token, good once within %s:", user, duration.Format(access.AdminTokenLife))
			printf(c.Stdout, "%s\n", secret)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder `DIR` of the server")
	cmd.Flags().StringVar(&user, "user", access.FirstAdmin, "`NAME` of the user")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

func (c *cli) acceptLossCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use: "accept-loss --data DIR", Short: "Go on with a database that has lost its newest data",
		Long: `Opens a database that lacks batches which were committed, as after a disk that did
not keep what it said it had, or after an old copy was put in place by hand. What
is lost stays lost: whoever has a backup that is newer restores it instead. What
is left is verified first. Where the log does not continue what was signed, it
begins anew, as after ` + "`regie restore`" + `, whose help says what else to mind.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, err := c.serverFolder(data)
			if err != nil {
				return err
			}
			a, err := offline.AcceptLoss(cmd.Context(), folder)
			switch {
			case errors.Is(err, offline.ErrSound):
				return failf(exitInvalid, "sound", "%w: %s has all that was committed", err, data).withHint("nothing was changed")
			case errors.Is(err, store.ErrNotFound):
				return failf(exitInvalid, "not_found", "%w", err)
			case err != nil:
				return folderFailure(err)
			}
			if c.output == outputJSON {
				c.printJSON(value.Object(value.M("batches", value.Int(int64(a.Batch))), value.M("loss", value.String(a.Loss)),
					value.M("former_log", formerDocument(a.Aside, a.Former.Origin, a.Former.Size))))
				return nil
			}
			printf(c.Stdout, "%s goes on behind batch %d; lost: %s\n", diagVisible(data), a.Batch, diagVisible(a.Loss))
			if a.Aside != "" {
				printf(c.Stdout, "the audit log begins anew; what the former one has signed is in %s\n", a.Aside)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder `DIR` of the server")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}
