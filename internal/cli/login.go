package cli

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	regiev1 "github.com/regie-dev/regie/gen/regie/v1"
	"github.com/regie-dev/regie/internal/access"
	"github.com/regie-dev/regie/internal/cli/contexts"
	"github.com/regie-dev/regie/internal/value"
)

const loginHelp = `Logs in to a server and remembers it as a context, which becomes the current one.

Without flags it asks for a token: the admin token that a server prints at its
first start, or one of your own. With --user it asks for a password. If standard
input is not a terminal, its first line is taken. A password or admin token is
exchanged for a token of this machine, which is good for 90 days and is never
shown.

A server whose certificate nobody known has signed is trusted by its fingerprint,
which is shown on the terminal first; compare it with what the server printed, or
give it with --fingerprint. --ca names the certificates of your own authority.`

type loginFlags struct {
	token, tokenFile, user string
	name, namespace        string
	ca, fingerprint        string
}

func (c *cli) loginCommand() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use: "login URL", Short: "Log in to a server and remember it", Long: loginHelp,
		Example: `  regie context login http://127.0.0.1:7373
  regie context login https://regie.example.org --user ada
  regie context login https://regie.example.org --token-file token.txt --name prod`,
		Args: arguments(1, 1, "URL"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.login(cmd.Context(), &f, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.token, "token", "", "`TOKEN` to log in with; REGIE_TOKEN and --token-file keep it out of the list of processes")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` that holds the token")
	flags.StringVar(&f.user, "user", "", "`NAME` to log in as, with a password")
	flags.StringVar(&f.name, "name", "", "`NAME` of the context, by default that of the host")
	flags.StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` of its commands")
	flags.StringVar(&f.ca, "ca", "", "`FILE` with the certificates that sign that of the server")
	flags.StringVar(&f.fingerprint, "fingerprint", "", "`SHA256` of the one certificate that the server may have")
	return cmd
}

func (c *cli) login(ctx context.Context, f *loginFlags, server string) error {
	switch {
	case f.ca != "" && f.fingerprint != "":
		return usagef("--ca and --fingerprint both say which certificate is trusted: choose one")
	case f.user != "" && (f.token != "" || f.tokenFile != ""):
		return usagef("--user logs in with a password, and a token is given: choose one")
	}
	server, err := serverURL(server)
	if err != nil {
		return err
	}
	file, path, err := c.contexts()
	if err != nil {
		return err
	}
	place, err := c.newPlace(f, file, server)
	if err != nil {
		return err
	}
	if err := c.meet(ctx, &place); err != nil {
		return err
	}
	until, err := c.authenticate(ctx, f, &place)
	if err != nil {
		return err
	}
	file.Put(place)
	file.Current = place.Name
	if err := saveContexts(file, path); err != nil {
		return err
	}
	if c.output == outputJSON {
		c.printJSON(value.Object(append(contextDocument(file, &place).Members(), value.M("expires_at", stamp(until)))...))
		return nil
	}
	printf(c.Stdout, "Logged in to %s as %s. Context %s is the current one, with namespace %s.\n",
		diagVisible(place.Server), diagVisible(place.User), place.Name, diagVisible(place.NamespaceOrDefault()))
	if until != nil {
		printf(c.Stdout, "The token ends on %s.\n", until.AsTime().In(c.zone()).Format("2 January 2006"))
	}
	return nil
}

// newPlace is the context to be, without a token.
func (c *cli) newPlace(f *loginFlags, file *contexts.File, server string) (contexts.Context, error) {
	var place contexts.Context
	if known := file.Of(server); known != nil {
		place = *known
	}
	place.Server = server
	name := cmp.Or(f.name, place.Name)
	if name == "" {
		u, err := url.Parse(server)
		if err != nil {
			return place, usagef("%w", err) // serverURL has parsed it
		}
		name = strings.Trim(strings.ReplaceAll(u.Hostname(), ":", "-"), "-")
	}
	if !contexts.ValidName(name) {
		return place, usagef("%q is not the name of a context", name).withHint("give --name: letters, digits, dots, dashes and underscores")
	}
	if other := file.Find(name); other != nil && other.Server != server && f.name == "" {
		return place, usagef("there is a context %s of %s", name, other.Server).withHint("give the new one a --name of its own; `regie context remove %s` forgets the old one", name)
	}
	place.Name, place.Namespace = name, cmp.Or(f.namespace, place.Namespace)
	switch {
	case f.ca != "":
		text, err := c.readFile(f.ca, contexts.MaxBytes/2)
		if err != nil {
			return place, err
		}
		place.CA, place.Fingerprint = string(text), ""
	case f.fingerprint != "":
		var err error
		if place.Fingerprint, err = parseFingerprint(f.fingerprint); err != nil {
			return place, err
		}
		place.CA = ""
	}
	return place, nil
}

// meet makes sure that the server is the one that is meant, before it is told
// any secret: a certificate that nobody known has signed is shown first.
func (c *cli) meet(ctx context.Context, place *contexts.Context) error {
	place.Token, place.TokenID = "", ""
	r, err := c.dial(*place, "")
	if err != nil {
		return err
	}
	_, err = r.whoAmI(ctx)
	cert := unknownCertificate(err)
	switch {
	case unknownCaller(err):
		return nil
	case cert == nil:
		return err
	}
	trusted, err := c.trusts(place.Server, cert)
	if err != nil {
		return err
	}
	place.CA, place.Fingerprint = "", trusted
	return nil
}

