package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/internal/cli/contexts"
	"github.com/regie-dev/regie/internal/cli/view"
	"github.com/regie-dev/regie/internal/diag"
	"github.com/regie-dev/regie/internal/value"
)

const contextHelp = `Remembers servers: where they are, as whom they are called, in which namespace.
Contexts are kept in $XDG_CONFIG_HOME/regie/contexts.yaml (~/.config/regie),
which only you may read.

Which server a command speaks to is said by --context, then --server, then
REGIE_SERVER, then the current context. The token of a context goes with it; for
--server and REGIE_SERVER it is REGIE_TOKEN, and --token-file goes before both.
Others on the machine can see --token. The namespace is that of --namespace, of
REGIE_NAMESPACE, or of the context. SSL_CERT_FILE names more authorities.`

func (c *cli) contextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "context", Short: "Log in to servers and choose one", Long: contextHelp, GroupID: groupServer,
		Example: `  regie context login http://127.0.0.1:7373
  regie context login https://regie.example.org --user ada --name prod --namespace payments
  regie context use prod`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	use := &cobra.Command{
		Use: "use NAME", Short: "Make a context the current one", Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeContext,
	}
	var namespace string
	use.Flags().StringVarP(&namespace, "namespace", "n", "", "`NAMESPACE` that its commands look in from now on")
	use.RunE = func(_ *cobra.Command, args []string) error { return c.useContext(args[0], namespace) }
	cmd.AddCommand(c.loginCommand(),
		&cobra.Command{
			Use: "list", Short: "List contexts", Args: arguments(0, 0, ""),
			RunE: func(*cobra.Command, []string) error { return c.listContexts() },
		},
		use,
		c.showContextCommand(),
		&cobra.Command{
			Use: "remove NAME", Short: "Forget a context, and have the server forget its token",
			Args: arguments(1, 1, "NAME"), ValidArgsFunction: c.completeContext,
			RunE: func(cmd *cobra.Command, args []string) error { return c.leave(cmd.Context(), args[0], true) },
		},
		&cobra.Command{
			Use: "logout [NAME]", Short: "Have the server forget the token, and keep the context",
			Args: arguments(0, 1, "NAME"), ValidArgsFunction: c.completeContext,
			RunE: func(cmd *cobra.Command, args []string) error {
				return c.leave(cmd.Context(), strings.Join(args, ""), false)
			},
		})
	return cmd
}

// contexts reads the user's file of contexts.
func (c *cli) contexts() (*contexts.File, string, error) {
	path, err := contexts.Path(c.LookupEnv)
	if err != nil {
		return &contexts.File{}, "", nil //nolint:nilerr // without a home there are no contexts, and REGIE_SERVER still works
	}
	file, err := contexts.Load(path)
	switch {
	case errors.Is(err, contexts.ErrUnsafe):
		return nil, path, failf(exitInvalid, "unsafe", "%w", err).
			withHint("chmod 600 %s; if somebody may have read it, log out and in again", path)
	case errors.Is(err, contexts.ErrInvalid):
		return nil, path, failf(exitInvalid, "contexts_invalid", "%w", err).withHint("mend it, or remove it and log in again")
	case err != nil:
		return nil, path, failf(exitInternal, "unreadable", "%w", err)
	}
	return file, path, nil
}

// saveContexts writes the file of contexts.
func saveContexts(file *contexts.File, path string) error {
	if path == "" {
		return failf(exitInvalid, "no_config_directory", "nobody says where to keep contexts").withHint("set HOME or XDG_CONFIG_HOME, or use REGIE_SERVER and REGIE_TOKEN")
	}
	if err := file.Save(path); err != nil {
		return failf(exitInternal, "unwritable", "%w", err)
	}
	return nil
}

func noSuchContext(file *contexts.File, name string) error {
	f := failf(exitInvalid, "not_found", "there is no context %q", name)
	if meant := diag.Suggest(name, file.Names()); meant != "" {
		return f.withHint("did you mean %q?", meant)
	}
	if len(file.Contexts) == 0 {
		return f.withHint("`regie context login URL` makes one")
	}
	return f.withHint("there is %s", strings.Join(file.Names(), ", "))
}

