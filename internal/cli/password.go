package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
)

// passwordFromStdin is the first line of standard input.
func (c *cli) passwordFromStdin() (string, error) {
	lines, err := c.linesFromStdin(1)
	if err != nil {
		return "", err
	}
	return lines[0], nil
}

// linesFromStdin are the first lines of standard input, none of them empty.
func (c *cli) linesFromStdin(n int) ([]string, error) {
	text, err := readAll("standard input", c.Stdin, maxToken)
	if err != nil {
		return nil, err
	}
	lines := make([]string, n)
	for i := range lines {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		lines[i] = string(bytes.TrimSuffix(line, []byte("\r")))
		if lines[i] == "" {
			return nil, usagef("line %d of standard input is empty, where a password is to stand", i+1)
		}
	}
	return lines, nil
}

// newPassword asks for a password twice, or reads it from standard input.
func (c *cli) newPassword(user string, stdin bool) (string, error) {
	if stdin {
		return c.passwordFromStdin()
	}
	first, err := c.hidden(fmt.Sprintf("New password of %s: ", diagVisible(user)))
	if err != nil {
		return "", err
	}
	again, err := c.hidden("Again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", usagef("these are two different passwords").withHint("nothing was changed; try again")
	}
	return first, nil
}

// hidden asks for a secret at the terminal.
func (c *cli) hidden(question string) (string, error) {
	answer, ok, err := c.prompt(question, true)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", usagef("nobody can be asked for the password").withHint("give --password-stdin, and the password as the first line of standard input")
	case answer == "":
		return "", usagef("there is no password")
	}
	return answer, nil
}

// sayf tells something beside the result, on standard error.
func (c *cli) sayf(format string, args ...any) {
	if c.output != outputJSON {
		printf(c.Stderr, "%s\n", diagVisible(fmt.Sprintf(format, args...)))
	}
}

func (c *cli) whoAmICommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "whoami", Short: "Say who you are to the server, and what you may", GroupID: groupAccess, Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				me, err := r.whoAmI(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(me)
				}
				c.printField("user", me.GetUser())
				c.printField("by", me.GetVia())
				c.printField("server", r.place.Server)
				c.printField("roles", cmp.Or(grantTexts(me.GetGrants()), "none"))
				c.printField("until", c.when(me.GetExpiresAt()))
				return nil
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) passwdCommand() *cobra.Command {
	var f remoteFlags
	var stdin bool
	cmd := &cobra.Command{
		Use: "passwd", Short: "Change your own password", GroupID: groupAccess,
		Long: `Changes your own password, and ends your other sessions; tokens stay. The old and
the new one are asked for, or are the first two lines of standard input.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := &regiev1.ChangePasswordRequest{}
			if stdin {
				lines, err := c.linesFromStdin(2)
				if err != nil {
					return err
				}
				m.OldPassword, m.NewPassword = lines[0], lines[1]
			} else {
				var err error
				if m.OldPassword, err = c.hidden("Old password: "); err != nil {
					return err
				}
				if m.NewPassword, err = c.newPassword("yourself", false); err != nil {
					return err
				}
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.ChangePassword(ctx, m)
				if err != nil {
					return err
				}
				return c.done(answer, "your password was changed; your other sessions have ended")
			})
		},
	}
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the old and the new password from standard input, a line each")
	f.defineServer(c, cmd)
	return cmd
}
