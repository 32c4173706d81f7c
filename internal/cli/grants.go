package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
)

// grantHelp says how a role in a namespace is written.
const grantHelp = "`ROLE[@NAMESPACE]`; without a namespace it is on all of them, and on the installation"

// parseGrant reads a role with its namespace.
func parseGrant(text string) (*regiev1.Grant, error) {
	role, namespace, named := strings.Cut(text, "@")
	if !slices.Contains(access.Roles(), access.Role(role)) {
		return nil, usagef("there is no role %q", role).withHint("roles are %s", strings.Join(roleNames(), ", "))
	}
	if named && namespace == "" {
		return nil, usagef("%q names no namespace behind the @", text).withHint("write %s@NAMESPACE, or %s for all namespaces", role, role)
	}
	return &regiev1.Grant{Role: role, Namespace: cmp.Or(namespace, access.All)}, nil
}

func parseGrants(texts []string) ([]*regiev1.Grant, error) {
	grants := make([]*regiev1.Grant, len(texts))
	for i, text := range texts {
		var err error
		if grants[i], err = parseGrant(text); err != nil {
			return nil, err
		}
	}
	return grants, nil
}

func roleNames() []string {
	names := make([]string, 0, len(access.Roles()))
	for _, r := range access.Roles() {
		names = append(names, string(r))
	}
	return names
}

// grantTexts are roles as people read them.
func grantTexts(grants []*regiev1.Grant) string {
	texts := make([]string, len(grants))
	for i, g := range grants {
		texts[i] = g.GetRole() + "@" + g.GetNamespace()
	}
	return strings.Join(texts, ", ")
}

// grantCommands are `grant` and `revoke` for users or groups; kind is user or
// group.
func (c *cli) grantCommands(kind string, names func(f *remoteFlags) cobra.CompletionFunc) []*cobra.Command {
	command := func(use, short string, remove bool) *cobra.Command {
		var f remoteFlags
		cmd := &cobra.Command{
			Use:   use + " NAME ROLE[@NAMESPACE]",
			Short: short,
			Long: short + `. Without @NAMESPACE it is the role on all
namespaces, and on the installation.

Roles: ` + strings.Join(roleNames(), ", ") + `.`,
			Example: "  regie " + kind + "s " + use + " ada operator@risk",
			Args:    arguments(2, 2, "NAME or ROLE"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return c.setGrant(cmd, &f, kind+"/"+args[0], args[1], remove)
			},
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return roleNames(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
			}
			return names(&f)(cmd, args, part)
		}
		f.defineServer(c, cmd)
		return cmd
	}
	return []*cobra.Command{
		command("grant", "Give a "+kind+" a role", false),
		command("revoke", "Take a role from a "+kind, true),
	}
}

func (c *cli) setGrant(cmd *cobra.Command, f *remoteFlags, subject, role string, remove bool) error {
	grant, err := parseGrant(role)
	if err != nil {
		return err
	}
	return c.call(cmd, f, func(ctx context.Context, r *remote) error {
		answer, err := r.identities.SetGrant(ctx, &regiev1.SetGrantRequest{Subject: subject, Grant: grant, Remove: remove})
		if err != nil {
			return err
		}
		return c.done(answer, "%s has %s", subject, cmp.Or(grantTexts(answer.GetGrants()), "no role"))
	})
}
