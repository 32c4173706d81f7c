package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

// allUsers is how the API names the tokens of everybody.
const allUsers = "-"

// tokensCommand is `regie tokens`.
func (c *cli) tokensCommand() *cobra.Command {
	return family("tokens", "Manage tokens of programs", "Lists, makes and revokes the tokens by which programs are known.", groupAccess,
		c.listTokensCommand(), c.createTokenCommand(), c.revokeTokenCommand())
}

// tokens reads the tokens of a user: empty: the caller's.
func (r *remote) tokens(ctx context.Context, user string) (*regiev1.ListTokensResponse, error) {
	all := &regiev1.ListTokensResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.identities.ListTokens(ctx, &regiev1.ListTokensRequest{User: user, PageSize: listPage, PageToken: token})
		all.Tokens = append(all.Tokens, page.GetTokens()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

func (c *cli) completeTokens(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.tokens(ctx, "")
		var ids []string
		for _, t := range all.GetTokens() {
			ids = append(ids, t.GetId()+"\t"+t.GetName())
		}
		return ids, err
	})
}

func (c *cli) listTokensCommand() *cobra.Command {
	var f remoteFlags
	var everybody bool
	var user string
	cmd := &cobra.Command{
		Use: "list", Short: "List your tokens, or those of others", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if everybody {
				user = allUsers
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.tokens(ctx, user)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				c.printTokens(all.GetTokens())
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&everybody, "all", false, "list those of everybody")
	cmd.Flags().StringVar(&user, "user", "", "list those of `USER`")
	cmd.MarkFlagsMutuallyExclusive("all", "user")
	_ = cmd.RegisterFlagCompletionFunc("user", c.completeUsers(&f))
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) printTokens(tokens []*regiev1.Token) {
	t := view.Table{Head: []string{"ID", "USER", "MAY", "EXPIRES", "LAST USED", "NAME"}}
	now := c.Clock.Now()
	for _, token := range tokens {
		may := cmp.Or(grantTexts(token.GetScopes()), "all of the user")
		if token.GetReadOnly() {
			may += ", reading"
		}
		style := ""
		if until := token.GetExpiresAt(); until != nil && until.AsTime().Before(now) {
			style = view.StyleFaint
		}
		t.Add(style, token.GetId(), token.GetUser(), may, c.when(token.GetExpiresAt()), cmp.Or(c.when(token.GetLastUsedAt()), "never"), token.GetName())
	}
	c.printList(&t, len(tokens), "no tokens; `regie tokens create NAME` makes one")
}

func (c *cli) createTokenCommand() *cobra.Command {
	var f remoteFlags
	var expires string
	var scopes []string
	m := &regiev1.CreateTokenRequest{}
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a token",
		Long: `Makes a token for a program, for you or for another user. It is shown once: it
goes to standard output, everything else to standard error. It may at most what
its user may, at each moment; --scope and --read-only take away from that.`,
		Example: `  regie tokens create ci --scope author@risk --expires 30d > token.txt
  regie tokens create dashboard --user grafana --read-only`,
		Args: arguments(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Name = args[0]
			var err error
			if m.Scopes, err = parseGrants(scopes); err != nil {
				return err
			}
			if expires != "" {
				if m.ExpiresAt, err = c.after("expires", expires); err != nil {
					return err
				}
			}
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.CreateToken(ctx, m)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(answer)
				}
				token := answer.GetToken()
				c.sayf("token %s of %s, good until %s; it is shown this once:", token.GetId(), token.GetUser(), c.when(token.GetExpiresAt()))
				printf(c.Stdout, "%s\n", diagVisible(answer.GetSecret()))
				return nil
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&m.User, "user", "", "`USER` whose token it is, by default you")
	flags.StringArrayVar(&scopes, "scope", nil, grantHelp+"; the most it may; may be given again")
	flags.BoolVar(&m.ReadOnly, "read-only", false, "it changes nothing")
	flags.StringVar(&expires, "expires", "", "`TIME` it is good for, such as 30d; by default 90d, at most a year")
	_ = cmd.RegisterFlagCompletionFunc("user", c.completeUsers(&f))
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(roleNames(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) revokeTokenCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Args: arguments(1, 1, "ID"), ValidArgsFunction: c.completeTokens(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.RevokeToken(ctx, &regiev1.RevokeTokenRequest{Id: args[0]})
				if err != nil {
					return err
				}
				return c.done(answer, "token %s is not good any more", args[0])
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}