// trusts asks whether a certificate is the server's.
func (c *cli) trusts(server string, cert *x509.Certificate) (string, error) {
	sum := fingerprint(cert)
	question := fmt.Sprintf("The certificate of %s is not signed by anybody this machine trusts.\n  fingerprint SHA256:%s\n  made for    %s\n  valid until %s\nIs this what the server printed? [y/N] ",
		server, sum, diagVisible(strings.Join(certificateNames(cert), ", ")), cert.NotAfter.In(c.zone()).Format(time.DateOnly))
	answer, ok, err := c.prompt(question, false)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "", failf(exitInternal, "certificate_unknown", "the certificate of %s is not signed by anybody this machine trusts", server).
			withHint("name who signed it with --ca FILE, or the certificate itself with --fingerprint %s", sum)
	case !yes(answer):
		return "", failf(exitInvalid, "not_trusted", "the certificate is not trusted; nothing was sent to the server")
	}
	return sum, nil
}

func certificateNames(cert *x509.Certificate) []string {
	names := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func yes(answer string) bool {
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

// authenticate gets a token for the place, and says until when it is good.
func (c *cli) authenticate(ctx context.Context, f *loginFlags, place *contexts.Context) (*timestamppb.Timestamp, error) {
	secret, err := c.loginSecret(f)
	if err != nil {
		return nil, err
	}
	if f.user == "" && !access.IsAdminToken(secret) {
		place.Token = secret
		r, err := c.dial(*place, "")
		if err != nil {
			return nil, err
		}
		me, err := r.whoAmI(ctx)
		if err != nil {
			return nil, err
		}
		place.User = me.GetUser()
		return me.GetExpiresAt(), nil
	}
	r, err := c.dial(*place, "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := r.identities.Login(ctx, &regiev1.LoginRequest{User: f.user, Password: secret, TokenName: "regie cli on " + c.Host})
	if err != nil {
		return nil, r.failure(err)
	}
	place.User, place.Token, place.TokenID = in.GetUser(), in.GetSecret(), in.GetToken().GetId()
	return in.GetExpiresAt(), nil
}

// loginSecret is the token or password to log in with.
func (c *cli) loginSecret(f *loginFlags) (string, error) {
	if f.user == "" {
		token, err := c.givenToken(f.token, f.tokenFile)
		if token = cmp.Or(token, c.env("REGIE_TOKEN")); err != nil || token != "" {
			return token, err
		}
	}
	what := "Token"
	if f.user != "" {
		what = "Password of " + diagVisible(f.user)
	}
	secret, ok, err := c.prompt(what+": ", true)
	if !ok && err == nil {
		secret, err = c.secretFile("-")
	}
	if err == nil && secret == "" {
		err = usagef("nothing to log in with").withHint("type the token when asked, or give --token-file FILE or REGIE_TOKEN; --user NAME logs in with a password")
	}
	return secret, err
}

// whoAmI asks the server who the caller is.
func (r *remote) whoAmI(ctx context.Context) (*regiev1.WhoAmIResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	me, err := r.identities.WhoAmI(ctx, &regiev1.WhoAmIRequest{})
	if err != nil {
		return nil, r.failure(err)
	}
	return me, nil
}

// leave has the server forget the token of a context, and forgets it here, or
// the whole context. A token that somebody gave is theirs: it stays good.
func (c *cli) leave(ctx context.Context, name string, remove bool) error {
	file, path, err := c.contexts()
	if err != nil {
		return err
	}
	name = cmp.Or(name, file.Current)
	known := file.Find(name)
	switch {
	case name == "":
		return noServer(file)
	case known == nil:
		return noSuchContext(file, name)
	}
	kept := known.Token != "" && known.TokenID == ""
	if known.TokenID != "" && known.Token != "" {
		if err := c.revoke(ctx, *known); err != nil {
			c.warn(fmt.Sprintf("the token stays good until it ends, or until it is revoked on the server: %v", err))
		}
	}
	server := known.Server
	if remove {
		file.Remove(name)
	} else {
		known.Token, known.TokenID = "", ""
	}
	if err := saveContexts(file, path); err != nil {
		return err
	}
	if c.output == outputJSON {
		c.printJSON(value.Object(value.M("context", value.String(name)), value.M("removed", value.Bool(remove))))
		return nil
	}
	printf(c.Stdout, "Logged out of %s.\n", diagVisible(server))
	if kept {
		printf(c.Stdout, "The token was made elsewhere and stays good.\n")
	}
	return nil
}

func (c *cli) revoke(ctx context.Context, place contexts.Context) error {
	r, err := c.dial(place, "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	_, err = r.identities.RevokeToken(ctx, &regiev1.RevokeTokenRequest{Id: place.TokenID})
	if unknownCaller(err) {
		return nil // it is not good any more
	}
	return r.failure(err)
}

func grantText(g *regiev1.Grant) string {
	if g.GetNamespace() == "*" {
		return g.GetRole() + " in all namespaces"
	}
	return g.GetRole() + " in " + g.GetNamespace()
}

func grantsValue(grants []*regiev1.Grant) value.Value {
	items := make([]value.Value, len(grants))
	for i, g := range grants {
		items[i] = value.Object(value.M("role", value.String(g.GetRole())), value.M("namespace", value.String(g.GetNamespace())))
	}
	return value.List(items...)
}

// stamp is an instant of the API as JSON.
func stamp(t *timestamppb.Timestamp) value.Value {
	if t == nil {
		return value.Null
	}
	return instant(t.AsTime())
}
