package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

const applyHelp = `Sends definitions to the server with the files that they bundle. The server
checks all of them and stores what changed, or nothing if anything is wrong. Of a
folder, all definitions at any depth are sent.

State machines in Amazon States Language (*.asl.json) are sent with their
resources file, which says what their functions and services are on the server,
and whether they are standard or express.

--dry-run checks and says what would change. --prune removes, beside that, what
carries the label and is not among the definitions any more: put the label on
everything that one folder holds.

Exit code 2 if something is an error; nothing was stored then.`

type applyFlags struct {
	remoteFlags
	dialectFlags

	dryRun        bool
	prune, reason string
}

func (c *cli) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use: "apply FILE|DIR...", Short: "Store definitions on the server", Long: applyHelp, GroupID: groupRemote,
		Example: `  regie apply eod.yaml
  regie apply workflows --dry-run
  regie apply workflows --prune team=payments --reason "release 42"`,
		Args: arguments(1, -1, "FILE or DIR"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.apply(cmd.Context(), &f, args) },
	}
	f.remoteFlags.define(c, cmd)
	f.dialectFlags.define(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would change, and store nothing")
	flags.StringVar(&f.prune, "prune", "", "remove what has the label `KEY=VALUE` and is not here")
	flags.StringVar(&f.reason, "reason", "", reasonHelp)
	return cmd
}

// reasonHelp says what --reason is for.
const reasonHelp = "`WHY`, for the audit log"

func (c *cli) apply(ctx context.Context, f *applyFlags, paths []string) error {
	if err := f.check(); err != nil {
		return err
	}
	r, err := c.connect(&f.remoteFlags)
	if err != nil {
		return err
	}
	d, err := c.load(local.Languages(), &f.dialectFlags, paths...)
	if err != nil {
		return err
	}
	files, shown, err := d.send()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := r.workflows.Apply(ctx, &regiev1.ApplyRequest{
		Namespace: r.namespace, Files: files, Prune: f.prune, DryRun: f.dryRun, Reason: f.reason,
	})
	if err != nil {
		err = r.failure(err)
		var refused *failure
		if errors.As(err, &refused) && len(refused.diagnostics) > 0 {
			d.found(refused.diagnostics, shown)
			d.renderProblems(c.Stderr, c.color(c.Stderr))
			refused.diagnostics = d.problems
		}
		return err
	}
	d.found(diagnosticsFrom(answer.GetDiagnostics()), shown)
	d.renderProblems(c.Stderr, c.color(c.Stderr))
	if c.output == outputJSON {
		c.printJSON(value.Object(append([]value.Member{
			value.M("dry_run", value.Bool(f.dryRun)), value.M("changes", changesValue(answer.GetChanges())),
		}, diagnosticsDocument(d.problems).Members()...)...))
		return nil
	}
	c.printChanges(answer.GetChanges(), f.dryRun)
	return nil
}

// send makes the files of a request: all definitions, and what they bundle, with
// paths relative to the folder that holds them all. shown is how the user named
// each of the definitions, by the path that is sent.
func (d *definitions) send() (files []*regiev1.SourceFile, shown map[string]string, err error) {
	var folders []string
	for _, abs := range d.absolute {
		folders = append(folders, filepath.Dir(abs))
	}
	root := commonFolder(folders)
	shown = map[string]string{}
	sent := map[string]*regiev1.SourceFile{}
	for name, abs := range d.absolute {
		rel, err := filepath.Rel(root, abs)
		if err != nil {
			return nil, nil, failf(exitInvalid, "unreadable", "%s does not lie with the other definitions: %w", name, err)
		}
		rel = filepath.ToSlash(rel)
		shown[rel] = name
		sent[rel] = &regiev1.SourceFile{Path: rel, Content: []byte(d.texts[name]), Definition: true}
		for _, b := range d.filesOf(name) {
			at := path.Join(path.Dir(rel), b.Path)
			if sent[at] == nil {
				sent[at] = &regiev1.SourceFile{Path: at, Content: b.Data, Executable: b.Mode&0o111 != 0}
			}
		}
		beside := d.resourcesOf(name)
		for text := range d.set.Texts {
			if at, err := filepath.Rel(filepath.Dir(beside), text); err == nil && filepath.IsLocal(at) {
				shown[path.Join(path.Dir(rel), filepath.ToSlash(at))] = text
			}
		}
		if d.resources != "" {
			at := path.Join(path.Dir(rel), project.ResourcesName)
			sent[at] = &regiev1.SourceFile{Path: at, Content: []byte(d.texts[d.resources])}
			shown[at] = d.resources
		}
	}
	for _, at := range slices.Sorted(maps.Keys(sent)) {
		files = append(files, sent[at])
	}
	return files, shown, nil
}

