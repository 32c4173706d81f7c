package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
)

// Main runs the command that the arguments name and returns the exit code.
func Main(ctx context.Context, world World) (code int) {
	c := &cli{World: world, output: outputText}
	// A panic is a defect of Regie, and is reported as such: with the place,
	// without the values in hand, which may be secret.
	defer func() {
		if p := recover(); p != nil {
			code = c.report(&failure{
				code: exitInternal, name: "internal", message: fmt.Sprintf("Regie has a defect: %v", p),
				hint: "report it with what you did and these lines:\n" + string(debug.Stack()),
			})
		}
	}()
	root := c.root()
	root.SetArgs(append([]string{}, world.Args...)) // nil would mean those of the process
	root.SetIn(world.Stdin)
	root.SetOut(world.Stdout)
	root.SetErr(world.Stderr)
	err := root.ExecuteContext(ctx)
	var end ended
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &end):
		return int(end)
	default:
		return c.report(asFailure(err))
	}
}

// cli is one call of the command line.
type cli struct {
	World

	output outputKind // as asked for by --output
	// quiet leaves out what a cancel says to whoever pressed Ctrl-C.
	quiet bool
}

// report shows a failure and returns its exit code.
func (c *cli) report(f *failure) int {
	if c.jsonWanted() {
		c.printJSON(f.document())
	}
	paint := view.Painter(c.color(c.Stderr))
	fmt.Fprintf(c.Stderr, "%s %s\n", paint(view.StyleError, "error:"), visibleLines(f.message))
	for _, line := range f.details() {
		fmt.Fprintf(c.Stderr, "  %s\n", visibleLines(line))
	}
	if f.hint != "" {
		fmt.Fprintf(c.Stderr, "  %s %s\n", paint(view.StyleHint, "hint:"), visibleLines(f.hint))
	}
	return f.code
}

// jsonWanted reports whether the result is to be JSON, also when the flags
// could not be read to their end.
func (c *cli) jsonWanted() bool {
	if c.output == outputJSON {
		return true
	}
	for i, arg := range c.Args {
		switch arg {
		case "--":
			return false
		case "--output=json", "-ojson", "-o=json":
			return true
		case "--output", "-o":
			return i+1 < len(c.Args) && c.Args[i+1] == string(outputJSON)
		}
	}
	return false
}

const rootHelp = `Regie runs workflows: scripts, HTTP calls, SQL and more, in order or side by
side, with retries, error paths and a record of everything that happened.

Begin with:

  regie init hello      a small workflow, with a test
  regie run hello       run it
  regie validate FILE   find mistakes before they run`

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "regie",
		Short:         "Run workflows",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	root.PersistentFlags().VarP(&c.output, "output", "o", "how the result is printed: text or json")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := cmd.ValidateFlagGroups(); err != nil {
			return usagef("%w", err)
		}
		return nil
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(c.helpCommand())
	root.AddGroup(&cobra.Group{ID: groupRun, Title: "Run:"}, &cobra.Group{ID: groupWrite, Title: "Write:"},
		&cobra.Group{ID: groupRemote, Title: "On a server:"}, &cobra.Group{ID: groupOperate, Title: "Operate:"}, &cobra.Group{ID: groupServer, Title: "Server:"},
		&cobra.Group{ID: groupAccess, Title: "Access and audit:"},
		&cobra.Group{ID: groupKeep, Title: "Keep and repair:"},
		&cobra.Group{ID: groupOther, Title: "Other:"})
	for _, command := range c.commands() {
		root.AddCommand(command)
	}
	return root
}

// The groups of commands in the help.
const (
	groupRun     = "run"
	groupWrite   = "write"
	groupRemote  = "remote"
	groupServer  = "server"
	groupOperate = "operate"
	groupAccess  = "access"
	groupKeep    = "keep"
	groupOther   = "other"
)

// commands lists all commands, in the order of the help.
func (c *cli) commands() []*cobra.Command {
	var acts []*cobra.Command
	for _, a := range actions() {
		acts = append(acts, c.actCommand(a))
	}
	return append(acts, []*cobra.Command{
		c.applyCommand(), c.workflowsCommand(), c.schedulesCommand(), c.startCommand(), c.runsCommand(), c.watchCommand(), c.whyCommand(), c.cacheCommand(), c.signalCommand(), c.approvalsCommand(), c.decideCommand(true), c.decideCommand(false), c.taskCommand(),
		c.runCommand(), c.testCommand(), c.showCommand(), c.logsCommand(), c.artifactsCommand(), c.outputCommand(), c.initCommand(), c.devCommand(), c.validateCommand(), c.importCommand(), c.schemaCommand(), c.evalCommand(), c.aslCommand(), c.benchCommand(), c.completionCommand(), c.auditCommand(), c.versionCommand(), c.contextCommand(), c.serverCommand(), c.supervisorCommand(),
		c.whoAmICommand(), c.passwdCommand(), c.usersCommand(), c.groupsCommand(), c.tokensCommand(), c.namespacesCommand(), c.alertsCommand(), c.silencesCommand(), c.breakersCommand(), c.limitsCommand(), c.conditionsCommand(), c.backupCommand(), c.restoreCommand(), c.verifyCommand(), c.systemCommand(), c.adminCommand(),
	}...)
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	f := usagef("unknown command %q", name)
	if meant := diag.Suggest(name, names); meant != "" {
		return f.withHint("did you mean %q? `regie help` lists all commands", meant)
	}
	return f.withHint("`regie help` lists all commands")
}

// flagError says which flag is wrong, and which was meant.
func flagError(cmd *cobra.Command, err error) error {
	help := fmt.Sprintf("`%s --help` lists all flags", cmd.CommandPath())
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usagef("%w", err).withHint("%s", help)
	}
	name := unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		return usagef("unknown flag -%s in -%s", name, short).withHint("%s", help)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	slices.Sort(names)
	if meant := diag.Suggest(name, names); meant != "" {
		help = fmt.Sprintf("did you mean --%s? %s", meant, help)
	}
	return usagef("unknown flag --%s", name).withHint("%s", help)
}

// arguments checks the number of arguments; what names them, such as "FILE".
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		help := fmt.Sprintf("usage: %s", cmd.UseLine())
		switch {
		case len(args) < least:
			return usagef("%s is missing", what).withHint("%s", help)
		case most >= 0 && len(args) > most:
			return usagef("%q is one argument too many", args[most]).withHint("%s", help)
		}
		return nil
	}
}
