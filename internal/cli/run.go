package cli

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/calendar"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/dialect/native"
	"github.com/regie-dev/regie/internal/egress"
	"github.com/regie-dev/regie/internal/local"
	"github.com/regie-dev/regie/internal/runtime"
	"github.com/regie-dev/regie/internal/workflow"
)

// runFlags are the flags of `regie run`.
type runFlags struct {
	dialectFlags

	workflow      string
	input, date   string
	mocks, time   string
	data, resume  string
	vars, secrets string
	allowHosts    []string
	logs          bool
}

// The clocks of a run.
const (
	timeReal    = "real"
	timeVirtual = "virtual"
)

const runHelp = `Runs a workflow in this process, shows it while it runs, and waits for its end.
Of a folder, all definitions are loaded; --workflow names one if there are
several. Every step is recorded on disk before anything acts on it.

Files *.asl.json, *.asl.yaml and *.asl.yml, and others with StartAt and States,
are state machines in Amazon States Language. What their functions and services
are here says resources.yaml beside them, or the file of --resources.

Secrets come from --secrets, which is a folder with a file for each or a YAML or
JSON file, then from REGIE_SECRET_NAME in the environment. Variables (vars.NAME)
come from --vars, then from REGIE_VAR_NAME.

Ctrl-C cancels the run, a second Ctrl-C leaves at once. A run that was left, or
whose process was killed, goes on with --resume RUN; steps whose outcome nobody
knows are then repeated (see max_lost).

Without --data each run has a data folder of its own below
$XDG_STATE_HOME/regie (~/.local/state/regie); the newest 100 are kept.

Exit code 0 if the run succeeded, 1 if it failed or was canceled, 2 if it could
not be started because something is not valid, 3 if Regie itself could not go on.`

func (c *cli) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE|DIR",
		Short: "Run a workflow and wait for its end",
		Long:  runHelp,
		Example: `  regie run eod.yaml
  regie run . --workflow eod --date 2026-03-02 --input '{"limit": 10}'
  regie run eod.yaml --input @input.json --output json > result.json
  regie run eod.yaml --mocks mocks.yaml --time virtual
  regie run order.asl.json --input @order.json --resources resources.yaml`,
		GroupID: groupRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.resume != "" {
				if err := arguments(0, 0, "")(cmd, args); err != nil {
					return err
				}
				return c.resume(cmd.Context(), &f)
			}
			if err := arguments(1, 1, "FILE or DIR")(cmd, args); err != nil {
				return err
			}
			return c.run(cmd.Context(), &f, args[0])
		},
	}
	f.define(cmd)
	cmd.Flags().StringVar(&f.resume, "resume", "", "go on with this `RUN`, which was interrupted")
	return cmd
}

