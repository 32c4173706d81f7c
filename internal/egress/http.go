package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of HTTP clients.
const (
	// MaxRedirects is how many redirects are followed.
	MaxRedirects = 10
	// MaxHeaderBytes is the longest header of a response.
	MaxHeaderBytes = 256 << 10

	tlsTimeout      = 10 * time.Second
	idleTimeout     = 60 * time.Second
	idleConnections = 64
	idlePerHost     = 8
	continueTimeout = time.Second
)

// HTTPConfig says how an HTTP client calls.
type HTTPConfig struct {
	// Dialer opens the connections. Required.
	Dialer *Dialer
	// Proxy names the proxy for a request, nil for none; nil calls directly,
	// whatever the environment says. The proxy itself must be allowed by the
	// dialer. Names are then resolved by the proxy, so that only addresses and
	// known names are checked here.
	Proxy func(*http.Request) (*url.URL, error)
	// RootCAs are the authorities that servers' certificates must come from;
	// nil means the system's.
	RootCAs *x509.CertPool
}

// NewHTTPClient returns a client that calls what the dialer allows, by http
// and https only. It follows at most [MaxRedirects] redirects, each checked
// like the first request; a redirect to another host, port or to an unencrypted
// connection loses all headers but those that carry no rights. Compressed
// responses are passed on as they are. How long a call may take is up to the
// request's context. Close idle connections with the client's
// CloseIdleConnections.
func NewHTTPClient(config HTTPConfig) *http.Client {
	return &http.Client{
		Transport: &guard{
			policy: config.Dialer.Policy(),
			next: &http.Transport{
				Proxy:                  config.Proxy,
				DialContext:            config.Dialer.DialContext,
				TLSClientConfig:        &tls.Config{RootCAs: config.RootCAs, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout:    tlsTimeout,
				DisableCompression:     true,
				MaxIdleConns:           idleConnections,
				MaxIdleConnsPerHost:    idlePerHost,
				IdleConnTimeout:        idleTimeout,
				ExpectContinueTimeout:  continueTimeout,
				MaxResponseHeaderBytes: MaxHeaderBytes,
				ForceAttemptHTTP2:      true,
			},
		},
		CheckRedirect: checkRedirect,
	}
}

// WithoutRedirects returns a client that shares the connections of client and
// returns redirects as responses.
func WithoutRedirects(client *http.Client) *http.Client {
	stay := *client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &stay
}

// URLError is a URL that is never called, whatever is allowed.
type URLError struct{ Reason string }

func (e *URLError) Error() string { return e.Reason }

// CheckURL refuses URLs that are not plain http or https with a host and a
// sound port. Errors are *[URLError].
func CheckURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &URLError{fmt.Sprintf("scheme %q is not supported; use http or https", u.Scheme)}
	case u.Opaque != "":
		return &URLError{"the URL needs // after the scheme"}
	case u.Hostname() == "":
		return &URLError{"the URL has no host"}
	}
	if port := u.Port(); port != "" {
		if _, err := parsePort(port); err != nil {
			return &URLError{err.Error()}
		}
	}
	return nil
}

// PlaceOf returns the host and port that a URL leads to, as the policy names
// them. Errors are *[URLError] or *[DeniedError].
func PlaceOf(u *url.URL) (HostPort, error) {
	if err := CheckURL(u); err != nil {
		return HostPort{}, err
	}
	port := defaultPort(u)
	host, err := normalizeHost(u.Hostname())
	if err != nil {
		return HostPort{}, &DeniedError{Place: HostPort{Host: u.Hostname(), Port: port}, Reason: err.Error(), Forbidden: true}
	}
	return HostPort{Host: host, Port: port}, nil
}

func defaultPort(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// guard checks each request, also those of redirects, before it goes out.
type guard struct {
	policy Policy
	next   *http.Transport
}

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	err := CheckURL(r.URL)
	if err == nil {
		// Unproxied addresses are checked again when they are dialled; through
		// a proxy this is the only check.
		err = g.policy.CheckHost(r.URL.Hostname(), defaultPort(r.URL))
	}
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return g.next.RoundTrip(r)
}

func (g *guard) CloseIdleConnections() { g.next.CloseIdleConnections() }

// ErrTooManyRedirects says that a server redirected more than [MaxRedirects]
// times.
var ErrTooManyRedirects = errors.New("too many redirects")

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) > MaxRedirects {
		return fmt.Errorf("%w: more than %d", ErrTooManyRedirects, MaxRedirects)
	}
	if err := CheckURL(r.URL); err != nil {
		return err
	}
	// Once the trail left the first place, headers stay off, also when it
	// comes back.
	for _, hop := range append(slices.Clone(via[1:]), r) {
		if !samePlace(via[0].URL, hop.URL) {
			dropRights(r.Header)
			break
		}
	}
	return nil
}

// samePlace reports whether headers meant for a may be sent to b: the same
// host and port, or the change from plain to encrypted on the usual ports.
func samePlace(a, b *url.URL) bool {
	if !strings.EqualFold(a.Hostname(), b.Hostname()) {
		return false
	}
	if a.Scheme == b.Scheme {
		return defaultPort(a) == defaultPort(b)
	}
	return a.Scheme == "http" && defaultPort(a) == 80 && defaultPort(b) == 443
}

// dropRights keeps the headers that say what the request is and wants, and
// drops all others: any of them may carry a credential.
func dropRights(h http.Header) {
	for name := range h {
		switch name {
		case "Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Encoding", "User-Agent":
		default:
			delete(h, name)
		}
	}
}
