package cli

import (
	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/value"
)

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		GroupID: groupOther,
		Args:    arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			commit := value.Null
			text := c.Build.Version
			if c.Build.Commit != "" {
				commit = value.String(c.Build.Commit)
				text += " (" + c.Build.Commit + ")"
			}
			if c.output == outputJSON {
				c.printJSON(value.Object(
					value.M("version", value.String(c.Build.Version)),
					value.M("commit", commit),
					value.M("go", value.String(c.Build.Go))))
				return nil
			}
			printf(c.Stdout, "regie %s, %s\n", text, c.Build.Go)
			return nil
		},
	}
}