// define defines the flags that all commands have that run a workflow.
func (f *runFlags) define(cmd *cobra.Command) {
	f.dialectFlags.define(cmd)
	f.defineKind(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.workflow, "workflow", "", "`NAME` of the workflow, if there are several")
	flags.StringVar(&f.input, "input", "", inputHelp)
	flags.StringVar(&f.date, "date", "", "business `DATE`, such as 2026-03-02")
	flags.StringVar(&f.mocks, "mocks", "", "`FILE` with what stands in for steps; FILE#CASE for a case of Step Functions Local")
	flags.StringVar(&f.time, "time", timeReal, "`real|virtual`: in virtual time waits, retries and timeouts pass at once")
	flags.StringVar(&f.data, "data", "", "data folder `DIR`; unfinished runs in it go on first")
	flags.StringArrayVar(&f.allowHosts, "allow-host", nil, "`HOST:PORT` that steps may call though it is local or private; can be repeated")
	flags.StringVar(&f.vars, "vars", "", "YAML or JSON `FILE` with variables")
	flags.StringVar(&f.secrets, "secrets", "", "folder or `FILE` with secrets")
	flags.BoolVarP(&f.logs, "verbose", "v", false, "show what steps print")
	_ = cmd.RegisterFlagCompletionFunc("time", cobra.FixedCompletions([]string{timeReal, timeVirtual}, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses flags that cannot be, before anything is read.
func (f *runFlags) check() error {
	if f.time != timeReal && f.time != timeVirtual {
		return usagef("--time %s: want real or virtual", f.time)
	}
	if f.date != "" {
		if _, err := calendar.ParseDate(f.date); err != nil {
			return usagef("--date %s is not a date", f.date).withHint("write it as 2026-03-02")
		}
	}
	if err := f.dialectFlags.check(); err != nil {
		return err
	}
	for _, host := range f.allowHosts {
		if _, err := egress.ParseHostPort(host); err != nil {
			return usagef("--allow-host %s: %w", host, err).withHint("write it as HOST:PORT, such as localhost:8080")
		}
	}
	return nil
}

// run runs a workflow of a file or folder.
func (c *cli) run(ctx context.Context, f *runFlags, path string) error {
	if err := f.check(); err != nil {
		return err
	}
	languages := local.Languages()
	d, err := c.load(languages, &f.dialectFlags, path)
	if err != nil {
		return err
	}
	if err := c.usable(d); err != nil {
		return err
	}
	program, err := pick(d.set.Set, f.workflow)
	if err != nil {
		return err
	}
	request := local.Request{Program: program, BusinessDate: f.date, Actor: "user"}
	if request.Input, err = c.inputValue(f.input); err != nil {
		return err
	}
	launch, err := c.launch(f, d.set.Set, program)
	if err != nil {
		return err
	}
	if err := mocksFit(program, launch.Mocks); err != nil {
		return err
	}
	if err := c.mapped(d, program, launch.Mocks); err != nil {
		return err
	}
	if err := c.needs(program, launch); err != nil {
		return err
	}
	if request.Run, err = runtime.NewIDs(c.Random).Next(c.Clock.Now()); err != nil {
		return err
	}
	if err := local.Check(languages, launch, request, c.Clock.Now()); err != nil {
		return submitFailure(err)
	}
	if err := c.finishOthers(ctx, f, languages); err != nil {
		return err
	}
	dir, err := c.newRunFolder(request.Run, f.data)
	if err != nil {
		return err
	}
	s, err := c.openRunner(ctx, f, local.Config{Folder: dir, Languages: languages, Launch: launch, Virtual: launch.Virtual})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.submit(ctx, request); err != nil {
		return err
	}
	var pruning sync.WaitGroup
	pruning.Go(func() { c.prune(c.Clock.Now()) })
	defer pruning.Wait()
	return s.show(ctx, request.Run)
}

// pick chooses the workflow to run.
func pick(set *native.Set, name string) (*workflow.Program, error) {
	var names []string
	for _, w := range set.Workflows {
		full := w.Program.Name
		if w.Program.Namespace != "" {
			full = w.Program.Namespace + "/" + full
		}
		names = append(names, full)
	}
	switch {
	case len(names) == 0:
		return nil, failf(exitInvalid, "no_workflow", "there is no workflow here, only other objects").
			withHint("a workflow begins with `kind: Workflow`")
	case name == "" && len(names) > 1:
		return nil, usagef("there are %d workflows here", len(names)).withHint("name one: --workflow %s", strings.Join(names, " | "))
	case name == "":
		return set.Workflows[0].Program, nil
	}
	if w := set.Workflow(name); w != nil {
		return w.Program, nil
	}
	f := usagef("there is no workflow %q here", name)
	if meant := diag.Suggest(name, names); meant != "" {
		return nil, f.withHint("did you mean %q?", meant)
	}
	return nil, f.withHint("there is %s", strings.Join(names, ", "))
}

// submitFailure says why a run could not be started.
func submitFailure(err error) error {
	var input *runtime.InputError
	var nobody *local.NobodyError
	if errors.As(err, &nobody) {
		return failf(exitInvalid, "needs_server", "%s", nobody.Error()).
			withHint("regie apply, regie start, then `regie signal` or `regie approve`; or --mocks FILE with an output for the step")
	}
	if !errors.As(err, &input) {
		return failf(exitInternal, "not_started", "the run was not started: %w", err)
	}
	lines := make([]string, len(input.Faults))
	for i, fault := range input.Faults {
		lines[i] = fault.String()
	}
	return failf(exitInvalid, "input_invalid", "%s", strings.Join(lines, "\n")).
		withHint("inputs are given with --input JSON or --input @FILE")
}
