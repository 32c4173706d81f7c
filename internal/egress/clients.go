package egress

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"sync"
)

// maxClients bounds how many clients keep connections open; past it, all idle
// ones are closed.
const maxClients = 64

// Clients makes HTTP clients and keeps those apart that different rules
// opened: a connection that one user of it was allowed to open must not serve
// another. Safe for concurrent use.
type Clients struct {
	config HTTPConfig

	mu   sync.Mutex
	open map[string]*http.Client
}

// NewClients returns a maker of clients that call as config says.
func NewClients(config HTTPConfig) *Clients {
	return &Clients{config: config, open: map[string]*http.Client{}}
}

// Client returns the client for calls on behalf of owner, which may also call
// the places in allow (as [ParseHostPort] reads them) and trusts the
// authorities in ca (PEM; empty means those of the config).
func (c *Clients) Client(owner string, allow []string, ca string) (*http.Client, error) {
	config := c.config
	for _, text := range allow {
		place, err := ParseHostPort(text)
		if err != nil {
			return nil, err
		}
		config.Dialer = config.Dialer.With(place)
	}
	if ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("ca holds no certificate in PEM form")
		}
	}
	key := strings.Join(append([]string{owner, ca}, allow...), "\n")
	c.mu.Lock()
	defer c.mu.Unlock()
	client, ok := c.open[key]
	if !ok {
		if len(c.open) >= maxClients {
			c.closeIdle()
		}
		client = NewHTTPClient(config)
		c.open[key] = client
	}
	return client, nil
}

// CloseIdle closes connections that are kept open. Idempotent; clients can
// still be used.
func (c *Clients) CloseIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeIdle()
}

func (c *Clients) closeIdle() {
	for _, client := range c.open {
		client.CloseIdleConnections()
	}
	clear(c.open)
}
