package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/datadir"
	"github.com/regie-dev/regie/internal/server/offline"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// notInBackup says what else must be kept.
const notInBackup = `A backup is the database: definitions, runs with their data, users, the audit
log. What runs were given and gave is encrypted in it; definitions, names, hashes
of passwords and the audit log are not: guard it as you guard the server. Keep
besides, in another place than the backups:

  keys/kek           the key of the data folder, without which no backup can be
                     opened: copy it once, it never changes
  audit/key.pub, audit/checkpoints
                     what verifies exports of the log that were made until then
  logs/              what tasks printed, if you need it after a loss
  the configuration of the server, its certificate, its folder of secrets`

func (c *cli) backupCommand() *cobra.Command {
	var f remoteFlags
	var force bool
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Copy all that a server has, while it runs", GroupID: groupKeep,
		Long: `Writes a copy of all that a server has, as it is at one moment, to a file (- for
standard output), while it goes on. ` + "`regie restore`" + ` makes a server of it again;
` + "`regie verify --backup`" + ` checks it.

` + notInBackup,
		Example: `  regie backup regie-$(date +%F).backup
  regie verify --backup regie-2026-11-23.backup --key kek`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.newFile(args[0], force, true); err != nil {
				return err
			}
			r, err := c.connect(&f)
			if err != nil {
				return err
			}
			err = c.saveStream(cmd.Context(), args[0], force, "the backup", func(ctx context.Context) (*client.Download, error) {
				return r.system.Backup(ctx, &regiev1.BackupRequest{})
			})
			if err != nil {
				return r.answered(err)
			}
			c.sayf("it opens with the key of the server only: keep a copy of %s of the data folder elsewhere", datadir.KeyFile)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	f.defineServer(c, cmd)
	return cmd
}

const restoreHelp = `Makes the data folder of a server from a backup. Nothing that is there is
overwritten: a folder that has a database is refused, and so is a backup that is
damaged or of another key, before anything has changed.

The key is that of the original: its keys/kek, given with --key, or there already
because keys/ was copied.

Then start a server on the folder. Mind that
  - all is as it was at the backup: users and tokens too, so that those who were
    removed since are in again;
  - runs that had not ended go on, and what their steps have done since the
    backup is done again;
  - schedules catch up what they have missed since the backup;
  - the audit log begins anew, with a new key: the original may have signed what
    the backup does not have. The first entry says so. What the folder audit/ had
    is moved aside and verifies what was exported before. Give the new public key
    to those who verify, and each anchor a new place.
The original must not run any more.`

func (c *cli) restoreCommand() *cobra.Command {
	var data, key string
	cmd := &cobra.Command{
		Use: "restore FILE --data DIR", Short: "Make the data folder of a server from a backup", GroupID: groupKeep, Long: restoreHelp,
		Example: `  regie restore regie-2026-11-23.backup --data /var/lib/regie --key kek
  regie verify --data /var/lib/regie
  regie server --data /var/lib/regie`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := c.serverFolder(data)
			if err != nil {
				return err
			}
			backup, err := c.abs(args[0])
			if err != nil {
				return err
			}
			if key != "" {
				if key, err = c.abs(key); err != nil {
					return err
				}
			}
			r, err := offline.Restore(cmd.Context(), folder, backup, key)
			if err != nil {
				return restoreFailure(args[0], err)
			}
			c.printRestored(folder.Path, r)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder `DIR` to make")
	cmd.Flags().StringVar(&key, "key", "", "key of the original, from `FILE` (keys/kek of its data folder)")
	_ = cmd.MarkFlagFilename("key")
	_ = cmd.MarkFlagDirname("data")
	return cmd
}

// serverFolder is the data folder that a command works on without a server. It
// is always named: a command of this kind must not guess.
func (c *cli) serverFolder(data string) (offline.Folder, error) {
	if data == "" {
		return offline.Folder{}, usagef("--data is missing").withHint("name the data folder of the server")
	}
	path, err := c.abs(data)
	return offline.Folder{Path: path, Owner: c.owner(), Now: c.Clock.Now, Random: c.Random}, err
}

// restoreFailure says why a backup was not restored.
func restoreFailure(backup string, err error) error {
	const same = "nothing was changed"
	switch {
	case errors.Is(err, offline.ErrNoKey):
		return failf(exitInvalid, "no_key", "%w", err).withHint("give --key FILE: keys/kek of the data folder that the backup is of; %s", same)
	case errors.Is(err, store.ErrWrongKey):
		return failf(exitInvalid, "wrong_key", "%w", err).withHint("give the key of the data folder that the backup is of; %s", same)
	case errors.Is(err, fs.ErrExist):
		return failf(exitInvalid, "exists", "%w", err).withHint("%s", same)
	case errors.Is(err, fs.ErrNotExist):
		return failf(exitInvalid, "not_found", "%w", err)
	case errors.Is(err, store.ErrCorrupt):
		return failf(exitInvalid, "backup_invalid", "%s is no backup, or a damaged one: %w", backup, err).withHint("use another backup; %s", same)
	case errors.Is(err, datadir.ErrKey):
		return failf(exitInvalid, "key_invalid", "%w", err).withHint("%s", same)
	}
	return folderFailure(err)
}

func (c *cli) printRestored(folder string, r *offline.Restored) {
	if c.output == outputJSON {
		c.printJSON(value.Object(
			value.M("data", value.String(folder)), value.M("batches", value.Int(int64(r.Batch))), value.M("last_at", instant(r.LastAt)),
			value.M("incarnation", value.Int(int64(r.Incarnation))), value.M("live_runs", value.Int(int64(r.Live))),
			value.M("former_log", formerDocument(r.Aside, r.Former.Origin, r.Former.Size))))
		return
	}
	printf(c.Stdout, "%s was restored and verified: batches 1 to %d, the last of %s\n", diagVisible(folder), r.Batch, c.stamp(r.LastAt))
	if r.Live > 0 {
		printf(c.Stdout, "%s had not ended: they go on when a server starts\n", count(r.Live, "run"))
	}
	if r.Aside != "" {
		printf(c.Stdout, "key and checkpoints of the former audit log %s are in %s now\n", diagVisible(r.Former.Origin), diagVisible(r.Aside))
	}
	printf(c.Stdout, `the audit log goes on with a new key, which is made at the start: give it to those
who verify (regie audit key), and each anchor a new place
users and tokens are those of the backup: look whether some were removed since
`)
}

// formerDocument is a log that was set aside as JSON.
func formerDocument(aside, origin string, size uint64) value.Value {
	if aside == "" {
		return value.Null
	}
	return value.Object(value.M("moved_to", value.String(aside)), value.M("origin", value.String(origin)), value.M("batches", value.String(fmt.Sprint(size))))
}
