package sql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
)

const (
	defaultPort        = 5432
	defaultConnections = 8
)

// pgConfig is a connection of type postgres.
type pgConfig struct {
	host                     string // or the folder of a socket
	port                     uint16
	database, user, password string
	sslmode, ca              string
	applicationName          string
	searchPath               string
	maxConnections           int32
}

// parsePostgres reads the fields of a connection. Its errors show no values.
func parsePostgres(in connector.Input) (pgConfig, error) {
	c := pgConfig{
		host: in.Text("host"), port: uint16(in.Int("port")), database: in.Text("database"), user: in.Text("user"),
		password: in.Text("password"), sslmode: in.Text("sslmode"), ca: in.Text("ca"),
		applicationName: in.Text("application_name"), searchPath: in.Text("search_path"), maxConnections: int32(in.Int("max_connections")),
	}
	if c.port == 0 {
		c.port = defaultPort
	}
	if text := in.Text("url"); text != "" {
		if err := c.readURL(text); err != nil {
			return pgConfig{}, fmt.Errorf("url: %w", err)
		}
	}
	if c.host == "" {
		return pgConfig{}, errors.New("the host is missing")
	}
	if c.sslmode == "" {
		c.sslmode = "prefer"
	}
	if c.applicationName == "" {
		c.applicationName = "regie"
	}
	if c.maxConnections == 0 {
		c.maxConnections = defaultConnections
	}
	if strings.ContainsAny(c.host, ", ") {
		return pgConfig{}, errors.New("want one host")
	}
	if strings.IndexByte(c.host+c.database+c.user+c.password+c.applicationName+c.searchPath, 0) >= 0 {
		return pgConfig{}, errors.New("a field contains a NUL character")
	}
	return c, nil
}

func (c *pgConfig) readURL(text string) error {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return errors.New("it cannot be read as a URL; encode special characters of the password, such as %40 for @")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("it must begin with postgres://")
	}
	c.host = u.Hostname()
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return errors.New("the port is not a number from 1 to 65535")
		}
		c.port = uint16(n)
	}
	c.user = u.User.Username()
	c.password, _ = u.User.Password()
	c.database = strings.TrimPrefix(u.Path, "/")
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("its parameters cannot be read")
	}
	for name, values := range query {
		switch name {
		case "sslmode":
			if !validSSLMode(values[0]) {
				return errors.New("sslmode: want disable, prefer, require, verify-ca or verify-full")
			}
			c.sslmode = values[0]
		case "application_name":
			c.applicationName = values[0]
		case "search_path":
			c.searchPath = values[0]
		case "host":
			c.host = values[0]
		default:
			return fmt.Errorf("the parameter %s is not supported", name)
		}
	}
	return nil
}

func validSSLMode(mode string) bool {
	switch mode {
	case "disable", "prefer", "require", "verify-ca", "verify-full":
		return true
	}
	return false
}

// place is what the egress rules call the server.
func (c *pgConfig) place() egress.HostPort {
	if strings.HasPrefix(c.host, "/") {
		return egress.HostPort{Host: fmt.Sprintf("unix:%s/.s.PGSQL.%d", strings.TrimRight(c.host, "/"), c.port)}
	}
	host := strings.ToLower(strings.TrimSuffix(c.host, "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		host = addr.Unmap().String()
	}
	return egress.HostPort{Host: host, Port: c.port}
}

// tls returns the ways to connect, in the order in which they are tried; nil
// stands for no encryption.
func (c *pgConfig) tls() ([]*tls.Config, error) {
	if c.sslmode == "disable" || strings.HasPrefix(c.host, "/") {
		return []*tls.Config{nil}, nil
	}
	var roots *x509.CertPool
	if c.ca != "" {
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(c.ca)) {
			return nil, errors.New("ca holds no certificate in PEM form")
		}
	}
	full := &tls.Config{ServerName: c.host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	whoever := full.Clone()
	whoever.InsecureSkipVerify = true // what prefer and require ask for; the others check below
	chain := whoever.Clone()
	chain.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyChain(state, roots)
	}
	switch {
	case c.sslmode == "verify-full":
		return []*tls.Config{full}, nil
	case c.sslmode == "verify-ca", c.sslmode == "require" && roots != nil:
		return []*tls.Config{chain}, nil
	case c.sslmode == "require":
		return []*tls.Config{whoever}, nil
	}
	return []*tls.Config{whoever, nil}, nil
}

// verifyChain checks that the certificate comes from a known authority,
// whatever host it is for.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	return err
}
