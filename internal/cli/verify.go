package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/server/offline"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) verifyCommand() *cobra.Command {
	var f remoteFlags
	var data, backup, key string
	cmd := &cobra.Command{
		Use: "verify", Short: "Check all that a server has stored", GroupID: groupKeep,
		Long: `Checks all that is stored: every record against the audit log, and the log against
everything that was signed. A server checks itself; --data checks a data folder
without asking the server, which may run; --backup checks a backup.

Whoever has the data folder with its keys can write another history that is sound
in itself: ` + "`regie audit verify --checkpoint`" + ` finds that with what was kept elsewhere.

Exit code 1 if something is wrong.`,
		Example: `  regie verify
  regie verify --data /var/lib/regie
  regie verify --backup regie.backup --key kek`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"data", "backup"} {
				if !cmd.Flags().Changed(name) {
					continue
				}
				if err := withoutEffect(cmd, "with --"+name, "context", "server", "token", "token-file"); err != nil {
					return err
				}
			}
			switch {
			case backup != "":
				return c.verifyBackup(cmd.Context(), backup, key)
			case key != "":
				return usagef("--key is for --backup")
			case data != "":
				return c.verifyFolder(cmd.Context(), data)
			}
			return c.verifyServer(cmd, &f)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "check this data folder `DIR`")
	cmd.Flags().StringVar(&backup, "backup", "", "check the backup in `FILE`")
	cmd.Flags().StringVar(&key, "key", "", "with --backup: its key, from `FILE` (keys/kek of the data folder)")
	cmd.MarkFlagsMutuallyExclusive("data", "backup")
	f.defineServer(c, cmd)
	return cmd
}

// verifyServer waits as long as it takes: a server with many runs reads all of
// them.
func (c *cli) verifyServer(cmd *cobra.Command, f *remoteFlags) error {
	r, err := c.connect(f)
	if err != nil {
		return err
	}
	answer, err := r.system.Verify(cmd.Context(), &regiev1.VerifyRequest{})
	if err != nil {
		return r.failure(err)
	}
	return c.verified(r.place.Server, answer, "")
}

func (c *cli) verifyFolder(ctx context.Context, data string) error {
	path, err := c.abs(data)
	if err != nil {
		return err
	}
	v, err := offline.Verify(ctx, path)
	if errors.Is(err, store.ErrNotFound) {
		return failf(exitInvalid, "not_found", "%w", err)
	}
	if err != nil {
		return folderFailure(err)
	}
	compared := ""
	if v.Kept.Checkpoints > 0 {
		compared = fmt.Sprintf("%s of the log %s", count(v.Kept.Checkpoints, "checkpoint"), v.Kept.Origin)
	}
	return c.verified(data, answerOf(v), compared)
}

func (c *cli) verifyBackup(ctx context.Context, backup, key string) error {
	if key == "" {
		return usagef("--key is missing").withHint("a backup does not have it: give keys/kek of the data folder that it is of")
	}
	paths := [2]string{backup, key}
	for i := range paths {
		var err error
		if paths[i], err = c.abs(paths[i]); err != nil {
			return err
		}
	}
	v, err := offline.VerifyBackup(ctx, paths[0], paths[1])
	if err != nil {
		return restoreFailure(backup, err)
	}
	return c.verified(backup, answerOf(v), "")
}

// answerOf is what a server would say.
func answerOf(v *offline.Verified) *regiev1.VerifyResponse {
	m := &regiev1.VerifyResponse{Ok: v.Fault == nil, Batches: v.Batches}
	if v.Fault != nil {
		m.Fault = v.Fault.Error()
	} else {
		m.Root = v.Root.String()
	}
	return m
}

// verified prints what a check has come to; compared says what with.
func (c *cli) verified(what string, m *regiev1.VerifyResponse, compared string) error {
	if c.output == outputJSON {
		c.printJSON(value.Object(
			value.M("ok", value.Bool(m.GetOk())), value.M("fault", value.String(m.GetFault())),
			value.M("batches", value.String(fmt.Sprint(m.GetBatches()))), value.M("root", value.String(m.GetRoot())), value.M("compared", value.String(compared))))
	} else {
		paint := view.Painter(c.color(c.Stdout))
		if m.GetOk() {
			printf(c.Stdout, "%s: %s\n", paint(view.StyleGood, "sound"), diagVisible(what))
			c.printField("batches", fmt.Sprint(m.GetBatches()))
			c.printField("root", m.GetRoot())
			c.printField("compared with", compared)
		} else {
			printf(c.Stdout, "%s: %s: %s\n", paint(view.StyleError, "not sound"), diagVisible(what), diagVisible(m.GetFault()))
		}
	}
	if !m.GetOk() {
		return ended(exitFailed)
	}
	return nil
}