func (c *cli) useContext(name, namespace string) error {
	file, path, err := c.contexts()
	if err != nil {
		return err
	}
	known := file.Find(name)
	if known == nil {
		return noSuchContext(file, name)
	}
	file.Current = name
	if namespace != "" {
		known.Namespace = namespace
	}
	if err := saveContexts(file, path); err != nil {
		return err
	}
	if c.output == outputJSON {
		c.printJSON(contextDocument(file, known))
		return nil
	}
	printf(c.Stdout, "Commands now go to %s, namespace %s.\n", diagVisible(known.Server), diagVisible(known.NamespaceOrDefault()))
	return nil
}

// contextDocument is a context as JSON, without the token.
func contextDocument(file *contexts.File, k *contexts.Context) value.Value {
	return value.Object(
		value.M("name", value.String(k.Name)), value.M("current", value.Bool(k.Name != "" && k.Name == file.Current)),
		value.M("server", value.String(k.Server)), value.M("namespace", value.String(k.NamespaceOrDefault())),
		value.M("user", value.String(k.User)), value.M("logged_in", value.Bool(k.Token != "")))
}

func (c *cli) listContexts() error {
	file, _, err := c.contexts()
	if err != nil {
		return err
	}
	if c.output == outputJSON {
		items := make([]value.Value, len(file.Contexts))
		for i := range file.Contexts {
			items[i] = contextDocument(file, &file.Contexts[i])
		}
		c.printJSON(value.Object(value.M("contexts", value.List(items...))))
		return nil
	}
	if len(file.Contexts) == 0 {
		printf(c.Stdout, "no contexts yet; `regie context login URL` makes one\n")
		return nil
	}
	t := view.Table{Head: []string{"", "NAME", "SERVER", "NAMESPACE", "USER"}}
	for i := range file.Contexts {
		k := &file.Contexts[i]
		mark, user := "", k.User
		if k.Name == file.Current {
			mark = "*"
		}
		if k.Token == "" {
			user = "(logged out)"
		}
		t.Add("", mark, k.Name, k.Server, k.NamespaceOrDefault(), user)
	}
	c.printTable(&t)
	return nil
}

func (c *cli) showContextCommand() *cobra.Command {
	var f remoteFlags
	cmd := &cobra.Command{
		Use: "show", Short: "Say which server commands speak to, and as whom", Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := c.connect(&f)
			if err != nil {
				return err
			}
			me, err := r.whoAmI(cmd.Context())
			if err != nil {
				return err
			}
			file, _, err := c.contexts()
			if err != nil {
				return err
			}
			k := r.place
			k.User, k.Namespace = me.GetUser(), r.namespace
			if c.output == outputJSON {
				c.printJSON(value.Object(append(contextDocument(file, &k).Members(), value.M("grants", grantsValue(me.GetGrants())), value.M("expires_at", stamp(me.GetExpiresAt())))...))
				return nil
			}
			field := func(name, text string) { printf(c.Stdout, "%-10s %s\n", name, diagVisible(text)) }
			if k.Name != "" {
				field("context", k.Name)
			}
			field("server", k.Server)
			field("namespace", k.Namespace)
			field("user", k.User)
			for i, g := range me.GetGrants() {
				field([]string{"may", ""}[min(i, 1)], grantText(g))
			}
			if until := me.GetExpiresAt(); until != nil {
				field("until", until.AsTime().In(c.zone()).Format(timeForm)+" (the token ends then)")
			}
			return nil
		},
	}
	f.define(c, cmd)
	return cmd
}

// timeForm is how instants are shown in tables.
const timeForm = "2006-01-02 15:04:05"

func (c *cli) completeContexts() []string {
	file, _, err := c.contexts()
	if err != nil {
		return nil
	}
	out := make([]string, len(file.Contexts))
	for i := range file.Contexts {
		out[i] = fmt.Sprintf("%s\t%s", file.Contexts[i].Name, diagVisible(file.Contexts[i].Server))
	}
	return out
}

func (c *cli) completeContext(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return c.completeContexts(), cobra.ShellCompDirectiveNoFileComp
}
