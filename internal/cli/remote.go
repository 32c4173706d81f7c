package cli

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/regie-dev/regie/client"
	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
	"github.com/regie-dev/regie/internal/cli/contexts"
)

// Bounds of calls to a server.
const (
	// dialTimeout bounds how long a connection may take to be there.
	dialTimeout = 10 * time.Second
	// callTimeout bounds calls that are answered at once.
	callTimeout = 2 * time.Minute
	// completionTimeout bounds what shell completion asks.
	completionTimeout = 2 * time.Second
	// callTries is how often a call is made that the server cannot answer, and
	// streamTries how often in a row a stream is opened: for more than a minute,
	// which a restart may take.
	callTries   = 3
	streamTries = 40
	// maxToken is the longest token or password that is read.
	maxToken = 4 << 10
)

// remoteFlags say which server and namespace a command is about.
type remoteFlags struct {
	context, server, token, tokenFile string
	namespace                         string
}

// define defines the flags that all commands have that speak to a server.
func (f *remoteFlags) define(c *cli, cmd *cobra.Command) {
	f.defineServer(c, cmd)
	cmd.Flags().StringVarP(&f.namespace, "namespace", "n", "", "`NAMESPACE` to look in, by default that of the context")
	complete := c.completeNamespaces(f)
	_ = cmd.RegisterFlagCompletionFunc("namespace", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, nil, typed) // whatever arguments there are
	})
}

