package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ErrorName is the name of the error that a step fails with when a call is
// denied.
const ErrorName = "egress_denied"

// unixPrefix marks the path of a local socket in place of a host.
const unixPrefix = "unix:"

// HostPort names one place that may be called: a host name or an address, in
// small letters, and a port; or the path of a local socket.
type HostPort struct {
	Host string // name, address without brackets, or "unix:" and a path
	Port uint16 // 0 with a path
}

// ParseHostPort reads "name:port", "192.0.2.1:port", "[2001:db8::1]:port" or
// "unix:/path/to/socket".
func ParseHostPort(text string) (HostPort, error) {
	if path, ok := strings.CutPrefix(text, unixPrefix); ok {
		if !strings.HasPrefix(path, "/") {
			return HostPort{}, fmt.Errorf("%q: after unix: belongs an absolute path", text)
		}
		return HostPort{Host: text}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return HostPort{}, fmt.Errorf("%q: want host:port, such as ledger.example.org:5432 or [::1]:8080", text)
	}
	n, err := parsePort(port)
	if err != nil {
		return HostPort{}, fmt.Errorf("%q: %w", text, err)
	}
	host, err = normalizeHost(host)
	if err != nil {
		return HostPort{}, fmt.Errorf("%q: %w", text, err)
	}
	return HostPort{Host: host, Port: n}, nil
}

// String is the form that [ParseHostPort] reads.
func (h HostPort) String() string {
	if strings.HasPrefix(h.Host, unixPrefix) {
		return h.Host
	}
	return net.JoinHostPort(h.Host, strconv.Itoa(int(h.Port)))
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("want a port from 1 to 65535")
	}
	return uint16(n), nil
}

// normalizeHost writes a host the one way in which hosts are compared, and
// refuses what some resolvers read as an address although it is not written as
// one: 127.1, 2130706433, 0x7f.1, 0177.0.0.1.
func normalizeHost(host string) (string, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String(), nil
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" {
		return "", errors.New("the host is missing")
	}
	for _, c := range host {
		if c <= ' ' || c == 0x7f || strings.ContainsRune(`/\?#@[]:%`, c) {
			return "", fmt.Errorf("%q is not a host name", host)
		}
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if isNumber(last) {
		return "", fmt.Errorf("%q is neither a host name nor an address written as four decimal numbers", host)
	}
	return host, nil
}

func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// metadataNames are names under which clouds serve the credentials of a
// machine.
func metadataNames() []string {
	return []string{
		"metadata.google.internal", "metadata.goog", "metadata.azure.internal", "metadata.azure.com",
		"instance-data.ec2.internal", "instance-data", "metadata.tencentyun.com", "metadata.oraclecloud.com",
		"metadata.packet.net", "metadata.platformequinix.com",
	}
}

// Policy says which places may be called besides public ones. The zero Policy
// allows public places only.
type Policy struct {
	Allow []HostPort
}

// With returns a policy that allows more places.
func (p Policy) With(more ...HostPort) Policy {
	return Policy{Allow: slices.Concat(p.Allow, more)}
}

// CheckHost refuses, before any name is resolved, hosts that are forbidden by
// name, written misleadingly, or addresses that may not be called. Errors are
// *[DeniedError].
func (p Policy) CheckHost(host string, port uint16) error {
	name, err := normalizeHost(host)
	if err != nil {
		return &DeniedError{Place: HostPort{Host: host, Port: port}, Reason: err.Error(), Forbidden: true}
	}
	if slices.Contains(metadataNames(), name) {
		return &DeniedError{Place: HostPort{Host: name, Port: port}, Reason: "it serves the machine's credentials", Forbidden: true}
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		return p.CheckAddress(name, netip.AddrPortFrom(addr, port))
	}
	return nil
}

// CheckAddress refuses an address to which host was resolved. Errors are
// *[DeniedError].
func (p Policy) CheckAddress(host string, addr netip.AddrPort) error {
	name, err := normalizeHost(host)
	if err != nil {
		return &DeniedError{Place: HostPort{Host: host, Port: addr.Port()}, Reason: err.Error(), Forbidden: true}
	}
	place := HostPort{Host: name, Port: addr.Port()}
	numeric := HostPort{Host: addr.Addr().Unmap().String(), Port: addr.Port()}
	class := Classify(addr.Addr())
	switch {
	case class.Public():
		return nil
	case !class.Forbidden && (slices.Contains(p.Allow, place) || slices.Contains(p.Allow, numeric)):
		return nil
	}
	return &DeniedError{Place: place, Reason: numeric.Host + " is " + class.What, Forbidden: class.Forbidden}
}

// checkSocket refuses local sockets that are not allowed by their path.
func (p Policy) checkSocket(path string) error {
	place := HostPort{Host: unixPrefix + path}
	if slices.Contains(p.Allow, place) {
		return nil
	}
	return &DeniedError{Place: place, Reason: "it is a socket of this machine"}
}

// DeniedError is a call that the policy refuses; nothing was sent.
type DeniedError struct {
	Place HostPort
	// Reason says why, such as "10.0.0.5 is a private address".
	Reason string
	// Forbidden places cannot be allowed.
	Forbidden bool
}

// Error says what was refused, why, and which line allows it.
func (e *DeniedError) Error() string {
	if e.Forbidden {
		return fmt.Sprintf("calling %s is always denied: %s", e.Place, e.Reason)
	}
	return fmt.Sprintf("calling %[1]s is denied: %[2]s; to allow it, name it in a Connection, or add\n"+
		"  egress: {allow: [%[3]q]}\nto the server's configuration, or run with\n  --allow-host %[1]s",
		e.Place, e.Reason, e.Place.String())
}
