package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/client"
	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// defaultListed is how many items a list has that only grows.
const defaultListed = 50

// pageOf is how many items to ask for when so many are wanted.
func pageOf(wanted int) int32 { return int32(min(wanted, listPage)) }

// auditFilter is what `regie audit list` is asked for.
type auditFilter struct {
	m        regiev1.ListEntriesRequest
	from, to string
	limit    int
}

func (c *cli) auditListCommand() *cobra.Command {
	var f remoteFlags
	var q auditFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List who did what, newest first",
		Long: `Lists entries of the audit log, newest first: who did what, and what was denied.
That it was read is itself an entry. Times are dates, times, or how long ago.`,
		Example: `  regie audit list --actor user/ada --from 2026-11-23
  regie audit list --action run.cancel --namespace risk --from 24h
  regie audit list --object run/01k9zq3vy2f8 --output json`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.m.From, err = c.pastTime("from", q.from); err != nil {
				return err
			}
			if q.m.To, err = c.pastTime("to", q.to); err != nil {
				return err
			}
			if err := checkLimit(q.limit); err != nil {
				return err
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error { return c.auditList(ctx, r, &q) })
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&q.m.Namespace, "namespace", "n", "", "only of this `NAMESPACE`")
	flags.StringVar(&q.m.Actor, "actor", "", "only by this `ACTOR`, such as user/ada")
	flags.StringVar(&q.m.Action, "action", "", "only this `ACTION`, such as run.cancel")
	flags.StringVar(&q.m.Object, "object", "", "only about this `OBJECT`, such as run/ID or user/ada")
	flags.StringVar(&q.from, "from", "", "not before this `TIME`")
	flags.StringVar(&q.to, "to", "", "before this `TIME`")
	flags.IntVar(&q.limit, "limit", defaultListed, "list at most `N`")
	_ = cmd.RegisterFlagCompletionFunc("namespace", c.completeNamespaces(&f))
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) auditList(ctx context.Context, r *remote, q *auditFilter) error {
	all := &regiev1.ListEntriesResponse{}
	err := pages(func(token string) (string, error) {
		q.m.PageToken, q.m.PageSize = token, pageOf(q.limit-len(all.GetEntries()))
		page, err := r.audit.ListEntries(ctx, &q.m)
		all.Entries = append(all.Entries, page.GetEntries()...)
		if all.NextPageToken = page.GetNextPageToken(); len(all.GetEntries()) >= q.limit {
			return "", err
		}
		return page.GetNextPageToken(), err
	})
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		return c.printMessage(all)
	}
	t := view.Table{Head: []string{"ENTRY", "TIME", "ACTOR", "ACTION", "OUTCOME", "NAMESPACE", "OBJECT", "REASON"}}
	for _, e := range all.GetEntries() {
		style := ""
		if e.GetOutcome() != "done" {
			style = view.StyleWarning
		}
		id := store.EntryID{Batch: e.GetBatch(), Position: e.GetNumber()}
		t.Add(style, id.String(), c.when(e.GetAt()), e.GetActor(), e.GetAction(), e.GetOutcome(), cmp.Or(e.GetNamespace(), "-"), cmp.Or(e.GetObject(), "-"), e.GetReason())
	}
	c.printList(&t, len(all.GetEntries()), "no entries")
	if all.GetNextPageToken() != "" {
		c.sayf("there are more: --limit or --to shows them")
	}
	return nil
}

// parseEntry reads the place of an entry, such as 17/0.
func parseEntry(text string) (id store.EntryID, ok bool) {
	batch, number, both := strings.Cut(text, "/")
	b, err := strconv.ParseUint(batch, 10, 64)
	n, err2 := strconv.ParseUint(number, 10, 32)
	return store.EntryID{Batch: b, Position: uint32(n)}, both && err == nil && err2 == nil
}

