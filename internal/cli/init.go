package cli

import (
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/descriptor"
	"github.com/regie-dev/regie/internal/value"
)

// templates are the files that init writes; {{NAME}} stands for the workflow's
// name.
//
//go:embed templates
var templates embed.FS

// initFiles says which template becomes which file; {{NAME}} as in templates.
var initFiles = []struct{ template, file string }{
	{"templates/workflow.yaml", "{{NAME}}.yaml"},
	{"templates/workflow.test.yaml", "{{NAME}}.test.yaml"},
	{"templates/gitignore", ".gitignore"},
}

func (c *cli) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a small workflow that runs at once",
		Long: `Writes a commented workflow, a test for it and a .gitignore into the folder,
which is made if it is not there. Files that are there already are never
overwritten: if one is, nothing is written.`,
		Example: `  regie init hello
  regie run hello
  regie test hello`,
		GroupID: groupWrite,
		Args:    arguments(0, 1, "DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return c.init(dir)
		},
	}
}

func (c *cli) init(dir string) error {
	abs, err := c.abs(dir)
	if err != nil {
		return err
	}
	name := workflowName(filepath.Base(abs))
	fill := func(text string) string { return strings.ReplaceAll(text, "{{NAME}}", name) }
	for _, f := range initFiles {
		path := fill(f.file)
		if _, err := os.Lstat(filepath.Join(abs, path)); !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				return failf(exitInternal, "unreadable", "%s cannot be looked at: %w", filepath.Join(dir, path), err)
			}
			return failf(exitInvalid, "exists", "%s is there already; nothing was written", filepath.Join(dir, path)).
				withHint("name another folder: regie init DIR")
		}
	}
	if err := os.MkdirAll(abs, 0o755); err != nil { //nolint:gosec // definitions are for the whole team
		return failf(exitInternal, "unwritable", "the folder %s cannot be made: %w", dir, err)
	}
	var written []value.Value
	for _, f := range initFiles {
		text, err := templates.ReadFile(f.template)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, fill(f.file))
		if err := writeNew(filepath.Join(abs, fill(f.file)), fill(string(text))); err != nil {
			return failf(exitInternal, "unwritable", "%s cannot be written: %w", path, err)
		}
		written = append(written, value.String(path))
	}
	if c.output == outputJSON {
		c.printJSON(value.Object(value.M("files", value.List(written...))))
		return nil
	}
	for _, path := range written {
		printf(c.Stdout, "wrote %s\n", visibleLines(path.Text()))
	}
	printf(c.Stdout, "\nNow:\n  regie run %[1]s\n  regie test %[1]s\n", visibleLines(dir))
	return nil
}

// writeNew writes a file that must not be there.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // definitions are for the whole team
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// workflowName makes the name of a workflow from that of a folder.
func workflowName(folder string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, folder)
	name = strings.TrimLeft(name, "-_.")
	name = name[:min(len(name), 40)]
	if name = strings.TrimRight(name, "-_."); !descriptor.ValidName(name) {
		return "hello"
	}
	return name
}
