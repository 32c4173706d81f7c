package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/expr"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/project"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
)

// definitions is what was read of files that a command names.
type definitions struct {
	set      *project.Set
	problems []diag.Diagnostic
	texts    map[string]string // of the files, by the path that problems name
	absolute map[string]string // where they lie, by the same path
	bundles  map[string][]workflow.File
	// resources is the resources file that a flag names, "" for none; beside has
	// where it lies.
	resources string
	beside    map[string]string
}

// load reads and checks the definitions of files and folders, as flags say. Paths
// in what comes back are as they were named.
func (c *cli) load(languages map[string]expr.Language, f *dialectFlags, paths ...string) (*definitions, error) {
	d := &definitions{texts: map[string]string{}, absolute: map[string]string{}, bundles: map[string][]workflow.File{}, beside: map[string]string{}}
	cfg := local.Definitions(languages)
	if err := f.apply(c, &cfg, d); err != nil {
		return nil, err
	}
	all := &project.Project{}
	for _, path := range paths {
		abs, err := c.abs(path)
		if err != nil {
			return nil, err
		}
		p, err := project.Open(abs)
		if err != nil {
			return nil, openFailure(path, abs, err)
		}
		f.chosen(p, c.isFolder(path))
		for _, s := range p.Sources {
			shown := path
			if rest, ok := strings.CutPrefix(s.Path, abs+string(filepath.Separator)); ok {
				shown = filepath.Join(path, rest)
			}
			if _, twice := d.absolute[shown]; twice {
				continue
			}
			d.absolute[shown], d.texts[shown] = s.Path, string(s.Text)
			s.Path = shown
			all.Sources = append(all.Sources, s)
		}
	}
	cfg.Native.Files = func(file string, patterns []string) ([]workflow.File, []native.FileFault) {
		abs := d.absolute[file]
		if abs == "" {
			if abs = d.beside[file]; abs == "" { // a file beside a definition, whose path begins as that of the definition
				var err error
				if abs, err = c.abs(file); err != nil {
					return nil, []native.FileFault{{Message: err.Error()}}
				}
			}
		}
		files, faults := project.Bundle(abs, patterns)
		d.bundles[file] = append(d.bundles[file], files...)
		return files, faults
	}
	d.set, d.problems = project.Load(cfg, all.Sources)
	maps.Copy(d.texts, d.set.Texts)
	return d, nil
}

// openFailure says why definitions cannot be read.
func openFailure(path, abs string, err error) error {
	reason := strings.ReplaceAll(err.Error(), abs, path)
	var wrong *fs.PathError
	switch {
	case errors.Is(err, project.ErrNoDefinition):
		return failf(exitInvalid, "not_found", "no definition found in %s", path).
			withHint("definitions are *.yaml, *.yml or *.json files with `kind:`, and *.asl.json files; `regie init` writes one")
	case errors.Is(err, fs.ErrNotExist):
		return failf(exitInvalid, "not_found", "%s does not exist", path)
	case errors.As(err, &wrong):
		reason = wrong.Err.Error()
	}
	return failf(exitInvalid, "unreadable", "%s cannot be read: %s", path, reason)
}

// renderProblems draws the problems for people.
func (d *definitions) renderProblems(w io.Writer, color bool) {
	for _, p := range d.problems {
		fmt.Fprint(w, diag.Render(p, d.texts[p.File], color))
	}
}

// summary counts problems: "2 errors, 1 warning".
func summary(problems []diag.Diagnostic) string {
	errs, warnings := 0, 0
	for _, p := range problems {
		if p.Severity == diag.Error {
			errs++
		} else {
			warnings++
		}
	}
	var parts []string
	if errs > 0 {
		parts = append(parts, count(errs, "error"))
	}
	if warnings > 0 {
		parts = append(parts, count(warnings, "warning"))
	}
	return strings.Join(parts, ", ")
}

// diagnosticsDocument is the problems as JSON.
func diagnosticsDocument(problems []diag.Diagnostic) value.Value {
	items := make([]value.Value, len(problems))
	for i, p := range problems {
		hint := value.Null
		if p.Hint != "" {
			hint = value.String(p.Hint)
		}
		items[i] = value.Object(
			value.M("file", value.String(p.File)),
			value.M("line", value.Int(int64(p.Line))),
			value.M("column", value.Int(int64(p.Column))),
			value.M("code", value.String(p.Code)),
			value.M("severity", value.String(string(p.Severity))),
			value.M("message", value.String(p.Message)),
			value.M("hint", hint))
		if p.Location != "" {
			items[i] = items[i].With("location", value.String(p.Location))
		}
	}
	return value.Object(value.M("diagnostics", value.List(items...)))
}

// diagnosticsFrom are the problems that a server has found.
func diagnosticsFrom(in []*regiev1.Diagnostic) []diag.Diagnostic {
	out := make([]diag.Diagnostic, len(in))
	for i, d := range in {
		out[i] = diag.Diagnostic{
			File: d.GetFile(), Line: int(d.GetLine()), Column: int(d.GetColumn()), Code: d.GetCode(),
			Severity: diag.Severity(d.GetSeverity()), Message: d.GetMessage(), Hint: d.GetHint(),
		}
	}
	return out
}

// usable shows what is wrong with definitions that are about to be used, and
// ends the command if they are not valid.
func (c *cli) usable(d *definitions) error {
	if diag.HasErrors(d.problems) && c.output == outputJSON {
		c.printJSON(diagnosticsDocument(d.problems))
	}
	color := c.color(c.Stderr)
	d.renderProblems(c.Stderr, color)
	if !diag.HasErrors(d.problems) {
		return nil
	}
	printf(c.Stderr, "%s not valid: %s\n", view.Painter(color)(view.StyleError, "error:"), summary(d.problems))
	return ended(exitInvalid)
}

// readFile reads a file that the command line names, at most limit bytes.
func (c *cli) readFile(path string, limit int64) ([]byte, error) {
	abs, err := c.abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failf(exitInvalid, "not_found", "%s does not exist", path)
	case err != nil:
		return nil, failf(exitInvalid, "unreadable", "%s cannot be read: %w", path, err)
	case info.IsDir():
		return nil, failf(exitInvalid, "unreadable", "%s is a folder, not a file", path)
	}
	f, err := os.Open(abs)
	if err != nil {
		return nil, failf(exitInvalid, "unreadable", "%s cannot be read: %w", path, err)
	}
	defer f.Close()
	return readAll(path, f, limit)
}

func readAll(name string, r io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, failf(exitInvalid, "unreadable", "%s cannot be read: %w", name, err)
	case int64(len(text)) > limit:
		return nil, failf(exitInvalid, "too_large", "%s is larger than %d MiB", name, limit>>20)
	}
	return text, nil
}