func (c *cli) auditProveCommand() *cobra.Command {
	var f remoteFlags
	var file string
	var force bool
	cmd := &cobra.Command{
		Use: "prove ENTRY|RUN", Short: "Prove that an entry, or the events of a run, are in the log",
		Long: `Writes a proof that an entry of the audit log, such as 17/0, or the events of a
run, are in the log: ` + "`regie audit verify`" + ` checks it with the public key alone.`,
		Example: `  regie audit prove 17/0 --file proof.json
  regie audit verify proof.json --key key.pub`,
		Args: arguments(1, 1, "ENTRY or RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := &regiev1.ProveRequest{}
			if id, ok := parseEntry(args[0]); ok {
				m.Batch, m.Number = id.Batch, id.Position
			} else if m.Run = args[0]; !store.RunID(m.Run).Valid() {
				return usagef("%q is neither an entry, such as 17/0, nor the ID of a run", args[0]).withHint("`regie audit list` lists entries")
			}
			if file != "" {
				if err := c.newFile(file, force, false); err != nil {
					return err
				}
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.audit.Prove(ctx, m)
				if err != nil {
					return err
				}
				if file == "" { // the proof is a JSON document by itself
					printf(c.Stdout, "%s\n", strings.TrimRight(answer.GetProof(), "\n"))
					return nil
				}
				n, err := c.writeNew(file, force, func(w io.Writer) error {
					_, err := io.WriteString(w, answer.GetProof())
					return err
				})
				if err == nil {
					c.saved(file, "the proof", n)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "write the proof to `FILE`")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	f.defineServer(c, cmd)
	return cmd
}

// saveStream writes what a server streams to a file, and says how much it is.
// Whoever interrupts it leaves no file.
func (c *cli) saveStream(ctx context.Context, file string, force bool, what string, open func(ctx context.Context) (*client.Download, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.interrupted(ctx, func(int) { cancel() })()
	n, err := c.writeNew(file, force, func(w io.Writer) error {
		stream, err := open(ctx)
		if err != nil {
			return err
		}
		return copyBody(w, stream)
	})
	if ctx.Err() != nil && err != nil {
		return failf(exitFailed, "canceled", "interrupted: %s was not written", file)
	}
	if err != nil {
		return err
	}
	c.saved(file, what, n)
	return nil
}

// saved says that a file was written.
func (c *cli) saved(file, what string, n int64) {
	switch {
	case file == stdoutFile:
	case c.output == outputJSON:
		c.printJSON(value.Object(value.M("file", value.String(file)), value.M("bytes", value.Int(n))))
	default:
		printf(c.Stdout, "%s is in %s (%s)\n", what, diagVisible(file), byteText(n))
	}
}

// byteText is an amount of bytes as people read it.
func byteText(n int64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}

func (c *cli) auditExportCommand() *cobra.Command {
	var f remoteFlags
	var from uint64
	var force bool
	cmd := &cobra.Command{
		Use: "export FILE", Short: "Write all that verifies the log without the server",
		Long: `Writes the audit log with its checkpoints to a file (- for standard output), which
` + "`regie audit verify`" + ` checks with the public key alone, on any machine.`,
		Example: `  regie audit key > key.pub
  regie audit export audit.jsonl
  regie audit verify audit.jsonl --key key.pub`,
		Args: arguments(1, 1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.newFile(args[0], force, false); err != nil {
				return err
			}
			r, err := c.connect(&f)
			if err != nil {
				return err
			}
			return r.answered(c.saveStream(cmd.Context(), args[0], force, "the log", func(ctx context.Context) (*client.Download, error) {
				return r.audit.Export(ctx, &regiev1.ExportRequest{From: from})
			}))
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "begin with this `BATCH`, not with the first")
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) auditCheckpointCommand() *cobra.Command {
	var f remoteFlags
	m := &regiev1.GetCheckpointRequest{}
	cmd := &cobra.Command{
		Use: "checkpoint", Short: "Print the signed state of the log",
		Long: `Prints the signed state of the log, now: whoever keeps it finds every later change
of what it covers (` + "`regie audit verify --checkpoint FILE`" + `). Where it was anchored is
said on standard error.`,
		Example: "  regie audit checkpoint > checkpoint-$(date +%F).txt",
		Args:    arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.audit.GetCheckpoint(ctx, m)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				printf(c.Stdout, "%s", visibleNote(answer.GetCheckpoint()))
				for _, a := range answer.GetAnchored() {
					said := fmt.Sprintf("has %d batches since %s", a.GetSize(), c.when(a.GetAt()))
					if a.GetError() != "" {
						said = a.GetError()
					}
					c.sayf("anchor %s %s: %s", a.GetKind(), a.GetTarget(), said)
				}
				if len(answer.GetAnchored()) == 0 {
					c.sayf("no anchor has it: keep it where administrators of the server cannot change it")
				}
				return nil
			})
		},
	}
	cmd.Flags().Uint64Var(&m.OldSize, "old-size", 0, "with --output json: prove that the log continues that of `N` batches")
	f.defineServer(c, cmd)
	return cmd
}

// visibleNote makes a signed note harmless; what is one is not changed by it.
func visibleNote(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		body, ended := strings.CutSuffix(line, "\n")
		if lines[i] = diagVisible(body); ended {
			lines[i] += "\n"
		}
	}
	return strings.Join(lines, "")
}

func (c *cli) auditKeyCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "key", Short: "Print the public key of the log",
		Long: `Prints the public key of the log, which ` + "`regie audit verify`" + ` needs. Whoever
verifies keeps it apart from the log, and gets it once, from somebody they trust.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.audit.GetCheckpoint(ctx, &regiev1.GetCheckpointRequest{})
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					c.printJSON(value.Object(value.M("public_key", value.String(answer.GetPublicKey()))))
					return nil
				}
				printf(c.Stdout, "%s\n", diagVisible(answer.GetPublicKey()))
				return nil
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}
