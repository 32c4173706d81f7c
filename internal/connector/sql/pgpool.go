package sql

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/regie-dev/regie/internal/connector"
	"github.com/regie-dev/regie/internal/egress"
)

// Bounds of connections that are kept.
const (
	maxPools       = 64               // connection objects; past it, the least recently used is closed
	idleTime       = time.Minute      // after which an idle connection is closed
	lifetime       = 30 * time.Minute // after which a connection is replaced
	connectTimeout = 15 * time.Second
	// cancelGrace is how long the server has to confirm that it stopped a
	// statement; then the connection is cut.
	cancelGrace  = 5 * time.Second
	resetTimeout = 5 * time.Second
	// maxMessage bounds one message of the server, and so one row.
	maxMessage = MaxMaxBytes + 1<<20
)

// pools keeps the connections of each connection object.
type pools struct {
	mu   sync.Mutex
	open map[string]*pool
	uses int64
}

type pool struct {
	*pgxpool.Pool
	lastUse int64
	active  int // calls that use it now
	stale   bool
}

// postgres returns the database of a connection object, with the connections
// that were opened for the same one before.
func (p *pools) postgres(c *connector.Connection, dialer *egress.Dialer) (database, error) {
	in, err := c.Connect(PostgresType())
	if err != nil {
		return nil, err
	}
	config, err := parsePostgres(in)
	if err != nil {
		return nil, connector.Errorf(connector.InvalidConnection, "connection %s: %v", c.Name, err)
	}
	for _, text := range c.AllowHosts {
		place, err := egress.ParseHostPort(text)
		if err != nil {
			return nil, connector.Errorf(connector.InvalidConnection, "connection %s: %v", c.Name, err)
		}
		dialer = dialer.With(place)
	}
	// A digest, so that no password is kept longer than its connections.
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(c.Name+"\n"+c.Fields.String()+"\n"+strings.Join(c.AllowHosts, "\n"))))
	return &postgres{pools: p, key: key, config: config, dialer: dialer, name: c.Name}, nil
}

// acquire returns the pool for the key, which make makes if there is none; the
// caller calls release.
func (p *pools) acquire(key string, newPool func() (*pgxpool.Pool, error)) (*pool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.open[key]
	if !ok {
		made, err := newPool()
		if err != nil {
			return nil, err
		}
		found = &pool{Pool: made}
		p.open[key] = found
	}
	p.uses++
	found.lastUse = p.uses
	found.active++
	p.evict()
	return found, nil
}

func (p *pools) release(used *pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	used.active--
	if used.stale && used.active == 0 {
		go used.Close()
	}
}

// evict forgets the least recently used pool when there are too many.
func (p *pools) evict() {
	if len(p.open) <= maxPools {
		return
	}
	oldest := ""
	for key, candidate := range p.open {
		if oldest == "" || candidate.lastUse < p.open[oldest].lastUse {
			oldest = key
		}
	}
	p.forget(oldest)
}

func (p *pools) forget(key string) {
	old := p.open[key]
	delete(p.open, key)
	old.stale = true
	if old.active == 0 {
		go old.Close()
	}
}

func (p *pools) close() {
	p.mu.Lock()
	open := p.open
	p.open = map[string]*pool{}
	p.mu.Unlock()
	for _, old := range open {
		old.Close()
	}
}

// newPool makes a pool that knows nothing but the configuration: pgx reads the
// environment and files of the user's home, all of which is overwritten.
func newPool(c pgConfig, dialer *egress.Dialer) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig("host=localhost user=regie sslmode=disable sslcertmode=disable sslrootcert='' passfile='' " +
		"sslnegotiation=postgres target_session_attrs=any require_auth='' channel_binding=prefer connect_timeout=15 " +
		"min_protocol_version='' max_protocol_version=''")
	if err != nil {
		return nil, fmt.Errorf("the environment of the server disturbs: unset its variables that begin with PG (%w)", err)
	}
	ways, err := c.tls()
	if err != nil {
		return nil, err
	}
	d := &pgDialer{dialer: dialer, known: map[string]bool{}}
	conn := &config.ConnConfig.Config
	conn.Host, conn.Port, conn.Database, conn.User, conn.Password = c.host, c.port, c.database, c.user, c.password
	conn.TLSConfig, conn.Fallbacks = ways[0], nil
	for _, way := range ways[1:] {
		conn.Fallbacks = append(conn.Fallbacks, &pgconn.FallbackConfig{Host: c.host, Port: c.port, TLSConfig: way})
	}
	conn.SSLNegotiation, conn.KerberosSrvName, conn.KerberosSpn, conn.RequireAuth, conn.ValidateConnect = "", "", "", "", nil
	conn.MinProtocolVersion, conn.MaxProtocolVersion, conn.ChannelBinding = "3.0", "3.0", "prefer"
	conn.ConnectTimeout = connectTimeout
	conn.DialFunc = d.dial
	conn.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // the dialer looks up
	conn.MaxProtocolMessageBodyLen = maxMessage
	conn.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: cancelGrace}
	}
	conn.OnNotice = onNotice
	// Texts of values do not depend on the server's settings.
	conn.RuntimeParams = map[string]string{
		"application_name": c.applicationName, "client_encoding": "UTF8", "DateStyle": "ISO, YMD", "TimeZone": "UTC",
		"IntervalStyle": "iso_8601", "bytea_output": "hex", "extra_float_digits": "1",
	}
	if c.searchPath != "" {
		conn.RuntimeParams["search_path"] = c.searchPath
	}
	config.MaxConns, config.MinConns, config.MinIdleConns = c.maxConnections, 0, 0
	config.MaxConnIdleTime, config.MaxConnLifetime = idleTime, lifetime
	config.HealthCheckPeriod = idleTime / 2
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("prepare connections: %w", err)
	}
	return pool, nil
}

// pgDialer dials for pgx. To cancel a statement, pgx dials the address of the
// connection again, without the name by which it was allowed: addresses of
// connections that were made are allowed for that.
type pgDialer struct {
	dialer *egress.Dialer
	mu     sync.Mutex
	known  map[string]bool
}

func (d *pgDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := d.dialer
	d.mu.Lock()
	known := d.known[address]
	d.mu.Unlock()
	if known {
		place, err := egress.ParseHostPort(address)
		if err != nil {
			return nil, err
		}
		dialer = dialer.With(place)
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err == nil && network != "unix" {
		d.mu.Lock()
		d.known[conn.RemoteAddr().String()] = true
		d.mu.Unlock()
	}
	return conn, err
}
