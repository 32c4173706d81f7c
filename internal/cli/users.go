package cli

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

// usersCommand is `regie users`.
func (c *cli) usersCommand() *cobra.Command {
	cmd := family("users", "Manage users", "Lists, makes and changes those who may log in.", groupAccess,
		c.listUsersCommand(), c.createUserCommand(), c.updateUserCommand(), c.userPasswordCommand(),
		c.disableUserCommand("disable", "Keep a user out", true), c.disableUserCommand("enable", "Let a disabled user in again", false),
		c.deleteUserCommand())
	cmd.AddCommand(c.grantCommands("user", c.completeUsers)...)
	return cmd
}

// users reads all users.
func (r *remote) users(ctx context.Context) (*regiev1.ListUsersResponse, error) {
	all := &regiev1.ListUsersResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.identities.ListUsers(ctx, &regiev1.ListUsersRequest{PageSize: listPage, PageToken: token})
		all.Users = append(all.Users, page.GetUsers()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) completeUsers(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.users(ctx)
		var names []string
		for _, u := range all.GetUsers() {
			names = append(names, u.GetName()+"\t"+u.GetDisplayName())
		}
		return names, err
	})
}

func (c *cli) listUsersCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List users with their roles", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.users(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"NAME", "STATE", "ROLES", "GROUPS", "LAST LOGIN", "DISPLAY NAME"}}
				for _, u := range all.GetUsers() {
					state, style := "active", ""
					if u.GetDisabled() {
						state, style = "disabled", view.StyleFaint
					}
					t.Add(style, u.GetName(), state, cmp.Or(grantTexts(u.GetGrants()), "-"), cmp.Or(strings.Join(u.GetGroups(), ", "), "-"),
						cmp.Or(c.when(u.GetLastLoginAt()), "never"), u.GetDisplayName())
				}
				c.printList(&t, len(all.GetUsers()), "no users")
				return nil
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) createUserCommand() *cobra.Command {
	var f remoteFlags
	var display string
	var roles []string
	var stdin bool
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a user",
		Long: `Makes a user. With --password-stdin the first line of standard input is the
password; without it the user has none, and can use tokens only.

Roles: ` + strings.Join(roleNames(), ", ") + `.`,
		Example: `  regie users create ada --role operator@risk --display-name 'Ada L.'
  regie users create bob --role viewer --password-stdin < password.txt`,
		Args: arguments(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := &regiev1.CreateUserRequest{Name: args[0], DisplayName: display}
			var err error
			if m.Grants, err = parseGrants(roles); err != nil {
				return err
			}
			if stdin {
				if m.Password, err = c.passwordFromStdin(); err != nil {
					return err
				}
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.CreateUser(ctx, m)
				if err != nil {
					return err
				}
				if err := c.done(answer, "user %s was made with %s", m.GetName(), cmp.Or(grantTexts(m.GetGrants()), "no role")); err != nil {
					return err
				}
				if !stdin {
					c.sayf("they have no password: make a token with `regie tokens create NAME --user %s`, or `regie users password %s`", m.GetName(), m.GetName())
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&display, "display-name", "", "`NAME` that people are shown")
	cmd.Flags().StringArrayVar(&roles, "role", nil, grantHelp+"; may be given again")
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	f.defineServer(c, cmd)
	return cmd
}

// changeUser sends a change of a user, and says what was done.
func (c *cli) changeUser(cmd *cobra.Command, f *remoteFlags, m *regiev1.UpdateUserRequest, what string) error {
	return c.call(cmd, f, func(ctx context.Context, r *remote) error {
		answer, err := r.identities.UpdateUser(ctx, m)
		if err != nil {
			return err
		}
		return c.done(answer, "user %s %s", m.GetName(), what)
	})
}

func (c *cli) updateUserCommand() *cobra.Command {
	var f remoteFlags
	var display string
	cmd := &cobra.Command{
		Use: "update NAME --display-name TEXT", Short: "Change how a user is shown", Args: arguments(1, 1, "NAME"),
		ValidArgsFunction: c.completeUsers(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("display-name") {
				return usagef("there is nothing to change").withHint("give --display-name; roles change with `regie users grant`, passwords with `regie users password`")
			}
			return c.changeUser(cmd, &f, &regiev1.UpdateUserRequest{Name: args[0], DisplayName: &display}, "was changed")
		},
	}
	cmd.Flags().StringVar(&display, "display-name", "", "`NAME` that people are shown")
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) userPasswordCommand() *cobra.Command {
	var f remoteFlags
	var stdin bool
	cmd := &cobra.Command{
		Use: "password NAME", Short: "Set a user's password",
		Long: `Sets the password of another user, which ends their sessions; their tokens stay.
It is asked for, or is the first line of standard input. Your own: regie passwd.`,
		Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeUsers(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := c.newPassword(args[0], stdin)
			if err != nil {
				return err
			}
			return c.changeUser(cmd, &f, &regiev1.UpdateUserRequest{Name: args[0], Password: &password}, "has a new password")
		},
	}
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) disableUserCommand(use, short string, disabled bool) *cobra.Command {
	var f remoteFlags
	what := "is enabled"
	if disabled {
		what = "is disabled: neither password, sessions nor tokens let them in"
	}
	cmd := &cobra.Command{
		Use: use + " NAME", Short: short, Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeUsers(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.changeUser(cmd, &f, &regiev1.UpdateUserRequest{Name: args[0], Disabled: proto.Bool(disabled)}, what)
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) deleteUserCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Remove a user for good",
		Long: `Removes a user with their sessions and tokens. The name is never used again: the
audit log goes on naming one person by it. ` + "`regie users disable`" + ` can be undone.`,
		Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeUsers(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.DeleteUser(ctx, &regiev1.DeleteUserRequest{Name: args[0]})
				if err != nil {
					return err
				}
				return c.done(answer, "user %s was removed", args[0])
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}
