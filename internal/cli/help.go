package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func (c *cli) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Say how a command is used",
		GroupID: groupOther,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, sub := range cmd.Root().Commands() {
				if len(args) == 0 && sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// shells are those for which there is completion.
var shells = []string{"bash", "fish", "powershell", "zsh"}

func (c *cli) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what completes commands in a shell",
		Long: `Prints a script that completes commands, flags and IDs of runs in bash, fish,
powershell or zsh.`,
		Example: `  source <(regie completion bash)                          for this shell
  regie completion bash > /etc/bash_completion.d/regie     for every shell
  regie completion fish > ~/.config/fish/completions/regie.fish
  regie completion zsh > "${fpath[1]}/_regie"`,
		GroupID:   groupOther,
		Args:      arguments(1, 1, "SHELL"),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(c.Stdout, true)
			case "fish":
				return root.GenFishCompletion(c.Stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(c.Stdout)
			case "zsh":
				return root.GenZshCompletion(c.Stdout)
			}
			f := usagef("there is no completion for %q", args[0])
			return f.withHint("there is completion for %s", strings.Join(shells, ", "))
		},
	}
}
