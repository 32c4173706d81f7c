package cli

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/cli/view"
)

// groupsCommand is `regie groups`.
func (c *cli) groupsCommand() *cobra.Command {
	cmd := family("groups", "Manage groups of users", "Lists, makes and changes groups of users. Members have the roles of their groups.", groupAccess,
		c.listGroupsCommand(), c.putGroupCommand(),
		c.membersCommand("add", "Add users to a group", true), c.membersCommand("remove", "Take users out of a group", false),
		c.deleteGroupCommand())
	cmd.AddCommand(c.grantCommands("group", c.completeGroups)...)
	return cmd
}

// groups reads all groups.
func (r *remote) groups(ctx context.Context) (*regiev1.ListGroupsResponse, error) {
	all := &regiev1.ListGroupsResponse{}
	err := pages(func(token string) (string, error) {
		page, err := r.identities.ListGroups(ctx, &regiev1.ListGroupsRequest{PageSize: listPage, PageToken: token})
		all.Groups = append(all.Groups, page.GetGroups()...)
		return page.GetNextPageToken(), err
	})
	return all, err
}

// group reads one group, nil if there is none.
func (r *remote) group(ctx context.Context, name string) (*regiev1.Group, error) {
	all, err := r.groups(ctx)
	for _, g := range all.GetGroups() {
		if g.GetName() == name {
			return g, err
		}
	}
	return nil, err
}

func (c *cli) completeGroups(f *remoteFlags) cobra.CompletionFunc {
	return c.completing(f, func(ctx context.Context, r *remote) ([]string, error) {
		all, err := r.groups(ctx)
		var names []string
		for _, g := range all.GetGroups() {
			names = append(names, g.GetName()+"\t"+g.GetDescription())
		}
		return names, err
	})
}

func (c *cli) listGroupsCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "list", Short: "List groups with their members and roles", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				all, err := r.groups(ctx)
				if err != nil {
					return err
				}
				if c.output == outputJSON {
					return c.printMessage(all)
				}
				t := view.Table{Head: []string{"NAME", "ROLES", "MEMBERS", "DESCRIPTION"}}
				for _, g := range all.GetGroups() {
					t.Add("", g.GetName(), cmp.Or(grantTexts(g.GetGrants()), "-"), cmp.Or(strings.Join(g.GetMembers(), ", "), "-"), g.GetDescription())
				}
				c.printList(&t, len(all.GetGroups()), "no groups; `regie groups put NAME` makes one")
				return nil
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}

// putGroup writes a group, which change changes from what it is: nil if there is
// none.
func (c *cli) putGroup(cmd *cobra.Command, f *remoteFlags, name string, change func(has *regiev1.Group) (*regiev1.PutGroupRequest, error)) error {
	return c.call(cmd, f, func(ctx context.Context, r *remote) error {
		has, err := r.group(ctx, name)
		if err != nil {
			return err
		}
		m, err := change(has)
		if err != nil {
			return err
		}
		m.Name = name
		answer, err := r.identities.PutGroup(ctx, m)
		if err != nil {
			return err
		}
		return c.done(answer, "group %s has %s", name, cmp.Or(strings.Join(answer.GetGroup().GetMembers(), ", "), "no members"))
	})
}

func (c *cli) putGroupCommand() *cobra.Command {
	var f remoteFlags
	var description string
	var members []string
	cmd := &cobra.Command{
		Use: "put NAME", Short: "Make a group, or change it",
		Long: "Makes a group, or changes what the flags name; what they do not name stays as it is.",
		Example: `  regie groups put night-shift --member ada --member bob --description 'from 22:00'
  regie groups grant night-shift operator@risk`,
		Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeGroups(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.putGroup(cmd, &f, args[0], func(has *regiev1.Group) (*regiev1.PutGroupRequest, error) {
				m := &regiev1.PutGroupRequest{Members: has.GetMembers(), Description: has.GetDescription()}
				if cmd.Flags().Changed("description") {
					m.Description = description
				}
				if cmd.Flags().Changed("member") {
					m.Members = given(members)
				}
				return m, nil
			})
		},
	}
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` about the group")
	cmd.Flags().StringArrayVar(&members, "member", nil, "`USER` who is in it, in place of those who are; may be given again ('' for nobody)")
	f.defineServer(c, cmd)
	return cmd
}

// given are the values of a flag that names all of a list; one empty value
// stands for none.
func given(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}

func (c *cli) membersCommand(use, short string, add bool) *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: use + " GROUP USER…", Short: short, Args: arguments(2, -1, "GROUP or USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.putGroup(cmd, &f, args[0], func(has *regiev1.Group) (*regiev1.PutGroupRequest, error) {
				if has == nil {
					return nil, failf(exitInvalid, "not_found", "there is no group %s", args[0]).withHint("`regie groups list` lists them, `regie groups put` makes one")
				}
				members := slices.Clone(has.GetMembers())
				for _, user := range args[1:] {
					i := slices.Index(members, user)
					switch {
					case add && i < 0:
						members = append(members, user)
					case !add && i < 0:
						return nil, failf(exitInvalid, "not_found", "user %s is not in group %s", user, args[0]).withHint("nothing was changed")
					case !add:
						members = slices.Delete(members, i, i+1)
					}
				}
				return &regiev1.PutGroupRequest{Members: members, Description: has.GetDescription()}, nil
			})
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return c.completeUsers(&f)(cmd, nil, part)
		}
		return c.completeGroups(&f)(cmd, args, part)
	}
	f.defineServer(c, cmd)
	return cmd
}

func (c *cli) deleteGroupCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Remove a group", Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeGroups(&f),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, &f, func(ctx context.Context, r *remote) error {
				answer, err := r.identities.DeleteGroup(ctx, &regiev1.DeleteGroupRequest{Name: args[0]})
				if err != nil {
					return err
				}
				return c.done(answer, "group %s was removed", args[0])
			})
		},
	}
	f.defineServer(c, cmd)
	return cmd
}
