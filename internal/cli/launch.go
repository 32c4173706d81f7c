package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/mock"
	"github.com/regie-dev/regie/internal/secret"
	"github.com/regie-dev/regie/internal/value"
	"github.com/regie-dev/regie/internal/workflow"
	"github.com/regie-dev/regie/internal/yamldoc"
)

// varPrefix stands before the name of a variable in the environment: vars.REGION
// is REGIE_VAR_REGION.
const varPrefix = "REGIE_VAR_"

// launch collects what the run is started with beside program and input.
func (c *cli) launch(f *runFlags, set *native.Set, program *workflow.Program) (*local.Launch, error) {
	dir, err := c.abs(".")
	if err != nil {
		return nil, err
	}
	// SQLite files lie where the user says: scripts could reach them anyway.
	l := &local.Launch{Dir: dir, Folders: []string{dir, "/"}, AllowHosts: f.allowHosts, Virtual: f.time == timeVirtual, Objects: local.ObjectsOf(set)}
	var names []string
	for _, w := range set.Workflows {
		l.Workflows = append(l.Workflows, w.Program)
		names = append(names, w.Program.Vars...)
	}
	for i := range l.Objects {
		names = append(names, l.Objects[i].Vars()...)
	}
	if l.Vars, err = c.vars(f.vars, names); err != nil {
		return nil, err
	}
	if f.mocks != "" {
		if err := c.mocks(f.mocks, program.Name, l); err != nil {
			return nil, err
		}
	}
	if f.secrets != "" {
		if l.SecretsPath, err = c.abs(f.secrets); err != nil {
			return nil, err
		}
	}
	l.Secrets, err = c.secrets(l.SecretsPath)
	return l, err
}

// vars are the variables of a file, and of the environment where the file has
// none.
func (c *cli) vars(file string, names []string) (value.Value, error) {
	vars := value.Object()
	if file != "" {
		text, err := c.readFile(file, yamldoc.MaxBytes)
		if err != nil {
			return value.Undefined, err
		}
		docs, problems := yamldoc.Parse(file, text)
		if err := c.fileProblems(file, text, problems); err != nil {
			return value.Undefined, err
		}
		if len(docs) != 1 || docs[0].Kind != yamldoc.Map {
			return value.Undefined, failf(exitInvalid, "vars_invalid", "%s must have one mapping of names to values", file)
		}
		vars = docs[0].ToValue()
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if _, given := vars.Lookup(name); given {
			continue
		}
		for _, variable := range []string{varPrefix + name, varPrefix + strings.ToUpper(name)} {
			if text, ok := c.LookupEnv(variable); ok {
				vars = vars.With(name, value.String(text))
				break
			}
		}
	}
	return vars, nil
}

// mocks reads the file of mocks.
func (c *cli) mocks(flag, program string, l *local.Launch) error {
	file, name := mockFile(flag)
	which := mock.Which{Workflow: program, Case: name}
	text, err := c.readFile(file, yamldoc.MaxBytes)
	if err != nil {
		return err
	}
	mocks, problems := mock.Parse(file, text, which)
	if err := c.fileProblems(file, text, problems); err != nil {
		return err
	}
	l.Mocks, l.MocksText, l.MocksOf = mocks, text, which
	return nil
}

// fileProblems shows what is wrong with a file beside the definitions, and ends
// the command if it is not valid.
func (c *cli) fileProblems(file string, text []byte, problems []diag.Diagnostic) error {
	return c.usable(&definitions{problems: problems, texts: map[string]string{file: string(text)}})
}

// secrets finds secrets in the file or folder, then in the environment.
func (c *cli) secrets(path string) (secret.Source, error) {
	env := secret.Env(c.LookupEnv, secret.EnvPrefix)
	if path == "" {
		return env, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, failf(exitInvalid, "not_found", "--secrets: %w", err)
	}
	if info.IsDir() {
		return secret.Chain(secret.Dir(path, c.warn), env), nil
	}
	file, err := secret.OpenFile(path, c.warn)
	if err != nil {
		return nil, failf(exitInvalid, "secrets_invalid", "--secrets: %w", err)
	}
	return secret.Chain(file, env), nil
}

// warn shows a warning.
func (c *cli) warn(message string) {
	printf(c.Stderr, "%s %s\n", view.Painter(c.color(c.Stderr))(view.StyleWarning, "warning:"), visibleLines(message))
}

// needs refuses a program whose variables or secrets are not there. Where steps
// are mocked nobody knows which secrets are needed: a step that lacks one fails.
func (c *cli) needs(p *workflow.Program, l *local.Launch) error {
	vars, secrets := slices.Clone(p.Vars), slices.Clone(p.Secrets)
	for i := range l.Objects {
		if o := &l.Objects[i]; l.Uses(p, o) {
			vars, secrets = append(vars, o.Vars()...), append(secrets, o.Secrets()...)
		}
	}
	slices.Sort(vars)
	slices.Sort(secrets)
	var lacking, hints []string
	for _, name := range slices.Compact(vars) {
		if _, ok := l.Vars.Lookup(name); !ok {
			lacking = append(lacking, fmt.Sprintf("variable %q", name))
			hints = append(hints, fmt.Sprintf("set %s%s, or add %s to the file of --vars", varPrefix, name, name))
		}
	}
	for _, name := range slices.Compact(secrets) {
		found, err := l.Secrets.Lookup(name)
		switch {
		case err == nil:
			if err := secret.Maskable(found.Reveal()); err != nil {
				c.warn(fmt.Sprintf("secret %s is not masked in logs and outputs: %v", name, err))
			}
		case !errors.Is(err, secret.ErrNotFound):
			return failf(exitInvalid, "secrets_invalid", "secret %q: %w", name, err)
		case l.Mocks == nil:
			lacking = append(lacking, fmt.Sprintf("secret %q", name))
			hints = append(hints, fmt.Sprintf("set %s%s, or put %s into the file or folder of --secrets", secret.EnvPrefix, name, name))
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return failf(exitInvalid, "missing", "workflow %s needs what is not there: %s", p.Name, strings.Join(lacking, ", ")).
		withHint("%s", strings.Join(hints, "\n"))
}
