package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"github.com/regie-dev/regie/gen/regie/v1/regiev1connect"
)

const (
	// DefaultServer is the address of a server on the same machine.
	DefaultServer = "http://127.0.0.1:7373"
	// MaxAnswer bounds one message of an answer, in bytes.
	MaxAnswer = 256 << 20
	// dialTimeout bounds how long a connection may take, and its handshake.
	dialTimeout = 10 * time.Second
	// idleTimeout is how long a connection is kept unused. It is less than the
	// server's, so that the server does not close one that is about to be used.
	idleTimeout = 90 * time.Second
)

// Config says which server is called, and how. The zero Config calls one on the
// same machine, without a token.
type Config struct {
	// Server is its address: https://HOST:PORT or http://HOST:PORT, with a path if
	// it is behind a proxy that has one, or unix:/PATH of a socket. Empty:
	// DefaultServer.
	Server string
	// Token is sent with every call; empty: none is.
	Token string
	// TLS is for servers with https; nil: the system's authorities.
	TLS *tls.Config
	// Insecure lets http be used with servers on other machines, where everybody
	// on the way can read and use the token.
	Insecure bool
	// UserAgent names the program to the server. Empty: regie-client.
	UserAgent string
	// Retry says how often and when calls are repeated.
	Retry Retry
	// Transport carries the requests instead of the client's own, such as for
	// tests. Addresses unix: need the client's own.
	Transport http.RoundTripper
}

// Retry says how often and when calls are repeated that the server could not
// answer.
type Retry struct {
	// Tries is how often a call is made at most. 0: 5; 1: never again. For streams
	// it is how often in a row without a message.
	Tries int
	// First is the wait before the second try, doubled before each that follows up
	// to Most. A random half of it is left out. 0: 200 ms and 5 s.
	First, Most time.Duration
}

// Client calls one server. Safe for concurrent use.
type Client struct {
	Runs       regiev1connect.RunServiceClient
	Workflows  regiev1connect.WorkflowServiceClient
	Schedules  regiev1connect.ScheduleServiceClient
	Alerts     regiev1connect.AlertServiceClient
	Identities regiev1connect.IdentityServiceClient
	Audit      regiev1connect.AuditServiceClient
	System     regiev1connect.SystemServiceClient
	Tasks      regiev1connect.TaskServiceClient
	Limits     regiev1connect.LimitServiceClient
	Signals    regiev1connect.SignalServiceClient
	Approvals  regiev1connect.ApprovalServiceClient

	cfg      Config
	http     *http.Client
	position atomic.Uint64
}

// New makes a client. It calls nobody yet; an error is about the configuration.
func New(cfg Config) (*Client, error) {
	if cfg.Server == "" {
		cfg.Server = DefaultServer
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "regie-client"
	}
	cfg.Retry = cfg.Retry.filled()
	base, dial, err := address(cfg)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token has a character that no token has; was it copied whole, and nothing else with it?")
	}
	c := &Client{cfg: cfg}
	c.http = &http.Client{
		Transport: cfg.Transport,
		// The token is for this server only, and the API does not redirect.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if cfg.Transport == nil {
		c.http.Transport = transport(cfg.TLS, dial)
	}
	options := connect.WithClientOptions(
		connect.WithInterceptors(&caller{client: c}),
		connect.WithReadMaxBytes(MaxAnswer),
	)
	c.Runs = regiev1connect.NewRunServiceClient(c.http, base, options)
	c.Workflows = regiev1connect.NewWorkflowServiceClient(c.http, base, options)
	c.Schedules = regiev1connect.NewScheduleServiceClient(c.http, base, options)
	c.Alerts = regiev1connect.NewAlertServiceClient(c.http, base, options)
	c.Identities = regiev1connect.NewIdentityServiceClient(c.http, base, options)
	c.Audit = regiev1connect.NewAuditServiceClient(c.http, base, options)
	c.System = regiev1connect.NewSystemServiceClient(c.http, base, options)
	c.Tasks = regiev1connect.NewTaskServiceClient(c.http, base, options)
	c.Limits = regiev1connect.NewLimitServiceClient(c.http, base, options)
	c.Signals = regiev1connect.NewSignalServiceClient(c.http, base, options)
	c.Approvals = regiev1connect.NewApprovalServiceClient(c.http, base, options)
	return c, nil
}

// Close lets go of connections that are not used. The client can be used again.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Position is the highest position of what this client wrote, 0 if it wrote
// nothing. Another client that is given it with [Client.SeenPosition] sees all
// that this one wrote.
func (c *Client) Position() uint64 { return c.position.Load() }

// SeenPosition lets reads wait until the server shows everything up to a
// position.
func (c *Client) SeenPosition(position uint64) {
	for {
		old := c.position.Load()
		if position <= old || c.position.CompareAndSwap(old, position) {
			return
		}
	}
}

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// address returns the base of URLs, and how to reach the server.
func address(cfg Config) (base string, dial dialer, err error) {
	network := &net.Dialer{Timeout: dialTimeout}
	if socket, ok := strings.CutPrefix(cfg.Server, "unix:"); ok {
		if after, ok := strings.CutPrefix(socket, "//"); ok {
			socket = after
		}
		if !strings.HasPrefix(socket, "/") {
			return "", nil, fmt.Errorf("server %q: the path of a socket begins with a slash: unix:/run/regie.sock", cfg.Server)
		}
		if cfg.Transport != nil {
			return "", nil, fmt.Errorf("server %q: a socket is reached without another transport", cfg.Server)
		}
		return "http://localhost", func(ctx context.Context, _, _ string) (net.Conn, error) {
			return network.DialContext(ctx, "unix", socket)
		}, nil
	}
	u, err := url.Parse(cfg.Server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", nil, fmt.Errorf("server %q is no address; write https://HOST:PORT, http://127.0.0.1:PORT or unix:/PATH", cfg.Server)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", nil, fmt.Errorf("server %q: an address has no user, query or fragment; the token has a field of its own", u.Redacted())
	}
	if u.Scheme == "http" && !cfg.Insecure && !loopback(u.Hostname()) {
		return "", nil, fmt.Errorf("server %q: without TLS everybody on the way could use the token; write https, or allow it with Insecure", cfg.Server)
	}
	return strings.TrimSuffix(u.String(), "/"), network.DialContext, nil
}

// loopback says that a host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func transport(config *tls.Config, dial dialer) http.RoundTripper {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment, // not for loopback
		DialContext:         dial,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout:     idleTimeout,
		MaxIdleConnsPerHost: 16,
		Protocols:           protocols,
	}
}
