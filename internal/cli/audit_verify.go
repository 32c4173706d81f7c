package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/auditlog/evidence"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/store"
	"github.com/regie-dev/regie/internal/value"
)

// maxKeyFile is the longest file of a public key, in bytes.
const maxKeyFile = 4 << 10

// verification is what `regie audit verify` was asked to do.
type verification struct {
	document  string
	key       string
	kept      []string
	tolerance time.Duration
}

// auditCommand is `regie audit`.
func (c *cli) auditCommand() *cobra.Command {
	return family("audit", "See, prove and verify the audit log", "Lists who did what, and proves that nothing of it was rewritten.", groupAccess,
		c.auditListCommand(), c.auditProveCommand(), c.auditExportCommand(), c.auditCheckpointCommand(), c.auditKeyCommand(), c.auditVerifyCommand())
}

func (c *cli) auditVerifyCommand() *cobra.Command {
	var v verification
	cmd := &cobra.Command{
		Use:   "verify EXPORT|PROOF --key FILE",
		Short: "Verify an export of the audit log, or a proof, without a server",
		Long: `Verifies a file that ` + "`regie audit export`" + ` or ` + "`regie audit prove`" + ` wrote. It
needs the file and the public key of the log, and asks nobody.

It computes every hash again, checks every signature, and that nothing is
missing, doubled, moved or changed. What is wrong is named with its batch; what
the file cannot tell is said too.

Whoever has the private key can write another log that is sound in itself. That
is found with a checkpoint that was kept elsewhere before: give each with
--checkpoint, as an anchor wrote or received it.

Exit code 1 if something is wrong.`,
		Example: `  regie audit verify audit.jsonl --key key.pub
  regie audit verify audit.jsonl --key key.pub --checkpoint /mnt/worm/checkpoints
  regie audit verify proof.json --key key.pub --output json`,
		Args: arguments(1, 1, "EXPORT or PROOF"),
		RunE: func(_ *cobra.Command, args []string) error {
			v.document = args[0]
			return c.auditVerify(&v)
		},
	}
	cmd.Flags().StringVar(&v.key, "key", "", "public key of the log, from `FILE` (audit/key.pub of the data folder)")
	cmd.Flags().StringArrayVar(&v.kept, "checkpoint", nil, "checkpoints that were kept elsewhere, from `FILE`; may be given again")
	cmd.Flags().DurationVar(&v.tolerance, "tolerance", evidence.DefaultTolerance, "how far the time of a batch may lie before that of an earlier one")
	_ = cmd.MarkFlagFilename("key")
	_ = cmd.MarkFlagFilename("checkpoint")
	return cmd
}

func (c *cli) auditVerify(v *verification) error {
	if v.key == "" {
		return usagef("--key is missing").withHint("the auditor keeps the public key apart from the log: the server has it in audit/key.pub of its data folder")
	}
	if v.tolerance <= 0 {
		return usagef("--tolerance must be more than 0")
	}
	text, err := c.readFile(v.key, maxKeyFile)
	if err != nil {
		return err
	}
	opts := evidence.Options{Tolerance: v.tolerance}
	if opts.Key, err = evidence.ParseKey(string(text)); err != nil {
		return failf(exitInvalid, "key_invalid", "%s: %w", v.key, err)
	}
	for _, path := range v.kept {
		kept, err := c.readKept(path, opts.Key)
		if err != nil {
			return err
		}
		opts.Kept = append(opts.Kept, kept...)
	}
	file, err := c.openFile(v.document)
	if err != nil {
		return err
	}
	defer file.Close()
	report, err := evidence.Verify(file, opts)
	if err != nil {
		return failf(exitInternal, "unreadable", "%s cannot be read: %w", v.document, err)
	}
	if c.output == outputJSON {
		c.printJSON(reportDocument(report))
	} else {
		c.printReport(v.document, report)
	}
	if report.Fault != nil {
		return ended(exitFailed)
	}
	return nil
}

