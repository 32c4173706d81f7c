package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// DefaultDialTimeout is the default of [Config].
const DefaultDialTimeout = 10 * time.Second

// keepAlive is the time between probes on idle connections.
const keepAlive = 15 * time.Second

// Config says how a [Dialer] dials.
type Config struct {
	Policy Policy
	// Resolver finds the addresses of names; nil means the system's.
	Resolver *net.Resolver
	// DialTimeout bounds resolving and connecting; 0 means
	// [DefaultDialTimeout].
	DialTimeout time.Duration
}

// Dialer opens connections to places that its policy allows. It fits wherever
// a DialContext function is asked for. It never changes and is safe for
// concurrent use.
type Dialer struct {
	config Config
}

// NewDialer returns a dialer.
func NewDialer(config Config) *Dialer {
	if config.DialTimeout <= 0 {
		config.DialTimeout = DefaultDialTimeout
	}
	return &Dialer{config: config}
}

// With returns a dialer that allows more places.
func (d *Dialer) With(more ...HostPort) *Dialer {
	config := d.config
	config.Policy = config.Policy.With(more...)
	return NewDialer(config)
}

// Policy returns what the dialer allows.
func (d *Dialer) Policy() Policy { return d.config.Policy }

// DialContext connects to "host:port" on the network "tcp", "tcp4" or "tcp6",
// or to the path of a socket on "unix". A refusal is a *[DeniedError] (use
// errors.As), and is certain to have sent nothing. Where a name has several
// addresses, those that are denied are passed over.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: d.config.DialTimeout, KeepAlive: keepAlive, Resolver: d.config.Resolver}
	switch network {
	case "unix":
		if err := d.config.Policy.checkSocket(address); err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, address)
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("dial %s: network %s is not supported", address, network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	n, err := parsePort(port)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	if err := d.config.Policy.CheckHost(host, n); err != nil {
		return nil, err
	}
	dialer.ControlContext = func(_ context.Context, network, dialled string, _ syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return fmt.Errorf("dial %s: unexpected network %s", dialled, network)
		}
		addr, err := netip.ParseAddrPort(dialled)
		if err != nil {
			return fmt.Errorf("dial %s: %w", dialled, err)
		}
		return d.config.Policy.CheckAddress(host, addr)
	}
	return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
}