// defineServer defines those of commands that are about the whole server.
func (f *remoteFlags) defineServer(c *cli, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.context, "context", "", "`NAME` of the server's context, by default the current one")
	flags.StringVar(&f.server, "server", "", "`URL` of the server, in place of a context")
	flags.StringVar(&f.token, "token", "", "`TOKEN` for it, which others on this machine can see; better --token-file")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` that holds the token")
	_ = cmd.RegisterFlagCompletionFunc("context", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return c.completeContexts(), cobra.ShellCompDirectiveNoFileComp
	})
}

// named reports whether the command line names a server.
func (f *remoteFlags) named() bool { return f.context != "" || f.server != "" }

// withoutEffect refuses flags that were given where nothing looks at them.
func withoutEffect(cmd *cobra.Command, where string, flags ...string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return usagef("--%s has no effect %s", name, where)
		}
	}
	return nil
}

// remote is a server, as a command calls it.
type remote struct {
	place     contexts.Context
	namespace string

	// calls gives up soon, streams goes on over a restart of the server.
	calls, streams *client.Client

	runs       regiev1connect.RunServiceClient
	workflows  regiev1connect.WorkflowServiceClient
	schedules  regiev1connect.ScheduleServiceClient
	identities regiev1connect.IdentityServiceClient
	alerts     regiev1connect.AlertServiceClient
	audit      regiev1connect.AuditServiceClient
	system     regiev1connect.SystemServiceClient
	limits     regiev1connect.LimitServiceClient
}

// connect finds the server that a command is about. Nothing is asked of it yet.
func (c *cli) connect(f *remoteFlags) (*remote, error) {
	place, err := c.place(f)
	if err != nil {
		return nil, err
	}
	return c.dial(place, cmp.Or(f.namespace, c.env("REGIE_NAMESPACE"), place.NamespaceOrDefault()))
}

// dial makes the clients for a place.
func (c *cli) dial(place contexts.Context, namespace string) (*remote, error) {
	transport, err := c.transport(&place)
	if err != nil {
		return nil, err
	}
	cfg := client.Config{
		Server: place.Server, Token: place.Token, UserAgent: "regie/" + c.Build.Version, Transport: transport,
		Retry: client.Retry{Tries: callTries, First: 100 * time.Millisecond, Most: time.Second},
	}
	calls, err := client.New(cfg)
	if err != nil {
		return nil, usagef("%w", err)
	}
	cfg.Retry = client.Retry{Tries: streamTries, First: 100 * time.Millisecond, Most: 2 * time.Second}
	streams, err := client.New(cfg)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return &remote{
		place: place, namespace: namespace, calls: calls, streams: streams,
		runs: calls.Runs, workflows: calls.Workflows, schedules: calls.Schedules, identities: calls.Identities,
		alerts: calls.Alerts, audit: calls.Audit, system: calls.System, limits: calls.Limits,
	}, nil
}

// place chooses the server: --context, --server, REGIE_SERVER, then the current
// context. A token on the command line goes before that of a context. REGIE_TOKEN
// is for servers that are named by their URL only: a context of another server
// must not get it. Such a server is called with the token of its context if nobody
// gives one.
func (c *cli) place(f *remoteFlags) (contexts.Context, error) {
	if f.context != "" && f.server != "" {
		return contexts.Context{}, usagef("--context and --server both name the server: choose one")
	}
	file, _, err := c.contexts()
	if err != nil {
		return contexts.Context{}, err
	}
	token, err := c.givenToken(f.token, f.tokenFile)
	if err != nil {
		return contexts.Context{}, err
	}
	fallback := ""
	var place contexts.Context
	server := cmp.Or(f.server, c.env("REGIE_SERVER"))
	switch {
	case f.context == "" && server != "":
		if server, err = serverURL(server); err != nil {
			return place, err
		}
		place.Server, fallback = server, c.env("REGIE_TOKEN")
		if known := file.Of(server); known != nil {
			place = *known
		}
	case f.context != "":
		known := file.Find(f.context)
		if known == nil {
			return place, noSuchContext(file, f.context)
		}
		place = *known
	default:
		known := file.Find(file.Current)
		if known == nil {
			return place, noServer(file)
		}
		place = *known
	}
	place.Token = cmp.Or(token, fallback, place.Token)
	if place.Token == "" {
		return place, failf(exitInvalid, "no_token", "there is no token for %s", place.Server).
			withHint("log in with `regie context login %[1]s`, or set REGIE_TOKEN beside REGIE_SERVER=%[1]s", place.Server)
	}
	return place, nil
}

// configured reports whether a server is known without being named.
func (c *cli) configured() bool {
	if c.env("REGIE_SERVER") != "" {
		return true
	}
	file, _, err := c.contexts()
	return err == nil && file.Find(file.Current) != nil
}

func noServer(file *contexts.File) error {
	f := failf(exitInvalid, "no_server", "nobody says which server is meant")
	if len(file.Contexts) > 0 {
		return f.withHint("choose one of %s: `regie context use NAME`, or name it with --context", strings.Join(file.Names(), ", "))
	}
	return f.withHint("log in to one with `regie context login URL`, or name it with --server or REGIE_SERVER; `regie server` starts one here")
}

// givenToken is the token on the command line, "" if there is none.
func (c *cli) givenToken(token, file string) (string, error) {
	switch {
	case token != "" && file != "":
		return "", usagef("--token and --token-file both give the token: choose one")
	case token != "":
		return token, nil
	case file != "":
		text, err := c.secretFile(file)
		if err == nil && text == "" {
			err = failf(exitInvalid, "no_token", "%s has no token in it", file)
		}
		return text, err
	}
	return "", nil
}

// secretFile reads the first line of a file, or of standard input ("-").
func (c *cli) secretFile(file string) (string, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = readAll("standard input", c.Stdin, maxToken)
	} else {
		text, err = c.readFile(file, maxToken)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), err
}

// serverURL checks the URL of a server, and writes it in one way.
func serverURL(text string) (string, error) {
	const form = "write it as http://127.0.0.1:7373 or https://regie.example.org"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", usagef("%q is not the URL of a server", text).withHint("%s", form)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", usagef("the URL of a server has no user, query or fragment").withHint("%s", form)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", usagef("http://%s would carry the token where others can read it", u.Host).withHint("use https://, or a tunnel to a loopback address")
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/"), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// transport carries requests to one server.
func (c *cli) transport(place *contexts.Context) (http.RoundTripper, error) {
	secure, err := trust(place)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy: c.Proxy, DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSClientConfig: secure,
		TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
	}, nil
}

// certificateError says that a server has another certificate than the one that
// was trusted.
type certificateError struct{ got, want string }

func (e *certificateError) Error() string {
	return fmt.Sprintf("the server's certificate has the fingerprint %s, not %s", e.got, e.want)
}

// trust is which certificates are taken for the server's.
func trust(place *contexts.Context) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if place.CA != "" {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM([]byte(place.CA)) {
			return nil, failf(exitInvalid, "ca_invalid", "what is given as CA has no certificate in it").withHint("it is a file in the PEM form")
		}
	}
	if place.Fingerprint == "" {
		return cfg, nil
	}
	// One certificate is trusted, whoever signed it and whatever names it has:
	// VerifyConnection compares it.
	cfg.InsecureSkipVerify = true
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		if got := fingerprint(state.PeerCertificates[0]); got != place.Fingerprint {
			return &certificateError{got, place.Fingerprint}
		}
		return nil
	}
	return cfg, nil
}

// fingerprint is the SHA-256 of a certificate, in hexadecimal.
func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// parseFingerprint reads one, in which colons and a leading "SHA256:" may stand.
func parseFingerprint(text string) (string, error) {
	digits := strings.ToLower(strings.ReplaceAll(text, ":", ""))
	digits = strings.TrimPrefix(digits, "sha256")
	if raw, err := hex.DecodeString(digits); err != nil || len(raw) != sha256.Size {
		return "", usagef("%q is not the SHA-256 fingerprint of a certificate", text).withHint("it has 64 hexadecimal digits")
	}
	return digits, nil
}

// unknownCertificate is the certificate of a server that nobody known has signed,
// or nil.
func unknownCertificate(err error) *x509.Certificate {
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) && len(unverified.UnverifiedCertificates) > 0 {
		return unverified.UnverifiedCertificates[0]
	}
	return nil
}