// filesOf are the files that a definition bundles, and those that its resources
// file does, which lies beside it, or is put there.
func (d *definitions) filesOf(name string) []workflow.File {
	return slices.Concat(d.bundles[name], d.bundles[d.resourcesOf(name)])
}

// resourcesOf is where the resources file of a definition is, if it has one.
func (d *definitions) resourcesOf(name string) string {
	if d.resources != "" {
		return d.resources
	}
	return filepath.Join(filepath.Dir(name), project.ResourcesName)
}

// commonFolder is the folder that all folders lie in, or are.
func commonFolder(folders []string) string {
	common := ""
	for i, folder := range folders {
		if i == 0 {
			common = folder
		}
		for common != folder && !strings.HasPrefix(folder, strings.TrimRight(common, string(filepath.Separator))+string(filepath.Separator)) {
			common = filepath.Dir(common)
		}
	}
	return common
}

// found takes the problems that the server found, with the names that the user
// gave to files. The server does not say how much of a line is wrong: where the
// same was found here, it is known.
func (d *definitions) found(problems []diag.Diagnostic, shown map[string]string) {
	type place struct {
		file, code   string
		line, column int
	}
	lengths := map[place]int{}
	for _, p := range d.problems {
		lengths[place{p.File, p.Code, p.Line, p.Column}] = p.Length
	}
	for i := range problems {
		p := &problems[i]
		if name, ok := shown[p.File]; ok {
			p.File = name
		}
		p.Length = lengths[place{p.File, p.Code, p.Line, p.Column}]
	}
	d.problems = problems
}

func changesValue(changes []*regiev1.Change) value.Value {
	items := make([]value.Value, len(changes))
	for i, ch := range changes {
		differences := make([]value.Value, len(ch.GetDifferences()))
		for j, text := range ch.GetDifferences() {
			differences[j] = value.String(text)
		}
		items[i] = value.Object(
			value.M("kind", value.String(ch.GetKind())), value.M("namespace", value.String(ch.GetNamespace())), value.M("name", value.String(ch.GetName())),
			value.M("action", value.String(ch.GetAction())), value.M("version", textOrNull(ch.GetVersion())), value.M("differences", value.List(differences...)),
			value.M("effective_from", instantOrNull(ch.GetEffectiveFrom())))
	}
	return value.List(items...)
}

// textOrNull is a text as JSON, or null for an empty one.
func textOrNull(text string) value.Value {
	if text == "" {
		return value.Null
	}
	return value.String(text)
}

// instantOrNull is an instant as JSON, or null for none.
func instantOrNull(at *timestamppb.Timestamp) value.Value {
	if at == nil {
		return value.Null
	}
	return value.String(at.AsTime().Format(time.RFC3339))
}

// The marks and styles of what became of definitions.
var changeMarks = map[string][2]string{
	"created": {"+", view.StyleGood}, "updated": {"~", view.StyleWarning}, "deleted": {"-", view.StyleBad}, "unchanged": {"=", view.StyleFaint},
}

// printChanges prints what changed, and how many of each.
func (c *cli) printChanges(changes []*regiev1.Change, dryRun bool) {
	paint := view.Painter(c.color(c.Stdout))
	counts := map[string]int{}
	for _, ch := range changes {
		counts[ch.GetAction()]++
		mark, ok := changeMarks[ch.GetAction()]
		if !ok {
			mark = [2]string{"?", ""}
		}
		line := fmt.Sprintf("%s %s %s/%s", mark[0], ch.GetKind(), ch.GetNamespace(), ch.GetName())
		if ch.GetVersion() != "" && ch.GetAction() != "unchanged" {
			line += "  version " + ch.GetVersion()
		}
		if ch.GetEffectiveFrom() != nil {
			line += "  in force from " + c.when(ch.GetEffectiveFrom())
		}
		printf(c.Stdout, "%s\n", paint(mark[1], diagVisible(line)))
		for _, text := range ch.GetDifferences() {
			printf(c.Stdout, "    %s\n", diagVisible(text))
		}
	}
	var parts []string
	for _, action := range []string{"created", "updated", "deleted", "unchanged"} {
		if counts[action] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[action], action))
		}
	}
	text := strings.Join(parts, ", ")
	if text == "" {
		text = "nothing changed"
	}
	if dryRun {
		text += " (dry run: nothing was stored)"
	}
	printf(c.Stdout, "%s\n", text)
}