// openFile opens a file of any size.
func (c *cli) openFile(path string) (*os.File, error) {
	abs, err := c.abs(path)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(abs)
	if err != nil {
		return nil, openFailure(path, abs, err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(failf(exitInvalid, "unreadable", "%s is a folder, not a file", path), file.Close())
	}
	return file, nil
}

// readKept reads checkpoints that were kept elsewhere. One that is not of the
// log is a finding.
func (c *cli) readKept(path string, key evidence.Key) ([]evidence.Kept, error) {
	file, err := c.openFile(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	kept, torn, err := evidence.ReadKept(path, file, key)
	if errors.Is(err, evidence.ErrKept) {
		return nil, failf(exitFailed, "checkpoint_invalid", "%w", err).
			withHint("either it is of another log, or it or the key is not what it was")
	}
	if err != nil {
		return nil, failf(exitInternal, "unreadable", "%w", err)
	}
	if torn > 0 {
		c.warn(fmt.Sprintf("%s: %s are no checkpoints, and were passed over", path, count(torn, "line")))
	}
	return kept, nil
}

// printReport prints what came of a verification for people.
func (c *cli) printReport(name string, r *evidence.Report) {
	paint := view.Painter(c.color(c.Stdout))
	if f := r.Fault; f != nil {
		where := diagVisible(name)
		if f.Line > 0 {
			where = fmt.Sprintf("%s, line %d", where, f.Line)
		}
		printf(c.Stdout, "%s: %s: %s\n", paint(view.StyleError, "not sound"), where, diagVisible(f.String()))
		return
	}
	printf(c.Stdout, "%s: %s of the log %s\n", paint(view.StyleGood, "sound"), r.Kind, diagVisible(r.Origin))
	field := func(name, format string, args ...any) {
		printf(c.Stdout, "  %-12s %s\n", name, diagVisible(fmt.Sprintf(format, args...)))
	}
	switch {
	case r.Entry != nil:
		c.printEntry(field, r.Entry)
	case r.Run != "":
		field("run", "%s, events 1 to %d", r.Run, r.Events)
		field("time", "%s to %s", c.stamp(r.FirstAt), c.stamp(r.LastAt))
	case r.Size >= r.From:
		field("batches", "%d to %d", r.From, r.Size)
		field("time", "%s to %s", c.stamp(r.FirstAt), c.stamp(r.LastAt))
		entries := fmt.Sprint(r.Entries)
		if r.Forgotten > 0 {
			entries += fmt.Sprintf(", %d of them without their text", r.Forgotten)
		}
		field("entries", "%s", entries)
		field("records", "%d, and %d other items", r.Records, r.Items-r.Entries)
	default:
		field("batches", "none")
	}
	field("checkpoints", "%d, and %d kept elsewhere", r.Checkpoints, r.Compared)
	if len(r.Limits) > 0 {
		printf(c.Stdout, "It does not tell:\n")
		for _, limit := range r.Limits {
			printf(c.Stdout, "  %s\n", diagVisible(limit))
		}
	}
}

// printEntry prints the entry that a proof proves.
func (c *cli) printEntry(field func(name, format string, args ...any), e *store.Entry) {
	field("entry", "%s", e.ID)
	field("time", "%s", c.stamp(e.At))
	for _, part := range entryParts(e) {
		if part.text != "" {
			field(part.name, "%s", part.text)
		}
	}
}

// entryPart is a member of an entry.
type entryPart struct{ name, text string }

func entryParts(e *store.Entry) []entryPart {
	return []entryPart{
		{"actor", e.Actor}, {"via", e.Via}, {"action", e.Action}, {"namespace", e.Namespace}, {"object", e.Object},
		{"outcome", e.Outcome}, {"reason", e.Reason}, {"request", e.Request}, {"detail", string(e.Detail)},
	}
}

// stamp is a time as people read it.
func (c *cli) stamp(t time.Time) string {
	return strings.TrimSuffix(t.In(c.zone()).Format("2006-01-02 15:04:05.000"), ".000")
}

// reportDocument is what came of a verification as JSON.
func reportDocument(r *evidence.Report) value.Value {
	number := func(n uint64) value.Value { return value.Int(int64(n)) }
	fault, entry, run := value.Null, value.Null, value.Null
	if f := r.Fault; f != nil {
		fault = value.Object(value.M("line", value.Int(int64(f.Line))), value.M("first_batch", number(f.First)),
			value.M("last_batch", number(f.Last)), value.M("message", value.String(f.What)))
	}
	if e := r.Entry; e != nil {
		members := []value.Member{value.M("batch", number(e.ID.Batch)), value.M("number", number(uint64(e.ID.Position))), value.M("at", instant(e.At))}
		for _, part := range entryParts(e) {
			members = append(members, value.M(part.name, value.String(part.text)))
		}
		entry = value.Object(members...)
	}
	if r.Run != "" {
		run = value.Object(value.M("id", value.String(r.Run)), value.M("events", number(r.Events)))
	}
	limits := make([]value.Value, len(r.Limits))
	for i, limit := range r.Limits {
		limits[i] = value.String(limit)
	}
	return value.Object(
		value.M("ok", value.Bool(r.Fault == nil)), value.M("fault", fault),
		value.M("kind", value.String(r.Kind)), value.M("origin", value.String(r.Origin)),
		value.M("first_batch", number(r.From)), value.M("last_batch", number(r.Size)),
		value.M("first_at", instant(r.FirstAt)), value.M("last_at", instant(r.LastAt)),
		value.M("records", number(r.Records)), value.M("items", number(r.Items)),
		value.M("entries", number(r.Entries)), value.M("forgotten", number(r.Forgotten)),
		value.M("checkpoints", value.Int(int64(r.Checkpoints))), value.M("compared", value.Int(int64(r.Compared))),
		value.M("limits", value.List(limits...)), value.M("entry", entry), value.M("run", run))
}
